"""A planned run with tangents, and its walk back: the jvps of `evolve` and of its vjp.

Tangents usually come in many directions at once, as levels that no state and no leaf carries. Each
direction adds rows to the matrix products; states and matrices are the same for all of them.

A *jet* is a state and its tangents in all directions as one tensor, `(pair, lead, 2**n, last,
1 + n_directions)`: first the state, then its tangents. A state `ψ' = U ψ` has the tangent
`ψ̇' = U ψ̇ + U̇ ψ`. The way back is the same step with `U†` and `U̇†`, taken by the state and its
cotangent as a pair; their products are the gradients of the steps, and the tangents of these.
"""

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from functools import partial
from itertools import compress
from typing import Any, NamedTuple

import torch
from torch import Tensor

from quilt_func.evolution.batching import BatchAxes, Levels, union
from quilt_func.evolution.layout import Layout
from quilt_func.evolution.planner import Segment
from quilt_func.evolution.signature import Signature
from quilt_func.evolution.steps import Built, Prefix, Recipe, product
from quilt_func.evolution.tangents.jacobians import Leaf, Pushforward, pushforward


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
        n_packed, spread = len(leaves), circuit.packing.spread
        self.circuit, self.axes, self.wanted = circuit, axes, wanted
        self.fixed = union(states[0], *axes.levels[:n_packed])
        everything = union(*states, *axes.levels)
        self.new = tuple(level for level in everything if level not in self.fixed)
        self.n_directions = math.prod(axes.shape(self.new))
        self.levels: list[Levels] = spread(axes.levels[:n_packed])
        of_tangents: list[Levels] = spread(axes.levels[n_packed:])
        self.keys = self._keys(of_tangents)
        own = zip(self.keys, circuit.places, strict=True)
        self.key_of_leaf = [key for key, places in own for _ in places]
        self.plan = circuit.plan(self.keys, from_zero)
        self.constants = self.plan.on(circuit.dtype, circuit.device)
        lead = self.plan.levels
        last = tuple(level for level in self.fixed if level not in lead)
        self.layout = Layout(axes, lead, last)
        self.of_tangents = Layout(axes, lead, last + self.new)
        self.moving = self._moving(leaves, tangents, of_tangents)
        self.leaves = self._leaves()
        self.jets: dict[int, Tensor] = {}

    def push(self, state: WithTangent | None, levels: Sequence[Levels]) -> tuple[Tensor, Tensor]:
        """The state after the run, and its tangent, their levels first."""
        jet = self._advanced(self._start(state, levels), ())
        return self._parted(jet[0], self.fixed, union(self.fixed, self.new))

    def walk_back(
        self, start: WithTangent | None, of_start: Sequence[Levels], output: WithTangent,
        of_output: Sequence[Levels], gradient: WithTangent, of_gradient: Sequence[Levels],
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:  # fmt: skip
        """Gradients of the state and of packed leaves, where wanted, and their tangents."""
        jet = torch.cat([self._jet(output, of_output), self._jet(gradient, of_gradient)])
        if self.plan.irreversible:
            self._advanced(self._start(start, of_start), self.plan.irreversible)
        sums: dict[int, Tensor] = {}
        number = len(self.plan.steps)
        for segment in reversed(self.plan.segments):
            made, operands = self._operands(segment, is_back=True)
            parts: list[dict[int, Tensor]] = [{} for _ in made]
            for step in reversed(segment.steps):
                number -= 1
                i = step.recipe
                jet, part = step.push(
                    *operands[i], jet, is_back=True, known=self.jets.get(number),
                    is_wanted=i is not None and made[i].is_wanted,
                )  # fmt: skip
                if part is not None and i is not None:
                    parts[i][step.position] = self.layout.by_key(part, segment.recipes[i].key)
            for recipe, one, own in zip(segment.recipes, made, parts, strict=True):
                _add(sums, one.pull(recipe.join(own, self.constants)) if own else ())
        if self.plan.prefix is not None:
            built = self._made(self.plan.prefix)
            _add(sums, built.pull(self._by_start(jet[1], self.plan.prefix.key)))
        found = self._by_packed(sums)
        if self.wanted[0]:
            levels = union(self.axes.outer, of_start[0])
            value, rest = self._parted(jet[1], self._kept(levels), levels)
            found = [(value.contiguous(), rest.contiguous()), *found]
        values, tangents = zip(*found, strict=True)
        return values, tangents

    def _advanced(self, jet: Tensor, noted: Container[int]) -> Tensor:
        """The jet after all steps; those before some steps are noted."""
        number = 0
        for segment in self.plan.segments:
            _, operands = self._operands(segment, is_back=False)
            for step in segment.steps:
                if number in noted:
                    self.jets[number] = jet
                jet, _ = step.push(*operands[step.recipe], jet, is_back=False, is_wanted=False)
                number += 1
        return jet

    def _operands(
        self, segment: Segment, *, is_back: bool
    ) -> tuple[list[Pushforward], dict[int | None, tuple[Any, Any]]]:
        """What a segment builds, and of each recipe what `Step.push` takes."""
        made = [self._made(recipe) for recipe in segment.recipes]
        built = Built([one.value for one in made], segment.recipes, self.constants, self.layout)
        found: dict[int | None, tuple[Any, Any]] = {None: (None, None)}
        for i, (recipe, one) in enumerate(zip(segment.recipes, made, strict=True)):
            found[i] = recipe.operands_of_tangents(one.value, one.tangent, built, is_back=is_back)
        return made, found

    def _made(self, recipe: Recipe | Prefix) -> Pushforward:
        own = {op: self.leaves[op] for op in recipe.ops}
        if isinstance(recipe, Prefix):
            build = partial(product, recipe)
            return pushforward(build, recipe, own, self.n_directions, self.constants)
        return pushforward(recipe.build, recipe.rotations, own, self.n_directions, self.constants)

    def _keys(self, of_tangents: Iterable[Levels]) -> tuple[Levels, ...]:
        """Batch keys of the ops: without directions, and where gradients are wanted with theirs."""
        wanted = self.circuit.packing.spread(self.wanted[1:])
        columns: list[list[list[Any]]] = [
            self.circuit.per_op(one) for one in (self.levels, of_tangents, wanted)
        ]
        return self.circuit.joined(
            self._kept(*levels, *tangents, self.axes.outer if any(is_wanted) else ())
            for levels, tangents, is_wanted in zip(*columns, strict=True)
        )

    def _kept(self, *levels: Levels) -> Levels:
        """Some levels, without those of directions."""
        return tuple(level for level in union(*levels) if level not in self.new)

    def _moving(
        self, leaves: Sequence[Tensor], tangents: Sequence[Tensor | None],
        of_tangents: Iterable[Levels],
    ) -> list[Leaf]:  # fmt: skip
        """Leaves as parameters, with their tangents."""
        packing, to_parameter = self.circuit.packing, self.axes.to_parameter
        filled = (leaf if t is None else t for leaf, t in zip(leaves, tangents, strict=True))
        rows = zip(
            packing.unpack(leaves), self.levels, packing.unpack(filled), of_tangents,
            packing.spread(tangent is not None for tangent in tangents),
            packing.spread(self.wanted[1:]), self.key_of_leaf, strict=True,
        )  # fmt: skip
        return [
            Leaf(
                to_parameter(leaf, levels, key),
                to_parameter(tangent, of_tangent, key, self.new) if has_tangent else None,
                place,
                is_wanted,
            )
            for place, (leaf, levels, tangent, of_tangent, has_tangent, is_wanted, key)
            in enumerate(rows)
        ]  # fmt: skip

    def _leaves(self) -> list[list[Leaf]]:
        """Parameters of each op: its leaves, and its numbers."""
        batches = ((math.prod(self.axes.shape(key)),) for key in self.keys)
        params = self.circuit.params((leaf.value for leaf in self.moving), batches)
        moving = iter(self.moving)
        return [
            [next(moving) if p is None else Leaf(value) for p, value in zip(weak, own, strict=True)]
            for weak, own in zip(self.circuit.weak, params, strict=True)
        ]

    def _start(self, state: WithTangent | None, levels: Sequence[Levels]) -> Tensor:
        """The jet of the given state, of the product state of the prefix, or of |0...0⟩."""
        if state is not None:
            return self._jet(state, levels)
        prefix = self.plan.prefix
        if prefix is None:
            return self._jet(WithTangent(self.circuit.zero(), None), ((), ()))
        start, key = self._made(prefix), prefix.key
        value, tangent = start.value.reshape(*self.axes.shape(key), -1), start.tangent
        if tangent is not None:
            tangent = tangent.reshape(*self.axes.shape(key + self.new), -1)
        return self._jet(WithTangent(value, tangent), (key, key + self.new))

    def _by_start(self, jet: Tensor, key: Levels) -> Tensor:
        """Gradient of the product state and its tangents, as `Pushforward.pull` takes it."""
        value, tangents = self._parted(jet, key, key + self.new)
        size = value.shape[-1]
        parts = value.reshape(-1, 1, size), tangents.reshape(-1, self.n_directions, size)
        return torch.cat(parts, 1)

    def _by_packed(self, sums: Mapping[int, Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Gradients of the wanted packed leaves, and their tangents."""
        packing, outer = self.circuit.packing, self.axes.outer
        values: dict[int, Tensor] = {}
        tangents: dict[int, Tensor] = {}
        for place, (leaf, key) in enumerate(zip(self.moving, self.key_of_leaf, strict=True)):
            if leaf.is_wanted:
                m, batch, *event = leaf.value.shape
                jet = sums.get(place, leaf.value.new_zeros(m, batch, 1 + self.n_directions, *event))
                value, rest, own = jet[:, :, 0], jet[:, :, 1:], union(outer, self.levels[place])
                values[place] = self.axes.to_leaf(value, [key], self._kept(own))
                tangents[place] = self.axes.to_leaf(rest, [key, self.new], own)
        groups = compress(packing.groups, self.wanted[1:])
        return [(packing.pack(values, group), packing.pack(tangents, group)) for group in groups]

    def _jet(self, state: WithTangent, levels: Sequence[Levels]) -> Tensor:
        """A state and its tangent, their levels first, in the layout of the run."""
        value = self.layout.pack(state.value, levels[0])[None, ..., None]
        shape = *value.shape[:-1], self.n_directions
        if state.tangent is None:
            return torch.cat([value, value.new_zeros(shape)], -1)
        return torch.cat([value, self.of_tangents.pack(state.tangent, levels[1]).view(shape)], -1)

    def _parted(self, jet: Tensor, of_value: Levels, of_tangent: Levels) -> tuple[Tensor, Tensor]:
        """A state and its tangent, levels first, summed over levels that are not wanted."""
        return (
            self.layout.unpack(jet[..., 0], of_value),
            self.of_tangents.unpack(jet[..., 1:], of_tangent),
        )


def _add(sums: dict[int, Tensor], found: Iterable[tuple[int, Tensor]]) -> None:
    for place, jet in found:
        sums[place] = sums[place] + jet if place in sums else jet
