"""What a gate is called with: wires and parameters, checked against its row."""

import operator
from functools import lru_cache
from typing import Any, NoReturn, Protocol

import numpy as np
from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    REAL_OF,
    check_tensor,
    describe,
    is_index,
    kind_error,
    message,
)
from quilt_func._torch import own_tangent
from quilt_func.typing import WireSet


class Row(Protocol):
    """What is read of a gate's row to check a call of it."""

    @property
    def name(self) -> str: ...
    @property
    def n_wires(self) -> int: ...
    @property
    def n_params(self) -> int: ...
    @property
    def param_shape(self) -> tuple[int, ...]: ...
    @property
    def param_names(self) -> tuple[str, ...]: ...
    def __hash__(self) -> int: ...


def called(gate: Row) -> str:
    """Name of the function that the user called, for error messages."""
    return gate.name.partition("[")[0]


def call_form(gate: Row) -> str:
    """Describe how a gate is called, for error messages."""
    function, _, static = gate.name.partition("[")
    names = [_parameter_name(gate, i) for i in range(gate.n_params)]
    first = "".join(f"{name}, " for name in (*names, *([f'"{static[:-1]}"'] if static else [])))
    one = ", ".join(map(str, range(gate.n_wires)))
    many = "range(3)" if gate.n_wires == 1 else f"[({one}), ...]"
    return f"Write `{function}({first}{one})` or, for many wire sets, `{function}({first}{many})`."


def _parameter_name(gate: Row, position: int) -> str:
    if gate.param_names:
        return gate.param_names[position]
    if gate.param_shape:
        return "matrix"
    return f"theta{position}" if gate.n_params > 1 else "theta"


def parse_wires(gate: Row, args: tuple[Any, ...]) -> tuple[WireSet, ...]:
    """Turn the wire arguments of a call into `m` tuples of ints, or raise."""
    if len(args) == 1 and type(args[0]) is range and gate.n_wires == 1:
        return _known_wire_sets(gate, args[0])
    if len(args) == 1 and not is_index(args[0]):
        sets = _listed(gate, args[0])
    elif len(args) == gate.n_wires:
        sets = (args,)
    else:
        need = f"be {gate.n_wires} int(s) or one iterable of wire sets"
        raise _wires_error(gate, args, need, f"{len(args)} arguments")
    if {*map(type, sets)} == {tuple} and {type(wire) for one in sets for wire in one} == {int}:
        return _known_wire_sets(gate, sets)
    return tuple(_wire_set(gate, wire_set) for wire_set in sets)


@lru_cache(maxsize=4096)
def _known_wire_sets(gate: Row, given: range | tuple[WireSet, ...]) -> tuple[WireSet, ...]:
    """What is written most, ints that equal nothing else, is parsed once."""
    sets = zip(given) if isinstance(given, range) else given
    return tuple(_wire_set(gate, wire_set) for wire_set in sets)


def _listed(gate: Row, given: Any) -> tuple[Any, ...]:
    no_text: Any = None if isinstance(given, str) else given
    try:
        members = iter(no_text)
    except TypeError:  # 0-d arrays and tensors look iterable and are not
        need = "be ints or an iterable of wire sets"
        raise _wires_error(gate, given, need, describe(given)) from None
    if gate.n_wires == 1:
        return tuple(zip(members))
    sets = tuple(members)
    for one in sets:
        if not isinstance(one, tuple):
            need = f"be sets of {gate.n_wires} wires, as tuples"
            raise _wires_error(gate, [*sets], need, describe(one))
    return sets


def _wire_set(gate: Row, given: Any) -> WireSet:
    if not isinstance(given, tuple) or len(given) != gate.n_wires:
        need = f"be sets of {gate.n_wires} wires, as tuples"
        raise _wires_error(gate, [given], need, describe(given))
    for wire in given:
        if type(wire) is bool or not is_index(wire):
            raise _wires_error(gate, [given], "be ints", describe(wire))
    wires = tuple(map(operator.index, given))
    if min(wires) < 0:
        raise _wires_error(gate, [given], "be zero or more", f"{min(wires)}", ValueError)
    if len(set(wires)) < len(wires):
        remedy = "Give two different wires." if len(wires) == 2 else "Give different wires."
        raise _wires_error(gate, [given], "be distinct", f"{wires}", ValueError, remedy)
    return wires


def _wires_error(
    gate: Row,
    given: object,
    need: str,
    got: str,
    kind: type[Exception] = TypeError,
    remedy: str = "",
) -> Exception:
    return kind(message(called(gate), "wires", given, need, got, remedy or call_form(gate)))


def checked_parameter(gate: Row, position: int, given: Any, m: int) -> Any:
    shape = gate.param_shape
    if isinstance(given, Tensor) and given.dtype in (REAL_OF if shape else COMPLEX_OF):
        if given.shape == (m, *shape):
            return own_tangent(given)
        if given.shape == shape:
            return own_tangent(given).expand(m, *shape)
    elif not shape and isinstance(given, _NUMBERS) and not isinstance(given, bool):
        return float(given)
    return _refuse_parameter(gate, position, given, m)


def _refuse_parameter(gate: Row, position: int, given: Any, m: int) -> NoReturn:
    function, name, shape = called(gate), _parameter_name(gate, position), gate.param_shape
    if isinstance(given, bool) and not shape:
        need = "be a number" if gate.param_names else "be an angle"
        raise kind_error(function, name, given, need, _number_remedy(gate))
    remedy = "Convert it with `.to(...)`." if shape else _number_remedy(gate, given)
    check_tensor(function, name, given, REAL_OF if shape else COMPLEX_OF, (...,), remedy)
    need = f"have shape {shape} or {(m, *shape)}"
    got = f"shape {tuple(given.shape)} for {m} wire set(s)"
    raise ValueError(message(function, name, given, need, got, _SETS_REMEDY))


_NUMBERS = (int, float, np.integer, np.floating)
_SETS_REMEDY = (
    "Give one entry per wire set, or one for all; map over a batch with `torch.func.vmap`."
)


def _number_remedy(gate: Row, given: Any = None) -> str:
    unit = "" if gate.param_names else ", in radians"
    remedy = f"Give a Python number or a real floating-point tensor{unit}"
    if isinstance(given, list | tuple | np.ndarray):
        return f"{remedy}: `torch.as_tensor(values, dtype=torch.float32)`."
    return f"{remedy}."
