"""Primitives under transforms, against the same function in plain torch calls, by both routes."""

from dataclasses import dataclass, replace

import pytest
import torch
from oracles.compare import assert_close
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

from quilt_func._torch.levels import forward_mode_levels, is_within_transform
from quilt_func._torch.primitive import Primitive

pytestmark = pytest.mark.usefixtures("each_route")
F64 = torch.float64


@dataclass(frozen=True)
class Sign:
    """A sign, and whether `b` has the axis of each level that is mapped over."""

    sign: float
    has_b: tuple[bool, ...] = ()

    def mapped(self, dims, size):
        assert size == 3, "a batch of one is no batch"
        return replace(self, has_b=(dims[1] is not None, *self.has_b))

    def of_b(self, tensor):
        return tensor.squeeze([axis for axis, has_b in enumerate(self.has_b) if not has_b])


class Wave(Primitive):
    """`a sin b` and `b²`, the second without the axes that `b` lacks."""

    @staticmethod
    def forward(static, a, b):
        hash(static)
        assert torch.compiler.is_compiling() or not is_within_transform()
        return static.sign * a * b.sin(), static.of_b(b * b)

    @staticmethod
    def backward(ctx, by_wave, by_square):
        a, b = ctx.saved_tensors
        of_a, of_b = Primitive.wanted(ctx)
        by_b = (ctx.static.sign * by_wave * a * b.cos()).sum_to_size(b.shape)
        return (
            ctx.static.sign * by_wave * b.sin() if of_a else None,
            by_b + 2 * b * by_square.reshape(b.shape) if of_b else None,
        )

    @classmethod
    def push(cls, static, values, tangents):
        (a, b), (by_a, by_b) = values, tangents
        of_wave = torch.zeros_like(a * b)
        if by_a is not None:
            of_wave = of_wave + static.sign * by_a * b.sin()
        if by_b is not None:
            of_wave = of_wave + static.sign * by_b * a * b.cos()
        square = torch.zeros_like(b) if by_b is None else 2 * b * by_b
        return cls.apply(static, a, b), (of_wave, static.of_b(square))

    @staticmethod
    def batch_first(tensor, dim):
        return tensor[None] if dim is None else tensor.movedim(dim, 0)

    @staticmethod
    def result_dims(dims, n_results):
        assert n_results == 2
        return 0, None if dims[1] is None else 0


class Product(Primitive):
    """`a b`, of which `b` may be None."""

    batch_first = staticmethod(Wave.batch_first)

    @staticmethod
    def forward(static, a, b):
        return static.sign * a if b is None else static.sign * a * b

    @staticmethod
    def backward(ctx, gradient):
        a, b = ctx.saved_tensors
        by_a = ctx.static.sign * gradient
        return by_a if b is None else by_a * b, None if b is None else by_a * a

    @classmethod
    def push(cls, static, values, tangents):
        a, b = values
        parts = [] if tangents[0] is None else [cls.apply(static, tangents[0], b)]
        parts += [] if tangents[1] is None else [cls.apply(static, a, tangents[1])]
        return cls.apply(static, a, b), sum(parts)


def plain(static, a, b):
    return static.sign * a * b.sin(), b * b


def mixed(run):
    def f(a, b):
        wave, square = run(Sign(2.0), a, b)
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
    def wrong(static, a, b):
        return plain(static, a, b)[0] + 1e-6 * a * b, b * b

    with pytest.raises(AssertionError, match="deviation"):
        assert_close(TRANSFORMS[name](mixed(wrong)), TRANSFORMS[name](mixed(Wave.apply)), n_gates=8)


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
@pytest.mark.parametrize("has_b", [True, False])
def test_tensors_may_be_missing(transform, has_b):
    def function(a, b):
        return Product.apply(Sign(3.0), a, b if has_b else None) + b

    expected = transform(lambda a, b: 3.0 * a * b + b if has_b else 3.0 * a + b)
    assert_close(transform(function), expected, n_gates=8)


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
    def forward(static, a, b):
        raise ZeroDivisionError


@pytest.mark.parametrize("name", ["grad", "jvp", "vmap", "vmap(grad)", "hessian"])
def test_a_failure_leaves_no_level_behind(name):
    seen = []

    def watched(a, b):
        before = forward_mode_levels()
        with pytest.raises(ZeroDivisionError):
            Broken.apply(Sign(1.0), a, b)
        seen.append((before, forward_mode_levels()))
        return mixed(plain)(a, b)

    assert_close(TRANSFORMS[name](watched), TRANSFORMS[name](mixed(plain)), n_gates=8)
    assert all(before == after for before, after in seen)
    assert not is_within_transform()


def test_a_forward_rule_is_asked_for():
    class Without(Wave):
        push = Primitive.push

    with pytest.raises(NotImplementedError):
        jvp(lambda a: Without.apply(Sign(1.0), a, B)[0], (A,), (B,))
