"""Instruments as entries of a file: their keys, their bits, and what a condition asks of these.

A condition that is a function is written as the table of its truth values, but for `parity`, which
has a name. So it takes a whole circuit, which tells how many bits there are.
"""

from collections.abc import Callable, Mapping
from typing import Any

from quilt_func._checks import describe, message
from quilt_func.instruments import (
    Conditional,
    Instrument,
    Lookup,
    Measurement,
    OfTable,
    Postselection,
    as_bits,
    check_key,
    check_width,
    measurement_row,
    parity,
    postselection_row,
    reset_row,
    truth,
)
from quilt_func.ops import Gate, Op
from quilt_func.saving.damage import DamageError, fields

INSTRUMENTS = frozenset({"measure", "reset", "postselect", "conditional", "lookup"})
"""What entries of instruments have a field of."""


def widths_after(op: Op, widths: dict[str, int]) -> dict[str, int]:
    """How many bits each outcome has after an op."""
    gate = op.gate
    return {**widths, gate.writes: gate.n_wires} if isinstance(gate, Measurement) else widths


def instrument_out(
    gate: Instrument, widths: Mapping[str, int], written: Callable[[Gate, Mapping[str, int]], Any]
) -> dict[str, Any]:
    """The entry of an instrument, by what writes the gate that it is made of."""
    if isinstance(gate, Measurement):
        return {"measure": gate.writes}
    if isinstance(gate, Postselection):
        return {"postselect": list(gate.bits)}
    if isinstance(gate, Conditional) and gate.base is not None:
        base = written(gate.base, widths)
        return {"conditional": base, "keys": list(gate.keys), **_condition_out(gate, widths)}
    if isinstance(gate, Lookup) and gate.base is not None:
        return {"lookup": written(gate.base, widths), "keys": list(gate.reads)}
    return {"reset": gate.n_wires}


def _condition_out(gate: Conditional, widths: Mapping[str, int]) -> dict[str, Any]:
    condition = gate.condition
    if isinstance(condition, int):
        return {"value": condition}
    if isinstance(condition, tuple):
        return {"value": list(condition)}
    if isinstance(condition, OfTable):
        return {"table": list(condition.table)}
    if condition is parity:
        return {"function": "parity"}
    unknown = [key for key in gate.keys if key not in widths]
    if unknown:
        need = "measure what functions read, whose table depends on how many bits there are"
        got = f"{gate.name} before any measurement of {unknown[0]!r}"
        remedy = "Write the whole circuit, or give `conditional` a table or a value."
        raise ValueError(message("to_json", "value", gate, need, got, remedy))
    n_bits = sum(widths[key] for key in gate.keys)
    check_width("to_json", "value", gate, condition, n_bits)
    return {"table": truth(condition, n_bits).long().tolist()}


def condition_in(entry: dict[str, Any]) -> tuple[Any, list[Any], dict[str, Any]]:
    """What is conditional, on which keys, and the arguments of `conditional` that say when."""
    kinds = {"value": (int, list), "table": list, "function": str}
    given = [name for name in kinds if name in entry]
    if len(given) != 1:
        raise DamageError(f"the gate {describe(entry)}")
    (name,) = given
    own = {"conditional": (str, dict), "keys": list, name: kinds[name]}
    base, keys, condition = fields(entry, own)
    if name == "function":
        if condition != "parity":
            raise DamageError(f"the function {describe(condition)}")
        return base, keys, {"value": parity}
    return base, keys, {name: condition}


def row_in(entry: dict[str, Any], sets: list[list[Any]]) -> Gate:
    """The row of a measurement, a postselection or a reset on some wire sets."""
    (name,) = INSTRUMENTS & set(entry) if len(entry) == 1 else ("",)
    if name == "measure" and sets and sets[0]:
        check_key("from_json", entry[name])
        return measurement_row(entry[name], len(sets[0]))
    if name == "postselect" and isinstance(entry[name], list) and entry[name]:
        return postselection_row(as_bits("from_json", "bits", entry[name], None))
    if name == "reset" and entry[name] == 1 and type(entry[name]) is int:
        return reset_row()
    raise DamageError(f"the gate {describe(entry)}")
