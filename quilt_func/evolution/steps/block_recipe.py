"""Recipes of block matrices: integers that say where each entry of a block comes from.

Within a block, gates are sorted into layers that alternate between *local* ones, which are
Kronecker products of 2 by 2 matrices, and *mixed* ones. Neighbouring constant gates become one
constant matrix here and now, and if that has one entry per row, as CX, X, CZ or SWAP have, it is
taken in by the factor before it: such gates cost no arithmetic later. What is left are `Stack`s:
tables of indices by which `block_build` makes all blocks of one width and batch key at once.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quilt_func.evolution.batching import BatchKey
from quilt_func.evolution.steps.kind import Applied, Index
from quilt_func.ops import Gate, Matrix, Structure
from quilt_func.typing import WireSet


@dataclass(frozen=True, eq=False)
class Table:
    """Matrix entries of the gates of one batch key, in a flat vector.

    First those of rotations, then, row by row, those of other gates, each row's ops in order; then
    constants.

    Attributes:
        rotations: Ops of gates `cos(θ/2) - i sin(θ/2) G` whose `G` has the entries 0, ±1, ±i.
        n_angles: Number of their angles.
        waves: `(n_entries, 2)`, real and imaginary part of each of their entries, as places in all
            cosines, then all sines, all negative sines, and a zero.
        rows: Other gates, and the ops of each.
        constants: Entries of constant gates.
    """

    rotations: tuple[int, ...]
    n_angles: int
    waves: Index
    rows: tuple[tuple[Gate, tuple[int, ...]], ...]
    constants: NDArray[np.complex128]

    @property
    def ops(self) -> tuple[int, ...]:
        """Ops whose parameters it is built of."""
        return (*self.rotations, *(op for _, members in self.rows for op in members))


@dataclass(frozen=True, eq=False)
class OfTable:
    """What is built of a table, and what its derivatives are made of.

    Attributes:
        key: Batch key of the parameters.
        table: Where matrix entries come from.
        angles: `(n_parts, most)`, the angles of each part among those of all rotations, filled up
            with their number.
    """

    key: BatchKey
    table: Table
    angles: Index

    @property
    def ops(self) -> tuple[int, ...]:
        """Ops whose parameters it is built of."""
        return self.table.ops

    @property
    def derived(self) -> NDArray[np.bool_]:
        """Which angles to take the derivative by: none, then one of each part for each slope.

        Returns:
            `(n_angles, 1 + n_slopes)`.
        """
        n_angles = self.table.n_angles
        found = np.zeros((n_angles + 1, 1 + self.angles.shape[1]), dtype=np.bool_)
        for slope, angles in enumerate(self.angles.T):
            found[angles, 1 + slope] = True
        return found[:n_angles]


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
        entries: `(n_slots, 1, n_blocks, depth, K, K)`, table entries whose product over slots is a
            factor; depth is a power of two, in the order of `halving_order`.
        row_factors: `(n_blocks, depth, K, 1)`, what rows are multiplied by; None for 1 throughout.
    """

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


_IDENTITY = Gate("identity", 1, 0, np.eye(2, dtype=np.complex128))
"""The run of a wire without gates."""


class _TableBuilder:
    """A table, and where in it gates stand."""

    def __init__(self, ops: Sequence[Structure], gates: Iterable[Applied]) -> None:
        self.ops = ops
        members: dict[Gate, dict[int, None]] = defaultdict(dict)
        constants: dict[Gate, None] = {_IDENTITY: None}
        for gate in gates:
            if gate.is_constant and len(gate.wires) == 1:
                constants[gate.gate] = None
            elif not gate.is_constant:
                members[gate.gate][gate.op] = None
        self.offsets: dict[int | Gate, int] = {}
        rotations = {row: members.pop(row) for row in [*members] if _is_of_waves(row)}
        size = 0
        for row, its_ops in (rotations | members).items():
            for op in its_ops:
                self.offsets[op] = size
                size += len(ops[op].wires) * 4**row.n_wires
        for row in constants:
            self.offsets[row] = size
            size += 4
        self.table = Table(
            tuple(op for its_ops in rotations.values() for op in its_ops),
            sum(len(ops[op].wires) for its_ops in rotations.values() for op in its_ops),
            _waves(
                [(row, sum(len(ops[op].wires) for op in its)) for row, its in rotations.items()]
            ),
            tuple((row, tuple(its_ops)) for row, its_ops in members.items()),
            np.concatenate([_constant_matrix(row).reshape(-1) for row in constants]),
        )

    def start(self, gate: Applied) -> int:
        """Where a gate's matrix starts."""
        if gate.is_constant:
            return self.offsets[gate.gate]
        return self.offsets[gate.op] + gate.slot * (1 << 2 * len(gate.wires))

    def angles(self, blocks: Sequence[Sequence[Applied]]) -> Index:
        """Each block's angles of rotations, `(n_blocks, most)`."""
        places: dict[tuple[int, int], int] = {}
        for op in self.table.rotations:
            for slot in range(len(self.ops[op].wires)):
                places[op, slot] = len(places)
        found = [
            [places[g.op, g.slot] for g in gates if (g.op, g.slot) in places] for gates in blocks
        ]
        most = max(map(len, found))
        filled = [own + [len(places)] * (most - len(own)) for own in found]
        return np.array(filled, dtype=np.int64).reshape(len(blocks), most)

    def runs(self, runs: Iterable[Sequence[Applied]]) -> Index:
        """Entries of the matrices of runs, `(n_runs, depth, 4)`, filled up with identities."""
        starts = [[self.start(gate) for gate in run] for run in runs]
        depth = max([1, *map(len, starts)])
        rest = self.offsets[_IDENTITY]
        filled = [row + [rest] * (depth - len(row)) for row in starts]
        return np.array(filled, dtype=np.int64)[..., None] + np.arange(4)


