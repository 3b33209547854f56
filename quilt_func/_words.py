"""Pauli words acting on states: static integers in, a few large tensor operations out.

A word maps `P|b⟩ = i^y (-1)^(b·z) |b ⊕ x⟩`, with `x` the mask of its X and Y letters, `z` that of
its Z and Y letters and `y` the number of Y. Words of one `x` share one flip of the state. A run of
neighbouring flipped wires is one axis in reversed order, so that the flip is a view's. Signs of all
words of a group factor into those of the high and of the low half of the bits: what would be a
`(words, 2**n)` table is two tables of `(words, 2**(n/2))` and a matrix product.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Group(NamedTuple):
    """Words that share the mask of flipped wires and the parity of their number of Y."""

    terms: tuple[int, ...]
    shape: tuple[int, ...]
    flipped_axes: tuple[int, ...]
    is_odd: bool
    high: Tensor
    low: Tensor


@lru_cache(maxsize=1024)
def groups(words: tuple[str, ...], dtype: torch.dtype, device: torch.device) -> tuple[Group, ...]:
    """Sort words into groups, with their signs as tensors of a real dtype."""
    members: dict[tuple[str, bool], list[int]] = {}
    for position, word in enumerate(words):
        mask = "".join("1" if letter in "XY" else "0" for letter in word)
        members.setdefault((mask, word.count("Y") % 2 == 1), []).append(position)
    with torch.inference_mode(False):
        return tuple(
            _group(mask, is_odd, [words[t] for t in terms], tuple(terms), dtype, device)
            for (mask, is_odd), terms in members.items()
        )


def _group(
    mask: str,
    is_odd: bool,
    words: Sequence[str],
    terms: tuple[int, ...],
    dtype: torch.dtype,
    device: torch.device,
) -> Group:
    runs = [(bit, len(list(run))) for bit, run in groupby(mask)]
    flipped = tuple(axis for axis, (bit, _) in enumerate(runs) if bit == "1")
    middle = len(mask) // 2
    phase = np.array([[(-1) ** (word.count("Y") // 2)] for word in words])
    high = phase * _signs([word[:middle] for word in words])
    low = _signs([word[middle:] for word in words])
    return Group(
        terms,
        tuple(2**length for _, length in runs),
        flipped,
        is_odd,
        torch.tensor(high, dtype=dtype, device=device),
        torch.tensor(low, dtype=dtype, device=device),
    )


def _signs(words: Sequence[str]) -> NDArray[np.int64]:
    """Rows `(-1)^(b·z)` over the basis states `b` of the words' wires."""
    rows = []
    for word in words:
        row = np.ones(1, dtype=np.int64)
        for letter in word:
            row = np.kron(row, [1, -1 if letter in "YZ" else 1])
        rows.append(row)
    return np.stack(rows)


def flip(state: Tensor, group: Group) -> Tensor:
    """The state with the group's wires flipped: entry `b ⊕ x` at position `b`."""
    if not group.flipped_axes:
        return state
    return state.reshape(group.shape).flip(group.flipped_axes).reshape(-1)


def expectations(words: tuple[str, ...], bra: Tensor, ket: Tensor) -> Tensor:
    """Real parts of ⟨bra|P|ket⟩ for each word, `(n_words,)`."""
    found: list[Tensor] = []
    order: list[int] = []
    for group in groups(words, ket.real.dtype, ket.device):
        ahead = flip(ket, group)
        if group.is_odd:
            weights = bra.real * ahead.imag - bra.imag * ahead.real
        else:
            weights = bra.real * ahead.real + bra.imag * ahead.imag
        table = weights.reshape(group.high.shape[1], group.low.shape[1])
        found.append(((group.high @ table) * group.low).sum(-1))
        order += group.terms
    return torch.cat(found)[np.argsort(order).tolist()] if len(found) > 1 else found[0]


def apply_sum(words: tuple[str, ...], coefficients: Tensor, state: Tensor) -> Tensor:
    """The state `Σ c_t P_t ψ`, for real coefficients `(n_words,)`."""
    result = torch.zeros_like(state)
    for group in groups(words, state.real.dtype, state.device):
        chosen = coefficients[list(group.terms)]
        diagonal = ((group.high * chosen[:, None]).mT @ group.low).reshape(-1)
        ahead = flip(state, group)
        if group.is_odd:
            ahead = torch.complex(ahead.imag, -ahead.real)
        result = result + diagonal * ahead
    return result
