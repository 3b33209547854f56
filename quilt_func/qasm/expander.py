"""Statements of OpenQASM to a circuit: names, registers, broadcasting, loops, all of it bounded."""

from collections.abc import Container, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from quilt_func.circuits import Circuit
from quilt_func.ops import Op, make_op
from quilt_func.qasm.arithmetic import CONSTANTS, Value
from quilt_func.qasm.calls import Budget, Calls
from quilt_func.qasm.control import as_list
from quilt_func.qasm.definitions import built_in
from quilt_func.qasm.lexer import (
    Alias,
    Barrier,
    Call,
    Constant,
    Definition,
    Expression,
    Include,
    Input,
    Loop,
    Operand,
    QasmError,
    Range,
    Register,
    Several,
    UnknownNameError,
)
from quilt_func.qasm.outcomes import Held, ops_of
from quilt_func.qasm.powers import PHASE, Placed
from quilt_func.qasm.unrolling import Unroller
from quilt_func.typing import WireSet

MAX_QUBITS = 4096
_MOST_NESTED = 80
"""Statements within statements, those of subroutines too; fewer than Python's stack holds."""
_SAMPLE = 0.37
"""Where a text with inputs is tried before the first call."""
_DECLARATIONS = {(2, "qubit"): "qreg {}[2];", (2, "bit"): "creg {}[2];",
                 (3, "qubit"): "qubit[2] {};", (3, "bit"): "bit[2] {};"}  # fmt: skip


