"""Random circuits against Qiskit, Cirq and PennyLane: states, expectations, gradients, samples.

Each peer is skipped where it is not installed; `nox -s peers` installs all. Only the standard gates
are drawn, since these have one meaning everywhere. Phases are compared too.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.compare import assert_close
from torch.func import grad

import quilt_func as qf
from quilt_func.testing import strategies as qst

SHARED = [
    qf.h, qf.x, qf.y, qf.z, qf.s, qf.sdg, qf.t, qf.tdg, qf.sx, qf.rx, qf.ry, qf.rz, qf.p, qf.cx,
    qf.cy, qf.cz, qf.swap, qf.cp, qf.crx, qf.cry, qf.crz, qf.rxx, qf.ryy, qf.rzz, qf.ccx, qf.cswap,
]  # fmt: skip
QUARTER = settings(max_examples=max(1, settings().max_examples // 4))
shared_circuits = qst.circuits(max_qubits=5, rows=SHARED, derived=False)
LETTERS = "IXYZ"


def gates(circuit):
    """Name, angles and wires of each gate, in order."""
    for op in circuit.ops:
        columns = [[float(p)] * len(op) if isinstance(p, float) else p.tolist() for p in op.params]
        for i, wires in enumerate(op.wires):
            yield op.gate.name, [column[i] for column in columns], list(wires)


class Qiskit:
    """Wire 0 of the library is Qiskit's most significant, its last."""

    def __init__(self):
        self.circuits = pytest.importorskip("qiskit")
        self.info = pytest.importorskip("qiskit.quantum_info")

    def built(self, circuit):
        n = circuit.n_qubits
        made = self.circuits.QuantumCircuit(n)
        for name, angles, wires in gates(circuit):
            getattr(made, name)(*angles, *(n - 1 - wire for wire in wires))
        return made

    def state(self, circuit):
        return self.info.Statevector(self.built(circuit)).data

    def expectation(self, circuit, words):
        operator = self.info.SparsePauliOp(list(words.words), words.coefficients.numpy())
        return self.info.Statevector(self.built(circuit)).expectation_value(operator).real


class Cirq:
    """Line qubits in order: the first is the most significant, as here."""

    def __init__(self):
        self.cirq = pytest.importorskip("cirq")

    def gate(self, name, angles):
        cirq = self.cirq
        if name.startswith("c") and name != "cswap":
            inner = self.gate(name[1:], angles)
            return cirq.ControlledGate(inner)
        phases = {"s": 0.5, "sdg": -0.5, "t": 0.25, "tdg": -0.25, "z": 1.0}
        if name in phases:
            return cirq.ZPowGate(exponent=phases[name])
        if name == "p":
            return cirq.ZPowGate(exponent=angles[0] / math.pi)
        pairs = {"rxx": cirq.XXPowGate, "ryy": cirq.YYPowGate, "rzz": cirq.ZZPowGate}
        if name in pairs:
            return pairs[name](exponent=angles[0] / math.pi, global_shift=-0.5)
        if name in ("rx", "ry", "rz"):
            return getattr(cirq, name)(angles[0])
        plain = {"h": cirq.H, "x": cirq.X, "y": cirq.Y, "sx": cirq.X**0.5, "swap": cirq.SWAP}
        return {**plain, "cswap": cirq.CSWAP}[name]

    def built(self, circuit):
        qubits = self.cirq.LineQubit.range(circuit.n_qubits)
        ops = [
            self.gate(name, angles).on(*(qubits[wire] for wire in wires))
            for name, angles, wires in gates(circuit)
        ]
        return self.cirq.Circuit(ops), qubits

    def state(self, circuit):
        made, qubits = self.built(circuit)
        return made.final_state_vector(qubit_order=qubits, dtype=np.complex128)

    def expectation(self, circuit, words):
        _, qubits = self.built(circuit)
        total = self.cirq.PauliSum()
        for word, value in words.items():
            letters = [getattr(self.cirq, letter)(q) for letter, q in zip(word, qubits, strict=True)
                       if letter != "I"]  # fmt: skip
            total += float(value) * self.cirq.PauliString(letters)
        positions = {qubit: i for i, qubit in enumerate(qubits)}
        return total.expectation_from_state_vector(self.state(circuit), positions).real


PENNYLANE = {
    "h": "Hadamard", "x": "PauliX", "y": "PauliY", "z": "PauliZ", "s": "S", "t": "T",
    "sx": "SX", "rx": "RX", "ry": "RY", "rz": "RZ", "p": "PhaseShift", "cx": "CNOT",
    "cy": "CY", "cz": "CZ", "swap": "SWAP", "cp": "ControlledPhaseShift", "crx": "CRX",
    "cry": "CRY", "crz": "CRZ", "rxx": "IsingXX", "ryy": "IsingYY", "rzz": "IsingZZ",
    "ccx": "Toffoli", "cswap": "CSWAP",
}  # fmt: skip


