"""Matrix entries of gates in a flat vector, by which whatever is built says where it takes them.

Rotations come first, in one vectorised call for all of them; then other gates, row by row; then
constants. Equal constants stand there once.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quilt_func.evolution.batching import BatchKey
from quilt_func.evolution.steps.embedding import constant_matrix
from quilt_func.evolution.steps.kind import Applied, Index
from quilt_func.ops import Gate, Structure


@dataclass(frozen=True, eq=False)
class Table:
    """Matrix entries of the gates of one batch key, in a flat vector.

    First those of rotations, then, row by row, those of other gates, each row's ops in order; then
    constants.

    Attributes:
        rotations: Ops of gates `cos(θ/2) - i sin(θ/2) G` whose `G` has the entries 0, ±1, ±i.
        n_angles: Number of their angles.
        waves: `(n_entries, 2)`, real and imaginary part of each of their entries, as places in all
            cosines, then all sines, all negative sines, and a zero.
        rows: Other gates, and the ops of each.
        constants: Entries of constant gates.
    """

    rotations: tuple[int, ...]
    n_angles: int
    waves: Index
    rows: tuple[tuple[Gate, tuple[int, ...]], ...]
    constants: NDArray[np.complex128]

    @property
    def ops(self) -> tuple[int, ...]:
        """Ops whose parameters it is built of."""
        return (*self.rotations, *(op for _, members in self.rows for op in members))


@dataclass(frozen=True, eq=False)
class OfTable:
    """What is built of a table, and what its derivatives are made of.

    Attributes:
        key: Batch key of the parameters.
        table: Where matrix entries come from.
        angles: `(n_parts, most)`, the angles of each part among those of all rotations, filled up
            with their number.
    """

    key: BatchKey
    table: Table
    angles: Index

    @property
    def ops(self) -> tuple[int, ...]:
        """Ops whose parameters it is built of."""
        return self.table.ops

    @property
    def derived(self) -> NDArray[np.bool_]:
        """Which angles to take the derivative by: none, then one of each part for each slope.

        Returns:
            `(n_angles, 1 + n_slopes)`.
        """
        n_angles = self.table.n_angles
        found = np.zeros((n_angles + 1, 1 + self.angles.shape[1]), dtype=np.bool_)
        for slope, angles in enumerate(self.angles.T):
            found[angles, 1 + slope] = True
        return found[:n_angles]


IDENTITY = Gate("identity", 1, 0, np.eye(2, dtype=np.complex128))
"""The run of a wire without gates."""


class TableBuilder:
    """A table, and where in it gates stand."""

    def __init__(self, ops: Sequence[Structure], gates: Iterable[Applied]) -> None:
        self.ops = ops
        members: dict[Gate, dict[int, None]] = defaultdict(dict)
        constants: dict[Gate, None] = {IDENTITY: None}
        for gate in gates:
            if gate.is_constant and len(gate.wires) == 1:
                constants[gate.gate] = None
            elif not gate.is_constant:
                members[gate.gate][gate.op] = None
        self.offsets: dict[int | Gate, int] = {}
        rotations = {row: members.pop(row) for row in [*members] if _is_of_waves(row)}
        size = 0
        for row, its_ops in (rotations | members).items():
            for op in its_ops:
                self.offsets[op] = size
                size += len(ops[op].wires) * 4**row.n_wires
        for row in constants:
            self.offsets[row] = size
            size += 4
        self.table = Table(
            tuple(op for its_ops in rotations.values() for op in its_ops),
            sum(len(ops[op].wires) for its_ops in rotations.values() for op in its_ops),
            _waves(
                [(row, sum(len(ops[op].wires) for op in its)) for row, its in rotations.items()]
            ),
            tuple((row, tuple(its_ops)) for row, its_ops in members.items()),
            np.concatenate([constant_matrix(row).reshape(-1) for row in constants]),
        )

    def start(self, gate: Applied) -> int:
        """Where a gate's matrix starts."""
        if gate.is_constant:
            return self.offsets[gate.gate]
        return self.offsets[gate.op] + gate.slot * (1 << 2 * len(gate.wires))

    def angles(self, blocks: Sequence[Sequence[Applied]]) -> Index:
        """Each block's angles of rotations, `(n_blocks, most)`."""
        places: dict[tuple[int, int], int] = {}
        for op in self.table.rotations:
            for slot in range(len(self.ops[op].wires)):
                places[op, slot] = len(places)
        found = [
            [places[g.op, g.slot] for g in gates if (g.op, g.slot) in places] for gates in blocks
        ]
        most = max(map(len, found))
        filled = [own + [len(places)] * (most - len(own)) for own in found]
        return np.array(filled, dtype=np.int64).reshape(len(blocks), most)

    def runs(self, runs: Iterable[Sequence[Applied]]) -> Index:
        """Entries of the matrices of runs, `(n_runs, depth, 4)`, filled up with identities."""
        starts = [[self.start(gate) for gate in run] for run in runs]
        depth = max([1, *map(len, starts)])
        rest = self.offsets[IDENTITY]
        filled = [row + [rest] * (depth - len(row)) for row in starts]
        return np.array(filled, dtype=np.int64)[..., None] + np.arange(4)


def _is_of_waves(gate: Gate) -> bool:
    """Whether a gate is a rotation whose entries are cosines and sines, or 0."""
    generator = np.asarray(gate.generator)
    return gate.is_rotation and bool(np.isin(generator, [0, 1, -1, 1j, -1j]).all())


def _waves(rotations: Sequence[tuple[Gate, int]]) -> Index:
    """Places of the entries' parts, for gates and their numbers of wire sets; see `Table`."""
    total = sum(m for _, m in rotations)
    found = [np.zeros((0, 2), dtype=np.int64)]
    first = 0
    for gate, m in rotations:
        generator = np.asarray(gate.generator).reshape(-1)
        sines = np.stack([generator.imag, -generator.real], -1)  # of -i G
        start = np.select([sines > 0, sines < 0], [total, 2 * total], 3 * total)
        start[np.eye(2**gate.n_wires, dtype=bool).reshape(-1), 0] = 0
        slots = np.arange(first, first + m)[:, None, None]
        found.append(np.where(start == 3 * total, start, start + slots).reshape(-1, 2))
        first += m
    return np.concatenate(found)
