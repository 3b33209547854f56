"""Rotations are recognised by their generator: a user's row is built like one of the table."""

import numpy as np
import pytest
import torch
from oracles.compare import assert_close
from torch.func import grad, hessian, vmap

import quilt_func as qf
from quilt_func.evolution.steps.block_recipe import Applied, prefix_of

F64 = torch.float64
X = np.array([[0, 1], [1, 0]])
XZ = np.kron(X, np.diag([1, -1]))
H = np.array([[1, 1], [1, -1]]) / 2**0.5


def rotation(generator, calls):
    """A gate of one's own that notes when its function is called."""
    array = torch.from_numpy(generator).to(torch.complex128)

    @qf.gate(n_wires=len(generator).bit_length() - 1, generator=generator)
    def own(theta):
        calls.append(theta)
        identity = torch.eye(len(generator), dtype=theta.dtype, device=theta.device)
        c, s = (theta / 2).cos(), (theta / 2).sin()
        given = array.to(theta.device, theta.dtype.to_complex())
        return torch.complex(c * identity + s * given.imag, -s * given.real)

    calls.clear()
    return own


def test_rows_that_are_rotations():
    table = {row.name for row in qf.gates.GATES if row.is_rotation}
    assert table == {"rx", "ry", "rz", "rxx", "ryy", "rzz"}
    assert qf.inverse(qf.rx).is_rotation
    assert qf.power(qf.rx, -1.0).is_rotation
    assert qf.pauli_rot(0.1, "XYZ", 0, 1, 2).gate.is_rotation
    assert rotation(H, []).is_rotation
    for row in (qf.power(qf.rx, 2.0), qf.controlled(qf.rz), qf.p, qf.u, qf.x):
        assert not row.is_rotation


@pytest.mark.parametrize("row", [rotation(X, []), qf.inverse(qf.rx), qf.rx], ids=lambda r: r.name)
def test_they_are_built_together(row):
    """A row of one's own, and a derived one, stands where the table's stand."""
    op = row(torch.tensor([0.1, 0.2]), range(2))
    applied = [Applied(0, slot, row, wires, ()) for slot, wires in enumerate(op.wires)]
    table = prefix_of([op.structure], 2, applied).table
    assert (table.rotations, table.rows) == ((0,), ())


@pytest.mark.parametrize(
    ("generator", "letters"), [(X, "X"), (-X, "X"), (XZ, "XZ")], ids=["X", "-X", "XZ"]
)
def test_values_and_derivatives(generator, letters):
    """Against the row of the Pauli word, without a call of the function."""
    calls = []
    own = rotation(generator, calls)
    sign = generator[:, 0].sum()
    wires = tuple(range(len(letters)))

    def energy(theta, turn):
        state = qf.circuit(
            3,
            qf.ry(theta[:3], range(3)),
            [(turn(angle), qf.cx([(0, 1), (1, 2)])) for angle in theta],
        )(dtype=torch.complex128)
        return qf.expval(state, qf.pauli_sum({"ZIX": 0.5, "YYI": 0.25, "XZZ": 1.0}))

    def by_own(theta):
        return energy(theta, lambda angle: own(angle, *wires))

    def by_word(theta):
        return energy(theta, lambda angle: qf.pauli_rot(sign * angle, letters, *wires))

    theta = torch.linspace(-2, 3, 5, dtype=F64)
    for transform in (lambda f: f, grad, hessian):
        assert_close(transform(by_own)(theta), transform(by_word)(theta), n_gates=24)
    batch = torch.stack([theta, theta + 1])
    assert_close(vmap(grad(by_own))(batch), vmap(grad(by_word))(batch), n_gates=24)
    assert calls == []
