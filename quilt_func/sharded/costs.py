"""Costs of bit strings on sharded states, where no rank could hold a table of all of them."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import (
    check_function,
    common_dtype_and_device,
    message,
    short_dtype_or_kind,
)
from quilt_func._collectives import copied, summed
from quilt_func._torch import is_differentiated, tree_map
from quilt_func.sharded.layouts import ShardedState, check_sharded
from quilt_func.sharded.measuring import own_probabilities

Cost = Callable[..., Tensor]
"""Bits (int64, (m, n)), and parameters -> costs (real, (m,))."""

CHUNK = 2**14
"""Bit strings that a cost is asked for at once."""


def mean_cost(state: ShardedState, cost: Cost, *params: Any) -> Tensor:
    """Mean of a function of the measured bits of a sharded state.

    It is the expectation value of the diagonal observable with these entries. Each rank asks for
    the costs of its own basis states, some thousands at a time, and keeps one number for each:
    half as much as its amplitudes.

    Args:
        state: Normalised sharded state.
        cost: From bits (int64, (m, n_qubits)), wire 0 first, and the parameters to costs
            (real, (m,)), in the precision of the state.
        *params: Pytrees of tensors that the cost depends on, the same on every rank. One that the
            function closes over must not be differentiated.

    Returns:
        (real, ()): Mean, the same on every rank.

    Raises:
        TypeError: If the state is not sharded, the cost is no function, gives another dtype, or
            closes over a tensor that is being differentiated.
        ValueError: If it gives another shape.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the state and in the parameters.

    Examples:
        >>> from quilt_func import ghz_state, sharded
        >>> def ones():
        ...     state = sharded.shard(ghz_state(2), sharded.mesh("cpu"))
        ...     return sharded.mean_cost(state, lambda bits: bits.sum(-1).float())
        >>> sharded.spawn(2, ones, start="fork")[0]
        tensor(1.0000)
    """
    check_sharded("mean_cost", state)
    check_function("mean_cost", "cost", cost)
    ranks = state.layout.ranks
    chunks = _own_bits(state)
    own = _on_each(params, lambda p: copied(ranks, p))
    values = torch.cat([_costs(cost, bits, own, state) for bits in chunks])
    if is_differentiated(_costs(cost, next(_own_bits(state))[:1], _still(params), state)):
        need, got = "get all that is differentiated as `params`", "a function that closes over it"
        remedy = "Write `mean_cost(state, cost, weights)`: its gradient is summed over ranks."
        raise TypeError(message("mean_cost", "cost", _name(cost), need, got, remedy))
    return summed(ranks, (values * own_probabilities(state)).sum())


def _still(params: tuple[Any, ...]) -> tuple[Any, ...]:
    return _on_each(params, Tensor.detach)


def _on_each(params: tuple[Any, ...], fn: Callable[[Tensor], Tensor]) -> tuple[Any, ...]:
    """Parameters with a function applied to each tensor."""
    found: tuple[Any, ...] = tree_map(lambda p: fn(p) if isinstance(p, Tensor) else p, params)
    return found


def _costs(cost: Cost, bits: Tensor, params: tuple[Any, ...], state: ShardedState) -> Tensor:
    found = cost(bits, *params)
    real = state.local.dtype.to_real()
    if not isinstance(found, Tensor) or found.dtype != real:
        need, got = f"give a {str(real).removeprefix('torch.')} tensor", short_dtype_or_kind(found)
        remedy = f"Compute in the precision of the state: `.to({real})`."
        raise TypeError(message("mean_cost", "cost", _name(cost), need, got, remedy))
    if found.shape != bits.shape[:1]:
        need, got = f"give costs of shape ({len(bits)},)", f"shape {tuple(found.shape)}"
        remedy = "Reduce over the last axis, of wires, only: `bits.sum(-1)`."
        raise ValueError(message("mean_cost", "cost", _name(cost), need, got, remedy))
    common_dtype_and_device("mean_cost", (state.local, found))
    return found


def _name(cost: Cost) -> str:
    return getattr(cost, "__name__", type(cost).__name__)


def _own_bits(state: ShardedState) -> Iterator[Tensor]:
    """Bits of this rank's basis states by wire, (m, n), some at a time."""
    layout, device = state.layout, state.local.device
    n_local = len(layout.local)
    place = torch.tensor(layout.order, device=device).argsort()
    shifts = torch.arange(n_local - 1, -1, -1, device=device)
    across = torch.tensor(layout.ranks.bits, dtype=torch.int64, device=device)
    for start in range(0, 2**n_local, CHUNK):
        indices = torch.arange(start, min(start + CHUNK, 2**n_local), device=device)
        local = indices[:, None] >> shifts & 1
        yield torch.cat([across.expand(len(indices), -1), local], 1)[:, place]
