"""Signs `(-1)^(b·z)` of bit strings, and the transform that sums with them.

References:
    Fino and Algazi (1976), IEEE Trans. Comput. C-25, 1142.
"""

from collections.abc import Iterable
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Values = TypeVar("Values", Tensor, NDArray[np.float64])


def sign_table(masks: Iterable[Iterable[bool]]) -> NDArray[np.int64]:
    """Signs `(-1)^(b·z)`, one row for each mask `z`, one column for each basis state `b`."""
    rows = []
    for mask in masks:
        row = np.ones(1, dtype=np.int64)
        for is_set in mask:
            row = np.kron(row, [1, -1 if is_set else 1])
        rows.append(row)
    return np.stack(rows)


def walsh_transform(values: Values) -> Values:
    """Sums of all entries with the signs of each mask, `(2**n,)`, one wire at a time."""
    for wire in range(values.shape[0].bit_length() - 1):
        pairs = values.reshape(2**wire, 2, -1)
        parts = pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]
        if isinstance(values, Tensor):
            values = torch.stack(parts, 1).flatten()
        else:
            values = np.stack(parts, 1).reshape(-1)
    return values
