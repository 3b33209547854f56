"""Structural checks, all in one message form.

``{function}({argument}={given}): `{argument}` must {requirement}, but got {got}. {remedy}``

Checks read shapes, dtypes, devices and wires, never values: values can't be read under vmap.
"""

import math
import operator
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

REAL_OF = {torch.complex64: torch.float32, torch.complex128: torch.float64}
COMPLEX_OF = {real: complex_ for complex_, real in REAL_OF.items()}


def describe(value: object) -> str:
    """Short one-line text for a value in an error; a tensor shows its shape and dtype."""
    if isinstance(value, Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"Tensor(shape={tuple(value.shape)}, dtype={dtype})"
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def a_kind(value: object) -> str:
    """Name a value's kind with its article, for an error: "an int", "a str", "None"."""
    if value is None:
        return "None"
    name = type(value).__name__
    is_spelled = name[:2].isupper() and name[0] in "FHLMNRSX"  # "an RX", "an SProd"
    return f"an {name}" if name[0] in "aeioAEIO" or is_spelled or name[:2] == "nd" else f"a {name}"


def message(
    function: str, argument: str, given: object, requirement: str, got: str, remedy: str
) -> str:
    """Compose the house's error message."""
    return (
        f"{function}({argument}={describe(given)}): `{argument}` must {requirement}, "
        f"but got {got}. {remedy}"
    )


def check_count(function: str, argument: str, value: object, minimum: int = 0) -> int:
    """Check a static integer count."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(
            message(
                function,
                argument,
                value,
                "be an int",
                a_kind(value),
                f"Give a Python int of at least {minimum}.",
            )
        )
    if value < minimum:
        raise ValueError(
            message(
                function,
                argument,
                value,
                f"be at least {minimum}",
                str(value),
                f"Give {minimum} or more.",
            )
        )
    return value


def check_number(
    function: str, argument: str, value: object, low: float = 0.0, high: float = math.inf
) -> None:
    """Check that a value is a finite Python number with `low <= value < high`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        need, got = "be a number", a_kind(value)
        raise TypeError(message(function, argument, value, need, got, "Give a Python number."))
    if not (low <= value < high and math.isfinite(value)):
        need, remedy = f"be finite and in [{low:g}, {high:g})", "Give a number in this range."
        raise ValueError(message(function, argument, value, need, str(value), remedy))


def check_state(function: str, state: object, argument: str = "state") -> int:
    """Check that a value is a flat complex statevector and return its number of qubits."""
    if not isinstance(state, Tensor):
        raise TypeError(
            message(
                function,
                argument,
                state,
                "be a statevector tensor",
                a_kind(state),
                "Call a circuit or use `zero_state`.",
            )
        )
    if state.dtype not in REAL_OF:
        raise TypeError(
            message(
                function,
                argument,
                state,
                "be complex64 or complex128",
                str(state.dtype).removeprefix("torch."),
                "Convert it with `state.to(torch.complex64)`.",
            )
        )
    size = state.shape[0] if state.ndim == 1 else 0
    if size < 1 or size & (size - 1):
        raise ValueError(
            message(
                function,
                argument,
                state,
                "have shape (2**n_qubits,)",
                f"shape {tuple(state.shape)}",
                "Give one flat statevector; map over a batch with `torch.func.vmap`.",
            )
        )
    return size.bit_length() - 1


def check_state_size(function: str, state: object, n_qubits: int, argument: str = "state") -> None:
    """Check that a value is a statevector of `n_qubits` qubits."""
    got = check_state(function, state, argument)
    if got != n_qubits:
        raise ValueError(
            message(
                function,
                argument,
                state,
                f"have shape ({2**n_qubits},) for {n_qubits} qubits",
                f"{got} qubits",
                f"Give a state of {n_qubits} qubits.",
            )
        )


def check_complex_dtype(function: str, dtype: object) -> None:
    """Check that a dtype is one of a statevector."""
    if dtype not in REAL_OF:
        remedy = "Choose torch.complex64 or torch.complex128."
        raise TypeError(message(function, "dtype", dtype, "be complex", f"{dtype}", remedy))


def is_index(value: object) -> bool:
    """Tell whether a value stands for one int; arrays and tensors of several have `__index__`."""
    if type(value) is int:
        return True
    try:
        operator.index(value)  # type: ignore[arg-type]  # that is the question
    except TypeError:
        return False
    return True


def check_wires(
    function: str, wires: Any, n_qubits: int, argument: str = "wires"
) -> tuple[int, ...]:
    """Check that wires, one or an iterable of them, are distinct ints in `range(n_qubits)`."""
    remedy = f"Give distinct wires from 0 to {n_qubits - 1}."
    if not is_index(wires) and not isinstance(wires, Iterable):
        raise TypeError(message(function, argument, wires, "be ints", describe(wires), remedy))
    given = (wires,) if is_index(wires) else tuple(wires)
    for wire in given:
        if type(wire) is bool or not is_index(wire):
            raise TypeError(message(function, argument, given, "be ints", describe(wire), remedy))
    checked = tuple(map(operator.index, given))
    if len(set(checked)) < len(checked):
        raise ValueError(message(function, argument, checked, "be distinct", f"{checked}", remedy))
    if checked and not 0 <= min(checked) <= max(checked) < n_qubits:
        requirement = f"be in range({n_qubits})"
        raise ValueError(message(function, argument, checked, requirement, f"{checked}", remedy))
    return checked


def common_dtype_and_device(
    function: str, tensors: Iterable[Tensor]
) -> tuple[torch.dtype, torch.device] | None:
    """Return the real working dtype and the device that all tensors share, or None for none.

    Complex tensors count as their real counterpart: complex64 goes with float32.
    """
    first: Tensor | None = None
    for tensor in tensors:
        if first is None:
            first = tensor
            continue
        if REAL_OF.get(tensor.dtype, tensor.dtype) != REAL_OF.get(first.dtype, first.dtype):
            raise TypeError(
                f"{function}(): all tensors must share one precision, but got {first.dtype} and "
                f"{tensor.dtype}. Convert one side with `.to(...)`; dtypes are never promoted."
            )
        check_device(function, first, tensor)
    return None if first is None else (REAL_OF.get(first.dtype, first.dtype), first.device)


def check_device(function: str, first: Tensor, second: Tensor) -> None:
    """Check that two tensors are on one device."""
    if first.device != second.device:
        raise TypeError(
            f"{function}(): all tensors must be on one device, but got {first.device} and "
            f"{second.device}. Move one side with `.to(...)`."
        )
