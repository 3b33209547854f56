"""A planned run on plain tensors with explicit batch axes, and its vjp, which walks back.

The walk back undoes step after step on the state and takes the cotangent along, so that memory is
that of a few states at any depth. The state before a step that cannot be undone is kept, or
computed again from one that was.

References:
    Jones and Gacon (2020), arXiv:2009.02823, for the walk back.
    Griewank and Walther (2000), ACM TOMS 26, 19, for checkpoints.
"""

import math
from collections.abc import Sequence
from functools import partial
from itertools import compress

import torch
from torch import Tensor

from quilt_func.evolution.batching import BatchAxes, Levels, union
from quilt_func.evolution.buffers import Buffers
from quilt_func.evolution.layout import Layout
from quilt_func.evolution.planner import Segment
from quilt_func.evolution.signature import Signature
from quilt_func.evolution.steps import Built, Params, Prefix, Step, product

KEPT = 2**20
"""Bytes of states that a run keeps for the way back, at most: no more than fits a cache."""


class Run:
    """A planned run on plain tensors with explicit batch axes, and its vjp."""

    def __init__(
        self, circuit: Signature, axes: BatchAxes, from_zero: bool, packed: Sequence[Tensor],
        recorded: Sequence[bool],
    ) -> None:  # fmt: skip
        """Plan a run; `axes` are those of the state, then of the packed leaves.

        `recorded` says which of these may be asked for a gradient.
        """
        self.circuit, self.axes, self.packed = circuit, axes, packed
        self.levels: list[Levels] = circuit.packing.spread(axes.levels[1:])
        own = circuit.per_op(self.levels)
        self.keys = circuit.joined(union(axes.outer, *levels) if levels else () for levels in own)
        self.key_of_leaf = [key for key, levels in zip(self.keys, own, strict=True) for _ in levels]
        self.plan = circuit.plan(self.keys, from_zero)
        self.constants = self.plan.on(circuit.dtype, circuit.device)
        lead = union(axes.outer, self.plan.levels)
        self.everything = union(lead, *axes.levels)
        last = tuple(level for level in self.everything if level not in lead)
        self.layout = Layout(axes, lead, last)
        self.sources = [
            leaf.detach().requires_grad_() if is_recorded else leaf.detach()
            for leaf, is_recorded in zip(
                self._aligned(), circuit.packing.spread(recorded), strict=True
            )
        ]
        with torch.inference_mode(False):  # numbers among them may be saved for a derivative
            self.params = self._params()
        self.is_recorded, self.is_kept = any(recorded), False
        self.built: dict[Segment | Prefix, list[Tensor]] = {}
        self.states: dict[int, Tensor] = {}

    def forward(self, state: Tensor | None) -> Tensor:
        """The state before, or None for |0...0⟩ -> the state after the run, its levels first.

        What the way back needs is kept, and, if it is not much, what was built and the states in
        between.
        """
        self.is_kept = self.is_recorded and len(self.plan.segments) <= 1
        buffers = Buffers()
        current = self._start(state, buffers)
        kept = self._checkpoints(current) if self.is_recorded else frozenset()
        if 0 in kept and state is not None:
            current = current.clone()  # the caller may change its own
        current = self._advanced(current, 0, len(self.plan.steps), kept, self.states, buffers)
        return self.layout.unpack(current, self.everything)

    def pull(
        self, state: Tensor | None, output: Tensor, of_output: Levels, gradient: Tensor,
        of_gradient: Levels, wanted: Sequence[bool],
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """The vjp: gradients of the state, if there is one, and of packed leaves, where wanted."""
        packing, buffers = self.circuit.packing, Buffers()
        ket = buffers.owned(self.layout.pack(output, of_output))
        cotangent = self.layout.pack(gradient, of_gradient).conj_physical()
        spread = packing.spread(wanted[1:])
        sums = {i: torch.zeros_like(s) for i, s in enumerate(self.sources) if spread[i]}
        again: dict[int, Tensor] = {}  # of this walk: a run may be walked twice at once
        number = len(self.plan.steps)
        for segment in reversed(self.plan.segments):
            tensors = self._tensors(segment, has_graph=True)
            built = self._built(segment, [tensor.detach() for tensor in tensors])
            parts: list[dict[int, Tensor]] = [{} for _ in tensors]
            for step in reversed(segment.steps):
                number -= 1
                operand = step.operand(built)
                ket = self._before(number, step, operand, ket, state, again, buffers)
                i = step.recipe
                out = buffers.take(cotangent)
                part = step.pull(
                    operand, cotangent, ket, out,
                    is_wanted=i is not None and tensors[i].requires_grad,
                )  # fmt: skip
                buffers.free(cotangent)
                cotangent = out
                if part is not None and i is not None:
                    key = segment.recipes[i].key
                    parts[i][step.position] = self.layout.by_key(part, key)
            joined = [
                recipe.join(own, self.constants) if own else None
                for recipe, own in zip(segment.recipes, parts, strict=True)
            ]
            self._collect(segment, tensors, joined, sums)
        del ket, buffers
        self._collect_prefix(cotangent, sums)
        by_leaf = {i: self._by_leaf(i, by_param) for i, by_param in sums.items()}
        found = [packing.pack(by_leaf, group) for group in compress(packing.groups, wanted[1:])]
        if not wanted[0]:
            return tuple(found)
        levels = union(self.axes.outer, self.axes.levels[0])
        return (self.layout.unpack(cotangent, levels).conj_physical().contiguous(), *found)

    def _advanced(
        self, state: Tensor, first: int, stop: int, kept: frozenset[int],
        states: dict[int, Tensor], buffers: Buffers,
    ) -> Tensor:  # fmt: skip
        """The state after the steps from `first` to `stop`; those before `kept` ones are noted."""
        number = 0
        for segment in self.plan.segments:
            numbers = range(number, number + len(segment.steps))
            number = numbers.stop
            if numbers.stop <= first or numbers.start >= stop:
                continue
            built = self._built(segment, [t.detach() for t in self._tensors(segment)])
            for here, step in zip(numbers, segment.steps, strict=True):
                if first <= here < stop:
                    if here in kept:
                        states[here] = buffers.owned(state)
                    state = buffers.into(partial(step.apply, step.operand(built)), state)
        return state

    def _checkpoints(self, state: Tensor) -> frozenset[int]:
        """Steps in front of which to keep the state."""
        n_steps = len(self.plan.steps)
        if self.is_kept and n_steps * state.numel() * state.element_size() <= KEPT:
            return frozenset(range(n_steps))
        return frozenset(self.plan.checkpoints)

    def _before(
        self, number: int, step: Step, operand: object, after: Tensor, start: Tensor | None,
        again: dict[int, Tensor], buffers: Buffers,
    ) -> Tensor:  # fmt: skip
        """The state before a step: one that is kept, or undone, or computed again."""
        if number not in self.states and step.is_reversible:
            return buffers.into(partial(step.undo, operand), after)
        buffers.free(after)
        if number in self.states:
            return buffers.owned(self.states[number])
        if number not in again:
            again |= self._recomputed(number, start)
        return again.pop(number)

    def _recomputed(self, number: int, start: Tensor | None) -> dict[int, Tensor]:
        """Run again from the last state that is kept up to a step that cannot be undone.

        Returns:
            The state before it, and those before other such steps on the way, by their numbers.
        """
        buffers = Buffers()
        first = max((here for here in self.states if here < number), default=None)
        if first is None:
            first, state = 0, self._start(start, buffers)
        else:
            state = buffers.owned(self.states[first])
        between = frozenset(here for here in self.plan.irreversible if first < here < number)
        found: dict[int, Tensor] = {}
        found[number] = self._advanced(state, first, number, between, found, buffers)
        return found

    def _start(self, state: Tensor | None, buffers: Buffers) -> Tensor:
        """The given state, the product state of the prefix, or |0...0⟩, in this run's layout."""
        prefix = self.plan.prefix
        if state is not None:
            return buffers.owned(self.layout.pack(state, self.axes.levels[0]))
        if prefix is None:
            return self.layout.pack(self.circuit.zero(), ())
        (start,) = self._tensors(prefix)
        split = start.detach().reshape(*self.axes.shape(prefix.key), -1)
        return self.layout.pack(split, prefix.key)

    def _built(self, segment: Segment, tensors: Sequence[Tensor]) -> Built:
        return Built(tensors, segment.recipes, self.constants, self.layout)

    def _tensors(self, recipe: Segment | Prefix, *, has_graph: bool = False) -> list[Tensor]:
        """The tensors that a recipe builds, with a graph to the sources if that is asked for."""
        if recipe in self.built:
            return self.built[recipe]
        graph = torch.enable_grad if has_graph or self.is_kept else torch.no_grad
        with torch.inference_mode(False), graph():
            if isinstance(recipe, Prefix):
                made = [product(recipe, self.params, self.constants)]
            else:
                made = recipe.build(self.params, self.constants)
        if self.is_kept:
            self.built[recipe] = made
        return made

    def _collect_prefix(self, cotangent: Tensor, sums: dict[int, Tensor]) -> None:
        prefix = self.plan.prefix
        if prefix is None:
            return
        start = self._tensors(prefix, has_graph=True)
        by_start = self.layout.unpack(cotangent, prefix.key).conj_physical()
        self._collect(prefix, start, [by_start.reshape(start[0].shape)], sums)

    def _collect(
        self, recipe: Segment | Prefix, built: Sequence[Tensor],
        gradients: Sequence[Tensor | None], sums: dict[int, Tensor],
    ) -> None:  # fmt: skip
        """Pull gradients of a recipe's tensors back to its leaves, and add them to `sums`."""
        places = [i for op in recipe.ops for i in self.circuit.places[op] if i in sums]
        both = zip(built, gradients, strict=True)
        pairs = [(b, g) for b, g in both if g is not None and b.requires_grad]
        if not pairs or not places:
            return
        outputs, by_output = zip(*pairs, strict=True)
        sources = [self.sources[i] for i in places]
        found = torch.autograd.grad(
            outputs, sources, by_output, allow_unused=True, retain_graph=self.is_kept
        )
        for place, gradient in zip(places, found, strict=True):
            if gradient is not None:
                sums[place] = sums[place] + gradient

    def _aligned(self) -> list[Tensor]:
        """Leaves as parameters `(m, batch, *event)`, or `(m, *event)` where nothing is batched."""
        leaves = self.circuit.packing.unpack(self.packed)
        return [
            self.axes.to_parameter(leaf, levels, key) if key else leaf
            for leaf, levels, key in zip(leaves, self.levels, self.key_of_leaf, strict=True)
        ]

    def _params(self) -> Params:
        batches = ((math.prod(self.axes.shape(key)),) if key else () for key in self.keys)
        return self.circuit.params(self.sources, batches)

    def _by_leaf(self, place: int, by_param: Tensor) -> Tensor:
        """Gradient of a leaf, its levels first, of that of its parameter."""
        key = self.key_of_leaf[place]
        wanted = union(self.axes.outer, self.levels[place])
        return self.axes.to_leaf(by_param, [key], wanted) if key else by_param
