"""How many fused blocks a circuit needs: a plain greedy count, for the physical limit."""

from collections.abc import Sequence
from functools import cache

from .circuits import Circuit, Wires


@cache
def count_blocks(circuit: Circuit, size: int) -> int:
    """Number of blocks of at most `size` wires that a greedy search packs a circuit's layers into.

    The prefix counts only where there are no layers: encodings act on a product state.
    """
    rows = [row for layer in circuit.layers for row in layer] or list(circuit.prefix)
    pending = [wires for row in rows for wires in row.wires]
    size = min(max(size, max(map(len, pending), default=1)), circuit.n)
    blocks = 0
    while pending:
        taken = max(
            (absorbed(pending, w, circuit.n) for w in windows(pending, circuit, size)), key=len
        )
        pending = [wires for i, wires in enumerate(pending) if i not in taken]
        blocks += 1
    return blocks


def windows(pending: Sequence[Wires], circuit: Circuit, size: int) -> list[frozenset[int]]:
    """Candidate wire sets: all runs of neighbours, and one grown from the first gates that wait."""
    runs = [frozenset(range(i, i + size)) for i in range(circuit.n - size + 1)]
    grown: set[int] = set(pending[0])
    for wires in pending:
        if len(grown.union(wires)) <= size and grown.intersection(wires):
            grown.update(wires)
    return [*runs, frozenset(grown)]


def absorbed(pending: Sequence[Wires], window: frozenset[int], n: int) -> set[int]:
    """Positions of the gates that a window can take, in order."""
    taken: set[int] = set()
    blocked: set[int] = set()
    for i, wires in enumerate(pending):
        if window.issuperset(wires) and blocked.isdisjoint(wires):
            taken.add(i)
        else:
            blocked.update(wires)
            if blocked.issuperset(window) or len(blocked) == n:
                break
    return taken
