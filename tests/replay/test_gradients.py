"""Gradients through a jitted function by ordinary autograd, of any order."""

import pytest
import torch
from oracles.compare import assert_close
from torch import nn

import quilt_func as qf
from quilt_func.replay import gradients

F64 = torch.float64
N = 3
ENERGY = qf.pauli_sum({"ZZI": 1.0, "IXX": 0.5, "YIZ": -0.25})


def outputs(theta, x):
    state = qf.circuit(N, qf.ry(x, range(N)), qf.rx(theta, range(N)), qf.cx([(0, 1), (1, 2)]))()
    return {
        "energy": qf.expval(state, ENERGY), "probs": qf.probs(state), "state": state, "three": 3,
        "places": torch.arange(2),
    }  # fmt: skip


def number(found):
    return found["energy"] ** 2 + found["probs"].square().sum() + found["state"][1].real


def leaves(seed=0):
    theta, x = qf.uniforms((2, N), seed, dtype=F64)
    return theta.clone().requires_grad_(), x.clone().requires_grad_()


def orders(fn, theta, x):
    """Value and derivatives of the first three orders."""
    value = number(fn(theta, x))
    first = torch.autograd.grad(value, (theta, x), create_graph=True)
    second = torch.autograd.grad(
        (first[0] ** 2).sum() + first[1].prod(), (theta, x), create_graph=True
    )
    third = torch.autograd.grad((second[0] * second[1]).sum(), (theta, x))
    return [value, *first, *second, *third]


def test_derivatives_of_three_orders():
    replayed = qf.jit(outputs)
    for seed in range(2):
        found, expected = orders(replayed, *leaves(seed)), orders(outputs, *leaves(seed))
        for a, b in zip(found, expected, strict=True):
            assert_close(a, b, n_gates=64, scale=64.0)


def test_the_function_is_not_called_again():
    calls = []

    def fn(theta):
        calls.append(None)
        return outputs(theta, theta.detach())["energy"]

    replayed = qf.jit(fn)
    for seed in range(3):
        theta, _ = leaves(seed)
        replayed(theta).backward()
        if not seed:
            traced = len(calls)
    assert len(calls) == traced


def test_only_what_requires_grad_gets_one():
    theta, x = leaves()
    x = x.detach()
    replayed = qf.jit(outputs)
    found = replayed(theta, x)
    assert found["energy"].requires_grad
    assert found["state"].requires_grad
    assert not found["places"].requires_grad
    found["energy"].backward()
    expected = torch.autograd.grad(outputs(theta, x)["energy"], theta)[0]
    assert torch.equal(theta.grad, expected)
    with torch.no_grad():
        assert not replayed(theta, x)["energy"].requires_grad


def test_backward_twice():
    theta, x = leaves()
    value = qf.jit(outputs)(theta, x)["energy"]
    first = torch.autograd.grad(value, theta, retain_graph=True)[0]
    second = torch.autograd.grad(value, theta)[0]
    assert torch.equal(first, second)


def test_a_changed_argument_is_noticed():
    theta, x = leaves()
    moved = theta * 1
    value = qf.jit(outputs)(moved, x)["energy"]
    with torch.no_grad():
        moved.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


def test_results_may_be_changed_before_the_backward_pass():
    theta, _ = leaves()
    replayed = qf.jit(lambda t: [t.sin(), t.exp(), (t.exp() * t.sin()).sum()])
    *rest, value = replayed(theta)
    with torch.no_grad():
        for result in rest:
            result.zero_()
    value.backward()
    expected = (theta.exp() * theta.sin() + theta.exp() * theta.cos()).detach()
    assert_close(theta.grad, expected, n_gates=8, scale=8.0)


def test_a_buffer_that_both_ways_write_to():
    """Accumulation in place on the way back must not be kept for a second time."""

    def fn(x):
        return (
            qf.circuit(N, qf.linear(torch.diag(x).to(torch.cdouble), 0), qf.h(range(N)))().abs()
            ** 2
        )[0]

    x = torch.tensor([1.0, 0.5], dtype=F64, requires_grad=True)
    value = qf.jit(fn)(x)
    first = torch.autograd.grad(value, x, retain_graph=True)[0]
    assert torch.equal(first, torch.autograd.grad(value, x)[0])
    assert_close(first, torch.autograd.grad(fn(x), x)[0], n_gates=8)


def test_integers_have_no_gradient():
    x = torch.ones(3, requires_grad=True)
    assert not qf.jit(lambda x: x.argmax())(x).requires_grad


def test_a_module_trains():
    torch.manual_seed(0)
    layer = nn.Linear(N, N, dtype=F64)
    step = qf.jit(lambda t: qf.expval(qf.circuit(N, qf.ry(t, range(N)), qf.cx(0, 1))(), ENERGY))
    x = torch.ones(N, dtype=F64)
    step(layer(x)).backward()
    found = [p.grad.clone() for p in layer.parameters()]
    layer.zero_grad()
    step.fn(layer(x)).backward()
    for a, p in zip(found, layer.parameters(), strict=True):
        assert_close(a, p.grad, n_gates=16)


def test_what_is_kept_for_the_backward_pass_leaves_out_the_rest():
    """The second program starts where the first stopped: it has no cosine of its own."""
    theta, _ = leaves()
    replayed = qf.jit(lambda t: t.exp().sum())
    replayed(theta)
    (programs,) = replayed._programs.values()
    assert isinstance(programs.differentiable, gradients.DifferentiableProgram)
    assert len(programs.differentiable.first.run([theta.detach()])) == 2  # the sum and exp(t)
