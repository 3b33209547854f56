"""Pauli sums as arguments: a dict of words stands for the sum that `pauli_sum` makes of it."""

from collections.abc import Mapping
from typing import TypeAlias, TypeVar

from quilt_func.pauli.entry import PauliSum, pauli_sum
from quilt_func.typing import PauliTerms

SumLike: TypeAlias = PauliSum | PauliTerms
"""A Pauli sum, or what `pauli_sum` makes one of: `{"ZII": 1.0}`, `{("ZX", (0, 2)): 1.0}`."""

Given = TypeVar("Given")


def as_sum(given: PauliTerms | Given, n_qubits: int | None = None) -> PauliSum | Given:
    """A Pauli sum in place of a dict; anything else as it is, for its caller to check.

    `n_qubits` is the size of what is measured, where that is known: words by wires need it.
    """
    return pauli_sum(given, n_qubits=n_qubits) if isinstance(given, Mapping) else given
