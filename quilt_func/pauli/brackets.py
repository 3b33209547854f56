"""Commutators and anticommutators of Pauli sums, as observables."""

from itertools import product
from typing import Any

from quilt_func._checks import common_dtype_and_device, kind_error, message, qubits
from quilt_func.pauli.entry import PauliSum, pauli_sum
from quilt_func.pauli.given import SumLike, as_sum
from quilt_func.pauli.products import merged, times, word_product


def commutator(a: SumLike, b: SumLike) -> PauliSum:
    """The observable i [A, B] = i (A B - B A), which is Hermitian.

    Args:
        a: Pauli sum, or a dict that `pauli_sum` would take.
        b: Likewise, of as many qubits.

    Returns:
        Pauli sum; of one word without a coefficient, `{"I…I": 0.0}`, if the two commute.

    Raises:
        TypeError: If one is no Pauli sum, or dtypes differ.
        ValueError: If they differ in the number of qubits.

    Transforms:
        vmap, grad, jvp, hessian, in the coefficients.

    Examples:
        >>> from quilt_func import pauli_sum
        >>> commutator(pauli_sum({"X": 1.0}), pauli_sum({"Y": 1.0}))
        PauliSum(-2 Z)

    References:
        Nielsen and Chuang (2010), section 2.1.9; d⟨B⟩/dt = ⟨i [A, B]⟩ where A is the Hamiltonian.
    """
    return _brackets("commutator", a, b, is_odd=True)


def anticommutator(a: SumLike, b: SumLike) -> PauliSum:
    """The observable {A, B} = A B + B A, which is Hermitian.

    Args:
        a: Pauli sum, or a dict that `pauli_sum` would take.
        b: Likewise, of as many qubits.

    Returns:
        Pauli sum; `{"I…I": 0.0}` if there is nothing left.

    Raises:
        TypeError: If one is no Pauli sum, or dtypes differ.
        ValueError: If they differ in the number of qubits.

    Transforms:
        vmap, grad, jvp, hessian, in the coefficients.

    Examples:
        >>> from quilt_func import pauli_sum
        >>> anticommutator(pauli_sum({"XX": 1.0}), pauli_sum({"YY": 0.5, "XI": 1.0}))
        PauliSum(-1 ZZ + 2 IX)

    References:
        Nielsen and Chuang (2010), section 2.1.9.
    """
    return _brackets("anticommutator", a, b, is_odd=False)


def _brackets(function: str, a: Any, b: Any, *, is_odd: bool) -> PauliSum:
    """Twice the part of A B whose powers of i are odd, times i, or of those that are even."""
    a, b = as_sum(a), as_sum(b)
    for name, one in (("a", a), ("b", b)):
        if not isinstance(one, PauliSum):
            remedy = "Make one with `pauli_sum`."
            raise kind_error(function, name, one, "be a Pauli sum", remedy)
    if a.n_qubits != b.n_qubits:
        need, got = f"act on {qubits(a.n_qubits)}, as `a` does", qubits(b.n_qubits)
        raise ValueError(message(function, "b", b, need, got, "Pad the shorter words with I."))
    common_dtype_and_device(function, [*a.leaves, *b.leaves])
    pairs = product(a.items(), b.items())
    found = ((word_product(left, right), times(x, y)) for (left, x), (right, y) in pairs)
    kept = (
        (word, times(2.0 if (power + is_odd) % 4 == 0 else -2.0, value))
        for (power, word), value in found
        if power % 2 == is_odd
    )
    return pauli_sum(merged(kept) or {"I" * a.n_qubits: 0.0}).simplify()
