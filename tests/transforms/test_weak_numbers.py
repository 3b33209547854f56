"""A Python number times a float32 scalar has a float64 tangent in torch: not in the library.

So `ry(0.5 * p[0], 0)`, which is how angles are scaled, has derivatives of every kind in float32.
"""

import pytest
import torch
from oracles.compare import assert_close
from torch.func import grad, hessian, jacfwd, jvp, vmap

import quilt_func as qf
from quilt_func import noise

TRANSFORMS = {
    "jvp": lambda f, p: jvp(f, (p,), (torch.ones_like(p),))[1],
    "vmap(jvp)": lambda f, p: vmap(lambda q: jvp(f, (q,), (q,))[1])(torch.stack([p, p])),
    "jacfwd": lambda f, p: jacfwd(f)(p),
    "hessian": lambda f, p: hessian(f)(p),
    "jacfwd(jacfwd)": lambda f, p: jacfwd(jacfwd(f))(p),
    "jit(hessian)": lambda f, p: qf.jit(hessian(f))(p),
}
each_transform = pytest.mark.parametrize("name", TRANSFORMS)
P = torch.tensor([0.3, 0.4])


def agrees(name, fn):
    """Float32 is kept, and has the derivatives of float64."""
    found, expected = TRANSFORMS[name](fn, P), TRANSFORMS[name](fn, P.double())
    assert found.dtype == torch.float32
    assert_close(found, expected, n_gates=256, scale=16.0)


def scaled(p, n):
    return [0.5 * p[i % 2] for i in range(n)]


def measured(p, n, *ops):
    word = {"X" + "Z" * (n - 1): 1.0}
    return qf.expval(qf.circuit(n, qf.ry(0.25 * p[0], range(n)), *ops, qf.rx(2 * p[1], 0))(), word)


@pytest.mark.parametrize("n", [4, 6])
@pytest.mark.parametrize("name", ["jvp", "hessian"])
@pytest.mark.parametrize("gate", [g for g in qf.GATES if g.n_params], ids=lambda gate: gate.name)
def test_angles_of_all_gates(gate, name, n):
    wires = range(gate.n_wires)
    agrees(name, lambda p: measured(p, n, gate(*scaled(p, gate.n_params), *wires)))


MADE = {
    "stack": lambda p: qf.ry(torch.stack([0.5 * p[0], p[1]]), [0, 1]),
    "pauli_rot": lambda p: qf.pauli_rot(0.5 * p[0], "XYZ", 0, 1, 2),
    "controlled": lambda p: qf.controlled(qf.ry)(0.5 * p[0], 0, 1),
    "power": lambda p: qf.power(qf.ry, 0.5)(0.5 * p[0], 0),
    "unitary": lambda p: qf.unitary(turn(0.5 * p[0]), 1),
}


def turn(angle):
    rows = [torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])]
    return torch.stack(rows) * torch.ones((), dtype=angle.dtype.to_complex())


@each_transform
@pytest.mark.parametrize("made", MADE)
def test_angles_that_are_put_together(made, name):
    agrees(name, lambda p: measured(p, 3, MADE[made](p)))


OBSERVABLES = {
    "dict": lambda p: {"XZI": 0.5 * p[0], "ZZX": 2 * p[1]},
    "tensor": lambda p: qf.pauli_sum(["XZI", "ZZX"], torch.stack([0.5 * p[0], p[1]])),
    "diagonal": lambda p: qf.diagonal(torch.stack([0.5 * p[0], p[1]] * 4)),
}


@each_transform
@pytest.mark.parametrize("kind", OBSERVABLES)
def test_coefficients(kind, name):
    def f(p):
        return qf.expval(qf.circuit(3, qf.ry(p[0], range(3)))(), OBSERVABLES[kind](p))

    agrees(name, f)


def strengths(channel, p):
    if channel is noise.thermal_relaxation:
        return 0.5 * p[0], 0.5 + 0.5 * p[1], 0.5 + 0.25 * p[1], 0.1 * p[0]
    return [0.1 * p[i % 2] for i in range(channel.n_params)]


RUNS = {
    "density": lambda circuit, p: (qf.run_density(circuit), torch.ones(()).to(p)),
    "no jump": lambda circuit, p: noise.run_no_jump(circuit),
    "trajectory": lambda circuit, p: qf.run_trajectory(circuit, torch.tensor([0.999]).to(p)),
}


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("channel", noise.CHANNELS, ids=lambda channel: channel.name)
def test_strengths(channel, run):
    def f(p):
        kept = channel(*strengths(channel, p), *range(channel.n_wires))
        state, weight = RUNS[run](qf.circuit(2, qf.ry(0.5 * p[0], [0, 1]), kept), p)
        return weight * qf.expval(state, {"XZ": 1.0})

    if run == "no jump" and channel.name.startswith("over_rotation"):
        pytest.skip("its branches have no run without an error")
    for name in ("jvp", "hessian"):
        agrees(name, f)


