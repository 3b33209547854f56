"""Gates and the channels around them on the same wires, as one channel.

A block multiplies matrices of its own size for each of its factors. Where a gate and its noise act
on the same wires, they are multiplied as the small superoperators that they are, for all wire sets
at once, and are one factor of the block.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache, reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quilt_func._torch import batch_levels
from quilt_func.noise.channels import Channel, Table, sandwich
from quilt_func.ops import Gate, Made, Op

MOST_WIRES = 2
"""Wires of what is merged: a superoperator on two has 16 rows, as a block has."""


def merged(ops: Iterable[Op]) -> list[Op]:
    """Ops in which channels are one with gates and channels right before them on the same wires.

    Only those are merged whose parameters are mapped over by the same levels of `vmap`, or whose
    channels' are mapped over by fewer: weights stay apart from data.
    """
    found: list[Op] = []
    last: dict[int, int] = {}
    for op in ops:
        wires = {wire for one in op.wires for wire in one}
        before = {last.get(wire, -1) for wire in wires}
        place = max(before, default=-1)
        if len(before) == 1 and place >= 0 and _is_one(found[place], op):
            found[place] = _joined(found[place], op)
            continue
        last.update(dict.fromkeys(wires, len(found)))
        found.append(op)
    return found


def _is_one(first: Op, second: Op) -> bool:
    """Whether two ops that follow one another make one superoperator for each wire set."""
    rows = members(first.gate) + members(second.gate)
    wires = _wires(first)
    if (
        wires != _wires(second)
        or second.gate.n_wires not in (1, first.gate.n_wires)
        or (second.wires != first.wires and not isinstance(second.gate, Channel))
        or len(wires) != len(set(wires))
        or first.gate.n_wires > MOST_WIRES
        or any(row.param_shape for row in rows)
        or not any(isinstance(row, Channel) for row in rows)
    ):
        return False
    levels, others = (_levels(op) for op in (first, second))
    return levels == others or (isinstance(second.gate, Channel) and others < levels)


def _wires(op: Op) -> list[int]:
    return [wire for one in op.wires for wire in one]


def _levels(op: Op) -> set[int]:
    return {level for leaf in op.leaves for level in batch_levels(leaf)}


def _joined(first: Op, second: Op) -> Op:
    gate, params, k = second.gate, second.params, first.gate.n_wires
    if isinstance(gate, Channel) and gate.n_wires < k:
        params = tuple(part for param in params for part in _by_wire(param, k))
        gate = on_each(gate, k)
    row = composite(members(first.gate) + members(gate))
    return Op(row, first.wires, first.params + params)


def _by_wire(param: Any, k: int) -> Sequence[Any]:
    """A strength on each of `k` neighbours in `(m * k,)`; a number is that of all."""
    return [param] * k if type(param) is float else param.unflatten(0, (-1, k)).unbind(1)


def members(gate: Gate) -> tuple[Gate, ...]:
    """Gates and channels that a row is made of, in order: mostly itself."""
    found: tuple[Gate, ...] = next(iter(gate.made_by(composite)), (gate,))
    return found


@lru_cache(maxsize=4096)
def composite(rows: tuple[Gate, ...]) -> Channel:
    """The channel of gates and channels one after the other, with the parameters of all."""
    counts = [row.n_params for row in rows]

    def superoperator(*params: Tensor) -> Tensor:
        rest, factors = list(params), []
        for row, count in zip(rows, counts, strict=True):
            own, rest = rest[:count], rest[count:]
            factors.append(_superoperators(row, own, params[0]))
        product: Tensor = reduce(lambda first, second: second @ first, factors)
        return product

    return Channel(
        name="+".join(row.name for row in rows),
        n_wires=rows[0].n_wires,
        n_params=sum(counts),
        matrix=superoperator,
        doc="Gates and channels one after the other.",
        origin=Made(composite, (rows,)),
    )


@lru_cache(maxsize=4096)
def on_each(channel: Channel, k: int) -> Channel:
    """A channel on one wire as one on each of `k = 2` wires, each of its strengths `k` times."""

    def superoperator(*strengths: Tensor) -> Tensor:
        first, last = (channel.matrices(*strengths[i::k]).unflatten(-1, (2, 2)) for i in range(k))
        a, b = (one.unflatten(1, (2, 2)) for one in (first, last))
        a = a[:, :, None, :, None, :, None, :, None]
        both: Tensor = a * b[:, None, :, None, :, None, :, None, :]
        return both.flatten(5).flatten(1, 4)

    return Channel(
        name=f"{channel.name}*{k}",
        n_wires=k,
        n_params=k * channel.n_params,
        matrix=superoperator,
        doc=f"`{channel.name}` on each of {k} wires.",
        origin=Made(on_each, (channel, k)),
    )


def _superoperators(row: Gate, params: list[Tensor], like: Tensor) -> Tensor:
    """`(m, K**2, K**2)`, or `(K**2, K**2)` of a constant gate."""
    if isinstance(row, Channel):
        return row.matrices(*params)
    if not params:
        return _of_constant(row).like(like)
    u = row.matrices(*params)
    conjugated = torch.complex(u.real, -u.imag)
    both = u[:, :, None, :, None] * conjugated[:, None, :, None, :]
    return both.flatten(3, 4).flatten(1, 2)


@lru_cache(maxsize=4096)
def _of_constant(row: Gate) -> Table:
    return Table(sandwich(np.asarray(row.matrix)))
