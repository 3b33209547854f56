"""The executors, and which one a draft goes to."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor

from quilt_func.replay.draft import Draft
from quilt_func.replay.executors import cpp_interpreter, cuda_graph, straight_line


class Executor(NamedTuple):
    """A draft, ready to be run.

    Attributes:
        name: Of its kind.
        run: From the traced function's tensors to its results.
    """

    name: str
    run: Callable[[Sequence[Tensor]], list[Tensor]]


EXECUTORS = {
    "CUDA graph": cuda_graph,
    "C++ interpreter": cpp_interpreter,
    "straight-line Python": straight_line,
}
"""By name, the fastest first; the last one fits every draft."""


def choose(draft: Draft, tensors: Sequence[Tensor]) -> Executor:
    """The fastest executor that this torch has for a draft, and example tensors."""
    for name, room in EXECUTORS.items():
        if room.fits(draft):
            try:
                return Executor(name, room.build(draft, tensors))
            except (AttributeError, KeyError, RuntimeError, TypeError):  # torch, or an op, lacks it
                continue
    raise AssertionError("straight-line Python runs every graph")
