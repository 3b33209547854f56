"""Strategies for gates, ops, circuits and observables."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from hypothesis import strategies as st

import quilt_func as qf
from quilt_func._checks import COMPLEX_OF
from quilt_func.circuits import Circuit
from quilt_func.ops import Gate, Op
from quilt_func.pauli import PauliSum
from quilt_func.testing._lazy import check_bounds, check_count, check_real, lazily, require
from quilt_func.testing.strategies.random_tensors import (
    angles_of,
    uniforms_of,
    unitaries_of,
    wire_sets_of,
)

Strategy = st.SearchStrategy


@lazily
def gates(
    *,
    max_wires: int = 3,
    rows: Sequence[Gate] = qf.GATES,
    derived: bool = False,
) -> Strategy[Gate]:
    """Gates of the table, and if wanted gates made of them.

    Args:
        max_wires: Largest number of wires.
        rows: Table to draw from.
        derived: Whether to draw controlled, inverse and multiplied gates too.

    Returns:
        Strategy of gates. Shrinks towards the first row.

    Examples:
        >>> from hypothesis import find
        >>> find(gates(), lambda gate: gate.n_params == 1)
        <gate rx>
    """
    return _gates(max_wires, gate_rows("gates", max_wires, rows), derived)


def gate_rows(function: str, max_wires: int, rows: Any) -> tuple[Gate, ...]:
    """Rows that are narrow enough, at least one."""
    check_count(function, "max_wires", max_wires)
    is_table = isinstance(rows, list | tuple) and all(isinstance(row, Gate) for row in rows)
    require(is_table, function, "rows", rows, "be a list of gates", "Give `[h, rx]`, say.")
    fitting = tuple(row for row in rows if row.n_wires <= max_wires)
    need, remedy = f"hold a gate of at most {max_wires} wire(s)", "Widen `max_wires` or `rows`."
    require(bool(fitting), function, "rows", rows, need, remedy)
    return fitting


@lru_cache(maxsize=64)
def _gates(max_wires: int, fitting: tuple[Gate, ...], derived: bool) -> Strategy[Gate]:
    plain = st.sampled_from(fitting)
    if not derived:
        return plain
    kinds = [plain]
    unitary = [row for row in fitting if row.inverse is not None]
    turned = [row for row in fitting if row.generator is not None]
    narrow = [row for row in fitting if row.n_wires < max_wires]
    if unitary:
        kinds.append(st.sampled_from(unitary).map(qf.inverse))
    if turned:
        kinds.append(st.builds(qf.power, st.sampled_from(turned), st.sampled_from([0.5, -1.25, 3])))
    if narrow:
        kinds.append(st.sampled_from(narrow).map(qf.controlled))
    return st.one_of(kinds)


@st.composite
def ops(
    draw: st.DrawFn,
    n_qubits: int,
    *,
    dtype: torch.dtype = torch.float64,
    max_sets: int = 4,
    rows: Sequence[Gate] = qf.GATES,
    derived: bool = True,
) -> Op:
    """Ops of every form: one or many wire sets or none, own or shared or weak angles, matrices.

    Args:
        draw: Hypothesis' own.
        n_qubits: Number of qubits, at least 1.
        dtype: Precision of the angles.
        max_sets: Largest number of wire sets.
        rows: Table to draw gates from.
        derived: Whether to draw gates made of these, Pauli rotations and matrices too.

    Returns:
        Strategy of ops. Shrinks towards the first row on wire 0.

    Examples:
        >>> from hypothesis import find
        >>> find(ops(2), lambda op: op.gate.n_wires == 2 and len(op.wires) == 2).wires
        ((0, 1), (0, 1))
    """
    check_count("ops", "n_qubits", n_qubits, 1)
    check_count("ops", "max_sets", max_sets, 1)
    check_real("ops", dtype)
    fitting = gate_rows("ops", min(3, n_qubits), rows)
    return draw(ops_of(n_qubits, dtype, max_sets, fitting, derived))


@lru_cache(maxsize=64)
def ops_of(
    n_qubits: int, dtype: torch.dtype, max_sets: int, rows: tuple[Gate, ...], derived: bool
) -> Strategy[Op]:
    """Strategies are made once: making costs more than drawing."""
    kinds = st.sampled_from(["gate"] * 4 + (["word", "matrix"] if derived else []))
    widest = min(3, n_qubits)
    sizes, some_gates = st.integers(1, widest), _gates(widest, rows, derived)
    sets = [sets_of(n_qubits, size, max_sets) for size in range(widest + 1)]

    @st.composite
    def one(draw: st.DrawFn) -> Op:
        kind = draw(kinds)
        if kind == "gate":
            gate = draw(some_gates)
            places = draw(sets[gate.n_wires])
            given = [draw(_parameters(len(places), dtype)) for _ in range(gate.n_params)]
            return gate(*given, places)
        size = draw(sizes)
        places = draw(sets[size])
        if kind == "word":
            word = draw(_words(size, "XYZ"))
            angle = draw(_parameters(len(places), dtype))
            rotation: Op = qf.pauli_rot(angle, word, places)  # type: ignore[assignment]  # short words give one op
            return rotation
        return qf.unitary(draw(unitaries_of(size, COMPLEX_OF[dtype])), places)

    return one()


@lru_cache(maxsize=256)
def sets_of(n_qubits: int, size: int, max_sets: int) -> Strategy[list[Any]]:
    """Lists of wire sets as a call takes them, now and then empty."""
    each = wire_sets_of(n_qubits, size).map(lambda ws: ws[0] if size == 1 else ws)
    some = st.lists(each, min_size=1, max_size=max_sets)
    return st.one_of([some] * 7 + [st.just([])])


@lru_cache(maxsize=64)
def _parameters(m: int, dtype: torch.dtype) -> Strategy[Any]:
    weak = st.floats(-6, 6, allow_subnormal=False) | st.integers(-3, 3)
    turn = 2 * math.pi
    return angles_of((m,), -turn, turn, dtype) | angles_of((), -turn, turn, dtype) | weak


@st.composite
def circuits(
    draw: st.DrawFn,
    *,
    min_qubits: int = 1,
    max_qubits: int = 5,
    max_ops: int = 12,
    dtype: torch.dtype = torch.float64,
    rows: Sequence[Gate] = qf.GATES,
    derived: bool = True,
) -> Circuit:
    """Circuits of ops of every form.

    Args:
        draw: Hypothesis' own.
        min_qubits: Smallest number of qubits.
        max_qubits: Largest number of qubits.
        max_ops: Largest number of ops.
        dtype: Precision of the angles.
        rows: Table to draw gates from; those wider than a circuit are left out of it.
        derived: Whether to draw gates made of these, Pauli rotations and matrices too.

    Returns:
        Strategy of circuits. Shrinks towards few qubits and no ops.

    Examples:
        >>> from hypothesis import find
        >>> find(circuits(), lambda circuit: circuit.n_qubits > 1 and circuit.n_gates == 1)
        Circuit(2 qubits, 1 gates)
        q0: ─I─
        <BLANKLINE>
        q1: ───
    """
    check_count("circuits", "min_qubits", min_qubits)
    check_count("circuits", "max_qubits", max_qubits)
    check_bounds("circuits", "max_qubits", min_qubits, max_qubits)
    check_count("circuits", "max_ops", max_ops)
    check_real("circuits", dtype)
    n = draw(st.integers(min_qubits, max_qubits))
    if not n:
        return qf.circuit(0)
    fitting = gate_rows("circuits", min(3, n), rows)
    return qf.circuit(n, draw(_parts(n, max_ops, dtype, fitting, derived)))


@lru_cache(maxsize=64)
def _parts(
    n: int, max_ops: int, dtype: torch.dtype, rows: tuple[Gate, ...], derived: bool
) -> Strategy[list[Op]]:
    part = ops_of(n, dtype, 4, rows, derived)
    # lists of a drawn length shrink to fewer ops; those of a free one get stuck more often
    return st.integers(0, max_ops).flatmap(lambda m: st.lists(part, min_size=m, max_size=m))


@lazily
def pauli_words(n_qubits: int, *, letters: str = "IXYZ") -> Strategy[str]:
    """Pauli words.

    Args:
        n_qubits: Number of letters.
        letters: Letters to draw from.

    Returns:
        Strategy of strings. Shrinks towards the first of the letters.

    Examples:
        >>> from hypothesis import find
        >>> find(pauli_words(3), lambda word: word.count("Z") > 1)
        'IZZ'
    """
    check_count("pauli_words", "n_qubits", n_qubits)
    return _words(n_qubits, _letters("pauli_words", letters))


def _letters(function: str, letters: str) -> str:
    holds = isinstance(letters, str) and bool(letters) and not set(letters) - set("IXYZ")
    remedy = 'Give some of "IXYZ".'
    require(holds, function, "letters", letters, "be Pauli letters", remedy)
    return letters


@lru_cache(maxsize=64)
def _words(n_qubits: int, letters: str) -> Strategy[str]:
    one = st.sampled_from(letters)
    return st.lists(one, min_size=n_qubits, max_size=n_qubits).map("".join)


@st.composite
def pauli_sums(
    draw: st.DrawFn,
    n_qubits: int,
    *,
    max_terms: int = 6,
    letters: str = "IXYZ",
    dtype: torch.dtype | None = torch.float64,
) -> PauliSum:
    """Observables of Pauli words, equal words among them.

    Args:
        draw: Hypothesis' own.
        n_qubits: Number of qubits.
        max_terms: Largest number of words.
        letters: Letters to draw from.
        dtype: Precision of the coefficients, in [-1, 1); None draws Python numbers.

    Returns:
        Strategy of Pauli sums. Shrinks towards one word, towards the first of the letters.

    Examples:
        >>> from hypothesis import find
        >>> find(pauli_sums(2), lambda energy: "Z" in energy.words[0]).words
        ('IZ',)
    """
    check_count("pauli_sums", "n_qubits", n_qubits)
    check_count("pauli_sums", "max_terms", max_terms, 1)
    if dtype is not None:
        check_real("pauli_sums", dtype)
    one = _words(n_qubits, _letters("pauli_sums", letters))
    words = draw(st.lists(one, min_size=1, max_size=max_terms))
    values = 2 * draw(uniforms_of((len(words),), dtype or torch.float64)) - 1
    if dtype is not None:
        return qf.pauli_sum(words, values)
    return qf.pauli_sum(dict(zip(words, values.tolist(), strict=True)))
