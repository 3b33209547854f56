"""A tape's operations as runs of gates whose parameters are places in the tape's list of them.

Tapes of equal keys differ in parameters alone: they are read once.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from quilt_func._affine_angles import Affine
from quilt_func._placed_gates import PHASE, Placed
from quilt_func.convert import OF_PENNYLANE, Reader, Run, runs_of, unitary_of
from quilt_func.gates import linear_gate, unitary_gate
from quilt_func.noise import kraus_channel
from quilt_func.ops import Gate
from quilt_func.pennylane_device.library import qml
from quilt_func.pennylane_device.native import (
    GENERATED,
    NAMED,
    SILENT,
    generated_row,
    is_constant,
)
from quilt_func.typing import WireSet

Values = Sequence[Any]
PREPARATIONS = frozenset({"StatePrep", "BasisState", "QubitDensityMatrix"})
"""Preparations whose key is their size; others are read anew."""


class Slot(NamedTuple):
    """A tensor that is computed from parameters, such as a matrix.

    Attributes:
        places: Places of these.
        make: The function from their values to the tensor.
        ndim: Axes of that of one sample.
    """

    places: tuple[int, ...]
    make: Callable[[Values], Any]
    ndim: int = 2


class Traced(NamedTuple):
    """What a tape's operations are.

    Attributes:
        runs: Equal gates in a row, with `Affine`s for angles and `Slot`s for matrices.
        phases: Angles of global phases.
        start: The state or density matrix before, or None.
        is_projecting: Whether the state is projected, and so has another norm.
    """

    runs: tuple[Run, ...]
    phases: tuple[Any, ...]
    start: Slot | None
    is_projecting: bool


Outcomes = Mapping[Any, str]
"""Keys of measurements in the middle, by their marks."""


def outcomes_of(ops: Sequence[Any]) -> Outcomes:
    """What the reader keeps the outcomes of each measurement in the middle under."""
    middle = [op for op in ops if isinstance(op, qml.ops.MidMeasure)]
    return {mark(op): f"m{i}" for i, op in enumerate(middle)}


def mark(measurement: Any) -> Any:
    """What tells a measurement in the middle from others."""
    return getattr(measurement, "meas_uid", None) or measurement.id


def values_of(outcome: Any) -> list[Any]:
    """A value that is made of outcomes, at all of them."""
    n = len(outcome.measurements)
    bits = (tuple(i >> (n - 1 - k) & 1 for k in range(n)) for i in range(2**n))
    return [outcome.processing_fn(*own) for own in bits]


def key_of(op: Any, places: Mapping[Any, int], outcomes: Outcomes) -> Any:
    """What an operation is apart from its parameters; something unequal to all if unknown."""
    name = op.name
    if name in OF_PENNYLANE:
        return name, tuple([places[wire] for wire in op.wires])
    if name in SILENT:
        return name
    wires = tuple([places[wire] for wire in op.wires])
    if name == "PauliRot":
        return name, wires, op.hyperparameters["pauli_word"]
    if name == "PCPhase":
        return name, wires, op.hyperparameters["dimension"]
    if name in NAMED or name in GENERATED or name in PREPARATIONS or name in _CHANNELS:
        return name, wires, np.shape(op.data[0]) if name in _SIZED else None
    if isinstance(op, qml.ops.Controlled):
        return name, wires, tuple(op.control_values), key_of(op.base, places, outcomes)
    if isinstance(op, qml.ops.Adjoint):
        return name, key_of(op.base, places, outcomes)
    if isinstance(op, qml.ops.MidMeasure):
        return name, wires, op.postselect, op.reset
    if isinstance(op, qml.ops.Conditional):
        read = tuple([outcomes[mark(one)] for one in op.meas_val.measurements])
        table = tuple(map(bool, values_of(op.meas_val)))
        return name, read, table, key_of(op.base, places, outcomes)
    return (name, wires) if is_constant(op) and not op.hyperparameters else object()


_CHANNELS = frozenset({
    "BitFlip", "PhaseFlip", "DepolarizingChannel", "AmplitudeDamping", "PhaseDamping",
    "GeneralizedAmplitudeDamping", "ThermalRelaxationError", "ResetError",
})  # fmt: skip
_SIZED = PREPARATIONS | {"QubitUnitary"}


def traced(ops: Sequence[Any], wires: Sequence[Any]) -> Traced:
    """Read operations on wires, the first of them wire 0."""
    tracer = Tracer(wires)
    start, first = None, 0
    if ops and is_preparation(ops[0]):
        start, first = tracer.preparation(ops[0]), 1
    placed: list[Placed] = []
    for op in ops[first:]:
        tracer.give_places(op)
        placed += tracer.operation(op)
    phases = tuple(one.angles[0] for one in placed if one.gate is PHASE)
    return Traced(tuple(runs_of(placed)), phases, start, tracer.is_projecting)


def is_preparation(op: Any) -> bool:
    """Tell whether an operation is a state to start from."""
    return op.name == "QubitDensityMatrix" or isinstance(op, qml.operation.StatePrepBase)


class Tracer(Reader):
    """Reads operations whose parameters are places."""

    def __init__(self, wires: Sequence[Any]) -> None:
        super().__init__(wires)
        self.order = tuple(wires)
        self.n_places = 0
        self.symbols: dict[int, list[Affine]] = {}
        self.is_projecting = False

    def give_places(self, op: Any) -> None:
        """Name the next parameters as those of an operation."""
        first, self.n_places = self.n_places, self.n_places + len(op.data)
        self.symbols[id(op)] = [Affine(((place, 1.0),)) for place in range(first, self.n_places)]

    def slot(self, op: Any, make: Callable[[Values], Any], ndim: int = 2) -> Slot:
        """A tensor of all parameters of an operation."""
        return Slot(tuple(one.terms[0][0] for one in self.symbols[id(op)]), make, ndim)

    def preparation(self, op: Any) -> Slot:
        """The state, or density matrix, that an operation prepares."""
        self.give_places(op)
        order = qml.wires.Wires(self.order)
        if op.name == "QubitDensityMatrix":
            return self.slot(op, lambda values: _density(op, values[0], self.order))
        if isinstance(op, qml.BasisState):
            own = [self.wires[wire] for wire in op.wires]
            return self.slot(op, lambda values: _basis_state(values[0], own, len(order)), 1)
        if type(op) is qml.StatePrep and not op.is_sparse:
            own = [self.wires[wire] for wire in op.wires]
            return self.slot(op, lambda values: _among(values[0], own, len(order)), 1)
        return self.slot(op, lambda values: _flat(_bound(op, values), order), 1)

    # --- what the reader asks ---

    def check_single(self, op: Any) -> None:
        """Batches are no matter here."""

    def parameters(self, op: Any) -> list[Any]:
        return list(self.symbols.get(id(op)) or op.parameters)

    def composed(self, op: Any) -> list[Placed] | None:
        symbols = self.symbols.get(id(op))
        base = getattr(op, "base", None)
        if base is not None and symbols is not None:
            self.symbols[id(base)] = symbols
        return super().composed(op)

    def conditional(self, op: Any) -> list[Placed]:
        self.symbols[id(op.base)] = self.symbols[id(op)]
        return super().conditional(op)

    def known(self, op: Any, wires: tuple[int, ...]) -> list[Placed] | None:
        if op.name == "Projector":
            self.is_projecting = True
            return self._projection(op, wires)
        found = super().known(op, wires)
        if found is None and op.name in GENERATED:
            return [Placed(generated_row(op), tuple(self.parameters(op)), wires)]
        if found is None and (op.num_params or not is_constant(op)):
            return self._by_matrix(unitary_gate(len(wires)), op, wires)
        return found

    def other(self, op: Any, wires: tuple[int, ...]) -> list[Placed]:
        return unitary_of(op.matrix(), wires)

    def matrix(self, op: Any, wires: tuple[int, ...]) -> list[Placed]:
        return [Placed(unitary_gate(len(wires)), (self.slot(op, lambda values: values[0]),), wires)]

    def channel(self, op: Any, wires: tuple[int, ...]) -> list[Placed]:
        is_named = op.name in _CHANNELS and op.name != "ResetError"
        if is_named or op.name == "PauliError":
            return super().channel(op, wires)
        count = len(op.kraus_matrices())
        slot = self.slot(op, lambda values: _kraus(op, values), 3)
        return [Placed(kraus_channel(count, len(wires)), (slot,), wires)]

    def _by_matrix(self, row: Gate, op: Any, wires: WireSet) -> list[Placed]:
        return [Placed(row, (self.slot(op, lambda values: _bound(op, values).matrix()),), wires)]

    def _projection(self, op: Any, wires: WireSet) -> list[Placed]:
        return self._by_matrix(linear_gate(len(wires)), op, wires)


def _bound(op: Any, values: Values) -> Any:
    """An operation with other parameters."""
    with qml.QueuingManager.stop_recording():
        return qml.ops.functions.bind_new_parameters(op, [*values])


def _kraus(op: Any, values: Values) -> Any:
    """Kraus operators, stacked."""
    if op.name == "QubitChannel":
        return qml.math.stack([*values], like="torch")
    return qml.math.stack(_bound(op, values).kraus_matrices())


def _flat(op: Any, order: Any) -> Any:
    """A prepared state `(2**n,)`, or a batch of them."""
    found = op.state_vector(wire_order=order)
    if hasattr(found, "toarray"):
        found = found.toarray()
    return found.reshape((-1, 2 ** len(order)) if op.batch_size else (2 ** len(order),))


def _basis_state(bits: Any, own: Sequence[int], n_qubits: int) -> Tensor:
    """A basis state of bits `(k,)`, or a batch of them."""
    weights = torch.tensor([2 ** (n_qubits - 1 - wire) for wire in own])
    places = (torch.as_tensor(bits).to(torch.int64) * weights).sum(-1)
    return torch.nn.functional.one_hot(places, 2**n_qubits)


def _among(vector: Any, own: Sequence[int], n_qubits: int) -> Tensor:
    """A state `(..., 2**k)` of some wires, beside which all others are |0⟩."""
    found = torch.as_tensor(vector)
    lead, rest = found.shape[:-1], [wire for wire in range(n_qubits) if wire not in own]
    for _ in rest:
        found = torch.stack([found, torch.zeros_like(found)], -1).flatten(-2)
    current = [*own, *rest]
    axes = [*range(len(lead)), *(len(lead) + current.index(wire) for wire in range(n_qubits))]
    return found.reshape(*lead, *(2,) * n_qubits).permute(axes).reshape(*lead, -1)


def _density(op: Any, rho: Any, order: Sequence[Any]) -> Tensor:
    """A density matrix of some wires, beside which all others are |0⟩."""
    found = torch.as_tensor(rho)
    rest = [wire for wire in order if wire not in op.wires]
    for _ in rest:
        zero = torch.zeros_like(found)
        top = torch.stack([found, zero], -1).flatten(-2)
        found = torch.stack([top, torch.zeros_like(top)], -2).flatten(-3, -2)
    current, n = [*op.wires, *rest], len(order)
    axes = [current.index(wire) for wire in order]
    shaped = found.reshape(*found.shape[:-2], *(2,) * (2 * n))
    lead = len(found.shape) - 2
    axes = [*range(lead), *(lead + a for a in axes), *(lead + n + a for a in axes)]
    return shaped.permute(axes).reshape(found.shape)
