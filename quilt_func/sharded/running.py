"""Runs of circuits on states that are split over ranks."""

from collections.abc import Sequence

import torch
from torch.distributed.device_mesh import DeviceMesh

from quilt_func._checks import common_dtype_and_device, message, qubits
from quilt_func._collectives import Ranks, copied
from quilt_func.circuits import Circuit, check_circuit, default_kind
from quilt_func.evolution import Packing, evolved
from quilt_func.ops import Op
from quilt_func.sharded.layouts import Layout, ShardedState, check_sharded
from quilt_func.sharded.localising import (
    applications,
    local_ops,
    opening_ops,
    split_leading,
)
from quilt_func.sharded.planning import schedule
from quilt_func.sharded.processes import ranks_of
from quilt_func.sharded.relabelling import relabelled


def run_sharded(
    circuit: Circuit,
    state: ShardedState | None = None,
    *,
    mesh: DeviceMesh | None = None,
    dtype: torch.dtype | None = None,
) -> ShardedState:
    """Apply a circuit to a state that is split over ranks, by default to |0...0⟩.

    Every rank calls it with the same circuit and the same parameters, and holds its part of the
    result. Where a gate changes bits that say which rank an amplitude is on, wires are exchanged
    first; controls and diagonal gates need none. Parameters are replicated, and so are their
    gradients.

    Args:
        circuit: Circuit of gates.
        state: State before; the result has its ranks.
        mesh: The ranks, from `sharded.mesh`; needed if no state is given.
        dtype: For the default state, if the circuit has no tensors: complex64 or complex128.

    Returns:
        New state, in the layout in which the run leaves the wires.

    Raises:
        TypeError: If dtypes or devices differ, there is neither a mesh nor a state, or the circuit
            has channels or instruments.
        ValueError: If the state is of another size, or a gate acts on more wires than a rank has.

    Transforms:
        vmap, grad, jvp, hessian, in the circuit's leaves and the state's amplitudes.

    Examples:
        >>> from quilt_func import circuit, cx, h, sharded
        >>> def bell():
        ...     state = sharded.run_sharded(circuit(2, h(0), cx(0, 1)), mesh=sharded.mesh("cpu"))
        ...     return state.local.real
        >>> sharded.spawn(1, bell, start="fork")
        [tensor([0.7071, 0.0000, 0.0000, 0.7071])]
    """
    check_circuit("run_sharded", "circuit", circuit)
    check_gates(circuit)
    ranks = ranks_for("run_sharded", state, mesh)
    check_enough("run_sharded", circuit.n_qubits, ranks)
    ops = replicated(ranks, circuit.ops)
    if state is not None:
        return _from_state(circuit, ops, state)
    device = mesh.device_type if mesh is not None and not circuit.leaves else None
    own = default_kind("run_sharded", circuit.leaves, dtype, device)
    return _from_zero(circuit.n_qubits, ops, ranks, *own)


def _from_state(circuit: Circuit, ops: Sequence[Op], state: ShardedState) -> ShardedState:
    layout, local = state.layout, state.local
    check_size("run_sharded", circuit, state)
    common_dtype_and_device("run_sharded", [local, *circuit.leaves])
    named = relabelled(layout.n_qubits, applications(ops))
    demands = tuple(gate.demand for gate in named.gates)
    found = schedule(layout.n_qubits, layout.ranks.n_bits, demands, layout.order)
    run = list(local_ops(ops, named.gates, found, layout.ranks))
    after = evolved(len(layout.local), run, local, local.dtype, local.device)
    return ShardedState(after, Layout(named.by_wires(found.order), layout.ranks))


def _from_zero(
    n_qubits: int, ops: Sequence[Op], ranks: Ranks, dtype: torch.dtype, device: torch.device
) -> ShardedState:
    named = relabelled(n_qubits, applications(ops))
    leading, gates = split_leading(named.gates)
    found = schedule(n_qubits, ranks.n_bits, tuple(gate.demand for gate in gates), None)
    run = [
        *opening_ops(ops, leading, found.start, ranks, dtype, device),
        *local_ops(ops, gates, found, ranks),
    ]
    after = evolved(n_qubits - ranks.n_bits, run, None, dtype, device)
    return ShardedState(after, Layout(named.by_wires(found.order), ranks))


def check_gates(circuit: Circuit, function: str = "run_sharded") -> None:
    """Check that a circuit makes one state of a state."""
    refused = next((op for op in circuit.ops if op.gate.refusal), None)
    if refused is not None:
        remedy = (
            "Channels run on ranks by `sharded.run_sharded_density`, or one sample at a time by "
            "`noise.sampled_circuit`; instruments on one process."
        )
        got = repr(refused)
        raise TypeError(message(function, "circuit", circuit, "be of gates alone", got, remedy))


def ranks_for(function: str, state: ShardedState | None, mesh: DeviceMesh | None) -> Ranks:
    """The ranks of a state, or of a mesh where there is none."""
    if state is not None:
        check_sharded(function, state)
        return state.layout.ranks
    if mesh is None:
        remedy = "Give `mesh=sharded.mesh()`."
        raise TypeError(message(function, "mesh", None, "be given without a state", "None", remedy))
    return ranks_of(mesh)


def check_enough(function: str, n_qubits: int, ranks: Ranks, argument: str = "circuit") -> None:
    """Check that each rank has at least one wire of its own."""
    if n_qubits <= ranks.n_bits:
        need, got = f"have more than {ranks.n_bits} qubits on {ranks.n} ranks", qubits(n_qubits)
        raise ValueError(
            message(function, argument, n_qubits, need, got, "Take fewer ranks, or more qubits.")
        )


def check_size(function: str, circuit: Circuit, state: ShardedState) -> None:
    """Check that a state is as large as a circuit."""
    if state.layout.n_qubits != circuit.n_qubits:
        need, got = f"fit {qubits(circuit.n_qubits)}", qubits(state.layout.n_qubits)
        remedy = "Give a circuit of as many qubits as the state has."
        raise ValueError(message(function, "state", state, need, got, remedy))


def replicated(ranks: Ranks, ops: Sequence[Op]) -> list[Op]:
    """Ops with the same parameters, whose gradients are the sums of all ranks'."""
    packing = Packing.of([leaf for op in ops for leaf in op.leaves])
    packed = (packing.pack([x for op in ops for x in op.leaves], g) for g in packing.groups)
    own = iter(packing.unpack(copied(ranks, one) for one in packed))
    return [
        Op(op.gate, op.wires, tuple(p if type(p) is float else next(own) for p in op.params))
        for op in ops
    ]
