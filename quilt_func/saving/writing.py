"""Values to what JSON can say."""

import json
import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from quilt_func._checks import kind_error, message
from quilt_func.circuits import Circuit
from quilt_func.derived import power
from quilt_func.instruments import Instrument
from quilt_func.noise import kraus_channel, pauli_errors
from quilt_func.ops import Gate, Op
from quilt_func.pauli import PauliSum
from quilt_func.saving.instrument_entries import instrument_out, widths_after
from quilt_func.saving.makers import MAX_WIRES, OF_A_GATE, OF_A_VALUE
from quilt_func.saving.tensors import tensor_out

FORMAT, VERSION = "quilt_func", 1
_WIDTH = 100


class Writer:
    """Values to what JSON can say."""

    def __init__(self, names: Mapping[str, Gate]) -> None:
        self.names = names

    def write(self, value: Any) -> Any:
        """The entry of any value."""
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
            return tensor_out(value)
        if type(value) is Circuit:
            return {"$circuit": value.n_qubits, "ops": self.ops(value)}
        if type(value) is PauliSum:
            return {"$pauli_sum": list(value.words), "coefficients": self.write(value.coefficients)}
        requirement = "hold circuits, Pauli sums, tensors, numbers, strings, dicts, lists, tuples"
        raise kind_error("to_json", "value", value, requirement, "Convert it to one of these.")

    def mapping(self, value: dict[Any, Any]) -> dict[str, Any]:
        """A dict as an object, where its keys allow, or as pairs."""
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: self.write(item) for key, item in value.items()}
        return {"$dict": [[self.write(key), self.write(item)] for key, item in value.items()]}

    def ops(self, circuit: Circuit) -> list[dict[str, Any]]:
        """Ops in order, with how many bits each outcome has that they may read."""
        widths: dict[str, int] = {}
        found = []
        for op in circuit.ops:
            found.append(self.op(op, widths))
            widths = widths_after(op, widths)
        return found

    def op(self, op: Op, widths: Mapping[str, int]) -> dict[str, Any]:
        """The entry of an op."""
        params = [self.write(param) for param in op.params]
        entry = {"gate": self.gate(op.gate, widths), "wires": [list(wires) for wires in op.wires]}
        return {**entry, "params": params} if params else entry

    def gate(self, gate: Gate, widths: Mapping[str, int]) -> Any:
        """A name, or how the gate is made of others."""
        if isinstance(gate, Instrument):
            return instrument_out(gate, widths, self.gate)
        if self.names.get(gate.name) is gate:
            return gate.name
        for name, maker in OF_A_VALUE.items():
            if made_of := gate.made_by(maker):
                return {name: made_of[0]}
        if made_of := gate.made_by(pauli_errors):
            return {"pauli_errors": list(made_of[0])}
        if made_of := gate.made_by(kraus_channel):
            return {"kraus": list(made_of)}
        for name, maker in OF_A_GATE.items():
            made_of = gate.made_by(maker)
            if made_of and gate.n_wires <= MAX_WIRES:
                return {name: self.gate(made_of[0], widths)}
        if made_of := gate.made_by(power):
            return {"power": self.gate(made_of[0], widths), "exponent": made_of[1]}
        requirement = "use gates of the table, gates made of them, or those in `gates`"
        remedy = f"Write `to_json(value, gates=[{gate.name}])`."
        if gate.n_wires > MAX_WIRES:
            requirement, remedy = f"use gates of at most {MAX_WIRES} wires", "Write it as others."
        raise ValueError(message("to_json", "value", gate, requirement, gate.name, remedy))


def laid_out(value: Any, indent: int = 0) -> str:
    """One line where it fits, or one per member; numbers of a tensor stay in one line."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not isinstance(value, list | dict):
        return text
    members = value if isinstance(value, list) else [*value.values()]
    is_flat = not any(isinstance(member, list | dict) for member in members)
    if indent and (len(text) <= _WIDTH - indent or is_flat):
        return text
    lines = [laid_out(member, indent + 1) for member in members]
    if isinstance(value, dict):
        heads = [json.dumps(key, ensure_ascii=False) for key in value]
        lines = [f"{head}: {line}" for head, line in zip(heads, lines, strict=True)]
    space = "\n" + " " * indent
    return text[0] + space + " " + f",{space} ".join(lines) + space + text[-1]
