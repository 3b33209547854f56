"""Primitives on torch's public `torch.autograd.Function`."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, TypeAlias

from torch import Tensor
from torch.autograd import Function

from quilt_func._torch.arrays import own_precision

Rules: TypeAlias = Any
"""A subclass of `Primitive`; to mypy, no class is a key of a cache."""


def apply(primitive: Rules, static: Any, tensors: Sequence[Tensor | None]) -> Any:
    """Static argument and tensors -> results, as torch meets the levels around the caller."""
    with precision_of(tensors):
        return function_of(primitive).apply(static, *tensors)


def precision_of(tensors: Iterable[Tensor | None]) -> AbstractContextManager[Any]:
    """No `torch.autocast` for the tensors' device."""
    return own_precision(next((tensor.device for tensor in tensors if tensor is not None), None))


@cache
def function_of(primitive: Rules) -> type[Function]:
    """A primitive's rules -> a Function of torch's."""

    def vmap(info: Any, in_dims: Sequence[int | None], static: Any, *tensors: Any) -> Any:
        found, dims = primitive.vmap(info.batch_size, in_dims[1:], static, tensors)
        return found, dims[0] if isinstance(found, Tensor) else tuple(dims)

    def jvp(ctx: Any, _: None, *tangents: Tensor | None) -> Any:
        return primitive.push(ctx.static, ctx.saved_tensors, tangents)[1]

    rules = {"forward": primitive.forward, "vmap": vmap, "jvp": jvp, **reverse_rules(primitive)}
    return type(primitive.__name__, (Function,), {k: staticmethod(v) for k, v in rules.items()})


def reverse_rules(primitive: Rules) -> dict[str, Any]:
    """A primitive's rules -> those of reverse mode, as torch calls them."""

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.static, *tensors = inputs
        ctx.save_for_forward(*tensors)
        primitive.setup_context(ctx, tensors, output)

    def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
        return None, *primitive.backward(ctx, *gradients)

    return {"setup_context": setup_context, "backward": backward}
