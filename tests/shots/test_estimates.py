"""Estimates of Pauli sums: means and errors against dense numpy, transforms, arithmetic."""

import math

import pytest
import torch
from oracles.compare import assert_close
from oracles.shots import (
    check_covariance,
    check_estimate,
    check_quadrature,
    exact,
    some_state,
    some_words,
)
from torch.func import grad, hessian, vmap
from torch.utils import _pytree as pytree

import quilt_func as qf
from quilt_func import noise
from quilt_func.shots import (
    Estimate,
    allocate_shots,
    estimate,
    estimate_from_samples,
    estimate_jointly,
    measurement_groups,
    n_groups,
    sample_groups,
)

F64 = torch.float64
LIH = qf.molecules.molecule("LiH", 1.6)
SIX = some_words(6, 100)
hamiltonians = pytest.mark.parametrize("observable", [LIH, SIX], ids=["LiH", "random"])
ways = pytest.mark.parametrize("commuting", ["qubit_wise", "general"])
SUM = qf.pauli_sum({"XYZ": 0.5, "ZZI": 1.0, "ZIZ": 0.8, "IXX": -0.7, "YIY": 0.3, "III": 2.0})
STATE = some_state(3)


@hamiltonians
@ways
def test_means_and_errors(observable, commuting):
    n_shots = 40 * n_groups(observable, commuting=commuting)

    def found(state, observable, u):
        return estimate(state, observable, u, commuting=commuting)

    check_estimate(found, observable, some_state(observable.n_qubits), n_shots)


@hamiltonians
def test_means_and_errors_with_shots_of_their_own(observable):
    state = some_state(observable.n_qubits)
    shots = allocate_shots(observable, 4000, state=state)

    def found(state, observable, u):
        return estimate(state, observable, u, shots=shots)

    check_estimate(found, observable, state, 4000)


@hamiltonians
def test_groups_are_cheaper_than_words(observable):
    """Shots for the same error, groups against a circuit for each word, both allocated best."""
    state, total = some_state(observable.n_qubits), 100_000
    costs = [shots_needed(state, observable, total, way) for way in ("word", "qubit_wise")]
    assert costs[1] < 0.8 * costs[0]


def shots_needed(state, observable, total, way):
    """Shots times squared error, which is the same for any number of shots."""
    u = qf.uniforms(total, 0, dtype=F64)
    if way != "word":
        shots = allocate_shots(observable, total, state=state, commuting=way)
        return total * estimate(state, observable, u, shots=shots, commuting=way).error ** 2
    parts = [qf.pauli_sum({w: c}) for w, c in observable.items() if set(w) != {"I"}]
    spreads = torch.stack([qf.variance(state, part).sqrt() for part in parts])
    shots = [max(2, int(total * s / spreads.sum())) for s in spreads]
    pieces = u[: sum(shots)].split(shots)
    return sum(shots) * sum(map(estimate, [state] * len(parts), parts, pieces)).error ** 2


def test_density_matrices():
    u = qf.uniforms(600, 0, dtype=F64)
    rho = torch.outer(STATE, STATE.conj())
    assert_close(estimate(rho, SUM, u).mean, estimate(STATE, SUM, u).mean, n_gates=64, scale=4.0)
    mixed = (rho + torch.eye(8, dtype=rho.dtype) / 8) / 2

    u = qf.uniforms((1000, 50), 1, dtype=F64)
    mean = vmap(lambda v: estimate(mixed, SUM, v).mean)(u)
    expected = 2.0 + (exact(STATE, SUM) - 2.0) / 2
    assert abs(mean.mean() - expected) < 5 * mean.std() / math.sqrt(1000)


def test_several_sums_at_once():
    sums = [SUM, qf.pauli_sum({"ZII": 1.0, "ZZI": -1.0}), qf.pauli_sum({"YIY": 1.0, "III": 1.0})]
    check_covariance(estimate_jointly, sums, STATE, 200)
    u = qf.uniforms(400, 2, dtype=F64)
    joint, each = estimate_jointly(STATE, sums, u), estimate(STATE, sums, u)
    assert_close(each.mean, joint.mean)
    assert_close(each.error.square(), joint.covariance.diagonal(), n_gates=4)
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=F64)
    whole = sums[0] - 2 * sums[1] + 0.5 * sums[2]
    found, expected = joint.combined(weights), estimate(STATE, [*sums, whole], u)
    assert_close(found.mean, expected.mean[3], n_gates=64, scale=8.0)
    assert_close(found.error, expected.error[3], n_gates=64)


