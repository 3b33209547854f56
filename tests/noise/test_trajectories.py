"""Trajectories: means and their derivatives are those of densities."""

import math

import pytest
import torch
from noisy_samples import (
    CASES,
    F64,
    POINT,
    SHOTS,
    WORDS,
    Z,
    close,
    damped,
    everything,
    mixed,
    samples,
)
from torch.func import grad, hessian, jvp, vmap

import quilt_func as qf
from quilt_func import noise
from quilt_func.noise import branching, n_draws, run_trajectory, trajectory_mean
from quilt_func.testing import tolerance


@pytest.mark.parametrize("name", CASES)
def test_means_and_gradients_are_those_of_densities(name):
    circuit_of, observable = CASES[name][0], CASES[name][1] or WORDS

    def exact(theta, p):
        return qf.expval(qf.run_density(circuit_of(theta, p)), observable)

    value, u = samples(circuit_of, observable, POINT)
    close(vmap(value, (None, None, 0))(*POINT, u), exact(*POINT))
    slopes = vmap(grad(value, (0, 1)), (None, None, 0))(*POINT, u)
    for found, expected in zip(slopes, grad(exact, (0, 1))(*POINT), strict=True):
        close(found, expected)


def test_second_derivatives_too():
    """Ry(π/2), damping 0.2: gradient (-0.8, 1.0) and mixed second derivative 1."""
    point = torch.tensor(math.pi / 2, dtype=F64), torch.tensor(0.2, dtype=F64)
    value, u = samples(damped, Z, point, seed=3, shots=2 * SHOTS)
    theta, gamma = vmap(grad(value, (0, 1)), (None, None, 0))(*point, u)
    close(theta, -0.8)
    close(gamma, 1.0)
    (aa, ab), (_, bb) = vmap(hessian(value, (0, 1)), (None, None, 0))(*point, u)
    close(aa, 0.0)
    close(ab, 1.0)
    close(bb, 0.0)


def without_weight(theta, p, u):
    return qf.expval(run_trajectory(damped(theta, p), u).state, Z)


def test_without_the_weight_a_gradient_is_another():
    """The frozen branches' gradient, which others report: (-0.8889, 0.5556)."""
    point = torch.tensor(math.pi / 2, dtype=F64), torch.tensor(0.2, dtype=F64)
    _, u = samples(damped, Z, point)
    theta, gamma = vmap(grad(without_weight, (0, 1)), (None, None, 0))(*point, u)
    close(theta, -0.8 / 0.9)
    close(gamma, 0.5 / 0.9)
    with pytest.raises(AssertionError):
        close(gamma, 1.0)


@pytest.mark.parametrize("times", [1, 3])
def test_depolarizing_again_and_again(times):
    def value(p, u):
        state, weight = run_trajectory(qf.circuit(1, [noise.depolarizing(p, 0)] * times), u)
        return weight * qf.expval(state, Z)

    p, u = torch.tensor(0.2, dtype=F64), qf.uniforms((SHOTS, times), 1, dtype=F64)
    shrunk = 1 - 4 * 0.2 / 3
    close(vmap(value, (None, 0))(p, u), shrunk**times)
    close(vmap(grad(value), (None, 0))(p, u), -4 * times / 3 * shrunk ** (times - 1))


def test_states_are_normalised_and_weights_are_one():
    _, u = samples(everything, WORDS, POINT, shots=200)
    states, weights = vmap(lambda u: run_trajectory(everything(*POINT), u))(u)
    assert (states.abs().square().sum(-1) - 1).abs().max() < tolerance(F64, 64)
    assert torch.equal(weights, torch.ones(200, dtype=F64))


def test_branches_are_taken_in_proportion():
    """Uniform numbers on a grid take each branch as often as its probability says."""
    p = torch.tensor([[0.1, 0.0, 0.4, 0.5, 0.0]], dtype=F64).expand(1000, -1)
    u = (torch.arange(1000, dtype=F64) + 0.5) / 1000
    taken = torch.bincount(noise.branching.chosen(p, u), minlength=5)
    assert taken.tolist() == [100, 0, 400, 500, 0]
    ends = torch.tensor([0.0, 1 - 2**-53], dtype=F64)
    assert noise.branching.chosen(p[:2], ends).tolist() == [0, 3]


