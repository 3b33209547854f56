"""Noise models and trajectories that are wrong: every law of noise kills one."""

from dataclasses import replace

import pytest
import torch
from hypothesis import settings

import quilt_func as qf
from quilt_func import noise
from quilt_func.noise import branching, density, trajectories
from quilt_func.testing import NOISE_LAWS, LawError, noise_laws

FLIP, AD, PAIRS = noise.bit_flip, noise.amplitude_damping, noise.pauli_errors(["XZ", "ZI"])
RULE = noise.rule(AD, torch.tensor(0.2, dtype=torch.float64))
MODEL = noise.noise_model(RULE)
PAIR_RULE = noise.rule(PAIRS, 0.2, 0.1, gates=[qf.cx])


def of_channel(row, strength=0.3):
    return noise.noise_model(noise.rule(row, strength))


def changed(change, model=MODEL):
    """A model whose noisy circuit's ops are changed one by one."""

    def fn(circuit):
        noisy = noise.with_noise(circuit, model)
        return qf.Circuit(circuit.n_qubits, tuple(change(op, noisy) for op in noisy.ops))

    return fn


def on_wire_0(op, noisy):
    """Noise that comes on the first wire, whatever the gate's."""
    if not isinstance(op.gate, noise.Channel):
        return op
    return replace(op, wires=((0,),) * len(op.wires))


def on_the_next(op, noisy):
    """Noise on the next wire, beyond the last one."""
    is_noise = isinstance(op.gate, noise.Channel)
    return op.map_wires(lambda wire: wire + 1) if is_noise else op


def sorted_wires(op, noisy):
    """Noise for one order of wires alone."""
    if not isinstance(op.gate, noise.Channel):
        return op
    return replace(op, wires=tuple(tuple(sorted(wires)) for wires in op.wires))


def without_first(circuit):
    """A rule that takes the place of its gate."""
    return qf.Circuit(circuit.n_qubits, noise.with_noise(circuit, MODEL).ops[1:])


def in_reverse(circuit):
    return noise.with_noise(qf.Circuit(circuit.n_qubits, circuit.ops[::-1]), MODEL)


def with_gates(circuit):
    """A coherent error, which no strength turns off."""
    noisy = noise.with_noise(circuit, MODEL)
    return qf.circuit(circuit.n_qubits, noisy, qf.rx(0.1, range(circuit.n_qubits)))


def by_value(circuit):
    """Noise where an angle is positive: a branch that `vmap` can't take."""
    positive = any(float(leaf.real.sum()) > 0 for leaf in circuit.leaves)
    return noise.with_noise(circuit, MODEL) if positive else circuit


def detached(circuit):
    ops = [replace(op, params=tuple(map(without_graph, op.params))) for op in circuit.ops]
    return noise.with_noise(qf.Circuit(circuit.n_qubits, tuple(ops)), MODEL)


def without_graph(param):
    return param.detach() if isinstance(param, torch.Tensor) else param


def transposed(p):
    """Positive, but not completely: it shows on a part of an entangled state."""
    swap = torch.eye(4, dtype=p.dtype.to_complex())[[0, 2, 1, 3]]
    return swap.expand(len(p), 4, 4) + 0 * p[:, None, None]


def in_another_order(p):
    probabilities, unitaries = FLIP.mixture(p)
    return probabilities.flip(-1), unitaries


def of_half(gamma):
    return AD.kraus(gamma / 2)


def lost_at_zero(gamma):
    return AD.matrices(torch.where(gamma > 0, gamma, torch.zeros_like(gamma)))


def at_least(gamma):
    return AD.matrices(gamma.clamp(min=0.05))


HALF = noise.rule(replace(AD, matrix=transposed), 0.3, gates=[qf.h])
"""On one wire of an entangled pair: on both it would be positive."""
LOST_TRACE = replace(AD, matrix=lambda gamma: 0.99 * AD.matrices(gamma))
MUTANTS = {
    "density: trace": ("density", of_channel(LOST_TRACE)),
    "density: not completely positive": ("density", noise.noise_model(HALF)),
    "kept: dropped": ("kept", without_first),
    "kept: reversed": ("kept", in_reverse),
    "register: the next wire": ("register", changed(on_the_next)),
    "moved: the first wire": ("moved", changed(on_wire_0)),
    "moved: sorted wires": ("moved", changed(sorted_wires, noise.noise_model(PAIR_RULE))),
    "off: gates": ("off", with_gates),
    "off: never": ("off", of_channel(replace(AD, matrix=at_least))),
    "trajectories: order": ("trajectories", of_channel(replace(FLIP, mixture=in_another_order))),
    "trajectories: operators": ("trajectories", of_channel(replace(AD, kraus=of_half))),
    "mapped: by value": ("mapped", by_value),
    "derivative: detached": ("derivative", detached),
    "derivative: at 0": ("derivative", of_channel(replace(AD, matrix=lost_at_zero))),
}
CIRCUITS = qf.testing.strategies.circuits(
    min_qubits=1, max_qubits=3, max_ops=5, rows=[qf.h, qf.ry, qf.cx], derived=False
)
PATIENTLY = settings(max_examples=200)


