"""Natural gradients and imaginary time: closed forms, agreement of the metrics, invariance."""

import itertools
import math

import numpy as np
import pytest
import torch
from oracles.compare import assert_close, assert_close_fd
from oracles.training import mean_metric
from torch.func import grad, vmap
from torch.utils import _pytree as pytree

import quilt_func as qf
from quilt_func.natural_descent import conjugate_gradients
from quilt_func.testing.tolerances import tolerance

F64 = torch.float64
BOUNDS = {"n_gates": 2**10, "scale": 64.0}
H = qf.pauli_sum({"XX": 0.5, "ZI": 0.25, "YZ": -0.5})


def state(params):
    return qf.circuit(
        2,
        qf.ry(params["a"], [0, 1]),
        qf.cx(0, 1),
        qf.rz(params["b"], [0, 1]),
        qf.rx(params["a"] * params["b"], [1, 0]),
    )()


def params_of(seed=0, batch=()):
    u = 2 * qf.uniforms((*batch, 4), seed, dtype=F64)
    return {"a": u[..., :2], "b": u[..., 2:]}


def flat(tree):
    return torch.cat([leaf.reshape(-1) for leaf in pytree.tree_leaves(tree)])


def slope(params):
    return grad(lambda p: qf.expval(state(p), H))(params)


def direction(params, **options):
    opt = qf.natural_gradient(state, **options)
    return opt.update(slope(params), opt.init(params), params)[0]


DAMPING = 0.1
METRICS = {
    "full": lambda g: g,
    "cg": lambda g: g,
    "diagonal": lambda g: torch.diag(g.diag()),
    "blocks": lambda g: g * torch.block_diag(torch.ones(2, 2), torch.ones(2, 2)),
}


@pytest.mark.parametrize(("metric", "kept"), METRICS.items(), ids=METRICS)
def test_the_direction_solves_its_system(metric, kept):
    params = params_of()
    matrix = kept(qf.qfi(state, params) / 4) + DAMPING * torch.eye(4, dtype=F64)
    found = flat(direction(params, damping=DAMPING, metric=metric))
    assert_close(matrix @ found, flat(slope(params)), **BOUNDS)


@pytest.mark.parametrize("metric", METRICS)
def test_ensembles(metric):
    batch = params_of(batch=(3,))
    mapped = vmap(lambda p: direction(p, metric=metric))(batch)
    for i in range(3):
        one = direction(pytree.tree_map(lambda leaf, i=i: leaf[i], batch), metric=metric)
        scale = 64 * (1 + float(flat(one).abs().max())) / 1e-3
        got = flat(pytree.tree_map(lambda leaf, i=i: leaf[i], mapped))
        assert_close(got, flat(one), n_gates=2**10, scale=scale)


# Models with data


XS = torch.tensor([0.3, -0.8, 1.1], dtype=F64)
POINT = torch.tensor([0.4, 0.9, -0.3, 1.2], dtype=F64)
PLACES = [[0, 3], [2, 1]]


def state_at(p, x):
    """A state of one flat tensor of parameters and one sample."""
    parts = qf.ry(p[:2] * x, [0, 1]), qf.cx(0, 1), qf.rz(p[2:], [0, 1]), qf.ry(x + p[0], 1)
    return qf.circuit(2, qf.h([0, 1]), *parts)()


def kept_in_blocks(matrix):
    mask = np.zeros((4, 4))
    for block in PLACES:
        mask[np.ix_(block, block)] = 1
    return matrix * mask


def check_data(make, kept=lambda g: g, **options):
    """The direction is that of the mean of dense metrics."""
    metric = kept(mean_metric(state_at, POINT, XS)) + DAMPING * np.eye(4)
    right = torch.linspace(-1, 1, 4, dtype=F64)
    opt = make(state_at, DAMPING, data=XS, **options)
    found = opt.update(right, opt.init(POINT), POINT)[0]
    # central differences of states with a step of 1e-5
    assert_close_fd(found, np.linalg.solve(metric, right.numpy()), scale=2**8)


OF_DATA = {
    "full": ({}, lambda g: g),
    "in chunks": ({"chunk_size": 2}, lambda g: g),
    "cg": ({"metric": "cg"}, lambda g: g),
    "diagonal": ({"metric": "diagonal"}, lambda g: np.diag(np.diag(g))),
    "blocks": ({"metric": "blocks", "blocks": PLACES}, kept_in_blocks),
    "one block": ({"metric": "blocks"}, lambda g: g),
}


@pytest.mark.parametrize(("options", "kept"), OF_DATA.values(), ids=OF_DATA)
def test_the_metric_of_a_model_is_the_mean_over_data(options, kept):
    check_data(qf.natural_gradient, kept, **options)


