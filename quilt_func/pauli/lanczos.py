"""Lanczos' method on plain tensors: a Hermitian map seen in the Krylov space of a start vector.

Vectors have batch axes in front. Every new vector is made orthogonal to all others, twice; one of
which nothing is left becomes 0, as do those after it, and its place in the spectrum is put above
all others. So a space that is exhausted early needs no branch.

References:
    Lanczos (1950), J. Res. Natl. Bur. Stand. 45, 255; Parlett (1998), The Symmetric Eigenvalue
    Problem, chapter 13.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from quilt_func._torch import matmul

_ROUNDING = 64
"""What counts as nothing, in units of rounding, beside the image that it is left of."""


class Krylov(NamedTuple):
    """Eigenvalues in a Krylov space, ascending, and what the eigenvectors are made of.

    Attributes:
        values (real, (..., m)): Eigenvalues.
        weights (real, (..., m, m)): Columns: eigenvectors in the basis.
        basis (complex, (..., m, N)): Orthonormal rows, or rows of 0.
        norm (real, (...)): Norm of the start vector.
    """

    values: Tensor
    weights: Tensor
    basis: Tensor
    norm: Tensor


def krylov(
    apply: Callable[[Tensor], Tensor], start: Tensor, n_steps: int, apart: Tensor | None = None
) -> Krylov:
    """Eigenvalues of a Hermitian map in the Krylov space of a vector.

    `apart` is a normalised eigenvector that the space is orthogonal to.
    """
    n_apart = 0 if apart is None else 1
    rows = start.new_zeros((*start.shape[:-1], n_apart + n_steps, start.shape[-1]))
    if apart is not None:
        rows[..., 0, :] = apart
        start = _without(start, rows[..., :1, :])
    norm = torch.linalg.vector_norm(start, dim=-1)
    vector = start / torch.where(norm > 0, norm, 1)[..., None]
    diagonal, beside, alive = [], [], [norm > 0]
    for step in range(n_steps):
        rows[..., n_apart + step, :] = vector
        image = apply(vector)
        diagonal.append(torch.linalg.vecdot(vector, image).real)
        if step + 1 < n_steps:
            rest = _without(image, rows[..., : n_apart + step + 1, :])
            size = torch.linalg.vector_norm(rest, dim=-1)
            least = (
                torch.linalg.vector_norm(image, dim=-1) * _ROUNDING * torch.finfo(size.dtype).eps
            )
            is_alive = size > least
            alive.append(is_alive)
            beside.append(torch.where(is_alive, size, 0))
            vector = rest * torch.where(is_alive, 1 / torch.where(is_alive, size, 1), 0)[..., None]
    table = _tridiagonal(diagonal, beside, alive)
    values, weights = torch.linalg.eigh(table)
    return Krylov(values, weights, rows[..., n_apart:, :], norm)


def _tridiagonal(diagonal: list[Tensor], beside: list[Tensor], alive: list[Tensor]) -> Tensor:
    middle, is_alive = torch.stack(diagonal, -1), torch.stack(alive, -1)
    side = torch.stack(beside, -1) if beside else middle[..., :0]
    above = middle.abs().amax(-1, keepdim=True) + 1
    if beside:
        above = above + 2 * side.amax(-1, keepdim=True)
    off = side.diag_embed(1)
    return torch.where(is_alive, middle, above).diag_embed() + off + off.mT


def _without(vector: Tensor, rows: Tensor) -> Tensor:
    """A vector less its part in the span of orthonormal rows; twice is enough (Parlett, 6.9)."""
    for _ in range(2):
        overlaps = matmul(rows, vector.conj_physical()[..., None]).conj_physical()
        vector = vector - matmul(overlaps.mT, rows)[..., 0, :]
    return vector


def lowest(apply: Callable[[Tensor], Tensor], start: Tensor, n_steps: int) -> tuple[Tensor, Tensor]:
    """The lowest eigenvalue of a Hermitian map, `(...)`, and its normalised eigenvector."""
    found = krylov(apply, start, n_steps)
    state = _combined(found, found.weights[..., 0])
    state = state / torch.linalg.vector_norm(state, dim=-1, keepdim=True)
    return torch.linalg.vecdot(state, apply(state)).real, state


def response(
    apply: Callable[[Tensor], Tensor], energy: Tensor, state: Tensor, force: Tensor, n_steps: int
) -> Tensor:
    """The vector -(H - E)⁻¹ b, orthogonal to the eigenvector of E, of the part of b that is."""
    found = krylov(apply, force, n_steps, state)
    parts = found.weights[..., 0, :] / (found.values - energy[..., None])
    return -found.norm[..., None] * _combined(
        found, matmul(found.weights, parts[..., None])[..., 0]
    )


def _combined(found: Krylov, weights: Tensor) -> Tensor:
    return matmul(weights.to(found.basis.dtype)[..., None, :], found.basis)[..., 0, :]
