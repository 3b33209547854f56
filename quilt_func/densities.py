"""Density matrices: what two of them, or parts of one, have in common.

A density matrix of `n` qubits is `(2**n, 2**n)`; wire 0 is the most significant bit.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from quilt_func._amplitudes import axes_of
from quilt_func._checks import (
    check_mixed,
    check_wires,
    common_dtype_and_device,
    is_density,
    message,
)
from quilt_func._torch import adjoint, unconjugated
from quilt_func.typing import WireSet

ROUNDING = 8
"""Eigenvalues up to so many units in the last place of the largest count as 0."""


def trace_distance(a: Tensor, b: Tensor) -> Tensor:
    """Half the trace norm of a difference: how well two states can be told apart.

    Args:
        a (complex, (2**n,) or (2**n, 2**n)): Normalised statevector, or density matrix.
        b (complex, (2**n,) or (2**n, 2**n)): The other.

    Returns:
        (real, ()): Distance in [0, 1].

    Raises:
        TypeError: If one is not a complex tensor, or dtypes or devices differ.
        ValueError: If sizes differ.

    Transforms:
        vmap, grad, jvp, where no eigenvalue of the difference is zero.

    Examples:
        >>> from quilt_func import basis_state
        >>> trace_distance(basis_state("0"), basis_state("1"))
        tensor(1.)

    References:
        Nielsen and Chuang (2010), section 9.2.1.
    """
    _check_pair("trace_distance", a, b)
    first, second = (one if is_density(one) else _of_state(one) for one in (a, b))
    return eigenvalues(first - second).abs().sum() / 2


def mutual_information(rho: Tensor, a: Sequence[int], b: Sequence[int]) -> Tensor:
    """Quantum mutual information S(A) + S(B) - S(AB) of two sets of wires, in nats.

    Args:
        rho (complex, (2**n, 2**n) or (2**n,)): Density matrix, or normalised statevector.
        a: Distinct wires.
        b: Other distinct wires.

    Returns:
        (real, ()): Mutual information, 0 for a product of two states.

    Raises:
        TypeError: If `rho` is not a complex tensor or a wire is not an int.
        ValueError: If wires repeat, are in both sets, or are out of range.

    Transforms:
        vmap, grad, jvp, as for `entropy`.

    Examples:
        >>> from quilt_func import ghz_state
        >>> mutual_information(ghz_state(2), [0], [1])
        tensor(1.3863)

    References:
        Nielsen and Chuang (2010), section 11.3.4.
    """
    n = check_mixed("mutual_information", rho, "rho")
    first, second = (
        check_wires("mutual_information", wires, n, name) for name, wires in (("a", a), ("b", b))
    )
    both = set(first) & set(second)
    if both:
        remedy = "Give each wire to one of them."
        got = f"{sorted(both)} in both"
        need = "be other wires than `a`"
        raise ValueError(message("mutual_information", "b", b, need, got, remedy))
    parts = (partial_trace(rho, wires) for wires in (first, second, first + second))
    of_a, of_b, of_both = (entropy_of(part) for part in parts)
    return of_a + of_b - of_both


def entropy_of(rho: Tensor) -> Tensor:
    """-tr(ρ ln ρ); see `quilt_func.entropy`."""
    values = eigenvalues(rho)
    least = ROUNDING * torch.finfo(values.dtype).eps * values.amax()
    values = torch.where(values > least, values, values.detach())  # zeros, up to rounding, stay so
    values = values.clamp(min=torch.finfo(values.dtype).tiny)
    total: Tensor = torch.special.entr(values).sum()
    return total


def eigenvalues(matrix: Tensor) -> Tensor:
    """Eigenvalues of a Hermitian matrix, found in double precision.

    LAPACK's routine of single precision (MKL's, at least) gives NaN for one in fifty density
    matrices of six qubits and low rank.
    """
    found: Tensor = torch.linalg.eigvalsh(matrix.to(torch.complex128))
    return found.to(matrix.dtype.to_real())


def partial_trace(rho: Tensor, kept: WireSet) -> Tensor:
    """The density matrix `(2**k, 2**k)` of some wires of a density matrix or statevector."""
    size = 2 ** len(kept)
    shape, axes = axes_of(rho.shape[0].bit_length() - 1, kept)
    first = list(range(len(kept)))
    if not is_density(rho):
        matrix = rho.reshape(shape).movedim(axes, first).reshape(size, -1)
        return matrix @ adjoint(matrix)
    rows = rho.reshape(*shape, -1).movedim(axes, first).reshape(size, -1, rho.shape[1])
    own, front = [2 + axis for axis in axes], [2 + axis for axis in first]
    columns = rows.reshape(size, -1, *shape).movedim(own, front)
    both = columns.reshape(size, rows.shape[1], size, -1)
    return both.diagonal(dim1=1, dim2=3).sum(-1)


def fidelity_of_densities(a: Tensor, b: Tensor) -> Tensor:
    """Uhlmann's fidelity `(tr |sqrt(ρ) sqrt(σ)|)²`, of which either may be a statevector.

    With the roots of both, an eigenvalue's rounding stays what it is, where `sqrt(ρ) σ sqrt(ρ)`
    would hand it on as its root.
    """
    _check_pair("fidelity", a, b)
    if not is_density(b):
        a, b = b, a
    if not is_density(a):
        a, image = unconjugated(a), b @ a
        return (a.real * image.real + a.imag * image.imag).sum()
    own = ROUNDING * torch.finfo(a.dtype).eps
    first, second = (root(unconjugated(rho).to(torch.complex128), own) for rho in (a, b))
    product = first @ second
    middle = root(product @ adjoint(product), ROUNDING * torch.finfo(torch.float64).eps)
    slope = middle.diagonal().real.sum()
    value = torch.linalg.svdvals(product.detach()).sum()  # of squares small ones would be lost
    total: Tensor = value + (slope - slope.detach())
    return total.square().to(a.dtype.to_real())


def _check_pair(function: str, a: Tensor, b: Tensor) -> None:
    """Check two statevectors or density matrices of one size."""
    check_mixed(function, b, "b", check_mixed(function, a, "a"))
    common_dtype_and_device(function, (a, b))


def _of_state(state: Tensor) -> Tensor:
    column = unconjugated(state)[:, None]
    return column @ adjoint(column)


def root(rho: Tensor, rounding: float) -> Tensor:
    """The positive square root, whose derivatives hold where eigenvalues are equal, too.

    The root itself comes from eigenvectors, which are held fixed; Newton's step for `S² = ρ` leaves
    it where it is, and has its derivative. Two steps have the second derivative as well.

    Args:
        rho (complex128, (N, N)): Positive matrix.
        rounding: Part of the largest eigenvalue up to which others count as 0. Their roots would be
            far larger than the rounding that they come from.

    References:
        Higham (2008), Functions of Matrices, section 6.3, for Newton's iteration.
    """
    values, vectors = torch.linalg.eigh(rho.detach())
    roots = torch.where(values > rounding * values.amax(), values, 0.0).sqrt()
    sums = roots[:, None] + roots[None, :]
    is_zero = sums == 0
    inverse = torch.where(is_zero, 0.0, 1 / torch.where(is_zero, 1.0, sums))
    found: Tensor = vectors * roots @ vectors.mH
    for _ in range(2):
        rest = vectors.mH @ (rho - found @ found) @ vectors
        found = found + vectors @ (rest * inverse) @ vectors.mH
    return found
