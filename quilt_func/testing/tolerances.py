"""Tolerances derived from a dtype's rounding, so that no test holds a literal one.

References:
    Higham (2002), Accuracy and Stability of Numerical Algorithms, sections 2.8 and 3.1.
"""

import math

import torch


def tolerance(dtype: torch.dtype, n_gates: int, scale: float = 1.0) -> float:
    r"""Bound on the rounding error of a chain of steps, $8 \epsilon \sqrt{n}\,s$.

    The errors of norm-preserving steps add like a random walk, hence the square root.

    Args:
        dtype: Real or complex floating dtype; a complex one has its real part's rounding.
        n_gates: Number of wire sets that gates act on, or of other rounding steps.
        scale: Size of the result, such as an observable's sum of absolute coefficients.

    Returns:
        Absolute tolerance.

    Raises:
        TypeError: If `dtype` is not a floating dtype.

    Examples:
        >>> tolerance(torch.float64, n_gates=100) / torch.finfo(torch.float64).eps
        80.0
    """
    return 8 * float(torch.finfo(dtype).eps) * math.sqrt(max(1, n_gates)) * scale


def fd_tolerance(dtype: torch.dtype, scale: float = 1.0) -> float:
    r"""Bound on the error of a central difference with step $h = \epsilon^{1/3}$.

    With values accurate to $8 \epsilon s$, rounding costs at most $2 \cdot 8 \epsilon s / 2h =
    8 \epsilon^{2/3} s$. Truncation costs $h^2 |f'''| / 6 = \epsilon^{2/3} |f'''| / 6$, and as
    much again is left for it: enough while the third derivative stays below $48 s$.

    Args:
        dtype: Real or complex floating dtype.
        scale: Size of the function and of its third derivative.

    Returns:
        Absolute tolerance, $16 \epsilon^{2/3} s$.

    Raises:
        TypeError: If `dtype` is not a floating dtype.

    Examples:
        >>> h = torch.finfo(torch.float64).eps ** (1 / 3)
        >>> slope = (math.sin(1 + h) - math.sin(1 - h)) / (2 * h)
        >>> abs(slope - math.cos(1)) < fd_tolerance(torch.float64)
        True
    """
    return 16 * math.pow(torch.finfo(dtype).eps, 2 / 3) * scale
