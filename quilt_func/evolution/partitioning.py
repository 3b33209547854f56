"""Cut a sequence of gates into parts, one for each step: a greedy search, most work at least cost.

Kinds of step compete: each tries windows of wires, takes what gates fit, and names its price. A
greedy search takes a part of a layer of diagonal gates as soon as that pays, and pays again for the
rest: so where there are such layers a second search keeps them whole, and the cheaper one wins.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from quilt_func._amplitudes import is_window
from quilt_func.evolution import steps
from quilt_func.evolution.ordering import with_orders
from quilt_func.evolution.steps import (
    BLOCK,
    DIAGONAL,
    EXCHANGE,
    OPERATOR,
    PERMUTATION,
    WIRE_ORDER,
    Applied,
    BatchKey,
    Kind,
    Part,
    block_width,
)
from quilt_func.typing import WireSet

WHOLE = 5
"""Circuits of at most this many wires are one block: nothing is cheaper than one product."""

WHOLE_OF_EACH = 3
"""The same where each sample has gates of its own: their product costs more than to apply them.

Of 4 layers on 5 wires, one block took 3 times as long for 100 samples, and 13 times for 2000.
"""

FEW = 2**12
"""Gates of the longest circuits that are searched in every way."""

SOME = 2**10
"""Gates of longer ones on which these are compared."""

LIGHT = 0.25
"""Work that a gate is worth which only permutes amplitudes: in a block it costs next to nothing."""


class Choice(NamedTuple):
    """How a search chooses windows of neighbouring wires, and how it shuns others.

    Where a layer of gates on single wires is cut into windows, those that are best one by one may
    leave a rest that is not. An order of wires may serve many steps or one.

    Attributes:
        windows: "all", the "widest", or "tiles" side by side.
        tile: Wires of a tile.
        apart: Passes that wires which are apart cost beside the step's own.
    """

    windows: str
    tile: int = 0
    apart: float = 1.0


CHOICES = (
    Choice("all"), Choice("all", apart=4.0), Choice("widest"), Choice("tiles", 3),
    Choice("tiles", 4),
)  # fmt: skip


def partition(n_qubits: int, gates: Sequence[Applied], levels: BatchKey = ()) -> list[Part]:
    """Cut a sequence of gates into parts, which act one after the other.

    Args:
        n_qubits: Number of qubits.
        gates: Gates in order.
        levels: All levels that gates of the circuit are batched over.

    Returns:
        The parts, by the places of wires in the orders that some of them make.
    """
    found: list[Part] = []
    for is_exchange, stretch in groupby(gates, lambda gate: EXCHANGE.fits(gate.gate)):
        if not is_exchange:
            found += _stretch(n_qubits, list(stretch), levels)
            continue
        for gate in stretch:
            order = gate.wires
            if found and found[-1].kind is WIRE_ORDER:  # one movement does for both
                order = after_order(found.pop().wires, order)
            found.append(Part(EXCHANGE, order, [gate]))
    return found


def after_order(first: WireSet, then: WireSet) -> WireSet:
    """The order of wires that two orders make, the second counting places of the first."""
    return tuple(first[place] for place in then)


def _stretch(n_qubits: int, gates: Sequence[Applied], levels: BatchKey) -> list[Part]:
    """Cut a sequence of gates without exchanges into parts."""
    keys = {gate.key for gate in gates if not gate.is_constant}
    is_of_each = bool(levels) and keys == {levels}
    if n_qubits <= (WHOLE_OF_EACH if is_of_each else WHOLE) and len(keys) < 2:
        kind = BLOCK if all(BLOCK.fits(gate.gate) for gate in gates) else OPERATOR
        wires, most = tuple(range(n_qubits)), kind.most(n_qubits)
        starts = range(0, len(gates), most)
        return [Part(kind, wires, list(gates[start : start + most])) for start in starts]
    searches = _searches(n_qubits, gates)
    if len(gates) > FEW:  # whatever is cheapest for some is taken for all
        trials = _searches(n_qubits, gates[:SOME])
        costs = {name: _priced(n_qubits, search)[0] for name, search in trials.items()}
        best = min(costs, key=costs.__getitem__)
        return with_orders(n_qubits, searches.get(best, searches[False, CHOICES[0]])().run())
    return min((_priced(n_qubits, search) for search in searches.values()), key=itemgetter(0))[1]


def _priced(n_qubits: int, search: Callable[[], "_Search"]) -> tuple[float, list[Part]]:
    """What a search finds, with the orders of wires that it needs, and what all of it costs."""
    parts = with_orders(n_qubits, search().run())
    prices = (kind.price(n_qubits, wires, len(gates)) for kind, wires, gates in parts)
    return sum(price.cost for price in prices), parts


def _searches(
    n_qubits: int, gates: Sequence[Applied]
) -> dict[tuple[bool, Choice], Callable[[], "_Search"]]:
    """Searches to choose from, by whether layers stay whole, and the windows of blocks."""
    layers = diagonal_layers(n_qubits, gates)
    return {
        (is_whole, choice): partial(_Search, n_qubits, gates, layers if is_whole else (), choice)
        for is_whole in ((False, True) if layers else (False,))
        for choice in CHOICES
    }


def diagonal_layers(n_qubits: int, gates: Sequence[Applied]) -> list[int]:
    """Layers of diagonal gates with angles, on several wires each, that may be worth a step.

    Returns:
        The layer of each gate, or 0; nothing if there are none.
    """
    levels = [0] * n_qubits
    found: list[tuple[int, BatchKey]] = []
    for gate in gates:
        is_diagonal = DIAGONAL.fits(gate.gate)
        level = max(levels[wire] for wire in gate.wires)
        level += (level + is_diagonal) % 2
        for wire in gate.wires:
            levels[wire] = level
        counts = is_diagonal and not gate.is_constant and len(gate.wires) > 1
        found.append((level if counts else 0, gate.key))
    large = [one for one, size in Counter(found).items() if one[0] and size >= n_qubits // 2]
    numbers = {layer: number for number, layer in enumerate(large, 1)}
    return [numbers.get(layer, 0) for layer in found] if numbers else []


class _Candidate(NamedTuple):
    rate: float
    gain: float
    cost: float
    kind: Kind
    wires: WireSet
    taken: tuple[int, ...]


@lru_cache(maxsize=64)
def _tiles(n_qubits: int, width: int) -> frozenset[WireSet]:
    """Windows side by side, of some width but the first and the last, whose rows are short."""
    stops = range(n_qubits - block_width(n_qubits, False), 0, -width)
    found = [tuple(range(max(0, stop - width), stop)) for stop in stops]
    return frozenset(
        (*found, tuple(range(max(0, n_qubits - block_width(n_qubits, False)), n_qubits)))
    )


_REMEMBERED = 2**12
"""Candidates that are remembered, at most: those of steps long taken are not asked for again."""

_RATE, _GAIN = itemgetter(0), itemgetter(1)


@lru_cache(maxsize=4096)
def _at(wires: WireSet) -> Callable[[Sequence[int]], Any]:
    """What reads the entries of some wires."""
    return itemgetter(*wires)


_NOTHING = _Candidate(0.0, 0.0, 1.0, BLOCK, (), ())


class _Search:
    """Pending gates as one queue per wire; candidates are tried by walking their queues.

    Behind the last gate of a queue stands the number of gates, which fits no kind.
    """

    def __init__(
        self, n_qubits: int, gates: Sequence[Applied], layers: Sequence[int], choice: Choice
    ) -> None:
        self.n_qubits = n_qubits
        self.is_widest = choice.windows == "widest"
        self.tiles = _tiles(n_qubits, choice.tile) if choice.tile else ()
        self.apart = choice.apart
        self.layers = layers
        self.left_of = Counter(layers)
        self.gates = gates
        self.wires = [gate.wires for gate in gates]
        self.own_keys = [None if gate.is_constant else gate.key for gate in gates]
        self.keys = sorted({gate.key for gate in gates if not gate.is_constant}) or [()]
        self.deepest = max(self.keys, key=len)
        self.queues: list[list[int]] = [[] for _ in range(n_qubits)]
        for position, gate in enumerate(gates):
            for wire in gate.wires:
                self.queues[wire].append(position)
        for queue in self.queues:
            queue.append(len(gates))
        rows = {gate.gate for gate in gates}
        self.kinds = [kind for kind in steps.KINDS if kind.is_needed(rows)]
        fits = {kind: {row for row in rows if kind.fits(row)} for kind in steps.KINDS}
        self.allowed = {
            kind: [*(gate.gate in own for gate in gates), False] for kind, own in fits.items()
        }
        if layers:
            in_blocks = zip(self.allowed[BLOCK], [*layers, 0], strict=True)
            self.allowed[BLOCK] = [is_allowed and not layer for is_allowed, layer in in_blocks]
        self.gains = [LIGHT if is_light else 1.0 for is_light in self.allowed[PERMUTATION]]
        self.heads = [0] * n_qubits
        self.done = [False] * len(gates)
        self.scan = 0
        self.found: dict[tuple[object, ...], _Candidate] = {}

    def run(self) -> list[Part]:
        """Parts by the circuit's wires."""
        parts = []
        while not self._is_done():
            best = self._best()
            if not best.gain:
                self._forget_layers()
                continue
            self._take(best.taken)
            gates = [self.gates[position] for position in best.taken]
            parts.append(Part(best.kind, best.wires, gates))
        return parts

    def _is_done(self) -> bool:
        while self.scan < len(self.gates) and self.done[self.scan]:
            self.scan += 1
        return self.scan == len(self.gates)

    def _best(self) -> _Candidate:
        """The step with most work per cost.

        It may be one that has it together with the step after it, such as a permutation.
        """
        best = self._best_now(self.heads)
        opening = max(self._candidates(self.heads, [()], True), key=_GAIN, default=_NOTHING)
        if len(self.found) > _REMEMBERED:
            self.found.clear()
        if not opening.gain:
            return best
        heads = self._after(opening.taken)
        after = self._best_now(heads)
        rate = (opening.gain + after.gain) / (opening.cost + after.cost)
        return opening if rate > best.rate else best

    def _best_now(self, heads: Sequence[int]) -> _Candidate:
        """The step with most work per cost; on tiles, if there is one."""
        for only in (self.tiles, ()) if self.tiles else ((),):
            candidates = self._candidates(heads, self.keys, False, only)
            best = max(candidates, key=_RATE, default=_NOTHING)
            if best.gain:
                break
        return best

    def _take(self, taken: Iterable[int]) -> None:
        """Remove gates from the queues."""
        for position in taken:
            self.done[position] = True
        if self.layers:
            self.left_of.subtract(self.layers[position] for position in taken)
        self.heads = self._after(taken)

    def _forget_layers(self) -> None:
        """Where no layer is ready as a whole and nothing else is, go on without them."""
        self.layers = ()
        self.allowed[BLOCK] = [*(BLOCK.fits(gate.gate) for gate in self.gates), False]
        self.found.clear()

    def _is_whole(self, taken: Iterable[int]) -> bool:
        """Whether the layers of some gates are theirs to the last gate."""
        counts = Counter(self.layers[position] for position in taken)
        return all(not layer or n == self.left_of[layer] for layer, n in counts.items())

    def _after(self, taken: Iterable[int]) -> list[int]:
        heads = list(self.heads)
        for position in taken:
            for wire in self.wires[position]:
                heads[wire] += 1
        return heads

    def _candidates(
        self, heads: Sequence[int], keys: Iterable[BatchKey], looks_ahead: bool,
        tiles: Collection[WireSet] = (),
    ) -> Iterator[_Candidate]:  # fmt: skip
        first = min(map(list.__getitem__, self.queues, heads))
        if first == len(self.gates):
            return
        ahead = [self.gates[first], *self.gates[self.scan : self.scan + 128]]
        kinds = [kind for kind in self.kinds if kind.looks_ahead == looks_ahead]
        for key in keys:
            is_batched = bool(key) and key == self.deepest
            for kind in kinds:
                windows = kind.windows(self.n_qubits, ahead, is_batched=is_batched)
                for wires in self._widest(windows) if self.is_widest else windows:
                    if not tiles or wires in tiles or len(wires) == self.n_qubits:
                        yield self._candidate(kind, wires, key, heads)

    def _widest(self, windows: Iterable[WireSet]) -> list[WireSet]:
        """Without neighbouring wires that others have among them."""
        found = list(windows)
        most = max(map(len, found), default=0)
        return [wires for wires in found if len(wires) >= most or not is_window(wires)]

    def _candidate(
        self, kind: Kind, wires: WireSet, key: BatchKey, heads: Sequence[int]
    ) -> _Candidate:
        here = kind, wires, key, _at(wires)(heads)
        found = self.found.get(here)
        if found is None:
            taken = self._absorbed(kind, wires, key, heads)
            cost = kind.price(self.n_qubits, wires, len(taken)).cost
            if kind.placing == "neighbours" and not is_window(wires):
                cost += self.apart
            gain = sum(map(self.gains.__getitem__, taken))
            if not kind.is_worth(map(self.gates.__getitem__, taken)):
                gain = 0.0
            if self.layers and not self._is_whole(taken):
                gain = 0.0
            found = self.found[here] = _Candidate(gain / cost, gain, cost, kind, wires, taken)
        return found

    def _absorbed(
        self, kind: Kind, wires: WireSet, key: BatchKey, heads: Sequence[int]
    ) -> tuple[int, ...]:
        """Pending gates that act within some wires, fit a kind of step and share a batch key."""
        allowed, left = self.allowed[kind], kind.most(len(wires)) or len(self.gates)
        local = {wire: heads[wire] for wire in wires}
        absorbed: list[int] = []
        waiting = list(wires)
        while waiting and left:
            wire = waiting.pop()
            queue = self.queues[wire]
            while left:
                position = queue[local[wire]]
                if not allowed[position]:
                    break
                acted, own = self.wires[position], self.own_keys[position]
                if own is not None and own != key:
                    break
                if len(acted) > 1 and not self._is_ready(position, acted, local):
                    break
                for touched in acted:
                    local[touched] += 1
                if len(acted) > 1:
                    waiting += [touched for touched in acted if touched != wire]
                absorbed.append(position)
                left -= 1
        return tuple(absorbed)

    def _is_ready(self, position: int, acted: WireSet, heads: dict[int, int]) -> bool:
        """Whether a gate is the next one on each of its wires, and all of these are in `heads`."""
        for wire in acted:
            if wire not in heads or self.queues[wire][heads[wire]] != position:
                return False
        return True
