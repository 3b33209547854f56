"""Counts of bit strings: made of samples, and read as expectation values."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    check_count,
    check_is,
    check_tensor,
    describe,
    message,
)
from quilt_func._torch import matmul
from quilt_func.observables import Diagonal
from quilt_func.pauli import PauliSum, SumLike, as_sum
from quilt_func.shots.grouping import LEAST
from quilt_func.shots.values import Estimate, root


def histogram(indices: Tensor, n_qubits: int) -> Tensor:
    """How often each basis state was measured: `counts` as a tensor.

    Args:
        indices (int64, (n_shots,)): Indices of basis states, as `sample` gives them.
        n_qubits: Number of bits.

    Returns:
        (int64, (2**n_qubits,)): Numbers, in the order of the basis states.

    Raises:
        TypeError: If the indices are not an int64 tensor.
        ValueError: If they have not one axis.

    Transforms:
        vmap.

    Examples:
        >>> histogram(torch.tensor([0, 3, 3]), 2)
        tensor([1, 0, 0, 2])
    """
    need, remedy = "be an int64 tensor", "Make them with `sample(state, u)`."
    check_tensor("histogram", "indices", indices, (torch.int64,), ("n",), remedy, need=need)
    check_count("histogram", "n_qubits", n_qubits)
    empty = torch.zeros(2**n_qubits, dtype=torch.int64, device=indices.device)
    return empty.index_add(0, indices, torch.ones_like(indices))


def expval_from_counts(
    counts: Mapping[str, int],
    observable: SumLike | Diagonal,
    *,
    dtype: torch.dtype = torch.float32,
) -> Estimate:
    """Expectation value of an observable of I and Z, from how often bit strings were measured.

    Args:
        counts: Number of occurrences by bit string, as of `counts`; wire 0 comes first.
        observable: Pauli sum of the letters I and Z, or a dict that `pauli_sum` would take; or a
            diagonal observable.
        dtype: Of the result, where coefficients are Python numbers.

    Returns:
        Estimate, (real, ()).

    Raises:
        TypeError: If counts are no mapping from strings to ints, or the observable is of another
            kind.
        ValueError: If strings are not of bits, or of another length than words, there are fewer
            than two shots, or a word has the letters X or Y.

    Transforms:
        grad, jvp, hessian, vmap, in the observable's leaves.

    Examples:
        >>> from quilt_func import pauli_sum
        >>> expval_from_counts({"00": 900, "01": 100}, pauli_sum({"IZ": 1.0, "ZI": 0.5}))
        Estimate(mean=tensor(1.3000), error=tensor(0.0190))
    """
    function = "expval_from_counts"
    remedy = "Make one with `diagonal` or `pauli_sum`."
    need = "be a diagonal observable or a Pauli sum"
    if not isinstance(observable, Diagonal):
        observable = as_sum(observable, _length_of(counts))
    check_is(function, "observable", observable, (PauliSum, Diagonal), need, remedy)
    if dtype not in COMPLEX_OF:
        remedy, got = "Choose torch.float32 or torch.float64.", f"{dtype}"
        raise TypeError(message(function, "dtype", dtype, "be real", got, remedy))
    strings = _checked_strings(counts, observable.n_qubits)
    values = _values_of(strings, observable, dtype)
    total = sum(counts.values())
    numbers = torch.tensor([float(counts[one]) for one in strings]).to(values)
    mean = matmul(numbers, values) / total
    spread = matmul(numbers, (values - mean).square()) / (total - 1)
    return Estimate(mean, root(spread / total))


def _length_of(counts: Any) -> int | None:
    """Length of the strings of counts, if they are some."""
    first = next(iter(counts), None) if isinstance(counts, Mapping) else None
    return len(first) if isinstance(first, str) else None


def _checked_strings(counts: object, n_qubits: int) -> list[str]:
    function, remedy = "expval_from_counts", "Give what `counts(indices, n_qubits)` does."
    check_is(function, "counts", counts, Mapping, "be a mapping", remedy)
    assert isinstance(counts, Mapping)

    def error(kind: type[Exception], need: str, got: str) -> Exception:
        return kind(message(function, "counts", counts, need, got, remedy))

    for string, number in counts.items():
        is_count = isinstance(number, int) and not isinstance(number, bool)
        if not isinstance(string, str) or not is_count:
            got = f"{describe(string)}: {describe(number)}"
            raise error(TypeError, "hold ints by bit string", got)
        if len(string) != n_qubits or set(string) - set("01"):
            raise error(ValueError, f"have strings of {n_qubits} bits", repr(string))
        if number < 0:
            raise error(ValueError, "not be negative", f"{number}")
    if sum(counts.values()) < LEAST:
        raise error(ValueError, "be of two shots or more", f"{sum(counts.values())}")
    return list(counts)


def _values_of(strings: list[str], observable: PauliSum | Diagonal, dtype: torch.dtype) -> Tensor:
    """The observable's value at each string."""
    if isinstance(observable, Diagonal):
        return observable.values[[int(string, 2) if string else 0 for string in strings]]
    off_diagonal = [word for word in observable.words if set(word) - set("IZ")]
    if off_diagonal:
        need, got = "have words of I and Z", repr(off_diagonal[0])
        remedy = "Measure after the gates of `measurement_groups`: `estimate` does."
        function = "expval_from_counts"
        raise ValueError(message(function, "observable", observable, need, got, remedy))
    given = observable.coefficients
    if isinstance(given, tuple):
        given = torch.tensor(given, dtype=dtype)
    signs = [[_sign(string, word) for word in observable.words] for string in strings]
    return matmul(torch.tensor(signs).to(given), given)


def _sign(string: str, word: str) -> float:
    """The value of a word of I and Z at a bit string."""
    ones = sum(bit == "1" and letter == "Z" for bit, letter in zip(string, word, strict=True))
    return 1.0 - 2.0 * (ones % 2)