def test_halves_make_the_whole():
    u = qf.uniforms(500, 3, dtype=F64)
    for commuting in ("qubit_wise", "general"):
        indices = sample_groups(STATE, SUM, u, commuting=commuting)
        found = estimate_from_samples(indices, SUM, commuting=commuting, dtype=F64)
        expected = estimate(STATE, SUM, u, commuting=commuting)
        assert_close(torch.stack(list(found)), torch.stack(list(expected)))


CONFUSION = torch.tensor([[0.95, 0.1], [0.05, 0.9]], dtype=F64)
EACH = torch.stack([CONFUSION, CONFUSION.mT / CONFUSION.mT.sum(0), CONFUSION.flip(0, 1)])


@pytest.mark.parametrize("confusion", [CONFUSION, EACH], ids=["shared", "each"])
def test_readout_errors(confusion):
    """The mean is that of probabilities that went through the matrices."""
    expected = 2.0
    for group in measurement_groups(SUM):
        p = noise.readout(qf.probs(group.rotation(STATE)), confusion)
        for word, reading in zip(group.words, group.readings, strict=True):
            values = qf.to_diagonal(qf.pauli_sum({reading: 1.0}), dtype=F64).values
            expected = expected + dict(SUM.items())[word] * (values * p).sum()
    u = qf.uniforms((1000, 100), 4, dtype=F64)
    mean = vmap(lambda v: estimate(STATE, SUM, v, readout=confusion).mean)(u)
    assert abs(mean.mean() - expected) < 5 * mean.std() / math.sqrt(1000)
    assert abs(expected - exact(STATE, SUM)) > 0.05
    indices = sample_groups(STATE, SUM, u.flatten())
    read = noise.sample_readout(indices, confusion, qf.uniforms((100_000, 3), 5, dtype=F64))
    found = estimate_from_samples(read, SUM, dtype=F64)
    assert abs(found.mean - expected) < 5 * found.error


def test_equal_words_add_up():
    twice = qf.pauli_sum({"XZI": 1.0}) + qf.pauli_sum({"XZI": 0.5, "IIZ": 2.0})
    u = qf.uniforms(100, 0, dtype=F64)
    assert_close(estimate(STATE, twice, u).mean, estimate(STATE, twice.simplify(), u).mean)


def test_slopes_by_coefficients():
    words, u = ["XYZ", "ZZI", "ZIZ", "III"], qf.uniforms(90, 0, dtype=F64)
    point = torch.tensor([0.3, -0.4, 0.5, 1.0], dtype=F64)

    def found(c):
        return estimate(STATE, qf.pauli_sum(words, c), u)

    single = [estimate(STATE, qf.pauli_sum(words, e), u).mean for e in torch.eye(4, dtype=F64)]
    slopes = grad(lambda c: found(c).mean)(point)
    assert_close(slopes, torch.stack(single), n_gates=16)
    variance = hessian(lambda c: found(c).error ** 2)(point) / 2
    units = [qf.pauli_sum(words, e) for e in torch.eye(4, dtype=F64)]
    assert_close(variance, estimate_jointly(STATE, units, u).covariance, n_gates=16)
    assert bool(grad(lambda c: found(c).error)(0 * point).isfinite().all())


def test_a_state_that_is_differentiated_is_refused():
    def value(theta):
        return estimate(qf.circuit(1, qf.ry(theta, 0))(), qf.pauli_sum({"X": 1.0}), u).mean

    u, theta = qf.uniforms(10, 0), torch.tensor(0.3)
    for transform in (grad(value), lambda t: torch.func.jvp(value, (t,), (t,))):
        with pytest.raises(TypeError, match=r"estimate\(\): samples have no gradient, but the st"):
            transform(theta)
    with pytest.raises(TypeError, match="but the readout is being differentiated"):
        grad(lambda a: estimate(STATE, SUM, qf.uniforms(90, 0), readout=a).mean)(CONFUSION)


