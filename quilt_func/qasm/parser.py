"""OpenQASM text, versions 2 and 3, to statements, one after another: a recursive descent.

Written by hand: the reference parser overflows Python's stack on 300 nested parentheses or a sum of
3,000 terms, and lacks version 2's `opaque`; here nesting is counted, expressions become postfix
lists, time is linear, and what a text may not expand to is not parsed either.
"""

from collections.abc import Callable, Iterator
from typing import Any

from quilt_func.qasm.control_parser import INNER, ControlParser
from quilt_func.qasm.lexer import (
    CASTS,
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
    QasmError,
    Range,
    Register,
    Reset,
    Several,
    is_word,
)

_LEAVE_OUT = "It is not read. Leave it out."
_KEPT_OUT_OF_2 = {
    "OPENQASM": "The version must come first, and once.",
}
_KEPT_OUT = _KEPT_OUT_OF_2 | {
    "while": "Loops must be known beforehand. Write `for` with constant bounds, and `if` in it.",
    "switch": "Write `if` and `else`.",
    "return": "Write it once, at the end of a `def`.",
    "else": "Write it after the branch of an `if`.",
    "output": "Outputs are not read. Declare a `bit` register.",
    **dict.fromkeys(
        ("extern", "cal", "defcal", "defcalgrammar", "box", "delay", "duration", "stretch",
         "array", "complex", "pragma", "break", "continue", "end"),
        _LEAVE_OUT,
    ),
}  # fmt: skip
_MODIFIERS = ("ctrl", "negctrl", "inv", "pow")
_ASSIGNED = frozenset("[=+-*/%^&|~<>") | {"**", "++", "<<", ">>"}
"""What may follow the name of what is assigned to; a gate's is followed by a name or `(`."""


