"""Quasi-Newton descent: the inverse Hessian from the last steps and gradients."""

from typing import NamedTuple

import torch
from torch import Tensor

from quilt_func._checks import check_count, message
from quilt_func._parameter_trees import flatten_like, join, ravel
from quilt_func.optim.optimisers import scale_by_learning_rate
from quilt_func.optim.transformations import (
    GradientTransformation,
    chain,
    sqrt,
    state_error,
    sum_of_products,
)
from quilt_func.typing import PyTree, Scalar, Schedule


class CurvatureState(NamedTuple):
    """What `lbfgs` remembers, for `n` parameters and `m` pairs, the oldest first.

    Attributes:
        step (real, ()): Number of steps taken.
        point (real, (n,)): Parameters of the last step.
        slope (real, (n,)): Gradient there.
        moves (real, (m, n)): Differences of parameters; 0 where there is none yet.
        turns (real, (m, n)): Differences of gradients.
        weights (real, (m,)): One over the product of the two; 0 where there is none yet.

    Examples:
        >>> from quilt_func.optim import lbfgs
        >>> lbfgs(memory_size=5).init(torch.zeros(3))[0].moves.shape
        torch.Size([5, 3])
    """

    step: Tensor
    point: Tensor
    slope: Tensor
    moves: Tensor
    turns: Tensor
    weights: Tensor


def lbfgs(
    learning_rate: Scalar | Schedule = 1.0, *, memory_size: int = 10
) -> GradientTransformation:
    r"""Steps $-η H g$, with $H$ the inverse Hessian as the last `memory_size` steps show it.

    The two loops of limited-memory BFGS: pairs of moves $s$ and of changes $y$ of the gradient
    make $H$ of $γ = s·y / y·y$, the newest pair's, without a matrix. Before the first pair
    $γ = \min(1, 1/\lVert g \rVert)$. A pair without positive curvature is left out, so $H$ is
    positive and $-Hg$ goes down, but far from a minimum a whole step may go too far: from 0 in the
    valley below, the loss is 1, and after some steps of 1 it is above 10,000. With a search for the
    length it never rises: `with_line_search(lbfgs())` is what to take for `minimise`.

    Cost of an update: $4 m n$ products, no matrix; memory for $2 m$ trees of parameters.

    Args:
        learning_rate (real, ()): Step size $η$: a number, a 0-d tensor or a schedule. 1 is
            Newton's.
        memory_size: Number $m \ge 1$ of pairs.

    Returns:
        Pair `(init, update)`; `update` needs `params`.

    Raises:
        TypeError: If an argument is of the wrong kind; from `update`, without `params`.
        ValueError: If `memory_size` is less than 1, or a learning rate not 0-d.

    Transforms:
        vmap (over parameters and gradients), grad, jvp, hessian.

    Examples:
        >>> from quilt_func.optim import minimise, with_line_search
        >>> def valley(p):
        ...     return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
        >>> found = minimise(valley, torch.zeros(2).double(), with_line_search(lbfgs()), 40)
        >>> found.params
        tensor([1., 1.], dtype=torch.float64)

    References:
        Nocedal (1980), Math. Comp. 35, 773; Nocedal and Wright (2006), algorithms 7.4 and 7.5.
        Li and Fukushima (2001), SIAM J. Optim. 11, 1054, for pairs that are left out.
    """
    return chain(_scale_by_curvature(memory_size), scale_by_learning_rate("lbfgs", learning_rate))


def _scale_by_curvature(memory_size: int) -> GradientTransformation:
    """Multiply gradients by the inverse Hessian of the last pairs."""
    check_count("lbfgs", "memory_size", memory_size, minimum=1)

    def init(params: PyTree) -> PyTree:
        flat, _ = ravel("init", "params", params)
        pairs = flat.new_zeros(memory_size, len(flat))
        nothing, zero = torch.zeros_like(flat), flat.new_zeros(())
        return CurvatureState(zero, flat, nothing, pairs, pairs, pairs[:, :0].sum(-1))

    def update(grads: PyTree, state: PyTree, params: PyTree = None) -> tuple[PyTree, PyTree]:
        if params is None:
            need, remedy = "be given for the curvature", "Call `update(grads, state, params)`."
            raise TypeError(message("update", "params", params, need, "None", remedy))
        slope, unravel = ravel("update", "grads", grads)
        point = join(flatten_like("update", "grads", grads, "params", params))
        if not isinstance(state, CurvatureState) or len(state.moves) != memory_size:
            raise state_error(f"be a CurvatureState with {memory_size} pairs", state)
        state = _with_pair(state, point, slope)
        return unravel(_two_loops(state)), state

    return GradientTransformation(init, update)


def _with_pair(state: CurvatureState, point: Tensor, slope: Tensor) -> CurvatureState:
    """The newest pair in place of the oldest, where its curvature is positive beyond rounding."""
    move, turn = point - state.point, slope - state.slope
    curvature = sum_of_products(move, turn)
    least = torch.finfo(slope.dtype).eps * sqrt(
        sum_of_products(move, move) * sum_of_products(turn, turn)
    )
    is_kept = (state.step > 0) & (curvature > least)
    weight = 1 / torch.where(is_kept, curvature, 1.0)

    def shifted(olds: Tensor, new: Tensor) -> Tensor:
        return torch.where(is_kept, torch.cat([olds[1:], new[None]]), olds)

    moves, turns = shifted(state.moves, move), shifted(state.turns, turn)
    weights = shifted(state.weights, weight.to(slope.dtype))
    return CurvatureState(state.step + 1, point, slope, moves, turns, weights)


def _two_loops(state: CurvatureState) -> Tensor:
    """The product of the inverse Hessian with the gradient."""
    rows = list(
        zip(state.moves.unbind(), state.turns.unbind(), state.weights.unbind(), strict=True)
    )
    found, factors = state.slope, []
    for move, turn, weight in reversed(rows):
        factors.append(weight * sum_of_products(move, found))
        found = found - factors[-1] * turn
    found = _scale_of_newest(state) * found
    for (move, turn, weight), factor in zip(rows, reversed(factors), strict=True):
        found = found + (factor - weight * sum_of_products(turn, found)) * move
    return found


def _scale_of_newest(state: CurvatureState) -> Tensor:
    """Of the newest pair $s·y / y·y$; before there is one, what makes the first step at most 1."""
    weight, turn = state.weights[-1], state.turns[-1]
    is_there = weight > 0
    square = torch.where(is_there, weight * sum_of_products(turn, turn), 1.0)
    norm = sqrt(sum_of_products(state.slope, state.slope))
    return torch.where(is_there, 1 / square, (1 / norm).clamp(max=1))
