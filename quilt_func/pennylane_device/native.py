"""Which operations of PennyLane run as they are, and rows for gates that have no name here.

A gate of one angle that PennyLane gives a generator is a row by that generator, so that plans fuse
it and derivatives by its angle are ours.
"""

from collections.abc import Hashable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quilt_func._torch import constant, remembered
from quilt_func.convert import OF_PENNYLANE
from quilt_func.derived import with_inverse
from quilt_func.ops import Gate, Made, Matrix
from quilt_func.pennylane_device.library import qml

NAMED = frozenset(OF_PENNYLANE) | {
    "Identity", "GlobalPhase", "Rot", "U1", "U2", "MultiRZ", "PauliRot", "QubitUnitary",
}  # fmt: skip
"""Operations that are read by their names."""
GENERATED = frozenset({
    "SingleExcitation", "SingleExcitationPlus", "SingleExcitationMinus", "DoubleExcitation",
    "DoubleExcitationPlus", "DoubleExcitationMinus", "IsingXY", "FermionicSWAP",
    "OrbitalRotation", "CPhaseShift00", "CPhaseShift01", "CPhaseShift10", "PCPhase",
})  # fmt: skip
"""Operations that are rows by their generators."""
SILENT = frozenset({"Barrier", "WireCut", "Snapshot"})
"""Operations that do nothing to a state."""
MAX_MATRIX = 6
"""Wires of a gate that is given by its matrix, at most."""
MAX_CONTROLLED = 8
"""Wires of a controlled gate, at most: what is wider is decomposed."""
NO_MATRIX_WANTED = frozenset({"QFT", "GroverOperator", "IQP", "Select", "PrepSelPrep"})
"""Templates: their gates are faster than their matrices."""


def is_native(op: Any) -> bool:
    """Tell whether an operation runs as it is, and so is not decomposed."""
    name = op.name
    if name in SILENT or name in NAMED:
        return name != "QubitUnitary" or _is_small(op)
    if name in ("Projector", "MidMeasureMP", "MidMeasure"):
        return True
    if isinstance(op, qml.ops.Conditional):
        return is_native(op.base)
    if isinstance(op, qml.ops.Controlled):
        return len(op.wires) <= MAX_CONTROLLED and is_native(op.base)
    if isinstance(op, qml.ops.Adjoint):
        return _is_invertible(op.base)
    if name in GENERATED:
        return len(op.wires) <= MAX_MATRIX
    return is_constant(op) or (not op.has_decomposition and op.has_matrix and _is_small(op))


def _is_invertible(op: Any) -> bool:
    """Tell whether the reader inverts an operation by its row."""
    if isinstance(op, qml.ops.Controlled) and op.name not in NAMED:
        return len(op.wires) <= MAX_CONTROLLED and _is_invertible(op.base)
    is_row = op.name in NAMED - {"QubitUnitary"} or op.name in GENERATED or is_constant(op)
    return is_row and is_native(op)


def is_constant(op: Any) -> bool:
    """Tell whether a gate is a small constant matrix."""
    return (
        not op.num_params
        and isinstance(op, qml.operation.Operation)
        and op.name not in NO_MATRIX_WANTED
        and type(op).__module__.startswith("pennylane.ops.")
        and op.has_matrix
        and len(op.wires) <= 4
    )


def _is_small(op: Any) -> bool:
    return len(op.wires) <= MAX_MATRIX and not getattr(op, "is_sparse", False)


def is_native_to_densities(op: Any) -> bool:
    """The same, with channels."""
    if isinstance(op, qml.operation.Channel):
        return len(op.wires) <= 3
    return op.name == "QubitDensityMatrix" or is_native(op)


def generated_row(op: Any) -> Gate:
    """The row of an operation by its generator."""
    kind: Any = type(op)
    return _generated_row(op.name, len(op.wires), tuple(sorted(_facts(op).items())), kind)


def _facts(op: Any) -> dict[str, int]:
    """What the generator depends on beside the name."""
    return {"dim": int(op.hyperparameters["dimension"][0])} if op.name == "PCPhase" else {}


@lru_cache(maxsize=256)
def _generated_row(
    name: str, n_wires: int, facts: tuple[tuple[str, int], ...], kind: Hashable
) -> Gate:
    wires = [*range(n_wires)]
    make: Any = kind
    found = make(0.0, wires=wires, **dict(facts)).generator()
    if found.has_matrix:
        matrix = qml.matrix(found, wire_order=wires)
    else:
        matrix = found.sparse_matrix(wire_order=wires).toarray()
    entries = np.ascontiguousarray(-2 * np.asarray(matrix), np.complex128)
    return generated(name, n_wires, entries.tobytes())


@lru_cache(maxsize=256)
def generated(name: str, n_wires: int, entries: bytes) -> Gate:
    """The gate `exp(-i θ G / 2)` of the bytes of a generator G, complex128."""
    generator = np.frombuffer(entries, np.complex128).reshape(2**n_wires, -1)
    row = Gate(
        name=name,
        n_wires=n_wires,
        n_params=1,
        matrix=lambda theta: _exponential(entries, n_wires, theta),
        generator=generator,
        tags=frozenset({"unitary"}),
        symbol=(name,) * n_wires,
        doc=f"PennyLane's `{name}` by its generator.",
        origin=Made(generated, (name, n_wires, entries)),
    )
    return with_inverse(row)


def _exponential(entries: bytes, n_wires: int, theta: Tensor) -> Tensor:
    """Matrices `(m, K, K)` of angles `(m,)`."""
    dtype = theta.dtype.to_complex()
    values = _spectrum(entries, n_wires, 0, theta.dtype, theta.device)
    vectors = _spectrum(entries, n_wires, 1, dtype, theta.device)
    phases = torch.exp(-0.5j * theta[:, None] * values)
    return vectors * phases[:, None, :] @ vectors.mH


@remembered(256)
def _spectrum(
    entries: bytes, n_wires: int, part: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Eigenvalues, or eigenvectors, of a generator."""
    matrix: Matrix = np.frombuffer(entries, np.complex128).reshape(2**n_wires, -1)
    return constant(np.linalg.eigh(matrix)[part], dtype, device)
