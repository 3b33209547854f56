"""The transform contract of a function, checked: which of `torch.func`'s transforms it supports.

    test_energy = transform_laws(energy, (theta, x))
    print(transform_table(energy, (theta, x)))

A transform *holds* if it agrees with the loop or with finite differences. It may be *refused*, with
an error that says what to do instead. Anything else, above all a wrong number, fails. Complex
arguments are differentiated as pairs of real numbers, and by `vjp` and `jvp` as they are.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

from quilt_func._checks import a_kind, message
from quilt_func._torch import tree_flatten, tree_leaves, tree_unflatten, unconjugated
from quilt_func.replay import jit
from quilt_func.testing._law import DIFFERENCES, Law, LawError, equal, law, same
from quilt_func.testing.tolerances import fd_tolerance, tolerance

TRANSFORM_LAWS: dict[str, Law] = {}
"""The laws of `transform_laws`, by name: one for each transform or nesting, and `dtype`."""

HOLDS, REFUSED, NOT_APPLICABLE = "holds", "refused", "not applicable"

_REMEDY = re.compile(r"but .+\. [A-Z`].+", re.DOTALL)
"""What is wrong, and then a sentence that says what to do instead."""


class _NotApplicableError(Exception):
    """The function has no numbers to differentiate, or no tensors to map over."""


class TransformTable(dict[str, str]):
    """Verdicts by transform: `holds`, `refused: ...` or `not applicable`; prints as a table."""

    def __str__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:<{width}}  {verdict}" for name, verdict in self.items())


@dataclass(frozen=True, eq=False)
class _Subject:
    """A function of some tensors, seen as one of a single real vector.

    Attributes:
        fn: The function.
        leaves: All leaves of its arguments.
        structure: How they make the arguments.
        scale: Size of its third derivatives.
    """

    fn: Callable[..., Any]
    leaves: tuple[Any, ...]
    structure: Any
    scale: float

    @property
    def moving(self) -> list[int]:
        """Which leaves hold real or complex numbers."""
        return [i for i, leaf in enumerate(self.leaves) if _is_number(leaf)]

    def point(self) -> Tensor:
        """The real vector of all these numbers."""
        if not self.moving:
            raise _NotApplicableError
        return torch.cat([_real(self.leaves[i]) for i in self.moving])

    def with_leaves(self, found: dict[int, Any]) -> list[Tensor]:
        """The tensors of the value at other leaves."""
        leaves = [found.get(i, leaf) for i, leaf in enumerate(self.leaves)]
        value = self.fn(*tree_unflatten(leaves, self.structure))
        return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]

    def apart(self, vector: Tensor) -> dict[int, Tensor]:
        """The leaves that a real vector stands for."""
        found, start = {}, 0
        for i in self.moving:
            leaf = self.leaves[i]
            size = leaf.numel() * (2 if leaf.is_complex() else 1)
            part = vector[start : start + size]
            if leaf.is_complex():
                part = torch.complex(*part.reshape(-1, 2).unbind(-1))
            found[i], start = part.reshape(leaf.shape), start + size
        return found

    def values(self, vector: Tensor) -> Tensor:
        """All real numbers of the value."""
        tensors = [leaf for leaf in self.with_leaves(self.apart(vector)) if _is_number(leaf)]
        if not tensors:
            raise _NotApplicableError
        return torch.cat([_real(leaf) for leaf in tensors])

    def number(self, vector: Tensor) -> Tensor:
        """One number that depends on all of these."""
        found = self.values(vector)
        weighed: Tensor = found @ _waves(found, 0.3)
        return weighed


def _is_number(leaf: object) -> bool:
    return isinstance(leaf, Tensor) and (leaf.is_floating_point() or leaf.is_complex())


def _real(leaf: Tensor) -> Tensor:
    """All numbers in a row; no view, whose gradient would have to start at an even place."""
    if not leaf.is_complex():
        return leaf.reshape(-1)
    plain = unconjugated(leaf)
    return torch.stack([plain.real, plain.imag], -1).reshape(-1)


def _waves(like: Tensor, phase: float) -> Tensor:
    """Fixed weights of all sizes in (-1, 1), of a vector's length."""
    steps = torch.arange(like.shape[0], dtype=like.dtype, device=like.device)
    return (1.7 * steps + phase).cos()


def _batch(vector: Tensor) -> Tensor:
    """Three points nearby; none leaves [0, 1) that was in it."""
    steps = [0.0, 0.05, 0.1]
    return torch.stack([vector * (1 - by * (1 + _waves(vector, by)) / 2) for by in steps])


def _bounds(subject: _Subject, order: int) -> tuple[float, float]:
    """Tolerances against finite differences, and against other transforms."""
    point = subject.point()
    size = (1.0 + float(subject.values(point).detach().abs().sum())) * subject.scale
    size *= (1.0 + point.numel() ** 0.5) ** order  # of the direction
    return fd_tolerance(point.dtype, size), tolerance(point.dtype, 4096, size)


