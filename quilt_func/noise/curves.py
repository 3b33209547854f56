"""Curves through values at several scales, read off at scale 0: lines, polynomials, decays.

References:
    Golub and Pereyra (1973), SIAM J. Numer. Anal. 10, 413, for the decay as a search for its rate.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import grad_and_value

from quilt_func._torch import constant, remembered
from quilt_func.typing import Scalar

METHODS = ("linear", "richardson", "exponential")
SLOWEST, FASTEST = 1e-4, 10.0
"""Rates of decays, between the outermost scales and between the nearest two."""
N_RATES, N_STEPS = 128, 5
"""Two grids of so many rates leave 0.2 per cent; each of Newton's steps squares that."""


class Fit(NamedTuple):
    """The value at scale 0, its slope by each value, and how far the curve is from each."""

    value: Tensor
    slopes: Tensor
    rest: Tensor


def fit_at_zero(
    x: list[float], y: Tensor, weights: Tensor, method: str, asymptote: Scalar | None
) -> Fit:
    """A curve, by weights that sum to 1."""
    if method == "linear":
        return _line(_fixed(tuple(x), y.dtype, y.device), y, weights)
    if method == "richardson":
        slopes = _fixed(tuple(_lagrange(np.array(x))), y.dtype, y.device)
        return Fit((slopes * y).sum(), slopes, torch.zeros_like(y))
    fit = _decay(x, y.double(), weights.double(), asymptote)
    return Fit(*(part.to(y.dtype) for part in fit))


@remembered(1024)
def _fixed(numbers: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return constant(numbers, dtype, device)


def _line(x: Tensor, y: Tensor, weights: Tensor) -> Fit:
    centre, mean = (weights * x).sum(), (weights * y).sum()
    off = x - centre
    by_value = weights * off / (weights * off.square()).sum()
    slope = (by_value * y).sum()
    return Fit(mean - slope * centre, weights - by_value * centre, y - mean - slope * off)


def _lagrange(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of values in that of their polynomial at 0: products of `x_j / (x_j - x_i)`."""
    others = np.where(np.eye(len(x), dtype=bool), np.inf, x[None] - x[:, None])
    factors = np.where(np.isinf(others), 1.0, x[None] / others)
    found: NDArray[np.float64] = factors.prod(1)
    return found


def _decay(x: list[float], y: Tensor, weights: Tensor, asymptote: Scalar | None) -> Fit:
    """`a + b exp(-c x)` in double precision: of a rate `c`, the rest is a line in `exp(-c x)`."""
    at = _fixed(tuple(x), y.dtype, y.device)
    curve = _Curve(at, weights, is_free=asymptote is None)
    gaps = np.diff(sorted(x))
    ends = SLOWEST / gaps.sum(), FASTEST / gaps.min()
    rates = _fixed(tuple(np.geomspace(*ends, N_RATES)), y.dtype, y.device)
    base = 0.0 if asymptote is None else asymptote

    def at_zero(y: Tensor) -> tuple[Tensor, Tensor]:
        return curve.at_zero(curve.rate(y - base, rates), y - base)

    slopes, (value, rest) = grad_and_value(at_zero, has_aux=True)(y)
    return Fit(value + base, slopes, rest)


class _Curve:
    """Decays through values `y` at `x`; `is_free` if they tend to a number that is not known.

    With `<f, g>` for weighted sums of products, or covariances where the asymptote is free, and
    `f = exp(-c x)`, the best rate maximises `<f, y>**2 / <f, f>`.
    """

    def __init__(self, x: Tensor, weights: Tensor, is_free: bool) -> None:
        self.x, self.weights, self.is_free = x, weights, is_free

    def off(self, f: Tensor) -> Tensor:
        """A function's values, less their mean where the asymptote is free."""
        return f - (self.weights * f).sum(-1, keepdim=True) if self.is_free else f

    def product(self, f: Tensor, g: Tensor) -> Tensor:
        """`<f, g>` of what `off` gives."""
        return (self.weights * f * g).sum(-1)

    def decays(self, c: Tensor) -> Tensor:
        """`exp(-c x)`, or where a constant does not matter 1 less, which is exact for small `c`."""
        t = -c[..., None] * self.x
        return t.expm1() if self.is_free else t.exp()

    def rate(self, y: Tensor, rates: Tensor) -> Tensor:
        """The best rate: the best of `rates`, of others around it, and by Newton's method.

        The search has no derivative; Newton's steps from where it ends have that of the root.
        """
        still = y.detach()
        best = self._fits(rates, still).argmax()
        is_inside = (best > 0) & (best < N_RATES - 1)
        middle = rates.gather(0, best[None])
        powers = torch.linspace(-1, 1, N_RATES, dtype=rates.dtype, device=rates.device)
        nearby = middle * (rates[1] / rates[0]) ** powers
        c = nearby.gather(0, self._fits(nearby, still).argmax()[None])[0]
        c = torch.where(is_inside, c, middle[0])
        for _ in range(N_STEPS):
            step = self._step(c, y)
            c = (c - torch.where(is_inside, step, 0.0)).clamp(rates[0], rates[-1])
        return c

    def _fits(self, c: Tensor, y: Tensor) -> Tensor:
        f = self.off(self.decays(c))
        return self.product(f, self.off(y)).square() / self.product(f, f)

    def _step(self, c: Tensor, y: Tensor) -> Tensor:
        """Newton's step for the root of `<f', y> <f, f> - <f, y> <f', f>`."""
        z, f = self.off(y), self.off(self.decays(c))
        decay = (-c * self.x).exp()
        f1, f2 = self.off(-self.x * decay), self.off(self.x.square() * decay)
        top = self.product(f1, z) * self.product(f, f) - self.product(f, z) * self.product(f1, f)
        slope = (
            self.product(f2, z) * self.product(f, f)
            + self.product(f1, z) * self.product(f1, f)
            - self.product(f, z) * (self.product(f2, f) + self.product(f1, f1))
        )
        return torch.where(slope == 0, 0.0, top / torch.where(slope == 0, 1.0, slope))

    def at_zero(self, c: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The curve at 0, less a known asymptote, and how far values are from it."""
        f, z = self.decays(c), self.off(y)
        b = self.product(self.off(f), z) / self.product(self.off(f), self.off(f))
        if not self.is_free:
            return b, z - b * f
        centre = (self.weights * f).sum()
        return (self.weights * y).sum() - b * centre, z - b * (f - centre)
