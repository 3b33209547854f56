"""Circuits to Qiskit's: wire k is qubit k."""

import re
from typing import Any

from quilt_func._affine_angles import Symbolic
from quilt_func.convert.names import NAMES
from quilt_func.convert.peers import imported
from quilt_func.convert.terms import little_endian
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
from quilt_func.instruments import Conditional, Instrument, Measurement, Reset
from quilt_func.noise import Channel
from quilt_func.ops import Gate, Op

NAME = "to_qiskit"


def write_circuit(given: Symbolic) -> Any:
    """A `QuantumCircuit`; symbols become parameters, or a vector of them."""
    return _Writer(given).circuit(given)


class _Writer:
    def __init__(self, given: Symbolic) -> None:
        self.qiskit = imported(NAME, "qiskit")
        self.parts = imported(NAME, "qiskit.circuit")
        self.library = imported(NAME, "qiskit.circuit.library")
        self.rows = self.library.get_standard_gate_name_mapping()
        self.symbols = self.made_symbols(given)
        self.registers: dict[str, Any] = {}

    def made_symbols(self, given: Symbolic) -> list[Any]:
        found: list[Any] = []
        for one in given.inputs:
            if one.shape:
                found += list(self.parts.ParameterVector(one.name, one.size))
            else:
                found.append(self.parts.Parameter(one.name))
        return found

    def circuit(self, given: Symbolic) -> Any:
        made = self.qiskit.QuantumCircuit(given.circuit.n_qubits)
        for op in given.circuit.ops:
            for angles, wires in zip(read_angles(NAME, op), op.wires, strict=True):
                self.append(made, op, angles, wires)
        return made

    def append(self, made: Any, op: Op, angles: tuple[Any, ...], wires: tuple[int, ...]) -> None:
        gate = op.gate
        if isinstance(gate, Channel):
            remedy = "Give its noise to Aer as a noise model of its own."
            raise refuse_gate(NAME, gate, f"the channel `{gate.name}`", remedy)
        if isinstance(gate, Measurement):
            made.measure([*wires], [*reversed(self.register(made, gate.writes, len(wires)))])
        elif isinstance(gate, Reset):
            made.reset(wires[0])
        elif isinstance(gate, Conditional):
            self.append_conditional(made, gate, angles, wires)
        elif isinstance(gate, Instrument):
            remedy = "Only `measure`, `reset` and `conditional` on a value are written."
            raise refuse_gate(NAME, gate, f"the instrument {gate.name}", remedy)
        else:
            made.append(self.gate(form_of(NAME, gate, angles)), [*wires])

    def register(self, made: Any, key: str, size: int) -> Any:
        """The classical register of a key; its last bit is that of the first wire."""
        if key not in self.registers:
            stem = re.sub(r"\W+", "_", key).strip("_") or "m"
            taken = {one.name for one in made.cregs}
            name = stem if stem not in taken else f"{stem}_{len(taken)}"
            self.registers[key] = self.parts.ClassicalRegister(size, name)
            made.add_register(self.registers[key])
        return self.registers[key]

    def append_conditional(
        self, made: Any, gate: Conditional, angles: tuple[Any, ...], wires: tuple[int, ...]
    ) -> None:
        condition = gate.condition
        missing = [key for key in gate.reads if key not in self.registers]
        if missing or callable(condition):
            remedy = "Measure its keys before, and compare them with a value."
            raise refuse_gate(NAME, gate, f"the instrument {gate.name}", remedy)
        assert gate.base is not None
        registers = [self.registers[key] for key in gate.reads]
        n_bits = sum(map(len, registers))
        value = condition if isinstance(condition, int) else int("".join(map(str, condition)), 2)
        bits, values = f"{value:0{n_bits}b}", []
        for register in registers:
            values.append(int(bits[: len(register)], 2))
            bits = bits[len(register) :]
        inner = self.gate(form_of(NAME, gate.base, angles))
        self.nested(made, list(zip(registers, values, strict=True)), inner, wires)

    def nested(self, made: Any, conditions: list[Any], inner: Any, wires: tuple[int, ...]) -> None:
        if not conditions:
            made.append(inner, [*wires])
            return
        with made.if_test(conditions[0]):
            self.nested(made, conditions[1:], inner, wires)

    def gate(self, form: Any) -> Any:
        """One instruction of a form."""
        match form:
            case Named(row, angles):
                return self.row(row, angles)
            case Word(word, angle):
                operator = imported(NAME, "qiskit.quantum_info").Pauli(word[::-1])
                time = linear_sum(angle * 0.5, self.symbols)
                return self.library.PauliEvolutionGate(operator, time)
            case Words(terms, angle):
                info = imported(NAME, "qiskit.quantum_info")
                operator = info.SparsePauliOp.from_list([(word[::-1], c) for word, c in terms])
                time = linear_sum(angle * 0.5, self.symbols)
                return self.library.PauliEvolutionGate(operator, time)
            case Controlled(inner):
                return self.gate(inner).control(1)
            case Inverse(inner):
                return self.gate(inner).inverse()
            case Matrices(matrix, name):
                n_wires = len(matrix).bit_length() - 1
                turned = little_endian(matrix, n_wires)
                return self.library.UnitaryGate(turned, label=name)
        raise AssertionError(form)

    def row(self, row: Gate, angles: tuple[Any, ...]) -> Any:
        if not NAMES[row].qiskit:
            return self.gate(words_of(row, angles))
        kind = self.rows[NAMES[row].qiskit].base_class
        return kind(*(linear_sum(angle, self.symbols) for angle in angles))
