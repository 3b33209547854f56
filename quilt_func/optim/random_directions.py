r"""Descent along random directions: what the loss does along them stands for its gradient.

Signs $v$ of equal chances have $E[v v^T] = 1$, so that $(∇L·v) v$ has the gradient as its mean.
Uniform numbers are arguments: `minimise(..., u=uniforms((n_steps, k, n), seed))`.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor
from torch.func import jvp, vmap

from quilt_func._checks import check_function, check_number, check_positive
from quilt_func._parameter_trees import ravel
from quilt_func._shifted_runs import directions, one_number, signs_of, slope_along_signs
from quilt_func.optim.methods import LossFn, Method, check_transformation
from quilt_func.optim.transformations import GradientTransformation, apply_updates, check_scalar
from quilt_func.typing import PyTree, Schedule


class DirectionsState(NamedTuple):
    """State of a descent along random directions.

    Attributes:
        step (real, ()): Number of steps taken.
        inner: State of the optimiser that the estimates are given to.

    Examples:
        >>> import torch
        >>> from quilt_func.optim import sgd, with_spsa
        >>> with_spsa(sgd(0.1)).init(torch.zeros(2)).step
        tensor(0.)
    """

    step: Tensor
    inner: PyTree


def forward_gradient(loss: LossFn, params: PyTree, along: Tensor) -> PyTree:
    r"""Gradient estimate from exact slopes along directions, by forward mode alone.

    The mean over directions $v$ of $(∇L·v) v$: the gradient itself in expectation, where
    $E[v v^T] = 1$, as for random signs and normal numbers; and where directions are all $n$ unit
    vectors times $\sqrt n$, exactly. It is what `spsa` becomes for ever smaller steps.

    Cost: one forward-mode run for each direction, in one vmapped call; no state is kept, nor
    walked back through.

    Args:
        loss: Function from parameters to a number, (real, ()).
        params: Tree of real tensors with `n` entries in all.
        along (real, (n,) or (k, n)): One direction, or `k` to average over.

    Returns:
        Tree like `params`.

    Raises:
        TypeError: If `params` or `along` is not real, or `loss` does not return a real tensor.
        ValueError: If the shape of `along` does not fit, or `loss` returns several numbers.

    Transforms:
        vmap (over parameters and directions), grad, jvp, hessian.

    Examples:
        >>> signs = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
        >>> forward_gradient(lambda p: (p**2).sum(), torch.tensor([1.0, 2.0]), signs)
        tensor([2., 4.])

    References:
        Baydin, Pearlmutter, Syme, Wood and Torr (2022), arXiv:2202.08587.
    """
    check_function("forward_gradient", "loss", loss)
    flat, unravel = ravel("forward_gradient", "params", params)
    rows = directions("forward_gradient", along, flat, math.inf, "along").to(flat.dtype)

    def value(vector: Tensor) -> Tensor:
        return one_number("forward_gradient", loss(unravel(vector)), "loss")

    def slope(row: Tensor) -> Tensor:
        found: Tensor = jvp(value, (flat,), (row,))[1]
        return found.to(flat.dtype) * row

    return unravel(vmap(slope)(rows).mean(0))


def with_spsa(optimiser: GradientTransformation, *, step: float | Schedule = 0.1) -> Method:
    r"""Give an optimiser the gradient that `spsa` estimates, from two values a direction.

    Spall's own descent is `with_spsa(sgd(power_schedule(a, 0.602, A + 1)),
    step=power_schedule(c, 0.101))`. The same batch is used for all values of a step.

    Cost of a step: two values for each direction, and one for the history.

    Args:
        optimiser: Pair `(init, update)`.
        step: Distance $c > 0$ in each parameter, or a schedule of it.

    Returns:
        A method for `minimise`, which takes uniform numbers, (real, `(n_steps, n)`) or
        `(n_steps, k, n)` for `k` directions a step.

    Raises:
        TypeError: If `optimiser` is no gradient transformation, or `step` neither number nor
            function; as for `spsa`.
        ValueError: If `step` is not positive; as for `spsa`.

    Transforms:
        vmap (over parameters and uniform numbers); grad, jvp, hessian, if the loss has them.

    Examples:
        >>> from quilt_func import uniforms
        >>> from quilt_func.optim import minimise, sgd
        >>> bowl, u = (lambda p: p.square().sum()), uniforms((9, 3), 0)
        >>> found = minimise(bowl, torch.ones(3), with_spsa(sgd(0.1)), 9, u=u)
        >>> found.losses[::4]
        tensor([3.0000, 1.5137, 0.0254])

    References:
        Spall (1992), IEEE Transactions on Automatic Control 37, 332; Spall (1998), IEEE
        Transactions on Aerospace and Electronic Systems 34, 817, for its schedules.
    """
    if not callable(step):
        check_number("with_spsa", "step", step)
        check_positive("with_spsa", "step", step, "Give a distance between parameters.")

    def estimate(loss: LossFn, params: PyTree, u: Any, n_steps: Tensor) -> PyTree:
        distance = step(n_steps) if callable(step) else step
        check_scalar("with_spsa", "step", distance)
        return slope_along_signs("with_spsa", loss, params, u, distance)

    return _along_directions("with_spsa", optimiser, estimate)


def with_forward_gradient(optimiser: GradientTransformation) -> Method:
    """Give an optimiser the gradient that `forward_gradient` estimates, along random signs.

    Args:
        optimiser: Pair `(init, update)`.

    Returns:
        A method for `minimise`, which takes uniform numbers, (real, `(n_steps, n)`) or
        `(n_steps, k, n)` for `k` directions a step.

    Raises:
        TypeError: If `optimiser` is no gradient transformation; as for `forward_gradient`.
        ValueError: As for `forward_gradient`.

    Transforms:
        vmap (over parameters and uniform numbers), grad, jvp, hessian.

    Examples:
        >>> from quilt_func import uniforms
        >>> from quilt_func.optim import minimise, sgd
        >>> bowl, u = (lambda p: p.square().sum()), uniforms((9, 3), 0)
        >>> found = minimise(bowl, torch.ones(3), with_forward_gradient(sgd(0.1)), 9, u=u)
        >>> found.losses[::4]
        tensor([3.0000, 1.5137, 0.0254])

    References:
        Baydin, Pearlmutter, Syme, Wood and Torr (2022), arXiv:2202.08587, algorithm 1.
    """

    def estimate(loss: LossFn, params: PyTree, u: Any, _: Tensor) -> PyTree:
        rows = directions("with_forward_gradient", u, ravel("", "params", params)[0], math.inf)
        return forward_gradient(loss, params, signs_of(rows, rows))

    return _along_directions("with_forward_gradient", optimiser, estimate)


def _along_directions(
    function: str,
    optimiser: GradientTransformation,
    estimate: Callable[[LossFn, PyTree, Any, Tensor], PyTree],
) -> Method:
    check_transformation(function, optimiser)

    def init(params: PyTree) -> PyTree:
        flat, _ = ravel("init", "params", params)
        return DirectionsState(flat.new_zeros(()), optimiser.init(params))

    def step(loss: LossFn, params: PyTree, state: PyTree, u: Any) -> tuple[PyTree, PyTree, Tensor]:
        slopes, value = estimate(loss, params, u, state.step), loss(params)
        updates, inner = optimiser.update(slopes, state.inner, params)
        return apply_updates(params, updates), DirectionsState(state.step + 1, inner), value

    return Method(init, step, n_entries)


def n_entries(params: PyTree) -> tuple[int, ...]:
    """The shape of uniform numbers for one direction."""
    return (len(ravel("minimise", "params", params)[0]),)
