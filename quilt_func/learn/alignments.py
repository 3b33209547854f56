"""Kernel-target alignment: how well a Gram matrix tells labels, a number to train kernels by."""

import torch
from torch import Tensor

from quilt_func._checks import COMPLEX_OF, check_is, check_tensor, fits, shape_error
from quilt_func.learn.gram_matrices import centred as centre


def alignment(gram: Tensor, targets: Tensor, *, centred: bool = False) -> Tensor:
    r"""Cosine of the angle between a Gram matrix and that of its targets.

    It is $\langle K, T\rangle_F / (\|K\|_F \|T\|_F)$ with $T = y y^\top$ or $Y Y^\top$, in [-1, 1]
    and, of positive matrices, in [0, 1]. Give its negative to `optim.minimise` to train a kernel.

    Args:
        gram (real, (n, n)): Gram matrix.
        targets (real, (n,) or (n, n_outputs)): Labels -1 and 1, one column of these for each class,
            or numbers.
        centred: Whether both matrices are centred first, so that classes of unlike sizes do not
            pass for aligned.

    Returns:
        (real, ()): Alignment.

    Raises:
        TypeError: If an argument is not a real tensor, dtypes differ, or `centred` is not a bool.
        ValueError: If shapes do not fit.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in `gram` and `targets`.

    Examples:
        >>> labels = torch.tensor([1.0, 1.0, -1.0])
        >>> alignment(torch.outer(labels, labels), labels), alignment(torch.eye(3), labels)
        (tensor(1.), tensor(0.5774))

    References:
        Cristianini et al. (2001), Adv. Neural Inf. Process. Syst. 14; Cortes, Mohri and
        Rostamizadeh (2012), J. Mach. Learn. Res. 13, 795, for centring; Hubregtsen et al. (2022),
        Phys. Rev. A 106, 042431, for quantum kernels.
    """
    remedy = "Give a square Gram matrix, as `fidelity_gram` does."
    check_tensor("alignment", "gram", gram, tuple(COMPLEX_OF), ("n", "n"), remedy)
    remedy = "Give one label, or one row of numbers, for each sample, in the precision of `gram`."
    check_tensor("alignment", "targets", targets, (gram.dtype,), (...,), remedy)
    n = gram.shape[0]
    if not fits(targets.shape, (n,)) and not fits(targets.shape, (n, "n_outputs")):
        need = f"have shape ({n},) or ({n}, n_outputs)"
        raise shape_error("alignment", "targets", targets, need, remedy)
    remedy = "Give `centred=True`, or leave it out."
    check_is("alignment", "centred", centred, bool, "be a bool", remedy)
    columns = targets[:, None] if targets.ndim == 1 else targets
    ideal = (columns[:, None] * columns).sum(-1)
    if centred:
        gram, ideal = centre(gram), centre(ideal)
    norms = gram.square().sum().sqrt() * ideal.square().sum().sqrt()
    return (gram * ideal).sum() / norms


def target_columns(classes: Tensor, n_classes: int, dtype: torch.dtype) -> Tensor:
    """Labels -1 and 1: one column of two classes, one a class of more."""
    if n_classes == 2:
        return (2 * classes - 1).to(dtype)
    return 2 * torch.nn.functional.one_hot(classes, n_classes).to(dtype) - 1
