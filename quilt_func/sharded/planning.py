"""The plan of a sharded run: which wires are local when, and which gates are done meanwhile.

A *stage* is the gates between two exchanges. All that the present layout allows are done before an
exchange, as a gate that is done cannot hold anything back: what is left to choose is the sharded
wires of each stage. They are those whose next moving use is farthest, weighed by what else it
holds back; a few of the best partial plans are followed side by side, and the cheapest whole one
is taken, by bytes sent, then by the number of exchanges.

References:
    Belady (1966), IBM Syst. J. 5, 78, for the farthest next use; Häner and Steiger (2017),
    arXiv:1704.01127, for exchanges of several wires at once in a permuted layout.
"""

from array import array
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from quilt_func._checks import message
from quilt_func.sharded.choosing import Needs, choices
from quilt_func.sharded.dependencies import Demand as Demand
from quilt_func.sharded.dependencies import Dependencies, blocks_of
from quilt_func.typing import WireSet

WIDTH = 8
"""Partial plans that are followed side by side, by each of two measures."""

SEEN = 2**11
"""Blocks that are looked at before an exchange, at most."""


class Exchange(NamedTuple):
    """Wires of the rank's number that trade places with local ones.

    Attributes:
        places: Places in the rank's number, whose wires come in: to the front, in this order.
        wires: Local wires that take these places.
        order: All wires after it.
    """

    places: tuple[int, ...]
    wires: WireSet
    order: WireSet


class Stage(NamedTuple):
    """An exchange, and gates that need no other.

    Attributes:
        exchange: What comes before the gates; None possible in the first stage only.
        gates: Numbers of demands, in an order of application.
    """

    exchange: Exchange | None
    gates: tuple[int, ...]


