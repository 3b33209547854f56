r"""Classical shadows: measure first, ask later.

Each shot measures each wire in the basis of X, Y or Z, at random. Of a Pauli word, a shot whose
bases are its letters where it has some tells $3^w$ times the product of its outcomes, $w$ being the
number of letters, and any other tells 0: on average that is the word's expectation value.

References:
    Huang, Kueng and Preskill (2020), Nature Physics 16, 1050, arXiv:2002.08953.
"""

from functools import lru_cache
from math import erf
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from quilt_func._checks import (
    COMPLEX_OF,
    REAL_OF,
    check_chunk_size,
    check_count,
    check_device,
    check_mixed,
    check_tensor,
    common_dtype_and_device,
    is_density,
    message,
    qubits,
    shape_error,
)
from quilt_func._model_checks import check_not_differentiated
from quilt_func._torch import constant, matmul, remembered
from quilt_func.circuits import circuit
from quilt_func.gates import unitary
from quilt_func.measurement import sample, to_bits
from quilt_func.noise import run_density
from quilt_func.pauli import PauliSum, SumLike
from quilt_func.shots.sums import Sums, are_several, check_sums, coefficient_table, ordered_words
from quilt_func.shots.values import Estimate, root

BASES = "XYZ"


class Shadow(NamedTuple):
    """What was measured, in random bases.

    Attributes:
        bases (int64, (n_shots, n)): Basis of each wire: 0 for X, 1 for Y, 2 for Z.
        bits (int64, (n_shots, n)): Outcome of each wire.

    Examples:
        >>> Shadow(torch.tensor([[2, 0]]), torch.tensor([[0, 1]])).bits
        tensor([[0, 1]])
    """

    bases: Tensor
    bits: Tensor


def shadow(state: Tensor, u: Tensor, *, chunk_size: int | None = None) -> Shadow:
    """Measure each wire of a state in a random basis, once for each shot.

    Cost: a run of `n` gates for each shot, all at once.

    Args:
        state (complex, (2**n,) or (2**n, 2**n)): Statevector, or density matrix.
        u (real, (n_shots, n + 1)): Uniform numbers in [0, 1), from `uniforms`: of each shot, one
            for the basis of each wire, and one for the outcome.
        chunk_size: Number of shots at once, which bounds memory; default: all.

    Returns:
        Bases and outcomes.

    Raises:
        TypeError: If the state is not complex or is being differentiated, `u` is not real, or
            devices differ.
        ValueError: If the state is not flat, or `u` is not of this shape.

    Transforms:
        vmap, over states and uniform numbers.

    Examples:
        >>> from quilt_func import uniforms, zero_state
        >>> found = shadow(zero_state(2), uniforms((1000, 3), 0))
        >>> found.bits[found.bases == 2].sum()  # measured as Z
        tensor(0)

    References:
        Huang, Kueng and Preskill (2020), Nature Physics 16, 1050.
    """
    n = check_mixed("shadow", state)
    remedy = "Draw them with `uniforms((n_shots, n + 1), seed)`."
    check_tensor("shadow", "u", u, COMPLEX_OF, ("n_shots", n + 1), remedy)
    check_device("shadow", state, u)
    check_not_differentiated("shadow", "state", state)
    if not len(u):
        raise shape_error("shadow", "u", u, "hold one shot or more", remedy)
    check_chunk_size("shadow", chunk_size)
    bases = (3 * u[:, :n]).floor().clamp(max=2).to(torch.int64)
    turns = _turns(state.dtype, state.device)

    def measured(basis: Tensor, number: Tensor) -> Tensor:
        turn = circuit(n, unitary(turns[basis], range(n)))
        return sample(run_density(turn, state) if is_density(state) else turn(state), number)

    return Shadow(bases, to_bits(vmap(measured, chunk_size=chunk_size)(bases, u[:, n]), n))