def _is_of_waves(gate: Gate) -> bool:
    """Whether a gate is a rotation whose entries are cosines and sines, or 0."""
    generator = np.asarray(gate.generator)
    return gate.is_rotation and bool(np.isin(generator, [0, 1, -1, 1j, -1j]).all())


def _waves(rotations: Sequence[tuple[Gate, int]]) -> Index:
    """Places of the entries' parts, for gates and their numbers of wire sets; see `Table`."""
    total = sum(m for _, m in rotations)
    found = [np.zeros((0, 2), dtype=np.int64)]
    first = 0
    for gate, m in rotations:
        generator = np.asarray(gate.generator).reshape(-1)
        sines = np.stack([generator.imag, -generator.real], -1)  # of -i G
        start = np.select([sines > 0, sines < 0], [total, 2 * total], 3 * total)
        start[np.eye(2**gate.n_wires, dtype=bool).reshape(-1), 0] = 0
        slots = np.arange(first, first + m)[:, None, None]
        found.append(np.where(start == 3 * total, start, start + slots).reshape(-1, 2))
        first += m
    return np.concatenate(found)


def prefix_of(ops: Sequence[Structure], n_qubits: int, gates: Sequence[Applied]) -> Prefix:
    """Collect one-wire gates of one batch key into a recipe of a product state."""
    builder = _TableBuilder(ops, gates)
    runs: dict[int, list[Applied]] = {wire: [] for wire in range(n_qubits)}
    for gate in gates:
        runs[gate.wires[0]].append(gate)
    key = next((gate.key for gate in gates if not gate.is_constant), ())
    starts = builder.runs(runs.values())
    direct = None
    if n_qubits <= _DIRECT_WIRES and starts.shape[1] == 1:
        bits = np.stack([_bit(wire, n_qubits) for wire in range(n_qubits)])
        direct = starts[:, 0, :1] + 2 * bits
    return Prefix(key, builder.table, builder.angles([gates]), starts, direct)


@dataclass(frozen=True)
class Factor:
    """A part of a block's matrix: local runs by wire, constant gates, or gates to multiply."""

    kind: str
    gates: list[Applied] = field(default_factory=list)


def factors(gates: Iterable[Applied], wires: WireSet, *, joins: bool = True) -> list[Factor]:
    """Sort a block's gates into factors, first to act first.

    Layers alternate: even ones are local. A gate joins the earliest layer of its kind that comes
    after all gates before it on its wires; a constant one-wire gate may join a mixed layer.
    """
    level = dict.fromkeys(wires, 0)
    layers: dict[int, list[Applied]] = defaultdict(list)
    for gate in gates:
        latest = max(level[wire] for wire in gate.wires)
        is_local = len(gate.wires) == 1 and not (joins and gate.is_constant and latest % 2)
        place = latest + (latest % 2 == is_local)
        layers[place].append(gate)
        level.update(dict.fromkeys(gate.wires, place))
    found: list[Factor] = []
    for place, members in sorted(layers.items()):
        found += _mixed(members) if place % 2 else [Factor("local", members)]
    return found


_DIRECT_ENTRIES = 2**16
"""Entries of the largest gather that replaces many calls."""

_DIRECT_WIRES = 5
"""Wires of the largest product state that is made by a gather."""

_MAX_SLOTS = 4
"""Gates of one mixed factor; each costs a gather of the whole matrix."""


