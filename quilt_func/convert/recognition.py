"""Channels that are given by Kraus operators, by the names that they have here.

References:
    Nielsen and Chuang (2010), sections 8.2 and 8.3.
"""

import math
from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch

from quilt_func._placed_gates import Placed
from quilt_func.convert.peers import imported
from quilt_func.convert.terms import little_endian
from quilt_func.gates import word_matrix
from quilt_func.noise import (
    Channel,
    amplitude_damping,
    bit_flip,
    bit_phase_flip,
    depolarizing,
    generalized_amplitude_damping,
    kraus_channel,
    pauli_channel,
    pauli_errors,
    phase_damping,
    phase_flip,
    two_qubit_depolarizing,
)
from quilt_func.ops import ROUNDING, Matrix
from quilt_func.typing import WireSet

SMALL = 16 * ROUNDING
"""What counts as nothing: other libraries' operators are roots of strengths."""


class Named(NamedTuple):
    """A channel and its strengths."""

    channel: Channel
    strengths: tuple[Any, ...]


def recognised(operators: Sequence[Matrix]) -> list[Named]:
    """Channels, one after the other, that are what some Kraus operators are; none for the identity.

    Mixtures of Pauli words and relaxation get their names, and strengths that are numbers. Others
    keep their operators, complex128.
    """
    size = len(operators[0])
    n_wires = size.bit_length() - 1
    words = ["".join(letters) for letters in product("IXYZ", repeat=n_wires)] if n_wires < 4 else []
    shares = _shares(operators, words)
    if shares is not None:
        return _mixture(n_wires, words, shares)
    if n_wires == 1:
        found = _relaxation(operators)
        if found is not None:
            return found
    tensor = torch.from_numpy(np.stack(operators).astype(np.complex128))
    return [Named(kraus_channel(len(operators), n_wires), (tensor,))]


def _shares(operators: Sequence[Matrix], words: Sequence[str]) -> list[float] | None:
    """Probabilities of Pauli words, or None if it is no mixture of them."""
    if not words:
        return None
    basis = np.stack([word_matrix(word).reshape(-1) for word in words])
    size = len(operators[0])
    rows = np.stack([np.asarray(one).reshape(-1) for one in operators])
    weights = rows @ basis.conj().T / size
    process = weights.T @ weights.conj()
    diagonal = process.diagonal().real
    if np.abs(process - np.diag(diagonal)).max() > SMALL:
        return None
    return [float(share) if share > SMALL else 0.0 for share in diagonal]


def _mixture(n_wires: int, words: Sequence[str], shares: Sequence[float]) -> list[Named]:
    errors = {word: share for word, share in zip(words, shares, strict=True) if share}
    errors.pop("I" * n_wires, None)
    if not errors:
        return []
    total = sum(errors.values())
    is_even = len(errors) == 4**n_wires - 1 and max(errors.values()) - min(errors.values()) < SMALL
    if is_even and n_wires < 3:
        return [Named(depolarizing if n_wires == 1 else two_qubit_depolarizing, (total,))]
    if n_wires == 1:
        flips = {"X": bit_flip, "Y": bit_phase_flip, "Z": phase_flip}
        if len(errors) == 1:
            return [Named(flips[next(iter(errors))], (total,))]
        return [Named(pauli_channel, tuple(errors.get(letter, 0.0) for letter in "XYZ"))]
    return [Named(pauli_errors(list(errors)), tuple(errors.values()))]


def _relaxation(operators: Sequence[Matrix]) -> list[Named] | None:
    """Populations that relax, and a coherence that shrinks by a real factor; or None."""
    found = np.sum([np.kron(one, one.conj()) for one in operators], axis=0)
    down, up, coherence = (float(found[i, j].real) for i, j in ((0, 3), (3, 0), (1, 1)))
    expected = np.diag([1 - up, coherence, coherence, 1 - down]).astype(np.complex128)
    expected[0, 3], expected[3, 0] = down, up
    gamma = down + up
    is_one = np.abs(found - expected).max() < SMALL and coherence >= 0
    if not is_one or gamma > 1 + SMALL or coherence**2 > 1 - gamma + SMALL:
        return None
    gamma = min(gamma, 1.0)
    parts: list[Named] = []
    if gamma > SMALL:
        is_cold = up <= SMALL
        strengths = (gamma,) if is_cold else (gamma, up / (down + up))
        parts.append(
            Named(amplitude_damping if is_cold else generalized_amplitude_damping, strengths)
        )
    rest = 1 - coherence**2 / (1 - gamma) if gamma < 1 else 0.0
    if rest > SMALL:
        parts.append(Named(phase_damping, (min(rest, 1.0),)))
    return parts if math.isfinite(rest) else None


def channel_ops(operators: Sequence[Matrix], wires: WireSet) -> list[Placed]:
    """The channels of some Kraus operators on wires."""
    return [Placed(one.channel, one.strengths, tuple(wires)) for one in recognised(operators)]


def little_endian_kraus(given: Any, n_wires: int) -> list[Matrix]:
    """Kraus operators of an object of Qiskit, the first wire the most significant bit."""
    info = imported("from_qiskit", "qiskit.quantum_info")
    data = info.Kraus(info.SuperOp(given)).data
    if isinstance(data, tuple):
        data = data[0]
    return [little_endian(one, n_wires) for one in data]
