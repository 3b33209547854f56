"""Derivatives of what is sampled: shift rules, random directions and weights, with errors."""

import math

import pytest
import torch
from oracles.compare import assert_close
from oracles.shots import check_spread
from torch.func import grad, hessian, jvp, vmap

import quilt_func as qf
from quilt_func.shots import (
    Estimate,
    estimate,
    n_shift_runs,
    sample_with_weights,
    shift_gradient,
    spsa_gradient,
)

F64 = torch.float64
POINT = {"a": torch.tensor(0.4, dtype=F64), "b": torch.tensor([0.9, -0.3], dtype=F64)}
WORDS = qf.pauli_sum({"XZ": 1.0, "ZY": 0.5})


def build(p):
    """A shared angle, one of four shifts, and one that is twice a parameter."""
    return qf.circuit(
        2, qf.ry(p["a"], [0, 1]), qf.crx(p["b"][0], 0, 1), qf.rx(2 * p["a"], 0), qf.rz(p["b"][1], 1)
    )


def energy(p):
    return qf.expval(build(p)(), WORDS)


def measured(circuit, u):
    return estimate(circuit(), WORDS, u)


def check_shift_gradient(gradient):
    """Means and spread over repetitions, of each parameter."""
    u = qf.uniforms((1000, n_shift_runs(POINT, build), 40), 3, dtype=F64)
    found = vmap(lambda v: gradient(measured, POINT, v, build), chunk_size=250)(u)
    expected = grad(energy)(POINT)
    for name in POINT:
        check_spread((found.mean[name], found.error[name]), expected[name])


def test_shift_gradients():
    assert n_shift_runs(POINT, build) == 4 + 4 + 2 + 2
    check_shift_gradient(shift_gradient)


def by_common_numbers(fn, params, u, circuit_fn):
    """The same numbers for all shifts: unbiased, but values are not independent."""
    return shift_gradient(fn, params, u[:1].expand_as(u), circuit_fn)


def by_linear_sums(fn, params, u, circuit_fn):
    """Errors of shifts add as if they were off together."""
    found = shift_gradient(fn, params, u, circuit_fn)
    return found._replace(error={k: e * math.sqrt(2) for k, e in found.error.items()})


@pytest.mark.parametrize("mistake", [by_common_numbers, by_linear_sums])
def test_shift_mutants_die(mistake):
    with pytest.raises(AssertionError):
        check_shift_gradient(mistake)


def test_shift_gradients_of_exact_values_are_those_of_parameter_shift():
    u = torch.zeros(n_shift_runs(POINT, build), 1, dtype=F64)
    exact = shift_gradient(lambda c, _: qf.expval(c(), WORDS), POINT, u, build)
    expected = qf.parameter_shift(lambda c: qf.expval(c(), WORDS), POINT, build)
    for name in POINT:
        assert_close(exact.mean[name], expected[name], n_gates=64)
        assert bool(exact.error[name].isnan().all())  # nothing tells it


def test_circuits_are_parameters_too():
    circuit = qf.circuit(1, qf.ry(torch.tensor(0.5, dtype=F64), 0))
    z = qf.pauli_sum({"Z": 1.0})
    u = qf.uniforms((n_shift_runs(circuit), 4000), 0, dtype=F64)
    found = shift_gradient(lambda c, v: estimate(c(), z, v), circuit, u)
    (mean,), (error,) = found.mean.leaves, found.error.leaves
    assert bool((mean + torch.tensor(0.5).sin()).abs() < 5 * error)


def test_random_directions():
    """Unbiased but for the step, and errors say how far gradients are apart."""
    k, step = 20, 0.05

    def value(p, u):
        return estimate(build(p)(), WORDS, u)

    u, shot_u = (qf.uniforms((1000, k, *shape), 5, dtype=F64) for shape in ((3,), (2, 100)))

    def found(v, w):
        return spsa_gradient(value, POINT, v, w, step=step)

    gradients = vmap(found, chunk_size=100)(u, shot_u)
    expected = grad(energy)(POINT)
    for name in POINT:
        check_spread((gradients.mean[name], gradients.error[name]), expected[name])
    one = found(u[0, :1], shot_u[0, :1])
    assert bool(one.error["a"].isnan())


@pytest.mark.parametrize("kind", ["state", "density"])
def test_weights_have_every_derivative(kind):
    def values(theta, u):
        state = qf.circuit(2, qf.ry(theta, [0, 1]), qf.cx(0, 1), qf.rx(theta, 1))()
        rho = torch.outer(state, state.conj().resolve_conj()) if kind == "density" else state
        found = sample_with_weights(rho, u)
        return found.weights * (found.indices - 1.5)

    def exact(theta):
        state = qf.circuit(2, qf.ry(theta, [0, 1]), qf.cx(0, 1), qf.rx(theta, 1))()
        return (qf.probs(state) * (torch.arange(4) - 1.5)).sum()

    theta, u = torch.tensor(0.7, dtype=F64), qf.uniforms(50_000, 0, dtype=F64)
    for transform in (lambda f: f, grad, hessian, lambda f: lambda t: jvp(f, (t,), (t,))[1] / t):
        each = vmap(lambda v, how=transform: how(lambda t: values(t, v))(theta))(u)
        error = each.std() / math.sqrt(len(u))
        assert abs(each.mean() - transform(exact)(theta)) < 5 * error
    assert bool((sample_with_weights(qf.ghz_state(2), u).weights == 1).all())


def test_an_objective_must_give_one_number():
    u = qf.uniforms((2, 8), 0)
    circuit = qf.circuit(1, qf.ry(torch.tensor(0.5), 0))
    with pytest.raises(ValueError, match="must return one number"):
        shift_gradient(lambda c, v: Estimate(v, v), circuit, u)
