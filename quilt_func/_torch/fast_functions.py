"""Primitives through the levels of `torch.func` with flat arguments, and classes made once.

`torch.autograd.Function.apply` costs more than running a circuit of ten qubits. All names of torch
that only this room needs are imported here by name: where one is missing, importing it fails.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import (
    CGradInterpreterPtr,
    CJvpInterpreterPtr,
    CVmapInterpreterPtr,
    TransformType,
    _add_batch_dim,
    _unwrap_batched,
    _unwrap_for_grad,
    _wrap_for_grad,
    get_single_level_autograd_function_allowed,
    peek_interpreter_stack,
    pop_dynamic_layer_stack,
    push_dynamic_layer_stack,
    set_single_level_autograd_function_allowed,
    unwrap_if_dead,
)
from torch.autograd import Function, forward_ad
from torch.autograd.forward_ad import _set_fwd_grad_enabled
from torch.autograd.function import _SingleLevelFunction

from quilt_func._torch.public_functions import Rules, function_of, precision_of, reverse_rules


def apply(primitive: Rules, static: Any, tensors: Sequence[Tensor | None]) -> Any:
    """Static argument and tensors -> results, by the rule of the innermost level.

    The rule hands on to the next level further out; below all, `forward` runs.
    """
    alive = _each(unwrap_if_dead, tensors)
    level = peek_interpreter_stack()
    rule = None if level is None else _RULES.get(level.key())
    if rule is not None:
        return rule(primitive, level, static, alive)
    with precision_of(alive):
        if level is not None and not any(t is not None and t.requires_grad for t in alive):
            return primitive.forward(static, *alive)  # `functionalize` has no rule for Functions
        return super(Function, function_of(primitive)).apply(static, *alive)  # type: ignore[misc]


def _mapped(primitive: Rules, level: Any, static: Any, tensors: Sequence[Tensor | None]) -> Any:
    """Results at a level of `vmap`."""
    vmap = CVmapInterpreterPtr(level)
    number, size = vmap.level(), vmap.batchSize()
    pairs = [(None, None) if t is None else _unwrap_batched(t, number) for t in tensors]
    values, dims = zip(*pairs, strict=True)
    with _below():
        if all(dim is None for dim in dims):
            return primitive.apply(static, *tensors)
        found, found_dims = primitive.vmap(size, dims, static, values)
    if isinstance(found, Tensor):
        return _batched(found, found_dims[0], number)
    return tuple(_batched(one, dim, number) for one, dim in zip(found, found_dims, strict=True))


def _batched(found: Tensor, dim: int | None, level: int) -> Tensor:
    return found if dim is None else _add_batch_dim(found, dim, level)


def _recorded(primitive: Rules, level: Any, static: Any, tensors: Sequence[Tensor | None]) -> Any:
    """Results at a level of reverse mode, with their vjp on its graph."""
    lifted = _each(CGradInterpreterPtr(level).lift, tensors)
    was_allowed = get_single_level_autograd_function_allowed()
    set_single_level_autograd_function_allowed(True)
    try:
        return _of_one_level(primitive).apply(static, *lifted)
    finally:
        set_single_level_autograd_function_allowed(was_allowed)


@cache
def _of_one_level(primitive: Rules) -> Any:
    """A primitive's rules -> the Function that a level of reverse mode puts on its graph."""

    def forward(static: Any, *tensors: Tensor | None) -> Any:
        innermost = peek_interpreter_stack()  # holds what the next line points to
        level: Any = CGradInterpreterPtr(innermost)
        values = _unwrapped(tensors, level.level())
        reverse_mode = torch.enable_grad if level.prevGradMode() else torch.no_grad
        # torch turns forward mode off within a Function, but levels further out may need it
        with reverse_mode(), _set_fwd_grad_enabled(True), _below():
            found = primitive.apply(static, *values)
        return _wrapped(found, level.level())

    rules = {"forward": forward, **reverse_rules(primitive)}
    members = {name: staticmethod(rule) for name, rule in rules.items()}
    return type(primitive.__name__, (_SingleLevelFunction,), members)


def _pushed(primitive: Rules, level: Any, static: Any, tensors: Sequence[Tensor | None]) -> Any:
    """Results at a level of forward mode, with their tangents."""
    jvp: Any = CJvpInterpreterPtr(level)
    number = jvp.level()
    pairs = [(None, None) if t is None else forward_ad.unpack_dual(jvp.lift(t)) for t in tensors]
    values, tangents = (_unwrapped(part, number) for part in zip(*pairs, strict=True))
    with torch.enable_grad(), _below():
        if all(tangent is None for tangent in tangents):
            found, found_tangents = primitive.apply(static, *values), None
        else:
            found, found_tangents = primitive.push(static, values, tangents)
    found = _wrapped(found, number)
    if found_tangents is None:
        return found
    if isinstance(found, Tensor):
        return forward_ad.make_dual(found, _wrapped(found_tangents, number))
    return tuple(map(forward_ad.make_dual, found, _wrapped(found_tangents, number)))


_RULES: dict[TransformType, Callable[..., Any]] = {
    TransformType.Vmap: _mapped, TransformType.Grad: _recorded, TransformType.Jvp: _pushed,
}  # fmt: skip


@contextmanager
def _below() -> Iterator[None]:
    """Without the innermost level."""
    level = pop_dynamic_layer_stack()
    try:
        yield
    finally:
        push_dynamic_layer_stack(level)


def _each(
    change: Callable[[Tensor], Tensor], tensors: Iterable[Tensor | None]
) -> list[Tensor | None]:
    return [None if tensor is None else change(tensor) for tensor in tensors]


def _unwrapped(tensors: Iterable[Tensor | None], level: int) -> list[Tensor | None]:
    return _each(lambda tensor: _unwrap_for_grad(tensor, level), tensors)


def _wrapped(found: Tensor | tuple[Tensor, ...], level: int) -> Any:
    if isinstance(found, Tensor):
        return _wrap_for_grad(found, level)
    return tuple(_wrap_for_grad(one, level) for one in found)
