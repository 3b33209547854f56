"""Gram matrices that shots or noise have made indefinite, turned positive again."""

import torch
from torch import Tensor

from quilt_func._checks import COMPLEX_OF, check_count, check_tensor, message
from quilt_func._torch import own_precision

_METHODS = "clip", "flip", "shift", "correlation"


def repaired(
    gram: Tensor, method: str = "clip", *, train: Tensor | None = None, n_steps: int = 100
) -> Tensor:
    r"""A positive semidefinite matrix near a symmetric one, as solvers such as SVC's ask for.

    - `"clip"`: negative eigenvalues become 0: the nearest positive matrix in Frobenius norm;
    - `"flip"`: they become their absolute values;
    - `"shift"`: the least is subtracted from all, if it is negative: changes the diagonal alone;
    - `"correlation"`: the nearest positive matrix with ones on its diagonal, by `n_steps`
      alternating projections, of which the last one leaves it positive, and the diagonal 1 as
      nearly as steps have come.

    Exact kernels are positive but for rounding, and need none of this.

    With `train`, rows of new samples are treated as those of the training samples were: clipping
    and flipping multiply the training matrix by one of its own eigenvectors, and rows by the same;
    a shift changes no row but of a training sample with itself.

    Args:
        gram (real, (n, n) or (n, m)): Gram matrix; of an unsymmetric one the symmetric half is
            taken. With `train`, that of samples with training samples.
        method: One of these names.
        train (real, (m, m)): Gram matrix of the training samples, as it was before its repair.
        n_steps: Number of projections, for `"correlation"`.

    Returns:
        (real, like `gram`): Symmetric matrix without negative eigenvalues, to rounding; or rows
            that go with one.

    Raises:
        TypeError: If a matrix is not a real tensor, dtypes differ, or `n_steps` is not an int.
        ValueError: If shapes do not fit, the name is unknown, rows are to be treated as
            `"correlation"`, which no rule for rows goes with, or `n_steps` is below 1.

    Transforms:
        vmap; grad, jvp where eigenvalues differ from one another, as of `torch.linalg.eigh`: NaN
        where they do not.

    Examples:
        >>> gram = torch.tensor([[1.0, 2.0], [2.0, 1.0]])  # eigenvalues -1 and 3
        >>> repaired(gram), repaired(gram, "shift")
        (tensor([[1.5000, 1.5000],
                [1.5000, 1.5000]]), tensor([[2., 2.],
                [2., 2.]]))
        >>> repaired(torch.tensor([[1.0, 0.0]]), train=gram)  # its part in the space of 3
        tensor([[0.5000, 0.5000]])

    References:
        Higham (1988), Linear Algebra Appl. 103, 103, for the nearest matrix; Higham (2002), IMA J.
        Numer. Anal. 22, 329, algorithm 3.3, for ones on the diagonal; Wu, Chang and Zhang (2005),
        for flips and shifts; Chen, Garcia, Gupta, Rahimi and Cazzanti (2009), J. Mach. Learn. Res.
        10, 747, section 3.3, for rows.
    """
    remedy = "Give a square Gram matrix, as `fidelity_gram` does."
    if train is None:
        check_tensor("repaired", "gram", gram, tuple(COMPLEX_OF), ("n", "n"), remedy)
    else:
        check_tensor("repaired", "train", train, tuple(COMPLEX_OF), ("m", "m"), remedy)
        fix, form = "Columns are training samples.", ("n", train.shape[0])
        check_tensor("repaired", "gram", gram, (train.dtype,), form, fix)
    check_count("repaired", "n_steps", n_steps, minimum=1)
    if method not in _METHODS:
        remedy = f"Choose one of {', '.join(_METHODS)}."
        raise ValueError(
            message("repaired", "method", method, "be a known name", repr(method), remedy)
        )
    if train is not None:
        return _rows(gram, train, method)
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


def _rows(gram: Tensor, train: Tensor, method: str) -> Tensor:
    """Rows of new samples, multiplied as the training matrix is by its repair."""
    if method == _METHODS[3]:
        need, remedy = "have a rule for rows of new samples", 'Choose "clip" or "flip".'
        raise ValueError(message("repaired", "method", method, need, repr(method), remedy))
    if method == "shift":
        return gram
    with own_precision(gram.device):
        values, vectors = torch.linalg.eigh((train + train.mT) / 2)
        kept = values.sign() if method == "flip" else (values > 0).to(values.dtype)
        found: Tensor = ((gram @ vectors) * kept) @ vectors.mT
        return found


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
