"""Circuits, Pauli sums and trees of parameters as JSON: versioned, readable, exact.

Loading reads data and looks names up; it imports nothing and calls nothing that a file names.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quilt_func._checks import a_kind, check_is, describe, is_hidden, kind_error, message
from quilt_func.circuits import Circuit, circuit
from quilt_func.derived import conjugate, controlled, inverse, power
from quilt_func.gates import GATES, linear_gate, pauli_rot, unitary_gate, word_gate
from quilt_func.instruments import Instrument
from quilt_func.noise import CHANNELS, kraus_channel, pauli_errors, superoperator_channel
from quilt_func.ops import Gate, Op, make_op, parse_wires
from quilt_func.pauli import PauliSum, pauli_sum

__all__ = ["from_json", "to_json"]

FORMAT, VERSION = "quilt_func", 1
_MAX_WIRES = 10
"""A wider gate's matrix would take more than 16 MiB to make, whatever the file says."""
_MAX_EXPONENT = 2**53
"""Beyond it a float has no whole part."""
_WIDTH = 100
_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64,
        torch.complex128, torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32,
        torch.int64,
    )
}  # fmt: skip
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_ROWS: dict[str, Gate] = {row.name: row for row in (*GATES, *CHANNELS)}
_OF_A_VALUE: dict[str, Callable[..., Gate]] = {
    "unitary": unitary_gate,
    "linear": linear_gate,
    "superoperator": superoperator_channel,
    "pauli_rot": word_gate,
}
_OF_A_GATE: dict[str, Callable[..., Gate]] = {
    "controlled": controlled,
    "inverse": inverse,
    "conjugate": conjugate,
}
"""Makers of rows by their name in a file, but for `power`, which takes an exponent too."""


def to_json(value: Any, *, gates: Iterable[Gate] = ()) -> str:
    """Write a circuit, a Pauli sum or a tree of parameters as JSON text.

    Tensors keep their dtype and every bit of their values, but not their device or their gradient.

    Args:
        value: A circuit, a Pauli sum, a tensor, a number, a string or None, or dicts, lists and
            tuples of these, nested.
        gates: Gates of your own that circuits in it use.

    Returns:
        The text, which `from_json` turns into an equal value.

    Raises:
        TypeError: If a part is of another kind, a circuit holds an instrument, or a tensor is
            hidden behind a transform.
        ValueError: If a circuit uses a gate of your own that is not among `gates`, or two gates
            have one name.

    Transforms:
        None: text has no derivative.

    Examples:
        >>> from quilt_func import circuit, cx, ry
        >>> print(to_json({"theta": torch.tensor([0.1, 0.2]), "steps": 3}))
        {
         "format": "quilt_func",
         "version": 1,
         "value": {"theta": {"$tensor": "float32", "shape": [2], "data": [0.1, 0.2]}, "steps": 3}
        }
    """
    names = _registry("to_json", gates)
    return _layout({"format": FORMAT, "version": VERSION, "value": _Writer(names).write(value)})


def from_json(text: str, *, gates: Iterable[Gate] = ()) -> Any:
    """Read what `to_json` wrote; nothing in the text is executed.

    Args:
        text: The text.
        gates: Gates of your own that the text names.

    Returns:
        The value; its tensors are on the CPU.

    Raises:
        TypeError: If `text` is not a string.
        ValueError: If the text is damaged, of another format or of a newer version, or names a
            gate that is neither in the table nor among `gates`.

    Transforms:
        None: text has no derivative.

    Examples:
        >>> from quilt_func import circuit, cx, ry
        >>> from_json(to_json(circuit(2, ry(0.5, 0), cx(0, 1))))
        Circuit(2 qubits, 2 gates)
        q0: ─RY(0.5)──●─
                      │
        q1: ──────────⊕─
    """
    remedy = "Read the file first: `Path(name).read_text()`."
    check_is("from_json", "text", text, str, "be a string", remedy)
    reader, remedy = _Reader(_registry("from_json", gates)), _DAMAGED
    try:
        return reader.file(json.loads(text, parse_constant=_refuse_constant))
    except _DamageError as error:
        got, remedy = str(error), error.remedy
    except RecursionError:
        got = "values nested too deeply"
    except json.JSONDecodeError as error:
        got = f"no JSON at line {error.lineno}, column {error.colno}"
    except ValueError as error:  # JSON's numbers can be longer than Python reads
        got = f"no JSON: {_unstopped(error)}"
    need = "be a whole file of `to_json`"
    raise ValueError(message("from_json", "text", text, need, got, remedy))


