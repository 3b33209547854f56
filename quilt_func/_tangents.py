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
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from quilt_func import _phases
from quilt_func._moves import Move, index
from quilt_func._recipes import BatchKey, Stack
from quilt_func._run import Axes, Levels, Run, Static, _Sources, union
from quilt_func._sweep import reorder
from quilt_func._tree import push_forward
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
            wanted: Which packed leaves' gradients are wanted.
        """
        packing, n_packed = circuit.packing, len(leaves)
        self.circuit, self.axes, self.options = circuit, axes, (circuit.dtype, circuit.device)
        self.leaves, self.levels = packing.unpack(leaves), packing.spread(axes.levels[:n_packed])
        filled = [leaf if t is None else t for leaf, t in zip(leaves, tangents, strict=True)]
        moves = packing.spread(tangent is not None for tangent in tangents)
        pairs = zip(packing.unpack(filled), moves, strict=True)
        self.tangents = [tangent if does_move else None for tangent, does_move in pairs]
        self.tangent_levels: list[Levels] = packing.spread(axes.levels[n_packed:])
        self.wanted: list[bool] = packing.spread(wanted)
        columns = [circuit.per_op(values) for values in (self.levels, self.tangent_levels)]
        columns.append(circuit.per_op(self.wanted))
        self.keys = [
            union(*levels, *moved, axes.outer if any(is_wanted) else ())
            for levels, moved, is_wanted in zip(*columns, strict=True)
        ]
        self.plan = circuit.plan(self.keys, from_zero)
        fixed = union(states[0], *axes.levels[:n_packed])
        everything = union(*states, *axes.levels)
        self.new = tuple(level for level in everything if level not in fixed)
        keys = union(*(key for segment in self.plan.segments for key in segment.keys))
        self.lead = tuple(level for level in keys if level not in self.new)
        self.last = tuple(level for level in fixed if level not in self.lead)

    def push(self, state: Moving | None, levels: Sequence[Levels]) -> Tensor:
        """The tangent of the state after the run, its levels first."""
        leaves, tangents = self._aligned(), self._aligned_tangents()
        if state is None:
            state, levels = self._started(leaves, tangents)
        states = self._states(state, levels)
        for segment in self.plan.segments:
            made = _pushed(partial(self._build, segment), tangents, leaves)
            steps = _Steps(self, segment, made, is_back=False)
            for step in segment.steps:
                states = steps.taken(step, states)[0]
        return self._unpacked_tangent(states.tangent[0], union(self.lead, self.last, self.new))

    def walk_back(
        self, output: Moving, of_output: Sequence[Levels], gradient: Moving,
        of_gradient: Sequence[Levels], by_state: Levels | None,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """Tangents of the gradients of the state, with given levels, and of the packed leaves."""
        pair = self._states(output, of_output), self._states(gradient, of_gradient)
        states = States(*map(torch.cat, zip(*pair, strict=True)))
        sources, tangents = _Sources(self._aligned(), self.wanted), self._aligned_tangents()
        for segment in reversed(self.plan.segments):
            made = sources.build(partial(_pushed, partial(self._build, segment), tangents))
            steps = _Steps(self, segment, made, is_back=True)
            for step in reversed(segment.steps):
                states, before, after = steps.taken(step, states)
                steps.add_products(step, before, after)
            _collect(sources, made, steps.gradients())
        if self.plan.prefix is not None:
            made = sources.build(partial(_pushed, self._product, tangents))
            _collect(sources, made, [self._by_start(states, self.plan.prefix.key)])
        packing = self.circuit.packing
        by_leaf = {i: self._by_leaf(i, by_param) for i, by_param in sources.found()}
        found = [packing.pack(by_leaf, group) for group in packing.groups if group[0] in by_leaf]
        if by_state is None:
            return tuple(found)
        return (self._unpacked_tangent(states.tangent[1], by_state).contiguous(), *found)

    def fixed(self, tensor: Tensor, key: BatchKey) -> Tensor:
        """What does not depend on the direction: `(1 or lead, ...)` of `(batch, ...)`."""
        if not key:
            return tensor
        split = self._one_direction(tensor.unflatten(0, self.axes.shape(key)), key)
        kept = self._kept(key)
        if not kept:
            return split[None]
        return self.axes.expand(split, kept, self.lead).flatten(0, len(self.lead) - 1)

    def directed(self, tensor: Tensor, key: BatchKey) -> Tensor:
        """A tangent's directions, `(1 or lead, directions, ...)` of `(batch, ...)`."""
        split = tensor.reshape(*self.axes.shape(key), *tensor.shape[1:])
        lead = self.lead if self._kept(key) else ()
        full = self._arranged(split, key, (*lead, *self.new))
        sizes = (math.prod(self.axes.shape(levels)) for levels in (lead, self.new))
        return full.reshape(*sizes, *tensor.shape[1:])

    def by_key(self, each: Moving, key: BatchKey) -> Moving:
        """Sum gradients `(lead, ...)`, `(lead, directions, ...)` to those of `(batch, ...)`."""
        assert each.tangent is not None, "a gradient moves"
        shape = each.value.shape[1:]
        by_value = each.value.reshape(*self.axes.shape(self.lead), *shape)
        kept = self._kept(key)
        expanded = self.axes.expand(self.axes.reduce(by_value, self.lead, kept), kept, key)
        levels = (*self.lead, *self.new)
        split = each.tangent.reshape(*self.axes.shape(levels), *shape)
        summed = self.axes.reduce(split, levels, key)
        return Moving(expanded.reshape(-1, *shape), summed.reshape(-1, *shape))

    def _kept(self, key: Levels) -> Levels:
        return tuple(level for level in key if level not in self.new)

    def _one_direction(self, tensor: Tensor, own: Levels) -> Tensor:
        return tensor[tuple(0 if level in self.new else slice(None) for level in own)]

    def _aligned_tangents(self) -> list[Tensor | None]:
        """Tangents of parameters, in the form that `_aligned` gives parameters."""
        per_op = zip(self.keys, self.circuit.per_op(self.leaves), strict=True)
        keys = (key for key, own in per_op for _ in own)
        found: list[Tensor | None] = []
        for key, own, tangent in zip(keys, self.tangent_levels, self.tangents, strict=True):
            if tangent is not None and key:
                tangent = self.axes.expand(tangent, own, key)
                tangent = tangent.movedim(len(key), 0).flatten(1, len(key))
            found.append(tangent)
        return found

    def _started(
        self, leaves: Sequence[Tensor], tangents: Sequence[Tensor | None]
    ) -> tuple[Moving, tuple[Levels, Levels]]:
        """The product state of the prefix, or |0...0⟩, and its levels."""
        if self.plan.prefix is None:
            zero = zero_state(self.circuit.n_qubits, dtype=self.options[0], device=self.options[1])
            return Moving(zero, None), ((), ())
        key = self.plan.prefix.key
        ((value, tangent),) = _pushed(self._product, tangents, leaves)
        value = self._one_direction(self._levels_first(value, key), key)
        moved = None if tangent is None else self._levels_first(tangent, key)
        return Moving(value, moved), (self._kept(key), key)

    def _levels_first(self, product: Tensor, key: BatchKey) -> Tensor:
        return product.reshape(-1, *self.axes.shape(key)).movedim(0, -1)

    def _by_start(self, states: States, key: BatchKey) -> Moving:
        """Gradients of the product state and of its tangent, batch last."""
        levels = self.lead + self.last
        split = states.value[1].reshape(
            *self.axes.shape(self.lead), -1, *self.axes.shape(self.last)
        )
        by_tangent = self.axes.reduce(split.movedim(len(self.lead), -1), levels, self._kept(key))
        parts = (
            self.axes.expand(by_tangent, self._kept(key), key),
            self._unpacked_tangent(states.tangent[1], key),
        )
        return Moving(*(part.movedim(-1, 0).reshape(part.shape[-1], -1) for part in parts))

    def _states(self, state: Moving, levels: Sequence[Levels]) -> States:
        """A state and its tangent, their levels first, in the layout of the run."""
        here = (*self.lead, *self.last)
        value = self._in_layout(state.value, levels[0], here)
        if state.tangent is not None:
            return States(value, self._in_layout(state.tangent, levels[1], (*here, *self.new)))
        many = math.prod(self.axes.shape(self.new))
        return States(value, value.new_zeros((*value.shape[:-1], value.shape[-1] * many)))

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
        self, run: TangentRun, segment: Segment, made: Sequence[Moving], *, is_back: bool
    ) -> None:
        self.run = run
        self.segment = segment
        self.made = made
        self.is_back = is_back
        self.products: list[dict[int, Moving]] = [{} for _ in made]
        self.factors = [
            self._of_blocks(segment.stacks[place], value, tangent)
            if place < len(segment.stacks)
            else self._of_phases(segment.phases[place - len(segment.stacks)], value, tangent)
            for place, (value, tangent) in enumerate(made)
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
        if self.made[place].value.requires_grad:
            self.products[place][position] = product(before, after)

    def gradients(self) -> list[Moving | None]:
        """Gradients of all that was built, where they are wanted."""
        found: list[Moving | None] = []
        for place, (key, products) in enumerate(zip(self.segment.keys, self.products, strict=True)):
            if not products:
                found.append(None)
            elif place < len(self.segment.stacks):
                parts = zip(*(products[position] for position in range(len(products))), strict=True)
                joined = Moving(*(torch.stack(part, -3) for part in parts))
                found.append(self.run.by_key(joined, key))
            else:
                recipe = self.segment.phases[place - len(self.segment.stacks)]
                by_exponents = self.run.by_key(products[0], key)
                assert by_exponents.tangent is not None, "a gradient moves"
                found.append(
                    Moving(
                        _phases.by_coefficients(recipe, by_exponents.value),
                        _phases.by_coefficients(recipe, by_exponents.tangent),
                    )
                )
        return found

    def _of_blocks(self, stack: Stack, value: Tensor, tangent: Tensor | None) -> Moving:
        matrices = self.run.fixed(value.detach(), stack.key)
        factors = matrices.conj_physical() if self.is_back else matrices.mT
        if tangent is None:
            return Moving(factors, None)
        many = self.run.directed(tangent.detach(), stack.key)
        moved = many.conj_physical() if self.is_back else many.mT
        if self.is_back and any(gate.param_shape for gate, _ in stack.table.rows):
            undone = -(factors[:, None] @ many.mT @ factors[:, None])
            moved = torch.stack([undone, moved])
        return Moving(factors, moved.movedim(-4, -2).flatten(-2))

    def _of_phases(self, recipe: _phases.Phases, value: Tensor, tangent: Tensor | None) -> Moving:
        fixed = self.run.fixed(_phases.factors(recipe, value.detach()), recipe.key)
        factors = fixed.conj_physical() if self.is_back else fixed
        if tangent is None:
            return Moving(factors[..., None], None)
        exponents = self.run.directed(_phases.exponents(recipe, tangent.detach()), recipe.key)
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


def _pushed(
    make: Callable[[Sequence[Tensor]], list[Tensor]],
    tangents: Sequence[Tensor | None],
    values: Sequence[Tensor],
) -> list[Moving]:
    return [Moving(*one) for one in push_forward(make, values, tangents)]


def _collect(sources: _Sources, made: Sequence[Moving], gradients: Sequence[Moving | None]) -> None:
    """The tangent of `Jᵀ G` is `Jᵀ Ġ + J̇ᵀ G`: the gradient of a value and of its tangent."""
    pairs = []
    for one, gradient in zip(made, gradients, strict=True):
        if gradient is not None and one.value.requires_grad:
            pairs.append((one.value, gradient.tangent))
            if one.tangent is not None:
                pairs.append((one.tangent, gradient.value))
    sources.collect([built for built, _ in pairs], [gradient for _, gradient in pairs])


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
