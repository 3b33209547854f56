"""Blocks: gates on a few wires as one matrix; reversible ones of unitary gates, and operators."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import torch
from torch import Tensor

from quilt_func._amplitudes import apply_block, axes_of, is_window, outer_product
from quilt_func.evolution.batching import BatchKey
from quilt_func.evolution.constants import Constants
from quilt_func.evolution.reference import apply_matrix
from quilt_func.evolution.steps.block_build import blocks
from quilt_func.evolution.steps.block_recipe import Members, Stack, StackBuilder
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
    Windows,
)
from quilt_func.ops import Gate, Structure
from quilt_func.typing import WireSet

WIDTH = 4
"""Wires of a block: applying it costs `2**WIDTH` per amplitude, building it `8**WIDTH` a factor."""

FACTORS = 2**16
"""Entries of all factors of one block, at most: what is built at one time stays bounded."""


REAL, REAL_BEFORE = 16, 4
"""On so many qubits, and so many wires before the last, blocks of real gates multiply as real ones:
1.3 to 1.5 times as fast on 16 to 20 qubits, and no faster on fewer or at the end."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """Recipe of the matrices of all blocks of one batch key and width. See `kind.Recipe`."""

    stack: Stack

    @property
    def rotations(self) -> Stack:
        """See `kind.Recipe`."""
        return self.stack

    @property
    def key(self) -> BatchKey:
        """Batch key of the parameters."""
        return self.stack.key

    @property
    def ops(self) -> tuple[int, ...]:
        """Ops whose parameters they are built of."""
        return self.stack.table.ops

    def build(self, params: Params, constants: Constants, derived: Tensor | None = None) -> Tensor:
        """Matrices `(batch, n_blocks, K, K)`."""
        return blocks(self.stack, params, constants, derived)

    def join(self, parts: Mapping[int, Tensor], constants: Constants) -> Tensor:
        """Stack the gradients of single matrices, which come conjugated."""
        return torch.stack([parts[i] for i in range(len(parts))], -3).conj_physical()

    def operands_of_tangents(
        self, value: Tensor, tangent: Tensor | None, built: Built, *, is_back: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Matrices and their tangents, transposed, so that states are rows; back, their adjoints.

        For gates that stay unitary the tangent of the inverse is `(U̇)†`. A matrix given by the
        user may leave the unitaries; then it is `-U† U̇ U†`.

        Returns:
            `(1 or lead, n_blocks, K, K)` and `([2,] 1 or lead, n_blocks, K, n_directions * K)`.
        """
        matrices = built.layout.to_lead(value, self.key)
        factors = matrices.conj_physical() if is_back else matrices.mT
        if tangent is None:
            return factors, None
        many = built.layout.to_lead(tangent, self.key)
        along = many.conj_physical() if is_back else many.mT
        if is_back and any(gate.param_shape for gate, _ in self.stack.table.rows):
            undone = -(factors[:, None] @ many.mT @ factors[:, None])
            along = torch.stack([undone, along])
        return factors, along.movedim(-4, -2).flatten(-2)


