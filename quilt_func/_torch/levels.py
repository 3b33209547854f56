"""Levels of `torch.func` transforms around a caller, and those that a tensor carries."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch._C._functorch import (
    TransformType,
    get_interpreter_stack,
    get_unwrapped,
    is_batchedtensor,
    is_functorch_wrapped_tensor,
    maybe_get_level,
)
from torch.autograd import forward_ad


def batch_levels(tensor: torch.Tensor) -> tuple[int, ...]:
    """List the `torch.func.vmap` levels that a tensor is batched over, the innermost first."""
    levels: list[int] = []
    while is_functorch_wrapped_tensor(tensor):
        if is_batchedtensor(tensor):
            levels.append(maybe_get_level(tensor))
        tensor = get_unwrapped(tensor)
    return tuple(levels)


def is_forward_mode() -> bool:
    """Tell whether forward derivatives are being taken, by `torch.func` or by torch itself."""
    return forward_ad._current_level >= 0


def forward_mode_levels() -> int:
    """Count the `torch.func.jvp` transforms around the caller."""
    stack = get_interpreter_stack()
    return 0 if stack is None else sum(level.key() == TransformType.Jvp for level in stack)


def is_within_transform() -> bool:
    """Tell whether the caller runs within any `torch.func` transform."""
    return bool(get_interpreter_stack())


def trusts_forward_rules() -> bool:
    """Tell whether forward rules of Functions can be trusted: at one level of forward mode at most.

    Under two `torch.func.jvp`s, or in torch's own forward mode, they are silently wrong. An
    exported program would keep none of a Function's rules.
    """
    if torch.compiler.is_exporting():
        return False
    return not is_forward_mode() or forward_mode_levels() == 1


def push_forward(
    function: Callable[[list[Any]], torch.Tensor],
    values: Iterable[torch.Tensor],
    tangents: Iterable[torch.Tensor | None],
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The result of a function of plain tensors and its tangent, also within a Function."""
    own_level = nullcontext() if is_forward_mode() else forward_ad.dual_level()
    with forward_ad._set_fwd_grad_enabled(True), own_level:
        duals = [
            value if tangent is None else forward_ad.make_dual(value.contiguous(), tangent)
            for value, tangent in zip(values, tangents, strict=True)
        ]
        return tuple(forward_ad.unpack_dual(function(duals)))


def own_tangent(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor, with a tangent of its own precision.

    Under `torch.func.jvp` torch gives a Python number times a 0-d float32 tensor a tangent of
    float64. A copy in the dtype that a tensor has casts its tangents, too.
    """
    if not is_forward_mode() or tensor.dtype in (torch.float64, torch.complex128):
        return tensor
    return tensor.to(tensor.dtype, copy=True) if is_functorch_wrapped_tensor(tensor) else tensor


def is_transformed(*tensors: torch.Tensor) -> bool:
    """Tell whether the values of any tensor are hidden behind a `torch.func` transform."""
    return any(map(is_functorch_wrapped_tensor, tensors))


def is_differentiated(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor carries a derivative, reverse or forward, at any transform level."""
    return any(one.requires_grad or _is_dual(one) for one in _unwrapped(tensor))


def is_recorded(tensor: torch.Tensor) -> bool:
    """Tell whether reverse mode follows a tensor, at any transform level."""
    return any(one.requires_grad for one in _unwrapped(tensor))


def _unwrapped(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """A tensor, and what it is at each level further out."""
    yield tensor
    while is_functorch_wrapped_tensor(tensor):
        tensor = get_unwrapped(tensor)
        yield tensor


def _is_dual(tensor: torch.Tensor) -> bool:
    if not is_forward_mode() or is_batchedtensor(tensor):  # whose values are looked at in turn
        return False
    return forward_ad.unpack_dual(tensor).tangent is not None


def _load_forward_rules() -> None:
    """Make torch compile its own forward rules, which it does at the first dual tensor.

    From 2.14 on it warns of itself at that: `torch.jit.script` is deprecated. Nobody who takes a
    derivative of ours is to meet that warning, the less so where warnings are errors.
    """
    with warnings.catch_warnings(), forward_ad.dual_level():
        warnings.filterwarnings("ignore", ".*torch.jit.script.*")
        forward_ad.make_dual(torch.zeros(()), torch.zeros(()))


_load_forward_rules()
