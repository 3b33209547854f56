"""Patterns of branches: each run once, they are the samples; all together, the density matrix."""

import itertools

import pytest
import torch
from noisy_samples import F64, POINT, WORDS, close, everything, mixed, samples
from torch.func import grad, hessian, jacfwd, jvp, vmap

import quilt_func as qf
from quilt_func import noise
from quilt_func.testing import tolerance

SHOTS = 2000
C128 = torch.complex128


def by_patterns(patterns, shots):
    """The mean over samples, as a function of the point."""

    def mean(theta, p):
        def value(branches):
            run = noise.run_pattern(mixed(theta, p), branches)
            return run.weight * qf.expval(run.state, WORDS)

        return (patterns.counts * vmap(value)(patterns.branches)).sum() / shots

    return mean


def one_by_one(shots=SHOTS):
    value, u = samples(mixed, WORDS, POINT, shots=shots)
    return lambda theta, p: vmap(value, (None, None, 0))(theta, p, u).mean(), u


TRANSFORMS = {
    "value": lambda f: f(*POINT),
    "grad": lambda f: torch.stack(grad(f, (0, 1))(*POINT)),
    "jvp": lambda f: jvp(lambda p: f(POINT[0], p), POINT[1:], POINT[1:])[1],
    "hessian": lambda f: torch.stack([h for row in hessian(f, (0, 1))(*POINT) for h in row]),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("where", ["before", "within"])
def test_equal_patterns_run_once_give_what_all_samples_give(transform, where):
    """To rounding, not only on average; also where they are found within a transform."""
    slow, u = one_by_one()
    found = by_patterns(noise.trajectory_patterns(mixed(*POINT), u), SHOTS)
    if where == "within":

        def found(theta, p):
            return by_patterns(noise.trajectory_patterns(mixed(theta, p), u), SHOTS)(theta, p)

    got, expected = (TRANSFORMS[transform](f) for f in (found, slow))
    assert (got - expected).abs().max() < tolerance(F64, 1024, 64.0)


def test_patterns_are_those_of_samples():
    _, u = samples(mixed, WORDS, POINT, shots=500)
    circuit = mixed(*POINT)
    patterns = noise.trajectory_patterns(circuit, u)
    assert patterns.counts.sum() == 500
    assert torch.equal(torch.bincount(patterns.of_sample), patterns.counts)
    assert len(patterns.branches) < 500
    assert len(set(map(tuple, patterns.branches.tolist()))) == len(patterns.branches)
    states = vmap(lambda b: noise.run_pattern(circuit, b).state)(patterns.branches)
    expected = vmap(lambda u: noise.run_trajectory(circuit, u).state)(u)
    assert (states[patterns.of_sample] - expected).abs().max() < tolerance(F64, 64)


def branch_counts(circuit):
    for op in circuit.ops:
        if isinstance(op.gate, noise.Channel):
            params = [torch.as_tensor(p, dtype=F64).reshape(-1)[:1] for p in op.params]
            kraus = op.gate.mixture(*params)[0] if op.gate.mixture else op.gate.kraus(*params)
            yield from [kraus.shape[1]] * len(op.wires)


def all_patterns(circuit):
    rows = itertools.product(*map(range, branch_counts(circuit)))
    return torch.tensor(list(rows), dtype=torch.int64)


def damped_pair(theta, p):
    return qf.circuit(
        2, qf.ry(theta, range(2)), noise.amplitude_damping(p, range(2)), qf.cx(0, 1),
        noise.depolarizing(p, 1), noise.thermal_relaxation(p, 0.7, 0.9, 0.2, 0), qf.rx(theta, 0),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["mixture", "damped"])
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_all_patterns_are_the_density_matrix(name, transform):
    """`Σ probability * value`, and its derivatives, with no sampling in it."""
    circuit_of = mixed if name == "mixture" else damped_pair
    rows = all_patterns(circuit_of(*POINT))

    def total(theta, p):
        def value(branches):
            run = noise.run_pattern(circuit_of(theta, p), branches)
            return run.probability * qf.expval(run.state, WORDS)

        return vmap(value)(rows).sum()

    def exact(theta, p):
        return qf.expval(qf.run_density(circuit_of(theta, p)), WORDS)

    got, expected = (TRANSFORMS[transform](f) for f in (total, exact))
    assert (got - expected).abs().max() < tolerance(F64, 4096, 64.0)


def test_slopes_at_no_noise_are_right_in_the_sum_over_all_patterns():
    """A branch of probability 0 has a slope, which no sample shows."""
    rows = all_patterns(qf.circuit(1, noise.depolarizing(0.0, [0, 0])))

    def total(p):
        circuit = qf.circuit(1, noise.depolarizing(p, [0, 0]))

        def value(branches):
            run = noise.run_pattern(circuit, branches)
            return run.probability * qf.expval(run.state, qf.pauli_sum({"Z": 1.0}))

        return vmap(value)(rows).sum()

    zero = torch.tensor(0.0, dtype=F64)
    assert abs(grad(total)(zero) + 8 / 3) < tolerance(F64, 64)
    assert abs(grad(grad(total))(zero) - 32 / 9) < tolerance(F64, 64)
    assert abs(jacfwd(jacfwd(total))(zero) - 32 / 9) < tolerance(F64, 64)


def test_a_pattern_that_cannot_be_is_nothing():
    """|0⟩ does not fall: probability 0 and a state of zeros, with finite derivatives."""

    def run(gamma, branches):
        circuit = qf.circuit(1, noise.amplitude_damping(gamma, [0, 0]))
        found = noise.run_pattern(circuit, branches)
        return found.probability + qf.expval(found.state, qf.pauli_sum({"Z": 1.0})), found

    gamma = torch.tensor(0.3, dtype=F64)
    for branches in ([2, 0], [2, 2], [3, 0]):
        value, found = run(gamma, torch.tensor(branches))
        assert value == found.probability == 0
        assert not bool(found.state.any())
        slope = grad(lambda g, b=branches: run(g, torch.tensor(b))[0])(gamma)
        assert bool(torch.isfinite(slope))


def test_a_trajectory_is_the_run_of_its_pattern():
    """Also where branches depend on the state: weights and states, by an exhaustive search."""
    circuit = everything(*POINT)
    u = qf.uniforms((20, noise.n_draws(circuit)), 5, dtype=F64)
    rows = all_patterns(circuit)
    runs = vmap(lambda b: noise.run_pattern(circuit, b))(rows)
    possible = runs.probability > 0
    states = vmap(lambda u: noise.run_trajectory(circuit, u).state)(u)
    overlaps = (runs.state[possible].conj() @ states.mT).abs()
    assert (overlaps.max(0).values - 1).abs().max() < tolerance(F64, 256)
    assert abs(runs.probability.sum() - 1) < tolerance(F64, 1024)


def test_a_branch_that_is_not_there_raises():
    circuit = qf.circuit(1, noise.bit_flip(0.1, 0))
    with pytest.raises((IndexError, RuntimeError), match="out of bounds"):
        noise.run_pattern(circuit, torch.tensor([2]))


def test_no_channels_are_one_pattern():
    circuit = qf.circuit(1, qf.h(0))
    patterns = noise.trajectory_patterns(circuit, torch.zeros(3, 0))
    assert patterns.branches.shape == (1, 0)
    assert patterns.counts.tolist() == [3]
    assert patterns.of_sample.tolist() == [0, 0, 0]
    state, weight, probability = noise.run_pattern(circuit, patterns.branches[0])
    assert torch.equal(state, circuit())
    assert weight == probability == 1


def test_it_is_refused_under_vmap_and_jit():
    circuit = qf.circuit(1, noise.bit_flip(0.1, 0))
    u = qf.uniforms((2, 4, 1), 0)
    remedy = r"Call it outside of `vmap`, and map `run_pattern` over its `branches`\."
    with pytest.raises(ValueError, match=remedy):
        vmap(lambda u: noise.trajectory_patterns(circuit, u))(u)

    def of_strength(p):
        return noise.trajectory_patterns(qf.circuit(1, noise.bit_flip(p, 0)), u[0]).counts

    with pytest.raises(ValueError, match=remedy):
        vmap(of_strength)(torch.tensor([0.1, 0.2]))
    with pytest.raises(TypeError, match="jit"):
        qf.jit(of_strength)(torch.tensor(0.1))


def test_channels_that_need_the_state_are_refused():
    circuit = qf.circuit(1, noise.amplitude_damping(0.1, 0))
    with pytest.raises(TypeError, match=r"Map `run_trajectory` over the numbers\."):
        noise.trajectory_patterns(circuit, torch.zeros(3, 1))


def test_unlikely_patterns_keep_their_weight_in_single_precision():
    """A probability below the smallest float32 is 0; the weight is 1 all the same."""
    circuit = qf.circuit(1, [noise.depolarizing(0.01, 0)] * 60)
    run = noise.run_pattern(circuit, torch.ones(60, dtype=torch.int64))
    assert run.probability == 0
    assert run.weight == 1
    assert run.state.dtype == torch.complex64
    assert run.weight.dtype == run.probability.dtype == torch.float32


def test_jit_replays_patterns():
    rows = all_patterns(damped_pair(*POINT))[:7]

    def values(theta, p):
        def value(branches):
            run = noise.run_pattern(damped_pair(theta, p), branches)
            return run.weight * qf.expval(run.state, WORDS)

        return vmap(value)(rows).sum()

    step = qf.jit(grad(values, (0, 1)))
    for found, expected in zip(step(*POINT), grad(values, (0, 1))(*POINT), strict=True):
        assert (found - expected).abs() < tolerance(F64, 1024, 16.0)


def test_from_a_state():
    start = qf.random_state(qf.uniforms((2, 4), 0, dtype=F64))
    circuit = damped_pair(*POINT)
    rows = all_patterns(circuit)
    runs = vmap(lambda b: noise.run_pattern(circuit, b, start))(rows)
    total = torch.einsum("b,bi,bj->ij", runs.probability.to(C128), runs.state, runs.state.conj())
    exact = qf.run_density(circuit, start.outer(start.conj()))
    assert (total - exact).abs().max() < tolerance(F64, 1024)
    close(runs.weight, torch.ones((), dtype=F64))
