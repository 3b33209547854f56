"""Pytrees: trees of parameters, and classes of ours as their nodes."""

from collections.abc import Callable, Iterable
from dataclasses import astuple
from typing import Any

from torch.utils import _pytree as pytree
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

__all__ = ["register", "tree_flatten", "tree_leaves", "tree_map", "tree_paths", "tree_unflatten"]


def tree_paths(tree: Any) -> list[str]:
    """Name each leaf by the keys that lead to it, or by its number where a node has no keys."""
    try:
        paths: list[Any] = [path for path, _ in pytree.tree_flatten_with_path(tree)[0]]
    except ValueError:
        return [str(i) for i in range(len(tree_leaves(tree)))]
    return ["/".join(str(astuple(key)[0]) for key in path) for path in paths]


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
