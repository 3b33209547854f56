"""From circuit structure to a plan: integers only, cached, shared by every run of the structure.

A plan cuts a circuit into blocks, `2**k` square matrices on `k` wires, and says how their matrices
are built. Within a block, gates are sorted into layers that alternate between *local* ones, which
are Kronecker products of 2 by 2 matrices, and *mixed* ones. Neighbouring constant gates become one
constant matrix here and now: a CX, an X or a SWAP costs no arithmetic later. What is left are
`Stack`s: tables of indices by which `fusion.py` builds all blocks of one kind at once.

Gates are fused only with gates whose parameters are batched over the same `vmap` levels, so that
weights shared by a batch stay one small matrix.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quilt_func.ops import Gate, Matrix, Structure
from quilt_func.typing import WireSet

Index: TypeAlias = NDArray[np.int64]

BatchKey: TypeAlias = tuple[int, ...]
"""The `vmap` levels that a parameter is batched over, descending."""

WHOLE = 5
"""Circuits of at most this many wires are one block: nothing is cheaper than one product."""

WIDTH = 4
"""Wires of a block: applying it costs `2**WIDTH` per amplitude, building it `8**WIDTH` a factor."""

SEGMENT = 2**16
"""Matrix entries of a segment's factors: what is built and held at one time."""


@dataclass(frozen=True, eq=False)
class Table:
    """Matrix entries of the gates of one batch key, in a flat vector.

    First those of turns, then, row by row, those of other gates, each row's ops in order; then
    constants.

    Attributes:
        turns: Ops of gates `cos(θ/2) - i sin(θ/2) G` whose `G` has the entries 0, ±1, ±i.
        turn_parts: `(n_entries, 2)`, real and imaginary part of each of their entries, as places in
            all cosines, then all sines, all negative sines, and 0.
        rows: Other gates, and the ops of each.
        constants: Entries of constant gates.
    """

    turns: tuple[int, ...]
    turn_parts: Index
    rows: tuple[tuple[Gate, tuple[int, ...]], ...]
    constants: NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Stack:
    """Recipe of all blocks of one batch key and width; indices count rows of what precedes.

    Attributes:
        key: Batch key of the parameters.
        width: Wires `k` of a block; `K = 2**k`.
        table: Where matrix entries come from.
        runs: `(n_runs, depth, 4)`, table entries of 2 by 2 matrices: gates on one wire.
        locals: `(width, n_locals)`, the run on each wire of a local factor.
        mixed: `(n_mixed, n_slots, K, K)`, table entries whose product over slots is a factor.
        constants: `(n_constants, K, K)`; the first is the identity.
        rows: `(n_blocks, depth, K)`, rows of constants, then locals, then mixed factors. In another
            order than theirs they stand for a permutation, such as CX, that follows the factor.
        phases: `(n_blocks, depth, K)`, what rows are multiplied by, or None for 1 throughout.
    """

    key: BatchKey
    width: int
    table: Table
    runs: Index
    locals: Index
    mixed: Index
    constants: NDArray[np.complex128]
    rows: Index
    phases: NDArray[np.complex128] | None


@dataclass(frozen=True)
class Block:
    """One step of a run: matrix `position` of stack `stack`, of so many gates, acts on `wires`."""

    stack: int
    position: int
    wires: WireSet
    n_gates: int


@dataclass(frozen=True, eq=False)
class Segment:
    """Stacks that are built together, and the steps that use them."""

    stacks: tuple[Stack, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True, eq=False)
class Prefix:
    """One-wire gates on |0...0⟩, which make a product state: a run for each wire."""

    key: BatchKey
    table: Table
    runs: Index


@dataclass(frozen=True, eq=False)
class Plan:
    """What to build and what to run. Equal only to itself.

    Attributes:
        n_qubits: Number of qubits.
        prefix: The product state to start from, or None.
        segments: Blocks in order.
    """

    n_qubits: int
    prefix: Prefix | None
    segments: tuple[Segment, ...]


