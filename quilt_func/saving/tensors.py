"""Tensors as their dtype, shape and numbers, bit for bit."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quilt_func._checks import describe, is_hidden, message
from quilt_func.saving.damage import DamageError, fields, unstopped

_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64,
        torch.complex128, torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32,
        torch.int64,
    )
}  # fmt: skip
NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def tensor_out(tensor: Tensor) -> dict[str, Any]:
    """The entry of a tensor."""
    name = str(tensor.dtype).removeprefix("torch.")
    readable = not is_hidden(tensor) and tensor.layout == torch.strided
    if not readable or name not in _DTYPES:
        requirement = f"hold dense tensors of numbers, such as {', '.join([*_DTYPES][:6])}"
        remedy = "Convert them, outside of `torch.func` transforms."
        raise TypeError(message("to_json", "value", tensor, requirement, describe(tensor), remedy))
    plain = tensor.detach().cpu().resolve_conj().resolve_neg()
    flat = torch.view_as_real(plain).flatten() if plain.is_complex() else plain.flatten()
    data = [_number_out(number, flat.dtype) for number in flat.tolist()]
    return {"$tensor": name, "shape": list(tensor.shape), "data": data}


def _number_out(number: Any, dtype: torch.dtype) -> Any:
    """A number that reads back as the same one; float32 in its few digits."""
    if type(number) is not float:
        return number
    if not math.isfinite(number):
        return str(number)
    if dtype != torch.float32:
        return number
    short = float(str(np.float32(number)))
    return short if np.float32(short) == np.float32(number) else number


def tensor_in(entry: Any) -> Tensor:
    """The tensor of an entry."""
    name, shape, data = fields(entry, {"$tensor": str, "shape": list, "data": list})
    if name not in _DTYPES or not all(type(n) is int and n >= 0 for n in shape):
        raise DamageError(f"a tensor of dtype {describe(name)} and shape {describe(shape)}")
    dtype = _DTYPES[name]
    if len(data) != math.prod(shape) * (2 if dtype.is_complex else 1):
        raise DamageError(f"{len(data)} numbers for shape {describe(shape)} of {name}")
    numbers = [_number_in(number, dtype) for number in data]
    try:
        flat = torch.tensor(numbers, dtype=dtype.to_real() if dtype.is_complex else dtype)
        pairs = torch.view_as_complex(flat.reshape(-1, 2)) if dtype.is_complex else flat
        return pairs.reshape(shape)
    except (RuntimeError, ValueError, OverflowError) as error:
        raise DamageError(f"a tensor that can't be made: {unstopped(error)}") from None


def _number_in(number: Any, dtype: torch.dtype) -> Any:
    if dtype.is_floating_point or dtype.is_complex:
        if isinstance(number, str) and number in NOT_FINITE:
            return NOT_FINITE[number]
        is_right = isinstance(number, int | float) and not isinstance(number, bool)
    else:
        is_right = type(number) is (bool if dtype == torch.bool else int)
    if not is_right:
        raise DamageError(f"{describe(number)} in a tensor of {dtype}")
    return number
