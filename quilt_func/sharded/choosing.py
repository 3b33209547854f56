"""Which wires to shard next: those that hold back the fewest gates.

A gate is held back by a sharded wire that it, or a gate before it, moves. So each pending gate has
a set of wires that it *needs* local, and a choice of sharded wires does all gates whose set it
misses. That is a covering problem, which is searched by trading one wire for another.

All numbers are whole or halves of halves, so that sums are exact: every rank finds the same plan,
whatever its machine adds first.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]

NEARLY = 2.0**-8
"""Worth of a gate that one sharded wire holds back, as a part of one that none does."""


class Needs:
    """Sets of wires, of which each must be local for gates of some worth to be done.

    Attributes:
        needed: `(n_sets, n_qubits)`, 1 where a set has a wire.
        worth: `(n_sets,)`, of the gates of each set.

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
        self.needed: Reals = found.astype(np.float64)
        self.worth: Reals = np.array(list(worth.values()))

    def done(self, sharded: Sequence[int]) -> float:
        """Worth of the gates that are done with some wires sharded."""
        return float(self.worth[self._holding(sharded) == 0].sum())

    def _holding(self, sharded: Sequence[int]) -> Reals:
        """By how many of its wires each set is held back."""
        return np.asarray(self.needed[:, list(sharded)].sum(1))

    def grown(self, chosen: Sequence[int], n_bits: int) -> list[int]:
        """More wires to shard, chosen one by one: each holds back the least of what is left."""
        chosen = list(chosen)
        while len(chosen) < n_bits:
            cost = self._values(self._holding(chosen)) @ self.needed
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
            if not traded[out, coming] > value:
                break
            value, chosen[int(out)] = float(traded[out, coming]), int(coming)
        return chosen

    def _values(self, holding: Reals) -> Reals:
        """What each set adds to the value of a choice."""
        found: Reals = self.worth * ((holding == 0) + NEARLY * (holding == 1))
        return found

    def _value(self, sharded: Sequence[int]) -> float:
        """What trades are compared by."""
        return float(self._values(self._holding(sharded)).sum())

    def _traded(self, chosen: list[int], is_old: Any, most: int) -> Reals:
        """The value of each trade of a chosen wire for another, `(n_chosen, n_qubits)`."""
        without = self._holding(chosen)[:, None] - self.needed[:, chosen]
        weights = self.worth[:, None]
        none, one = weights * (without == 0), weights * (without == 1)
        # a set is held back by one more where the wire that comes is in it
        value: Reals = (none + NEARLY * one).sum(0)[:, None] - (
            ((1 - NEARLY) * none + NEARLY * one).T @ self.needed
        )
        is_new = (~is_old).astype(int)
        counts = is_new[chosen].sum() - is_new[chosen][:, None] + is_new[None, :]
        value[counts > most] = -np.inf
        value[:, chosen] = -np.inf
        return value


def choices(
    needs: Needs, n_bits: int, old: Sequence[int] | None, *, thorough: bool = False
) -> Iterator[list[int]]:
    """Choices of wires to shard that may serve next: the best found, for each number of new ones.

    At the start, where none are sharded yet, one that begins with each wire.

    Args:
        needs: What pending gates need.
        n_bits: How many wires are sharded.
        old: Those sharded now; None where any may be at no price.
        thorough: Whether one begins with each wire at any time.
    """
    if old is None or thorough:
        for wire in range(needs.n_qubits if n_bits else 0):
            yield needs.better(needs.grown([wire], n_bits), old or (), n_bits)
    if old is None:
        return
    found, does_any = list(old), False
    for most in range(1, n_bits + 1):
        found = needs.better(found, old, most)
        does_any |= needs.done(found) > 0
        yield found
    yield needs.better(needs.grown([], n_bits), old, n_bits)
    if not does_any:
        yield needs.for_one(old)
