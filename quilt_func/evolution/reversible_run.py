"""A planned run on plain tensors with explicit batch axes, the way out and the way back.

What a small run has built, and the states that it went through, it leaves on a tape.
"""

import math
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from quilt_func._amplitudes import apply_block, outer_product, reorder
from quilt_func._torch import adjoint
from quilt_func.evolution.batching import Axes, Levels, union
from quilt_func.evolution.planner import Block, Move, Segment, Shift, Step
from quilt_func.evolution.signature import Static
from quilt_func.evolution.steps import diagonal_phases
from quilt_func.evolution.steps.block_build import Params, build, product
from quilt_func.evolution.steps.block_recipe import BatchKey, Prefix
from quilt_func.evolution.steps.permutation import index
from quilt_func.states import zero_state

KEPT = 2**20
"""Bytes of states that a run keeps for the way back, at most: no more than fits a cache."""


class Run:
    """A planned run on plain tensors with explicit batch axes, and the way back.

    States are `(lead, 2**n, last)`: levels that matrices carry lead, others come last.
    """

    def __init__(
        self, circuit: Static, axes: Axes, from_zero: bool, packed: Sequence[Tensor],
        recorded: Sequence[bool],
    ) -> None:  # fmt: skip
        """Plan a run.

        Args:
            circuit: Static part of the ops.
            axes: Batch axes of the state, then of the packed leaves.
            from_zero: Whether the run starts with |0...0⟩.
            packed: Packed leaves.
            recorded: Which of them may be asked for a gradient.
        """
        self.circuit = circuit
        self.axes = axes
        self.packed = packed
        self.recorded = recorded
        self.leaves = circuit.packing.unpack(packed)
        self.levels: list[Levels] = circuit.packing.spread(axes.levels[1:])
        own = circuit.per_op(self.levels)
        self.keys = [union(axes.outer, *levels) if levels else () for levels in own]
        self.key_of_leaf = [key for key, levels in zip(self.keys, own, strict=True) for _ in levels]
        self.plan = circuit.plan(self.keys, from_zero)
        self.lead = union(axes.outer, *(key for s in self.plan.segments for key in s.keys))
        self.everything = union(self.lead, *axes.levels)
        self.last = tuple(level for level in self.everything if level not in self.lead)
        self.options = circuit.dtype, circuit.device
        self.sources = _Sources(self._aligned(), circuit.packing.spread(recorded))
        with torch.inference_mode(False):  # numbers among them may be saved for a derivative
            self.params = self._params(self.sources.params)
        self.is_kept = False
        self.built: dict[Segment | Prefix, list[Tensor]] = {}
        self.path: list[Tensor] = []

    def forward(self, state: Tensor | None, *, is_kept: bool) -> Tensor:
        """The state after the run, its levels first.

        Args:
            state: The state before, or None for |0...0⟩.
            is_kept: Whether to keep what was built and the states in between, if it is not much.
        """
        self.is_kept = is_kept and len(self.plan.segments) <= 1
        room = _Room()
        if state is None:
            current = self._start()
        else:
            current = room.borrowed(self._packed(state, self.axes.levels[0]))
        has_path = self.is_kept and self._path_bytes(current) <= KEPT
        if has_path and state is not None:
            current = current.clone()  # the caller may change its own
        for segment in self.plan.segments:
            built = self._segment_built(segment)
            for step in segment.steps:
                if has_path:
                    self.path.append(room.borrowed(current))
                current = self._applied(segment, built, step, current, room)
        return self._unpacked(current, self.everything)

    def pull(
        self, output: Tensor, of_output: Levels, gradient: Tensor, of_gradient: Levels,
        wanted: Sequence[bool],
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """Walk back: gradients of the state, if there is one, and of the leaves, where wanted."""
        packing, room = self.circuit.packing, _Room()
        ket = room.borrowed(self._packed(output, of_output))
        bra = self._packed(gradient, of_gradient).conj_physical()
        sums = self.sources.zeros(packing.spread(wanted[1:]))
        for segment in reversed(self.plan.segments):
            built = self._segment_built(segment, has_graph=True)
            ket, bra, gradients = self._walk(segment, built, ket, bra, room)
            self._collect(segment, built, gradients, sums)
        del ket, room
        prefix = self.plan.prefix
        if prefix is not None:
            start = self._prefix_built(prefix, has_graph=True)
            by_start = self._unpacked(bra, prefix.key).movedim(-1, 0).conj_physical()
            by_start = by_start.reshape(start[0].shape)
            self._collect(prefix, start, [by_start], sums)
        by_leaf = {i: self._by_leaf(i, by_param) for i, by_param in sums.items()}
        pairs = zip(packing.groups, wanted[1:], strict=True)
        found = [packing.pack(by_leaf, group) for group, is_wanted in pairs if is_wanted]
        if not wanted[0]:
            return tuple(found)
        kept = union(self.axes.outer, self.axes.levels[0])
        return (self._unpacked(bra, kept).conj_physical().contiguous(), *found)

    def _walk(
        self, segment: Segment, built: Sequence[Tensor], ket: Tensor, bra: Tensor, room: "_Room"
    ) -> tuple[Tensor, Tensor, list[Tensor | None]]:
        """Undo a segment; the gradients of what was built are products of the states in between.

        `bra` is the conjugate of the gradient, so that no product has to conjugate it.
        """
        found: list[Any] = [[Tensor()] * tensor.shape[1] for tensor in built]
        plain = [tensor.detach() for tensor in built]
        for number, step in reversed([*enumerate(segment.steps)]):
            ket = self.path[number] if self.path else self._undone(segment, plain, step, ket, room)
            if isinstance(step, Block):
                if built[step.stack].requires_grad:
                    each = outer_product(bra, ket, step.wires)
                    key = segment.stacks[step.stack].key
                    found[step.stack][step.position] = self.by_key(each, key)
                transposed = self._matrices(segment, plain, step).mT
                bra = room.into(partial(apply_block, transposed, step.wires), bra)
            elif isinstance(step, Move):
                bra = room.into(partial(reorder, index(step, True, bra.device), step.wires), bra)
            else:
                turns = self._factors(segment, plain, step)
                bra = room.into(partial(_multiply, turns), bra)
                place = len(segment.stacks) + step.place
                if built[place].requires_grad:
                    by_exponent = -(bra.real * ket.imag + bra.imag * ket.real).sum(-1)
                    recipe = segment.phases[step.place]
                    by_key = self.by_key(by_exponent, recipe.key)
                    found[place] = [diagonal_phases.by_coefficients(recipe, by_key)]
        joined = [
            None
            if not tensor.requires_grad
            else torch.stack(f, 1).conj_physical()
            if tensor.ndim == 4
            else f[0]
            for tensor, f in zip(built, found, strict=True)
        ]
        return ket, bra, joined

    def _undone(
        self, segment: Segment, built: Sequence[Tensor], step: Step, state: Tensor, room: "_Room"
    ) -> Tensor:
        if isinstance(step, Block):
            inverse = adjoint(self._matrices(segment, built, step))
            return room.into(partial(apply_block, inverse, step.wires), state)
        if isinstance(step, Move):
            return room.into(partial(reorder, index(step, True, state.device), step.wires), state)
        turns = self._factors(segment, built, step).conj_physical()
        return room.into(partial(_multiply, turns), state)

    def _applied(
        self, segment: Segment, built: Sequence[Tensor], step: Step, state: Tensor, room: "_Room"
    ) -> Tensor:
        if isinstance(step, Block):
            matrices = self._matrices(segment, built, step).detach()
            return room.into(partial(apply_block, matrices, step.wires), state)
        if isinstance(step, Move):
            return room.into(partial(reorder, index(step, False, state.device), step.wires), state)
        return room.into(partial(_multiply, self._factors(segment, built, step)), state)

    def _path_bytes(self, state: Tensor) -> int:
        n_steps = sum(len(segment.steps) for segment in self.plan.segments)
        return n_steps * state.numel() * state.element_size()

    def _segment_built(self, segment: Segment, *, has_graph: bool = False) -> list[Tensor]:
        return self._recalled(segment, partial(self._build, segment), has_graph)

    def _prefix_built(self, prefix: Prefix, *, has_graph: bool = False) -> list[Tensor]:
        return self._recalled(prefix, partial(self._product, prefix), has_graph)

    def _recalled(
        self, recipe: Segment | Prefix, make: Callable[[], list[Tensor]], has_graph: bool
    ) -> list[Tensor]:
        """What a recipe makes, with a graph to the sources if that is asked for, or kept."""
        if recipe in self.built:
            return self.built[recipe]
        if not has_graph and not self.is_kept:
            return make()
        with torch.inference_mode(False), torch.enable_grad():
            made = make()
        if self.is_kept:
            self.built[recipe] = made
        return made

    def _aligned(self) -> list[Tensor]:
        """Leaves as parameters `(m, batch, *event)`, or `(m, *event)` where nothing is batched."""
        own = zip(self.circuit.per_op(self.leaves), self.circuit.per_op(self.levels),
                  self.keys, strict=True)  # fmt: skip
        return [
            self.axes.expand(leaf, levels, key).movedim(len(key), 0).flatten(1, len(key))
            if key
            else leaf
            for leaves, all_levels, key in own
            for leaf, levels in zip(leaves, all_levels, strict=True)
        ]

    def _params(self, aligned: Iterable[Tensor]) -> Params:
        batches = ((math.prod(self.axes.shape(key)),) if key else () for key in self.keys)
        return self.circuit.params(aligned, batches)

    def _build(self, segment: Segment) -> list[Tensor]:
        return build(segment, self.params, *self.options)

    def _product(self, prefix: Prefix) -> list[Tensor]:
        return [product(prefix, self.params, *self.options)]

    def _collect(
        self, recipe: Segment | Prefix, built: Sequence[Tensor],
        gradients: Sequence[Tensor | None], sums: dict[int, Tensor],
    ) -> None:  # fmt: skip
        """Add what gradients of a recipe's tensors say of its leaves."""
        places = [i for op in recipe.ops for i in self.circuit.places[op] if i in sums]
        self.sources.collect(built, gradients, sums, places, is_kept=self.is_kept)

    def _by_leaf(self, place: int, by_param: Tensor) -> Tensor:
        """Gradient of a leaf, its levels first, of that of its parameter."""
        key = self.key_of_leaf[place]
        if not key:
            return by_param
        split = by_param.unflatten(1, self.axes.shape(key)).movedim(0, len(key))
        return self.axes.reduce(split, key, union(self.axes.outer, self.levels[place]))

    def _matrices(self, segment: Segment, built: Sequence[Tensor], block: Block) -> Tensor:
        """One block's matrix, `(1, K, K)`, or `(lead, K, K)` if there are many."""
        matrices = built[block.stack][:, block.position]
        return self.to_lead(matrices, segment.stacks[block.stack].key)

    def _factors(self, segment: Segment, built: Sequence[Tensor], shift: Shift) -> Tensor:
        """One factor per amplitude, `(1 or lead, 2**n, 1)`."""
        recipe = segment.phases[shift.place]
        values = built[len(segment.stacks) + shift.place]
        return self.to_lead(diagonal_phases.factors(recipe, values), recipe.key)[..., None]

    def to_lead(self, tensor: Tensor, key: BatchKey) -> Tensor:
        """Expand `(batch, ...)` to `(lead, ...)`, unless it is one for all."""
        if not key:
            return tensor
        split = tensor.unflatten(0, self.axes.shape(key))
        return self.axes.expand(split, key, self.lead).flatten(0, len(self.lead) - 1)

    def by_key(self, each: Tensor, key: BatchKey) -> Tensor:
        """Sum `(lead, ...)` over the levels that are not in a key: `(batch, ...)`."""
        split = each.reshape(*self.axes.shape(self.lead), *each.shape[1:])
        return self.axes.reduce(split, self.lead, key).reshape(-1, *each.shape[1:])

    def _start(self) -> Tensor:
        """The product state of the prefix, or |0...0⟩."""
        prefix = self.plan.prefix
        if prefix is None:
            dtype, device = self.options
            return self._packed(zero_state(self.circuit.n_qubits, dtype=dtype, device=device), ())
        (start,) = self._prefix_built(prefix)
        split = start.detach().reshape(-1, *self.axes.shape(prefix.key))
        return self._packed(split.movedim(0, -1), prefix.key)

    def _packed(self, state: Tensor, own: Levels) -> Tensor:
        """Bring a state with its levels first to the layout of the run, contiguous."""
        full = self.axes.expand(state, own, self.everything)
        place = self.everything.index
        order = [*map(place, self.lead), len(self.everything), *map(place, self.last)]
        lead = math.prod(self.axes.shape(self.lead))
        return full.permute(order).reshape(lead, state.shape[-1], -1).contiguous()

    def _unpacked(self, state: Tensor, wanted: Levels) -> Tensor:
        """Bring a state to the layout of its callers, summed over levels that are not wanted."""
        lead, last = self.axes.shape(self.lead), self.axes.shape(self.last)
        split = state.reshape(*lead, -1, *last).movedim(len(lead), -1)
        return self.axes.reduce(split, self.lead + self.last, wanted)


class _Room:
    """Room for states: what a step has read makes room for the next one, unless it is borrowed."""

    def __init__(self) -> None:
        self.spare: list[Tensor] = []
        self.kept: list[Tensor] = []

    def borrowed(self, state: Tensor) -> Tensor:
        """A state that is not to be written over."""
        self.kept.append(state)
        return state

    def into(self, write: Callable[[Tensor, Tensor], None], state: Tensor) -> Tensor:
        """Write a step's result."""
        out = self.spare.pop() if self.spare else torch.empty_like(state)
        write(state, out)
        if not any(state is other for other in self.kept):
            self.spare.append(state)
        return out


def _multiply(factors: Tensor, state: Tensor, out: Tensor) -> None:
    torch.mul(state, factors, out=out)


class _Sources:
    """Parameters whose gradients come through several builds."""

    def __init__(self, params: Sequence[Tensor], recorded: Sequence[bool]) -> None:
        self.params = [
            param.detach().requires_grad_() if is_recorded else param.detach()
            for param, is_recorded in zip(params, recorded, strict=True)
        ]

    def zeros(self, wanted: Sequence[bool]) -> dict[int, Tensor]:
        """Sums to collect in, by the place of each wanted parameter."""
        pairs = zip(self.params, wanted, strict=True)
        return {
            i: torch.zeros_like(param) for i, (param, is_wanted) in enumerate(pairs) if is_wanted
        }

    def collect(
        self, built: Sequence[Tensor], gradients: Sequence[Tensor | None],
        sums: dict[int, Tensor], places: Sequence[int], *, is_kept: bool,
    ) -> None:  # fmt: skip
        """Add what gradients of built tensors say of the parameters in some places."""
        pairs = [(b, g) for b, g in zip(built, gradients, strict=True) if b.requires_grad]
        if not pairs or not places:
            return
        sources = [self.params[place] for place in places]
        outputs, by_output = zip(*pairs, strict=True)
        found = torch.autograd.grad(
            outputs, sources, by_output, allow_unused=True, retain_graph=is_kept
        )
        for place, gradient in zip(places, found, strict=True):
            if gradient is not None:
                sums[place] = sums[place] + gradient


@dataclass
class Tape:
    """What a run leaves for the way back.

    Attributes:
        recorded: Which packed leaves may be asked for a gradient.
        owner: An empty tensor that keeps the run alive, until it is saved for the way back. Torch
            lets go of what was saved as soon as that has been walked for the last time.
    """

    recorded: tuple[bool, ...]
    owner: Tensor | None = None
    run: Callable[[], Run | None] = lambda: None

    def keep(self, run: Run) -> None:
        """Note a run, for as long as its owner lives."""
        self.owner, self.run = torch.empty(0), weakref.ref(run)
        self.owner.run = run  # type: ignore[attr-defined]

    def rerun(
        self, circuit: Static, axes: Axes, from_zero: bool, packed: Sequence[Tensor],
        wanted: Sequence[bool],
    ) -> Run:  # fmt: skip
        """The run that is kept, if it was of the same tensors, or a new one.

        Args:
            circuit: Static part of the ops.
            axes: Batch axes of the state, then of the packed leaves.
            from_zero: Whether the run starts with |0...0⟩.
            packed: Packed leaves.
            wanted: Whether gradients of the state and of each of the leaves are.
        """
        carrying = axes.levels[1:] if from_zero else axes.levels
        if all(set(axes.outer) <= set(own) for own in carrying):
            axes = replace(axes, inner=len(axes.sizes))
        run = self.run()
        has_graph = all(was or not now for was, now in zip(self.recorded, wanted[1:], strict=True))
        if run is not None and has_graph and run.axes == axes and _are_same(run.packed, packed):
            return run
        return Run(circuit, axes, from_zero, packed, wanted[1:])


def _are_same(tensors: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    pairs = zip(tensors, others, strict=True)
    return all(
        a.data_ptr() == b.data_ptr() and a.shape == b.shape and a.stride() == b.stride()
        for a, b in pairs
    )
