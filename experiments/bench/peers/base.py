"""What an adapter gives: tasks, each from a workload to one timed step of a library."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .. import adam
from ..circuits import Row, Wires
from ..reference import Arrays
from ..workloads import Work


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


Tasks: TypeAlias = dict[str, Callable[[Work], Run]]
"""What an adapter calls `TASKS`: the tasks it can do."""


class UnsupportedError(Exception):
    """A peer can't do a workload; the text says why."""


def train_run(work: Work, one: Run) -> Run:
    """A whole training, given the run of its step."""
    return Run(one.theta, lambda theta: adam.losses(theta, work.n_epochs, one.step), read_losses)


def read_pair(result: tuple[Any, Any]) -> Arrays:
    """Read a value and its gradient."""
    value, slope = result
    return {"value": np.asarray(value), "gradient": np.asarray(slope)}


def read_along(work: Work) -> Callable[[tuple[Any, Any]], Arrays]:
    """Read a value, and its gradient along the directions in which a workload checks it."""

    def read(result: tuple[Any, Any]) -> Arrays:
        value, slope = result
        slopes = np.tensordot(work.directions, np.asarray(slope, np.float64), work.theta.ndim)
        return {"value": np.asarray(value), "slopes": slopes}

    return read


def read_losses(found: Any) -> Arrays:
    """Read the losses of a training."""
    return {"losses": np.array([float(loss) for loss in found])}


def gate_sets(rows: Sequence[Row]) -> Iterator[tuple[str, Wires, int | None]]:
    """Each gate of some rows with its wires and, if it is a rotation, the column of its angle."""
    for row in rows:
        columns = row.angles or (None,) * len(row.wires)
        yield from ((row.gate, *pair) for pair in zip(row.wires, columns, strict=True))


def sparse_word(word: str) -> list[tuple[int, str]]:
    """The letters of a Pauli word that are not the identity, with their wires."""
    return [(wire, letter) for wire, letter in enumerate(word) if letter != "I"]


def threads() -> int:
    """How many threads a library may use that does not ask the system."""
    return int(os.environ.get("OMP_NUM_THREADS", "1"))
