"""Wires of a state in another order, and some of them brought to the front and back.

A copy between permuted axes is fastest for large states, if the last wires stay together: then it
moves rows. In other cases an index is; small states share one for all calls, and for large ones it
is a sum of two small tables, as each bit of a place stands for a bit of the index.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from quilt_func._torch import constant, remembered
from quilt_func.typing import WireSet

_SMALL = 14
"""So many wires have one table, which is the index."""

_ROW = 4
"""Last wires that must stay together for a permuted copy: shorter rows take ten times as long."""

_AXES = 22
"""Axes of a permuted copy, at most: tensors on CUDA have 25, of which two are for batches."""


def gathered(wires: WireSet, state: Tensor) -> Tensor:
    """The state `(lead, 2**n, last)` with the wires' axes first, `(lead, K, rest)`."""
    moved = torch.empty_like(state)
    reorder_wires(_to_front(wires, state.shape[1].bit_length() - 1), state, moved)
    return moved.view(state.shape[0], 2 ** len(wires), -1)


def scatter(wires: WireSet, front: Tensor, out: Tensor) -> None:
    """Write a state `(lead, K, rest)`, as of `gathered`, to `out`, `(lead, 2**n, last)`."""
    order = inverse(_to_front(wires, out.shape[1].bit_length() - 1))
    reorder_wires(order, front.reshape(out.shape), out)


def reorder_wires(order: WireSet, state: Tensor, out: Tensor) -> None:
    """Write a state to `out` with its wires in another order.

    Args:
        order: All wires, in the order that they are to have.
        state (complex, (lead, 2**n, last)): Contiguous.
        out (complex, (lead, 2**n, last)): Contiguous, and not the state's memory.
    """
    lead, size, last = state.shape
    shape, axes = runs(order)
    is_large = len(order) > _SMALL
    if is_large and shape[axes[-1]] >= 2**_ROW and len(shape) <= _AXES:
        split = state.view(lead, *shape, last).permute(0, *(1 + a for a in axes), 1 + len(shape))
        out.view(split.shape).copy_(split)
        return
    source = _source(order, state.device)
    if last > 1:
        torch.index_select(state, 1, source, out=out)
    elif lead == 1:
        torch.index_select(state.view(size), 0, source, out=out.view(size))
    else:
        rows = lead, size
        torch.gather(state.view(rows), 1, source.long().expand(rows), out=out.view(rows))


def inverse(order: WireSet) -> WireSet:
    """The order that undoes another."""
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def _to_front(wires: WireSet, n_qubits: int) -> WireSet:
    return *wires, *(wire for wire in range(n_qubits) if wire not in wires)


@lru_cache(maxsize=1024)
def runs(order: WireSet, n_alone: int = 0) -> tuple[list[int], list[int]]:
    """A shape with one axis for wires that are neighbours before and after, and these reordered.

    The first `n_alone` wires of the order have an axis each.
    """
    starts = [i for i, wire in enumerate(order) if i <= n_alone or wire != order[i - 1] + 1]
    stops = [*starts[1:], len(order)]
    found = [(order[start], stop - start) for start, stop in zip(starts, stops, strict=True)]
    before = sorted(found)
    return [2**length for _, length in before], [before.index(run) for run in found]


def _source(order: WireSet, device: torch.device) -> Tensor:
    """From each place to the one that its amplitude is from, `(2**n,)`."""
    high, low = _places(order, device)
    return (high[:, None] + low).view(-1) if len(high) > 1 else low


@remembered(1024)
def _places(order: WireSet, device: torch.device) -> tuple[Tensor, Tensor]:
    """What the high and the low bits of a place add to the place where its amplitude is from."""
    n_qubits = len(order)
    middle = n_qubits // 2 if n_qubits > _SMALL else 0
    return _sums(order[:middle], n_qubits, device), _sums(order[middle:], n_qubits, device)


def _sums(bits: WireSet, n_qubits: int, device: torch.device) -> Tensor:
    dtype = torch.int32 if n_qubits < 31 else torch.int64  # half the memory to read
    found = np.zeros(1, dtype=np.int64)
    for bit in reversed(bits):
        found = np.concatenate([found, found + (1 << (n_qubits - 1 - bit))])
    return constant(found, dtype, device)
