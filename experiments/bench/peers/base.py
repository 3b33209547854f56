"""What an adapter gives: one timed step of a library on a workload."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..circuits import Row, Wires
from ..reference import Arrays


@dataclass(frozen=True)
class Run:
    """A workload made ready in one library.

    Attributes:
        theta: The angles as the library wants them.
        step: One step, the thing that is timed: angles to a result, which is there on return.
        read: The result as numpy arrays, named as in the reference.
    """

    theta: Any
    step: Callable[[Any], Any]
    read: Callable[[Any], Arrays]


class UnsupportedError(Exception):
    """A peer can't do a workload; the text says why."""


def read_pair(result: tuple[Any, Any]) -> Arrays:
    """Read a value and its gradient."""
    value, slope = result
    return {"value": np.asarray(value), "gradient": np.asarray(slope)}


def gate_sets(rows: Sequence[Row]) -> Iterator[tuple[str, Wires, int | None]]:
    """Each gate of some rows with its wires and, if it is a rotation, the column of its angle."""
    for row in rows:
        columns = row.angles or (None,) * len(row.wires)
        yield from ((row.gate, *pair) for pair in zip(row.wires, columns, strict=True))


def sparse_word(word: str) -> list[tuple[int, str]]:
    """The letters of a Pauli word that are not the identity, with their wires."""
    return [(wire, letter) for wire, letter in enumerate(word) if letter != "I"]