class PennyLane:
    """Wires in order: the first is the most significant, as here."""

    def __init__(self):
        self.qml = pytest.importorskip("pennylane")

    def apply(self, circuit, angles_of=None):
        qml = self.qml
        for i, (name, angles, wires) in enumerate(gates(circuit)):
            given = angles if angles_of is None else angles_of(i, angles)
            if name.endswith("dg"):
                qml.adjoint(getattr(qml, PENNYLANE[name[:-2]]))(wires=wires)
            else:
                getattr(qml, PENNYLANE[name])(*given, wires=wires)

    def run(self, circuit, measured, angles_of=None):
        device = self.qml.device("default.qubit", wires=circuit.n_qubits)

        @self.qml.qnode(device, interface="torch", diff_method="backprop")
        def node():
            self.apply(circuit, angles_of)
            return measured()

        return node()

    def state(self, circuit):
        return np.asarray(self.run(circuit, self.qml.state))

    def observable(self, words):
        found = [self.qml.pauli.string_to_pauli_word(word) for word, _ in words.items()]
        return self.qml.Hamiltonian([float(c) for _, c in words.items()], found)

    def expectation(self, circuit, words):
        return float(self.run(circuit, lambda: self.qml.expval(self.observable(words))))


PEERS = [Qiskit, Cirq, PennyLane]
each_peer = pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.__name__)


@each_peer
def test_states(peer):
    made = peer()

    @QUARTER
    @given(circuit=shared_circuits)
    def states_agree(circuit):
        got = circuit(dtype=torch.complex128)
        assert_close(got, made.state(circuit), n_gates=64 * (1 + circuit.n_gates), scale=8.0)

    states_agree()


@each_peer
def test_expectations(peer):
    made = peer()

    @QUARTER
    @given(data=st.data(), circuit=shared_circuits)
    def expectations_agree(data, circuit):
        words = data.draw(qst.pauli_sums(circuit.n_qubits, max_terms=3))
        got = qf.expval(circuit(dtype=torch.complex128), words)
        expected = made.expectation(circuit, words)
        assert_close(got, expected, n_gates=64 * (1 + circuit.n_gates), scale=8.0 * len(words))

    expectations_agree()


def rotations(n, theta):
    """A circuit of rotations on every wire, its only angles `theta` (3, n)."""
    pairs = [(i, (i + 1) % n) for i in range(n)] if n > 1 else []
    parts = [qf.ry(theta[0], range(n)), qf.cx(pairs), qf.rx(theta[1], range(n)), qf.cz(pairs[:1])]
    return qf.circuit(n, parts, qf.rz(theta[2], range(n)), qf.h(range(n)))


@pytest.mark.parametrize("n", [1, 3])
def test_gradients_of_pennylane(n):
    made = PennyLane()
    theta = 4 * qf.uniforms((3, n), n, dtype=torch.float64) - 2
    words = qf.pauli_sum(["Z" * n, "X" + "Y" * (n - 1)], torch.tensor([0.5, -0.8]).double())
    got = grad(lambda t: qf.expval(rotations(n, t)(), words))(theta)

    leaf = theta.clone().requires_grad_()
    flat = iter_angles(n, leaf)
    made.run(
        rotations(n, theta),
        lambda: made.qml.expval(made.observable(words)),
        lambda i, angles: [flat[i]] if angles else [],
    ).backward()
    assert_close(got, leaf.grad, n_gates=4096, scale=2.0)


def iter_angles(n, leaf):
    """The parameter of each gate, by its place."""
    places = [name for name, _, _ in gates(rotations(n, torch.zeros(3, n, dtype=torch.float64)))]
    remaining = iter(leaf.reshape(-1).unbind(0))
    return {i: next(remaining) for i, name in enumerate(places) if name in ("rx", "ry", "rz")}


@pytest.mark.parametrize("peer", [Qiskit, Cirq], ids=lambda peer: peer.__name__)
def test_gradients_by_the_shift_rule_of_peers(peer):
    """Their values at shifted angles give our gradient."""
    made = peer()
    theta = 4 * qf.uniforms((3, 2), 5, dtype=torch.float64) - 2
    words = qf.pauli_sum(["ZX", "YI"], torch.tensor([0.5, -0.8]).double())
    got = grad(lambda t: qf.expval(rotations(2, t)(), words))(theta)
    expected = np.zeros((3, 2))
    for index in np.ndindex(3, 2):
        for sign in (1, -1):
            shifted = theta.clone()
            shifted[index] += sign * math.pi / 2
            expected[index] += sign * made.expectation(rotations(2, shifted), words) / 2
    assert_close(got, expected, n_gates=4096, scale=2.0)


@each_peer
def test_sampled_statistics(peer):
    """Our samples of a peer's state have its probabilities, up to five standard errors."""
    made, shots = peer(), 20_000
    circuit = rotations(3, 4 * qf.uniforms((3, 3), 7, dtype=torch.float64) - 2)
    expected = np.abs(made.state(circuit)) ** 2
    drawn = qf.sample(circuit(), qf.uniforms(shots, 11, dtype=torch.float64))
    got = torch.bincount(drawn, minlength=8).double().numpy() / shots
    error = 5 * np.sqrt(expected * (1 - expected) / shots)
    assert (np.abs(got - expected) <= error).all()


def test_samples_of_cirq():
    """Two samplers of one circuit differ by their errors."""
    made, shots = Cirq(), 20_000
    circuit = rotations(3, 4 * qf.uniforms((3, 3), 8, dtype=torch.float64) - 2)
    built, qubits = made.built(circuit)
    built.append(made.cirq.measure(*qubits, key="m"))
    outcome = made.cirq.Simulator(seed=3).run(built, repetitions=shots)
    theirs = outcome.measurements["m"] @ np.array([4, 2, 1])
    ours = qf.sample(circuit(), qf.uniforms(shots, 12, dtype=torch.float64)).numpy()
    p, q = (np.bincount(drawn, minlength=8) / shots for drawn in (ours, theirs))
    assert (np.abs(p - q) <= 5 * np.sqrt((p * (1 - p) + q * (1 - q)) / shots)).all()
