"""Derivatives of the plain route: what the rules of Functions compute, in ordinary torch calls.

Tensors come flat, and those that are None stay where they are.
"""

from collections.abc import Callable, Sequence
from itertools import compress
from typing import Any

import torch
from torch import Tensor
from torch.func import jvp, vjp, vmap

from quilt_func._torch import tree_map
from quilt_func.evolution.batching import Levels
from quilt_func.evolution.calls import Call, halves, in_places


def pulled(
    function: Callable[..., Any], tensors: Sequence[Tensor | None], gradient: Any
) -> tuple[Tensor | None, ...]:
    """A function, its tensors, gradients of its results -> gradients of the tensors (the vjp).

    Two things that torch fails to do within other levels are kept from it. It makes no zeros for a
    tensor that is not used: so all of them are results as well, with no gradient. And it can't read
    a tensor that a derivative was saved with: so views are used.
    """
    is_given = [tensor is not None for tensor in tensors]

    def of_given(*given: Tensor) -> Any:
        return function(*in_places(is_given, (one.view_as(one) for one in given))), given

    given = [tensor for tensor in tensors if tensor is not None]
    pull = vjp(of_given, *given)[1]
    return in_places(is_given, pull((gradient, tuple(map(torch.zeros_like, given)))))


def mapped(
    function: Callable[..., Any], levels: Sequence[Levels], level: int
) -> Callable[..., Any]:
    """A function -> the function mapped over a level, which is the first axis of some tensors."""

    def of_batch(*tensors: Tensor | None) -> Any:
        pairs = zip(tensors, levels, strict=True)
        dims = tuple(0 if t is not None and level in own else None for t, own in pairs)
        return vmap(function, dims)(*tensors)

    return of_batch


def with_tangents(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of tensors -> one of tensors and their tangents, of its results and theirs."""

    def of_both(*both: Tensor | None) -> Any:
        values, tangents = halves(both)
        has_tangent = [tangent is not None for tangent in tangents]

        def along(*changing: Tensor) -> Any:
            pairs = zip(in_places(has_tangent, changing), values, strict=True)
            return function(*(fixed if new is None else new for new, fixed in pairs))

        pairs = zip(values, tangents, strict=True)
        # torch writes a tangent in the layout of its value, which must not overlap itself
        given = [(v.contiguous(), t) for v, t in pairs if v is not None and t is not None]
        return jvp(along, *zip(*given, strict=True))

    return of_both


def mapped_with_tangents(
    function: Callable[..., Any], levels: Sequence[Levels], level: int
) -> Callable[..., Any]:
    """`mapped` for a function of tangents, too, over a level that values may not depend on."""
    of_batch = mapped(function, levels, level)

    def of_both(*both: Tensor | None) -> Any:
        values, tangents = of_batch(*both)
        pairs = zip(halves(both)[0], halves(levels)[0], strict=True)
        if any(value is not None and level in own for value, own in pairs):
            return values, tangents
        return tree_map(lambda value: value[0], values), tangents

    return of_both


def plain_pull(call: Call, *tensors: Tensor | None) -> tuple[Tensor, ...]:
    """What `Pull` computes, of the same arguments; it has no use for the output."""
    function = pull_of_one(call, call.axes.levels)
    for level in call.axes.outer[::-1]:
        function = mapped(function, call.axes.levels, level)
    found: tuple[Tensor, ...] = function(*tensors)
    return found


def pull_of_one(call: Call, levels: Sequence[Levels]) -> Callable[..., tuple[Tensor, ...]]:
    """The same for one gradient: without the levels that are mapped over gradients."""
    of_state, _, _, *of_leaves = levels
    run: Callable[..., Any] = call.circuit.plain_packed
    for level in range(len(call.axes.sizes) - len(call.axes.outer)):
        run = mapped(run, (of_state, *of_leaves), level)

    def of_one(
        state: Tensor | None, _: Tensor | None, gradient: Tensor, *leaves: Tensor
    ) -> tuple[Any, ...]:
        return tuple(compress(pulled(run, (state, *leaves), gradient), call.wanted))

    return of_one


def without_output(
    state: Tensor | None, _: Tensor | None, *rest: Tensor | None
) -> tuple[Tensor | None, ...]:
    """The tensors of a walk back that have a derivative in the plain route."""
    return state, None, *rest
