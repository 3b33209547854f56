"""Signs `(-1)^(b·z)` of bit strings, and the transform that sums with them.

References:
    Fino and Algazi (1976), IEEE Trans. Comput. C-25, 1142.
"""

from collections.abc import Iterable
from functools import reduce
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Values = TypeVar("Values", Tensor, NDArray[np.float64])


def sign_table(masks: Iterable[Iterable[bool]]) -> NDArray[np.int64]:
    """Signs `(-1)^(b·z)`, one row for each mask `z`, one column for each basis state `b`."""
    signs = (([1, -1] if is_set else [1, 1] for is_set in mask) for mask in masks)
    return np.stack([reduce(np.kron, row, np.ones(1, dtype=np.int64)) for row in signs])


def walsh_transform(values: Values) -> Values:
    """Sums of all entries with the signs of each mask, `(2**n,)`, one wire at a time."""
    stack: Any = torch.stack if isinstance(values, Tensor) else np.stack
    for wire in range(values.shape[0].bit_length() - 1):
        pairs = values.reshape(2**wire, 2, -1)
        parts = pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]
        values = stack(parts, 1).reshape(-1)
    return values
