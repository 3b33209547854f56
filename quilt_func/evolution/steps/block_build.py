"""Build what a plan asks for: block matrices and product states, in a handful of torch calls.

Angles of a gate row become matrices in one vectorised call; gathers and outer products embed every
gate of every block; a batched product tree multiplies each block's factors. The number of calls
hardly depends on the number of gates, and all of it is plain torch: derivatives of the matrices
reach the leaves by ordinary autograd, also for a user's own gates.

What is built has a leading batch axis: parameters `(m, batch, *event)` make blocks
`(batch, n_blocks, K, K)`. It is 1 where parameters are not batched, or `torch.func` does it.
"""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from quilt_func.evolution.constants import Constants
from quilt_func.evolution.steps.block_recipe import Direct, Prefix, Stack
from quilt_func.evolution.steps.entry_table import Table
from quilt_func.evolution.steps.kind import Params

FEW = 16
"""Factors of a single block that are multiplied one by one; it costs no more than a tree does."""


def product(
    prefix: Prefix,
    params: Params,
    constants: Constants,
    derived: Tensor | None = None,
) -> Tensor:
    """Build the product state of a prefix, `(batch, 2**n_qubits)`; see `blocks`."""
    entries = _entries(prefix.table, params, constants, derived)
    if prefix.direct is not None:
        return _over_slots(entries, prefix, prefix.direct.shape, constants).mT
    return _outer(_runs(prefix, entries, constants)[:, :, 0]).mT


def blocks(
    stack: Stack,
    params: Params,
    constants: Constants,
    derived: Tensor | None = None,
) -> Tensor:
    """Build the matrices of a stack, `(batch, n_blocks, K, K)`.

    Args:
        stack: Recipe.
        params: Parameters of its ops.
        constants: Constant tensors of the plan.
        derived (bool, (n_angles, batch)): Which angles of rotations to take derivatives by.
    """
    entries = _entries(stack.table, params, constants, derived)
    if stack.direct is not None and entries.shape[1] == 1:
        return _direct_blocks(stack.direct, entries, constants)
    batch, size = entries.shape[1], 2**stack.width
    fixed = constants.complex(stack, "constants")[None]
    factors = [fixed if batch == 1 else fixed.expand(batch, -1, -1, -1)]
    if stack.locals.size:
        factors.append(_local_factors(stack, entries, constants))
    if stack.mixed.size:
        gathered = entries.index_select(0, constants.index(stack, "mixed"))
        slots = gathered.reshape(*stack.mixed.shape, batch).unbind(1)
        factors.append(reduce(torch.mul, slots).movedim(-1, 0))
    rows = torch.cat(factors, 1).reshape(batch, -1, size)
    chosen = rows.index_select(1, constants.index(stack, "rows"))
    if stack.row_factors is not None:
        chosen = chosen * constants.complex(stack, "row_factors").view(-1, 1)
    return _products(chosen.reshape(batch, *stack.rows.shape, size))


def _direct_blocks(direct: Direct, entries: Tensor, constants: Constants) -> Tensor:
    factors = _over_slots(entries, direct, direct.entries.shape, constants)
    if direct.row_factors is not None:
        factors = factors * constants.complex(direct, "row_factors")
    if len(direct.runs) == 1:
        return _products_of_run(factors, direct.runs[0])
    parts = factors.split([count * depth for count, depth in direct.runs], 1)
    runs = zip(parts, direct.runs, strict=True)
    return torch.cat([_products_of_run(part, run) for part, run in runs], 1)


def _products_of_run(factors: Tensor, run: tuple[int, int]) -> Tensor:
    """Multiply the factors `(1, n_blocks * depth, K, K)` of each block."""
    if run[0] == 1 and run[1] <= FEW:
        return _product_of_few(factors[0].unbind(0))[None, None]
    factors = factors.unflatten(1, run)
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


def _over_slots(
    entries: Tensor, recipe: Direct | Prefix, shape: tuple[int, ...], constants: Constants
) -> Tensor:
    """Products of table entries over slots, the first axis of a shape."""
    name = "entries" if isinstance(recipe, Direct) else "direct"
    slots = constants.index(recipe, name).view(shape[0], -1)  # one gather each: no stack on the way
    if isinstance(recipe, Direct):  # back; of numbers, not of rows of one, it takes a third
        flat = entries.view(-1)
        return reduce(torch.mul, (flat.gather(0, slot).view(shape[1:]) for slot in slots))
    chosen = (entries.index_select(0, slot).reshape(*shape[1:], -1) for slot in slots)
    return reduce(torch.mul, chosen)


def _entries(table: Table, params: Params, constants: Constants, derived: Tensor | None) -> Tensor:
    """The flat table of matrix entries, `(size, batch)`."""
    parts = [_rotation_entries(table, params, constants, derived)] if table.rotations else []
    for gate, members in table.rows:
        columns = [_joined(column) for column in zip(*(params[i] for i in members), strict=True)]
        is_batched = columns[0].ndim > 1 + len(gate.param_shape)
        if not is_batched:
            parts.append(gate.matrices(*columns).reshape(-1, 1))
            continue
        batch = columns[0].shape[1]
        matrices = gate.matrices(*(column.flatten(0, 1) for column in columns))
        parts.append(matrices.unflatten(0, (-1, batch)).movedim(1, -1).reshape(-1, batch))
    fixed = constants.complex(table, "constants")[:, None]
    if parts and parts[0].shape[1] > 1:
        fixed = fixed.expand(-1, parts[0].shape[1])
    return torch.cat([*parts, fixed])


def _rotation_entries(
    table: Table, params: Params, constants: Constants, derived: Tensor | None
) -> Tensor:
    """Entries of all rotations by one cosine and one sine, `(n_entries, batch)`."""
    theta = _joined([params[i][0] for i in table.rotations])
    half = torch.sub(theta, theta, alpha=0.5)  # forward mode is slow with constant factors
    cosine, sine = half.cos(), half.sin()
    if derived is not None:
        half_sine, half_cosine = 0.5 * sine, 0.5 * cosine
        cosine = torch.where(derived, -half_sine, cosine)
        sine = torch.where(derived, half_cosine, sine)
    waves = torch.cat([cosine, sine, -sine, torch.zeros_like(half[:1])])
    parts = waves.index_select(0, constants.index(table, "waves"))
    if parts.ndim == 1:
        return torch.view_as_complex(parts.reshape(-1, 1, 2))
    return torch.complex(*parts.unflatten(0, (-1, 2)).unbind(1))


def _joined(column: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
    return torch.cat(column) if len(column) > 1 else column[0]


def _local_factors(stack: Stack, entries: Tensor, constants: Constants) -> Tensor:
    """Kronecker products of 2 by 2 matrices, `(batch, n_locals, K, K)`."""
    width, batch = stack.width, entries.shape[1]
    runs = _runs(stack, entries, constants).reshape(-1, 4, batch)
    chosen = runs.index_select(0, constants.index(stack, "locals"))
    vectors = chosen.reshape(width, -1, 4, batch).movedim(2, 1).flatten(2)
    bits = _outer(vectors).reshape(*(2,) * (2 * width), -1, batch)
    rows, columns = range(0, 2 * width, 2), range(1, 2 * width, 2)
    order = (2 * width + 1, 2 * width, *rows, *columns)
    return bits.permute(order).reshape(batch, -1, 2**width, 2**width)


def _runs(recipe: Stack | Prefix, entries: Tensor, constants: Constants) -> Tensor:
    """Products of 2 by 2 matrices, one per run, `(n_runs, 2, 2, batch)`."""
    chosen = entries.index_select(0, constants.index(recipe, "runs"))
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
