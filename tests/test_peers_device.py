"""PennyLane's devices on the primitive: against its own, and by its own suite for devices.

The entry points are those of pyproject.toml, written to a folder that stands for an installation,
so that what is installed does not matter.
"""

import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles.compare import assert_close
from torch.func import grad, hessian, vmap

qml = pytest.importorskip("pennylane")
pytest.importorskip("matplotlib")

from pennylane import numpy as pnp  # noqa: E402

from experiments.demos.__main__ import (  # noqa: E402
    DEMOS,
    losses,
    parameters,
    value_and_gradient,
)
from experiments.demos.report import filled  # noqa: E402
from quilt_func.pennylane_device import QuiltMixed, QuiltQubit, native, running  # noqa: E402
from quilt_func.pennylane_device.native import GENERATED  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
ROOT = Path(__file__).resolve().parents[1]
F64 = torch.float64
PAIRS = [("default.qubit", QuiltQubit), ("default.mixed", QuiltMixed)]
each_pair = pytest.mark.parametrize(("name", "device"), PAIRS, ids=["qubit", "mixed"])


def close(a, b):
    assert_close(torch.as_tensor(np.array(a)), torch.as_tensor(np.array(b)).to(
        torch.as_tensor(np.array(a)).dtype), n_gates=256, scale=8.0)  # fmt: skip


