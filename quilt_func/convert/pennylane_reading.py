"""PennyLane's operations to gates on wires; angles stay the tensors that they are."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quilt_func._affine_angles import Affine
from quilt_func._checks import is_number
from quilt_func._placed_gates import Placed
from quilt_func.convert.formulas import scaled
from quilt_func.convert.names import CHANNELS_OF_PENNYLANE, OF_PENNYLANE
from quilt_func.convert.peers import is_a, refusal
from quilt_func.convert.recognition import channel_ops
from quilt_func.convert.terms import (
    CannotRaiseError,
    controlled,
    if_bits,
    inverted,
    measured,
    of_matrix,
    phase,
    placed,
    raised,
    reset_to_zero,
)
from quilt_func.gates import id as identity
from quilt_func.gates import p, pauli_rot, ry, rz, u, unitary_gate
from quilt_func.instruments import postselect
from quilt_func.noise import kraus_channel, pauli_errors, reset_channel
from quilt_func.ops import Op

NAME = "from_pennylane"
IGNORED = frozenset({"Barrier", "WireCut", "Snapshot"})


class Reader:
    """One pass over the operations of a tape."""

    def __init__(self, wires: Sequence[Any]) -> None:
        self.wires: Mapping[Any, int] = {wire: i for i, wire in enumerate(wires)}
        self.keys: dict[Any, str] = {}

    def operations(self, ops: Sequence[Any]) -> list[Placed]:
        """Gates, channels and instruments, with their phases."""
        return [one for op in ops for one in self.operation(op)]

    def operation(self, op: Any) -> list[Placed]:
        wires = tuple(self.wires[wire] for wire in op.wires)
        if op.name in IGNORED:
            return []
        self.check_single(op)
        if is_a(op, "MidMeasure", "MidMeasureMP"):
            return self.measurement(op, wires[0])
        if is_a(op, "Conditional"):
            return self.conditional(op)
        if is_a(op, "Channel"):
            return self.channel(op, wires)
        found = self.composed(op)
        if found is None:
            found = self.known(op, wires)
        return self.other(op, wires) if found is None else found

    def check_single(self, op: Any) -> None:
        """Refuse a batch."""
        if getattr(op, "batch_size", None) is not None:
            remedy = "Give one sample, and map over a batch with `torch.func.vmap`."
            raise refusal(NAME, "given", op, f"`{op.name}` of a batch", remedy)

    def parameters(self, op: Any) -> list[Any]:
        """What an operation's angles are read from."""
        return [*op.parameters]

    # --- what is made of others ---

    def composed(self, op: Any) -> list[Placed] | None:
        if op.name in OF_PENNYLANE:
            return None
        if is_a(op, "Controlled"):
            controls = tuple(self.wires[wire] for wire in op.control_wires)
            return controlled(self.operation(op.base), controls, [*map(int, op.control_values)])
        if is_a(op, "Adjoint"):
            return inverted(self.operation(op.base))
        if is_a(op, "Pow") and is_number(op.z):
            try:
                return raised(self.operation(op.base), float(op.z), op.base.name)
            except CannotRaiseError:
                return None
        if is_a(op, "Prod"):
            return self.operations([*reversed(op.operands)])
        return None

    def measurement(self, op: Any, wire: int) -> list[Placed]:
        key = self.keys[_mark(op)] = f"m{len(self.keys)}"
        found = [] if op.postselect is None else [
            Placed(postselect(wire, int(op.postselect)).gate, (), (wire,))
        ]  # fmt: skip
        return [*found, measured(wire, key), *([reset_to_zero(wire)] if op.reset else [])]

    def conditional(self, op: Any) -> list[Placed]:
        value = op.meas_val
        keys = [self.keys[_mark(one)] for one in value.measurements]
        n = len(keys)
        outcomes = [tuple(i >> (n - 1 - k) & 1 for k in range(n)) for i in range(2**n)]
        table = [int(bool(value.processing_fn(*bits))) for bits in outcomes]
        return if_bits(self.operation(op.base), keys, table)

    # --- what has a name ---

    def known(self, op: Any, wires: tuple[int, ...]) -> list[Placed] | None:
        if is_a(op, "Exp"):  # its number is complex; its decomposition has an angle
            return None
        name, angles = op.name, [_angle(param) for param in self.parameters(op)]
        if name == "Identity":
            return [placed(identity, (), (wire,)) for wire in wires]
        if name in OF_PENNYLANE:
            return [placed(OF_PENNYLANE[name], angles, wires)]
        if name == "GlobalPhase":
            return phase(-angles[0])
        if name in ("PauliRot", "MultiRZ"):
            word = op.hyperparameters.get("pauli_word") or "Z" * len(wires)
            return _rotation(angles[0], word, wires)
        if name == "Rot":
            rows = zip((rz, ry, rz), angles, strict=True)
            return [placed(row, [angle], wires) for row, angle in rows]
        if name == "U1":
            return [placed(p, angles, wires)]
        if name == "U2":
            return [placed(u, [math.pi / 2, *angles], wires)]
        if name == "QubitUnitary":
            return self.matrix(op, wires)
        return None

    def other(self, op: Any, wires: tuple[int, ...]) -> list[Placed]:
        """By its decomposition, or by its matrix."""
        if op.has_decomposition:
            return self.operations(op.decomposition())
        if op.has_matrix:
            return unitary_of(op.matrix(), wires)
        raise refusal(NAME, "given", op, f"`{op.name}`", "Write it as gates: `qml.decompose`.")

    def matrix(self, op: Any, wires: tuple[int, ...]) -> list[Placed]:
        """A `QubitUnitary`."""
        return unitary_of(op.parameters[0], wires)

    def channel(self, op: Any, wires: tuple[int, ...]) -> list[Placed]:
        strengths = [_angle(param) for param in self.parameters(op)]
        if op.name in CHANNELS_OF_PENNYLANE:
            row, ours = CHANNELS_OF_PENNYLANE[op.name]
            return [placed(row, ours(*strengths), wires)]
        if op.name == "PauliError":
            word = op.hyperparameters.get("operators", op.parameters[0])
            return [placed(pauli_errors([word]), strengths[-1:], wires)]
        if op.name == "ResetError" and is_number(strengths[1]) and strengths[1] == 0:
            return [placed(reset_channel, strengths[:1], wires)]
        operators = op.kraus_matrices()
        if any(isinstance(one, Tensor) for one in operators):
            stacked = torch.stack([torch.as_tensor(one) for one in operators])
            row = kraus_channel(len(operators), len(wires))
            return [Placed(row, (stacked,), wires)]
        return channel_ops([np.asarray(one) for one in operators], wires)


