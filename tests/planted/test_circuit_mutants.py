"""Wrong circuits, ansätze and rewrites: each law fails on a planted mistake, and tells of it."""

from dataclasses import replace

import pytest
import torch
from hypothesis import Phase, settings

import quilt_func as qf
from quilt_func._torch.trees import tree_map
from quilt_func.circuits import Circuit
from quilt_func.testing import (
    ANSATZ_LAWS,
    CIRCUIT_LAWS,
    REWRITE_LAWS,
    LawError,
    ansatz_laws,
    circuit_laws,
    gate_laws,
    observable_laws,
    rewrite_laws,
)

QUICKLY = settings(max_examples=10, phases=[Phase.generate])
PARTS = [qf.ry(0.4, [0, 2]), qf.crx(torch.tensor(0.7).double(), 0, 1), qf.s(2), qf.cx(2, 0)]


def detached(theta):
    half = (theta / 2).detach()
    real = torch.stack([half.cos(), -half.sin(), half.sin(), half.cos()], -1).reshape(-1, 2, 2)
    return torch.complex(real, torch.zeros_like(real))


DETACHED = replace(qf.ry, matrix=detached, generator=None)  # of which no circuit makes it
WRONG_INVERSE = replace(qf.rx, inverse=lambda theta: (qf.rx, (theta,)))


class WrongOrder(Circuit):
    def __call__(self, state=None, **kind):
        return Circuit(self.n_qubits, self.ops[::-1])(state, **kind)


class OffByOneWire(Circuit):
    def __call__(self, state=None, **kind):
        plain = Circuit(self.n_qubits, self.ops)
        return plain.map_wires(lambda wire: (wire + 1) % self.n_qubits)(state, **kind)


class Conjugating(Circuit):
    def __call__(self, state=None, **kind):
        return Circuit(self.n_qubits, self.ops)(state.conj(), **kind)


class ReadingValues(Circuit):
    def __call__(self, state=None, **kind):
        found = Circuit(self.n_qubits, self.ops)(state, **kind)
        return found if float(found.detach()[0].abs()) < 2 else -found


class InSinglePrecision(Circuit):
    def __call__(self, state=None, **kind):
        return Circuit(self.n_qubits, self.ops)(state, **kind).to(torch.complex64)


def of(cls):
    plain = qf.circuit(3, PARTS)
    return cls(plain.n_qubits, plain.ops)


CIRCUITS = {
    "wrong order": (of(WrongOrder), "steps"),
    "off-by-one wire": (of(OffByOneWire), "steps"),
    "wrong inverse": (qf.circuit(1, WRONG_INVERSE(torch.tensor(0.4).double(), 0)), "inverse"),
    "conjugation": (of(Conjugating), "linear"),
    "detached angle": (qf.circuit(1, DETACHED(torch.tensor(0.4).double(), 0)), "gradient"),
    "values read": (of(ReadingValues), "vmap"),
    "precision lost": (of(InSinglePrecision), "vmap"),
}


def layer(theta):
    return qf.ry(theta[:3], range(3)), qf.cx([(0, 1), (1, 2)]), qf.rz(theta[3:], range(3))


def skipping(theta):
    return qf.ry(theta[:3], range(3)), qf.rz(theta[3:], range(3)) if theta[0] > 0 else []


class Counting:
    def __init__(self):
        self.calls = 0

    def __call__(self, theta):
        self.calls += 1
        return layer(theta + self.calls)


def one_short(theta):
    return qf.ry(theta[:-1], range(5))


def partly_detached(theta):
    return layer(torch.cat([theta[:3], theta[3:].detach()]))


def factor_two(theta):
    return layer(2 * theta - theta.detach())


def reading(theta):
    return layer(theta) if float(theta.detach()[0]) < 100 else layer(-theta)


def in_double(theta):
    return layer(theta.double())


ANSATZE = {
    "an `if` on a value": (skipping, "structure"),
    "a counter": (Counting(), "pure"),
    "off by one": (one_short, "used"),
    "angles detached": (partly_detached, "gradient"),
    "factor 2 in the gradient": (factor_two, "gradient"),
    "values read": (reading, "vmapped"),
    "float64 leak": (in_double, "dtype"),
}


def without_last(c):
    return Circuit(c.n_qubits, c.ops[:-1])


def upside_down(c):
    return c.map_wires(lambda wire: c.n_qubits - 1 - wire)


def detaching(c):
    return tree_map(lambda leaf: leaf.detach(), c)


