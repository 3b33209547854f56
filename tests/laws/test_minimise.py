"""Training in one call: equal to the loop, resumed, mapped, replayed, differentiated, stopped."""

import gc
import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.compare import assert_close, assert_close_fd
from oracles.training import angles, check_goes_on, energy, entangled, same
from torch.func import grad, grad_and_value, hessian, jvp, vmap
from torch.utils import _pytree as pytree

import quilt_func as qf
from quilt_func import optim
from quilt_func.optim import minimise

F64 = torch.float64
OPTIMISERS = {
    "sgd": lambda: optim.sgd(0.1),
    "adam with a schedule": lambda: optim.adam(optim.exponential_schedule(0.2, 3, 0.5)),
    "clipped momentum": lambda: optim.chain(
        optim.clip_by_global_norm(1.0), optim.sgd(0.1, momentum=0.9)
    ),
    "natural gradient": lambda: optim.chain(
        qf.natural_gradient(entangled, damping=0.1), optim.sgd(0.1)
    ),
    "L-BFGS": lambda: optim.lbfgs(0.1, memory_size=3),
    "L-BFGS with a search": lambda: optim.with_line_search(optim.lbfgs(memory_size=3), n_trials=4),
    "Rotosolve": optim.rotosolve,
    "SPSA": lambda: optim.with_spsa(optim.adam(0.1), step=optim.power_schedule(0.1, 0.1)),
    "forward gradient": lambda: optim.with_forward_gradient(optim.sgd(0.1)),
    "QNSPSA": lambda: optim.qnspsa(entangled, optim.power_schedule(0.1, 0.5)),
}
each_optimiser = pytest.mark.parametrize("make", OPTIMISERS.values(), ids=OPTIMISERS)
N = 6


def draws(optimiser, n=N, batch=()):
    shape = getattr(optimiser, "draws", None)
    return None if shape is None else qf.uniforms((*batch, n, *shape(angles())), 1, dtype=F64)


def bowl(p, x=1.0):
    return (x * p["a"].square()).sum() + p["b"].cos()


def tree():
    return {"a": torch.tensor([1.0, -0.5], dtype=F64), "b": torch.tensor(0.7, dtype=F64)}


@pytest.mark.parametrize("name", ["sgd", "adam with a schedule", "clipped momentum", "L-BFGS"])
def test_is_the_loop(name):
    opt, params = OPTIMISERS[name](), tree()
    state, losses, given = opt.init(params), [], qf.uniforms((N, 2), 1, dtype=F64)
    for x in given:
        slopes, value = grad_and_value(bowl)(params, x)
        updates, state = opt.update(slopes, state, params)
        params = optim.apply_updates(params, updates)
        losses.append(value)
    found = minimise(bowl, tree(), opt, N, batches=given)
    same(found.params, params)
    same(found.losses, torch.stack(losses))
    same(found.state.inner, state)


@each_optimiser
def test_a_run_that_goes_on_is_one_run(make):
    check_goes_on(minimise, make)


@given(st.lists(st.integers(0, 4), max_size=4), st.floats(0.01, 0.5))
def test_any_division_of_a_run(parts, rate):
    opt, found = optim.adam(rate), minimise(bowl, tree(), optim.adam(rate), 0)
    losses = []
    for n in parts:
        found = minimise(bowl, found.params, opt, n, state=found.state)
        losses.append(found.losses)
    whole = minimise(bowl, tree(), opt, sum(parts))
    same((found.params, found.state), (whole.params, whole.state))
    same(torch.cat([whole.losses[:0], *losses]), whole.losses)


@each_optimiser
def test_vmap_is_the_loop(make):
    """Of parameters, batches and uniform numbers together."""
    optimiser, starts = make(), angles(3, batch=(3,))
    u, batches = draws(optimiser, batch=(3,)), qf.uniforms((3, N), 2, dtype=F64) + 0.5

    def run(p, b, v):
        return minimise(lambda q, x: x * energy(q), p, optimiser, N, batches=b, u=v)

    mapped = vmap(run, (0, 0, None if u is None else 0))(starts, batches, u)
    for i in range(3):
        one = run(starts[i], batches[i], None if u is None else u[i])
        # differences of second order and inverses of metrics enlarge rounding
        assert_close(mapped.params[i], one.params, n_gates=2**12, scale=2**14)
        assert_close(mapped.losses[i], one.losses, n_gates=2**12, scale=2**14)


