"""Training against PennyLane's optimisers: coordinates and random directions.

PennyLane draws its own signs, so steps are compared for the signs that it drew.
"""

import numpy as np
import pytest
import torch
from oracles.compare import assert_close
from oracles.training import SPECTRA, angles, energy, entangled

from quilt_func import optim

qml = pytest.importorskip("pennylane")
pnp = qml.numpy
pytestmark = pytest.mark.filterwarnings("ignore")
F64 = torch.float64


def circuit(p):
    for i in range(3):
        qml.RY(p[i], i)
    qml.CRX(p[3], (0, 1))
    qml.CRX(p[4], (1, 2))
    for i in range(3):
        qml.RX(p[5], i)
    qml.RZ(p[6], 0)
    qml.RY(p[7], 0)


OBSERVABLE = qml.Hamiltonian(
    [0.5, -0.25, 0.6, 0.3],
    [qml.Z(0) @ qml.X(2), qml.Y(0) @ qml.Y(1), qml.X(0) @ qml.Z(1), qml.Z(2)],
)


@qml.qnode(qml.device("default.qubit", wires=3))
def theirs(p):
    circuit(p)
    return qml.expval(OBSERVABLE)


def given(seed):
    return angles(seed), pnp.array(angles(seed).numpy(), requires_grad=True)


def as_steps(method, theta, n_steps, u=None):
    found = optim.minimise(energy, theta, method, n_steps, u=u)
    return found.params, found.losses


@pytest.mark.parametrize("seed", range(3))
def test_values(seed):
    ours, point = given(seed)
    assert_close(energy(ours), float(theirs(point)), n_gates=64)


@pytest.mark.parametrize("seed", range(3))
def test_rotosolve_of_one_frequency_and_more(seed):
    """Their least of several frequencies is on a grid, of 100 places four times over."""
    ours, point = given(seed)
    spectra = {"p": {(i,): [*one] for i, one in enumerate(SPECTRA)}}
    found, losses = as_steps(optim.rotosolve(SPECTRA), ours, 2)
    opt = qml.RotosolveOptimizer()
    values = []
    for _ in range(2):
        point, value = opt.step_and_cost(theirs, point, spectra=spectra)
        values.append(float(value))
    step_of_grid = 4 * np.pi / 100**4
    assert np.abs(losses.numpy() - values).max() < step_of_grid
    assert np.abs(found.numpy() - point).max() < 64 * step_of_grid  # minima shift with one another


def signs_to_uniforms(*signs):
    return torch.from_numpy(np.stack([np.where(one < 0, 0.2, 0.7) for one in signs]))


class Recorded:
    """Their generator of signs, remembered."""

    def __init__(self, seed):
        self.rng, self.drawn = np.random.default_rng(seed), []

    def choice(self, values, size):
        self.drawn.append(self.rng.choice(values, size=size))
        return self.drawn[-1]


@pytest.mark.parametrize("seed", range(3))
def test_qnspsa(seed):
    """Their memory holds the positive metric of each step, ours and the paper's the raw mean."""
    ours, point = given(seed)
    opt = qml.QNSPSAOptimizer(
        stepsize=0.1, regularization=0.01, finite_diff_step=0.05, blocking=False
    )
    opt.rng = Recorded(seed)
    method = optim.qnspsa(entangled, 0.1, step=0.05, regularisation=0.01)
    state = method.init(ours)
    for _ in range(3):
        opt.rng.drawn.clear()
        opt.metric_tensor = state.metric.numpy()
        point = opt.step(theirs, pnp.array(ours.numpy(), requires_grad=True))
        ours, state, _ = method.step(energy, ours, state, signs_to_uniforms(*opt.rng.drawn))
        assert_close(ours, np.array(point), n_gates=2**16, scale=2**10)


@pytest.mark.parametrize("seed", range(3))
def test_spsa(seed, monkeypatch):
    ours, point = given(seed)
    recorded = Recorded(seed)
    monkeypatch.setattr(np.random, "choice", recorded.choice)
    opt = qml.SPSAOptimizer(c=0.2, a=0.5, A=3.0)
    for _ in range(4):
        point = opt.step(theirs, point)
    # they count steps from 1
    rate, distance = optim.power_schedule(0.5, 0.602, 4.0), optim.power_schedule(0.2, 0.101)
    u = signs_to_uniforms(*recorded.drawn)
    found, _ = as_steps(optim.with_spsa(optim.sgd(rate), step=distance), ours, 4, u)
    assert_close(found, np.array(point), n_gates=2**16)
