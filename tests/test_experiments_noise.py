"""The noise experiment in miniature, beside matrices that share no code with it."""

import json
import math
import re
from dataclasses import replace
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.func import vmap

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")

import quilt_func as qf
from experiments import _classifier, _data, _record, _run
from experiments._desk import Desk
from experiments.noise import __main__ as experiment
from experiments.noise import calibration, evaluation, model, report
from experiments.vqc import model as vqc
from quilt_func import noise
from quilt_func.testing.tolerances import tolerance

ROOT = Path(__file__).resolve().parents[1]
CHANNELS = pytest.mark.parametrize("channel", model.CHANNELS)
TRUTH = torch.tensor(calibration.TRUTH, dtype=torch.float64)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads that wait for each other take ten times as long, on a machine that is busy."""
    with _run._threads(1):
        yield


def read(path):
    return json.loads(path.read_text("utf-8"))


# --- matrices: Kronecker products and Kraus operators, in numpy ---

ONE, X, Y, Z = (
    np.eye(2),
    np.array([[0, 1], [1, 0]]),
    np.array([[0, -1j], [1j, 0]]),
    np.diag([1, -1]),
)


def kron(*factors):
    return reduce(np.kron, factors)


def on(matrix, wire, n):
    return kron(*[matrix if other == wire else ONE for other in range(n)])


def turn(word, angle):
    return math.cos(angle / 2) * np.eye(len(word)) - 1j * math.sin(angle / 2) * word


def cnot(control, target, n):
    zero, one = np.diag([1, 0]), np.diag([0, 1])
    return on(zero, control, n) + on(one, control, n) @ on(X, target, n)


def operators(channel, p):
    if channel == "depolarizing":
        return [math.sqrt(1 - p) * ONE, *(math.sqrt(p / 3) * word for word in (X, Y, Z))]
    return [np.diag([1, math.sqrt(1 - p)]), math.sqrt(p) * np.array([[0, 1], [0, 0]])]


def after(rho, operators, wire, n):
    return sum(on(k, wire, n) @ rho @ on(k, wire, n).conj().T for k in operators)


def dense_value(channel, p, theta, x):
    """⟨Z0⟩ of the classifier with a channel after every CNOT."""
    encoding = kron(*(turn(Y, angle) for angle in x))[:, :1]
    rho = encoding @ encoding.conj().T
    for angles in theta:
        for word, column in zip((Y, Z), angles.T, strict=True):
            gate = kron(*(turn(word, angle) for angle in column))
            rho = gate @ rho @ gate.conj().T
        for pair in ((0, 1), (2, 3), (1, 2)):
            rho = cnot(*pair, 4) @ rho @ cnot(*pair, 4).T
            for wire in pair:
                rho = after(rho, operators(channel, p), wire, 4)
    return np.trace(on(Z, 0, 4) @ rho).real


def dense_table(p01, p10, n):
    """Z of every wire and the parity, for |0...0⟩, then |+...+⟩."""
    kraus = [
        np.diag([math.sqrt(1 - p01), math.sqrt(1 - p10)]),
        math.sqrt(p10) * np.array([[0, 1], [0, 0]]),
        math.sqrt(p01) * np.array([[0, 0], [1, 0]]),
    ]
    zs = [on(Z, wire, n) for wire in range(n)]
    found = []
    for one in (np.array([1, 0]), np.array([1, 1]) / math.sqrt(2)):
        rho = np.outer(kron(*[one] * n), kron(*[one] * n))
        for first in (0, 1):
            for wire in range(first, n - 1, 2):
                gate = turn(on(X, wire, n) @ on(X, wire + 1, n), 0.31)
                rho = gate @ rho @ gate.conj().T
                rho = after(after(rho, kraus, wire, n), kraus, wire + 1, n)
        found.append([np.trace(z @ rho).real for z in (*zs, reduce(np.matmul, zs))])
    return np.array(found)


# --- the classifier ---


def sample(n_layers=2):
    theta = 2 * math.pi * qf.uniforms((n_layers, 4, 2), 0, dtype=torch.float64)
    x = math.pi * qf.uniforms((3, 4), 1, dtype=torch.float64)
    return theta, x, torch.tensor(0.07, dtype=torch.float64)


@CHANNELS
def test_values_agree_with_matrices(channel):
    theta, x, p = sample()
    found = model.values(model.CHANNELS[channel], p, theta, model.encoded(x[None])[0])
    expected = [dense_value(channel, p.item(), theta.numpy(), one) for one in x.numpy()]
    assert np.abs(found.numpy() - expected).max() <= tolerance(theta.dtype, 100)


@CHANNELS
def test_values_are_those_of_the_definition(channel):
    theta, x, p = sample()
    row = model.CHANNELS[channel]
    found = model.values(row, p, theta, model.encoded(x[None])[0])
    expected = vmap(lambda one: model.expectation(row, p, theta, one))(x)
    assert (found - expected).abs().max() <= tolerance(theta.dtype, 100)
    still = vmap(lambda one: vqc.expectation(theta, one))(x)
    assert (found - still).abs().max() > 0.01, "noise does something"


@CHANNELS
@pytest.mark.parametrize("method", evaluation.EXTRAPOLATIONS)
def test_extrapolations_are_zero_noises(channel, method):
    """Of the whole circuit, encoding and all."""
    theta, x, p = sample()
    row, name = model.CHANNELS[channel], evaluation.EXTRAPOLATIONS[method]
    asymptote = evaluation.ASYMPTOTES[channel] if name == "exponential" else None

    def value(circuit):
        return qf.expval(qf.run_density(model.noisy(row, p, circuit)), _classifier.Z0)

    expected = [
        noise.zero_noise(
            value, _classifier.circuit(theta, one), method=name, asymptote=asymptote
        ).value
        for one in x
    ]
    points = evaluation.Part(model.encoded(x[None]), torch.zeros(1, 3), torch.zeros(1, 3, 1))
    scaled = evaluation._values(channel, p, {"theta": theta[None]}, points, model.SCALES)
    found = evaluation._extrapolated(scaled, name, asymptote)
    error = (found - torch.stack(expected).clamp(-1, 1)).abs().max()
    assert error <= tolerance(theta.dtype, 500, 1e3 if name == "exponential" else 4.0)


def test_training_at_strength_0_is_that_of_experiment_1():
    parts = _data.splits("circles", 2, samples=20, fresh=1)
    x, y = (one.double() for one in _classifier.to_wires(parts["train"], "cpu"))
    start = {k: v.double() for k, v in _classifier.initial_params(_classifier.BETTER, 2).items()}
    strengths = torch.tensor([0.0, 0.1], dtype=torch.float64)
    found = model.train(
        _classifier.BETTER, noise.amplitude_damping, strengths, start, model.encoded(x), y,
        learning_rate=0.05, epochs=5, desk=Desk(), label="",
    )  # fmt: skip
    expected = vqc.train(_classifier.BETTER, start, {"train": (x, y)}, epochs=5)
    bound = tolerance(x.dtype, 500) * 0.05 * 5 / 1e-8  # five of Adam's steps, gradients over eps
    for name, value in expected.params.items():
        assert (found[name][0] - value).abs().max() <= bound, name
        assert (found[name][1] - value).abs().max() > 1e-3, "noise changes what is learnt"


def test_an_interrupted_training_goes_on(tmp_path):
    theta = _classifier.initial_params(_classifier.PAPERS, 2, 1)
    states = model.encoded(math.pi * qf.uniforms((2, 5, 4), 0))
    y = (qf.uniforms((2, 5), 1) > 0.5).float()

    def train(epochs, desk):
        return model.train(
            _classifier.PAPERS, noise.depolarizing, torch.tensor([0.0, 0.1]), theta, states, y,
            learning_rate=0.05, epochs=epochs, desk=desk, label="one",
        )  # fmt: skip

    desk = Desk(tmp_path, "key")
    first = train(2, desk)["theta"]
    whole = train(4, Desk())["theta"]
    assert torch.equal(train(4, desk)["theta"], whole)
    assert not torch.equal(first, whole)


def test_estimates_are_means_of_outcomes():
    exact = torch.tensor([-1.0, -0.3, 0.0, 0.8, 1.0], dtype=torch.float64)
    shots = 20_000
    found = model.estimates(exact, qf.uniforms((5, shots), 0, dtype=torch.float64))
    deviation = ((1 - exact.square()) / shots).sqrt()
    assert ((found - exact).abs() <= 5 * deviation).all()
    few = model.estimates(exact, qf.uniforms((5, 4), 0, dtype=torch.float64))
    assert set(few.tolist()) <= {-1.0, -0.5, 0.0, 0.5, 1.0}


def test_scales_share_the_shots():
    u = qf.uniforms((2, 3, 100), 0)
    shares = evaluation._shares(u)
    assert torch.equal(torch.cat(shares, -1), u)
    assert len(shares) == len(model.SCALES)
    assert max(one.shape[-1] for one in shares) - min(one.shape[-1] for one in shares) <= 1


def judged(strength):
    parts = _data.splits("circles", 3, samples=20, fresh=20)
    made = []
    for name in ("train", "fresh"):
        x, y = _classifier.to_wires(parts[name], "cpu")
        made.append(evaluation.part(model.encoded(x), y, 300, 0))
    params = _classifier.initial_params(_classifier.BETTER, 3)
    strength = torch.tensor(strength)
    found = evaluation.rows(
        _classifier.BETTER, "depolarizing", strength, params, params, evaluation.Data(*made)
    )
    return {row["method"]: row for row in found}


def test_without_noise_nothing_is_to_be_mended():
    rows = judged(0.0)
    assert list(rows) == list(evaluation.METHODS)
    plain = rows[evaluation.IGNORED]
    for method, row in rows.items():
        if method != evaluation.FITTED:
            assert row["mean"] == plain["mean"]
        assert row.get("error", 0.0) <= 10 * tolerance(torch.float32, 500)
        assert row["shots_loss"] != row["loss"]


def test_extrapolation_mends_values_and_costs_shots():
    rows = judged(0.02)
    plain, line = rows[evaluation.IGNORED], rows["extrapolated, line"]
    richardson = rows["extrapolated, Richardson"]
    assert richardson["error"] < line["error"] < plain["error"]
    assert plain["shots_error"] < line["shots_error"] < richardson["shots_error"]
    # weights 13/12, 1/3 and -5/12 of three means of a hundred shots each, beside one of 300
    ratio = math.sqrt(3 * ((13 / 12) ** 2 + (1 / 3) ** 2 + (5 / 12) ** 2))
    assert (
        abs(line["shots_error"] / judged(0.0)[evaluation.IGNORED]["shots_error"] / ratio - 1) < 0.3
    )


def test_a_seed_does_not_depend_on_their_number():
    y = torch.zeros(3, 4)
    few, many = (evaluation.part(y[:n], y[:n], 5, 7) for n in (2, 3))
    assert torch.equal(few.u, many.u[:2])
    assert not torch.equal(many.u[1], many.u[2])
    assert torch.equal(calibration.starts(2, "cpu"), calibration.starts(3, "cpu")[:2])
    exact = torch.zeros(4, 13)
    few, many = (calibration.measured(exact, 10, n) for n in (2, 3))
    assert torch.equal(few, many[:2])


# --- strengths from data ---


@pytest.mark.parametrize("n", [4, 6])
def test_the_table_agrees_with_matrices(n):
    found = calibration.table(TRUTH, n)[2:]
    error = np.abs(found.numpy() - dense_table(*calibration.TRUTH, n)).max()
    assert error <= tolerance(torch.float64, 100)


def whole(p, state, n):
    words = ["I" * wire + "Z" + "I" * (n - wire - 1) for wire in range(n)]
    rho = qf.run_density(calibration.brickwork(p, n), state[:, None] * state.conj())
    return qf.expval(rho, [qf.pauli_sum({word: 1.0}) for word in (*words, "Z" * n)])


@pytest.mark.parametrize("n", [4, 6])
def test_the_table_is_that_of_the_whole_density(n):
    expected = torch.stack([whole(TRUTH, state, n) for state in calibration.inputs(n)])
    error = (calibration.table(TRUTH, n) - expected).abs().max()
    assert error <= tolerance(torch.float64, 100)


def test_the_table_is_that_of_all_twelve_qubits():
    """GHZ, which is no product of pairs."""
    p, state = TRUTH.float(), calibration.inputs(12)[0].to(torch.complex64)
    error = (calibration.table(TRUTH)[0] - whole(p, state, 12)).abs().max()
    assert error <= tolerance(torch.float32, 100)


def test_the_challenge_is_met():
    """Its evaluator's criteria, and the first loss that it reports."""
    exact = calibration.table(TRUTH)
    start = torch.tensor([calibration.START], dtype=torch.float64)
    path, losses = calibration.learn(exact[None], start, 120, Desk(), "")
    assert exact.shape == (4, 13)
    assert losses.shape == (120, 1)
    assert abs(losses[0, 0].item() / 7.07078446e-03 - 1) <= tolerance(torch.float32, 100)
    assert losses[-1, 0] < losses[0, 0]
    assert (path[0] - start).abs().max() <= tolerance(torch.float64, 4)
    assert (path[-1] - TRUTH).abs().max() <= calibration.TOLERANCE
    made = calibration.asymmetric_flip.kraus(*path[-1].T)[0]
    assert (made.mH @ made).sum(0).sub(torch.eye(2)).abs().max() <= tolerance(torch.float64, 8)


