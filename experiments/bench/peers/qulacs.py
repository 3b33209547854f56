"""Qulacs, doubles only: parametric circuits in C++, gradients by its back-propagation.

Its wire 0 is the least significant bit and its rotations are `exp(+i t/2 P)`, so wires are counted
from the other end and angles change sign. Batches are a loop over samples.
"""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qulacs import DensityMatrix, ParametricQuantumCircuit, QuantumCircuit, QuantumState
from qulacs import Observable as QulacsObservable
from qulacs.circuit import QuantumCircuitOptimizer
from qulacs.gate import DepolarizingNoise
from qulacs.state import inner_product

from ..circuits import Circuit, Observable, is_rotation
from ..reference import cross_entropy, probe
from ..workloads import STRENGTH, Work
from .base import Run, Tasks, UnsupportedError, gate_sets, read_pair, sparse_word, train_run

Angles = NDArray[np.float64]
BLOCKS = (1, 2, 3)
MAX_ENTRIES = 10**9


def _energy(work: Work) -> Run:
    """Energy and gradient."""
    return Run(work.theta, _Model(work).value_and_grad, read_pair)


def _step(work: Work) -> Run:
    """Loss and gradient of a classifier, sample by sample."""
    model, x, y = _Model(work), work.x, work.y

    def value_and_grad(theta: Angles) -> tuple[float, Angles]:
        found = [model.value_and_grad(theta, sample) for sample in x]
        value, weights = cross_entropy(np.array([logit for logit, _ in found]), y)
        slopes = np.array([slope for _, slope in found])
        return value, np.tensordot(weights, slopes, 1)

    return Run(work.theta, value_and_grad, read_pair)


def _ensemble(work: Work) -> Run:
    """Many classifiers, one after the other."""
    one = _step(work).step

    def all_of_them(thetas: Angles) -> tuple[Angles, Angles]:
        values, slopes = zip(*map(one, thetas), strict=True)
        return np.array(values), np.array(slopes)

    return Run(work.theta, all_of_them, read_pair)


def _hessian(work: Work) -> Run:
    """Hessian of the energy: the parameter shift of the gradient."""
    model, shifts = _Model(work), np.pi / 2 * np.eye(work.theta.size)

    def rows(theta: Angles) -> Angles:
        ahead = [model.value_and_grad(theta + s.reshape(theta.shape))[1] for s in shifts]
        behind = [model.value_and_grad(theta - s.reshape(theta.shape))[1] for s in shifts]
        return (np.array(ahead) - np.array(behind)).reshape(theta.size, -1) / 2

    return Run(work.theta, rows, lambda found: {"hessian": found})


def _shifts(work: Work) -> Run:
    """Quantum Fisher information: a shift of one angle by π gives twice the derivative."""
    circuit, columns = _parametric_circuit(work.circuit)
    vector, shifts = QuantumState(work.circuit.n), np.pi * np.eye(work.theta.size)

    def state(angles: Angles) -> NDArray[np.complex128]:
        _set_angles(circuit, angles[columns])
        vector.set_zero_state()
        circuit.update_quantum_state(vector)
        found: NDArray[np.complex128] = vector.get_vector()
        return found

    def matrix(theta: Angles) -> Angles:
        psi = state(theta.reshape(-1))
        shifted = np.array([state(theta.reshape(-1) + shift) for shift in shifts])
        rows = (shifted - np.outer(shifted @ psi.conj(), psi)).view(np.float64)
        return rows @ rows.T

    return Run(work.theta, matrix, lambda found: {"qfi": found})


def _noise(work: Work) -> Run:
    """Energy and gradient of a density matrix by parameter shifts, which noise leaves exact."""
    n = work.circuit.n
    circuit, columns = _parametric_circuit(work.circuit, STRENGTH)
    if 4**n * circuit.get_gate_count() * work.theta.size > MAX_ENTRIES:
        raise UnsupportedError(f"shifts are tried up to {MAX_ENTRIES:,} entries in all")
    observable, rho = _observable(n, work.measured), DensityMatrix(n)
    shifts = np.pi / 2 * np.eye(work.theta.size)

    def value(angles: Angles) -> float:
        _set_angles(circuit, angles[columns])
        rho.set_zero_state()
        circuit.update_quantum_state(rho)
        found: float = observable.get_expectation_value(rho).real
        return found

    def value_and_grad(theta: Angles) -> tuple[float, Angles]:
        angles = theta.reshape(-1)
        slopes = [(value(angles + shift) - value(angles - shift)) / 2 for shift in shifts]
        return value(angles), np.array(slopes).reshape(theta.shape)

    return Run(work.theta, value_and_grad, read_pair)


