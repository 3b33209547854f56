"""Recipes of block matrices: integers that say where each entry of a block comes from.

A block is a list of `Factor`s. Two encoders turn the lists of all blocks of one width and batch key
into tables of indices, by which `block_build` makes these blocks at once: `Stack`, of any depth and
batch, and `Direct`, of few and small blocks, where the number of calls counts.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from quilt_func.evolution.batching import BatchKey
from quilt_func.evolution.steps.embedding import bit, is_same_elsewhere, pattern, places
from quilt_func.evolution.steps.entry_table import IDENTITY, OfTable, TableBuilder
from quilt_func.evolution.steps.factoring import MAX_SLOTS, Factor, Rows, all_rows, factors
from quilt_func.evolution.steps.kind import Applied, Index
from quilt_func.ops import Matrix, Structure
from quilt_func.typing import WireSet

DIRECT_ENTRIES = 2**16
"""Entries of the largest gather that replaces many calls."""

RUNS = 2
"""Runs of blocks of one depth, at most."""

DIRECT_WIRES = 5
"""Wires of the largest product state that is made by a gather."""


@dataclass(frozen=True, eq=False)
class Stack(OfTable):
    """Recipe of all blocks of one batch key and width; indices count rows of what precedes.

    Attributes:
        width: Wires `k` of a block; `K = 2**k`.
        runs: `(n_runs, depth, 4)`, table entries of 2 by 2 matrices: gates on one wire.
        locals: `(width, n_locals)`, the run on each wire of a local factor.
        mixed: `(n_mixed, n_slots, K, K)`, table entries whose product over slots is a factor.
        constants: `(n_constants, K, K)`; the first is the identity.
        rows: `(n_blocks, depth, K)`, rows of constants, then locals, then mixed factors. In another
            order than theirs they stand for a permutation, such as CX, that follows the factor.
        row_factors: `(n_blocks, depth, K)`, what rows are multiplied by; None for 1 throughout.
        direct: A shorter way for few and small blocks, where the number of calls counts, or None.
    """

    width: int
    runs: Index
    locals: Index
    mixed: Index
    constants: NDArray[np.complex128]
    rows: Index
    row_factors: NDArray[np.complex128] | None
    direct: "Direct | None"


@dataclass(frozen=True, eq=False)
class Direct:
    """Blocks by one gather: each factor has at most one gate on a wire.

    Attributes:
        runs: `(n_blocks, depth)` of blocks one after the other that have as many factors each, a
            power of two.
        entries: `(n_slots, 1, n_factors, K, K)`, table entries whose product over slots is a
            factor; those of a block in the order of `halving_order`.
        row_factors: `(n_factors, K, 1)`, what rows are multiplied by; None for 1 throughout.
    """

    runs: tuple[tuple[int, int], ...]
    entries: Index
    row_factors: NDArray[np.complex128] | None


@dataclass(frozen=True, eq=False)
class Prefix(OfTable):
    """One-wire gates on |0...0⟩, which make a product state: a run for each wire.

    `direct` is `(n_qubits, 2**n_qubits)`, table entries whose product over wires is an amplitude.
    """

    runs: Index
    direct: Index | None


Members: TypeAlias = tuple[WireSet, list[Applied]]
"""Wires of a block, and its gates in order."""


def prefix_of(ops: Sequence[Structure], n_qubits: int, gates: Sequence[Applied]) -> Prefix:
    """Collect one-wire gates of one batch key into a recipe of a product state."""
    builder = TableBuilder(ops, gates)
    runs: dict[int, list[Applied]] = {wire: [] for wire in range(n_qubits)}
    for gate in gates:
        runs[gate.wires[0]].append(gate)
    key = next((gate.key for gate in gates if not gate.is_constant), ())
    starts = builder.runs(runs.values())
    direct = None
    if n_qubits <= DIRECT_WIRES and starts.shape[1] == 1:
        bits = np.stack([bit(wire, n_qubits) for wire in range(n_qubits)])
        direct = starts[:, 0, :1] + 2 * bits
    return Prefix(key, builder.table, builder.angles([gates]), starts, direct)


class StackBuilder:
    """Collects the factors of blocks of one width and batch key; equal ones are built once."""

    def __init__(
        self, ops: Sequence[Structure], key: BatchKey, width: int, parts: Sequence[Members]
    ) -> None:
        self.key = key
        self.width = width
        self.parts = parts
        self.tables = TableBuilder(ops, (gate for _, gates in parts for gate in gates))
        self.runs: list[Sequence[Applied]] = [()]
        self.locals: list[list[int]] = []
        self.mixed: list[tuple[Sequence[Applied], WireSet]] = []
        self.constants = [np.eye(2**width, dtype=np.complex128)]
        self.places = {_content(self.constants[0]): 0}

    def stack(self) -> Stack:
        """The recipe."""
        blocks = [
            [(self._place(factor, wires), factor) for factor in factors(gates, wires)]
            for wires, gates in self.parts
        ]
        n_constants, size = len(self.constants), 2**self.width
        offsets = {"constant": 0, "local": n_constants, "mixed": n_constants + len(self.locals)}
        depth = max(map(len, blocks))
        rows = np.tile(np.arange(size), (len(blocks), depth, 1))
        row_factors = np.ones(rows.shape, dtype=np.complex128)
        for i, members in enumerate(blocks):
            for d, ((kind, place), factor) in enumerate(members):
                rows[i, d] = size * (offsets[kind] + place) + factor.rows.order
                row_factors[i, d] = factor.rows.row_factors
        return Stack(
            self.key,
            self.tables.table,
            self.tables.angles([gates for _, gates in self.parts]),
            self.width,
            self.tables.runs(self.runs),
            np.array(self.locals, dtype=np.int64).reshape(-1, self.width).T.copy(),
            self._mixed_indices(),
            np.stack(self.constants),
            rows,
            _unless_ones(row_factors),
            None if self.key else self._direct(),
        )

    def _place(self, factor: Factor, wires: WireSet) -> tuple[str, int]:
        """Where a factor's matrix stands among those of its kind."""
        if factor.matrix is not None:
            return "constant", self._constant(factor.matrix)
        if not factor.gates:
            return "constant", 0
        if factor.kind == "local":
            return "local", self._local(factor.gates, wires)
        self.mixed.append((factor.gates, wires))
        return "mixed", len(self.mixed) - 1

    def _constant(self, matrix: Matrix) -> int:
        place = self.places.setdefault(_content(matrix), len(self.constants))
        if place == len(self.constants):
            self.constants.append(matrix)
        return place

    def _local(self, gates: Iterable[Applied], wires: WireSet) -> int:
        runs: dict[int, list[Applied]] = defaultdict(list)
        for gate in gates:
            runs[gate.wires[0]].append(gate)
        row = []
        for wire in wires:
            row.append(len(self.runs) if wire in runs else 0)
            if wire in runs:
                self.runs.append(runs[wire])
        self.locals.append(row)
        return len(self.locals) - 1

    def _mixed_indices(self) -> Index:
        size = 2**self.width
        n_slots = max([1, *(len(gates) for gates, _ in self.mixed)])
        one = self.tables.offsets[IDENTITY]
        found = np.full((len(self.mixed), n_slots, size, size), one, dtype=np.int64)
        for place, (gates, wires) in enumerate(self.mixed):
            found[place, : len(gates)] = self._mixed_slots(gates, wires)
        return found

    def _direct(self) -> Direct | None:
        """The shorter way, if all constants have one entry per row and the gather is small."""
        size, n_slots = 2**self.width, max(self.width, MAX_SLOTS)
        deepest = DIRECT_ENTRIES // (n_slots * len(self.parts) * size**2)
        busiest = max(sum(not gate.is_constant for gate in gates) for _, gates in self.parts)
        if busiest > deepest * n_slots:
            return None
        found = [self._slots(factors(gates, w, joins=False), w) for w, gates in self.parts]
        blocks = [moments for moments in found if moments is not None]
        if len(blocks) < len(found):
            return None
        depths = [1 << (len(moments) - 1).bit_length() for moments in blocks]
        if max(depths) > deepest:
            return None
        runs = _runs(depths)
        one = self.tables.offsets[IDENTITY]
        used = max(len(slots) for moments in blocks for slots, _ in moments)
        total = sum(count * depth for count, depth in runs)
        entries = np.full((used, 1, total, size, size), one, dtype=np.int64)
        entries[0] = np.where(np.eye(size, dtype=bool), one, one + 1)
        row_factors = np.ones((total, size, 1), dtype=np.complex128)
        first, places = 0, iter(blocks)
        for depth in (depth for count, depth in runs for _ in range(count)):
            order = halving_order(depth)
            for d, (slots, rows) in enumerate(next(places)):
                place = first + order.index(d)
                entries[: len(slots), 0, place] = [slot[rows.order] for slot in slots]
                entries[len(slots) :, 0, place] = one
                row_factors[place, :, 0] = rows.row_factors
            first += depth
        return Direct(runs, entries, _unless_ones(row_factors))

    def _slots(
        self, block: Sequence[Factor], wires: WireSet
    ) -> list[tuple[list[Index], Rows]] | None:
        """Entries of factors of at most one gate on a wire; None if there is a constant."""
        found: list[tuple[list[Index], Rows]] = []
        for factor in block:
            if factor.matrix is not None:
                return None
            if factor.kind == "mixed":
                found.append((self._mixed_slots(factor.gates, wires), factor.rows))
                continue
            *rest, last = _moments(factor.gates) or [{}]
            found += [(self._local_slots(moment, wires), all_rows(self.width)) for moment in rest]
            found.append((self._local_slots(last, wires), factor.rows))
        return found

    def _local_slots(self, moment: dict[int, Applied], wires: WireSet) -> list[Index]:
        identity = self.tables.offsets[IDENTITY]
        starts = [self.tables.start(moment[w]) if w in moment else identity for w in wires]
        return [start + pattern((i,), self.width) for i, start in enumerate(starts)]

    def _mixed_slots(self, gates: Sequence[Applied], wires: WireSet) -> list[Index]:
        zero = self.tables.offsets[IDENTITY] + 1
        is_same = is_same_elsewhere(gates, wires)
        patterns = (pattern(places(gate, wires), self.width) for gate in gates)
        pairs = zip(gates, patterns, strict=True)
        return [np.where(is_same, self.tables.start(g) + pattern, zero) for g, pattern in pairs]


