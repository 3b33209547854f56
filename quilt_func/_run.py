"""A planned run: the static part of ops, the batch axes of their tensors, the way out and back.

`Static.plain` is the plain route, ordinary torch calls that leave batches to `torch.func`. `Run` is
the fast one: it sees plain tensors with explicit batch axes, and needs no derivative of its own.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self, TypeAlias, TypeVar

import torch
from torch import Tensor

from quilt_func import _phases, kernel
from quilt_func._moves import index
from quilt_func._recipes import BatchKey, Prefix
from quilt_func._sweep import apply_block, outer_product, reorder
from quilt_func._tree import adjoint, batch_levels
from quilt_func.fusion import Params, build, product
from quilt_func.ops import Structure
from quilt_func.planning import Block, Move, Plan, Segment, Shift, Step, plan
from quilt_func.states import zero_state
from quilt_func.typing import WireSet

T = TypeVar("T")

Levels: TypeAlias = BatchKey
"""The `vmap` levels that are a tensor's first axes, descending: the last mapped is axis 0."""


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
        return _phases.factors(segment.phases[step.place], values)[0] * state

    def _multiplied(self, matrix: Tensor, wires: WireSet, state: Tensor | None) -> Tensor:
        if len(wires) == self.n_qubits:
            return matrix[:, 0] if state is None else state @ matrix.mT
        assert state is not None, "only a block on all wires starts without a state"
        if wires[-1] - wires[0] != len(wires) - 1:
            return kernel.apply_matrix(matrix, wires, state)
        split = state.reshape(2 ** wires[0], matrix.shape[-1], -1)
        if split.shape[2] == 1:
            return (split[:, :, 0] @ matrix.mT).reshape(-1)
        return (matrix @ split).reshape(-1)


def union(*levels: Levels) -> Levels:
    """The levels that any of some tensors carries, descending."""
    return tuple(sorted({level for one in levels for level in one}, reverse=True))


@dataclass(frozen=True)
class Axes:
    """Which batch axes the tensors of a call carry; a level's number is its age.

    Attributes:
        sizes: Size of each level.
        levels: Of each tensor, the levels that are its first axes, descending.
        inner: Levels that a gradient is summed over, where its leaf lacks them. Levels from this
            one on are mapped over the gradient itself.
    """

    sizes: tuple[int, ...]
    levels: tuple[Levels, ...]
    inner: int = 0

    def mapped(self, in_dims: Sequence[int | None], size: int) -> Self:
        """The axes under one more level, which the tensors with an `in_dims` carry first."""
        new = len(self.sizes)
        pairs = zip(self.levels, in_dims, strict=True)
        levels = tuple(own if dim is None else (new, *own) for own, dim in pairs)
        return replace(self, sizes=(*self.sizes, size), levels=levels)

    @property
    def outer(self) -> Levels:
        """The levels that are mapped over a gradient."""
        return tuple(range(self.inner, len(self.sizes)))[::-1]

    def shape(self, levels: Levels) -> tuple[int, ...]:
        """Sizes of some levels."""
        return tuple(self.sizes[level] for level in levels)

    def expand(self, tensor: Tensor, own: Levels, wanted: Levels) -> Tensor:
        """Give a tensor with the axes `own` those that it lacks of `wanted`."""
        for axis, level in enumerate(wanted):
            if level not in own:
                tensor = tensor.unsqueeze(axis)
        return tensor.expand(*self.shape(wanted), *tensor.shape[len(wanted) :])

    def reduce(self, tensor: Tensor, own: Levels, wanted: Levels) -> Tensor:
        """Sum a tensor over the axes `own` that are not `wanted`, and put those in order."""
        dropped = [axis for axis, level in enumerate(own) if level not in wanted]
        kept = [level for level in own if level in wanted]
        summed = tensor.sum(dropped) if dropped else tensor
        order = sorted(range(len(kept)), key=lambda axis: -kept[axis])
        return summed.permute(*order, *range(len(kept), summed.ndim))


KEPT = 2**20
"""Bytes of states that a run keeps for the way back, at most: no more than fits a cache."""


