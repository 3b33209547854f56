"""Strategies for noise: channels, ops of them, circuits that hold some, and models of a machine."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from hypothesis import strategies as st

import quilt_func as qf
from quilt_func import noise
from quilt_func._checks import COMPLEX_OF
from quilt_func.circuits import Circuit
from quilt_func.noise import CHANNELS, Channel, NoiseModel, NoiseRule
from quilt_func.ops import Gate, Op
from quilt_func.testing._lazy import check_count, check_real, require
from quilt_func.testing.strategies.random_circuits import gate_rows, ops_of, sets_of
from quilt_func.testing.strategies.random_tensors import isometries_of, wire_sets_of

Strategy = st.SearchStrategy

ERRORS = (noise.pauli_errors(["X"]), noise.pauli_errors(["ZZ", "XI", "YX"]))
"""Rows that are made of words."""
TIMES = st.floats(0.05, 3.0)
"""Strengths without a largest value."""


@st.composite
def channels(
    draw: st.DrawFn,
    *,
    max_wires: int = 2,
    rows: Sequence[Channel] = CHANNELS,
    dtype: torch.dtype | None = None,
) -> tuple[Channel, tuple[Any, ...]]:
    """Channels of the table, each with strengths for which it is one.

    Args:
        draw: Hypothesis' own.
        max_wires: Largest number of wires.
        rows: Table to draw from: channels of strengths.
        dtype: Precision of the strengths; None draws Python numbers.

    Returns:
        Strategy of pairs: a channel, and a tuple of its strengths: floats, or tensors (real, ()),
        within their bounds, often at them. Shrinks towards the first row, and strengths of 0 where
        that is in bounds.

    Examples:
        >>> from hypothesis import find
        >>> find(channels(), lambda pair: pair[0].n_wires == 2)
        (<channel two_qubit_depolarizing>, (0.0,))
    """
    if dtype is not None:
        check_real("channels", dtype)
    row = draw(st.sampled_from(channel_rows("channels", max_wires, rows)))
    found = draw(strengths_of(row))
    return row, found if dtype is None else tuple(torch.tensor(x, dtype=dtype) for x in found)


def channel_rows(function: str, max_wires: int, rows: Any) -> tuple[Channel, ...]:
    """Rows that are narrow enough, at least one."""
    check_count(function, "max_wires", max_wires)
    is_table = isinstance(rows, list | tuple) and all(
        isinstance(row, Channel) and not row.param_shape for row in rows
    )
    remedy = "Give `[noise.bit_flip]`, say."
    require(is_table, function, "rows", rows, "be a list of channels of strengths", remedy)
    fitting = tuple(row for row in rows if row.n_wires <= max_wires)
    need, remedy = f"hold a channel of at most {max_wires} wire(s)", "Widen what is too narrow."
    require(bool(fitting), function, "rows", rows, need, remedy)
    return fitting


@lru_cache(maxsize=256)
def strengths_of(channel: Channel) -> Strategy[tuple[float, ...]]:
    """Strengths within their bounds, at them, and such that they go together."""
    drawn = st.tuples(*(_within(*pair) for pair in channel.bounds))
    if channel.joint is None:
        return drawn
    holds = channel.joint[1]
    shrunk = st.tuples(drawn, st.sampled_from([1.0, 0.3]))  # sums of 1 are rare
    return shrunk.map(lambda pair: tuple(pair[1] * x for x in pair[0])).filter(lambda s: holds(*s))


def _within(low: float, high: float) -> Strategy[float]:
    """One strength: anywhere in its range, or at an end of it."""
    inner = st.floats(low, high, allow_subnormal=False) if math.isfinite(high - low) else TIMES
    ends = [one for one in (low, high) if math.isfinite(one)] or [0.0]
    return st.sampled_from(ends) | inner


@st.composite
def channel_ops(
    draw: st.DrawFn,
    n_qubits: int,
    *,
    dtype: torch.dtype = torch.float64,
    max_sets: int = 3,
    rows: Sequence[Channel] = CHANNELS,
    derived: bool = True,
) -> Op:
    """Ops of channels in every form: one or many wire sets or none, own, shared or weak strengths.

    Args:
        draw: Hypothesis' own.
        n_qubits: Number of qubits, at least 1.
        dtype: Precision of the strengths.
        max_sets: Largest number of wire sets.
        rows: Table to draw channels from: channels of strengths, at most as wide as the register.
        derived: Whether to draw channels of Pauli words and of given Kraus operators too.

    Returns:
        Strategy of ops. Shrinks towards the first row on wire 0, of strength 0.

    Examples:
        >>> from hypothesis import find
        >>> find(channel_ops(1), lambda op: op.gate.n_params == 3).gate
        <channel pauli_channel>
    """
    check_count("channel_ops", "n_qubits", n_qubits, 1)
    check_count("channel_ops", "max_sets", max_sets, 1)
    check_real("channel_ops", dtype)
    fitting = channel_rows("channel_ops", n_qubits, rows)
    return draw(channel_ops_of(n_qubits, dtype, max_sets, fitting, derived))


@lru_cache(maxsize=64)
def channel_ops_of(
    n_qubits: int, dtype: torch.dtype, max_sets: int, rows: tuple[Channel, ...], derived: bool
) -> Strategy[Op]:
    """Strategies are made once: making costs more than drawing."""
    more = tuple(row for row in ERRORS if row.n_wires <= n_qubits) if derived else ()
    given = (None,) * (1 + len(rows) // 4) if derived else ()
    some = st.sampled_from((*rows, *more, *given))
    widest = max(row.n_wires for row in (*rows, *more))
    sets = [sets_of(n_qubits, size, max_sets) for size in range(widest + 1)]

    @st.composite
    def one(draw: st.DrawFn) -> Op:
        row = draw(some)
        if row is not None:
            places = draw(sets[row.n_wires])
            return row(*draw(_given(row, len(places), dtype)), places)
        size = draw(st.integers(1, min(2, n_qubits, widest)))
        operators = isometries_of(draw(st.integers(1, 3)), size, COMPLEX_OF[dtype])
        return noise.kraus(draw(operators), draw(sets[size]))

    return one()


@lru_cache(maxsize=256)
def _given(channel: Channel, m: int, dtype: torch.dtype) -> Strategy[list[Any]]:
    """Strengths as a call takes them: the same for all of `m`, some as numbers, or one for each.

    Only what is drawn together goes together, so that they are all shared, or all for each.
    """
    n = channel.n_params
    one = strengths_of(channel)

    def shared(pair: tuple[tuple[float, ...], int]) -> list[Any]:
        """A tensor where a bit of the number is 0."""
        return [
            x if pair[1] >> i & 1 else torch.tensor(x, dtype=dtype) for i, x in enumerate(pair[0])
        ]

    def each(drawn: list[tuple[float, ...]]) -> list[Any]:
        table = torch.tensor(drawn, dtype=dtype).reshape(m, n)
        return list(table.unbind(1))

    return st.tuples(one, st.integers(0, 2**n - 1)).map(shared) | st.lists(
        one, min_size=m, max_size=m
    ).map(each)


@st.composite
def noisy_circuits(
    draw: st.DrawFn,
    n_qubits: int,
    *,
    max_ops: int = 8,
    max_sets: int = 3,
    dtype: torch.dtype = torch.float64,
    rows: Sequence[Gate] = qf.GATES,
    channels: Sequence[Channel] = CHANNELS,
    derived: bool = True,
) -> Circuit:
    """Circuits of gates and channels of every form, about as many of each.

    Args:
        draw: Hypothesis' own.
        n_qubits: Number of qubits, at least 1.
        max_ops: Largest number of ops.
        max_sets: Largest number of wire sets of an op.
        dtype: Precision of angles and strengths.
        rows: Table to draw gates from; those wider than the register are left out.
        channels: Table to draw channels from; those wider than the register are left out.
        derived: Whether to draw what is made of gates and of matrices, as `ops` and `channel_ops`.

    Returns:
        Strategy of circuits. Shrinks towards no ops, and towards channels of strength 0.

    Examples:
        >>> from hypothesis import find
        >>> from quilt_func.noise import n_draws
        >>> len(find(noisy_circuits(2), lambda circuit: n_draws(circuit) == 1))
        1
    """
    check_count("noisy_circuits", "n_qubits", n_qubits, 1)
    check_count("noisy_circuits", "max_ops", max_ops)
    check_count("noisy_circuits", "max_sets", max_sets, 1)
    check_real("noisy_circuits", dtype)
    gates = gate_rows("noisy_circuits", min(3, n_qubits), rows)
    fitting = channel_rows("noisy_circuits", n_qubits, channels)
    return draw(_noisy_circuits(n_qubits, max_ops, max_sets, dtype, gates, fitting, derived))


@lru_cache(maxsize=64)
def _noisy_circuits(
    n: int, max_ops: int, max_sets: int, dtype: torch.dtype, gates: tuple[Gate, ...],
    channels: tuple[Channel, ...], derived: bool,
) -> Strategy[Circuit]:  # fmt: skip
    part = ops_of(n, dtype, max_sets, gates, derived) | channel_ops_of(
        n, dtype, max_sets, channels, derived
    )
    parts = st.integers(0, max_ops).flatmap(lambda m: st.lists(part, min_size=m, max_size=m))
    return parts.map(lambda drawn: qf.circuit(n, drawn))


@st.composite
def noise_models(
    draw: st.DrawFn,
    n_qubits: int,
    *,
    max_rules: int = 3,
    dtype: torch.dtype = torch.float64,
    rows: Sequence[Gate] = qf.GATES,
    channels: Sequence[Channel] = CHANNELS,
) -> NoiseModel:
    """Noise models with rules of every form: for some gates, some wires, idle ones.

    Args:
        draw: Hypothesis' own.
        n_qubits: Number of qubits of the circuits that it is for, at least 1.
        max_rules: Largest number of rules.
        dtype: Precision of the strengths.
        rows: Table to draw the gates of rules from.
        channels: Table to draw channels from; those wider than the register are left out.

    Returns:
        Strategy of noise models. Shrinks towards no rules, and towards rules for all gates.

    Examples:
        >>> from hypothesis import find
        >>> model = find(noise_models(2), lambda model: len(model.rules) == 1)
        >>> model.rules[0].channel, model.rules[0].when
        (<channel bit_flip>, 'before')
    """
    check_count("noise_models", "n_qubits", n_qubits, 1)
    check_count("noise_models", "max_rules", max_rules)
    check_real("noise_models", dtype)
    gates = gate_rows("noise_models", min(3, n_qubits), rows)
    fitting = channel_rows("noise_models", n_qubits, channels)
    return draw(_noise_models(n_qubits, max_rules, dtype, gates, fitting))


@lru_cache(maxsize=64)
def _noise_models(
    n: int, max_rules: int, dtype: torch.dtype, gates: tuple[Gate, ...],
    channels: tuple[Channel, ...],
) -> Strategy[NoiseModel]:  # fmt: skip
    some = st.sampled_from(channels)

    @st.composite
    def rule(draw: st.DrawFn) -> NoiseRule:
        row = draw(some)
        single = row.n_wires == 1
        given = draw(_given(row, n if single else 1, dtype))
        strengths = given if single else [x if type(x) is float else x.reshape(()) for x in given]
        fitting = [one for one in gates if single or one.n_wires == row.n_wires]
        kept = st.lists(st.sampled_from(fitting), min_size=1, max_size=3) if fitting else st.none()
        places = wire_sets_of(n, row.n_wires).map(lambda ws: ws[0] if single else ws)
        return noise.rule(
            row,
            *strengths,
            gates=draw(st.none() | kept),
            wires=draw(st.none() | st.lists(places, min_size=1, max_size=3)),
            when=draw(st.sampled_from(["before", "after", *["idle"] * single])),
        )

    return st.lists(rule(), max_size=max_rules).map(lambda rules: noise.noise_model(*rules))
