"""Circuits to Cirq's: wire k is `cirq.LineQubit(k)`."""

import math
from typing import Any

import numpy as np
import torch

from quilt_func._affine_angles import Symbolic
from quilt_func.convert.formulas import scaled
from quilt_func.convert.names import BASES, NAMES
from quilt_func.convert.peers import imported
from quilt_func.convert.writing import (
    Controlled,
    Inverse,
    Matrices,
    Named,
    Word,
    Words,
    form_of,
    linear_sum,
    read_angles,
    refuse_gate,
    words_of,
)
from quilt_func.gates import p, ry, u
from quilt_func.instruments import Conditional, Instrument, Measurement, Reset
from quilt_func.noise import Channel
from quilt_func.ops import Gate, Op

NAME = "to_cirq"


def write_circuit(given: Symbolic) -> Any:
    """A `cirq.Circuit`; inputs become sympy symbols."""
    return _Writer(given).circuit(given)


class _Writer:
    def __init__(self, given: Symbolic) -> None:
        self.cirq = imported(NAME, "cirq")
        self.symbols: list[Any] = []
        if given.inputs:
            sympy = imported(NAME, "sympy")
            self.symbols = [sympy.Symbol(name) for one in given.inputs for name in one.names()]

    def circuit(self, given: Symbolic) -> Any:
        qubits = self.cirq.LineQubit.range(given.circuit.n_qubits)
        made = self.cirq.Circuit()
        for op in given.circuit.ops:
            for angles, wires in zip(read_angles(NAME, op), op.wires, strict=True):
                made.append(self.operations(op, angles, [qubits[wire] for wire in wires]))
        return made

    def operations(self, op: Op, angles: tuple[Any, ...], qubits: list[Any]) -> list[Any]:
        gate = op.gate
        if isinstance(gate, Channel):
            return [self.channel(gate, angles).on(*qubits)]
        if isinstance(gate, Measurement):
            return [self.cirq.measure(*qubits, key=gate.writes)]
        if isinstance(gate, Reset):
            return [self.cirq.reset(qubits[0])]
        if isinstance(gate, Conditional) and len(gate.reads) == 1 and not callable(gate.condition):
            assert gate.base is not None
            value = gate.condition
            target = value if isinstance(value, int) else int("".join(map(str, value)), 2)
            condition = self.cirq.BitMaskKeyCondition(
                self.cirq.MeasurementKey(gate.reads[0]), target_value=target, equal_target=True
            )
            made = self.gates(form_of(NAME, gate.base, angles))
            return [one.on(*qubits).with_classical_controls(condition) for one in made]
        if isinstance(gate, Instrument):
            remedy = "`measure`, `reset` and `conditional` on a value of one key are written."
            raise refuse_gate(NAME, gate, f"the instrument {gate.name}", remedy)
        return [one.on(*qubits) for one in self.gates(form_of(NAME, gate, angles))]

    def channel(self, gate: Channel, strengths: tuple[Any, ...]) -> Any:
        """A channel by its Kraus operators."""
        if gate.kraus is None or any(hasattr(one, "terms") for one in strengths):
            remedy = "Give it numbers and Kraus operators."
            raise refuse_gate(NAME, gate, f"the channel `{gate.name}`", remedy)
        given = [torch.as_tensor(np.asarray(one))[None] for one in strengths]
        operators = gate.kraus(*given)[0].resolve_conj().numpy()
        return self.cirq.KrausChannel([np.asarray(one, np.complex128) for one in operators])

    def gates(self, form: Any) -> list[Any]:
        """The gates of a form, all on the same qubits."""
        match form:
            case Named(row, angles):
                return self.row(row, angles)
            case Word(word, angle):
                dense = self.cirq.DensePauliString(word)
                exponent = linear_sum(angle * (1 / math.pi), self.symbols)
                return [self.cirq.PauliStringPhasorGate(dense, exponent_neg=exponent / 2,
                                                        exponent_pos=-exponent / 2)]  # fmt: skip
            case Words(terms, angle):
                return [
                    one for word, c in terms for one in self.gates(Word(word, scaled(angle, c)))
                ]
            case Controlled(inner):
                return [self.cirq.ControlledGate(one) for one in self.gates(inner)]
            case Inverse(inner):
                return [self.cirq.inverse(one) for one in reversed(self.gates(inner))]
            case Matrices(matrix, _):
                return [self.cirq.MatrixGate(np.asarray(matrix, np.complex128))]
        raise AssertionError(form)

    def row(self, row: Gate, angles: tuple[Any, ...]) -> list[Any]:
        names = NAMES[row]
        if row is u:
            theta, phi, lam = angles
            return [*self.row(p, (lam,)), *self.row(ry, (theta,)), *self.row(p, (phi,))]
        if not names.cirq and row not in BASES:
            return self.gates(words_of(row, angles))
        if not names.cirq:
            return [self.cirq.ControlledGate(one) for one in self.row(BASES[row], angles)]
        kind = getattr(self.cirq, names.cirq)
        if names.cirq == "IdentityGate":
            return [kind(1)]
        if names.cirq == "CSwapGate":
            return [kind()]
        exponent = names.exponent
        if exponent is None:
            exponent = linear_sum(angles[0] * (1 / math.pi), self.symbols)
        return [kind(exponent=exponent, global_shift=names.shift)]
