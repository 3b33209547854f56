"""The laws of the transform contract: one for each transform or nesting, `dtype` and `jit`."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

from quilt_func.replay import jit
from quilt_func.testing._law import DIFFERENCES, Law, equal, law, same
from quilt_func.testing._transform_case import (
    NotApplicableError,
    Subject,
    bounds,
    difference,
    is_numeric,
    points_near,
    real_numbers,
    waves,
)
from quilt_func.testing.tolerances import tolerance

TRANSFORM_LAWS: dict[str, Law] = {}
"""The laws of `transform_laws`, by name: one for each transform or nesting, and `dtype`."""


@law(
    TRANSFORM_LAWS,
    statement="`vmap(f)` of a batch equals the loop.",
    cause="values read inside (`float(x)`, `.item()`, numpy), or a batch axis by hand.",
)
def _vmap(fn: Any, subject: Subject) -> None:
    """Over all tensors at once."""
    del fn
    tensors = [i for i, leaf in enumerate(subject.leaves) if isinstance(leaf, Tensor)]
    if not tensors:
        raise NotApplicableError
    moved = [subject.apart(v) for v in points_near(subject.point())] if subject.moving else [{}, {}]
    rows = [{i: own.get(i, subject.leaves[i]) for i in tensors} for own in moved]
    stacked = [torch.stack([row[i] for row in rows]) for i in tensors]

    def at(*leaves: Tensor) -> tuple[Tensor, ...]:
        return tuple(subject.with_leaves(dict(zip(tensors, leaves, strict=True))))

    mapped = vmap(at)(*stacked)
    looped = [at(*(row[i] for i in tensors)) for row in rows]
    for found, alone in zip(mapped, zip(*looped, strict=True), strict=True):
        expected = torch.stack(alone)
        same(found.dtype, expected.dtype, "the dtype")
        bound = 0.0
        if is_numeric(expected):
            size = subject.scale * (1.0 + float(expected.detach().abs().sum()))
            bound = tolerance(expected.dtype, 4096, size)
        equal(found, expected, bound, "the batch")


def _slope(
    name: str, statement: str, order: int, transform: Callable[[Subject, Tensor, Tensor], Tensor]
) -> None:
    """Add a transform whose result, along a direction, is a finite difference."""

    def check(fn: Any, subject: Subject) -> None:
        del fn
        point = subject.point()
        along = waves(point, 0.9)
        found = transform(subject, point, along)
        lower = grad(subject.number) if order == 2 else subject.number
        expected = difference(lower, point, along)
        if order == 2:
            expected = expected @ along
        equal(found, expected, bounds(subject, order)[0], f"`{name}`", DIFFERENCES)

    TRANSFORM_LAWS[name] = Law(name, statement, _CAUSES[order], check)


_CAUSES = {
    1: "an input detached on the way, or a derivative by hand with a wrong factor or sign.",
    2: "a derivative by hand that has no derivative of its own.",
}


def _along_vjp(subject: Subject, point: Tensor, along: Tensor) -> Tensor:
    """The pull-back of the arguments as they are, complex ones too."""
    moving, given = subject.moving, subject.apart(point)
    weights = waves(subject.values(point), 0.3)

    def values(*leaves: Tensor) -> Tensor:
        found = subject.with_leaves(dict(zip(moving, leaves, strict=True)))
        return torch.cat([real_numbers(leaf) for leaf in found if is_numeric(leaf)])

    slopes = vjp(values, *(given[i] for i in moving))[1](weights)
    return torch.cat([real_numbers(slope) for slope in slopes]) @ along


def _along_jvp(subject: Subject, point: Tensor, along: Tensor) -> Tensor:
    """The push-forward of the arguments as they are, complex ones too."""
    moving, given, tangents = subject.moving, subject.apart(point), subject.apart(along)

    def values(*leaves: Tensor) -> Tensor:
        found = subject.with_leaves(dict(zip(moving, leaves, strict=True)))
        return torch.cat([real_numbers(leaf) for leaf in found if is_numeric(leaf)])

    pairs = tuple(given[i] for i in moving), tuple(tangents[i] for i in moving)
    pushed: Tensor = jvp(values, *pairs)[1]
    return pushed @ waves(pushed, 0.3)


def _by_rows(transform: Any) -> Callable[[Subject, Tensor, Tensor], Tensor]:
    """A Jacobian, seen along the weights and the direction."""

    def along_both(subject: Subject, point: Tensor, along: Tensor) -> Tensor:
        matrix = transform(subject.values)(point)
        found: Tensor = waves(matrix, 0.3) @ matrix @ along
        return found

    return along_both


def _curvature(transform: Any) -> Callable[[Subject, Tensor, Tensor], Tensor]:
    def along_twice(subject: Subject, point: Tensor, along: Tensor) -> Tensor:
        found: Tensor = along @ transform(subject.number)(point) @ along
        return found

    return along_twice


_slope("grad", "`grad` is the finite difference.", 1, lambda f, p, d: grad(f.number)(p) @ d)
_slope("vjp", "`vjp` of the arguments as they are gives the finite difference.", 1, _along_vjp)
_slope("jvp", "`jvp` of the arguments as they are gives the finite difference.", 1, _along_jvp)
_slope("jacrev", "`jacrev` is the finite difference.", 1, _by_rows(jacrev))
_slope("jacfwd", "`jacfwd` is the finite difference.", 1, _by_rows(jacfwd))
_slope("hessian", "`hessian` is the finite difference of `grad`.", 2, _curvature(hessian))
_slope(
    "jvp(grad)",
    "`jvp` of `grad` is its finite difference.",
    2,
    lambda f, p, d: jvp(grad(f.number), (p,), (d,))[1] @ d,
)
_slope(
    "jacfwd(jacfwd)",
    "`jacfwd` of `jacfwd` is the finite difference of `grad`.",
    2,
    _curvature(lambda f: jacfwd(jacfwd(f))),
)


def _mapped(name: str, order: int, both: Callable[[Any], tuple[Any, Any]]) -> None:
    """Add a nesting with `vmap`, which equals the loop over plain derivatives."""

    def check(fn: Any, subject: Subject) -> None:
        del fn
        batch = points_near(subject.point())
        nested, plain = both(subject.number)
        expected = torch.stack([plain(point) for point in batch])
        equal(nested(batch), expected, bounds(subject, order)[1], f"`{name}`")

    statement = f"`{name}` equals the loop."
    TRANSFORM_LAWS[name] = Law(name, statement, "a rule for `vmap` that mixes samples.", check)


_mapped("vmap(grad)", 1, lambda f: (vmap(grad(f)), grad(f)))
_mapped("grad(vmap)", 1, lambda f: (grad(lambda batch: vmap(f)(batch).sum()), grad(f)))
_mapped("vmap(vmap(grad))", 1, lambda f: (lambda b: vmap(vmap(grad(f)))(b[:, None])[:, 0], grad(f)))
_mapped("vmap(hessian)", 2, lambda f: (vmap(hessian(f)), hessian(f)))


@law(
    TRANSFORM_LAWS,
    statement="float32 in, float32 out, in values, tangents and gradients; float64 likewise.",
    cause="`1j * x`, whose tangent is complex128, or a constant made without a dtype.",
)
def dtype(fn: Any, subject: Subject) -> None:
    """Both precisions of the arguments."""
    point = subject.point()
    for real in (torch.float32, torch.float64):
        leaves = tuple(_cast(leaf, real) if is_numeric(leaf) else leaf for leaf in subject.leaves)
        there = Subject(fn, leaves, subject.structure, subject.scale)
        found = {leaf.dtype.to_real() for leaf in there.with_leaves({}) if is_numeric(leaf)}
        if not found:
            raise NotApplicableError
        same(found, {real}, f"the precisions of values of {real}")
        same(grad(there.number)(point.to(real)).dtype, real, "the gradient's dtype")
        pushed = jvp(there.values, (point.to(real),), (torch.ones_like(point, dtype=real),))[1]
        same(pushed.dtype, real, "the tangent's dtype")


@law(
    TRANSFORM_LAWS,
    statement="`jit(f)` equals `f` at other values too, and its results are its own.",
    cause="values read in Python, a tensor kept from an earlier call, or a change in place.",
)
def _jit(fn: Any, subject: Subject) -> None:
    """Values at several points, spoilt between the calls, and gradients by ordinary autograd."""
    del fn
    if not any(isinstance(leaf, Tensor) for leaf in subject.leaves):
        raise NotApplicableError
    batch = points_near(subject.point()) if subject.moving else [None, None]
    replayed = jit(lambda leaves: subject.with_leaves(dict(enumerate(leaves))))
    for point in batch:
        leaves = list(subject.leaves)
        for i, leaf in ({} if point is None else subject.apart(point)).items():
            leaves[i] = leaf
        expected = subject.with_leaves(dict(enumerate(leaves)))
        given = [leaf.clone() if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        for found, value in zip(replayed(given), expected, strict=True):
            same(found.dtype, value.dtype, "the dtype")
            equal(found, value, _rounding(value, subject.scale), "the replay")
            found.zero_()
        same(_all_equal(given, leaves), True, "that arguments are left alone")


def _rounding(value: Tensor, scale: float) -> float:
    if not is_numeric(value):
        return 0.0
    return tolerance(value.dtype, 4096, scale * (1.0 + float(value.detach().abs().sum())))


def _all_equal(given: Iterable[Any], leaves: Iterable[Any]) -> bool:
    pairs = zip(given, leaves, strict=True)
    return all(torch.equal(a, b) for a, b in pairs if isinstance(a, Tensor))


def _replayed(
    name: str, order: int, transform: Callable[[Callable[[Tensor], Tensor]], Any], is_leaf: bool
) -> None:
    """Add a transform within a jitted function, which equals the transform alone."""

    def check(fn: Any, subject: Subject) -> None:
        del fn
        derivative = transform(subject.number)
        replayed = jit(subject.number if is_leaf else derivative)
        for point in points_near(subject.point()):
            if is_leaf:
                leaf = point.clone().requires_grad_()
                (found,) = torch.autograd.grad(replayed(leaf), leaf)
            else:
                found = replayed(point)
            equal(found, derivative(point), bounds(subject, order)[1], f"`{name}`")

    statement = f"`{name}` equals the derivative that is not replayed."
    cause = "a value that the trace has kept, such as a tensor made into a number."
    TRANSFORM_LAWS[name] = Law(name, statement, cause, check)


_replayed("backward through jit", 1, grad, is_leaf=True)
_replayed(
    "jit(vmap(grad))",
    1,
    lambda f: lambda p: vmap(grad(f))(torch.stack([p, 0.9 * p])),
    is_leaf=False,
)
_replayed("jit(hessian)", 2, hessian, is_leaf=False)


def _cast(leaf: Tensor, real: torch.dtype) -> Tensor:
    return leaf.to(real.to_complex() if leaf.is_complex() else real)
