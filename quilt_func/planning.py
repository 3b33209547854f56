"""From circuit structure to a plan: integers only, cached, shared by every run of the structure.

A plan cuts a circuit into blocks, `2**k` square matrices on `k` wires; `_recipes.py` says how their
matrices are built. Gates are fused only with gates whose parameters are batched over the same
`vmap` levels, so that weights shared by a batch stay one small matrix.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from quilt_func._recipes import (
    Applied,
    BatchKey,
    Part,
    Prefix,
    Stack,
    StackBuilder,
    prefix_of,
)
from quilt_func.ops import Structure
from quilt_func.typing import WireSet

WHOLE = 5
"""Circuits of at most this many wires are one block: nothing is cheaper than one product."""

WIDTH = 4
"""Wires of a block: applying it costs `2**WIDTH` per amplitude, building it `8**WIDTH` a factor."""

SEGMENT = 2**16
"""Matrix entries of a segment's factors: what is built and held at one time."""


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
    prefix = prefix_of(ops, n_qubits, first) if first else None
    return Plan(n_qubits, prefix, tuple(segments))


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
    return 1.0 + 2.0 ** max(4, len(wires)) / 8 + (extra if is_window else 2.0)


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
        StackBuilder(ops, key, width, members).stack() for (key, width, _), members in kinds.items()
    ]
    return Segment(tuple(stacks), tuple(steps))
