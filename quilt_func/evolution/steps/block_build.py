"""Build what a plan asks for: block matrices and product states, in a handful of torch calls.

Angles of a gate row become matrices in one vectorised call; gathers and outer products embed every
gate of every block; a batched product tree multiplies each block's factors. The number of calls
hardly depends on the number of gates, and all of it is plain torch: derivatives of the matrices
reach the leaves by ordinary autograd, also for a user's own gates.

What is built has a leading batch axis: parameters `(m, batch, *event)` make blocks
`(batch, n_blocks, K, K)`. It is 1 where parameters are not batched, or `torch.func` does it.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from quilt_func._torch import constant, remembered
from quilt_func.evolution.planner import Segment
from quilt_func.evolution.steps.block_recipe import Direct, Prefix, Stack, Table
from quilt_func.evolution.steps.diagonal_phases import Phases, coefficients

Params: TypeAlias = Sequence[Sequence[Tensor]] | Mapping[int, Sequence[Tensor]]
"""Of each op that is built, its parameters `(m, *event)` or, batched, `(m, batch, *event)`."""


FEW = 16
"""Factors of a single block that are multiplied one by one; it costs no more than a tree does."""


def build(
    segment: Segment, params: Params, dtype: torch.dtype, device: torch.device
) -> list[Tensor]:
    """Build the block matrices and the phases of a segment.

    Args:
        segment: Part of the plan of these ops' structure.
        params: Parameters of all ops.
        dtype: complex64 or complex128.
        device: Where to build.

    Returns:
        One tensor `(batch, n_blocks, K, K)` per stack, then one `(batch, n_words)` per phase.
    """
    return [
        *(blocks(stack, params, dtype, device) for stack in segment.stacks),
        *(coefficients_of(one, params) for one in segment.phases),
    ]


def coefficients_of(recipe: Phases, params: Params) -> Tensor:
    """Build the coefficients of phases, `(batch, n_words)`."""
    return coefficients(recipe, _joined([params[i][0] for i in recipe.ops]))


def product(
    prefix: Prefix,
    params: Params,
    dtype: torch.dtype,
    device: torch.device,
    shifted: Tensor | None = None,
) -> Tensor:
    """Build the product state of a prefix, batch last: `(2**n_qubits, batch)`; see `blocks`."""
    entries = _entries(prefix.table, params, dtype, device, shifted)
    if prefix.direct is not None:
        return _over_slots(entries, prefix, prefix.direct.shape)
    return _outer(_runs(prefix, entries)[:, :, 0])


def blocks(
    stack: Stack,
    params: Params,
    dtype: torch.dtype,
    device: torch.device,
    shifted: Tensor | None = None,
) -> Tensor:
    """Build the matrices of a stack, `(batch, n_blocks, K, K)`.

    Args:
        stack: Recipe.
        params: Parameters of its ops.
        dtype: complex64 or complex128.
        device: Where to build.
        shifted (bool, (n_angles, batch)): Which of the angles of all turns to shift by π.
    """
    entries = _entries(stack.table, params, dtype, device, shifted)
    if stack.direct is not None and entries.shape[1] == 1:
        return _direct_blocks(stack.direct, entries, dtype, device)
    batch, size = entries.shape[1], 2**stack.width
    fixed = _fixed(stack, dtype, device)
    factors = [fixed if batch == 1 else fixed.expand(batch, -1, -1, -1)]
    if stack.locals.size:
        factors.append(_local_factors(stack, entries))
    if stack.mixed.size:
        gathered = entries.index_select(0, _index(stack, "mixed", device))
        slots = gathered.reshape(*stack.mixed.shape, batch).unbind(1)
        factors.append(reduce(torch.mul, slots).movedim(-1, 0))
    rows = torch.cat(factors, 1).reshape(batch, -1, size)
    chosen = rows.index_select(1, _index(stack, "rows", device))
    if stack.phases is not None:
        chosen = chosen * _phases(stack, dtype, device)
    return _products(chosen.reshape(batch, *stack.rows.shape, size))


def _direct_blocks(
    direct: Direct, entries: Tensor, dtype: torch.dtype, device: torch.device
) -> Tensor:
    factors = _over_slots(entries, direct, direct.entries.shape)
    if direct.phases is not None:
        factors = factors * _direct_phases(direct, dtype, device)
    if factors.shape[1] == 1 and factors.shape[2] <= FEW:
        return _product_of_few(factors[0, 0].unbind(0))[None, None]
    while factors.shape[-3] > 1:
        first, second = factors.chunk(2, -3)
        factors = second @ first
    return factors[..., 0, :, :]


def _product_of_few(factors: Sequence[Tensor]) -> Tensor:
    """Multiply matrices one by one, in the order of `halving_order`.

    A batched product, however small, wakes the threads of the BLAS library. On a busy machine they
    wait for a core, and the caller for them: ten milliseconds instead of ten microseconds.
    """
    while len(factors) > 1:
        half = len(factors) // 2
        factors = [b @ a for a, b in zip(factors[:half], factors[half:], strict=True)]
    return factors[0]


def _over_slots(entries: Tensor, recipe: Direct | Prefix, shape: tuple[int, ...]) -> Tensor:
    """Products of table entries over slots, the first axis of a shape."""
    name = "entries" if isinstance(recipe, Direct) else "direct"
    chosen = entries.index_select(0, _index(recipe, name, entries.device))
    batch = () if isinstance(recipe, Direct) else (-1,)
    return reduce(torch.mul, chosen.reshape(*shape, *batch).unbind(0))


def _entries(
    table: Table,
    params: Params,
    dtype: torch.dtype,
    device: torch.device,
    shifted: Tensor | None,
) -> Tensor:
    """The flat table of matrix entries, `(size, batch)`."""
    parts = [_turn_entries(table, params, device, shifted)] if table.turns else []
    for gate, members in table.rows:
        columns = [_joined(column) for column in zip(*(params[i] for i in members), strict=True)]
        is_batched = columns[0].ndim > 1 + len(gate.param_shape)
        if not is_batched:
            parts.append(gate.matrices(*columns).reshape(-1, 1))
            continue
        batch = columns[0].shape[1]
        matrices = gate.matrices(*(column.flatten(0, 1) for column in columns))
        parts.append(matrices.unflatten(0, (-1, batch)).movedim(1, -1).reshape(-1, batch))
    constants = _table_constants(table, dtype, device)
    if parts and parts[0].shape[1] > 1:
        constants = constants.expand(-1, parts[0].shape[1])
    return torch.cat([*parts, constants])


def _turn_entries(
    table: Table, params: Params, device: torch.device, shifted: Tensor | None
) -> Tensor:
    """Entries of all turns by one cosine and one sine, `(n_entries, batch)`."""
    theta = _joined([params[i][0] for i in table.turns])
    half = torch.sub(theta, theta, alpha=0.5)  # forward mode is slow with constant factors
    cosine, sine = half.cos(), half.sin()
    if shifted is not None:  # exact, as adding π to a large angle is not
        cosine, sine = torch.where(shifted, -sine, cosine), torch.where(shifted, cosine, sine)
    waves = torch.cat([cosine, sine, -sine, torch.zeros_like(half[:1])])
    parts = waves.index_select(0, _turn_index(table, len(half), device))
    if parts.ndim == 1:
        return torch.view_as_complex(parts.reshape(-1, 1, 2))
    return torch.complex(*parts.unflatten(0, (-1, 2)).unbind(1))


def _joined(column: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
    return torch.cat(column) if len(column) > 1 else column[0]


def _local_factors(stack: Stack, entries: Tensor) -> Tensor:
    """Kronecker products of 2 by 2 matrices, `(batch, n_locals, K, K)`."""
    width, batch = stack.width, entries.shape[1]
    runs = _runs(stack, entries).reshape(-1, 4, batch)
    chosen = runs.index_select(0, _index(stack, "locals", entries.device))
    vectors = chosen.reshape(width, -1, 4, batch).movedim(2, 1).flatten(2)
    bits = _outer(vectors).reshape(*(2,) * (2 * width), -1, batch)
    rows, columns = range(0, 2 * width, 2), range(1, 2 * width, 2)
    order = (2 * width + 1, 2 * width, *rows, *columns)
    return bits.permute(order).reshape(batch, -1, 2**width, 2**width)


def _runs(recipe: Stack | Prefix, entries: Tensor) -> Tensor:
    """Products of 2 by 2 matrices, one per run, `(n_runs, 2, 2, batch)`."""
    chosen = entries.index_select(0, _index(recipe, "runs", entries.device))
    each = chosen.reshape(*recipe.runs.shape[:2], 2, 2, -1).unbind(1)
    product = each[0]
    for matrices in each[1:]:
        product = (matrices[:, :, :, None] * product[:, None]).sum(2)
    return product


def _products(factors: Tensor) -> Tensor:
    """Multiply along the third last axis, the first to act first, as a tree."""
    while (depth := factors.shape[-3]) > 1:
        rest = factors[..., depth - 1 :, :, :] if depth % 2 else None
        even = factors if rest is None else factors[..., : depth - 1, :, :]
        first, second = even.unflatten(-3, (-1, 2)).unbind(-3)
        factors = second @ first if rest is None else torch.cat([second @ first, rest], -3)
    return factors[..., 0, :, :]


def _outer(vectors: Tensor) -> Tensor:
    """Tensor product of vectors `(n, size, batch)`, pairwise: `(size**n, batch)`."""
    n = vectors.shape[0]
    if n == 1:
        return vectors[0]
    if n % 2 or n > 8:  # halves of one size keep inner loops long
        first, last = vectors[: n // 2], vectors[n // 2 :]
        return _pairwise(_outer(first)[None], _outer(last)[None])[0]
    return _outer(_pairwise(*vectors.unflatten(0, (-1, 2)).unbind(1)))


def _pairwise(a: Tensor, b: Tensor) -> Tensor:
    if a.shape[-1] == 1:  # a matrix product: its derivative holds nothing of the result's size
        return (a @ b.mT).flatten(1).unsqueeze(-1)
    return (a.unsqueeze(2) * b.unsqueeze(1)).flatten(1, 2)


@remembered(1024)
def _table_constants(table: Table, dtype: torch.dtype, device: torch.device) -> Tensor:
    return constant(table.constants[:, None], dtype, device)


@remembered(1024)
def _turn_index(table: Table, n_angles: int, device: torch.device) -> Tensor:
    """Places of entries' parts among cosines, sines, negative sines and a zero."""
    signed = np.where(table.turn_signs < 0, table.turn_parts + n_angles, table.turn_parts)
    places = np.where(table.turn_signs == 0, 3 * n_angles, signed)
    return constant(places.reshape(-1), torch.int64, device)


@remembered(1024)
def _direct_phases(direct: Direct, dtype: torch.dtype, device: torch.device) -> Tensor:
    return constant(direct.phases, dtype, device)


@remembered(1024)
def _fixed(stack: Stack, dtype: torch.dtype, device: torch.device) -> Tensor:
    return constant(stack.constants[None], dtype, device)


@remembered(1024)
def _phases(stack: Stack, dtype: torch.dtype, device: torch.device) -> Tensor:
    assert stack.phases is not None
    return constant(stack.phases.reshape(-1, 1), dtype, device)


@remembered(4096)
def _index(recipe: Stack | Prefix | Table | Direct, name: str, device: torch.device) -> Tensor:
    return constant(getattr(recipe, name).reshape(-1), torch.int64, device)
