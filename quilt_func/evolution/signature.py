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
from quilt_func.evolution import reference
from quilt_func.evolution.batching import union
from quilt_func.evolution.planner import Block, Move, Plan, Segment, Step, plan
from quilt_func.evolution.steps import diagonal_phases
from quilt_func.evolution.steps.block_build import Params, build, product
from quilt_func.evolution.steps.block_recipe import BatchKey
from quilt_func.evolution.steps.permutation import index
from quilt_func.ops import Structure
from quilt_func.states import zero_state
from quilt_func.typing import WireSet


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
        """Run blocks in plain torch calls, which leave batches to `torch.func`."""
        keys = (union(*own) for own in self.per_op(map(batch_levels, leaves)))
        found = self.plan(keys, state is None)
        params = self.params(leaves, [()] * len(self.ops))
        if found.prefix is not None:
            state = product(found.prefix, params, self.dtype, self.device)[:, 0]
        if state is None and not self._starts_whole(found):
            state = zero_state(self.n_qubits, dtype=self.dtype, device=self.device)
        for segment in found.segments:
            built = build(segment, params, self.dtype, self.device)
            for step in segment.steps:
                state = self._stepped(segment, built, step, state)
        assert state is not None, "there is an op"
        return state

    def plain_packed(self, state: Tensor | None, *packed: Tensor) -> Tensor:
        """Run blocks in plain torch calls, of joined leaves."""
        return self.plain(state, *self.packing.unpack(packed))

    def _starts_whole(self, found: Plan) -> bool:
        """Whether the first step is a block on all wires, of which |0...0⟩ takes one column."""
        first = found.segments[0].steps[0] if found.segments else None
        return isinstance(first, Block) and len(first.wires) == self.n_qubits

    def _stepped(
        self, segment: Segment, built: Sequence[Tensor], step: Step, state: Tensor | None
    ) -> Tensor:
        if isinstance(step, Block):
            return self._multiplied(built[step.stack][0, step.position], step.wires, state)
        assert state is not None, "only a block starts without a state"
        if isinstance(step, Move):
            split = state.reshape(2 ** step.wires[0], 2 ** len(step.wires), -1)
            return split.index_select(1, index(step, False, state.device)).reshape(-1)
        values = built[len(segment.stacks) + step.place]
        return diagonal_phases.factors(segment.phases[step.place], values)[0] * state

    def _multiplied(self, matrix: Tensor, wires: WireSet, state: Tensor | None) -> Tensor:
        if len(wires) == self.n_qubits:
            return matrix[:, 0] if state is None else state @ matrix.mT
        assert state is not None, "only a block on all wires starts without a state"
        if wires[-1] - wires[0] != len(wires) - 1:
            return reference.apply_matrix(matrix, wires, state)
        split = state.reshape(2 ** wires[0], matrix.shape[-1], -1)
        if split.shape[2] == 1:
            return (split[:, :, 0] @ matrix.mT).reshape(-1)
        return (matrix @ split).reshape(-1)
