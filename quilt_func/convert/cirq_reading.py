"""Cirq's circuits to gates on wires: qubits in their order are wires 0, 1, ..."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from quilt_func._affine_angles import inputs_of
from quilt_func._checks import is_number
from quilt_func._placed_gates import Placed
from quilt_func.convert.formulas import UnknownFormulaError, multiplied, of_sympy
from quilt_func.convert.names import CONSTANT_POWERS, CONTROLS, ROTATIONS
from quilt_func.convert.peers import imported, is_a, refusal
from quilt_func.convert.programs import FromInputs, plain_circuit, runs_of
from quilt_func.convert.recognition import channel_ops
from quilt_func.convert.terms import (
    controlled,
    if_bits,
    of_matrix,
    phase,
    placed,
    raised,
    reset_to_zero,
)
from quilt_func.gates import cswap, h, p, rxx, ry, ryy, rz, rzz, single_excitation
from quilt_func.gates import id as identity
from quilt_func.instruments import measure

NAME = "from_cirq"


def read_circuit(given: Any, qubits: Sequence[Any] | None) -> Any:
    """A circuit, or a function of its symbols in alphabetical order."""
    cirq = imported(NAME, "cirq")
    order = list(qubits) if qubits is not None else sorted(given.all_qubits())
    missing = [qubit for qubit in given.all_qubits() if qubit not in order]
    if missing:
        raise refusal(
            NAME, "qubits", qubits, f"no place for {missing[0]!r}", "Give all of its qubits."
        )
    names = sorted(cirq.parameter_names(given))
    inputs = inputs_of(dict.fromkeys(names, ()))
    reader = _Reader(cirq, {qubit: i for i, qubit in enumerate(order)},
                     {one.name: one.first for one in inputs}, given)  # fmt: skip
    found = [one for op in given.all_operations() for one in reader.operation(op)]
    if not inputs:
        return plain_circuit(len(order), found)
    return FromInputs(len(order), tuple(runs_of(found)), inputs)


class _Reader:
    def __init__(
        self, cirq: Any, wires: Mapping[Any, int], places: Mapping[str, int], given: Any
    ) -> None:
        self.cirq, self.wires, self.places = cirq, wires, places
        self.bits: dict[str, int] = {}
        self.keeps_measurements = not given.are_all_measurements_terminal() or any(
            is_a(op, "ClassicallyControlledOperation") for op in given.all_operations()
        )

    def operation(self, op: Any) -> list[Placed]:
        """An operation on qubits, its phase kept."""
        op = op.untagged
        wires = tuple(self.wires[qubit] for qubit in op.qubits)
        if is_a(op, "ClassicallyControlledOperation"):
            return self.conditional(op)
        if is_a(op, "ControlledOperation"):
            n = len(op.controls)
            return self.controlled(op.sub_operation, wires[:n], op.control_values)
        gate = op.gate
        if is_a(gate, "ControlledGate"):
            n = gate.num_controls()
            return self.controlled(gate.sub_gate.on(*op.qubits[n:]), wires[:n], gate.control_values)
        if is_a(gate, "MeasurementGate"):
            return self.measurement(gate, wires)
        if is_a(gate, "ResetChannel") and self.cirq.qid_shape(gate) == (2,):
            return [reset_to_zero(wires[0])]
        found = self.known(gate, wires)
        return self.other(op, wires) if found is None else found

    def measurement(self, gate: Any, wires: tuple[int, ...]) -> list[Placed]:
        key = str(self.cirq.measurement_key_name(gate))
        if any(gate.full_invert_mask()) or gate.confusion_map:
            remedy = "Flip bits by X, and give confusion matrices to `noise.readout`."
            raise refusal(NAME, "given", gate, "a measurement with an error of its own", remedy)
        if not self.keeps_measurements:
            return []
        self.bits[key] = len(wires)
        return [Placed(measure(wires, key).gate, (), wires)]

    def conditional(self, op: Any) -> list[Placed]:
        found = self.operation(op.without_classical_controls())
        for condition in op._conditions:
            key = str(condition.key) if hasattr(condition, "key") else ""
            n_bits = self.bits.get(key)
            if n_bits is None or is_a(condition, "SympyCondition"):
                remedy = "Compare the bits of one key with a number."
                raise refusal(NAME, "given", op, f"the condition {condition}", remedy)
            table = [int(_holds(condition, value)) for value in range(2**n_bits)]
            if len(op._conditions) > 1:
                raise refusal(NAME, "given", op, "several conditions", "Measure into one key.")
            return if_bits(found, [key], table)
        return found

    def controlled(self, inner: Any, controls: tuple[int, ...], values: Any) -> list[Placed]:
        bits = [*values] if is_a(values, "ProductOfSums") else []
        if len(bits) != len(controls) or any(len(one) != 1 or one[0] > 1 for one in bits):
            remedy = "Give each control one value, 0 or 1."
            raise refusal(NAME, "given", inner, f"the control values {values!r}", remedy)
        return controlled(self.operation(inner), controls, [one[0] for one in bits])

    def known(self, gate: Any, wires: tuple[int, ...]) -> list[Placed] | None:
        """Gates that have a name here, or a rotation."""
        if is_a(gate, "IdentityGate"):
            return [placed(identity, (), (wire,)) for wire in wires]
        if is_a(gate, "CSwapGate"):
            return [placed(cswap, (), wires)]
        if is_a(gate, "MatrixGate"):
            return of_matrix("matrix", self.cirq.unitary(gate), wires)
        if is_a(gate, "GlobalPhaseGate") and is_number_like(gate.coefficient):
            return phase(float(np.angle(complex(gate.coefficient))))
        if is_a(gate, "PhasedXPowGate"):
            axis, t = self.angle(gate.phase_exponent), self.angle(gate.exponent)
            turn = multiplied(math.pi, axis)
            middle = self.power("XPowGate", t, self.shift(gate), wires)
            return [placed(p, [-turn], wires), *middle, placed(p, [turn], wires)]
        if is_a(gate, "PhasedISwapPowGate") and (gate.phase_exponent, self.shift(gate)) == (
            0.25,
            0,
        ):
            return [
                placed(single_excitation, [multiplied(math.pi, self.angle(gate.exponent))], wires)
            ]
        if is_a(gate, "EigenGate") and hasattr(gate, "exponent"):
            for kind in type(gate).__mro__:
                if kind.__name__ in POWERS:
                    return self.power(kind.__name__, self.angle(gate.exponent), self.shift(gate),
                                      wires)  # fmt: skip
        return None

    def shift(self, gate: Any) -> float:
        return float(gate.global_shift)

    def power(self, kind: str, t: Any, shift: float, wires: tuple[int, ...]) -> list[Placed]:
        """A gate to the power t, times `exp(i π t shift)`."""
        if kind in CONTROLS:
            n, inner = CONTROLS[kind]
            found = controlled(self.power(inner, t, 0.0, wires[n:]), wires[:n], [1] * n)
            return [*found, *phase(multiplied(math.pi * shift, t))]
        turn = multiplied(math.pi, t)
        if kind in ROTATIONS and shift == -0.5:
            return [placed(ROTATIONS[kind], [turn], wires)]
        more = phase(multiplied(math.pi * shift, t)) if shift else []
        row = CONSTANT_POWERS.get((kind, float(t))) if is_number(t) else None
        if row is not None:
            return [placed(row, (), wires), *more]
        return [*POWERS[kind](t, turn, wires), *more]

    def other(self, op: Any, wires: tuple[int, ...]) -> list[Placed]:
        """By what it is made of; else by its matrix, or its Kraus operators."""
        cirq = self.cirq
        if cirq.has_kraus(op) and not cirq.has_unitary(op) and not cirq.is_parameterized(op):
            return channel_ops([np.asarray(one) for one in cirq.kraus(op)], wires)
        parts = cirq.decompose_once(op, default=None)
        if parts is not None and all(qubit in self.wires for one in parts for qubit in one.qubits):
            return [one for part in parts for one in self.operation(part)]
        if cirq.has_unitary(op):
            return of_matrix("matrix", cirq.unitary(op), wires)
        what = f"`{type(op.gate or op).__name__}`"
        raise refusal(NAME, "given", op, what, "Write it as gates: `cirq.decompose(...)`.")

    def angle(self, given: Any) -> Any:
        """A number, or a formula of the symbols."""
        if is_number_like(given):
            return float(given)
        try:
            return of_sympy(given, self.places)
        except UnknownFormulaError as error:
            remedy = "Write it with +, *, powers, sin, cos, exp and their like."
            raise refusal(NAME, "given", given, str(error), remedy) from None


def is_number_like(value: Any) -> bool:
    """Tell whether a value is a number of Python or numpy."""
    return isinstance(value, int | float | complex | np.number)


def _holds(condition: Any, value: int) -> bool:
    """Whether bits, as a number, meet a condition on one key."""
    if is_a(condition, "KeyCondition"):
        return value != 0
    masked = value if condition.bitmask is None else value & condition.bitmask
    if condition.equal_target:
        return bool(masked == condition.target_value)
    return bool(masked != condition.target_value)


def _word(row: Any) -> Any:
    return lambda t, turn, wires: [
        placed(row, [turn], wires), *phase(multiplied(math.pi / 2, t))
    ]  # fmt: skip


def _z(t: Any, turn: Any, wires: tuple[int, ...]) -> list[Placed]:  # noqa: ARG001
    return [placed(p, [turn], wires)]


def _h(t: Any, turn: Any, wires: tuple[int, ...]) -> list[Placed]:
    """H is Z between turns about Y by an eighth."""
    if is_number(t):
        return raised([placed(h, (), wires)], t, "h")
    there, back = placed(ry, [-math.pi / 4], wires), placed(ry, [math.pi / 4], wires)
    return [there, placed(rz, [turn], wires), back, *phase(multiplied(math.pi / 2, t))]


def _swap(t: Any, turn: Any, wires: tuple[int, ...]) -> list[Placed]:
    """SWAP is half of 1 + XX + YY + ZZ, and its power exp(i π t (1 - SWAP) / 2)."""
    half = multiplied(0.5, turn)
    return [
        *(placed(row, [half], wires) for row in (rxx, ryy, rzz)),
        *phase(multiplied(math.pi / 4, t)),
    ]


def _iswap(t: Any, turn: Any, wires: tuple[int, ...]) -> list[Placed]:  # noqa: ARG001
    half = multiplied(-0.5, turn)
    return [placed(row, [half], wires) for row in (rxx, ryy)]


POWERS: dict[str, Any] = {
    **{kind: _word(row) for kind, row in ROTATIONS.items()},
    "ZPowGate": _z,
    "HPowGate": _h,
    "SwapPowGate": _swap,
    "ISwapPowGate": _iswap,
    **dict.fromkeys(CONTROLS),
}
"""Cirq's powers as gates of the tables: functions of t, π t and wires."""
