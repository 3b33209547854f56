"""What classical control does: bits, branches, measurements, and subroutines that are unrolled.

A branch is a condition on each of its gates. Bits are functions of what was measured, so a
condition is read as it was when the branch was entered, whatever is measured later.
"""

from collections.abc import Callable, Iterable
from typing import Any

from quilt_func.instruments import reset
from quilt_func.qasm.arithmetic import Value
from quilt_func.qasm.conditions import table_of, too_many
from quilt_func.qasm.control_parser import not_assigned
from quilt_func.qasm.lexer import (
    Assignment,
    Expression,
    If,
    Measure,
    Operand,
    Parameter,
    QasmError,
    Reset,
    Run,
    Subroutine,
)
from quilt_func.qasm.outcomes import Item, Outcomes
from quilt_func.qasm.tables import (
    Table,
    TooManyError,
    bit,
    both,
    chosen,
    joined,
    known,
    negated,
    outcome,
    truth,
)

MAX_BITS_GIVEN = 4096
_SPARE = (
    "Swap it into a spare qubit that is 0, under the condition, and {} the spare one without: "
    "`if (c) swap q, spare; {}`."
)


class Control:
    """The part of the reader that runs statements of classical control."""

    spend: Callable[[int, int], None]
    numbers: dict[str, Value]
    registers: dict[str, dict[str, int | list[int]]]
    acted_on: set[int]

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.outcomes = Outcomes()
        self.branch: Table | None = None
        self.subroutines: dict[str, tuple[Subroutine, dict[str, Value]]] = {}
        self.inside = ""
        self.measured: set[int] = set()
        self.is_dynamic = False

    def run(self, statement: Any) -> None:
        raise NotImplementedError

    def end_run(self) -> None:
        raise NotImplementedError

    def wires(self, operand: Operand, kind: str = "qubit") -> int | list[int]:
        raise NotImplementedError

    def new_name(self, name: str, place: int) -> None:
        raise NotImplementedError

    def number(self, kind: str, value: Expression) -> Value:
        raise NotImplementedError

    def integer(self, steps: Expression) -> int:
        raise NotImplementedError

    # --- values ---

    def table(self, steps: Expression) -> Table:
        return table_of(steps, self.table_of_name, self.spend)

    def table_of_name(self, operand: Operand) -> Table:
        if operand.name in self.numbers and operand.picked is None:
            value = self.numbers[operand.name]
            if not isinstance(value, int):
                got = f"`{operand.name[:40]}`, which is no whole number,"
                raise QasmError(f"{got} among bits", operand.place, "Give a constant `int`.")
            return known(value)
        bits = self.wires(operand, "bit")
        if isinstance(bits, int):
            return self.outcomes.values[bits]
        return joined([self.outcomes.values[one] for one in bits])

    def bits(self, steps: Expression, count: int, place: int) -> list[Table]:
        """The values of so many bits that an expression gives, the least significant first."""
        is_name = len(steps) == 1 and steps[0].kind == "operand"
        if is_name and steps[0].value.name not in self.numbers:
            found = [self.outcomes.values[b] for b in as_list(self.wires(steps[0].value, "bit"))]
            return _counted(found, count, place)
        table = self.table(steps)
        width = 1 if table.width is None else table.width
        if table.width is None and not all(0 <= int(v) < 2**count for v in table.values):
            got = f"a number beyond {count} bit(s)"
            raise QasmError(got, place, f"Give 0 to {2**min(count, 62) - 1}, or more bits.")
        self.spend(count * (1 + len(table.values) // 16), place)
        return _counted([bit(table, i) for i in range(count if table.width is None else width)],
                        count, place)  # fmt: skip

    # --- statements ---

    def run_if(self, statement: If) -> None:
        condition = truth(self.table(statement.condition))
        if condition.is_known:
            self.run_all(statement.holds if condition.values[0] else statement.fails)
            return
        self.within(condition, statement.holds, statement.place)
        self.within(negated(condition), statement.fails, statement.place)

    def within(self, condition: Table, body: Iterable[Any], place: int) -> None:
        """Run statements under one more condition."""
        outer = self.branch
        joint = _tried(lambda: both(outer, condition), place)
        self.spend(1 + len(joint.values) // 16, place)
        if not joint.is_known:
            self.end_run()
            self.branch = joint
            self.run_all(body)
            self.end_run()
            self.branch = outer

    def run_all(self, body: Iterable[Any]) -> None:
        """Run statements, whose constants end with them."""
        outer = self.numbers
        self.numbers = dict(outer)
        for statement in body:
            self.spend(1 + len(outer) // 64, statement.place)
            self.run(statement)
        self.numbers = outer

    def run_assignment(self, statement: Assignment) -> None:
        target, place = statement.target, statement.place
        if target.name in self.numbers:
            raise not_assigned(target)
        bits = as_list(self.wires(target, "bit"))
        if isinstance(statement.value, Run):
            values = self.run_run(statement.value, len(bits))
        else:
            values = self.bits(statement.value, len(bits), place)
        held = self.outcomes.values
        for one, new in zip(bits, values, strict=True):
            old, branch = held[one], self.branch
            held[one] = _tried(lambda new=new, old=old: chosen(branch, new, old), place)
            self.spend(1 + len(held[one].values) // 16, place)

    def run_measure(self, statement: Measure) -> None:
        self.measurement(statement, None)

    def measurement(self, statement: Measure, returned: int | None) -> list[Table]:
        """Measure into bits, or for so many that a subroutine returns; give their values."""
        wires, place = as_list(self.wires(statement.operand)), statement.place
        self.spend(len(wires), place)
        bits: list[int] | list[None] = [None] * len(wires)
        if statement.target is not None:
            bits = as_list(self.wires(statement.target, "bit"))
        count = len(bits) if returned is None else returned
        if count != len(wires):
            got = f"{len(wires)} qubit(s) measured to {count} bit(s)"
            raise QasmError(got, place, "Give as many bits as qubits.")
        if self.branch is not None:
            remedy = _SPARE.format("measure", "d = measure spare; if (c) swap q, spare;")
            raise QasmError("`measure` under a condition", place, remedy)
        self.end_run()
        pairs = zip(wires, bits, strict=True)
        made = [self.outcomes.measure(wire, one, self.inside) for wire, one in pairs]
        self.items += made
        self.measured.update(wires)
        return [outcome(one.number) for one in made]

    def run_reset(self, statement: Reset) -> None:
        wires = as_list(self.wires(statement.operand))
        self.spend(len(wires), statement.place)
        needed = [wire for wire in dict.fromkeys(wires) if wire in self.acted_on]
        if needed and self.branch is not None:
            remedy = _SPARE.format("reset", "reset spare;")
            raise QasmError("`reset` under a condition", statement.place, remedy)
        if needed:
            self.end_run()
            self.items.append(reset(needed))
            self.acted_on.difference_update(needed)
            self.is_dynamic = True

    # --- subroutines ---

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
        if not 1 <= count <= MAX_BITS_GIVEN:
            got = f"{count} {parameter.kind}(s) for `{parameter.name[:40]}`"
            raise QasmError(got, parameter.place, f"Declare 1 to {MAX_BITS_GIVEN}.")
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


def as_list(wires: int | list[int]) -> list[int]:
    return wires if isinstance(wires, list) else [wires]


def _counted(found: list[Table], count: int, place: int) -> list[Table]:
    if len(found) != count:
        got = f"{len(found)} bit(s) for {count}"
        raise QasmError(got, place, "Give as many bits on both sides.")
    return found


def _tried(fn: Callable[[], Table], place: int) -> Table:
    """A value, unless it depends on too much."""
    try:
        return fn()
    except TooManyError:
        raise too_many(place) from None
