"""Pairs of pure functions: what they are made of, composed of, and how gradients are scaled."""

import math
from collections.abc import Callable
from itertools import starmap
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from quilt_func._checks import (
    a_kind,
    check_is,
    check_number,
    common_dtype_and_device,
    kind_error,
    message,
    shape_error,
)
from quilt_func._parameter_trees import check_real, flatten, flatten_like, outline
from quilt_func._parameter_trees import ravel as _ravel
from quilt_func._torch import own_tangent, tree_leaves, tree_map, tree_unflatten
from quilt_func.typing import PyTree, Scalar

Leafwise: TypeAlias = Callable[..., tuple[Tensor, ...]]


class GradientTransformation(NamedTuple):
    """A pair of pure functions from gradients to updates.

    Attributes:
        init: `init(params) -> state`; a pytree of tensors.
        update: `update(grads, state, params=None) -> (updates, state)`; `updates` is a tree like
            `grads`, and `params` are read by weight decay alone.

    Examples:
        >>> from quilt_func.optim import sgd
        >>> params, descent = {"x": torch.tensor(1.0)}, sgd(0.1)
        >>> updates, state = descent.update({"x": torch.tensor(2.0)}, descent.init(params))
        >>> apply_updates(params, updates)
        {'x': tensor(0.8000)}
    """

    init: Callable[[PyTree], PyTree]
    update: Callable[..., tuple[PyTree, PyTree]]


class RecurrenceState(NamedTuple):
    """State of a transformation that keeps running averages.

    Attributes:
        step (real, ()): Number of steps taken.
        averages: Trees like the parameters.

    Examples:
        >>> from quilt_func.optim import adam
        >>> _, state, _ = adam(0.1).init({"x": torch.tensor(1.0)})
        >>> state.step, state.averages
        (tensor(0.), ({'x': tensor(0.)}, {'x': tensor(0.)}))
    """

    step: Tensor
    averages: tuple[PyTree, ...]


def apply_updates(params: PyTree, updates: PyTree) -> PyTree:
    """Add updates to parameters.

    Equal to `tree_map(torch.add, params, updates)`, after a check that the trees match.

    Args:
        params: Tree of real tensors.
        updates: Tree of the structure, shapes and dtype of `params`.

    Returns:
        New parameters, a tree like `params`.

    Raises:
        TypeError: If a leaf is not a float32 or float64 tensor, or precisions or devices differ.
        ValueError: If the structures or shapes differ.

    Transforms:
        vmap, grad, jvp, hessian.

    Examples:
        >>> apply_updates({"x": torch.tensor(1.0)}, {"x": torch.tensor(-0.25)})
        {'x': tensor(0.7500)}
    """
    leaves, structure = flatten("apply_updates", "params", params)
    others = flatten_like("apply_updates", "params", params, "updates", updates)
    return tree_unflatten(map(torch.add, leaves, others), structure)


def ravel(tree: PyTree) -> tuple[Tensor, Callable[[Tensor], PyTree]]:
    """Join a tree's leaves to one vector, and give the function that takes vectors apart again.

    Within a function that is mapped or differentiated both are as well; the inverse takes vectors
    of any dtype, so that it also makes trees of derivatives.

    Args:
        tree: Tree of real tensors with `n` entries in all.

    Returns:
        Vector (real, (n,)) of all entries, leaf after leaf in traversal order, and a function from
        such vectors to trees like `tree`.

    Raises:
        TypeError: If a leaf is not a float32 or float64 tensor, or precisions or devices differ.
        ValueError: If there are no leaves; from the inverse, if the vector's length differs.

    Transforms:
        vmap, grad, jvp, hessian.

    Examples:
        >>> vector, unravel = ravel({"a": torch.tensor([1.0, 2.0]), "b": torch.tensor(3.0)})
        >>> vector, unravel(2 * vector)
        (tensor([1., 2., 3.]), {'a': tensor([2., 4.]), 'b': tensor(6.)})
    """
    flat, unravel_checked = _ravel("ravel", "tree", tree)

    def unravel(vector: Tensor) -> PyTree:
        need, remedy = f"have shape ({len(flat)},)", "Map over several with `torch.func.vmap`."
        if not isinstance(vector, Tensor):
            raise kind_error("unravel", "vector", vector, "be a tensor", "Give one vector.")
        if vector.shape != flat.shape:
            raise shape_error("unravel", "vector", vector, need, remedy)
        return unravel_checked(vector)

    return flat, unravel