def _mark(measurement: Any) -> Any:
    return getattr(measurement, "meas_uid", None) or measurement.id


def _angle(given: Any) -> Any:
    """A tensor as it is; numbers of other kinds as floats."""
    if isinstance(given, Tensor | Affine):
        return given
    return float(given) if np.ndim(given) == 0 and not isinstance(given, str) else given


def _rotation(theta: Any, word: str, wires: tuple[int, ...]) -> list[Placed]:
    if not set(word) - {"I"}:
        return phase(scaled(theta, -0.5))
    is_symbol = isinstance(theta, Affine)
    found = pauli_rot(0.0 if is_symbol else theta, word, *wires)
    ops = [found] if isinstance(found, Op) else [*found]
    gates = [one for op in ops for one in _each(op)]
    return [one._replace(angles=(theta,)) if is_symbol and one.angles else one for one in gates]


def _each(op: Op) -> list[Placed]:
    """An op's gates one by one."""
    columns = [param if isinstance(param, float) else param.unbind(0) for param in op.params]
    return [
        Placed(op.gate, tuple(c if isinstance(c, float) else c[i] for c in columns), wires)
        for i, wires in enumerate(op.wires)
    ]


def unitary_of(matrix: Any, wires: tuple[int, ...]) -> list[Placed]:
    """A matrix that is a tensor stays one; another is a constant."""
    if isinstance(matrix, Tensor):
        return [Placed(unitary_gate(len(wires)), (matrix,), wires)]
    return of_matrix("unitary", np.asarray(matrix), wires)
