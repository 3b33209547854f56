"""Permutations of amplitudes: runs of gates that are affine maps of basis states, as X, CX, SWAP.

Row `r` of such a unitary has a single 1, in column `c ⊕ A r`, with `A` a matrix over two elements
and `c` a basis state. A run of any length is one such map, found gate by gate on the columns of
`A`, and costs one pass over the state.

References:
    Aaronson and Gottesman (2004), arXiv:quant-ph/0406196, section II.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, TypeAlias

import numpy as np
import torch
from torch import Tensor

from quilt_func._amplitudes import reorder
from quilt_func._torch import constant, remembered
from quilt_func.evolution.steps.kind import (
    COSTS,
    Applied,
    Built,
    Kind,
    Part,
    Price,
    Recipe,
    Step,
    Windows,
)
from quilt_func.ops import Gate, Structure
from quilt_func.typing import WireSet

Affine: TypeAlias = tuple[int, tuple[int, ...]]
"""`c`, and column `j` of `A` for each bit `j`, the least significant first."""

WIDEST = 14
"""Wires of a permutation, whose index has `2**WIDEST` entries."""

WHOLE = 16
"""Circuits of at most this many wires are permuted as a whole."""


@dataclass(frozen=True)
class Permutation(Step):
    """A step that reorders the amplitudes of neighbouring wires.

    Attributes:
        map: From each basis state of these wires to the one whose amplitude comes to it.
    """

    name: ClassVar[str] = "permute"

    map: Affine = (0, ())

    def apply(self, operand: None, state: Tensor, out: Tensor) -> None:
        """Write the reordered state."""
        reorder(index(self.map, False, state.device), self.wires, state, out)

    def undo(self, operand: None, state: Tensor, out: Tensor) -> None:
        """Write the state in its order before; a cotangent goes back alike."""
        reorder(index(self.map, True, state.device), self.wires, state, out)

    def apply_plainly(self, built: Built, state: Tensor | None) -> Tensor:
        """Reorder a flat state."""
        assert state is not None, "only a block starts without a state"
        split = state.reshape(2 ** self.wires[0], 2 ** len(self.wires), -1)
        return split.index_select(1, index(self.map, False, state.device)).reshape(-1)

    def price(self, n_qubits: int) -> Price:
        """One pass over the state."""
        return PERMUTATION.price(n_qubits, self.wires, self.n_gates)


class PermutationKind(Kind):
    """Gates that are affine maps of basis states.

    A step may be taken for the sake of the block after it, which then has more gates.
    """

    name = "permute"
    placing = "neighbours"
    looks_ahead = True

    def fits(self, gate: Gate) -> bool:
        """Whether a gate is an affine map of basis states."""
        return affine(gate) is not None

    def windows(self, n_qubits: int, pending: Sequence[Applied], *, is_batched: bool) -> Windows:
        """Windows of many neighbouring wires."""
        width = n_qubits if n_qubits <= WHOLE else WIDEST
        yield from (tuple(range(s, s + width)) for s in range(n_qubits - width + 1))

    def price(self, n_qubits: int, wires: WireSet, n_gates: int) -> Price:
        """One pass over the state, and a call."""
        return Price(1, 0, 1.0 + COSTS.call_share(n_qubits))

    def collect(
        self, ops: Sequence[Structure], n_qubits: int, first: int, parts: Mapping[int, Part]
    ) -> tuple[list[Recipe], dict[int, Step]]:
        """Compose the gates of each part."""
        return [], {number: composed(part.wires, part.gates) for number, part in parts.items()}


PERMUTATION = PermutationKind()


def composed(wires: WireSet, gates: Sequence[Applied]) -> Permutation:
    """Compose affine gates on wires among some neighbouring ones."""
    width = len(wires)
    origin, columns = 0, [1 << bit for bit in range(width)]
    for gate in gates:
        bits = [width - 1 - wires.index(wire) for wire in reversed(gate.wires)]
        shift, images = affine(gate.gate) or (0, ())
        before = list(columns)
        origin ^= _image(_spread(shift, bits), before)
        for bit, image in zip(bits, images, strict=True):
            columns[bit] = _image(_spread(image, bits), before)
    return Permutation(wires, len(gates), map=(origin, tuple(columns)))


def _spread(local: int, bits: Iterable[int]) -> int:
    """Put the bits of a number, the least significant first, to other places."""
    return sum((local >> place & 1) << bit for place, bit in enumerate(bits))


def _image(number: int, columns: Sequence[int]) -> int:
    found = 0
    for bit, column in enumerate(columns):
        if number >> bit & 1:
            found ^= column
    return found


@lru_cache(maxsize=4096)
def affine(gate: Gate) -> Affine | None:
    """The map of a constant gate that only permutes amplitudes, if it is affine."""
    if gate.n_params or "permutation" not in gate.tags or callable(gate.matrix):
        return None
    matrix = np.asarray(gate.matrix)
    source = (matrix != 0).argmax(1).tolist()
    columns = tuple(source[1 << bit] ^ source[0] for bit in range(gate.n_wires))
    is_affine = all(_image(row, columns) ^ source[0] == from_ for row, from_ in enumerate(source))
    is_plain = bool(np.array_equal(matrix, matrix != 0))
    return (source[0], columns) if is_affine and is_plain else None


@remembered(64)  # equal maps share one, and deep circuits hold no more
def index(map_: Affine, is_back: bool, device: torch.device) -> Tensor:
    """Where the amplitude of each basis state of the step's wires comes from, or where it goes."""
    source = np.array([map_[0]], dtype=np.int64)
    for column in map_[1]:
        source = np.concatenate([source, source ^ column])
    if not is_back:
        return constant(source, torch.int64, device)
    target = np.empty_like(source)
    target[source] = np.arange(len(source))
    return constant(target, torch.int64, device)
