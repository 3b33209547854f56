"""How the strategies refuse arguments: when an example is drawn, as hypothesis does."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from quilt_func._checks import COMPLEX_OF, REAL_OF, describe, is_index, message

P = ParamSpec("P")
T = TypeVar("T")


def lazily(
    function: Callable[P, st.SearchStrategy[T]],
) -> Callable[P, st.SearchStrategy[T]]:
    """Put off a strategy's making, and so its errors, until an example is drawn."""

    @wraps(function)
    def strategy(*args: P.args, **kwargs: P.kwargs) -> st.SearchStrategy[T]:
        return st.deferred(lambda: function(*args, **kwargs))

    return strategy


def require(
    holds: bool, function: str, argument: str, given: object, need: str, remedy: str
) -> None:
    """Raise hypothesis' error, in the house's form, where a requirement does not hold."""
    if not holds:
        raise InvalidArgument(message(function, argument, given, need, describe(given), remedy))


def check_count(function: str, argument: str, given: Any, minimum: int = 0) -> None:
    """Check a number of things."""
    is_count = is_index(given) and type(given) is not bool and given >= minimum
    need, remedy = f"be an int of at least {minimum}", f"Give {minimum} or more."
    require(is_count, function, argument, given, need, remedy)


def check_bounds(function: str, argument: str, least: Any, most: Any) -> None:
    """Check that an upper bound, called by its name, is not below the lower one."""
    require(most >= least, function, argument, most, f"be at least {least}", "Swap the bounds.")


def check_real(function: str, dtype: object) -> None:
    """Check the dtype of angles."""
    need, remedy = "be real", "Choose torch.float32 or torch.float64."
    require(dtype in COMPLEX_OF, function, "dtype", dtype, need, remedy)


def check_complex(function: str, dtype: object) -> None:
    """Check the dtype of states and matrices."""
    need, remedy = "be complex", "Choose torch.complex64 or torch.complex128."
    require(dtype in REAL_OF, function, "dtype", dtype, need, remedy)


def check_shape(function: str, shape: Any) -> tuple[int, ...]:
    """Check a shape, and write it as a tuple."""
    found = (shape,) if is_index(shape) else tuple(shape) if isinstance(shape, list | tuple) else ()
    is_shape = isinstance(shape, list | tuple) or is_index(shape)
    is_shape &= all(is_index(size) and type(size) is not bool and size >= 0 for size in found)
    remedy = "Give an int, or a tuple of ints, such as `(2, 3)`."
    require(is_shape, function, "shape", shape, "be a shape", remedy)
    return torch.Size(found)
