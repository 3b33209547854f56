"""Calls of gates to gates on wires: definitions expanded, modifiers applied, all of it bounded.

Phases are kept exactly inside of gates, where a control makes them matter, and dropped outside.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor

from quilt_func.derived import controlled, power
from quilt_func.gates import p, x
from quilt_func.ops import Gate
from quilt_func.qasm.arithmetic import Value, evaluate
from quilt_func.qasm.definitions import Known
from quilt_func.qasm.lexer import Call, Expression, Modifier, QasmError
from quilt_func.qasm.powers import PHASE, Placed, root
from quilt_func.typing import WireSet

_MAX_GATE_WIRES = 8
"""A wider gate's matrix would be larger than 1 MiB."""
_WORK, _WORK_PER_GATE = 20_000, 32
"""Room for what is no gate; and a call of one to three qubits, with arithmetic around it."""


class Budget:
    """What a text may still cost, so that no short one takes long."""

    def __init__(self, max_gates: int) -> None:
        self.max_gates, self.n_gates = max_gates, 0
        self.work = _WORK + _WORK_PER_GATE * max_gates

    def spend(self, work: int, place: int) -> None:
        """Count work: of a step of an expression, a turn of a loop, a part of a call."""
        self.work -= work
        if self.work < 0:
            self.refuse("more work than max_gates={} allows", place)

    def add_gate(self, place: int) -> None:
        """Count a gate of the circuit."""
        self.n_gates += 1
        if self.n_gates > self.max_gates:
            self.refuse("more than max_gates={} gates", place)

    def refuse(self, got: str, place: int) -> None:
        remedy = "Raise `max_gates` if you trust the text."
        raise QasmError(got.format(self.max_gates), place, remedy)