@each_optimiser
def test_ensembles_are_vmap(make):
    optimiser, starts = make(), angles(3, batch=(3,))
    u, batches = draws(optimiser, batch=(3,)), qf.uniforms(N, 2, dtype=F64) + 0.5
    loss = lambda q, x: x * energy(q)  # noqa: E731

    def run(p, v):
        return minimise(loss, p, optimiser, N, batches=batches, u=v)

    mapped = vmap(run, (0, None if u is None else 0))(starts, u)
    by_step = None if u is None else u.movedim(0, 1)
    found = minimise(loss, starts, optimiser, N, batches=batches, u=by_step, ensemble=True)
    same(found, mapped)
    first, second = (
        {"batches": batches[cut], "u": u if u is None else by_step[cut], "ensemble": True}
        for cut in (slice(0, 2), slice(2, N))
    )
    one = minimise(loss, starts, optimiser, 2, **first)
    same(minimise(loss, one.params, optimiser, N - 2, state=one.state, **second)[::2], mapped[::2])


def test_ensembles_are_replayed_and_called_back_from():
    starts, seen = angles(3, batch=(3,)), []
    found = minimise(
        energy, starts, optim.adam(0.1), 4, ensemble=True, jit=True,
        callback=lambda step, params, losses: seen.append((step, params.shape, losses)),
    )  # fmt: skip
    plain = minimise(energy, starts, optim.adam(0.1), 4, ensemble=True)
    assert_close(found.losses, plain.losses, n_gates=2**8)
    assert [step for step, *_ in seen] == [0, 1, 2, 3]
    same(torch.stack([losses for *_, losses in seen], -1), found.losses)


def test_an_early_stop_waits_for_all_members():
    """One member is at its minimum, the other on its way."""
    starts = torch.tensor([0.0, 1.0], dtype=F64)
    options = {"tolerance": 0.01, "ensemble": True}
    found = minimise(torch.square, starts, optim.sgd(0.1), 50, **options)
    alone = minimise(torch.square, starts[1], optim.sgd(0.1), 50, tolerance=0.01)
    assert found.losses.shape == (2, len(alone.losses))
    assert 2 < len(alone.losses) < 50


def test_vmap_over_learning_rates_and_a_shared_start():
    rates = torch.tensor([0.05, 0.1, 0.4], dtype=F64)
    start = angles()
    mapped = vmap(lambda rate: minimise(energy, start, optim.sgd(rate), N).losses)(rates)
    each = [minimise(energy, start, optim.sgd(float(rate)), N).losses for rate in rates]
    assert_close(mapped, torch.stack(each), n_gates=2**10)


@each_optimiser
def test_replayed_steps_are_the_same(make):
    optimiser = make()
    u, batches = draws(optimiser), torch.linspace(0.5, 1.5, N, dtype=F64)
    plain, replayed = (
        minimise(
            lambda p, x: x * energy(p), angles(), optimiser, N, batches=batches, u=u, jit=jit
        )
        for jit in (False, True)
    )  # fmt: skip
    assert_close(replayed.params, plain.params, n_gates=2**12, scale=2**14)
    assert_close(replayed.losses, plain.losses, n_gates=2**12, scale=2**14)


def test_replayed_steps_do_not_call_the_loss():
    calls = []

    def counted(p):
        calls.append(0)
        return energy(p)

    minimise(counted, angles(), optim.sgd(0.1), 2, jit=True)
    at_the_trace = len(calls)
    calls.clear()
    minimise(counted, angles(), optim.sgd(0.1), 20, jit=True)
    assert len(calls) == at_the_trace


def after(rate, p, make):
    return energy(minimise(energy, p, make(rate), 3).params)


