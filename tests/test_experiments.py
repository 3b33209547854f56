"""The experiments' shared machinery, and the classifier experiment end to end."""

import json
import math
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")

from matplotlib.figure import Figure

import quilt_func as qf
from experiments import _data, _desk, _record, _run, _vqc_model, _vqc_report, vqc
from quilt_func.testing.tolerances import tolerance

ROOT = Path(__file__).parents[1]
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


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads that wait for each other take ten times as long, on a machine that is busy."""
    with _run._threads(1):
        yield


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
    with pytest.raises(SystemExit, match="130"):
        _run.exit_if_interrupted(lambda: _run.conduct(experiment, Toy(), tmp_path, stem="toy"))
    entry = read(tmp_path / "toy.json")
    assert (entry["status"], len(entry["rows"])) == ("interrupted", 1)
    assert "--resume" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


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


def test_spread_of_a_single_seed_has_no_standard_deviation():
    assert math.isnan(_record.spread(torch.tensor([0.5]))["sd"])
    assert _record.spread(torch.tensor([0.0, 1.0]))["median"] == 0.5


# --- the classifier ---


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    out = tmp_path_factory.mktemp("vqc")
    vqc.main(["--quick", "--seeds", "3", "--epochs", "2", "--out", str(out)])
    return out


def test_the_command_leaves_a_complete_record(quick):
    entry = read(quick / "circles-quick.json")
    assert list(entry) == KEYS
    assert (entry["schema"], entry["status"], entry["seeds"]) == (_record.SCHEMA, "complete", 3)
    models = {row["model"] for row in entry["rows"]}
    assert {variant.name for variant in vqc.VARIANTS} < models
    assert {row["points"] for row in entry["rows"]} == {"train", "test", "fresh"}
    assert all(len(row["values"]) == 3 and row["sd"] is not None for row in entry["rows"])
    assert {"Bayes limit", "RBF-SVM"} < {row["model"] for row in entry["baselines"]}
    assert all((quick / name).stat().st_size > 10_000 for name in entry["figures"])


def test_baselines_come_from_the_cache_the_second_time(quick, monkeypatch):
    before = read(quick / "circles-quick.json")["baselines"]
    monkeypatch.setattr(vqc._baselines, "accuracies", lambda *_: pytest.fail("computed again"))
    vqc.main(["--quick", "--seeds", "3", "--epochs", "2", "--out", str(quick), "--resume"])
    assert read(quick / "circles-quick.json")["baselines"] == before


def test_a_killed_run_resumes_to_the_same_numbers(tmp_path):
    path = tmp_path / "circles.json"
    arguments = ["--seeds", "2", "--epochs", "20", "--no-baselines", "--out"]
    command = [sys.executable, "-m", "experiments.vqc", *arguments, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not path.exists():
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    entry = read(path)
    assert entry["status"] == "running"
    assert entry["rows"]
    vqc.main([*arguments, str(tmp_path), "--resume"])
    vqc.main([*arguments, str(tmp_path / "whole")])
    assert read(path)["rows"] == read(tmp_path / "whole" / "circles.json")["rows"]


@pytest.mark.parametrize("dataset", _data.NAMES)
def test_every_data_set_runs_and_is_drawn(dataset):
    config = vqc.Config(dataset, seeds=2, epochs=1, samples=10, fresh=10, baselines=False)
    result = vqc.run(config)
    assert all(0 <= row["mean"] <= 1 for row in result.rows)
    assert vqc.figures(config, result)["seeds"].axes


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"dataset": "circle"},
            "Config(dataset='circle'): `dataset` must be one of circles, moons, iris, "
            "breast_cancer, digits, but got 'circle'. Give one of these names.",
        ),
        (
            {"samples": 0},
            "Config(samples=0): `samples` must be at least 10, so that both parts of the split "
            "hold points, but got 0. Give 10 samples or more.",
        ),
        (
            {"seeds": 0},
            "Config(seeds=0): `seeds` must be at least 1, but got 0. Give 1 or more.",
        ),
        (
            {"device": "tpu"},
            "Config(device='tpu'): `device` must be cpu or cuda, but got tpu. "
            "Give cpu, cuda or cuda:<number>.",
        ),
    ],
)
def test_a_config_that_cannot_run_is_refused_with_the_remedy(change, text, capsys):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        vqc.Config(**change)
    (name, value), *_ = change.items()
    with pytest.raises(SystemExit, match="2"):
        vqc.main([f"--{name}", str(value)])
    assert text in capsys.readouterr().err


def test_a_seed_does_not_depend_on_the_number_of_seeds():
    few, many = (_vqc_model.initial_params(_vqc_model.BETTER, n) for n in (2, 3))
    assert torch.equal(few["theta"], many["theta"][:2])
    few, many = (_data.splits("circles", n, fresh=10) for n in (2, 3))
    assert all(np.array_equal(few[part].x, many[part].x[:2]) for part in few)


@pytest.mark.parametrize("name", _data.NAMES)
def test_features_are_scaled_by_the_training_points_alone(name):
    """Toy sets by one minimum and maximum, as in the paper's notebook; real sets by column."""
    train = _data.splits(name, 2, fresh=10)["train"].x
    axis = (1, 2) if name in _data.TOYS else 1
    assert np.allclose(train.min(axis), 0)
    assert np.allclose(train.max(axis), np.pi)


# An oracle that shares no code: Kronecker products, autograd, and torch's own Adam.


def ry(angle):
    c, s = (angle / 2).cos(), (angle / 2).sin()
    return torch.stack([c, -s, s, c]).reshape(2, 2).to(torch.complex128)


