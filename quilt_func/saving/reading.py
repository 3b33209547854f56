"""What JSON says to values; anything unexpected is damage."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import describe
from quilt_func.circuits import Circuit, circuit
from quilt_func.derived import power
from quilt_func.gates import pauli_rot, word_gate
from quilt_func.instruments import conditional, lookup
from quilt_func.noise import kraus_channel, pauli_errors
from quilt_func.ops import Gate, Op, make_op, parse_wires
from quilt_func.pauli import PauliSum, pauli_sum
from quilt_func.saving.damage import DamageError, fields, unstopped
from quilt_func.saving.instrument_entries import INSTRUMENTS, condition_in, row_in
from quilt_func.saving.makers import MAX_WIRES, OF_A_GATE, OF_A_VALUE
from quilt_func.saving.tensors import NOT_FINITE, tensor_in
from quilt_func.saving.writing import FORMAT, VERSION

_MAX_EXPONENT = 2**53
"""Beyond it a float has no whole part."""


class Reader:
    """What JSON says to values; anything unexpected is damage."""

    def __init__(self, names: Mapping[str, Gate]) -> None:
        self.names = names

    def file(self, entry: Any) -> Any:
        """The value of a whole file."""
        if not isinstance(entry, dict) or entry.get("format") != FORMAT:
            raise DamageError("a file of another format", "Give what `to_json` returned.")
        version = entry.get("version")
        if type(version) is not int or version < 1:
            raise DamageError(f"version {describe(version)}")
        if version > VERSION:
            got = f"version {version}, newer than {VERSION}"
            raise DamageError(got, "Install a newer quilt_func.")
        if set(entry) != {"format", "version", "value"}:
            raise DamageError(f"the keys {describe(sorted(entry))}")
        return self.read(entry["value"])

    def read(self, entry: Any) -> Any:
        """The value of an entry."""
        if isinstance(entry, list):
            return [self.read(item) for item in entry]
        if not isinstance(entry, dict):
            if type(entry) is float and not math.isfinite(entry):
                raise DamageError("a number that is too large")
            return entry
        marks = [key for key in entry if key.startswith("$")]
        if not marks:
            return {key: self.read(item) for key, item in entry.items()}
        readers = {
            "$float": float_in, "$tuple": self.read_tuple, "$dict": self.read_dict,
            "$tensor": tensor_in, "$circuit": self.read_circuit,
            "$pauli_sum": self.read_pauli_sum,
        }  # fmt: skip
        if marks[0] not in readers:
            raise DamageError(f"the unknown kind {describe(marks[0])}")
        return readers[marks[0]](entry)

    def read_tuple(self, entry: Any) -> tuple[Any, ...]:
        """A tuple, whose items are entries."""
        (items,) = fields(entry, {"$tuple": list})
        return tuple(self.read(item) for item in items)

    def read_dict(self, entry: Any) -> dict[Any, Any]:
        """A dict whose keys are no plain strings."""
        (pairs,) = fields(entry, {"$dict": list})
        if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
            raise DamageError("a $dict without pairs")
        try:
            return {self.read(key): self.read(item) for key, item in pairs}
        except TypeError:
            raise DamageError("a $dict with a key that is none") from None

    def read_circuit(self, entry: Any) -> Circuit:
        """A circuit, checked as `circuit` checks it."""
        n_qubits, entries = fields(entry, {"$circuit": int, "ops": list})
        try:
            return circuit(n_qubits, [self.op(item) for item in entries])
        except (TypeError, ValueError, OverflowError) as error:
            raise DamageError(f"a circuit that can't be made: {unstopped(error)}") from None

    def op(self, entry: Any) -> Op:
        """An op, checked as a call of its gate is."""
        with_params = {"params": [], **entry} if isinstance(entry, dict) else entry
        kinds = {"gate": (str, dict), "wires": list, "params": list}
        name, sets, params = fields(with_params, kinds)
        if not all(isinstance(wires, list) for wires in sets):
            raise DamageError(f"the op {describe(entry)}")
        if isinstance(name, dict) and INSTRUMENTS & set(name):
            return self.instrument(name, sets, params)
        gate = self.gate(name)
        if len(params) != gate.n_params:
            raise DamageError(f"the op {describe(entry)}")
        return _made(gate, sets, tuple(map(self.read, params)))

    def instrument(self, name: dict[str, Any], sets: list[list[Any]], params: list[Any]) -> Op:
        """What has outcomes, or depends on some."""
        if "conditional" in name:
            inner, keys, condition = condition_in(name)
            op = self.op({"gate": inner, "wires": sets, "params": params})
            return conditional(keys, op, **condition)
        if "lookup" in name:
            base, keys = fields(name, {"lookup": (str, dict), "keys": list})
            gate, tables = self.gate(base), tuple(map(self.read, params))
            return lookup(keys, gate, tables, _given(gate, sets))
        if params:
            raise DamageError(f"parameters of {describe(name)}")
        return _made(row_in(name, sets), sets, ())

    def gate(self, entry: Any) -> Gate:
        """A row by its name, or by what it is made of."""
        if isinstance(entry, str):
            if entry not in self.names:
                got = f"the unknown gate {describe(entry)}"
                raise DamageError(got, "Give your gate itself: `from_json(text, gates=[...])`.")
            return self.names[entry]
        if isinstance(entry, dict) and "exponent" in entry:
            kinds = {"power": (str, dict), "exponent": (int, float)}
            base, exponent = fields(entry, kinds)
            if not abs(exponent) < _MAX_EXPONENT:
                raise DamageError(f"the exponent {describe(exponent)}")
            return power(self.gate(base), exponent)
        if not isinstance(entry, dict) or len(entry) != 1:
            raise DamageError(f"the gate {describe(entry)}")
        return self.made(*entry.items())

    def made(self, item: tuple[str, Any]) -> Gate:
        """A row by what makes it."""
        maker, argument = item
        if maker in OF_A_GATE:
            base = self.gate(argument)
            if base.n_wires + (maker == "controlled") > MAX_WIRES:
                raise DamageError(f"a gate of more than {MAX_WIRES} wires")
            return OF_A_GATE[maker](base)
        if maker == "pauli_rot" and isinstance(argument, str):
            return self.word(argument)
        is_count = type(argument) is int and 1 <= argument <= MAX_WIRES
        if is_count and maker in ("unitary", "linear", "superoperator"):
            return OF_A_VALUE[maker](argument)
        if maker == "pauli_errors" and isinstance(argument, list):
            return pauli_errors(argument)
        if maker == "kraus" and isinstance(argument, list) and len(argument) == 2:
            n_operators, n_wires = argument
            if type(n_wires) is int and 1 <= n_wires <= MAX_WIRES and type(n_operators) is int:
                return kraus_channel(n_operators, n_wires)
        raise DamageError(f"the gate {describe({maker: argument})}")

    def word(self, letters: str) -> Gate:
        """The row of a Pauli word's rotation."""
        made = pauli_rot(0.0, letters, [])
        if not isinstance(made, Op) or made.gate.made_by(word_gate) != (letters,):
            raise DamageError(f"the word {describe(letters)}")
        return made.gate

    def read_pauli_sum(self, entry: Any) -> PauliSum:
        """A Pauli sum, checked as `pauli_sum` checks it."""
        words, given = fields(entry, {"$pauli_sum": list, "coefficients": dict})
        values = self.read(given)
        try:
            if isinstance(values, Tensor):
                return pauli_sum(words, values)
            checked = pauli_sum(words, torch.ones(len(words)))
            pairs = zip(checked.words, values, strict=True)
            return PauliSum(checked.words, tuple(_coefficient(value) for _, value in pairs))
        except (TypeError, ValueError) as error:
            raise DamageError(f"a Pauli sum that can't be made: {unstopped(error)}") from None


def _made(gate: Gate, sets: list[list[Any]], params: tuple[Any, ...]) -> Op:
    return make_op(gate, params, parse_wires(gate, (_given(gate, sets),)))


def _given(gate: Gate, sets: list[list[Any]]) -> list[Any]:
    """Wire sets as calls of a gate take them."""
    return [wires[0] if len(wires) == gate.n_wires == 1 else tuple(wires) for wires in sets]


def _coefficient(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DamageError(f"the coefficient {describe(value)}")
    return value


def float_in(entry: Any) -> float:
    """A float that JSON has no number for."""
    (name,) = fields(entry, {"$float": str})
    if name not in NOT_FINITE:
        raise DamageError(f"the float {describe(name)}")
    return NOT_FINITE[name]
