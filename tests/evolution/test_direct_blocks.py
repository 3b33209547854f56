"""Blocks by one gather, in runs of equal depth, against gates applied one by one."""

import pytest
import torch
from oracles.compare import assert_close
from torch.func import grad, hessian

import quilt_func as qf
from quilt_func.evolution import planner, reference
from quilt_func.evolution.steps import block_build, block_recipe

F64, C128 = torch.float64, torch.complex128
N = 8


def test_neighbours_of_one_depth_are_a_run():
    assert block_recipe._runs([4, 4, 1]) == ((2, 4), (1, 1))
    assert block_recipe._runs([2, 2]) == ((2, 2),)
    assert block_recipe._runs([1, 4, 1]) == ((3, 4),), "filled up, where runs are many"


def circuit(theta):
    """Blocks of many factors on wires 0 to 3 and 4 to 7, then one of few on 2 to 5."""
    pairs = [(0, 1), (2, 3), (4, 5), (6, 7)]
    layer = qf.ry(theta[:8], range(N)), qf.rxx(theta[8], pairs), qf.cz(pairs)
    return qf.circuit(
        N,
        layer,
        layer,
        qf.cx([(1, 2), (5, 6)]),
        layer,
        qf.cx([(3, 4), (2, 5)]),
        qf.rx(theta[:4], range(2, 6)),
    )


def runs_of(theta):
    found = circuit(theta)
    acting = tuple(op.structure for op in found.ops)
    segments = planner.plan(N, acting, ((),) * len(acting), False).segments
    stacks = [recipe.stack for segment in segments for recipe in segment.recipes]
    return [stack.direct.runs for stack in stacks if stack.direct is not None]


def energy(run):
    words = qf.pauli_sum({"XZIIIIIY": 0.5, "ZZZZZZZZ": 1.0, "IXIIIIII": -0.3})
    return lambda theta: qf.expval(run(circuit(theta)), words)


def check(start, theta):
    ours = energy(lambda c: c(start))
    plain = energy(lambda c: reference.run(c.ops, start))
    assert_close(ours(theta), plain(theta), n_gates=64, scale=8.0)
    assert_close(grad(ours)(theta), grad(plain)(theta), n_gates=64, scale=64.0)
    assert_close(hessian(ours)(theta), hessian(plain)(theta), n_gates=64, scale=512.0)


def test_runs_of_several_depths(monkeypatch):
    theta = 6 * qf.uniforms(9, 3, dtype=F64)
    start = qf.random_state(qf.uniforms((2, 2**N), 4, dtype=F64))
    assert any(len(runs) == 2 for runs in runs_of(theta)), runs_of(theta)
    check(start, theta)
    right = block_build._products_of_run
    monkeypatch.setattr(block_build, "_products_of_run", lambda f, run: right(f, run).flip(1))
    with pytest.raises(AssertionError):
        check(start, theta)
