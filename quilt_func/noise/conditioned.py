"""Channels and resets under conditions: whether they act is a value, not Python's control flow.

Where a condition fails, a channel is the identity: of Kraus operators, and of unitaries of a
mixture, the first is 1 and has probability 1. So a run takes as many numbers as if it acted.
"""

import torch
from torch import Tensor

from quilt_func.instruments import Reset, holds_of, innermost, resolved
from quilt_func.noise.channels import Channel, strengths_of
from quilt_func.noise.given_channels import superoperator_channel
from quilt_func.noise.relaxation import reset_channel
from quilt_func.ops import Op


def without_conditions(
    op: Op, bits: dict[str, Tensor], dtype: torch.dtype, device: torch.device
) -> tuple[Op, Tensor | None]:
    """An op at one outcome; of a channel or a reset, a channel, and whether it acts."""
    row, params = innermost(op.gate), op.params
    if isinstance(row, Reset):
        row, params = reset_channel, (1.0,)
    if not isinstance(row, Channel):
        return resolved(op, bits, dtype, device), None
    return Op(row, op.wires, params), holds_of(op.gate, bits) if op.gate.reads else None


def on_densities(op: Op, bits: dict[str, Tensor], dtype: torch.dtype, device: torch.device) -> Op:
    """An op at one outcome: gates, and channels without conditions."""
    found, holds = without_conditions(op, bits, dtype, device)
    channel = found.gate
    if holds is None or not isinstance(channel, Channel):
        return found
    superoperators = channel.matrices(*strengths_of(found, dtype, device))
    identity = torch.eye(4**channel.n_wires, dtype=dtype, device=device)
    row = superoperator_channel(channel.n_wires)
    return Op(row, found.wires, (torch.where(holds, superoperators, identity),))


def operators_if(holds: Tensor | None, operators: Tensor) -> Tensor:
    """Kraus operators `(m, n, K, K)`, or of the identity."""
    if holds is None:
        return operators
    n, size = operators.shape[-3:-1]
    is_first = (torch.arange(n, device=operators.device) == 0)[:, None, None]
    identity = torch.eye(size, dtype=operators.dtype, device=operators.device)
    return torch.where(holds, operators, torch.where(is_first, identity, 0.0))


def mixture_if(
    holds: Tensor | None, probabilities: Tensor, unitaries: Tensor
) -> tuple[Tensor, Tensor]:
    """Probabilities `(m, n)` and unitaries of a mixture, or of the identity."""
    if holds is None:
        return probabilities, unitaries
    n, size = probabilities.shape[-1], unitaries.shape[-1]
    first = torch.arange(n, device=probabilities.device) == 0
    identity = torch.eye(size, dtype=unitaries.dtype, device=unitaries.device)
    return (
        torch.where(holds, probabilities, first.to(probabilities.dtype)),
        torch.where(holds, unitaries, identity),
    )