def only_the_first(fn, damping, data):
    return qf.natural_gradient(lambda p: fn(p, data[0]), damping)


def the_sum(fn, damping, data):
    return qf.natural_gradient(fn, damping / len(data), data=data)


@pytest.mark.parametrize("mutant", [only_the_first, the_sum])
def test_other_means_over_data_die(mutant):
    with pytest.raises(AssertionError):
        check_data(mutant)


@pytest.mark.parametrize("blocks", [[[0, 1], [2, 3]], [[0], [1], [2], [3]]])
def test_other_blocks_die(blocks):
    with pytest.raises(AssertionError):
        check_data(qf.natural_gradient, kept_in_blocks, metric="blocks", blocks=blocks)


def test_data_may_be_trees_and_seeds_are_mapped():
    """Twenty seeds at once, each as by itself."""
    data = {"x": XS, "shift": (XS.flip(0),)}
    opt = qf.natural_gradient(lambda p, d: state_at(p + d["shift"][0], d["x"]), data=data)
    points = qf.uniforms((20, 4), 0, dtype=F64)
    slopes = qf.uniforms((20, 4), 1, dtype=F64) - 0.5
    mapped = vmap(lambda s, p: opt.update(s, (), p)[0])(slopes, points)
    for i in (0, 7, 19):
        one = opt.update(slopes[i], (), points[i])[0]
        assert_close(mapped[i], one, n_gates=2**12, scale=2**12)


def test_a_classifier_learns_by_its_mean_metric():
    """In one call, faster than by the gradient alone at the same rate."""
    labels = torch.tensor([1.0, -1.0, 1.0], dtype=F64)

    def loss(p):
        found = vmap(lambda x: qf.expval(state_at(p, x), qf.pauli_sum({"ZZ": 1.0})))(XS)
        return (found - labels).square().mean()

    natural = qf.optim.chain(qf.natural_gradient(state_at, 0.05, data=XS), qf.optim.sgd(0.05))
    ends = [qf.optim.minimise(loss, POINT, opt, 30).losses[-1] for opt in
            (natural, qf.optim.sgd(0.05))]  # fmt: skip
    assert ends[0] < ends[1] < loss(POINT)


def test_the_classical_metric_is_fishers():
    """Of probabilities of product states of rotations about Y it is that of the states: 4 g."""

    def turned(p, x):
        return qf.circuit(2, qf.ry(p * x, [0, 1]))()

    p, right = POINT[:2], torch.tensor([0.3, -1.0], dtype=F64)
    classical = qf.classical_natural_gradient(
        lambda q, x: qf.probs(turned(q, x)), 4 * DAMPING, data=XS
    )
    quantum = qf.natural_gradient(turned, DAMPING, data=XS)
    found, expected = (opt.update(right, (), p)[0] for opt in (classical, quantum))
    assert_close(4 * found, expected, n_gates=2**10)
    alone = qf.classical_natural_gradient(lambda q: qf.probs(turned(q, 1.0)), 0.0)
    assert_close(alone.update(right, (), p)[0], right, n_gates=2**10)


def test_ten_damped_steps_in_a_chain_go_down():
    opt = qf.optim.chain(qf.natural_gradient(state, damping=0.1), qf.optim.sgd(0.05))
    params = params_of()
    carry, energies = opt.init(params), [qf.expval(state(params), H)]
    for _ in range(10):
        updates, carry = opt.update(slope(params), carry, params)
        params = qf.optim.apply_updates(params, updates)
        energies.append(qf.expval(state(params), H))
    assert all(late < early for early, late in itertools.pairwise(energies))


def check_invariant(step):
    """Undamped, the state moves alike in coordinates stretched by 3: the metric's whole point."""
    theta = torch.tensor([0.4, 0.9], dtype=F64)

    def turned(t):
        return qf.circuit(2, qf.ry(t, [0, 1]))()

    plain = step(turned, theta)
    stretched = step(lambda t: turned(3 * t), theta / 3)
    assert_close(3 * stretched, plain, **BOUNDS)


def energy_slope(fn, theta):
    return grad(lambda t: qf.expval(fn(t), H))(theta)


def natural(fn, theta):
    opt = qf.natural_gradient(fn, damping=0.0)
    return opt.update(energy_slope(fn, theta), (), theta)[0]


def test_coordinates_do_not_matter():
    check_invariant(natural)


@pytest.mark.parametrize("metric", ["full", "blocks", "diagonal", "cg"])
def test_without_damping_no_step_is_taken_where_the_state_stays(metric):
    theta = torch.tensor([0.3, 0.4], dtype=F64)
    opt = qf.natural_gradient(
        lambda t: qf.circuit(1, qf.rz(t[0], 0), qf.ry(t[1], 0))(), damping=0.0, metric=metric
    )
    slope = torch.tensor([0.0, -1.0], dtype=F64)
    step = opt.update(slope, (), theta)[0]
    assert_close(step, torch.tensor([0.0, -4.0], dtype=F64), **BOUNDS)