def _runs(depths: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Neighbouring blocks of equal depth, `(n_blocks, depth)`; all of the deepest if runs are many.

    Each run costs some calls, and what shallow blocks are filled up with costs arithmetic.
    """
    runs = tuple((len(list(own)), depth) for depth, own in groupby(depths))
    return runs if len(runs) <= RUNS else ((len(depths), max(depths)),)


def _moments(gates: Iterable[Applied]) -> list[dict[int, Applied]]:
    """One-wire gates in the fewest steps with one gate on a wire."""
    found: list[dict[int, Applied]] = []
    count: dict[int, int] = defaultdict(int)
    for gate in gates:
        (wire,) = gate.wires
        if count[wire] == len(found):
            found.append({})
        found[count[wire]][wire] = gate
        count[wire] += 1
    return found


def halving_order(depth: int) -> list[int]:
    """Bit-reversal order: the product of two halves, so ordered, is one of neighbours."""
    return (
        [0] if depth == 1 else [2 * i + half for half in (0, 1) for i in halving_order(depth // 2)]
    )


def _unless_ones(row_factors: Matrix) -> Matrix | None:
    return None if np.all(row_factors == 1) else row_factors


def _content(matrix: Matrix) -> bytes:
    """What equal matrices share, also where one has negative zeros."""
    return (matrix + 0.0).tobytes()
