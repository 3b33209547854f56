"""What a circuit sends from one process to another, by this library's plan and by others' methods.

Each is rendered from what it says of itself, and is given what costs its authors nothing: diagonal
gates are free for all of them, wires stay where the last gate leaves them, and fused swaps take
any wires. They start with the last wires sharded; this library chooses.

References:
    Jones, Koczor and Benjamin (2023), arXiv:2311.01512, algorithms 6 to 10, which DeepQuantum and
    QuEST follow; Imamura et al. (2022), arXiv:2203.16044, for Qulacs over MPI and its fused swaps;
    Belady (1966), IBM Syst. J. 5, 78, for the farthest next use, which FlagQuantum evicts by.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from quilt_func.sharded.planning import Demand, schedule
from quilt_func.typing import WireSet

Demands = tuple[Demand, ...]


class Traffic(NamedTuple):
    """What a rank sends.

    Attributes:
        n_exchanges: How many times.
        shards: How much, in parts of its own amplitudes: 1 is all of them once.
    """

    n_exchanges: int
    shards: float


def ours(n_qubits: int, n_bits: int, demands: Demands) -> Traffic:
    """This library's plan."""
    found = schedule(n_qubits, n_bits, demands, None).exchanges
    return Traffic(len(found), sum(1 - 2.0 ** -len(one.places) for one in found))


def for_each_gate(n_qubits: int, n_bits: int, demands: Demands) -> Traffic:
    """An exchange for each gate that moves a sharded wire, and back: the order never changes.

    A gate on one wire needs the whole shard of one other rank, or that part in which the controls
    that it has are 1; wider gates swap their wires in, half a shard for each, and out again.
    """
    first = n_qubits - n_bits
    n_exchanges, shards = 0, 0.0
    for moving, standing in demands:
        far = [wire for wire in moving if wire >= first]
        if len(moving) == 1 and far:
            n_local_controls = sum(wire < first for wire in standing)
            n_exchanges, shards = n_exchanges + 1, shards + 2.0**-n_local_controls
        else:
            n_exchanges, shards = n_exchanges + 2 * len(far), shards + len(far)
    return Traffic(n_exchanges, shards)


class Gate(NamedTuple):
    """A gate as a planner by farthest use sees it.

    Attributes:
        needed: Wires that must be local.
        wires: All its wires: gates that share one keep their order.
    """

    needed: WireSet
    wires: WireSet


def farthest_use(n_qubits: int, n_bits: int, demands: Demands) -> Traffic:
    """Gates with fewest sharded wires first; one wire comes in for the one used last, and stays.

    Each such swap sends half a shard. All wires of a gate must be local, its controls too.
    """
    gates = [Gate((*one.moving, *one.standing), (*one.moving, *one.standing)) for one in demands]
    return _farthest(n_qubits, n_bits, _reordered(n_qubits, n_bits, gates))


def farthest_moving_use(n_qubits: int, n_bits: int, demands: Demands) -> Traffic:
    """The same, were diagonal gates and controls free: only wires that a gate moves come in."""
    gates = [Gate(one.moving, (*one.moving, *one.standing)) for one in demands]
    return _farthest(n_qubits, n_bits, _reordered(n_qubits, n_bits, gates))


def _farthest(n_qubits: int, n_bits: int, gates: Sequence[Gate]) -> Traffic:
    """Swaps for gates in order, by the farthest next use."""
    uses: list[list[int]] = [[] for _ in range(n_qubits)]
    for number, gate in enumerate(gates):
        for wire in gate.needed:
            uses[wire].append(number)
    local, n_swaps = set(range(n_qubits - n_bits)), 0
    for number, gate in enumerate(gates):

        def next_use(wire: int, after: int = number) -> int:
            place = bisect_left(uses[wire], after + 1)
            return uses[wire][place] if place < len(uses[wire]) else len(gates) + wire

        n_swaps += _swapped_in(gate.needed, local, next_use)
    return Traffic(n_swaps, n_swaps / 2)


def _swapped_in(needed: WireSet, local: set[int], next_use: Callable[[int], int]) -> int:
    """Make wires local, one by one; return how many were not."""
    n_swaps = 0
    while missing := [wire for wire in needed if wire not in local]:
        coming = min(missing, key=next_use)
        local.remove(max(sorted(local.difference(needed)), key=next_use))
        local.add(coming)
        n_swaps += 1
    return n_swaps