def rz(angle):
    return torch.stack([-0.5j * angle, 0.5j * angle]).exp().diag()


def kron(matrices):
    return reduce(torch.kron, matrices)


def cnot(control, target):
    factors = torch.eye(2, dtype=torch.complex128).repeat(2, 4, 1, 1)
    factors[:, control] = torch.tensor([[[1, 0], [0, 0]], [[0, 0], [0, 1]]])
    factors[1, target] = torch.tensor([[0, 1], [1, 0]])
    return kron(factors[0]) + kron(factors[1])


def dense_expectation(theta, x, reupload):
    encoding = kron(map(ry, x))
    state = encoding[:, 0]
    for number, angles in enumerate(theta):
        state = encoding @ state if reupload and number else state
        state = kron(map(rz, angles[:, 1])) @ kron(map(ry, angles[:, 0])) @ state
        state = cnot(1, 2) @ cnot(2, 3) @ cnot(0, 1) @ state
    return state[:8].abs().square().sum() - state[8:].abs().square().sum()


@pytest.mark.parametrize("reupload", [False, True])
def test_the_circuit_agrees_with_kronecker_products(reupload):
    theta = 2 * math.pi * qf.uniforms((4, 4, 2), 0, dtype=torch.float64)
    x = torch.tensor([0.3, 1.1, 0.4, 1.2], dtype=torch.float64)
    error = _vqc_model.expectation(theta, x, reupload) - dense_expectation(theta, x, reupload)
    assert abs(error) < tolerance(theta.dtype, n_gates=60)


@pytest.mark.parametrize("variant", [_vqc_model.PAPERS, _vqc_model.BETTER], ids=str)
def test_training_agrees_with_the_papers_loop_over_samples(variant):
    points = _data.splits("circles", 2, samples=10, fresh=1)
    x, y = (tensor.double() for tensor in vqc._to_wires(points["train"], "cpu"))
    params = {k: v.double() for k, v in _vqc_model.initial_params(variant, 2).items()}
    trained = _vqc_model.train(variant, params, {"train": (x, y)}, epochs=5)
    own = {key: value[1].clone().requires_grad_() for key, value in params.items()}
    optimiser = torch.optim.Adam(own.values(), lr=0.05)
    for losses in trained.losses:
        values = torch.stack([dense_expectation(own["theta"], sample, False) for sample in x[1]])
        logits = variant.unit * (own.get("scale", 1.0) * values + own.get("bias", 0.0))
        loss = torch.nn.BCEWithLogitsLoss()(logits, y[1])
        assert abs(losses[1] - loss) < tolerance(x.dtype, n_gates=60 * 5, scale=variant.unit)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def test_eleven_of_the_angles_cannot_change_the_logit():
    result = vqc.run(vqc.Config(seeds=2, epochs=1, fresh=1, baselines=False))
    assert {row["live"] for row in result.rows if "live" in row} == {21}
    assert result.rows[0]["angles"] == 32


@pytest.mark.parametrize("name", _data.TOYS)
def test_the_bayes_limit_agrees_with_a_monte_carlo_estimate(name):
    draw, noise = _data.TOYS[name], _data.TOYS[name].keywords["noise"]
    points, _ = draw(20_000, random_state=0)
    curves, classes = draw(360, noise=None)
    densities = [
        sum(np.exp(-((points - p) ** 2).sum(1) / (2 * noise**2)) for p in curves[classes == label])
        for label in (0, 1)
    ]
    right = np.maximum(*densities) / sum(densities)  # chance that the better guess is right
    assert abs(right.mean() - _data.bayes_limit(name)) < 5 * right.std() / math.sqrt(20_000)


def test_the_bayes_limit_of_real_data_is_not_known():
    assert _data.bayes_limit("iris") is None


def test_the_best_threshold_is_never_worse_than_zero():
    logits, y = (
        torch.tensor([[0.1, 0.4, 0.6, 0.9]] * 2),
        torch.tensor([[0.0, 0, 1, 1], [0, 0, 0, 0]]),
    )
    best = _vqc_report.best_threshold(logits, y)
    assert _vqc_report.accuracy(logits - best, y).tolist() == [1.0, 1.0]


def test_scale_and_bias_make_the_classifier_good():
    """Over 256 seeds, 98.89 % of fresh points are right, with a deviation of 0.48 % by seed."""
    points = _data.splits("circles", 32, fresh=500)
    parts = {name: vqc._to_wires(part, "cpu") for name, part in points.items()}
    params = _vqc_model.initial_params(_vqc_model.BETTER, 32)
    trained = _vqc_model.train(_vqc_model.BETTER, params, parts)
    x, y = parts["fresh"]
    mean = _vqc_report.accuracy(trained.logits(x), y).mean().item()
    assert 0.9889 - 5 * 0.0048 / math.sqrt(32) < mean < _data.bayes_limit("circles")


def test_the_pages_table_is_the_committed_records():
    """By model, in order: mean and deviation of test points, then of fresh ones."""
    entry = read(ROOT / "docs" / "_static" / "vqc-circles.json")
    page = (ROOT / "docs" / "experiments" / "vqc.md").read_text("utf-8")
    table = page[page.index("## Results on the circles") : page.index("## Why")]
    found = re.findall(r"(\d+\.\d\d) ± (\d+\.\d\d)", table)
    rows = [row for row in (*entry["rows"], *entry["baselines"]) if "sd" in row]
    expected = {}
    for row in rows:
        if row["points"] != "train":
            values = [f"{100 * row[key]:.2f}" for key in ("mean", "sd")]
            expected.setdefault(row["model"], []).append(tuple(values))
    assert found == [pair for pairs in expected.values() for pair in pairs]
