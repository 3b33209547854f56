r"""Gates that depend on outcomes: applied or not, or with an angle for each outcome.

Outcomes are values, not Python control flow. A condition is a table of yes and no over the `2**m`
values of `m` bits, and a gate that is not applied is the identity. So all branches have the same
gates, map over one axis, and replay.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import COMPLEX_OF, check_is, check_tensor, is_index, message
from quilt_func.gates import linear_gate, unitary_gate
from quilt_func.instruments.conditions import (
    Bits,
    Condition,
    checked_keys,
    described,
    is_power,
    keys_and_condition,
    number,
    of_table,
    truth,
)
from quilt_func.instruments.conditions import OfTable as OfTable
from quilt_func.instruments.conditions import parity as parity
from quilt_func.instruments.instrument_rows import (
    Instrument,
    Measurement,
    Postselection,
    without_matrix,
)
from quilt_func.ops import Gate, Made, Op, parse_wires


@dataclass(frozen=True, eq=False, repr=False)
class Conditional(Instrument):
    """The row of `conditional`: what acts, and when.

    Attributes:
        base: A gate, a channel, a reset, or what depends on outcomes itself: both must hold.
        keys: The keys that its own condition is on.
        condition: What their bits must be.
    """

    base: Gate | None = None
    keys: tuple[str, ...] = ()
    condition: Condition = 1

    @property
    def n_outcomes(self) -> int:
        """Those of a reset; what does not act has the first of them."""
        return self.base.n_outcomes if isinstance(self.base, Instrument) else 1


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
    """A gate, a channel or a reset that acts if bits that were measured have a value.

    A channel under a condition is noise, which `run_branches` refuses.

    Args:
        key: Key of a measurement before, or several, whose bits are then read one after the other.
        op: What acts, on one or many sets of wires: a gate's op, a channel's, a reset, a lookup, or
            another conditional op. Then all conditions must hold.
        value: The bits as a tuple, or as an int, the first bit the most significant. Or a function
            from bits (int64, (..., m)) to truth values `(...)`, such as `instruments.parity`.
        table: In place of `value`, a truth value for each of the `2**m` outcomes, in order.

    Returns:
        The op, for `circuit`. Whether the key is known, and has as many bits, is checked when the
        circuit is run, since a circuit may be the second half of another.

    Raises:
        TypeError: If `key` is not a string or several, `op` is no op, or a measurement or a
            postselection, or `value` is of another kind.
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
    _check_act(op.gate)
    if (value is None) == (table is None):
        need, got = "be given, or else `table`", "neither" if value is None else "both"
        remedy = "Give the value that the bits must have, or a truth value for each."
        raise ValueError(message("conditional", "value", value, need, got, remedy))
    keys, condition = keys_and_condition(
        "conditional", key, of_table(table) if value is None else value
    )
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
    keys = checked_keys("lookup", key)
    check_is("lookup", "gate", gate, Gate, "be a gate", "Give the gate itself, such as `rx`.")
    _check_gate(gate)
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
    if table.ndim < ndim or shape[0] < 2 or not is_power(shape[0]):
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


def _check_gate(gate: Gate) -> None:
    """Check that a gate may have an angle for each outcome."""
    if gate.refusal:
        need, got = "be a gate's", repr(gate).strip("<>")
        remedy = (
            "Write `conditional(key, op, value)` for each outcome; it takes channels and resets."
        )
        raise TypeError(message("lookup", "gate", gate, need, got, remedy))


def _check_act(gate: Gate) -> None:
    """Check that what is left out by a condition leaves no outcome behind."""
    if isinstance(gate, Measurement | Postselection):
        need, got = "be a gate's, a channel's or a reset", repr(gate).strip("<>")
        remedy = (
            "Copy the wire to one in |0> by `conditional(key, cx(wire, other), value)`, and take "
            "that one whether it was copied or not."
        )
        raise TypeError(message("conditional", "op", gate, need, got, remedy))