def shadow_estimate(
    shadow: Shadow, observable: Sums, *, n_groups: int = 1, dtype: torch.dtype = torch.float32
) -> Estimate:
    """Expectation value of any Pauli sum from a shadow: the mean, or a median of means.

    The variance of a shot's value is at most `shadow_variance_bound`. The median of the means of
    `K` groups of shots is off by more than two standard errors of one such mean with a probability
    of at most `exp(-K / 8)`, however the values are distributed.

    Args:
        shadow: Bases and outcomes, as of `shadow`.
        observable: A Pauli sum, or a dict that `pauli_sum` would take; or a sequence of `k` of
            them.
        n_groups: The number `K` of groups, odd; 1 for the mean.
        dtype: Of the result, where all coefficients are Python numbers.

    Returns:
        Estimate, (real, ()) or (real, (k,)). The mean is unbiased. A median of means is biased
        where few shots make a mean, and its error is that for means that are normally distributed.

    Raises:
        TypeError: If the shadow is not one of int64 tensors, the observable is no Pauli sum, or
            dtypes or devices differ.
        ValueError: If sizes differ, there are fewer than two shots, or `n_groups` is even or does
            not divide the number of shots.

    Transforms:
        vmap, over shadows and coefficients; grad, jvp, hessian, in coefficients.

    Examples:
        >>> from quilt_func import ghz_state, pauli_sum, uniforms
        >>> found = shadow(ghz_state(2), uniforms((9000, 3), 0))
        >>> shadow_estimate(found, [pauli_sum({"XX": 1.0}), pauli_sum({"ZZ": 1.0})], n_groups=9)
        Estimate(mean=tensor([0.9630, 0.9720]), error=tensor([0.0359, 0.0362]))

    References:
        Huang, Kueng and Preskill (2020), Nature Physics 16, 1050, theorem 1.
    """
    sums = check_sums("shadow_estimate", observable, _size_of(shadow))
    like = _checked(shadow, sums, dtype)
    words = ordered_words(sums)
    table = coefficient_table(sums, words, like)
    values = matmul(_word_values(shadow, words, like), table[:-1]) + table[-1]
    found = median_of_means("shadow_estimate", values, n_groups)
    return found if are_several(observable) else Estimate(*(one[0] for one in found))


def shadow_variance_bound(observable: SumLike, *, dtype: torch.dtype = torch.float32) -> Tensor:
    r"""The most that the variance of a shot's value of `shadow_estimate` can be, for any state.

    For one word of `w` letters it is `3**w`. For a sum it is $\sum |c_P c_Q| 3^{k}$ over pairs of
    words whose letters agree on the `k` wires where both have one; the word of I alone has none.

    Args:
        observable: A Pauli sum, or a dict that `pauli_sum` would take.
        dtype: Of the result, where coefficients are Python numbers.

    Returns:
        (real, ()): Bound, in squared units of the coefficients.

    Raises:
        TypeError: If the observable is no Pauli sum.

    Transforms:
        vmap, grad, jvp, hessian, in coefficients.

    Examples:
        >>> from quilt_func import pauli_sum
        >>> shadow_variance_bound(pauli_sum({"XXI": 1.0}))
        tensor(9.)
        >>> shadow_variance_bound(pauli_sum({"ZII": 1.0, "IZI": 1.0}))  # 3 + 3 + 2
        tensor(8.)

    References:
        Huang, Kueng and Preskill (2020), Nature Physics 16, 1050, supplementary section 5.
    """
    sums = check_sums("shadow_variance_bound", [observable])
    words = ordered_words(sums)
    like = _like("shadow_variance_bound", sums, dtype, torch.device("cpu"))
    sizes = coefficient_table(sums, words, like)[:-1, 0].abs()
    letters = np.array([[" XYZ".index(c) if c != "I" else 0 for c in word] for word in words])
    letters = letters.reshape(len(words), sums[0].n_qubits)
    both = (letters[:, None] > 0) & (letters > 0)
    agree = (~both | (letters[:, None] == letters)).all(-1)
    factors = torch.tensor(agree * 3.0 ** both.sum(-1)).to(sizes)
    return matmul(matmul(factors, sizes), sizes)


def median_of_means(function: str, values: Tensor, n_groups: int) -> Estimate:
    """The median `(k,)` of the means of groups of shots, of values `(n_shots, k)`."""
    n_shots = len(values)
    check_count(function, "n_groups", n_groups, 1)
    if n_groups % 2 == 0 or n_shots % n_groups:
        need, got = f"be odd and divide the {n_shots} shots", f"{n_groups}"
        remedy = "Give 1 for the mean, or another odd number and shots to fit."
        raise ValueError(message(function, "n_groups", n_groups, need, got, remedy))
    means = values.unflatten(0, (n_groups, -1)).mean(1)
    error = root(values.var(0) / n_shots) * _widening(n_groups)
    return Estimate(means.median(0).values, error)


