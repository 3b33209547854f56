"""Expressions over bits: read into postfix lists, and computed for all outcomes at once."""

from collections.abc import Callable
from typing import Any

from quilt_func.qasm.expressions import Cursor, number
from quilt_func.qasm.lexer import CASTS, DIGITS, Expression, Operand, QasmError, Step, is_word
from quilt_func.qasm.tables import (
    MAX_BITS,
    Table,
    TooManyError,
    bounded_sum,
    combined,
    known,
    negated,
    quotient,
    remainder,
    shifted_down,
    shifted_up,
    truth,
)

_RANKS = {
    "||": 1, "&&": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6, "<": 7, "<=": 7, ">": 7, ">=": 7,
    "<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "/": 10, "%": 10,
}  # fmt: skip
_SIGNS = {"!": "not", "~": "complement", "-": "neg", "+": "plus"}
_CASTS = (CASTS | {"bool", "bit"}) - {"float", "angle"}
_WORDS = {"true": 1, "false": 0}
_TRUTHS: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
    "&&": lambda a, b: (a != 0) & (b != 0), "||": lambda a, b: (a != 0) | (b != 0),
}  # fmt: skip
_BITWISE: dict[str, Callable[[Any, Any], Any]] = {
    "&": lambda a, b: a & b, "|": lambda a, b: a | b, "^": lambda a, b: a ^ b,
}  # fmt: skip
_NUMERIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": bounded_sum(lambda a, b: a + b), "-": bounded_sum(lambda a, b: a - b),
    "*": bounded_sum(lambda a, b: a * b), "/": quotient, "%": remainder,
}  # fmt: skip
_SHIFTS = {"<<": shifted_up, ">>": shifted_down}


class ConditionCursor(Cursor):
    """A cursor that reads expressions over bits, too."""

    def operand(self) -> Operand:
        raise NotImplementedError

    def condition(self) -> Expression:
        """An expression with comparisons, logic and bits."""
        steps: list[Step] = []
        self.compared(steps, 1)
        return tuple(steps)

    def compared(self, steps: list[Step], rank: int) -> None:
        """Operators of a rank or higher, from the left."""
        self.marked(steps)
        place = self.at
        while (found := _RANKS.get(self.tokens[place], 0)) >= rank:
            self.at, mark = place + 1, self.tokens[place]
            self.compared(steps, found + 1)
            steps.append(Step(mark, mark, 2, place))
            place = self.at

    def marked(self, steps: list[Step]) -> None:
        """What is between two operators: signs and an atom."""
        at, token = self.at, self.token
        if token in _SIGNS:
            self.at += 1
            self.nested(lambda: self.marked(steps))
            steps.append(Step(_SIGNS[token], token, 1, at))
        elif token == "(":
            self.at += 1
            self.nested(lambda: self.compared(steps, 1))
            self.expect(")")
        elif token[:1] in DIGITS:
            self.at += 1
            steps.append(Step("number", number(token, at), 0, at))
        elif token[:1] in ('"', "'") and token[1:-1]:
            self.at += 1
            steps.append(Step("string", self.bits(token, at), 0, at))
        elif is_word(token):
            self.atom(steps, token)
        else:
            self.fail("a condition")

    def bits(self, token: str, place: int) -> str:
        digits = token[1:-1].replace("_", "")
        if {*digits} - {"0", "1"} or not 0 < len(digits) < 64:
            raise QasmError(f"`{token[:40]}`", place, 'Write up to 63 bits, such as "01".')
        return digits

    def atom(self, steps: list[Step], token: str) -> None:
        """A word of its own, a function of a value, or a name."""
        place = self.at
        if token in _WORDS:
            self.at += 1
            steps.append(Step("string", str(_WORDS[token]), 0, place))
        elif token == "measure":
            remedy = "Measure into a bit before, and read that."
            raise QasmError("`measure` within an expression", place, remedy)
        elif token in _CASTS or self.tokens[place + 1] == "(":
            self.function(steps, token)
        else:
            steps.append(Step("operand", self.operand(), 0, place))

    def function(self, steps: list[Step], token: str) -> None:
        place = self.at
        if token not in _CASTS and token != "popcount":
            remedy = "Use popcount, int, uint, bool, bit; give a subroutine's value to a bit first."
            raise QasmError(f"the function `{token[:40]}` of bits", place, remedy)
        self.at += 1
        size = None if token == "popcount" else self.size()
        if size is not None and (len(size) > 1 or size[0].kind != "number"):
            raise QasmError("a cast to a size that is computed", place, "Write it as a number.")
        self.expect("(")
        self.nested(lambda: self.compared(steps, 1))
        self.expect(")")
        steps.append(Step(token, None if size is None else size[0].value, 1, place))


