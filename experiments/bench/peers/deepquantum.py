"""DeepQuantum: trainable gates for one parameter set, encoded gates where angles are data."""

import math
from collections.abc import Callable
from typing import Any

import deepquantum as dq
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ..circuits import ROTATIONS, Rows
from ..workloads import STRENGTH, Work
from .base import Run, gate_sets, read_pair, sparse_word, train_run
from .torch_tools import Energy, Logits, States, tasks, tensor


def _energy(work: Work) -> Energy:
    circuit, coefficients = _circuit(work, encode=True), tensor(work.measured.coefficients)
    data = _encoded(work)

    def energy(theta: Tensor) -> Tensor:
        circuit(data(theta))
        value: Tensor = circuit.expectation() @ coefficients
        return value

    return energy


def _logits(work: Work) -> Logits:
    circuit, data = _circuit(work, encode=True), _encoded(work)

    def logits(theta: Tensor, x: Tensor) -> Tensor:
        circuit(data(theta, x))
        value: Tensor = circuit.expectation().squeeze(-1)
        return value

    return logits


def _states(work: Work) -> States:
    circuit, data = _circuit(work, encode=True), _encoded(work)
    return lambda theta, x: circuit(data(theta, x)).squeeze(-1)


def _trained_energy(work: Work) -> Run:
    """Energy and gradient; the angles are the circuit's own parameters."""
    circuit, coefficients = _circuit(work, encode=False), tensor(work.measured.coefficients)

    def value() -> Tensor:
        circuit()
        found: Tensor = circuit.expectation() @ coefficients
        return found

    return _trained(work, circuit, value)


def _noise(work: Work) -> Run:
    """The same of a density matrix; a channel's strength is the squared sine of its input."""
    circuit = _circuit(work, encode=False, p=STRENGTH)
    coefficients = tensor(work.measured.coefficients)

    def value() -> Tensor:
        circuit()
        found: Tensor = circuit.expectation() @ coefficients
        return found

    return _trained(work, circuit, value)


def _trained_step(work: Work) -> Run:
    """Loss and gradient of a classifier; only the batch is encoded."""
    circuit, x, y = _circuit(work, encode=False), tensor(work.x), tensor(work.y)
    data = x[:, _columns(work.circuit.prefix)]

    def loss() -> Tensor:
        circuit(data)
        return binary_cross_entropy_with_logits(circuit.expectation().squeeze(-1), y)

    return _trained(work, circuit, loss)


def _trained(work: Work, circuit: Any, value: Callable[[], Tensor]) -> Run:
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

    return Run(tensor(work.theta), value_and_grad, read_pair)


def _encoded(work: Work) -> Callable[..., Tensor]:
    first = torch.tensor(_columns(work.circuit.prefix), dtype=torch.long)
    rest = torch.tensor(_columns(*work.circuit.layers, width=work.circuit.width), dtype=torch.long)

    def data(theta: Tensor, x: Tensor | None = None) -> Tensor:
        angles = theta.flatten(-2)[..., rest] if work.circuit.layers else None
        parts = [None if x is None else x[:, first], angles]
        return torch.cat([part for part in parts if part is not None], -1)

    return data


def _columns(*parts: Rows, width: int = 0) -> list[int]:
    sets = [(i, column) for i, rows in enumerate(parts) for _, _, column in gate_sets(rows)]
    return [i * width + column for i, column in sets if column is not None]


def _circuit(work: Work, encode: bool, p: float = 0.0) -> Any:
    circuit = dq.QubitCircuit(work.circuit.n, den_mat=p > 0)
    _add(circuit, work.circuit.prefix, encode=True)
    for rows in work.circuit.layers:
        _add(circuit, rows, encode, p)
    for word in work.observable.words if work.observable else ():
        wires, letters = zip(*sparse_word(word), strict=True)
        circuit.observable(list(wires), "".join(letters).lower())
    return circuit


def _add(circuit: Any, rows: Rows, encode: bool, p: float = 0.0) -> None:
    for gate, wires, _ in gate_sets(rows):
        options = {"encode": encode} if gate in ROTATIONS else {}
        where = [list(wires)] if gate == "rzz" else wires
        getattr(circuit, gate)(*where, **options)
        for wire in wires if p else ():
            circuit.depolarizing(wire, math.asin(math.sqrt(p)))


TASKS = {
    **tasks(_energy, _logits, _states),
    "energy": _trained_energy,
    "noise": _noise,
    "step": _trained_step,
    "train": lambda work: train_run(work, _trained_step(work)),
}
