"""Searches replayed on made-up curves: all pay for what they look at, from equal budgets."""

import math
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sklearn")
pytest.importorskip("tqdm")
pytest.importorskip("optuna")

from nas_settings import HOW

from experiments._desk import Desk
from experiments.nas import circuit_replay, comparison, replay

CHECKPOINTS = (60, 125, 250, 500, 1000, 2000)


def recorded(seed=0):
    """Costs (16, 6) of made-up learning curves whose noise fades."""
    rng = np.random.default_rng(seed)
    fading = rng.normal(size=(16, 6)) * [3.0, 2.0, 1.0, 0.5, 0.2, 0.0]
    return rng.permutation(16)[:, None] + fading


def owed(looks):
    """Steps that looks cost: each architecture up to the furthest place where it was seen."""
    furthest = {form: 0 for _, form, _, _ in looks}
    for _, form, place, _ in looks:
        furthest[form] = max(furthest[form], CHECKPOINTS[place])
    return sum(furthest.values())


LOOKS = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 5)), max_size=40)


def after(ledger, looks):
    with suppress(replay.BrokeError):
        for form, place in looks:
            ledger.look(form, place)
    return ledger


@given(LOOKS, st.integers(0, 32_000))
@settings(max_examples=60, deadline=None)
def test_a_ledger_counts_what_is_looked_at(looks, budget):
    ledger = after(replay.Ledger(recorded(), CHECKPOINTS, budget), looks)
    assert ledger.paid == owed(ledger.looks) <= budget
    if len(ledger.looks) < len(looks):
        assert owed([*ledger.looks, (0, *looks[len(ledger.looks)], 0)]) > budget


def test_a_ledger_that_gives_looks_away_is_noticed():
    class Generous(replay.Ledger):
        def look(self, form, place):
            self.trained[form] = self.checkpoints[place]
            return super().look(form, place)

    ledger = after(Generous(recorded(), CHECKPOINTS, 9000), [(0, 5), (1, 3), (0, 5)])
    assert ledger.paid != owed(ledger.looks)


def picked(name, costs, allowed, runs=2):
    return comparison.methods(HOW)[name](costs, CHECKPOINTS, allowed, runs, 0)


@pytest.mark.parametrize("name", list(comparison.methods(HOW)))
def test_all_searches_draw_from_the_same_budget(name, monkeypatch):
    ledgers = []

    class Watched(replay.Ledger):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            ledgers.append(self)

    for room in (replay, circuit_replay):
        monkeypatch.setattr(room, "Ledger", Watched)
    allowed = [500, 3000, 9000]
    picks = picked(name, recorded(), allowed)
    assert ledgers
    for ledger in ledgers:
        assert ledger.paid == owed(ledger.looks) <= ledger.budget
    for run in picks:
        for budget, form in zip(allowed, run, strict=True):
            seen = {look.form for each in ledgers for look in each.looks if look.paid <= budget}
            assert form is None or form in seen


@pytest.mark.parametrize("name", [replay.RANDOM, replay.ALL, replay.HALVING])
def test_with_the_whole_budget_the_best_is_found(name):
    costs = recorded()
    assert picked(name, costs, [32_000]) == [[int(costs[:, -1].argmin())]] * 2


def test_circuits_that_need_all_costs_pay_for_all():
    for name in circuit_replay.EXACT:
        assert picked(name, recorded(), [959, 960])[0][0] is None
        assert picked(name, recorded(), [959, 960])[0][1] is not None


def test_halving_by_hand():
    """All at 60 steps, the better half at 125, and so on; the budget is that of all rounds."""
    costs = np.arange(16.0)[:, None] + np.zeros((16, 6))
    budget = 16 * 60 + 8 * 65 + 4 * 125 + 2 * 250 + 500 + 1000
    ledger = replay.Ledger(costs, CHECKPOINTS, budget)
    replay.halving(ledger, np.random.default_rng(0))
    assert ledger.paid == budget
    reached = [ledger.trained[form] for form in range(16)]
    assert reached == [2000, 500, *[250] * 2, *[125] * 4, *[60] * 8]


def test_random_search_is_as_good_as_arithmetic_says():
    costs = np.arange(16.0)[:, None] + np.zeros((16, 6))
    allowed = [2000 * k for k in (1, 4, 8)]
    runs = picked(replay.RANDOM, costs, allowed, runs=1500)
    for column, k in zip(np.array(runs, dtype=float).T, (1, 4, 8), strict=True):
        expected = 17 / (k + 1) - 1  # mean of the least of k of 16 ranks from 0
        assert abs(column.mean() - expected) < 5 * column.std() / math.sqrt(len(column))


def test_regret_is_that_of_the_last_checkpoint_and_blind_picks_have_its_mean():
    scores = -torch.from_numpy(recorded()).T[:, :, None]
    rows = [
        row
        for each in comparison.compare("task", scores, CHECKPOINTS, 2, HOW, Desk())
        for row in each
        if row["model"] in (replay.ALL, replay.RANDOM)
    ]
    found = {(row["model"], row["budget"]): row["regret"] for row in rows}
    assert found[replay.ALL, 32_000] == 0
    assert found[replay.RANDOM, 960] == pytest.approx(7.5)