def test_learning_is_a_loop_of_adam():
    exact = calibration.table(TRUTH)
    start = torch.tensor(calibration.START, dtype=torch.float64)
    path, losses = calibration.learn(exact[None], start[None], 4, Desk(), "")
    raw = start.logit().requires_grad_()
    optimiser = torch.optim.Adam([raw], lr=0.04)
    for strengths, value in zip(path, losses, strict=False):
        assert (raw.sigmoid() - strengths[0]).abs().max() <= 1e3 * tolerance(torch.float64, 100)
        loss = (calibration.table(raw.sigmoid()) - exact).square().mean()
        assert abs(loss - value[0]) <= tolerance(torch.float64, 1000)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def test_predicted_deviations_are_those_of_one_gauss_newton_step():
    exact, shots, n = calibration.table(TRUTH), 500, 400
    slopes = torch.func.jacrev(calibration.table)(TRUTH).flatten(0, 1)
    errors = (calibration.measured(exact, shots, n) - exact).flatten(1)
    steps = torch.linalg.lstsq(slopes, errors.mT).solution
    predicted = calibration.predicted_deviations(TRUTH, shots)
    assert ((steps.std(1) / predicted - 1).abs() <= 5 / math.sqrt(2 * n)).all()
    assert ((steps.mean(1) / predicted).abs() <= 5 / math.sqrt(n)).all()


