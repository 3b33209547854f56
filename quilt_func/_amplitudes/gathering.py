"""Wires of a state brought to the front, and back: an order of basis states, by index.

Copies between permuted axes take many times as long where the innermost axis is short. An index is
a sum of two small tables: each bit of a place stands for a bit of the index.
"""

import numpy as np
import torch
from torch import Tensor

from quilt_func._torch import constant, remembered
from quilt_func.typing import WireSet

_SHORT = 2
"""Wires after the last one of some that are brought to the front: so few are moved one by one."""

_FEW = 12
"""So many wires have one table, which is the index."""


def gathered(wires: WireSet, state: Tensor) -> Tensor:
    """The state `(lead, 2**n, last)` with the wires' axes first, `(lead, K, rest)`."""
    moved = torch.empty_like(state)
    _move(wires, state, moved, is_back=False)
    return moved.view(state.shape[0], 2 ** len(wires), -1)


def scatter(wires: WireSet, front: Tensor, out: Tensor) -> None:
    """Write a state `(lead, K, rest)`, as of `gathered`, to `out`, `(lead, 2**n, last)`."""
    _move(wires, front.reshape(out.shape), out, is_back=True)


def _move(wires: WireSet, state: Tensor, out: Tensor, *, is_back: bool) -> None:
    n_qubits = state.shape[1].bit_length() - 1
    n_moved = wires[-1] + 1 if n_qubits - 1 - wires[-1] > _SHORT else n_qubits
    high, low = _places(wires, n_moved, is_back, state.device)
    source = (high[:, None] + low).view(-1) if len(high) > 1 else low
    rows = state.shape[0], len(source)
    if state.numel() == rows[0] * rows[1]:
        torch.gather(state.view(rows), 1, source.expand(rows), out=out.view(rows))
    else:
        torch.index_select(state.view(*rows, -1), 1, source, out=out.view(*rows, -1))


@remembered(1024)
def _places(
    wires: WireSet, n_qubits: int, is_back: bool, device: torch.device
) -> tuple[Tensor, Tensor]:
    """What the high and the low bits of a place add to the place where its amplitude is from."""
    order = [*wires, *(wire for wire in range(n_qubits) if wire not in wires)]
    if is_back:
        order = sorted(range(n_qubits), key=order.__getitem__)
    middle = n_qubits // 2 if n_qubits > _FEW else 0
    return _sums(order[:middle], n_qubits, device), _sums(order[middle:], n_qubits, device)


def _sums(bits: list[int], n_qubits: int, device: torch.device) -> Tensor:
    found = np.zeros(1, dtype=np.int64)
    for bit in reversed(bits):
        found = np.concatenate([found, found + (1 << (n_qubits - 1 - bit))])
    return constant(found, torch.int64, device)
