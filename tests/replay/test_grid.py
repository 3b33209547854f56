"""Every kind of op, jitted, with transforms in it: the same numbers as without."""

import pytest
import torch
from oracles.compare import assert_close
from systems import MODELS
from torch.func import grad, hessian, jvp, vmap

import quilt_func as qf
from quilt_func.replay import arguments, entry, tracing
from quilt_func.testing import LawError
from quilt_func.testing.transforms import transform_table

TRANSFORMS = {
    "grad(vmap)": lambda f: lambda p, xs: grad(lambda q: vmap(f, (None, 0))(q, xs).sum())(p),
    "vmap(grad)": lambda f: vmap(grad(f), (None, 0)),
    "hessian": hessian,
    "jvp(grad)": lambda f: lambda p, x: jvp(lambda q: grad(f)(q, x), (p,), (p.cos(),))[1],
}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_within(model, name):
    fn = TRANSFORMS[name](model.function)
    replayed = qf.jit(fn)
    batch = (3,) if "vmap" in name else ()
    for seed in range(2):
        p, x = model.params(seed), model.x(seed, batch=batch)
        scale = 8 * model.scale * model.frequency**2
        assert_close(replayed(p, x), fn(p, x), n_gates=64 * model.n_gates, scale=scale)


WEIGHTS = torch.tensor([1.0, 2.0], dtype=torch.float64)


def cubic(x):
    return [(WEIGHTS * x).sin().sum() * x, x]


POINT = (torch.tensor([0.3, 0.7], dtype=torch.float64),)


def baked_in(monkeypatch):
    """A trace that takes its arguments for constants."""
    traced = tracing.draft_of

    def with_constants(flat, name, tensors):
        kept = [tensor.clone() for tensor in tensors]
        return traced(lambda *_: flat(*kept), name, tensors)

    monkeypatch.setattr(tracing, "draft_of", with_constants)


def stale(monkeypatch):
    """A cache that tells calls apart by nothing."""
    flatten = arguments.StaticArguments.flatten
    monkeypatch.setattr(
        arguments.StaticArguments, "flatten",
        lambda self, args, kwargs: flatten(self, args, kwargs)._replace(signature=None),
    )  # fmt: skip


def aliased(monkeypatch):
    """Results that are views of arguments and of one another."""
    monkeypatch.setattr(tracing, "separate_results", lambda draft, count: None)


def detached(monkeypatch):
    """No gradient through a jitted function."""
    monkeypatch.setattr(entry, "is_differentiable", lambda tensor: False)


LAWS = {
    "baked in": (baked_in, "jit"),
    "aliased": (aliased, "jit"),
    "detached": (detached, "backward through jit"),
}


def test_the_law_holds_as_it_is():
    assert set(transform_table(cubic, POINT).values()) == {"holds"}


@pytest.mark.parametrize("name", LAWS)
def test_planted_mistakes_are_noticed(name, monkeypatch):
    plant, law = LAWS[name]
    plant(monkeypatch)
    with pytest.raises(LawError, match=f"law `{law}` fails"):
        transform_table(cubic, POINT, only=[law])


def test_a_planted_stale_cache_is_noticed(monkeypatch):
    stale(monkeypatch)
    replayed = qf.jit(lambda x, n: x * n)
    x = torch.ones(2)
    assert not torch.equal(replayed(x, 2), replayed(x, 3) / 3 * 2)
