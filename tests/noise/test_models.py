"""Noise models: what they put where, by circuits written by hand."""

import pytest
import torch
from torch.func import grad, vmap

import quilt_func as qf
from quilt_func import noise
from quilt_func.testing import tolerance

F64 = torch.float64
DEP, DEP2, PD = noise.depolarizing, noise.two_qubit_depolarizing, noise.phase_damping
CHAIN = [(0, 1), (1, 2)]


def same(found, *parts):
    expected = qf.circuit(3, *parts)
    assert [(op.gate, op.wires, op.params) for op in found.ops] == [
        (op.gate, op.wires, op.params) for op in expected.ops
    ]


def noisy(circuit, *rules):
    return noise.with_noise(circuit, noise.noise_model(*rules))


def test_each_wire_of_each_gate():
    circuit = qf.circuit(3, qf.ry(0.5, range(3)), qf.cz(0, 2))
    found = noisy(circuit, noise.rule(DEP, 0.1))
    same(found, qf.ry(0.5, range(3)), DEP(0.1, range(3)), qf.cz(0, 2), DEP(0.1, [0, 2]))


def test_overlapping_sets_are_cut():
    """Noise comes after each gate of a chain, not after the chain."""
    found = noisy(qf.circuit(3, qf.cx(CHAIN)), noise.rule(DEP2, 0.1))
    same(found, qf.cx(0, 1), DEP2(0.1, 0, 1), qf.cx(1, 2), DEP2(0.1, 1, 2))


def test_angles_go_with_their_sets():
    theta = torch.tensor([0.1, 0.2, 0.3], dtype=F64)
    found = noisy(qf.circuit(2, qf.rzz(theta, [(0, 1), (1, 0), (0, 1)])), noise.rule(DEP2, 0.1))
    assert [op.params[0].tolist() for op in found.ops[::2]] == [[0.1], [0.2], [0.3]]


def test_rules_by_gate_wires_and_moment():
    circuit = qf.circuit(3, qf.h(range(3)), qf.cx(2, 0), qf.cx(0, 1))
    found = noisy(
        circuit,
        noise.rule(DEP2, 0.2, gates=qf.cx, wires=[(0, 2)]),
        noise.rule(DEP, 0.1, gates=[qf.h], wires=[1], when="before"),
        noise.rule(PD, 0.3, wires=[0]),
    )
    same(
        found,
        DEP(0.1, 1), qf.h(range(3)), PD(0.3, 0), qf.cx(2, 0), DEP2(0.2, 2, 0), PD(0.3, 0),
        qf.cx(0, 1), PD(0.3, 0),
    )  # fmt: skip


def test_idle_wires_of_each_layer():
    circuit = qf.circuit(3, qf.h(0), qf.cx(0, 1), qf.h(2), qf.x(2))
    found = noisy(circuit, noise.rule(PD, 0.1, when="idle"))
    same(found, qf.h(0), qf.h(2), PD(0.1, 1), qf.cx(0, 1), qf.x(2))


def test_layers_keep_the_meaning_and_channels_their_place():
    circuit = qf.circuit(
        3, qf.ry(0.3, [0, 1]), DEP(0.1, 0), qf.cx(CHAIN), DEP2(0.2, 1, 2), qf.rz(0.4, range(3)),
        qf.cz([(0, 2), (1, 2)]),
    )  # fmt: skip
    found = noisy(circuit, noise.rule(PD, 0.0, when="idle"))
    both = [qf.run_density(one, dtype=torch.complex128) for one in (circuit, found)]
    assert (both[0] - both[1]).abs().max() < tolerance(F64, 64)


def test_channels_get_no_noise():
    found = noisy(qf.circuit(3, DEP(0.2, 0)), noise.rule(PD, 0.1))
    same(found, DEP(0.2, 0))


