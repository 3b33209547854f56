"""Every transform of every model: against finite differences, and against each other.

A transform is tested on all models by being appended to a table.
"""

from functools import lru_cache

import pytest
import torch
from oracles.compare import assert_close, assert_close_fd, central_difference
from systems import MODELS
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

pytestmark = pytest.mark.usefixtures("each_route")
F64 = torch.float64
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


def by_name(table):
    return pytest.mark.parametrize("transform", table.values(), ids=table)


def jvp_columns(f, p, x):
    """One tangent at a time, in a loop."""
    return torch.stack(
        [jvp(f, (p, x), (e, torch.zeros_like(x)))[1] for e in torch.eye(len(p)).to(p)]
    )


def vjp_gradient(f, p, x):
    value, pull = vjp(f, p, x)
    return pull(torch.ones_like(value))[0]


def backward_gradient(f, p, x):
    leaf = p.clone().requires_grad_()
    f(leaf, x).backward()
    return leaf.grad


FIRST = {
    "vjp": vjp_gradient,
    "jvp": jvp_columns,
    "vmap(jvp)": lambda f, p, x: vmap(lambda e: jvp(lambda q: f(q, x), (p,), (e,))[1])(
        torch.eye(len(p)).to(p)
    ),
    "jacrev": lambda f, p, x: jacrev(f)(p, x),
    "jacfwd": lambda f, p, x: jacfwd(f)(p, x),
    "backward": backward_gradient,
}


def hessian_columns(f, p, x):
    """jvp(grad), one tangent at a time."""
    slope = grad(f)
    return torch.stack(
        [jvp(lambda q: slope(q, x), (p,), (e,))[1] for e in torch.eye(len(p)).to(p)], -1
    )


def grad_of_jvp(f, p, x):
    def along(e):
        return grad(lambda q: jvp(lambda r: f(r, x), (q,), (e,))[1])(p)

    return vmap(along)(torch.eye(len(p)).to(p))


def double_backward(f, p, x):
    leaf = p.clone().requires_grad_()
    (slope,) = torch.autograd.grad(f(leaf, x), leaf, create_graph=True)
    rows = [
        torch.autograd.grad(entry, leaf, retain_graph=True, allow_unused=True)[0] for entry in slope
    ]
    return torch.stack([torch.zeros_like(p) if row is None else row for row in rows])


SECOND = {
    "jvp(grad)": hessian_columns,
    "grad(jvp)": grad_of_jvp,
    "jacfwd(grad)": lambda f, p, x: jacfwd(grad(f))(p, x),
    "jacrev(grad)": lambda f, p, x: jacrev(grad(f))(p, x),
    "jacrev(jacrev)": lambda f, p, x: jacrev(jacrev(f))(p, x),
    "jacrev(jacfwd)": lambda f, p, x: jacrev(jacfwd(f))(p, x),
    "jacfwd(jacfwd)": lambda f, p, x: jacfwd(jacfwd(f))(p, x),
    "grad(grad)": lambda f, p, x: torch.stack(
        [grad(lambda q, i=i: grad(f)(q, x)[i])(p) for i in range(len(p))]
    ),
    "double backward": double_backward,
}
THIRD = {
    "jacfwd(jacfwd(grad))": lambda f, p, x: jacfwd(jacfwd(grad(f)))(p, x),
    "jacrev(hessian)": lambda f, p, x: jacrev(hessian(f))(p, x),
    "jacfwd(jacfwd(jacfwd))": lambda f, p, x: jacfwd(jacfwd(jacfwd(f)))(p, x),
}


@lru_cache(maxsize=64)
def reference(model, order):
    """Value, gradient, Hessian and third derivatives by the plainest transform of each order."""
    p, x = model.params(), model.x()
    transforms = [model.function, grad(model.function), hessian(model.function)]
    plain = [*transforms, jacfwd(transforms[2])]
    return plain[order](p, x)


def rounding(model, order):
    """Rounding steps and the size of derivatives of some order."""
    scale = model.scale * model.frequency**order
    return {"n_gates": 64 * model.n_gates, "scale": scale}


@each_model
@pytest.mark.parametrize("order", [1, 2, 3])
def test_finite_differences(model, order):
    p, x = model.params(), model.x()
    f = model.around(p, x)
    lower = [f, grad(f), hessian(f)][order - 1]
    expected = central_difference(lambda q: lower(q, x), p)
    scale = model.scale * max(1, model.frequency ** (order + 2) / 48)
    assert_close_fd(reference(model, order), expected, scale=scale)


@each_model
def test_finite_differences_by_the_sample(model):
    p, x = model.params(), model.x()
    f = model.around(p, x)
    expected = central_difference(lambda z: f(p, z), x)
    scale = model.scale * max(1, model.frequency**3 / 48)
    assert_close_fd(grad(model.function, argnums=1)(p, x), expected, scale=scale)


@each_model
@by_name(FIRST)
def test_first_derivatives_agree(model, transform):
    got = transform(model, model.params(), model.x())
    assert_close(got, reference(model, 1), **rounding(model, 1))


@each_model
@by_name(SECOND)
def test_second_derivatives_agree(model, transform):
    got = transform(model, model.params(), model.x())
    assert_close(got, reference(model, 2), **rounding(model, 2))


@each_model
@by_name(THIRD)
def test_third_derivatives_agree(model, transform):
    got = transform(model, model.params(), model.x())
    assert_close(got, reference(model, 3), **rounding(model, 3))


