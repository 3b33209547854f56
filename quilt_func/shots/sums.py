"""Pauli sums as arguments: checked, listed, and as one table of coefficients."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from quilt_func._checks import check_is, message, qubits
from quilt_func._torch import as_seen_here, constant
from quilt_func.pauli import PauliSum, SumLike, as_sum

Sums: TypeAlias = SumLike | Sequence[SumLike]
"""A Pauli sum or a dict in its place, or several, which are measured together."""


def check_sums(function: str, observable: Any, n_qubits: int | None = None) -> tuple[PauliSum, ...]:
    """Check that a value is a Pauli sum or some of one size, and list them.

    Dicts become sums, on `n_qubits` where that is known.
    """
    sums = tuple(as_sum(one, n_qubits) for one in listed(observable))
    if not sums:
        remedy = "Give at least one Pauli sum."
        raise ValueError(
            message(function, "observable", observable, "not be empty", "none", remedy)
        )
    for one in sums:
        remedy = "Make one with `pauli_sum`; a diagonal becomes one by `from_diagonal`."
        check_is(function, "observable", one, PauliSum, "be a Pauli sum", remedy)
        if one.n_qubits != sums[0].n_qubits:
            need, got = f"be on {qubits(sums[0].n_qubits)}, as the first", qubits(one.n_qubits)
            remedy = "Pad the shorter words with I."
            raise ValueError(message(function, "observable", one, need, got, remedy))
    return sums


def listed(observable: Any) -> tuple[Any, ...]:
    """The members of a sequence, or the one thing that it is instead."""
    return tuple(observable) if are_several(observable) else (observable,)


def are_several(observable: Any) -> bool:
    """Tell a sequence of observables from one."""
    return isinstance(observable, (list, tuple))


def ordered_words(sums: Sequence[PauliSum]) -> tuple[str, ...]:
    """Each word once, but not that of I alone, the largest first where sizes are known."""
    sizes: dict[str, float] = {}
    for one in sums:
        known = one.coefficients if isinstance(one.coefficients, tuple) else ()
        for place, word in enumerate(one.words):
            size = abs(known[place]) if known else 0.0
            sizes[word] = sizes.get(word, 0.0) + size
    sizes.pop("I" * sums[0].n_qubits, None)
    return tuple(sorted(sizes, key=lambda word: -sizes[word]))


def coefficient_table(sums: Sequence[PauliSum], words: Sequence[str], like: Tensor) -> Tensor:
    """Coefficients of each sum as a column: rows for some words, then one for that of I alone.

    `like` has the dtype and device of all.
    """
    places = {word: place for place, word in enumerate([*words, "I" * sums[0].n_qubits])}
    columns = []
    for one in sums:
        own = torch.tensor([places[word] for word in one.words], device=like.device)
        given = one.coefficients
        if isinstance(given, tuple):
            given = as_seen_here(constant(given, like.dtype, like.device))
        empty = torch.zeros(len(places), dtype=like.dtype, device=like.device)
        columns.append(empty.index_add(0, own, given))
    return torch.stack(columns, -1)
