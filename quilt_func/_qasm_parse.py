"""OpenQASM text, versions 2 and 3, to statements: a tokenizer and a recursive descent.

Written by hand: the reference parser overflows Python's stack on 300 nested parentheses or a sum of
3,000 terms, and lacks version 2's `opaque`; here nesting is counted, expressions become postfix
lists, and time is linear.

References:
    Cross et al., "Open Quantum Assembly Language", arXiv:1707.03429 (2017).
    Cross et al., "OpenQASM 3: A broader and deeper quantum assembly language", ACM Trans. Quantum
    Computing 3, 12 (2022).
"""

from collections.abc import Callable
from typing import Any, TypeVar

from quilt_func._qasm_tokens import (
    CASTS,
    FUNCTIONS,
    Alias,
    Barrier,
    Call,
    Constant,
    Definition,
    Expression,
    Include,
    Input,
    Loop,
    Measure,
    Modifier,
    Operand,
    Program,
    QasmError,
    Range,
    Register,
    Several,
    Step,
    Token,
    tokens,
)

T = TypeVar("T")

MAX_NESTING = 64
_MAX_DIGITS = 40
_DIGIT_KINDS = {"x": 16, "b": 2, "o": 8}
_KEPT_OUT = {
    "if": "Classical control is not simulated. Write the branch that is taken.",
    "reset": "A reset is not unitary. Start from |0...0> and leave resets out.",
    "while": "Loops must be known beforehand. Write `for` with constant bounds.",
    "def": "Subroutines are not read. Write a `gate`.",
    "OPENQASM": "The version must come first, and once.",
    "output": "Outputs are not read. Declare a `bit` register.",
    **dict.fromkeys(
        ("extern", "cal", "defcal", "defcalgrammar", "box", "delay", "duration", "stretch",
         "switch", "return", "array", "complex", "bool", "pragma", "else", "break", "continue",
         "end"),
        "It is not read. Leave it out.",
    ),
}  # fmt: skip


def parse(text: str) -> Program:
    """Read statements.

    Raises:
        QasmError: If the text is no OpenQASM, or holds what is not read.
    """
    return _Parser(tokens(text)).program()


def _number(token: Token) -> int | float:
    text = token.text.replace("_", "")
    if len(text) > _MAX_DIGITS:
        remedy = f"Write at most {_MAX_DIGITS} characters."
        raise QasmError(f"a number of {len(text)} characters", token.place, remedy)
    base = _DIGIT_KINDS.get(text[1:2].lower(), 10) if text[:1] == "0" else 10
    try:
        if base != 10:
            return int(text[2:], base)
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        raise QasmError(f"the number {text}", token.place, "Write it like 1.5e-3.") from None


