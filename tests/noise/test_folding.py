"""Folding: the same circuit, more gates, and as much more noise."""

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles.mitigation import check_folding, check_noise_scales
from torch.func import grad, vmap

import quilt_func as qf
from quilt_func import noise
from quilt_func.noise import fold_gates, fold_global, folding_scale
from quilt_func.testing import rewrite_laws, strategies, tolerance

F64 = torch.float64
FOLDS = {"global": fold_global, "gates": fold_gates}
each_fold = pytest.mark.parametrize("fold", FOLDS.values(), ids=FOLDS)
SCALES = st.one_of(st.sampled_from([1, 3, 5]), st.floats(1, 6))


@each_fold
@given(circuit=strategies.circuits(max_qubits=3, max_ops=6), scale=SCALES)
def test_folded_circuits_are_the_same(fold, circuit, scale):
    assume(circuit.n_gates and all(op.gate.inverse for op in circuit.ops))
    check_folding(fold, circuit, scale)
    reached = folding_scale(fold(circuit, scale), circuit)
    assert abs(reached - scale) <= (1 + tolerance(F64, 1, scale)) / circuit.n_gates


@each_fold
@pytest.mark.parametrize("scale", [2.2, 3])
def test_folding_is_a_rewrite(fold, scale):
    """Slopes by the entries of a matrix that is given hold along unitaries only: none here."""

    def rewrite(circuit):
        is_by_angles = all(op.gate.inverse and not op.gate.param_shape for op in circuit.ops)
        return fold(circuit, scale) if circuit.n_gates and is_by_angles else circuit

    rewrite_laws(rewrite)()


@each_fold
@pytest.mark.parametrize("scale", [1, 1.4, 2, 3, 4.7, 9])
def test_noise_scales(fold, scale):
    check_noise_scales(fold, scale)


@each_fold
@pytest.mark.parametrize("scale", [1, 3, 5])
def test_odd_scales_multiply_every_channel(fold, scale):
    """Also where only some gates are noisy: each rule's channels, on each wire."""
    circuit = qf.circuit(
        3, qf.h(range(3)), qf.cx([(0, 1), (1, 2)]), qf.rz(0.3, [0, 2]), qf.cz(2, 0)
    )
    model = noise.noise_model(
        noise.rule(noise.two_qubit_depolarizing, 0.1, gates=qf.cx),
        noise.rule(noise.bit_flip, 0.1, gates=qf.rz, when="before"),
        noise.rule(noise.amplitude_damping, 0.1, wires=[1]),
    )

    def channels(circuit):
        noisy = noise.with_noise(circuit, model)
        found = [(op.gate, w) for op in noisy.ops for w in op.wires]
        return {one: found.count(one) for one in found if isinstance(one[0], noise.Channel)}

    plain = channels(circuit)
    assert channels(fold(circuit, scale)) == {one: scale * n for one, n in plain.items()}


def test_what_is_folded():
    """By hand: the whole circuit and its last gates; gates one by one, spread evenly."""
    a, b, c = qf.s(0), qf.cx(0, 1), qf.ry(0.3, 1)
    circuit = qf.circuit(2, a, b, c)

    def named(found):
        return [(op.gate.name, *op.wires, *op.params) for op in found.ops]

    back = [op.inverse() for op in (c, b, a)]
    whole = qf.circuit(2, a, b, c, back, a, b, c, back[:1], c)
    assert named(fold_global(circuit, 3.6)) == named(whole)
    each = qf.circuit(2, a, a.inverse(), a, b, b, b, c, c.inverse(), c, c.inverse(), c)
    assert named(fold_gates(circuit, 3.6)) == named(each)
    assert folding_scale(whole, circuit) == folding_scale(each, circuit) == 11 / 3


def test_gates_of_one_op_are_folded_apart():
    """A chain of gates in one op is no gate: noise comes behind each of its gates."""
    circuit = qf.circuit(3, qf.cx([(0, 1), (1, 2)]))
    wires = [wires for op in fold_gates(circuit, 3).ops for wires in op.wires]
    assert wires == [(0, 1)] * 3 + [(1, 2)] * 3
    assert [w for op in fold_gates(circuit, 2).ops for w in op.wires] == [(0, 1)] + [(1, 2)] * 3
    assert [w for op in fold_global(circuit, 2).ops for w in op.wires] == [(0, 1)] + [(1, 2)] * 3


@each_fold
def test_gradients_go_through(fold):
    thetas = torch.tensor([0.2, 0.9], dtype=F64)
    z = qf.pauli_sum({"ZI": 1.0})

    def value(theta, scale):
        circuit = qf.circuit(
            2, qf.ry(theta, range(2)), qf.iswap(0, 1), qf.rx(theta.flip(0), [1, 0])
        )
        return qf.expval((fold(circuit, scale) if scale else circuit)(), z)

    for scale in (1, 2.6, 3):
        found, expected = grad(value)(thetas, scale), grad(value)(thetas, 0)
        assert (found - expected).abs().max() < tolerance(F64, 64)
    mapped = vmap(lambda t: value(t, 3))(torch.stack([thetas, -thetas]))
    looped = torch.stack([value(t, 3) for t in (thetas, -thetas)])
    assert (mapped - looped).abs().max() < tolerance(F64, 64)


def test_channels_do_not_count():
    circuit = qf.circuit(2, qf.h(range(2)), qf.cx(0, 1))
    model = noise.noise_model(noise.rule(noise.bit_flip, 0.1))
    assert folding_scale(noise.with_noise(fold_global(circuit, 3), model), circuit) == 3