@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_die(name):
    law, model = MUTANTS[name]
    with pytest.raises(LawError, match=f"law `{law}` fails") as caught:
        noise_laws(model, circuits=CIRCUITS, only=[law], settings=PATIENTLY)()
    complaint = str(caught.value).split(" : ")[-1].splitlines()[0]
    assert ("Error" in complaint) == (law == "mapped"), "it fails by what it says, not by an error"


def test_every_law_kills_a_mutant():
    assert {law for law, _ in MUTANTS.values()} == set(NOISE_LAWS)


@pytest.mark.parametrize("model", [MODEL, noise.noise_model(PAIR_RULE)], ids=["one", "pairs"])
def test_the_models_they_are_made_of_hold(model):
    noise_laws(model, circuits=CIRCUITS)()


def flipped_order(monkeypatch):
    """Branches counted from the last one."""
    chosen = branching.chosen
    monkeypatch.setattr(branching, "chosen", lambda p, u: p.shape[-1] - 1 - chosen(p.flip(-1), u))


def without_weight(monkeypatch):
    """Weights without the derivative of the branches' probability."""
    score = trajectories.score
    monkeypatch.setattr(trajectories, "score", lambda probabilities: score(probabilities).detach())


def swapped_wires(monkeypatch):
    """A channel's wires swapped in densities alone."""
    order = torch.arange(16).reshape(2, 2, 2, 2).permute(1, 0, 3, 2).flatten()
    right = noise.channels.on_pairs

    def twisted(channel):
        row = right(channel)
        if channel.n_wires == 1:
            return row
        return replace(row, matrix=lambda *s: row.matrices(*s)[:, order][:, :, order])

    monkeypatch.setattr(density, "on_pairs", twisted)


PLANTED = {"order": flipped_order, "weight": without_weight, "wires": swapped_wires}


@pytest.mark.parametrize("name", PLANTED)
def test_mistakes_of_trajectories_and_densities_are_noticed(name, monkeypatch):
    density._twice.cache_clear()
    PLANTED[name](monkeypatch)
    model = noise.noise_model(PAIR_RULE, RULE)
    with pytest.raises(LawError, match="law `trajectories` fails"):
        noise_laws(model, circuits=CIRCUITS, only=["trajectories"], settings=PATIENTLY)()
    density._twice.cache_clear()


def test_a_model_of_a_function_that_has_wires_of_its_own_skips_that():
    noise_laws(changed(on_wire_0), circuits=CIRCUITS, skip=["moved"])()
    noise_laws(with_gates, circuits=CIRCUITS, skip=["off"])()


REFUSED = {
    "a channel": (
        lambda: noise_laws(FLIP),
        r"noise_laws\(model=<.*>\): `model` must be a noise mo",
    ),
    "a rule": (
        lambda: noise_laws(RULE),
        r"`model` must be a noise model or a function, but got a N",
    ),
    "a circuit": (
        lambda: noise_laws("h"),
        r"but got a str\. Make one with `noise_model\(rule\(...\)",
    ),
    "circuits": (
        lambda: noise_laws(MODEL, circuits=3),
        r"`circuits` must be a strategy, but got an",
    ),
}
UNKNOWN = {
    "only": (
        lambda: noise_laws(MODEL, only=["trace"]),
        r"only=\('trace',\): there are no laws \['t",
    ),
    "skip": (
        lambda: noise_laws(MODEL, skip=["trace"]),
        r"skip=\('trace',\): there are no laws \['t",
    ),
}


@pytest.mark.parametrize("name", [*REFUSED, *UNKNOWN])
def test_refusals(name):
    call, told = {**REFUSED, **UNKNOWN}[name]
    with pytest.raises(TypeError if name in REFUSED else ValueError, match=told):
        call()
