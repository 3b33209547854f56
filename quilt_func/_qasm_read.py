"""Statements of OpenQASM to gates: names, broadcasting, modifiers, loops, all of it bounded.

Phases are kept exactly inside of gates, where a control makes them matter, and dropped outside.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

from torch import Tensor

from quilt_func._qasm_parse import MAX_NESTING, parse
from quilt_func._qasm_tokens import (
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
)
from quilt_func._qasm_values import CONSTANTS, Value, evaluate
from quilt_func.circuits import Circuit
from quilt_func.derived import controlled, power
from quilt_func.gates import GATES, p, x
from quilt_func.ops import Gate, Op, make_op
from quilt_func.typing import WireSet

MAX_QUBITS = 4096
_MAX_GATE_WIRES = 8
"""A wider gate's matrix would be larger than 1 MiB."""
_WORK_PER_GATE = 16
"""Of a call of one to three qubits, with some arithmetic and a definition around it."""

# fmt: off
_STANDARD = [
    "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "rx", "ry", "rz", "p", "cx", "cy", "cz", "ch",
    "cp", "crx", "cry", "crz", "swap", "ccx", "cswap", "id",
]
_OF_FILE = {"qelib1.inc": [*_STANDARD, "u", "sxdg", "rxx", "rzz"], "stdgates.inc": _STANDARD}
_MORE_OF_FILE = {
    "qelib1.inc": ["u0", "u1", "u2", "u3", "cu1", "cu3", "cu", "csx", "c3x", "c4x", "c3sqrtx",
                   "rccx", "rc3x"],
    "stdgates.inc": ["CX", "phase", "cphase", "u1", "u2", "u3", "cu"],
}
# fmt: on
_MORE = """
gate U(theta, phi, lam) q { gphase(theta/2); u(theta, phi, lam) q; }
gate CX a, b { cx a, b; }
gate phase(lam) q { p(lam) q; }
gate cphase(lam) a, b { cp(lam) a, b; }
gate u0(gamma) q { id q; }
gate u1(lam) q { p(lam) q; }
gate u2(phi, lam) q { gphase(-(phi + lam)/2); u(pi/2, phi, lam) q; }
gate u3(theta, phi, lam) q { gphase(-(phi + lam)/2); u(theta, phi, lam) q; }
gate cu1(lam) a, b { cp(lam) a, b; }
gate cu3(theta, phi, lam) a, b { ctrl @ u(theta, phi, lam) a, b; }
gate cu(theta, phi, lam, gamma) a, b { p(gamma) a; ctrl @ u(theta, phi, lam) a, b; }
gate csx a, b { ctrl @ sx a, b; }
gate c3x a, b, c, d { ctrl(3) @ x a, b, c, d; }
gate c4x a, b, c, d, e { ctrl(4) @ x a, b, c, d, e; }
gate c3sqrtx a, b, c, d { ctrl(3) @ sx a, b, c, d; }
gate rccx a, b, c { h c; t c; cx b, c; tdg c; cx a, c; t c; cx b, c; tdg c; h c; }
gate rc3x a, b, c, d { h d; t d; cx c, d; tdg d; h d; cx a, d; t d; cx b, d; tdg d; cx a, d; t d;
    cx b, d; tdg d; h d; t d; cx c, d; tdg d; h d; }
"""
"""The standard gates that have no row, in terms of rows. `U` has version 3's phase."""


class Placed(NamedTuple):
    """A gate with its angles on wires; without a gate, a phase."""

    gate: Gate | None
    angles: tuple[Value, ...]
    wires: WireSet


class _Defined(NamedTuple):
    """A gate definition whose calls are looked up."""

    parameters: tuple[str, ...]
    wires: tuple[str, ...]
    body: tuple[tuple["_Known", Call], ...]
    depth: int


_Known = Gate | _Defined | None
"""What a gate's name stands for; None is `gphase`."""


def _n_wires(known: _Known) -> int:
    if known is None:
        return 0
    return known.n_wires if isinstance(known, Gate) else len(known.wires)