def _difference(f: Callable[[Tensor], Tensor], point: Tensor, along: Tensor) -> Tensor:
    step = torch.finfo(point.dtype).eps ** (1 / 3)
    change = f(point + step * along) - f(point - step * along)
    slope: Tensor = change.detach() / (2 * step)
    return slope


@law(
    TRANSFORM_LAWS,
    statement="`vmap(f)` of a batch equals the loop.",
    cause="values read inside (`float(x)`, `.item()`, numpy), or a batch axis by hand.",
)
def _vmap(fn: Any, subject: _Subject) -> None:
    """Over all tensors at once."""
    del fn
    tensors = [i for i, leaf in enumerate(subject.leaves) if isinstance(leaf, Tensor)]
    if not tensors:
        raise _NotApplicableError
    moved = [subject.apart(v) for v in _batch(subject.point())] if subject.moving else [{}, {}]
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
        if _is_number(expected):
            size = subject.scale * (1.0 + float(expected.detach().abs().sum()))
            bound = tolerance(expected.dtype, 4096, size)
        equal(found, expected, bound, "the batch")


def _slope(
    name: str, statement: str, order: int, transform: Callable[[_Subject, Tensor, Tensor], Tensor]
) -> None:
    """Add a transform whose result, along a direction, is a finite difference."""

    def check(fn: Any, subject: _Subject) -> None:
        del fn
        point = subject.point()
        along = _waves(point, 0.9)
        found = transform(subject, point, along)
        lower = grad(subject.number) if order == 2 else subject.number
        expected = _difference(lower, point, along)
        if order == 2:
            expected = expected @ along
        equal(found, expected, _bounds(subject, order)[0], f"`{name}`", DIFFERENCES)

    TRANSFORM_LAWS[name] = Law(name, statement, _CAUSES[order], check)


_CAUSES = {
    1: "an input detached on the way, or a derivative by hand with a wrong factor or sign.",
    2: "a derivative by hand that has no derivative of its own.",
}


def _along_vjp(subject: _Subject, point: Tensor, along: Tensor) -> Tensor:
    """The pull-back of the arguments as they are, complex ones too."""
    moving, given = subject.moving, subject.apart(point)
    weights = _waves(subject.values(point), 0.3)

    def values(*leaves: Tensor) -> Tensor:
        found = subject.with_leaves(dict(zip(moving, leaves, strict=True)))
        return torch.cat([_real(leaf) for leaf in found if _is_number(leaf)])

    slopes = vjp(values, *(given[i] for i in moving))[1](weights)
    return torch.cat([_real(slope) for slope in slopes]) @ along


def _along_jvp(subject: _Subject, point: Tensor, along: Tensor) -> Tensor:
    """The push-forward of the arguments as they are, complex ones too."""
    moving, given, tangents = subject.moving, subject.apart(point), subject.apart(along)

    def values(*leaves: Tensor) -> Tensor:
        found = subject.with_leaves(dict(zip(moving, leaves, strict=True)))
        return torch.cat([_real(leaf) for leaf in found if _is_number(leaf)])

    pairs = tuple(given[i] for i in moving), tuple(tangents[i] for i in moving)
    pushed: Tensor = jvp(values, *pairs)[1]
    return pushed @ _waves(pushed, 0.3)


def _by_rows(transform: Any) -> Callable[[_Subject, Tensor, Tensor], Tensor]:
    """A Jacobian, seen along the weights and the direction."""

    def along_both(subject: _Subject, point: Tensor, along: Tensor) -> Tensor:
        matrix = transform(subject.values)(point)
        found: Tensor = _waves(matrix, 0.3) @ matrix @ along
        return found

    return along_both


def _curvature(transform: Any) -> Callable[[_Subject, Tensor, Tensor], Tensor]:
    def along_twice(subject: _Subject, point: Tensor, along: Tensor) -> Tensor:
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

    def check(fn: Any, subject: _Subject) -> None:
        del fn
        batch = _batch(subject.point())
        nested, plain = both(subject.number)
        expected = torch.stack([plain(point) for point in batch])
        equal(nested(batch), expected, _bounds(subject, order)[1], f"`{name}`")

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
def dtype(fn: Any, subject: _Subject) -> None:
    """Both precisions of the arguments."""
    point = subject.point()
    for real in (torch.float32, torch.float64):
        leaves = tuple(_cast(leaf, real) if _is_number(leaf) else leaf for leaf in subject.leaves)
        there = _Subject(fn, leaves, subject.structure, subject.scale)
        found = {leaf.dtype.to_real() for leaf in there.with_leaves({}) if _is_number(leaf)}
        if not found:
            raise _NotApplicableError
        same(found, {real}, f"the precisions of values of {real}")
        same(grad(there.number)(point.to(real)).dtype, real, "the gradient's dtype")
        pushed = jvp(there.values, (point.to(real),), (torch.ones_like(point, dtype=real),))[1]
        same(pushed.dtype, real, "the tangent's dtype")


