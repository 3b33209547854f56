"""Numbers with standard errors: the arithmetic of independent estimates."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    check_tensor,
    common_dtype_and_device,
    dtype_or_kind,
    is_number,
)
from quilt_func._torch import matmul, register
from quilt_func.typing import Scalar


@dataclass(frozen=True, eq=False)
class Estimate:
    """A mean over samples and its standard error. A pytree: both are leaves; it unpacks as a pair.

    Sums and differences are those of *independent* estimates, so that squared errors add, and an
    estimate less itself is 0 with an error. Of what comes from the same samples, take
    `estimate_jointly`. A number or tensor that is added or multiplied has no error.

    Attributes:
        mean (real, ()): Estimated value; one more axis where several are estimated.
        error (real, like mean): Standard error of the mean.

    Examples:
        >>> a = Estimate(torch.tensor(1.0), torch.tensor(0.3))
        >>> b = Estimate(torch.tensor(2.0), torch.tensor(0.4))
        >>> a + b
        Estimate(mean=tensor(3.), error=tensor(0.5000))
        >>> mean, error = 2 * (1 - a)
        >>> mean, error
        (tensor(0.), tensor(0.6000))
    """

    mean: Tensor
    error: Tensor

    def __add__(self, other: "Estimate | Scalar") -> "Estimate":
        if isinstance(other, Estimate):
            both = self.error.square() + other.error.square()
            return Estimate(self.mean + other.mean, root(both))
        _check_scalar("other", other, self.mean)
        return Estimate(self.mean + other, self.error)

    __radd__ = __add__

    def __neg__(self) -> "Estimate":
        return Estimate(-self.mean, self.error)

    def __sub__(self, other: "Estimate | Scalar") -> "Estimate":
        if not isinstance(other, Estimate):
            _check_scalar("other", other, self.mean)
        return self + -other

    def __rsub__(self, other: Scalar) -> "Estimate":
        return -self + other

    def __mul__(self, factor: Scalar) -> "Estimate":
        _check_scalar("factor", factor, self.mean)
        return Estimate(self.mean * factor, self.error * _size(factor))

    __rmul__ = __mul__

    def __truediv__(self, divisor: Scalar) -> "Estimate":
        _check_scalar("divisor", divisor, self.mean)
        return Estimate(self.mean / divisor, self.error / _size(divisor))

    def __iter__(self) -> Iterator[Tensor]:
        """Mean and error, in this order."""
        return iter((self.mean, self.error))


register(
    Estimate,
    lambda o: ([o.mean, o.error], None),
    lambda leaves, _: Estimate(*leaves),
    "quilt_func.shots.Estimate",
)


class JointEstimate(NamedTuple):
    """Means of several observables over the same samples, and how they vary together.

    Attributes:
        mean (real, (k,)): Estimated values.
        covariance (real, (k, k)): Covariances of the means; its diagonal holds squared errors.

    Examples:
        >>> from quilt_func import ghz_state, pauli_sum, uniforms
        >>> from quilt_func.shots import estimate_jointly
        >>> both = [pauli_sum({"ZI": 1.0}), pauli_sum({"IZ": 1.0})]
        >>> joint = estimate_jointly(ghz_state(2), both, uniforms(100, 0))
        >>> joint.combined(torch.tensor([1.0, -1.0])).error  # equal bits
        tensor(0.)
    """

    mean: Tensor
    covariance: Tensor

    def combined(self, weights: Tensor) -> Estimate:
        """The weighted sum of the values, with the error that their covariances give.

        Args:
            weights (real, (k,)): One for each value.

        Returns:
            Estimate of the sum.

        Raises:
            TypeError: If weights are no real tensor, or dtypes or devices differ.
            ValueError: If there are not as many.

        Transforms:
            vmap, grad, jvp, hessian, where the error is not 0.
        """
        remedy = "Give one weight for each value."
        check_tensor("combined", "weights", weights, COMPLEX_OF, tuple(self.mean.shape), remedy)
        common_dtype_and_device("combined", (self.mean, weights))
        along = matmul(self.covariance, weights)
        return Estimate(matmul(self.mean, weights), root(matmul(along, weights)))


def root(x: Tensor) -> Tensor:
    """The square root of a variance, with slope 0 at 0, where the true one is infinite."""
    is_positive = x > 0
    found = torch.where(is_positive, torch.where(is_positive, x, 1.0).sqrt(), 0.0)
    return torch.where(x.isnan(), x, found)


def _size(factor: Scalar) -> Scalar:
    return factor.abs() if isinstance(factor, Tensor) else abs(factor)


def _check_scalar(argument: str, value: object, like: Tensor) -> None:
    """Check that a value is a real number, or a real tensor of a precision and device."""
    if is_number(value):
        return
    need, remedy = "be a real number or tensor", "Only sums, differences and multiples have errors."
    check_tensor(
        "Estimate", argument, value, COMPLEX_OF, (...,), remedy, need=need, got=dtype_or_kind
    )
    assert isinstance(value, Tensor)
    common_dtype_and_device("Estimate", (like, value))
