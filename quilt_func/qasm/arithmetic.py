"""OpenQASM's arithmetic: ints, floats, and tensors that stand for `input` parameters."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from quilt_func.qasm.lexer import CASTS, Expression, QasmError, Step, bounded

Value = int | float | Tensor

CONSTANTS: dict[str, Value] = {
    "pi": math.pi, "π": math.pi, "tau": math.tau, "τ": math.tau, "euler": math.e, "ℇ": math.e,
}  # fmt: skip
_OF_ONE: dict[str, tuple[Callable[[float], float], Callable[[Tensor], Tensor]]] = {
    "sin": (math.sin, torch.sin),
    "cos": (math.cos, torch.cos),
    "tan": (math.tan, torch.tan),
    "arcsin": (math.asin, torch.asin),
    "arccos": (math.acos, torch.acos),
    "arctan": (math.atan, torch.atan),
    "exp": (math.exp, torch.exp),
    "ln": (math.log, torch.log),
    "log": (math.log, torch.log),
    "sqrt": (math.sqrt, torch.sqrt),
    "floor": (math.floor, torch.floor),
    "ceiling": (math.ceil, torch.ceil),
}
_OF_TWO = {"pow": "pow", "mod": "%"}
_BOUND = 2**63


def evaluate(steps: Expression, names: Mapping[str, Value], version: int) -> Value:
    """Compute an expression.

    Raises:
        QasmError: If a name is unknown, or the result is no finite number.
    """
    stack: list[Value] = []
    for step in steps:
        kind, value, arity, place = step
        if kind == "number":
            stack.append(value)
        elif kind == "name":
            stack.append(_named(step, names))
        else:
            arguments = stack[len(stack) - arity :]
            del stack[len(stack) - arity :]
            try:
                value = (_operated if kind == "operator" else _applied)(step, arguments, version)
            except (ArithmeticError, ValueError):
                remedy = "Change the expression."
                raise QasmError(f"no number from `{value}`", place, remedy) from None
            stack.append(bounded(value, place))
    return stack[0]


def _named(step: Step, names: Mapping[str, Value]) -> Value:
    value = names.get(step.value)
    if value is None:
        value = CONSTANTS.get(step.value)
    if value is None:
        got = f"the unknown name `{step.value[:40]}`"
        raise QasmError(got, step.place, "Declare it before, such as `const float a = 0.5;`.")
    return value


def _operated(step: Step, arguments: list[Any], version: int) -> Value:
    if step.value == "neg":
        return -arguments[0]  # type: ignore[no-any-return]
    a, b = arguments
    return _of_two(step.value, a, b, version)


def _of_two(mark: str, a: Any, b: Any, version: int) -> Value:
    if mark == "*":
        return a * b  # type: ignore[no-any-return]
    if mark == "/":
        is_whole = version == 3 and isinstance(a, int) and isinstance(b, int)
        return _whole(a, b) if is_whole else a / b
    if mark == "pow":
        return _power(a, b)
    if mark == "%":
        return _remainder(a, b)
    return a + b if mark == "+" else a - b  # type: ignore[no-any-return]


def _whole(a: int, b: int) -> int:
    """Division of ints in version 3, towards zero."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _remainder(a: Any, b: Any) -> Value:
    """`a - b * trunc(a / b)`, as in C."""
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return a - b * (a / b).trunc()  # type: ignore[no-any-return]
    return a - b * _whole(a, b) if isinstance(a, int) and isinstance(b, int) else math.fmod(a, b)


def _power(a: Any, b: Any) -> Value:
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return a**b  # type: ignore[no-any-return]
    size = math.pow(a, b)
    is_whole = isinstance(a, int) and isinstance(b, int) and b >= 0 and abs(size) < _BOUND
    return a**b if is_whole else size


def _applied(step: Step, arguments: list[Any], version: int) -> Value:
    expected = 2 if step.value in _OF_TWO else 1
    if len(arguments) != expected:
        got = f"{len(arguments)} argument(s) of `{step.value}`"
        raise QasmError(got, step.place, f"Give {expected}.")
    if step.value in _OF_TWO:
        a, b = arguments
        return _of_two(_OF_TWO[step.value], a, b, version)
    (argument,) = arguments
    if step.value in CASTS:
        return _cast(step, argument)
    of_number, of_tensor = _OF_ONE[step.value]
    return of_tensor(argument) if isinstance(argument, Tensor) else of_number(argument)


def _cast(step: Step, argument: Any) -> Value:
    if step.value in ("float", "angle"):
        return argument if isinstance(argument, Tensor) else float(argument)
    if isinstance(argument, Tensor):
        remedy = "Loops, indices and controls must be known beforehand."
        raise QasmError("an `input` made an int", step.place, remedy)
    return int(argument)
