"""What the Functions of a run are called with: one static argument each, and tensors by name.

The tensors are flat only where a Function takes or saves them. Batch levels, of which each tensor
has its own, have the same names.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, NamedTuple, Self, TypeVar

from torch import Tensor

from quilt_func.evolution.batching import BatchAxes
from quilt_func.evolution.kept import KeptRun
from quilt_func.evolution.signature import Signature

T = TypeVar("T")


class RunTensors(NamedTuple, Generic[T]):
    """The tensors of a run, or something of each."""

    state: T
    leaves: tuple[T, ...]

    @classmethod
    def of(cls, flat: Sequence[T]) -> "RunTensors[T]":
        state, *leaves = flat
        return cls(state, tuple(leaves))

    @property
    def flat(self) -> tuple[T, ...]:
        return self.state, *self.leaves


class PullTensors(NamedTuple, Generic[T]):
    """The tensors of a walk back, or something of each: those of the run, its output, and theirs.

    Attributes:
        state: What the run started from.
        output: The state after the run.
        gradient: The gradient of `output`.
        leaves: Packed leaves.
    """

    state: T
    output: T
    gradient: T
    leaves: tuple[T, ...]

    @classmethod
    def of(cls, flat: Sequence[T]) -> "PullTensors[T]":
        state, output, gradient, *leaves = flat
        return cls(state, output, gradient, tuple(leaves))

    @property
    def flat(self) -> tuple[T, ...]:
        return self.state, self.output, self.gradient, *self.leaves

    @property
    def run(self) -> RunTensors[T]:
        return RunTensors(self.state, self.leaves)


Names = TypeVar("Names", RunTensors[Any], PullTensors[Any])


class WithTangents(NamedTuple, Generic[Names]):
    """Tensors and their tangents, or something of each."""

    values: Names
    tangents: Names

    @classmethod
    def of(cls, names: Callable[[Sequence[Any]], Names], flat: Sequence[Any]) -> Self:
        return cls(*map(names, halves(flat)))

    @property
    def flat(self) -> tuple[Any, ...]:
        return *self.values.flat, *self.tangents.flat


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
    """A circuit, and the batch axes of the tensors that come with it."""

    circuit: Signature
    axes: BatchAxes

    def mapped(self, dims: Sequence[int | None], size: int) -> Self:
        return replace(self, axes=self.axes.mapped(dims, size))


@dataclass(frozen=True)
class RunCall(Call):
    """Of a run: all its levels are those of a gradient, too."""

    kept: KeptRun = field(compare=False)

    def mapped(self, dims: Sequence[int | None], size: int) -> Self:
        mapped = self.axes.mapped(dims, size)
        return replace(self, axes=replace(mapped, inner=len(mapped.sizes)))


@dataclass(frozen=True)
class PullCall(Call):
    """Of a walk back: levels that come later map over the gradient.

    Attributes:
        wanted: Whether gradients of the state and of each leaf are.
    """

    wanted: tuple[bool, ...]
    kept: KeptRun = field(compare=False)


def levels_with_tangents(axes: BatchAxes, tangents: Sequence[Tensor | None]) -> BatchAxes:
    """The axes of tensors, which their tangents share."""
    pairs = zip(axes.levels, tangents, strict=True)
    shared = (() if tangent is None else levels for levels, tangent in pairs)
    return replace(axes, levels=(*axes.levels, *shared))
