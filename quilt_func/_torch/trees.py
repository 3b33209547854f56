"""Pytrees: trees of parameters, and classes of ours as their nodes."""

from collections.abc import Callable, Iterable
from dataclasses import astuple
from typing import Any

from torch.utils import _pytree as pytree


def tree_map(function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """Apply a function to the leaves of one or several trees of the same structure."""
    return pytree.tree_map(function, tree, *rest)


def tree_leaves(tree: Any) -> list[Any]:
    """List the leaves of a tree in traversal order."""
    return pytree.tree_leaves(tree)


def tree_flatten(tree: Any) -> tuple[list[Any], Any]:
    """Split a tree into its leaves and its structure."""
    return pytree.tree_flatten(tree)


def tree_paths(tree: Any) -> list[str]:
    """Name each leaf by the keys that lead to it, or by its number where a node has no keys."""
    try:
        paths: list[Any] = [path for path, _ in pytree.tree_flatten_with_path(tree)[0]]
    except ValueError:
        return [str(i) for i in range(len(pytree.tree_leaves(tree)))]
    return ["/".join(str(astuple(key)[0]) for key in path) for path in paths]


def tree_unflatten(leaves: Iterable[Any], structure: Any) -> Any:
    """Rebuild a tree from leaves and a structure."""
    return pytree.tree_unflatten(leaves, structure)


def register(
    cls: type,
    flatten: Callable[[Any], tuple[list[Any], Any]],
    unflatten: Callable[[Iterable[Any], Any], Any],
    name: str,
) -> None:
    """Make a class a pytree node of a name that files may keep.

    `unflatten` must accept leaves of any kind unchecked.
    """
    pytree.register_pytree_node(cls, flatten, unflatten, serialized_type_name=name)
