"""Pytrees and transform levels: with `_primitive` and `_dynamo` all that touches private names.

Everything else in the library sees plain functions. If torch renames something, these are
the files to change.
"""

import warnings
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import astuple
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch._C._functorch import TransformType, get_interpreter_stack
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack
from torch.autograd import forward_ad
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import _disable_current_modes

P = ParamSpec("P")
T = TypeVar("T")


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
) -> None:
    """Make a class a pytree node; `unflatten` must accept leaves of any kind unchecked."""
    pytree.register_pytree_node(
        cls, flatten, unflatten, serialized_type_name=f"{cls.__module__}.{cls.__qualname__}"
    )


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


def adjoint(matrices: torch.Tensor) -> torch.Tensor:
    """Conjugate transpose in memory: neither lazy nor physical conjugation can be batched."""
    plain = unconjugated(matrices)
    return torch.complex(plain.real.mT, -plain.imag.mT)


def unconjugated(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor without a lazy conjugation, whose imaginary part `vmap` cannot read."""
    if not tensor.is_conj():
        return tensor
    plain = tensor.conj()
    return torch.complex(plain.real, -plain.imag)


def batch_levels(tensor: torch.Tensor) -> tuple[int, ...]:
    """List the `torch.func.vmap` levels that a tensor is batched over, the innermost first."""
    functorch = torch._C._functorch
    levels: list[int] = []
    while functorch.is_functorch_wrapped_tensor(tensor):
        if functorch.is_batchedtensor(tensor):
            levels.append(functorch.maybe_get_level(tensor))
        tensor = functorch.get_unwrapped(tensor)
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
    function: Callable[[list[Any]], list[torch.Tensor]],
    values: Iterable[torch.Tensor],
    tangents: Iterable[torch.Tensor | None],
) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
    """Results of a function of plain tensors and their tangents, also within a Function."""
    own_level = nullcontext() if is_forward_mode() else forward_ad.dual_level()
    with forward_ad._set_fwd_grad_enabled(True), own_level:
        duals = [
            value if tangent is None else forward_ad.make_dual(value.contiguous(), tangent)
            for value, tangent in zip(values, tangents, strict=True)
        ]
        return [tuple(forward_ad.unpack_dual(found)) for found in function(duals)]


def is_transformed(*tensors: torch.Tensor) -> bool:
    """Tell whether the values of any tensor are hidden behind a `torch.func` transform."""
    return any(torch._C._functorch.is_functorch_wrapped_tensor(tensor) for tensor in tensors)


def is_differentiated(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor carries a derivative, reverse or forward, at any transform level."""
    functorch = torch._C._functorch
    while True:
        if tensor.requires_grad or _is_dual(tensor):
            return True
        if not functorch.is_functorch_wrapped_tensor(tensor):
            return False
        tensor = functorch.get_unwrapped(tensor)


def is_recorded(tensor: torch.Tensor) -> bool:
    """Tell whether reverse mode follows a tensor, at any transform level."""
    functorch = torch._C._functorch
    while not tensor.requires_grad:
        if not functorch.is_functorch_wrapped_tensor(tensor):
            return False
        tensor = functorch.get_unwrapped(tensor)
    return True


def _is_dual(tensor: torch.Tensor) -> bool:
    if forward_ad._current_level < 0:
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
