"""Which of `torch.func`'s transforms a function supports, and whether they are right, by tests.

    test_energy = transform_laws(energy, (theta, x))
    print(transform_table(energy, (theta, x)))

A transform *holds* if it agrees with the loop or with finite differences. It may be *refused*, with
an error that says what to do instead. Anything else, above all a wrong number, fails. Complex
arguments are differentiated as pairs of real numbers, and by `vjp` and `jvp` as they are.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from quilt_func._checks import a_kind, message
from quilt_func._torch import tree_flatten
from quilt_func.testing._law import Law, LawError
from quilt_func.testing._transform_case import NotApplicableError, Subject
from quilt_func.testing._transform_laws import TRANSFORM_LAWS as TRANSFORM_LAWS

HOLDS, REFUSED, NOT_APPLICABLE = "holds", "refused", "not applicable"

_REMEDY = re.compile(r"but .+\. [A-Z`].+", re.DOTALL)
"""What is wrong, and then a sentence that says what to do instead."""


class TransformTable(dict[str, str]):
    """Verdicts by transform: `holds`, `refused: ...` or `not applicable`; prints as a table."""

    def __str__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:<{width}}  {verdict}" for name, verdict in self.items())


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
        >>> import torch
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
    subject = Subject(fn, tuple(leaves), structure, scale)
    return TransformTable({name: _verdict(TRANSFORM_LAWS[name], subject) for name in names})


def _verdict(one: Law, subject: Subject) -> str:
    try:
        one.check(subject.fn, subject)
    except NotApplicableError:
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
    """Make the test that a function supports the transforms at some arguments.

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
        >>> import torch
        >>> theta = torch.tensor(0.5, dtype=torch.float64)
        >>> test_turn = transform_laws(lambda t: probs(circuit(1, ry(t, 0))()), (theta,))
        >>> test_turn()
    """

    def test_transforms() -> None:
        transform_table(fn, args, only=only, scale=scale)

    test_transforms.__doc__ = f"Transforms of {fn!r}."
    return test_transforms
