"""Trees of parameters: checked, listed, and laid out as one flat vector."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    check_tensor,
    common_dtype_and_device,
    describe,
    message,
    short_dtype_or_kind,
)
from quilt_func._torch import own_tangent, tree_flatten, tree_leaves, tree_map, tree_unflatten
from quilt_func.typing import PyTree

_REAL = "Wrap numbers in `torch.tensor`; split complex ones with `torch.view_as_real`."
_ENSEMBLE = "Make them from the same params; for an ensemble, vmap `init` and `update`."


def flatten(
    function: str, argument: str, tree: PyTree, remedy: str = _REAL
) -> tuple[list[Tensor], Any]:
    """Flatten a tree, after a check for real tensors of one precision on one device."""
    leaves, structure = tree_flatten(tree)
    if not leaves:
        need, fix = "hold at least one tensor", "Give a tensor, or a tree of tensors."
        raise ValueError(message(function, argument, tree, need, "an empty tree", fix))
    for leaf in leaves:
        check_real(function, argument, leaf, remedy)
    common_dtype_and_device(function, leaves)
    return [own_tangent(leaf) for leaf in leaves], structure


def flatten_like(
    function: str,
    model_name: str,
    model: PyTree,
    argument: str,
    tree: PyTree,
    remedy: str = _ENSEMBLE,
) -> list[Tensor]:
    """List a tree's leaves in the order of a checked model's, after a check that both match."""
    models = tree_leaves(model)
    try:
        leaves = tree_leaves(tree_map(_like, model, tree))
    except ValueError:
        leaves = []
    if len(leaves) != len(models) or any(leaf is None for leaf in leaves):
        need = f"match the structure and shapes of `{model_name}`, {describe(outline(model))}"
        given, got = outline(tree), describe(outline(tree))
        raise ValueError(message(function, argument, given, need, got, remedy))
    common_dtype_and_device(function, (models[0], *leaves))
    return [own_tangent(leaf) for leaf in leaves]


def ravel(function: str, argument: str, tree: PyTree) -> tuple[Tensor, Callable[[Tensor], PyTree]]:
    """Join a checked tree's leaves to one vector; the function given back takes it apart again.

    That function splits any vector of this length, of whatever dtype, to a tree of these shapes.
    """
    leaves, structure = flatten(function, argument, tree)
    shapes, sizes = [leaf.shape for leaf in leaves], [leaf.numel() for leaf in leaves]

    def unravel(vector: Tensor) -> PyTree:
        parts = zip(vector.split(sizes), shapes, strict=True)
        return tree_unflatten([part.reshape(shape) for part, shape in parts], structure)

    return join(leaves), unravel


def with_tangent(function: str, params: PyTree, v: PyTree) -> tuple[PyTree, PyTree]:
    """Checked parameters and a checked vector like them, as forward mode takes them."""
    leaves, structure = flatten(function, "params", params)
    remedy = "Give one number per parameter."
    tangents = flatten_like(function, "params", params, "v", v, remedy)
    # An expanded tensor, which shares its memory, can carry no tangent.
    point = tree_unflatten([leaf.contiguous() for leaf in leaves], structure)
    return point, tree_unflatten(tangents, structure)


def join(leaves: list[Tensor]) -> Tensor:
    """One vector of the entries of all leaves, in order."""
    return torch.cat([leaf.reshape(-1) for leaf in leaves])


def outline(tree: PyTree) -> PyTree:
    """Tree with shapes in place of tensors, for error messages."""
    return tree_map(lambda leaf: tuple(leaf.shape) if isinstance(leaf, Tensor) else leaf, tree)


def check_real(function: str, argument: str, value: object, remedy: str = _REAL) -> None:
    """Check that a value is a float32 or float64 tensor."""
    need, got = "be float32 or float64 throughout", short_dtype_or_kind
    check_tensor(function, argument, value, COMPLEX_OF, (...,), remedy, need=need, got=got)


def _like(model: Tensor, leaf: object) -> Tensor | None:
    """Pass a tensor of the model's shape; anything else is None."""
    return leaf if isinstance(leaf, Tensor) and leaf.shape == model.shape else None
