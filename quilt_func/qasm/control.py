"""What classical control does: bits, branches, measurements and resets.

A branch is a condition on each of its gates. Bits are functions of what was measured, so a
condition is read as it was when the branch was entered, whatever is measured later.
"""

from collections.abc import Callable, Iterable
from typing import Any

from quilt_func.instruments import reset
from quilt_func.qasm.arithmetic import Value
from quilt_func.qasm.bit_expressions import table_of, too_many
from quilt_func.qasm.control_parser import not_assigned
from quilt_func.qasm.lexer import (
    Assignment,
    Expression,
    If,
    Measure,
    Operand,
    QasmError,
    Reset,
    Run,
)
from quilt_func.qasm.outcomes import Held, Item, Outcomes
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

_SPARE = (
    "Swap it into a spare qubit that is 0, under the condition, and measure the spare one without: "
    "`if (c) swap q, spare; d = measure spare; if (c) swap q, spare;`."
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
        self.inside = ""
        self.measured: set[int] = set()
        self.is_dynamic = False

    def run(self, statement: Any) -> None:
        raise NotImplementedError

    def end_run(self) -> None:
        raise NotImplementedError

    def wires(self, operand: Operand, kind: str = "qubit") -> int | list[int]:
        raise NotImplementedError

    def run_run(self, statement: Run, returned: int | None = None) -> list[Table]:
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
            raise QasmError(got, place, f"Give 0 to {2 ** min(count, 62) - 1}, or more bits.")
        self.spend(count * (1 + len(table.values) // 16), place)
        return _counted([bit(table, i) for i in range(count if table.width is None else width)],
                        count, place)  # fmt: skip

    # --- statements ---

    def run_if(self, statement: If) -> None:
        condition = truth(self.table(statement.condition))
        if condition.is_known:
            taken = statement.holds if condition.values[0] else statement.fails
            self.run_all(taken, statement.place)
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
            self.run_all(body, place)
            self.end_run()
            self.branch = outer

    def run_all(self, body: Iterable[Any], place: int) -> None:
        """Run statements, whose constants end with them."""
        outer = self.numbers
        self.spend(1 + len(outer) // 64, place)
        self.numbers = dict(outer)
        for statement in body:
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
        for one, new in zip(bits, values, strict=True):
            self.outcomes.values[one] = self.chosen(new, self.outcomes.values[one], place)

    def chosen(self, new: Table, old: Table, place: int) -> Table:
        """A new value where the branch's condition holds, and else the old one."""
        found = _tried(lambda: chosen(self.branch, new, old), place)
        self.spend(1 + len(found.values) // 16, place)
        return found

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
            raise QasmError("`measure` under a condition", place, _SPARE)
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
        if not needed:
            return
        self.end_run()
        self.is_dynamic = True
        if self.branch is not None:
            self.items.append(Held(reset(needed), self.branch))
            return
        self.items.append(reset(needed))
        self.acted_on.difference_update(needed)


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
