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
        need, got = "be a Python number", a_kind(value)
        raise TypeError(message(function, argument, value, need, got, "Give an int or a float."))
    if not (low <= value < high and math.isfinite(value)):
        need, remedy = f"be finite and in [{low:g}, {high:g})", "Give a number in this range."
        raise ValueError(message(function, argument, value, need, str(value), remedy))


def check_function(function: str, argument: str, fn: object) -> None:
    """Check that a value can be called."""
    if not callable(fn):
        need, remedy = "be a function", "Give the function itself, not what it returns."
        raise TypeError(message(function, argument, fn, need, a_kind(fn), remedy))


def check_iterable(function: str, argument: str, given: object, remedy: str) -> None:
    """Check that a value has members; a 0-d tensor has none."""
    if not isinstance(given, Iterable) or (isinstance(given, Tensor) and not given.ndim):
        raise TypeError(message(function, argument, given, "be a sequence", a_kind(given), remedy))


def check_state(function: str, state: object, argument: str = "state") -> int:
    """Check that a value is a flat complex statevector and return its number of qubits."""
    if not isinstance(state, Tensor):
        need, remedy = "be a statevector tensor", _state_remedy(state)
        raise TypeError(message(function, argument, state, need, a_kind(state), remedy))
    if state.dtype not in REAL_OF:
        need, got = "be complex64 or complex128", str(state.dtype).removeprefix("torch.")
        remedy = f"Convert it with `.to({COMPLEX_OF.get(state.dtype, torch.complex64)})`."
        raise TypeError(message(function, argument, state, need, got, remedy))
    size = state.shape[0] if state.ndim == 1 else 0
    if size < 1 or size & (size - 1):
        need, got = "have shape (2**n_qubits,)", f"shape {tuple(state.shape)}"
        remedy = _shape_remedy(tuple(state.shape))
        raise ValueError(message(function, argument, state, need, got, remedy))
    return size.bit_length() - 1


def _state_remedy(given: object) -> str:
    if callable(given):
        return "Call the circuit, and give the state that it returns."
    if isinstance(given, Iterable) and not isinstance(given, str):
        return "Convert it with `torch.as_tensor(..., dtype=torch.complex64)`."
    return "Call a circuit or use `zero_state`."


def _shape_remedy(shape: tuple[int, ...]) -> str:
    """What to do instead: a square matrix is a density matrix more often than a batch."""
    if len(shape) == 1:
        return "A state of n qubits has 2**n amplitudes."
    batch = "Give one flat statevector; map over a batch with `torch.func.vmap`."
    if len(shape) == 2 and shape[0] == shape[1] > 1:
        return f"Density matrices are not simulated: only `purity` and `entropy` take them. {batch}"
    return batch


def check_state_size(function: str, state: object, n_qubits: int, argument: str = "state") -> None:
    """Check that a value is a statevector of `n_qubits` qubits."""
    got = check_state(function, state, argument)
    if got != n_qubits:
        need, remedy = f"have shape ({2**n_qubits},) for {qubits(n_qubits)}", qubits(n_qubits)
        raise ValueError(
            message(function, argument, state, need, qubits(got), f"Give a state of {remedy}.")
        )


def qubits(number: int) -> str:
    """A number of qubits, in words."""
    return "1 qubit" if number == 1 else f"{number} qubits"


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
    function: str, wires: Any, n_qubits: int, argument: str = "wires", or_else: str = ""
) -> tuple[int, ...]:
    """Check that wires, one or an iterable of them, are distinct ints in `range(n_qubits)`.

    `or_else` is what else can be done about a wire out of range.
    """
    remedy = f"Give distinct wires from 0 to {n_qubits - 1}" if n_qubits else "Give no wires"
    if not is_index(wires) and not isinstance(wires, Iterable):
        raise TypeError(
            message(function, argument, wires, "be ints", describe(wires), f"{remedy}.")
        )
    given = (wires,) if is_index(wires) else tuple(wires)
    for wire in given:
        if type(wire) is bool or not is_index(wire):
            got = describe(wire)
            raise TypeError(message(function, argument, given, "be ints", got, f"{remedy}."))
    checked = tuple(map(operator.index, given))
    if len(set(checked)) < len(checked):
        got = f"{checked}"
        raise ValueError(message(function, argument, checked, "be distinct", got, f"{remedy}."))
    if checked and not 0 <= min(checked) <= max(checked) < n_qubits:
        need, remedy = f"be in range({n_qubits})", f"{remedy}{or_else}."
        raise ValueError(message(function, argument, checked, need, f"{checked}", remedy))
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
