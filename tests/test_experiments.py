"""The experiments' shared machinery, and what no experiment may import."""

import ast
import json
import math
import re
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")

from matplotlib.figure import Figure

from experiments import _checks, _desk, _record, _run

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"
KEYS = [
    "schema",
    "experiment",
    "config",
    "versions",
    "machine",
    "seeds",
    "status",
    "rows",
    "baselines",
    "paper",
    "figures",
]


# --- who imports whom ---


def imports():
    """Every file of the experiments with the full names that it imports."""
    for path in sorted(EXPERIMENTS.rglob("*.py")):
        file = str(path.relative_to(EXPERIMENTS))
        for node in ast.walk(ast.parse(path.read_text("utf8"))):
            if isinstance(node, ast.Import):
                yield from ((file, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                start = "." * node.level + (node.module or "")
                yield from ((file, f"{start}.{alias.name}") for alias in node.names)


def test_experiments_know_the_library_by_its_public_names():
    assert [pair for pair in imports() if re.match(r"quilt_func\b.*\._", pair[1])] == []


def test_a_question_knows_nothing_of_another():
    """Imports inside a package are relative; outside it, an experiment knows what all share."""
    assert [pair for pair in imports() if re.match(r"experiments\.[^_]", pair[1])] == []


# --- a toy experiment: two stages of a running sum ---


@dataclass(frozen=True)
class Toy:
    seeds: int = 2
    steps: int = 4
    device: str = "cpu"


def interrupt():
    raise KeyboardInterrupt


def toy(stop_at=None, stop=interrupt):
    """An experiment of two stages that calls `stop` in its `stop_at`-th step of both together."""
    taken = []

    def step(carry):
        taken.append(carry)
        if len(taken) == stop_at:
            stop()
        carry = {"sum": carry["sum"] * 1.7 + 0.1}
        return carry, carry["sum"]

    def results(config, desk):
        result = _record.Result()
        for name in ("first", "second"):
            carry, records = desk.scan(name, step, {"sum": torch.ones(config.seeds)}, config.steps)
            row = {"model": name, **_record.spread(carry["sum"]), "steps": len(records)}
            result = replace(result, rows=(*result.rows, row))
            yield result

    experiment = _run.Experiment("toy", results, lambda *_: {"plot": Figure()}, {"model": ""})
    return experiment, taken


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_finished_run_leaves_record_and_figure(tmp_path, capsys):
    experiment, _ = toy()
    _run.conduct(experiment, Toy(), tmp_path, stem="toy")
    entry = read(tmp_path / "toy.json")
    assert list(entry) == KEYS
    assert entry["status"] == "complete"
    assert entry["config"] == {"seeds": 2, "steps": 4, "device": "cpu"}
    assert (tmp_path / entry["figures"][0]).read_bytes().startswith(b"\x89PNG")
    assert "second" in capsys.readouterr().out
    assert not list(tmp_path.rglob("*.tmp"))


def test_an_interrupted_run_keeps_its_rows_and_resumes(tmp_path):
    whole, _ = toy()
    _run.conduct(whole, Toy(), tmp_path / "whole", stem="toy")
    experiment, _ = toy(stop_at=7)  # the third step of the second stage
    with pytest.raises(KeyboardInterrupt):
        _run.conduct(experiment, Toy(), tmp_path, stem="toy")
    entry = read(tmp_path / "toy.json")
    assert entry["status"] == "interrupted"
    assert [row["model"] for row in entry["rows"]] == ["first"]
    resumed, taken = toy()
    _run.conduct(resumed, Toy(), tmp_path, stem="toy", resume=True)
    assert len(taken) == 2
    assert read(tmp_path / "toy.json")["rows"] == read(tmp_path / "whole/toy.json")["rows"]


def test_a_terminated_run_keeps_its_rows_and_ends_with_a_hint(tmp_path, capsys):
    before = signal.getsignal(signal.SIGTERM)
    experiment, _ = toy(stop_at=7, stop=lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(SystemExit, match="130"), _run.exit_if_interrupted():
        _run.conduct(experiment, Toy(), tmp_path, stem="toy")
    entry = read(tmp_path / "toy.json")
    assert (entry["status"], len(entry["rows"])) == ("interrupted", 1)
    assert "--resume" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("flags", "stem", "steps"),
    [
        ("", "5-seeds", 4),
        ("--full", "5-seeds-full", 3),
        ("--quick", "5-seeds-quick", 1),
        ("--quick --full", "5-seeds-full-quick", 1),
    ],
)
def test_flags_choose_presets_and_name_the_record(tmp_path, flags, stem, steps):
    """What is given has precedence over every preset, and a later preset over an earlier one."""
    parser = _run.parser("toy", "")
    parser.add_argument("--full", action="store_true")
    words = ["--seeds", "5", "--out", str(tmp_path), *flags.split()]
    full, quick = {"seeds": 9, "steps": 3}, {"steps": 1}
    given, result = _run.main(
        toy()[0], Toy, parser, words, stem="{0.seeds}-seeds", full=full, quick=quick
    )
    assert given.seeds == 5
    assert [row["steps"] for row in result.rows] == [steps, steps]
    assert read(tmp_path / f"{stem}.json")["seeds"] == 5


def test_a_run_takes_its_threads_and_gives_them_back(tmp_path):
    before, seen = torch.get_num_threads(), []
    experiment, _ = toy(stop_at=1, stop=lambda: seen.append(torch.get_num_threads()))
    _run.conduct(replace(experiment, threads=before + 1), Toy(), tmp_path, stem="toy")
    assert seen == [before + 1]
    assert torch.get_num_threads() == before


def test_without_resume_a_run_starts_anew(tmp_path):
    for _ in range(2):
        experiment, taken = toy()
        _run.conduct(experiment, Toy(), tmp_path, stem="toy")
        assert len(taken) == 8


def test_another_config_never_finds_the_checkpoints(tmp_path):
    experiment, _ = toy()
    _run.conduct(experiment, Toy(), tmp_path, stem="toy")
    experiment, taken = toy()
    _run.conduct(experiment, Toy(steps=3), tmp_path, stem="toy", resume=True)
    assert len(taken) == 6


def test_an_early_interrupt_spares_the_older_record(tmp_path):
    experiment, _ = toy()
    _run.conduct(experiment, Toy(), tmp_path, stem="toy")
    experiment, _ = toy(stop_at=1)
    with pytest.raises(KeyboardInterrupt):
        _run.conduct(experiment, Toy(), tmp_path, stem="toy")
    assert read(tmp_path / "toy.json")["status"] == "complete"


def test_a_failed_run_says_so(tmp_path):
    def results(config, desk):
        yield _record.Result(rows=({"model": "first", "mean": math.nan},))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        _run.conduct(replace(toy()[0], results=results), Toy(), tmp_path, stem="toy")
    entry = read(tmp_path / "toy.json")
    assert entry["status"] == "failed"
    assert entry["rows"] == [{"model": "first", "mean": None}]


def test_a_failed_write_leaves_the_older_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    _desk.write_atomic(path, "old")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError))
    with pytest.raises(OSError):  # noqa: PT011
        _desk.write_atomic(path, "new")
    assert [item.read_text() for item in tmp_path.iterdir()] == ["old"]


