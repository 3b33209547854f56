"""Qiskit's circuits to gates on wires: qubit k is wire k."""

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from quilt_func._affine_angles import Affine, Input, inputs_of
from quilt_func._placed_gates import Placed
from quilt_func.convert.formulas import UnknownFormulaError, added, of_sympy
from quilt_func.convert.names import OF_QISKIT
from quilt_func.convert.peers import is_a, refusal
from quilt_func.convert.programs import FromInputs, plain_circuit, runs_of
from quilt_func.convert.recognition import channel_ops, little_endian_kraus
from quilt_func.convert.terms import (
    CannotRaiseError,
    controlled,
    if_bits,
    inverted,
    little_endian,
    measured,
    of_matrix,
    phase,
    placed,
    raised,
    reset_to_zero,
)
from quilt_func.gates import u

NAME = "from_qiskit"
IGNORED = frozenset({"barrier", "delay", "snapshot"})
REMEDY = "Take it out, or write it as gates: `circuit.decompose()`, `transpile(circuit)`."


def read_circuit(given: Any) -> Any:
    """A circuit, or a function of its parameters."""
    inputs, places = _inputs(given.parameters)
    reader = _Reader(places)
    found = reader.circuit(given)
    if not inputs:
        return plain_circuit(given.num_qubits, found)
    return FromInputs(given.num_qubits, tuple(runs_of(found)), inputs)


def _inputs(parameters: Any) -> tuple[tuple[Input, ...], dict[str, int]]:
    """Parameters in Qiskit's order, a vector's together; and the place of each by its name."""
    shapes: dict[str, tuple[int, ...]] = {}
    owners: dict[str, list[tuple[str, int]]] = {}
    for parameter in parameters:
        vector = getattr(parameter, "vector", None)
        if vector is None:
            shapes[parameter.name] = ()
            owners.setdefault(parameter.name, []).append((parameter.name, 0))
        else:
            shapes[vector.name] = (len(vector),)
            owners.setdefault(vector.name, []).append((parameter.name, parameter.index))
    inputs = inputs_of(shapes)
    return inputs, {name: one.first + i for one in inputs for name, i in owners[one.name]}


