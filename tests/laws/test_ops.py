"""Ops: forms of a call, angles and weak numbers, order of sets, pytrees, copies, drawings."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import dense
from oracles.compare import assert_close
from torch.func import grad, vmap
from torch.utils import _pytree as pytree

import quilt_func as qf
from quilt_func.testing import strategies as qst

F32, F64 = torch.float32, torch.float64
THETA = torch.tensor(0.3, dtype=F64)

SAME_CALLS = {
    "one wire": lambda: (qf.h(0), qf.h([0])),
    "range": lambda: (qf.h(range(3)), qf.h([0, 1, 2])),
    "range with a step": lambda: (qf.h(range(0, 6, 2)), qf.h((0, 2, 4))),
    "generator": lambda: (qf.h(w for w in (2, 1)), qf.h([2, 1])),
    "numpy array": lambda: (qf.h(np.arange(2)), qf.h([0, 1])),
    "numpy ints": lambda: (qf.cx(np.int64(1), np.int32(0)), qf.cx(1, 0)),
    "one set": lambda: (qf.cx(0, 1), qf.cx([(0, 1)])),
    "sets": lambda: (qf.cx([(0, 1), (1, 2)]), qf.cx(((0, 1), (1, 2)))),
    "zip": lambda: (qf.cx(zip((0, 2), (1, 3), strict=True)), qf.cx([(0, 1), (2, 3)])),
    "angles": lambda: (qf.u(THETA, THETA, THETA, 1), qf.u(THETA, THETA, THETA, [1])),
    "no wires": lambda: (qf.h([]), qf.h(range(0))),
}


@pytest.mark.parametrize("make", SAME_CALLS.values(), ids=SAME_CALLS)
def test_forms_of_a_call(make):
    one, other = make()
    assert one.structure == other.structure
    assert all(type(wire) is int for ws in one.wires for wire in ws)


@given(data=st.data())
def test_shared_angle_is_repeated(data):
    sets = data.draw(st.lists(qst.wires(4, size=2), min_size=1, max_size=5))
    theta = data.draw(qst.angles())
    state = data.draw(qst.states(4))
    shared = qf.circuit(4, qf.rxx(theta, sets))(state)
    own = qf.circuit(4, qf.rxx(theta.repeat(len(sets)), sets))(state)
    apart = qf.circuit(4, [qf.rxx(theta, *ws) for ws in sets])(state)
    weak = qf.circuit(4, qf.rxx(float(theta), sets))(state)
    for other in (own, apart, weak):
        assert_close(other, shared, n_gates=8 * len(sets), scale=8.0)


@given(data=st.data())
def test_overlapping_sets_act_in_the_order_listed(data):
    op = data.draw(qst.ops(4, max_sets=6))
    state = data.draw(qst.states(4))
    together = qf.circuit(4, op)(state)
    assert_close(together, dense.run([op], state), n_gates=16 * len(op) + 16)
    back = qf.circuit(4, op.inverse())(together)
    assert_close(back, state, n_gates=32 * len(op) + 32)
    assert op.inverse().wires == op.wires[::-1]


@pytest.mark.parametrize("row", qf.GATES, ids=lambda row: row.name)
def test_no_wires_are_no_gate(row):
    angles = [torch.zeros(0, dtype=F64), THETA, 0.5][: row.n_params]
    op = row(*angles, [])
    state = qf.random_state(qf.uniforms((2, 8), 0, dtype=F64))
    assert len(op) == 0
    assert torch.equal(qf.circuit(3, op)(state), state)
    assert torch.equal(qf.circuit(3, op.inverse())(state), state)
    assert torch.equal(qf.circuit(3, qf.h(0), op, qf.cx(0, 1))(state),
                       qf.circuit(3, qf.h(0), qf.cx(0, 1))(state))  # fmt: skip


def test_an_angle_of_no_wires_has_gradient_zero():
    def f(theta):
        return qf.expval(qf.circuit(1, qf.ry(theta, []), qf.h(0))(), qf.pauli_sum({"X": 1.0}))

    assert grad(f)(THETA) == 0
    assert grad(f)(torch.zeros(0, dtype=F64)).shape == (0,)


def test_weak_numbers_are_exact_in_double_precision():
    state = qf.circuit(1, qf.ry(0.1, 0))(qf.zero_state(1, dtype=torch.complex128))
    assert_close(state, np.array([np.cos(0.05), np.sin(0.05)]), n_gates=1)
    by_tensor = qf.circuit(1, qf.ry(torch.tensor(0.1, dtype=F64), 0))()
    assert torch.equal(state, by_tensor)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
def test_weak_numbers_take_the_working_precision(dtype):
    circuit = qf.circuit(1, qf.rx(0.1, 0), qf.rz(1, 0), qf.p(np.float64(0.2), 0))
    assert circuit.leaves == []
    assert circuit(dtype=dtype).dtype == dtype
    assert circuit().dtype == torch.complex64
    angle = torch.tensor(0.5, dtype=dtype.to_real())
    assert qf.circuit(1, qf.rx(0.1, 0), qf.rx(angle, 0))().dtype == dtype


@pytest.mark.parametrize("default", [torch.float16, F32, F64], ids=str)
def test_default_dtype_changes_nothing(default):
    before = torch.get_default_dtype()
    weak = qf.circuit(2, qf.rx(0.1, 0), qf.cx(0, 1))
    energy = qf.pauli_sum({"ZZ": 0.1, "XX": 0.3})
    usual = weak(), weak(dtype=torch.complex128), qf.expval(weak(), energy), energy.to_matrix()
    try:
        torch.set_default_dtype(default)
        again = weak(), weak(dtype=torch.complex128), qf.expval(weak(), energy), energy.to_matrix()
    finally:
        torch.set_default_dtype(before)
    for a, b in zip(usual, again, strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)


@given(op=qst.ops(4))
def test_pytree_round_trip(op):
    leaves, spec = pytree.tree_flatten(op)
    again = pytree.tree_unflatten(leaves, spec)
    assert again.structure == op.structure
    assert all(a is b for a, b in zip(leaves, op.leaves, strict=True))
    assert all(isinstance(leaf, torch.Tensor) for leaf in leaves)


@given(op=qst.ops(4))
def test_leaves_have_the_sets_as_their_first_axis(op):
    for leaf in op.leaves:
        assert leaf.shape == (len(op), *op.gate.param_shape)


@given(op=qst.ops(4))
def test_copies(op):
    for again in (pickle.loads(pickle.dumps(op)), copy.deepcopy(op), copy.copy(op)):
        assert again.structure == op.structure
        assert all(torch.equal(a, b) for a, b in zip(again.leaves, op.leaves, strict=True))


@given(op=qst.ops(4))
def test_structures_are_hashable_and_equal_when_rebuilt(op):
    again = type(op)(op.gate, tuple(tuple(ws) for ws in op.wires), op.params)
    assert again.structure == op.structure
    assert hash(again.structure) == hash(op.structure)
    assert again != op, "ops are equal only to themselves"


@given(op=qst.ops(3))
def test_map_wires(op):
    moved = op.map_wires(lambda wire: 2 * wire + 1)
    assert moved.wires == tuple(tuple(2 * w + 1 for w in ws) for ws in op.wires)
    assert moved.gate is op.gate
    assert moved.params == op.params


SEEN = []


def look(circuit):
    SEEN.append((repr(circuit), [repr(op) for op in circuit.ops], circuit.draw(40)))
    return circuit


def test_repr_shows_values():
    text = repr(qf.circuit(2, qf.rx(torch.tensor(0.25), 0), qf.cx(0, 1)))
    assert "RX(0.25)" in text
    assert "⊕" in text


def test_repr_under_transforms_shows_shapes():
    def f(theta):
        made = look(qf.circuit(2, qf.rx(theta, [0, 1]), qf.ry(0.5, 1), qf.rxx(theta[0], 0, 1)))
        return qf.expval(made(), qf.pauli_sum({"ZI": 1.0}))

    SEEN.clear()
    theta = torch.tensor([0.1, 0.2])
    f(theta)
    grad(f)(theta)
    vmap(f)(theta[None])
    vmap(grad(f))(theta[None])
    torch.func.hessian(f)(theta)
    f(theta.clone().requires_grad_())
    assert len(SEEN) == 6
    assert all("RX(float32[" in text or "RX(0.1" in text for text, _, _ in SEEN)


def test_repr_of_meta_tensors_and_odd_leaves():
    meta = qf.circuit(1, qf.rx(torch.tensor(0.1, device="meta"), 0))
    assert "RX(float32[1])" in repr(meta)
    assert "RX(NoneType)" in repr(pytree.tree_map(lambda _: None, meta))
    assert isinstance(repr(qf.circuit(1, qf.rx(torch.tensor(float("nan")), 0))), str)


@given(circuit=qst.circuits(min_qubits=0, max_qubits=6), width=st.integers(1, 120))
def test_repr_of_any_circuit(circuit, width):
    assert isinstance(repr(circuit), str)
    assert isinstance(circuit.draw(width), str)
    batch = vmap(lambda _: circuit, out_dims=0)(torch.zeros(2)) if circuit.leaves else circuit
    assert isinstance(repr(batch), str)


def test_repr_of_a_long_circuit_is_cut():
    text = repr(qf.circuit(2, qf.h([0] * 1000)))
    assert "600 more gates" in text
