r"""Errors of the measurement itself: confusion matrices, on probabilities and on samples.

A confusion matrix is `A[measured, true]`: its columns sum to 1, and `A @ p` is what is seen of `p`.
(Qiskit's `ReadoutError` has the true outcome first: transpose it.)

References:
    Bravyi et al. (2021), arXiv:2006.14044, for measurement errors and their inversion.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from quilt_func._amplitudes import split_wires
from quilt_func._checks import (
    COMPLEX_OF,
    check_count,
    check_device,
    check_tensor,
    check_wires,
    common_dtype_and_device,
    message,
)
from quilt_func._model_checks import check_not_differentiated
from quilt_func._torch import matmul
from quilt_func.measurement import to_bits
from quilt_func.typing import WireSet

METHODS = ("inverse", "least_squares")


def readout(p: Tensor, confusion: Tensor, wires: Sequence[int] | None = None) -> Tensor:
    """Probabilities of what is read, of those of what is there.

    Args:
        p (real, (2**n,)): Probabilities, from `probs`.
        confusion (real, (2, 2), (k, 2, 2) or (2**k, 2**k)): `A[measured, true]` of each wire, the
            same or one each, or of all wires at once. Each *column* sums to 1: Aer's and Cirq's
            matrices, whose rows do, are the transpose.
        wires: The `k` wires that it is of; default: all.

    Returns:
        (real, (2**n,)): Probabilities.

    Raises:
        TypeError: If one is not a real tensor, or dtypes or devices differ.
        ValueError: If sizes do not fit, or wires repeat or are out of range.

    Transforms:
        vmap, grad, jvp, hessian, in both.

    Examples:
        >>> from quilt_func import basis_state, probs
        >>> confusion = torch.tensor([[0.98, 0.05], [0.02, 0.95]])
        >>> readout(probs(basis_state("1")), confusion)
        tensor([0.0500, 0.9500])
    """
    own = _checked("readout", p, confusion, wires)
    for matrix, kept in _factors(confusion, own):
        p = _applied(matrix, kept, p)
    return p


def sample_readout(indices: Tensor, confusion: Tensor, u: Tensor) -> Tensor:
    """What is read of samples: each bit by a uniform number of its own.

    Args:
        indices (int64, any shape): Basis-state indices, as `sample` gives them.
        confusion (real, (2, 2) or (n, 2, 2)): `A[measured, true]`, of all wires or of each.
        u (real, (*indices.shape, n)): Uniform numbers in [0, 1), from `uniforms`.

    Returns:
        (int64, indices.shape): Indices as they are read.

    Raises:
        TypeError: If `indices` is not int64, the others are not real tensors, or `confusion` is
            being differentiated.
        ValueError: If shapes do not fit.

    Transforms:
        vmap.

    Examples:
        >>> from quilt_func import uniforms
        >>> confusion = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])
        >>> sample_readout(torch.tensor([1, 0, 1]), confusion, uniforms((3, 1), 0))
        tensor([0, 0, 0])
    """
    remedy = "Give one for each wire, or one for all; joint ones go to `readout(p, confusion)`."
    is_shared = isinstance(confusion, Tensor) and confusion.ndim == 2
    form = (2, 2) if is_shared else ("n", 2, 2)
    check_tensor("sample_readout", "confusion", confusion, COMPLEX_OF, form, remedy)
    remedy = "Draw them with `uniforms((*indices.shape, n), seed)`."
    check_tensor("sample_readout", "u", u, COMPLEX_OF, ("n", ...), remedy)
    n = u.shape[-1] if is_shared else confusion.shape[0]
    fix = "Make them with `sample(state, u)`."
    check_tensor("sample_readout", "indices", indices, (torch.int64,), (...,), fix)
    bits = to_bits(indices, n)
    check_tensor("sample_readout", "u", u, COMPLEX_OF, tuple(bits.shape), remedy)
    check_device("sample_readout", indices, u)
    check_not_differentiated("sample_readout", "confusion", confusion, "readout(p, confusion)")
    ones = torch.where(bits == 1, confusion[..., 1, 1], confusion[..., 1, 0])
    powers = 1 << torch.arange(n - 1, -1, -1, device=indices.device)
    return ((u < ones) * powers).sum(-1)


def undo_readout(
    p: Tensor,
    confusion: Tensor,
    wires: Sequence[int] | None = None,
    *,
    method: str = "inverse",
    n_steps: int = 200,
) -> Tensor:
    """Probabilities of what is there, estimated from those of what was read.

    Args:
        p (real, (2**n,)): Probabilities that were read, or frequencies.
        confusion (real, (2, 2), (k, 2, 2) or (2**k, 2**k)): As for `readout`.
        wires: As for `readout`.
        method: "inverse" for the exact inverse, whose entries may be negative where `p` has noise;
            "least_squares" for the probabilities whose `readout` is nearest.
        n_steps: Steps of the least-squares search.

    Returns:
        (real, (2**n,)): Quasi-probabilities that sum to 1, or probabilities.

    Raises:
        TypeError: If one is not a real tensor, or dtypes or devices differ.
        ValueError: If sizes do not fit, wires repeat or are out of range, or there is no method of
            that name.

    Transforms:
        vmap, grad, jvp, hessian, in both.

    Examples:
        >>> confusion = torch.tensor([[0.98, 0.05], [0.02, 0.95]])
        >>> undo_readout(torch.tensor([0.05, 0.95]), confusion).round(decimals=4) + 0.0
        tensor([0., 1.])

    References:
        Beck and Teboulle (2009), SIAM J. Imaging Sci. 2, 183, for the accelerated steps;
        Duchi et al. (2008), ICML, for the projection.
    """
    own = _checked("undo_readout", p, confusion, wires)
    check_count("undo_readout", "n_steps", n_steps, 1)
    if method not in METHODS:
        remedy = f"Choose from {list(METHODS)}."
        got = repr(method)
        raise ValueError(message("undo_readout", "method", method, "be a known name", got, remedy))
    factors = _factors(confusion, own)
    if method == "inverse":
        for matrix, kept in factors:
            p = _applied(torch.linalg.inv(matrix), kept, p)
        return p
    return _nearest(p, factors, n_steps)


def _nearest(p: Tensor, factors: list[tuple[Tensor, WireSet]], n_steps: int) -> Tensor:
    """The point of the simplex whose image is nearest, by accelerated projected gradients."""
    found = ahead = _onto_simplex(p)
    weight = 1.0
    steepest = torch.stack([matrix.sum(1).max() for matrix, _ in factors]).prod()  # at least ‖A‖²
    for _ in range(n_steps):
        rest = ahead
        for matrix, kept in factors:
            rest = _applied(matrix, kept, rest)
        rest = rest - p
        for matrix, kept in factors:
            rest = _applied(matrix.mT, kept, rest)
        new = _onto_simplex(ahead - rest / steepest)
        following = (1 + (1 + 4 * weight**2) ** 0.5) / 2
        ahead = new + (weight - 1) / following * (new - found)
        found, weight = new, following
    return found


def _onto_simplex(v: Tensor) -> Tensor:
    """The nearest probabilities."""
    ordered = v.sort(descending=True).values
    ranks = torch.arange(1, v.shape[0] + 1, dtype=v.dtype, device=v.device)
    excess = (ordered.cumsum(0) - 1) / ranks
    last = (ordered > excess).sum() - 1
    return (v - excess.gather(0, last[None])).clamp(min=0)


def _checked(
    function: str, p: Tensor, confusion: Tensor, wires: Sequence[int] | None
) -> tuple[int, ...]:
    """Check arguments, and return the wires that the matrices are of."""
    remedy = "Give the probabilities of all basis states; map over a batch with `vmap`."
    check_tensor(function, "p", p, COMPLEX_OF, ("2**n",), remedy)
    n = p.shape[0].bit_length() - 1
    own = tuple(range(n)) if wires is None else check_wires(function, wires, n)
    remedy = "Give `A[measured, true]` of each wire, or of all of them at once."
    check_tensor(function, "confusion", confusion, COMPLEX_OF, (...,), remedy)
    shapes = ((2, 2), (len(own), 2, 2), (2 ** len(own),) * 2)
    if tuple(confusion.shape) not in shapes:
        need = f"have one of the shapes {', '.join(map(str, dict.fromkeys(shapes)))}"
        got = f"shape {tuple(confusion.shape)}"
        raise ValueError(message(function, "confusion", confusion, need, got, remedy))
    common_dtype_and_device(function, (p, confusion))
    return own


def _factors(confusion: Tensor, wires: tuple[int, ...]) -> list[tuple[Tensor, WireSet]]:
    """Confusion matrices and the wires of each."""
    if confusion.ndim == 2 and confusion.shape[0] == 2 ** len(wires):
        return [(confusion, wires)]
    each = confusion.expand(len(wires), 2, 2).unbind(0)
    return [(matrix, (wire,)) for matrix, wire in zip(each, wires, strict=True)]


def _applied(matrix: Tensor, wires: WireSet, p: Tensor) -> Tensor:
    split, axes = split_wires(p, wires)
    first = list(range(len(wires)))
    moved = split.movedim(axes, first)
    image = matmul(matrix, moved.reshape(matrix.shape[0], -1))
    return image.reshape(moved.shape).movedim(first, axes).reshape(-1)
