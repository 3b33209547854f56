"""What OpenQASM text is made of: tokens, expressions, statements."""

import math
import re
from itertools import islice
from typing import Any, NamedTuple

_TOKEN = re.compile(
    r"""(?:\A[^\S\n]*@[^\W\d][^\n]*)?
    (?:[^\S\n]+|\n[^\S\n]*(?:@[^\W\d][^\n]*)?|//[^\n]*|/\*.*?\*/|\ufeff)*
    ( (?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+
        |(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)\w*
    | [^\W\d]\w* | "[^"\n]*" | '[^'\n]*' | [$#]\w+
    | -> | \*\* | \+\+ | [=!<>]= | && | \|\| | << | >> | /\*.* | \Z | . )""",
    re.VERBOSE | re.DOTALL,
)
"""Space, comments and lines of annotations; then a token, in any text."""
MARKS = frozenset("[]{}();,:@=+*/%^<>!&|~-")
BOUND = 2**63
DIGITS = frozenset("0123456789")
CASTS = frozenset({"int", "uint", "float", "angle"})


class QasmError(Exception):
    """What is wrong with a text, where, and what to do; becomes a ValueError at the door.

    The place is a number of a token, and `after` it where something is missing.
    """

    def __init__(self, got: str, place: int, remedy: str, *, after: bool = False) -> None:
        super().__init__(got)
        self.got, self.place, self.remedy, self.after = got, place, remedy, after


class UnknownNameError(QasmError):
    """A name in an expression that stands for no number."""

    def __init__(self, name: str, place: int) -> None:
        remedy = "Declare it before, such as `const float a = 0.5;`."
        super().__init__(f"the unknown name `{name[:40]}`", place, remedy)
        self.name = name


def split(text: str, limit: int) -> list[str]:
    """The first tokens of a text; an empty one marks its end."""
    if len(text) < limit:
        return _TOKEN.findall(text)
    return [match[1] for match in islice(_TOKEN.finditer(text), limit)]


def position(text: str, error: QasmError) -> int:
    """Where in the text an error is."""
    match = next(islice(_TOKEN.finditer(text), error.place, None), None)
    if match is None:
        return len(text)
    return match.end(1) if error.after else match.start(1)


is_word = str.isidentifier
"""Whether a token is a name or a keyword."""


def bounded(value: Any, place: int) -> Any:
    """Refuse an int that is no int64, and a float that is not finite."""
    if isinstance(value, int):
        if abs(value) >= BOUND:
            raise QasmError("an int of more than 64 bits", place, "Write a float.")
    elif isinstance(value, float) and not math.isfinite(value):
        raise QasmError("an infinite number", place, "Change the expression.")
    return value


class Step(NamedTuple):
    """A step of a postfix expression: "number", "name", or an operation on `arity` values.

    The value is the number, or what the text calls it.
    """

    kind: str
    value: Any
    arity: int
    place: int


Expression = tuple[Step, ...]


class Range(NamedTuple):
    """`[start:step:stop]`, both ends included; parts that are left out are None."""

    start: Expression | None
    step: Expression | None
    stop: Expression | None


class Several(NamedTuple):
    """`{a, b, c}`."""

    items: tuple[Expression, ...]


class Operand(NamedTuple):
    """A register, or what an index picks of it; most indices are one number."""

    name: str
    picked: int | Expression | Range | Several | None
    place: int


class Modifier(NamedTuple):
    """`inv`, `ctrl`, `negctrl` or `pow` with its argument."""

    kind: str
    argument: Expression | None
    place: int


class Call(NamedTuple):
    """A gate on operands; `gphase` too."""

    name: str
    arguments: tuple[Expression, ...]
    operands: tuple[Operand, ...]
    modifiers: tuple[Modifier, ...]
    place: int


class Definition(NamedTuple):
    """A gate; `body` is None for an opaque one, and `source` is its text in one spelling."""

    name: str
    parameters: tuple[str, ...]
    wires: tuple[str, ...]
    body: tuple[Call, ...] | None
    source: str
    place: int


class Register(NamedTuple):
    """Qubits or bits; without a size it is one. Bits may be set where declared."""

    kind: str
    name: str
    size: Expression | None
    place: int
    value: "Assignment | Measure | None" = None


class Constant(NamedTuple):
    """A named number."""

    name: str
    kind: str
    value: Expression
    place: int


class Alias(NamedTuple):
    """A name for qubits that are there."""

    name: str
    operands: tuple[Operand, ...]
    place: int


class Input(NamedTuple):
    """A parameter of the circuit."""

    name: str
    place: int


class Measure(NamedTuple):
    """A measurement, and where its bits go, if anywhere."""

    operand: Operand
    target: Operand | None
    place: int


class Assignment(NamedTuple):
    """Bits that are set to an expression, or to what a subroutine returns."""

    target: Operand
    value: "Expression | Run"
    place: int


class If(NamedTuple):
    """Statements for a condition that holds, and for one that doesn't."""

    condition: Expression
    holds: tuple[Any, ...]
    fails: tuple[Any, ...]
    place: int


class Parameter(NamedTuple):
    """What a subroutine is given: "qubit", "bit", or a number's type."""

    kind: str
    name: str
    size: Expression | None
    place: int


class Subroutine(NamedTuple):
    """A `def`; what it returns is a measurement, an expression, or nothing."""

    name: str
    parameters: tuple[Parameter, ...]
    body: tuple[Any, ...]
    result: "Measure | Expression | None"
    place: int


class Run(NamedTuple):
    """A subroutine at operands and expressions."""

    name: str
    arguments: tuple[Expression, ...]
    place: int


class Reset(NamedTuple):
    """Back to 0, which is nothing where a qubit is still there."""

    operand: Operand
    place: int


class Barrier(NamedTuple):
    """No gate crosses it; without operands, on all qubits."""

    operands: tuple[Operand, ...]
    place: int


class Loop(NamedTuple):
    """A `for` over a range or a set."""

    variable: str
    values: Range | Several
    body: tuple[Any, ...]
    place: int


class Include(NamedTuple):
    """One of the two standard files."""

    name: str
    place: int
