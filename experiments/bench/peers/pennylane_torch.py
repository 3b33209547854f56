"""PennyLane's `default.qubit` with backpropagation: torch interface, parameter broadcasting.

It works in the precision of its initial state, so that is given to it in complex64. Noise is on
`default.mixed`, in doubles whatever it is given.
"""

from collections.abc import Callable
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


def _node(work: Work) -> Callable[..., Tensor]:
    wires = range(work.circuit.n)
    start = torch.zeros(2**work.circuit.n, dtype=torch.complex64)
    start[0] = 1.0
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


TASKS = {**tasks(_node, _node, _node), "noise": _noise}
