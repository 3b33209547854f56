"""What is measured on a density matrix; `measurement` hands on to here."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from quilt_func._torch import as_seen_here, constant, matmul, remembered, unconjugated
from quilt_func.observables import Diagonal, Hermitian
from quilt_func.pauli import PauliSum
from quilt_func.typing import Observable


def populations(rho: Tensor) -> Tensor:
    """The diagonal: probabilities of basis states, `(2**n,)`."""
    return rho.diagonal().real


def expectation(rho: Tensor, observable: Observable) -> Tensor:
    """The trace of `O ρ`."""
    if isinstance(observable, PauliSum):
        return _of_words(rho, observable)
    if isinstance(observable, Diagonal):
        return (observable.values * populations(rho)).sum()
    if isinstance(observable, Hermitian):
        return _trace_of_product(observable.matrix, rho)
    return _trace(image(rho, observable))


def image(rho: Tensor, observable: Observable) -> Tensor:
    """The matrix `O ρ`, a column at a time."""
    found: Tensor = vmap(observable.apply, 1, 1)(unconjugated(rho))
    return found


def product_of_deviations(rho: Tensor, a: Observable, b: Observable) -> Tensor:
    """The real part of the trace of `(A - ⟨A⟩) (B - ⟨B⟩) ρ`."""
    rho = unconjugated(rho)
    after = _less(image(rho, b), rho)
    return _trace(_less(image(after, a), after, _trace(image(rho, a))))


def _less(found: Tensor, rho: Tensor, mean: Tensor | None = None) -> Tensor:
    return found - (_trace(found) if mean is None else mean) * rho


def _trace(matrix: Tensor) -> Tensor:
    return matrix.diagonal().real.sum()


def _trace_of_product(a: Tensor, b: Tensor) -> Tensor:
    a, b = unconjugated(a), unconjugated(b)
    return (a.real * b.real.mT - a.imag * b.imag.mT).sum()


def _of_words(rho: Tensor, observable: PauliSum) -> Tensor:
    """A Pauli word takes one entry of each row, with a sign: the trace needs no product.

    `P|b⟩ = i^n_Y (-1)^(z·b) |b ⊕ x⟩`, so that the trace of `P ρ` is the sum over `b` of the phase
    times `ρ[b, b ⊕ x]`.
    """
    coefficients = observable.coefficients
    real = rho.dtype.to_real()
    if isinstance(coefficients, tuple):
        coefficients = as_seen_here(constant(coefficients, real, rho.device))
    places, which, signs, turns = _tables(observable.words, real, rho.device)
    entries = unconjugated(rho).reshape(-1)[places]
    taken = torch.view_as_real(entries).movedim(-1, 0)  # (2, n_masks, 2**n)
    by_mask = (taken[:, which] * signs).sum(-1)  # (2, n_words)
    return matmul((by_mask * turns).sum(0), coefficients)


@remembered(64)
def _tables(words: tuple[str, ...], real: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    """Places in the flat matrix by X-mask, each word's mask, its signs, and its power of i."""
    masks, which, signs, turns = _numbers(words)
    return (
        constant(masks, torch.int64, device), constant(which, torch.int64, device),
        constant(signs, real, device), constant(turns, real, device),
    )  # fmt: skip


@lru_cache(maxsize=64)
def _numbers(words: tuple[str, ...]) -> tuple[Any, ...]:
    n = len(words[0])
    basis = np.arange(2**n)
    x = [sum(1 << n - 1 - i for i, c in enumerate(word) if c in "XY") for word in words]
    z = [sum(1 << n - 1 - i for i, c in enumerate(word) if c in "YZ") for word in words]
    masks = sorted(set(x))
    places = np.array([basis * 2**n + (basis ^ mask) for mask in masks])
    parities = np.array([[bin(b & mask).count("1") % 2 for b in basis.tolist()] for mask in z])
    phases = np.array([1j ** word.count("Y") for word in words]).round()
    turns = np.stack([phases.real, -phases.imag])  # the real part of a phase times an entry
    return places, np.array([masks.index(mask) for mask in x]), 1.0 - 2.0 * parities, turns
