"""What bits must be for a gate to act: a value, a table of yes and no, or a function of the bits.

A condition is a table over the `2**m` values of `m` bits, whatever it was given as.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import check_tensor, describe, is_index, message
from quilt_func.instruments.instrument_rows import as_bits, check_key

Bits = dict[str, Tensor]
"""Bits by key, int64 `(n_wires,)` of one outcome."""
Condition = int | tuple[int, ...] | Callable[[Tensor], Tensor]
"""A number, bits, or a function from bits `(2**m, m)` to truth values."""


def parity(bits: Tensor) -> Tensor:
    """Whether the number of ones is odd: a condition for `conditional`.

    Args:
        bits (int64, (..., m)): Bits.

    Returns:
        (bool, (...)): Parities.

    Raises:
        TypeError: If `bits` is not an int64 tensor.

    Transforms:
        vmap; it has no derivative.

    Examples:
        >>> parity(torch.tensor([[0, 1], [1, 1]]))
        tensor([ True, False])
    """
    check_tensor(
        "parity",
        "bits",
        bits,
        (torch.int64,),
        (...,),
        "Give bits of outcomes.",
        need="be an int64 tensor",
    )
    return bits.sum(-1) % 2 == 1


def checked_keys(function: str, key: Any) -> tuple[str, ...]:
    """Check a key, or several."""
    keys = (key,) if isinstance(key, str) or not isinstance(key, Iterable) else tuple(key)
    for one in keys:
        check_key(function, one)
    if not keys:
        raise ValueError(message(function, "key", key, "name an outcome", "none", 'Write `"m"`.'))
    return keys


def is_power(size: int) -> bool:
    """Whether a size is a power of 2."""
    return size > 0 and not size & (size - 1)


def keys_and_condition(function: str, key: Any, value: Any) -> tuple[tuple[str, ...], Condition]:
    """Check keys and what their bits must be."""
    keys = checked_keys(function, key)
    if callable(value):
        return keys, value
    if not is_index(value) or isinstance(value, Tensor):
        return keys, as_bits(function, "value", value, None)
    if int(value) < 0:
        remedy = "Give the value that the bits must have."
        raise ValueError(message(function, "value", value, "be zero or more", f"{value}", remedy))
    return keys, int(value)


def check_width(
    function: str, argument: str, given: object, condition: Condition, n_bits: int
) -> None:
    """Check that a condition is one for so many bits."""
    need = got = ""
    whose = "" if argument == "value" else "hold conditions that "
    if isinstance(condition, tuple) and len(condition) != n_bits:
        need, got = f"{whose}have {n_bits} bit(s)", f"{len(condition)}"
    elif isinstance(condition, int) and condition >= 2**n_bits:
        need, got = f"{whose}{'are' if whose else 'be'} below {2**n_bits}", f"{condition}"
    elif callable(condition):
        found = condition(all_bits(n_bits))
        if not isinstance(found, Tensor):
            need, got = f"{whose}give a bool for each of {2**n_bits} outcomes", describe(found)
        elif found.shape != (2**n_bits,) or found.dtype != torch.bool:
            need = f"{whose}give a bool for each of {2**n_bits} outcomes"
            got = f"{found.dtype} of shape {tuple(found.shape)}"
    if need:
        remedy = "Change what the bits are compared with, or how many wires are measured."
        raise ValueError(message(function, argument, given, need, got, remedy))


def truth_of(function: str, bits: Bits, keys: tuple[str, ...], condition: Condition) -> Tensor:
    """Whether bits `(n_branches, n_wires)` by key meet a condition."""
    for key in keys:
        if key not in bits:
            remedy = f"Choose from {list(bits)}."
            raise ValueError(message(function, "key", key, "be measured", "no such key", remedy))
    found = torch.cat([bits[key] for key in keys], -1)
    n_bits = found.shape[-1]
    check_width(function, "value", condition, condition, n_bits)
    return truth(condition, n_bits, found.device)[number(found)]


@dataclass(frozen=True)
class OfTable:
    """A condition by a truth value for each outcome."""

    table: tuple[int, ...]

    def __call__(self, bits: Tensor) -> Tensor:
        """Truth values of bits `(2**m, m)`, which count from 0."""
        return torch.tensor(self.table, dtype=torch.bool, device=bits.device)


def of_table(table: Any) -> OfTable:
    """Check a truth value for each outcome, and make a condition of them."""
    remedy = "Give 0 or 1 for each of the 2**m outcomes."
    if isinstance(table, str | int) or not isinstance(table, Iterable):
        got = describe(table)
        raise TypeError(message("conditional", "table", table, "be a sequence", got, remedy))
    found = as_bits("conditional", "table", tuple(table), None)
    if len(found) < 2 or not is_power(len(found)):
        need, got = "have 2**m entries for m bits", f"{len(found)}"
        raise ValueError(message("conditional", "table", table, need, got, remedy))
    return OfTable(found)


def described(condition: Condition) -> str:
    """A condition in a drawing."""
    if isinstance(condition, int):
        return f"={condition}"
    if isinstance(condition, tuple):
        return f"={''.join(map(str, condition))}"
    if isinstance(condition, OfTable):
        return f"~{''.join(map(str, condition.table))}"
    return f":{getattr(condition, '__name__', type(condition).__name__)}"


def all_bits(m: int, device: torch.device | None = None) -> Tensor:
    """The bits `(2**m, m)` of the numbers from 0 on, the first the most significant."""
    numbers, places = torch.arange(2**m, device=device), torch.arange(m - 1, -1, -1, device=device)
    return numbers[:, None] >> places & 1


def truth(condition: Condition, m: int, device: torch.device | None = None) -> Tensor:
    """A condition's truth values over the `2**m` outcomes of `m` bits."""
    if callable(condition):
        return condition(all_bits(m, device))
    value = condition if isinstance(condition, int) else number_of(condition)
    return torch.arange(2**m, device=device) == value


def number_of(bits: Iterable[int]) -> int:
    """The number whose bits these are, the first the most significant."""
    return int("".join(map(str, bits)), 2)


def number(bits: Tensor) -> Tensor:
    """The number whose bits `(..., m)` these are, the first the most significant."""
    places = torch.arange(bits.shape[-1] - 1, -1, -1, device=bits.device)
    return (bits << places).sum(-1)
