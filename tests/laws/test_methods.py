"""Methods beyond the gradient: L-BFGS and its search, Rotosolve, random directions, QNSPSA."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.compare import assert_close, assert_close_fd
from oracles.training import (
    SPECTRA,
    angles,
    check_coordinates,
    check_lbfgs,
    check_qnspsa,
    check_unbiased,
    energy,
    entangled,
    same,
)
from scipy.optimize import minimize as scipys
from torch.func import grad, vmap

import quilt_func as qf
from quilt_func import optim
from quilt_func.optim import minimise
from quilt_func.optim.coordinates import waves_of
from quilt_func.testing.tolerances import tolerance

F64 = torch.float64
FEW = settings(max_examples=max(1, settings().max_examples // 8))


def rosenbrock(p):
    return (100 * (p[1:] - p[:-1].square()).square() + (1 - p[:-1]).square()).sum()


def by_scipy(loss, start):
    return scipys(
        lambda x: float(loss(torch.from_numpy(x))), start.numpy(), method="L-BFGS-B",
        jac=lambda x: grad(loss)(torch.from_numpy(x)).numpy(),
        options={"gtol": 1e-12, "ftol": 0.0, "maxiter": 500},
    )  # fmt: skip


# L-BFGS


def test_directions_are_those_of_dense_matrices():
    check_lbfgs(lambda m: optim.lbfgs(memory_size=m))
    check_lbfgs(lambda m: optim.lbfgs(memory_size=m), memory_size=1)
    check_lbfgs(lambda m: optim.lbfgs(memory_size=m), memory_size=8)


SEARCH = optim.with_line_search(optim.lbfgs())


@pytest.mark.parametrize("n", [2, 5, 10])
def test_rosenbrocks_valley_against_scipy(n):
    start = torch.full((n,), -1.2, dtype=F64)
    theirs = by_scipy(rosenbrock, start)
    found = minimise(rosenbrock, start, SEARCH, 2 * theirs.nit)
    least = tolerance(F64, 2**10)
    assert theirs.fun < least
    assert found.losses[-1] < least
    assert_close(found.params, torch.ones(n, dtype=F64), n_gates=2**20)


@FEW
@given(st.integers(0, 1000), st.integers(2, 6))
def test_convex_quadratics_against_their_solution(seed, n):
    root, right = qf.uniforms((n, n), seed, dtype=F64), qf.uniforms(n, seed + 1, dtype=F64)
    matrix = root @ root.mT + 0.1 * torch.eye(n, dtype=F64)
    loss = lambda p: p @ matrix @ p / 2 - right @ p  # noqa: E731
    found = minimise(loss, torch.zeros(n, dtype=F64), SEARCH, 15 * n)
    exact = torch.linalg.solve(matrix, right)
    assert_close(found.losses[-1], loss(exact), n_gates=2**10, scale=64)


def ground(name):
    observable = qf.molecules.molecule(name, 0.735)
    least = np.linalg.eigvalsh(observable.to_matrix(dtype=torch.complex128).numpy())[0]

    def loss(p):
        state = qf.circuit(2, qf.ry(p[:2], [0, 1]), qf.cx(0, 1), qf.ry(p[2:], [0, 1]))()
        return qf.expval(state, observable)

    return loss, float(least)


def test_the_ground_state_of_hydrogen_from_an_ensemble():
    loss, least = ground("H2")
    starts = 0.5 * qf.uniforms((4, 4), 3, dtype=F64)
    for optimiser, n_steps in ((SEARCH, 40), (optim.rotosolve(), 60)):
        run = lambda p, o=optimiser, n=n_steps: minimise(loss, p, o, n).losses[-1]  # noqa: E731
        found = vmap(run)(starts)
        # within 2e-10 hartree; the loss is flat there
        assert (found - least).abs().max() < tolerance(F64, 2**10, scale=2**12)


def test_a_pair_without_curvature_is_left_out():
    """The memory of an update that did not move, or moved along a hill, is the memory before."""
    opt, point = optim.lbfgs(memory_size=2), torch.tensor([0.3, -0.2], dtype=F64)
    _, state = opt.update(point, opt.init(point), point)
    _, still = opt.update(point, state, point)
    _, hill = opt.update(point - 0.1, state, point + 0.1)
    _, valley = opt.update(point + 0.1, state, point + 0.1)
    for one in (still, hill):
        same(one[0].weights, torch.zeros(2, dtype=F64))
    assert_close(valley[0].weights, [0.0, 1 / 0.02], n_gates=64, scale=50)


# The search


@FEW
@given(st.integers(0, 1000), st.floats(0.1, 100))
def test_the_loss_never_rises(seed, rate):
    start = angles(seed)
    losses = minimise(energy, start, optim.with_line_search(optim.sgd(rate)), 6).losses
    assert (losses.diff() <= tolerance(F64, 2**8)).all()


def test_a_search_that_fails_goes_on_below():
    steep = lambda p: 1e6 * p.square().sum()  # noqa: E731
    method, p = optim.with_line_search(optim.sgd(1.0), n_trials=3), torch.tensor([1.0], dtype=F64)
    one = minimise(steep, p, method, 1)
    same(one.params, p)
    assert one.state.inner.reach == 0.5**3
    losses = minimise(steep, p, method, 40).losses
    assert losses[10] < losses[0], "steps of a millionth are reached"
    assert (losses[10:].diff() < 0).all(), "and not searched for anew"


def test_the_longest_step_that_is_low_enough_is_taken():
    """Of x² from 1 along -2 s: 1 - 2 s is lower by less than c 4 s² from s = 1 - c on."""
    for sufficient, expected in ((0.0, 1.0), (0.4, 0.5), (0.6, 0.25), (0.8, 0.125)):
        method = optim.with_line_search(optim.sgd(1.0), sufficient=sufficient)
        found = minimise(torch.square, torch.tensor(1.0, dtype=F64), method, 1).params
        assert_close(found, torch.tensor(1 - 2 * expected, dtype=F64))


def test_undefined_losses_are_not_stepped_on():
    found = minimise(
        lambda p: p - p.log(),
        torch.tensor(0.1, dtype=F64),
        optim.with_line_search(optim.sgd(1.0)),
        30,
    )
    assert_close(found.params, torch.tensor(1.0, dtype=F64), n_gates=2**20)


# Rotosolve


def test_each_coordinate_is_least_along_itself():
    check_coordinates(optim.rotosolve)


@given(
    st.lists(st.sampled_from([0.5, 1.0, 1.5, 2.0, 2.3, 3.7]), min_size=1, max_size=4, unique=True),
    st.integers(0, 1000),
)
def test_sums_of_waves_of_any_frequencies(frequencies, seed):
    """One parameter: the least of a dense grid over the promised window is not lower."""
    omega = torch.tensor(frequencies, dtype=F64)
    a, b = (2 * qf.uniforms((2, len(frequencies)), seed, dtype=F64) - 1).unbind()

    def loss(x):
        return (a * (omega * x).cos() + b * (omega * x).sin()).sum()

    start = torch.tensor(0.4, dtype=F64)
    found = optim.rotosolve(frequencies).step(loss, start, (), None)[0]
    half = np.pi / min(frequencies)
    fine = start + torch.linspace(-half, half, 4001, dtype=F64)
    condition = float(np.linalg.cond(np.array(waves_of(sorted(frequencies)).inverse)))
    least = vmap(loss)(fine).min()
    assert loss(found) <= least + condition * tolerance(F64, 2**12, scale=4.0)


@pytest.mark.parametrize("frequencies", [(1.0,), (1.0, 2.0)], ids=str)
def test_the_derivative_of_a_minimum_along_a_coordinate(frequencies):
    """The implicit one, against finite differences."""
    omega = torch.tensor(frequencies, dtype=F64)

    def least(t):
        def loss(x):
            return ((1 + t) * (omega * x + t).sin() + (x - t).cos()).sum()

        return optim.rotosolve(frequencies).step(loss, 0 * t, (), None)[0]

    t, h = torch.tensor(0.3, dtype=F64), torch.finfo(F64).eps ** (1 / 3)
    assert_close_fd(grad(least)(t), (least(t + h) - least(t - h)) / (2 * h), scale=2**6)
    curvature = (grad(least)(t + h) - grad(least)(t - h)) / (2 * h)
    assert_close_fd(grad(grad(least))(t), curvature, scale=2**8)


def test_parameters_without_influence_stay():
    loss = lambda p: p[0].sin() + 3  # noqa: E731
    p = torch.tensor([0.3, 0.7], dtype=F64)
    found = optim.rotosolve().step(loss, p, (), None)[0]
    assert found[1] == p[1]
    slopes = grad(lambda q: optim.rotosolve().step(loss, q, (), None)[0].sum())(p)
    assert_close(slopes, [0.0, 1.0], n_gates=64)
    same(optim.rotosolve(()).step(loss, p, (), None)[0], p)


def test_values_are_as_many_as_told():
    calls = []

    def counted(p):
        calls.append(0)
        return energy(p)

    torch.func.vmap(lambda p: optim.rotosolve(SPECTRA).step(counted, p, (), None)[0])(
        angles()[None]
    )
    assert len(calls) == 8, "one vmapped call a parameter"
    assert [len(waves_of(sorted(one)).shifts) for one in SPECTRA] == [3, 3, 3, 5, 5, 7, 3, 3]


# Random directions


def by_spsa(loss, p, v):
    return qf.spsa(loss, p, (v + 1) / 2, step=1e-5)


def test_forward_gradients_are_unbiased():
    check_unbiased(optim.forward_gradient)


def test_forward_gradients_along_all_axes_are_gradients():
    p = angles()
    axes = 8**0.5 * torch.eye(8, dtype=F64)
    assert_close(optim.forward_gradient(energy, p, axes), grad(energy)(p), n_gates=2**8)


def test_forward_gradients_are_what_spsa_comes_to():
    p, u = angles(), qf.uniforms((5, 8), 3, dtype=F64)
    signs = torch.where(u < 0.5, -1.0, 1.0).to(F64)
    close = optim.forward_gradient(energy, p, signs)
    assert_close_fd(qf.spsa(energy, p, u, step=1e-5), close, scale=2**6)


def test_spsa_as_an_optimiser_is_spsa():
    u, p, opt = qf.uniforms((5, 2, 8), 3, dtype=F64), angles(), optim.adam(0.1)
    state = opt.init(p)
    found = minimise(energy, p, optim.with_spsa(opt, step=optim.power_schedule(0.2, 0.1)), 5, u=u)
    for k in range(5):
        slopes = qf.spsa(energy, p, u[k], step=0.2 / (1 + k) ** 0.1)
        updates, state = opt.update(slopes, state, p)
        p = optim.apply_updates(p, updates)
    assert_close(found.params, p, n_gates=2**16)


def test_forward_gradients_as_an_optimiser():
    u, p, opt = qf.uniforms((5, 2, 8), 3, dtype=F64), angles(), optim.sgd(0.1)
    found = minimise(energy, p, optim.with_forward_gradient(opt), 5, u=u)
    for k in range(5):
        signs = torch.where(u[k] < 0.5, -1.0, 1.0).to(F64)
        p = p - 0.1 * optim.forward_gradient(energy, p, signs)
    assert_close(found.params, p, n_gates=2**10)


# QNSPSA


def test_steps_of_qnspsa_are_those_of_the_paper():
    check_qnspsa(optim.qnspsa)


def test_estimated_metrics_have_the_metric_as_their_mean():
    """Over all signs of two parameters, up to the distance squared."""
    p, rest = angles()[:2], angles()[4:]
    state = lambda q: entangled(torch.cat([q, 0.3 + q.flip(0), rest]))  # noqa: E731
    signs = torch.tensor([*itertools.product([0.2, 0.7], repeat=4)], dtype=F64).unflatten(1, (2, 2))
    u = torch.cat([torch.full((16, 1, 2), 0.7, dtype=F64), signs], 1)
    loss = lambda q: qf.expval(state(q), qf.pauli_sum({"ZII": 1.0}))  # noqa: E731
    step = 1e-3
    _, memory, _ = optim.qnspsa(state, step=step).step(
        loss, p, optim.qnspsa(state).init(p), u
    )  # fmt: skip
    mean = 2 * memory.metric - torch.eye(2, dtype=F64)
    deviation = (mean - qf.fubini_study(state, p)).abs().max()
    assert deviation < 4 * step**2


def test_the_mean_over_estimates():
    u = qf.uniforms((3, 3, 8), 1, dtype=F64)
    method, p = optim.qnspsa(entangled), angles()
    each = [method.step(energy, p, method.init(p), one)[1].metric for one in u]
    found = method.step(energy, p, method.init(p), u)[1].metric
    assert_close(found, torch.stack(each).mean(0), n_gates=2**12, scale=2**12)


def test_steps_that_raise_the_loss_are_not_taken():
    u, p = qf.uniforms((12, 3, 8), 1, dtype=F64), angles()
    losses = minimise(energy, p, optim.qnspsa(entangled, 2.0, max_rise=0.0), 12, u=u).losses
    assert (losses.diff() <= 0).all()
    wild = minimise(energy, p, optim.qnspsa(entangled, 2.0), 12, u=u).losses
    assert (wild.diff() > 0).any(), "it is the bound that does it"


@pytest.mark.parametrize("transform", [grad, lambda f: vmap(grad(f))])
def test_qnspsa_refuses_a_gradient(transform):
    u, p = qf.uniforms((2, 3, 8), 1, dtype=F64), angles(batch=(2,) if transform is not grad else ())
    run = lambda q: minimise(energy, q, optim.qnspsa(entangled), 2, u=u).losses.sum()  # noqa: E731
    with pytest.raises(TypeError, match=r"qnspsa\(\): steps have no gradient"):
        transform(run)(p)


@pytest.mark.parametrize("start", [[0.0, 0.0], [-1.2, 1.0]])
def test_lbfgs_is_safe_with_a_search_alone(start):
    """Rosenbrock's valley: whole steps go astray, and searched ones do not."""

    def valley(p):
        return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2

    begin = torch.tensor(start, dtype=torch.float64)
    plain = optim.minimise(valley, begin, optim.lbfgs(), 60)
    searched = optim.minimise(valley, begin, optim.with_line_search(optim.lbfgs()), 60)
    assert plain.losses.max() > 1e4
    assert (searched.losses.diff() <= 0).all()
    assert_close(searched.params, torch.ones(2, dtype=torch.float64), n_gates=10**4)
