"""Orders of wires in which the parts of a plan act on neighbours.

A block whose wires are apart would bring them together and back. Instead the wires are put in
another order, and stay in it for as many parts as it serves.
"""

from collections.abc import Iterable, Sequence
from itertools import islice

from quilt_func._amplitudes import inverse
from quilt_func.evolution.steps import WIRE_ORDER, Applied, Part
from quilt_func.typing import WireSet

MOVED = 10
"""Wires that are brought to the front at once, at most: each may take two axes of a tensor."""


def with_orders(n_qubits: int, parts: Sequence[Part]) -> list[Part]:
    """Put reorderings of the wires between parts, so that those which want neighbours have them.

    Args:
        n_qubits: Number of qubits.
        parts: Parts by the circuit's wires.

    Returns:
        Parts by the places at which these wires then are, and reorderings. The last order is that
        of the start.
    """
    start = order = tuple(range(n_qubits))
    found: list[Part] = []
    for number, part in enumerate(parts):
        if not _is_served(part, order):
            wanted = _best(start, order, parts, number)
            found.append(_reordering(order, wanted))
            order = wanted
        found.append(part if order == start else _placed(part, order))
    return found if order == start else [*found, _reordering(order, start)]


def _reordering(order: WireSet, wanted: WireSet) -> Part:
    return Part(WIRE_ORDER, tuple(order.index(wire) for wire in wanted), [])


def _placed(part: Part, order: WireSet) -> Part:
    """A part by the places of its wires."""
    place = inverse(order)
    gates = [
        Applied(gate.op, gate.slot, gate.gate, tuple(place[wire] for wire in gate.wires), gate.key)
        for gate in part.gates
    ]
    return Part(part.kind, tuple(sorted(place[wire] for wire in part.wires)), gates)


def _is_served(part: Part, order: WireSet) -> bool:
    """Whether a part can act on wires in an order."""
    if part.kind.placing == "neighbours":
        places = [order.index(wire) for wire in part.wires]
        return max(places) - min(places) < len(places)
    return part.kind.placing == "anywhere" or order == tuple(sorted(order))


def _best(start: WireSet, order: WireSet, parts: Sequence[Part], number: int) -> WireSet:
    """The order at the start, or one made for the next parts: whichever serves more of them."""
    made = _made_for(order, islice(parts, number, None))
    return max((start, made), key=lambda one: _n_served(one, parts, number))


def _n_served(order: WireSet, parts: Sequence[Part], number: int) -> int:
    stop = number
    while stop < len(parts) and _is_served(parts[stop], order):
        stop += 1
    return stop - number


def _made_for(order: WireSet, parts: Iterable[Part]) -> WireSet:
    """Wires of as many next parts as can be neighbours at once, then the others as they were."""
    groups: list[set[int]] = []
    for part in parts:
        if part.kind.placing == "anywhere":
            continue
        more = _joined(groups, set(part.wires)) if part.kind.placing == "neighbours" else None
        if more is None or (groups and sum(map(len, more)) > MOVED):
            break
        groups = more
    front = [wire for group in groups for wire in sorted(group, key=order.index)]
    return *front, *(wire for wire in order if wire not in front)


def _joined(groups: Sequence[set[int]], wires: set[int]) -> list[set[int]] | None:
    """Cut a row of groups so that some wires are whole neighbouring groups, new ones at an end.

    The order of groups is that of the wires; inside of a group it is open.

    Returns:
        The groups, or None if there is no such row.
    """
    new = wires.difference(*groups)
    for row, is_turned in ((list(groups), False), (list(groups)[::-1], True)):
        cut = _cut(row, wires)
        if cut is None:
            return None
        left, inside, right = cut
        if not new or not right or not inside:
            joined = [*left, *inside, *right, *([new] if new else [])]
            return joined[::-1] if is_turned else joined
    return None


def _cut(
    row: Sequence[set[int]], wires: set[int]
) -> tuple[list[set[int]], list[set[int]], list[set[int]]] | None:
    """The groups before, of and after some wires; None if others stand between these."""
    touched = [i for i, group in enumerate(row) if group & wires]
    if not touched:
        return list(row), [], []
    first, last = touched[0], touched[-1]
    if any(not group <= wires for group in row[first + 1 : last]):
        return None
    before, after = row[first] - wires, row[last] - wires
    inside = [group & wires for group in row[first : last + 1]]
    left = [*row[:first], *([before] if before else [])]
    right = [*([after] if after and last > first else []), *row[last + 1 :]]
    return left, inside, right
