"""A planned run and its derivative along tangents: the forward rule of `evolve`, on plain tensors.

A state `ψ' = U ψ` has the tangent `ψ̇' = U ψ̇ + U̇ ψ`. The way back is the same step with `U†` and
`U̇†`, taken by the state and the gradient that is pulled, as a pair; their products are the
gradients of the steps, and the tangents of those. Tangents usually come in many directions at once:
as levels that no state and no leaf carries. A direction is some more rows of a matrix product, and
what is differentiated is run once for all of them.

States are `(pair, lead, 2**n, last)`, their tangents `(pair, lead, 2**n, last * directions)`. A
block brings its wires last, and is then a product of rows, wherever these wires are.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from quilt_func import _phases
from quilt_func._directions import ByLeaf, Leaf, Made, made, made_of_any
from quilt_func._moves import Move, index
from quilt_func._phases import Phases
from quilt_func._recipes import BatchKey, Prefix, Stack
from quilt_func._run import Axes, Levels, Run, Static, union
from quilt_func._sweep import reorder
from quilt_func.fusion import blocks, coefficients_of, product
from quilt_func.planning import Block, Segment, Step
from quilt_func.states import zero_state
from quilt_func.typing import WireSet


class Moving(NamedTuple):
    """A tensor and its tangent; None stands for a tangent that is zero throughout."""

    value: Tensor
    tangent: Tensor | None


class States(NamedTuple):
    """States `(pair, lead, 2**n, last)` and tangents `(pair, lead, 2**n, last * directions)`."""

    value: Tensor
    tangent: Tensor


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
        states = self._states(state, levels)
        for segment in self.plan.segments:
            steps = _Steps(self, segment, self._made(segment, leaves), is_back=False)
            for step in segment.steps:
                states = steps.taken(step, states)[0]
        tangent = self._unpacked_tangent(states.tangent[0], union(self.fixed, self.new))
        return self._unpacked(states.value[0], self.fixed), tangent

    def walk_back(
        self, output: Moving, of_output: Sequence[Levels], gradient: Moving,
        of_gradient: Sequence[Levels], of_state: Levels,
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:  # fmt: skip
        """Gradients of the state and of packed leaves, where wanted, and their tangents."""
        pair = self._states(output, of_output), self._states(gradient, of_gradient)
        states = States(*map(torch.cat, zip(*pair, strict=True)))
        leaves = self._leaves()
        sums: dict[int, ByLeaf] = {}
        for segment in reversed(self.plan.segments):
            steps = _Steps(self, segment, self._made(segment, leaves), is_back=True)
            for step in reversed(segment.steps):
                states, before, after = steps.taken(step, states)
                steps.add_products(step, before, after)
            _add(sums, steps.pulled())
        prefix = self.plan.prefix
        if prefix is not None:
            start = self._made_start(prefix, leaves)
            if start.is_wanted:
                _add(sums, start.pull(*self._by_start(states, prefix.key)))
        found = [self._by_state(states, of_state)] if self.is_state_wanted else []
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
        def make(params: Mapping[int, Sequence[Tensor]]) -> Tensor:
            return blocks(stack, params, *self.options)

        return made(make, stack, _of_table(stack, leaves), self.n_directions)

    def _made_phases(self, phases: Phases, leaves: Sequence[Sequence[Leaf]]) -> Made:
        def make(params: Mapping[int, Sequence[Tensor]]) -> Tensor:
            return coefficients_of(phases, params).unsqueeze(1)

        return made_of_any(make, {op: leaves[op] for op in phases.ops}, self.n_directions)

    def _made_start(self, prefix: Prefix, leaves: Sequence[Sequence[Leaf]]) -> Made:
        """The product state to start from, `(batch, 1, 2**n)`."""

        def make(params: Mapping[int, Sequence[Tensor]]) -> Tensor:
            return product(prefix, params, *self.options).mT.unsqueeze(1)

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

    def _by_start(self, states: States, key: BatchKey) -> tuple[Tensor, Tensor]:
        """Gradient of the product state, and its tangent, in the form of what was made."""
        value = self._unpacked(states.value[1], key)
        levels = union(key, self.new)
        moved = self._arranged(
            self._unpacked_tangent(states.tangent[1], levels), levels, (*key, *self.new)
        )
        size = value.shape[-1]
        return value.reshape(-1, 1, size), moved.reshape(-1, self.n_directions, 1, size)

    def _by_state(self, states: States, levels: Levels) -> tuple[Tensor, Tensor]:
        value = self._unpacked(states.value[1], self._kept(self.axes.outer, levels))
        moved = self._unpacked_tangent(states.tangent[1], union(self.axes.outer, levels))
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
        levels = *key, *self.new
        shapes = [(size, *self.axes.shape(own), *event) for own in (key, levels)]
        own = self.levels[leaf.place]
        if by is None:
            value, tangent = (leaf.value.new_zeros(shape) for shape in shapes)
        else:
            value, tangent = by.value.reshape(shapes[0]), by.tangent.reshape(shapes[1])
        return (
            self.axes.reduce(value.movedim(0, len(key)), key, self._kept(self.axes.outer, own)),
            self.axes.reduce(tangent.movedim(0, len(levels)), levels, union(self.axes.outer, own)),
        )

    def _states(self, state: Moving, levels: Sequence[Levels]) -> States:
        """A state and its tangent, their levels first, in the layout of the run."""
        here = (*self.lead, *self.last)
        value = self._in_layout(state.value, levels[0], here)
        if state.tangent is not None:
            return States(value, self._in_layout(state.tangent, levels[1], (*here, *self.new)))
        return States(
            value, value.new_zeros((*value.shape[:-1], value.shape[-1] * self.n_directions))
        )

    def _in_layout(self, state: Tensor, own: Levels, levels: Levels) -> Tensor:
        full = self._arranged(state, own, levels).movedim(-1, len(self.lead))
        return full.reshape(1, math.prod(self.axes.shape(self.lead)), state.shape[-1], -1)

    def _unpacked_tangent(self, tangent: Tensor, wanted: Levels) -> Tensor:
        """A tangent with its levels first, summed over levels that are not wanted."""
        levels = (*self.last, *self.new)
        split = tangent.reshape(*self.axes.shape(self.lead), -1, *self.axes.shape(levels))
        return self.axes.reduce(split.movedim(len(self.lead), -1), (*self.lead, *levels), wanted)

    def _arranged(self, tensor: Tensor, own: Levels, wanted: Levels) -> Tensor:
        """Order and expand a tensor's levels, which come first and are all among the wanted."""
        kept = tuple(level for level in wanted if level in own)
        order = (*map(own.index, kept), *range(len(own), tensor.ndim))
        return self.axes.expand(tensor.permute(order), kept, wanted)