def total(f):
    """The sum over a batch of parameters and of samples, each with each."""
    return lambda ps, xs: vmap(lambda p: vmap(f, (None, 0))(p, xs).sum())(ps).sum()


def pairs(f, ps, xs):
    return torch.stack([torch.stack([f(p, x) for x in xs]) for p in ps])


BATCHED = {
    "vmap over samples": (
        lambda f, ps, xs: vmap(f, (None, 0))(ps[0], xs),
        lambda f, ps, xs: torch.stack([f(ps[0], x) for x in xs]),
        0,
    ),
    "vmap over params": (
        lambda f, ps, xs: vmap(f, (0, None))(ps, xs[0]),
        lambda f, ps, xs: torch.stack([f(p, xs[0]) for p in ps]),
        0,
    ),
    "vmap over both": (
        lambda f, ps, xs: vmap(f)(ps, xs[: len(ps)]),
        lambda f, ps, xs: torch.stack([f(p, x) for p, x in zip(ps, xs, strict=False)]),
        0,
    ),
    "vmap over the last axes": (
        lambda f, ps, xs: vmap(f, (1, -1))(ps.mT.contiguous(), xs[: len(ps)].mT),
        lambda f, ps, xs: torch.stack([f(p, x) for p, x in zip(ps, xs, strict=False)]),
        0,
    ),
    "vmap(vmap)": (
        lambda f, ps, xs: vmap(vmap(f, (None, 0)), (0, None))(ps, xs),
        pairs,
        0,
    ),
    "vmap(vmap), samples outside": (
        lambda f, ps, xs: vmap(vmap(f, (0, None)), (None, 0), out_dims=1)(ps, xs),
        pairs,
        0,
    ),
    "vmap(chunk_size)": (
        lambda f, ps, xs: vmap(f, (None, 0), chunk_size=2)(ps[0], xs),
        lambda f, ps, xs: torch.stack([f(ps[0], x) for x in xs]),
        0,
    ),
    "vmap(grad)": (
        lambda f, ps, xs: vmap(grad(f), (None, 0))(ps[0], xs),
        lambda f, ps, xs: torch.stack([grad(f)(ps[0], x) for x in xs]),
        1,
    ),
    "grad(vmap)": (
        lambda f, ps, xs: grad(lambda p: vmap(f, (None, 0))(p, xs).sum())(ps[0]),
        lambda f, ps, xs: torch.stack([grad(f)(ps[0], x) for x in xs]).sum(0),
        1,
    ),
    "grad(vmap(vmap))": (
        lambda f, ps, xs: grad(total(f))(ps, xs),
        lambda f, ps, xs: pairs(grad(f), ps, xs).sum(1),
        1,
    ),
    "vmap(grad(vmap))": (
        lambda f, ps, xs: vmap(grad(lambda p: vmap(f, (None, 0))(p, xs).sum()))(ps),
        lambda f, ps, xs: pairs(grad(f), ps, xs).sum(1),
        1,
    ),
    "vmap(vmap(grad))": (
        lambda f, ps, xs: vmap(vmap(grad(f), (None, 0)), (0, None))(ps, xs),
        lambda f, ps, xs: pairs(grad(f), ps, xs),
        1,
    ),
    "vmap(vmap(grad)), by samples": (
        lambda f, ps, xs: vmap(vmap(grad(f, 1), (None, 0)), (0, None))(ps, xs),
        lambda f, ps, xs: pairs(grad(f, 1), ps, xs),
        1,
    ),
    "vmap(jacfwd)": (
        lambda f, ps, xs: vmap(jacfwd(f), (0, None))(ps, xs[0]),
        lambda f, ps, xs: torch.stack([grad(f)(p, xs[0]) for p in ps]),
        1,
    ),
    "jacfwd(vmap)": (
        lambda f, ps, xs: jacfwd(lambda p: vmap(f, (None, 0))(p, xs))(ps[0]),
        lambda f, ps, xs: torch.stack([grad(f)(ps[0], x) for x in xs]),
        1,
    ),
    "jacrev(vmap)": (
        lambda f, ps, xs: jacrev(lambda p: vmap(f, (None, 0))(p, xs))(ps[0]),
        lambda f, ps, xs: torch.stack([grad(f)(ps[0], x) for x in xs]),
        1,
    ),
    "vmap(hessian)": (
        lambda f, ps, xs: vmap(hessian(f), (None, 0))(ps[0], xs),
        lambda f, ps, xs: torch.stack([hessian(f)(ps[0], x) for x in xs]),
        2,
    ),
    "hessian(vmap)": (
        lambda f, ps, xs: hessian(lambda p: vmap(f, (None, 0))(p, xs).sum())(ps[0]),
        lambda f, ps, xs: torch.stack([hessian(f)(ps[0], x) for x in xs]).sum(0),
        2,
    ),
    "vmap(jacfwd(jacfwd))": (
        lambda f, ps, xs: vmap(jacfwd(jacfwd(f)), (None, 0))(ps[0], xs),
        lambda f, ps, xs: torch.stack([hessian(f)(ps[0], x) for x in xs]),
        2,
    ),
}


@each_model
@by_name(BATCHED)
def test_vmap_is_the_loop(model, transform):
    mapped, loop, order = transform
    ps, xs = model.params(1, batch=(2,)), model.x(1, batch=(3,))
    bounds = rounding(model, order)
    bounds["scale"] *= 6  # sums over the batch
    assert_close(mapped(model, ps, xs), loop(model, ps, xs), **bounds)