def _state(work: Work) -> Run:
    """The final state of a circuit fused beforehand, with the block size that was fastest."""
    plain = _fixed_circuit(work.circuit, work.theta)
    circuits = [_fused(plain, block) for block in BLOCKS if block <= work.circuit.n]
    circuit, vector = min(circuits, key=_seconds), QuantumState(work.circuit.n)

    def run(theta: Angles) -> Any:
        del theta
        vector.set_zero_state()
        circuit.update_quantum_state(vector)
        return vector

    return Run(work.theta, run, lambda found: probe(found.get_vector()))


class _Model:
    """Value and gradient of an expectation value, in features-then-angles order."""

    def __init__(self, work: Work) -> None:
        n = work.circuit.n
        self.circuit, self.columns = _parametric_circuit(work.circuit)
        self.offset = work.n_features if work.n_samples else 0
        self.observable = _observable(n, work.measured)
        self.state, self.costate, self.scratch = (QuantumState(n) for _ in range(3))

    def value_and_grad(self, theta: Angles, x: Angles | None = None) -> tuple[float, Angles]:
        """One sample's expectation value and its gradient along the angles."""
        angles = theta.reshape(-1) if x is None else np.concatenate([x, theta.reshape(-1)])
        _set_angles(self.circuit, angles[self.columns])
        self.state.set_zero_state()
        self.circuit.update_quantum_state(self.state)
        self.observable.apply_to_state(self.scratch, self.state, self.costate)
        value = inner_product(self.state, self.costate).real
        slopes = -2 * np.array(self.circuit.backprop_inner_product(self.costate))
        gradient = np.zeros(len(angles))
        np.add.at(gradient, self.columns, slopes)
        return value, gradient[self.offset :].reshape(theta.shape)


def _set_angles(circuit: Any, angles: Angles) -> None:
    for i, angle in enumerate((-angles).tolist()):
        circuit.set_parameter(i, angle)


def _parametric_circuit(source: Circuit, p: float = 0.0) -> tuple[Any, NDArray[np.int64]]:
    """The circuit and the column of each of its angles; with depolarizing noise, if any."""
    n, circuit, columns = source.n, ParametricQuantumCircuit(source.n), list[int]()
    n_features = 1 + max((max(row.angles, default=-1) for row in source.prefix), default=-1)
    parts = [(0, source.prefix)]
    parts += [(n_features + i * source.width, rows) for i, rows in enumerate(source.layers)]
    for offset, rows in parts:
        for gate, wires, column in gate_sets(rows):
            targets = [n - 1 - wire for wire in wires]
            if gate == "rzz" or gate.isupper():
                codes = ["IXYZ".index(letter) for letter in (gate if gate.isupper() else "ZZ")]
                circuit.add_parametric_multi_Pauli_rotation_gate(targets, codes, 0.0)
            elif is_rotation(gate):
                getattr(circuit, f"add_parametric_{gate.upper()}_gate")(*targets, 0.0)
            else:
                _add_constant(circuit, gate, targets)
            columns += [] if column is None else [offset + column]
            for target in targets if p else ():
                circuit.add_gate(DepolarizingNoise(target, p))
    return circuit, np.array(columns, dtype=np.int64)


def _fixed_circuit(source: Circuit, theta: Angles) -> Any:
    circuit = QuantumCircuit(source.n)
    for rows, angles in zip(source.layers, theta, strict=True):
        for gate, wires, column in gate_sets(rows):
            targets = [source.n - 1 - wire for wire in wires]
            if is_rotation(gate):
                getattr(circuit, f"add_{gate.upper()}_gate")(*targets, -angles[column])
            else:
                _add_constant(circuit, gate, targets)
    return circuit


def _add_constant(circuit: Any, gate: str, targets: list[int]) -> None:
    name = {"cx": "CNOT", "cz": "CZ", "h": "H"}[gate]
    getattr(circuit, f"add_{name}_gate")(*targets)


def _fused(circuit: Any, block: int) -> Any:
    result = circuit.copy()
    QuantumCircuitOptimizer().optimize(result, block)
    return result


def _seconds(circuit: Any) -> float:
    vector = QuantumState(circuit.get_qubit_count())
    start = time.perf_counter()
    circuit.update_quantum_state(vector)
    return time.perf_counter() - start


def _observable(n: int, observable: Observable) -> Any:
    result = QulacsObservable(n)
    for word, coefficient in zip(observable.words, observable.coefficients, strict=True):
        text = " ".join(f"{letter} {n - 1 - wire}" for wire, letter in sparse_word(word))
        result.add_operator(coefficient, text)
    return result


TASKS: Tasks = {
    "energy": _energy,
    "hessian": _hessian,
    "shifts": _shifts,
    "step": _step,
    "train": lambda work: train_run(work, _step(work)),
    "ensemble": _ensemble,
    "state": _state,
    "noise": _noise,
}
