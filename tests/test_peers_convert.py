"""Objects of Qiskit, PennyLane, Cirq and OpenFermion in and out, against those libraries.

Each peer is skipped where it is not installed; `nox -s peers` installs all.
"""

import doctest
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import dense
from oracles.compare import assert_close, assert_close_fd, central_difference
from torch.func import grad, hessian, jvp, vmap

import quilt_func as qf
from quilt_func import convert, noise
from quilt_func.testing import strategies as qst

pytestmark = pytest.mark.filterwarnings("ignore")
F64, C128 = torch.float64, torch.complex128
HALF = settings(max_examples=max(1, settings().max_examples // 2))


class Qiskit:
    """Qubit k is wire k; its own state has qubit 0 as the least significant bit."""

    def __init__(self):
        self.module = pytest.importorskip("qiskit")
        self.info = pytest.importorskip("qiskit.quantum_info")

    def there(self, given, **more):
        return convert.to_qiskit(given, **more)

    def back(self, made, n):
        return convert.from_qiskit(made)

    def state(self, made, n):
        return self.info.Statevector(made.reverse_bits()).data


class PennyLane:
    def __init__(self):
        self.module = self.qml = pytest.importorskip("pennylane")

    def there(self, given, **more):
        return convert.to_pennylane(given, **more)

    def back(self, made, n):
        return convert.from_pennylane(made, wires=range(n))()

    def state(self, made, n):
        device = self.qml.device("default.qubit", wires=n)

        @self.qml.qnode(device)
        def node():
            made()
            return self.qml.state()

        return np.asarray(node())


class Cirq:
    def __init__(self):
        self.module = self.cirq = pytest.importorskip("cirq")

    def there(self, given, **more):
        return convert.to_cirq(given, **more)

    def back(self, made, n):
        return convert.from_cirq(made, self.cirq.LineQubit.range(n))

    def state(self, made, n):
        qubits = self.cirq.LineQubit.range(n)
        return made.final_state_vector(qubit_order=qubits, dtype=np.complex128)


PEERS = [Qiskit, PennyLane, Cirq]
each_peer = pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.__name__)
THREE = qf.ry(torch.tensor([0.4, 1.1, -0.8], dtype=F64), range(3)), qf.cx([(0, 1), (1, 2)])
"""Leaves no two wires alike."""


def assert_same(got, expected, n_gates):
    """Equal up to a global phase."""
    got, expected = (torch.as_tensor(np.asarray(one.detach() if isinstance(one, torch.Tensor) else
                                                one)) for one in (got, expected))  # fmt: skip
    overlap = torch.vdot(got, expected)
    assert_close(got * overlap / overlap.abs(), expected, n_gates=64 * (1 + n_gates), scale=8.0)


def agrees(made, circuit):
    """The peer's state of what we wrote is ours, and what we read back has it too."""
    n = circuit.n_qubits
    ours = circuit(dtype=C128)
    written = made.there(circuit)
    assert_same(made.state(written, n), ours, circuit.n_gates)
    back = made.back(written, n)
    assert back.n_qubits == n
    assert_same(back(dtype=C128), ours, circuit.n_gates)
    return back


ROWS = [
    *qf.GATES, qf.controlled(qf.sx), qf.controlled(qf.u), qf.controlled(qf.rxx), qf.inverse(qf.u),
    qf.inverse(qf.iswap), qf.power(qf.x, 0.3), qf.power(qf.rzz, -0.7), qf.power(qf.h, 0.5),
    qf.controlled(qf.iswap), qf.controlled(qf.p, 2),
]  # fmt: skip


def on_three(row):
    angles = torch.tensor([0.7, -1.9, 2.3], dtype=F64)[: row.n_params].unbind(0)
    wires = (2, 0, 1)[: row.n_wires]
    return qf.circuit(3, THREE, row(*angles, *wires), THREE[1], row(*angles, *wires[::-1]))


@each_peer
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_gates_there_and_back(peer, row):
    back = agrees(peer(), on_three(row))
    if row in qf.GATES and not (peer is Cirq and row is qf.u):
        found = [op.gate for op in back.ops]
        assert row in found, "the gate keeps its name"


@each_peer
def test_words_and_matrices_there_and_back(peer):
    matrix = torch.linalg.qr(torch.complex(*(qf.uniforms((2, 4, 4), 3, dtype=F64) - 0.5)))[0]
    parts = qf.pauli_rot(0.7, "XIY", 2, 0, 1), qf.pauli_rot(-0.4, "ZYX", 1, 2, 0)
    agrees(peer(), qf.circuit(3, THREE, parts, qf.unitary(matrix, 2, 0), THREE))


@each_peer
def test_random_circuits_there_and_back(peer):
    made = peer()

    @HALF
    @given(circuit=qst.circuits(max_qubits=4))
    def agree(circuit):
        agrees(made, circuit)

    agree()
