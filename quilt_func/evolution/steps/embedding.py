"""Where the entries of a gate's matrix stand in the matrix of a block of more wires."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from quilt_func.evolution.steps.kind import Applied, Index
from quilt_func.ops import Gate, Matrix
from quilt_func.typing import WireSet


def places(gate: Applied, wires: WireSet) -> WireSet:
    """Where a gate's wires stand among a block's."""
    return tuple(wires.index(wire) for wire in gate.wires)


def constant_matrix(gate: Gate) -> Matrix:
    """The matrix of a gate without parameters."""
    assert not callable(gate.matrix), "a gate without parameters has a constant matrix"
    return np.asarray(gate.matrix, dtype=np.complex128)


@lru_cache(maxsize=4096)
def embedded(gate: Gate, positions: WireSet, width: int) -> Matrix:
    """A constant gate's matrix on `width` wires."""
    matrix = constant_matrix(gate).reshape(-1)[pattern(positions, width)]
    return np.where(_agrees(positions, width), matrix, 0)


@lru_cache(maxsize=4096)
def pattern(positions: WireSet, width: int) -> Index:
    """Entry of a gate's flat matrix that stands at each entry of the block's matrix."""
    local = np.zeros(2**width, dtype=np.int64)
    for position in positions:
        local = 2 * local + bit(position, width)
    return local[:, None] * (1 << len(positions)) + local[None, :]


@lru_cache(maxsize=4096)
def _agrees(positions: WireSet, width: int) -> NDArray[np.bool_]:
    """Whether row and column of an entry have the same bits on all other wires."""
    others = np.zeros(2**width, dtype=np.int64)
    for position in set(range(width)) - set(positions):
        others = 2 * others + bit(position, width)
    is_same: NDArray[np.bool_] = others[:, None] == others[None, :]
    return is_same


def bit(position: int, width: int) -> Index:
    """The bit of one wire in the number of each row."""
    return np.arange(2**width) >> (width - 1 - position) & 1


def is_same_elsewhere(gates: Sequence[Applied], wires: WireSet) -> NDArray[np.bool_]:
    """Whether row and column of an entry have the same bits on wires that no gate has."""
    covered = tuple(sorted({p for gate in gates for p in places(gate, wires)}))
    return _agrees(covered, len(wires))
