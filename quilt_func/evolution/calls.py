"""What the Functions of a run are called with: one static argument for all, and tensors.

A run takes the state, then packed leaves. A walk back takes the state, the output, its gradient,
then packed leaves. A Function of tangents takes the same tensors, then the tangent of each. Batch
levels, of which each tensor has its own, come in the same order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

from torch import Tensor

from quilt_func.evolution.batching import BatchAxes
from quilt_func.evolution.kept import KeptRun
from quilt_func.evolution.signature import Signature

T = TypeVar("T")


def halves(flat: Sequence[T]) -> tuple[tuple[T, ...], tuple[T, ...]]:
    """What belongs to values, and what to their tangents."""
    middle = len(flat) // 2
    return tuple(flat[:middle]), tuple(flat[middle:])


def in_places(is_there: Iterable[bool], values: Iterable[T]) -> tuple[T | None, ...]:
    """One of the values in each place that has one."""
    remaining = iter(values)
    return tuple(next(remaining) if one else None for one in is_there)


@dataclass(frozen=True)
class Call:
    """A circuit, and the batch axes of the tensors that come with it.

    Attributes:
        kept: What the run leaves for the walk back.
        wanted: Of a walk back: whether gradients of the state and of each leaf are.
    """

    circuit: Signature
    axes: BatchAxes
    kept: KeptRun = field(compare=False)
    wanted: tuple[bool, ...] = ()

    def mapped(self, dims: Sequence[int | None], size: int) -> Self:
        return replace(self, axes=self.axes.mapped(dims, size))

    def with_tangents(self, tangents: Sequence[Tensor | None]) -> Self:
        """The call of a Function of tangents, which share the axes of their tensors."""
        pairs = zip(self.axes.levels, tangents, strict=True)
        shared = (() if tangent is None else levels for levels, tangent in pairs)
        return replace(self, axes=replace(self.axes, levels=(*self.axes.levels, *shared)))