def all_close(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        close(a, b)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A folder on the path with the entry points of pyproject.toml."""
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    folder = tmp_path / "quilt_func-0.dist-info"
    folder.mkdir()
    lines = [f"{name} = {value}" for name, value in entries["pennylane.plugins"].items()]
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: quilt-func\nVersion: 0\n")
    (folder / "entry_points.txt").write_text("\n".join(["[pennylane.plugins]", *lines, ""]))
    monkeypatch.syspath_prepend(str(tmp_path))
    qml.refresh_devices()
    return tmp_path


def test_pennylane_finds_the_devices(installed):
    assert isinstance(qml.device("quilt.qubit", wires=2), QuiltQubit)
    assert isinstance(qml.device("quilt.mixed", wires=2), QuiltMixed)


# --- values and derivatives, of all kinds of gates and measurements ---

W, X = np.array([0.1, 0.2, 0.3, 0.4]), np.array(0.7)


def gates(w, x):
    qml.RX(x, 0)
    qml.Rot(w[0], w[1], w[2], wires=1)
    qml.SingleExcitation(w[3], [0, 1])
    qml.ctrl(qml.RX, 0, control_values=[0])(w[1], 1)
    qml.adjoint(qml.T)(0)
    qml.PauliRot(w[2], "XY", [0, 1])
    qml.QubitUnitary(np.array([[0, 1], [1j, 0]]), 1)
    qml.CRY(w[0], [1, 0])


def model(w, x):
    gates(w, x)
    return (
        qml.expval(qml.Z(0) @ qml.X(1)),
        qml.probs(wires=[1]),
        qml.var(qml.Y(0)),
        qml.expval(qml.Hermitian(np.array([[1, 0.3], [0.3, -2]]), 1)),
        qml.expval(2 * qml.Z(0) + 0.5 * qml.X(1)),
        qml.probs(op=qml.Hadamard(1)),
        qml.purity([0]),
    )


def shiftable(w, x):
    gates(w, x)
    return qml.expval(qml.Z(0) @ qml.X(1)), qml.probs(wires=[1]), qml.var(qml.Y(0))


def means(w, x):
    gates(w, x)
    return qml.expval(qml.Z(0) @ qml.X(1)), qml.expval(2 * qml.Z(0) + 0.5 * qml.X(1))


def total(values):
    return sum((i + 1) * (v * v).sum() if v.ndim else (i + 1) * v for i, v in enumerate(values))


def summed(node):
    return lambda *args: total(node(*args))


@each_pair
def test_values(name, device):
    expected = qml.QNode(model, qml.device(name, wires=2))
    found = qml.QNode(model, device(2))
    for _ in range(4):  # compiled in between
        all_close(found(W, X), expected(W, X))
    batch = np.linspace(0, 1, 3)
    all_close(found(W, batch), expected(W, batch))


@each_pair
@pytest.mark.parametrize("method", ["best", "backprop", "device", "adjoint", "parameter-shift"])
def test_derivatives_by_autograd(name, device, method):
    w, x = pnp.array(W), pnp.array(X)
    measured = model if method != "parameter-shift" else shiftable
    reference = qml.QNode(measured, qml.device(name, wires=2), diff_method="backprop")
    node = qml.QNode(measured, device(2), diff_method=method)
    expected = qml.grad(summed(reference))(w, x)
    for _ in range(4):
        all_close(qml.grad(summed(node))(w, x), expected)


@each_pair
def test_products_on_the_device(name, device):
    """`device_vjp`, and its batch of cotangents, without the Jacobian."""
    w = pnp.array(W)
    reference = qml.QNode(means, qml.device(name, wires=2))
    node = qml.QNode(means, device(2), diff_method="device", device_vjp=True)
    stack = lambda node: lambda w: pnp.stack(node(w, X))  # noqa: E731
    close(qml.jacobian(stack(node))(w), qml.jacobian(stack(reference))(w))


@each_pair
def test_torch_in_any_nesting(name, device):
    w, x = torch.tensor(W), torch.tensor([0.3, 0.7], dtype=F64)
    node = qml.QNode(model, device(2), interface="torch")
    reference = qml.QNode(model, qml.device("default.qubit", wires=2), interface="torch")
    own = w.clone().requires_grad_()
    slope = torch.autograd.grad(total(node(own, x[0])), own)[0]
    expected = w.clone().requires_grad_()
    close(slope, torch.autograd.grad(total(reference(expected, x[0])), expected)[0])
    close(grad(summed(node))(w, x[0]), slope)
    both = vmap(grad(summed(node)), (None, 0))(w, x)
    all_close(both, [grad(summed(node))(w, one) for one in x])
    whole = torch.autograd.functional.hessian(lambda w: total(reference(w, x[0])), w)
    close(hessian(lambda w: total(node(w, x[0])))(w), whole)


def test_the_hessian_by_autograd():
    found, expected = (
        qml.jacobian(qml.grad(summed(qml.QNode(model, device, diff_method="backprop"))))(
            pnp.array(W), pnp.array(X, requires_grad=False)
        )
        for device in (QuiltQubit(2), qml.device("default.qubit"))
    )
    close(found, expected)


def test_trainable_matrices_states_and_coefficients():
    def circuit(state, angle, coefficient):
        qml.StatePrep(state / torch.linalg.vector_norm(state), wires=[0, 1])
        rotation = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).reshape(2, 2)
        qml.QubitUnitary(rotation, wires=1)
        return qml.expval(coefficient * qml.Z(1) + qml.X(0))

    given = torch.tensor([1.0, 2, 3, 4], dtype=F64), *torch.tensor([0.4, 0.9], dtype=F64)
    slopes = []
    for device in (QuiltQubit(2), qml.device("default.qubit", wires=2)):
        own = [one.clone().requires_grad_() for one in given]
        slopes.append(torch.autograd.grad(qml.QNode(circuit, device)(*own), own))
    all_close(*slopes)


def states(x):
    qml.StatePrep(np.array([[3, 4j], [4, -3j], [5, 0]]) / 5, wires="a")
    qml.RX(x, "b")
    matrix = np.array([[0, 1], [1j, 0]])
    qml.ControlledQubitUnitary(matrix, wires=["b", "a"], control_values=[0])
    qml.MultiControlledX(["a", "c", "b"], control_values=[0, 1])
    qml.DiagonalQubitUnitary(np.exp(1j * np.arange(4)), ["a", "b"])
    qml.GlobalPhase(x)
    return qml.state(), qml.vn_entropy(["a"]), qml.mutual_info(["a"], ["b"])


@pytest.mark.parametrize("more", [{}, {"device_vjp": True}, {"diff_method": "backprop"}])
def test_states_in_batches(more):
    """Complex values, labels of wires, and controls by 0, which PennyLane's own batches lose."""

    def parts(node):
        flat = lambda one: pnp.hstack([pnp.real(one).reshape(-1), pnp.imag(one).reshape(-1)])  # noqa: E731
        return lambda x: pnp.hstack([flat(one) for one in node(x)])

    x = pnp.array(0.3)
    reference = parts(qml.QNode(states, qml.device("default.qubit")))
    node = parts(qml.QNode(states, QuiltQubit(), **{"diff_method": "device", **more}))
    close(node(x), reference(x))
    step = 1e-5
    slope = (reference(x + step) - reference(x - step)) / (2 * step)
    assert np.abs(qml.jacobian(node)(x) - slope).max() < step


def test_jax_to_any_order():
    jax = pytest.importorskip("jax")

    def energy(w):
        gates(w, X)
        return qml.expval(qml.Z(0) @ qml.X(1))

    node = qml.QNode(energy, QuiltQubit(2))
    with jax.enable_x64(True):
        found = jax.jit(jax.hessian(node))(jax.numpy.array(W))
    close(found, hessian(node)(torch.tensor(W)))


def test_a_wrong_angle_would_be_noticed(monkeypatch):
    """The comparisons fail on a device whose gates turn the wrong way."""
    row = native.generated

    def wrong(name, n_wires, entries):
        return row(name, n_wires, (-np.frombuffer(entries, np.complex128)).tobytes())

    native._generated_row.cache_clear()
    monkeypatch.setattr(native, "generated", wrong)
    with pytest.raises(AssertionError):
        test_gates_by_their_generators("FermionicSWAP")
    native._generated_row.cache_clear()


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_gates_by_their_generators(name):
    kind, n = getattr(qml, name), 4 if name[:6] in ("Double", "Orbita") else 2
    more = {"dim": 3} if name == "PCPhase" else {}

    def circuit(theta):
        for wire in range(n):
            qml.RY(0.3 + wire, wires=wire)
        kind(theta, wires=range(n), **more)
        return qml.state()

    theta = pnp.array(0.6)
    found, expected = (
        qml.QNode(circuit, device)(theta) for device in (QuiltQubit(n), qml.device("default.qubit"))
    )
    close(found, expected)


@pytest.mark.parametrize(
    "channel",
    [
        lambda p: qml.BitFlip(p, 0), lambda p: qml.PhaseFlip(p, 0),
        lambda p: qml.DepolarizingChannel(p, 0), lambda p: qml.AmplitudeDamping(p, 0),
        lambda p: qml.GeneralizedAmplitudeDamping(p, 0.3, 0), lambda p: qml.PhaseDamping(p, 0),
        lambda p: qml.ResetError(p, 0.2, 0), lambda p: qml.PauliError("XY", p, wires=[0, 1]),
        lambda p: qml.ThermalRelaxationError(p, 1.2, 1.1, 0.3, 0),
        lambda p: qml.ThermalRelaxationError(p, 1.0, 1.6, 0.3, 0),
        lambda p: qml.QubitChannel(
            [np.sqrt(0.7) * np.eye(2), np.sqrt(0.3) * np.eye(2)[::-1]], 0),
    ],
)  # fmt: skip
def test_channels(channel):
    """PennyLane's own gradients of some are no numbers, so that differences are compared with."""

    def circuit(p):
        qml.RY(0.8, 0)
        qml.CNOT([0, 1])
        channel(p)
        return qml.density_matrix([0, 1]), qml.expval(qml.X(0) @ qml.X(1) + qml.Z(0))

    reference = qml.QNode(circuit, qml.device("default.mixed", wires=2))
    node = qml.QNode(circuit, QuiltMixed(2), interface="torch", diff_method="backprop")
    p = torch.tensor(0.15, dtype=F64)
    for found, expected in zip(node(p), reference(0.15), strict=True):
        bound = 4 * np.sqrt(np.finfo(np.float64).eps)  # PennyLane adds a small number to roots
        assert np.abs(found.numpy() - expected).max() < bound
    step = 1e-4
    slope = (reference(0.15 + step)[1] - reference(0.15 - step)[1]) / (2 * step)
    assert abs(grad(lambda p: node(p)[1] + 0 * p)(p) - slope) < step


# --- batches ---


def test_tapes_of_equal_structure_run_at_once(monkeypatch):
    sizes = []
    together = running.Engine._together
    count = lambda self, some: sizes.append(len(some)) or together(self, some)  # noqa: E731
    monkeypatch.setattr(running.Engine, "_together", count)
    node = qml.QNode(lambda w: means(w, X), QuiltQubit(2), diff_method="parameter-shift")
    qml.jacobian(lambda w: pnp.stack(node(w)))(pnp.array(W))
    assert sizes[0] == 1
    assert max(sizes) > 8


# --- shots ---


def test_shots_are_reproducible_and_right():
    def circuit():
        qml.RY(0.9, 0)
        qml.CNOT([0, 1])
        return (
            qml.expval(0.5 * qml.Z(0) @ qml.Z(1) + qml.X(0) @ qml.X(1)),
            qml.counts(wires=[0]), qml.sample(wires=1), qml.probs(wires=[0, 1]), qml.var(qml.Z(0)),
        )  # fmt: skip

    shots = 20_000
    results = [
        qml.set_shots(qml.QNode(circuit, QuiltQubit(2, seed=seed)), shots)() for seed in (1, 1, 2)
    ]
    assert np.array_equal(results[0][2], results[1][2])
    assert not np.array_equal(results[0][2], results[2][2])
    mean, counted, sampled, probs, var = results[0]
    p, bound = np.sin(0.45) ** 2, 5 / np.sqrt(shots)
    assert abs(mean - 0.5 - np.sin(0.9)) < 2 * bound
    assert abs(counted["1"] / shots - p) < bound
    assert abs(sampled.mean() - p) < bound
    assert abs(probs[3] - p) < bound
    assert abs(var - 4 * p * (1 - p)) < 4 * bound


def test_shot_vectors_batches_and_shadows():
    node = qml.QNode(lambda x: (qml.RX(x, 0), qml.expval(qml.Z(0)))[1], QuiltQubit(1, seed=0))
    found = qml.set_shots(node, (10, 4000))(np.array([0.0, np.pi]))
    assert np.shape(found[0]) == (2,)
    close(found[1], [1.0, -1.0])

    def shadow():
        qml.Hadamard(0)
        return qml.classical_shadow(wires=[0]), qml.shadow_expval(qml.X(0))

    (bits, recipes), mean = qml.set_shots(qml.QNode(shadow, QuiltQubit(1, seed=0)), 2000)()
    assert bits.shape == recipes.shape == (2000, 1)
    assert abs(mean - 1) < 5 * np.sqrt(3 / 2000)


# --- measurements in the middle ---


def feed_forward(x, post=None, reset=False):
    qml.RX(x, 0)
    qml.CNOT([0, 1])
    first = qml.measure(0, postselect=post, reset=reset)
    qml.RY(0.7, 2)
    qml.cond(first, qml.RY)(2 * x, 1)
    second = qml.measure(1)
    qml.cond(first & second, qml.RX)(x / 2, 0)
    qml.CRY(x, [0, 2])
    return (
        qml.expval(qml.Z(0)), qml.probs(wires=[0, 1]), qml.var(qml.X(0) @ qml.Z(2)),
        qml.expval(first + 2 * second), qml.var(second), qml.probs(op=[first, second]),
        qml.expval(qml.Z(1) + 0.5 * qml.X(2)),
    )  # fmt: skip


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("post", [None, 0, 1])
def test_measurements_in_the_middle(post, reset):
    circuit = lambda x: feed_forward(x, post, reset)  # noqa: E731
    x = torch.tensor(0.9, dtype=F64)
    reference = qml.QNode(circuit, qml.device("default.qubit"), interface="torch")
    expected, slope = reference(x), _slope(reference, x)
    for method in ("deferred", "tree-traversal"):
        node = qml.QNode(circuit, QuiltQubit(), interface="torch", mcm_method=method)
        all_close(node(x), expected)
        close(_slope(node, x), slope)
    all_close(qml.QNode(circuit, QuiltMixed(), interface="torch")(x), expected)
    for method in ("one-shot", "tree-traversal", "deferred"):
        sampled = qml.QNode(circuit, QuiltQubit(seed=5), mcm_method=method)
        found = qml.set_shots(sampled, 20_000)(0.9)
        for a, b in zip(found, expected, strict=True):
            assert np.abs(np.array(a) - np.array(b)).max() < 0.08


def _slope(node, x):
    own = x.clone().requires_grad_()
    return torch.autograd.grad(total(node(own)), own)[0]


# --- precision, errors ---


def test_precision_and_bad_calls():
    node = qml.QNode(lambda: qml.state(), QuiltQubit(1, c_dtype=np.complex64))
    assert node().dtype == np.complex64
    with pytest.raises(
        TypeError, match=r"quilt.qubit\(c_dtype='int'\): `c_dtype` must be complex64"
    ):
        QuiltQubit(1, c_dtype="int")
    with pytest.raises(qml.exceptions.DeviceError, match=r"not supported on quilt\.mixed"):
        qml.QNode(feed_forward, QuiltMixed(), mcm_method="one-shot")(0.3)


def test_snapshots():
    def circuit():
        qml.Hadamard(0)
        qml.Snapshot("middle", measurement=qml.probs(wires=[0]))
        qml.Hadamard(0)
        return qml.probs(wires=[0])

    found = qml.snapshots(qml.QNode(circuit, QuiltQubit(1)))()
    close(found["middle"], [0.5, 0.5])
    close(found["execution_results"], [1.0, 0.0])


def test_the_metric_tensor():
    """What the demonstration of the natural gradient computes."""
    demo = DEMOS["natural-gradient"]
    theta = pnp.array(parameters("natural-gradient").numpy())
    found, expected = (
        qml.metric_tensor(demo.make(qml.qnode(device)), approx="block-diag")(theta)
        for device in (QuiltQubit(3), qml.device("default.qubit", wires=3))
    )
    close(found, expected)


@pytest.mark.parametrize("name", DEMOS)
def test_demonstrations(name):
    own = losses(name)
    reference, ours = list(own)[:2]
    theta = parameters(name)
    all_close(value_and_gradient(own[ours], theta), value_and_gradient(own[reference], theta))


def test_the_page_has_a_place_for_the_times():
    page = (ROOT / "docs" / "pennylane-device.md").read_text()
    row = {"title": "one", "by": "quilt.qubit", "status": "refused"}
    from experiments._record import Result

    assert "| one | `quilt.qubit` | refused |" in filled(page, Result((row,)))


# --- PennyLane's own suite ---


@pytest.mark.slow
@pytest.mark.parametrize("shots", ["None", "10000"])
@pytest.mark.parametrize("name", ["quilt.qubit", "quilt.mixed"])
def test_pennylanes_own_suite(installed, name, shots):
    for needed in ("flaky", "pytest_mock"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"needs {needed}")
    folder = Path(qml.__file__).parent / "devices" / "tests"
    words = [f"--device={name}", f"--shots={shots}", "--skip-ops", "--no-flaky-report", "-q"]
    path = os.pathsep.join([str(ROOT), str(installed), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "pytest", folder, *words, "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
