"""Runs of diagonal gates as one phase per amplitude: their angles add up in the exponent.

A diagonal gate `exp(-i θ G / 2)` on a few wires is a sum of Pauli words of Z in the exponent, by
the Walsh transform of `G`. Signs of words factor into those of the high and of the low half of the
bits: `Σ_w c_w (-1)^(b·w)` over all basis states is one product of two tables of `2**(n/2)` rows.

References:
    Welch et al. (2014), New J. Phys. 16, 033040, for diagonal unitaries as Walsh series.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quilt_func._torch import constant, matmul, remembered
from quilt_func.evolution.steps.block_recipe import Applied, BatchKey
from quilt_func.ops import Gate, Structure
from quilt_func.typing import WireSet

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Phases:
    """Recipe of one phase per amplitude, `exp(i Σ_w c_w (-1)^(b·w))`.

    Attributes:
        key: Batch key of the angles.
        ops: Ops whose angles are used.
        angles: Places of the angles among those of these ops.
        weights: `(n_words, n_angles)`, the share of each angle in each word's `c`.
        offsets: `(n_words,)`, the share of constant gates.
        high: `(n_words, 2**(n//2))`, signs on the high bits.
        low: `(n_words, 2**(n - n//2))`, signs on the low bits.
    """

    key: BatchKey
    ops: tuple[int, ...]
    angles: NDArray[np.int64]
    weights: Reals
    offsets: Reals
    high: Reals
    low: Reals


def phases(ops: Sequence[Structure], n_qubits: int, gates: Sequence[Applied]) -> Phases:
    """Collect diagonal gates, which `spectrum` knows, into one recipe."""
    places: dict[tuple[int, int], int] = {}
    words: dict[WireSet, dict[int, float]] = {}
    for gate in gates:
        place = -1 if gate.is_constant else places.setdefault((gate.op, gate.slot), len(places))
        for word, share in zip(_words(gate.wires), spectrum(gate.gate) or (), strict=True):
            shares = words.setdefault(word, {})
            shares[place] = shares.get(place, 0.0) + share
    table = np.zeros((len(words), len(places) + 1))
    for row, shares in enumerate(words.values()):
        table[row, list(shares)] = list(shares.values())
    chosen = tuple(dict.fromkeys(op for op, _ in places))
    starts = dict(zip(chosen, np.cumsum([0, *(len(ops[op].wires) for op in chosen)]), strict=False))
    middle = n_qubits // 2
    return Phases(
        next((gate.key for gate in gates if not gate.is_constant), ()),
        chosen,
        np.array([starts[op] + slot for op, slot in places], dtype=np.int64),
        table[:, :-1],
        table[:, -1],
        _signs(words, range(middle)),
        _signs(words, range(middle, n_qubits)),
    )


def _words(wires: WireSet) -> list[WireSet]:
    """All subsets of wires, in the order of the Walsh transform."""
    found: list[WireSet] = [()]
    for wire in reversed(wires):
        found += [tuple(sorted((wire, *word))) for word in found]
    return found


def _signs(words: Sequence[WireSet] | dict[WireSet, dict[int, float]], wires: range) -> Reals:
    rows = []
    for word in words:
        row: Reals = np.ones(1)
        for wire in wires:
            row = np.outer(row, [1.0, -1.0 if wire in word else 1.0]).reshape(-1)
        rows.append(row)
    return np.stack(rows)


@lru_cache(maxsize=4096)
def spectrum(gate: Gate) -> tuple[float, ...] | None:
    """Walsh coefficients of the phase, per radian if the gate has an angle; None if unknown."""
    if "diagonal" not in gate.tags or gate.param_shape:
        return None
    if gate.n_params == 1 and gate.generator is not None:
        exponent = -0.5 * np.diagonal(gate.generator).real
    elif not gate.n_params:
        exponent = np.angle(np.diagonal(np.asarray(gate.matrix)))
    else:
        return None
    for bit in range(gate.n_wires):
        split = exponent.reshape(-1, 2, 1 << bit)
        exponent = np.stack([split.sum(1), split[:, 0] - split[:, 1]], 1).reshape(-1)
    return tuple((exponent / len(exponent)).tolist())


def coefficients(recipe: Phases, angles: Tensor) -> Tensor:
    """Each word's `c`, `(batch, n_words)`, of the angles of the recipe's ops `(m, [batch])`."""
    kind = angles.dtype, angles.device
    chosen = angles.index_select(0, _tensor(recipe, "angles", torch.int64, angles.device))
    flat = chosen.reshape(len(recipe.angles), -1)
    shares = matmul(flat.mT, _tensor(recipe, "weights", *kind).mT)
    return shares + _tensor(recipe, "offsets", *kind)


def factors(recipe: Phases, values: Tensor) -> Tensor:
    """The phases `(batch, 2**n)` of the words' `c`, `(batch, n_words)`."""
    exponent = exponents(recipe, values)
    return torch.complex(exponent.cos(), exponent.sin())


def exponents(recipe: Phases, values: Tensor) -> Tensor:
    """The exponents `(batch, 2**n)`, linear in the words' `c`, `(batch, n_words)`."""
    high, low = _tables(recipe, values)
    return matmul((values[..., None] * high).mT, low).flatten(-2)


def by_coefficients(recipe: Phases, by_exponent: Tensor) -> Tensor:
    """Gradient of the words' `c` of that of the exponents, `(batch, 2**n)`."""
    high, low = _tables(recipe, by_exponent)
    split = by_exponent.unflatten(-1, (high.shape[1], -1))
    values: Tensor = (matmul(high, split) * low).sum(-1)
    return values


def _tables(recipe: Phases, like: Tensor) -> tuple[Tensor, Tensor]:
    kind = like.dtype, like.device
    return _tensor(recipe, "high", *kind), _tensor(recipe, "low", *kind)


@remembered(4096)
def _tensor(recipe: Phases, name: str, dtype: torch.dtype, device: torch.device) -> Tensor:
    return constant(getattr(recipe, name), dtype, device)
