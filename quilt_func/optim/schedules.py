"""Schedules: functions from the number of steps taken to a learning rate."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from quilt_func._checks import (
    check_count,
    check_function,
    check_iterable,
    check_number,
    check_positive,
    common_dtype_and_device,
    kind_error,
    message,
)
from quilt_func._parameter_trees import check_real
from quilt_func._torch import own_tangent
from quilt_func.typing import Scalar, Schedule


def constant_schedule(value: Scalar) -> Schedule:
    """Schedule with the same value at every step.

    Args:
        value (real, ()): Number or tensor.

    Returns:
        Function from steps (real, any shape) to values (real, same shape).

    Raises:
        TypeError: From the schedule, if the step is not a real tensor.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the value.

    Examples:
        >>> constant_schedule(0.1)(torch.arange(3.0))
        tensor([0.1000, 0.1000, 0.1000])
    """
    return _checked("constant_schedule", lambda step, v: torch.zeros_like(step) + v, value)


def exponential_schedule(init_value: Scalar, transition_steps: int, decay_rate: Scalar) -> Schedule:
    r"""Schedule $v\,r^{t/T}$: a factor `decay_rate` every `transition_steps` steps.

    With `transition_steps=1`, equal to `torch.optim.lr_scheduler.ExponentialLR`.

    Args:
        init_value (real, ()): Value $v$ at step 0.
        transition_steps: Number of steps $T \ge 1$ that one factor takes.
        decay_rate (real, ()): Factor $r > 0$.

    Returns:
        Function from steps (real, any shape) to values (real, same shape).

    Raises:
        TypeError: If `transition_steps` is not an int; from the schedule, if the step is not
            a real tensor.
        ValueError: If `transition_steps` is below 1.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in both values.

    Examples:
        >>> exponential_schedule(0.8, 10, 0.5)(torch.tensor([0.0, 10.0, 20.0]))
        tensor([0.8000, 0.4000, 0.2000])
    """
    check_count("exponential_schedule", "transition_steps", transition_steps, minimum=1)

    def rule(step: Tensor, init: Scalar, rate: Scalar) -> Tensor:
        return init * rate ** (step / transition_steps)

    return _checked("exponential_schedule", rule, init_value, decay_rate)


def linear_schedule(init_value: Scalar, end_value: Scalar, transition_steps: int) -> Schedule:
    r"""Schedule $v + (w - v)\,t/T$, constant after $T$: a warm-up, for instance.

    Equal to `torch.optim.lr_scheduler.LinearLR`.

    Args:
        init_value (real, ()): Value $v$ at step 0.
        end_value (real, ()): Value $w$ from step $T$ on.
        transition_steps: Number of steps $T \ge 1$.

    Returns:
        Function from steps (real, any shape) to values (real, same shape).

    Raises:
        TypeError: If `transition_steps` is not an int; from the schedule, if the step is not
            a real tensor.
        ValueError: If `transition_steps` is below 1.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in both values.

    Examples:
        >>> linear_schedule(0.0, 1.0, 4)(torch.tensor([0.0, 1.0, 4.0, 9.0]))
        tensor([0.0000, 0.2500, 1.0000, 1.0000])
    """
    check_count("linear_schedule", "transition_steps", transition_steps, minimum=1)

    def rule(step: Tensor, init: Scalar, end: Scalar) -> Tensor:
        progress = (step / transition_steps).clamp(0, 1)
        return (1 - progress) * init + progress * end

    return _checked("linear_schedule", rule, init_value, end_value)


def power_schedule(init_value: Scalar, power: float, offset: float = 1.0) -> Schedule:
    r"""Schedule $v / (t + A)^α$: the gains of stochastic approximation.

    Args:
        init_value (real, ()): Numerator $v$.
        power: Exponent $α \ge 0$; Spall's are 0.602 for rates and 0.101 for distances.
        offset: Number $A > 0$ that is added to the steps.

    Returns:
        Function from steps (real, any shape) to values (real, same shape).

    Raises:
        TypeError: If a number is of the wrong kind; from the schedule, if the step is not a real
            tensor.
        ValueError: If a number is out of range.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the value.

    Examples:
        >>> power_schedule(1.0, 0.5)(torch.tensor([0.0, 3.0, 8.0]))
        tensor([1.0000, 0.5000, 0.3333])

    References:
        Robbins and Monro (1951), Ann. Math. Stat. 22, 400; Spall (1998), IEEE Transactions on
        Aerospace and Electronic Systems 34, 817.
    """
    check_number("power_schedule", "power", power)
    check_number("power_schedule", "offset", offset)
    check_positive("power_schedule", "offset", offset, "Give 1, so that it starts at its value.")
    return _checked("power_schedule", lambda step, v: v * (step + offset) ** -power, init_value)


def piecewise_schedule(init_value: Scalar, factors: Mapping[int, Scalar]) -> Schedule:
    """Schedule that is constant between steps, and multiplied by a factor at each of some.

    Equal to `torch.optim.lr_scheduler.MultiStepLR` where factors are equal.

    Args:
        init_value (real, ()): Value at step 0.
        factors: Factors (real, ()) by the step from which on each holds.

    Returns:
        Function from steps (real, any shape) to values (real, same shape).

    Raises:
        TypeError: If a step is not an int; from the schedule, if the step is not a real tensor.
        ValueError: If a step is negative.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the value and the factors.

    Examples:
        >>> piecewise_schedule(1.0, {2: 0.5, 4: 0.1})(torch.arange(6.0))
        tensor([1.0000, 1.0000, 0.5000, 0.5000, 0.0500, 0.0500])
    """
    if not isinstance(factors, Mapping):
        remedy = "Give `{100: 0.1}`, say."
        raise kind_error("piecewise_schedule", "factors", factors, "map steps to factors", remedy)
    for boundary in factors:
        check_count("piecewise_schedule", "factors", boundary)

    def rule(step: Tensor, init: Scalar, *given: Scalar) -> Tensor:
        value = torch.ones_like(step) * init
        for boundary, factor in zip(factors, given, strict=True):
            value = torch.where(step < boundary, value, value * factor)
        return value

    return _checked("piecewise_schedule", rule, init_value, *factors.values())


def joined_schedule(schedules: Sequence[Schedule], boundaries: Sequence[int]) -> Schedule:
    """Schedule that follows one after another, each from its step 0.

    Args:
        schedules: Functions from steps to values.
        boundaries: Steps at which the second and later ones begin, ascending.

    Returns:
        Function from steps (real, any shape) to values (real, same shape).

    Raises:
        TypeError: If a schedule is not a function, or a boundary not an int; from the schedule,
            if the step is not a real tensor.
        ValueError: If there is not one boundary less than schedules, or they do not ascend.

    Transforms:
        vmap, grad, jvp, hessian, as far as the parts.

    Examples:
        >>> rise, hold = linear_schedule(0.0, 1.0, 4), constant_schedule(1.0)
        >>> fall = exponential_schedule(1.0, 1, 0.5)
        >>> joined_schedule([rise, hold, fall], [4, 6])(torch.arange(9.0))
        tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000, 1.0000, 1.0000, 0.5000, 0.2500])
    """
    name, remedy = "joined_schedule", "Give the steps at which the second and later ones begin."
    check_iterable(name, "schedules", schedules, "List them in order.")
    check_iterable(name, "boundaries", boundaries, remedy)
    parts, bounds = list(schedules), list(boundaries)
    for part in parts:
        check_function(name, "schedules", part)
    for least, boundary in zip([0, *bounds], bounds, strict=False):
        check_count(name, "boundaries", boundary, minimum=least)
    if len(bounds) + 1 != len(parts):
        need, got = f"hold {len(parts) - 1}, one less than `schedules`", f"{len(bounds)}"
        raise ValueError(message(name, "boundaries", bounds, need, got, remedy))

    def schedule(step: Tensor) -> Tensor:
        value = torch.zeros_like(step) + parts[0](step)
        for boundary, part in zip(bounds, parts[1:], strict=True):
            value = torch.where(step < boundary, value, part(step - boundary))
        return value

    return _checked(name, schedule)


def cosine_schedule(init_value: Scalar, decay_steps: int, alpha: Scalar = 0.0) -> Schedule:
    r"""Schedule $v (\alpha + (1 - \alpha) \tfrac12 (1 + \cos(\pi t / T)))$, constant after $T$.

    Up to step $T$, equal to `torch.optim.lr_scheduler.CosineAnnealingLR`.

    Args:
        init_value (real, ()): Value $v$ at step 0.
        decay_steps: Number of steps $T \ge 1$ to the end.
        alpha (real, ()): Final value as a fraction of `init_value`.

    Returns:
        Function from steps (real, any shape) to values (real, same shape).

    Raises:
        TypeError: If `decay_steps` is not an int; from the schedule, if the step is not
            a real tensor.
        ValueError: If `decay_steps` is below 1.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in both values.

    Examples:
        >>> cosine_schedule(1.0, 10)(torch.tensor([0.0, 5.0, 10.0, 15.0]))
        tensor([1.0000, 0.5000, 0.0000, 0.0000])

    References:
        Loshchilov and Hutter (2017), SGDR, equation 5.
    """
    check_count("cosine_schedule", "decay_steps", decay_steps, minimum=1)

    def rule(step: Tensor, init: Scalar, least: Scalar) -> Tensor:
        return init * _fall(step / decay_steps, least)

    return _checked("cosine_schedule", rule, init_value, alpha)


def _fall(progress: Tensor, least: Scalar) -> Tensor:
    """From 1 to a least value along half a cosine."""
    return least + (1 - least) * 0.5 * (1 + torch.cos(math.pi * progress.clamp(0, 1)))


def warmup_cosine_schedule(
    init_value: Scalar,
    peak_value: Scalar,
    warmup_steps: int,
    decay_steps: int,
    end_value: Scalar = 0.0,
) -> Schedule:
    r"""Schedule that rises linearly to a peak and falls along a cosine to its end.

    Args:
        init_value (real, ()): Value at step 0.
        peak_value (real, ()): Value at step `warmup_steps`.
        warmup_steps: Number of rising steps; 0 starts at the peak.
        decay_steps: Number of all steps, rising ones included; more than `warmup_steps`.
        end_value (real, ()): Value from step `decay_steps` on.

    Returns:
        Function from steps (real, any shape) to values (real, same shape).

    Raises:
        TypeError: If a number of steps is not an int; from the schedule, if the step is not
            a real tensor.
        ValueError: If `warmup_steps` is negative, or `decay_steps` does not exceed it.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the three values.

    Examples:
        >>> warmup_cosine_schedule(0.0, 1.0, 10, 30)(torch.tensor([0.0, 5.0, 10.0, 20.0, 30.0]))
        tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])

    References:
        Goyal et al. (2017), arXiv:1706.02677, section 2.2; Loshchilov and Hutter (2017), SGDR.
    """
    name = "warmup_cosine_schedule"
    check_count(name, "warmup_steps", warmup_steps)
    check_count(name, "decay_steps", decay_steps, minimum=warmup_steps + 1)

    def rule(step: Tensor, init: Scalar, peak: Scalar, end: Scalar) -> Tensor:
        rise = init + (peak - init) * (step / max(warmup_steps, 1)).clamp(0, 1)
        fall = _fall((step - warmup_steps) / (decay_steps - warmup_steps), 0.0)
        return torch.where(step < warmup_steps, rise, end + (peak - end) * fall)

    return _checked(name, rule, init_value, peak_value, end_value)


def _checked(function: str, rule: Callable[..., Tensor], *values: Scalar) -> Schedule:
    """A schedule by a rule for steps and values that have one axis more.

    The axis is for what torch does with a number and a 0-d tensor, see `own_tangent`.
    """
    given = [own_tangent(value)[None] if isinstance(value, Tensor) else value for value in values]

    def schedule(step: Tensor) -> Tensor:
        check_real(f"{function}(...)", "step", step)
        tensors = (value for value in given if isinstance(value, Tensor))
        common_dtype_and_device(f"{function}(...)", (step, *tensors))
        found: Tensor = rule(own_tangent(step)[..., None], *given)[..., 0]
        return found

    return schedule
