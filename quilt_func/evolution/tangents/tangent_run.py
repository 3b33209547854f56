"""A planned run with tangents, and its walk back: the jvps of `evolve` and of its vjp.

Tangents usually come in many directions at once, as levels that no state and no leaf carries. Each
direction adds rows to the matrix products; states and matrices are the same for all of them.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from quilt_func.evolution.batching import BatchAxes, Levels, union
from quilt_func.evolution.layout import Layout
from quilt_func.evolution.planner import Segment
from quilt_func.evolution.signature import Signature
from quilt_func.evolution.steps import BatchKey, Params, Prefix, Recipe, product
from quilt_func.evolution.tangents.jacobians import ByLeaf, Leaf, Pushforward, pushforward
from quilt_func.evolution.tangents.jet_steps import JetSteps


class WithTangent(NamedTuple):
    """A tensor and its tangent; None stands for a tangent that is zero throughout."""

    value: Tensor
    tangent: Tensor | None


class TangentRun:
    """A run on plain tensors of states and leaves that have tangents.

    Attributes:
        new: Levels that only tangents carry, the directions.
        fixed: All other levels.
    """

    def __init__(
        self, circuit: Signature, axes: BatchAxes, from_zero: bool, leaves: Sequence[Tensor],
        tangents: Sequence[Tensor | None], states: Sequence[Levels], wanted: Sequence[bool],
    ) -> None:  # fmt: skip
        """Plan a run.

        Args:
            circuit: Signature of the ops.
            axes: Batch axes of the packed leaves, then of their tangents.
            from_zero: Whether the run starts with |0...0⟩.
            leaves: Packed leaves.
            tangents: Tangents of packed leaves; None for zero.
            states: Levels of the states to run, and those of their tangents.
            wanted: Whether gradients of the state and of each of the packed leaves are.
        """
        packing, n_packed = circuit.packing, len(leaves)
        self.circuit, self.axes = circuit, axes
        self.leaves, self.levels = packing.unpack(leaves), packing.spread(axes.levels[:n_packed])
        filled = [leaf if t is None else t for leaf, t in zip(leaves, tangents, strict=True)]
        have_tangents = packing.spread(tangent is not None for tangent in tangents)
        pairs = zip(packing.unpack(filled), have_tangents, strict=True)
        self.tangents = [tangent if has_tangent else None for tangent, has_tangent in pairs]
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
        self.constants = self.plan.on(circuit.dtype, circuit.device)
        lead = self.plan.levels
        last = tuple(level for level in self.fixed if level not in lead)
        self.layout = Layout(axes, lead, last)
        self.jets: dict[int, Tensor] = {}

    def push(self, state: WithTangent | None, levels: Sequence[Levels]) -> tuple[Tensor, Tensor]:
        """The state after the run, and its tangent, their levels first."""
        leaves = self._leaves()
        if state is None:
            state, levels = self._started(leaves)
        jet = self._advanced(self._jet(state, levels), leaves, frozenset())
        return self._parted(jet[0], self.fixed, union(self.fixed, self.new))

    def _advanced(
        self, jet: Tensor, leaves: Sequence[Sequence[Leaf]], kept: frozenset[int]
    ) -> Tensor:
        """The jet after all steps; those before `kept` steps are noted."""
        number = 0
        for segment in self.plan.segments:
            steps = self._steps(segment, leaves, is_back=False)
            for step in segment.steps:
                if number in kept:
                    self.jets[number] = jet
                jet = steps.taken(step, jet)
                number += 1
        return jet

    def _steps(
        self, segment: Segment, leaves: Sequence[Sequence[Leaf]], *, is_back: bool
    ) -> JetSteps:
        made_ = [self._made_of(recipe, leaves) for recipe in segment.recipes]
        return JetSteps(segment, made_, self.constants, self.layout, is_back=is_back)

    def walk_back(
        self, start: WithTangent | None, of_start: Sequence[Levels], output: WithTangent,
        of_output: Sequence[Levels], gradient: WithTangent, of_gradient: Sequence[Levels],
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:  # fmt: skip
        """Gradients of the state and of packed leaves, where wanted, and their tangents."""
        jet = torch.cat([self._jet(output, of_output), self._jet(gradient, of_gradient)])
        leaves = self._leaves()
        if self.plan.irreversible:
            before, levels = self._started(leaves) if start is None else (start, of_start)
            kept = frozenset(self.plan.irreversible)
            self._advanced(self._jet(before, levels), leaves, kept)
        sums: dict[int, ByLeaf] = {}
        number = len(self.plan.steps)
        for segment in reversed(self.plan.segments):
            steps = self._steps(segment, leaves, is_back=True)
            for step in reversed(segment.steps):
                number -= 1
                jet = steps.taken(step, jet, self.jets.get(number))
            _add(sums, steps.pulled())
        prefix = self.plan.prefix
        if prefix is not None:
            built = self._made_start(prefix, leaves)
            if built.is_wanted:
                _add(sums, built.pull(self._by_start(jet[1], prefix.key)))
        found = [self._by_state(jet[1], of_start[0])] if self.is_state_wanted else []
        found += self._by_packed(leaves, sums)
        values, tangents = zip(*found, strict=True)
        return values, tangents

    def _keys(self) -> list[Levels]:
        columns: list[list[list[Any]]] = [
            self.circuit.per_op(one) for one in (self.levels, self.tangent_levels, self.wanted)
        ]
        return [
            self._kept(*levels, *tangents, self.axes.outer if any(is_wanted) else ())
            for levels, tangents, is_wanted in zip(*columns, strict=True)
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
        value = self._arranged(leaf, levels, key).movedim(len(key), 0)
        value = value.reshape(len(value), -1, *event)
        if tangent is not None:
            full = self._arranged(tangent, of_tangent, (*key, *self.new))
            tangent = full.movedim(len(key) + len(self.new), 0)
            tangent = tangent.reshape(*value.shape[:2], self.n_directions, *event)
        return Leaf(value, tangent, place, is_wanted)

    def _made_of(self, recipe: Recipe, leaves: Sequence[Sequence[Leaf]]) -> Pushforward:
        def make(params: Params, turned: Tensor | None) -> Tensor:
            found = recipe.build(params, self.constants, turned)
            return found if found.ndim > 2 else found.unsqueeze(1)

        own = {op: leaves[op] for op in recipe.ops}
        return pushforward(make, recipe.rotations, own, self.n_directions, self.constants)

    def _made_start(self, prefix: Prefix, leaves: Sequence[Sequence[Leaf]]) -> Pushforward:
        """The product state to start from, `(batch, 1, 2**n)`."""

        def make(params: Params, turned: Tensor | None) -> Tensor:
            return product(prefix, params, self.constants, turned).mT.unsqueeze(1)

        own = {op: leaves[op] for op in prefix.ops}
        return pushforward(make, prefix, own, self.n_directions, self.constants)

    def _started(
        self, leaves: Sequence[Sequence[Leaf]]
    ) -> tuple[WithTangent, tuple[Levels, Levels]]:
        """The product state of the prefix, or |0...0⟩, and its levels."""
        prefix = self.plan.prefix
        if prefix is None:
            return WithTangent(self.circuit.zero(), None), ((), ())
        start, key = self._made_start(prefix, leaves), prefix.key
        levels = key, (*key, *self.new)
        value = start.value.reshape(*self.axes.shape(key), -1)
        if start.tangent is None:
            return WithTangent(value, None), levels
        return WithTangent(value, start.tangent.reshape(*self.axes.shape(levels[1]), -1)), levels

    def _by_start(self, jet: Tensor, key: BatchKey) -> Tensor:
        """Gradient of the product state and its tangents, as `Pushforward.pull` takes it."""
        levels = union(key, self.new)
        value, tangents = self._parted(jet, key, levels)
        size = value.shape[-1]
        tangents = self._arranged(tangents, levels, (*key, *self.new))
        parts = value.reshape(-1, 1, 1, size), tangents.reshape(-1, self.n_directions, 1, size)
        return torch.cat(parts, 1)

    def _by_state(self, jet: Tensor, levels: Levels) -> tuple[Tensor, Tensor]:
        kept = self._kept(self.axes.outer, levels)
        value, tangents = self._parted(jet, kept, union(self.axes.outer, levels))
        return value.contiguous(), tangents.contiguous()

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

    def _jet(self, state: WithTangent, levels: Sequence[Levels]) -> Tensor:
        """A state and its tangent, their levels first, in the layout of the run."""
        here = (*self.layout.lead, *self.layout.last)
        value = self._in_layout(state.value, levels[0], here).unsqueeze(-1)
        if state.tangent is None:
            tangent = value.new_zeros((*value.shape[:-1], self.n_directions))
        else:
            flat = self._in_layout(state.tangent, levels[1], (*here, *self.new))
            tangent = flat.view(*value.shape[:-1], self.n_directions)
        return torch.cat([value, tangent], -1)

    def _in_layout(self, state: Tensor, own: Levels, levels: Levels) -> Tensor:
        full = self._arranged(state, own, levels).movedim(-1, len(self.layout.lead))
        return full.reshape(1, math.prod(self.axes.shape(self.layout.lead)), state.shape[-1], -1)

    def _parted(self, jet: Tensor, of_value: Levels, of_tangent: Levels) -> tuple[Tensor, Tensor]:
        """A state and its tangent, levels first, summed over levels that are not wanted."""
        levels = (*self.layout.last, *self.new)
        tangents = jet[..., 1:].reshape(
            *self.axes.shape(self.layout.lead), -1, *self.axes.shape(levels)
        )
        tangents = tangents.movedim(len(self.layout.lead), -1)
        return (
            self.layout.unpack(jet[..., 0], of_value),
            self.axes.reduce(tangents, (*self.layout.lead, *levels), of_tangent),
        )

    def _arranged(self, tensor: Tensor, own: Levels, wanted: Levels) -> Tensor:
        """Order and expand a tensor's levels, which come first and are all among the wanted."""
        kept = tuple(level for level in wanted if level in own)
        order = (*map(own.index, kept), *range(len(own), tensor.ndim))
        return self.axes.expand(tensor.permute(order), kept, wanted)


def _add(sums: dict[int, ByLeaf], found: Iterable[ByLeaf]) -> None:
    for one in found:
        if one.place in sums:
            one = ByLeaf(one.place, sums[one.place].jet + one.jet)
        sums[one.place] = one
