"""DeepQuantum: trainable gates for one parameter set, encoded gates where angles are data."""

from collections.abc import Callable
from typing import Any

import deepquantum as dq
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ..circuits import ROTATIONS, Rows
from ..workloads import Work
from .base import Run, gate_sets, read_pair, sparse_word
from .torch_tools import ensemble_run, hessian_run, kernel_run, no_angles, state_run, tensor


def energy(work: Work) -> Run:
    """Energy and gradient; the angles are the circuit's own parameters."""
    circuit, coefficients = _circuit(work, encode=False), tensor(work.measured.coefficients)

    def value() -> Tensor:
        circuit()
        found: Tensor = circuit.expectation() @ coefficients
        return found

    return Run(tensor(work.theta), _trained(work, circuit, value), read_pair)


def step(work: Work) -> Run:
    """Loss and gradient of a classifier; the batch is encoded."""
    circuit, x, y = _circuit(work, encode=False), tensor(work.x), tensor(work.y)
    data = x[:, _columns(work.circuit.prefix)]

    def loss() -> Tensor:
        circuit(data)
        return binary_cross_entropy_with_logits(circuit.expectation().squeeze(-1), y)

    return Run(tensor(work.theta), _trained(work, circuit, loss), read_pair)


def hessian(work: Work) -> Run:
    """Hessian of the energy, all rows in one vectorised pass."""
    circuit, coefficients = _circuit(work, encode=True), tensor(work.measured.coefficients)
    data = _encoded(work)

    def energy(theta: Tensor) -> Tensor:
        circuit(data(theta))
        value: Tensor = circuit.expectation() @ coefficients
        return value

    return hessian_run(work, energy, vectorize=True)


def ensemble(work: Work) -> Run:
    """Many classifiers, seeds times samples as one batch of encoded data."""
    circuit, data = _circuit(work, encode=True), _encoded(work)

    def logits(theta: Tensor, x: Tensor) -> Tensor:
        circuit(data(theta, x))
        value: Tensor = circuit.expectation().squeeze(-1)
        return value

    return ensemble_run(work, logits)


def state(work: Work) -> Run:
    """The final state."""
    circuit, data = _circuit(work, encode=True), _encoded(work)
    return state_run(work, lambda theta: circuit(data(theta)))


def kernel(work: Work) -> Run:
    """Fidelities of all pairs from one batch of states."""
    circuit, data = _circuit(work, encode=True), _encoded(work)
    return kernel_run(work, lambda x: circuit(data(no_angles(), x)).squeeze(-1))


def _trained(work: Work, circuit: Any, value: Callable[[], Tensor]) -> Callable[[Tensor], Any]:
    parameters = list(circuit.parameters())
    source = torch.tensor(_columns(*work.circuit.layers, width=work.circuit.width))

    def value_and_grad(theta: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            angles = theta.reshape(-1)[source].unbind()
            torch._foreach_copy_([p.view(()) for p in parameters], list(angles))
        result = value()
        slopes = torch.stack([g.view(()) for g in torch.autograd.grad(result, parameters)])
        slope = torch.zeros(theta.numel()).index_add(0, source, slopes)
        return result.detach(), slope.reshape(theta.shape)

    return value_and_grad


def _encoded(work: Work) -> Callable[..., Tensor]:
    first = torch.tensor(_columns(work.circuit.prefix), dtype=torch.long)
    rest = torch.tensor(_columns(*work.circuit.layers, width=work.circuit.width), dtype=torch.long)

    def data(theta: Tensor, x: Tensor | None = None) -> Tensor:
        if x is None:
            return theta.flatten(-2)[..., rest]
        if not work.circuit.layers:
            return x[:, first]
        return torch.cat([x[:, first], theta.flatten(-2)[..., rest]], -1)

    return data


def _columns(*parts: Rows, width: int = 0) -> list[int]:
    sets = [(i, column) for i, rows in enumerate(parts) for _, _, column in gate_sets(rows)]
    return [i * width + column for i, column in sets if column is not None]


def _circuit(work: Work, encode: bool) -> Any:
    circuit = dq.QubitCircuit(work.circuit.n)
    _add(circuit, work.circuit.prefix, encode=True)
    for rows in work.circuit.layers:
        _add(circuit, rows, encode)
    for word in work.observable.words if work.observable else ():
        wires, letters = zip(*sparse_word(word), strict=True)
        circuit.observable(list(wires), "".join(letters).lower())
    return circuit


def _add(circuit: Any, rows: Rows, encode: bool) -> None:
    for gate, wires, _ in gate_sets(rows):
        options = {"encode": encode} if gate in ROTATIONS else {}
        where = [list(wires)] if gate == "rzz" else wires
        getattr(circuit, gate)(*where, **options)
