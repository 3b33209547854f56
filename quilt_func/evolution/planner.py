"""From circuit structure to a plan: integers only, cached, shared by every run of the structure.

A plan cuts a circuit into steps: blocks, which are `2**k` square matrices on `k` wires, moves of
amplitudes, and phases. `_partition.py` chooses them; `_recipes.py`, `_moves.py` and `_phases.py`
say how each is built. Gates are fused only with gates whose parameters are batched over the same
`vmap` levels, so that weights shared by a batch stay one small matrix.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

from quilt_func.evolution.partitioning import WHOLE, WIDTH, Part, partition
from quilt_func.evolution.steps.block_recipe import (
    Applied,
    BatchKey,
    Members,
    Prefix,
    Stack,
    StackBuilder,
    prefix_of,
)
from quilt_func.evolution.steps.diagonal_phases import Phases, phases
from quilt_func.evolution.steps.permutation import Move, move
from quilt_func.ops import Structure
from quilt_func.typing import WireSet

__all__ = ["WHOLE", "WIDTH", "Block", "Move", "Plan", "Segment", "Shift", "Step", "plan"]

SEGMENT = 2**16
"""Matrix entries of a segment's factors: what is built and held at one time."""


@dataclass(frozen=True)
class Block:
    """One step of a run: matrix `position` of stack `stack`, of so many gates, acts on `wires`."""

    stack: int
    position: int
    wires: WireSet
    n_gates: int


@dataclass(frozen=True)
class Shift:
    """One step of a run: the phases of recipe `place`, of so many gates, on all wires."""

    place: int
    wires: WireSet
    n_gates: int


Step: TypeAlias = Block | Move | Shift


@dataclass(frozen=True, eq=False)
class Segment:
    """What is built together, and the steps that use it: one tensor a stack, then one a phase.

    Attributes:
        stacks: Recipes of blocks.
        phases: Recipes of phases.
        steps: Steps in order.
    """

    stacks: tuple[Stack, ...]
    phases: tuple[Phases, ...]
    steps: tuple[Step, ...]

    @property
    def keys(self) -> tuple[BatchKey, ...]:
        """Batch keys of the tensors that are built."""
        return (*(one.key for one in self.stacks), *(one.key for one in self.phases))

    @cached_property
    def ops(self) -> tuple[int, ...]:
        """Ops whose parameters it is built of."""
        of_stacks = (op for one in self.stacks for op in one.table.ops)
        of_phases = (op for one in self.phases for op in one.ops)
        return tuple(sorted({*of_stacks, *of_phases}))


@dataclass(frozen=True, eq=False)
class Plan:
    """What to build and what to run. Equal only to itself.

    Attributes:
        n_qubits: Number of qubits.
        prefix: The product state to start from, or None.
        segments: Steps in order.
    """

    n_qubits: int
    prefix: Prefix | None
    segments: tuple[Segment, ...]


@lru_cache(maxsize=512)
def plan(
    n_qubits: int, ops: tuple[Structure, ...], keys: tuple[BatchKey, ...], from_zero: bool
) -> Plan:
    """Plan a run.

    Args:
        n_qubits: Number of qubits, at least 1.
        ops: Structures of unitary ops in order.
        keys: Batch key of each op.
        from_zero: Whether the state is |0...0⟩, so that leading one-wire gates make a product.

    Returns:
        The plan.
    """
    gates = [
        Applied(i, slot, op.gate, wires, keys[i])
        for i, op in enumerate(ops)
        for slot, wires in enumerate(op.wires)
    ]
    first = _product_prefix(gates) if from_zero else []
    taken = set(map(id, first))
    parts = partition(n_qubits, [gate for gate in gates if id(gate) not in taken])
    segments = [_segment(ops, n_qubits, group) for group in _segments(parts)]
    prefix = prefix_of(ops, n_qubits, first) if first else None
    return Plan(n_qubits, prefix, tuple(segments))


def _product_prefix(gates: Sequence[Applied]) -> list[Applied]:
    """The gates of one batch key that begin the circuit and act on single wires."""
    chosen: list[Applied] = []
    closed: set[int] = set()
    key = next((gate.key for gate in gates if gate.key), ())
    for gate in gates:
        fits = gate.key == key or gate.is_constant
        if len(gate.wires) == 1 and gate.wires[0] not in closed and fits:
            chosen.append(gate)
        else:
            closed.update(gate.wires)
    return chosen


def _segments(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Cut a run where the factors of its blocks would grow beyond `SEGMENT` entries."""
    group: list[Part] = []
    size = 0
    for part in parts:
        cost = (1 + len(part.gates) // 4) * 4 ** len(part.wires) if part.kind == "block" else 0
        if group and size + cost > SEGMENT:
            yield group
            group, size = [], 0
        group.append(part)
        size += cost
    if group:
        yield group


def _segment(ops: Sequence[Structure], n_qubits: int, parts: Sequence[Part]) -> Segment:
    kinds: dict[tuple[BatchKey, int, bool], list[Members]] = {}
    recipes: list[Phases] = []
    steps: list[Step] = []
    for kind, wires, gates in parts:
        if kind == "move":
            steps.append(move(wires, [(gate.gate, gate.wires) for gate in gates]))
        elif kind == "phases":
            steps.append(Shift(len(recipes), wires, len(gates)))
            recipes.append(phases(ops, n_qubits, gates))
        else:
            key = next((gate.key for gate in gates if not gate.is_constant), ())
            of_kind = key, len(wires), all(gate.is_constant for gate in gates)
            members = kinds.setdefault(of_kind, [])
            steps.append(Block(list(kinds).index(of_kind), len(members), wires, len(gates)))
            members.append((wires, gates))
    stacks = [
        StackBuilder(ops, key, width, members).stack() for (key, width, _), members in kinds.items()
    ]
    return Segment(tuple(stacks), tuple(recipes), tuple(steps))
