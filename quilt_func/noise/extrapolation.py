r"""Values without noise, extrapolated from values with more and more of it.

Each method is a curve through values at known scales of noise, read off at scale 0, and its
standard error is that of the values, carried through: exactly where the result is linear in them,
and to first order (the delta method) where it is not.

References:
    Temme, Bravyi and Gambetta (2017), arXiv:1612.02058, for Richardson's extrapolation.
    Giurgica-Tiron, Hindy, LaRose, Mari and Zeng (2020), arXiv:2005.10921, section III.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    check_function,
    check_iterable,
    check_number,
    check_tensor,
    common_dtype_and_device,
    is_number,
    message,
)
from quilt_func.circuits import Circuit, check_circuit
from quilt_func.noise.channels import root
from quilt_func.noise.curves import METHODS, Fit, fit_at_zero
from quilt_func.noise.folding import fold_global, folding_scale
from quilt_func.typing import Scalar


class Extrapolated(NamedTuple):
    """A value without noise, and how far it may be off.

    Attributes:
        value (real, ()): Value at scale 0.
        error (real, ()): Its standard error; NaN where nothing tells it.

    Examples:
        >>> extrapolate([1, 3], torch.tensor([0.9, 0.7]), torch.tensor([0.01, 0.01]))
        Extrapolated(value=tensor(1.0000), error=tensor(0.0158))
    """

    value: Tensor
    error: Tensor


def extrapolate(
    scales: Sequence[float],
    values: Tensor,
    errors: Tensor | None = None,
    *,
    method: str = "linear",
    asymptote: Scalar | None = None,
) -> Extrapolated:
    """The value without noise, by a curve through values at several scales of noise.

    Lines and decays are those of least squares, with weights `1 / errors**2` if there are errors.
    A decay is `a + b exp(-c s)` at scale `s` with a rate `c > 0`; where values do not decay, the
    rate is one of the bounds, from a straight line (0.0001 between the outermost scales) to a jump
    (10 between the nearest two).

    Args:
        scales: Different Python numbers, such as `[1, 3, 5]`.
        values (real, (n,)): What was measured at each.
        errors (real, (n,)): Standard errors of these, independent and above 0; default: one that is
            estimated from how far values are from the curve, if it does not go through all of them.
        method: "linear" for a line, "richardson" for the polynomial through all values,
            "exponential" for a decay.
        asymptote: What a decay tends to, if that is known: a Python number, or a 0-d tensor.

    Returns:
        Value at scale 0, and its standard error. It is NaN without `errors` where the curve goes
        through all values: a line through 2, any of "richardson", a decay through 3, or through 2
        with an asymptote.

    Raises:
        TypeError: If scales are no numbers, or others not real tensors of one precision.
        ValueError: If there are too few scales, two are equal, sizes differ, there is no method of
            that name, or an asymptote comes with another one than "exponential".

    Transforms:
        vmap, grad, jvp, hessian, in values, errors and the asymptote.

    Examples:
        >>> values = torch.tensor([0.9, 0.7, 0.6])
        >>> extrapolate([1, 3, 5], values)
        Extrapolated(value=tensor(0.9583), error=tensor(0.0493))
        >>> extrapolate([1, 3, 5], values, method="richardson").value
        tensor(1.0375)
        >>> extrapolate([1, 3, 5], values, method="exponential", asymptote=0.0).value
        tensor(0.9892)

    References:
        Giurgica-Tiron et al. (2020), arXiv:2005.10921, section III.
    """
    x = _checked_scales("extrapolate", scales, method, asymptote)
    remedy = "Give one number for each scale; map over many with `torch.func.vmap`."
    given = [("values", values), *([("errors", errors)] if errors is not None else [])]
    for name, one in given:
        check_tensor("extrapolate", name, one, COMPLEX_OF, (len(x),), remedy)
    if isinstance(asymptote, Tensor):
        remedy = "Give a Python number or a 0-d tensor."
        check_tensor("extrapolate", "asymptote", asymptote, COMPLEX_OF, (), remedy)
        given.append(("asymptote", asymptote))
    common_dtype_and_device("extrapolate", (one for _, one in given))
    weights = torch.ones_like(values) if errors is None else errors.square().reciprocal()
    fit = fit_at_zero(x, values, weights / weights.sum(), method, asymptote)
    return Extrapolated(fit.value, _error(fit, errors, _n_params(method, asymptote, len(x))))


def zero_noise(
    value: Callable[[Circuit], Any],
    circuit: Circuit,
    scales: Sequence[float] = (1, 3, 5),
    *,
    fold: Callable[[Circuit, float], Circuit] = fold_global,
    method: str = "linear",
    asymptote: Scalar | None = None,
) -> Extrapolated:
    """The value of a circuit without noise, from the noisy values of circuits with more gates.

    The curve is fitted at the scales that folding reached, numbers of gates, not at those that were
    asked for. Both are equal where scales are odd. Where only some gates are noisy, odd scales
    multiply their noise, too.

    Args:
        value: Function from a circuit to a real number, (real, ()), or to an `Estimate` with an
            error above 0, as of `quilt_func.estimate`: puts noise on it, runs and measures it.
        circuit: Gates.
        scales: How many times as many gates, Python numbers of at least 1.
        fold: How to get these, `fold_global` or `fold_gates`.
        method: As for `extrapolate`.
        asymptote: As for `extrapolate`.

    Returns:
        Value at scale 0, and its standard error, as of `extrapolate`: with the errors of estimates,
        which weigh the values, or without errors.

    Raises:
        TypeError: If `circuit` is not a circuit or holds a channel, `value` gives no real tensor,
            or the others are of another kind.
        ValueError: If scales are below 1, too few, or reach one number of gates twice, or there is
            no method of that name.

    Transforms:
        vmap, grad, jvp, hessian, in all that `value` and the circuit depend on.

    Examples:
        >>> import quilt_func as qf
        >>> from quilt_func import noise
        >>> model = noise.noise_model(noise.rule(noise.depolarizing, 0.02))
        >>> def value(circuit):
        ...     rho = qf.run_density(noise.with_noise(circuit, model))
        ...     return qf.expval(rho, qf.pauli_sum({"Z": 1.0}))
        >>> zero_noise(value, qf.circuit(1, qf.x(0)), method="exponential").value.round(decimals=4)
        tensor(-1.)
        >>> def measured(circuit):
        ...     rho = qf.run_density(noise.with_noise(circuit, model))
        ...     return qf.estimate(rho, qf.pauli_sum({"Z": 1.0}), qf.uniforms(10_000, len(circuit)))
        >>> zero_noise(measured, qf.circuit(1, qf.x(0)))
        Extrapolated(value=tensor(-0.9924), error=tensor(0.0033))

    References:
        Giurgica-Tiron et al. (2020), arXiv:2005.10921.
    """
    check_function("zero_noise", "value", value)
    check_circuit("zero_noise", "circuit", circuit)
    check_function("zero_noise", "fold", fold)
    _checked_scales("zero_noise", scales, method, asymptote)
    folded = [fold(circuit, scale) for scale in scales]
    reached = [folding_scale(one, circuit) for one in folded]
    if len(set(reached)) < len(reached):
        need, got = "reach different numbers of gates", str([round(s, 4) for s in reached])
        remedy = "Give scales that are further apart; two gates are the least difference."
        raise ValueError(message("zero_noise", "scales", scales, need, got, remedy))
    found = [value(one) for one in folded]
    errors = _errors(found)
    means = found if errors is None else [one.mean for one in found]
    for one in (*means, *(errors or ())):
        remedy = "Return a 0-d tensor, such as `expval(rho, observable)` is, or an `Estimate`."
        check_tensor(
            "zero_noise", "value", one, COMPLEX_OF, (), remedy, need="return a real tensor"
        )
    spreads = None if errors is None else torch.stack(errors)
    return extrapolate(reached, torch.stack(means), spreads, method=method, asymptote=asymptote)


def _errors(found: Sequence[Any]) -> list[Tensor] | None:
    """Standard errors, where values are estimates, known by what they have."""
    errors = [getattr(one, "error", None) for one in found]
    told = [error for error in errors if error is not None]
    if told and len(told) < len(found):
        need, got = "return estimates throughout, or numbers", "both"
        remedy = "Give each value an error, or none."
        raise TypeError(message("zero_noise", "value", found, need, got, remedy))
    return told or None


def _n_params(method: str, asymptote: object, n_scales: int) -> int:
    """How many numbers a curve has."""
    if method == "richardson":
        return n_scales
    return 3 if method == "exponential" and asymptote is None else 2


def _checked_scales(function: str, scales: Any, method: str, asymptote: Any) -> list[float]:
    """Check scales, and that a method may be used with them."""
    if method not in METHODS:
        remedy, got = f"Choose from {list(METHODS)}.", repr(method)
        raise ValueError(message(function, "method", method, "be a known name", got, remedy))
    if asymptote is not None and method != "exponential":
        need, got, remedy = "come with a decay", f'method="{method}"', 'Say `method="exponential"`.'
        raise ValueError(message(function, "asymptote", asymptote, need, got, remedy))
    if asymptote is not None and not isinstance(asymptote, Tensor) and not is_number(asymptote):
        check_number(function, "asymptote", asymptote)
    remedy = "Give Python numbers, such as `[1, 3, 5]`."
    check_iterable(function, "scales", scales, remedy)
    x = list(scales)
    for scale in x:
        check_number(function, "scales", scale)
    least = _n_params(method, asymptote, 2)
    if len(x) < least or len(set(x)) < len(x):
        need = f"be {least} or more different numbers for {method!r}"
        got = f"{len(x)}" if len(x) < least else "one twice"
        raise ValueError(message(function, "scales", scales, need, got, remedy))
    return [float(scale) for scale in x]


def _error(fit: Fit, errors: Tensor | None, n_params: int) -> Tensor:
    """The standard error, from those of values, or from how far the curve is from these."""
    if errors is not None:
        return root((fit.slopes * errors).square().sum())
    excess = fit.rest.shape[0] - n_params
    if not excess:
        return torch.full_like(fit.value, torch.nan)
    return root((fit.rest.square() / excess).sum() * fit.slopes.square().sum())
