"""Templates against PennyLane's of the same names, where it is installed."""

import numpy as np
import pytest
import torch
from oracles.compare import assert_close
from oracles.templates import matrix_of

import quilt_func as qf
from quilt_func import ansatz

qml = pytest.importorskip("pennylane")

TERMS = {"ZZI": 0.7, "IZZ": -0.4, "XII": 0.6, "IXI": 0.9, "IIX": 0.3}


def by_pennylane(op, n=3):
    return np.asarray(qml.matrix(op, wire_order=range(n)))


def hamiltonian(terms):
    factors = [
        [getattr(qml, letter)(wire) for wire, letter in enumerate(word) if letter != "I"]
        for word in terms
    ]
    return qml.dot(list(terms.values()), [qml.prod(*f) if f[1:] else f[0] for f in factors])


@pytest.mark.parametrize("n", [1, 3, 4])
def test_fourier_transforms(n):
    expected = by_pennylane(qml.QFT(wires=range(n)), n)
    assert_close(matrix_of(n, ansatz.qft(n)), expected, n_gates=64)
    back = by_pennylane(qml.adjoint(qml.QFT(wires=range(n))), n)
    assert_close(matrix_of(n, ansatz.inverse_qft(n)), back, n_gates=64)


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 2, 0], [0, 2, 1]])
def test_orders_of_wires(order):
    expected = by_pennylane(qml.Permute(order, wires=range(3)))
    assert_close(matrix_of(3, ansatz.permute_wires(order)), expected)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_evolutions(order):
    """Theirs is exp(iHt), and at first order their first term acts last."""
    expected = by_pennylane(qml.TrotterProduct(hamiltonian(TERMS), -0.8, n=3, order=order))
    terms = dict(reversed(TERMS.items())) if order == 1 else TERMS
    parts = ansatz.pauli_evolution(qf.pauli_sum(terms), 0.8, order, n_steps=3)
    assert_close(matrix_of(3, parts), expected, n_gates=256)


def test_states():
    re, im = qf.uniforms((2, 8), 0, dtype=torch.float64) - 0.5
    amplitudes = torch.complex(re, im)
    amplitudes = amplitudes / amplitudes.norm()
    op = qml.MottonenStatePreparation(amplitudes.numpy(), wires=range(3))
    expected = by_pennylane(op)[:, 0]
    assert_close(qf.circuit(3, ansatz.prepare_state(amplitudes))(), expected, n_gates=64)


def test_controls():
    expected = by_pennylane(qml.MultiControlledX([0, 1, 2, 3]), 4)
    assert_close(matrix_of(4, qf.controlled(qf.x, 3)(0, 1, 2, 3)), expected)


def test_depth_and_counts():
    """Of a random circuit, by PennyLane's own count of its tape."""
    circuit = qf.random_circuit(4, 6, qf.uniforms((6, 4, 3), 2, dtype=torch.float64))
    names = {"h": "Hadamard", "cx": "CNOT", "cz": "CZ", "rzz": "IsingZZ"}
    with qml.queuing.AnnotatedQueue() as queue:
        for op in circuit.ops:
            theta = op.params[0].tolist() if op.params else [None] * len(op)
            make = getattr(qml, names.get(op.gate.name, op.gate.name.upper()))
            for angle, wires in zip(theta, op.wires, strict=True):
                make(*([] if angle is None else [angle]), wires=wires)
    tape = qml.tape.QuantumScript.from_queue(queue)

    @qml.qnode(qml.device("default.qubit", wires=4))
    def node():
        for op in tape.operations:
            qml.apply(op)
        return qml.state()

    resources = qml.specs(node)()["resources"]
    assert circuit.depth == resources.depth
    found = {names.get(name, name.upper()): count for name, count in circuit.gate_counts.items()}
    assert found == dict(resources.gate_types)