class _Reader:
    """One pass over a circuit."""

    def __init__(self, places: Mapping[str, int]) -> None:
        self.places = places
        self.measured: dict[str, None] = {}
        self.acted_on: set[int] = set()

    def circuit(self, given: Any) -> list[Placed]:
        self.keys = {bit: _key(given, bit) for bit in given.clbits}
        self.keeps_measurements = _measures_within(given)
        return [*phase(self.angle(given.global_phase)), *self.body(given)]

    def body(self, given: Any) -> list[Placed]:
        found: list[Placed] = []
        for item in given.data:
            wires = tuple(given.find_bit(qubit).index for qubit in item.qubits)
            found += self.instruction(item.operation, wires, item.clbits)
        return found

    def instruction(self, op: Any, wires: tuple[int, ...], bits: Sequence[Any]) -> list[Placed]:
        if op.name in IGNORED or (op.name == "reset" and wires[0] not in self.acted_on):
            return []
        if not is_a(op, "Initialize"):
            self.acted_on.update(wires)
        if op.name == "measure":
            if not self.keeps_measurements:
                return []
            self.measured[self.keys[bits[0]]] = None
            return [measured(wires[0], self.keys[bits[0]])]
        if op.name == "reset":
            return [reset_to_zero(wires[0])]
        if op.name == "if_else":
            return self.if_else(op, wires)
        if is_a(op, "ControlFlowOp"):
            remedy = "Unroll it; only `if_test` of bits that are measured is read."
            raise refusal(NAME, "given", op, f"`{op.name}`", remedy)
        if len(bits):
            what = f"`{op.name}`, which measures inside"
            raise refusal(NAME, "given", op, what, "Expand it: `circuit.decompose()`.")
        if is_a(op, "QuantumChannel", "QuantumError") or op.name in ("kraus", "superop"):
            return self.channel(op, wires)
        if is_a(op, "Initialize") and op.definition is not None:
            return self.definition(op, wires)
        return self.gate(op, wires)

    def channel(self, op: Any, wires: tuple[int, ...]) -> list[Placed]:
        return channel_ops(little_endian_kraus(op, len(wires)), wires)

    def if_else(self, op: Any, wires: tuple[int, ...]) -> list[Placed]:
        remedy = "Compare one bit, or a register, with a number."
        if not isinstance(op.condition, tuple):
            raise refusal(NAME, "given", op, "a condition that is an expression", remedy)
        owner, value = op.condition
        bits = [owner] if is_a(owner, "Clbit") else [*owner]
        known = [bit for bit in bits if self.keys.get(bit) in self.measured]
        keys = [self.keys[bit] for bit in known]
        table = []
        for outcome in product((0, 1), repeat=len(known)):
            own = dict(zip(known, outcome, strict=True))
            table.append(int(sum(own.get(bit, 0) << i for i, bit in enumerate(bits)) == value))
        found: list[Placed] = []
        for branch, body in enumerate(op.blocks):
            if body is None:
                continue
            wanted = [entry if branch == 0 else 1 - entry for entry in table]
            inner = self.branch(body, wires)
            found += if_bits(inner, keys, wanted) if keys else inner if wanted[0] else []
        return found

    def branch(self, body: Any, wires: tuple[int, ...]) -> list[Placed]:
        found: list[Placed] = []
        for item in body.data:
            op = item.operation
            if op.name in ("measure", "reset") or is_a(op, "ControlFlowOp"):
                remedy = "Put it after the branch, or before."
                raise refusal(NAME, "given", op, f"`{op.name}` within `if_test`", remedy)
            own = tuple(wires[body.find_bit(qubit).index] for qubit in item.qubits)
            found += [] if op.name in IGNORED else self.gate(op, own)
        return found

    def gate(self, op: Any, wires: tuple[int, ...]) -> list[Placed]:
        """A unitary operation, its phase kept."""
        if is_a(op, "AnnotatedOperation"):
            return self.annotated(op, wires)
        if _is_standard(op):
            found = self.standard(op, wires)
            if found is not None:
                return found
        if op.name == "unitary" and is_a(op, "UnitaryGate"):
            return of_matrix("unitary", little_endian(op.params[0], len(wires)), wires)
        n_controls = getattr(op, "num_ctrl_qubits", 0) if is_a(op, "ControlledGate") else 0
        base = op.base_gate if n_controls else None
        if base is not None and base.num_qubits + n_controls == len(wires):
            inner = self.gate(base, wires[n_controls:])
            bits = [op.ctrl_state >> i & 1 for i in range(n_controls)]
            return controlled(inner, wires[:n_controls], bits)
        return self.definition(op, wires)

    def standard(self, op: Any, wires: tuple[int, ...]) -> list[Placed] | None:
        """A gate of the table, or one that is a few of them."""
        if op.name in OF_QISKIT:
            return [placed(OF_QISKIT[op.name], [self.angle(a) for a in op.params], wires)]
        if op.name == "u2":
            phi, lam = map(self.angle, op.params)
            return [placed(u, [math.pi / 2, phi, lam], wires)]
        if op.name == "global_phase":
            return phase(self.angle(op.params[0]))
        if op.name.startswith("cu") and type(op).__name__ == "CUGate":
            theta, phi, lam, gamma = map(self.angle, op.params)
            inner = [placed(u, [theta, phi, lam], wires[1:]), *phase(gamma)]
            return controlled(inner, wires[:1], [op.ctrl_state])
        return None

    def annotated(self, op: Any, wires: tuple[int, ...]) -> list[Placed]:
        """An operation with modifiers: those of controls, the last added first, come first."""
        n_inner = op.base_op.num_qubits
        first = len(wires) - n_inner
        found = self.gate(op.base_op, wires[first:])
        for modifier in op.modifiers:
            if is_a(modifier, "InverseModifier"):
                found = inverted(found)
            elif is_a(modifier, "ControlModifier"):
                n = modifier.num_ctrl_qubits
                first -= n
                state = 2**n - 1 if modifier.ctrl_state is None else modifier.ctrl_state
                bits = [state >> i & 1 for i in range(n)]
                found = controlled(found, wires[first : first + n], bits)
            else:
                found = self.raised(found, float(modifier.power), op.name)
        return found

    def raised(self, found: list[Placed], exponent: float, name: str) -> list[Placed]:
        try:
            return raised(found, exponent, name)
        except CannotRaiseError as error:
            raise refusal(NAME, "given", name, str(error), "Write it as other gates.") from None

    def definition(self, op: Any, wires: tuple[int, ...]) -> list[Placed]:
        definition = getattr(op, "definition", None)
        if definition is None:
            return self.of_matrix(op, wires)
        found = phase(self.angle(definition.global_phase))
        for item in definition.data:
            own = tuple(wires[definition.find_bit(qubit).index] for qubit in item.qubits)
            found += self.instruction(item.operation, own, item.clbits)
        return found

    def of_matrix(self, op: Any, wires: tuple[int, ...]) -> list[Placed]:
        try:
            matrix = op.to_matrix()
        except Exception:  # whatever a class of a user raises
            what = f"`{op.name}`, which has no definition"
            raise refusal(NAME, "given", op, what, REMEDY) from None
        return of_matrix(op.name, little_endian(matrix, len(wires)), wires)

    def angle(self, given: Any) -> Any:
        """A number, or a formula of the parameters."""
        if not is_a(given, "ParameterExpression"):
            if isinstance(given, np.ndarray):
                raise refusal(NAME, "given", given, "an array among angles", REMEDY)
            return float(given)
        if not given.parameters:
            return float(given)
        found = self.affine(given)
        if found is not None:
            return found
        try:
            return of_sympy(given.sympify(), self.places)
        except UnknownFormulaError as error:
            remedy = "Write it with +, *, powers, sin, cos, exp and their like."
            raise refusal(NAME, "given", given, str(error), remedy) from None

    def affine(self, given: Any) -> Any:
        """An expression whose slopes are numbers; it needs no sympy."""
        if getattr(given, "is_symbol", lambda: False)():
            return Affine(((self.places[given.name], 1.0),))
        slopes = {one.name: given.gradient(one) for one in given.parameters}
        if not all(isinstance(slope, int | float) for slope in slopes.values()):
            return None
        constant = float(given.bind(dict.fromkeys(given.parameters, 0.0)))
        total: Any = Affine((), constant)
        for name, slope in slopes.items():
            total = added(total, Affine(((self.places[name], float(slope)),)))
        return total


def _is_standard(op: Any) -> bool:
    kind = getattr(op, "base_class", type(op))
    return str(kind.__module__).startswith("qiskit.circuit.library.standard_gates")


def _key(given: Any, bit: Any) -> str:
    """The name of a classical bit: `c[0]`, or its number."""
    found = given.find_bit(bit)
    if found.registers:
        register, index = found.registers[0]
        return f"{register.name}[{index}]"
    return f"bit[{found.index}]"


def _measures_within(given: Any) -> bool:
    """Whether a measurement is followed by something on its qubit, or its bit is read."""
    measured_qubits: set[Any] = set()
    for item in given.data:
        op = item.operation
        if op.name == "measure":
            if measured_qubits & {*item.qubits}:
                return True
            measured_qubits |= {*item.qubits}
        elif op.name not in IGNORED and (
            is_a(op, "ControlFlowOp") or measured_qubits & {*item.qubits}
        ):
            return True
    return False


def counts_of(given: Mapping[str, int]) -> dict[str, int]:
    """Counts by bit strings that are read from the other end, without spaces."""
    return {word.replace(" ", "")[::-1]: number for word, number in given.items()}