class Reader(Unroller):
    """One pass over a program's statements.

    Args:
        version: The text's.
        inputs: Values of its `input` parameters; without them, the same number for all.
        max_gates: Bound on the number of gates.
    """

    def __init__(self, version: int, inputs: Mapping[str, Any] | None, max_gates: int) -> None:
        super().__init__()
        self.version, self.inputs = version, inputs
        self.budget = Budget(max_gates)
        self.spend = self.budget.spend
        self.calls = Calls(self.budget)
        self.gates = built_in(version)
        self.numbers: dict[str, Value] = {}
        self.registers: dict[str, dict[str, int | list[int]]] = {"qubit": {}, "bit": {}}
        self.n_qubits, self.n_nested = 0, 0
        self.acted_on: set[int] = set()
        self.run_of: list[Placed] = []

    def circuit(self, statements: Iterable[Any], *, keeps: bool = False) -> Circuit:
        """Run the statements; measurements at the end are kept on demand.

        Raises:
            QasmError: If they are wrong, or too many.
        """
        for statement in statements:
            self.run(statement)
        self.end_run()
        items, is_kept = self.items, keeps or self.is_dynamic
        kept = items if is_kept else [item for item in items if isinstance(item, Op)]
        return Circuit(self.n_qubits, tuple(ops_of(kept, self.keys())))

    def keys(self) -> list[str]:
        """The key of each measurement; what a bit of the text holds at the end has its name."""
        registers = self.registers["bit"].values()
        return self.outcomes.keys(bit for bits in registers for bit in as_list(bits))

    # --- numbers ---

    def value(self, steps: Expression) -> Value:
        return self.calls.value(steps, self.numbers)

    def integer(self, steps: Expression) -> int:
        value = self.value(steps)
        if not isinstance(value, int):
            got = "an `input`" if isinstance(value, Tensor) else f"{value}"
            raise QasmError(f"{got}, not an int", steps[0].place, "Give a constant whole number.")
        return value

    def range(self, given: Range | Several, first: int, last: int, place: int) -> list[int]:
        if isinstance(given, Several):
            return [self.integer(item) for item in given.items]
        start = first if given.start is None else self.integer(given.start)
        stop = last if given.stop is None else self.integer(given.stop)
        step = 1 if given.step is None else self.integer(given.step)
        if not step:
            raise QasmError("a range with step 0", place, "Give another step.")
        self.spend(max(0, (stop - start) // step + 1), place)
        return list(range(start, stop + (1 if step > 0 else -1), step))

    # --- statements ---

    def run(self, statement: Any) -> None:
        try:
            if type(statement) is Call:
                self.run_call(statement)
            else:
                self.run_other(statement)
        except UnknownNameError as error:
            if error.name not in self.registers["bit"]:
                raise
            remedy = "Numbers must be known beforehand. Write an `if` for each value of the bits."
            got = f"the bit(s) `{error.name[:40]}` for a number"
            raise QasmError(got, error.place, remedy) from None

    def run_other(self, statement: Any) -> None:
        self.spend(1, statement.place)
        self.n_nested += 1
        if self.n_nested > _MOST_NESTED:
            got = f"statements nested deeper than {_MOST_NESTED}"
            raise QasmError(got, statement.place, "Write it in fewer levels.")
        getattr(self, f"run_{type(statement).__name__.lower()}")(statement)
        self.n_nested -= 1

    def run_include(self, statement: Include) -> None:
        self.gates.include(statement)

    def run_register(self, statement: Register) -> None:
        size = 1 if statement.size is None else self.integer(statement.size)
        first = self.n_qubits if statement.kind == "qubit" else len(self.outcomes.values)
        if not 1 <= size <= MAX_QUBITS - (0 if self.inside else first):
            got = f"a register of {size} after {first}"
            raise QasmError(got, statement.place, f"Declare 1 to {MAX_QUBITS} in all.")
        self.new_name(statement.name, statement.place)
        if statement.kind == "qubit":
            wires = first if statement.size is None else [*range(first, first + size)]
            self.n_qubits += size
        else:
            inside = f"{self.inside}." if self.inside else ""
            self.spend(size, statement.place)
            name = f"{inside}{statement.name}"
            wires = self.outcomes.declare(name, None if statement.size is None else size)
        self.registers[statement.kind][statement.name] = wires
        if statement.value is not None:
            self.run(statement.value)

    def new_name(self, name: str, place: int) -> None:
        taken: list[Container[str]] = [*self.registers.values(), self.numbers, self.gates.own]
        taken.append(self.subroutines)
        is_constant = name == "pi" or (self.version == 3 and name in CONSTANTS)
        if is_constant or any(name in names for names in taken):
            raise QasmError(f"a second `{name[:40]}`", place, "Give it another name.")

    def run_constant(self, statement: Constant) -> None:
        self.new_name(statement.name, statement.place)
        self.numbers[statement.name] = self.number(statement.kind, statement.value)

    def number(self, kind: str, given: Expression) -> Value:
        """A value of a type."""
        if kind in ("int", "uint"):
            return self.integer(given)
        value = self.value(given)
        return float(value) if isinstance(value, int) else value

    def run_input(self, statement: Input) -> None:
        self.new_name(statement.name, statement.place)
        sample = torch.tensor(_SAMPLE, dtype=torch.float64)
        self.numbers[statement.name] = (
            sample if self.inputs is None else self.inputs[statement.name]
        )

    def run_alias(self, statement: Alias) -> None:
        self.new_name(statement.name, statement.place)
        wires = [w for operand in statement.operands for w in as_list(self.wires(operand))]
        self.spend(len(wires), statement.place)
        self.registers["qubit"][statement.name] = wires

    def run_definition(self, statement: Definition) -> None:
        self.new_name(statement.name, statement.place)
        self.gates.add(statement, self.numbers)

    def run_loop(self, statement: Loop) -> None:
        if not isinstance(statement.values, Several) and (
            statement.values.start is None or statement.values.stop is None
        ):
            raise QasmError("a loop without bounds", statement.place, "Write `[first:last]`.")
        values = self.range(statement.values, 0, 0, statement.place)
        outer = self.numbers
        self.spend(len(outer), statement.place)
        scope = {**outer, statement.variable: 0}
        for value in values:
            self.spend(1 + len(scope) // 64, statement.place)
            self.numbers = {**scope, statement.variable: value}
            for inner in statement.body:
                self.run(inner)
        self.numbers = outer

    def run_barrier(self, statement: Barrier) -> None:
        for operand in statement.operands:
            self.wires(operand)

    def run_call(self, statement: Call) -> None:
        known = self.gates.look_up(statement)
        for wires in self.broadcast(statement):
            if not self.measured.isdisjoint(wires):
                self.is_dynamic = True
            for placed in self.calls.apply(known, statement, self.numbers, wires):
                if placed.gate is not PHASE:
                    self.place(placed, statement.place)
            self.acted_on.update(wires)

    def place(self, placed: Placed, place: int) -> None:
        """Equal gates in a row become one op."""
        self.budget.add_gate(place)
        if self.branch is not None:
            self.spend(len(self.branch.values) // 4, place)
        if self.run_of and not _is_same(placed, self.run_of[0]):
            self.end_run()
        self.run_of.append(placed)

    def end_run(self) -> None:
        if self.run_of:
            gate, angles, _ = self.run_of[0]
            wires = tuple([placed.wires for placed in self.run_of])
            are_floats = all(type(angle) is float for angle in angles)  # nothing to check
            op = Op(gate, wires, angles) if are_floats else make_op(gate, angles, wires)
            self.items.append(op if self.branch is None else Held(op, self.branch))
            self.is_dynamic |= self.branch is not None
            self.run_of = []

    def broadcast(self, call: Call) -> list[WireSet]:
        """One set of wires, or as many as the registers are long."""
        found = [self.wires(operand) for operand in call.operands]
        sizes = {len(wires) for wires in found if isinstance(wires, list)}
        if len(sizes) > 1:
            got = f"registers of {' and '.join(map(str, sorted(sizes)))} qubits"
            raise QasmError(got, call.place, "Give registers of one size, or single qubits.")
        return [
            tuple([wires[i] if isinstance(wires, list) else wires for wires in found])
            for i in (range(*sizes) if sizes else (0,))
        ]

    def wires(self, operand: Operand, kind: str = "qubit") -> int | list[int]:
        whole = self.registers[kind].get(operand.name)
        if whole is None:
            raise self.no_register(operand, kind)
        if operand.picked is None:
            return whole
        if not isinstance(whole, list):
            got = f"an index of the single `{operand.name[:40]}`"
            raise QasmError(got, operand.place, "Leave it out.")
        if isinstance(operand.picked, int):
            return self.pick(whole, operand.picked, operand)
        if isinstance(operand.picked, Range | Several):
            picked = self.range(operand.picked, 0, len(whole) - 1, operand.place)
            return [self.pick(whole, i, operand) for i in picked]
        return self.pick(whole, self.integer(operand.picked), operand)

    def no_register(self, operand: Operand, kind: str) -> QasmError:
        name, other = operand.name[:40], "bit" if kind == "qubit" else "qubit"
        if operand.name in self.registers[other]:
            return QasmError(f"`{name}`, which holds {other}s", operand.place, f"Give {kind}s.")
        got = f"the unknown {kind} register `{name}`"
        declaration = _DECLARATIONS[self.version, kind].format(name)
        return QasmError(got, operand.place, f"Declare it before: `{declaration}`.")

    def pick(self, whole: list[int], index: int, operand: Operand) -> int:
        if not -len(whole) <= index < len(whole):
            got = f"index {index} of `{operand.name[:40]}`"
            raise QasmError(got, operand.place, f"Give an index from 0 to {len(whole) - 1}.")
        return whole[index]


def _is_same(some: Placed, other: Placed) -> bool:
    """Whether two have the same gate and the same numbers, or the same tensors, as angles."""
    return some.gate is other.gate and all(
        a is b or (type(a) is type(b) is float and a == b)
        for a, b in zip(some.angles, other.angles, strict=True)
    )
