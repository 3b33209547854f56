"""Searches at equal budgets and molecules in miniature: problems, honest counts, known values."""

import json
import math
from itertools import combinations

import numpy as np
import pytest
import torch

import quilt_func as qf
from quilt_func.testing.tolerances import tolerance

pytest.importorskip("sklearn")
pytest.importorskip("tqdm")
from experiments._desk import Desk
from experiments.chemistry import __main__ as chemistry
from experiments.search import __main__ as search
from experiments.search import methods, problems, structures

SMALL = problems.partitioning(8, 0)


@pytest.mark.parametrize("n", [8, 16])
def test_graphs_are_simple_and_regular(n):
    edges = problems.regular_graph(n, 1)
    assert len(set(map(frozenset, edges))) == len(edges) == 3 * n // 2
    assert np.bincount(np.array(edges).flatten()).tolist() == [3] * n
    assert edges == problems.regular_graph(n, 1)
    assert edges != problems.regular_graph(n, 2)


def test_the_cut_by_looking_at_all_groups():
    edges, table = problems.regular_graph(8, 3), problems.cut(8, 3)
    best = max(
        sum((i in group) != (j in group) for i, j in edges)
        for size in range(5)
        for group in map(set, combinations(range(8), size))
    )
    assert table.min() == -best


def test_partitioning_by_looking_at_all_groups():
    numbers = qf.uniforms(8, 0, dtype=torch.float64).tolist()
    signs = [[1 - 2 * int(b) for b in s] for s in qf.bit_strings(8)]
    expected = [float(np.dot(row, numbers)) ** 2 for row in signs]
    error = (SMALL.double() - torch.tensor(expected, dtype=torch.float64)).abs().max()
    assert error < tolerance(torch.float32, 8, scale=64)
    assert torch.equal(SMALL, SMALL.flip(0))


def test_the_space_of_architectures_prefers_what_it_says():
    table = problems.architectures(0)
    assert len(table) == 2**12
    by_rate = table.reshape(4, 8, 4, 4, 8).mean((0, 2, 3))
    best = by_rate.argmin(1)  # of the rates, by width
    assert best[0] > best[-1]
    assert (table - problems.architectures(1)).abs().max() <= problems.ROUGHNESS


@pytest.mark.parametrize("way", methods.CLASSICAL)
def test_no_string_is_paid_for_twice(way):
    asked = methods.CLASSICAL[way](SMALL, 60, 0)
    assert 40 < len(asked) == len(asked.unique()) <= 60  # a frozen search may stop early
    assert 0 <= asked.min() <= asked.max() < 256
    again = methods.CLASSICAL[way](SMALL, 60, 0)
    assert torch.equal(asked, again)
    assert not torch.equal(asked, methods.CLASSICAL[way](SMALL, 60, 1))


@pytest.mark.parametrize("way", ["simulated annealing", "evolution"])
def test_searches_beat_chance_where_there_is_a_slope(way):
    table = qf.cost_diagonal(lambda bits: bits.count("1"), 10).values
    found = [methods.CLASSICAL[way](table, 100, seed) for seed in range(20)]
    hits = sum(bool((table[one] == 0).any()) for one in found)
    assert hits > 10  # by chance 2 of 20


def test_a_search_of_everything_ends():
    flat = torch.zeros(16)
    for way in methods.CLASSICAL.values():
        assert len(way(flat, 100, 0)) <= 16


def test_the_gap_by_hand():
    table = torch.tensor([4.0, 0.0, 2.0, 2.0])
    assert problems.gap(table, torch.tensor([0, 2, 3, 1])).tolist() == [2.0, 1.0, 1.0, 0.0]


def test_random_search_finds_the_optimum_as_often_as_it_should():
    budget, runs = 64, 400
    hits = [
        problems.gap(SMALL, methods.random_search(SMALL, budget, s))[-1] == 0.0 for s in range(runs)
    ]
    n, best = 256, int((SMALL.min() == SMALL).sum())
    chance = 1 - math.comb(n - best, budget) / math.comb(n, budget)
    error = math.sqrt(chance * (1 - chance) / runs)
    assert abs(np.mean(hits) - chance) < 5 * error


def test_rings_reach_their_known_value():
    angles = None
    for n_layers, known in ((1, 3 / 4), (2, 5 / 6)):
        row, angles = search.ring_row(n_layers, angles)
        assert row["known"] == known
        assert abs(row["error"]) < tolerance(torch.float32, 64)  # what 400 steps of Adam leave
        assert row["error"] < tolerance(torch.float64, 64)


def test_angles_of_another_layer_lie_between_those_of_its_neighbours():
    shorter = torch.tensor([[1.0, 10.0], [3.0, 6.0]], dtype=torch.float64)
    longer = problems.starts_of_ring(shorter, 2)[0]
    assert longer.tolist() == [[1.0, 10.0], [2.0, 8.0], [3.0, 6.0]]