def table_of(
    steps: Expression, of_operand: Callable[[Operand], Table], spend: Callable[[int, int], None]
) -> Table:
    """The values of an expression for all outcomes.

    Raises:
        QasmError: If it has none, or depends on too many bits.
    """
    stack: list[Table] = []
    for step in steps:
        start = len(stack) - step.arity
        try:
            found = _leaf(step, of_operand) if not step.arity else _computed(step, stack[start:])
        except TooManyError:
            raise too_many(step.place) from None
        except (ArithmeticError, OverflowError):
            remedy = "Change the expression."
            raise QasmError(f"no int64 from `{step.value}`", step.place, remedy) from None
        spend(1 + len(found.values) // 16, step.place)
        stack[start:] = [found]
    return stack[0]


def too_many(place: int) -> QasmError:
    remedy = "Decide by fewer bits, one after the other."
    return QasmError(f"a value of more than {MAX_BITS} measured bits, or 63 in all", place, remedy)


def _leaf(step: Step, of_operand: Callable[[Operand], Table]) -> Table:
    if step.kind == "operand":
        return of_operand(step.value)
    if step.kind == "string":
        return known(int(step.value, 2), len(step.value))
    if not isinstance(step.value, int):
        raise QasmError(f"{step.value} among bits", step.place, "Give a whole number.")
    return known(step.value)


def _computed(step: Step, values: list[Table]) -> Table:
    kind = step.kind
    if step.arity == 1:
        return _of_one(step, values[0])
    if kind in _TRUTHS:
        return combined(_TRUTHS[kind], *values, width=1)
    if kind in _BITWISE:
        widths = {value.width for value in values}
        if None not in widths and len(widths) > 1:
            got = f"{values[0].width} bit(s) `{kind}` {values[1].width} bit(s)"
            raise QasmError(got, step.place, "Give as many bits on both sides.")
        width = values[0].width if len(widths) == 1 else None
        return combined(_BITWISE[kind], *values, width=width)
    if kind in _SHIFTS:
        width = values[0].width
        found = combined(_SHIFTS[kind], *values, width=width)
        mask = -1 if width is None else 2**width - 1
        return combined(lambda value: value & mask, found, width=width)
    return combined(_NUMERIC[kind], *values)


def _of_one(step: Step, value: Table) -> Table:
    if step.kind in ("not", "bool"):
        return negated(value) if step.kind == "not" else truth(value)
    if step.kind == "neg":
        return combined(lambda own: -own, value)
    if step.kind == "popcount":
        return combined(lambda own: sum(own >> place & 1 for place in range(63)), value)
    if step.kind == "complement":
        if value.width is None:
            raise QasmError("`~` of a number", step.place, "Write `!`, or give bits.")
        mask = 2**value.width - 1
        return combined(lambda own: mask - own, value, width=value.width)
    return value._replace(width=None) if step.kind == "plus" else _cast(step, value)


def _cast(step: Step, value: Table) -> Table:
    """To an `int`, a `uint`, or bits, of a size that may be left out."""
    size = step.value
    if step.kind == "int" and None not in (size, value.width) and size <= value.width:
        got = f"{value.width} bit(s) as an int of {size}"
        raise QasmError(got, step.place, "It would have a sign. Write `uint`.")
    width = (size or value.width or 1) if step.kind == "bit" else None
    if step.kind == "int" or (size is None and width is None):
        return value._replace(width=width)
    if not isinstance(size or width, int) or not 0 < (size or width or 0) < 63:
        raise QasmError(f"a cast to {size} bit(s)", step.place, "Give 1 to 62.")
    mask = 2 ** (size or width or 1) - 1
    return combined(lambda own: own & mask, value, width=width)
