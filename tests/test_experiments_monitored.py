"""Monitored circuits in miniature, beside a loop over wires that shares no code with them."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.func import jvp, vmap

pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")

import quilt_func as qf
from experiments import _record, _run
from experiments._desk import Desk
from experiments.monitored import __main__ as experiment
from experiments.monitored import model, report
from quilt_func import noise
from quilt_func.testing.tolerances import tolerance

ROOT = Path(__file__).resolve().parents[1]
SMALL = {"sizes": (4,), "rates": (0.0, 0.2, 1.0)}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads that wait for each other take ten times as long, on a machine that is busy."""
    with _run._threads(1):
        yield


def read(path):
    return json.loads(path.read_text("utf-8"))


# --- one run, in numpy ---


def dense_state(n, p, unitaries, outcomes):
    """Gates on pairs of axes; a wire is left alone, or projected, as its number says."""
    state = np.zeros((2,) * n, complex)
    state[(0,) * n] = 1
    numbers = iter(outcomes)
    for layer, gates in enumerate(unitaries):
        for place, gate in enumerate(gates):
            a = 2 * place + layer % 2
            pair = (a, (a + 1) % n)
            front = np.moveaxis(state, pair, (0, 1))
            moved = np.tensordot(gate.reshape(2, 2, 2, 2), front, ((2, 3), (0, 1)))
            state = np.moveaxis(moved, (0, 1), pair)
        for wire in range(n):
            halves = np.moveaxis(state, wire, 0)
            one = np.sum(np.abs(halves[1]) ** 2)
            u = next(numbers)
            if u >= 1 - p:
                bit = int(u >= 1 - p + p * (1 - one))
                halves[1 - bit] = 0  # a view of the state
                state /= np.linalg.norm(state)
    return state.reshape(-1)


def dense_entropy(state, wires, n):
    values = np.moveaxis(state.reshape((2,) * n), wires, range(len(wires)))
    squares = np.linalg.svd(values.reshape(2 ** len(wires), -1), compute_uv=False) ** 2
    squares = squares[squares > 1e-14]
    return -np.sum(squares * np.log2(squares))


@pytest.mark.parametrize("p", [0.0, 0.15, 0.6])
def test_a_run_is_that_of_a_loop_over_wires(p):
    n = 4
    own = model.draws(n, range(3))
    own = model.Draws(*(one.double() for one in own))
    rate = torch.tensor(p, dtype=torch.float64)
    for gates, outcomes in zip(*own, strict=True):
        unitaries = model.haar_unitaries(gates)
        found = model.run(n, rate, model.Draws(gates, outcomes)).state
        expected = dense_state(n, p, unitaries.numpy(), outcomes.numpy())
        assert np.abs(found.numpy() - expected).max() <= tolerance(torch.float64, 500)
        a, b, c = (dense_entropy(expected, [*w], n) for w in ([0, 1], [1, 2], [0, 2]))
        single = sum(dense_entropy(expected, [wire], n) for wire in range(n))
        half = np.trace(np.linalg.matrix_power(reduced(expected), 2)).real
        values = [a, -math.log2(half), single - a - b - c]
        assert np.abs(model.quantities(found).numpy() - values).max() <= 1e3 * tolerance(
            torch.float64, 500
        )


def reduced(state):
    matrix = state.reshape(4, 4)
    return matrix @ matrix.conj().T


def test_an_ensemble_is_its_runs():
    own, rates = model.draws(4, range(3)), torch.tensor([0.1, 0.5])
    found = model.ensemble(4, rates, own)
    assert found.shape == (2, 3, len(model.QUANTITIES))
    for k, p in enumerate(rates):
        for m in range(3):
            one = model.run(4, p, model.Draws(own.gates[m], own.outcomes[m])).state
            error = (found[k, m] - model.quantities(one)).abs().max()
            assert error <= 100 * tolerance(torch.float32, 500)