def test_the_search_leaves_a_record_and_is_never_done_again(tmp_path, monkeypatch):
    search.main(["--quick", f"--out={tmp_path}", "--layers=1"])
    entry = json.loads((tmp_path / "search-quick.json").read_text(encoding="utf-8"))
    assert entry["status"] == "complete"
    models = [row["model"] for row in entry["rows"]]
    ways = [*methods.CLASSICAL, *methods.CIRCUITS]
    exact = [f"{way}, exact" for way in methods.CIRCUITS]
    assert models == [*ways, *exact, "p = 1, 4 nodes"]
    assert (tmp_path / entry["figures"][0]).stat().st_size > 10_000
    monkeypatch.setattr(search, "_curves", lambda *_: pytest.fail("searched again"))
    search.main(["--quick", f"--out={tmp_path}", "--layers=1"])
    again = json.loads((tmp_path / "search-quick.json").read_text(encoding="utf-8"))
    assert again["rows"] == entry["rows"]


# Molecules


def test_all_lengths_at_once_are_one_after_another():
    config = chemistry.Config(seeds=2, epochs=3)
    energies, trace = chemistry.train("H2", config, Desk())
    assert trace.shape == (3, *energies.shape) == (3, 21, 2)
    observable = chemistry.hamiltonians("H2")
    u = qf.uniforms((2, 2, 2, 2), 0, dtype=torch.float64)
    for place in (0, 20):
        one = qf.PauliSum(observable.words, observable.coefficients[place])
        values = torch.stack([chemistry.energy(one, 2 * math.pi * row) for row in u])
        assert (values - trace[0, place]).abs().max() < tolerance(torch.float64, 64, scale=8)


def test_energies_stay_above_the_exact_ones_and_reach_them():
    result = chemistry.EXPERIMENT.run(chemistry.Config(seeds=4, epochs=150))
    for name, accuracy in (("H2", 1e-6), ("LiH", chemistry.CHEMICAL_ACCURACY)):
        errors = result.data[name]["errors"]
        assert errors.min() > -tolerance(torch.float64, 64, scale=16)
        best = errors.amin(1)
        assert best.median() < accuracy
    totals = [row for row in result.rows if row["model"].endswith("all lengths")]
    assert [row["table"] for row in totals] == ["H2", "LiH"]


def test_the_molecules_leave_a_complete_record(tmp_path):
    chemistry.main(["--seeds=2", "--epochs=2", f"--out={tmp_path}"])
    entry = json.loads((tmp_path / "chemistry.json").read_text(encoding="utf-8"))
    assert entry["status"] == "complete"
    assert len(entry["rows"]) == 21 + 22 + 2
    assert (tmp_path / entry["figures"][0]).stat().st_size > 10_000


FEW = structures.Config(structures=3, seeds=2, epochs=4, layers=3, repeats=1)


def test_structures_are_the_same_circuits_both_ways():
    """Every gate of the list, at every place, as a number and as itself."""
    shape = FEW.layers, FEW.qubits // 2
    for first in range(0, len(structures.GATES), 6):
        index = (torch.arange(6) + first).reshape(shape)
        theta = 6 * qf.uniforms(shape, first, dtype=torch.float64)
        chosen = structures.by_number(FEW, index, theta)
        plain = structures.by_structure(FEW, index.tolist(), theta)
        deviation = (chosen() - plain()).abs().max()
        assert deviation < tolerance(torch.float64, 8 * plain.n_gates)


def test_structures_train_alike_both_ways():
    """And downhill."""
    *_, result = structures.results(FEW, Desk())
    loop, at_once = result.rows
    assert at_once["deviation"] < tolerance(torch.float32, 4096, scale=24)
    assert abs(loop["mean"] - at_once["mean"]) <= at_once["deviation"]
    assert at_once["ratio"] > 0
    assert result.data["energies"].shape == (3, 2)
    assert result.data["least"] == pytest.approx(-8.0)
    longer = structures.Config(structures=3, seeds=2, epochs=12, layers=3, repeats=1)
    *_, after = structures.results(longer, Desk())
    assert after.data["energies"].mean() < result.data["energies"].mean()


def test_structures_leave_a_record(tmp_path):
    search.main(["--choice", "--quick", f"--out={tmp_path}"])
    entry = json.loads((tmp_path / "choice-quick.json").read_text(encoding="utf-8"))
    assert entry["status"] == "complete"
    assert [row["model"] for row in entry["rows"]] == list(structures.WAYS)
    assert all(len(row["times"]) == 2 for row in entry["rows"])
    assert (tmp_path / "choice-quick-structures.png").exists()
    with pytest.raises(SystemExit):
        search.main(["--choice", "--qubits=3", f"--out={tmp_path}"])