@dataclass(frozen=True)
class Block(Step):
    """A step that multiplies by matrix `position` of a recipe.

    Attributes:
        is_real: Whether to multiply by its real part alone, since all its gates are real.
    """

    name: ClassVar[str] = "block"

    is_real: bool = False

    def operand(self, built: Built) -> Tensor:
        """The matrix, real or complex, `(1, K, K)`, or `(lead, K, K)` if there are many."""
        recipe = built.recipes[self.recipe or 0]
        matrices = built.tensors[self.recipe or 0][:, self.position]
        if self.is_real:
            matrices = matrices.real.contiguous()
        return built.layout.to_lead(matrices, recipe.key)

    def apply(self, operand: Tensor, state: Tensor, out: Tensor) -> None:
        """Write the product with the matrix."""
        apply_block(operand, self.wires, state, out)

    def undo(self, operand: Tensor, state: Tensor, out: Tensor) -> None:
        """Write the product with the adjoint."""
        apply_block(operand.conj_physical().mT, self.wires, state, out)

    def pull(
        self, operand: Tensor, cotangent: Tensor, state: Tensor, out: Tensor, *, is_wanted: bool
    ) -> Tensor | None:
        """The vjp: a product with the transpose; the conjugate gradient is an outer product."""
        gradient = outer_product(cotangent, state, self.wires) if is_wanted else None
        apply_block(operand.mT, self.wires, cotangent, out)
        return gradient

    def starts_from_zero(self, n_qubits: int) -> bool:
        """Of a block on all wires, |0...0⟩ takes one column."""
        return len(self.wires) == n_qubits

    def apply_plainly(self, built: Built, state: Tensor | None) -> Tensor:
        """Multiply a flat state."""
        matrix = built.tensors[self.recipe or 0][0, self.position]
        if state is None:
            return matrix[:, 0]
        if len(matrix) == len(state):
            return state @ matrix.mT
        if not is_window(self.wires):
            return apply_matrix(matrix, self.wires, state)
        split = state.reshape(2 ** self.wires[0], len(matrix), -1)
        if split.shape[2] == 1:
            return (split[:, :, 0] @ matrix.mT).reshape(-1)
        return (matrix @ split).reshape(-1)

    def push(
        self, operand: Tensor, tangent: Tensor | None, jet: Tensor, *,
        is_back: bool, is_wanted: bool, known: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        """The jvp, `U ψ̇ + U̇ ψ`; back, the same with `U†`, of state and cotangent."""
        before = _rows(jet, self.wires)
        after: Tensor = _times(before.flatten(2, 3), operand[:, self.position]).view(before.shape)
        if tangent is not None:
            along = _times(before[..., 0, :], tangent[..., self.position, :, :])
            after[..., 1:, :] += along.unflatten(-1, (-1, before.shape[-1]))
        if known is not None:
            after[0] = _rows(known, self.wires)[0]
        gradient = _outer(before, after) if is_wanted else None
        return _from_rows(after, self.wires, jet), gradient

    def price(self, n_qubits: int) -> Price:
        """Products per amplitude."""
        return BLOCK.price(n_qubits, self.wires, self.n_gates)


@dataclass(frozen=True)
class Operator(Block):
    """A block of gates that need not be unitary. The state before it has to be kept."""

    name: ClassVar[str] = "operator"
    is_reversible: ClassVar[bool] = False


def _axes(wires: WireSet, jet: Tensor) -> tuple[list[int], list[int]]:
    """Sizes of axes between and of wires, and the order that brings the wires last."""
    inner, axes = axes_of(jet.shape[2].bit_length() - 1, wires)
    shape = [*jet.shape[:2], *inner[:-1], inner[-1] * jet.shape[3] * jet.shape[4]]
    mine = [2 + axis for axis in axes]
    return shape, [*(axis for axis in range(len(shape)) if axis not in mine), *mine]


def _rows(jet: Tensor, wires: WireSet) -> Tensor:
    """A jet with the wires' axes last, `(pair, lead, rest, 1 + n_directions, K)`."""
    shape, order = _axes(wires, jet)
    parts = *jet.shape[:2], -1, jet.shape[-1], 2 ** len(wires)
    return jet.reshape(shape).permute(order).reshape(parts)


def _from_rows(rows: Tensor, wires: WireSet, like: Tensor) -> Tensor:
    shape, order = _axes(wires, like)
    back = sorted(range(len(order)), key=order.__getitem__)
    return rows.reshape([shape[axis] for axis in order]).permute(back).reshape(like.shape)


def _times(rows: Tensor, matrices: Tensor) -> Tensor:
    return rows @ (matrices[0] if len(matrices) == 1 else matrices)


def _outer(before: Tensor, after: Tensor) -> Tensor:
    """Conjugate of a block's gradient `λ ψ†` and of its tangents, `(lead, 1 + n_directions, K, K)`.

    `λ` is the gradient after the block and `ψ` the state before it: on the way back, those before
    and after the step.
    """
    state, gradient = after[0, :, :, 0], before[1, :, :, 0]
    split = len(state), state.shape[-1], -1, state.shape[-1]
    by_state = (state.mH @ before[1].flatten(2)).view(split).permute(0, 2, 3, 1)
    by_gradient = (gradient.mH @ after[0].flatten(2)).view(split).permute(0, 2, 1, 3)
    by_state[:, 1:] += by_gradient[:, 1:].conj_physical()
    return by_state.conj_physical()


class BlockKind(Kind):
    """Unitary gates on a few wires."""

    name = "block"
    placing = "neighbours"
    step: type[Block] = Block

    def fits(self, gate: Gate) -> bool:
        """Whether a gate is unitary."""
        return "unitary" in gate.tags

    def most(self, width: int) -> int:
        """About four gates make a factor of `4**width` entries."""
        return max(4, 4 * FACTORS >> 2 * width)

    def windows(self, n_qubits: int, pending: Sequence[Applied], *, is_batched: bool) -> Windows:
        """Neighbouring wires, and those of pending gates that are apart."""
        width = min(n_qubits, block_width(n_qubits, is_batched))
        yield from _neighbours(n_qubits, width)
        yield _grown(pending, min(n_qubits, max(width, len(pending[0].wires))))

    def price(self, n_qubits: int, wires: WireSet, n_gates: int) -> Price:
        """See `_price`: whatever the gates, it is one matrix."""
        return _price(n_qubits, wires)

    def collect(
        self, ops: Sequence[Structure], n_qubits: int, first: int, parts: Mapping[int, Part]
    ) -> tuple[list[Recipe], dict[int, Step]]:
        """One recipe for all blocks of a batch key and width, and one for those of constants."""
        groups: dict[tuple[Any, ...], list[Members]] = {}
        steps: dict[int, Step] = {}
        for number, (_, wires, gates) in parts.items():
            key = next((gate.key for gate in gates if not gate.is_constant), ())
            group = key, len(wires), all(gate.is_constant for gate in gates)
            members = groups.setdefault(group, [])
            recipe = first + list(groups).index(group)
            is_real = _pays_as_real(n_qubits, wires, gates)
            steps[number] = self.step(wires, len(gates), recipe, len(members), is_real)
            members.append((wires, gates))
        recipes: list[Recipe] = [
            Blocks(StackBuilder(ops, key, width, members).stack())
            for (key, width, _), members in groups.items()
        ]
        return recipes, steps


class OperatorKind(BlockKind):
    """Gates of which at least one is not known to be unitary, together with those around them."""

    name = "operator"
    step = Operator

    def fits(self, gate: Gate) -> bool:
        """Every gate."""
        return True

    def is_needed(self, rows: Iterable[Gate]) -> bool:
        """Whether some gate is not known to be unitary."""
        return not all(map(BLOCK.fits, rows))

    def is_worth(self, gates: Iterable[Applied]) -> bool:
        """Whether one of the step's gates is not."""
        return self.is_needed(gate.gate for gate in gates)

    def windows(self, n_qubits: int, pending: Sequence[Applied], *, is_batched: bool) -> Windows:
        """Those of a block, where many gates are not unitary; else, the wires of the first one."""
        ahead = [gate for gate in pending[:AHEAD] if not BLOCK.fits(gate.gate)]
        if ahead and ahead[0] is pending[0]:
            yield tuple(sorted(pending[0].wires))
        if len(ahead) > len(pending[:AHEAD]) // MANY:
            yield from super().windows(n_qubits, pending, is_batched=is_batched)


AHEAD, MANY = 64, 8
"""Where more than one of so many of the next gates is not unitary, they are many."""

BLOCK = BlockKind()
OPERATOR = OperatorKind()


def _pays_as_real(n_qubits: int, wires: WireSet, gates: Sequence[Applied]) -> bool:
    """Whether a block is real, and large and far enough from the last wire to gain by it."""
    is_wide = n_qubits >= REAL and n_qubits - 1 - wires[-1] >= REAL_BEFORE
    return is_wide and all("real" in gate.gate.tags for gate in gates)


def _grown(pending: Sequence[Applied], width: int) -> WireSet:
    """Wires of a pending gate, and of those after it while they fit."""
    wires = set(pending[0].wires)
    for later in pending[1 : 1 + 8 * width]:
        grown = wires | set(later.wires)
        if not wires.isdisjoint(later.wires) and len(grown) <= width:
            wires = grown
    return tuple(sorted(wires))


@lru_cache(maxsize=65536)
def _price(n_qubits: int, wires: WireSet) -> Price:
    """A pass, arithmetic, a call and the building, of neighbouring wires.

    A window that ends 1 to 3 wires before the last makes many tiny products.
    """
    call = COSTS.call_share(n_qubits)
    build = 8.0 ** len(wires) / COSTS.call * call
    arithmetic = 2.0 ** len(wires) / COSTS.products
    is_short = is_window(wires) and 1 <= n_qubits - 1 - wires[-1] <= 3
    extra = COSTS.short_window if is_short else 0.0
    return Price(1, 8 * 2 ** len(wires), 1.0 + arithmetic + call + build + extra)


@lru_cache(maxsize=64)
def _neighbours(n_qubits: int, width: int) -> tuple[WireSet, ...]:
    """Windows of `width` neighbouring wires, and of one less."""
    sizes = {width, max(1, width - 1)}
    starts = ((start, size) for size in sizes for start in range(n_qubits - size + 1))
    return tuple(tuple(range(start, start + size)) for start, size in starts)


def block_width(n_qubits: int, is_batched: bool) -> int:
    """Wires of a block; matrices of which there are as many as states must stay small.

    Building `d` factors of `8**k` for each state costs as much as `2**n * 2**k` amplitudes'
    products where `4**k = 2**n / d`, with `d` about 4.
    """
    return min(WIDTH, max(2, n_qubits // 2 - 1)) if is_batched else WIDTH
