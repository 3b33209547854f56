"""Tapes to values: tapes of equal structure run as one batch, and batches by `vmap`.

Parameters that are tensors stay what they are, so that torch differentiates. Others are numbers:
what computes with them is compiled by `jit` when it comes again.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from quilt_func.pennylane_device.branching import BranchPlan
from quilt_func.pennylane_device.observing import Plan, key_of_measurement
from quilt_func.pennylane_device.programs import Inputs, Layout, Program
from quilt_func.pennylane_device.tracing import Outcomes, key_of, outcomes_of, traced
from quilt_func.replay import jit

T = TypeVar("T")
MAX_KEPT = 256
"""Programs, and plans, that a device keeps; those used longest ago go first."""
MAX_AMPLITUDES = 2**22
"""Amplitudes of tapes that run at once."""
CALLS_BEFORE_JIT = 2
MAX_COMPILED = 32
"""Functions that a program keeps, by what is measured."""


class Ready(NamedTuple):
    """A tape that is ready to run.

    Attributes:
        layout: Its program.
        inputs: Its parameters, with a leading axis where they are batched.
        axes: Which of them are, as `vmap` takes it; None if none is.
        plan: What is measured.
        key: What tapes that run together have in common.
        wires: Labels of wires 0, 1, ...
        is_numeric: Whether no parameter is a tensor.
        outcomes: Keys of measurements in the middle.
    """

    layout: Layout
    inputs: Inputs
    axes: Inputs | None
    plan: Any
    key: Hashable
    wires: tuple[Any, ...]
    is_numeric: bool
    outcomes: Outcomes


class Engine:
    """Runs tapes in one precision, and keeps what can be used again.

    Attributes:
        dtype: Of states.
        is_density: Whether states are density matrices.
    """

    def __init__(self, dtype: torch.dtype, is_density: bool) -> None:
        self.dtype, self.is_density = dtype, is_density
        self._programs: OrderedDict[Any, Program] = OrderedDict()
        self._plans: OrderedDict[Any, Plan] = OrderedDict()

    def values(self, tapes: Sequence[Any]) -> list[tuple[Tensor, ...]]:
        """What each tape measures, exactly; a batched one with a leading axis."""
        found: list[Any] = [None] * len(tapes)
        groups: dict[Any, list[int]] = {}
        ready = [self.ready(tape) for tape in tapes]
        for i, one in enumerate(ready):
            groups.setdefault(one.key if one.axes is None else i, []).append(i)
        for members in groups.values():
            size = 2 ** len(ready[members[0]].wires)
            most = max(1, MAX_AMPLITUDES // (size * size if self.is_density else size))
            for first in range(0, len(members), most):
                some = members[first : first + most]
                for i, values in zip(some, self._together([ready[i] for i in some]), strict=True):
                    found[i] = values
        return found

    def _together(self, some: Sequence[Ready]) -> list[tuple[Tensor, ...]]:
        """Tapes of one key."""
        first = some[0]
        if len(some) == 1:
            return [self.run(first, self.measured(first), first.inputs, first.axes)]
        inputs, axes = stacked(some)
        columns = self.run(first, self.measured(first), inputs, axes)
        return [*zip(*(column.unbind(0) for column in columns), strict=True)]

    def measured(self, one: Ready) -> Callable[[Inputs], tuple[Tensor, ...]]:
        """The function of one sample's inputs to what is measured."""
        layout, plan = one.layout, one.plan

        if isinstance(plan, BranchPlan):
            of_branches: BranchPlan = plan
            return lambda inputs: of_branches(layout.branches(inputs, self.dtype))

        def values(inputs: Inputs) -> tuple[Tensor, ...]:
            found: tuple[Tensor, ...] = plan(self.state(layout, inputs, plan.needs_phase))
            return found

        return values

    def state(self, layout: Layout, inputs: Inputs, needs_phase: bool) -> Tensor:
        """The state of one sample's inputs."""
        found = layout.state(inputs, self.dtype, self.is_density)
        if needs_phase and not self.is_density and layout.program.traced.phases:
            angle = torch.as_tensor(layout.phase(inputs), dtype=self.dtype.to_real())
            found = found * torch.complex(angle.cos(), angle.sin())
        return found

    def run(self, one: Ready, fn: Callable[[Inputs], T], inputs: Inputs, axes: Inputs | None) -> T:
        """Map a function of inputs over a batch."""
        whole = fn if axes is None else vmap(fn, (axes,))
        return self.replayed(one, ("values", str(axes)), whole)(inputs)

    def replayed(self, one: Ready, name: Hashable, fn: Callable[..., T]) -> Callable[..., T]:
        """A function that is compiled when it comes again for a kept program and plan."""
        if not one.plan.is_plain or not one.is_numeric:
            return fn
        kept = one.layout.kept
        key = (name, id(one.plan))
        count, _, found = kept.get(key, (0, None, None))
        if count < CALLS_BEFORE_JIT:
            kept[key] = (count + 1, one.plan, None)
            drop_oldest(kept, MAX_COMPILED)
            return fn
        if found is None:
            kept[key] = (count, one.plan, found := jit(fn))
            drop_oldest(kept, MAX_COMPILED)
        again: Callable[..., T] = found
        return again

    # --- from a tape to inputs ---

    def ready(self, tape: Any, values: Sequence[Any] | None = None) -> Ready:
        """Read a tape, with other parameters of its operations if they are given."""
        ops = tape.operations
        wires = _order(tape)
        places = {wire: i for i, wire in enumerate(wires)}
        outcomes = outcomes_of(ops)
        key = (len(wires), *[key_of(op, places, outcomes) for op in ops])
        program = _kept(
            self._programs, key, lambda: Program(traced(ops, wires), max(1, len(wires)))
        )
        plan = self._plan(tape, wires, outcomes)
        real = self.dtype.to_real()
        if values is None:
            values = [value for op in ops for value in op.data]
        angles = [values[place] for place in program.angles]
        is_batched = tuple([getattr(value, "ndim", 0) > 0 for value in angles])
        layout = program.layout(is_batched)
        device = next((v.device for v in values if isinstance(v, Tensor)), torch.device("cpu"))
        slots = tuple(self._slot(slot, values, device) for slot in program.slots)
        inputs = Inputs(
            _vector([angles[i] for i in layout.shared], real, device),
            _vector([angles[i] for i in layout.batched], real, device),
            slots,
        )
        own = tuple(
            0 if s.ndim > t.ndim else None for s, t in zip(slots, program.slots, strict=True)
        )
        is_mapped = any(is_batched) or 0 in own
        axes = Inputs(None, 0 if any(is_batched) else None, own) if is_mapped else None  # type: ignore[arg-type]
        has_tensors = any(isinstance(value, Tensor) for value in values)
        shapes = tuple(slot.shape for slot in slots)
        group = object() if has_tensors else (id(layout), id(plan), shapes)
        return Ready(layout, inputs, axes, plan, group, wires, not has_tensors, outcomes)

    def _plan(self, tape: Any, wires: tuple[Any, ...], outcomes: Outcomes) -> Any:
        """What is to be measured; nothing of branches that will be sampled."""
        real = self.dtype.to_real()
        if outcomes:
            return None if tape.shots else BranchPlan(tape, wires, outcomes, real)
        measured = (wires, *map(key_of_measurement, tape.measurements))
        return _kept(self._plans, measured, lambda: Plan(tape.measurements, wires or (0,), real))

    def _slot(self, slot: Any, values: Sequence[Any], device: torch.device) -> Tensor:
        made = slot.make([values[place] for place in slot.places])
        if not isinstance(made, Tensor):
            made = torch.from_numpy(np.ascontiguousarray(made))
        return made.to(device=device, dtype=self.dtype)


