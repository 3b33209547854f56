"""Statements of classical control, read: `if`, what bits are set to, and subroutines."""

from typing import Any

from quilt_func.qasm.bit_expressions import ConditionCursor
from quilt_func.qasm.expressions import number
from quilt_func.qasm.lexer import (
    CASTS,
    DIGITS,
    Alias,
    Assignment,
    Barrier,
    Call,
    Constant,
    Expression,
    If,
    Loop,
    Measure,
    Operand,
    Parameter,
    QasmError,
    Register,
    Reset,
    Run,
    Step,
    Subroutine,
)

INNER = Call | Loop | Measure | Barrier | Constant | Reset | If | Assignment | Run
"""What loops and branches may hold."""
_KINDS = ("qubit", "bit", "bool", *sorted(CASTS))


class ControlParser(ConditionCursor):
    """The part of the parser that reads statements of classical control."""

    subroutines: dict[str, tuple[Parameter, ...]]

    def statement(self) -> Any:
        raise NotImplementedError

    def block(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def measure(self, target: Operand | None = None) -> Measure:
        raise NotImplementedError

    def branching(self) -> If:
        place = self.at
        self.at += 1
        self.expect("(")
        condition = self.condition() if self.version == 3 else self.comparison()
        self.expect(")")
        if self.version == 2:
            return If(condition, (self.conditioned(),), (), place)
        holds = self.nested(self.block)
        fails = self.nested(self.block) if self.accept("else") else ()
        return If(condition, holds, fails, place)

    def comparison(self) -> Expression:
        """Version 2's only condition: a register, `==` and a whole number."""
        at, name = self.at, self.word("a register")
        if self.token != "==":
            self.fail("`==` and a whole number")
        mark, place, token = self.at, self.at + 1, self.tokens[self.at + 1]
        self.at = place
        if token[:1] not in DIGITS or not isinstance(number(token, place), int):
            self.fail("a whole number")
        self.at += 1
        steps = Step("operand", Operand(name, None, at), 0, at), Step("==", "==", 2, mark)
        return steps[0], Step("number", number(token, place), 0, place), steps[1]

    def conditioned(self) -> Any:
        place, statement = self.at, self.statement()
        if not isinstance(statement, Call | Measure | Reset):
            got = f"`{self.tokens[place]}` under an `if`"
            raise QasmError(got, place, "In version 2 a gate follows; version 3 has blocks.")
        return statement

    def assignment(self) -> Assignment | Measure:
        place, target = self.at, self.operand()
        if self.version == 2 and self.tokens[self.at + 1] != "measure":
            remedy = "Write `OPENQASM 3.0;` in the first line."
            raise QasmError(f"an assignment to `{target.name[:40]}`", place, remedy)
        if self.accept("="):
            return self.set_to(target)
        mark = self.token
        if self.tokens[self.at + 1] != "=":
            self.fail("a gate, or `= measure` and qubits,")
        if mark not in ("&", "|", "^"):
            raise not_assigned(target)
        self.at += 2
        own = Step("operand", target, 0, place)
        return self.ended(target, (own, *self.condition(), Step(mark, mark, 2, place)))

    def set_to(self, target: Operand) -> Assignment | Measure:
        """What follows a `=`."""
        if self.token == "measure":
            return self.measure(target)
        if self.token in self.subroutines:
            return Assignment(target, self.running(), target.place)
        return self.ended(target, self.condition())

    def ended(self, target: Operand, value: Expression) -> Assignment:
        self.expect(";")
        return Assignment(target, value, target.place)

    def subroutine(self) -> Subroutine:
        place = self.at
        self.at += 1
        name = self.word()
        self.expect("(")
        parameters = self.listed(self.parameter, ")")
        if self.accept("->"):
            self.kind()
        self.expect("{")
        body: list[Any] = []
        while self.token not in ("}", "return"):
            body.append(self.nested(self.inner))
        result = self.returned() if self.accept("return") else None
        self.expect("}")
        self.subroutines[name] = parameters
        return Subroutine(name, parameters, tuple(body), result, place)

    def kind(self) -> tuple[str, Expression | None]:
        kind = self.word("a type")
        if kind not in _KINDS:
            self.at -= 1
            self.fail(", ".join(f"`{one}`" for one in _KINDS[:-1]) + f" or `{_KINDS[-1]}`")
        return ("bit" if kind == "bool" else kind), self.size()

    def parameter(self) -> Parameter:
        kind, size = self.kind()
        place = self.at
        return Parameter(kind, self.word(), size, place)

    def inner(self) -> Any:
        """A statement of a subroutine, which may declare bits of its own."""
        place, statement = self.at, self.statement()
        is_bit = isinstance(statement, Register) and statement.kind == "bit"
        if not is_bit and not isinstance(statement, INNER | Alias):
            got = f"`{self.tokens[place]}` in a subroutine"
            raise QasmError(got, place, "Declare it before, or give it as an argument.")
        return statement

    def returned(self) -> Measure | Expression | None:
        if self.accept(";"):
            return None
        if self.token == "measure":
            return self.measure()
        found = self.condition()
        self.expect(";")
        return found

    def running(self) -> Run:
        """A call of a subroutine: each argument is read as the kind that it is declared."""
        place, name = self.at, self.word()
        parameters = self.subroutines[name]
        self.expect("(")
        arguments: list[Any] = []
        while not self.accept(")"):
            if arguments:
                self.expect(",")
            if len(arguments) == len(parameters):
                got = f"more than {len(parameters)} argument(s) of `{name[:40]}`"
                raise QasmError(got, self.at, "Leave them out.")
            kind = parameters[len(arguments)].kind
            readers = {"qubit": self.operand, "bit": self.condition}
            arguments.append(readers.get(kind, self.expression)())
        if len(arguments) < len(parameters):
            got = f"{len(arguments)} argument(s) of `{name[:40]}`"
            raise QasmError(got, place, f"Give {len(parameters)}.")
        self.expect(";")
        return Run(name, tuple(arguments), place)


def not_assigned(target: Operand) -> QasmError:
    remedy = "Numbers are set once, where they are declared; only bits change."
    return QasmError(f"an assignment to `{target.name[:40]}`", target.place, remedy)
