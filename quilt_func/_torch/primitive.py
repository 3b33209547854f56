"""Functions of autograd that pass quickly through the levels of `torch.func`.

`torch.autograd.Function.apply` meets each level in Python: it makes a class and walks its arguments
as trees, many times over. That costs more than running a circuit of ten qubits. Here arguments are
flat, and classes are made once. Forward mode has a rule of its own, which gives results and their
tangents at once. The other rules are as torch documents them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch._C._functorch import TransformType
from torch.autograd import Function, forward_ad
from torch.autograd.function import _SingleLevelFunction

from quilt_func._torch.arrays import own_precision

functorch: Any = torch._C._functorch
Results: TypeAlias = Tensor | tuple[Tensor, ...]


class MapInfo(NamedTuple):
    """What a rule for `vmap` is told of the level."""

    batch_size: int


class Primitive(Function):
    """A Function of tensors, Nones and static values, none of them in containers.

    It returns new tensors. Its `vmap` gives the dimension None to results that are not batched.
    """

    @staticmethod
    def push(values: list[Any], tangents: list[Tensor | None]) -> tuple[Results, Results]:
        """Results and their tangents, of arguments and of theirs, one of which at least moves."""
        raise NotImplementedError

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Meet the innermost level, which hands on to the next, or run."""
        alive = _each(functorch.unwrap_if_dead, args)
        level = functorch.peek_interpreter_stack()
        if level is None:
            with own_precision(_device(alive)):
                return super(Function, cls).apply(*alive)  # type: ignore[misc]
        meet = _MEETINGS.get(level.key())
        return super().apply(*alive) if meet is None else meet(cls, level, alive)


def _device(args: Iterable[Any]) -> torch.device | None:
    return next((arg.device for arg in args if isinstance(arg, Tensor)), None)


def _mapped(function: type[Primitive], level: Any, args: Sequence[Any]) -> Any:
    vmap = functorch.CVmapInterpreterPtr(level)
    number, size = vmap.level(), vmap.batchSize()
    pairs = [
        functorch._unwrap_batched(arg, number) if isinstance(arg, Tensor) else (arg, None)
        for arg in args
    ]
    values, dims = zip(*pairs, strict=True)
    with _below():
        if all(dim is None for dim in dims):
            return function.apply(*args)
        if size == 1:
            found = _of_one(function, values, dims)
            out_dims: Any = 0 if isinstance(found, Tensor) else (0,) * len(found)
        else:
            found, out_dims = function.vmap(MapInfo(size), dims, *values)
    if isinstance(found, Tensor):
        return _batched(found, out_dims, number)
    return tuple(_batched(one, dim, number) for one, dim in zip(found, out_dims, strict=True))


def _of_one(
    function: type[Primitive], values: Sequence[Any], dims: Sequence[int | None]
) -> Results:
    """A batch of one, which `jacrev` makes of a scalar, needs no rule."""
    pairs = zip(values, dims, strict=True)
    found = function.apply(*(v if dim is None else v.squeeze(dim) for v, dim in pairs))
    return found[None] if isinstance(found, Tensor) else tuple(one[None] for one in found)


def _batched(found: Tensor, dim: int | None, level: int) -> Tensor:
    return found if dim is None else functorch._add_batch_dim(found, dim, level)


def _recorded(function: type[Primitive], level: Any, args: Sequence[Any]) -> Any:
    lifted = _each(functorch.CGradInterpreterPtr(level).lift, args)
    was_allowed = functorch.get_single_level_autograd_function_allowed()
    functorch.set_single_level_autograd_function_allowed(True)
    try:
        return _of_one_level(function).apply(*lifted)
    finally:
        functorch.set_single_level_autograd_function_allowed(was_allowed)


@cache
def _of_one_level(function: type[Primitive]) -> Any:
    """What a level of reverse mode puts on its tape."""

    def forward(*args: Any) -> Any:
        innermost = functorch.peek_interpreter_stack()  # holds what the next line points to
        level = functorch.CGradInterpreterPtr(innermost)
        values = _unwrapped(args, level.level())
        reverse_mode = torch.enable_grad if level.prevGradMode() else torch.no_grad
        with reverse_mode(), _forward_mode(), _below():
            found = function.apply(*values)
        return _wrapped(found, level.level())

    rules = {name: getattr(function, name) for name in ("setup_context", "backward")}
    members = {name: staticmethod(rule) for name, rule in {"forward": forward, **rules}.items()}
    return type(function.__name__, (_SingleLevelFunction,), members)


def _pushed(function: type[Primitive], level: Any, args: Sequence[Any]) -> Any:
    jvp = functorch.CJvpInterpreterPtr(level)
    number = jvp.level()
    pairs = [
        forward_ad.unpack_dual(jvp.lift(arg)) if isinstance(arg, Tensor) else (arg, None)
        for arg in args
    ]
    values, tangents = (_unwrapped(part, number) for part in zip(*pairs, strict=True))
    is_moving = any(tangent is not None for tangent in tangents)
    with torch.enable_grad(), _below():
        results = function.push(values, tangents) if is_moving else (function.apply(*values), None)
    found, moved = (_wrapped(part, number) for part in results)
    if not is_moving:
        return found
    if isinstance(found, Tensor):
        return forward_ad.make_dual(found, moved)
    return tuple(map(forward_ad.make_dual, found, moved))


_MEETINGS: dict[TransformType, Callable[[type[Primitive], Any, Sequence[Any]], Any]] = {
    TransformType.Vmap: _mapped, TransformType.Grad: _recorded, TransformType.Jvp: _pushed,
}  # fmt: skip


@contextmanager
def _below() -> Iterator[None]:
    """Without the innermost level."""
    level = functorch.pop_dynamic_layer_stack()
    try:
        yield
    finally:
        functorch.push_dynamic_layer_stack(level)


def _forward_mode() -> Any:
    """Torch turns it off within a Function, but levels further out may need it."""
    return forward_ad._set_fwd_grad_enabled(True)


def _each(change: Callable[[Tensor], Tensor], args: Iterable[Any]) -> list[Any]:
    return [change(arg) if isinstance(arg, Tensor) else arg for arg in args]


def _unwrapped(args: Iterable[Any], level: int) -> list[Any]:
    return _each(lambda tensor: functorch._unwrap_for_grad(tensor, level), args)


def _wrapped(found: Results | None, level: int) -> Any:
    if isinstance(found, tuple):
        return tuple(functorch._wrap_for_grad(one, level) for one in found)
    return None if found is None else functorch._wrap_for_grad(found, level)
