"""What estimators are told, as the numbers and tensors that they work with."""

import math
import numbers
import operator
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import Tensor

from quilt_func._checks import (
    check_count,
    check_function,
    check_number,
    check_positive,
    describe,
    is_index,
    kind_error,
    message,
)
from quilt_func._torch import tree_leaves, tree_map
from quilt_func.optim import (
    GradientTransformation,
    Method,
    adam,
    adamw,
    lbfgs,
    rmsprop,
    sgd,
    with_line_search,
)
from quilt_func.typing import Device, PyTree

DTYPES = (np.float64, np.float32)
"""Precisions of tables; others are converted to the first."""
OPTIMISERS = {
    "adam": adam,
    "adamw": adamw,
    "rmsprop": rmsprop,
    "sgd": sgd,
    "lbfgs": lambda rate: with_line_search(lbfgs(rate)),
}
MAX_QUBITS = 10
"""Number of qubits that is taken of itself, at most."""


def seed_of(random_state: Any) -> int:
    """A seed: an int as it is; one that is drawn from a `RandomState`, or from numpy's for None."""
    if is_index(random_state) and not isinstance(random_state, bool):
        return operator.index(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def stream(seed: int, number: int) -> int:
    """The seed of other numbers than those of a seed, or of the seeds next to it."""
    return seed + (number << 40)


def whole(function: str, argument: str, value: Any, minimum: int = 1) -> int:
    """A count, of Python or numpy."""
    is_whole = is_index(value) and not isinstance(value, bool | Tensor)
    return check_count(function, argument, operator.index(value) if is_whole else value, minimum)


def real(
    function: str, argument: str, value: Any, high: float = math.inf, least: float | None = None
) -> float:
    """A positive number, or one from a least one on, of Python or numpy."""
    is_real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    number = float(value) if is_real else value
    check_number(function, argument, number, least or 0.0, high)
    if least is None:
        check_positive(function, argument, number, "Give a positive number.")
    return float(number)


def one_of(function: str, argument: str, value: Any, names: Any) -> Any:
    """A value that is among some."""
    if not any(value is name or value == name for name in names):
        remedy = f"Choose one of {', '.join(map(repr, names))}."
        need = "be a known name"
        raise ValueError(message(function, argument, value, need, describe(value), remedy))
    return value


def chosen_optimiser(function: str, optimiser: Any, rate: Any) -> GradientTransformation | Method:
    """An optimiser by its name, as it is, or by the function that makes one of a rate."""
    if isinstance(optimiser, GradientTransformation | Method):
        return optimiser
    if isinstance(optimiser, str):
        optimiser = OPTIMISERS[one_of(function, "optimiser", optimiser, tuple(OPTIMISERS))]
    check_function(function, "optimiser", optimiser)
    made = optimiser(real(function, "learning_rate", rate))
    if not isinstance(made, GradientTransformation | Method):
        need, remedy = "make an optimiser of a rate", "Give `quilt_func.optim.adam`, say."
        raise kind_error(function, "optimiser", made, need, remedy)
    return made


def tensor_of(table: Any, dtype: torch.dtype | None = None, device: Device = None) -> Tensor:
    """A tensor with memory of its own: tables may be read-only, or run backwards."""
    return torch.from_numpy(np.array(table, order="C")).to(device=device, dtype=dtype)


def cast(tree: PyTree, dtype: torch.dtype, device: Device = None) -> PyTree:
    """Parameters in the precision of the samples, apart from the given ones."""
    return tree_map(lambda leaf: leaf.detach().to(device=device, dtype=dtype, copy=True), tree)


def check_tree(function: str, argument: str, tree: PyTree) -> PyTree:
    """Check that parameters are a tree of real tensors, perhaps an empty one."""
    for leaf in tree_leaves(tree):
        if not isinstance(leaf, Tensor) or not leaf.is_floating_point():
            need, remedy = "be real tensors throughout", "Wrap numbers in `torch.tensor`."
            raise kind_error(function, argument, leaf, need, remedy)
    return tree
