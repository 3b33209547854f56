"""PennyLane's `default.qubit` with backpropagation: torch interface, parameter broadcasting."""

from collections.abc import Callable
from typing import Any

import pennylane as qml
import torch
from torch import Tensor

from ..circuits import Observable
from ..workloads import Work
from .base import Run, sparse_word
from .torch_tools import (
    energy_run,
    ensemble_run,
    hessian_run,
    kernel_run,
    no_angles,
    placed,
    state_run,
    step_run,
)

GATES: dict[str, Any] = {
    "rx": qml.RX, "ry": qml.RY, "rz": qml.RZ, "rzz": qml.IsingZZ,
    "h": qml.Hadamard, "cx": qml.CNOT, "cz": qml.CZ,
}  # fmt: skip
LETTERS: dict[str, Any] = {"X": qml.PauliX, "Y": qml.PauliY, "Z": qml.PauliZ}


def energy(work: Work) -> Run:
    """Energy and gradient."""
    return energy_run(work, node(work))


def hessian(work: Work) -> Run:
    """Hessian of the energy."""
    return hessian_run(work, node(work), vectorize=True)


def step(work: Work) -> Run:
    """Loss and gradient of a classifier, the batch broadcast through the gates."""
    return step_run(work, node(work))


def ensemble(work: Work) -> Run:
    """Many classifiers, seeds times samples broadcast through the gates."""
    return ensemble_run(work, node(work))


def state(work: Work) -> Run:
    """The final state."""
    return state_run(work, node(work))


def kernel(work: Work) -> Run:
    """Fidelities of all pairs from the broadcast states."""
    run = node(work)
    return kernel_run(work, lambda x: run(no_angles(), x))


def node(work: Work) -> Callable[..., Tensor]:
    """The circuit as a QNode."""
    device = qml.device("default.qubit", wires=work.circuit.n)
    measured = None if work.observable is None else hamiltonian(work.observable)

    def circuit(theta: Tensor, x: Tensor | None = None) -> Any:
        for gate, wires, angle in placed(work.circuit, theta, x):
            if angle is None:
                GATES[gate](wires=wires)
            else:
                GATES[gate](angle, wires=wires)
        return qml.state() if measured is None else qml.expval(measured)

    call: Any = qml.QNode(circuit, device, interface="torch", diff_method="backprop")

    def run(theta: Tensor, x: Tensor | None = None) -> Tensor:
        found: Tensor = call(theta, x)
        return found.to(torch.float32) if found.dtype == torch.float64 else found

    return run


def hamiltonian(observable: Observable) -> Any:
    """An observable as a PennyLane operator."""
    terms = [
        qml.prod(*(LETTERS[letter](wire) for wire, letter in sparse_word(word)))
        for word in observable.words
    ]
    if len(terms) == 1 and observable.coefficients == (1.0,):
        return terms[0]
    return qml.Hamiltonian(list(observable.coefficients), terms)
