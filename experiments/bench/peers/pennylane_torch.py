"""PennyLane's `default.qubit` with backpropagation: torch interface, parameter broadcasting.

It works in the precision of its initial state, so that is given to it in complex64. Noise is on
`default.mixed`, in doubles whatever it is given. Measurements in the middle are deferred to the
end, on a wire more for each: of its methods the one that backpropagates.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pennylane as qml
import torch
from torch import Tensor

from ..circuits import Observable, Wires
from ..workloads import STRENGTH, Work
from .base import Run, sparse_word
from .torch_tools import energy_run, placed, tasks

GATES: dict[str, Any] = {
    "rx": qml.RX, "ry": qml.RY, "rz": qml.RZ, "rzz": qml.IsingZZ,
    "h": qml.Hadamard, "cx": qml.CNOT, "cz": qml.CZ,
}  # fmt: skip
LETTERS: dict[str, Any] = {"X": qml.PauliX, "Y": qml.PauliY, "Z": qml.PauliZ}


def apply(gate: str, wires: Wires, angle: Any) -> None:
    """Append a gate to the circuit that is being made."""
    if gate.isupper():
        qml.PauliRot(angle, gate, wires=wires)
    elif angle is None:
        GATES[gate](wires=wires)
    else:
        GATES[gate](angle, wires=wires)


def hamiltonian(observable: Observable) -> Any:
    """An observable as a PennyLane operator."""
    terms = [
        qml.prod(*(LETTERS[letter](wire) for wire, letter in sparse_word(word)))
        for word in observable.words
    ]
    if len(terms) == 1 and observable.coefficients == (1.0,):
        return terms[0]
    return qml.Hamiltonian(list(observable.coefficients), terms)


def _zeros(n: int) -> Tensor:
    """The state |0...0⟩, whose precision a run has."""
    start = torch.zeros(2**n, dtype=torch.complex64)
    start[0] = 1.0
    return start


def _node(work: Work) -> Callable[..., Tensor]:
    wires, start = range(work.circuit.n), _zeros(work.circuit.n)
    measured = None if work.observable is None else hamiltonian(work.observable)

    def circuit(theta: Tensor, x: Tensor | None = None) -> Any:
        qml.StatePrep(start, wires=wires, validate_norm=False)
        for gate, places, angle in placed(work.circuit, theta, x):
            apply(gate, places, angle)
        return qml.state() if measured is None else qml.expval(measured)

    device = qml.device("default.qubit", wires=wires)
    node: Any = qml.QNode(circuit, device, interface="torch", diff_method="backprop")

    def run(theta: Tensor, x: Tensor | None = None) -> Tensor:
        found: Tensor = node(theta, x)
        return found.to(torch.float32) if found.dtype == torch.float64 else found

    return run


def _noise(work: Work) -> Run:
    wires, measured = range(work.circuit.n), hamiltonian(work.measured)

    def circuit(theta: Tensor) -> Any:
        for gate, places, angle in placed(work.circuit, theta):
            apply(gate, places, angle)
            for wire in places:
                qml.DepolarizingChannel(STRENGTH, wires=wire)
        return qml.expval(measured)

    device = qml.device("default.mixed", wires=wires)
    node: Any = qml.QNode(circuit, device, interface="torch", diff_method="backprop")
    return energy_run(work, node)


def _branches(work: Work) -> Run:
    layers, measured = work.circuit.layers, hamiltonian(work.measured)
    middle, start = len(layers) // 2, _zeros(work.circuit.n)
    first, rest = (
        replace(work.circuit, layers=part) for part in (layers[:middle], layers[middle + 1 :])
    )

    def circuit(theta: Tensor) -> Any:
        qml.StatePrep(start, wires=range(work.circuit.n), validate_norm=False)
        for gate, places, angle in placed(first, theta[:middle]):
            apply(gate, places, angle)
        for wire, angle in enumerate(theta[middle, : work.n_measured]):
            bit = qml.measure(wire)
            qml.RY(angle, wires=wire + 1)
            qml.cond(bit, qml.RY)(-2 * angle, wires=wire + 1)
        for gate, places, angle in placed(rest, theta[middle + 1 :]):
            apply(gate, places, angle)
        return qml.expval(measured)

    device = qml.device("default.qubit")
    node: Any = qml.QNode(
        circuit, device, interface="torch", diff_method="backprop", mcm_method="deferred"
    )
    return energy_run(work, node)


TASKS = {**tasks(_node, _node, _node), "noise": _noise, "branches": _branches}
