"""The classifier experiment end to end, beside an oracle that shares no code with it."""

import json
import math
import re
import signal
import subprocess
import sys
import time
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")

import quilt_func as qf
from experiments import _classifier, _data, _record, _run
from experiments.vqc import __main__ as vqc
from experiments.vqc import model
from quilt_func.testing.tolerances import tolerance

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads that wait for each other take ten times as long, on a machine that is busy."""
    with _run._threads(1):
        yield


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    out = tmp_path_factory.mktemp("vqc")
    vqc.main(["--quick", "--seeds", "3", "--epochs", "2", "--out", str(out)])
    return out


def test_the_command_leaves_a_complete_record(quick):
    entry = read(quick / "circles-quick.json")
    assert (entry["schema"], entry["status"], entry["seeds"]) == (_record.SCHEMA, "complete", 3)
    models = {row["model"] for row in entry["rows"]}
    assert {variant.name for variant in vqc.VARIANTS} < models
    assert {row["points"] for row in entry["rows"]} == {"train", "test", "fresh"}
    assert all(len(row["values"]) == 3 and row["sd"] is not None for row in entry["rows"])
    assert {"Bayes limit", "RBF-SVM"} < {row["model"] for row in entry["baselines"]}
    assert all((quick / name).stat().st_size > 10_000 for name in entry["figures"])


def test_baselines_come_from_the_cache_the_second_time(quick, monkeypatch):
    before = read(quick / "circles-quick.json")["baselines"]
    monkeypatch.setattr(vqc.baselines, "accuracies", lambda *_: pytest.fail("computed again"))
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
    result = vqc.EXPERIMENT.run(config)
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
    few, many = (_classifier.initial_params(_classifier.BETTER, n) for n in (2, 3))
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
    error = model.expectation(theta, x, reupload) - dense_expectation(theta, x, reupload)
    assert abs(error) < tolerance(theta.dtype, n_gates=60)


@pytest.mark.parametrize("variant", [_classifier.PAPERS, _classifier.BETTER], ids=str)
def test_training_agrees_with_the_papers_loop_over_samples(variant):
    points = _data.splits("circles", 2, samples=10, fresh=1)
    x, y = (tensor.double() for tensor in _classifier.to_wires(points["train"], "cpu"))
    params = {k: v.double() for k, v in _classifier.initial_params(variant, 2).items()}
    trained = model.train(variant, params, {"train": (x, y)}, epochs=5)
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
    result = vqc.EXPERIMENT.run(vqc.Config(seeds=2, epochs=1, fresh=1, baselines=False))
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
    best = _classifier.best_threshold(logits, y)
    assert _classifier.accuracy(logits - best, y).tolist() == [1.0, 1.0]


def test_scale_and_bias_make_the_classifier_good():
    """Over 256 seeds, 98.89 % of fresh points are right, with a deviation of 0.48 % by seed."""
    points = _data.splits("circles", 32, fresh=500)
    parts = {name: _classifier.to_wires(part, "cpu") for name, part in points.items()}
    params = _classifier.initial_params(_classifier.BETTER, 32)
    trained = model.train(_classifier.BETTER, params, parts)
    x, y = parts["fresh"]
    mean = _classifier.accuracy(trained.logits(x), y).mean().item()
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
