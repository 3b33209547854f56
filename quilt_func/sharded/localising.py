"""A circuit as each rank runs it: gates on its own wires, and exchanges between them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from quilt_func._collectives import Exchange, Ranks
from quilt_func._torch import constant
from quilt_func.evolution import exchange_row
from quilt_func.ops import Gate, Op
from quilt_func.sharded.bit_blocks import restricted
from quilt_func.sharded.planning import Demand, Schedule
from quilt_func.sharded.standing_wires import standing
from quilt_func.typing import WireSet


class Application(NamedTuple):
    """One gate on one wire set: set number `slot` of op number `op`."""

    op: int
    slot: int
    gate: Gate
    wires: WireSet

    @property
    def demand(self) -> Demand:
        """Its wires, by whether they must be local."""
        stands = standing(self.gate)
        pairs = list(zip(self.wires, stands, strict=True))
        return Demand(
            tuple(wire for wire, is_standing in pairs if not is_standing),
            tuple(wire for wire, is_standing in pairs if is_standing),
        )


def applications(ops: Iterable[Op]) -> list[Application]:
    """All gates of some ops, one wire set after the other."""
    return [
        Application(number, slot, op.gate, wires)
        for number, op in enumerate(ops)
        for slot, wires in enumerate(op.wires)
        if wires
    ]


def split_leading(gates: Iterable[Application]) -> tuple[list[Application], list[Application]]:
    """The gates on single wires that come first there, and the rest.

    On |0...0⟩ they make a product state, which needs no exchange wherever its wires are.
    """
    leading: list[Application] = []
    rest: list[Application] = []
    closed: set[int] = set()
    for gate in gates:
        if len(gate.wires) == 1 and gate.wires[0] not in closed:
            leading.append(gate)
        else:
            rest.append(gate)
            closed.update(gate.wires)
    return leading, rest


def local_ops(
    ops: Sequence[Op], gates: Sequence[Application], schedule: Schedule, ranks: Ranks
) -> Iterator[Op]:
    """What a rank applies to its own amplitudes, gates and exchanges in the order of a schedule.

    Args:
        ops: The circuit's ops.
        gates: What the schedule numbers.
        schedule: When wires are exchanged, and which gates come between.
        ranks: The processes.
    """
    order = schedule.start
    for stage in schedule.stages:
        if stage.exchange is not None:
            yield _exchange(stage.exchange.places, stage.exchange.wires, order, ranks)
            order = stage.exchange.order
        yield from placed(ops, [gates[number] for number in stage.gates], order, ranks)


def _exchange(places: tuple[int, ...], wires: WireSet, order: WireSet, ranks: Ranks) -> Op:
    local = order[ranks.n_bits :]
    first = tuple(map(local.index, wires))
    others = (place for place in range(len(local)) if place not in first)
    row = exchange_row(Exchange(ranks, places), len(local))
    return Op(row, ((*first, *others),), ())


def placed(
    ops: Sequence[Op], gates: Iterable[Application], order: WireSet, ranks: Ranks
) -> Iterator[Op]:
    """Gates on local wires, of which each is its block on the wires that are the rank's."""
    rows = [_on_local_wires(gate, order, ranks) for gate in gates]
    for _, group in groupby(rows, _joined):
        members = list(group)
        number, row = members[0][0].op, members[0][1]
        slots = tuple(gate.slot for gate, _, _ in members)
        op = ops[number]
        params = tuple(p if type(p) is float else _chosen(p, slots) for p in op.params)
        yield Op(row, tuple(wires for _, _, wires in members), params)


def _joined(placed: tuple[Application, Gate, WireSet]) -> tuple[int, int]:
    """What neighbours that join to one op share; blocks, which depend on the rank, stay alone."""
    gate, row, _ = placed
    return gate.op, -1 if row is gate.gate else gate.slot


def _on_local_wires(
    gate: Application, order: WireSet, ranks: Ranks
) -> tuple[Application, Gate, WireSet]:
    places = [order.index(wire) for wire in gate.wires]
    fixed = tuple(i for i, place in enumerate(places) if place < ranks.n_bits)
    if not fixed:
        return gate, gate.gate, tuple(place - ranks.n_bits for place in places)
    bits = tuple(ranks.bits[places[i]] for i in fixed)
    left = tuple(place - ranks.n_bits for place in places if place >= ranks.n_bits)
    return gate, restricted(gate.gate, fixed, bits), left or (0,)


def _chosen(param: Tensor, slots: tuple[int, ...]) -> Tensor:
    """The parameters of some wire sets."""
    first, stop = slots[0], slots[-1] + 1
    if slots == tuple(range(first, stop)):
        return param if stop - first == len(param) else param[first:stop]
    index = constant(np.array(slots), torch.int64, param.device)
    return param.index_select(0, index)


AMPLITUDE = Gate("amplitude", 1, 1, lambda matrix: matrix, param_shape=(2, 2))
"""A multiple of the identity: what the bits of a rank make of a product state."""


def opening_ops(
    ops: Sequence[Op], leading: Sequence[Application], order: WireSet, ranks: Ranks,
    dtype: torch.dtype, device: torch.device,
) -> Iterator[Op]:  # fmt: skip
    """What makes of |0...0⟩ on its local wires a rank's part of a product state.

    Args:
        ops: The circuit's ops.
        leading: Gates on single wires that make the product state.
        order: All wires.
        ranks: The processes.
        dtype: Of states.
        device: Theirs.
    """
    sharded, local = order[: ranks.n_bits], order[ranks.n_bits :]
    if sharded:
        yield amplitude(ops, leading, sharded, ranks, dtype, device)
    yield from placed(ops, [gate for gate in leading if gate.wires[0] in local], order, ranks)


def amplitude(
    ops: Sequence[Op], leading: Iterable[Application], sharded: WireSet, ranks: Ranks,
    dtype: torch.dtype, device: torch.device,
) -> Op:  # fmt: skip
    """The amplitude of this rank's bits on the sharded wires of a product state, as a factor.

    Args:
        ops: The circuit's ops.
        leading: Gates on single wires that make the product state of |0...0⟩.
        sharded: The wires whose bits are those of the rank's number.
        ranks: The processes.
        dtype: Of states.
        device: Theirs.
    """
    found = torch.ones((), dtype=dtype, device=device)
    by_wire: dict[int, list[Application]] = {wire: [] for wire in sharded}
    for gate in leading:
        if gate.wires[0] in by_wire:
            by_wire[gate.wires[0]].append(gate)
    for wire, bit in zip(sharded, ranks.bits, strict=True):
        column = constant(np.array([1, 0]), dtype, device)
        for gate in by_wire[wire]:
            column = _matrix(ops[gate.op], gate.slot, dtype, device) @ column
        found = found * column[bit]
    identity = constant(np.eye(2), dtype, device)
    return Op(AMPLITUDE, ((0,),), ((found * identity)[None],))


def _matrix(op: Op, slot: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    if not op.gate.n_params:
        return op.gate.constant(dtype, device)
    real = dtype.to_real()
    params = (
        torch.full((1,), p, dtype=real, device=device) if type(p) is float else p[slot : slot + 1]
        for p in op.params
    )
    return op.gate.matrices(*params)[0]
