"""Tensors: constants that outlive a call, products in their own precision, conjugates."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import _disable_current_modes

P = ParamSpec("P")
T = TypeVar("T")


def constant(array: Any, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Numbers as a tensor that may outlive the call: outside of every transform and every mode."""
    with (
        temporarily_clear_interpreter_stack(),
        torch.inference_mode(False),
        _disable_current_modes(),  # fake, functional, proxy and other dispatch modes
        torch._C.DisableTorchFunction(),  # modes of `__torch_function__`
    ):
        return torch.tensor(array, dtype=dtype, device=device)


def remembered(maxsize: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Cache what a function of static arguments makes of `constant`s, by its arguments."""

    def decorate(make: Callable[P, T]) -> Callable[P, T]:
        cached = lru_cache(maxsize)(make)

        @wraps(make)
        def recall(*args: P.args, **kwargs: P.kwargs) -> T:
            return as_seen_here(cached(*args, **kwargs))  # type: ignore[arg-type]  # all hashable

        return recall

    return decorate


def as_seen_here(constants: T) -> T:
    """A tree of cached constants as the dispatch modes around the caller take them.

    A fake mode refuses real tensors; it lifts those that come through this operation of torch's.
    """
    if not torch._C._len_torch_dispatch_stack():
        return constants
    lifted: T = pytree.tree_map_only(torch.Tensor, torch.ops.aten.lift_fresh, constants)
    return lifted


def is_alias(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Tell whether two tensors share memory."""
    private: Any = torch._C
    return bool(private._is_alias_of(a, b))


def is_same_view(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Tell whether two tensors show the same memory in the same way, also where it is fake."""
    return (
        is_alias(a, b)
        and a.storage_offset() == b.storage_offset()
        and a.shape == b.shape
        and a.stride() == b.stride()
    )


def matmul(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The product `a @ b` of real tensors in their own precision, also under `torch.autocast`.

    Autocast would round factors, and those of the product's derivatives, to half precision. It
    leaves sums of products alone, which take more memory.
    """
    if not is_autocast(a.device):
        return a @ b
    rows, columns = a if a.ndim > 1 else a[None], b if b.ndim > 1 else b[:, None]
    found = (rows.unsqueeze(-1) * columns.unsqueeze(-3)).sum(-2)
    found = found if b.ndim > 1 else found.squeeze(-1)
    return found if a.ndim > 1 else found.squeeze(-1 if b.ndim == 1 else -2)


def is_autocast(device: torch.device) -> bool:
    """Tell whether `torch.autocast` is on for a device, of any kind."""
    return torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type)


def own_precision(device: torch.device | None) -> AbstractContextManager[Any]:
    """Switch `torch.autocast` off for a device, where it is on."""
    if device is None or not is_autocast(device):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def in_memory(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor with memory that says all: contiguous, not lazily zero, conjugated or negated."""
    if tensor._is_zerotensor():
        return torch.zeros(tensor.shape, dtype=tensor.dtype, device=tensor.device)
    return tensor.resolve_conj().resolve_neg().contiguous()


def adjoint(matrices: torch.Tensor) -> torch.Tensor:
    """Conjugate transpose in memory: neither lazy nor physical conjugation can be batched."""
    plain = unconjugated(matrices)
    return with_plain_cotangent(torch.complex(plain.real.mT, -plain.imag.mT))


def with_plain_cotangent(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor, whose cotangent comes without a lazy conjugation: a product leaves none."""
    return tensor * 1


def unconjugated(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor without a lazy conjugation, whose imaginary part `vmap` cannot read."""
    if not tensor.is_conj():
        return tensor
    plain = tensor.conj()
    return torch.complex(plain.real, -plain.imag)