def test_maps_are_loops():
    states = torch.stack([some_state(3, seed) for seed in range(3)])
    u = qf.uniforms((3, 80), 0, dtype=F64)
    mapped = vmap(lambda s, v: estimate(s, SUM, v))(states, u)
    loop = [estimate(s, SUM, v) for s, v in zip(states, u, strict=True)]
    for i, one in enumerate(loop):
        assert_close(torch.stack([mapped.mean[i], mapped.error[i]]), torch.stack(list(one)))
    both = vmap(lambda s: vmap(lambda v: estimate(s, SUM, v).mean)(u))(states)
    assert_close(both.diagonal(), mapped.mean)


def test_jit_is_the_function():
    u = qf.uniforms(80, 0, dtype=F64)
    found = qf.jit(lambda s: estimate(s, SUM, u))(STATE)
    assert_close(found.mean, estimate(STATE, SUM, u).mean)


@pytest.mark.parametrize("dtype", [torch.float32, F64], ids=str)
def test_dtypes_are_kept(dtype):
    state = STATE.to(dtype.to_complex())
    for rho in (state, torch.outer(state, state.conj())):
        found = estimate(rho, SUM, qf.uniforms(80, 0, dtype=F64))
        assert found.mean.dtype == found.error.dtype == dtype


# --- arithmetic ---


def test_errors_add_in_quadrature():
    check_quadrature(lambda a, b: a + b)
    check_quadrature(lambda a, b: sum([a, b]))
    check_quadrature(lambda a, b: -(-a - b))


def test_multiples_and_numbers():
    one = Estimate(torch.tensor(2.0, dtype=F64), torch.tensor(0.5, dtype=F64))
    factor = torch.tensor(-3.0, dtype=F64)
    for found in (one * -3, -3 * one, one * factor, factor * one):
        assert (found.mean, found.error) == (-6.0, 1.5)
    assert tuple(one / -4) == (-0.5, 0.125)
    assert tuple(1 - one) == (-1.0, 0.5)
    assert tuple(one - 1) == (1.0, 0.5)
    assert tuple(factor + one) == (-1.0, 0.5)
    assert tuple(-one) == (-2.0, 0.5)


def test_estimates_are_trees():
    one = Estimate(torch.tensor(2.0), torch.tensor(0.5))
    leaves, structure = pytree.tree_flatten({"a": one})
    assert leaves == [2.0, 0.5]
    again = pytree.tree_unflatten(leaves, structure)["a"]
    assert isinstance(again, Estimate)
    assert tuple(again) == tuple(one)
    batch = vmap(lambda t: Estimate(t, t) + one)(torch.arange(3.0))
    assert batch.mean.tolist() == [2.0, 3.0, 4.0]
    slope = grad(lambda e: (e + one).error)(Estimate(torch.tensor(0.0), torch.tensor(0.0)))
    assert slope.error == 0.0  # no NaN where errors are 0


def test_repetitions_add_up_as_their_errors_say():
    """Independent estimates: the error of a sum of many is how far sums are apart."""
    u = qf.uniforms((1000, 2, 80), 0, dtype=F64)
    found = vmap(lambda v: estimate(STATE, SUM, v[0]) - 2 * estimate(STATE, SUM, v[1]))(u)
    ratio = found.error.square().mean().sqrt() / found.mean.std()
    assert abs(ratio - 1) < 0.1


def test_states_that_are_differentiated_are_refused_within_maps_too():
    def value(theta):
        circuit = qf.circuit(1, qf.ry(theta, 0))
        return qf.sample(circuit(), u).sum() * theta

    u, thetas = qf.uniforms(4, 0), torch.tensor([0.1, 0.2])
    for mapped in (lambda t: vmap(value)(t), lambda t: vmap(grad(value))(t)):
        with pytest.raises(TypeError, match=r"sample\(\): samples have no gradient"):
            torch.func.jvp(mapped, (thetas,), (thetas,))