class Schedule(NamedTuple):
    """Stages one after the other.

    Attributes:
        start: Order of the wires before the first.
        stages: Stages.
    """

    start: WireSet
    stages: tuple[Stage, ...]

    @property
    def order(self) -> WireSet:
        """Order of the wires after the last stage."""
        orders = [self.start, *(s.exchange.order for s in self.stages if s.exchange)]
        return orders[-1]

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All exchanges, in order."""
        return tuple(stage.exchange for stage in self.stages if stage.exchange)


def exchanged(order: WireSet, n_bits: int, places: Sequence[int], wires: Sequence[int]) -> Exchange:
    """The exchange of wires at some places of the rank's number for as many local ones.

    Args:
        order: All wires before it.
        n_bits: How many of them are the rank's number.
        places: Places in the rank's number.
        wires: Local wires, one for each.
    """
    sharded = list(order[:n_bits])
    coming = [sharded[place] for place in places]
    for place, wire in zip(places, wires, strict=True):
        sharded[place] = wire
    staying = [wire for wire in order[n_bits:] if wire not in wires]
    return Exchange(tuple(places), tuple(wires), (*sharded, *coming, *staying))


@lru_cache(maxsize=64)
def schedule(
    n_qubits: int, n_bits: int, demands: tuple[Demand, ...], start: WireSet | None
) -> Schedule:
    """Plan a sharded run.

    Time is about linear in the number of gates, and in the number of exchanges times the blocks
    that are looked at before each, at most `SEEN`.

    Args:
        n_qubits: Number of wires.
        n_bits: Bits of a rank's number: how many wires are sharded.
        demands: What each gate needs, in order.
        start: Order of the wires at the start, the sharded ones first; None where any will do, as
            for the state |0...0⟩.

    Returns:
        The stages of the run. The wires stay in the order that the last one leaves.

    Raises:
        ValueError: If a gate moves more wires than are local.
    """
    _check_room(n_qubits, n_bits, demands)
    found = blocks_of(n_qubits, demands)
    search = _Search(n_qubits, n_bits, found)
    path = search.run(None if start is None else sum(1 << wire for wire in start[:n_bits]))
    return _laid_out(n_qubits, n_bits, found, path, start)


def _check_room(n_qubits: int, n_bits: int, demands: Iterable[Demand]) -> None:
    n_local = n_qubits - n_bits
    moving = max((demand.moving for demand in demands), key=len, default=())
    if n_local < max(len(moving), 1):
        need = f"have gates that move at most {max(n_local, 0)} wire(s) each, as many as a rank has"
        got = f"one that moves {moving} on {2**n_bits} ranks"
        fewer = 2 ** max(n_qubits - max(len(moving), 1), 0)
        remedy = f"Take {fewer} rank(s) or fewer, or write it as smaller gates."
        raise ValueError(message("run_sharded", "circuit", moving, need, got, remedy))


class _State(NamedTuple):
    """A partial plan.

    Attributes:
        sharded: Sharded wires, as a set of bits.
        waits: How many blocks each block waits for.
        ready: Blocks that wait for nothing, and have not been done.
        done: Worth of the blocks that have.
        cost: Bytes sent, in parts of which a shard has as many as there are ranks.
        n_exchanges: Number of exchanges.
        taken: Blocks of the last stage.
        before: The plan without the last stage.
    """

    sharded: int
    waits: "array[int]"
    ready: tuple[int, ...]
    done: int
    cost: int
    n_exchanges: int
    taken: tuple[int, ...]
    before: "_State | None"


class _Search:
    """Partial plans of equal numbers of exchanges, the most promising of which go on."""

    def __init__(self, n_qubits: int, n_bits: int, found: Dependencies) -> None:
        self.n_qubits = n_qubits
        self.n_bits = n_bits
        self.n_local = n_qubits - n_bits
        self.blocks = found.blocks
        self.worth = [int(block.moving > 0) for block in found.blocks]
        self.total = sum(self.worth)

    def run(self, sharded: int | None) -> list[_State]:
        """The states of the cheapest plan found, one for each stage."""
        waits = array("i", [block.n_before for block in self.blocks])
        ready = tuple(number for number, wait in enumerate(waits) if not wait)
        root = _State(0, waits, ready, 0, 0, 0, (), None)
        if sharded is None:
            front = self._promising(self._opened(root))
        else:
            front = [self._after(root, sharded, is_start=True)]
        best: _State | None = None
        while front:
            whole = [state for state in front if not state.ready]
            best = min([*whole, *([best] if best else [])], key=_price, default=None)
            going = [state for state in front if state.ready]
            if best is not None:
                going = [s for s in going if s.cost + 2 ** (self.n_bits - 1) < best.cost]
            front = self._promising(child for state in going for child in self._next(state))
        path = []
        while best is not None and best.before is not None:
            path.append(best)
            best = best.before
        return path[::-1]

    def _promising(self, children: Iterable[_State]) -> list[_State]:
        """The best of some plans, by the cost that they promise."""
        distinct: dict[tuple[int, tuple[int, ...]], _State] = {}
        for child in children:
            key = (child.sharded, child.ready)
            if key not in distinct or _price(child) < _price(distinct[key]):
                distinct[key] = child
        found = list(distinct.values())
        if not found:
            return []
        rate = max(state.done / max(state.cost, 1) for state in found) or 1.0
        by_worth = sorted(found, key=lambda s: (-s.done, s.cost))
        by_rate = sorted(found, key=lambda s: s.cost + (self.total - s.done) / rate)
        chosen = {id(state): state for state in (*by_worth[:WIDTH], *by_rate[:WIDTH])}
        return list(chosen.values())

    def _seen(self, state: _State) -> tuple[list[int], list[int]]:
        """Blocks that an exchange may make possible, and the wires that each needs for that."""
        queue = list(state.ready)
        needs: dict[int, int] = {}
        waits: dict[int, int] = {}
        asked = dict.fromkeys(queue, 0)
        for number in queue:
            block = self.blocks[number]
            need = needs[number] = asked[number] | block.moving
            if need.bit_count() > self.n_local or len(queue) > SEEN:
                continue
            for after in block.after:
                left = waits.get(after, state.waits[after]) - 1
                waits[after] = left
                asked[after] = asked.get(after, 0) | need
                if not left:
                    queue.append(after)
        return list(needs), list(needs.values())

    def _needs(self, numbers: Sequence[int], masks: Sequence[int]) -> Needs:
        worth: dict[int, float] = {}
        for number, mask in zip(numbers, masks, strict=True):
            if mask.bit_count() <= self.n_local:
                worth[mask] = worth.get(mask, 0) + self.worth[number]
        return Needs(self.n_qubits, worth)

    def _opened(self, root: _State) -> Iterable[_State]:
        numbers, masks = self._seen(root)
        identity = tuple(range(self.n_bits))
        last = tuple(range(self.n_local, self.n_qubits))
        options: list[Sequence[int]] = [identity, last]
        if masks:
            needs = self._needs(numbers, masks)
            options += [*choices(needs, self.n_bits, None)]
            options += [needs.better(option, option, self.n_bits) for option in (identity, last)]
        for chosen in dict.fromkeys(tuple(sorted(option)) for option in options):
            sharded = sum(1 << wire for wire in chosen)
            yield self._after(root, sharded, is_start=True)

    def _next(self, state: _State) -> Iterable[_State]:
        """Plans with one more exchange."""
        numbers, masks = self._seen(state)
        needs = self._needs(numbers, masks)
        old = [wire for wire in range(self.n_qubits) if state.sharded >> wire & 1]
        options = choices(needs, self.n_bits, old)
        for chosen in dict.fromkeys(tuple(sorted(option)) for option in options):
            sharded = sum(1 << wire for wire in chosen)
            child = self._after(state, sharded)
            if child.taken:
                yield child

    def _after(self, state: _State, sharded: int, *, is_start: bool = False) -> _State:
        """A plan with one more stage: all that can be done with some wires sharded."""
        waits, ready, taken = state.waits[:], list(state.ready), list[int]()
        left = []
        for number in ready:
            block = self.blocks[number]
            if block.moving & sharded:
                left.append(number)
                continue
            taken.append(number)
            for after in block.after:
                waits[after] -= 1
                if not waits[after]:
                    ready.append(after)
        k = (sharded & ~state.sharded).bit_count()
        cost = 0 if is_start else 2**self.n_bits - 2 ** (self.n_bits - k)
        return _State(
            sharded, waits, tuple(sorted(left)),
            state.done + sum(self.worth[number] for number in taken),
            state.cost + cost, state.n_exchanges + (not is_start), tuple(taken), state,
        )  # fmt: skip


def _price(state: _State) -> tuple[int, int]:
    return state.cost, state.n_exchanges


def _laid_out(
    n_qubits: int,
    n_bits: int,
    found: Dependencies,
    path: Sequence[_State],
    start: WireSet | None,
) -> Schedule:
    """Stages of a plan, with the order of all wires."""
    if start is None:
        mask = path[0].sharded
        start = tuple(sorted(range(n_qubits), key=lambda wire: not mask >> wire & 1))
    order, stages = start, []
    for number, state in enumerate(path):
        exchange = None
        if number:
            exchange = _exchange(order, n_bits, state.sharded)
            order = exchange.order
        gates = [gate for block in state.taken for gate in found.blocks[block].gates]
        gates += () if number else found.free
        stages.append(Stage(exchange, tuple(sorted(gates))))
    return Schedule(start, tuple(stages))


def _exchange(order: WireSet, n_bits: int, sharded: int) -> Exchange:
    places = [place for place, wire in enumerate(order[:n_bits]) if not sharded >> wire & 1]
    return exchanged(order, n_bits, places, [w for w in order[n_bits:] if sharded >> w & 1])
