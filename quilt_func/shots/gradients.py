r"""Derivatives of what is estimated from samples, with standard errors.

Shift rules and random directions need values only, so that these may be estimates. Here each value
has uniform numbers of its own: values are independent, and their squared errors add.

Of samples themselves, the derivative of the mean of a value is the mean of the value times that of
the logarithm of the sample's probability. `sample_with_weights` has it in a weight.

References:
    Mitarai et al. (2018), Phys. Rev. A 98, 032309; Schuld et al. (2019), Phys. Rev. A 99, 032331,
    for shift rules. Foerster et al. (2018), arXiv:1802.05098, for the weight.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import vmap

from quilt_func._checks import (
    COMPLEX_OF,
    check_chunk_size,
    check_function,
    check_mixed,
    check_number,
    check_positive,
    check_tensor,
    shape_error,
)
from quilt_func._parameter_trees import check_real, ravel
from quilt_func._shifted_runs import directions, one_number, shifted_runs, signs_of
from quilt_func._torch import tree_map
from quilt_func.circuits import Circuit
from quilt_func.measurement import probs, sample
from quilt_func.shots.values import Estimate, root
from quilt_func.typing import PyTree


class GradientEstimate(NamedTuple):
    """A gradient that is estimated.

    Attributes:
        mean: Tree of derivatives, like the parameters.
        error: Tree of their standard errors.

    Examples:
        >>> GradientEstimate({"a": torch.tensor(0.5)}, {"a": torch.tensor(0.1)}).mean["a"]
        tensor(0.5000)
    """

    mean: PyTree
    error: PyTree


class WeightedSamples(NamedTuple):
    """Samples, and weights that have the derivative of their probabilities.

    Attributes:
        indices (int64, any shape): Indices of basis states.
        weights (real, like indices): 1: multiply whatever is read off samples by them before taking
            a mean.

    Examples:
        >>> from quilt_func import ghz_state, uniforms
        >>> sample_with_weights(ghz_state(2), uniforms(3, 0))
        WeightedSamples(indices=tensor([0, 3, 0]), weights=tensor([1., 1., 1.]))
    """

    indices: Tensor
    weights: Tensor


def shift_gradient(
    fn: Callable[[Any, Any], Estimate | Tensor],
    params: PyTree,
    u: Tensor,
    circuit_fn: Callable[[PyTree], Circuit] | None = None,
    *,
    chunk_size: int | None = None,
) -> GradientEstimate:
    """Gradient of an estimate by shift rules, each run with uniform numbers of its own.

    It is that of `parameter_shift`, of estimates: unbiased if these are, and of any loss that is
    linear in the final density matrix.

    Args:
        fn: Function from a circuit and uniform numbers to an `Estimate`, or to a number, (real,
            ()), of which no error is known.
        params: Parameters: any tree that `circuit_fn` takes, or, without it, the circuit itself.
        u (real, (n_runs, ...)): Uniform numbers in [0, 1), from `uniforms`: what `fn` takes, for
            each run; `n_shift_runs` tells their number.
        circuit_fn: Function from parameters to a circuit.
        chunk_size: Number of runs at once, which bounds memory; default: all.

    Returns:
        Trees like `params` of derivatives and of their standard errors, NaN where `fn` tells none.

    Raises:
        TypeError: As for `parameter_shift`, or if `u` is not real.
        ValueError: As for `parameter_shift`, or if there are too few or too many uniform numbers.

    Transforms:
        vmap, over parameters and uniform numbers.

    Examples:
        >>> from quilt_func import circuit, estimate, pauli_sum, ry, uniforms
        >>> z = pauli_sum({"Z": 1.0})
        >>> def measured(circuit, u):
        ...     return estimate(circuit(), z, u)
        >>> u = uniforms((2, 5000), 0)
        >>> shift_gradient(measured, torch.tensor(0.5), u, lambda t: circuit(1, ry(t, 0)))
        GradientEstimate(mean=tensor(-0.4740), error=tensor(0.0088))

    References:
        Schuld et al. (2019), Phys. Rev. A 99, 032331; Wierichs et al. (2022), Quantum 6, 677.
    """
    check_function("shift_gradient", "fn", fn)
    check_chunk_size("shift_gradient", chunk_size)
    runs = shifted_runs("shift_gradient", params, circuit_fn)
    _check_rows("shift_gradient", u, len(runs.which))

    def shifted(index: Tensor, shift: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        return _pair("shift_gradient", fn(runs.circuit_at(index, shift), numbers))

    slopes = variances = torch.zeros_like(runs.angles)
    if len(runs.which):
        over = (runs.which, runs.shifts, u)
        values, errors = vmap(shifted, chunk_size=chunk_size)(*over)
        each = runs.weights * values.to(slopes.dtype), runs.weights * errors.to(slopes.dtype)
        slopes = slopes.index_add(0, runs.which, each[0])
        variances = variances.index_add(0, runs.which, each[1].square())
    rows = vmap(runs.pull)(torch.eye(len(slopes), dtype=slopes.dtype, device=slopes.device))
    error = tree_map(lambda rows: _along(rows.square(), variances), rows)
    return GradientEstimate(runs.pull(slopes), tree_map(root, error))


def n_shift_runs(params: PyTree, circuit_fn: Callable[[PyTree], Circuit] | None = None) -> int:
    """Number of runs that `shift_gradient` takes: two for each angle of a Pauli rotation.

    Args:
        params: As for `shift_gradient`.
        circuit_fn: As for `shift_gradient`.

    Returns:
        The number.

    Raises:
        TypeError: As for `parameter_shift`.
        ValueError: As for `parameter_shift`.

    Transforms:
        None: it reads a structure.

    Examples:
        >>> from quilt_func import circuit, crx, ry
        >>> n_shift_runs(torch.ones(2), lambda t: circuit(2, ry(t, [0, 1]), crx(t[0], 0, 1)))
        8
    """
    return len(shifted_runs("n_shift_runs", params, circuit_fn).which)


def spsa_gradient(
    fn: Callable[[Any, Any], Estimate | Tensor],
    params: PyTree,
    u: Tensor,
    shot_u: Tensor,
    *,
    step: float = 0.1,
) -> GradientEstimate:
    """Gradient of an estimate along random directions, each value with numbers of its own.

    Args:
        fn: Function from parameters and uniform numbers to an `Estimate`, or to a number, (real,
            ()).
        params: Tree of real tensors with `n` entries in all.
        u (real, (n,) or (k, n)): Uniform numbers in [0, 1), from `uniforms`: one direction, or `k`
            directions to average over.
        shot_u (real, (k, 2, ...)): Uniform numbers in [0, 1): what `fn` takes, at both ends of each
            direction.
        step: Distance in each parameter; larger steps lessen the noise of samples.

    Returns:
        Trees like `params` of derivatives and of their standard errors, from how far directions
        are apart, which includes the noise of samples; NaN for one direction.

    Raises:
        TypeError: As for `spsa`.
        ValueError: As for `spsa`, or if there are not two rows of `shot_u` for each direction.

    Transforms:
        vmap, over parameters and uniform numbers.

    Examples:
        >>> from quilt_func import circuit, estimate, pauli_sum, ry, uniforms
        >>> z = pauli_sum({"Z": 1.0})
        >>> def measured(theta, u):
        ...     return estimate(circuit(1, ry(theta, 0))(), z, u)
        >>> u, shot_u = uniforms((50, 1), 0), uniforms((50, 2, 100), 1)
        >>> spsa_gradient(measured, torch.tensor(0.5), u, shot_u, step=0.5)
        GradientEstimate(mean=tensor(-0.4480), error=tensor(0.0122))

    References:
        Spall (1992), IEEE Transactions on Automatic Control 37, 332.
    """
    check_function("spsa_gradient", "fn", fn)
    check_number("spsa_gradient", "step", step)
    check_positive("spsa_gradient", "step", step, "Give a distance between parameters.")
    flat, unravel = ravel("spsa_gradient", "params", params)
    rows = directions("spsa_gradient", u, flat, at_most=math.inf)
    remedy = f"Draw them with `uniforms(({len(rows)}, 2, n_shots), seed)`."
    check_real("spsa_gradient", "shot_u", shot_u, remedy)
    if tuple(shot_u.shape[:2]) != (len(rows), 2):
        need = f"have shape ({len(rows)}, 2, ...), two for each direction"
        raise shape_error("spsa_gradient", "shot_u", shot_u, need, remedy)
    signs = signs_of(rows, flat)

    def along(sign: Tensor, numbers: Tensor) -> Tensor:
        ends = zip((step, -step), numbers.unbind(0), strict=True)
        values = (fn(unravel(flat + c * sign), one) for c, one in ends)
        up, down = (_pair("spsa_gradient", value)[0] for value in values)
        return ((up - down) / (2 * step)).to(flat.dtype) * sign

    found = vmap(along)(signs, shot_u)
    mean = found.mean(0)
    spread = (found - mean).square().sum(0) / (len(rows) * (len(rows) - 1) or math.nan)
    return GradientEstimate(unravel(mean), unravel(root(spread)))


def sample_with_weights(state: Tensor, u: Tensor) -> WeightedSamples:
    """Basis states measured on a state, with weights that make a mean over them differentiable.

    Means of `weight * value` over uniform numbers, with a value for each index, are expectation
    values, and so are their derivatives of every order. Their derivatives spread more than those by
    shift rules, and less if a constant near the mean is taken from the values.

    Args:
        state (complex, (2**n,) or (2**n, 2**n)): Statevector, or density matrix; normalised here.
        u (real, any shape): Uniform numbers in [0, 1), from `uniforms`.

    Returns:
        Indices as of `sample`, and weights.

    Raises:
        TypeError: If the state is not complex, `u` is not real, or devices differ.
        ValueError: If the state is not flat.

    Transforms:
        vmap, also over `u`, grad, jvp, hessian, of means of `weight * value`.

    Examples:
        >>> from torch.func import grad
        >>> from quilt_func import circuit, ry, to_bits, uniforms
        >>> def z(theta):
        ...     found = sample_with_weights(circuit(1, ry(theta, 0))(), uniforms(100_000, 0))
        ...     return (found.weights * (1 - 2 * found.indices)).mean()
        >>> theta = torch.tensor(0.5)
        >>> (grad(z)(theta) + theta.sin()).abs() < 0.02
        tensor(True)

    References:
        Foerster et al. (2018), arXiv:1802.05098.
    """
    check_mixed("sample_with_weights", state)
    remedy = "Draw them with `uniforms(n_shots, seed)`."
    check_tensor("sample_with_weights", "u", u, COMPLEX_OF, (...,), remedy)
    indices = sample(state.detach(), u)
    p = probs(state)
    own = p.gather(0, indices.flatten()).reshape(indices.shape) / p.sum()
    log = torch.where(own > 0, own, 1.0).log()
    return WeightedSamples(indices, (log - log.detach()).exp())


def _pair(function: str, value: Estimate | Tensor) -> tuple[Tensor, Tensor]:
    """A value and its error; NaN of a number alone."""
    if isinstance(value, Estimate):
        return one_number(function, value.mean), one_number(function, value.error)
    number = one_number(function, value)
    return number, torch.full_like(number, torch.nan)


def _along(rows: Tensor, factors: Tensor) -> Tensor:
    """The sum of rows times factors."""
    return (rows * factors.reshape(-1, *[1] * (rows.ndim - 1))).sum(0)


def _check_rows(function: str, u: Any, n_runs: int) -> None:
    remedy = f"Draw them with `uniforms(({n_runs}, n_shots), seed)`."
    check_real(function, "u", u, remedy)
    if not u.ndim or u.shape[0] != n_runs:
        raise shape_error(function, "u", u, f"have shape ({n_runs}, ...), one row a run", remedy)
