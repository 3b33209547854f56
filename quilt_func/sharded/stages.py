"""Long runs on sharded states, which go on from files where they were ended."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.distributed.device_mesh import DeviceMesh

from quilt_func._checks import (
    check_number,
    common_dtype_and_device,
    describe,
    is_hidden,
    message,
)
from quilt_func._collectives import Ranks
from quilt_func.circuits import Circuit, check_circuit, default_kind
from quilt_func.evolution import evolved
from quilt_func.sharded.agreeing import by_first
from quilt_func.sharded.checkpoint_folders import has_checkpoint
from quilt_func.sharded.checkpoints import PathLike, checked_path, last_state, save_state
from quilt_func.sharded.layouts import Layout, ShardedState
from quilt_func.sharded.localising import (
    Application,
    applications,
    local_ops,
    opening_ops,
    split_leading,
)
from quilt_func.sharded.planning import Schedule, Stage, schedule
from quilt_func.sharded.relabelling import Relabelled, relabelled
from quilt_func.sharded.run_keys import key_of
from quilt_func.sharded.running import check_enough, check_gates, check_size, ranks_for
from quilt_func.typing import WireSet

_NAME = "run_in_stages"


class _Work(NamedTuple):
    """A run: its circuit, the gates that a plan numbers, and those that make a start of zeros.

    Wires have the names that they have at the start, until the run is over.
    """

    circuit: Circuit
    named: Relabelled
    leading: list[Application]
    gates: list[Application]
    ranks: Ranks
    dtype: torch.dtype
    device: torch.device

    def plan(self, start: WireSet | None, numbers: list[int]) -> Schedule:
        """A schedule of some of the gates."""
        demands = tuple(self.gates[number].demand for number in numbers)
        found = schedule(self.circuit.n_qubits, self.ranks.n_bits, demands, start)
        stages = (
            stage._replace(gates=tuple(numbers[place] for place in stage.gates))
            for stage in found.stages
        )
        return Schedule(found.start, tuple(stages) or (Stage(None, ()),))


def run_in_stages(
    circuit: Circuit,
    state: ShardedState | None = None,
    *,
    directory: PathLike,
    mesh: DeviceMesh | None = None,
    seconds: float = 600.0,
    dtype: torch.dtype | None = None,
) -> ShardedState:
    """Apply a circuit to a sharded state as `run_sharded` does, and save it on the way.

    A stage is what lies between two exchanges of wires. When the run has been ended, for whatever
    reason, the same call goes on after the last stage that was saved, with the same result, bit
    for bit; on another number of ranks it plans anew what is left. The end is saved as well.

    Args:
        circuit: Circuit of gates, whose parameters require no gradient.
        state: State before; default |0...0⟩.
        directory: Name of a directory that all ranks see, for this run only.
        mesh: The ranks, from `mesh()`; needed if no state is given.
        seconds: Least time between two checkpoints.
        dtype: For the default state, if the circuit has no tensors: complex64 or complex128.

    Returns:
        New state, in the layout in which the run leaves the wires.

    Raises:
        TypeError: As `run_sharded`, or if a gradient would be lost.
        ValueError: As `run_sharded`, or if the directory has checkpoints of another run: another
            circuit, with other parameters, or another state before.
        OSError: If files can't be written.

    Transforms:
        None: what was saved has no gradient. Use `run_sharded`.

    Examples:
        >>> import tempfile
        >>> from quilt_func import circuit, cx, h, sharded
        >>> def bell(folder):
        ...     circ = circuit(2, h(0), cx(0, 1))
        ...     return sharded.run_in_stages(
        ...         circ, directory=folder, mesh=sharded.mesh("cpu")
        ...     ).local.real
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     print(sharded.spawn(1, bell, folder, start="fork"))
        ...     print(sharded.spawn(1, bell, folder, start="fork"))  # what was saved
        [tensor([0.7071, 0.0000, 0.0000, 0.7071])]
        [tensor([0.7071, 0.0000, 0.0000, 0.7071])]
    """
    work = _checked(circuit, state, mesh, dtype)
    check_number(_NAME, "seconds", seconds)
    folder = checked_path(_NAME, directory)
    key = key_of(circuit, work.dtype, state)
    start = None if state is None else state.layout.order
    done, plan = set[int](), work.plan(start, list(range(len(work.gates))))
    if by_first(work.ranks, partial(has_checkpoint, folder)):
        state, more = last_state(_NAME, folder, work.ranks, work.device.type)
        _check_key(folder, key, more)
        if more["is_over"]:
            return state
        done = set(more["done"])
        plan = _left(work, plan, state.layout.order, done)
    return _run(work, state, plan, done, seconds, partial(save_state, directory=folder, key=key))


def _checked(
    circuit: Circuit, state: ShardedState | None, mesh: DeviceMesh | None, dtype: torch.dtype | None
) -> _Work:
    check_circuit(_NAME, "circuit", circuit)
    check_gates(circuit, _NAME)
    ranks = ranks_for(_NAME, state, mesh)
    check_enough(_NAME, circuit.n_qubits, ranks)
    tensors = [*circuit.leaves] if state is None else [state.local, *circuit.leaves]
    for tensor in tensors:
        if tensor.requires_grad or is_hidden(tensor):
            need, got = "have no gradient and be no transform's", describe(tensor)
            remedy = "Use `run_sharded`, or `detach` the parameters."
            raise TypeError(message(_NAME, "circuit", circuit, need, got, remedy))
    named = relabelled(circuit.n_qubits, applications(circuit.ops))
    if state is None:
        device = mesh.device_type if mesh is not None and not circuit.leaves else None
        own = default_kind(_NAME, circuit.leaves, dtype, device)
        return _Work(circuit, named, *split_leading(named.gates), ranks, *own)
    check_size(_NAME, circuit, state)
    common_dtype_and_device(_NAME, tensors)
    return _Work(circuit, named, [], named.gates, ranks, state.local.dtype, state.local.device)


def _left(work: _Work, plan: Schedule, order: WireSet, done: set[int]) -> Schedule:
    """What is left of a plan, or another one if it has never been where the run was ended."""
    at, seen = plan.start, set[int]()
    for number, stage in enumerate(plan.stages):
        at = stage.exchange.order if stage.exchange else at
        seen.update(stage.gates)
        if seen == done and at == order:
            return Schedule(at, plan.stages[number + 1 :])
    return work.plan(order, [number for number in range(len(work.gates)) if number not in done])


def _run(
    work: _Work,
    state: ShardedState | None,
    plan: Schedule,
    done: set[int],
    seconds: float,
    save: Callable[..., None],
) -> ShardedState:
    order, saved = plan.start, time.monotonic()
    for number, stage in enumerate(plan.stages, 1):
        one = Schedule(order, (stage,))
        state = _after(work, state, one)
        order, done = one.order, done.union(stage.gates)
        is_due = partial(_is_over, saved + seconds)
        if number < len(plan.stages) and by_first(work.ranks, is_due):
            save(state, done=sorted(done), is_over=False)
            saved = time.monotonic()
    assert state is not None  # a plan has a stage, and what was saved is a state
    end = ShardedState(state.local, Layout(work.named.by_wires(order), work.ranks))
    save(end, done=sorted(done), is_over=True)
    return end


def _is_over(deadline: float) -> bool:
    return time.monotonic() >= deadline


def _after(work: _Work, state: ShardedState | None, stage: Schedule) -> ShardedState:
    """The state after one stage, which may be the first of all."""
    ops, ranks = work.circuit.ops, work.ranks
    before = None if state is None else state.local
    run = list(local_ops(ops, work.gates, stage, ranks))
    if before is None:
        run = [*opening_ops(ops, work.leading, stage.start, ranks, work.dtype, work.device), *run]
    n_local = work.circuit.n_qubits - ranks.n_bits
    after = evolved(n_local, run, before, work.dtype, work.device)
    return ShardedState(after, Layout(stage.order, ranks))


def _check_key(folder: Path, key: str, more: dict[str, Any]) -> None:
    if more.get("key") != key:
        need = "hold checkpoints of this circuit, with these parameters and this state before"
        remedy = "Name another directory, or remove this one."
        got = "those of another run"
        raise ValueError(message(_NAME, "directory", str(folder), need, got, remedy))