def by_root(fn, theta):
    metric = qf.fubini_study(fn, theta)
    return energy_slope(fn, theta) / metric.diag().sqrt()


@pytest.mark.parametrize("mutant", [energy_slope, by_root])
def test_steps_that_depend_on_coordinates_die(mutant):
    with pytest.raises(AssertionError):
        check_invariant(mutant)


def test_conjugate_gradients_end_early_and_stay():
    matrix = torch.diag(torch.tensor([1.0, 1.0, 4.0, 4.0], dtype=F64))
    right = torch.ones(4, dtype=F64)
    two, ten = (conjugate_gradients(lambda v: matrix @ v, right, n) for n in (2, 10))
    assert_close(two, right / matrix.diag(), **BOUNDS)
    assert_close(ten, two, **BOUNDS)
    nothing = conjugate_gradients(lambda v: matrix @ v, 0 * right, 3)
    assert torch.equal(nothing, 0 * right)


def check_imaginary_time(evolve, n_steps=32):
    """One spin: e^{-Zτ} takes tan(θ/2) to e^{2τ} tan(θ/2)."""
    theta, tau = torch.tensor(0.3, dtype=F64), 1.5
    found = evolve(lambda t: qf.circuit(1, qf.ry(t, 0))(), theta, tau, n_steps)
    expected = 2 * math.atan(math.exp(2 * tau) * math.tan(0.15))
    assert abs(float(found) - expected) <= (tau / n_steps) ** 4


Z = qf.pauli_sum({"Z": 1.0})


def runge_kutta(fn, theta, tau, n_steps):
    return qf.varqite(fn, Z, theta, tau, n_steps, damping=0.0)[-1]


def test_imaginary_time_of_a_spin():
    check_imaginary_time(runge_kutta)
    path = qf.varqite(lambda t: qf.circuit(1, qf.ry(t, 0))(), Z, torch.tensor(0.3), 1.0, 5)
    assert path.shape == (6,)
    assert path[0] == torch.tensor(0.3)


def euler(rate):
    def evolve(fn, theta, tau, n_steps):
        for _ in range(n_steps):
            energy = grad(lambda t: qf.expval(fn(t), Z))(theta)
            theta = theta - rate * tau / n_steps * energy / qf.fubini_study(fn, theta)[0, 0]
        return theta

    return evolve


@pytest.mark.parametrize("rate", [0.5, 1.0, 0.25], ids=["first order", "too fast", "too slow"])
def test_wrong_integrators_die(rate):
    with pytest.raises(AssertionError):
        check_imaginary_time(euler(rate))


def test_an_ansatz_that_reaches_every_state_follows_exactly():
    """Two real qubits and a real Hamiltonian, against the exponential of its matrix."""
    real = qf.pauli_sum({"ZZ": 1.0, "XI": 0.5, "IX": 0.25})

    def rotated(t):
        parts = qf.ry(t[:2], [0, 1]), qf.cx(0, 1), qf.ry(t[2:], [0, 1])
        return qf.circuit(2, *parts)()

    theta, tau, n_steps = torch.tensor([0.2, 0.4, 0.1, 0.3], dtype=F64), 0.5, 40
    path = qf.varqite(rotated, real, theta, tau, n_steps, damping=1e-9)
    values, vectors = torch.linalg.eigh(real.to_matrix(dtype=torch.complex128))
    exact = (vectors * (-tau * values).exp()) @ vectors.mH @ rotated(theta)
    exact = exact / exact.abs().square().sum().sqrt()
    lost = 1 - float(qf.fidelity(exact, rotated(path[-1])))
    assert lost <= (tau / n_steps) ** 3


def test_imaginary_time_of_an_ensemble():
    batch = params_of(batch=(3,))
    run = lambda p: qf.varqite(state, H, p, 0.2, 2, damping=0.1)  # noqa: E731
    mapped = vmap(run)(batch)
    assert mapped["a"].shape == (3, 3, 2)
    for i in range(3):
        one = run(pytree.tree_map(lambda leaf, i=i: leaf[i], batch))
        got = pytree.tree_map(lambda leaf, i=i: leaf[i], mapped)
        assert_close(flat(got), flat(one), **BOUNDS)


def test_energy_never_rises_in_imaginary_time():
    path = qf.varqite(state, H, params_of(), 2.0, 20, damping=1e-3)
    energies = vmap(lambda p: qf.expval(state(p), H))(path)
    assert (energies.diff() <= tolerance(F64, 2**10)).all()
    assert torch.linalg.eigvalsh(H.to_matrix(dtype=torch.complex128))[0] <= energies[-1]