def test_what_the_library_takes_forward_by_itself():
    def state(p):
        return qf.circuit(2, qf.ry(0.5 * p[0], 0), qf.crx(2 * p[1], 0, 1))()

    def energy(p):
        return qf.expval(state(p), {"ZZ": 1.0})

    for found, expected in (
        (qf.qfi(state, P), qf.qfi(state, P.double())),
        (qf.hvp(energy, P, P), qf.hvp(energy, P.double(), P.double())),
    ):
        assert found.dtype == torch.float32
        assert_close(found, expected, n_gates=64)
    assert qf.jacobian_state(state, P).dtype == torch.complex64


def test_a_tangent_that_is_not_cast_is_noticed(monkeypatch):
    """A mutant: angles with the tangents that torch gives them."""
    monkeypatch.setattr(qf._op_arguments, "own_tangent", lambda given: given)
    with pytest.raises(RuntimeError, match=r"ComplexDouble|same dtype"):
        agrees("jvp", lambda p: measured(p, 3, qf.ry(0.5 * p[0], 1)))


def turned(p):
    return qf.expval(qf.circuit(2, qf.ry(p, [0, 1]), qf.cx(0, 1))(), {"ZX": 1.0, "XI": 0.5})


OPTIMISERS = {
    "adam": qf.optim.adam(0.1),
    "adamw": qf.optim.adamw(0.1),
    "rmsprop": qf.optim.rmsprop(0.1),
    "sgd": qf.optim.sgd(0.1, momentum=0.9),
    "clip": qf.optim.chain(qf.optim.clip_by_global_norm(0.1), qf.optim.sgd(0.1)),
    "clip by value": qf.optim.chain(qf.optim.clip_by_value(0.2), qf.optim.sgd(0.1)),
    "lbfgs": qf.optim.lbfgs(),
    "line search": qf.optim.with_line_search(qf.optim.lbfgs()),
}
LOSSES = {"vector": (turned, P), "scalar": (lambda p: (p * p).sum(), torch.tensor(0.7))}
OF_RUNS = {
    "jvp": lambda f, p: jvp(f, (p,), (torch.ones_like(p),))[1],
    "hessian": lambda f, p: hessian(f)(p),
    "hvp": lambda f, p: qf.hvp(f, p, torch.ones_like(p)),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_derivatives_of_training(optimiser, loss):
    """Numbers and 0-d parameters, norms and rates."""
    fn, start = LOSSES[loss]

    def last(p):
        return fn(qf.optim.minimise(fn, p, OPTIMISERS[optimiser], 3).params)

    for transform in OF_RUNS.values():
        found, expected = transform(last, start), transform(last, start.double())
        assert found.dtype == torch.float32
        size = max(1.0, float(expected.abs().max()))  # of L-BFGS' first steps it is thousands
        assert_close(found, expected, n_gates=1024, scale=64.0 * size)


def test_derivatives_of_rotosolve():
    def last(p):
        return turned(qf.optim.minimise(turned, p, qf.optim.rotosolve(), 1).params)

    for transform in OF_RUNS.values():
        assert transform(last, P).dtype == torch.float32


SCHEDULES = {
    "constant": qf.optim.constant_schedule,
    "linear": lambda v: qf.optim.linear_schedule(v, 0.1, 5),
    "exponential": lambda v: qf.optim.exponential_schedule(0.3, 3, v),
    "power": lambda v: qf.optim.power_schedule(v, 0.6),
    "piecewise": lambda v: qf.optim.piecewise_schedule(v, {1: v}),
    "cosine": lambda v: qf.optim.cosine_schedule(v, 5, v),
    "warmup": lambda v: qf.optim.warmup_cosine_schedule(0.0, v, 2, 5),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("step", [0.5, 3.0])
def test_derivatives_of_schedules(schedule, step):
    v, one = torch.tensor(0.7), torch.tensor(1.0)
    steps = torch.tensor(step)
    fn = SCHEDULES[schedule]
    for slope in (
        jvp(lambda x: fn(x)(steps), (v,), (one,))[1],
        jvp(grad(lambda x: fn(x)(steps)), (v,), (one,))[1],
        jvp(lambda s: fn(v)(s), (steps,), (one,))[1],
    ):
        assert slope.dtype == torch.float32


def test_derivatives_by_the_width_of_a_kernel():
    def state(_, x):
        return qf.circuit(2, qf.ry(x, [0, 1]))()

    def total(gamma):
        xs = torch.tensor([[0.1, 0.2], [0.5, 0.9]], dtype=gamma.dtype)
        return qf.learn.projected_gram(state, (), xs, gamma=gamma).sum()

    v = torch.tensor(0.7)
    assert jvp(grad(total), (v,), (torch.ones_like(v),))[1].dtype == torch.float32


def test_derivatives_by_numbers_of_a_problem():
    def size(a):
        return qf.problems.number_partitioning([a, 2.0, 1.0]).coefficients.square().sum()

    v = torch.tensor(0.7)
    assert jvp(grad(size), (v,), (torch.ones_like(v),))[1].dtype == torch.float32
