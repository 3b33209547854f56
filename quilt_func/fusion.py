"""Build what a plan asks for: block matrices and product states, in a handful of torch calls.

Angles of a gate row become matrices in one vectorised call; one gather embeds every gate of every
block; a batched product tree multiplies each block's gates. The number of calls hardly depends on
the number of gates, and all of it is plain torch: derivatives of the matrices reach the leaves by
ordinary autograd, also for a user's own gates.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from quilt_func.ops import Op
from quilt_func.planning import Plan, Stack, Table


def build(
    plan: Plan, ops: Sequence[Op], dtype: torch.dtype, device: torch.device
) -> tuple[list[Tensor], Tensor | None]:
    """Build a plan's block matrices and, if it has a prefix, the product state it starts from.

    Args:
        plan: The plan of these ops' structure.
        ops: The ops, with parameters.
        dtype: complex64 or complex128.
        device: Where to build.

    Returns:
        One tensor `(n_blocks, K, K)` per stack, and a state `(2**n_qubits,)` or None.
    """
    tables = [_entries(table, ops, dtype, device) for table in plan.tables]
    stacks = [_products(tables[stack.table], stack) for stack in plan.stacks]
    if not plan.prefix:
        return stacks, None
    columns = [_products(tables[stack.table], stack)[:, :, 0] for stack in plan.prefix]
    return stacks, _outer(columns[0])


def _entries(table: Table, ops: Sequence[Op], dtype: torch.dtype, device: torch.device) -> Tensor:
    """The flat table of matrix entries."""
    parts = [
        gate.matrices(*_joined_params([ops[i] for i in members], dtype, device)).reshape(-1)
        for gate, members in table.rows
    ]
    constants = _constants(table, dtype, device)
    return torch.cat([*parts, constants]) if parts else constants


@lru_cache(maxsize=1024)
def _constants(table: Table, dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.tensor(table.constants, dtype=dtype, device=device)


def _joined_params(
    ops: Sequence[Op], dtype: torch.dtype, device: torch.device
) -> list[Tensor]:
    """Each parameter of a row over all its ops, `(total, *param_shape)`."""
    joined = []
    for values in zip(*(op.params for op in ops), strict=True):
        tensors = [
            torch.full((len(op),), value, dtype=dtype.to_real(), device=device)
            if type(value) is float
            else value
            for op, value in zip(ops, values, strict=True)
        ]
        joined.append(tensors[0] if len(tensors) == 1 else torch.cat(tensors))
    return joined


def _products(entries: Tensor, stack: Stack) -> Tensor:
    """Gather each block's embedded gates and multiply them: `(n_blocks, K, K)`."""
    index = _index(stack, entries.device)
    factors = entries.index_select(0, index).reshape(stack.index.shape)
    while factors.shape[1] > 1:
        even = factors.shape[1] // 2 * 2
        pairs = factors[:, 1:even:2] @ factors[:, 0:even:2]
        factors = torch.cat([pairs, factors[:, even:]], 1) if even < factors.shape[1] else pairs
    return factors[:, 0]


@lru_cache(maxsize=1024)
def _index(stack: Stack, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.from_numpy(stack.index.reshape(-1)).to(device)


def _outer(vectors: Tensor) -> Tensor:
    """Tensor product of the rows of `(n, 2)`, pairwise: `(2**n,)`."""
    rows, tail = vectors, None
    while rows.shape[0] > 1:
        if rows.shape[0] % 2:
            tail = rows[-1] if tail is None else (rows[-1][:, None] * tail).reshape(-1)
            rows = rows[:-1]
        rows = (rows[0::2, :, None] * rows[1::2, None, :]).reshape(rows.shape[0] // 2, -1)
    return rows[0] if tail is None else (rows[0][:, None] * tail).reshape(-1)
