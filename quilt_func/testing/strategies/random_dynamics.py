"""Strategies for circuits that measure, reset and decide while they run."""

from collections.abc import Mapping

import torch
from hypothesis import strategies as st

import quilt_func as qf
from quilt_func.circuits import Circuit
from quilt_func.ops import Op
from quilt_func.testing._lazy import check_bounds, check_count, check_real
from quilt_func.testing.strategies.random_circuits import gate_rows, ops_of
from quilt_func.testing.strategies.random_tensors import angles_of, wire_sets_of


@st.composite
def dynamic_circuits(
    draw: st.DrawFn,
    *,
    min_qubits: int = 1,
    max_qubits: int = 3,
    max_ops: int = 8,
    max_bits: int = 4,
    dtype: torch.dtype = torch.float64,
    postselects: bool = False,
) -> Circuit:
    """Circuits of gates and instruments: measurements, resets, lookups, and what is conditional.

    Args:
        draw: Hypothesis' own.
        min_qubits: Smallest number of qubits, at least 1.
        max_qubits: Largest number of qubits.
        max_ops: Largest number of ops.
        max_bits: Largest number of measured and reset wires: there are `2**max_bits` branches.
        dtype: Precision of the angles.
        postselects: Whether to draw postselections, too.

    Returns:
        Strategy of circuits that read only what was measured before. Shrinks towards few qubits
        and no ops.

    Examples:
        >>> from hypothesis import find
        >>> found = find(dynamic_circuits(), lambda c: any(op.gate.reads for op in c.ops))
        >>> [bool(op.gate.reads) for op in found.ops][-1]
        True
    """
    check_count("dynamic_circuits", "min_qubits", min_qubits, 1)
    check_bounds("dynamic_circuits", "max_qubits", min_qubits, max_qubits)
    check_count("dynamic_circuits", "max_ops", max_ops)
    check_count("dynamic_circuits", "max_bits", max_bits)
    check_real("dynamic_circuits", dtype)
    n = draw(st.integers(min_qubits, max_qubits))
    widths: dict[str, int] = {}
    found: list[Op] = []
    left = max_bits
    for _ in range(draw(st.integers(0, max_ops))):
        kinds = [
            "gate",
            *["measure", "reset"] * (left > 0),
            *["condition", "lookup", "nested"] * bool(widths),
        ]
        kind = draw(st.sampled_from(kinds + ["postselect"] * postselects))
        if kind in ("measure", "postselect"):
            size = draw(st.integers(1, min(n, max(left, 1))))
            places = draw(wire_sets_of(n, size))
            key = draw(st.sampled_from(["a", "b"]))
            bits = draw(st.tuples(*[st.integers(0, 1)] * size))
            is_kept = kind == "postselect"
            found.append(qf.postselect(places, bits) if is_kept else qf.measure(places, key))
            left -= 0 if is_kept else size
            widths |= {} if is_kept else {key: size}
        elif kind == "reset":
            reset = qf.reset(draw(st.integers(0, n - 1)))
            is_free = not widths or draw(st.booleans())
            found.append(reset if is_free else draw(_conditional(reset, widths)))
            left -= 1
        else:
            found.append(draw(_dependent(n, kind, widths, dtype)))
    return qf.circuit(n, found)


@st.composite
def _dependent(
    draw: st.DrawFn, n: int, kind: str, widths: Mapping[str, int], dtype: torch.dtype
) -> Op:
    """A gate, alone, under a condition or two, or with a table."""
    op: Op = draw(ops_of(n, dtype, 2, gate_rows("dynamic_circuits", min(2, n), qf.GATES), True))
    if kind == "gate":
        return op
    if kind == "condition":
        return draw(_conditional(op, widths))
    if kind == "nested":
        inner = st.sampled_from(["condition", "lookup"])
        op = draw(_dependent(n, draw(inner), widths, dtype))
        return draw(_conditional(op, widths))
    keys, m = draw(_keys(widths))
    gate = draw(st.sampled_from([row for row in qf.GATES if row.n_params and row.n_wires <= n]))
    tables = [draw(angles_of((2**m,), -6.0, 6.0, dtype)) for _ in range(gate.n_params)]
    return qf.instruments.lookup(keys, gate, tables, draw(wire_sets_of(n, gate.n_wires)))


@st.composite
def _conditional(draw: st.DrawFn, op: Op, widths: Mapping[str, int]) -> Op:
    """What acts under a condition of any form."""
    keys, m = draw(_keys(widths))
    bits = st.tuples(*[st.integers(0, 1)] * m)
    value = draw(st.integers(0, 2**m - 1) | bits | st.just(qf.instruments.parity))
    table = draw(st.none() | st.tuples(*[st.integers(0, 1)] * 2**m))
    return qf.conditional(keys, op, value if table is None else None, table=table)


@st.composite
def _keys(draw: st.DrawFn, widths: Mapping[str, int]) -> tuple[list[str], int]:
    """One or two keys, and how many bits they have."""
    keys = draw(st.lists(st.sampled_from(sorted(widths)), min_size=1, max_size=2, unique=True))
    return keys, sum(widths[key] for key in keys)
