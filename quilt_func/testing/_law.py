"""What a law is: a statement that is checked at drawn cases, and teaches on failure.

A new family of laws is a table `name -> Law` filled by the decorator `law(table, ...)`, a case to
draw, and a public function in `laws.py` that returns `law_test(subject, table, cases, only)`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor


class LawError(AssertionError):
    """A subject breaks a law: the message names both, the case, the deviation and likely causes.

    Examples:
        >>> import quilt_func as qf
        >>> from quilt_func.testing import rewrite_laws
        >>> try:
        ...     rewrite_laws(lambda circuit: circuit.repeat(2), only=["meaning"])()
        ... except LawError as error:
        ...     print(str(error).splitlines()[-2].strip())
        Law: the rewritten circuit is the circuit, up to a global phase.
    """


class _DeviationError(AssertionError):
    """Two values that should agree do not."""


@dataclass(frozen=True)
class Law:
    """One law.

    Attributes:
        name: Name in messages and in `only`.
        statement: What holds for every case.
        cause: The usual cause of a failure.
        check: Function of the subject and a case that raises where the law fails.
    """

    name: str
    statement: str
    cause: str
    check: Callable[[Any, Any], None]

    def __call__(self, subject: Any, case: Any) -> None:
        """Check the subject at a case.

        Raises:
            LawError: If the law fails, or its check raises.
        """
        try:
            self.check(subject, case)
        except Exception as error:
            found = (
                str(error)
                if isinstance(error, _DeviationError)
                else f"{type(error).__name__}: {error}"
            )
            raise LawError(
                f"law `{self.name}` fails for {subject!r} at {case}: {found}\n"
                f"  Law: {self.statement}\n  Usual cause: {self.cause}"
            ) from error


def law(
    table: dict[str, Law], *, statement: str, cause: str
) -> Callable[[Callable[[Any, Any], None]], Callable[[Any, Any], None]]:
    """Add a check to a table of laws, under the function's name."""

    def decorate(check: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        name = check.__name__.strip("_")
        table[name] = Law(name, statement, cause, check)
        return check

    return decorate


def law_test(
    subject: Any,
    table: Mapping[str, Law],
    cases: st.SearchStrategy[Any],
    only: Iterable[str] | None,
    profile: settings | None,
) -> Callable[[], None]:
    """Make a test function that checks all laws of a table, or some, at drawn cases."""
    names = tuple(table) if only is None else tuple(only)
    unknown = [name for name in names if name not in table]
    if unknown:
        raise ValueError(f"only={names}: there are no laws {unknown}. Choose from {list(table)}.")

    @settings(profile, deadline=None)  # the first call of a transform takes torch a second
    @given(case=cases)
    def test_laws(case: Any) -> None:
        _check_all([table[name] for name in names], subject, case)

    test_laws.__doc__ = f"Laws of {subject!r}: {', '.join(names)}."
    return test_laws


def _check_all(laws: Iterable[Law], subject: Any, case: Any) -> None:
    errors = []
    for one in laws:
        try:
            one(subject, case)
        except LawError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise LawError("\n".join(map(str, errors))) from errors[0]


ROUNDING = "rounding: 8 eps √steps × size"
"""Where most tolerances come from: `quilt_func.testing.tolerance`."""
DIFFERENCES = "central differences: 16 eps^(2/3) × size"
"""Where those of finite differences come from: `quilt_func.testing.fd_tolerance`."""


def equal(got: Any, expected: Any, tolerance: float, what: str, source: str = ROUNDING) -> None:
    """Check that two arrays of one shape agree up to a tolerance, and tell where it comes from."""
    a, b = array(got), array(expected)
    if a.shape != b.shape:
        raise _DeviationError(f"{what} has shape {a.shape} instead of {b.shape}.")
    deviation = float(np.abs(a - b).max(initial=0.0))
    if not deviation <= tolerance:  # also where it is not a number
        raise _DeviationError(
            f"{what} deviates by {deviation:.3g}, tolerance {tolerance:.3g} ({source})."
        )


def same(got: object, expected: object, what: str) -> None:
    """Check that two plain values are equal."""
    if got != expected:
        raise _DeviationError(f"{what} is {got} instead of {expected}.")


def up_to_phase(got: Any, expected: Any) -> Any:
    """Turn an array's global phase to another's, where the other is largest."""
    a, b = array(got), array(expected)
    if a.shape != b.shape or not b.size:
        return a
    at = np.unravel_index(np.abs(b).argmax(), b.shape)
    ratio = b[at] * np.conj(a[at])
    return a * (ratio / abs(ratio)) if abs(ratio) else a


def array(value: Any) -> Any:
    """A tensor as an array, without its graph; anything else as numpy takes it."""
    if not isinstance(value, Tensor):
        return np.asarray(value)
    return value.detach().resolve_conj().resolve_neg().cpu().numpy()
