"""Arguments of a call, split into tensors and a hashable signature of all else."""

import inspect
from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple

from torch import Tensor

from quilt_func._checks import kind_error
from quilt_func._torch import settings, tree_flatten, tree_unflatten


class Arguments(NamedTuple):
    """A call's arguments.

    Attributes:
        tensors: The tensors among the leaves, as given.
        leaves: All leaves, `TENSOR` where one of `tensors` stands.
        structure: The tree that the leaves came from.
        signature: What a trace depends on: equal for calls that may share one.
    """

    tensors: list[Tensor]
    leaves: list[Any]
    structure: Any
    signature: Hashable

    def rebuilt(self, tensors: Iterable[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments, with other tensors in place of those given."""
        rest = iter(tensors)
        leaves = [next(rest) if leaf is TENSOR else leaf for leaf in self.leaves]
        found: tuple[tuple[Any, ...], dict[str, Any]] = tree_unflatten(
            [leaf.value if type(leaf) is _Whole else leaf for leaf in leaves], self.structure
        )
        return found


class _Whole:
    """A static argument: one leaf, whatever it is made of."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class _Mark:
    __slots__ = ()


TENSOR = _Mark()
"""Stands among the leaves for a tensor."""


class StaticArguments:
    """Which arguments of a function are static as a whole, by position and by name."""

    def __init__(
        self, fn: Callable[..., Any], positions: int | Iterable[int], names: str | Iterable[str]
    ) -> None:
        known = _positional_names(fn)
        given = (positions,) if isinstance(positions, int) else tuple(positions)
        named = (names,) if isinstance(names, str) else tuple(names)
        _check_static(given, named)
        count = len(known)
        self.positions = {
            *(i if i >= 0 else count + i for i in given),
            *(known.index(name) for name in named if name in known),
        }
        self.names = {*named, *(known[i] for i in self.positions if i < count)}

    def flatten(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        """Split the arguments of one call."""
        if self.names or self.positions:
            args = tuple(_Whole(a) if i in self.positions else a for i, a in enumerate(args))
            kwargs = {k: _Whole(v) if k in self.names else v for k, v in kwargs.items()}
        given, structure = tree_flatten((args, kwargs))
        tensors = [leaf for leaf in given if isinstance(leaf, Tensor)]
        leaves = [TENSOR if isinstance(leaf, Tensor) else leaf for leaf in given]
        facts = [
            (leaf.shape, leaf.dtype, leaf.device, leaf.requires_grad)
            if isinstance(leaf, Tensor)
            else _key_of(leaf)
            for leaf in given
        ]
        signature = (structure, tuple(facts), settings())
        return Arguments(tensors, leaves, structure, signature)


def _key_of(leaf: Any) -> Hashable:
    """A leaf that is no tensor, equal to others of the same kind and value only."""
    value = leaf.value if type(leaf) is _Whole else leaf
    try:
        hash(value)
    except TypeError:
        raise _unhashable(value) from None
    if isinstance(value, Tensor):
        raise _unhashable(value)
    return _exactly(value)


def _exactly(value: Any) -> Hashable:
    """Tell apart what Python holds for equal: 1, 1.0 and True, or 0.0 and -0.0."""
    if isinstance(value, tuple):
        return (type(value), *map(_exactly, value))
    return (type(value), repr(value) if isinstance(value, float | complex) else value)


def _unhashable(value: object) -> TypeError:
    is_tensor = isinstance(value, Tensor)
    remedy = "Leave it out of the static arguments." if is_tensor else (
        "Give a tensor (`torch.as_tensor(array)`), a tuple for a list, or a pytree of these."
    )  # fmt: skip
    need = "be tensors, or hashable values that are static"
    return kind_error("jit", "arguments", value, need, remedy)


def _positional_names(fn: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):  # of a function in C
        return []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.kind in positional]


def _check_static(positions: Iterable[Any], names: Iterable[Any]) -> None:
    for position in positions:
        if type(position) is not int:
            remedy = "Give names as `static_argnames`."
            raise kind_error("jit", "static_argnums", position, "be ints", remedy)
    for name in names:
        if type(name) is not str:
            remedy = "Give positions as `static_argnums`."
            raise kind_error("jit", "static_argnames", name, "be names", remedy)
