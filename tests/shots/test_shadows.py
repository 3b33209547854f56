"""Classical shadows: means and variances against all bases and outcomes, and the stated bound."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.compare import assert_close
from oracles.shots import check_shadow, exact, shadow_moments, some_state, some_words
from torch.func import grad, vmap

import quilt_func as qf
from quilt_func.shots import shadow, shadow_estimate, shadow_variance_bound
from quilt_func.shots.shadows import _widening
from quilt_func.testing import tolerance

F64 = torch.float64
SUM = qf.pauli_sum({"XYI": 0.5, "ZZI": 1.0, "ZIZ": 0.8, "IIX": -0.7, "III": 2.0})
STATE = some_state(3)


def by_mean(state, observable, u):
    return shadow_estimate(shadow(state, u), observable, dtype=F64)


@pytest.mark.parametrize("observable", [SUM, qf.pauli_sum({"IYI": 1.0}), some_words(3, 10)])
def test_means_and_variances(observable):
    variance = check_shadow(by_mean, observable, STATE)
    assert variance <= shadow_variance_bound(observable, dtype=F64)


@given(st.integers(1, 3), st.integers(2, 3), st.integers(0, 99))
def test_no_state_spreads_more_than_the_bound(n, number, seed):
    observable = some_words(n, number, seed)
    bound = float(shadow_variance_bound(observable, dtype=F64))
    assert shadow_moments(some_state(n, seed), observable)[1] <= bound * (1 + tolerance(F64, 64))


def test_the_bound_is_reached():
    """By words of a state that has them as 0, and of several at once, by a product state."""
    for word in ("Z", "ZI", "ZZ", "ZZZ"):
        n = len(word)
        plus = qf.circuit(n, qf.h(range(n)))(dtype=torch.complex128)
        bound = float(shadow_variance_bound(qf.pauli_sum({word: 2.0}), dtype=F64))
        assert bound == 4 * 3 ** word.count("Z")
        found = shadow_moments(plus, qf.pauli_sum({word: 2.0}))[1]
        assert abs(found - bound) < tolerance(F64, 3**n, bound)


def test_density_matrices_and_chunks():
    u = qf.uniforms((50, 4), 0, dtype=F64)
    rho = torch.outer(STATE, STATE.conj())
    for other in (shadow(rho, u), shadow(STATE, u, chunk_size=7)):
        assert torch.equal(other.bits, shadow(STATE, u).bits)


def test_bases_are_equally_likely():
    bases = shadow(STATE, qf.uniforms((9000, 4), 0, dtype=F64)).bases
    shares = torch.stack([(bases == one).double().mean(0) for one in range(3)])
    assert bool(((shares - 1 / 3).abs() < 5 * math.sqrt(2 / 9 / 9000)).all())


@pytest.mark.parametrize("n_groups", [1, 3, 9])
def test_medians_of_means(n_groups):
    """They spread as the error says, where means are nearly normal."""
    u = qf.uniforms((400, 900, 4), 2, dtype=F64)
    shadows = vmap(lambda v: shadow(STATE, v), chunk_size=100)(u)

    def found(one):
        return shadow_estimate(one, SUM, n_groups=n_groups, dtype=F64)

    mean, error = vmap(lambda one: tuple(found(one)))(shadows)
    spread = mean.std()
    assert abs(mean.mean() - exact(STATE, SUM)) < 5 * spread / math.sqrt(len(mean))
    assert abs(error.mean() / spread - 1) < 5 / math.sqrt(2 * len(mean))


def test_the_median_of_three_normal_numbers():
    """Its variance is known: 1 - √3 / π."""
    assert abs(_widening(1) - 1) < tolerance(F64, 4801)
    expected = math.sqrt(3 * (1 - math.sqrt(3) / math.pi))
    assert abs(_widening(3) - expected) < tolerance(F64, 4801)


def test_the_median_of_many_numbers():
    """It spreads by √(π / 2), up to a share that falls with their number."""
    for n_groups in (101, 999):
        assert abs(_widening(n_groups) / math.sqrt(math.pi / 2) - 1) < 1 / n_groups


def test_several_sums_and_slopes():
    found = shadow(STATE, qf.uniforms((300, 4), 0, dtype=F64))
    both = shadow_estimate(found, [SUM, some_words(3, 4)], dtype=F64)
    assert_close(both.mean[0], shadow_estimate(found, SUM, dtype=F64).mean, n_gates=64, scale=4.0)
    words = ["XYI", "ZII", "III"]

    def mean(c):
        return shadow_estimate(found, qf.pauli_sum(words, c), n_groups=3).mean

    slopes = grad(mean)(torch.tensor([0.1, 0.2, 0.3], dtype=F64))
    assert abs(slopes[2] - 1) < tolerance(F64, 8)


def test_a_state_that_is_differentiated_is_refused():
    def value(theta):
        return shadow(qf.circuit(1, qf.ry(theta, 0))(), qf.uniforms((4, 2), 0)).bits.sum() * theta

    with pytest.raises(TypeError, match=r"shadow\(\): samples have no gradient"):
        grad(value)(torch.tensor(0.3))