class Parser(ControlParser):
    """One pass over the tokens."""

    def __init__(self, text: str, max_gates: int) -> None:
        super().__init__(text, max_gates)
        self.version = self.header()
        self.defined: set[str] = set()
        self.subroutines = {}
        self.kept_out = _KEPT_OUT if self.version == 3 else _KEPT_OUT_OF_2
        self.readers = _READERS | _READERS_OF_3 if self.version == 3 else _READERS

    def header(self) -> int:
        """The version: what the first line says, or what the text's own words tell."""
        if not self.accept("OPENQASM"):
            of_2 = ("qreg", "creg", '"qelib1.inc"', "'qelib1.inc'")
            return 2 if any(word in self.tokens for word in of_2) else 3
        token = self.token
        if token not in ("2", "2.0", "3", "3.0", "3.1"):
            self.check_readable()
            remedy = "Write `OPENQASM 2.0;` or `OPENQASM 3.0;`."
            raise QasmError(f"version `{token[:40]}`", self.at, remedy)
        self.at += 1
        self.expect(";")
        return int(token[0])

    def statements(self) -> Iterator[Any]:
        """Each statement when it is asked for.

        Raises:
            QasmError: If the text is no OpenQASM, or holds what is not read.
        """
        while self.token or self.is_cut:
            yield self.statement()

    def statement(self) -> Any:
        token = self.tokens[self.at]
        reader = self.readers.get(token)
        if reader is not None:
            return reader(self)
        if token in self.kept_out:
            raise QasmError(f"`{token}`", self.at, self.kept_out[token])
        if token == "@" and is_word(self.tokens[self.at + 1]):
            remedy = "Write it on a line of its own."
            raise QasmError("an annotation within a line", self.at, remedy)
        if not is_word(token):
            self.fail("a statement")
        if self.tokens[self.at + 1] in _ASSIGNED:
            self.check_version(token)
            return self.assignment()
        if token in self.subroutines:
            return self.running()
        return self.call()

    def include(self) -> Include:
        place = self.at
        self.at += 1
        name = self.token[1:-1]
        if self.token[:1] not in ('"', "'") or name not in ("qelib1.inc", "stdgates.inc"):
            self.check_readable()
            remedy = 'Only "qelib1.inc" and "stdgates.inc" are known; no file is opened.'
            raise QasmError(f"include of {self.token[:40]}", self.at, remedy)
        self.at += 1
        self.expect(";")
        return Include(name, place)

    def old_register(self) -> Register:
        kind = "qubit" if self.word() == "qreg" else "bit"
        place, name = self.at, self.word()
        size = self.size()
        self.expect(";")
        return Register(kind, name, size, place)

    def new_register(self) -> Register:
        kind, size = self.word(), self.size()
        place, name = self.at, self.word()
        kind = "qubit" if kind == "qubit" else "bit"
        if kind == "bit" and self.accept("="):
            return Register(kind, name, size, place, self.set_to(Operand(name, None, place)))
        self.expect(";")
        return Register(kind, name, size, place)

    def constant(self) -> Constant:
        self.accept("const")
        kind = self.word("a type")
        if kind not in CASTS:
            self.at -= 1
            self.fail("`int`, `uint`, `float` or `angle`")
        self.size()
        place, name = self.at, self.word()
        if self.token == ";":
            remedy = "Give it where it is declared; it can't change later."
            raise QasmError(f"`{name[:40]}` without a value", place, remedy)
        self.expect("=")
        value = self.expression()
        self.expect(";")
        return Constant(name, kind, value, place)

    def input(self) -> Input:
        self.at += 1
        if not self.accept("float", "angle"):
            self.fail("`float` or `angle`")
        self.size()
        place, name = self.at, self.word()
        self.expect(";")
        return Input(name, place)

    def alias(self) -> Alias:
        self.at += 1
        place, name = self.at, self.word()
        self.expect("=")
        operands = [self.operand()]
        while self.accept("++"):
            operands.append(self.operand())
        self.expect(";")
        return Alias(name, tuple(operands), place)

    def gate(self) -> Definition:
        start = self.at
        is_opaque = self.word() == "opaque"
        place, name = self.at, self.word()
        parameters = self.listed(self.word, ")") if self.accept("(") else ()
        wires = self.listed(self.word, ";" if is_opaque else "{")
        self.defined.add(name)
        body = None if is_opaque else tuple(self.calls())
        source = " ".join(self.tokens[start : self.at])
        return Definition(name, parameters, wires, body, source, place)

    def calls(self) -> Iterator[Call]:
        """The body of a gate."""
        while not self.accept("}"):
            if self.token == "barrier":
                self.barrier()
            elif self.token in self.readers:
                remedy = "A gate holds calls of other gates, nothing else."
                raise QasmError(f"`{self.token}` in a gate", self.at, remedy)
            else:
                yield self.call()

    def loop(self) -> Loop:
        place = self.at
        self.at += 1
        if self.accept(*CASTS):
            self.size()
        variable = self.word()
        self.expect("in")
        values = self.several() or self.range()
        return Loop(variable, values, self.nested(self.block), place)

    def range(self) -> Range:
        self.expect("[")
        values = self.range_or_expression()
        if not isinstance(values, Range):
            self.fail("a range, `[first:last]`,")
        self.expect("]")
        return values

    def block(self) -> tuple[Any, ...]:
        if not self.accept("{"):
            return (self.repeated(),)
        statements = []
        while not self.accept("}"):
            statements.append(self.repeated())
        return tuple(statements)

    def repeated(self) -> Any:
        place, statement = self.at, self.statement()
        if not isinstance(statement, INNER):
            got = f"`{self.tokens[place]}` in a loop or branch"
            raise QasmError(got, place, "Declare it before.")
        return statement

    def measure(self, target: Operand | None = None) -> Measure:
        place = self.at
        self.at += 1
        operand = self.operand()
        if target is None and self.accept("->"):
            target = self.operand()
        self.expect(";")
        return Measure(operand, target, place)

    def barrier(self) -> Barrier:
        place = self.at
        self.at += 1
        return Barrier(self.listed(self.operand, ";"), place)

    def reset(self) -> Reset:
        place = self.at
        self.at += 1
        operand = self.operand()
        self.expect(";")
        return Reset(operand, place)

    def call(self) -> Call:
        modifiers: tuple[Modifier, ...] = ()
        if self.version == 3:
            while self.tokens[self.at] in _MODIFIERS:
                modifiers += (self.modifier(),)
        else:
            self.check_version(self.tokens[self.at])
        place, name = self.at, self.word("a gate")
        if name in self.kept_out:
            raise QasmError(f"`{name}`", place, self.kept_out[name])
        arguments: tuple[Expression, ...] = ()
        if self.tokens[self.at] == "(":
            self.at += 1
            arguments = self.listed(self.expression, ")")
        return Call(name, arguments, self.listed(self.operand, ";"), modifiers, place)

    def check_version(self, token: str) -> None:
        """Refuse the words of version 3 in a text of version 2, which may use them for gates."""
        if self.version == 2 and token in _WORDS_OF_3 and token not in self.defined:
            got = f"`{token}`, which is a word of version 3"
            raise QasmError(got, self.at, "Write `OPENQASM 3.0;` in the first line.")

    def modifier(self) -> Modifier:
        place, token = self.at, self.word()
        argument = None
        if token != "inv" and self.accept("("):
            argument = self.expression()
            self.expect(")")
        elif token == "pow":
            self.fail("the exponent, `pow(2) @`,")
        self.expect("@")
        return Modifier(token, argument, place)

    def operand(self) -> Operand:
        at, tokens = self.at, self.tokens
        name = tokens[at]
        if not is_word(name):
            self.fail("a register")
        if tokens[at + 1] != "[":
            self.at += 1
            return Operand(name, None, at)
        index = tokens[at + 2]
        if tokens[at + 3] == "]" and index.isascii() and index.isdecimal() and len(index) < 9:
            self.at += 4
            return Operand(name, int(index), at)
        self.at += 2
        picked = self.several() or self.range_or_expression()
        self.expect("]")
        return Operand(name, picked, at)

    def several(self) -> Several | None:
        return Several(self.listed(self.expression, "}")) if self.accept("{") else None

    def range_or_expression(self) -> Range | Expression:
        parts: list[Expression | None] = []
        while True:
            parts.append(None if self.token in (":", "]") else self.expression())
            if len(parts) == 3 or not self.accept(":"):
                break
        if len(parts) == 1:
            return parts[0] or self.fail("an index")
        return Range(parts[0], parts[1] if len(parts) == 3 else None, parts[-1])


_READERS: dict[str, Callable[[Parser], Any]] = {
    "include": Parser.include, "qreg": Parser.old_register, "creg": Parser.old_register,
    "gate": Parser.gate, "opaque": Parser.gate, "measure": Parser.measure,
    "barrier": Parser.barrier, "reset": Parser.reset, "if": Parser.branching,
}  # fmt: skip
_READERS_OF_3: dict[str, Callable[[Parser], Any]] = {
    "qubit": Parser.new_register, "bit": Parser.new_register, "bool": Parser.new_register,
    **dict.fromkeys(("const", "int", "uint", "float", "angle"), Parser.constant),
    "input": Parser.input, "let": Parser.alias, "for": Parser.loop,
    "def": Parser.subroutine,
}  # fmt: skip
_WORDS_OF_3 = {*_KEPT_OUT, *_MODIFIERS, *_READERS_OF_3, "gphase"} - {*_KEPT_OUT_OF_2}
