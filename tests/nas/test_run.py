"""The command in miniature: its record, a kill, the searches from a record, and the page."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import quilt_func as qf

pytest.importorskip("sklearn")
pytest.importorskip("tqdm")
pytest.importorskip("optuna")

from nas_settings import HOW

from experiments._desk import Desk
from experiments._record import Result
from experiments.nas import __main__ as nas
from experiments.nas import comparison, jobs, page, replay, train, vqe

ROOT = Path(__file__).resolve().parents[2]
TINY = {
    "seeds": 1,
    "iterations": 2,
    "train": 60,
    "held_out": 5,
    "starts": 4,
    "epochs": 2,
    "runs": 2,
}


def tiny(out):
    words = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items()]
    return [*words, "--workers=1", f"--out={out}"]


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("nas")
    nas.main(tiny(out))
    return out


def test_the_command_leaves_a_complete_record(finished):
    entry = read(finished / "nas.json")
    assert (entry["status"], entry["seeds"]) == ("complete", 1)
    bits = [row["bits"] for row in entry["rows"] if "bits" in row]
    assert bits == qf.bit_strings(4) * len(train.TASKS)
    methods = [row["model"] for row in entry["rows"] if "starts" in row]
    assert methods == [*vqe.METHODS] * 3
    replayed = {row["model"] for row in entry["rows"] if "regret" in row}
    assert replayed == set(comparison.methods(HOW))
    assert [row["model"] for row in entry["paper"]] == [row["model"] for row in vqe.PAPER]
    assert len(entry["figures"]) == 4
    assert all((finished / name).stat().st_size > 10_000 for name in entry["figures"])


def test_finished_architectures_are_never_trained_again(finished, monkeypatch):
    before = read(finished / "nas.json")["rows"]
    monkeypatch.setattr(train, "trained", lambda *_: pytest.fail("trained again"))
    config = nas.Config(**TINY, workers=1)
    result = next(iter(nas.results(config, Desk(finished))))
    assert len(result.rows) > 32
    for row, kept in zip(result.rows, before, strict=False):
        assert row["model"] == kept["model"]
        assert row.get("mean") == pytest.approx(kept.get("mean"), nan_ok=True)


@pytest.mark.slow  # it starts processes
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_goes_on_where_it_stopped(finished, tmp_path, stop):
    command = [sys.executable, "-m", "experiments.nas", *tiny(tmp_path), "--workers=2"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(list(tmp_path.glob("cache/*.json"))) < 2:
            time.sleep(0.02)
        process.send_signal(stop)
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("cache/*.json")}
    assert 2 <= len(kept) < 32
    config = nas.Config(**TINY)
    again, first = (
        dict(jobs.curves(config.settings, 1, TINY["iterations"], 1, Desk(out)))
        for out in (tmp_path, finished)
    )
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("cache/*.json")}
    assert len(after) == 32
    assert kept.items() <= after.items()
    assert again == first


def test_searches_are_compared_anew_from_a_record(finished, capsys, monkeypatch):
    kept = {name: comparison.methods(HOW)[name] for name in (replay.RANDOM, replay.ALL)}
    monkeypatch.setattr(comparison, "methods", lambda _: kept)
    comparison.main([str(finished / "nas.json"), "--runs=2"])
    lines = capsys.readouterr().out.splitlines()
    for task in train.TASKS:
        start = lines.index(f"{task}: mean regret with budgets in steps")
        found = {
            line.split("  ")[0]: float(line.split()[-1]) for line in lines[start + 3 : start + 5]
        }
        assert found == {replay.RANDOM: 0.0, replay.ALL: 0.0}  # one checkpoint, all are looked at


PAGE = ROOT / "docs" / "experiments" / "nas.md"
RECORD = ROOT / "docs" / "_static" / "nas.json"


def test_the_tables_of_the_page_are_those_of_the_record():
    entry = read(RECORD)
    text = PAGE.read_text(encoding="utf-8")
    assert {name.partition(": ")[0] for _, name, _ in page.BLOCK.findall(text)} == set(page.KINDS)
    result = Result(tuple(entry["rows"]), tuple(entry["baselines"]))
    assert page.filled(text, result) == text
    changed = [{**row, "exact": 0.123} if "bits" in row else row for row in entry["rows"]]
    assert page.filled(text, Result(tuple(changed), result.baselines)) != text
