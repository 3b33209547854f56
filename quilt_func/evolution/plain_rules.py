"""Derivatives of the plain route: what the rules of Functions compute, in ordinary torch calls."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import jvp, vjp, vmap

from quilt_func._torch import tree_map
from quilt_func.evolution.batching import Axes, Levels
from quilt_func.evolution.signature import Static


def pulled(
    function: Callable[..., Any], inputs: Sequence[Tensor], gradient: Any
) -> tuple[Any, ...]:
    """Gradients of inputs; of those that a result does not depend on, too.

    Two things that torch fails to do within other levels are kept from it. It makes no zeros for an
    input that is not used: so all of them are results as well, with no gradient. And it can't read
    an input that a derivative was saved with: so views of inputs are used.
    """
    pull = vjp(lambda *given: (function(*(x.view_as(x) for x in given)), given), *inputs)[1]
    found: tuple[Any, ...] = pull((gradient, tuple(map(torch.zeros_like, inputs))))
    return found


def run_plainly(circuit: Static, is_from_zero: bool, *tensors: Tensor) -> Tensor:
    return circuit.plain_packed(None, *tensors) if is_from_zero else circuit.plain_packed(*tensors)


def pushed(function: Callable[..., Any], tensors: Sequence[Tensor | None]) -> Callable[..., Any]:
    """A function of the given of some tensors, and its tangent, of these and given tangents."""
    values, tangents = halves([tensor is not None for tensor in tensors])
    moves = [
        has_tangent for is_given, has_tangent in zip(values, tangents, strict=True) if is_given
    ]

    def of_given(*given: Tensor) -> Any:
        fixed, moved = given[: len(moves)], given[len(moves) :]

        def of_moving(*moving: Tensor) -> Any:
            rest = iter(moving)
            pairs = zip(fixed, moves, strict=True)
            return function(*(next(rest) if does_move else value for value, does_move in pairs))

        moving = (value for value, does_move in zip(fixed, moves, strict=True) if does_move)
        return jvp(of_moving, tuple(moving), moved)

    return of_given


def both_mapped(
    function: Callable[..., Any], levels: Iterable[Levels], of_values: Iterable[Levels], level: int
) -> Callable[..., Any]:
    """A function with values and their tangents, over a level that values may not depend on."""
    mapped = _mapped(function, levels, level)
    if any(level in own for own in of_values):
        return mapped

    def of_one(*given: Tensor) -> Any:
        values, tangents = mapped(*given)
        return tree_map(lambda value: value[0], values), tangents

    return of_one


def plain_pull(
    circuit: Static, axes: Axes, wanted: tuple[bool, ...], is_from_zero: bool
) -> Callable[..., tuple[Tensor, ...]]:
    """What `Pull` computes, in plain torch calls, of the gradient, the state if any, leaves."""
    of_state, _, of_gradient, *of_leaves = axes.levels
    start = [] if is_from_zero else [of_state]
    mapped = plain_pull_of_one(circuit, axes, wanted, is_from_zero)
    for level in axes.outer[::-1]:
        mapped = _mapped(mapped, [of_gradient, *start, *of_leaves], level)
    return mapped


def plain_pull_of_one(
    circuit: Static, axes: Axes, wanted: tuple[bool, ...], is_from_zero: bool
) -> Callable[..., tuple[Tensor, ...]]:
    """The same of one gradient: without the levels that are mapped over gradients."""
    n_leaves = len(circuit.packing.groups)
    levels = [*([] if is_from_zero else [axes.levels[0]]), *axes.levels[3 : 3 + n_leaves]]
    run: Any = partial(run_plainly, circuit, is_from_zero)
    for level in range(axes.inner):
        run = _mapped(run, levels, level)

    def of_one(gradient: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        found = pulled(run, tensors, gradient)
        every = (None, *found) if is_from_zero else found
        return tuple(one for one, is_wanted in zip(every, wanted, strict=True) if is_wanted)

    return of_one


def _mapped(
    function: Callable[..., Any], levels: Iterable[Levels], level: int
) -> Callable[..., Any]:
    return vmap(function, tuple(0 if level in own else None for own in levels))


def halves(values: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """What belongs to tensors, and what to their tangents."""
    middle = len(values) // 2
    return list(values[:middle]), list(values[middle:])
