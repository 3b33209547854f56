"""Which gates must wait for which, where gates commute on the wires on which both stand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from quilt_func.typing import WireSet


class Demand(NamedTuple):
    """One gate on one wire set, as planning sees it.

    Attributes:
        moving: Wires whose bits it changes: they must be local.
        standing: Wires in whose bits it is block-diagonal: they may be anywhere.
    """

    moving: WireSet
    standing: WireSet


@dataclass
class Block:
    """Gates that can be applied as soon as the first of them can.

    Attributes:
        moving: Wires whose bits they change, as a set of bits.
        gates: Their numbers, in order.
        after: Blocks that wait for it.
        n_before: Number of blocks that it waits for.
    """

    moving: int
    gates: list[int]
    after: list[int] = field(default_factory=list)
    n_before: int = 0


class Dependencies(NamedTuple):
    """Blocks, each behind those that it waits for, and gates that nothing holds back.

    Attributes:
        free: Gates that wait for no gate and move no wire.
        blocks: All others.
    """

    free: tuple[int, ...]
    blocks: tuple[Block, ...]


def blocks_of(n_qubits: int, demands: Sequence[Demand]) -> Dependencies:
    """Find which gates must wait for which: on each wire, movers for all, and all for movers.

    Two gates commute if each wire that they share stands in both: for known bits of these wires
    they are gates on different wires. A gate joins a block if it waits for nothing else and moves
    no other wires.

    Args:
        n_qubits: Number of wires.
        demands: What the gates need, in order.

    Returns:
        Blocks in an order of application.
    """
    free: list[int] = []
    blocks: list[Block] = []
    mover: list[int | None] = [None] * n_qubits
    since: list[set[int]] = [set() for _ in range(n_qubits)]  # blocks that stand on it since then
    for gate, (moving, standing) in enumerate(demands):
        before = {last for wire in standing if (last := mover[wire]) is not None}
        for wire in moving:
            last = mover[wire]
            before |= since[wire] or (set() if last is None else {last})
        bits = sum(1 << wire for wire in moving)
        if not (before or bits):
            free.append(gate)
            continue
        own = _joined(blocks, before, bits)
        if own is None:
            own = len(blocks)
            blocks.append(Block(bits, [], n_before=len(before)))
            for other in before:
                blocks[other].after.append(own)
        blocks[own].gates.append(gate)
        for wire in standing:
            since[wire].add(own)
        for wire in moving:
            mover[wire], since[wire] = own, set()
    return Dependencies(tuple(free), tuple(blocks))


def _joined(blocks: Sequence[Block], before: set[int], bits: int) -> int | None:
    """The block that a gate joins, which waits for some blocks and moves some wires."""
    if len(before) != 1:
        return None
    (only,) = before
    return None if bits & ~blocks[only].moving else only