def without_small(c):
    def is_small(op):
        return len(op.leaves) == op.gate.n_params > 0 and all(not p.any() for p in op.leaves)

    return Circuit(c.n_qubits, tuple(op for op in c.ops if not is_small(op)))


REWRITES = {
    "wrong order": (lambda c: Circuit(c.n_qubits, c.ops[::-1]), "meaning"),
    "sign": (lambda c: c.inverse(), "meaning"),
    "dropped gate": (without_last, "meaning"),
    "swapped wires": (upside_down, "meaning"),
    "more qubits": (lambda c: Circuit(c.n_qubits + 1, c.ops), "meaning"),
    "no circuit": (lambda c: list(c.ops), "meaning"),
    "angles detached": (detaching, "derivatives"),
    "angles near 0 left out": (without_small, "mapped"),
}


@pytest.mark.parametrize("name", CIRCUITS)
def test_circuit_mutants_die(name):
    mutant, law = CIRCUITS[name]
    with pytest.raises(LawError, match=rf"law `{law}` fails for Circuit\("):
        circuit_laws(mutant, only=[law], settings=QUICKLY)()


@pytest.mark.parametrize("name", ANSATZE)
def test_ansatz_mutants_die(name):
    mutant, law = ANSATZE[name]
    with pytest.raises(LawError, match=rf"law `{law}` fails for"):
        ansatz_laws(mutant, torch.zeros(6), only=[law], settings=QUICKLY)()


@pytest.mark.parametrize("name", REWRITES)
def test_rewrite_mutants_die(name):
    mutant, law = REWRITES[name]
    with pytest.raises(LawError, match=rf"law `{law}` fails for"):
        rewrite_laws(mutant, only=[law], settings=QUICKLY)()


def test_every_law_kills_a_mutant():
    assert {law for _, law in CIRCUITS.values()} == set(CIRCUIT_LAWS)
    assert {law for _, law in ANSATZE.values()} == set(ANSATZ_LAWS)
    assert {law for _, law in REWRITES.values()} == set(REWRITE_LAWS)


def test_the_unharmed_live():
    circuit_laws(of(Circuit), settings=QUICKLY)()
    circuit_laws(qf.circuit(2), settings=QUICKLY)()
    ansatz_laws(layer, torch.zeros(6), settings=QUICKLY)()
    ansatz_laws(lambda p: qf.circuit(5, layer(p["a"])), {"a": torch.zeros(6).double()},
                settings=QUICKLY)()  # fmt: skip
    rewrite_laws(lambda c: c.inverse().inverse(), settings=QUICKLY)()


def test_a_wrong_rewrite_shrinks_to_a_small_circuit():
    patiently = settings(max_examples=100, derandomize=True, database=None)
    with pytest.raises(LawError) as caught:
        rewrite_laws(without_last, only=["meaning"], settings=patiently)()
    text = str(caught.value)
    assert "Circuit(1 qubits, 1 gates)" in text
    for part in ("deviates by", "tolerance", "8 eps √steps", "Usual cause", "global phase"):
        assert part in text, f"{part!r} is missing in {text!r}"


MATRIX = qf.unitary(torch.eye(2).cdouble(), 0)
REFUSED = {
    "gate": (lambda: gate_laws(qf.x(0)), r"gate_laws\(gate=<x on .*\): `gate` must be a gate, but"),
    "matrices": (lambda: gate_laws(MATRIX.gate), r"`gate` must take angles, but it takes matrices"),
    "observable": (lambda: observable_laws("Z"), r"observable_laws\(observable='Z'\): `obs.* must"),
    "circuit": (lambda: circuit_laws(PARTS), r"circuit_laws\(circuit=.*\): `circuit` must be a c"),
    "fn of ansatz": (lambda: ansatz_laws(1, {}), r"ansatz_laws\(fn=1\): `fn` must be a function"),
    "params": (lambda: ansatz_laws(layer, [0.1]), r"ansatz_laws\(params=\[0.1\]\): `params` must "),
    "no params": (
        lambda: ansatz_laws(layer, {}),
        r"ansatz_laws\(params=\{\}\): `params` must hold",
    ),
    "fn": (lambda: rewrite_laws(None), r"rewrite_laws\(fn=None\): `fn` must be a function, but "),
    "circuits": (lambda: rewrite_laws(layer, circuits=[]), r"rewrite_laws\(circuits=\[\]\): `cir"),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_subjects_are_refused_at_once(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_unknown_laws_are_refused():
    with pytest.raises(ValueError, match=r"there are no laws \['magic'\]. Choose from \['steps'"):
        circuit_laws(qf.circuit(1), only=["magic"])
