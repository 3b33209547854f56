r"""Values of words as they were before errors of readout, of samples that were read with these.

What is read has the probabilities $A p$. A value $f$ of what is read with $A^T f = z$, where $z$ is
the word's, has the mean that $z$ has without the errors; where each wire errs by itself, it is a
product of factors, one for each letter. It spreads more, which its standard error shows.

References:
    Bravyi, Sheldon, Kandala, McKay and Gambetta (2021), Phys. Rev. A 103, 042605, section II.
"""

from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import COMPLEX_OF, check_tensor, common_dtype_and_device, message
from quilt_func._torch import matmul, own_precision
from quilt_func.measurement import to_bits


def check_confusion(function: str, given: Any, n: int, like: Tensor) -> None:
    """Check confusion matrices of `n` wires: one for all, one each, or one of all at once."""
    if given is None:
        return
    argument, remedy = "undo_readout", "Give `A[measured, true]` of each wire, or of all at once."
    check_tensor(function, argument, given, COMPLEX_OF, (...,), remedy)
    shapes = ((2, 2), (n, 2, 2), (2**n, 2**n))
    if tuple(given.shape) not in shapes:
        need = f"have one of the shapes {', '.join(map(str, dict.fromkeys(shapes)))}"
        got = f"shape {tuple(given.shape)}"
        raise ValueError(message(function, argument, given, need, got, remedy))
    common_dtype_and_device(function, (like, given))


def signs(indices: Tensor, masks: Tensor) -> Tensor:
    """The value of each word of I and Z `(..., n_words)` at basis states."""
    bits = to_bits(indices, masks.shape[-1]).to(masks.dtype)
    return 1 - 2 * (matmul(bits, masks.mT) % 2)


def corrected_signs(indices: Tensor, masks: Tensor, confusion: Tensor) -> Tensor:
    """What the value of each word was, on average, before errors of readout."""
    n = masks.shape[-1]
    if confusion.ndim == 2 and confusion.shape[0] == 2**n:
        everything = signs(torch.arange(2**n, device=indices.device), masks)
        with own_precision(masks.device):
            found: Tensor = torch.linalg.solve(confusion.mT, everything)
        return found[indices]
    a, b, c, d = confusion.expand(n, 2, 2).flatten(1).unbind(1)
    size = a * d - b * c
    zeros, ones = (d + c) / size, -(a + b) / size  # of A^T f = (1, -1)
    factors = torch.where(to_bits(indices, n) == 1, ones, zeros)
    values = torch.ones_like(factors[..., :1])
    for factor, is_letter in zip(factors.unbind(-1), masks.unbind(-1), strict=True):
        values = values * torch.where(is_letter == 1, factor[..., None], 1.0)
    return values
