"""A state and its tangents in all directions, as one tensor, and the steps that take it on.

A jet is `(pair, lead, 2**n, last, 1 + n_directions)`: first the state, then its tangents. A state
`ψ' = U ψ` has the tangent `ψ̇' = U ψ̇ + U̇ ψ`. The way back is the same step with `U†` and `U̇†`, taken
by the state and the gradient that is pulled, as a pair; their products are the gradients of the
steps, and what those move by. A block brings its wires last, and is then a product of rows,
wherever these wires are.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from quilt_func._amplitudes import reorder
from quilt_func.evolution.planner import Block, Segment, Step
from quilt_func.evolution.reversible_run import Run
from quilt_func.evolution.steps import diagonal_phases
from quilt_func.evolution.steps.block_recipe import Stack
from quilt_func.evolution.steps.diagonal_phases import Phases
from quilt_func.evolution.steps.permutation import Move, index
from quilt_func.evolution.tangents.jacobians import ByLeaf, Made
from quilt_func.typing import WireSet


class Steps:
    """A segment's steps; on the way back those of the adjoint.

    What rows are multiplied by is `(1 or lead, n_blocks, K, K)`, and for tangents
    `([pair,] 1 or lead, n_blocks, K, n_directions * K)`. On the way back that is `U̇†`, as `U†`
    stays the inverse of `U`. The matrix of `unitary` may move in any direction: there, a state is
    undone with the tangent of the inverse, `-U† U̇ U†`.
    """

    def __init__(self, run: Run, segment: Segment, made: Sequence[Made], *, is_back: bool) -> None:
        self.run = run
        self.segment = segment
        self.made = made
        self.is_back = is_back
        self.products: list[dict[int, Tensor]] = [{} for _ in made]
        n_stacks = len(segment.stacks)
        parts = [*map(self._of_blocks, segment.stacks, made)]
        parts += map(self._of_phases, segment.phases, made[n_stacks:])
        self.values = [value for value, _ in parts]
        self.tangents = [tangent for _, tangent in parts]

    def taken(self, step: Step, jet: Tensor) -> Tensor:
        """The jet after a step, whose gradient is noted on the way back."""
        if isinstance(step, Move):
            return _moved(index(step, self.is_back, jet.device), step.wires, jet)
        if not isinstance(step, Block):
            return self._turned(len(self.segment.stacks) + step.place, jet)
        before = _rows(jet, step.wires)
        after = self._multiplied(step, before)
        if self.is_back and self.made[step.stack].is_wanted:
            self.products[step.stack][step.position] = _outer(before, after)
        return _from_rows(after, step.wires, jet)

    def pulled(self) -> Iterator[ByLeaf]:
        """Gradients of the leaves of all that was made, and their tangents."""
        for place, (key, products) in enumerate(zip(self.segment.keys, self.products, strict=True)):
            if not products:
                continue
            if place < len(self.segment.stacks):
                joined = torch.stack([products[position] for position in range(len(products))], -3)
            else:
                recipe = self.segment.phases[place - len(self.segment.stacks)]
                joined = diagonal_phases.by_coefficients(recipe, products[0]).unsqueeze(-2)
            yield from self.made[place].pull(self.run.by_key(joined, key))

    def _of_blocks(self, stack: Stack, made: Made) -> tuple[Tensor, Tensor | None]:
        matrices = self.run.to_lead(made.value, stack.key)
        factors = matrices.conj_physical() if self.is_back else matrices.mT
        if made.tangent is None:
            return factors, None
        many = self.run.to_lead(made.tangent, stack.key)
        moved = many.conj_physical() if self.is_back else many.mT
        if self.is_back and any(gate.param_shape for gate, _ in stack.table.rows):
            undone = -(factors[:, None] @ many.mT @ factors[:, None])
            moved = torch.stack([undone, moved])
        return factors, moved.movedim(-4, -2).flatten(-2)

    def _of_phases(self, recipe: Phases, made: Made) -> tuple[Tensor, Tensor | None]:
        fixed = self.run.to_lead(diagonal_phases.factors(recipe, made.value.squeeze(1)), recipe.key)
        factors = (fixed.conj_physical() if self.is_back else fixed)[..., None, None]
        if made.tangent is None:
            return factors, None
        moved = diagonal_phases.exponents(recipe, made.tangent.squeeze(2))
        exponents = self.run.to_lead(moved, recipe.key)
        return factors, (-exponents if self.is_back else exponents).mT.unsqueeze(-2)

    def _multiplied(self, block: Block, rows: Tensor) -> Tensor:
        matrices, moved = self.values[block.stack], self.tangents[block.stack]
        out: Tensor = _times(rows.flatten(2, 3), matrices[:, block.position]).view(rows.shape)
        if moved is not None:
            along = _times(rows[..., 0, :], moved[..., block.position, :, :])
            out[..., 1:, :] += along.unflatten(-1, (-1, rows.shape[-1]))
        return out

    def _turned(self, place: int, jet: Tensor) -> Tensor:
        out, moved = jet * self.values[place], self.tangents[place]
        if self.is_back and self.made[place].is_wanted:
            self.products[place][0] = _exponents(jet)
        if moved is not None:
            out[..., 1:] += 1j * out[..., :1] * moved
        return out


def _cut(wires: WireSet, jet: Tensor) -> tuple[list[int], list[int]]:
    """Sizes of axes between and of wires, and the order that brings the wires last."""
    n = jet.shape[2].bit_length() - 1
    shape, mine = [*jet.shape[:2]], []
    for before, wire in zip((-1, *wires), wires, strict=False):
        shape += [2 ** (wire - before - 1), 2]
        mine.append(len(shape) - 1)
    shape.append(2 ** (n - 1 - wires[-1]) * jet.shape[3] * jet.shape[4])
    return shape, [*(axis for axis in range(len(shape)) if axis not in mine), *mine]


def _rows(jet: Tensor, wires: WireSet) -> Tensor:
    """A jet with the wires' axes last, `(pair, lead, rest, 1 + n_directions, K)`."""
    shape, order = _cut(wires, jet)
    parts = *jet.shape[:2], -1, jet.shape[-1], 2 ** len(wires)
    return jet.reshape(shape).permute(order).reshape(parts)