def chain(*transforms: GradientTransformation) -> GradientTransformation:
    """Compose transformations: each one's updates are the next one's gradients.

    Args:
        transforms: Pairs `(init, update)`, first to last; none at all is the identity.

    Returns:
        Their composition; its state is the tuple of their states.

    Raises:
        TypeError: If an argument is not a `GradientTransformation`; from `update`, if the state
            was not made by this chain's `init`.

    Transforms:
        vmap, grad, jvp, hessian, as far as the parts.

    Examples:
        >>> opt = chain(scale(0.5), clip_by_value(1.0))
        >>> grads = torch.tensor([-1.0, 4.0])
        >>> opt.update(grads, opt.init(grads))
        (tensor([-0.5000,  1.0000]), ((), ()))
    """
    need, remedy = "hold GradientTransformations", "Call the factory first: `adam(1e-3)`."
    for part in transforms:
        check_is("chain", "transforms", part, GradientTransformation, need, remedy)

    def init(params: PyTree) -> PyTree:
        return tuple(part.init(params) for part in transforms)

    def update(grads: PyTree, state: PyTree, params: PyTree = None) -> tuple[PyTree, PyTree]:
        if type(state) is not tuple or len(state) != len(transforms):
            raise state_error(f"be a tuple of {len(transforms)} states", state)
        states = []
        for part, part_state in zip(transforms, state, strict=True):
            grads, part_state = part.update(grads, part_state, params)
            states.append(part_state)
        return grads, tuple(states)

    return GradientTransformation(init, update)


def clip_by_global_norm(max_norm: float) -> GradientTransformation:
    r"""Shrink gradients $g$ by $\min(1, c / \lVert g \rVert)$, one norm for the whole tree.

    Args:
        max_norm: Largest Euclidean norm $c \ge 0$ of all leaves together.

    Returns:
        Pair `(init, update)`; under vmap every member has its own norm.

    Raises:
        TypeError: If `max_norm` is no number.
        ValueError: If `max_norm` is negative or not finite.

    Transforms:
        vmap, grad, jvp, hessian; finite where the gradients are 0.

    Examples:
        >>> grads = {"a": torch.tensor([3.0]), "b": torch.tensor(4.0)}
        >>> clip_by_global_norm(1.0).update(grads, ())[0]
        {'a': tensor([0.6000]), 'b': tensor(0.8000)}

    References:
        Pascanu, Mikolov and Bengio (2013), algorithm 1.
    """
    check_number("clip_by_global_norm", "max_norm", max_norm)

    def clip(grads: PyTree, _: PyTree) -> PyTree:
        squares = torch.stack([leaf.square().sum() for leaf in tree_leaves(grads)])
        factor = (max_norm / sqrt(squares.sum(0, keepdim=True))).clamp(max=1)
        return tree_map(lambda leaf: leaf * factor, grads)

    return stateless(clip)


def clip_by_value(max_value: float) -> GradientTransformation:
    r"""Clamp every entry of the gradients to $[-c, c]$.

    Args:
        max_value: Largest absolute value $c \ge 0$.

    Returns:
        Pair `(init, update)`.

    Raises:
        TypeError: If `max_value` is no number.
        ValueError: If `max_value` is negative or not finite.

    Transforms:
        vmap, grad, jvp, hessian; the derivative is 0 where an entry is cut.

    Examples:
        >>> clip_by_value(1.0).update(torch.tensor([-3.0, 0.5]), ())[0]
        tensor([-1.0000,  0.5000])
    """
    check_number("clip_by_value", "max_value", max_value)
    return stateless(lambda gs, _: tree_map(lambda g: g.clamp(-max_value, max_value), gs))


def scale(factor: Scalar) -> GradientTransformation:
    """Multiply gradients by a factor.

    Args:
        factor (real, ()): Number, or 0-d tensor of the gradients' dtype and device.

    Returns:
        Pair `(init, update)`.

    Raises:
        TypeError: If `factor` is not real; from `update`, if its dtype or device differs.
        ValueError: If `factor` is a tensor that is not 0-d, or a number that is not finite.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the factor and the gradients.

    Examples:
        >>> scale(-0.5).update(torch.tensor([4.0]), ())[0]
        tensor([-2.])
    """
    check_scalar("scale", "factor", factor, low=-math.inf)
    return stateless(lambda grads, _: tree_map(lambda g: times(g, factor), grads))