class _Steps:
    """A segment's steps, for states and tangents at once; on the way back those of the adjoint.

    What rows are multiplied by is `(1 or lead, n_blocks, K, K)`, and for a tangent
    `([pair,] 1 or lead, n_blocks, K, directions * K)`. On the way back that is `U̇†`, as `U†` stays
    the inverse of `U`. The matrix of `unitary` may move in any direction: there, a state is undone
    with the tangent of the inverse, `-U† U̇ U†`.
    """

    def __init__(
        self, run: TangentRun, segment: Segment, made: Sequence[Made], *, is_back: bool
    ) -> None:
        self.run = run
        self.segment = segment
        self.made = made
        self.is_back = is_back
        self.products: list[dict[int, Moving]] = [{} for _ in made]
        self.factors = [
            self._of_blocks(segment.stacks[place], one.value, one.tangent)
            if place < len(segment.stacks)
            else self._of_phases(
                segment.phases[place - len(segment.stacks)], one.value, one.tangent
            )
            for place, one in enumerate(made)
        ]

    def taken(self, step: Step, states: States) -> tuple[States, States, States]:
        """The states after a step, and those before and after it as its products need them."""
        if isinstance(step, Move):
            source = index(step, self.is_back, states.value.device)
            after = States(*(_moved(source, step.wires, part) for part in states))
            return after, states, after
        if isinstance(step, Block):
            before = States(*(_rows(part, step.wires) for part in states))
            rows = self._multiplied(self.factors[step.stack], step.position, before)
            pairs = zip(rows, states, strict=True)
            after = States(*(_from_rows(part, step.wires, like) for part, like in pairs))
            return after, before, rows
        after = self._turned(self.factors[len(self.segment.stacks) + step.place], states)
        return after, states, after

    def add_products(self, step: Step, before: States, after: States) -> None:
        """Note the gradient of what a step was made of; the gradient is that after the step."""
        if isinstance(step, Move):
            return
        if isinstance(step, Block):
            place, position, product = step.stack, step.position, _outer
        else:
            place, position, product = len(self.segment.stacks) + step.place, 0, _exponents
        if self.made[place].is_wanted:
            self.products[place][position] = product(before, after)

    def pulled(self) -> Iterator[ByLeaf]:
        """Gradients of the leaves of all that was made, and their tangents."""
        for place, (key, products) in enumerate(zip(self.segment.keys, self.products, strict=True)):
            if not products:
                continue
            each = [products[position] for position in range(len(products))]
            by_value, by_tangent = (self.run.by_key(self._joined(place, part), key)
                                    for part in zip(*each, strict=True))  # fmt: skip
            yield from self.made[place].pull(by_value, by_tangent)

    def _joined(self, place: int, each: Sequence[Tensor]) -> Tensor:
        if place < len(self.segment.stacks):
            return torch.stack([*each], -3)
        (by_exponents,) = each
        recipe = self.segment.phases[place - len(self.segment.stacks)]
        return _phases.by_coefficients(recipe, by_exponents).unsqueeze(-2)

    def _of_blocks(self, stack: Stack, value: Tensor, tangent: Tensor | None) -> Moving:
        matrices = self.run.to_lead(value, stack.key)
        factors = matrices.conj_physical() if self.is_back else matrices.mT
        if tangent is None:
            return Moving(factors, None)
        many = self.run.to_lead(tangent, stack.key)
        moved = many.conj_physical() if self.is_back else many.mT
        if self.is_back and any(gate.param_shape for gate, _ in stack.table.rows):
            undone = -(factors[:, None] @ many.mT @ factors[:, None])
            moved = torch.stack([undone, moved])
        return Moving(factors, moved.movedim(-4, -2).flatten(-2))

    def _of_phases(self, recipe: Phases, value: Tensor, tangent: Tensor | None) -> Moving:
        fixed = self.run.to_lead(_phases.factors(recipe, value.squeeze(1)), recipe.key)
        factors = fixed.conj_physical() if self.is_back else fixed
        if tangent is None:
            return Moving(factors[..., None], None)
        moved = _phases.exponents(recipe, tangent.squeeze(2))
        exponents = self.run.to_lead(moved, recipe.key)
        return Moving(factors[..., None], (-exponents if self.is_back else exponents).mT)

    def _multiplied(self, factors: Moving, position: int, before: States) -> States:
        value = _times(before.value, factors.value[:, position])
        tangent = _times(before.tangent, factors.value[:, position])
        if factors.tangent is not None:
            moved = _times(before.value, factors.tangent[..., position, :, :])
            tangent = tangent + moved.reshape(tangent.shape)
        return States(value, tangent)

    def _turned(self, factors: Moving, states: States) -> States:
        value, tangent = states.value * factors.value, states.tangent * factors.value
        if factors.tangent is not None:
            moved = (1j * value).unsqueeze(-1) * factors.tangent.unsqueeze(-2)
            tangent = tangent + moved.reshape(tangent.shape)
        return States(value, tangent)


