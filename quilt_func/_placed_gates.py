"""Gates on wires, as texts and other libraries compose them, and powers by their matrix."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from quilt_func.derived import controlled, power, with_inverse
from quilt_func.gates import p, ry, u
from quilt_func.ops import Gate, Made, Matrix
from quilt_func.typing import WireSet


class Placed(NamedTuple):
    """A gate with its angles on wires."""

    gate: Gate
    angles: tuple[Any, ...]
    wires: WireSet


def _phase(angle: Tensor) -> Tensor:
    return torch.exp(1j * angle)[:, None, None]


PHASE = with_inverse(
    Gate("gphase", 0, 1, _phase, generator=np.array([[-2.0]]), tags=frozenset({"unitary"}))
)
"""`gphase`: a phase on no wires, which a control turns into `p`."""


def root(found: Sequence[Placed], exponent: float, name: str) -> list[Placed]:
    """The principal power of gates in a row whose angles are numbers, as one gate.

    Each eigenvalue's phase is in (-π, π], as in `quilt_func.power`; the phases of the gates count.
    """
    wires = tuple(sorted({wire for placed in found for wire in placed.wires}))
    matrix = _product(found, wires)
    if not wires:
        angle = float(np.angle(matrix[0, 0]))
        principal = math.pi if math.isclose(angle, -math.pi) else angle
        return [Placed(PHASE, (exponent * principal,), ())]
    gate = composed(name, len(wires), matrix.tobytes())
    return [Placed(power(gate, exponent), (), wires)]


@lru_cache(maxsize=1024)
def composed(name: str, n_wires: int, entries: bytes) -> Gate:
    """A constant gate of the bytes of its complex128 matrix: equal ones are the same gate."""
    row = Gate(
        name=name,
        n_wires=n_wires,
        n_params=0,
        matrix=np.frombuffer(entries, np.complex128).reshape(2**n_wires, -1),
        tags=frozenset({"unitary"}),
        symbol=(name,) * n_wires,
        doc=f"`{name}` by its matrix.",
        origin=Made(composed, (name, n_wires, entries)),
    )
    return with_inverse(row)


def _product(found: Sequence[Placed], wires: WireSet) -> Matrix:
    """The matrix of gates in a row; `wires[0]` is the most significant bit."""
    n = len(wires)
    total = np.eye(2**n, dtype=np.complex128).reshape((2,) * n + (2**n,))
    for placed in found:
        k, axes = len(placed.wires), [wires.index(wire) for wire in placed.wires]
        matrix = _matrix(placed.gate, placed.angles).reshape((2,) * (2 * k))
        moved = np.tensordot(matrix, total, (range(k, 2 * k), axes))
        total = np.moveaxis(moved, range(k), axes)
    return np.ascontiguousarray(total.reshape(2**n, 2**n))


def _matrix(gate: Gate, angles: tuple[float, ...]) -> Matrix:
    """By numpy, which no mode of torch changes; only `u` and its controls have no generator."""
    if not callable(gate.matrix):
        return gate.matrix
    if gate.generator is not None:
        values, vectors = np.linalg.eigh(gate.generator)
        matrix: Matrix = (vectors * np.exp(-0.5j * angles[0] * values)) @ vectors.conj().T
        return matrix
    if gate is u:
        theta, phi, lam = angles
        return _matrix(p, (phi,)) @ _matrix(ry, (theta,)) @ _matrix(p, (lam,))
    (base,) = gate.made_by(controlled)
    inner = _matrix(base, angles)
    return np.block([[np.eye(len(inner)), 0 * inner], [0 * inner, inner]])
