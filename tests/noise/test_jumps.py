"""The run without an error exactly, and samples of the others: together the density matrix."""

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
    estimate,
    everything,
    exact,
    mixed,
    numbers,
)  # fmt: skip
from torch.func import grad, hessian, vmap

import quilt_func as qf
from quilt_func import noise
from quilt_func.noise import jumps, n_draws, run_jumps, run_no_jump, run_trajectory
from quilt_func.testing import tolerance


@pytest.mark.parametrize("strength", [0.15, 0.01])
@pytest.mark.parametrize("name", CASES)
def test_means_and_gradients_are_those_of_densities(name, strength):
    circuit_of, observable = CASES[name][0], CASES[name][1] or WORDS
    point = POINT[0], torch.tensor(strength, dtype=F64)
    value, u = estimate(circuit_of, observable), numbers(circuit_of, point, shots=SHOTS // 4)
    of_density = exact(circuit_of, observable)
    close(vmap(value, (None, None, 0))(*point, u), of_density(*point))
    slopes = vmap(grad(value, (0, 1)), (None, None, 0))(*point, u)
    for found, expected in zip(slopes, grad(of_density, (0, 1))(*point), strict=True):
        close(found, expected)


@pytest.mark.parametrize("name", ["damped", "mixed"])
def test_second_derivatives_too(name):
    circuit_of, observable = CASES[name][0], CASES[name][1] or WORDS
    value, u = estimate(circuit_of, observable), numbers(circuit_of, POINT, 1, SHOTS // 4)
    rows = vmap(hessian(value, (0, 1)), (None, None, 0))(*POINT, u)
    expected = hessian(exact(circuit_of, observable), (0, 1))(*POINT)
    for found, row in zip(rows, expected, strict=True):
        for one, other in zip(found, row, strict=True):
            close(one, other)


def taken(circuit, u):
    """The branches that `run_jumps` takes."""
    rows = []

    class Watched(jumps._Conditioned):
        def __call__(self, first, probabilities):
            rows.append(super().__call__(first, probabilities))
            return rows[-1]

    def branches(u):
        rows.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(jumps, "_Conditioned", Watched)
            run_jumps(circuit, u)
        return torch.cat(rows)

    return vmap(branches)(u)


def grid(n, each):
    """All points of a grid of midpoints in `n` dimensions."""
    ticks = (torch.arange(each, dtype=F64) + 0.5) / each
    return torch.cartesian_prod(*[ticks] * n)


@pytest.mark.parametrize("row", [noise.depolarizing, noise.amplitude_damping])
@pytest.mark.parametrize("strength", [0.3, 1e-3])
def test_patterns_come_in_proportion(row, strength):
    """Without sampling: numbers on a grid take each pattern as often as its probability says."""
    theta, p = torch.tensor(0.8, dtype=F64), torch.tensor(strength, dtype=F64)
    circuit = qf.circuit(2, qf.ry(theta, range(2)), row(p, range(2)), qf.cx(0, 1), row(p, 1))
    found = taken(circuit, grid(3, 40))
    assert bool((found > 0).any(1).all())
    rows, counts = torch.unique(found, dim=0, return_counts=True)
    probabilities = vmap(lambda b: noise.run_pattern(circuit, b).probability)(rows)
    jump = 1 - run_no_jump(circuit).weight
    excess = counts / len(found) - probabilities / jump
    assert excess.abs().max() < 3 * 2 / 40  # a row of the grid on either side, in each dimension


def test_weights_are_the_probability_of_a_jump():
    circuit = everything(*POINT)
    none = run_no_jump(circuit)
    some = vmap(lambda u: run_jumps(circuit, u))(numbers(everything, POINT, shots=100))
    assert (some.weight - (1 - none.weight)).abs().max() < tolerance(F64, 64)
    assert (some.state.abs().square().sum(-1) - 1).abs().max() < tolerance(F64, 64)
    assert 0.1 < none.weight < 0.9


def test_the_run_without_a_jump_is_the_pattern_of_zeros():
    circuit = everything(*POINT)
    zeros = torch.zeros(n_draws(circuit), dtype=torch.int64)
    state, weight = run_no_jump(circuit)
    expected = noise.run_pattern(circuit, zeros)
    assert torch.equal(state, expected.state)
    assert torch.equal(weight, expected.probability)


def test_probability_of_no_error_at_all():
    """(1 - p)**k for k errors of probability p, with its slope."""

    def weight(p):
        return run_no_jump(qf.circuit(2, noise.depolarizing(p, [0, 1, 0, 1, 0]))).weight

    p = torch.tensor(0.1, dtype=F64)
    assert abs(weight(p) - 0.9**5) < tolerance(F64, 16)
    assert abs(grad(weight)(p) + 5 * 0.9**4) < tolerance(F64, 16)
    assert abs(grad(grad(weight))(p) - 20 * 0.9**3) < tolerance(F64, 16, 8.0)


def layers(theta, p):
    """Twelve draws, so that a jump has about the probability 12 p."""
    layer = qf.ry(theta, range(3)), noise.depolarizing(p, range(3)), qf.cx([(0, 1), (1, 2)])
    return qf.circuit(3, [layer, noise.amplitude_damping(p, range(3))] * 2)


@pytest.mark.parametrize("p", [0.01, 0.001])
def test_values_and_gradients_vary_less(p):
    """By about the probability of a jump, values by more."""
    point, shots = (torch.tensor(0.8, dtype=F64), torch.tensor(p, dtype=F64)), 4000
    z, u = qf.pauli_sum({"ZZI": 1.0, "IIZ": 1.0}), numbers(layers, point, shots=shots)

    def plain(theta, p, u):
        state, weight = run_trajectory(layers(theta, p), u)
        return weight * qf.expval(state, z)

    less, jump = estimate(layers, z), 1 - run_no_jump(layers(*point)).weight
    for i in (None, 0, 1):
        one, other = (
            vmap(f if i is None else grad(f, i), (None, None, 0))(*point, u) for f in (plain, less)
        )
        assert other.var() < (jump if i is None else 2 * jump) * one.var()


def test_a_baseline_has_the_total_of_what_is_sampled():
    """Unbiased by strengths, where the plain baseline, of total 1, is not."""

    def averaged(total_of):
        def value(theta, p, u):
            circuit = damped(theta, p)
            none = run_no_jump(circuit)

            def one(u):
                state, weight = run_jumps(circuit, u)
                return 1.0 + qf.expval(state, Z), weight

            total = total_of(none.weight)
            mean = noise.trajectory_mean(*vmap(one)(u), total=total)
            return none.weight * (1.0 + qf.expval(none.state, Z)) + mean

        return value

    parts = numbers(damped, POINT, shots=8000).reshape(400, 20, -1)
    expected = grad(exact(damped, Z), 1)(*POINT)
    right, wrong = (
        vmap(grad(averaged(total_of), 1), (None, None, 0))(*POINT, parts)
        for total_of in (lambda weight: 1 - weight, lambda weight: 1.0)
    )
    close(right, expected)
    with pytest.raises(AssertionError):
        close(wrong, expected)


@pytest.mark.parametrize("row", [noise.bit_flip, noise.amplitude_damping, noise.reset_channel])
@pytest.mark.parametrize("p", [0.0, 1.0])
def test_at_the_ends_nothing_is_undefined(row, p):
    """No jump is possible, or none is not: weights of 0, and finite derivatives everywhere."""
    p = torch.tensor(p, dtype=F64)

    def circuit_of(theta, p):
        return qf.circuit(2, qf.x([0, 1]), qf.ry(theta, 0), row(p, [1, 0, 1]))

    z = qf.pauli_sum({"ZI": 1.0, "IZ": 0.5})
    value, u = estimate(circuit_of, z), numbers(circuit_of, POINT, shots=50)
    theta = POINT[0]
    found = vmap(value, (None, None, 0))(theta, p, u)
    mean, deviation = found.mean(), (found - exact(circuit_of, z)(theta, p)).abs().max()
    assert bool(torch.isfinite(mean))
    if p == 0 or row is noise.bit_flip:
        assert deviation < tolerance(F64, 64)
    for transform in (grad(value, (0, 1)), hessian(value, (0, 1))):
        leaves = torch.utils._pytree.tree_leaves(vmap(transform, (None, None, 0))(theta, p, u))
        assert all(bool(torch.isfinite(leaf).all()) for leaf in leaves)


def test_tiny_strengths_keep_their_digits_in_single_precision():
    """1 - P from a P that is rounded would lose them."""
    circuit = qf.circuit(1, noise.bit_flip(1e-6, [0] * 10))
    states, weights = vmap(lambda u: run_jumps(circuit, u))(qf.uniforms((200, 10), 0))
    assert (weights - 1e-5).abs().max() < tolerance(torch.float32, 64, 1e-5)
    assert bool((states[:, 1].abs() == 1).all())  # exactly one flip each, at this strength
    assert weights.dtype == torch.float32


def test_the_first_jump_may_be_anywhere():
    """At little noise all places are alike."""
    circuit = qf.circuit(1, noise.bit_flip(1e-4, [0] * 5), noise.phase_flip(1e-4, [0] * 5))
    found = taken(circuit, numbers(lambda *_: circuit, (), shots=20_000))
    first = (found > 0).to(torch.int64).argmax(1)
    shares = torch.bincount(first, minlength=10) / len(first)
    assert (shares - 0.1).abs().max() < 5 * math.sqrt(0.09 / len(first))


def test_no_channels_have_no_jumps():
    circuit = qf.circuit(1, qf.h(0))
    none, some = run_no_jump(circuit), run_jumps(circuit, torch.zeros(0))
    assert none.weight == 1
    assert some.weight == 0
    assert torch.equal(none.state, some.state)


def test_jit_replays_and_maps_agree():
    value, u = estimate(everything, WORDS), numbers(everything, POINT, shots=4)
    mapped = vmap(grad(value, (0, 1)), (None, None, 0))
    step = qf.jit(mapped)
    alone = [grad(value, (0, 1))(*POINT, v) for v in u]
    looped = [torch.stack(part) for part in zip(*alone, strict=True)]
    for found, expected, one in zip(step(*POINT, u), mapped(*POINT, u), looped, strict=True):
        assert (found - expected).abs().max() < tolerance(F64, 1024, 16.0)
        assert (one - expected).abs().max() < tolerance(F64, 1024, 16.0)


def test_strengths_map_too():
    u = numbers(mixed, POINT, shots=1)[0]
    value, ps = estimate(mixed, WORDS), torch.tensor([0.05, 0.1, 0.2], dtype=F64)
    found = vmap(grad(value, 1), (None, 0, None))(POINT[0], ps, u)
    expected = torch.stack([grad(value, 1)(POINT[0], p, u) for p in ps])
    assert (found - expected).abs().max() < tolerance(F64, 256, 16.0)


def test_superoperators_have_no_jumps():
    circuit = qf.circuit(1, noise.superoperator(torch.eye(4, dtype=torch.complex64), 0))
    with pytest.raises(TypeError, match=r"run_jumps\(.*must have Kraus operators"):
        run_jumps(circuit, qf.uniforms(1, 0))
    with pytest.raises(TypeError, match=r"run_no_jump\(.*must have Kraus operators"):
        run_no_jump(circuit)
