"""Which wires to shard next: those that hold back the fewest gates.

A gate is held back by a sharded wire that it, or a gate before it, moves. So each pending gate has
a set of wires that it *needs* local, and a choice of sharded wires does all gates whose set it
misses. That is a covering problem, which is searched by trading one wire for another.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]

NEARLY = 2.0**-8
"""Worth of a gate that one sharded wire holds back, as a part of one that none does."""

SMALL = 1e-9
"""Difference that is rounding, as a part of all worth."""


class Needs:
    """Sets of wires, of which each must be local for gates of some worth to be done.

    Args:
        n_qubits: Number of wires.
        worth: Worth of the gates by the wires that they need, as a set of bits.
    """

    def __init__(self, n_qubits: int, worth: dict[int, float]) -> None:
        n_bytes = -(-n_qubits // 8)
        packed = b"".join(mask.to_bytes(n_bytes, "little") for mask in worth)
        rows = np.frombuffer(packed, np.uint8).reshape(len(worth), n_bytes)
        found = np.unpackbits(rows, axis=1, count=n_qubits, bitorder="little")
        self.n_qubits = n_qubits
        self.masks = tuple(worth)
        self.needed: Reals = found.astype(np.float64)
        self.worth: Reals = np.array(list(worth.values()))
        self.total = float(self.worth.sum())

    def done(self, sharded: Sequence[int]) -> float:
        """Worth of the gates that are done with some wires sharded."""
        return float(self.worth[self._holding(sharded) == 0].sum())

    def _holding(self, sharded: Sequence[int]) -> Reals:
        """By how many of its wires each set is held back."""
        return np.asarray(self.needed[:, list(sharded)].sum(1))

    def first(self, n_bits: int) -> list[int]:
        """Wires to shard, chosen one by one: each holds back the least of what is left."""
        chosen: list[int] = []
        for _ in range(n_bits):
            held = self._holding(chosen)
            weights = self.worth * ((held == 0) + NEARLY * (held == 1))
            cost = weights @ self.needed
            cost[chosen] = np.inf
            chosen.append(int(cost.argmin()))
        return chosen

    def for_one(self, old: Sequence[int]) -> list[int]:
        """Wires to shard that let the gate be done which needs fewest wires."""
        needed = self.needed[self.needed.sum(1).argmin()] > 0
        kept = [wire for wire in old if not needed[wire]]
        others = (w for w in range(self.n_qubits) if not needed[w] and w not in kept)
        return [*kept, *islice(others, len(old) - len(kept))]

    def better(self, sharded: Sequence[int], old: Sequence[int], most: int) -> list[int]:
        """Trade wires one by one as long as more is done, with at most so many not in `old`."""
        chosen, value = list(sharded), self._value(sharded)
        is_old = np.zeros(self.n_qubits, dtype=bool)
        is_old[list(old)] = True
        while chosen:
            traded = self._traded(chosen, is_old, most)
            out, coming = np.unravel_index(int(traded.argmax()), traded.shape)
            if not traded[out, coming] > value + SMALL * self.total:
                break
            value, chosen[int(out)] = float(traded[out, coming]), int(coming)
        return chosen

    def _value(self, sharded: Sequence[int]) -> float:
        """What trades are compared by."""
        held = self._holding(sharded)
        return float(self.worth @ ((held == 0) + NEARLY * (held == 1)))

    def _traded(self, chosen: list[int], is_old: Any, most: int) -> Reals:
        """The value of each trade of a chosen wire for another, `(n_chosen, n_qubits)`."""
        without = self._holding(chosen)[:, None] - self.needed[:, chosen]
        weights = self.worth[:, None]
        none, one = weights * (without == 0), weights * (without == 1)
        # a set is held back by one more where the wire that comes is in it
        value = (none + NEARLY * one).sum(0)[:, None] - (
            ((1 - NEARLY) * none + NEARLY * one).T @ self.needed
        )
        new = sum(not is_old[wire] for wire in chosen)
        counts = new - ~is_old[chosen][:, None] + (~is_old)[None, :]
        value[counts > most] = -np.inf
        value[:, chosen] = -np.inf
        return np.asarray(value)


def choices(needs: Needs, n_bits: int, old: Sequence[int] | None) -> Iterator[list[int]]:
    """Choices of wires to shard that may serve next: the best found, for each number of new ones.

    Args:
        needs: What pending gates need.
        n_bits: How many wires are sharded.
        old: Those sharded now; None where any may be at no price.
    """
    greedy = needs.first(n_bits)
    if old is None:
        yield needs.better(greedy, greedy, n_bits)
        return
    found, does_any = list(old), False
    for most in range(1, n_bits + 1):
        found = needs.better(found, old, most)
        does_any |= needs.done(found) > 0
        yield found
    yield needs.better(greedy, old, n_bits)
    if not does_any:
        yield needs.for_one(old)