def test_a_record_keeps_the_digits_of_small_numbers():
    values = {"gap": 1.2345678e-9, "energy": -1.8572751, "none": float("nan"), "two": (1, 2)}
    assert _desk.plain(values) == {**values, "none": None, "two": [1, 2]}


def test_a_cached_value_is_computed_once_per_key(tmp_path):
    desk, calls = _desk.Desk(tmp_path), []
    for key in ("a", "a", "b"):
        assert desk.cached("label", key, lambda: calls.append(1) or [1.0, 2.0]) == [1.0, 2.0]
    assert len(calls) == 2


def test_a_table_is_aligned_and_shows_what_is_missing():
    rows = [{"model": "a", "mean": 0.5, "n": 3}, {"model": "long name", "mean": math.nan}]
    assert _record.table(rows, {"model": "", "mean": ".1%", "n": "d"}).splitlines() == [
        "model       mean  n",
        "─────────  ─────  ─",
        "a          50.0%  3",
        "long name      –  –",
    ]


class Pair(NamedTuple):
    one: object
    other: object


def test_leaves_are_mapped_in_order_and_trees_keep_their_kinds():
    a, b, c = torch.arange(3.0)
    tree = {"x": Pair(b, (c, ())), "a": a}
    assert _desk.leaves_of(tree) == [b, c, a]
    doubled = _desk.map_leaves(lambda leaf: 2 * leaf, tree)
    assert doubled == {"x": Pair(2 * b, (2 * c, ())), "a": 2 * a}
    assert isinstance(doubled["x"], Pair)


@dataclass(frozen=True)
class Sizes:
    n: object = 2
    widths: tuple[object, ...] = (2, 4)


@pytest.mark.parametrize(
    ("sizes", "kind", "text"),
    [
        (Sizes(1), ValueError, "Sizes(n=1): `n` must be at least 2, but got 1. Give 2 or more."),
        (
            Sizes(widths=(2, 1)),
            ValueError,
            "Sizes(widths=1): `widths` must be at least 2, but got 1. Give 2 or more.",
        ),
        (
            Sizes(True),
            TypeError,
            "Sizes(n=True): `n` must be an int, but got a bool. Give an int of at least 2.",
        ),
    ],
)
def test_counts_are_refused_with_the_remedy(sizes, kind, text):
    _checks.check_counts(Sizes(), "n", "widths", minimum=2)
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        _checks.check_counts(sizes, "n", "widths", minimum=2)


def test_spread_of_a_single_seed_has_no_standard_deviation():
    assert math.isnan(_record.spread(torch.tensor([0.5]))["sd"])
    assert _record.spread(torch.tensor([0.0, 1.0]))["median"] == 0.5
