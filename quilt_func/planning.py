"""From circuit structure to a plan: integers only, cached, shared by every run of the structure.

A plan says which gates are multiplied together into a block (a `2**k` square matrix on `k` wires),
in which order blocks act, and where in a flat table of matrix entries each entry of each embedded
gate is found. Gates are fused only with gates whose parameters are batched over the same `vmap`
levels, so that weights shared by a batch stay one small matrix.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from quilt_func.ops import Gate, Structure
from quilt_func.typing import WireSet

BatchKey = tuple[int, ...]
"""The `vmap` levels, renumbered from 0, that an op's leaves are batched over."""

WHOLE = 5
"""Circuits of at most this many wires are one block: nothing is cheaper than one product."""

WIDTH = 4
"""Wires of a block: its product costs 2**WIDTH per amplitude, and it takes in 10-40 gates."""

NARROW = 2
"""Wires of a block with as many matrices as there are states: building costs 8**k for each."""

SHORT_RUN = 2
"""A window that ends 1 to SHORT_RUN wires before the last makes many tiny products: avoided."""


@dataclass(frozen=True, eq=False)
class Table:
    """Matrix entries of all gates of one batch key, in a flat vector.

    First, row by row, the entries of parametrised gates, each row's ops in order; then constants.
    """

    key: BatchKey
    rows: tuple[tuple[Gate, tuple[int, ...]], ...]
    constants: NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Stack:
    """Blocks of one table and width: `index` is `(n_blocks, depth, K, K)` into the table."""

    table: int
    width: int
    index: NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """One step of a run: matrix `position` of stack `stack` acts on `wires`, ascending."""

    stack: int
    position: int
    wires: WireSet