class _Parser:
    """One pass over the tokens."""

    def __init__(self, found: list[Token]) -> None:
        self.tokens, self.at, self.depth = found, 0, 0
        self.version = 3

    # --- tools ---

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def sees(self, *texts: str) -> bool:
        return self.token.kind != "string" and self.token.text in texts

    def accept(self, *texts: str) -> Token | None:
        if not self.sees(*texts):
            return None
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, text: str) -> Token:
        return self.accept(text) or self.fail(f"`{text}`")

    def word(self, what: str = "a name") -> Token:
        if self.token.kind != "word":
            self.fail(what)
        self.at += 1
        return self.tokens[self.at - 1]

    def fail(self, wanted: str) -> Any:
        got = f"`{self.token.text[:40]}`" if self.token.text else "the end of the text"
        raise QasmError(got, self.token.place, f"Write {wanted} here.")

    def nested(self, read: Callable[[], T]) -> T:
        """Go one level deeper, down to a limit."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            got = f"nesting deeper than {MAX_NESTING}"
            raise QasmError(got, self.token.place, "Write it in several statements.")
        result = read()
        self.depth -= 1
        return result

    def listed(self, read: Callable[[], T], end: str) -> tuple[T, ...]:
        """Read items between commas up to a closing mark, which is taken."""
        items: list[T] = []
        while not self.accept(end):
            if items:
                self.expect(",")
                if self.accept(end):
                    break
            items.append(read())
        return tuple(items)

    # --- statements ---

    def program(self) -> Program:
        if self.accept("OPENQASM"):
            token = self.token
            if token.text not in ("2", "2.0", "3", "3.0", "3.1"):
                got = f"version `{token.text[:40]}`"
                raise QasmError(got, token.place, "Write `OPENQASM 2.0;` or `OPENQASM 3.0;`.")
            self.version = int(token.text[0])
            self.at += 1
            self.expect(";")
        statements = []
        while self.token.kind != "end":
            statements.append(self.statement())
        return Program(self.version, tuple(statements))

    def statement(self) -> Any:
        token = self.token
        if token.text in _KEPT_OUT and token.kind == "word":
            raise QasmError(f"`{token.text}`", token.place, _KEPT_OUT[token.text])
        readers: dict[str, Callable[[], Any]] = {
            "include": self.include,
            "qreg": self.old_register, "creg": self.old_register,
            "qubit": self.new_register, "bit": self.new_register,
            "const": self.constant, "int": self.constant, "uint": self.constant,
            "float": self.constant, "angle": self.constant,
            "input": self.input, "let": self.alias, "gate": self.gate, "opaque": self.gate,
            "for": self.loop, "measure": self.measure, "barrier": self.barrier,
        }  # fmt: skip
        if token.kind == "word" and token.text in readers:
            return readers[token.text]()
        if token.kind != "word":
            self.fail("a statement")
        return self.call_or_assignment()

    def include(self) -> Include:
        place = self.expect("include").place
        token = self.token
        if token.kind != "string" or token.text[1:-1] not in ("qelib1.inc", "stdgates.inc"):
            remedy = 'Only "qelib1.inc" and "stdgates.inc" are known; no file is opened.'
            raise QasmError(f"include of {token.text[:40]}", token.place, remedy)
        self.at += 1
        self.expect(";")
        return Include(token.text[1:-1], place)

    def old_register(self) -> Register:
        kind = self.word()
        name = self.word()
        size = self.size()
        self.expect(";")
        return Register("qubit" if kind.text == "qreg" else "bit", name.text, size, name.place)

    def new_register(self) -> Register:
        kind, size = self.word(), self.size()
        name = self.word()
        if kind.text == "bit" and self.accept("="):
            measured = self.measure(Operand(name.text, None, name.place))
            return Register(kind.text, name.text, size, name.place, measured)
        self.expect(";")
        return Register(kind.text, name.text, size, name.place)

    def size(self) -> Expression | None:
        if not self.accept("["):
            return None
        found = self.expression()
        self.expect("]")
        return found

    def constant(self) -> Constant:
        self.accept("const")
        kind = self.word("a type").text
        if kind not in CASTS:
            self.at -= 1
            self.fail("`int`, `uint`, `float` or `angle`")
        self.size()
        name = self.word()
        self.expect("=")
        value = self.expression()
        self.expect(";")
        return Constant(name.text, kind, value, name.place)

    def input(self) -> Input:
        self.expect("input")
        if not self.accept("float", "angle"):
            self.fail("`float` or `angle`")
        self.size()
        name = self.word()
        self.expect(";")
        return Input(name.text, name.place)

    def alias(self) -> Alias:
        self.expect("let")
        name = self.word()
        self.expect("=")
        operands = [self.operand()]
        while self.accept("++"):
            operands.append(self.operand())
        self.expect(";")
        return Alias(name.text, tuple(operands), name.place)

    def gate(self) -> Definition:
        start = self.at
        opaque = self.word().text == "opaque"
        name = self.word()
        parameters = self.listed(self.word, ")") if self.accept("(") else ()
        end = ";" if opaque else "{"
        wires = self.listed(self.word, end)
        body = []
        while not opaque and not self.accept("}"):
            if self.sees("barrier"):
                self.barrier()
            else:
                body.append(self.call())
        source = " ".join(token.text for token in self.tokens[start : self.at])
        names = tuple(token.text for token in parameters), tuple(token.text for token in wires)
        return Definition(name.text, *names, None if opaque else tuple(body), source, name.place)

    def loop(self) -> Loop:
        place = self.expect("for").place
        if self.sees(*CASTS):
            self.at += 1
            self.size()
        variable = self.word()
        self.expect("in")
        values = self.several()
        if values is None:
            self.expect("[")
            values = self.range_or_expression()
            if not isinstance(values, Range):
                self.fail("a range, `[first:last]`,")
            self.expect("]")
        return Loop(variable.text, values, self.nested(self.block), place)

    def block(self) -> tuple[Any, ...]:
        if not self.accept("{"):
            return (self.repeated(),)
        statements = []
        while not self.accept("}"):
            statements.append(self.repeated())
        return tuple(statements)

    def repeated(self) -> Any:
        token, statement = self.token, self.statement()
        if not isinstance(statement, Call | Loop | Measure | Barrier | Constant):
            raise QasmError(f"`{token.text}` in a loop", token.place, "Declare it before the loop.")
        return statement

    def measure(self, target: Operand | None = None) -> Measure:
        place = self.expect("measure").place
        operand = self.operand()
        if target is None and self.accept("->"):
            target = self.operand()
        self.expect(";")
        return Measure(operand, target, place)

    def barrier(self) -> Barrier:
        place = self.expect("barrier").place
        return Barrier(self.listed(self.operand, ";"), place)

    def call_or_assignment(self) -> Any:
        start = self.at
        if self.token.text not in ("ctrl", "negctrl", "inv", "pow"):
            target = self.operand()
            if self.accept("="):
                if not self.sees("measure"):
                    self.fail("`measure`; other values are set where they are declared, so")
                return self.measure(target)
        self.at = start
        return self.call()

    def call(self) -> Call:
        modifiers = []
        while self.sees("ctrl", "negctrl", "inv", "pow"):
            modifiers.append(self.modifier())
        name = self.word("a gate")
        if name.text in _KEPT_OUT:
            raise QasmError(f"`{name.text}`", name.place, _KEPT_OUT[name.text])
        arguments = self.listed(self.expression, ")") if self.accept("(") else ()
        operands = self.listed(self.operand, ";")
        return Call(name.text, arguments, operands, tuple(modifiers), name.place)

    def modifier(self) -> Modifier:
        token = self.word()
        argument = None
        if token.text != "inv" and self.accept("("):
            argument = self.expression()
            self.expect(")")
        elif token.text == "pow":
            self.fail("the exponent, `pow(2) @`,")
        self.expect("@")
        return Modifier(token.text, argument, token.place)

    def operand(self) -> Operand:
        name = self.word("a register")
        index: Any = None
        if self.accept("["):
            index = self.several() or self.range_or_expression()
            self.expect("]")
        return Operand(name.text, index, name.place)

    # --- expressions ---

    def several(self) -> Any:
        return Several(self.listed(self.expression, "}")) if self.accept("{") else None

    def range_or_expression(self) -> Range | Expression:
        parts: list[Expression | None] = []
        while True:
            parts.append(None if self.sees(":", "]") else self.expression())
            if len(parts) == 3 or not self.accept(":"):
                break
        if len(parts) == 1:
            return parts[0] or self.fail("an index")
        return Range(parts[0], parts[1] if len(parts) == 3 else None, parts[-1])

    def expression(self) -> Expression:
        token, after = self.token, self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        if token.kind in ("number", "word") and after.text in (",", ")", "]", ":", ";"):
            self.at += 1  # most of them are one number or name
            is_name = token.kind == "word"
            value = token.text if is_name else _number(token)
            return (Step("name" if is_name else "number", value, 0, token.place),)
        steps: list[Step] = []
        self.nested(lambda: self.total(steps))
        return tuple(steps)

    def total(self, steps: list[Step]) -> None:
        self.chain(
            steps, ("+", "-"), lambda: self.chain(steps, ("*", "/", "%"), self.signed(steps))
        )

    def chain(self, steps: list[Step], marks: tuple[str, ...], read: Callable[[], None]) -> None:
        """Operators of one rank, from the left."""
        read()
        while token := self.accept(*marks):
            read()
            steps.append(Step("operator", token.text, 2, token.place))

    def signed(self, steps: list[Step]) -> Callable[[], None]:
        def read() -> None:
            token = self.accept("-", "+")
            if token is None:
                self.power(steps)
                return
            self.nested(read)
            if token.text == "-":
                steps.append(Step("operator", "neg", 1, token.place))

        return read

    def power(self, steps: list[Step]) -> None:
        self.atom(steps)
        if token := self.accept("**", "^"):
            if token.text == "^" and self.version == 3:
                remedy = "In version 3 it means bits. Write `**` for a power."
                raise QasmError("`^`", token.place, remedy)
            self.nested(self.signed(steps))
            steps.append(Step("operator", "pow", 2, token.place))

    def atom(self, steps: list[Step]) -> None:
        token = self.token
        if token.kind == "number":
            self.at += 1
            steps.append(Step("number", _number(token), 0, token.place))
            if self.token.kind == "word" and self.token.place == token.place + len(token.text):
                self.fail("an operator")
        elif self.accept("("):
            self.nested(lambda: self.total(steps))
            self.expect(")")
        else:
            self.named(steps, self.word("an expression"))

    def named(self, steps: list[Step], token: Token) -> None:
        """A function or a cast with its arguments, or a name."""
        is_cast = token.text in CASTS and self.sees("(", "[")
        if is_cast:
            self.size()
        if not is_cast and not (token.text in FUNCTIONS and self.sees("(")):
            steps.append(Step("name", token.text, 0, token.place))
            return
        self.expect("(")
        arity = 0
        while not self.accept(")"):
            if arity:
                self.expect(",")
            self.nested(lambda: self.total(steps))
            arity += 1
        steps.append(Step("function", token.text, arity, token.place))
