"""TorchQuantum: functional gates on a batched device, expectation values from the state.

The package imports its data sets eagerly, and they need a torchvision that fits the installed
torch to the letter. An empty stand-in takes their place: simulation uses none of them.
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ..circuits import Observable
from ..workloads import Work
from .base import sparse_word
from .torch_tools import Energy, Logits, States, placed, tasks

sys.modules["torchquantum.dataset"] = ModuleType("torchquantum.dataset")

import torchquantum as tq  # noqa: E402
import torchquantum.functional as tqf  # noqa: E402

GATES: dict[str, Callable[..., None]] = {
    "rx": tqf.rx, "ry": tqf.ry, "rz": tqf.rz, "rzz": tqf.rzz,
    "h": tqf.hadamard, "cx": tqf.cnot, "cz": tqf.cz,
}  # fmt: skip
LETTERS: dict[str, Callable[..., None]] = {
    "X": tqf.paulix, "Y": tqf.pauliy, "Z": tqf.pauliz,
}  # fmt: skip


def _energy(work: Work) -> Energy:
    return lambda theta: _expectation(_device(work, theta), work.measured)


def _logits(work: Work) -> Logits:
    return lambda theta, x: tq.expval(_device(work, theta, x), 0, tq.PauliZ()).squeeze(-1)


def _states(work: Work) -> States:
    return lambda theta, x: _device(work, theta, x).get_states_1d()


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


TASKS = tasks(_energy, _logits, _states)
