r"""Gates that depend on outcomes: applied or not, or with an angle for each outcome.

Outcomes are values, not Python control flow. A condition is a table of yes and no over the `2**m`
values of `m` bits, and a gate that is not applied is the identity. So all branches have the same
gates, map over one axis, and replay.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import COMPLEX_OF, check_is, check_tensor, describe, is_index, message
from quilt_func.gates import linear_gate, unitary_gate
from quilt_func.instruments.instrument_rows import Instrument, as_bits, check_key, without_matrix
from quilt_func.ops import Gate, Made, Op, parse_wires

Bits = dict[str, Tensor]
"""Bits by key, int64 `(n_wires,)` of one outcome."""
Condition = int | tuple[int, ...] | Callable[[Tensor], Tensor]
"""A value of the bits, or a function from bits `(..., m)` to truth values `(...)`."""


@dataclass(frozen=True, eq=False, repr=False)
class Conditional(Instrument):
    """The row of `conditional`: a gate, and when it is applied."""

    base: Gate | None = None
    condition: Condition = 1


@dataclass(frozen=True, eq=False, repr=False)
class Lookup(Instrument):
    """The row of `lookup`: a gate whose parameters have a value for each outcome."""

    base: Gate | None = None


def conditional(
    key: str | Sequence[str],
    op: Op,
    value: int | Sequence[int] | Callable[[Tensor], Tensor] | None = None,
    *,
    table: Sequence[int] | None = None,
) -> Op:
    """A gate that is applied if bits that were measured have a value.

    Args:
        key: Key of a measurement before, or several, whose bits are then read one after the other.
        op: The gate, on one or many sets of wires.
        value: The bits as a tuple, or as an int, the first bit the most significant. Or a function
            from bits (int64, (..., m)) to truth values `(...)`, such as `instruments.parity`.
        table: In place of `value`, a truth value for each of the `2**m` outcomes, in order.

    Returns:
        The op, for `circuit`. Whether the key is known, and has as many bits, is checked when the
        circuit is run, since a circuit may be the second half of another.

    Raises:
        TypeError: If `key` is not a string or several, `op` not a gate's, or `value` of another
            kind.
        ValueError: If neither `value` nor `table` is given, or both; or `table` is not of a size
            that is a power of 2.

    Transforms:
        vmap, grad, jvp, hessian, in the op's leaves.

    Examples:
        >>> from quilt_func import circuit, h, measure, run_density, x
        >>> copied = circuit(2, h(0), measure(0, "m"), conditional("m", x(1), 1))
        >>> run_density(copied).real.diagonal()
        tensor([0.5000, 0.0000, 0.0000, 0.5000])

    References:
        Nielsen and Chuang (2010), section 4.4.
    """
    remedy = "Call a gate to make an op: `conditional(key, x(0), 1)`."
    check_is("conditional", "op", op, Op, "be an op", remedy)
    _check_base("conditional", "op", op.gate)
    if (value is None) == (table is None):
        need, got = "be given, or else `table`", "neither" if value is None else "both"
        remedy = "Give the value that the bits must have, or a truth value for each."
        raise ValueError(message("conditional", "value", value, need, got, remedy))
    keys, condition = conditions("conditional", key, _of_table(table) if value is None else value)
    return Op(conditional_gate(op.gate, keys, condition), op.wires, op.params)


def lookup(key: str | Sequence[str], gate: Gate, table: Any, wires: Any) -> Op:
    """A gate with an angle for each outcome of a measurement before.

    Args:
        key: Key of a measurement before, or several, whose bits are then read one after the other.
        gate: A gate of one angle; or of several, with as many tables.
        table (real, (2**m,) or (n_sets, 2**m)): The angle for each value of the `m` bits, the first
            bit the most significant; or a sequence of such, one for each parameter of the gate.
        wires: As for the gate: one set of wires as an int or a tuple of ints, or a list of such.

    Returns:
        The op, for `circuit`; `table` is its leaf.

    Raises:
        TypeError: If `key` is not a string or several, `gate` not a gate, or `table` not a tensor.
        ValueError: If the gate has no angle, there are not as many tables, or one is of a size that
            is not a power of 2.

    Transforms:
        vmap, grad, jvp, hessian, in `table`.

    Examples:
        >>> import torch
        >>> from quilt_func import circuit, h, instruments, measure, run_branches, rx
        >>> angles = torch.tensor([0.0, torch.pi])
        >>> c = circuit(2, h(0), measure(0, "m"), instruments.lookup("m", rx, angles, 1))
        >>> run_branches(c).states.abs().square().round(decimals=4)
        tensor([[0.5000, 0.0000, 0.0000, 0.0000],
                [0.0000, 0.0000, 0.0000, 0.5000]])

    References:
        Nielsen and Chuang (2010), section 4.4.
    """
    keys = _keys("lookup", key)
    check_is("lookup", "gate", gate, Gate, "be a gate", "Give the gate itself, such as `rx`.")
    _check_base("lookup", "gate", gate)
    tables = tuple(table) if isinstance(table, tuple | list) else (table,)
    for one in tables:
        need, remedy = "be a tensor", "Give an angle for each outcome: `torch.tensor([0.1, 0.2])`."
        check_is("lookup", "table", one, Tensor, need, remedy)
    if not gate.n_params or len(tables) != gate.n_params:
        need, got = f"have {gate.n_params} table(s), one for each parameter", str(len(tables))
        if not gate.n_params:
            need, got = "be a gate with an angle", "one without"
        remedy = "Give a table for each angle; use `conditional` for gates without."
        raise ValueError(message("lookup", "gate", gate, need, got, remedy))
    shape = _table_shape(gate, tables[0])
    row = lookup_gate(gate, keys, shape[0])
    is_set = gate.n_wires > 1 and isinstance(wires, tuple) and all(map(is_index, wires))
    sets = parse_wires(row, wires if is_set else (wires,))
    return Op(row, sets, tuple(_table(one, shape, len(sets)) for one in tables))


def _table_shape(gate: Gate, table: Any) -> tuple[int, ...]:
    """The shape of one table of a gate, for the first."""
    dtypes = tuple(COMPLEX_OF.values() if gate.param_shape else COMPLEX_OF)
    remedy = "Give an angle for each outcome: `torch.tensor([0.1, 0.2])`."
    check_tensor("lookup", "table", table, dtypes, (...,), remedy)
    ndim = 1 + len(gate.param_shape)
    shape = tuple(table.shape[-ndim:])
    if table.ndim < ndim or shape[0] < 2 or not _is_power(shape[0]):
        need, got = "have 2**m entries for m bits", f"shape {tuple(table.shape)}"
        raise ValueError(message("lookup", "table", table, need, got, remedy))
    return shape


def _table(table: Any, shape: tuple[int, ...], n_sets: int) -> Tensor:
    """A table for each wire set."""
    remedy = "Give one table for all wire sets, or one for each; map over a batch with `vmap`."
    check_is("lookup", "table", table, Tensor, "be a tensor", remedy)
    if table.shape not in (shape, (n_sets, *shape)):
        need = f"have shape {shape} or {(n_sets, *shape)}"
        got = f"shape {tuple(table.shape)}"
        raise ValueError(message("lookup", "table", table, need, got, remedy))
    found: Tensor = table.expand(n_sets, *shape)
    return found


def parity(bits: Tensor) -> Tensor:
    """Whether the number of ones is odd: a condition for `conditional`.

    Args:
        bits (int64, (..., m)): Bits.

    Returns:
        (bool, (...)): Parities.

    Raises:
        TypeError: If `bits` is not an int64 tensor.

    Transforms:
        vmap; it has no derivative.

    Examples:
        >>> parity(torch.tensor([[0, 1], [1, 1]]))
        tensor([ True, False])
    """
    check_tensor(
        "parity",
        "bits",
        bits,
        (torch.int64,),
        (...,),
        "Give bits of outcomes.",
        need="be an int64 tensor",
    )
    return bits.sum(-1) % 2 == 1


def _keys(function: str, key: Any) -> tuple[str, ...]:
    keys = (key,) if isinstance(key, str) or not isinstance(key, Iterable) else tuple(key)
    for one in keys:
        check_key(function, one)
    if not keys:
        raise ValueError(message(function, "key", key, "name an outcome", "none", 'Write `"m"`.'))
    return keys


def _check_base(function: str, argument: str, gate: Gate) -> None:
    if gate.refusal:
        need, got = "be a gate's", repr(gate).strip("<>")
        remedy = "Give several keys for a condition on each; noise goes beside the gate."
        raise TypeError(message(function, argument, gate, need, got, remedy))


def _is_power(size: int) -> bool:
    return size > 0 and not size & (size - 1)


def conditions(function: str, key: Any, value: Any) -> tuple[tuple[str, ...], Condition]:
    """Check keys and what their bits must be."""
    keys = _keys(function, key)
    if callable(value):
        return keys, value
    if not is_index(value) or isinstance(value, Tensor):
        return keys, as_bits(function, "value", value, None)
    if int(value) < 0:
        remedy = "Give the value that the bits must have."
        raise ValueError(message(function, "value", value, "be zero or more", f"{value}", remedy))
    return keys, int(value)


def check_width(
    function: str, argument: str, given: object, condition: Condition, n_bits: int
) -> None:
    """Check that a condition is one for so many bits."""
    need = got = ""
    whose = "" if argument == "value" else "hold conditions that "
    if isinstance(condition, tuple) and len(condition) != n_bits:
        need, got = f"{whose}have {n_bits} bit(s)", f"{len(condition)}"
    elif isinstance(condition, int) and condition >= 2**n_bits:
        need, got = f"{whose}{'are' if whose else 'be'} below {2**n_bits}", f"{condition}"
    elif callable(condition):
        found = condition(all_bits(n_bits))
        if found.shape != (2**n_bits,) or found.dtype != torch.bool:
            need = f"{whose}give a bool for each of {2**n_bits} outcomes"
            got = f"{found.dtype} of shape {tuple(found.shape)}"
    if need:
        remedy = "Change what the bits are compared with, or how many wires are measured."
        raise ValueError(message(function, argument, given, need, got, remedy))


def truth_of(function: str, bits: Bits, keys: tuple[str, ...], condition: Condition) -> Tensor:
    """Whether bits `(n_branches, n_wires)` by key meet a condition."""
    for key in keys:
        if key not in bits:
            remedy = f"Choose from {list(bits)}."
            raise ValueError(message(function, "key", key, "be measured", "no such key", remedy))
    found = torch.cat([bits[key] for key in keys], -1)
    n_bits = found.shape[-1]
    check_width(function, "value", condition, condition, n_bits)
    return truth(condition, n_bits, found.device)[number(found)]


@dataclass(frozen=True)
class OfTable:
    """A condition by a truth value for each outcome."""

    table: tuple[int, ...]

    def __call__(self, bits: Tensor) -> Tensor:
        """Truth values of bits `(2**m, m)`, which count from 0."""
        return torch.tensor(self.table, dtype=torch.bool, device=bits.device)


def _of_table(table: Any) -> OfTable:
    remedy = "Give 0 or 1 for each of the 2**m outcomes."
    if isinstance(table, str | int) or not isinstance(table, Iterable):
        got = describe(table)
        raise TypeError(message("conditional", "table", table, "be a sequence", got, remedy))
    found = as_bits("conditional", "table", tuple(table), None)
    if len(found) < 2 or not _is_power(len(found)):
        need, got = "have 2**m entries for m bits", f"{len(found)}"
        raise ValueError(message("conditional", "table", table, need, got, remedy))
    return OfTable(found)


@lru_cache(maxsize=4096)
def conditional_gate(base: Gate, keys: tuple[str, ...], condition: Condition) -> Conditional:
    """The row of `conditional` of a gate."""
    when = f"{','.join(keys)}{_described(condition)}"
    return Conditional(
        name=f"conditional[{base.name}, {when}]",
        n_wires=base.n_wires,
        n_params=base.n_params,
        matrix=without_matrix,
        symbol=_marked(base.symbol, f"?{when}"),
        doc=f"`{base.name}` if bits have a value.",
        param_shape=base.param_shape,
        param_names=base.param_names,
        origin=Made(conditional_gate, (base, keys, condition)),
        reads=keys,
        base=base,
        condition=condition,
    )


@lru_cache(maxsize=4096)
def lookup_gate(base: Gate, keys: tuple[str, ...], n_outcomes: int) -> Lookup:
    """The row of `lookup` of a gate, with so many entries in a table."""
    return Lookup(
        name=f"lookup[{base.name}, {','.join(keys)}]",
        n_wires=base.n_wires,
        n_params=base.n_params,
        matrix=without_matrix,
        symbol=_marked(base.symbol, f"[{','.join(keys)}]"),
        doc=f"`{base.name}` with an angle for each outcome.",
        param_shape=(n_outcomes, *base.param_shape),
        param_names=("table",) * base.n_params,
        origin=Made(lookup_gate, (base, keys, n_outcomes)),
        reads=keys,
        base=base,
    )


def _described(condition: Condition) -> str:
    """A condition in a drawing."""
    if isinstance(condition, int):
        return f"={condition}"
    if isinstance(condition, tuple):
        return f"={''.join(map(str, condition))}"
    if isinstance(condition, OfTable):
        return f"~{''.join(map(str, condition.table))}"
    return f":{getattr(condition, '__name__', type(condition).__name__)}"


def _marked(symbol: tuple[str, ...], mark: str) -> tuple[str, ...]:
    """Labels with a mark on the last that is no control."""
    places = [i for i, label in enumerate(symbol) if label != "●"] or [len(symbol) - 1]
    return tuple(f"{s}{mark}" if i == places[-1] else s for i, s in enumerate(symbol))


def resolved(op: Op, bits: Bits, dtype: torch.dtype, device: torch.device) -> Op:
    """What an op does at one outcome: gates stay as they are."""
    gate = op.gate
    if isinstance(gate, Lookup):
        return _looked_up(op, gate, _index(bits, gate.reads))
    if not isinstance(gate, Conditional):
        return op
    assert gate.base is not None
    n_bits = sum(bits[key].shape[-1] for key in gate.reads)
    holds = _at(truth(gate.condition, n_bits, device), _index(bits, gate.reads))
    params = [_tensor(param, len(op), dtype, device) for param in op.params]
    if gate.base.generator is not None and gate.n_params == 1:  # the identity at angle 0
        return Op(gate.base, op.wires, (torch.where(holds, params[0], 0.0),))
    matrices = gate.base.matrices(*params) if params else gate.base.constant(dtype, device)
    matrices = matrices.expand(len(op), -1, -1)
    identity = torch.eye(2**gate.n_wires, dtype=dtype, device=device)
    is_unitary = "unitary" in gate.base.tags
    row = unitary_gate(gate.n_wires) if is_unitary else linear_gate(gate.n_wires)
    return Op(row, op.wires, (torch.where(holds, matrices, identity),))


def _looked_up(op: Op, gate: Lookup, index: Tensor) -> Op:
    assert gate.base is not None
    params = tuple(param.index_select(1, index[None])[:, 0] for param in op.params)
    return Op(gate.base, op.wires, params)


def _tensor(param: Any, m: int, dtype: torch.dtype, device: torch.device) -> Any:
    is_number = type(param) is float
    return torch.full((m,), param, dtype=dtype.to_real(), device=device) if is_number else param


def all_bits(m: int, device: torch.device | None = None) -> Tensor:
    """The bits `(2**m, m)` of the numbers from 0 on, the first the most significant."""
    numbers, places = torch.arange(2**m, device=device), torch.arange(m - 1, -1, -1, device=device)
    return numbers[:, None] >> places & 1


def truth(condition: Condition, m: int, device: torch.device | None = None) -> Tensor:
    """A condition's truth values over the `2**m` outcomes of `m` bits."""
    if callable(condition):
        return condition(all_bits(m, device))
    value = condition if isinstance(condition, int) else number_of(condition)
    return torch.arange(2**m, device=device) == value


def number_of(bits: Iterable[int]) -> int:
    """The number whose bits these are, the first the most significant."""
    return int("".join(map(str, bits)), 2)


def number(bits: Tensor) -> Tensor:
    """The number whose bits `(..., m)` these are, the first the most significant."""
    places = torch.arange(bits.shape[-1] - 1, -1, -1, device=bits.device)
    return (bits << places).sum(-1)


def _index(bits: Bits, keys: Iterable[str]) -> Tensor:
    """The number `()` that the bits of keys make."""
    return number(torch.cat([bits[key] for key in keys]))


def _at(table: Tensor, index: Tensor) -> Tensor:
    return table.index_select(0, index[None])[0]
