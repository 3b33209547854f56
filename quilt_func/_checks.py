"""Structural checks, all in one message form.

``{function}({argument}={given}): `{argument}` must {requirement}, but got {got}. {remedy}``

Checks read shapes, dtypes, devices and wires, never values: values can't be read under vmap.
"""

import math
import operator
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from quilt_func._torch import is_transformed

REAL_OF = {torch.complex64: torch.float32, torch.complex128: torch.float64}
COMPLEX_OF = {real: complex_ for complex_, real in REAL_OF.items()}


STATE = ("2**n_qubits",)
"""The form of a statevector's shape, see `fits`."""


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


def kind_error(
    function: str, argument: str, given: object, requirement: str, remedy: str
) -> TypeError:
    """The error for a value of another kind."""
    return TypeError(message(function, argument, given, requirement, a_kind(given), remedy))


def shape_error(
    function: str, argument: str, given: Tensor, requirement: str, remedy: str
) -> ValueError:
    """The error for a tensor of another shape."""
    got = f"shape {tuple(given.shape)}"
    return ValueError(message(function, argument, given, requirement, got, remedy))


def check_is(
    function: str, argument: str, given: object, kind: Any, requirement: str, remedy: str
) -> None:
    """Check that a value is of a type, or of one of several."""
    if not isinstance(given, kind):
        raise kind_error(function, argument, given, requirement, remedy)


def check_positive(function: str, argument: str, value: Any, remedy: str) -> None:
    """Check that a number is above 0."""
    if not value > 0:
        got = describe(value)
        raise ValueError(message(function, argument, value, "be positive", got, remedy))


def check_count(function: str, argument: str, value: object, minimum: int = 0) -> int:
    """Check a static integer count."""
    if isinstance(value, bool) or not isinstance(value, int):
        remedy = f"Give a Python int of at least {minimum}."
        raise kind_error(function, argument, value, "be an int", remedy)
    if value < minimum:
        need, remedy = f"be at least {minimum}", f"Give {minimum} or more."
        raise ValueError(message(function, argument, value, need, f"{value}", remedy))
    return value


def check_chunk_size(function: str, value: object) -> None:
    """Check how many members `vmap` takes at once: a count, or None for all."""
    if value is not None:
        check_count(function, "chunk_size", value, minimum=1)


def check_number(
    function: str, argument: str, value: Any, low: float = 0.0, high: float = math.inf
) -> None:
    """Check that a value is a finite Python number with `low <= value < high`."""
    if not is_number(value):
        remedy = "Give an int or a float."
        raise kind_error(function, argument, value, "be a Python number", remedy)
    if not (low <= value < high and math.isfinite(value)):
        need, remedy = f"be finite and in [{low:g}, {high:g})", "Give a number in this range."
        raise ValueError(message(function, argument, value, need, str(value), remedy))


