"""All of a list of ops but the values of its tensors, and the plain route.

It is what plans are found by, and what rules hand on beside tensors. The plain route is ordinary
torch calls, which leave batches to `torch.func`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import count
from typing import Any, Self

import torch
from torch import Tensor

from quilt_func._torch import batch_levels
from quilt_func.evolution.batching import BatchAxes, union
from quilt_func.evolution.layout import Layout
from quilt_func.evolution.planner import Plan, plan
from quilt_func.evolution.steps import BatchKey, Built, product
from quilt_func.ops import Structure
from quilt_func.states import zero_state


@dataclass(frozen=True)
class Packing:
    """Which leaves are joined to one tensor: those of one dtype and batch.

    Every tensor of a call costs time at each level of transforms.

    Attributes:
        groups: Numbers of the leaves that are joined.
        shapes: Shape of each leaf.
    """

    groups: tuple[tuple[int, ...], ...]
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, leaves: Sequence[Tensor]) -> Self:
        """The packing of some leaves."""
        groups: dict[Any, list[int]] = {}
        for place, leaf in enumerate(leaves):
            groups.setdefault((leaf.dtype, batch_levels(leaf)), []).append(place)
        return cls(tuple(map(tuple, groups.values())), tuple(tuple(leaf.shape) for leaf in leaves))

    def pack(self, leaves: Mapping[int, Tensor] | Sequence[Tensor], group: Sequence[int]) -> Tensor:
        """Join the leaves of a group, `(*batch, *shape)` each, to `(*batch, total size)`."""
        parts = [self._flat(leaves[place], self.shapes[place]) for place in group]
        return torch.cat(parts, -1) if len(parts) > 1 else parts[0]

    def _flat(self, leaf: Tensor, shape: tuple[int, ...]) -> Tensor:
        return leaf if len(shape) == 1 else leaf.flatten(leaf.ndim - len(shape))

    def unpack(self, packed: Iterable[Tensor]) -> list[Tensor]:
        """Split joined groups, `(*batch, total size)`, into leaves `(*batch, *shape)` in order."""
        found: dict[int, Tensor] = {}
        for group, flat in zip(self.groups, packed, strict=True):
            sizes = [math.prod(self.shapes[place]) for place in group]
            parts = flat.split(sizes, -1) if len(group) > 1 else (flat,)
            for place, part in zip(group, parts, strict=True):
                shape = self.shapes[place]
                found[place] = part if len(shape) == 1 else part.unflatten(-1, shape)
        return [found[place] for place in range(len(found))]

    def spread(self, values: Iterable[Any]) -> list[Any]:
        """Repeat one value per group as one per leaf."""
        pairs = zip(self.groups, values, strict=True)
        found = {place: value for group, value in pairs for place in group}
        return [found[place] for place in range(len(found))]


@dataclass(frozen=True)
class Signature:
    """A run without its tensors: structures of ops, numbers among their parameters, dtype, device.

    Attributes:
        ops: Structures of ops that act on some wires, in order.
        weak: Of each op, its parameters that are numbers; None for those that are leaves.
    """

    n_qubits: int
    ops: tuple[Structure, ...]
    weak: tuple[tuple[float | None, ...], ...]
    packing: Packing
    dtype: torch.dtype
    device: torch.device

    @cached_property
    def places(self) -> list[list[int]]:
        """Numbers of each op's leaves."""
        return self.per_op(count())

    def per_op(self, values: Iterable[Any]) -> list[list[Any]]:
        """Split one value per leaf into a list for each op."""
        remaining = iter(values)
        return [[next(remaining) for p in weak if p is None] for weak in self.weak]

    def joined(self, keys: Iterable[BatchKey]) -> tuple[BatchKey, ...]:
        """The batch keys that ops are planned with: their own, or one for all."""
        return joined_keys(self.n_qubits, self.ops, tuple(keys))

    def plan(self, keys: Iterable[BatchKey], from_zero: bool) -> Plan:
        """The plan of a run, by the batch key of each op."""
        return plan(self.n_qubits, self.ops, tuple(keys), from_zero)

    def params(
        self, leaves: Iterable[Tensor], batches: Iterable[tuple[int, ...]]
    ) -> list[list[Tensor]]:
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

    def zero(self) -> Tensor:
        """The state |0...0⟩."""
        return zero_state(self.n_qubits, dtype=self.dtype, device=self.device)

    def plain(self, state: Tensor | None, *leaves: Tensor) -> Tensor:
        """The state after all steps, `(2**n,)`, of the state before, or of None for |0...0⟩."""
        keys = (union(*own) for own in self.per_op(map(batch_levels, leaves)))
        found = self.plan(keys, state is None)
        params = self.params(leaves, [()] * len(self.ops))
        constants, layout = found.on(self.dtype, self.device), Layout(BatchAxes((), ()), (), ())
        if found.prefix is not None:
            state = product(found.prefix, params, constants)[0]
        if state is None and not found.starts_whole:
            state = self.zero()
        for segment in found.segments:
            built = Built(segment.build(params, constants), segment.recipes, constants, layout)
            for step in segment.steps:
                state = step.apply_plainly(built, state)
        assert state is not None, "there is an op"
        return state

    def plain_packed(self, state: Tensor | None, *packed: Tensor) -> Tensor:
        """The same of joined leaves."""
        return self.plain(state, *self.packing.unpack(packed))


WIDE, OFTEN = 12, 2
"""On states of so many qubits, parameters that change their batch key so often on a wire."""


def joined_keys(
    n_qubits: int, ops: tuple[Structure, ...], keys: tuple[BatchKey, ...]
) -> tuple[BatchKey, ...]:
    """The batch keys that ops are planned with: their own, or one for all, see `_joined`."""
    return _joined(n_qubits, ops, keys)


@lru_cache(maxsize=512)
def _joined(
    n_qubits: int, ops: tuple[Structure, ...], keys: tuple[BatchKey, ...]
) -> tuple[BatchKey, ...]:
    """Batch keys, all alike where mapped and other parameters take turns on wide states.

    Only gates of one batch key are fused. Matrices for each sample cost more to build, which small
    states would notice; on wide ones passes over the state do, as with a sampled error behind each
    gate.
    """
    everything = union(*keys)
    if n_qubits < WIDE or not everything:
        return keys
    last: dict[int, BatchKey] = {}
    turns = 0
    for op, key in zip(ops, keys, strict=True):
        for wire in (wire for one in op.wires for wire in one) if op.is_tensor else ():
            turns += last.get(wire, key) != key
            last[wire] = key
    if turns < OFTEN * n_qubits:
        return keys
    return tuple(everything if op.is_tensor else () for op in ops)