def test_a_strength_for_each_wire_and_its_gradient():
    gammas = torch.tensor([0.1, 0.2, 0.3], dtype=F64)

    def value(gammas, scale):
        model = noise.noise_model(noise.rule(noise.amplitude_damping, scale * gammas))
        circuit = noise.with_noise(qf.circuit(3, qf.x([0, 2])), model)
        return qf.expval(qf.run_density(circuit), qf.pauli_sum({"ZII": 1.0, "IIZ": 0.5}))

    scale = torch.tensor(1.0, dtype=F64)
    assert abs(value(gammas, scale) - (-0.8 + 0.5 * (2 * 0.3 - 1))) < tolerance(F64, 64)
    slopes = grad(value)(gammas, scale)
    assert (slopes - torch.tensor([2.0, 0.0, 1.0])).abs().max() < tolerance(F64, 64)
    swept = vmap(value, (None, 0))(gammas, torch.tensor([0.0, 1.0], dtype=F64))
    assert abs(swept[0] + 1.5) < tolerance(F64, 64)


def test_a_model_is_a_tree():
    model = noise.noise_model(noise.rule(DEP, torch.tensor(0.1), gates=qf.h), noise.rule(PD, 0.2))
    leaves, structure = torch.utils._pytree.tree_flatten(model)
    assert [float(leaf) for leaf in leaves] == pytest.approx([0.1, 0.2])
    again = torch.utils._pytree.tree_unflatten(leaves, structure)
    assert again.rules[0].gates == {qf.h}
    assert again.rules[1].channel is PD


CONFUSION = torch.tensor([[0.9, 0.2], [0.1, 0.8]], dtype=F64)


def test_the_readout_of_a_model_is_a_leaf():
    """Slopes and sweeps in strengths and confusion matrices at once, against a closed form."""
    p = torch.tensor(0.1, dtype=F64)

    def ones(model):
        circuit = noise.with_noise(qf.circuit(1, qf.x(0)), model)
        return noise.readout(qf.probs(qf.run_density(circuit)), model.readout)[1]

    model = noise.noise_model(noise.rule(noise.bit_flip, p), readout=CONFUSION)
    bound = tolerance(F64, 64)
    assert abs(ones(model) - (0.9 * 0.8 + 0.1 * 0.1)) < bound
    slopes = grad(ones)(model)
    assert abs(slopes.rules[0].strengths[0] - (0.1 - 0.8)) < bound
    expected = torch.tensor([[0.0, 0.0], [0.1, 0.9]], dtype=F64)
    assert (slopes.readout - expected).abs().max() < bound
    many = torch.utils._pytree.tree_map(lambda leaf: torch.stack([leaf, 0 * leaf]), model)
    assert (vmap(ones)(many) - torch.tensor([0.73, 0.0], dtype=F64)).abs().max() < bound


def test_a_model_without_readout_has_no_leaf_for_it():
    model = noise.noise_model(noise.rule(DEP, 0.1))
    assert len(torch.utils._pytree.tree_leaves(model)) == 1
    assert torch.utils._pytree.tree_map(lambda leaf: leaf, model).readout is None


def test_readout_does_not_stand_in_the_circuit():
    circuit = qf.circuit(3, qf.h(0))
    plain, more = (noise.noise_model(noise.rule(DEP, 0.1), readout=r) for r in (None, CONFUSION))
    same(noise.with_noise(circuit, more), *noise.with_noise(circuit, plain).ops)


@pytest.mark.parametrize("form", ["one", "each", "all"])
def test_forms_of_a_models_readout(form):
    confusion = {
        "one": CONFUSION,
        "each": torch.stack([CONFUSION] * 2),
        "all": torch.kron(CONFUSION, CONFUSION),
    }[form]
    model = noise.noise_model(readout=confusion)
    p = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=F64)
    expected = torch.kron(CONFUSION, CONFUSION) @ p
    read = noise.readout(p, model.readout)
    assert (read - expected).abs().max() < tolerance(F64, 16)
    assert (noise.undo_readout(read, model.readout) - p).abs().max() < tolerance(F64, 64)
    if form != "all":
        u = qf.uniforms((50, 2), 0, dtype=F64)
        seen = noise.sample_readout(torch.full((50,), 2), model.readout, u)
        bits = torch.where(torch.tensor([True, False]), u < 0.8, u < 0.1)
        assert torch.equal(seen, 2 * bits[:, 0] + bits[:, 1])
