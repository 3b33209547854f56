"""Intervals hold the truth as often as they say, on made-up data; ranks and chances by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import quilt_func as qf
from quilt_func.testing.tolerances import tolerance

pytest.importorskip("sklearn")
pytest.importorskip("tqdm")
pytest.importorskip("optuna")

from experiments.nas import intervals


def synthetic(seed, n_seeds=6, n_questions=60):
    """Values of eight pairs of architectures that are truly alike, with every kind of noise."""
    draw = torch.Generator().manual_seed(seed)

    def noise(*shape):
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    each = 0.3 * noise(16, n_seeds, 1) + noise(n_questions) + 2 * noise(16, 1, n_questions)
    return each + noise(16, n_seeds, n_questions)


def coverage(plant=lambda values: values):
    """How often the intervals of true differences, which are 0, hold 0."""
    held = []
    for seed in range(40):
        draws = intervals.resampled(plant(synthetic(seed)), 300, seed)
        low, high = intervals.interval(draws[:, :8] - draws[:, 8:])
        held.append(((low < 0) & (high > 0)).double().mean())
    return torch.stack(held).mean().item()


def test_intervals_hold_the_truth_as_often_as_they_say():
    assert 0.9 < coverage() <= 0.99


def test_intervals_that_forget_the_questions_or_the_seeds_are_noticed():
    assert coverage(lambda values: values.mean(2, keepdim=True)) < 0.85
    assert coverage(lambda values: values.mean(1, keepdim=True)) < 0.9


def test_the_spread_of_means_of_seeds_is_not_too_small():
    values = torch.tensor([0.0, 1.0, 5.0]).double()[None, :, None]
    draws = intervals.resampled(values, 200_000)
    expected = values.flatten().var() / 3  # of the mean of three; plain resampling has 2/3 of it
    error = 5 / math.sqrt(len(draws))  # five standard errors, of nearly normal draws
    assert abs(draws.var() / expected - 1) < 2 * error
    assert abs(draws.mean() - 2) < error * expected.sqrt()


def test_one_seed_has_an_interval_from_its_questions():
    values = synthetic(0, n_seeds=1)
    draws = intervals.resampled(values, 4000)
    error = values.std(2).flatten() / math.sqrt(values.shape[2])
    assert ((draws.std(0) / error - 1).abs() < 5 / math.sqrt(len(draws))).all()


def test_the_chance_of_being_above():
    draws = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    assert intervals.above(draws, 0, 1) == 2.5 / 4
    assert intervals.above(draws, 1, 0) == 1.5 / 4


@given(st.lists(st.integers(0, 6), min_size=3, max_size=12), st.integers(0, 2**31 - 1))
@settings(max_examples=30, deadline=None)
def test_spearman_is_scipys(values, seed):
    stats = pytest.importorskip("scipy.stats")
    a, b = torch.tensor(values).double(), torch.tensor(values).double()
    b = b[torch.randperm(len(b), generator=torch.Generator().manual_seed(seed))]
    found = intervals.spearman(a, b)
    if len(set(values)) == 1:
        assert found.isnan()
    else:
        assert abs(found - stats.spearmanr(a, b).statistic) < tolerance(torch.float64, 64)


def test_ranks_count_from_the_best_and_share_ties():
    assert intervals.ranks(torch.tensor([2.0, 5.0, 2.0, 1.0])).tolist() == [2.5, 1, 2.5, 4]


def test_a_difference_is_told_from_noise():
    noise = qf.uniforms((16, 3), 0, dtype=torch.float64)
    assert intervals.chance(noise) > 0.05
    assert intervals.chance(noise + torch.arange(16)[:, None]) == 0
