"""Phases of many amplitudes as a product of small tables, one for each pair of thirds of the wires.

A word on wires of at most two of three groups of wires is an exponent of a table for these two. So
there is a cosine and a sine for each of `3 * 2**(2n/3)` entries, and two products per amplitude.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quilt_func._amplitudes import sign_table
from quilt_func._torch import matmul
from quilt_func.evolution.constants import Constants
from quilt_func.typing import WireSet

Reals = NDArray[np.float64]

FEWEST = 14
"""Wires from which on the tables pay, though they take more calls."""


@dataclass(frozen=True, eq=False)
class PairTable:
    """Recipe of the exponents of some words on two groups of wires.

    Attributes:
        words: Which words these are.
        first: `(n_words, 2**a)`, their signs on the first group.
        second: `(n_words, 2**b)`, their signs on the second.
        shape: Of the table among the axes of the three groups: 1 for the group left out.
    """

    words: NDArray[np.int64]
    first: Reals
    second: Reals
    shape: tuple[int, ...]

    def exponents(self, values: Tensor, constants: Constants) -> Tensor:
        """The exponents `(batch, 2**(a + b))` of all words' `c`, `(batch, n_words)`."""
        chosen = values.index_select(-1, constants.index(self, "words"))
        first, second = constants.real(self, "first"), constants.real(self, "second")
        return matmul((chosen[..., None] * first).mT, second).flatten(-2)


def pair_tables(n_qubits: int, words: Sequence[WireSet]) -> tuple[PairTable, ...]:
    """Distribute words to tables; nothing if there are few wires, or if a word doesn't fit one."""
    if n_qubits < FEWEST:
        return ()
    cuts = 0, n_qubits // 3, n_qubits // 3 + (n_qubits - n_qubits // 3) // 2, n_qubits
    groups = [range(*pair) for pair in pairwise(cuts)]
    remaining = dict(enumerate(words))
    found = []
    for out in (2, 1, 0):
        fits = [i for i, word in remaining.items() if not set(groups[out]) & set(word)]
        members = [remaining.pop(i) for i in fits]
        first, second = (signs(members, own) for own in groups if own != groups[out])
        shape = tuple(1 if i == out else 2 ** len(own) for i, own in enumerate(groups))
        found.append(PairTable(np.array(fits, dtype=np.int64), first, second, shape))
    return () if remaining else tuple(found)


def signs(words: Sequence[WireSet], wires: Iterable[int]) -> Reals:
    """Signs of words on some wires, `(n_words, 2**n_wires)`."""
    own = list(wires)
    if not words:
        return np.zeros((0, 2 ** len(own)))
    return sign_table([wire in word for wire in own] for word in words).astype(np.float64)


def waves(exponents: Tensor) -> Tensor:
    """`exp(i x)` of exponents `x`."""
    return torch.complex(exponents.cos(), exponents.sin())


def tables_of(pairs: Sequence[PairTable], values: Tensor, constants: Constants) -> Sequence[Tensor]:
    """Tables of phases, `(batch, *shape)`, whose product is the phase of each amplitude."""
    exponents = torch.cat([pair.exponents(values, constants) for pair in pairs], -1)
    parts = waves(exponents).split([math.prod(pair.shape) for pair in pairs], -1)
    return [part.unflatten(-1, pair.shape) for part, pair in zip(parts, pairs, strict=True)]


def product_of(tables: Sequence[Tensor]) -> Tensor:
    """Multiply tables `(batch, *shape)`: `(batch, 2**n)`, with one such tensor held at a time."""
    found, *others = tables
    for number, table in enumerate(others):
        is_spare = number > 0 and not found.requires_grad  # the first product has all axes
        found = found.mul_(table) if is_spare else found * table
    return found.flatten(1)