@dataclass(frozen=True, eq=False)
class Applied:
    """One gate on one wire set: set number `slot` of op number `op`."""

    op: int
    slot: int
    gate: Gate
    wires: WireSet
    key: BatchKey

    @property
    def is_constant(self) -> bool:
        """Whether the gate has no parameters."""
        return not self.gate.n_params


@lru_cache(maxsize=512)
def plan(
    n_qubits: int, ops: tuple[Structure, ...], keys: tuple[BatchKey, ...], from_zero: bool
) -> Plan:
    """Plan a run.

    Args:
        n_qubits: Number of qubits, at least 1.
        ops: Structures of unitary ops in order.
        keys: Batch key of each op.
        from_zero: Whether the state is |0...0⟩, so that leading one-wire gates make a product.

    Returns:
        The plan.
    """
    gates = [
        Applied(i, slot, op.gate, wires, keys[i])
        for i, op in enumerate(ops)
        for slot, wires in enumerate(op.wires)
    ]
    first = _product_prefix(gates) if from_zero else []
    taken = set(map(id, first))
    parts = partition(n_qubits, [gate for gate in gates if id(gate) not in taken])
    segments = [_segment(ops, group) for group in _segments(parts)]
    prefix = _prefix(ops, n_qubits, first) if first else None
    return Plan(n_qubits, prefix, tuple(segments))


Part: TypeAlias = tuple[WireSet, list[Applied]]
"""Wires of a block, and its gates in order."""


def _product_prefix(gates: Sequence[Applied]) -> list[Applied]:
    """The gates of one batch key that begin the circuit and act on single wires."""
    chosen: list[Applied] = []
    closed: set[int] = set()
    key = next((gate.key for gate in gates if gate.key), ())
    for gate in gates:
        fits = gate.key == key or gate.is_constant
        if len(gate.wires) == 1 and gate.wires[0] not in closed and fits:
            chosen.append(gate)
        else:
            closed.update(gate.wires)
    return chosen


