"""Classical values of a program that measures: integers for each value of measured bits.

A bit that was measured is a table of two entries, a function of several is one of `2**m`; so what a
program computes of its outcomes is known when it is read, whatever they will be.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_BITS = 16
"""Measured bits that one value may depend on: its table has 65,536 entries."""
_BOUND = float(2**63)


class Table(NamedTuple):
    """An integer for each value of measured bits.

    Attributes:
        measured: Numbers of the measurements, ascending.
        values: int64 `(2**m,)`, the first measurement the most significant.
        width: Bits of a register; None for a number.
    """

    measured: tuple[int, ...]
    values: NDArray[np.int64]
    width: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether it is the same whatever is measured."""
        return not self.measured


class TooManyError(Exception):
    """A value of more measured bits than a table is kept for."""


def known(value: int, width: int | None = None) -> Table:
    return Table((), np.array([value], np.int64), width)


def outcome(measurement: int) -> Table:
    """The bit that a measurement gives."""
    return Table((measurement,), np.array([0, 1], np.int64), 1)


def combined(fn: Callable[..., Any], *tables: Table, width: int | None = None) -> Table:
    """A function of values, entry by entry; it depends on no more bits than it must."""
    measured = tuple(sorted({one for table in tables for one in table.measured}))
    if len(measured) > MAX_BITS:
        raise TooManyError
    shape = (2,) * len(measured)
    values = np.asarray(fn(*(_spread(table, measured) for table in tables)))
    return _reduced(measured, np.broadcast_to(values, shape).astype(np.int64), width)


def _spread(table: Table, measured: tuple[int, ...]) -> NDArray[np.int64]:
    """A table with an axis for each measurement; of size 1 where it does not depend on it."""
    return table.values.reshape([2 if one in table.measured else 1 for one in measured])


def _reduced(measured: tuple[int, ...], values: NDArray[np.int64], width: int | None) -> Table:
    kept: list[int] = []
    for one in measured:
        low, high = (np.asarray(half) for half in np.moveaxis(values, len(kept), 0))
        if np.array_equal(low, high):
            values = low
        else:
            kept.append(one)
    return Table(tuple(kept), values.reshape(-1), width)


def bit(table: Table, place: int) -> Table:
    """One bit of a value, 0 the least significant."""
    return combined(lambda value: value >> min(place, 63) & 1, table, width=1)


def joined(bits: list[Table]) -> Table:
    """The register of some bits, the first the least significant."""
    if len(bits) > 63:
        raise TooManyError
    return combined(
        lambda *values: sum(value << place for place, value in enumerate(values)),
        *bits,
        width=len(bits),
    )


def chosen(condition: Table | None, holds: Table, fails: Table) -> Table:
    """One value where a condition holds, and another where it doesn't."""
    if condition is None:
        return holds
    return combined(np.where, truth(condition), holds, fails, width=holds.width)


def truth(table: Table) -> Table:
    """1 where a value is not 0."""
    return combined(lambda value: value != 0, table, width=1)


def negated(table: Table) -> Table:
    """1 where a value is 0."""
    return combined(lambda value: value == 0, table, width=1)


def both(some: Table | None, other: Table) -> Table:
    """1 where two values are not 0, the first of which may be left out."""
    if some is None:
        return truth(other)
    return combined(lambda a, b: (a != 0) & (b != 0), some, other, width=1)


def bounded_sum(fn: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """An operation between int64, refused where it would wrap around."""

    def checked(a: Any, b: Any) -> Any:
        if np.any(np.abs(fn(a.astype(np.float64), b.astype(np.float64))) >= _BOUND):
            raise OverflowError
        return fn(a, b)

    return checked


def quotient(a: Any, b: Any) -> Any:
    """Whole division towards zero."""
    if np.any(b == 0):
        raise ZeroDivisionError
    return np.abs(a) // np.abs(b) * np.sign(a) * np.sign(b)


def remainder(a: Any, b: Any) -> Any:
    """`a - b * quotient(a, b)`, as in C."""
    return a - b * quotient(a, b)


def shifted_up(a: Any, b: Any) -> Any:
    if np.any((b < 0) | (b > 62)) or np.any(np.abs(a.astype(np.float64)) * 2.0**b >= _BOUND):
        raise OverflowError
    return a << b


def shifted_down(a: Any, b: Any) -> Any:
    if np.any(b < 0):
        raise OverflowError
    return a >> np.minimum(b, 63)