@pytest.mark.parametrize(
    "make", [optim.sgd, lambda r: optim.sgd(r, momentum=0.5), lambda r: optim.lbfgs(r)]
)
def test_derivatives_through_the_run(make):
    """By the rate and the start, against finite differences; a hypergradient."""
    rate, h = torch.tensor(0.2, dtype=F64), torch.finfo(F64).eps ** (1 / 3)
    start, direction = angles(), torch.linspace(-1, 1, 8, dtype=F64)

    def along(t):
        return after(rate + t, start + t * direction, make)

    zero = torch.zeros((), dtype=F64)
    slope = (along(zero + h) - along(zero - h)) / (2 * h)
    found = grad(along)(zero)
    assert_close_fd(found, slope, scale=2**10)
    assert_close(jvp(along, (zero,), (zero + 1,))[1], found, n_gates=2**10, scale=64)
    assert_close(vmap(grad(along))(zero.expand(2)), found.expand(2), n_gates=2**10, scale=64)
    curvature = (grad(along)(zero + h) - grad(along)(zero - h)) / (2 * h)
    assert_close_fd(hessian(along)(zero), curvature, scale=2**14)


def test_backward_through_the_run():
    start = angles().requires_grad_()
    after(torch.tensor(0.2, dtype=F64), start, optim.sgd).backward()
    expected = grad(lambda p: after(torch.tensor(0.2, dtype=F64), p, optim.sgd))(angles())
    assert_close(start.grad, expected, n_gates=2**10)


def test_no_graph_grows_over_steps():
    """What is alive after many steps is as many tensors as after few, but for the losses."""

    def alive(n):
        gc.collect()
        before = sum(type(one) is torch.Tensor for one in gc.get_objects())
        counts = []

        def count(step, params, loss):
            if step == n - 1:
                found = sum(type(one) is torch.Tensor for one in gc.get_objects())
                counts.append(found - before)

        found = minimise(energy, angles(), optim.adam(0.1), n, callback=count)
        assert not any(leaf.requires_grad for leaf in pytree.tree_leaves(found))
        return counts[0] - n

    alive(2)
    assert alive(40) <= alive(4) + 2


# Batches


def test_batches_are_taken_one_a_step():
    xs, ys = torch.linspace(0, 1, N, dtype=F64), torch.linspace(1, 2, N, dtype=F64)
    p = torch.tensor(0.5, dtype=F64)
    loss = lambda q, batch: (q - batch["x"] * batch["y"][0]) ** 2  # noqa: E731
    stacked = {"x": xs, "y": (ys,)}
    one_by_one = [{"x": x, "y": (y,)} for x, y in zip(xs, ys, strict=True)]
    found = minimise(loss, p, optim.sgd(0.1), N, batches=stacked)
    same(found, minimise(loss, p, optim.sgd(0.1), N, batches=iter(one_by_one)))
    endless = itertools.cycle(one_by_one)
    same(found, minimise(loss, p, optim.sgd(0.1), N, batches=endless))
    assert next(endless)["x"] == xs[0], "no batch more than steps is taken"


def test_batches_of_a_loader():
    xs = torch.arange(12.0, dtype=F64)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(xs), batch_size=4)
    found = minimise(
        lambda p, b: ((p - b[0]) ** 2).mean(), xs[3], optim.sgd(0.1), 3, batches=loader
    )
    expected = minimise(
        lambda p, b: ((p - b) ** 2).mean(), xs[3], optim.sgd(0.1), 3, batches=xs.view(3, 4)
    )
    same(found, expected)
    with pytest.raises(ValueError, match=r"last for n_steps=4, but got an end after 3\."):
        minimise(lambda p, b: p**2, xs[3], optim.sgd(0.1), 4, batches=loader)


# Stops and callbacks


def test_callbacks_see_parameters_with_their_loss():
    seen = []
    found = minimise(energy, angles(), optim.adam(0.1), 4, callback=lambda *args: seen.append(args))
    assert [step for step, _, _ in seen] == [0, 1, 2, 3]
    same([value for _, _, value in seen], list(found.losses.unbind()))
    for _, params, value in seen:
        assert_close(energy(params), value, n_gates=64)
    seen.clear()
    minimise(
        energy, found.params, optim.adam(0.1), 2, state=found.state,
        callback=lambda *args: seen.append(args),
    )  # fmt: skip
    assert [step for step, _, _ in seen] == [4, 5]


