"""The primitive `evolve`: a state and ops in, a state out, with a rule for every transform.

Two routes run the same plan. The *fused* one is a Function, `rules.Evolve`: it is given plain
tensors with explicit batch axes, runs the steps between two buffers, and has rules of its own; its
vjp walks the circuit back, with memory for a few states at any depth. The *plain* one,
`Signature.plain`, is made of ordinary torch calls, which any nesting of transforms can see through;
it takes circuits of a few qubits, nested forward mode and `torch.export`.

References:
    Jones and Gacon (2020), arXiv:2009.02823, for the walk back.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from quilt_func._checks import (
    check_amplitudes,
    check_iterable,
    check_state_size,
    common_dtype_and_device,
)
from quilt_func._torch import is_recorded, trusts_forward_rules
from quilt_func.evolution.batching import BatchAxes
from quilt_func.evolution.calls import Call
from quilt_func.evolution.kept import KeptRun
from quilt_func.evolution.partitioning import WHOLE
from quilt_func.evolution.rules import Evolve
from quilt_func.evolution.signature import Packing, Signature
from quilt_func.ops import Op, check_fits
from quilt_func.states import zero_state


def evolve(n_qubits: int, ops: Sequence[Op], state: Tensor) -> Tensor:
    """Apply ops to a state.

    Args:
        n_qubits: Number of qubits.
        ops: Ops whose wires lie in `range(n_qubits)`, in order of application.
        state (complex, (2**n_qubits,)): Statevector.

    Returns:
        (complex, (2**n_qubits,)): New statevector of the same dtype and device.

    Raises:
        TypeError: If dtypes or devices differ.
        ValueError: If the state is of the wrong size, or a wire is out of range.

    Transforms:
        vmap, grad, jvp, jacrev, jacfwd, hessian, in the state and in the ops' leaves.

    Examples:
        >>> from quilt_func import h, cx, zero_state
        >>> evolve(2, [h(0), cx(0, 1)], zero_state(2)).real
        tensor([0.7071, 0.0000, 0.0000, 0.7071])
    """
    check_iterable("evolve", "ops", ops, "Write `[h(0)]` for one op.")
    ops = tuple(ops)
    for op in ops:
        check_fits("evolve", "ops", op, n_qubits)
    return evolve_from("evolve", n_qubits, ops, state)


def evolve_from(function: str, n_qubits: int, ops: Sequence[Op], state: Tensor) -> Tensor:
    """Apply ops that fit to a state, after a check of it in the name of a function."""
    check_state_size(function, state, n_qubits)
    common_dtype_and_device(function, [state, *(leaf for op in ops for leaf in op.leaves)])
    return evolved(n_qubits, ops, state, state.dtype, state.device)


def evolved(
    n_qubits: int,
    ops: Sequence[Op],
    state: Tensor | None,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """Apply ops, all checked, to a state or to |0...0⟩, whose product form a run makes use of."""
    check_amplitudes("circuit", n_qubits)
    acting = [op for op in ops if op.wires]
    if not acting:
        return zero_state(n_qubits, dtype=dtype, device=device) if state is None else state
    structures = tuple(op.structure for op in acting)
    weak = tuple(tuple(p if type(p) is float else None for p in op.params) for op in acting)
    leaves = [leaf for op in acting for leaf in op.leaves]
    packing = Packing.of(leaves)
    circuit = Signature(n_qubits, structures, weak, packing, dtype, device)
    if n_qubits <= WHOLE or not trusts_forward_rules():
        return circuit.plain(state, *leaves)
    packed = [packing.pack(leaves, group) for group in packing.groups]
    axes, kept = BatchAxes((), ((),) * (1 + len(packed))), KeptRun(tuple(map(is_recorded, packed)))
    found: Tensor = Evolve.apply(Call(circuit, axes, kept), state, *packed)
    kept.owner = None
    return found
