"""Estimates whose errors of readout are undone: means, errors, and mistakes that die."""

import pytest
import torch
from oracles.compare import assert_close, assert_close_fd, central_difference
from oracles.shots import some_state
from torch.func import grad, vmap

import quilt_func as qf
from quilt_func import shots
from quilt_func.shots import corrections

F64 = torch.float64
SUM = qf.pauli_sum({"XYZ": 0.5, "ZZI": 1.0, "ZIZ": 0.8, "IXX": -0.7, "YIY": 0.3, "III": 2.0})
STATE = some_state(3)
ONE = torch.tensor([[0.97, 0.25], [0.03, 0.75]], dtype=F64)
OTHERS = torch.tensor([[[0.9, 0.35], [0.1, 0.65]], [[0.99, 0.2], [0.01, 0.8]]], dtype=F64)
EACH = torch.cat([ONE[None], OTHERS])


def joint(each):
    return torch.kron(torch.kron(each[0], each[1]), each[2])


CONFUSIONS = {"one": ONE, "each": EACH, "joint": joint(EACH)}
each_confusion = pytest.mark.parametrize("confusion", CONFUSIONS.values(), ids=CONFUSIONS)


def read(confusion, undo, u, observable=SUM):
    return qf.estimate(STATE, observable, u, readout=confusion, undo_readout=undo)


def check_undone(confusion, n_runs=400):
    """Runs scatter about the exact value by what each says, and their mean is within its error."""
    u = qf.uniforms((n_runs, 400), 0, dtype=F64)
    found = vmap(lambda u: read(confusion, confusion, u))(u)
    exact = qf.expval(STATE, SUM)
    spread = found.mean.std()
    assert (found.mean.mean() - exact).abs() < 5 * spread / n_runs**0.5
    said = found.error.square().mean().sqrt()
    assert (said / spread - 1).abs() < 5 / (2 * n_runs) ** 0.5


@each_confusion
def test_means_and_errors(confusion):
    check_undone(confusion)


@each_confusion
def test_what_is_read_is_far_off(confusion):
    """So that the law above tells something."""
    found = read(confusion, None, qf.uniforms(20_000, 0, dtype=F64))
    assert (found.mean - qf.expval(STATE, SUM)).abs() > 5 * found.error


@pytest.mark.parametrize(
    "mistake",
    [
        lambda i, m, a: RIGHT(i, m, a.mT),
        lambda i, m, a: RIGHT(i, m, torch.linalg.inv(a)),
        lambda i, m, a: RIGHT(i, m, a.flip(-1, -2)),
        lambda i, m, a: corrections.signs(i, m) / RIGHT(i, m, a).abs().mean(0),
    ],
    ids=["transposed", "inverted once more", "bits swapped", "scaled alone"],
)
@pytest.mark.parametrize("confusion", [EACH, joint(EACH)], ids=["each", "joint"])
def test_mistakes_die(mistake, confusion, monkeypatch):
    monkeypatch.setattr("quilt_func.shots.estimates.corrected_signs", mistake)
    with pytest.raises(AssertionError):
        check_undone(confusion)


RIGHT = corrections.corrected_signs


def test_wires_one_by_one_or_all_at_once():
    u = qf.uniforms(600, 1, dtype=F64)
    wires, whole = (read(ONE, undo, u) for undo in (EACH, joint(EACH)))
    assert_close(wires.mean, whole.mean, n_gates=64, scale=8)
    assert_close(wires.error, whole.error, n_gates=64, scale=8)


def test_without_errors_nothing_is_undone():
    u = qf.uniforms(600, 1, dtype=F64)
    plain, undone = read(None, None, u), read(None, torch.eye(2, dtype=F64), u)
    assert torch.equal(plain.mean, undone.mean)
    assert torch.equal(plain.error, undone.error)


@pytest.mark.parametrize("name", ["one", "each", "joint"])
def test_differentiable_in_the_matrices(name):
    u = qf.uniforms(60, 1, dtype=F64)

    def mean(confusion):
        return read(ONE, confusion, u).mean

    slope = central_difference(mean, CONFUSIONS[name])
    assert_close_fd(grad(mean)(CONFUSIONS[name]), slope, scale=64)


def test_all_three_ways_are_one():
    u = qf.uniforms(600, 1, dtype=F64)
    indices = shots.sample_groups(STATE, SUM, u, readout=ONE)
    found = shots.estimate_from_samples(indices, SUM, undo_readout=ONE, dtype=F64)
    together = shots.estimate_jointly(STATE, SUM, u, readout=ONE, undo_readout=ONE)
    expected = read(ONE, ONE, u)
    assert torch.equal(found.mean, expected.mean)
    assert torch.equal(together.mean[0], expected.mean)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_precision(dtype):
    state = STATE.to(dtype.to_complex())
    found = qf.estimate(state, SUM, qf.uniforms(60, 0), undo_readout=ONE.to(dtype))
    assert found.mean.dtype == found.error.dtype == dtype