@dataclass(frozen=True, eq=False)
class Plan:
    """What to build and what to run. Equal only to itself.

    Attributes:
        n_qubits: Number of qubits.
        tables: Where matrix entries come from.
        stacks: How tables become block matrices.
        prefix: Stacks of 2 by 2 matrices, one for each wire, that make a product state of
            |0...0⟩ before the blocks; empty if there is none.
        blocks: The run.
    """

    n_qubits: int
    tables: tuple[Table, ...]
    stacks: tuple[Stack, ...]
    prefix: tuple[Stack, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class _Application:
    """One gate on one wire set: `slot` counts the op's wire sets."""

    op: int
    slot: int
    gate: Gate
    wires: WireSet
    key: BatchKey
    is_constant: bool


@lru_cache(maxsize=256)
def plan(
    n_qubits: int, ops: tuple[Structure, ...], keys: tuple[BatchKey, ...], from_zero: bool
) -> Plan:
    """Plan a run.

    Args:
        n_qubits: Number of qubits.
        ops: Structures of the ops in order.
        keys: Batch key of each op.
        from_zero: Whether the state is |0...0⟩, which lets batched encodings be product states.

    Returns:
        The plan.
    """
    gates = [
        _Application(i, slot, op.gate, wires, keys[i], not op.gate.n_params)
        for i, op in enumerate(ops)
        for slot, wires in enumerate(op.wires)
    ]
    first = _product_prefix(gates) if from_zero else []
    taken = {id(gate) for gate in first}
    rest = [gate for gate in gates if id(gate) not in taken]
    builder = _Builder(gates, ops)
    prefix = builder.prefix(n_qubits, first)
    blocks = builder.blocks(_partition(n_qubits, rest))
    return Plan(n_qubits, builder.tables, tuple(builder.finished()), prefix, blocks)


def _product_prefix(gates: Sequence[_Application]) -> list[_Application]:
    """The gates of one batch key that begin the circuit and act on single wires."""
    chosen: list[_Application] = []
    closed: set[int] = set()
    key = next((gate.key for gate in gates if gate.key), None)
    for gate in gates:
        if len(gate.wires) == 1 and gate.wires[0] not in closed and gate.key == key:
            chosen.append(gate)
        else:
            closed.update(gate.wires)
    return chosen


def _partition(
    n_qubits: int, gates: Sequence[_Application]
) -> list[tuple[WireSet, list[_Application]]]:
    """Cut a sequence of gates into blocks, always taking the window that absorbs the most."""
    full = set().union(*(gate.key for gate in gates))
    search = _Search(n_qubits, gates)
    parts = []
    while (gate := search.first_pending()) is not None:
        is_narrow = bool(gate.key) and set(gate.key) == full and n_qubits > NARROW
        width = NARROW if is_narrow else WIDTH
        parts.append(search.take(width if n_qubits > WHOLE or is_narrow else n_qubits))
    return parts


class _Search:
    """Pending gates as one queue per wire; windows are tried by walking their queues."""

    def __init__(self, n_qubits: int, gates: Sequence[_Application]) -> None:
        self.n_qubits = n_qubits
        self.gates = gates
        self.queues: list[list[int]] = [[] for _ in range(n_qubits)]
        for position, gate in enumerate(gates):
            for wire in gate.wires:
                self.queues[wire].append(position)
        self.heads = [0] * n_qubits
        self.done = [False] * len(gates)
        self.scan = 0
        self.found: dict[tuple[WireSet, BatchKey], list[int]] = {}

    def first_pending(self) -> _Application | None:
        while self.scan < len(self.gates) and self.done[self.scan]:
            self.scan += 1
        return self.gates[self.scan] if self.scan < len(self.gates) else None

    def take(self, width: int) -> tuple[WireSet, list[_Application]]:
        """Remove the best block from the queues and return its wires and gates."""
        gate = self.gates[self.scan]
        key = next(
            (g.key for g in self._reachable(gate) if not g.is_constant), gate.key
        )
        best: tuple[float, WireSet, list[int]] | None = None
        for wires in self._windows(gate, width):
            absorbed = self._absorbed(wires, key)
            score = len(absorbed) / _cost(self.n_qubits, wires)
            if absorbed and (best is None or score > best[0]):
                best = score, wires, absorbed
        assert best is not None
        _, wires, absorbed = best
        self._remove(wires, absorbed)
        return wires, [self.gates[position] for position in absorbed]

    def _reachable(self, gate: _Application) -> Iterable[_Application]:
        """The gate and what follows it on its wires: a constant takes the key of its company."""
        yield gate
        for wire in gate.wires:
            for position in self.queues[wire][self.heads[wire] :][:2]:
                yield self.gates[position]

    def _windows(self, gate: _Application, width: int) -> Iterable[WireSet]:
        n = self.n_qubits
        width = min(n, max(width, len(gate.wires)))
        for start in range(n - width + 1):
            if not 1 <= n - start - width <= SHORT_RUN:
                yield tuple(range(start, start + width))
        yield self._grown(gate, width)

    def _grown(self, gate: _Application, width: int) -> WireSet:
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
        if not gate.is_constant and gate.key != key:
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


def _cost(n_qubits: int, wires: WireSet) -> float:
    """Relative cost of applying a block: arithmetic, and copies if its wires are apart."""
    is_window = wires[-1] - wires[0] == len(wires) - 1
    is_short = 1 <= n_qubits - 1 - wires[-1] <= SHORT_RUN
    return 2.0 + 2 ** len(wires) / 8 + (0.0 if is_window and not is_short else 4.0)


class _Builder:
    """Collects tables and stacks while blocks are laid out."""

    def __init__(self, gates: Sequence[_Application], ops: Sequence[Structure]) -> None:
        self.ops = ops
        self.offsets: dict[int, int] = {}
        self.constant_offsets: dict[tuple[int, Gate], int] = {}
        self.keys: list[BatchKey] = []
        tables = []
        for key in sorted({gate.key for gate in gates if not gate.is_constant} | {()}):
            tables.append(self._table(key, gates))
            self.keys.append(key)
        self.tables = tuple(tables)
        self.open: dict[tuple[int, int], list[list[NDArray[np.int64]]]] = {}

    def _table(self, key: BatchKey, gates: Sequence[_Application]) -> Table:
        members: dict[Gate, list[int]] = {}
        for gate in gates:
            if not gate.is_constant and gate.key == key:
                ops = members.setdefault(gate.gate, [])
                if not ops or ops[-1] != gate.op:
                    ops.append(gate.op)
        size = 0
        for row, ops in members.items():
            for op in ops:
                self.offsets[op] = size
                size += len(self.ops[op].wires) * 4**row.n_wires
        constants = [np.array([0, 1], dtype=np.complex128)]
        zero, size = size, size + 2
        self.constant_offsets[len(self.keys), _ZERO] = zero
        for row in {gate.gate: None for gate in gates if gate.is_constant}:
            assert not callable(row.matrix)
            self.constant_offsets[len(self.keys), row] = size
            constants.append(row.matrix.reshape(-1))
            size += row.matrix.size
        rows = tuple((row, tuple(ops)) for row, ops in members.items())
        return Table(key, rows, np.concatenate(constants))

    def blocks(self, parts: Sequence[tuple[WireSet, list[_Application]]]) -> tuple[Block, ...]:
        run = []
        for wires, gates in parts:
            key = next((gate.key for gate in gates if not gate.is_constant), ())
            slot = self.keys.index(key), len(wires)
            members = self.open.setdefault(slot, [])
            stack = list(self.open).index(slot)
            run.append(Block(stack, len(members), wires))
            members.append([self._embedded(slot[0], gate, wires) for gate in gates])
        return tuple(run)

    def prefix(self, n_qubits: int, gates: Sequence[_Application]) -> tuple[Stack, ...]:
        if not gates:
            return ()
        table = self.keys.index(gates[0].key)
        columns: list[list[NDArray[np.int64]]] = [[] for _ in range(n_qubits)]
        for gate in gates:
            wire = gate.wires[0]
            columns[wire].append(self._embedded(table, gate, (wire,)))
        return (self._stack(table, 1, columns),)

    def finished(self) -> Iterable[Stack]:
        for (table, width), members in self.open.items():
            yield self._stack(table, width, members)

    def _stack(self, table: int, width: int, members: list[list[NDArray[np.int64]]]) -> Stack:
        zero = self.constant_offsets[table, _ZERO]
        identity = np.where(np.eye(2**width, dtype=bool), zero + 1, zero)
        depth = max(map(len, members))
        padded = [member + [identity] * (depth - len(member)) for member in members]
        return Stack(table, width, np.array(padded, dtype=np.int64))

    def _embedded(self, table: int, gate: _Application, wires: WireSet) -> NDArray[np.int64]:
        """Where each entry of a gate, embedded in a block, stands in the table."""
        pattern = _pattern(tuple(wires.index(wire) for wire in gate.wires), len(wires))
        zero = self.constant_offsets[table, _ZERO]
        if gate.is_constant:
            start = self.constant_offsets[table, gate.gate]
        else:
            start = self.offsets[gate.op] + gate.slot * 4 ** len(gate.wires)
        return np.where(pattern < 0, zero, start + pattern)


_ZERO = Gate("zero", 0, 0, np.zeros((1, 1), dtype=np.complex128))
"""Stands for the constants 0 and 1 at the head of a table's constant part."""


@lru_cache(maxsize=4096)
def _pattern(wires: WireSet, width: int) -> NDArray[np.int64]:
    """Entry of a gate's flat matrix at each entry of its embedding, or -1 for zero."""
    size, k = 2**width, len(wires)
    states = np.arange(size)
    local = np.zeros(size, dtype=np.int64)
    for wire in wires:
        local = 2 * local + (states >> (width - 1 - wire) & 1)
    mask = sum(1 << (width - 1 - wire) for wire in wires)
    others = states & ~mask
    is_same = others[:, None] == others[None, :]
    entries: NDArray[np.int64] = np.where(is_same, local[:, None] * 2**k + local[None, :], -1)
    return entries