def _mixed(gates: Iterable[Applied]) -> list[Factor]:
    """Split a mixed layer into runs of constant gates, and of gates whose entries just multiply."""
    found: list[Factor] = []
    for gate in gates:
        kind = "constant" if gate.is_constant else "mixed"
        if found and found[-1].kind == kind and _joins(gate, found[-1].gates):
            found[-1].gates.append(gate)
        else:
            found.append(Factor(kind, [gate]))
    return found


def _joins(gate: Applied, gates: Sequence[Applied]) -> bool:
    if gate.is_constant:
        return True
    others = {wire for other in gates for wire in other.wires}
    diagonal = all("diagonal" in other.gate.tags for other in (gate, *gates))
    return len(gates) < _MAX_SLOTS and (diagonal or others.isdisjoint(gate.wires))


@dataclass(frozen=True)
class _Chosen:
    """A factor of a block: rows of a matrix of its kind, in an order and with factors."""

    kind: str
    place: int
    rows: Index
    row_factors: Matrix

    @classmethod
    def of(cls, kind: str, place: int, width: int) -> Self:
        return cls(kind, place, np.arange(2**width), np.ones(2**width, dtype=np.complex128))

    def followed_by(self, monomial: Matrix) -> "_Chosen":
        """The product of a matrix with one entry per row and this factor."""
        source = (monomial != 0).argmax(1)
        row_factors = monomial[np.arange(len(source)), source] * self.row_factors[source]
        return replace(self, rows=self.rows[source], row_factors=row_factors)


def _content(matrix: Matrix) -> bytes:
    """What equal matrices share, also where one has negative zeros."""
    return (matrix + 0.0).tobytes()


def _is_monomial(matrix: Matrix) -> bool:
    return bool(((matrix != 0).sum(1) == 1).all())


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


class StackBuilder:
    """Collects the factors of blocks of one width and batch key; equal ones are built once."""

    def __init__(
        self, ops: Sequence[Structure], key: BatchKey, width: int, parts: Sequence[Members]
    ) -> None:
        self.key = key
        self.width = width
        self.parts = parts
        self.tables = _TableBuilder(ops, (gate for _, gates in parts for gate in gates))
        self.runs: list[Sequence[Applied]] = [()]
        self.locals: list[list[int]] = []
        self.mixed: list[tuple[Sequence[Applied], WireSet]] = []
        self.constants = [np.eye(2**width, dtype=np.complex128)]
        self.places = {_content(self.constants[0]): 0}

    def stack(self) -> Stack:
        chosen = [self._chosen(gates, wires) for wires, gates in self.parts]
        n_constants, size = len(self.constants), 2**self.width
        offsets = {"constant": 0, "local": n_constants, "mixed": n_constants + len(self.locals)}
        depth = max(map(len, chosen))
        rows = np.tile(np.arange(size), (len(chosen), depth, 1))
        row_factors = np.ones(rows.shape, dtype=np.complex128)
        for i, members in enumerate(chosen):
            for d, one in enumerate(members):
                rows[i, d] = size * (offsets[one.kind] + one.place) + one.rows
                row_factors[i, d] = one.row_factors
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

    def _direct(self) -> Direct | None:
        """The shorter way, if all constants have one entry per row and the gather is small."""
        size, n_slots = 2**self.width, max(self.width, _MAX_SLOTS)
        deepest = _DIRECT_ENTRIES // (n_slots * len(self.parts) * size**2)
        busiest = max(sum(not gate.is_constant for gate in gates) for _, gates in self.parts)
        if busiest > deepest * n_slots:
            return None
        blocks = [self._moments(gates, wires) for wires, gates in self.parts]
        if any(moments is None for moments in blocks):
            return None
        depth = 1 << max(len(moments or ()) - 1 for moments in blocks).bit_length()
        if depth > deepest:
            return None
        one = self.tables.offsets[_IDENTITY]
        entries = np.full((n_slots, 1, len(blocks), depth, size, size), one, dtype=np.int64)
        entries[0] = np.where(np.eye(size, dtype=bool), one, one + 1)
        row_factors = np.ones((len(blocks), depth, size, 1), dtype=np.complex128)
        for i, moments in enumerate(blocks):
            for d, (slots, order) in enumerate(moments or ()):
                entries[: len(slots), 0, i, d] = [slot[order.rows] for slot in slots]
                entries[len(slots) :, 0, i, d] = one
                row_factors[i, d, :, 0] = order.row_factors
        halves = halving_order(depth)
        return Direct(entries[:, :, :, halves], _unless_ones(row_factors[:, halves]))

    def _moments(
        self, gates: Iterable[Applied], wires: WireSet
    ) -> list[tuple[list[Index], "_Chosen"]] | None:
        """Factors of at most one gate on a wire, by slots, with the rows' order of each."""
        plain = _Chosen.of("", 0, self.width)
        found: list[tuple[list[Index], _Chosen]] = []
        for factor in factors(gates, wires, joins=False):
            if factor.kind == "constant":
                matrix = self._multiplied(factor.gates, wires)
                if not _is_monomial(matrix):
                    return None
                slots, order = found.pop() if found else (self._local_slots({}, wires), plain)
                found.append((slots, order.followed_by(matrix)))
            elif factor.kind == "mixed":
                found.append((self._mixed_slots(factor.gates, wires), plain))
            else:
                found += [
                    (self._local_slots(moment, wires), plain) for moment in _moments(factor.gates)
                ]
        return found

    def _local_slots(self, moment: dict[int, Applied], wires: WireSet) -> list[Index]:
        identity = self.tables.offsets[_IDENTITY]
        starts = [self.tables.start(moment[w]) if w in moment else identity for w in wires]
        return [start + _pattern((i,), self.width) for i, start in enumerate(starts)]

    def _mixed_slots(self, gates: Sequence[Applied], wires: WireSet) -> list[Index]:
        zero = self.tables.offsets[_IDENTITY] + 1
        is_same = _is_same_elsewhere(gates, wires)
        patterns = (_pattern(_positions(gate, wires), self.width) for gate in gates)
        pairs = zip(gates, patterns, strict=True)
        return [np.where(is_same, self.tables.start(g) + pattern, zero) for g, pattern in pairs]

    def _chosen(self, gates: Iterable[Applied], wires: WireSet) -> list["_Chosen"]:
        """A block's factors; a constant with one entry per row joins the one before it."""
        found: list[_Chosen] = []
        for factor in factors(gates, wires):
            if factor.kind != "constant":
                found.append(_Chosen.of(factor.kind, self._add(factor, wires), self.width))
                continue
            matrix = self._multiplied(factor.gates, wires)
            if not _is_monomial(matrix):
                found.append(_Chosen.of("constant", self._constant(matrix), self.width))
                continue
            last = found.pop() if found else _Chosen.of("constant", 0, self.width)
            found.append(last.followed_by(matrix))
        return found

    def _add(self, factor: Factor, wires: WireSet) -> int:
        if factor.kind == "local":
            return self._local(factor.gates, wires)
        self.mixed.append((factor.gates, wires))
        return len(self.mixed) - 1

    def _multiplied(self, gates: Iterable[Applied], wires: WireSet) -> Matrix:
        matrix = self.constants[0]
        for gate in gates:
            matrix = _embedded(gate.gate, _positions(gate, wires), self.width) @ matrix
        return matrix

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
        one = self.tables.offsets[_IDENTITY]
        found = np.full((len(self.mixed), n_slots, size, size), one, dtype=np.int64)
        for place, (gates, wires) in enumerate(self.mixed):
            found[place, : len(gates)] = self._mixed_slots(gates, wires)
        return found