def stateless(transform: Callable[[PyTree, PyTree], PyTree]) -> GradientTransformation:
    """Make a transformation of a function from gradients and parameters to updates.

    Both come with one axis at least, see `with_axis`.
    """

    def init(params: PyTree) -> PyTree:
        flatten("init", "params", params)
        return ()

    def update(grads: PyTree, state: PyTree, params: PyTree = None) -> tuple[PyTree, PyTree]:
        leaves, structure = flatten("update", "grads", grads)
        if type(state) is not tuple or state:
            raise state_error("be the empty tuple", state)
        if params is not None:
            likes = flatten_like("update", "grads", grads, "params", params)
            params = tree_unflatten(map(with_axis, likes), structure)
        found = transform(tree_unflatten(map(with_axis, leaves), structure), params)
        return tree_map(_shaped, found, grads), state

    return GradientTransformation(init, update)


def recurrence(n_averages: int, rule: Callable[[Tensor], Leafwise]) -> GradientTransformation:
    """Make a transformation of a rule for one leaf.

    `rule(step)`, with the number of steps including this one, gives a function that maps a
    gradient's leaf and its averages to the update's leaf and its new averages. All of them have
    one axis at least, see `with_axis`.
    """

    def init(params: PyTree) -> PyTree:
        leaves, _ = flatten("init", "params", params)
        averages = tuple(tree_map(torch.zeros_like, params) for _ in range(n_averages))
        return RecurrenceState(leaves[0].new_zeros(()), averages)

    def update(grads: PyTree, state: PyTree, params: PyTree = None) -> tuple[PyTree, PyTree]:
        del params
        leaves, structure = flatten("update", "grads", grads)
        if not isinstance(state, RecurrenceState) or len(state.averages) != n_averages:
            raise state_error(f"be a RecurrenceState with {n_averages} averages", state)
        olds = (flatten_like("update", "grads", grads, "state", tree) for tree in state.averages)
        step = own_tangent(state.step) + 1
        rows = (map(with_axis, column) for column in (leaves, *olds))
        news = zip(*starmap(rule(step), zip(*rows, strict=True)), strict=True)
        shaped = (map(_shaped, column, leaves) for column in news)
        updates, *averages = (tree_unflatten(column, structure) for column in shaped)
        return updates, RecurrenceState(step, tuple(averages))

    return GradientTransformation(init, update)


def with_axis(leaf: Tensor) -> Tensor:
    """A leaf with one axis at least: with numbers, 0-d ones get tangents of another precision."""
    return leaf if leaf.ndim else leaf[None]


def _shaped(new: Tensor, old: Tensor) -> Tensor:
    """An update or an average, of the shape of its gradient."""
    return new if old.ndim else new[0]


def sqrt(value: Tensor) -> Tensor:
    """Square root with derivative 0 at 0, where the true one is infinite and would give NaN."""
    return value.clamp(min=torch.finfo(value.dtype).tiny).sqrt()


def sum_of_products(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of two vectors, in their own precision under autocast too."""
    return (a * b).sum()


def times(leaf: Tensor, factor: Scalar) -> Tensor:
    """Multiply without promotion: a tensor factor must have the leaf's dtype and device."""
    if isinstance(factor, Tensor):
        common_dtype_and_device("update", (leaf, factor))
    return leaf * factor


def state_error(need: str, state: PyTree) -> TypeError:
    """Error for a state that another optimiser made."""
    remedy = "Pass the state that this optimiser's `init` or last `update` returned."
    got = a_kind(state)
    return TypeError(message("update", "state", outline(state), need, got, remedy))


def check_scalar(function: str, argument: str, value: object, low: float = 0.0) -> None:
    """Check that a value is a number from `low` on or a real 0-d tensor."""
    if not isinstance(value, Tensor):
        check_number(function, argument, value, low)
        return
    check_real(function, argument, value)
    if value.ndim:
        remedy = "Map a function of one value over many with `torch.func.vmap`."
        raise shape_error(function, argument, value, "be a number or a 0-d tensor", remedy)
