"""What can be read of a circuit's outcomes from its structure: keys, their bits, and branches."""

from collections.abc import Iterable

from quilt_func._checks import message
from quilt_func.circuits import Circuit
from quilt_func.instruments.conditions import check_width
from quilt_func.instruments.feed_forward import Conditional, Lookup
from quilt_func.instruments.instrument_rows import Instrument, Measurement
from quilt_func.ops import Gate, Op


def has_instruments(circuit: Circuit) -> bool:
    """Whether a circuit holds any."""
    return any(isinstance(op.gate, Instrument) for op in circuit.ops)


def check_keys(function: str, circuit: Circuit) -> None:
    """Check that outcomes are measured before they are read, and have as many bits as they need."""
    known: dict[str, int] = {}
    for op in circuit.ops:
        gate = op.gate
        if not isinstance(gate, Instrument):
            continue
        for key in gate.reads:
            if key not in known:
                got = f"{gate.name} before any measurement of {key!r}"
                remedy = f'Put `measure(wires, "{key}")` before it.'
                need = "measure what it reads"
                raise ValueError(message(function, "circuit", op, need, got, remedy))
        _check_widths(function, op, known)
        if isinstance(gate, Measurement):
            known[gate.writes] = gate.n_wires


def _check_widths(function: str, op: Op, known: dict[str, int]) -> None:
    """Check that conditions, and a table, are for as many bits as there are."""
    gate: Gate | None = op.gate
    while isinstance(gate, Conditional):
        n_bits = sum(known[key] for key in gate.keys)
        check_width(function, "circuit", op, gate.condition, n_bits)
        gate = gate.base
    if not isinstance(gate, Lookup):
        return
    n_bits = sum(known[key] for key in gate.reads)
    if gate.param_shape[0] != 2**n_bits:
        need = f"hold tables of {2**n_bits} entries for {n_bits} bit(s)"
        got = str(gate.param_shape[0])
        remedy = "Change the table, or how many wires are measured."
        raise ValueError(message(function, "circuit", op, need, got, remedy))


def outcomes_of(op: Op) -> tuple[int, ...]:
    """How many outcomes an op has on each wire set; nothing if it has one only."""
    n = op.gate.n_outcomes if isinstance(op.gate, Instrument) else 1
    return (n,) * len(op.wires) if n > 1 else ()


def is_read_later(key: str, ops: Iterable[Op]) -> bool:
    """Whether some op reads what a key holds now."""
    for op in ops:
        if isinstance(op.gate, Instrument):
            if key in op.gate.reads:
                return True
            if op.gate.writes == key:
                return False
    return False
