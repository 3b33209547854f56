"""Block matrices acting on batches of states, in the layout `(lead, 2**n, last)`.

Batch axes that the matrices share stand first; those of the states alone stand last, so that each
block stays one large product. The wires of a block are cut out as `(lead, left, K, right)`.
"""

import torch
from torch import Tensor

from quilt_func._amplitudes.gathering import gathered, scatter
from quilt_func._amplitudes.wires import is_window
from quilt_func.typing import WireSet

_TINY = 4
"""A window's right side of at most this size joins the window: many tiny products cost more."""

_MANY = 64
"""So many products of a small matrix take longer than to make it larger."""

_NARROW = 8
"""Rows of the smallest matrix that is worth many products."""

_WIDEST = 32
"""Rows of a matrix up to which it may take in what is right of it."""

_TALL = 16
"""Rows of the smallest matrix for which states whose last axis is tiny are better transposed."""

_CACHED = 2**17
"""Amplitudes of the largest states that are: copies of larger ones leave the cache."""


def apply_block(matrices: Tensor, wires: WireSet, state: Tensor, out: Tensor) -> None:
    """Write the product of matrices and a state to `out`.

    Args:
        matrices (real or complex, (1 or lead, K, K)): One block for all, or one each.
        wires: Wires of the block, ascending.
        state (complex, (lead, 2**n, last)): Contiguous.
        out (complex, (lead, 2**n, last)): Contiguous, and not the state's memory.
    """
    if not matrices.is_complex():  # half the arithmetic: parts are columns of their own
        state, out = (torch.view_as_real(one).flatten(-2) for one in (state, out))
    size, lead = matrices.shape[-1], state.shape[0]
    left, right = _cut(wires, state)
    is_shared = matrices.shape[0] == 1
    if is_shared and is_window(wires):
        matrices, left, right = _widened(matrices, left, right)
        size = matrices.shape[-1]
    if not is_window(wires) or (not is_shared and left > 1 and right > 1):
        front = matrices @ gathered(wires, state)
        scatter(wires, front, out)
    elif right == 1 and is_shared:
        torch.mm(state.view(-1, size), matrices[0].mT, out=out.view(-1, size))
    elif right == 1:
        each = (lead, left, size)
        torch.bmm(state.view(each), matrices.mT, out=out.view(each))
    elif is_shared and lead * left == 1:
        torch.mm(matrices[0], state.view(size, right), out=out.view(size, right))
    else:
        each = (lead * left, size, right)
        torch.bmm(matrices.expand(lead * left, -1, -1), state.view(each), out=out.view(each))


def _widened(matrices: Tensor, left: int, right: int) -> tuple[Tensor, int, int]:
    """A matrix that acts on what is right of it, too, or on more wires to its left, by identities.

    Thousands of products with a few rows or columns each cost more than more arithmetic does.

    Returns:
        `(1, K, K)`, and what is left and right of its wires.
    """
    size, is_many = matrices.shape[-1], left >= _MANY
    if right == 2 or (is_many and right > 1 and size * right <= _WIDEST):
        matrices = _beside(matrices, right)
        size, right = size * right, 1
    if is_many and size < _NARROW:
        more = _NARROW // size
        matrices, left = _beside(matrices, more, is_left=True), left // more
    return matrices, left, right


def _beside(matrices: Tensor, size: int, *, is_left: bool = False) -> Tensor:
    """The tensor product of a matrix `(1, K, K)` and an identity of some size."""
    identity = torch.eye(size, dtype=matrices.dtype, device=matrices.device)
    pair = matrices[0].contiguous(), identity
    return torch.kron(*(pair[::-1] if is_left else pair))[None]


def reorder(source: Tensor, wires: WireSet, state: Tensor, out: Tensor) -> None:
    """Write the amplitudes of a state to `out` in another order.

    Args:
        source (int64, (2**k,)): Which of the basis states of the wires comes to each place.
        wires: Neighbouring wires.
        state (complex, (lead, 2**n, last)): Contiguous.
        out (complex, (lead, 2**n, last)): Contiguous, and not the state's memory.
    """
    left, right = _cut(wires, state)
    rows = state.shape[0] * left, len(source)
    if right == 1:
        torch.gather(state.view(rows), 1, source.expand(rows), out=out.view(rows))
    else:
        torch.index_select(state.view(*rows, right), 1, source, out=out.view(*rows, right))


def outer_product(a: Tensor, b: Tensor, wires: WireSet) -> Tensor:
    """Sum of `a bᵀ` over all but the wires' own indices, `(lead, K, K)`.

    With `b` the conjugate of the state before a block and `a` the gradient after it, it is the
    gradient of the block's matrix. Nothing is conjugated here: a batched product would copy it.
    """
    size, lead = 2 ** len(wires), a.shape[0]
    left, right = _cut(wires, a)
    if not is_window(wires) or _TINY < right < size < left * right:
        a, b = (gathered(wires, part) for part in (a, b))
        left, right = 1, a.shape[-1]
    elif 1 < right <= _TINY and size >= _TALL and a.numel() <= _CACHED:
        cut = (lead, left, size, right)
        a, b = (part.view(cut).mT.reshape(lead, -1, size) for part in (a, b))
        return a.mT @ b
    if right <= _TINY:
        each = (lead, left, size * right)
        wide = (a.view(each).mT @ b.view(each)).view(lead, size, right, size, right)
        return wide.diagonal(dim1=2, dim2=4).sum(-1)
    each = (lead * left, size, right)
    found = (a.view(each) @ b.view(each).mT).view(lead, left, size, size)
    return found[:, 0] if left == 1 else found.sum(1)


def _cut(wires: WireSet, state: Tensor) -> tuple[int, int]:
    """Sizes to the left and to the right of a window of wires, the last batch axes included."""
    left = 2 ** wires[0]
    return left, state.shape[1] * state.shape[2] // (left * 2 ** len(wires))
