"""Arguments that templates share: checked tensors and gates, and pairs of wires by name."""

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    check_is,
    check_tensor,
    check_wires,
    message,
    short_dtype_or_kind,
)
from quilt_func.ops import Gate
from quilt_func.typing import WireSet

Entangler = str | Iterable[tuple[int, int]]
"""One of "chain", "ring", "pairs", "all", or pairs of wires; see `entangler_pairs`."""

LAYERS_REMEDY = (
    "Layers are its first axis and wires its second; map over an ensemble with `torch.func.vmap`."
)
SAMPLE_REMEDY = "Give one sample; map over a batch with `torch.func.vmap`."


def angles_of(function: str, u: Any, form: tuple[Any, ...], low: float, high: float) -> Tensor:
    """Uniform numbers of a form, checked, as angles."""
    check_argument(function, "u", u, form, "Draw it with `uniforms(shape, seed)`.")
    angles: Tensor = low + (high - low) * u
    return angles


@lru_cache(maxsize=1024)
def _named_pairs(n: int) -> dict[str, tuple[WireSet, ...]]:
    chain = tuple((i, i + 1) for i in range(n - 1))
    return {
        "chain": chain,
        "ring": chain + (((n - 1, 0),) if n > 2 else ()),
        "pairs": chain[::2] + chain[1::2],
        "all": tuple((i, j) for i in range(n) for j in range(i + 1, n)),
    }


def pairs_of(function: str, n: int, entangler: Any) -> tuple[WireSet, ...]:
    """The pairs of a name, or the checked pairs of a list."""
    named = _named_pairs(n)
    if isinstance(entangler, str):
        if entangler not in named:
            need, got = f"be one of {', '.join(map(repr, named))}", repr(entangler)
            remedy = "Or give pairs of wires: `[(0, 1), (1, 2)]`."
            raise ValueError(message(function, "entangler", entangler, need, got, remedy))
        return named[entangler]
    given = tuple(entangler) if isinstance(entangler, Iterable) else (entangler,)
    for pair in given:
        if not isinstance(pair, tuple) or len(pair) != 2:
            need, remedy = "be a name or pairs of wires", "Write `[(0, 1), (1, 2)]`, with tuples."
            raise TypeError(message(function, "entangler", entangler, need, repr(pair), remedy))
    return tuple(check_wires(function, pair, n, "entangler") for pair in given)


def check_gate(function: str, gate: Any, n_wires: int, n_params: int) -> None:
    """Check that a value is a gate of so many wires and angles."""
    need = f"be a gate of {n_wires} wire(s) and {n_params} angle(s)"
    remedy = f"Give one such as `{'cz' if n_wires == 2 else 'rx'}`, without calling it."
    check_is(function, "gate", gate, Gate, need, remedy)
    if (gate.n_wires, gate.n_params, gate.param_shape) != (n_wires, n_params, ()):
        got = f"one of {gate.n_wires} wire(s) and {gate.n_params} angle(s)"
        raise ValueError(message(function, "gate", gate, need, got, remedy))


def check_argument(
    function: str,
    argument: str,
    given: Any,
    form: tuple[Any, ...],
    remedy: str,
    dtypes: Collection[torch.dtype] = COMPLEX_OF,
) -> None:
    """Check a real tensor's dtype and the form of its shape."""
    fix = "Convert it with `torch.as_tensor(..., dtype=torch.float32)`."
    got = short_dtype_or_kind
    check_tensor(function, argument, given, dtypes, form, remedy, got=got, dtype_remedy=fix)