def test_rows_of_strengths():
    off = [[[0.0, 0.0]] * 2, [[1e-4, 0.0], [0.0, -3e-4]]]
    path = TRUTH + torch.tensor(off, dtype=torch.float64)
    row = report.strength_row("some", path, 1)
    assert (row["runs"], row["steps"], row["share"]) == (2, 1, 0.5)
    assert abs(row["worst"] - 3e-4) <= tolerance(torch.float64, 4)
    assert abs(row["error_p01"] - 1e-4 / math.sqrt(2)) <= tolerance(torch.float64, 4)
    assert report.strength_row("some", path, 0)["worst"] == 0.0


# --- the run ---


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    out = tmp_path_factory.mktemp("noise")
    page = out / "page.md"
    page.write_text("# Page\n\n<!-- table: strengths -->\nold\n<!-- end -->\nEnd.\n", "utf-8")
    arguments = ["--quick", "--seeds", "3", "--epochs", "2", "--page", str(page)]
    experiment.main([*arguments, "--out", str(out)])
    return out


def test_the_command_leaves_a_complete_record(quick):
    entry = read(quick / "noise-quick.json")
    assert (entry["schema"], entry["status"], entry["seeds"]) == (_record.SCHEMA, "complete", 3)
    settings = [row for row in entry["rows"] if row["part"] != "strengths"]
    assert len(settings) == 2 * 2 * 3 * len(evaluation.METHODS)
    assert all(0 <= row["mean"] <= 1 and row["sd"] is not None for row in settings)
    assert len(entry["rows"]) - len(settings) == 4
    assert [row["model"] for row in entry["baselines"]] == [
        "majority class", "logistic regression", "RBF-SVM",
    ]  # fmt: skip
    assert len(entry["figures"]) == 2
    assert all((quick / name).stat().st_size > 10_000 for name in entry["figures"])


