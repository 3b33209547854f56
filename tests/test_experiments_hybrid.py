"""The hybrid experiment in miniature."""

from dataclasses import replace

import pytest
import torch

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")

from oracles.compare import assert_close
from torch.func import vmap

from experiments import _run
from experiments._desk import Desk
from experiments.hybrid import __main__ as hybrid
from experiments.hybrid import model

TINY = hybrid.Config(seeds=2, epochs=2, n_qubits=2, n_layers=1, batch_size=256, baselines=False)
SETTING = model.Setting(2, 1, 2, 256, 0.01, "cpu")


def test_rows_and_figure():
    result = hybrid.EXPERIMENT.run(replace(TINY, epochs=1, baselines=True))
    assert [row["model"] for row in result.rows[::2]] == list(model.MIDDLES)
    assert [row["points"] for row in result.rows] == ["train", "test"] * 3
    assert all(0 < row["mean"] < 1 and len(row["values"]) == 2 for row in result.rows)
    inner = {row["model"]: row["in_the_middle"] for row in result.rows}
    assert inner == {"with a circuit": 4, "with a classical layer": 6, "without": 0}
    assert result.baselines[1]["mean"] > 0.9
    (figure,) = hybrid.EXPERIMENT.figures(TINY, result).values()
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == list(model.MIDDLES)


def test_results_depend_on_the_config_alone():
    first, again = (hybrid.EXPERIMENT.run(replace(TINY, epochs=1)).rows for _ in range(2))
    assert first == again


def test_a_seed_does_not_depend_on_their_number():
    rows = hybrid.EXPERIMENT.run(replace(TINY, epochs=1)).rows
    alone = hybrid.EXPERIMENT.run(replace(TINY, epochs=1, seeds=1)).rows
    assert [row["values"][0] for row in rows] == [row["values"][0] for row in alone]


def test_splits_are_stratified_and_by_the_seed():
    one, other = hybrid.split(0), hybrid.split(1)
    assert not torch.equal(one["test"][0], other["test"][0])
    for x, y in one.values():
        assert (x.min(), x.max()) == (0, 1)
        share = y.bincount() / len(y)
        assert float(share.max() - share.min()) < 0.05
    assert sum(len(y) for _, y in one.values()) == 1797


@pytest.mark.parametrize("middle", model.MIDDLES)
def test_the_loss_falls(middle):
    x, y = hybrid.split(0)["train"]
    trained = model.train(middle, replace(SETTING, epochs=4), 0, x, y)
    assert trained.losses.shape == (4,)
    assert trained.losses[-1] < trained.losses[0]


def test_networks_differ_in_the_middle_alone():
    nets = [model.network(middle, SETTING, 0) for middle in model.MIDDLES]
    assert all(torch.equal(net[0].weight, nets[0][0].weight) for net in nets)
    assert len({sum(p.numel() for p in net[1:-1].parameters()) for net in nets}) == 3


def test_the_circuits_gradient_reaches_the_first_layer():
    net = model.network("with a circuit", SETTING, 0)
    x, y = hybrid.split(0)["train"]
    model._step(net, torch.optim.SGD(net.parameters(), 0.0), x[:8], y[:8])
    assert all(float(p.grad.abs().max()) > 0 for p in net[0].parameters())


def test_the_layer_is_the_circuits_vmap():
    net = model.network("with a circuit", SETTING, 0)
    angles = net[:2](hybrid.split(0)["test"][0][:5]).detach()
    params = {"theta": net[2].theta.detach()}
    expected = vmap(model.expectations, (None, 0))(params, angles)
    assert_close(net[2](angles).detach(), expected, n_gates=16)


def test_an_interrupted_training_goes_on(tmp_path):
    """Weights, moments and the order of the points are those of a training in one go."""
    x, y = hybrid.split(0)["train"]
    whole = model.train("without", replace(SETTING, epochs=3), 0, x, y)
    desk = Desk(tmp_path, "key")
    model.train("without", replace(SETTING, epochs=2), 0, x, y, desk)
    resumed = model.train("without", replace(SETTING, epochs=3), 0, x, y, desk)
    assert torch.equal(resumed.losses, whole.losses)
    for a, b in zip(resumed.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_command_line(tmp_path, capsys):
    arguments = [
        "--quick",
        "--seeds",
        "1",
        "--epochs",
        "1",
        "--qubits",
        "2",
        "--layers",
        "1",
        "--no-baselines",
    ]
    hybrid.main([*arguments, "--out", str(tmp_path)])
    assert (tmp_path / "2-qubits-quick-digits.png").exists()
    assert "with a circuit" in capsys.readouterr().out


@pytest.mark.parametrize("field", ["seeds", "epochs", "n_qubits", "n_layers", "batch_size"])
def test_bad_configs_are_refused(field):
    with pytest.raises(ValueError, match=rf"Config\({field}=0\)"):
        replace(TINY, **{field: 0})
    with pytest.raises(SystemExit):
        _run.configure(_run.parser("hybrid", ""), _run.parser("hybrid", "").parse_args(
            ["--epochs", "0"]), hybrid.Config, {})  # fmt: skip