def test_gates_are_haar_random():
    """Unitary, and with the first moments of their entries: 1/4, and 2 / (4 * 5)."""
    found = model.haar_unitaries(model.draws(4, range(200)).gates.double()).flatten(0, 2)
    rest = (found @ found.mH - torch.eye(4)).abs().max()
    assert rest <= tolerance(torch.float64, 64)
    for power, expected in ((2, 0.25), (4, 0.1)):
        values = found.abs()[:, 0, 0] ** power
        assert abs(values.mean() - expected) <= 5 * values.std() / math.sqrt(len(values))
    mean, deviation = found[:, 1, 1].real.mean(), math.sqrt(0.125 / len(found))
    assert abs(mean) <= 5 * deviation, "phases are made unique"


def test_a_measurement_that_may_take_place_keeps_the_trace():
    p = torch.tensor(0.3, dtype=torch.float64)
    found = model.measured_at_times(p)
    rest = (found.mH @ found).sum(0) - torch.eye(2)
    assert rest.abs().max() <= tolerance(torch.float64, 4)
    assert (found[1:].abs() ** 2).sum().item() == pytest.approx(0.6)


@pytest.mark.parametrize("n", [4, 8])
def test_without_measurements_states_are_random(n):
    found = model.ensemble(n, torch.tensor([0.0, 1.0]), model.draws(n, range(100)))
    closed = torch.tensor([model.page_entropy(n // 2, n), model.page_tripartite(n)])
    both = found[0][:, [0, 2]]
    assert ((both.mean(0) - closed).abs() <= 5 * both.std(0) / 10).all()
    assert found[1].abs().max() <= 100 * tolerance(torch.float32, 500), "all is measured"


def test_pages_entropy_of_a_qubit_of_two():
    """1/3 in nats: sum of 1/3 + 1/4 less 1/4."""
    assert model.page_entropy(1, 2) * math.log(2) == pytest.approx(1 / 3)


def test_entropies_of_low_rank_are_numbers():
    """Single precision gives NaN for some of these."""
    found = model.ensemble(12, torch.tensor([0.17, 0.4]), model.draws(12, range(8)))
    assert found.isfinite().all()


def test_a_derivative_is_that_of_the_mean_over_outcomes():
    """A Bell pair keeps its bit if neither wire is measured: (1 - p)**2."""
    bell = qf.circuit(2, qf.h(0), qf.cx(0, 1)).unitary(dtype=torch.complex128)[None, None]
    p, m = torch.tensor(0.3, dtype=torch.float64), 2000
    outcomes = qf.uniforms((m, 2), 0, dtype=torch.float64)

    def mean(p):
        found = vmap(lambda u: qf.run_trajectory(model.monitored(2, p, bell), u))(outcomes)
        return noise.trajectory_mean(vmap(model.renyi)(found.state), found.weight)

    value, slope = jvp(mean, (p,), (torch.ones_like(p),))
    score = math.sqrt(2 / (0.3 * 0.7))  # deviation of the derivative of log P, of two draws
    assert abs(value - 0.7**2) <= 5 * 0.5 / math.sqrt(m)
    assert abs(slope + 2 * 0.7) <= 5 * score * 0.5 / math.sqrt(m)


def test_a_slope_is_that_of_the_ensemble():
    own, p, step = model.draws(4, range(400)), 0.3, 0.1
    value, slope = model.slope(4, torch.tensor(p), own)
    rates = torch.tensor([p - step, p, p + step])
    low, here, high = model.ensemble(4, rates, own)[..., model.QUANTITIES.index("renyi")]
    assert abs(value - here.mean()) <= 100 * tolerance(torch.float32, 500)
    differences = (high - low) / (2 * step)
    n_draws = own.outcomes.shape[1]
    score = math.sqrt(n_draws / (p * (1 - p))) * here.std()
    error = math.hypot(differences.std(), score) / math.sqrt(len(here))
    assert abs(slope - differences.mean()) <= 5 * error


# --- the rows ---


def test_crossings_of_lines():
    rates = torch.tensor([0.0, 0.1, 0.2, 1.0], dtype=torch.float64)
    differences = torch.tensor(
        [[-1.0, -0.5, 0.5, 0.0], [-1.0, -0.5, -0.1, 1e-9], [1.0, -1.0, 3.0, 0.0]],
        dtype=torch.float64,
    )
    found = report.crossing(rates, differences)
    assert found[0].item() == pytest.approx(0.15)
    assert found[1].isnan(), "rounding is no crossing"
    assert found[2].item() == pytest.approx(0.125)


def test_resampled_means_vary_as_means_do():
    values = torch.randn(2, 400, generator=torch.Generator().manual_seed(0)).double()
    drawn = report.resampled(values, 1000, 0)
    assert drawn.shape == (1000, 2)
    ratio = drawn.std(0) * 20 / values.std(1)
    assert ((ratio - 1).abs() < 0.15).all()


def test_a_run_that_is_interrupted_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "AT_ONCE", 3 * 2**4 * 20)
    config = replace(experiment.Config(), seeds=32, **SMALL)
    whole = experiment.ensembles(config, 4, Desk())
    assert whole.shape == (3, 32, 3), "the last chunk is cut"
    desk = Desk(tmp_path, "key")
    experiment.ensembles(replace(config, seeds=32, few=1), 4, desk)
    assert torch.equal(experiment.ensembles(config, 4, desk), whole)
    monkeypatch.setattr(experiment, "AT_ONCE", 2**20)
    at_once = experiment.ensembles(config, 4, Desk())
    assert (at_once - whole).abs().max() <= 100 * tolerance(torch.float32, 500)


def test_there_are_fewer_runs_of_many_qubits():
    config = experiment.Config()
    assert config.runs(12) == config.seeds
    assert config.runs(16) == config.seeds // config.few


# --- the command ---


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    out = tmp_path_factory.mktemp("monitored")
    page = out / "page.md"
    page.write_text("# Page\n\n<!-- table: crossings -->\nold\n<!-- end -->\nEnd.\n", "utf-8")
    experiment.main(["--quick", "--page", str(page), "--out", str(out)])
    return out


def test_the_command_leaves_a_complete_record(quick):
    entry = read(quick / "monitored-quick.json")
    assert (entry["schema"], entry["status"], entry["seeds"]) == (_record.SCHEMA, "complete", 32)
    parts = [row["part"] for row in entry["rows"]]
    assert [parts.count(part) for part in report.PARTS] == [2 * 4, 1, 2]
    assert len(entry["figures"]) == 1
    assert all((quick / name).stat().st_size > 10_000 for name in entry["figures"])
    page = (quick / "page.md").read_text("utf-8")
    assert page.startswith("# Page\n\n<!-- table: crossings -->\n|  | p |")
    assert "old" not in page


@pytest.mark.parametrize(
    "bad",
    [
        {"seeds": 8},
        {"sizes": (6,)},
        {"rates": ()},
        {"rates": (0.2, 0.1)},
        {"rates": (0.0, 1.2)},
        {"slopes_at": (0.0,)},
        {"batches": 1},
        {"device": "tpu"},
    ],
)
def test_bad_configs_are_refused(bad):
    with pytest.raises(ValueError, match=r"Config\(\w+="):
        replace(experiment.Config(), **bad)


def test_the_pages_tables_are_the_committed_record():
    entry = read(ROOT / "docs" / "_static" / "monitored.json")
    page = (ROOT / "docs" / "experiments" / "monitored.md").read_text("utf-8")
    assert entry["status"] == "complete"
    kept = {key: tuple(entry[key]) for key in ("rows", "baselines", "paper")}
    assert report.filled(page, _record.Result(**kept)) == page
    assert len(report.BLOCK.findall(page)) == 6
