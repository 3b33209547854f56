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

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from quilt_func._checks import message
from quilt_func.sharded.dependencies import Demand as Demand
from quilt_func.sharded.dependencies import Dependencies, blocks_of
from quilt_func.sharded.searching import Search, State
from quilt_func.typing import WireSet


class PlannedExchange(NamedTuple):
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

    exchange: PlannedExchange | None
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
    def exchanges(self) -> tuple[PlannedExchange, ...]:
        """All exchanges, in order."""
        return tuple(stage.exchange for stage in self.stages if stage.exchange)


def planned_exchange(
    order: WireSet, n_bits: int, places: Sequence[int], wires: Sequence[int]
) -> PlannedExchange:
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
    return PlannedExchange(tuple(places), tuple(wires), (*sharded, *coming, *staying))


@lru_cache(maxsize=64)
def schedule(
    n_qubits: int, n_bits: int, demands: tuple[Demand, ...], start: WireSet | None
) -> Schedule:
    """Plan a sharded run.

    Time is about linear in the number of gates, and in the number of exchanges times the blocks
    that are looked at before each, at most `searching.SEEN`.

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
    search = Search(n_qubits, n_bits, found)
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


def _laid_out(
    n_qubits: int,
    n_bits: int,
    found: Dependencies,
    path: Sequence[State],
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


def _exchange(order: WireSet, n_bits: int, sharded: int) -> PlannedExchange:
    places = [place for place, wire in enumerate(order[:n_bits]) if not sharded >> wire & 1]
    return planned_exchange(order, n_bits, places, [w for w in order[n_bits:] if sharded >> w & 1])
