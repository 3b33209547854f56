"""Gram matrices that shots or noise have made indefinite, turned positive again."""

import torch
from torch import Tensor

from quilt_func._checks import COMPLEX_OF, check_count, check_tensor, message
from quilt_func._torch import own_precision

_METHODS = "clip", "flip", "shift", "correlation"


def repaired(gram: Tensor, method: str = "clip", *, n_steps: int = 100) -> Tensor:
    r"""A positive semidefinite matrix near a symmetric one, as solvers such as SVC's ask for.

    - `"clip"`: negative eigenvalues become 0: the nearest positive matrix in Frobenius norm;
    - `"flip"`: they become their absolute values;
    - `"shift"`: the least is subtracted from all, if it is negative: changes the diagonal alone;
    - `"correlation"`: the nearest positive matrix with ones on its diagonal, by `n_steps`
      alternating projections, of which the last one leaves it positive, and the diagonal 1 as
      nearly as steps have come.

    Exact kernels are positive but for rounding, and need none of this.

    Args:
        gram (real, (n, n)): Gram matrix; of an unsymmetric one the symmetric half is taken.
        method: One of these names.
        n_steps: Number of projections, for `"correlation"`.

    Returns:
        (real, (n, n)): Symmetric matrix without negative eigenvalues, to rounding.

    Raises:
        TypeError: If `gram` is not a real tensor, or `n_steps` not an int.
        ValueError: If it is not square, the name is unknown, or `n_steps` is below 1.

    Transforms:
        vmap; grad, jvp where eigenvalues differ from one another, as of `torch.linalg.eigh`: NaN
        where they do not.

    Examples:
        >>> gram = torch.tensor([[1.0, 2.0], [2.0, 1.0]])  # eigenvalues -1 and 3
        >>> repaired(gram), repaired(gram, "shift")
        (tensor([[1.5000, 1.5000],
                [1.5000, 1.5000]]), tensor([[2., 2.],
                [2., 2.]]))

    References:
        Higham (1988), Linear Algebra Appl. 103, 103, for the nearest matrix; Higham (2002), IMA J.
        Numer. Anal. 22, 329, algorithm 3.3, for ones on the diagonal; Wu, Chang and Zhang (2005),
        for flips and shifts.
    """
    remedy = "Give a square Gram matrix, as `fidelity_gram` does."
    check_tensor("repaired", "gram", gram, tuple(COMPLEX_OF), ("n", "n"), remedy)
    check_count("repaired", "n_steps", n_steps, minimum=1)
    if method not in _METHODS:
        remedy = f"Choose one of {', '.join(_METHODS)}."
        raise ValueError(
            message("repaired", "method", method, "be a known name", repr(method), remedy)
        )
    even = (gram + gram.mT) / 2
    with own_precision(gram.device):
        return _nearest_correlation(even, n_steps) if method == _METHODS[3] else _by(even, method)


def _by(even: Tensor, method: str) -> Tensor:
    values, vectors = torch.linalg.eigh(even)
    if method == "shift":
        size = torch.eye(even.shape[0], dtype=even.dtype, device=even.device)
        moved: Tensor = even - values.amin().clamp(max=0) * size
        return moved
    mended = values.abs() if method == "flip" else values.clamp(min=0)
    found: Tensor = (vectors * mended) @ vectors.mT
    return 0.5 * found + 0.5 * found.mT


def _nearest_correlation(even: Tensor, n_steps: int) -> Tensor:
    """Dykstra's correction of the projections to positive matrices and to ones on the diagonal."""
    found, correction = even, torch.zeros_like(even)
    positive = even
    for _ in range(n_steps):
        before = found - correction
        positive = _by(before, "clip")
        correction = positive - before
        found = positive - torch.diag(positive.diagonal() - 1)
    return positive