def _of_table(
    recipe: Stack | Prefix, leaves: Sequence[Sequence[Leaf]]
) -> dict[int, Sequence[Leaf]]:
    table = recipe.table
    return {op: leaves[op] for op in (*table.turns, *(op for _, ops in table.rows for op in ops))}


def _add(sums: dict[int, ByLeaf], found: Iterable[ByLeaf]) -> None:
    for one in found:
        if one.place in sums:
            old = sums[one.place]
            one = ByLeaf(one.place, old.value + one.value, old.tangent + one.tangent)
        sums[one.place] = one


def _cut(wires: WireSet, state: Tensor) -> tuple[list[int], list[int]]:
    """Sizes of axes between and of wires, and the order that brings the wires last."""
    n = state.shape[2].bit_length() - 1
    shape, mine = [*state.shape[:2]], []
    for before, wire in zip((-1, *wires), wires, strict=False):
        shape += [2 ** (wire - before - 1), 2]
        mine.append(len(shape) - 1)
    shape.append(2 ** (n - 1 - wires[-1]) * state.shape[3])
    return shape, [*(axis for axis in range(len(shape)) if axis not in mine), *mine]


def _rows(state: Tensor, wires: WireSet) -> Tensor:
    """States with the wires' axes last, `(pair, lead, rest, K)`."""
    shape, order = _cut(wires, state)
    return state.reshape(shape).permute(order).reshape(*state.shape[:2], -1, 2 ** len(wires))


def _from_rows(rows: Tensor, wires: WireSet, like: Tensor) -> Tensor:
    shape, order = _cut(wires, like)
    back = sorted(range(len(order)), key=order.__getitem__)
    return rows.reshape([shape[axis] for axis in order]).permute(back).reshape(like.shape)


def _times(rows: Tensor, matrices: Tensor) -> Tensor:
    return rows @ (matrices[0] if len(matrices) == 1 else matrices)


def _moved(source: Tensor, wires: WireSet, state: Tensor) -> Tensor:
    flat, out = (part.flatten(0, 1) for part in (state.contiguous(), torch.empty_like(state)))
    reorder(source, wires, flat, out)
    return out.view(state.shape)


def _outer(before: States, after: States) -> Moving:
    """`λ ψ†` of rows and its tangent: the gradient of a block, `(lead, [directions,] K, K)`.

    `λ` is the gradient after the block and `ψ` the state before it: on the way back, those before
    and after the step.
    """
    state, gradient = after.value[0], before.value[1]
    lead, n_rows, size = state.shape
    wide = lead, n_rows, -1
    by_state = state.mH @ before.tangent[1].reshape(wide)
    by_gradient = gradient.mH @ after.tangent[0].reshape(wide)
    split = lead, size, -1, size
    moved = by_state.view(split).permute(0, 2, 3, 1)
    turned = by_gradient.conj_physical().view(split).permute(0, 2, 1, 3)
    return Moving(gradient.mT @ state.conj(), moved + turned)


def _exponents(before: States, after: States) -> Moving:
    """`Im λ ψ*` and its tangent: the gradient of exponents, `(lead, [directions,] 2**n)`."""
    del after
    (state, gradient), (moved, turned) = before
    lead, size, last = state.shape
    split = lead, size, last, -1
    by_value = (gradient * state.conj()).imag.sum(-1)
    each = (
        turned.view(split) * state.conj()[..., None]
        + gradient[..., None] * moved.view(split).conj()
    )
    return Moving(by_value, each.imag.sum(2).mT)
