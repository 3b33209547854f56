"""Subroutines, which are unrolled where they are called."""

from typing import Any

from quilt_func.qasm.arithmetic import Value
from quilt_func.qasm.control import Control, as_list
from quilt_func.qasm.lexer import Expression, Measure, Parameter, QasmError, Run, Subroutine
from quilt_func.qasm.tables import Table

_MOST = 4096
"""Qubits or bits of one parameter."""


class Unroller(Control):
    """The part of the reader that runs subroutines: each has names of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.subroutines: dict[str, tuple[Subroutine, dict[str, Value]]] = {}

    def new_name(self, name: str, place: int) -> None:
        raise NotImplementedError

    def number(self, kind: str, given: Expression) -> Value:
        raise NotImplementedError

    def integer(self, steps: Expression) -> int:
        raise NotImplementedError

    def run_subroutine(self, statement: Subroutine) -> None:
        self.new_name(statement.name, statement.place)
        names = [parameter.name for parameter in statement.parameters]
        if len({*names}) < len(names):
            got = f"a parameter twice in `{statement.name[:40]}`"
            raise QasmError(got, statement.place, "Give each its own name.")
        self.spend(1 + len(self.numbers) // 64, statement.place)
        self.subroutines[statement.name] = statement, dict(self.numbers)

    def run_run(self, statement: Run, returned: int | None = None) -> list[Table]:
        """Unroll a subroutine, and give the values of the bits that it returns."""
        subroutine, constants = self.subroutines[statement.name]
        outer = self.registers, self.numbers, self.inside
        registers: dict[str, dict[str, int | list[int]]] = {"qubit": {}, "bit": {}}
        numbers = dict(constants)
        self.spend(8 + len(numbers) // 64, statement.place)
        self.inside = statement.name
        for parameter, argument in zip(subroutine.parameters, statement.arguments, strict=True):
            if parameter.kind in registers:
                bound = self.bound(parameter, argument, statement.place)
                registers[parameter.kind][parameter.name] = bound
                numbers.pop(parameter.name, None)
            else:
                numbers[parameter.name] = self.number(parameter.kind, argument)
        self.registers, self.numbers = registers, numbers
        for inner in subroutine.body:
            self.run(inner)
        values = self.result(subroutine, statement.place, returned)
        self.registers, self.numbers, self.inside = outer
        return values

    def bound(self, parameter: Parameter, argument: Any, place: int) -> int | list[int]:
        """The qubits of a parameter, or new bits that hold its value."""
        size = None if parameter.size is None else self.integer(parameter.size)
        count = 1 if size is None else size
        if not 1 <= count <= _MOST:
            got = f"{count} {parameter.kind}(s) for `{parameter.name[:40]}`"
            raise QasmError(got, parameter.place, f"Declare 1 to {_MOST}.")
        if parameter.kind == "bit":
            values = self.bits(argument, count, place)
            name = f"{self.inside}.{parameter.name}"
            found = self.outcomes.declare(name, size)
            self.outcomes.values[-count:] = values
            return found
        wires = self.wires(argument)
        if len(as_list(wires)) != count or (size is None and isinstance(wires, list)):
            got = f"{len(as_list(wires))} qubit(s) for `{parameter.name[:40]}`"
            raise QasmError(got, argument.place, f"Give {'one' if size is None else size}.")
        return wires if size is None else as_list(wires)

    def result(self, subroutine: Subroutine, place: int, returned: int | None) -> list[Table]:
        found = subroutine.result
        if isinstance(found, Measure):
            return self.measurement(found, returned)
        if found is None and returned is not None:
            got = f"a value of `{subroutine.name[:40]}`, which returns none"
            raise QasmError(got, place, "Write `return` at the end of its `def`.")
        if found is None or returned is None:
            return []
        return self.bits(found, returned, place)