def _positions(gate: Applied, wires: WireSet) -> WireSet:
    return tuple(wires.index(wire) for wire in gate.wires)


def _constant_matrix(gate: Gate) -> Matrix:
    assert not callable(gate.matrix), "a gate without parameters has a constant matrix"
    return np.asarray(gate.matrix, dtype=np.complex128)


@lru_cache(maxsize=4096)
def _embedded(gate: Gate, positions: WireSet, width: int) -> Matrix:
    """A constant gate's matrix on `width` wires."""
    matrix = _constant_matrix(gate).reshape(-1)[_pattern(positions, width)]
    return np.where(_agrees(positions, width), matrix, 0)


@lru_cache(maxsize=4096)
def _pattern(positions: WireSet, width: int) -> Index:
    """Entry of a gate's flat matrix that stands at each entry of the block's matrix."""
    local = np.zeros(2**width, dtype=np.int64)
    for position in positions:
        local = 2 * local + _bit(position, width)
    return local[:, None] * (1 << len(positions)) + local[None, :]


@lru_cache(maxsize=4096)
def _agrees(positions: WireSet, width: int) -> NDArray[np.bool_]:
    """Whether row and column of an entry have the same bits on all other wires."""
    others = np.zeros(2**width, dtype=np.int64)
    for position in set(range(width)) - set(positions):
        others = 2 * others + _bit(position, width)
    is_same: NDArray[np.bool_] = others[:, None] == others[None, :]
    return is_same


def _bit(position: int, width: int) -> Index:
    return np.arange(2**width) >> (width - 1 - position) & 1


def _is_same_elsewhere(gates: Sequence[Applied], wires: WireSet) -> NDArray[np.bool_]:
    covered = tuple(sorted({p for gate in gates for p in _positions(gate, wires)}))
    return _agrees(covered, len(wires))
