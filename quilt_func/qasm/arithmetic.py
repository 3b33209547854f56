"""OpenQASM's arithmetic: ints, floats, and tensors that stand for `input` parameters."""

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from quilt_func.qasm.lexer import BOUND, Expression, QasmError, Step, UnknownNameError, bounded

Value = int | float | Tensor

CONSTANTS: dict[str, Value] = {
    "pi": math.pi, "π": math.pi, "tau": math.tau, "τ": math.tau, "euler": math.e, "ℇ": math.e,
}  # fmt: skip


def _of_one(name: str) -> Callable[[Any], Value]:
    """A function that `math` and torch call by one name."""
    of_number, of_tensor = getattr(math, name), getattr(torch, name)
    return lambda value: of_tensor(value) if isinstance(value, Tensor) else of_number(value)


def _quotient(a: Any, b: Any) -> Value:
    """Version 3's `/`: between ints, towards zero."""
    if isinstance(a, int) and isinstance(b, int):
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return a / b  # type: ignore[no-any-return]


def _remainder(a: Any, b: Any) -> Value:
    """`a - b * trunc(a / b)`, as in C."""
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return a - b * (a / b).trunc()  # type: ignore[no-any-return]
    is_whole = isinstance(a, int) and isinstance(b, int)
    return a - b * _quotient(a, b) if is_whole else math.fmod(a, b)


def _power(a: Any, b: Any) -> Value:
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return a**b  # type: ignore[no-any-return]
    size = math.pow(a, b)
    is_whole = isinstance(a, int) and isinstance(b, int) and b >= 0 and abs(size) < BOUND
    return a**b if is_whole else size


def _float(value: Any) -> Value:
    return value if isinstance(value, Tensor) else float(value)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: _of_one(name) for name in ("sin", "cos", "tan", "exp", "log", "sqrt", "floor")},
    "arcsin": _of_one("asin"), "arccos": _of_one("acos"), "arctan": _of_one("atan"),
    "ln": _of_one("log"), "ceiling": _of_one("ceil"), "mod": _remainder, "pow": _power,
}  # fmt: skip
_OPERATIONS = FUNCTIONS | {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "//": _quotient, "%": _remainder, "neg": operator.neg,
    "float": _float, "angle": _float, "int": int, "uint": int,
}  # fmt: skip
_OF_TWO = frozenset({"+", "-", "*", "/", "//", "%", "mod", "pow"})


def evaluate(steps: Expression, names: Mapping[str, Value]) -> Value:
    """Compute an expression.

    Raises:
        QasmError: If a name is unknown, or the result is no finite number.
    """
    stack: list[Value] = []
    for step in steps:
        if step.kind == "number":
            stack.append(step.value)
        elif step.kind == "name":
            stack.append(_named(step, names))
        else:
            start = len(stack) - step.arity
            stack[start:] = [_computed(step, stack[start:])]
    return stack[0]


def _named(step: Step, names: Mapping[str, Value]) -> Value:
    value = names.get(step.value)
    if value is None:
        value = CONSTANTS.get(step.value)
    if value is None:
        raise UnknownNameError(step.value, step.place)
    return value


def _computed(step: Step, arguments: list[Value]) -> Value:
    expected = 2 if step.kind in _OF_TWO else 1
    if len(arguments) != expected:
        got = f"{len(arguments)} argument(s) of `{step.value}`"
        raise QasmError(got, step.place, f"Give {expected}.")
    if step.kind in ("int", "uint") and isinstance(arguments[0], Tensor):
        remedy = "Loops, indices and controls must be known beforehand."
        raise QasmError("an `input` made an int", step.place, remedy)
    try:
        value = _OPERATIONS[step.kind](*arguments)
    except (ArithmeticError, ValueError):
        got = f"no number from `{step.value}`"
        raise QasmError(got, step.place, "Change the expression.") from None
    return bounded(value, step.place)  # type: ignore[no-any-return]
