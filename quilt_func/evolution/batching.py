"""Batch axes: which `vmap` levels are axes of a plain tensor, as vmap rules are given them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

from torch import Tensor

BatchKey: TypeAlias = tuple[int, ...]
"""The `vmap` levels that a parameter is batched over, descending."""

Levels: TypeAlias = BatchKey
"""The `vmap` levels that are a tensor's first axes, descending: the last mapped is axis 0."""


def union(*levels: Levels) -> Levels:
    """The levels that any of some tensors carries, descending."""
    return tuple(sorted({level for one in levels for level in one}, reverse=True))


@dataclass(frozen=True)
class BatchAxes:
    """Which batch axes the tensors of a call carry; levels are counted from within.

    Attributes:
        sizes: Size of each level.
        levels: Of each tensor, the levels that are its first axes, descending.
        inner: Of a walk back, the number of the run's own levels: a gradient is summed over those
            that its leaf lacks. Later ones are mapped over the gradient itself.
    """

    sizes: tuple[int, ...]
    levels: tuple[Levels, ...]
    inner: int | None = None

    def mapped(self, in_dims: Sequence[int | None], size: int) -> Self:
        """The axes under one more level, which the tensors with an `in_dims` carry first."""
        new = len(self.sizes)
        pairs = zip(self.levels, in_dims, strict=True)
        levels = tuple(own if dim is None else (new, *own) for own, dim in pairs)
        return replace(self, sizes=(*self.sizes, size), levels=levels)

    @property
    def outer(self) -> Levels:
        """The levels that are mapped over a gradient."""
        return () if self.inner is None else tuple(range(self.inner, len(self.sizes)))[::-1]

    def shape(self, levels: Levels) -> tuple[int, ...]:
        """Sizes of some levels."""
        return tuple(self.sizes[level] for level in levels)

    def expand(self, tensor: Tensor, own: Levels, wanted: Levels) -> Tensor:
        """Give a tensor with the axes `own` all that are `wanted`, in that order."""
        kept = tuple(level for level in wanted if level in own)
        if kept != own:
            tensor = tensor.permute(*map(own.index, kept), *range(len(own), tensor.ndim))
        for axis, level in enumerate(wanted):
            if level not in own:
                tensor = tensor.unsqueeze(axis)
        return tensor.expand(*self.shape(wanted), *tensor.shape[len(wanted) :])

    def reduce(self, tensor: Tensor, own: Levels, wanted: Levels) -> Tensor:
        """Sum a tensor over the axes `own` that are not `wanted`, and put those in that order."""
        dropped = [axis for axis, level in enumerate(own) if level not in wanted]
        kept = [level for level in own if level in wanted]
        summed = tensor.sum(dropped) if dropped else tensor
        order = [kept.index(level) for level in wanted if level in kept]
        return summed.permute(*order, *range(len(kept), summed.ndim))

    def to_parameter(self, leaf: Tensor, own: Levels, *keys: Levels) -> Tensor:
        """A leaf `(*own, m, *event)` -> `(m, *sizes, *event)`, one size for all levels of a key."""
        wanted = sum(keys, ())
        full = self.expand(leaf, own, wanted).movedim(len(wanted), 0)
        sizes = (math.prod(self.shape(key)) for key in keys)
        return full.reshape(len(full), *sizes, *leaf.shape[len(own) + 1 :])

    def to_leaf(self, by_parameter: Tensor, keys: Sequence[Levels], wanted: Levels) -> Tensor:
        """Gradient of a parameter -> that of the leaf, which has the levels `wanted`."""
        own = sum(keys, ())
        m, event = len(by_parameter), by_parameter.shape[len(keys) + 1 :]
        split = by_parameter.reshape(m, *self.shape(own), *event)
        return self.reduce(split.movedim(0, len(own)), own, wanted)
