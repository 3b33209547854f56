"""The landscapes in miniature: closed forms of their parts, the record, the committed page."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.func import grad, vmap

import quilt_func as qf
from quilt_func.testing.tolerances import tolerance

pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")

from experiments._desk import Desk, plain
from experiments.landscapes import __main__ as landscapes
from experiments.landscapes import model

ROOT = Path(__file__).resolve().parents[1]
TINY = landscapes.Config(**landscapes.QUICK)


def read(path):
    return json.loads(path.read_text("utf-8"))


def test_the_chains_ground_energy():
    values = torch.linalg.eigvalsh(model.CHAIN.to_matrix(dtype=torch.complex128))
    assert abs(float(values[0]) - model.GROUND_ENERGY) <= tolerance(torch.float64, 2**8, 8.0)


@pytest.mark.parametrize("ansatz", model.ANSATZE, ids=lambda ansatz: ansatz.name)
def test_slopes_are_the_first_entries_of_gradients(ansatz):
    theta = model.angles(ansatz.shape(3, 2), 4, "cpu")
    word = qf.pauli_sum({"ZII": 1.0})
    slopes = vmap(grad(lambda t: qf.expval(ansatz.circuit(3, t)(), word)))(theta)
    found = model.first_slopes(ansatz, 3, theta, chunk_size=3)
    error = (found - slopes.flatten(1)[:, 0]).abs().max()
    assert error <= tolerance(torch.float32, 2**8)


DEEP = [12, 8, 4]
NAMES = [ansatz.name for ansatz in model.ANSATZE]


@pytest.mark.parametrize(
    ("ansatz", "depth"), list(zip(model.ANSATZE, DEEP, strict=True)), ids=NAMES
)
def test_deep_circuits_reach_the_two_designs_variance(ansatz, depth):
    n = 4
    theta = model.angles(ansatz.shape(n, depth), 300, "cpu")
    variance, error = model.variance_and_error(model.first_slopes(ansatz, n, theta, 300))
    assert abs(variance - model.two_design_variance(n)) <= 5 * error


def test_shallow_circuits_have_larger_gradients():
    """The bound above is no matter of course."""
    ansatz, n = model.ANSATZE[0], 6
    theta = model.angles(ansatz.shape(n, 1), 1000, "cpu")
    variance, error = model.variance_and_error(model.first_slopes(ansatz, n, theta, 1000))
    assert variance > model.two_design_variance(n) + 5 * error


def test_the_error_of_a_variance():
    """Of Gaussian numbers, σ² sqrt(2 / k)."""
    u = qf.uniforms((2, 20_000), 0, dtype=torch.float64)
    normal = 3 * (-2 * (1 - u[0]).log()).sqrt() * (2 * math.pi * u[1]).cos()
    variance, error = model.variance_and_error(normal)
    assert abs(variance - normal.var().item()) <= tolerance(torch.float64, 20_000, 9.0)
    expected = 9 * math.sqrt(2 / 20_000)
    assert abs(error - expected) <= 0.1 * expected
    assert abs(variance - 9) <= 5 * expected


@pytest.mark.parametrize("descent", model.DESCENTS, ids=lambda descent: descent.name)
def test_descents_are_those_of_a_loop(descent):
    theta, rates = model.angles((1, 4, 2), 2, "cpu"), torch.tensor([0.05, 0.1])
    found = model.descend(descent, theta, rates, 3, Desk(), descent.name)
    for start, rate, energies in zip(theta, rates, found.mT, strict=True):
        optimiser = descent.optimiser(rate)
        memory = optimiser.init(start)
        for value in energies:
            assert abs(model.energy(start) - value) <= tolerance(torch.float32, 2**12, 64.0)
            updates, memory = optimiser.update(grad(model.energy)(start), memory, start)
            start = qf.optim.apply_updates(start, updates)


def test_summaries():
    excess = torch.tensor(
        [[0.5, 0.5, 0.5, 0.5], [0.1, 0.02, 0.009, 0.3], [0.005, 0.02, 0.001, 0.2]]
    )
    found = landscapes.summary(model.GROUND_ENERGY * (1 - excess.double()))
    assert found["share_1%"] == 0.5
    assert found["steps_1%"] == 1.0  # torch's median of 1 and 2 is the lower one
    never = landscapes.summary(torch.zeros(2, 3))
    assert (never["share_1%"], never["steps_1%"]) == (0.0, None)


def test_a_tiny_run_leaves_record_and_figure(tmp_path, capsys):
    landscapes.main(["--quick", "--out", str(tmp_path)])
    entry = read(tmp_path / "landscapes-quick.json")
    assert entry["status"] == "complete"
    rows = entry["rows"]
    parts = [row["part"] for row in rows]
    assert {part: parts.count(part) for part in parts} == {
        "gradients by width": 6,
        "gradients by depth": 6,
        "expressibility": 6,
        "rates": 15,
        "ways down": 3,
    }
    assert (tmp_path / entry["figures"][0]).read_bytes().startswith(b"\x89PNG")
    assert "natural gradient" in capsys.readouterr().out
    assert rows == read_rows(landscapes.EXPERIMENT.run(TINY)), "a function of the config alone"


def read_rows(result):
    return json.loads(json.dumps(plain(result.rows)))


@pytest.mark.parametrize(
    "bad", [{"seeds": 1}, {"widths": (1,)}, {"depths": (0,)}, {"epochs": 0}, {"device": "tpu"}]
)
def test_bad_configs_are_refused(bad):
    with pytest.raises(ValueError, match=r"Config\(\w+="):
        landscapes.Config(**bad)


# --- what is committed ---


def record():
    return read(ROOT / "docs" / "_static" / "landscapes.json")


def part(name):
    return [row for row in record()["rows"] if row["part"] == name]


def test_ten_qubits_and_twenty_layers_are_on_the_plateau():
    """A thousand initialisations of each ansatz, within five standard errors of the closed form."""
    rows = [row for row in part("gradients by width") if row["qubits"] == 10]
    assert len(rows) == 3
    for row in rows:
        assert abs(row["ratio"] - 1) <= 5 * row["ratio_error"]


def test_the_pages_tables_are_the_committed_record():
    page = (ROOT / "docs" / "experiments" / "landscapes.md").read_text("utf-8")
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()]
    for name in NAMES:
        ratios = [f"{r['ratio']:.2f}" for r in part("gradients by width") if r["model"] == name]
        assert [name, *ratios] in lines
        ratios = [f"{r['ratio']:.2f}" for r in part("gradients by depth") if r["model"] == name]
        assert [name, *ratios] in lines
        rows = [r for r in part("expressibility") if r["model"] == name]
        pairs = [f"{r['expressibility']:.3f} / {r['entanglement']:.2f}" for r in rows]
        assert [name, *pairs] in lines
    for row in part("ways down"):
        start = [row["model"], f"{row['rate']:g}", f"{100 * row['share_1%']:.0f} %"]
        assert any(line[:3] == start for line in lines), start


def test_the_page_says_what_the_record_holds():
    assert record()["status"] == "complete"
    page = (ROOT / "docs" / "experiments" / "landscapes.md").read_text("utf-8")
    assert re.search(rf"\b{record()['config']['starts']} (random )?starts", page)
    assert np.isclose(record()["paper"][0]["expressibility"], math.log(4 / math.pi))