@law(
    TRANSFORM_LAWS,
    statement="`jit(f)` equals `f` at other values too, and its results are its own.",
    cause="values read in Python, a tensor kept from an earlier call, or a change in place.",
)
def _jit(fn: Any, subject: _Subject) -> None:
    """Values at several points, spoilt between the calls, and gradients by ordinary autograd."""
    del fn
    if not any(isinstance(leaf, Tensor) for leaf in subject.leaves):
        raise _NotApplicableError
    batch = _batch(subject.point()) if subject.moving else [None, None]
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
    if not _is_number(value):
        return 0.0
    return tolerance(value.dtype, 4096, scale * (1.0 + float(value.detach().abs().sum())))


def _all_equal(given: Iterable[Any], leaves: Iterable[Any]) -> bool:
    pairs = zip(given, leaves, strict=True)
    return all(torch.equal(a, b) for a, b in pairs if isinstance(a, Tensor))


def _replayed(
    name: str, order: int, transform: Callable[[Callable[[Tensor], Tensor]], Any], is_leaf: bool
) -> None:
    """Add a transform within a jitted function, which equals the transform alone."""

    def check(fn: Any, subject: _Subject) -> None:
        del fn
        derivative = transform(subject.number)
        replayed = jit(subject.number if is_leaf else derivative)
        for point in _batch(subject.point()):
            if is_leaf:
                leaf = point.clone().requires_grad_()
                (found,) = torch.autograd.grad(replayed(leaf), leaf)
            else:
                found = replayed(point)
            equal(found, derivative(point), _bounds(subject, order)[1], f"`{name}`")

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


def transform_table(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    *,
    only: Iterable[str] | None = None,
    scale: float = 1.0,
) -> TransformTable:
    """Find out which transforms a function supports.

    Args:
        fn: Function of `args`, to any tree of tensors.
        args: Arguments: trees of tensors, of which all real and complex numbers are varied, and of
            anything else, which is kept.
        only: Names of transforms, from `TRANSFORM_LAWS`; default: all.
        scale: Size of the function's third derivatives, for the tolerance of finite differences.

    Returns:
        Verdicts by transform; printed, a table.

    Raises:
        TypeError: If `fn` can't be called, or `args` is not a tuple.
        ValueError: If there is no transform of a name.
        LawError: If a transform is wrong, or fails without saying what to do instead.

    Examples:
        >>> print(transform_table(lambda x: x.sin(), (torch.tensor(0.5).double(),), only=["grad"]))
        grad  holds
    """
    if not callable(fn):
        remedy, got = "Give the function itself.", a_kind(fn)
        raise TypeError(message("transform_table", "fn", fn, "be a function", got, remedy))
    if not isinstance(args, tuple):
        remedy, got = "Write `(x,)` for one argument.", a_kind(args)
        raise TypeError(message("transform_table", "args", args, "be a tuple", got, remedy))
    names = tuple(TRANSFORM_LAWS) if only is None else tuple(only)
    unknown = [name for name in names if name not in TRANSFORM_LAWS]
    if unknown:
        known = list(TRANSFORM_LAWS)
        raise ValueError(f"only={names}: there are no laws {unknown}. Choose from {known}.")
    leaves, structure = tree_flatten(args)
    subject = _Subject(fn, tuple(leaves), structure, scale)
    return TransformTable({name: _verdict(TRANSFORM_LAWS[name], subject) for name in names})


def _verdict(one: Law, subject: _Subject) -> str:
    try:
        one.check(subject.fn, subject)
    except _NotApplicableError:
        return NOT_APPLICABLE
    except Exception as error:
        is_refusal = isinstance(error, TypeError | ValueError) and _REMEDY.search(str(error))
        if is_refusal:
            return f"{REFUSED}: {error}"
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        raise LawError(
            f"law `{one.name}` fails for {subject.fn!r}: {kind}{error}\n"
            f"  Law: {one.statement}\n  Usual cause: {one.cause}"
        ) from error
    return HOLDS


def transform_laws(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    *,
    only: Iterable[str] | None = None,
    scale: float = 1.0,
) -> Callable[[], None]:
    """Make the test that a function keeps the transform contract at some arguments.

    Args:
        fn: Function of `args`, to any tree of tensors.
        args: Arguments, as for `transform_table`, which shows what holds and what is refused.
        only: Names of transforms, from `TRANSFORM_LAWS`; default: all.
        scale: Size of the function's third derivatives, for the tolerance of finite differences.

    Returns:
        A test function for pytest; it fails where a transform is wrong, or fails without saying
        what to do instead.

    Raises:
        TypeError: When called, if `fn` can't be called, or `args` is not a tuple.
        ValueError: When called, if there is no transform of a name.

    Examples:
        >>> from quilt_func import circuit, probs, ry
        >>> theta = torch.tensor(0.5, dtype=torch.float64)
        >>> test_turn = transform_laws(lambda t: probs(circuit(1, ry(t, 0))()), (theta,))
        >>> test_turn()
    """

    def test_transforms() -> None:
        transform_table(fn, args, only=only, scale=scale)

    test_transforms.__doc__ = f"Transforms of {fn!r}."
    return test_transforms
