"""Sums of Pauli words: observables with real coefficients."""

from quilt_func.pauli.brackets import anticommutator, commutator
from quilt_func.pauli.entry import PauliSum, expectations_at_once, pauli_sum
from quilt_func.pauli.given import SumLike, as_sum
from quilt_func.pauli.ground_states import GroundState, ground_state
from quilt_func.pauli.values import word_image, word_overlaps, word_values

__all__ = [
    "GroundState",
    "PauliSum",
    "SumLike",
    "anticommutator",
    "as_sum",
    "commutator",
    "expectations_at_once",
    "ground_state",
    "pauli_sum",
    "word_image",
    "word_overlaps",
    "word_values",
]
