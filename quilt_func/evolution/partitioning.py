"""Cut a sequence of gates into steps: a greedy search for what does the most work at least cost.

Three kinds of step compete: a *block*, any gates within a window of a few wires; a *move*, a run of
gates that only reorder amplitudes; *phases*, a run of diagonal gates on any wires.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

from quilt_func.evolution.steps.block_recipe import Applied, BatchKey
from quilt_func.evolution.steps.diagonal_phases import spectrum
from quilt_func.evolution.steps.permutation import affine
from quilt_func.typing import WireSet

WHOLE = 5
"""Circuits of at most this many wires are one block: nothing is cheaper than one product."""

WIDTH = 4
"""Wires of a block: applying it costs `2**WIDTH` per amplitude, building it `8**WIDTH` a factor."""

MOVED = 14
"""Wires of a move, whose index has `2**MOVED` entries."""

MOVED_WHOLE = 16
"""Circuits of at most this many wires move as a whole."""

FACTORS = 2**16
"""Entries of all factors of one block, at most: what is built at one time stays bounded."""

Kind: TypeAlias = Literal["block", "move", "phases"]


class Part(NamedTuple):
    """Gates of one step in order, and the wires of the step."""

    kind: Kind
    wires: WireSet
    gates: list[Applied]


def partition(n_qubits: int, gates: Sequence[Applied]) -> list[Part]:
    """Cut a sequence of gates into steps."""
    if n_qubits <= WHOLE and len({gate.key for gate in gates if not gate.is_constant}) < 2:
        wires, most = tuple(range(n_qubits)), most_gates(n_qubits)
        return [
            Part("block", wires, list(gates[start : start + most]))
            for start in range(0, len(gates), most)
        ]
    search = _Search(n_qubits, gates)
    parts = []
    while not search.is_done():
        parts.append(search.take())
    return parts


def most_gates(width: int) -> int:
    """Gates of a block: about four of them make a factor of `4**width` entries."""
    return max(4, 4 * FACTORS >> 2 * width)


def cost(n_qubits: int, kind: Kind, wires: WireSet, n_gates: int = 0) -> float:
    """Relative cost of a step: passes over the state, arithmetic, copies, and calls.

    The unit is a pass, which costs about as much as the arithmetic of 8 products per amplitude.
    Wires of a block that are apart are brought together and back by two slow passes, and a window
    that ends 1 to 3 wires before the last makes many tiny products. Phases cost a cosine and a sine
    per amplitude. However small a state is, a step is a call.
    """
    size = 2.0 ** max(n_qubits, 12)
    call = 2.0**12 / size
    if kind == "move":
        return 1.0 + call
    if kind == "phases":
        return 4.0 + n_gates / 40 + 6 * call
    is_window = wires[-1] - wires[0] == len(wires) - 1
    is_short = is_window and 1 <= n_qubits - 1 - wires[-1] <= 3
    build = 8.0 ** len(wires) / size
    arithmetic = 2.0 ** len(wires) / 8
    return 1.0 + arithmetic + call + build + (2.0 if is_short else 0.0 if is_window else 4.0)


class _Candidate(NamedTuple):
    gain: float
    cost: float
    kind: Kind
    wires: WireSet
    taken: tuple[int, ...]


def _rate(candidate: _Candidate) -> float:
    return candidate.gain / candidate.cost


_NOTHING = _Candidate(0.0, 1.0, "block", (), ())


class _Search:
    """Pending gates as one queue per wire; candidates are tried by walking their queues."""

    def __init__(self, n_qubits: int, gates: Sequence[Applied]) -> None:
        self.n_qubits = n_qubits
        self.gates = gates
        self.wires = [gate.wires for gate in gates]
        self.own_keys = [None if gate.is_constant else gate.key for gate in gates]
        self.keys = sorted({gate.key for gate in gates if not gate.is_constant}) or [()]
        self.queues: list[list[int]] = [[] for _ in range(n_qubits)]
        for position, gate in enumerate(gates):
            for wire in gate.wires:
                self.queues[wire].append(position)
        self.gains = [0.25 if affine(gate.gate) else 1.0 for gate in gates]
        self.heads = [0] * n_qubits
        self.done = [False] * len(gates)
        self.scan = 0
        self.found: dict[tuple[object, ...], _Candidate] = {}

    def is_done(self) -> bool:
        while self.scan < len(self.gates) and self.done[self.scan]:
            self.scan += 1
        return self.scan == len(self.gates)

    def take(self) -> Part:
        """Remove the best step from the queues; a move may pay by what it makes room for."""
        best = self._best(self.heads)
        moved = self._move()
        if moved.gain:
            after = self._best(self._after(moved.taken))
            rate = (moved.gain + after.gain) / (moved.cost + after.cost)
            best = moved if rate > _rate(best) else best
        for position in best.taken:
            self.done[position] = True
        self.heads = self._after(best.taken)
        return Part(best.kind, best.wires, [self.gates[position] for position in best.taken])

    def _after(self, taken: Iterable[int]) -> list[int]:
        heads = list(self.heads)
        for position in taken:
            for wire in self.gates[position].wires:
                heads[wire] += 1
        return heads

    def _best(self, heads: Sequence[int]) -> _Candidate:
        return max(self._candidates(heads), key=_rate, default=_NOTHING)

    def _candidates(self, heads: Sequence[int]) -> Iterator[_Candidate]:
        everything = tuple(range(self.n_qubits))
        for key in self.keys:
            for wires in self._windows(key, heads):
                yield self._candidate("block", wires, key, heads)
            phases = self._candidate("phases", everything, key, heads)
            if any(not self.gates[position].is_constant for position in phases.taken):
                yield phases

    def _move(self) -> _Candidate:
        width = self.n_qubits if self.n_qubits <= MOVED_WHOLE else MOVED
        windows = (tuple(range(s, s + width)) for s in range(self.n_qubits - width + 1))
        found = (self._candidate("move", wires, (), self.heads) for wires in windows)
        return max(found, key=lambda one: one.gain)

    def _candidate(
        self, kind: Kind, wires: WireSet, key: BatchKey, heads: Sequence[int]
    ) -> _Candidate:
        here = kind, wires, key, tuple(map(heads.__getitem__, wires))
        found = self.found.get(here)
        if found is None:
            most = most_gates(len(wires)) if kind == "block" else len(self.gates)
            taken = self._absorbed(wires, heads, kind, key, most)
            price = cost(self.n_qubits, kind, wires, len(taken))
            gain = sum(map(self.gains.__getitem__, taken))
            found = self.found[here] = _Candidate(gain, price, kind, wires, taken)
        return found

    def _windows(self, key: BatchKey, heads: Sequence[int]) -> Iterator[WireSet]:
        n = self.n_qubits
        width = min(n, block_width(n, bool(key) and key == max(self.keys, key=len)))
        yield from _neighbours(n, width)
        pending = (q[h] for q, h in zip(self.queues, heads, strict=True) if h < len(q))
        first = min(pending, default=None)
        if first is not None:
            gate = self.gates[first]
            yield self._grown(gate, min(n, max(width, len(gate.wires))))

    def _grown(self, gate: Applied, width: int) -> WireSet:
        """Wires of a pending gate, and of those after it while they fit."""
        wires = set(gate.wires)
        for later in self.gates[self.scan : self.scan + 8 * width]:
            grown = wires | set(later.wires)
            if not wires.isdisjoint(later.wires) and len(grown) <= width:
                wires = grown
        return tuple(sorted(wires))

    def _absorbed(
        self, wires: WireSet, heads: Sequence[int], kind: Kind, key: BatchKey, most: int
    ) -> tuple[int, ...]:
        """Pending gates that act within some wires, fit a kind of step and share a batch key."""
        local = {wire: heads[wire] for wire in wires}
        absorbed: list[int] = []
        waiting = list(wires)
        while waiting and len(absorbed) < most:
            wire = waiting.pop()
            queue = self.queues[wire]
            while local[wire] < len(queue) and len(absorbed) < most:
                position = queue[local[wire]]
                acted = self.wires[position]
                if len(acted) > 1 and not self._is_ready(position, acted, local):
                    break
                if self.own_keys[position] not in (None, key) or not self._fits(kind, position):
                    break
                absorbed.append(position)
                for touched in acted:
                    local[touched] += 1
                waiting += [touched for touched in acted if touched != wire]
        return tuple(absorbed)

    def _is_ready(self, position: int, acted: WireSet, heads: dict[int, int]) -> bool:
        """Whether a gate is first on all its wires, and these are at hand."""
        for wire in acted:
            if wire not in heads or self.queues[wire][heads[wire]] != position:
                return False
        return True

    def _fits(self, kind: Kind, position: int) -> bool:
        gate = self.gates[position].gate
        if kind == "block":
            return True
        return (affine(gate) if kind == "move" else spectrum(gate)) is not None


@lru_cache(maxsize=64)
def _neighbours(n_qubits: int, width: int) -> tuple[WireSet, ...]:
    """Windows of `width` neighbouring wires, and of one less."""
    sizes = {width, max(1, width - 1)}
    starts = ((start, size) for size in sizes for start in range(n_qubits - size + 1))
    return tuple(tuple(range(start, start + size)) for start, size in starts)


@lru_cache(maxsize=64)
def block_width(n_qubits: int, is_batched: bool) -> int:
    """Wires of a block; matrices of which there are as many as states must stay small.

    Building `d` factors of `8**k` for each state costs as much as `2**n * 2**k` amplitudes'
    products where `4**k = 2**n / d`, with `d` about 4.
    """
    return min(WIDTH, max(2, n_qubits // 2 - 1)) if is_batched else WIDTH
