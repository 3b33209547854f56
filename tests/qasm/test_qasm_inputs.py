"""Functions as OpenQASM with `input` parameters: what is read back is the function again."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.compare import assert_close
from torch.func import grad, hessian, vmap

import quilt_func as qf
from quilt_func.testing import strategies as qst

F64, C128 = torch.float64, torch.complex128
EXAMPLES = {"theta": torch.zeros(2, 2, dtype=F64), "x": torch.zeros((), dtype=F64)}


def model(theta, x):
    """Each way in which a text writes an angle: rows, words, modifiers, definitions."""
    return qf.circuit(
        3, qf.h(range(3)), qf.ry(2 * theta[0] - x[None] / 3, [0, 2]), qf.cx(0, 1),
        qf.u(theta[1, 0], -x, 0.5, 1), qf.inverse(qf.u)(x, 0.1, theta[0, 1], 2),
        qf.power(qf.rz, -0.3)(x, 0), qf.controlled(qf.rxx)(theta[1, 1] + 1e-9, 0, 1, 2),
        qf.pauli_rot(x + theta[0, 0] * theta.new_tensor(1e17), "XZ", 2, 0), qf.rzz(x - x, 0, 1),
        qf.inverse(qf.crz)(theta[0, 0], 1, 2),
    )  # fmt: skip


def test_functions_there_and_back():
    text = qf.to_qasm(model, inputs=EXAMPLES)
    again = qf.from_qasm(text)
    assert again.input_shapes == dict.fromkeys(
        ["theta_0_0", "theta_0_1", "theta_1_0", "theta_1_1", "x"], ()
    )
    words = qf.pauli_sum({"XIZ": 0.7, "IYY": -0.5, "ZIX": 0.4})
    theta = torch.tensor([[0.0, 1.2], [-0.4, 0.8]], dtype=F64)
    x = torch.tensor(0.6, dtype=F64)

    def ours(theta, x):
        return qf.expval(model(theta, x)(), words)

    def theirs(theta, x):
        return qf.expval(again(*theta.reshape(-1), x=x)(), words)

    assert_close(theirs(theta, x), ours(theta, x), n_gates=1024)
    rows = slice(1, None)  # by the first angle slopes are 1e17
    assert_close(grad(theirs)(theta, x)[rows], grad(ours)(theta, x)[rows], n_gates=4096)
    assert_close(hessian(theirs, 1)(theta, x), hessian(ours, 1)(theta, x), n_gates=2**16)
    xs = torch.stack([x, 2 * x])
    found = vmap(grad(theirs, 1), (None, 0))(theta, xs)
    assert_close(found, vmap(grad(ours, 1), (None, 0))(theta, xs), n_gates=4096)
    once = qf.to_qasm(again)
    assert qf.to_qasm(qf.from_qasm(once)) == once


@given(
    circuit=qst.circuits(max_qubits=4, max_ops=6, rows=qf.GATES, derived=False),
    number=st.floats(-3, 3),
)
def test_angles_of_any_circuit_become_inputs(circuit, number):
    """A circuit as a function of one factor of all its angles."""

    def fn(s):
        ops = [
            qf.Op(op.gate, op.wires, tuple(_of(s, p, len(op)) for p in op.params))
            for op in circuit.ops
        ]
        return qf.circuit(circuit.n_qubits, qf.h(range(circuit.n_qubits)), ops)

    text = qf.to_qasm(fn, inputs={"s": torch.zeros((), dtype=F64)})
    again = qf.from_qasm(text)
    s = torch.tensor(number, dtype=F64)
    a, b = (one(s)(dtype=C128) for one in (fn, again))
    overlap = torch.vdot(b, a)
    assert_close(b * overlap / overlap.abs(), a, n_gates=2**14)


def _of(s, param, m):
    given = torch.full((m,), param, dtype=F64) if isinstance(param, float) else param.double()
    return s[None] * given


def test_functions_need_version_3_and_examples():
    with pytest.raises(TypeError, match="be a circuit in version 2"):
        qf.to_qasm(model, 2, inputs=EXAMPLES)
    with pytest.raises(TypeError, match="must map names to tensors"):
        qf.to_qasm(model)
    with pytest.raises(ValueError, match="affine"):
        qf.to_qasm(lambda x: qf.circuit(1, qf.rx(x * x, 0)), inputs={"x": torch.zeros(())})
