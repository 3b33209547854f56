"""The reference path: gate by gate, a page that can be checked by eye.

It is the oracle of the fused path, the route of gates that are not unitary and of nested forward
mode, and the place to start reading.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from quilt_func._amplitudes import split_wires
from quilt_func.ops import Op
from quilt_func.typing import WireSet


def run(ops: Sequence[Op], state: Tensor) -> Tensor:
    """Apply ops one gate at a time.

    Args:
        ops: Ops of the state's precision and device.
        state (complex, (2**n,)): Statevector.

    Returns:
        (complex, (2**n,)): New statevector.
    """
    for op in ops:
        for matrix, wires in zip(matrices(op, state).unbind(0), op.wires, strict=True):
            state = apply_matrix(matrix, wires, state)
    return state


def matrices(op: Op, state: Tensor) -> Tensor:
    """One matrix per wire set, `(m, K, K)`, of the state's dtype and device."""
    gate, m = op.gate, len(op.wires)
    if not gate.n_params:
        return gate.constant(state.dtype, state.device).expand(m, -1, -1)
    if not m:
        return state.new_zeros((0, 2**gate.n_wires, 2**gate.n_wires))
    real = state.real.dtype
    params = [
        torch.full((m,), param, dtype=real, device=state.device) if type(param) is float else param
        for param in op.params
    ]
    return gate.matrices(*params)


def apply_matrix(matrix: Tensor, wires: WireSet, state: Tensor) -> Tensor:
    """Apply one `(2**k, 2**k)` matrix to `k` wires of a state."""
    split, axes = split_wires(state, wires)
    front = list(range(len(wires)))
    gathered = split.movedim(axes, front)
    applied = (matrix @ gathered.reshape(matrix.shape[-1], -1)).reshape(gathered.shape)
    return applied.movedim(front, axes).reshape(-1)