def stacked(some: Sequence[Ready]) -> tuple[Inputs, Inputs]:
    """Inputs of tapes of one key side by side, and their axes."""
    shared = torch.stack([one.inputs.shared for one in some])
    slots = tuple(
        torch.stack(column) for column in zip(*(one.inputs.slots for one in some), strict=True)
    )
    inputs = Inputs(shared, some[0].inputs.batched, slots)
    return inputs, _axes(0, None, tuple(0 for _ in slots))


def _axes(shared: Any, batched: Any, slots: tuple[Any, ...]) -> Inputs:
    """Axes of inputs, as `vmap` takes them."""
    return Inputs(shared, batched, slots)


def _order(tape: Any) -> tuple[Any, ...]:
    """Wires as the device's, if they are 0, 1, ..., or in order of appearance."""
    found = dict.fromkeys(wire for op in tape.operations for wire in op.wires)
    found |= dict.fromkeys(wire for mp in tape.measurements for wire in mp.wires)
    n = len(found)
    return tuple(range(n)) if all(wire in found for wire in range(n)) else tuple(found)


def _vector(entries: Sequence[Any], real: torch.dtype, device: torch.device) -> Tensor:
    """Entries side by side in the last axis."""
    if not any(isinstance(entry, Tensor) for entry in entries):
        array = np.array(entries, dtype=np.float64)
        return torch.from_numpy(array.T.copy() if array.ndim > 1 else array).to(device, real)
    tensors = [
        entry.to(real) if isinstance(entry, Tensor)
        else torch.as_tensor(np.asarray(entry), dtype=real, device=device)
        for entry in entries
    ]  # fmt: skip
    return torch.stack(tensors, -1)


def _kept(cache: OrderedDict[Any, T], key: Any, make: Callable[[], T]) -> T:
    """What is in a cache, or is made and put there."""
    if key in cache:
        cache.move_to_end(key)
        return cache[key]
    found = cache[key] = make()
    drop_oldest(cache, MAX_KEPT)
    return found


def drop_oldest(cache: dict[Any, Any], most: int) -> None:
    """Keep a cache to a size."""
    while len(cache) > most:
        del cache[next(iter(cache))]
