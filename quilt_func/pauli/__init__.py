"""Sums of Pauli words: observables with real coefficients."""

from quilt_func.pauli.entry import PauliSum, expectations_at_once, pauli_sum

__all__ = [
    "PauliSum",
    "expectations_at_once",
    "pauli_sum",
]