_DAMAGED = "Save it again with `to_json`."


class _DamageError(Exception):
    def __init__(self, got: str, remedy: str = _DAMAGED) -> None:
        super().__init__(got)
        self.remedy = remedy


def _unstopped(error: Exception) -> str:
    """An error's text as a part of a sentence."""
    return str(error).rstrip(".")


def _refuse_constant(name: str) -> float:
    raise _DamageError(f"the constant {name}")


def _registry(function: str, gates: Iterable[Gate]) -> dict[str, Gate]:
    """Gates by name, the table's among them."""
    found = dict(_ROWS)
    given = tuple(gates)
    for gate in given:
        if not isinstance(gate, Gate):
            got, remedy = a_kind(gate), "Give the gates themselves: `[mine]`."
            raise TypeError(message(function, "gates", [*given], "be gates", got, remedy))
        if found.setdefault(gate.name, gate) is not gate:
            got, remedy = f"two named {gate.name}", "Rename one."
            need = "have names of their own"
            raise ValueError(message(function, "gates", [*given], need, got, remedy))
    return found


# --- writing ---


class _Writer:
    """Values to what JSON can say."""

    def __init__(self, names: Mapping[str, Gate]) -> None:
        self.names = names

    def write(self, value: Any) -> Any:
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"$float": str(value)}
        if type(value) is list:
            return [self.write(item) for item in value]
        if type(value) is tuple:
            return {"$tuple": [self.write(item) for item in value]}
        if type(value) is dict:
            return self.mapping(value)
        if isinstance(value, Tensor):
            return _tensor_out(value)
        if type(value) is Circuit:
            return {"$circuit": value.n_qubits, "ops": [self.op(op) for op in value.ops]}
        if type(value) is PauliSum:
            return {"$pauli_sum": list(value.words), "coefficients": self.write(value.coefficients)}
        requirement = "hold circuits, Pauli sums, tensors, numbers, strings, dicts, lists, tuples"
        raise kind_error("to_json", "value", value, requirement, "Convert it to one of these.")

    def mapping(self, value: dict[Any, Any]) -> dict[str, Any]:
        """A dict as an object, where its keys allow, or as pairs."""
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: self.write(item) for key, item in value.items()}
        return {"$dict": [[self.write(key), self.write(item)] for key, item in value.items()]}

    def op(self, op: Op) -> dict[str, Any]:
        params = [self.write(param) for param in op.params]
        entry = {"gate": self.gate(op.gate), "wires": [list(wires) for wires in op.wires]}
        return {**entry, "params": params} if params else entry

    def gate(self, gate: Gate) -> Any:
        """A name, or how the gate is made of others."""
        if isinstance(gate, Instrument):
            need, got = "hold gates and channels only", f"the instrument {gate.name}"
            remedy = "Write its parameters, and make the circuit of them; or pickle it."
            raise TypeError(message("to_json", "value", gate, need, got, remedy))
        if self.names.get(gate.name) is gate:
            return gate.name
        for name, maker in _OF_A_VALUE.items():
            if made_of := gate.made_by(maker):
                return {name: made_of[0]}
        if made_of := gate.made_by(pauli_errors):
            return {"pauli_errors": list(made_of[0])}
        if made_of := gate.made_by(kraus_channel):
            return {"kraus": list(made_of)}
        for name, maker in _OF_A_GATE.items():
            made_of = gate.made_by(maker)
            if made_of and gate.n_wires <= _MAX_WIRES:
                return {name: self.gate(made_of[0])}
        if made_of := gate.made_by(power):
            return {"power": self.gate(made_of[0]), "exponent": made_of[1]}
        requirement = "use gates of the table, gates made of them, or those in `gates`"
        remedy = f"Write `to_json(value, gates=[{gate.name}])`."
        if gate.n_wires > _MAX_WIRES:
            requirement, remedy = f"use gates of at most {_MAX_WIRES} wires", "Write it as others."
        raise ValueError(message("to_json", "value", gate, requirement, gate.name, remedy))


def _tensor_out(tensor: Tensor) -> dict[str, Any]:
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


