"""What OpenQASM text is made of: tokens, expressions, statements."""

import re
from typing import Any, NamedTuple

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)|(?P<open>/\*)
    |(?P<number>0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+
      |(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)
    |(?P<word>[^\W\d]\w*)|(?P<string>"[^"\n]*"|'[^'\n]*')
    |(?P<mark>->|\*\*|\+\+|==|[\[\]{}();,:@=+*/%^<>!&|~.-])""",
    re.VERBOSE | re.DOTALL,
)
# fmt: off
FUNCTIONS = frozenset({
    "sin", "cos", "tan", "arcsin", "arccos", "arctan", "exp", "ln", "log", "sqrt", "floor",
    "ceiling", "mod", "pow",
})
# fmt: on
CASTS = frozenset({"int", "uint", "float", "angle"})


class QasmError(Exception):
    """What is wrong with a text, where, and what to do; becomes a ValueError at the door."""

    def __init__(self, got: str, place: int, remedy: str) -> None:
        super().__init__(got)
        self.got, self.place, self.remedy = got, place, remedy


class Token(NamedTuple):
    """A piece of text: its kind, the text and where it starts."""

    kind: str
    text: str
    place: int


class Step(NamedTuple):
    """A step of a postfix expression: a number, a name, or an operator of `arity` values."""

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
    """A register, or what an index picks of it."""

    name: str
    picked: Expression | Range | Several | None
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
    """Qubits or bits; without a size it is one. Bits may be measured where they are declared."""

    kind: str
    name: str
    size: Expression | None
    place: int
    measured: "Measure | None" = None


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


class Program(NamedTuple):
    """Version and statements."""

    version: int
    statements: tuple[Any, ...]


def tokens(text: str) -> list[Token]:
    """Split a text; the last token is empty and marks the end."""
    found: list[Token] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        kind = match.lastgroup if match else None
        if match is None or kind is None:
            got = f"the character {text[place]!r}"
            raise QasmError(got, place, "Remove it.")
        if kind == "open":
            raise QasmError("a comment without end", place, "Close it with `*/`.")
        if kind != "space":
            found.append(Token(kind, match.group(), place))
        place = match.end()
    return [*found, Token("end", "", len(text))]
