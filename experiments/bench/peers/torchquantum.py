"""TorchQuantum: functional gates on a batched device, expectation values from the state.

The package imports its plug-ins for other libraries eagerly, and they need versions of those
libraries long gone. Empty stand-ins take their place: simulation uses none of them.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..circuits import Observable
from ..workloads import Work
from . import stand_ins
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

stand_ins.install(
    "torchquantum.plugin", "torchquantum.dataset", "torchquantum.pulse", "torchpack",
    "qiskit", "qiskit_ibm_runtime", "imp",
)  # fmt: skip

import torchquantum as tq  # noqa: E402
import torchquantum.functional as tqf  # noqa: E402

GATES: dict[str, Callable[..., None]] = {
    "rx": tqf.rx, "ry": tqf.ry, "rz": tqf.rz, "rzz": tqf.rzz,
    "h": tqf.hadamard, "cx": tqf.cnot, "cz": tqf.cz,
}  # fmt: skip
LETTERS: dict[str, Callable[..., None]] = {
    "X": tqf.paulix, "Y": tqf.pauliy, "Z": tqf.pauliz,
}  # fmt: skip


def energy(work: Work) -> Run:
    """Energy and gradient."""
    return energy_run(work, _energy(work))


def hessian(work: Work) -> Run:
    """Hessian of the energy."""
    return hessian_run(work, _energy(work), vectorize=True)


def step(work: Work) -> Run:
    """Loss and gradient of a classifier."""
    return step_run(work, _logits(work))


def ensemble(work: Work) -> Run:
    """Many classifiers, seeds times samples as one batch."""
    return ensemble_run(work, _logits(work))


def state(work: Work) -> Run:
    """The final state."""
    return state_run(work, lambda theta: _device(work, theta).get_states_1d())


def kernel(work: Work) -> Run:
    """Fidelities of all pairs from one batch of states."""
    return kernel_run(work, lambda x: _device(work, no_angles(), x).get_states_1d())


def _logits(work: Work) -> Callable[[Tensor, Tensor], Tensor]:
    def logits(theta: Tensor, x: Tensor) -> Tensor:
        found: Tensor = tq.expval(_device(work, theta, x), 0, tq.PauliZ())
        return found.squeeze(-1)

    return logits


def _energy(work: Work) -> Callable[[Tensor], Tensor]:
    def energy(theta: Tensor) -> Tensor:
        return _expectation(_device(work, theta), work.measured)

    return energy


def _expectation(device: Any, observable: Observable) -> Tensor:
    bra, values = device.get_states_1d().conj(), []
    for word, coefficient in zip(observable.words, observable.coefficients, strict=True):
        copy = tq.QuantumDevice(device.n_wires, bsz=device.bsz, device="cpu")
        copy.states = device.states
        for wire, letter in sparse_word(word):
            LETTERS[letter](copy, wires=wire)
        values.append(coefficient * (bra * copy.get_states_1d()).sum().real)
    return torch.stack(values).sum()


def _device(work: Work, theta: Tensor, x: Tensor | None = None) -> Any:
    device = tq.QuantumDevice(work.circuit.n, bsz=1 if x is None else len(x), device="cpu")
    for gate, wires, angle in placed(work.circuit, theta, x):
        if angle is None:
            GATES[gate](device, wires=list(wires))
        else:
            GATES[gate](device, wires=list(wires), params=angle.reshape(-1, 1))
    return device
