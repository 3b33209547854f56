"""Angles as formulas of inputs: what other libraries' symbols become, computed by torch."""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from quilt_func._affine_angles import Affine
from quilt_func._checks import is_number

Angle: TypeAlias = "float | Affine | Formula"
"""A number, or what stands for one until the inputs are known."""

_NAMES = {"asin": "asin", "acos": "acos", "atan": "atan", "Abs": "abs", "sign": "sign"}
_FUNCTIONS = {name: name for name in ("sin", "cos", "tan", "exp", "log", "sinh", "cosh", "tanh")}
_FUNCTIONS |= _NAMES
"""sympy's functions, and torch's."""


@dataclass(frozen=True)
class Formula:
    """An operation on angles; add to it, and multiply it by numbers.

    Attributes:
        name: "add", "mul", "pow", or a function of torch.
        parts: What it is applied to.
    """

    name: str
    parts: tuple[Any, ...]

    def __add__(self, other: Any) -> "Formula":
        return Formula("add", (self, other))

    __radd__ = __add__

    def __neg__(self) -> "Formula":
        return self * -1.0

    def __mul__(self, factor: float) -> "Formula":
        return Formula("mul", (factor, self))

    __rmul__ = __mul__


_OF_NUMBERS: dict[str, Callable[..., float]] = {
    "add": operator.add, "mul": operator.mul, "pow": operator.pow, "abs": abs,
    "sign": lambda value: float((value > 0) - (value < 0)),
}  # fmt: skip
_OF_TENSORS: dict[str, Callable[..., Any]] = {
    "add": operator.add, "mul": operator.mul, "pow": operator.pow,
}  # fmt: skip


def value_of(angle: Any, entries: Any) -> Any:
    """An angle at entries of the inputs: floats, or one tensor `(n,)`, of which it is `(1,)`."""
    if isinstance(angle, Affine):
        total: Any = angle.constant
        for place, factor in angle.terms:
            own = entries[place : place + 1] if isinstance(entries, Tensor) else entries[place]
            total = total + factor * own
        return total
    if not isinstance(angle, Formula):
        return angle
    parts = [value_of(part, entries) for part in angle.parts]
    if any(isinstance(part, Tensor) for part in parts):
        known = _OF_TENSORS.get(angle.name)
        return (known or getattr(torch, angle.name))(*parts)
    return (_OF_NUMBERS.get(angle.name) or getattr(math, angle.name))(*parts)


def scaled(angle: Any, factor: float) -> Any:
    """A multiple of an angle, a tensor's too: of a 0-d one torch would make a float64 tangent."""
    if isinstance(angle, Tensor) and not angle.ndim:
        return (angle[None] * factor)[0]
    return angle * factor


def added(left: Angle, right: Angle) -> Angle:
    """The sum of two angles."""
    if isinstance(left, Affine) and isinstance(right, Formula):
        return right + left
    return left + right


def multiplied(left: Angle, right: Angle) -> Angle:
    """The product of two angles."""
    if is_number(left) or is_number(right):
        return left * right  # type: ignore[operator]  # one is a number
    return Formula("mul", (left, right))


def raised(base: Angle, exponent: Angle) -> Angle:
    """A power of an angle; of numbers a number."""
    if is_number(base) and is_number(exponent):
        return float(base**exponent)  # type: ignore[operator]
    return base if exponent == 1 else Formula("pow", (base, exponent))


class UnknownFormulaError(Exception):
    """A part of an expression that has no counterpart."""


def of_sympy(expression: Any, places: Mapping[str, int]) -> Angle:
    """A sympy expression whose symbols are inputs, by their names.

    Raises:
        UnknownFormulaError: If it holds a function that is not known, or is not real.
    """
    if expression.is_Symbol:
        return Affine(((places[expression.name], 1.0),))
    if expression.is_number:
        value = complex(expression)
        if value.imag:
            raise UnknownFormulaError(f"the complex number {expression}")
        return value.real
    parts = [of_sympy(part, places) for part in expression.args]
    if expression.is_Add or expression.is_Mul:
        join = added if expression.is_Add else multiplied
        found = parts[0]
        for part in parts[1:]:
            found = join(found, part)
        return found
    if expression.is_Pow:
        return raised(*parts)
    name = type(expression).__name__
    if name not in _FUNCTIONS or len(parts) != 1:
        raise UnknownFormulaError(f"the function {name}")
    return Formula(_FUNCTIONS[name], tuple(parts))
