"""From circuit structure to a plan: integers only, cached, shared by every run of the structure.

A plan cuts a circuit into steps. `partitioning` chooses them; `steps` says how each is built and
what it does. Gates are fused only with gates whose parameters are batched over the same `vmap`
levels, so that weights shared by a batch stay one small matrix.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from quilt_func.evolution import steps
from quilt_func.evolution.batching import BatchKey, Levels, union
from quilt_func.evolution.constants import Constants
from quilt_func.evolution.partitioning import partition
from quilt_func.evolution.steps import Applied, Params, Part, Prefix, Recipe, Step, prefix_of
from quilt_func.ops import Structure

SEGMENT = 2**16
"""Matrix entries of a segment's factors: what is built and held at one time."""

CHECKPOINTS = 16
"""States before irreversible steps that are kept, at most; others are computed from these."""


@dataclass(frozen=True, eq=False)
class Segment:
    """Steps whose tensors, one for each recipe, are built and held together."""

    recipes: tuple[Recipe, ...]
    steps: tuple[Step, ...]

    def build(self, params: Params, constants: Constants) -> list[Tensor]:
        """The tensors, in plain torch calls."""
        return [recipe.build(params, constants) for recipe in self.recipes]

    @cached_property
    def ops(self) -> tuple[int, ...]:
        """Ops whose parameters it is built of."""
        return tuple(sorted({op for recipe in self.recipes for op in recipe.ops}))


@dataclass(frozen=True, eq=False)
class Plan:
    """The product state to start from, if any, and what to build and run. Equal only to itself."""

    n_qubits: int
    prefix: Prefix | None
    segments: tuple[Segment, ...]
    _constants: dict[tuple[torch.dtype, torch.device], Constants] = field(default_factory=dict)

    def on(self, dtype: torch.dtype, device: torch.device) -> Constants:
        """The plan's constant tensors of a dtype on a device: they live as long as the plan."""
        kind = dtype, device
        if kind not in self._constants:
            self._constants[kind] = Constants(dtype, device)
        return self._constants[kind]

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Steps of all segments."""
        return tuple(step for segment in self.segments for step in segment.steps)

    @cached_property
    def levels(self) -> Levels:
        """The `vmap` levels that any of the tensors of steps is batched over."""
        return union(*(one.key for segment in self.segments for one in segment.recipes))

    @property
    def starts_whole(self) -> bool:
        """Whether the plain route needs no |0...0⟩: the first step has its image as a column."""
        return bool(self.steps) and self.steps[0].starts_from_zero(self.n_qubits)

    @cached_property
    def irreversible(self) -> tuple[int, ...]:
        """Numbers of the steps that cannot be undone."""
        return tuple(i for i, step in enumerate(self.steps) if not step.is_reversible)

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """Those of them whose states before are kept."""
        stride = -(-len(self.irreversible) // CHECKPOINTS)
        return self.irreversible[:: stride or 1]


@lru_cache(maxsize=512)
def plan(
    n_qubits: int, ops: tuple[Structure, ...], keys: tuple[BatchKey, ...], from_zero: bool
) -> Plan:
    """Plan a run of some ops, by their structures and batch keys.

    From |0...0⟩, leading one-wire gates make a product state.

    Raises:
        TypeError: If an op is none that a state can be given to.
    """
    first, parts = cut(n_qubits, ops, keys, from_zero)
    prefix = prefix_of(ops, n_qubits, first) if first else None
    return Plan(n_qubits, prefix, tuple(_segment(ops, n_qubits, p) for p in _segments(parts)))


def cut(
    n_qubits: int, ops: tuple[Structure, ...], keys: tuple[BatchKey, ...], from_zero: bool
) -> tuple[list[Applied], list[Part]]:
    """The gates of a product state to start from, and the parts that are the steps of a plan."""
    refusal = next((op.gate.refusal for op in ops if op.gate.refusal), "")
    if refusal:
        raise TypeError(refusal)
    gates = [
        Applied(i, slot, op.gate, wires, keys[i])
        for i, op in enumerate(ops)
        for slot, wires in enumerate(op.wires)
    ]
    first, rest = _split_prefix(gates) if from_zero else ([], gates)
    return first, partition(n_qubits, rest, union(*keys))


def _split_prefix(gates: Sequence[Applied]) -> tuple[list[Applied], list[Applied]]:
    """The gates of one batch key that begin the circuit and act on single wires, and the rest."""
    chosen: list[Applied] = []
    rest: list[Applied] = []
    closed: set[int] = set()
    key = next((gate.key for gate in gates if gate.key), ())
    for gate in gates:
        fits = gate.key == key or gate.is_constant
        if len(gate.wires) == 1 and gate.wires[0] not in closed and fits:
            chosen.append(gate)
        else:
            rest.append(gate)
            closed.update(gate.wires)
    return chosen, rest


def _segments(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Cut a run where the factors of its blocks would grow beyond `SEGMENT` entries."""
    group: list[Part] = []
    size = 0
    for part in parts:
        is_block = part.kind.most(len(part.wires)) is not None
        cost = (1 + len(part.gates) // 4) * 4 ** len(part.wires) if is_block else 0
        if group and size + cost > SEGMENT:
            yield group
            group, size = [], 0
        group.append(part)
        size += cost
    if group:
        yield group


def _segment(ops: Sequence[Structure], n_qubits: int, parts: Sequence[Part]) -> Segment:
    recipes: list[Recipe] = []
    made: dict[int, Step] = {}
    for kind in steps.KINDS:
        own = {number: part for number, part in enumerate(parts) if part.kind is kind}
        new, of_kind = kind.collect(ops, n_qubits, len(recipes), own)
        recipes += new
        made |= of_kind
    return Segment(tuple(recipes), tuple(made[number] for number in range(len(parts))))
