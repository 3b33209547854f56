"""The experiment on estimates from shots in miniature, beside matrices in numpy."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")

from oracles import dense

import quilt_func as qf
from experiments import _record, _run
from experiments._desk import Desk
from experiments.shots import __main__ as experiment
from experiments.shots import evaluation, model, report
from quilt_func.testing.tolerances import tolerance

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "docs" / "experiments" / "shots.md", ROOT / "docs" / "shots.md"]
F64 = torch.float64


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads that wait for each other take ten times as long, on a machine that is busy."""
    with _run._threads(1):
        yield


def read(path):
    return json.loads(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def systems():
    return model.systems("cpu")


def matrix(observable):
    words, coefficients = zip(*observable.items(), strict=True)
    return dense.sum_matrix(words, coefficients)


def test_systems_are_what_the_page_says(systems):
    sizes = [(one.observable.n_qubits, len(one.observable.words)) for one in systems]
    assert sizes == [(2, 5), (4, 100), (4, 100), (4, 100), (6, 100)]
    for one in systems:
        psi, own = one.state.numpy(), matrix(one.observable)
        assert abs(np.vdot(psi, psi) - 1) <= tolerance(F64, 16)
        bound = tolerance(F64, 64, float(np.abs(own).sum()))
        assert abs(np.vdot(psi, own @ psi).real - one.exact) <= bound
    ground = systems[2]
    least = np.linalg.eigvalsh(matrix(ground.observable))[0]
    assert abs(ground.exact - least) <= tolerance(F64, 64, 8.0)


def test_every_way_is_measured_once(systems):
    for one in systems[:2]:
        found = [(way.method, way.allocation) for way in model.ways(one, 1000)]
        assert found == [(m, a) for m, own in model.METHODS.items() for a in own]


def test_words_share_shots_in_proportion():
    assert model.shared_out([1.0, 3.0], 104) == (27, 77)
    assert model.shared_out([1.0, 1.0, 1.0], 14) == (5, 5, 4)
    for total in (500, 777):
        found = model.shared_out([0.0, *np.arange(99) / 7], total)
        assert sum(found) == total
        assert min(found) == found[0] == model.LEAST


def test_variance_times_shots_is_that_of_the_words(systems):
    """By deviation, `(Σ |c| σ)²`; equally, `n Σ c² σ²`: closed forms of words measured apart."""
    system, n_shots, runs = systems[0], 1000, 200
    psi, spreads = system.state.numpy(), []
    for word, coefficient in system.observable.items():
        if set(word) != {"I"}:
            mean = np.vdot(psi, dense.word_matrix(word) @ psi).real
            spreads.append(abs(coefficient) * math.sqrt(1 - mean**2))
    expected = {
        model.BY_DEVIATION: sum(spreads) ** 2,
        model.EQUAL: len(spreads) * sum(one**2 for one in spreads),
    }
    for way in model.ways(system, n_shots)[:3]:
        if way.allocation in expected:
            found = evaluation.repetitions(way, n_shots, runs, "cpu", Desk(), "")
            cost = evaluation.row(system, way, n_shots, *found)["cost"]
            assert abs(cost / expected[way.allocation] - 1) < 0.05


def test_a_repetition_does_not_depend_on_the_others(systems):
    way = model.ways(systems[1], 400)[3]
    found = evaluation.repetitions(way, 400, 12, "cpu", Desk(), "")
    for seed in (0, 11):
        one = way.estimate(qf.uniforms(400, seed, dtype=F64))
        assert abs(one.mean - found[0][seed]) <= tolerance(F64, 1000, 16.0)
        assert abs(one.error - found[1][seed]) <= tolerance(F64, 1000, 16.0)


@pytest.mark.parametrize(("seeds", "most", "expected"), [(12, 5000, 4), (7, 3000, 1), (6, 10, 1)])
def test_repetitions_are_cut_into_equal_parts(seeds, most, expected):
    assert evaluation.chunk(seeds, 1000, most) == expected


def test_a_row_tells_a_wrong_error_and_a_wrong_mean(systems):
    system, way = systems[0], model.ways(systems[0], 1000)[0]
    noise = torch.linspace(-1, 1, 101, dtype=F64)
    error = noise.std().expand(101)
    right = evaluation.row(system, way, 1000, system.exact + noise, error)
    assert right["sound"]
    assert abs(right["ratio"] - 1) <= tolerance(F64, 101)
    assert not evaluation.row(system, way, 1000, system.exact + noise, 0.8 * error)["sound"]
    assert not evaluation.row(system, way, 1000, system.exact + noise + 0.3, error)["sound"]


# --- the run ---


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    out = tmp_path_factory.mktemp("shots")
    for name in ("page.md", "other.md"):
        text = "# Page\n\n<!-- table: factors -->\nold\n<!-- end -->\nEnd.\n"
        (out / name).write_text(text, "utf-8")
    pages = ["--page", str(out / "page.md"), str(out / "other.md")]
    experiment.main(["--quick", "--seeds", "4", *pages, "--out", str(out)])
    return out


def test_the_command_leaves_a_complete_record(quick):
    entry = read(quick / "shots-quick.json")
    assert (entry["schema"], entry["status"], entry["seeds"]) == (_record.SCHEMA, "complete", 4)
    assert len(entry["rows"]) == 5 * sum(map(len, model.METHODS.values()))
    assert all(row["cost"] > 0 and row["spread"] > 0 for row in entry["rows"])
    assert all((quick / name).stat().st_size > 10_000 for name in entry["figures"])


def test_pages_are_filled_in(quick):
    page = (quick / "page.md").read_text("utf-8")
    assert page.startswith("# Page\n\n<!-- table: factors -->\n| way | shots | H2, circuit |")
    assert page.endswith("|\n<!-- end -->\nEnd.\n")
    assert "| word by word | by deviation | 1 | 1 | 1 | 1 | 1 |" in page
    assert (quick / "other.md").read_text("utf-8") == page


@pytest.mark.parametrize(
    "bad", [{"seeds": 1}, {"shots": 399}, {"shadow_shots": 1}, {"device": "a"}]
)
def test_bad_configs_are_refused(bad):
    with pytest.raises(ValueError, match=r"Config\(\w+="):
        replace(experiment.Config(), **bad)


# --- what is committed ---


def committed():
    entry = read(ROOT / "docs" / "_static" / "shots.json")
    return entry, _record.Result(rows=tuple(entry["rows"]))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_pages_tables_are_the_committed_record(page):
    entry, result = committed()
    text = page.read_text("utf-8")
    assert entry["status"] == "complete"
    assert report.filled(text, result) == text
    assert report.BLOCK.search(text)


def test_every_committed_estimate_is_sound():
    """Within 10 % of the spread, and four errors of the exact value, by a thousand repetitions."""
    entry, result = committed()
    assert entry["seeds"] == 1000
    assert len(result.rows) == 55
    assert all(abs(row["ratio"] - 1) <= evaluation.TOLERANCE for row in result.rows)
    assert all(abs(row["off"]) <= evaluation.ERRORS for row in result.rows)