def is_number(value: object) -> bool:
    """Tell whether a value is a Python number, which a bool is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_function(function: str, argument: str, fn: object) -> None:
    """Check that a value can be called."""
    remedy = "Give the function itself, not what it returns."
    check_is(function, argument, fn, Callable, "be a function", remedy)


def check_iterable(function: str, argument: str, given: object, remedy: str) -> None:
    """Check that a value has members; a 0-d tensor has none."""
    if not isinstance(given, Iterable) or (isinstance(given, Tensor) and not given.ndim):
        raise kind_error(function, argument, given, "be a sequence", remedy)


def is_hidden(tensor: Tensor) -> bool:
    """Tell whether a tensor's values can't be read: behind a transform, or where there are none."""
    return is_transformed(tensor) or tensor.is_meta


def names_of(dtypes: Iterable[torch.dtype]) -> str:
    """Dtypes in words: "float32 or float64"."""
    return " or ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)


def dtype_or_kind(value: object) -> str:
    """A tensor's dtype; anything else's kind."""
    return str(value.dtype) if isinstance(value, Tensor) else a_kind(value)


def short_dtype_or_kind(value: object) -> str:
    """A tensor's dtype without "torch."; anything else's kind."""
    return dtype_or_kind(value).removeprefix("torch.")


def check_tensor(
    function: str,
    argument: str,
    value: Any,
    dtypes: Collection[torch.dtype],
    form: tuple[Any, ...],
    remedy: str,
    *,
    need: str = "",
    got: Callable[[object], str] = dtype_or_kind,
    dtype_remedy: str = "",
    least: int = 0,
) -> None:
    """Check that a value is a tensor of one of some dtypes, and of a shape of a form, see `fits`.

    `need`, `got` and `dtype_remedy` are the words for another dtype or kind, where they are not
    "be a float32 or float64 tensor", the dtype, and `remedy`.
    """
    if not isinstance(value, Tensor) or value.dtype not in dtypes:
        need, fix = need or f"be a {names_of(dtypes)} tensor", dtype_remedy or remedy
        raise TypeError(message(function, argument, value, need, got(value), fix))
    if not fits(value.shape, form, least):
        axes = ", ".join("..." if axis is ... else str(axis) for axis in form)
        need = f"have shape ({axes}{',' if len(form) == 1 else ''})"
        raise shape_error(function, argument, value, need, remedy)


def fits(shape: Sequence[int], form: tuple[Any, ...], least: int = 0) -> bool:
    """Tell whether a shape is of a form.

    Axes of a form are exact ints, names of a size, which is one throughout, `2**name`, or at last
    `...` for any more. A name stands for `least` or more.
    """
    axes = form[:-1] if form[-1:] == (...,) else form
    if len(shape) < len(axes) or (len(shape) > len(axes) and axes is form):
        return False
    sizes: dict[Any, int] = {}
    return all(
        sizes.setdefault(axis, size) == size and _may_be(axis, size, least)
        for axis, size in zip(axes, shape, strict=False)
    )


def _may_be(axis: int | str, size: int, least: int) -> bool:
    """Whether an axis of a form may have a size."""
    if isinstance(axis, int):
        return size == axis
    if axis.startswith("2**"):
        return size >= 2**least and not size & (size - 1)
    return size >= least


def check_state(function: str, state: object, argument: str = "state") -> int:
    """Check that a value is a flat complex statevector and return its number of qubits."""
    if not isinstance(state, Tensor):
        need, remedy = "be a statevector tensor", _state_remedy(state)
        raise kind_error(function, argument, state, need, remedy)
    if state.dtype not in REAL_OF:
        need, got = f"be {names_of(REAL_OF)}", names_of([state.dtype])
        remedy = f"Convert it with `.to({COMPLEX_OF.get(state.dtype, torch.complex64)})`."
        raise TypeError(message(function, argument, state, need, got, remedy))
    if not fits(state.shape, STATE):
        need, remedy = "have shape (2**n_qubits,)", _shape_remedy(tuple(state.shape))
        raise shape_error(function, argument, state, need, remedy)
    return state.shape[0].bit_length() - 1


def _state_remedy(given: object) -> str:
    if type(given).__name__ == "ShardedState":  # of a room above
        return "Measure with `quilt_func.sharded`'s functions, or take `sharded.gather(state)`."
    if callable(given):
        return "Call the circuit, and give the state that it returns."
    if isinstance(getattr(given, "state", None), Tensor):  # what trajectories and searches give
        weighted = ", and multiply what is measured by its `.weight`"
        return f"Give its `.state`{weighted if hasattr(given, 'weight') else ''}."
    if isinstance(getattr(given, "states", None), Tensor):  # branches
        return (
            "Use `instruments.branch_expval(branches, observable)`, or `vmap` over its `.states`."
        )
    if isinstance(given, Iterable) and not isinstance(given, str):
        return "Convert it with `torch.as_tensor(..., dtype=torch.complex64)`."
    return "Call a circuit or use `zero_state`."


def _shape_remedy(shape: tuple[int, ...]) -> str:
    """What to do instead: a square matrix is a density matrix more often than a batch."""
    if len(shape) == 1:
        return "A state of n qubits has 2**n amplitudes."
    batch = "Give one flat statevector; map over a batch with `torch.func.vmap`."
    if len(shape) == 2 and shape[0] == shape[1] > 1:
        return f"Density matrices go to `run_density(circuit, rho)` and measurements. {batch}"
    return batch


def is_density(state: object) -> bool:
    """Tell whether a value is a matrix, and so no statevector."""
    return isinstance(state, Tensor) and state.ndim == 2


MOST_QUBITS = 60
"""Of a state: torch counts its bytes in 64 bits."""


def check_amplitudes(function: str, n_qubits: int) -> None:
    """Check that a state of so many qubits can be counted, whatever memory there is."""
    if n_qubits > MOST_QUBITS:
        need = f"be at most {MOST_QUBITS} for a state, which has 2**n_qubits amplitudes"
        remedy = "Give fewer qubits; each one more takes twice the memory."
        given = message(function, "n_qubits", n_qubits, need, f"{n_qubits}", remedy)
        raise ValueError(given)


def check_mixed(function: str, state: Any, argument: str = "state", n_qubits: int = -1) -> int:
    """Check that a value is a statevector or a density matrix; return its number of qubits."""
    if not is_density(state):
        n = check_state(function, state, argument)
    else:
        fix = "Convert it with `.to(torch.complex64)`."
        check_tensor(function, argument, state, REAL_OF, (...,), fix)
        if not fits(state.shape, ("2**n", "2**n")):
            need = "have shape (2**n_qubits,) or (2**n_qubits, 2**n_qubits)"
            remedy = "Give one state; map over a batch with `torch.func.vmap`."
            raise shape_error(function, argument, state, need, remedy)
        n = int(state.shape[0].bit_length() - 1)
    if n_qubits not in (-1, n):
        need, got = f"have {qubits(n_qubits)}", qubits(n)
        raise ValueError(message(function, argument, state, need, got, "Give equal sizes."))
    return n


def check_state_size(function: str, state: object, n_qubits: int, argument: str = "state") -> None:
    """Check that a value is a statevector of `n_qubits` qubits."""
    got = check_state(function, state, argument)
    if got != n_qubits:
        need = f"have shape ({2**n_qubits},) for {qubits(n_qubits)}"
        remedy = f"Give a state of {qubits(n_qubits)}."
        raise ValueError(message(function, argument, state, need, qubits(got), remedy))


def qubits(number: int) -> str:
    """A number of qubits, in words."""
    return "1 qubit" if number == 1 else f"{number} qubits"


def check_real_dtype(function: str, dtype: object) -> None:
    """Check that a dtype is one of parameters."""
    if dtype not in COMPLEX_OF:
        remedy = "Choose torch.float32 or torch.float64."
        raise TypeError(message(function, "dtype", dtype, "be real", f"{dtype}", remedy))


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
    is_one = is_index(wires)

    def error(kind: type[Exception], given: Any, need: str, got: str, more: str = "") -> Exception:
        return kind(message(function, argument, given, need, got, f"{remedy}{more}."))

    if not is_one and not isinstance(wires, Iterable):
        raise error(TypeError, wires, "be ints", describe(wires))
    given = (wires,) if is_one else tuple(wires)
    for wire in given:
        if type(wire) is bool or not is_index(wire):
            raise error(TypeError, given, "be ints", describe(wire))
    checked = tuple(map(operator.index, given))
    if len(set(checked)) < len(checked):
        raise error(ValueError, checked, "be distinct", f"{checked}")
    if checked and not 0 <= min(checked) <= max(checked) < n_qubits:
        raise error(ValueError, checked, f"be in range({n_qubits})", f"{checked}", or_else)
    return checked


def common_dtype_and_device(
    function: str, tensors: Iterable[Tensor]
) -> tuple[torch.dtype, torch.device] | None:
    """Return the real working dtype and the device that all tensors share, or None for none.

    Complex tensors count as their real counterpart: complex64 goes with float32.
    """
    others = iter(tensors)
    first = next(others, None)
    if first is None:
        return None
    own_dtype = REAL_OF.get(first.dtype, first.dtype)
    for tensor in others:
        if REAL_OF.get(tensor.dtype, tensor.dtype) != own_dtype:
            raise TypeError(
                f"{function}(): all tensors must share one precision, but got {first.dtype} and "
                f"{tensor.dtype}. Convert one side with `.to(...)`; dtypes are never promoted."
            )
        check_device(function, first, tensor)
    return own_dtype, first.device


def check_device(function: str, first: Tensor, second: Tensor) -> None:
    """Check that two tensors are on one device."""
    if first.device != second.device:
        raise TypeError(
            f"{function}(): all tensors must be on one device, but got {first.device} and "
            f"{second.device}. Move one side with `.to(...)`."
        )
