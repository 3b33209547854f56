"""Assertions that state what was compared, in the tolerances of the library's dtypes."""

from typing import Any

import numpy as np
import torch

from quilt_func.testing.tolerances import fd_tolerance, tolerance


def to_numpy(value: Any) -> Any:
    """Tensors to arrays, without their graph."""
    if not isinstance(value, torch.Tensor):
        return np.asarray(value)
    return value.detach().cpu().resolve_conj().resolve_neg().numpy()


def assert_close(got, expected, *, n_gates=1, scale=1.0, dtype=None, what="values"):
    """Compare up to the rounding of `n_gates` steps in the precision of `got`."""
    __tracebackhide__ = True
    dtype = dtype or got.dtype
    _compare(got, expected, tolerance(dtype, n_gates, scale), what)


def assert_close_fd(got, expected, *, scale=1.0, what="derivatives"):
    """Compare with central differences in double precision."""
    __tracebackhide__ = True
    _compare(got, expected, fd_tolerance(torch.float64, scale), what)


def _compare(got, expected, bound, what):
    __tracebackhide__ = True
    a, b = to_numpy(got), to_numpy(expected)
    assert a.shape == b.shape, f"{what}: shape {a.shape} is not {b.shape}"
    assert not a.size or np.isfinite(a).all(), f"{what}: not finite: {a}"
    deviation = float(np.abs(a - b).max(initial=0.0))
    assert deviation <= bound, (
        f"{what}: deviation {deviation:.3g} exceeds {bound:.3g}\n got {a}\n not {b}"
    )


def central_difference(function, point, *, step=None):
    """Derivatives of a function of one real tensor by each entry, on trailing axes."""
    step = step or torch.finfo(point.dtype).eps ** (1 / 3)
    columns = []
    for index in range(point.numel()):
        shift = torch.zeros(point.numel(), dtype=point.dtype)
        shift[index] = step
        shift = shift.reshape(point.shape)
        columns.append((function(point + shift) - function(point - shift)).detach() / (2 * step))
    stacked = torch.stack(columns, -1)
    return stacked.reshape(*stacked.shape[:-1], *point.shape)