def _from_rows(rows: Tensor, wires: WireSet, like: Tensor) -> Tensor:
    shape, order = _cut(wires, like)
    back = sorted(range(len(order)), key=order.__getitem__)
    return rows.reshape([shape[axis] for axis in order]).permute(back).reshape(like.shape)


def _times(rows: Tensor, matrices: Tensor) -> Tensor:
    return rows @ (matrices[0] if len(matrices) == 1 else matrices)


def _moved(source: Tensor, wires: WireSet, jet: Tensor) -> Tensor:
    flat = jet.contiguous().view(-1, jet.shape[2], jet.shape[3] * jet.shape[4])
    out = torch.empty_like(flat)
    reorder(source, wires, flat, out)
    return out.view(jet.shape)


def _outer(before: Tensor, after: Tensor) -> Tensor:
    """`λ ψ†` of rows and what it moves by: a block's gradient, `(lead, 1 + n_directions, K, K)`.

    `λ` is the gradient after the block and `ψ` the state before it: on the way back, those before
    and after the step.
    """
    state, gradient = after[0, :, :, 0], before[1, :, :, 0]
    split = len(state), state.shape[-1], -1, state.shape[-1]
    by_state = (state.mH @ before[1].flatten(2)).view(split).permute(0, 2, 3, 1)
    by_gradient = (gradient.mH @ after[0].flatten(2)).view(split).permute(0, 2, 1, 3)
    by_state[:, 1:] += by_gradient[:, 1:].conj_physical()
    return by_state


def _exponents(before: Tensor) -> Tensor:
    """`Im λ ψ*` and what it moves by: gradient of exponents, `(lead, 1 + n_directions, 2**n)`."""
    state, gradient = before
    product = gradient * state[..., :1].conj()
    product[..., 1:] += gradient[..., :1] * state[..., 1:].conj()
    exponents: Tensor = product.imag.sum(2).mT
    return exponents