class Calls:
    """Expands calls, within a budget."""

    def __init__(self, budget: Budget) -> None:
        self.spend = budget.spend
        self.derived: set[tuple[Gate, float]] = set()

    def value(self, steps: Expression, names: Mapping[str, Value]) -> Value:
        self.spend(len(steps), steps[0].place)
        return evaluate(steps, names)

    def apply(
        self, known: Known, call: Call, names: Mapping[str, Value], wires: WireSet
    ) -> list[Placed]:
        """A call with its modifiers on wires, the controls of the first modifier first."""
        work = 4 + len(wires) + sum([len(steps) for steps in call.arguments])
        self.spend(work + len(call.modifiers), call.place)
        n_controls = [self.n_controls(modifier, names) for modifier in call.modifiers]
        end = sum(n_controls)
        _check_counts(known, call, wires, end)
        angles = tuple([_angle(argument, names) for argument in call.arguments])
        if not call.modifiers:
            return self.expand(known, angles, wires)
        found = self.expand(known, angles, wires[end:])
        for modifier, n in zip(reversed(call.modifiers), reversed(n_controls), strict=True):
            found = self.modify(modifier, found, wires[end - n : end], names, call.name)
            end -= n
        return found

    def n_controls(self, modifier: Modifier, names: Mapping[str, Value]) -> int:
        if modifier.kind not in ("ctrl", "negctrl"):
            return 0
        n = 1 if modifier.argument is None else self.value(modifier.argument, names)
        if not isinstance(n, int) or n < 1:
            got = f"`{modifier.kind}` of something else than a whole number from 1"
            raise QasmError(got, modifier.place, "Give the number of controls.")
        return n

    def expand(self, known: Known, angles: tuple[Value, ...], wires: WireSet) -> list[Placed]:
        if isinstance(known, Gate):
            return [Placed(known, angles, wires)]
        names = dict(zip(known.parameters, angles, strict=True))
        found: list[Placed] = []
        for callee, call, positions in known.body:
            found += self.apply(callee, call, names, tuple([wires[i] for i in positions]))
        return found

    def modify(
        self,
        modifier: Modifier,
        found: list[Placed],
        controls: WireSet,
        names: Mapping[str, Value],
        name: str,
    ) -> list[Placed]:
        self.spend(4 * len(found), modifier.place)
        if modifier.kind == "inv":
            return _inverted(found)
        if modifier.kind == "pow":
            assert modifier.argument is not None
            return self.raised(found, self.value(modifier.argument, names), modifier.place, name)
        inner = [self.controlled(placed, controls, modifier.place) for placed in found]
        flips = [Placed(x, (), (c,)) for c in controls] if modifier.kind == "negctrl" else []
        return [*flips, *inner, *flips]

    def controlled(self, placed: Placed, controls: WireSet, place: int) -> Placed:
        wires = (*controls, *placed.wires)
        gate, n = (p, len(controls) - 1) if placed.gate is PHASE else (placed.gate, len(controls))
        _check_width(len(wires), place)
        self.pay_once(gate, n, 64 + 4 ** len(wires) // 4, place)
        return Placed(controlled(gate, n), placed.angles, wires)

    def pay_once(self, gate: Gate, key: float, work: int, place: int) -> None:
        """Spend on a derived gate, which is kept where it was made."""
        if (gate, key) not in self.derived:
            self.spend(work, place)
            self.derived.add((gate, key))

    def raised(self, found: list[Placed], exponent: Value, place: int, name: str) -> list[Placed]:
        if isinstance(exponent, Tensor):
            raise QasmError("a power of an `input`", place, "Give a constant exponent.")
        if len(found) == 1 and _scales_angle(found[0]):
            return [found[0]._replace(angles=(exponent * found[0].angles[0],))]
        if float(exponent).is_integer():
            times = abs(int(exponent))
            self.spend(8 * times * len(found), place)
            return (found if exponent > 0 else _inverted(found)) * times
        if any(isinstance(angle, Tensor) for placed in found for angle in placed.angles):
            remedy = "Give a whole exponent, or a gate that is one rotation."
            got = f"the power {exponent} of a gate that depends on an `input`"
            raise QasmError(got, place, remedy)
        return self.root(found, float(exponent), place, name)

    def root(self, found: list[Placed], exponent: float, place: int, name: str) -> list[Placed]:
        n = len({wire for placed in found for wire in placed.wires})
        _check_width(n, place)
        if len(found) == 1 and not found[0].angles:
            self.pay_once(found[0].gate, exponent, 256 + 4**n, place)
            return [found[0]._replace(gate=power(found[0].gate, exponent))]
        self.spend(256 + 4**n + (16 + 4**n // 256) * len(found), place)
        return root(found, exponent, name) if found else []


def _angle(argument: Expression, names: Mapping[str, Value]) -> Value:
    value = evaluate(argument, names)
    return float(value) if isinstance(value, int) else value


def _check_counts(known: Known, call: Call, wires: WireSet, n_controls: int) -> None:
    if len(call.arguments) != known.n_params:
        got = f"{len(call.arguments)} argument(s) of `{call.name[:40]}`"
        raise QasmError(got, call.place, f"Give {known.n_params}.")
    if len(wires) != n_controls + known.n_wires:
        got = f"{len(wires)} qubit(s) of `{call.name[:40]}`"
        raise QasmError(got, call.place, f"Give {n_controls + known.n_wires}.")
    if len(set(wires)) < len(wires):
        got = f"`{call.name[:40]}` twice on one qubit"
        raise QasmError(got, call.place, "Give different qubits.")


def _check_width(n: int, place: int) -> None:
    if n > _MAX_GATE_WIRES:
        remedy = f"Give at most {_MAX_GATE_WIRES}, or spread it over more gates."
        raise QasmError(f"a gate of {n} qubits", place, remedy)


def _scales_angle(placed: Placed) -> bool:
    """Whether a power scales the angle."""
    return placed.gate.generator is not None and placed.gate.n_params == 1


def _inverted(found: Sequence[Placed]) -> list[Placed]:
    return [_inverse(placed) for placed in reversed(found)]


def _inverse(placed: Placed) -> Placed:
    assert placed.gate.inverse is not None
    gate, angles = placed.gate.inverse(*placed.angles)
    return Placed(gate, angles, placed.wires)