def test_a_baseline_changes_no_mean_and_less_noise():
    _, u = samples(damped, Z, POINT, shots=4000)

    def weighed(theta, p, u):
        state, weight = run_trajectory(damped(theta, p), u)
        return 1.0 + qf.expval(state, Z), weight  # an offset that the baseline takes away

    def plain(theta, p, u):
        values, weights = vmap(weighed, (None, None, 0))(theta, p, u)
        return (weights * values).mean()

    def less(theta, p, u):
        return trajectory_mean(*vmap(weighed, (None, None, 0))(theta, p, u))

    parts = u.reshape(40, 100, -1)
    found = [vmap(grad(one, 1), (None, None, 0))(*POINT, parts) for one in (plain, less)]
    exact = grad(lambda p: qf.expval(qf.run_density(damped(POINT[0], p)), Z))(POINT[1])
    for one in found:
        close(one, exact)
    assert found[1].std() < 0.8 * found[0].std()
    assert abs(plain(*POINT, u) - less(*POINT, u)) < tolerance(F64, 4000)


def test_transforms_nest():
    value, u = samples(mixed, WORDS, POINT, shots=3)
    looped = torch.stack([value(*POINT, one) for one in u])
    mapped = vmap(value, (None, None, 0))(*POINT, u)
    assert (looped - mapped).abs().max() < tolerance(F64, 64, 4.0)
    one = torch.ones((), dtype=F64)
    for sample in u:
        slope = grad(value)(*POINT, sample)
        pushed = jvp(lambda t, s=sample: value(t, POINT[1], s), (POINT[0],), (one,))[1]
        assert abs(slope - pushed) < tolerance(F64, 256, 8.0)
    total = grad(lambda t: vmap(value, (None, None, 0))(t, POINT[1], u).sum())(POINT[0])
    each = vmap(grad(value), (None, None, 0))(*POINT, u).sum()
    assert abs(total - each) < tolerance(F64, 256, 8.0)


def test_jit_replays_trajectories():
    value, u = samples(everything, WORDS, POINT, shots=5)
    step = qf.jit(vmap(grad(value, (0, 1)), (None, None, 0)))
    for scale in (1.0, 0.5):
        point = POINT[0], scale * POINT[1]
        for found, expected in zip(
            step(*point, u), vmap(grad(value, (0, 1)), (None, None, 0))(*point, u), strict=True
        ):
            assert (found - expected).abs().max() < tolerance(F64, 1024, 16.0)


def test_single_precision_stays():
    circuit = everything(torch.tensor(0.3), torch.tensor(0.1))
    state, weight = run_trajectory(circuit, qf.uniforms(n_draws(circuit), 0))
    assert state.dtype == torch.complex64
    assert weight.dtype == torch.float32


def test_from_a_state():
    start = qf.random_state(qf.uniforms((2, 2), 0, dtype=F64))
    u = qf.uniforms((SHOTS, 1), 0, dtype=F64)
    circuit = qf.circuit(1, noise.amplitude_damping(0.3, 0))
    found = vmap(lambda u: qf.expval(run_trajectory(circuit, u, start).state, Z))(u)
    close(found, qf.expval(qf.run_density(circuit, start.outer(start.conj())), Z))


def test_superoperators_have_no_trajectories():
    matrix = torch.eye(4, dtype=torch.complex64)
    with pytest.raises(TypeError, match="must have Kraus operators"):
        run_trajectory(qf.circuit(1, noise.superoperator(matrix, 0)), qf.uniforms(1, 0))


def test_explained_as_it_is_run(monkeypatch):
    """The stretches of the table are the runs, gate by gate; mixtures wait for none."""
    runs, right = [], branching.evolved

    def watched(n, ops, state, *kind):
        runs.append((sum(map(len, ops)), state is None))
        return right(n, ops, state, *kind)

    monkeypatch.setattr(branching, "evolved", watched)
    for circuit_of in (mixed, everything):
        runs.clear()
        circuit = circuit_of(*POINT)
        run_trajectory(circuit, qf.uniforms(n_draws(circuit), 0, dtype=F64))
        head, *rest = noise.explain_trajectory(circuit).splitlines()
        assert head == f"{n_draws(circuit)} draws in {len(runs)} stretches"
        middle = [row.startswith("stretch") for row in rest].index(True)
        rows = rest[middle + 1 : -2]
        assert [int(row.split()[1]) for row in rows] == [n_gates for n_gates, _ in runs]
        assert [starts for _, starts in runs] == [True] + [False] * (len(runs) - 1)
        when = {row.split()[1]: row.split(maxsplit=2)[2] for row in rest[1:middle]}
        for op in circuit.ops:
            if isinstance(op.gate, noise.Channel):
                assert when[op.gate.name] == ("first" if op.gate.mixture else "by the state")
