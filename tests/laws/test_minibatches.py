"""Epochs of minibatches: every sample at most once a pass, resumed, mapped, replayed."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.training import same
from torch.func import vmap

import quilt_func as qf
from quilt_func import optim
from quilt_func.optim import epochs, minimise

F64 = torch.float64
XS = qf.uniforms((10, 2), 0, dtype=F64)
DATA = {"x": XS, "y": XS.sum(1)}
U = qf.uniforms((3, 10), 1)


def loss(params, batch):
    return ((batch["x"] * params).sum(1) - batch["y"]).square().mean()


def check_passes(make, n, size, n_epochs):
    """Within a pass no sample comes twice, and all come that batches have room for."""
    found = make(torch.arange(n), size, qf.uniforms((n_epochs, n), 2))
    batches = torch.stack(list(found)).reshape(n_epochs, n // size, size)
    assert len(found) == n_epochs * (n // size)
    for one in batches.flatten(1):
        assert one.unique().shape == one.shape == (n // size * size,)
    is_new = [not torch.equal(a, b) for a, b in pairwise(batches)]
    assert n < 8 or all(is_new)


@given(st.integers(1, 12), st.data(), st.integers(1, 4))
def test_passes(n, data, n_epochs):
    check_passes(epochs, n, data.draw(st.integers(1, n)), n_epochs)


def drawn_anew(data, size, u):
    rows = (u[:, : len(data) // size * size] * len(data)).long().reshape(-1, size)
    return optim.Epochs(data, rows)


def one_order(data, size, u):
    return epochs(data, size, u[:1].expand_as(u))


def test_mistakes_die():
    for mistake in (drawn_anew, one_order):
        with pytest.raises(AssertionError):
            check_passes(mistake, 10, 3, 3)


def test_leaves_go_together():
    for batch in epochs(DATA, 4, U):
        assert torch.equal(batch["x"].sum(1), batch["y"])


def test_runs_equal_stacked_batches_and_go_on():
    batches, start, opt = epochs(DATA, 4, U), torch.zeros(2, dtype=F64), optim.adam(0.1)
    stacked = {name: torch.stack([one[name] for one in batches]) for name in DATA}
    expected = minimise(loss, start, opt, 6, batches=stacked)
    found = minimise(loss, start, opt, 6, batches=batches)
    same(found.params, expected.params)
    first = minimise(loss, start, opt, 2, batches=batches[:2])
    rest = minimise(loss, first.params, opt, 4, batches=batches[2:], state=first.state)
    same(rest.params, expected.params)
    replayed = minimise(loss, start, opt, 6, batches=batches, jit=True)
    same(replayed.losses, expected.losses)


def test_mapped_over_orders():
    """Each member of an ensemble has an order of its own."""
    start, opt = torch.zeros(2, dtype=F64), optim.adam(0.1)

    def trained(u):
        return minimise(loss, start, opt, 6, batches=epochs(DATA, 4, u)).params

    both = torch.stack([U, U.flip(0)])
    same(vmap(trained)(both), torch.stack([trained(u) for u in both]))
    assert not torch.equal(*vmap(trained)(both))