def test_a_callback_may_end_the_run():
    found = minimise(energy, angles(), optim.adam(0.1), 9, callback=lambda step, *_: step == 2)
    same(found, minimise(energy, angles(), optim.adam(0.1), 3))


def sequence(values):
    """A loss that takes given values, whatever the parameters."""
    batches = torch.tensor(values, dtype=F64)
    return {"loss": lambda p, x: x + 0 * p, "batches": batches, "n_steps": len(values)}


@pytest.mark.parametrize(
    ("values", "tolerance", "patience", "length"),
    [
        ([5, 4, 3, 2, 1], 0.5, 1, 5),
        ([5, 4, 3.9, 3.8, 3.7, 3.6], 0.5, 1, 3),
        ([5, 4, 3.9, 3.8, 3.7, 3.6], 0.5, 2, 4),
        ([5, 4, 3.8, 3.6, 3.4, 3.2, 3.0], 0.5, 3, 7),  # slow, but 0.5 in three steps
        ([5, 4, 6, 3, 6, 2, 6, 1], 0.5, 2, 8),
        ([5, 4, 6, 4, 3], 0.0, 2, 4),
        ([float("nan")] * 4, 0.0, 2, 2),
    ],
)
def test_early_stops(values, tolerance, patience, length):
    run = sequence(values)
    start = torch.tensor(1.0, dtype=F64)
    found = minimise(
        params=start, optimiser=optim.sgd(0.1), tolerance=tolerance, patience=patience, **run
    )
    assert len(found.losses) == length
    assert found.state.step == length


def test_early_stops_go_on_from_where_they_were():
    values = [5, 4, 3.9, 3.8, 3.7, 3.6]
    run, start = sequence(values), torch.tensor(1.0, dtype=F64)
    loss, batches = run["loss"], run["batches"]
    options = {"optimiser": optim.sgd(0.1), "tolerance": 0.5, "patience": 3}
    one = minimise(loss, start, n_steps=3, batches=batches[:3], **options)
    two = minimise(loss, one.params, n_steps=3, batches=batches[3:], state=one.state, **options)
    assert (len(one.losses), len(two.losses)) == (3, 2)


@pytest.mark.parametrize(
    "stop", [{"tolerance": 0.1}, {"callback": print}], ids=["tolerance", "callback"]
)
def test_stops_are_refused_within_transforms(stop):
    run = lambda p: minimise(energy, p, optim.sgd(0.1), 3, **stop)  # noqa: E731
    (name,) = stop
    with pytest.raises(
        ValueError, match=rf"minimise\({name}=.*left out within a transform.*ensemble"
    ):
        vmap(run)(angles(batch=(2,)))


def test_mapped_runs_go_on():
    starts = angles(batch=(3,))
    opt = optim.adam(0.1)
    whole = vmap(lambda p: minimise(energy, p, opt, 4))(starts)
    part = vmap(lambda p: minimise(energy, p, opt, 2))(starts)
    more = vmap(lambda p, s: minimise(energy, p, opt, 2, state=s))(part.params, part.state)
    same(more.params, whole.params)


# Vectors of trees


@given(st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=4))
def test_ravel_and_back(shapes):
    params = [torch.full(shape, 1.0 + i, dtype=F64).cumsum(0) if shape else
              torch.tensor(1.0 + i, dtype=F64) for i, shape in enumerate(shapes)]  # fmt: skip
    vector, unravel = optim.ravel({"x": params})
    same(unravel(vector), {"x": params})
    assert vector.shape == (sum(leaf.numel() for leaf in params),)
    same(vector, torch.cat([leaf.flatten() for leaf in params]))


def test_ravel_under_vmap():
    batch = {"a": qf.uniforms((3, 2, 2), 0), "b": qf.uniforms(3, 1)}

    def doubled(one):
        vector, unravel = optim.ravel(one)
        return vector, unravel(2 * vector)

    vectors, back = vmap(doubled)(batch)
    assert vectors.shape == (3, 5)
    same(back, {"a": 2 * batch["a"], "b": 2 * batch["b"]})
