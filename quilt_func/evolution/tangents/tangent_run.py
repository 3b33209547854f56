"""A planned run of leaves that move: the forward rule of `evolve`, on plain tensors.

Tangents usually come in many directions at once: as levels that no state and no leaf carries. A
direction is some more rows of a matrix product, and what is differentiated is run once for all.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from quilt_func.evolution.batching import Axes, Levels, union
from quilt_func.evolution.planner import Segment
from quilt_func.evolution.reversible_run import Run
from quilt_func.evolution.signature import Static
from quilt_func.evolution.steps.block_build import blocks, coefficients_of, product
from quilt_func.evolution.steps.block_recipe import BatchKey, Prefix, Stack
from quilt_func.evolution.steps.diagonal_phases import Phases
from quilt_func.evolution.tangents.jacobians import ByLeaf, Leaf, Made, made, made_of_any
from quilt_func.evolution.tangents.jet_steps import Steps
from quilt_func.states import zero_state


class Moving(NamedTuple):
    """A tensor and its tangent; None stands for a tangent that is zero throughout."""

    value: Tensor
    tangent: Tensor | None


class TangentRun(Run):
    """A run of leaves that move. See `Run` for levels and layout.

    Attributes:
        new: Levels that only tangents carry, the directions.
        fixed: All other levels.
    """

    def __init__(
        self, circuit: Static, axes: Axes, from_zero: bool, leaves: Sequence[Tensor],
        tangents: Sequence[Tensor | None], states: Sequence[Levels], wanted: Sequence[bool],
    ) -> None:  # fmt: skip
        """Plan a run.

        Args:
            circuit: Static part of the ops.
            axes: Batch axes of the packed leaves, then of their tangents.
            from_zero: Whether the run starts with |0...0⟩.
            leaves: Packed leaves.
            tangents: Tangents of packed leaves; None where they do not move.
            states: Levels of the states to run, and those of their tangents.
            wanted: Whether gradients of the state and of each of the packed leaves are.
        """
        packing, n_packed = circuit.packing, len(leaves)
        self.circuit, self.axes, self.options = circuit, axes, (circuit.dtype, circuit.device)
        self.leaves, self.levels = packing.unpack(leaves), packing.spread(axes.levels[:n_packed])
        filled = [leaf if t is None else t for leaf, t in zip(leaves, tangents, strict=True)]
        moves = packing.spread(tangent is not None for tangent in tangents)
        pairs = zip(packing.unpack(filled), moves, strict=True)
        self.tangents = [tangent if does_move else None for tangent, does_move in pairs]
        self.tangent_levels: list[Levels] = packing.spread(axes.levels[n_packed:])
        self.wanted_packed = wanted[1:]
        self.is_state_wanted = wanted[0]
        self.wanted: list[bool] = packing.spread(wanted[1:])
        self.fixed = union(states[0], *axes.levels[:n_packed])
        everything = union(*states, *axes.levels)
        self.new = tuple(level for level in everything if level not in self.fixed)
        self.n_directions = math.prod(axes.shape(self.new))
        self.keys = self._keys()
        self.plan = circuit.plan(self.keys, from_zero)
        self.lead = union(*(key for segment in self.plan.segments for key in segment.keys))
        self.last = tuple(level for level in self.fixed if level not in self.lead)

    def push(self, state: Moving | None, levels: Sequence[Levels]) -> tuple[Tensor, Tensor]:
        """The state after the run, and its tangent, their levels first."""
        leaves = self._leaves()
        if state is None:
            state, levels = self._started(leaves)
        jet = self._jet(state, levels)
        for segment in self.plan.segments:
            steps = Steps(self, segment, self._made(segment, leaves), is_back=False)
            for step in segment.steps:
                jet = steps.taken(step, jet)
        return self._parted(jet[0], self.fixed, union(self.fixed, self.new))

    def walk_back(
        self, output: Moving, of_output: Sequence[Levels], gradient: Moving,
        of_gradient: Sequence[Levels], of_state: Levels,
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:  # fmt: skip
        """Gradients of the state and of packed leaves, where wanted, and their tangents."""
        jet = torch.cat([self._jet(output, of_output), self._jet(gradient, of_gradient)])
        leaves = self._leaves()
        sums: dict[int, ByLeaf] = {}
        for segment in reversed(self.plan.segments):
            steps = Steps(self, segment, self._made(segment, leaves), is_back=True)
            for step in reversed(segment.steps):
                jet = steps.taken(step, jet)
            _add(sums, steps.pulled())
        prefix = self.plan.prefix
        if prefix is not None:
            start = self._made_start(prefix, leaves)
            if start.is_wanted:
                _add(sums, start.pull(self._by_start(jet[1], prefix.key)))
        found = [self._by_state(jet[1], of_state)] if self.is_state_wanted else []
        found += self._by_packed(leaves, sums)
        values, tangents = zip(*found, strict=True)
        return values, tangents

    def _keys(self) -> list[Levels]:
        columns: list[list[list[Any]]] = [
            self.circuit.per_op(one) for one in (self.levels, self.tangent_levels, self.wanted)
        ]
        return [
            self._kept(*levels, *moved, self.axes.outer if any(is_wanted) else ())
            for levels, moved, is_wanted in zip(*columns, strict=True)
        ]

    def _kept(self, *levels: Levels) -> Levels:
        """Some levels, without those of directions."""
        return tuple(level for level in union(*levels) if level not in self.new)

    def _leaves(self) -> list[list[Leaf]]:
        """Parameters of each op, `(m, batch, *event)`, and their tangents."""
        rows = zip(
            self.leaves, self.levels, self.tangents, self.tangent_levels, self.wanted,
            range(len(self.leaves)), strict=True,
        )  # fmt: skip
        real = self.circuit.dtype.to_real()
        found = []
        for op, weak, key in zip(self.circuit.ops, self.circuit.weak, self.keys, strict=True):
            shape = len(op.wires), math.prod(self.axes.shape(key))
            numbers = (torch.full(shape, p, dtype=real, device=self.circuit.device)
                       if p is not None else None for p in weak)  # fmt: skip
            found.append([
                Leaf(n, None, None, False) if n is not None else self._leaf(key, *next(rows))
                for n in numbers
            ])  # fmt: skip
        return found

    def _leaf(
        self, key: Levels, leaf: Tensor, levels: Levels, tangent: Tensor | None,
        of_tangent: Levels, is_wanted: bool, place: int,
    ) -> Leaf:  # fmt: skip
        event = leaf.shape[len(levels) + 1 :]
        value = self._first_axis(self._arranged(leaf, levels, key), len(key))
        value = value.reshape(len(value), -1, *event)
        if tangent is not None:
            full = self._arranged(tangent, of_tangent, (*key, *self.new))
            tangent = self._first_axis(full, len(key) + len(self.new))
            tangent = tangent.reshape(*value.shape[:2], self.n_directions, *event)
        return Leaf(value, tangent, place, is_wanted)

    def _first_axis(self, tensor: Tensor, axis: int) -> Tensor:
        return tensor.movedim(axis, 0) if axis else tensor

    def _made(self, segment: Segment, leaves: Sequence[Sequence[Leaf]]) -> list[Made]:
        return [
            *(self._made_stack(stack, leaves) for stack in segment.stacks),
            *(self._made_phases(phases, leaves) for phases in segment.phases),
        ]

    def _made_stack(self, stack: Stack, leaves: Sequence[Sequence[Leaf]]) -> Made:
        def make(params: Mapping[int, Sequence[Tensor]], shifted: Tensor | None) -> Tensor:
            return blocks(stack, params, *self.options, shifted)

        return made(make, stack, _of_table(stack, leaves), self.n_directions)

    def _made_phases(self, phases: Phases, leaves: Sequence[Sequence[Leaf]]) -> Made:
        def make(params: Mapping[int, Sequence[Tensor]], _: Tensor | None) -> Tensor:
            return coefficients_of(phases, params).unsqueeze(1)

        return made_of_any(make, {op: leaves[op] for op in phases.ops}, self.n_directions)

    def _made_start(self, prefix: Prefix, leaves: Sequence[Sequence[Leaf]]) -> Made:
        """The product state to start from, `(batch, 1, 2**n)`."""

        def make(params: Mapping[int, Sequence[Tensor]], shifted: Tensor | None) -> Tensor:
            return product(prefix, params, *self.options, shifted).mT.unsqueeze(1)

        return made(make, prefix, _of_table(prefix, leaves), self.n_directions)

    def _started(self, leaves: Sequence[Sequence[Leaf]]) -> tuple[Moving, tuple[Levels, Levels]]:
        """The product state of the prefix, or |0...0⟩, and its levels."""
        prefix = self.plan.prefix
        if prefix is None:
            zero = zero_state(self.circuit.n_qubits, dtype=self.options[0], device=self.options[1])
            return Moving(zero, None), ((), ())
        start, key = self._made_start(prefix, leaves), prefix.key
        levels = key, (*key, *self.new)
        value = start.value.reshape(*self.axes.shape(key), -1)
        if start.tangent is None:
            return Moving(value, None), levels
        return Moving(value, start.tangent.reshape(*self.axes.shape(levels[1]), -1)), levels

    def _by_start(self, jet: Tensor, key: BatchKey) -> Tensor:
        """Gradient of the product state and what it moves by, in the form of what was made."""
        levels = union(key, self.new)
        value, moved = self._parted(jet, key, levels)
        size = value.shape[-1]
        moved = self._arranged(moved, levels, (*key, *self.new))
        parts = value.reshape(-1, 1, 1, size), moved.reshape(-1, self.n_directions, 1, size)
        return torch.cat(parts, 1)

    def _by_state(self, jet: Tensor, levels: Levels) -> tuple[Tensor, Tensor]:
        kept = self._kept(self.axes.outer, levels)
        value, moved = self._parted(jet, kept, union(self.axes.outer, levels))
        return value.contiguous(), moved.contiguous()

    def _by_packed(
        self, leaves: Sequence[Sequence[Leaf]], sums: Mapping[int, ByLeaf]
    ) -> list[tuple[Tensor, Tensor]]:
        """Gradients of the wanted packed leaves, and their tangents."""
        found: dict[int, tuple[Tensor, Tensor]] = {}
        for own, key in zip(leaves, self.keys, strict=True):
            for leaf in own:
                if leaf.place is not None and leaf.is_wanted:
                    found[leaf.place] = self._by_moving(leaf, key, sums.get(leaf.place))
        packing = self.circuit.packing
        pairs = zip(packing.groups, self.wanted_packed, strict=True)
        parts = [{p: both[i] for p, both in found.items()} for i in (0, 1)]
        return [
            (packing.pack(parts[0], group), packing.pack(parts[1], group))
            for group, is_wanted in pairs
            if is_wanted
        ]

    def _by_moving(self, leaf: Leaf, key: Levels, by: ByLeaf | None) -> tuple[Tensor, Tensor]:
        """Gradient of a leaf, its levels first, and its tangent."""
        assert leaf.place is not None, "numbers have no gradient"
        size, _, *event = leaf.value.shape
        levels, own = (*key, *self.new), self.levels[leaf.place]
        shapes = [(size, *self.axes.shape(levels), *event) for levels in (key, levels)]
        if by is None:
            value, tangent = (leaf.value.new_zeros(shape) for shape in shapes)
        else:
            value, tangent = by.jet[:, :, 0].reshape(shapes[0]), by.jet[:, :, 1:].reshape(shapes[1])
        return (
            self.axes.reduce(value.movedim(0, len(key)), key, self._kept(self.axes.outer, own)),
            self.axes.reduce(tangent.movedim(0, len(levels)), levels, union(self.axes.outer, own)),
        )

    def _jet(self, state: Moving, levels: Sequence[Levels]) -> Tensor:
        """A state and its tangent, their levels first, in the layout of the run."""
        here = (*self.lead, *self.last)
        value = self._in_layout(state.value, levels[0], here).unsqueeze(-1)
        if state.tangent is None:
            tangent = value.new_zeros((*value.shape[:-1], self.n_directions))
        else:
            flat = self._in_layout(state.tangent, levels[1], (*here, *self.new))
            tangent = flat.view(*value.shape[:-1], self.n_directions)
        return torch.cat([value, tangent], -1)

    def _in_layout(self, state: Tensor, own: Levels, levels: Levels) -> Tensor:
        full = self._arranged(state, own, levels).movedim(-1, len(self.lead))
        return full.reshape(1, math.prod(self.axes.shape(self.lead)), state.shape[-1], -1)

    def _parted(self, jet: Tensor, of_value: Levels, of_tangent: Levels) -> tuple[Tensor, Tensor]:
        """A state and its tangent, levels first, summed over levels that are not wanted."""
        levels = (*self.last, *self.new)
        moved = jet[..., 1:].reshape(*self.axes.shape(self.lead), -1, *self.axes.shape(levels))
        moved = moved.movedim(len(self.lead), -1)
        return (
            self._unpacked(jet[..., 0], of_value),
            self.axes.reduce(moved, (*self.lead, *levels), of_tangent),
        )

    def _arranged(self, tensor: Tensor, own: Levels, wanted: Levels) -> Tensor:
        """Order and expand a tensor's levels, which come first and are all among the wanted."""
        kept = tuple(level for level in wanted if level in own)
        order = (*map(own.index, kept), *range(len(own), tensor.ndim))
        return self.axes.expand(tensor.permute(order), kept, wanted)


def _of_table(
    recipe: Stack | Prefix, leaves: Sequence[Sequence[Leaf]]
) -> dict[int, Sequence[Leaf]]:
    table = recipe.table
    return {op: leaves[op] for op in (*table.turns, *(op for _, ops in table.rows for op in ops))}


def _add(sums: dict[int, ByLeaf], found: Iterable[ByLeaf]) -> None:
    for one in found:
        if one.place in sums:
            one = ByLeaf(one.place, sums[one.place].jet + one.jet)
        sums[one.place] = one
