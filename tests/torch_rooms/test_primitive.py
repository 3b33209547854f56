"""Primitives under transforms, against the same function in plain torch calls."""

import pytest
import torch
from oracles.compare import assert_close
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

from quilt_func._torch.levels import forward_mode_levels, is_within_transform
from quilt_func._torch.primitive import Primitive

F64 = torch.float64


class Wave(Primitive):
    """`a sin b` and `b²`, the second without regard to `a`."""

    @staticmethod
    def forward(sign, a, b):
        return sign * a * b.sin(), b * b

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.sign, a, b = inputs
        ctx.save_for_backward(a, b)

    @staticmethod
    def backward(ctx, by_wave, by_square):
        a, b = ctx.saved_tensors
        by_a = ctx.sign * by_wave * b.sin() if ctx.needs_input_grad[1] else None
        by_b = (ctx.sign * by_wave * a * b.cos()).sum_to_size(b.shape)
        return None, by_a, by_b + 2 * b * by_square

    @classmethod
    def push(cls, values, tangents):
        (sign, a, b), (_, by_a, by_b) = values, tangents
        moved = torch.zeros_like(b)
        if by_a is not None:
            moved = moved + sign * by_a * b.sin()
        if by_b is not None:
            moved = moved + sign * by_b * a * b.cos()
        square = torch.zeros_like(b) if by_b is None else 2 * b * by_b
        return cls.apply(sign, a, b), (moved, square)

    @classmethod
    def vmap(cls, info, in_dims, sign, *given):
        assert in_dims[0] is None
        assert info.batch_size == 3, "a batch of one needs no rule"
        pairs = zip(given, in_dims[1:], strict=True)
        wave, square = cls.apply(
            sign, *(x[None] if d is None else x.movedim(d, 0) for x, d in pairs)
        )
        is_batched = in_dims[2] is not None
        return (wave, square if is_batched else square[0]), (0, 0 if is_batched else None)


def plain(sign, a, b):
    return sign * a * b.sin(), b * b


def mixed(run):
    def f(a, b):
        wave, square = run(2.0, a, b)
        return wave * square.exp() + a

    return f


A, B = torch.tensor([0.3, -0.8, 1.1], dtype=F64), torch.tensor([-0.4, 0.9, 0.2], dtype=F64)
TRANSFORMS = {
    "none": lambda f: f(A, B),
    "grad": lambda f: grad(f)(A[0], B[0]),
    "grad of one": lambda f: grad(f, 1)(A[0], B[0]),
    "vmap": lambda f: vmap(f)(A, B),
    "vmap of the first": lambda f: vmap(f, (0, None))(A, B[0]),
    "vmap of the second": lambda f: vmap(f, (None, 0))(A[0], B),
    "vmap of neither": lambda f: vmap(lambda x: f(A[0], B[0]) + x)(A),
    "vmap of last axes": lambda f: vmap(f, (1, 1))(torch.outer(B, A), torch.outer(A, B)),
    "vmap of one": lambda f: vmap(f)(A[:1], B[:1]),
    "vmap(vmap)": lambda f: vmap(vmap(f, (0, None)), (None, 0))(A, B),
    "vmap(grad)": lambda f: vmap(grad(f), (None, 0))(A[0], B),
    "grad(vmap)": lambda f: grad(lambda a: vmap(f, (None, 0))(a, B).prod())(A[0]),
    "jacrev": lambda f: jacrev(f)(A[0], B[0]),
    "jacrev of many": lambda f: jacrev(f, 1)(A, B),
    "jvp": lambda f: jvp(f, (A, B), (B, A))[1],
    "jvp of one": lambda f: jvp(lambda a: f(a, B), (A,), (B,))[1],
    "jacfwd": lambda f: jacfwd(f, 1)(A[0], B),
    "hessian": lambda f: hessian(lambda b: f(A, b).sum())(B),
    "jvp(grad)": lambda f: jvp(lambda b: grad(f, 1)(A[0], b), (B[0],), (B[1],))[1],
    "grad(jvp)": lambda f: grad(lambda b: jvp(lambda a: f(a, b), (A[0],), (A[1],))[1])(B[0]),
    "grad(grad)": lambda f: grad(lambda b: grad(f, 1)(A[0], b))(B[0]),
    "vmap(hessian)": lambda f: vmap(hessian(f, 1), (0, 0))(A, B),
    "jacrev(vmap(jacrev))": lambda f: jacrev(lambda b: vmap(jacrev(f), (0, None))(A, b))(B[0]),
}


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_rules_are_met_as_torch_would(transform):
    assert_close(transform(mixed(Wave.apply)), transform(mixed(plain)), n_gates=8)


@pytest.mark.parametrize("name", ["grad", "jvp", "hessian", "vmap(grad)"])
def test_a_wrong_rule_shows(name):
    def wrong(*args):
        return plain(args[0], args[1], args[2])[0] + 1e-6 * args[1] * args[2], args[2] * args[2]

    with pytest.raises(AssertionError, match="deviation"):
        assert_close(TRANSFORMS[name](mixed(wrong)), TRANSFORMS[name](mixed(Wave.apply)), n_gates=8)


def test_torchs_own_backward():
    a, b = (x.clone().requires_grad_() for x in (A, B))
    mixed(Wave.apply)(a, b).sum().backward()
    expected = grad(lambda a, b: mixed(plain)(a, b).sum(), (0, 1))(A, B)
    assert_close(a.grad, expected[0], n_gates=8)
    assert_close(b.grad, expected[1], n_gates=8)


def test_a_pullback_outlives_its_level():
    _, pull = vjp(lambda b: mixed(Wave.apply)(A, b), B)
    assert_close(pull(A)[0], vjp(lambda b: mixed(plain)(A, b), B)[1](A)[0], n_gates=8)


def test_reverse_mode_may_be_off_outside():
    with torch.no_grad():
        assert_close(
            TRANSFORMS["grad"](mixed(Wave.apply)), TRANSFORMS["grad"](mixed(plain)), n_gates=8
        )


class Broken(Wave):
    @staticmethod
    def forward(sign, a, b):
        raise ZeroDivisionError


@pytest.mark.parametrize("name", ["grad", "jvp", "vmap", "vmap(grad)", "hessian"])
def test_a_failure_leaves_no_level_behind(name):
    seen = []

    def watched(a, b):
        before = forward_mode_levels()
        with pytest.raises(ZeroDivisionError):
            Broken.apply(1.0, a, b)
        seen.append((before, forward_mode_levels()))
        return mixed(plain)(a, b)

    assert_close(TRANSFORMS[name](watched), TRANSFORMS[name](mixed(plain)), n_gates=8)
    assert all(before == after for before, after in seen)
    assert not is_within_transform()


def test_a_forward_rule_is_asked_for():
    class Without(Wave):
        push = Primitive.push

    with pytest.raises(NotImplementedError):
        jvp(lambda a: Without.apply(1.0, a, B)[0], (A,), (B,))