def _reordered(n_qubits: int, n_bits: int, gates: Sequence[Gate]) -> list[Gate]:
    """Gates in an order in which those come first that are ready and need fewest sharded wires."""
    queues: list[list[int]] = [[] for _ in range(n_qubits)]
    for number, gate in enumerate(gates):
        for wire in gate.wires:
            queues[wire].append(number)
    heads, local = [0] * n_qubits, set(range(n_qubits - n_bits))

    def pending(wire: int) -> int:
        queue, head = queues[wire], heads[wire]
        return queue[head] if head < len(queue) else len(gates) + wire

    order: list[Gate] = []
    while len(order) < len(gates):
        fronts = {queues[w][heads[w]] for w in range(n_qubits) if heads[w] < len(queues[w])}
        ready = [one for one in fronts if all(pending(wire) == one for wire in gates[one].wires)]
        chosen = min(ready, key=lambda one: (sum(w not in local for w in gates[one].needed), one))
        _swapped_in(gates[chosen].needed, local, pending)
        order.append(gates[chosen])
        for wire in gates[chosen].wires:
            heads[wire] += 1
    return order


def fused_swaps(n_qubits: int, n_bits: int, demands: Demands) -> Traffic:
    """At a gate that moves a sharded wire, all wires come in that the next gates move, at once.

    These are as many gates in the circuit's order as fit together; the wires that go out are those
    of the last local places that these gates do not move.
    """
    return _fused(n_qubits, n_bits, [moving for moving, _ in demands])


def _fused(n_qubits: int, n_bits: int, gates: Sequence[Sequence[int]]) -> Traffic:
    n_local = n_qubits - n_bits
    order = list(range(n_qubits))
    found = Traffic(0, 0.0)
    for number, wires in enumerate(gates):
        if all(order.index(wire) < n_local for wire in wires):
            continue
        needed = _next_needed(gates[number:], n_local)
        coming = [place for place in range(n_local, n_qubits) if order[place] in needed]
        going = [place for place in reversed(range(n_local)) if order[place] not in needed]
        for one, other in zip(coming, going, strict=False):
            order[one], order[other] = order[other], order[one]
        k = len(coming)
        found = Traffic(found.n_exchanges + 1, found.shards + 1 - 2.0**-k)
    return found


def _next_needed(gates: Sequence[Sequence[int]], most: int) -> set[int]:
    """Wires that the next gates move, of as many as fit together."""
    needed: set[int] = set()
    for wires in gates:
        if len(needed.union(wires)) > most:
            break
        needed.update(wires)
    return needed


def fused_swaps_reordered(n_qubits: int, n_bits: int, demands: Demands) -> Traffic:
    """The same, where all gates that the present order allows are done before each exchange."""
    n_local = n_qubits - n_bits
    order, found = list(range(n_qubits)), Traffic(0, 0.0)
    left = list(demands)
    while True:
        left = _still_left(left, set(order[:n_local]))
        if not left:
            return found
        needed = _next_needed([moving for moving, _ in left], n_local)
        coming = [place for place in range(n_local, n_qubits) if order[place] in needed]
        going = [place for place in reversed(range(n_local)) if order[place] not in needed]
        for one, other in zip(coming, going, strict=False):
            order[one], order[other] = order[other], order[one]
        shards = found.shards + 1 - 2.0 ** -len(coming)
        found = Traffic(found.n_exchanges + 1, shards)


def _still_left(demands: Sequence[Demand], local: set[int]) -> list[Demand]:
    """Gates that must wait: those that move a sharded wire, and what does not commute with them."""
    left: list[Demand] = []
    moved: set[int] = set()
    touched: set[int] = set()
    for demand in demands:
        moving, standing = set(demand.moving), set(demand.standing)
        if not moving <= local or moving & touched or standing & moved:
            left.append(demand)
            moved |= moving
            touched |= moving | standing
    return left


METHODS: Mapping[str, Callable[[int, int, Demands], Traffic]] = {
    "quilt_func": ours,
    "fused swaps, reordered": fused_swaps_reordered,
    "fused swaps": fused_swaps,
    "farthest use, free controls": farthest_moving_use,
    "farthest use": farthest_use,
    "swap for each gate": for_each_gate,
}
"""Qulacs' optimizer has the fused swaps, at levels 2 and 1; FlagQuantum evicts by farthest use;
DeepQuantum swaps for each gate."""
