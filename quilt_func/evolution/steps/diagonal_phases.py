"""Runs of diagonal gates as one phase per amplitude: their angles add up in the exponent.

A diagonal gate `exp(-i θ G / 2)` on a few wires is a sum of Pauli words of Z in the exponent, by
the Walsh transform of `G`. Signs of words factor into those of the high and of the low half of the
bits: `Σ_w c_w (-1)^(b·w)` over all basis states is one product of two tables of `2**(n/2)` rows.

References:
    Welch et al. (2014), New J. Phys. 16, 033040, for diagonal unitaries as Walsh series.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quilt_func._amplitudes import walsh_transform
from quilt_func._torch import matmul, with_plain_cotangent
from quilt_func.evolution.batching import BatchKey
from quilt_func.evolution.constants import Constants
from quilt_func.evolution.steps.kind import (
    COSTS,
    Applied,
    Built,
    Kind,
    Params,
    Part,
    Price,
    Recipe,
    Step,
)
from quilt_func.evolution.steps.phase_tables import (
    PairTable,
    Reals,
    pair_tables,
    product_of,
    signs,
    tables_of,
    waves,
)
from quilt_func.ops import Gate, Structure
from quilt_func.typing import WireSet


@dataclass(frozen=True, eq=False)
class Phases:
    """Recipe of one phase per amplitude, `exp(i Σ_w c_w (-1)^(b·w))`.

    Attributes:
        key: Batch key of the angles.
        ops: Ops whose angles are used.
        angles: Indices of the angles among those of these ops.
        weights: `(n_words, n_angles)`, the share of each angle in each word's `c`.
        offsets: `(n_words,)`, the share of constant gates.
        high: `(n_words, 2**(n//2))`, signs on the high bits.
        low: `(n_words, 2**(n - n//2))`, signs on the low bits.
        distinct: `(n_distinct, 2**(n//2))`, the rows of `high`, equal ones once.
        places: `(n_words,)`, which of these each word has.
        pairs: Tables whose product is the phases, or nothing.
    """

    key: BatchKey
    ops: tuple[int, ...]
    angles: NDArray[np.int64]
    weights: Reals
    offsets: Reals
    high: Reals
    low: Reals
    distinct: Reals
    places: NDArray[np.int64]
    pairs: tuple[PairTable, ...]
    rotations: None = None

    def build(self, params: Params, constants: Constants, derived: Tensor | None = None) -> Tensor:
        """Each word's `c`, `(batch, n_words)`, of the angles of the ops `(m, [batch])`."""
        columns = [params[op][0] for op in self.ops]
        angles = torch.cat(columns) if len(columns) > 1 else columns[0]
        chosen = angles.index_select(0, constants.index(self, "angles"))
        flat = chosen.reshape(len(self.angles), -1)
        return matmul(flat.mT, constants.real(self, "weights").mT) + constants.real(self, "offsets")

    def factors(self, values: Tensor, constants: Constants) -> Tensor:
        """The phases `(batch, 2**n)` of the words' `c`, `(batch, n_words)`."""
        return product_of(self.tables(values, constants))

    def tables(self, values: Tensor, constants: Constants) -> Sequence[Tensor]:
        """The same as tables `(batch, ...)`: their product is the phases."""
        if self.pairs:
            return tables_of(self.pairs, values, constants)
        return [waves(self.exponents(values, constants))]

    def exponents(self, values: Tensor, constants: Constants) -> Tensor:
        """The exponents `(batch, 2**n)`, linear in the words' `c`, `(batch, n_words)`."""
        high, low = constants.real(self, "high"), constants.real(self, "low")
        return matmul((values[..., None] * high).mT, low).flatten(-2)

    def by_coefficients(self, by_exponent: Tensor, constants: Constants) -> Tensor:
        """Gradient of the words' `c` of that of the exponents, `(batch, 2**n)`."""
        distinct, low = constants.real(self, "distinct"), constants.real(self, "low")
        split = by_exponent.unflatten(-1, (distinct.shape[1], -1))
        chosen = matmul(distinct, split).index_select(-2, constants.index(self, "places"))
        values: Tensor = (chosen * low).sum(-1)
        return values

    def join(self, parts: Mapping[int, Tensor], constants: Constants) -> Tensor:
        """The gradient of the words' `c` of that of the exponents, with its sign changed."""
        return -self.by_coefficients(parts[0], constants)

    def operands_of_tangents(
        self, value: Tensor, tangent: Tensor | None, built: Built, *, is_back: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Factors per amplitude `(1 or lead, 2**n, 1, 1)`, and their exponents' tangents."""
        to_lead, constants = built.layout.to_lead, built.constants
        fixed = to_lead(self.factors(value, constants), self.key)
        factors = (fixed.conj_physical() if is_back else fixed)[..., None, None]
        if tangent is None:
            return factors, None
        along = to_lead(self.exponents(tangent, constants), self.key)
        return factors, (-along if is_back else along).mT.unsqueeze(-2)


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
    high = signs([*words], range(middle))
    distinct, which = np.unique(high, axis=0, return_inverse=True)
    return Phases(
        next((gate.key for gate in gates if not gate.is_constant), ()),
        chosen,
        np.array([starts[op] + slot for op, slot in places], dtype=np.int64),
        table[:, :-1],
        table[:, -1],
        high,
        signs([*words], range(middle, n_qubits)),
        distinct,
        which.reshape(-1),
        pair_tables(n_qubits, [*words]),
    )


def _words(wires: WireSet) -> list[WireSet]:
    """All subsets of wires, in the order of the Walsh transform."""
    found: list[WireSet] = [()]
    for wire in reversed(wires):
        found += [tuple(sorted((wire, *word))) for word in found]
    return found


@lru_cache(maxsize=4096)
def spectrum(gate: Gate) -> tuple[float, ...] | None:
    """Walsh coefficients of the phase, per radian if the gate has an angle; None if unknown."""
    if not {"diagonal", "unitary"} <= gate.tags or gate.param_shape:
        return None
    if gate.n_params == 1 and gate.generator is not None:
        exponent = -0.5 * np.diagonal(gate.generator).real
    elif not gate.n_params:
        exponent = np.angle(np.diagonal(np.asarray(gate.matrix)))
    else:
        return None
    exponent = walsh_transform(exponent)
    return tuple((exponent / len(exponent)).tolist())


@dataclass(frozen=True)
class DiagonalPhases(Step):
    """A step that multiplies each amplitude by a phase."""

    name: ClassVar[str] = "phases"

    def operand(self, built: Built) -> Tensor:
        """One factor per amplitude, `(1 or lead, 2**n, 1)`."""
        recipe: Any = built.recipes[self.recipe or 0]
        values = built.tensors[self.recipe or 0]
        return built.layout.to_lead(recipe.factors(values, built.constants), recipe.key)[..., None]

    def apply(self, operand: Tensor, state: Tensor, out: Tensor) -> None:
        """Write the product with the phases."""
        torch.mul(state, operand, out=out)

    def undo(self, operand: Tensor, state: Tensor, out: Tensor) -> None:
        """Write the product with the conjugate phases."""
        torch.mul(state, operand.conj_physical(), out=out)

    def pull(
        self, operand: Tensor, cotangent: Tensor, state: Tensor, out: Tensor, *, is_wanted: bool
    ) -> Tensor | None:
        """The vjp: a product with the phases; minus the gradient of their exponents, `Im λ* ψ`."""
        torch.mul(cotangent, operand, out=out)
        if not is_wanted:
            return None
        exponents = (out * state).imag
        return exponents.sum(-1) if exponents.shape[-1] > 1 else exponents[..., 0].contiguous()

    def apply_plainly(self, built: Built, state: Tensor | None) -> Tensor:
        """Multiply a flat state."""
        assert state is not None, "only a block starts without a state"
        recipe: Any = built.recipes[self.recipe or 0]
        tables = recipe.tables(built.tensors[self.recipe or 0], built.constants)
        factors: Tensor = reduce(torch.mul, map(with_plain_cotangent, tables))
        return factors.flatten() * state

    def push(
        self, operand: Tensor, tangent: Tensor | None, jet: Tensor, *,
        is_back: bool, is_wanted: bool, known: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        """The jvp, `f (ψ̇ + i φ̇ ψ)` with factors `f = exp(i φ)`; back, the same with `f*`."""
        out = jet * operand
        gradient = _by_exponents(jet) if is_wanted else None
        if tangent is not None:
            out[..., 1:] += 1j * out[..., :1] * tangent
        return out, gradient

    def price(self, n_qubits: int) -> Price:
        """A cosine and a sine per amplitude."""
        return DIAGONAL.price(n_qubits, self.wires, self.n_gates)


def _by_exponents(jet: Tensor) -> Tensor:
    """`Im λ* ψ` and its tangents: minus the gradient of exponents, `(lead, 1 + k, 2**n)`."""
    state, gradient = jet
    product = gradient.conj() * state[..., :1]
    product[..., 1:] += gradient[..., :1].conj() * state[..., 1:]
    exponents: Tensor = product.imag.sum(2).mT
    return exponents


class DiagonalKind(Kind):
    """Diagonal gates whose phases are known as Walsh series; at least one has an angle."""

    name = "phases"
    placing = "anywhere"

    def fits(self, gate: Gate) -> bool:
        """Whether the Walsh series of a gate's phase is known."""
        return spectrum(gate) is not None

    def is_worth(self, gates: Iterator[Applied]) -> bool:
        """Constant phases alone are better off in blocks."""
        return any(not gate.is_constant for gate in gates)

    def price(self, n_qubits: int, wires: WireSet, n_gates: int) -> Price:
        """A cosine and a sine per amplitude, the sum of the words, and some calls."""
        words = n_gates / COSTS.gates_per_pass
        cost = COSTS.phases + words + COSTS.phases_calls * COSTS.call_share(n_qubits)
        return Price(1, 22, cost)

    def collect(
        self, ops: Sequence[Structure], n_qubits: int, first: int, parts: Mapping[int, Part]
    ) -> tuple[list[Recipe], dict[int, Step]]:
        """One recipe for each step."""
        recipes: list[Recipe] = [phases(ops, n_qubits, part.gates) for part in parts.values()]
        steps: dict[int, Step] = {
            number: DiagonalPhases(part.wires, len(part.gates), first + place)
            for place, (number, part) in enumerate(parts.items())
        }
        return recipes, steps


DIAGONAL = DiagonalKind()