def _n_params(known: _Known) -> int:
    if known is None:
        return 1
    return known.n_params if isinstance(known, Gate) else len(known.parameters)


def _define(definition: Definition, gates: Mapping[str, _Known]) -> _Defined:
    """Look the calls of a body up among the gates defined before: so none can call itself."""
    names = definition.wires
    if len({*names}) < len(names) or not names:
        got = f"the gate `{definition.name}` on {len({*names})} different wires"
        raise QasmError(got, definition.place, "Name each wire once, and at least one.")
    body = tuple((_look_up(call, gates, definition), call) for call in definition.body or ())
    for _, call in body:
        for operand in call.operands:
            if operand.name not in names or operand.picked is not None:
                got = f"`{operand.name}` in the gate `{definition.name}`"
                remedy = f"Use its own wires: {', '.join(names)}."
                raise QasmError(got, operand.place, remedy)
    depth = 1 + max((g.depth for g, _ in body if isinstance(g, _Defined)), default=0)
    if depth > MAX_NESTING:
        got = f"gates nested deeper than {MAX_NESTING}"
        raise QasmError(got, definition.place, "Define it by gates of lower levels.")
    return _Defined(definition.parameters, names, body, depth)


def _look_up(call: Call, gates: Mapping[str, _Known], inside: Definition | None = None) -> _Known:
    if call.name in gates:
        return gates[call.name]
    if inside is not None and call.name == inside.name:
        got = f"`{call.name}` in its own definition"
        raise QasmError(got, call.place, "A gate may call gates defined before it.")
    include = next((f for f in _OF_FILE if call.name in _OF_FILE[f] + _MORE_OF_FILE[f]), None)
    remedy = "Define it before." if include is None else f'Write `include "{include}";` before.'
    raise QasmError(f"the unknown gate `{call.name[:40]}`", call.place, remedy)


@lru_cache(maxsize=1)
def _standard() -> dict[str, _Known]:
    """All standard gates, by name."""
    known: dict[str, _Known] = {row.name: row for row in GATES}
    known["gphase"] = None
    for definition in parse(_MORE).statements:
        known[definition.name] = _define(definition, known)
    return known


@lru_cache(maxsize=1)
def _own_definitions() -> dict[str, Gate]:
    """Rows by the definition that `to_qasm` writes, where it has exactly the row's phase."""
    exact = [row for row in GATES if row.name in ("rxx", "ryy", "rzz", "iswap", "ccz")]
    sources = {row: parse(row.qasm.definition).statements[0] for row in exact if row.qasm}
    return {definition.source: row for row, definition in sources.items()}


