"""Mistakes in training: the laws of runs that go on, of curvature, coordinates and metrics kill."""

import pytest
import torch
from oracles.training import (
    check_coordinates,
    check_goes_on,
    check_lbfgs,
    check_qnspsa,
    check_unbiased,
)
from torch.func import jvp

from quilt_func import optim
from quilt_func.optim import minimise, quantum_spsa, quasi_newton

F64 = torch.float64


def scheduled():
    return optim.adam(optim.exponential_schedule(0.2, 3, 0.5))


def test_the_library_is_right():
    check_goes_on(minimise, scheduled)
    check_lbfgs(lambda m: optim.lbfgs(memory_size=m))
    check_coordinates(optim.rotosolve)
    check_unbiased(optim.forward_gradient)
    check_qnspsa(optim.qnspsa)


# Runs that go on


def step_count_reset(*args, state=None, **options):
    if state is not None:
        state = state._replace(step=torch.zeros_like(state.step))
    return minimise(*args, state=state, **options)


def optimiser_forgets(loss, params, optimiser, n_steps, *, state=None, **options):
    return minimise(loss, params, optimiser, n_steps, **options)


def first_batches_again(loss, params, optimiser, n_steps, *, batches, **options):
    fresh = torch.linspace(0.5, 1.5, 5, dtype=F64)[:n_steps]
    return minimise(loss, params, optimiser, n_steps, batches=fresh, **options)


def loss_after_the_step(loss, params, optimiser, n_steps, *, batches, **options):
    found = minimise(loss, params, optimiser, n_steps, batches=batches, **options)
    last = loss(found.params, batches[-1])[None] if n_steps else found.losses
    return found._replace(losses=torch.cat([found.losses[1:], last]))


def params_of_the_start(loss, params, *args, **options):
    return minimise(loss, params, *args, **options)._replace(params=params)


@pytest.mark.parametrize(
    "mistake",
    [step_count_reset, optimiser_forgets, first_batches_again, loss_after_the_step,
     params_of_the_start],
)  # fmt: skip
def test_mistakes_in_runs_die(mistake):
    with pytest.raises(AssertionError):
        check_goes_on(mistake, scheduled)


# Curvature


def newest_first(state):
    """Pairs are walked in the order of a memory that is upside down."""
    flipped = {name: getattr(state, name).flip(0) for name in ("moves", "turns", "weights")}
    return RIGHT(state._replace(**flipped))


def without_second_loop(state):
    found = state.slope
    for i in reversed(range(len(state.weights))):
        factor = state.weights[i] * (state.moves[i] * found).sum()
        found = found - factor * state.turns[i]
    return quasi_newton._scale_of_newest(state) * found


def unscaled(state):
    return RIGHT(state) / quasi_newton._scale_of_newest(state)


def gradient_alone(state):
    return state.slope


RIGHT = quasi_newton._two_loops
CURVATURE = [newest_first, without_second_loop, unscaled, gradient_alone]


@pytest.mark.parametrize("mistake", CURVATURE)
def test_mistakes_in_curvature_die(mistake, monkeypatch):
    monkeypatch.setattr(quasi_newton, "_two_loops", mistake)
    with pytest.raises(AssertionError):
        check_lbfgs(lambda m: optim.lbfgs(memory_size=m))


@pytest.mark.parametrize("longer", [1, -1])
def test_another_memory_dies(longer):
    with pytest.raises(AssertionError):
        check_lbfgs(lambda m: optim.lbfgs(memory_size=m + longer))


# Coordinates


def all_of_one_frequency(spectra):
    return optim.rotosolve()


def without_the_highest(spectra):
    return optim.rotosolve([one[:-1] or one for one in spectra])


def in_another_order(spectra):
    return optim.rotosolve(spectra[::-1])


def to_the_highest(spectra):
    right = optim.rotosolve(spectra)

    def step(loss, params, state, u):
        moved, state, value = right.step(lambda p: -loss(p), params, state, u)
        return moved, state, -value

    return right._replace(step=step)


def all_at_once(spectra):
    """Each coordinate's minimum from the start, not from where those before it went."""

    def step(loss, params, state, u):
        found = params.clone()
        for place, one in enumerate(spectra):
            axis = torch.eye(len(params), dtype=params.dtype)[place]
            along = optim.rotosolve(one)
            move = along.step(
                lambda x, axis=axis: loss(params + x * axis), 0 * params[0], state, u
            )[0]
            found = found + move * axis
        return found, state, loss(params)

    return optim.rotosolve(spectra)._replace(step=step)


@pytest.mark.parametrize(
    "mistake",
    [all_of_one_frequency, without_the_highest, in_another_order, to_the_highest, all_at_once],
)
def test_mistakes_in_coordinates_die(mistake):
    with pytest.raises(AssertionError):
        check_coordinates(mistake)


# Directions


def slope_alone(loss, p, v):
    return jvp(loss, (p,), (v,))[1] * torch.ones_like(v)


def halved(loss, p, v):
    return optim.forward_gradient(loss, p, v) / 2


def normalised(loss, p, v):
    return optim.forward_gradient(loss, p, v / v.norm())


@pytest.mark.parametrize("mistake", [slope_alone, halved, normalised])
def test_biased_estimates_die(mistake):
    with pytest.raises(AssertionError):
        check_unbiased(mistake)


# The metric of random directions


def not_positive(metric, slope, regularisation):
    size = torch.eye(len(slope), dtype=slope.dtype)
    return torch.linalg.solve((metric + regularisation * size) / (1 + regularisation), slope)


def not_regularised(metric, slope, regularisation):
    return POSITIVE(metric, slope, 0.0)


def metric_of_half(*args):
    slope, metric = ESTIMATES(*args)
    return slope, metric / 2


def one_outer_product(loss, state_fn, flat, signs, step):
    slope, metric = ESTIMATES(loss, state_fn, flat, signs, step)
    return slope, metric.triu() * 2


def without_the_gradients_own_signs(loss, state_fn, flat, signs, step):
    return ESTIMATES(loss, state_fn, flat, signs[:, [1, 1, 2]], step)


POSITIVE, ESTIMATES = quantum_spsa._solved, quantum_spsa._estimates
METRICS = [
    ("_solved", not_positive), ("_solved", not_regularised), ("_estimates", metric_of_half),
    ("_estimates", one_outer_product), ("_estimates", without_the_gradients_own_signs),
]  # fmt: skip


@pytest.mark.parametrize(("name", "mistake"), METRICS)
def test_mistakes_in_metrics_die(name, mistake, monkeypatch):
    monkeypatch.setattr(quantum_spsa, name, mistake)
    with pytest.raises(AssertionError):
        check_qnspsa(optim.qnspsa)


def weighs_from_zero(state_fn, rate, **options):
    """The first estimate takes the identity's place."""
    right = optim.qnspsa(state_fn, rate, **options)

    def step(loss, params, state, u):
        params, state, value = right.step(loss, params, state._replace(step=state.step - 1), u)
        return params, state._replace(step=state.step + 1), value

    return right._replace(step=step)


def test_another_mean_of_metrics_dies():
    with pytest.raises(AssertionError):
        check_qnspsa(weighs_from_zero)
