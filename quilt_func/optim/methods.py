"""Methods: optimisers that look at the loss themselves, where a gradient alone is not enough."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import grad_and_value, vmap

from quilt_func._checks import check_count, check_is, check_number, check_positive, kind_error
from quilt_func._parameter_trees import join, ravel
from quilt_func._torch import tree_leaves
from quilt_func.optim.transformations import (
    GradientTransformation,
    apply_updates,
    sum_of_products,
)
from quilt_func.typing import PyTree

LossFn = Callable[[Any], Tensor]


class Method(NamedTuple):
    """A pair of pure functions: what a method remembers at first, and one step down a loss.

    Attributes:
        init: `init(params) -> state`; a pytree of tensors.
        step: `step(loss, params, state, u) -> (params, state, value)`: new parameters, and the
            loss of those that were given. `u` is None for a method that draws nothing.
        draws: `draws(params) -> shape` of the uniform numbers of one step; None if it draws none.

    Examples:
        >>> from quilt_func.optim import rotosolve
        >>> method, theta = rotosolve(), torch.tensor([0.3])
        >>> method.step(lambda t: t.sin().sum(), theta, method.init(theta), None)
        (tensor([-1.5708]), (), tensor(0.2955))
    """

    init: Callable[[PyTree], PyTree]
    step: Callable[[LossFn, PyTree, PyTree, Any], tuple[PyTree, PyTree, Tensor]]
    draws: Callable[[PyTree], tuple[int, ...]] | None = None


class SearchState(NamedTuple):
    """State of a line search.

    Attributes:
        inner: State of the transformation whose updates are searched along.
        reach (real, ()): The longest step of the next search, in lengths of the update.

    Examples:
        >>> from quilt_func.optim import lbfgs, with_line_search
        >>> with_line_search(lbfgs()).init(torch.zeros(2)).reach
        tensor(1.)
    """

    inner: PyTree
    reach: Tensor


def as_method(function: str, optimiser: object) -> Method:
    """A method as it is; a gradient transformation as the method that takes its updates."""
    if isinstance(optimiser, Method):
        return optimiser
    transformation = check_transformation(function, optimiser, "be an optimiser")

    def step(loss: LossFn, params: PyTree, state: PyTree, u: Any) -> tuple[PyTree, PyTree, Tensor]:
        del u
        slopes, value = grad_and_value(loss)(params)
        updates, state = transformation.update(slopes, state, params)
        return apply_updates(params, updates), state, value

    return Method(transformation.init, step)


def check_transformation(
    function: str, optimiser: Any, need: str = "be a GradientTransformation"
) -> GradientTransformation:
    """Check that a value is a gradient transformation."""
    remedy = "Call the factory first: `adam(1e-3)`."
    if isinstance(optimiser, Method):
        raise kind_error(function, "optimiser", optimiser, need, "Give it to `minimise` itself.")
    check_is(function, "optimiser", optimiser, GradientTransformation, need, remedy)
    checked: GradientTransformation = optimiser
    return checked


def with_line_search(
    optimiser: GradientTransformation,
    *,
    n_trials: int = 10,
    shrink: float = 0.5,
    sufficient: float = 1e-4,
) -> Method:
    r"""Take the longest of several steps along an optimiser's update that is low enough.

    Tried are $t, tr, tr^2, …$ times the update $Δ$, all in one vmapped call, with $t = 1$: the
    longest wins whose loss is at most $L + c\,t\,\min(0, ∇L·Δ)$. Where none is, the parameters
    stay, and the next search begins below; once steps are long enough again, it begins at 1. So
    the loss never rises, but for rounding.

    Cost of a step: a gradient, and `n_trials` values, in memory for as many.

    Args:
        optimiser: Pair `(init, update)`, such as `lbfgs()`, whose updates are searched along.
        n_trials: Number of steps tried.
        shrink: Ratio $0 < r < 1$ of one to the one before.
        sufficient: Fraction $0 \le c < 1$ of the fall that the slope promises.

    Returns:
        A method for `minimise`.

    Raises:
        TypeError: If `optimiser` is no gradient transformation, or a number of the wrong kind.
        ValueError: If a number is out of range.

    Transforms:
        vmap, grad, jvp, hessian: of the step that was taken, as if its length were fixed.

    Examples:
        >>> from quilt_func.optim import minimise, sgd
        >>> bowl = lambda p: 50 * p.square().sum()
        >>> minimise(bowl, torch.tensor([1.0]), with_line_search(sgd(1.0)), 3).losses
        tensor([50.0000, 15.8203,  5.0056])

    References:
        Armijo (1966), Pacific J. Math. 16, 1; Nocedal and Wright (2006), algorithm 3.1.
    """
    check_transformation("with_line_search", optimiser)
    n_trials = _check_search(n_trials, shrink, sufficient)

    def init(params: PyTree) -> PyTree:
        state = optimiser.init(params)
        return SearchState(state, tree_leaves(params)[0].new_ones(()))

    def step(loss: LossFn, params: PyTree, state: PyTree, u: Any) -> tuple[PyTree, PyTree, Tensor]:
        del u
        slopes, value = grad_and_value(loss)(params)
        updates, inner = optimiser.update(slopes, state.inner, params)
        flat, unravel = ravel("with_line_search", "params", params)
        move = join(tree_leaves(updates))
        promised = sum_of_products(join(tree_leaves(slopes)), move).clamp(max=0)
        powers = torch.tensor([shrink**k for k in range(n_trials)], dtype=flat.dtype)
        sizes = state.reach * powers.to(flat.device)
        values = vmap(lambda size: loss(unravel(flat + size * move)))(sizes)
        is_low = values <= value + sufficient * sizes * promised
        size = torch.where(is_low, sizes, 0.0).amax()
        # as high as still reaches down to the step that was taken
        next_reach = (size / shrink ** (n_trials - 1)).clamp(max=1)
        reach = torch.where(is_low.any(), next_reach, state.reach * shrink**n_trials)
        return unravel(flat + size * move), SearchState(inner, reach), value

    return Method(init, step)


def _check_search(n_trials: Any, shrink: Any, sufficient: Any) -> int:
    check_number("with_line_search", "shrink", shrink, high=1.0)
    check_positive("with_line_search", "shrink", shrink, "Give a ratio such as 0.5.")
    check_number("with_line_search", "sufficient", sufficient, high=1.0)
    return check_count("with_line_search", "n_trials", n_trials, minimum=1)
