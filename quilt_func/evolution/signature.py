"""The static part of ops: all that is known without their leaves, and the plain route.

The plain route is ordinary torch calls, which leave batches to `torch.func`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any, Self

import torch
from torch import Tensor

from quilt_func._torch import batch_levels
from quilt_func.evolution.batching import Axes, union
from quilt_func.evolution.layout import Layout
from quilt_func.evolution.planner import Plan, plan
from quilt_func.evolution.steps import BatchKey, Built, Params, product
from quilt_func.ops import Structure
from quilt_func.states import zero_state


@dataclass(frozen=True)
class Packing:
    """Leaves of one dtype and one batch, joined: a call pays for each tensor that it carries.

    Attributes:
        groups: Places of the leaves that are joined.
        shapes: Shape of each leaf.
    """

    groups: tuple[tuple[int, ...], ...]
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, leaves: Sequence[Tensor]) -> Self:
        """Sort leaves into groups."""
        groups: dict[Any, list[int]] = {}
        for place, leaf in enumerate(leaves):
            groups.setdefault((leaf.dtype, batch_levels(leaf)), []).append(place)
        return cls(tuple(map(tuple, groups.values())), tuple(tuple(leaf.shape) for leaf in leaves))

    def pack(self, leaves: Mapping[int, Tensor] | Sequence[Tensor], group: Sequence[int]) -> Tensor:
        """Join a group's leaves along their flattened shapes; batch axes before those stay."""
        parts = [self._flat(leaves[place], self.shapes[place]) for place in group]
        return torch.cat(parts, -1) if len(parts) > 1 else parts[0]

    def _flat(self, leaf: Tensor, shape: tuple[int, ...]) -> Tensor:
        return leaf if len(shape) == 1 else leaf.flatten(leaf.ndim - len(shape))

    def unpack(self, packed: Iterable[Tensor]) -> list[Tensor]:
        """Leaves of joined groups."""
        found: dict[int, Tensor] = {}
        for group, flat in zip(self.groups, packed, strict=True):
            sizes = [math.prod(self.shapes[place]) for place in group]
            parts = flat.split(sizes, -1) if len(group) > 1 else (flat,)
            for place, part in zip(group, parts, strict=True):
                shape = self.shapes[place]
                found[place] = part if len(shape) == 1 else part.unflatten(-1, shape)
        return [found[place] for place in range(len(found))]

    def spread(self, values: Iterable[Any]) -> list[Any]:
        """One value per leaf, of one per group."""
        pairs = zip(self.groups, values, strict=True)
        found = {place: value for group, value in pairs for place in group}
        return [found[place] for place in range(len(found))]


@dataclass(frozen=True)
class Static:
    """The static part of ops: all that is known without their leaves."""

    n_qubits: int
    ops: tuple[Structure, ...]
    weak: tuple[tuple[float | None, ...], ...]
    packing: Packing
    dtype: torch.dtype
    device: torch.device

    @cached_property
    def places(self) -> list[list[int]]:
        """The leaves of each op, by their numbers."""
        return self.per_op(count())

    def per_op(self, values: Iterable[Any]) -> list[list[Any]]:
        """Sort one value per leaf by op."""
        remaining = iter(values)
        return [[next(remaining) for p in weak if p is None] for weak in self.weak]

    def plan(self, keys: Iterable[BatchKey], from_zero: bool) -> Plan:
        """Plan a run."""
        return plan(self.n_qubits, self.ops, tuple(keys), from_zero)

    def params(self, leaves: Iterable[Tensor], batches: Iterable[tuple[int, ...]]) -> Params:
        """Parameters of each op `(m, *batch, *event)`: its leaves, and its numbers as tensors."""
        remaining = iter(leaves)
        real = self.dtype.to_real()
        return [
            [
                next(remaining)
                if p is None
                else torch.full((len(op.wires), *batch), p, dtype=real, device=self.device)
                for p in weak
            ]
            for op, weak, batch in zip(self.ops, self.weak, batches, strict=True)
        ]

    def plain(self, state: Tensor | None, *leaves: Tensor) -> Tensor:
        """Run steps in plain torch calls, which leave batches to `torch.func`."""
        keys = (union(*own) for own in self.per_op(map(batch_levels, leaves)))
        found = self.plan(keys, state is None)
        params = self.params(leaves, [()] * len(self.ops))
        constants, layout = found.on(self.dtype, self.device), Layout(Axes((), ()), (), ())
        if found.prefix is not None:
            state = product(found.prefix, params, constants)[:, 0]
        if state is None and not found.starts_whole:
            state = zero_state(self.n_qubits, dtype=self.dtype, device=self.device)
        for segment in found.segments:
            tensors = [recipe.build(params, constants) for recipe in segment.recipes]
            built = Built(tensors, segment.recipes, constants, layout)
            for step in segment.steps:
                state = step.apply_plainly(built, state)
        assert state is not None, "there is an op"
        return state

    def plain_packed(self, state: Tensor | None, *packed: Tensor) -> Tensor:
        """Run blocks in plain torch calls, of joined leaves."""
        return self.plain(state, *self.packing.unpack(packed))
