"""Counts of bit strings, and expectation values of them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.compare import assert_close
from torch.func import grad, vmap

import quilt_func as qf
from quilt_func.shots import estimate, expval_from_counts, histogram, sample_groups

F64 = torch.float64
WORDS = qf.pauli_sum({"ZII": 1.0, "IZZ": -0.5, "III": 0.25})


@given(st.lists(st.integers(0, 7), min_size=1, max_size=50))
def test_histograms_are_counts(given_indices):
    indices = torch.tensor(given_indices)
    found = histogram(indices, 3)
    named = qf.counts(indices, 3)
    assert found.tolist() == [named.get(f"{i:03b}", 0) for i in range(8)]


def test_histograms_map():
    indices = torch.tensor([[0, 1, 1], [2, 2, 2]])
    assert vmap(lambda i: histogram(i, 2))(indices).tolist() == [[1, 2, 0, 0], [0, 0, 3, 0]]


@given(st.integers(0, 999))
def test_counts_tell_what_samples_do(seed):
    state = qf.random_state(qf.uniforms((2, 8), seed, dtype=F64))
    u = qf.uniforms(50, seed, dtype=F64)
    named = qf.counts(sample_groups(state, WORDS, u), 3)
    expected = estimate(state, WORDS, u)
    for observable in (WORDS, qf.to_diagonal(WORDS, dtype=F64)):
        found = expval_from_counts(named, observable, dtype=F64)
        assert_close(found.mean, expected.mean, n_gates=64)
        assert_close(found.error, expected.error, n_gates=64)


def test_wire_0_comes_first():
    found = expval_from_counts({"01": 3, "11": 1}, qf.pauli_sum({"ZI": 1.0}))
    assert (found.mean, found.error) == (0.5, 0.5)


def test_slopes_by_coefficients():
    def mean(c):
        return expval_from_counts({"01": 3, "11": 1}, qf.pauli_sum(["ZI", "IZ"], c)).mean

    assert grad(mean)(torch.ones(2)).tolist() == [0.5, -1.0]


@pytest.mark.parametrize("dtype", [torch.float32, F64], ids=str)
def test_dtypes(dtype):
    found = expval_from_counts({"010": 2}, WORDS, dtype=dtype)
    assert found.mean.dtype == found.error.dtype == dtype