def _segments(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Cut a run where the factors of its blocks would grow beyond `SEGMENT` entries."""
    group: list[Part] = []
    size = 0
    for wires, gates in parts:
        cost = (1 + len(gates) // 4) * 4 ** len(wires)
        if group and size + cost > SEGMENT:
            yield group
            group, size = [], 0
        group.append((wires, gates))
        size += cost
    if group:
        yield group


def partition(n_qubits: int, gates: Sequence[Applied]) -> list[Part]:
    """Cut a sequence of gates into blocks, always taking the window that absorbs the most."""
    if n_qubits <= WHOLE and len({gate.key for gate in gates if not gate.is_constant}) < 2:
        return [(tuple(range(n_qubits)), list(gates))] if gates else []
    search = _Search(n_qubits, gates)
    parts = []
    while (gate := search.first_pending()) is not None:
        parts.append(search.take(gate))
    return parts


class _Search:
    """Pending gates as one queue per wire; windows are tried by walking their queues."""

    def __init__(self, n_qubits: int, gates: Sequence[Applied]) -> None:
        self.n_qubits = n_qubits
        self.gates = gates
        self.keys = sorted({gate.key for gate in gates if not gate.is_constant}) or [()]
        self.queues: list[list[int]] = [[] for _ in range(n_qubits)]
        for position, gate in enumerate(gates):
            for wire in gate.wires:
                self.queues[wire].append(position)
        self.heads = [0] * n_qubits
        self.done = [False] * len(gates)
        self.scan = 0
        self.found: dict[tuple[WireSet, BatchKey], list[int]] = {}

    def first_pending(self) -> Applied | None:
        while self.scan < len(self.gates) and self.done[self.scan]:
            self.scan += 1
        return self.gates[self.scan] if self.scan < len(self.gates) else None

    def take(self, gate: Applied) -> Part:
        """Remove the best block from the queues and return its wires and gates."""
        best: tuple[float, WireSet, list[int]] = (0.0, (), [])
        for key in self.keys:
            for wires in self._windows(gate, key):
                absorbed = self._absorbed(wires, key)
                score = len(absorbed) / math.sqrt(cost(self.n_qubits, wires))
                if score > best[0]:
                    best = score, wires, absorbed
        _, wires, absorbed = best
        self._remove(wires, absorbed)
        return wires, [self.gates[position] for position in absorbed]

    def _windows(self, gate: Applied, key: BatchKey) -> Iterator[WireSet]:
        n = self.n_qubits
        width = block_width(n, bool(key) and key == max(self.keys, key=len))
        width = min(n, max(width, len(gate.wires)))
        for start in range(n - width + 1):
            yield tuple(range(start, start + width))
        yield self._grown(gate, width)

    def _grown(self, gate: Applied, width: int) -> WireSet:
        """Wires of the first pending gate, and of those after it while they fit."""
        wires = set(gate.wires)
        for later in self.gates[self.scan : self.scan + 8 * width]:
            grown = wires | set(later.wires)
            if not wires.isdisjoint(later.wires) and len(grown) <= width:
                wires = grown
        return tuple(sorted(wires))

    def _absorbed(self, wires: WireSet, key: BatchKey) -> list[int]:
        if (wires, key) in self.found:
            return self.found[wires, key]
        heads = {wire: self.heads[wire] for wire in wires}
        absorbed: list[int] = []
        moved = True
        while moved:
            moved = False
            for wire in wires:
                while (position := self._ready(wire, heads, key)) is not None:
                    absorbed.append(position)
                    for touched in self.gates[position].wires:
                        heads[touched] += 1
                    moved = True
        self.found[wires, key] = absorbed
        return absorbed

    def _ready(self, wire: int, heads: dict[int, int], key: BatchKey) -> int | None:
        """The next gate on a wire, if it is first on all its wires and fits the window."""
        queue = self.queues[wire]
        if heads[wire] >= len(queue):
            return None
        position = queue[heads[wire]]
        gate = self.gates[position]
        if gate.key != key and not gate.is_constant:
            return None
        for other in gate.wires:
            if other not in heads or self.queues[other][heads[other]] != position:
                return None
        return position

    def _remove(self, wires: WireSet, absorbed: list[int]) -> None:
        for position in absorbed:
            self.done[position] = True
            for wire in self.gates[position].wires:
                self.heads[wire] += 1
        changed = set(wires)
        self.found = {k: v for k, v in self.found.items() if changed.isdisjoint(k[0])}


def block_width(n_qubits: int, is_batched: bool) -> int:
    """Wires of a block; matrices of which there are as many as states must stay small.

    Building `d` factors of `8**k` for each state costs as much as `2**n * 2**k` amplitudes'
    products where `4**k = 2**n / d`, with `d` about 4.
    """
    return min(WIDTH, max(2, n_qubits // 2 - 1)) if is_batched else WIDTH


def cost(n_qubits: int, wires: WireSet) -> float:
    """Relative cost of applying a block: passes over the state, arithmetic, and copies.

    A pass costs about as much as the arithmetic of 8 products per amplitude, and matrices smaller
    than 16 run no faster. Wires that are apart are brought together and back by two more passes.
    A window that ends 1 to 3 wires before the last makes many tiny products.
    """
    is_window = wires[-1] - wires[0] == len(wires) - 1
    is_short = 1 <= n_qubits - 1 - wires[-1] <= 3
    extra = 1.0 if is_short else 0.0
    return 1.0 + 2 ** max(4, len(wires)) / 8 + (extra if is_window else 2.0)


_IDENTITY = Gate("identity", 1, 0, np.eye(2, dtype=np.complex128))
"""The run of a wire without gates."""


class _TableBuilder:
    """A table, and where in it gates stand."""

    def __init__(self, ops: Sequence[Structure], gates: Iterable[Applied]) -> None:
        members: dict[Gate, dict[int, None]] = defaultdict(dict)
        constants: dict[Gate, None] = {_IDENTITY: None}
        for gate in gates:
            if gate.is_constant and len(gate.wires) == 1:
                constants[gate.gate] = None
            elif not gate.is_constant:
                members[gate.gate][gate.op] = None
        self.offsets: dict[int | Gate, int] = {}
        turns = {row: members.pop(row) for row in [*members] if _is_turn(row)}
        size = 0
        for row, its_ops in (turns | members).items():
            for op in its_ops:
                self.offsets[op] = size
                size += len(ops[op].wires) * 4**row.n_wires
        for row in constants:
            self.offsets[row] = size
            size += 4
        self.table = Table(
            tuple(op for its_ops in turns.values() for op in its_ops),
            _turn_parts([(row, len(ops[op].wires)) for row, its in turns.items() for op in its]),
            tuple((row, tuple(its_ops)) for row, its_ops in members.items()),
            np.concatenate([_constant_matrix(row).reshape(-1) for row in constants]),
        )

    def start(self, gate: Applied) -> int:
        """Where a gate's matrix starts."""
        if gate.is_constant:
            return self.offsets[gate.gate]
        return self.offsets[gate.op] + gate.slot * 4 ** len(gate.wires)

    def runs(self, runs: Iterable[Sequence[Applied]]) -> Index:
        """Entries of the matrices of runs, `(n_runs, depth, 4)`, filled up with identities."""
        starts = [[self.start(gate) for gate in run] for run in runs]
        depth = max([1, *map(len, starts)])
        rest = self.offsets[_IDENTITY]
        filled = [row + [rest] * (depth - len(row)) for row in starts]
        return np.array(filled, dtype=np.int64)[..., None] + np.arange(4)


def _is_turn(gate: Gate) -> bool:
    generator = getattr(gate.matrix, "turn_generator", None)
    return generator is not None and bool(np.isin(generator, [0, 1, -1, 1j, -1j]).all())


def _turn_parts(turns: Sequence[tuple[Gate, int]]) -> Index:
    """Places of the entries' parts for gates and their numbers of wire sets."""
    total = sum(m for _, m in turns)
    found = [np.zeros((0, 2), dtype=np.int64)]
    first = 0
    for gate, m in turns:
        generator = np.asarray(getattr(gate.matrix, "turn_generator")).reshape(-1)  # noqa: B009
        sines = -1j * generator
        cosine = np.eye(2**gate.n_wires, dtype=bool).reshape(-1) & (sines.real == 0)
        slots = np.arange(first, first + m)[:, None, None]
        parts = np.stack([sines.real, sines.imag], -1)
        places = np.where(
            parts > 0, total + slots, np.where(parts < 0, 2 * total + slots, 3 * total)
        )
        places[:, cosine, 0] = slots[:, 0]
        found.append(places.reshape(-1, 2))
        first += m
    return np.concatenate(found)


def _prefix(ops: Sequence[Structure], n_qubits: int, gates: Sequence[Applied]) -> Prefix:
    builder = _TableBuilder(ops, gates)
    runs: dict[int, list[Applied]] = {wire: [] for wire in range(n_qubits)}
    for gate in gates:
        runs[gate.wires[0]].append(gate)
    key = next((gate.key for gate in gates if not gate.is_constant), ())
    return Prefix(key, builder.table, builder.runs(runs.values()))


def _segment(ops: Sequence[Structure], parts: Sequence[Part]) -> Segment:
    kinds: dict[tuple[BatchKey, int, bool], list[Part]] = {}
    steps = []
    for wires, gates in parts:
        key = next((gate.key for gate in gates if not gate.is_constant), ())
        kind = key, len(wires), all(gate.is_constant for gate in gates)
        members = kinds.setdefault(kind, [])
        steps.append(Block(list(kinds).index(kind), len(members), wires, len(gates)))
        members.append((wires, gates))
    stacks = [
        _StackBuilder(ops, key, width, members).stack()
        for (key, width, _), members in kinds.items()
    ]
    return Segment(tuple(stacks), tuple(steps))


@dataclass(frozen=True)
class Factor:
    """A part of a block's matrix: local runs by wire, constant gates, or gates to multiply."""

    kind: str
    gates: list[Applied] = field(default_factory=list)


def factors(gates: Iterable[Applied], wires: WireSet) -> list[Factor]:
    """Sort a block's gates into factors, first to act first.

    Layers alternate: even ones are local. A gate joins the earliest layer of its kind that comes
    after all gates before it on its wires; a constant one-wire gate may join a mixed layer.
    """
    level = dict.fromkeys(wires, 0)
    layers: dict[int, list[Applied]] = defaultdict(list)
    for gate in gates:
        latest = max(level[wire] for wire in gate.wires)
        is_local = len(gate.wires) == 1 and not (gate.is_constant and latest % 2)
        place = latest + (latest % 2 == is_local)
        layers[place].append(gate)
        level.update(dict.fromkeys(gate.wires, place))
    found: list[Factor] = []
    for place, members in sorted(layers.items()):
        found += _mixed(members) if place % 2 else [Factor("local", members)]
    return found


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
    """A factor of a block: rows of a matrix of its kind, in an order and with phases."""

    kind: str
    place: int
    rows: Index
    phases: Matrix

    @classmethod
    def of(cls, kind: str, place: int, width: int) -> Self:
        return cls(kind, place, np.arange(2**width), np.ones(2**width, dtype=np.complex128))

    def followed_by(self, monomial: Matrix) -> "_Chosen":
        """The product of a matrix with one entry per row and this factor."""
        source = (monomial != 0).argmax(1)
        phases = monomial[np.arange(len(source)), source] * self.phases[source]
        return replace(self, rows=self.rows[source], phases=phases)


def _is_monomial(matrix: Matrix) -> bool:
    return bool(((matrix != 0).sum(1) == 1).all())


class _StackBuilder:
    """Collects the factors of blocks of one kind; equal ones are built once."""

    def __init__(
        self, ops: Sequence[Structure], key: BatchKey, width: int, parts: Sequence[Part]
    ) -> None:
        self.key = key
        self.width = width
        self.parts = parts
        self.tables = _TableBuilder(ops, (gate for _, gates in parts for gate in gates))
        self.runs: list[Sequence[Applied]] = [()]
        self.locals: list[list[int]] = []
        self.mixed: list[tuple[Sequence[Applied], WireSet]] = []
        self.constants = [np.eye(2**width, dtype=np.complex128)]

    def stack(self) -> Stack:
        chosen = [self._chosen(gates, wires) for wires, gates in self.parts]
        offsets = self._offsets()
        size = 2**self.width
        depth = max(map(len, chosen))
        rows = np.tile(np.arange(size), (len(chosen), depth, 1))
        phases = np.ones(rows.shape, dtype=np.complex128)
        for i, members in enumerate(chosen):
            for d, one in enumerate(members):
                rows[i, d] = size * (offsets[one.kind] + one.place) + one.rows
                phases[i, d] = one.phases
        return Stack(
            self.key,
            self.width,
            self.tables.table,
            self.tables.runs(self.runs),
            np.array(self.locals, dtype=np.int64).reshape(-1, self.width).T.copy(),
            self._mixed_indices(),
            np.stack(self.constants),
            rows,
            None if np.all(phases == 1) else phases,
        )

    def _offsets(self) -> dict[str, int]:
        n_constants = len(self.constants)
        return {"constant": 0, "local": n_constants, "mixed": n_constants + len(self.locals)}

    def _chosen(self, gates: Iterable[Applied], wires: WireSet) -> list["_Chosen"]:
        """A block's factors; constants that only move and turn rows are taken in by the last."""
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
        for place, known in enumerate(self.constants):
            if np.array_equal(known, matrix):
                return place
        self.constants.append(matrix)
        return len(self.constants) - 1

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
            is_same = _is_same_elsewhere(gates, wires)
            for slot, gate in enumerate(gates):
                entries = self.tables.start(gate) + _pattern(_positions(gate, wires), self.width)
                found[place, slot] = np.where(is_same, entries, one + 1)
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
    return local[:, None] * 2 ** len(positions) + local[None, :]


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
