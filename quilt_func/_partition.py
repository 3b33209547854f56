"""Cut a sequence of gates into steps: a greedy search for what does the most work at least cost.

Three kinds of step compete: a *block*, any gates within a window of a few wires; a *move*, a run of
gates that only reorder amplitudes; *phases*, a run of diagonal gates on any wires.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

from quilt_func._moves import affine
from quilt_func._phases import spectrum
from quilt_func._recipes import Applied, BatchKey
from quilt_func.ops import Gate
from quilt_func.typing import WireSet

WHOLE = 5
"""Circuits of at most this many wires are one block: nothing is cheaper than one product."""

WIDTH = 4
"""Wires of a block: applying it costs `2**WIDTH` per amplitude, building it `8**WIDTH` a factor."""

MOVED = 14
"""Wires of a move, whose index has `2**MOVED` entries."""

MOVED_WHOLE = 16
"""Circuits of at most this many wires move as a whole."""

Kind: TypeAlias = Literal["block", "move", "phases"]


class Part(NamedTuple):
    """Gates of one step in order, and the wires of the step."""

    kind: Kind
    wires: WireSet
    gates: list[Applied]


def partition(n_qubits: int, gates: Sequence[Applied]) -> list[Part]:
    """Cut a sequence of gates into steps."""
    if n_qubits <= WHOLE and len({gate.key for gate in gates if not gate.is_constant}) < 2:
        return [Part("block", tuple(range(n_qubits)), list(gates))] if gates else []
    search = _Search(n_qubits, gates)
    parts = []
    while not search.is_done():
        parts.append(search.take())
    return parts


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

    @property
    def rate(self) -> float:
        return self.gain / self.cost


_NOTHING = _Candidate(0.0, 1.0, "block", (), ())


class _Search:
    """Pending gates as one queue per wire; candidates are tried by walking their queues."""

    def __init__(self, n_qubits: int, gates: Sequence[Applied]) -> None:
        self.n_qubits = n_qubits
        self.gates = gates
        self.keys = sorted({gate.key for gate in gates if not gate.is_constant}) or [()]
        self.queues: list[list[int]] = [[] for _ in range(n_qubits)]
        for position, gate in enumerate(gates):
            for wire in gate.wires:
                self.queues[wire].append(position)
        self.gains = [0.25 if affine(gate.gate) else 1.0 for gate in gates]
        self.heads = [0] * n_qubits
        self.done = [False] * len(gates)
        self.scan = 0
        self.found: dict[tuple[object, ...], tuple[int, ...]] = {}

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
            best = moved if rate > best.rate else best
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
        return max(self._candidates(heads), key=lambda one: one.rate, default=_NOTHING)

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
        here = kind, wires, key, tuple(heads[wire] for wire in wires)
        if here not in self.found:
            self.found[here] = self._absorbed(wires, heads, _FITS[kind], key)
        taken = self.found[here]
        price = cost(self.n_qubits, kind, wires, len(taken))
        return _Candidate(sum(map(self.gains.__getitem__, taken)), price, kind, wires, taken)

    def _windows(self, key: BatchKey, heads: Sequence[int]) -> Iterator[WireSet]:
        n = self.n_qubits
        width = min(n, block_width(n, bool(key) and key == max(self.keys, key=len)))
        pending = (q[h] for q, h in zip(self.queues, heads, strict=True) if h < len(q))
        first = min(pending, default=None)
        for size in {width, max(1, width - 1)}:
            for start in range(n - size + 1):
                yield tuple(range(start, start + size))
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
        self,
        wires: WireSet,
        heads: Sequence[int],
        fits: Callable[[Gate], bool],
        key: BatchKey,
    ) -> tuple[int, ...]:
        local = {wire: heads[wire] for wire in wires}
        absorbed: list[int] = []
        waiting = list(wires)
        while waiting:
            wire = waiting.pop()
            while (position := self._ready(wire, local)) is not None:
                gate = self.gates[position]
                if not (gate.is_constant or gate.key == key) or not fits(gate.gate):
                    break
                absorbed.append(position)
                for touched in gate.wires:
                    local[touched] += 1
                waiting += [touched for touched in gate.wires if touched != wire]
        return tuple(absorbed)

    def _ready(self, wire: int, heads: dict[int, int]) -> int | None:
        """The next gate on a wire, if it is first on all its wires and these are at hand."""
        queue = self.queues[wire]
        if heads[wire] >= len(queue):
            return None
        position = queue[heads[wire]]
        for other in self.gates[position].wires:
            if other not in heads or self.queues[other][heads[other]] != position:
                return None
        return position


def _has_spectrum(gate: Gate) -> bool:
    return spectrum(gate) is not None


def _is_affine(gate: Gate) -> bool:
    return affine(gate) is not None


def _is_any(gate: Gate) -> bool:
    del gate
    return True


_FITS: dict[Kind, Callable[[Gate], bool]] = {
    "block": _is_any,
    "move": _is_affine,
    "phases": _has_spectrum,
}


@lru_cache(maxsize=64)
def block_width(n_qubits: int, is_batched: bool) -> int:
    """Wires of a block; matrices of which there are as many as states must stay small.

    Building `d` factors of `8**k` for each state costs as much as `2**n * 2**k` amplitudes'
    products where `4**k = 2**n / d`, with `d` about 4.
    """
    return min(WIDTH, max(2, n_qubits // 2 - 1)) if is_batched else WIDTH