@lru_cache(maxsize=4096)
def conditional_gate(base: Gate, keys: tuple[str, ...], condition: Condition) -> Conditional:
    """The row of `conditional` of a gate, a channel, a reset, or of a row that reads outcomes."""
    when = f"{','.join(keys)}{described(condition)}"
    mark = "&" if isinstance(base, Conditional) else "?"
    return Conditional(
        name=f"conditional[{base.name}, {when}]",
        n_wires=base.n_wires,
        n_params=base.n_params,
        matrix=without_matrix,
        symbol=_marked(base.symbol, f"{mark}{when}"),
        doc=f"`{base.name}` if bits have a value.",
        param_shape=base.param_shape,
        param_names=base.param_names,
        origin=Made(conditional_gate, (base, keys, condition)),
        reads=tuple(dict.fromkeys((*base.reads, *keys))),
        base=base,
        keys=keys,
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


def _marked(symbol: tuple[str, ...], mark: str) -> tuple[str, ...]:
    """Labels with a mark on the last that is no control."""
    places = [i for i, label in enumerate(symbol) if label != "●"] or [len(symbol) - 1]
    return tuple(f"{s}{mark}" if i == places[-1] else s for i, s in enumerate(symbol))


def innermost(gate: Gate) -> Gate:
    """What acts if all conditions hold; a row without any is its own."""
    while isinstance(gate, Conditional):
        assert gate.base is not None
        gate = gate.base
    return gate


def holds_of(gate: Gate, bits: Bits) -> Tensor:
    """Whether all conditions of a row hold `(...)`, by bits `(..., n_wires)` of each key."""
    each: list[Tensor] = []
    while isinstance(gate, Conditional):
        own = torch.cat([bits[key] for key in gate.keys], -1)
        yes, index = truth(gate.condition, own.shape[-1], own.device), number(own)
        each.append(yes.index_select(0, index.reshape(-1)).reshape(index.shape))
        assert gate.base is not None
        gate = gate.base
    return reduce(torch.logical_and, each)


def resolved(op: Op, bits: Bits, dtype: torch.dtype, device: torch.device) -> Op:
    """What an op does at one outcome: gates stay as they are."""
    row = innermost(op.gate)
    inner = _looked_up(op, row, bits) if isinstance(row, Lookup) else Op(row, op.wires, op.params)
    if row is op.gate:
        return inner if isinstance(row, Lookup) else op
    if inner.gate.refusal:
        raise TypeError(inner.gate.refusal)
    return _where(holds_of(op.gate, bits), inner, dtype, device)


def _where(holds: Tensor, op: Op, dtype: torch.dtype, device: torch.device) -> Op:
    """A gate, or the identity."""
    gate = op.gate
    params = [_tensor(param, len(op), dtype, device) for param in op.params]
    if gate.generator is not None and gate.n_params == 1:  # the identity at angle 0
        return Op(gate, op.wires, (torch.where(holds, params[0], 0.0),))
    matrices = gate.matrices(*params) if params else gate.constant(dtype, device)
    matrices = matrices.expand(len(op), -1, -1)
    identity = torch.eye(2**gate.n_wires, dtype=dtype, device=device)
    is_unitary = "unitary" in gate.tags
    row = unitary_gate(gate.n_wires) if is_unitary else linear_gate(gate.n_wires)
    return Op(row, op.wires, (torch.where(holds, matrices, identity),))


def _looked_up(op: Op, row: Lookup, bits: Bits) -> Op:
    assert row.base is not None
    index = number(torch.cat([bits[key] for key in row.reads]))
    params = tuple(param.index_select(1, index[None])[:, 0] for param in op.params)
    return Op(row.base, op.wires, params)


def _tensor(param: Any, m: int, dtype: torch.dtype, device: torch.device) -> Any:
    is_number = type(param) is float
    return torch.full((m,), param, dtype=dtype.to_real(), device=device) if is_number else param
