"""Circuits to PennyLane's operations: wire k is wire k, and angles stay tensors."""

from collections.abc import Callable
from functools import reduce
from operator import and_
from typing import Any

import torch
from torch import Tensor

from quilt_func.circuits import Circuit, check_circuit
from quilt_func.convert.names import NAMES
from quilt_func.convert.peers import imported
from quilt_func.convert.writing import (
    Controlled,
    Inverse,
    Matrices,
    Named,
    Word,
    form_of,
    refuse_gate,
)
from quilt_func.gates import unitary_gate
from quilt_func.instruments import Conditional, Instrument, Measurement, Reset
from quilt_func.noise import Channel
from quilt_func.ops import Op
from quilt_func.typing import WireSet

NAME = "to_pennylane"


def quantum_function(given: Any) -> Callable[..., None]:
    """A function that queues the operations of a circuit, or of what a function makes."""
    qml = imported(NAME, "pennylane")

    def queue(*args: Any, **kwargs: Any) -> None:
        found = given if isinstance(given, Circuit) else given(*args, **kwargs)
        check_circuit(NAME, "given", found)
        writer = _Writer(qml)
        for op in found.ops:
            for i, wires in enumerate(op.wires):
                angles = tuple(p if type(p) is float else p[i] for p in op.params)
                writer.apply(op, angles, wires)

    return queue


class _Writer:
    def __init__(self, qml: Any) -> None:
        self.qml = qml
        self.outcomes: dict[str, list[Any]] = {}

    def apply(self, op: Op, angles: tuple[Any, ...], wires: WireSet) -> None:
        gate = op.gate
        if isinstance(gate, Channel):
            self.channel(gate, angles, wires)
        elif isinstance(gate, Measurement):
            self.outcomes[gate.writes] = [self.qml.measure(wire) for wire in wires]
        elif isinstance(gate, Reset):
            self.qml.measure(wires[0], reset=True)
        elif isinstance(gate, Conditional) and not callable(gate.condition):
            self.conditional(gate, angles, wires)
        elif isinstance(gate, Instrument):
            remedy = "`measure`, `reset` and `conditional` on a value are written."
            raise refuse_gate(NAME, gate, f"the instrument {gate.name}", remedy)
        elif gate is unitary_gate(gate.n_wires):
            self.qml.QubitUnitary(angles[0], wires=[*wires])
        else:
            self.queue(form_of(NAME, gate, angles), wires)

    def conditional(self, gate: Conditional, angles: tuple[Any, ...], wires: WireSet) -> None:
        assert gate.base is not None
        outcomes = [one for key in gate.reads for one in self.outcomes[key]]
        value = gate.condition
        bits = value if isinstance(value, tuple) else tuple(
            int(bit) for bit in f"{value:0{len(outcomes)}b}"
        )  # fmt: skip
        holds = reduce(and_, [one == bit for one, bit in zip(outcomes, bits, strict=True)])
        form = form_of(NAME, gate.base, angles)
        self.qml.cond(holds, lambda: self.queue(form, wires))()

    def queue(self, form: Any, wires: WireSet) -> Any:
        """Apply a form."""
        qml = self.qml
        match form:
            case Named(row, angles):
                name = NAMES[row].pennylane
                if name.startswith("Adjoint("):
                    return qml.adjoint(getattr(qml, name[8:-1]))(wires=[*wires])
                return getattr(qml, name)(*angles, wires=[*wires])
            case Word(word, angle):
                return qml.PauliRot(angle, word, wires=[*wires])
            case Controlled(inner):
                return qml.ctrl(lambda: self.queue(inner, wires[1:]), control=wires[0])()
            case Inverse(inner):
                return qml.adjoint(lambda: self.queue(inner, wires))()
            case Matrices(matrix, _):
                return qml.QubitUnitary(matrix, wires=[*wires])
        raise AssertionError(form)

    def channel(self, gate: Channel, strengths: tuple[Any, ...], wires: WireSet) -> None:
        """By its Kraus operators, of whatever precision its strengths have."""
        if gate.kraus is None:
            raise refuse_gate(NAME, gate, f"the channel `{gate.name}`", "Give Kraus operators.")
        tensors = [one for one in strengths if isinstance(one, Tensor)]
        dtype = tensors[0].dtype if tensors else torch.float64
        given = [
            one[None] if isinstance(one, Tensor) else torch.tensor([one], dtype=dtype)
            for one in strengths
        ]
        operators: list[Any] = [*gate.kraus(*given)[0].unbind(0)]
        if not tensors:
            operators = [one.numpy() for one in operators]
        self.qml.QubitChannel(operators, wires=[*wires])