class Run:
    """A planned run on plain tensors with explicit batch axes, and the way back.

    States are `(lead, 2**n, last)`: levels that matrices carry lead, others come last.
    """

    def __init__(
        self, circuit: Static, axes: Axes, from_zero: bool, packed: Sequence[Tensor],
        recorded: Sequence[bool],
    ) -> None:  # fmt: skip
        """Plan a run.

        Args:
            circuit: Static part of the ops.
            axes: Batch axes of the state, then of the packed leaves.
            from_zero: Whether the run starts with |0...0⟩.
            packed: Packed leaves.
            recorded: Which of them may be asked for a gradient.
        """
        self.circuit = circuit
        self.axes = axes
        self.packed = packed
        self.recorded = recorded
        self.leaves = circuit.packing.unpack(packed)
        self.levels: list[Levels] = circuit.packing.spread(axes.levels[1:])
        own = circuit.per_op(self.levels)
        self.keys = [union(axes.outer, *levels) if levels else () for levels in own]
        self.plan = circuit.plan(self.keys, from_zero)
        self.lead = union(axes.outer, *(key for s in self.plan.segments for key in s.keys))
        self.everything = union(self.lead, *axes.levels)
        self.last = tuple(level for level in self.everything if level not in self.lead)
        self.options = circuit.dtype, circuit.device
        self.sources = _Sources(self._aligned(), circuit.packing.spread(recorded))
        self.is_kept = False
        self.built: dict[Segment | Prefix, list[Tensor]] = {}
        self.path: list[Tensor] = []

        self.spare: list[Tensor] = []
        self.borrowed: list[Tensor] = []

    def forward(self, state: Tensor | None, *, is_kept: bool) -> Tensor:
        """The state after the run, its levels first.

        Args:
            state: The state before, or None for |0...0⟩.
            is_kept: Whether to keep what was built and the states in between, if it is not much.
        """
        self.is_kept = is_kept and len(self.plan.segments) == 1
        current = self._start() if state is None else self._borrow(state, self.axes.levels[0])
        has_path = self.is_kept and self._path_bytes(current) <= KEPT
        for segment in self.plan.segments:
            built = self._segment_built(segment)
            for step in segment.steps:
                if has_path:
                    self.path.append(current)
                    self.borrowed.append(current)
                current = self._applied(segment, built, step, current)
        self.spare.clear()
        return self._unpacked(current, self.everything)

    def pull(
        self, output: Tensor, of_output: Levels, gradient: Tensor, of_gradient: Levels,
        wanted: Sequence[bool],
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """Walk back: gradients of the state, if there is one, and of the leaves, where wanted."""
        packing = self.circuit.packing
        ket = self._borrow(output, of_output)
        bra = self._packed(gradient, of_gradient).conj_physical()
        sums = self.sources.zeros(packing.spread(wanted[1:]))
        for segment in reversed(self.plan.segments):
            built = self._segment_built(segment, has_graph=True)
            ket, bra, gradients = self._walk(segment, built, ket, bra)
            self.sources.collect(built, gradients, sums, is_kept=self.is_kept)
        del ket
        self.spare.clear()
        prefix = self.plan.prefix
        if prefix is not None:
            start = self._prefix_built(prefix, has_graph=True)
            by_start = self._unpacked(bra, prefix.key).movedim(-1, 0).conj_physical()
            by_start = by_start.reshape(start[0].shape)
            self.sources.collect(start, [by_start], sums, is_kept=self.is_kept)
        by_leaf = {i: self._by_leaf(i, by_param) for i, by_param in sums.items()}
        pairs = zip(packing.groups, wanted[1:], strict=True)
        found = [packing.pack(by_leaf, group) for group, is_wanted in pairs if is_wanted]
        if not wanted[0]:
            return tuple(found)
        kept = union(self.axes.outer, self.axes.levels[0])
        return (self._unpacked(bra, kept).conj_physical().contiguous(), *found)

    def _walk(
        self, segment: Segment, built: Sequence[Tensor], ket: Tensor, bra: Tensor
    ) -> tuple[Tensor, Tensor, list[Tensor | None]]:
        """Undo a segment; the gradients of what was built are products of the states in between.

        `bra` is the conjugate of the gradient, so that no product has to conjugate it.
        """
        found: list[Any] = [[Tensor()] * tensor.shape[1] for tensor in built]
        plain = [tensor.detach() for tensor in built]
        for number, step in reversed([*enumerate(segment.steps)]):
            ket = self.path[number] if self.path else self._undone(segment, plain, step, ket)
            if isinstance(step, Block):
                if built[step.stack].requires_grad:
                    each = outer_product(bra, ket, step.wires)
                    key = segment.stacks[step.stack].key
                    found[step.stack][step.position] = self.by_key(each, key)
                transposed = self._matrices(segment, plain, step).mT
                bra = self._into(partial(apply_block, transposed, step.wires), bra)
            elif isinstance(step, Move):
                bra = self._into(partial(reorder, index(step, True, bra.device), step.wires), bra)
            else:
                turns = self._factors(segment, plain, step)
                bra = self._into(partial(_multiply, turns), bra)
                place = len(segment.stacks) + step.place
                if built[place].requires_grad:
                    by_exponent = -(bra.real * ket.imag + bra.imag * ket.real).sum(-1)
                    recipe = segment.phases[step.place]
                    by_key = self.by_key(by_exponent, recipe.key)
                    found[place] = [_phases.by_coefficients(recipe, by_key)]
        joined = [
            None
            if not tensor.requires_grad
            else torch.stack(f, 1).conj_physical()
            if tensor.ndim == 4
            else f[0]
            for tensor, f in zip(built, found, strict=True)
        ]
        return ket, bra, joined

    def _undone(
        self, segment: Segment, built: Sequence[Tensor], step: Step, state: Tensor
    ) -> Tensor:
        if isinstance(step, Block):
            inverse = adjoint(self._matrices(segment, built, step))
            return self._into(partial(apply_block, inverse, step.wires), state)
        if isinstance(step, Move):
            return self._into(partial(reorder, index(step, True, state.device), step.wires), state)
        turns = self._factors(segment, built, step).conj_physical()
        return self._into(partial(_multiply, turns), state)

    def _applied(
        self, segment: Segment, built: Sequence[Tensor], step: Step, state: Tensor
    ) -> Tensor:
        if isinstance(step, Block):
            matrices = self._matrices(segment, built, step).detach()
            return self._into(partial(apply_block, matrices, step.wires), state)
        if isinstance(step, Move):
            return self._into(partial(reorder, index(step, False, state.device), step.wires), state)
        return self._into(partial(_multiply, self._factors(segment, built, step)), state)

    def _into(self, write: Callable[[Tensor, Tensor], None], state: Tensor) -> Tensor:
        """Write a step's result to spare room; a state that is not borrowed makes room anew."""
        out = self.spare.pop() if self.spare else torch.empty_like(state)
        write(state, out)
        if not any(state is other for other in self.borrowed):
            self.spare.append(state)
        return out

    def _path_bytes(self, state: Tensor) -> int:
        n_steps = sum(len(segment.steps) for segment in self.plan.segments)
        return n_steps * state.numel() * state.element_size()

    def _segment_built(self, segment: Segment, *, has_graph: bool = False) -> list[Tensor]:
        return self._recalled(segment, partial(self._build, segment), has_graph)

    def _prefix_built(self, prefix: Prefix, *, has_graph: bool = False) -> list[Tensor]:
        return self._recalled(prefix, partial(self._product, prefix), has_graph)

    def _recalled(
        self, recipe: Segment | Prefix, make: Callable[[Sequence[Tensor]], list[Tensor]],
        has_graph: bool,
    ) -> list[Tensor]:  # fmt: skip
        """What a recipe makes, with a graph to the sources if that is asked for, or kept."""
        if recipe in self.built:
            return self.built[recipe]
        if not has_graph and not self.is_kept:
            return make(self.sources.params)
        made = self.sources.build(make)
        if self.is_kept:
            self.built[recipe] = made
        return made

    def _aligned(self) -> list[Tensor]:
        """Leaves as parameters `(m, batch, *event)`, or `(m, *event)` where nothing is batched."""
        own = zip(self.circuit.per_op(self.leaves), self.circuit.per_op(self.levels),
                  self.keys, strict=True)  # fmt: skip
        return [
            self.axes.expand(leaf, levels, key).movedim(len(key), 0).flatten(1, len(key))
            if key
            else leaf
            for leaves, all_levels, key in own
            for leaf, levels in zip(leaves, all_levels, strict=True)
        ]

    def _params(self, aligned: Iterable[Tensor]) -> Params:
        batches = ((math.prod(self.axes.shape(key)),) if key else () for key in self.keys)
        return self.circuit.params(aligned, batches)

    def _build(self, segment: Segment, aligned: Sequence[Tensor]) -> list[Tensor]:
        return build(segment, self._params(aligned), *self.options)

    def _product(self, prefix: Prefix, aligned: Sequence[Tensor]) -> list[Tensor]:
        return [product(prefix, self._params(aligned), *self.options)]

    def _by_leaf(self, place: int, by_param: Tensor) -> Tensor:
        """Gradient of a leaf, its levels first, of that of its parameter."""
        per_op = zip(self.keys, self.circuit.per_op(self.leaves), strict=True)
        key = [key for key, own in per_op for _ in own][place]
        if not key:
            return by_param
        split = by_param.unflatten(1, self.axes.shape(key)).movedim(0, len(key))
        return self.axes.reduce(split, key, union(self.axes.outer, self.levels[place]))

    def _matrices(self, segment: Segment, built: Sequence[Tensor], block: Block) -> Tensor:
        """One block's matrix, `(1, K, K)`, or `(lead, K, K)` if there are many."""
        matrices = built[block.stack][:, block.position]
        return self.to_lead(matrices, segment.stacks[block.stack].key)

    def _factors(self, segment: Segment, built: Sequence[Tensor], shift: Shift) -> Tensor:
        """One factor per amplitude, `(1 or lead, 2**n, 1)`."""
        recipe = segment.phases[shift.place]
        values = built[len(segment.stacks) + shift.place]
        return self.to_lead(_phases.factors(recipe, values), recipe.key)[..., None]

    def to_lead(self, tensor: Tensor, key: BatchKey) -> Tensor:
        """Expand `(batch, ...)` to `(lead, ...)`, unless it is one for all."""
        if not key:
            return tensor
        split = tensor.unflatten(0, self.axes.shape(key))
        return self.axes.expand(split, key, self.lead).flatten(0, len(self.lead) - 1)

    def by_key(self, each: Tensor, key: BatchKey) -> Tensor:
        """Sum `(lead, ...)` over the levels that are not in a key: `(batch, ...)`."""
        split = each.reshape(*self.axes.shape(self.lead), *each.shape[1:])
        return self.axes.reduce(split, self.lead, key).reshape(-1, *each.shape[1:])

    def _start(self) -> Tensor:
        """The product state of the prefix, or |0...0⟩."""
        prefix = self.plan.prefix
        if prefix is None:
            dtype, device = self.options
            return self._packed(zero_state(self.circuit.n_qubits, dtype=dtype, device=device), ())
        (start,) = self._prefix_built(prefix)
        split = start.detach().reshape(-1, *self.axes.shape(prefix.key))
        return self._packed(split.movedim(0, -1), prefix.key)

    def _borrow(self, state: Tensor, own: Levels) -> Tensor:
        self.borrowed.append(self._packed(state, own))
        return self.borrowed[-1]

    def _packed(self, state: Tensor, own: Levels) -> Tensor:
        """Bring a state with its levels first to the layout of the run, contiguous."""
        full = self.axes.expand(state, own, self.everything)
        place = self.everything.index
        order = [*map(place, self.lead), len(self.everything), *map(place, self.last)]
        lead = math.prod(self.axes.shape(self.lead))
        return full.permute(order).reshape(lead, state.shape[-1], -1).contiguous()

    def _unpacked(self, state: Tensor, wanted: Levels) -> Tensor:
        """Bring a state to the layout of its callers, summed over levels that are not wanted."""
        lead, last = self.axes.shape(self.lead), self.axes.shape(self.last)
        split = state.reshape(*lead, -1, *last).movedim(len(lead), -1)
        return self.axes.reduce(split, self.lead + self.last, wanted)


def _multiply(factors: Tensor, state: Tensor, out: Tensor) -> None:
    torch.mul(state, factors, out=out)


class _Sources:
    """Parameters whose gradients come through several builds."""

    def __init__(self, params: Sequence[Tensor], recorded: Sequence[bool]) -> None:
        self.params = [
            param.detach().requires_grad_() if is_recorded else param.detach()
            for param, is_recorded in zip(params, recorded, strict=True)
        ]

    def build(self, make: Callable[[Sequence[Tensor]], list[Tensor]]) -> list[Tensor]:
        """Make something with a graph."""
        with torch.enable_grad():
            return make(self.params)

    def zeros(self, wanted: Sequence[bool]) -> dict[int, Tensor]:
        """Sums to collect in, by the place of each wanted parameter."""
        pairs = zip(self.params, wanted, strict=True)
        return {
            i: torch.zeros_like(param) for i, (param, is_wanted) in enumerate(pairs) if is_wanted
        }

    def collect(
        self, built: Sequence[Tensor], gradients: Sequence[Tensor | None],
        sums: dict[int, Tensor], *, is_kept: bool,
    ) -> None:  # fmt: skip
        """Add what gradients of built tensors say of the parameters."""
        pairs = [(b, g) for b, g in zip(built, gradients, strict=True) if b.requires_grad]
        if not pairs or not sums:
            return
        sources = [self.params[place] for place in sums]
        outputs, by_output = zip(*pairs, strict=True)
        found = torch.autograd.grad(
            outputs, sources, by_output, allow_unused=True, retain_graph=is_kept
        )
        for place, gradient in zip(sums, found, strict=True):
            if gradient is not None:
                sums[place] = sums[place] + gradient


@dataclass
class Tape:
    """What a run leaves for the way back, filled when it runs.

    Attributes:
        recorded: Which packed leaves may be asked for a gradient.
        run: The run.
    """

    recorded: tuple[bool, ...]
    run: Run | None = None

    def rerun(
        self, circuit: Static, axes: Axes, from_zero: bool, packed: Sequence[Tensor],
        wanted: Sequence[bool],
    ) -> Run:  # fmt: skip
        """The run on tape, if it was of the same tensors, or a new one."""
        run = self.run
        if run is None or run.axes != axes or not _are_same(run.packed, packed):
            return Run(circuit, axes, from_zero, packed, wanted)
        assert all(was or not now for was, now in zip(self.recorded, wanted, strict=True))
        return run


def _are_same(tensors: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    pairs = zip(tensors, others, strict=True)
    return all(
        a.data_ptr() == b.data_ptr() and a.shape == b.shape and a.stride() == b.stride()
        for a, b in pairs
    )