def _like(
    function: str, sums: tuple[PauliSum, ...], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """A tensor of the dtype and device of coefficients, or if these are numbers, of others."""
    if dtype not in COMPLEX_OF:
        remedy, got = "Choose torch.float32 or torch.float64.", f"{dtype}"
        raise TypeError(message(function, "dtype", dtype, "be real", got, remedy))
    kind = common_dtype_and_device(function, [leaf for one in sums for leaf in one.leaves])
    return torch.empty(
        0, dtype=dtype if kind is None else kind[0], device=kind[1] if kind else device
    )


def _size_of(given: Any) -> int | None:
    """Number of qubits of a shadow, if it is one."""
    bits = getattr(given, "bits", None)
    return bits.shape[-1] if isinstance(bits, Tensor) and bits.ndim else None


def _checked(given: Shadow, sums: tuple[PauliSum, ...], dtype: torch.dtype) -> Tensor:
    """Check a shadow, and return a tensor of the dtype and device of what it estimates."""
    function, remedy = "shadow_estimate", "Make it with `shadow(state, u)`."
    if not isinstance(given, Shadow):
        need, got = "be a shadow", type(given).__name__
        raise TypeError(message(function, "shadow", given, need, got, remedy))
    for one in given:
        need = "hold int64 tensors"
        form = ("n_shots", "n")
        check_tensor(function, "shadow", one, (torch.int64,), form, remedy, need=need)
    if given.bits.shape != given.bases.shape or len(given.bits) < 2:
        need, got = "have two shots or more", f"shape {tuple(given.bits.shape)}"
        raise ValueError(message(function, "shadow", given.bits, need, got, remedy))
    n, own = sums[0].n_qubits, given.bits.shape[1]
    if n != own:
        need, fix = f"be on {qubits(own)}, as the shadow", "Give equal sizes."
        raise ValueError(message(function, "observable", sums[0], need, qubits(n), fix))
    like = _like(function, sums, dtype, given.bits.device)
    check_device(function, given.bits, like)
    return like


def _word_values(given: Shadow, words: tuple[str, ...], like: Tensor) -> Tensor:
    """What each shot tells of each word, `(n_shots, n_words)`."""
    n = given.bits.shape[1]
    wanted, letters, weights = _tables(words, n, like.dtype, like.device)
    bases = torch.arange(3, device=like.device)
    seen = (given.bases[..., None] == bases).to(like.dtype).flatten(1)  # (n_shots, 3 n)
    is_told = matmul(seen, wanted.mT) == weights
    parities = matmul(given.bits.to(like.dtype), letters.mT) % 2
    return torch.where(is_told, (1 - 2 * parities) * 3**weights, 0.0)


@remembered(256)
def _tables(
    words: tuple[str, ...], n: int, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Of each word: the bases that it needs, where it has letters, and how many."""
    wanted = np.array([[[c == basis for basis in BASES] for c in word] for word in words], float)
    wanted = wanted.reshape(len(words), n, 3)
    letters = wanted.sum(-1)
    return (
        constant(wanted.reshape(len(words), 3 * n), dtype, device),
        constant(letters, dtype, device),
        constant(letters.sum(-1), dtype, device),
    )


@remembered(16)
def _turns(dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrices `(3, 2, 2)` that turn X, Y and Z to Z."""
    hadamard = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    assert dtype in REAL_OF
    return constant(np.stack([hadamard, hadamard @ np.diag([1, -1j]), np.eye(2)]), dtype, device)


@lru_cache
def _widening(n_groups: int) -> float:
    """How many times as far as the mean of all the median of means spreads, if these are normal.

    The density of the middle one of `2 m + 1` normal numbers is a known product, whose second
    moment is summed here on a grid, on which the sum converges as fast as the density falls.
    """
    half = n_groups // 2
    x = np.linspace(-12.0, 12.0, 4801)
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    below = np.array([(1 + erf(float(one) / np.sqrt(2))) / 2 for one in x])
    middle = (4 * below * (1 - below).clip(0)) ** half * density
    weight = middle / middle.sum()
    return float(np.sqrt(n_groups * (weight * x**2).sum()))