class Reader:
    """One pass over a program's statements.

    Args:
        program: What was parsed.
        inputs: Values of its `input` parameters.
        max_gates: Bound on the number of gates.
    """

    def __init__(self, program: Program, inputs: Mapping[str, Any], max_gates: int) -> None:
        self.program, self.inputs = program, inputs
        self.max_gates, self.work = max_gates, _WORK_PER_GATE * max_gates
        self.gates = {name: _standard()[name] for name in ("U", "CX", "gphase")}
        self.own: set[str] = set()
        self.numbers: dict[str, Value] = dict(CONSTANTS)
        self.qubits: dict[str, int | list[int]] = {}
        self.bits: dict[str, int | list[int]] = {}
        self.n_qubits = self.n_bits = 0
        self.measured: set[int] = set()
        self.derived: dict[Any, Gate] = {}
        self.found: list[Placed] = []

    def circuit(self) -> Circuit:
        """Run the statements.

        Raises:
            QasmError: If they are wrong, or too many.
        """
        for statement in self.program.statements:
            self.run(statement)
        return Circuit(self.n_qubits, tuple(_ops(self.found)))

    def spend(self, work: int, place: int) -> None:
        """Count work, so that no short text takes long."""
        self.work -= work
        if self.work < 0:
            got = f"more work than max_gates={self.max_gates} allows"
            raise QasmError(got, place, "Raise `max_gates` if you trust the text.")

    # --- numbers ---

    def value(self, steps: Expression, names: Mapping[str, Value] | None = None) -> Value:
        self.spend(len(steps), steps[0].place)
        return evaluate(steps, self.numbers if names is None else names, self.program.version)

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
        self.spend(1, statement.place)
        getattr(self, f"run_{type(statement).__name__.lower()}")(statement)

    def run_include(self, statement: Include) -> None:
        names = _OF_FILE[statement.name] + _MORE_OF_FILE[statement.name]
        self.gates |= {name: _standard()[name] for name in names}

    def run_register(self, statement: Register) -> None:
        size = 1 if statement.size is None else self.integer(statement.size)
        is_qubit = statement.kind == "qubit"
        first = self.n_qubits if is_qubit else self.n_bits
        if not 1 <= size <= MAX_QUBITS - first:
            got = f"a register of {size} after {first}"
            raise QasmError(got, statement.place, f"Declare 1 to {MAX_QUBITS} in all.")
        self.new_name(statement.name, statement.place)
        table = self.qubits if is_qubit else self.bits
        table[statement.name] = first if statement.size is None else [*range(first, first + size)]
        if is_qubit:
            self.n_qubits += size
        else:
            self.n_bits += size
        if statement.measured is not None:
            self.run_measure(statement.measured)

    def new_name(self, name: str, place: int) -> None:
        if name in self.qubits or name in self.bits or name in self.numbers or name in self.own:
            raise QasmError(f"a second `{name[:40]}`", place, "Give it another name.")

    def run_constant(self, statement: Constant) -> None:
        self.new_name(statement.name, statement.place)
        value = self.value(statement.value)
        if statement.kind in ("int", "uint"):
            value = self.integer(statement.value)
        elif isinstance(value, int):
            value = float(value)
        self.numbers[statement.name] = value

    def run_input(self, statement: Input) -> None:
        self.new_name(statement.name, statement.place)
        self.numbers[statement.name] = self.inputs[statement.name]

    def run_alias(self, statement: Alias) -> None:
        self.new_name(statement.name, statement.place)
        wires = [w for operand in statement.operands for w in _as_list(self.wires(operand))]
        self.spend(len(wires), statement.place)
        self.qubits[statement.name] = wires

    def run_definition(self, statement: Definition) -> None:
        self.new_name(statement.name, statement.place)
        self.own.add(statement.name)
        self.gates.pop(statement.name, None)  # an included one may be replaced, not called
        if statement.body is not None:
            own = _own_definitions().get(statement.source)
            self.gates[statement.name] = own or _define(statement, self.gates)

    def run_loop(self, statement: Loop) -> None:
        if not isinstance(statement.values, Several) and (
            statement.values.start is None or statement.values.stop is None
        ):
            raise QasmError("a loop without bounds", statement.place, "Write `[first:last]`.")
        values = self.range(statement.values, 0, 0, statement.place)
        outer = dict(self.numbers)
        for value in values:
            self.spend(1 + len(outer), statement.place)
            self.numbers = {**outer, statement.variable: value}
            for inner in statement.body:
                self.run(inner)
        self.numbers = outer

    def run_measure(self, statement: Measure) -> None:
        wires = _as_list(self.wires(statement.operand))
        self.spend(len(wires), statement.place)
        if statement.target is not None:
            bits = _as_list(self.wires(statement.target, bits=True))
            if len(bits) != len(wires):
                got = f"{len(wires)} qubit(s) measured to {len(bits)} bit(s)"
                raise QasmError(got, statement.place, "Give as many bits as qubits.")
        self.measured.update(wires)

    def run_barrier(self, statement: Barrier) -> None:
        for operand in statement.operands:
            self.wires(operand)

    def run_call(self, statement: Call) -> None:
        known = _look_up(statement, self.gates)
        for wires in self.broadcast(statement):
            late = sorted(self.measured & set(wires))
            if late:
                remedy = "Measuring within a circuit is not simulated. Measure at the end only."
                raise QasmError(f"a gate on the measured qubit {late[0]}", statement.place, remedy)
            self.found += [g for g in self.apply(known, statement, self.numbers, wires) if g.gate]

    def broadcast(self, call: Call) -> Iterator[WireSet]:
        """One set of wires, or as many as the registers are long."""
        found = [self.wires(operand) for operand in call.operands]
        sizes = {len(wires) for wires in found if isinstance(wires, list)}
        if len(sizes) > 1:
            got = f"registers of {' and '.join(map(str, sorted(sizes)))} qubits"
            raise QasmError(got, call.place, "Give registers of one size, or single qubits.")
        for i in range(*sizes) if sizes else (0,):
            yield tuple(wires[i] if isinstance(wires, list) else wires for wires in found)

    def wires(self, operand: Operand, *, bits: bool = False) -> int | list[int]:
        table = self.bits if bits else self.qubits
        if operand.name not in table:
            kind = "bit" if bits else "qubit"
            got = f"the unknown {kind} register `{operand.name[:40]}`"
            raise QasmError(got, operand.place, f"Declare it: `{kind}[2] {operand.name[:40]};`.")
        whole = table[operand.name]
        if operand.picked is None:
            return whole
        if not isinstance(whole, list):
            got = f"an index of the single `{operand.name[:40]}`"
            raise QasmError(got, operand.place, "Leave it out.")
        if isinstance(operand.picked, Range | Several):
            picked = self.range(operand.picked, 0, len(whole) - 1, operand.place)
            return [self.pick(whole, i, operand) for i in picked]
        return self.pick(whole, self.integer(operand.picked), operand)

    def pick(self, whole: list[int], index: int, operand: Operand) -> int:
        if not -len(whole) <= index < len(whole):
            got = f"index {index} of `{operand.name[:40]}`"
            raise QasmError(got, operand.place, f"Give an index from 0 to {len(whole) - 1}.")
        return whole[index]

    # --- gates ---

    def apply(
        self, known: _Known, call: Call, names: Mapping[str, Value], wires: WireSet
    ) -> list[Placed]:
        """A call with its modifiers on wires, the controls of the first modifier first."""
        self.spend(6 + len(call.modifiers) + len(wires), call.place)
        if len(call.arguments) != _n_params(known):
            got = f"{len(call.arguments)} argument(s) of `{call.name[:40]}`"
            raise QasmError(got, call.place, f"Give {_n_params(known)}.")
        n_controls = [self.n_controls(modifier, names) for modifier in call.modifiers]
        expected = sum(n_controls) + _n_wires(known)
        if len(wires) != expected:
            got = f"{len(wires)} qubit(s) of `{call.name[:40]}`"
            raise QasmError(got, call.place, f"Give {expected}.")
        if len(set(wires)) < len(wires):
            got = f"`{call.name[:40]}` twice on one qubit"
            raise QasmError(got, call.place, "Give different qubits.")
        angles = tuple(self.angle(argument, names) for argument in call.arguments)
        found = self.expand(known, angles, wires[sum(n_controls) :], call.place)
        end = sum(n_controls)
        for modifier, n in zip(reversed(call.modifiers), reversed(n_controls), strict=True):
            found = self.modify(modifier, found, wires[end - n : end], names)
            end -= n
        return found

    def angle(self, argument: Expression, names: Mapping[str, Value]) -> Value:
        value = self.value(argument, names)
        return float(value) if isinstance(value, int) else value

    def n_controls(self, modifier: Modifier, names: Mapping[str, Value]) -> int:
        if modifier.kind not in ("ctrl", "negctrl"):
            return 0
        n = 1 if modifier.argument is None else self.value(modifier.argument, names)
        if not isinstance(n, int) or n < 1:
            got = f"`{modifier.kind}` of something else than a whole number from 1"
            raise QasmError(got, modifier.place, "Give the number of controls.")
        return n

    def expand(
        self, known: _Known, angles: tuple[Value, ...], wires: WireSet, place: int
    ) -> list[Placed]:
        if not isinstance(known, _Defined):
            self.spend(4, place)
            return [Placed(known, angles, wires)]
        names = {**CONSTANTS, **dict(zip(known.parameters, angles, strict=True))}
        position = dict(zip(known.wires, wires, strict=True))
        found: list[Placed] = []
        for callee, call in known.body:
            inner = tuple(position[operand.name] for operand in call.operands)
            found += self.apply(callee, call, names, inner)
        return found

    def modify(
        self, modifier: Modifier, found: list[Placed], controls: WireSet, names: Mapping[str, Value]
    ) -> list[Placed]:
        self.spend(4 * len(found), modifier.place)
        if modifier.kind == "inv":
            return _inverted(found)
        if modifier.kind == "pow":
            assert modifier.argument is not None
            return self.raised(found, self.value(modifier.argument, names), modifier.place)
        inner = [self.controlled(placed, controls, modifier.place) for placed in found]
        flips = [Placed(x, (), (c,)) for c in controls] if modifier.kind == "negctrl" else []
        return [*flips, *inner, *flips]

    def controlled(self, placed: Placed, controls: WireSet, place: int) -> Placed:
        gate, wires = placed.gate, (*controls, *placed.wires)
        n = len(controls)
        if gate is None:
            gate, n = p, n - 1
        if len(wires) > _MAX_GATE_WIRES:
            got = f"a gate of {len(wires)} qubits"
            remedy = f"Give at most {_MAX_GATE_WIRES}, or spread it over more gates."
            raise QasmError(got, place, remedy)
        if (gate, n) not in self.derived:
            self.spend(64 + 4 ** len(wires) // 4, place)
            self.derived[gate, n] = controlled(gate, n)
        return Placed(self.derived[gate, n], placed.angles, wires)

    def raised(self, found: list[Placed], exponent: Value, place: int) -> list[Placed]:
        if isinstance(exponent, Tensor):
            raise QasmError("a power of an `input`", place, "Give a constant exponent.")
        if len(found) == 1 and _is_turn(found[0]):
            return [found[0]._replace(angles=(exponent * found[0].angles[0],))]
        if float(exponent).is_integer():
            times = abs(int(exponent))
            self.spend(8 * times * len(found), place)
            return (found if exponent > 0 else _inverted(found)) * times
        if len(found) == 1 and not found[0].angles:
            return [self.root(found[0], float(exponent), place)]
        remedy = "Give a whole exponent, or a gate that is a rotation or constant."
        raise QasmError(f"the power {exponent} of a composed gate", place, remedy)

    def root(self, placed: Placed, exponent: float, place: int) -> Placed:
        assert placed.gate is not None
        if (placed.gate, exponent) not in self.derived:
            self.spend(256 + 8 ** len(placed.wires), place)
            self.derived[placed.gate, exponent] = power(placed.gate, exponent)
        return placed._replace(gate=self.derived[placed.gate, exponent])


def _is_turn(placed: Placed) -> bool:
    """Whether a power scales the angle."""
    return placed.gate is None or (placed.gate.generator is not None and placed.gate.n_params == 1)


def _as_list(wires: int | list[int]) -> list[int]:
    return wires if isinstance(wires, list) else [wires]


def _inverted(found: Sequence[Placed]) -> list[Placed]:
    return [_inverse(placed) for placed in reversed(found)]


def _inverse(placed: Placed) -> Placed:
    if placed.gate is None:
        return placed._replace(angles=(-placed.angles[0],))
    assert placed.gate.inverse is not None
    gate, angles = placed.gate.inverse(*placed.angles)
    return Placed(gate, angles, placed.wires)


def _ops(found: Iterable[Placed]) -> Iterator[Op]:
    """Equal gates in a row become one op."""

    def kind(placed: Placed) -> tuple[Gate | None, tuple[Any, ...]]:
        return placed.gate, tuple(id(a) if isinstance(a, Tensor) else a for a in placed.angles)

    for (gate, _), run in groupby(found, kind):
        members = list(run)
        assert gate is not None
        yield make_op(gate, members[0].angles, tuple(placed.wires for placed in members))
