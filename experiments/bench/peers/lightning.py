"""PennyLane Lightning, its C++ statevector: adjoint gradients in complex64."""

from typing import Any

import numpy as np
import pennylane as qml
from numpy.typing import NDArray
from pennylane import numpy as pnp

from ..reference import probe
from ..workloads import Work
from .base import Run, Tasks, gate_sets, read_pair
from .pennylane_torch import apply, hamiltonian


def _energy(work: Work) -> Run:
    """Energy and gradient by the adjoint method."""
    node = _node(work, qml.expval, "adjoint")
    slope = qml.grad(node)

    def step(theta: Any) -> tuple[Any, Any]:
        gradient = slope(theta)
        return slope.forward, gradient

    return Run(pnp.array(work.theta, requires_grad=True), step, read_pair)


def _state(work: Work) -> Run:
    """The final state."""
    node = _node(work, None, None)
    return Run(work.theta, node, lambda found: probe(np.asarray(found)))


def _node(work: Work, measure: Any, method: str | None) -> Any:
    device = qml.device("lightning.qubit", wires=work.circuit.n, c_dtype=np.complex64)
    observable = None if work.observable is None else hamiltonian(work.observable)

    def circuit(theta: NDArray[np.float64]) -> Any:
        for gate, wires, _ in gate_sets(work.circuit.prefix):
            apply(gate, wires, None)
        for layer, angles in zip(work.circuit.layers, theta, strict=True):
            for gate, wires, column in gate_sets(layer):
                apply(gate, wires, None if column is None else angles[column])
        return qml.state() if measure is None else measure(observable)

    return qml.QNode(circuit, device, interface="autograd", diff_method=method)


TASKS: Tasks = {"energy": _energy, "state": _state}