def test_a_page_is_filled_in(quick):
    page = (quick / "page.md").read_text("utf-8")
    assert page.startswith("# Page\n\n<!-- table: strengths -->\n| data | runs |")
    assert page.endswith("|\n<!-- end -->\nEnd.\n")
    assert "old" not in page
    entry = read(quick / "noise-quick.json")
    result = _record.Result(rows=tuple(entry["rows"]), baselines=tuple(entry["baselines"]))
    assert report.filled(page, result) == page, "the record says the same"


@pytest.mark.parametrize(
    "bad",
    [
        {"seeds": 0},
        {"shots": 2},
        {"strengths": ()},
        {"strengths": (0.1, 0.2)},
        {"strengths": (0.0, 1.2)},
        {"data_shots": (0,)},
        {"device": "tpu"},
    ],
)
def test_bad_configs_are_refused(bad):
    with pytest.raises(ValueError, match=r"Config\(\w+="):
        replace(experiment.Config(), **bad)


# --- what is committed ---


def test_the_pages_tables_are_the_committed_record():
    entry = read(ROOT / "docs" / "_static" / "noise.json")
    page = (ROOT / "docs" / "experiments" / "noise.md").read_text("utf-8")
    assert entry["status"] == "complete"
    result = _record.Result(rows=tuple(entry["rows"]), baselines=tuple(entry["baselines"]))
    assert report.filled(page, result) == page
    assert len(report.BLOCK.findall(page)) == 11
    tables = "\n".join(match[0] for match in report.BLOCK.finditer(page))
    found = re.findall(r"^\| noise ignored \| (\d+\.\d) ± (\d+\.\d) ", tables, re.MULTILINE)
    rows = [row for row in entry["rows"] if row.get("method") == "noise ignored"]
    first = [row for row in rows if row["strength"] == 0 and row["model"] != "paper's setting"]
    expected = [
        (f"{100 * row[f'{prefix}mean']:.1f}", f"{100 * row[f'{prefix}sd']:.1f}")
        for row in first
        for prefix in ("", "shots_")
    ]
    assert set(expected) <= set(found)


def test_the_page_says_how_many_seeds():
    entry = read(ROOT / "docs" / "_static" / "noise.json")
    page = (ROOT / "docs" / "experiments" / "noise.md").read_text("utf-8")
    assert f"{entry['seeds']} seeds" in page
