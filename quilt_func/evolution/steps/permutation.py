"""Runs of gates that move no arithmetic: affine maps of basis states, such as X, CX and SWAP.

Row `r` of such a unitary has a single 1, in column `c ⊕ A r`, with `A` a matrix over two elements
and `c` a basis state. A run of any length is one such map, found gate by gate on the columns of
`A`, and costs one pass over the state.

References:
    Aaronson and Gottesman (2004), arXiv:quant-ph/0406196, section II.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from quilt_func._torch import constant, remembered
from quilt_func.ops import Gate
from quilt_func.typing import WireSet

Affine: TypeAlias = tuple[int, tuple[int, ...]]
"""`c`, and column `j` of `A` for each bit `j`, the least significant first."""


@dataclass(frozen=True)
class Move:
    """One step of a run: the amplitudes of neighbouring wires are reordered.

    Attributes:
        wires: Neighbouring wires.
        n_gates: Number of gates that it stands for.
        map: From each basis state of these wires to the one whose amplitude comes to it.
    """

    wires: WireSet
    n_gates: int
    map: Affine


def move(wires: WireSet, gates: Sequence[tuple[Gate, WireSet]]) -> Move:
    """Compose affine gates on wires among some neighbouring ones."""
    width = len(wires)
    origin, columns = 0, [1 << bit for bit in range(width)]
    for gate, acted in gates:
        bits = [width - 1 - wires.index(wire) for wire in reversed(acted)]
        shift, images = affine(gate) or (0, ())
        before = list(columns)
        origin ^= _image(_spread(shift, bits), before)
        for bit, image in zip(bits, images, strict=True):
            columns[bit] = _image(_spread(image, bits), before)
    return Move(wires, len(gates), (origin, tuple(columns)))


def _spread(local: int, bits: Iterable[int]) -> int:
    """Move the bits of a number, the least significant first, to other places."""
    return sum((local >> place & 1) << bit for place, bit in enumerate(bits))


def _image(number: int, columns: Sequence[int]) -> int:
    found = 0
    for bit, column in enumerate(columns):
        if number >> bit & 1:
            found ^= column
    return found


@lru_cache(maxsize=4096)
def affine(gate: Gate) -> Affine | None:
    """The map of a constant gate that only moves amplitudes, if it is affine."""
    if gate.n_params or "permutation" not in gate.tags or callable(gate.matrix):
        return None
    matrix = np.asarray(gate.matrix)
    source = (matrix != 0).argmax(1).tolist()
    columns = tuple(source[1 << bit] ^ source[0] for bit in range(gate.n_wires))
    is_affine = all(_image(row, columns) ^ source[0] == from_ for row, from_ in enumerate(source))
    is_plain = bool(np.array_equal(matrix, matrix != 0))
    return (source[0], columns) if is_affine and is_plain else None


def index(step: Move, is_back: bool, device: torch.device) -> Tensor:
    """Where the amplitude of each basis state of the step's wires comes from, or where it goes."""
    return _index(step.map, is_back, device)


@remembered(64)  # equal maps share one, and deep circuits hold no more
def _index(map_: Affine, is_back: bool, device: torch.device) -> Tensor:
    source = np.array([map_[0]], dtype=np.int64)
    for column in map_[1]:
        source = np.concatenate([source, source ^ column])
    if not is_back:
        return constant(source, torch.int64, device)
    target = np.empty_like(source)
    target[source] = np.arange(len(source))
    return constant(target, torch.int64, device)