def _layout(value: Any, indent: int = 0) -> str:
    """One line where it fits, or one per member; numbers of a tensor stay in one line."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not isinstance(value, list | dict):
        return text
    members = value if isinstance(value, list) else [*value.values()]
    is_flat = not any(isinstance(member, list | dict) for member in members)
    if indent and (len(text) <= _WIDTH - indent or is_flat):
        return text
    lines = [_layout(member, indent + 1) for member in members]
    if isinstance(value, dict):
        heads = [json.dumps(key, ensure_ascii=False) for key in value]
        lines = [f"{head}: {line}" for head, line in zip(heads, lines, strict=True)]
    space = "\n" + " " * indent
    return text[0] + space + " " + f",{space} ".join(lines) + space + text[-1]


# --- reading ---


class _Reader:
    """What JSON says to values; anything unexpected is damage."""

    def __init__(self, names: Mapping[str, Gate]) -> None:
        self.names = names

    def file(self, entry: Any) -> Any:
        if not isinstance(entry, dict) or entry.get("format") != FORMAT:
            raise _DamageError("a file of another format", "Give what `to_json` returned.")
        version = entry.get("version")
        if type(version) is not int or version < 1:
            raise _DamageError(f"version {describe(version)}")
        if version > VERSION:
            got = f"version {version}, newer than {VERSION}"
            raise _DamageError(got, "Install a newer quilt_func.")
        if set(entry) != {"format", "version", "value"}:
            raise _DamageError(f"the keys {describe(sorted(entry))}")
        return self.read(entry["value"])

    def read(self, entry: Any) -> Any:
        if isinstance(entry, list):
            return [self.read(item) for item in entry]
        if not isinstance(entry, dict):
            if type(entry) is float and not math.isfinite(entry):
                raise _DamageError("a number that is too large")
            return entry
        marks = [key for key in entry if key.startswith("$")]
        if not marks:
            return {key: self.read(item) for key, item in entry.items()}
        readers = {
            "$float": _float_in, "$tuple": self.read_tuple, "$dict": self.read_dict,
            "$tensor": _tensor_in, "$circuit": self.read_circuit,
            "$pauli_sum": self.read_pauli_sum,
        }  # fmt: skip
        if marks[0] not in readers:
            raise _DamageError(f"the unknown kind {describe(marks[0])}")
        return readers[marks[0]](entry)

    def read_tuple(self, entry: Any) -> tuple[Any, ...]:
        (items,) = _fields(entry, {"$tuple": list})
        return tuple(self.read(item) for item in items)

    def read_dict(self, entry: Any) -> dict[Any, Any]:
        (pairs,) = _fields(entry, {"$dict": list})
        if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
            raise _DamageError("a $dict without pairs")
        try:
            return {self.read(key): self.read(item) for key, item in pairs}
        except TypeError:
            raise _DamageError("a $dict with a key that is none") from None

    def read_circuit(self, entry: Any) -> Circuit:
        n_qubits, entries = _fields(entry, {"$circuit": int, "ops": list})
        try:
            return circuit(n_qubits, [self.op(item) for item in entries])
        except (TypeError, ValueError, OverflowError) as error:
            raise _DamageError(f"a circuit that can't be made: {_unstopped(error)}") from None

    def op(self, entry: Any) -> Op:
        with_params = {"params": [], **entry} if isinstance(entry, dict) else entry
        kinds = {"gate": (str, dict), "wires": list, "params": list}
        name, sets, params = _fields(with_params, kinds)
        gate = self.gate(name)
        if not all(isinstance(wires, list) for wires in sets) or len(params) != gate.n_params:
            raise _DamageError(f"the op {describe(entry)}")
        given = [wires[0] if len(wires) == gate.n_wires == 1 else tuple(wires) for wires in sets]
        return make_op(gate, tuple(map(self.read, params)), parse_wires(gate, (given,)))

    def gate(self, entry: Any) -> Gate:
        if isinstance(entry, str):
            if entry not in self.names:
                got = f"the unknown gate {describe(entry)}"
                raise _DamageError(got, "Give your gate itself: `from_json(text, gates=[...])`.")
            return self.names[entry]
        if isinstance(entry, dict) and "exponent" in entry:
            kinds = {"power": (str, dict), "exponent": (int, float)}
            base, exponent = _fields(entry, kinds)
            if not abs(exponent) < _MAX_EXPONENT:
                raise _DamageError(f"the exponent {describe(exponent)}")
            return power(self.gate(base), exponent)
        if not isinstance(entry, dict) or len(entry) != 1:
            raise _DamageError(f"the gate {describe(entry)}")
        return self.made(*entry.items())

    def made(self, item: tuple[str, Any]) -> Gate:
        maker, argument = item
        if maker in _OF_A_GATE:
            base = self.gate(argument)
            if base.n_wires + (maker == "controlled") > _MAX_WIRES:
                raise _DamageError(f"a gate of more than {_MAX_WIRES} wires")
            return _OF_A_GATE[maker](base)
        if maker == "pauli_rot" and isinstance(argument, str):
            return self.word(argument)
        is_count = type(argument) is int and 1 <= argument <= _MAX_WIRES
        if is_count and maker in ("unitary", "linear", "superoperator"):
            return _OF_A_VALUE[maker](argument)
        if maker == "pauli_errors" and isinstance(argument, list):
            return pauli_errors(argument)
        if maker == "kraus" and isinstance(argument, list) and len(argument) == 2:
            n_operators, n_wires = argument
            if type(n_wires) is int and 1 <= n_wires <= _MAX_WIRES and type(n_operators) is int:
                return kraus_channel(n_operators, n_wires)
        raise _DamageError(f"the gate {describe({maker: argument})}")

    def word(self, letters: str) -> Gate:
        made = pauli_rot(0.0, letters, [])
        if not isinstance(made, Op) or made.gate.made_by(word_gate) != (letters,):
            raise _DamageError(f"the word {describe(letters)}")
        return made.gate

    def read_pauli_sum(self, entry: Any) -> PauliSum:
        words, given = _fields(entry, {"$pauli_sum": list, "coefficients": dict})
        values = self.read(given)
        try:
            if isinstance(values, Tensor):
                return pauli_sum(words, values)
            checked = pauli_sum(words, torch.ones(len(words)))
            pairs = zip(checked.words, values, strict=True)
            return PauliSum(checked.words, tuple(_coefficient(value) for _, value in pairs))
        except (TypeError, ValueError) as error:
            raise _DamageError(f"a Pauli sum that can't be made: {_unstopped(error)}") from None


def _fields(entry: Any, kinds: Mapping[str, Any]) -> list[Any]:
    """The fields of an object, which has these and no others."""
    if not isinstance(entry, dict) or set(entry) != set(kinds):
        raise _DamageError(f"{describe(entry)} where {' and '.join(kinds)} should be")
    for name, kind in kinds.items():
        if not isinstance(entry[name], kind) or isinstance(entry[name], bool):
            raise _DamageError(f"{name} {describe(entry[name])}")
    return [entry[name] for name in kinds]


def _coefficient(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _DamageError(f"the coefficient {describe(value)}")
    return value


def _float_in(entry: Any) -> float:
    (name,) = _fields(entry, {"$float": str})
    if name not in _NOT_FINITE:
        raise _DamageError(f"the float {describe(name)}")
    return _NOT_FINITE[name]


def _tensor_in(entry: Any) -> Tensor:
    name, shape, data = _fields(entry, {"$tensor": str, "shape": list, "data": list})
    if name not in _DTYPES or not all(type(n) is int and n >= 0 for n in shape):
        raise _DamageError(f"a tensor of dtype {describe(name)} and shape {describe(shape)}")
    dtype = _DTYPES[name]
    if len(data) != math.prod(shape) * (2 if dtype.is_complex else 1):
        raise _DamageError(f"{len(data)} numbers for shape {describe(shape)} of {name}")
    numbers = [_number_in(number, dtype) for number in data]
    try:
        flat = torch.tensor(numbers, dtype=dtype.to_real() if dtype.is_complex else dtype)
        pairs = torch.view_as_complex(flat.reshape(-1, 2)) if dtype.is_complex else flat
        return pairs.reshape(shape)
    except (RuntimeError, ValueError, OverflowError) as error:
        raise _DamageError(f"a tensor that can't be made: {_unstopped(error)}") from None


def _number_in(number: Any, dtype: torch.dtype) -> Any:
    if dtype.is_floating_point or dtype.is_complex:
        if isinstance(number, str) and number in _NOT_FINITE:
            return _NOT_FINITE[number]
        is_right = isinstance(number, int | float) and not isinstance(number, bool)
    else:
        is_right = type(number) is (bool if dtype == torch.bool else int)
    if not is_right:
        raise _DamageError(f"{describe(number)} in a tensor of {dtype}")
    return number
