r"""Density matrices of circuits with channels, on the same primitive as states.

A density matrix of n qubits is a vector of 2n: the bits of its row, at wires 0, 2, 4, ..., and
those of its column, at wires 1, 3, 5, ... A gate acts on rows, its conjugate on columns, and a
channel, as its superoperator, on both. Gates and channels on the same wires are merged first; then
all are fused into blocks, and whatever derives a state derives a density matrix.

References:
    Nielsen and Chuang (2010), section 8.2.
    Jones, Brown, Bush and Benjamin (2019), arXiv:1802.08032, for densities as vectors.
"""

from functools import lru_cache

import torch
from torch import Tensor

from quilt_func._checks import REAL_OF, check_tensor, common_dtype_and_device
from quilt_func.circuits import Circuit, check_circuit, default_kind
from quilt_func.derived import conjugate
from quilt_func.evolution import evolved
from quilt_func.noise.channels import Channel, on_pairs
from quilt_func.noise.merging import merged
from quilt_func.ops import Gate, Op, Structure
from quilt_func.typing import Device, WireSet


def run_density(
    circuit: Circuit,
    rho: Tensor | None = None,
    *,
    dtype: torch.dtype | None = None,
    device: Device = None,
) -> Tensor:
    """The density matrix after a circuit of gates and channels, exactly.

    It has `4**n_qubits` entries. Gates are fused with the channels around them. Gradients keep the
    matrix before those steps that cannot be undone: 16 at most, others are computed again from
    these; `noise.explain_density` tells the steps.

    Args:
        circuit: Gates and channels.
        rho (complex, (2**n, 2**n)): Density matrix before; default: of |0...0⟩.
        dtype: For the default, if the circuit has no tensors: complex64 or complex128.
        device: For the default, if the circuit has no tensors.

    Returns:
        (complex, (2**n, 2**n)): Density matrix.

    Raises:
        TypeError: If `circuit` is not a circuit, or dtypes or devices differ.
        ValueError: If `rho` is of the wrong size.

    Transforms:
        vmap, grad, jvp, jacrev, jacfwd, hessian, in `rho` and in the circuit's leaves: angles and
        strengths.

    Examples:
        >>> from quilt_func import circuit, h, noise
        >>> run_density(circuit(1, h(0), noise.phase_flip(0.25, 0))).real
        tensor([[0.5000, 0.2500],
                [0.2500, 0.5000]])

    References:
        Nielsen and Chuang (2010), section 8.2.
    """
    check_circuit("run_density", "circuit", circuit)
    n, ops = circuit.n_qubits, doubled(circuit)
    if rho is None:
        kind = default_kind("run_density", circuit.leaves, dtype, device)
        return _apart(evolved(2 * n, ops, None, *kind), n)
    if dtype is not None or device is not None:
        raise TypeError(
            "run_density(): `dtype` and `device` must describe the default, but a matrix was "
            "given. Leave them out, or convert it with `.to(...)`."
        )
    remedy = "Give one density matrix; map over a batch with `torch.func.vmap`."
    fix = "Convert it with `.to(torch.complex64)`."
    check_tensor("run_density", "rho", rho, REAL_OF, (2**n, 2**n), remedy, dtype_remedy=fix)
    common_dtype_and_device("run_density", [rho, *circuit.leaves])
    return _apart(evolved(2 * n, ops, _together(rho, n), rho.dtype, rho.device), n)


def doubled(circuit: Circuit) -> list[Op]:
    """A circuit's ops as they act on rows and columns, on twice as many wires."""
    return [
        Op(gate, wires, op.params)
        for op in merged(circuit.ops)
        for gate, wires in _twice(op.structure)
    ]


@lru_cache(maxsize=65536)
def _twice(structure: Structure) -> tuple[tuple[Gate, tuple[WireSet, ...]], ...]:
    """What an op does to rows and to columns: gates and their wires among 2n."""
    gate, wires = structure.gate, structure.wires
    rows = tuple(tuple(2 * wire for wire in one) for one in wires)
    columns = tuple(tuple(2 * wire + 1 for wire in one) for one in wires)
    if isinstance(gate, Channel):
        both = tuple(row + column for row, column in zip(rows, columns, strict=True))
        return ((on_pairs(gate), both),)
    return (gate, rows), (conjugate(gate), columns)


def _together(rho: Tensor, n: int) -> Tensor:
    """A matrix `(2**n, 2**n)` as a vector in which a row's bit comes before its column's."""
    axes = [axis for pair in zip(range(n), range(n, 2 * n), strict=True) for axis in pair]
    return rho.reshape((2,) * (2 * n)).permute(axes).reshape(-1)


def _apart(vector: Tensor, n: int) -> Tensor:
    """The matrix of a vector, see `_together`."""
    axes = [*range(0, 2 * n, 2), *range(1, 2 * n, 2)]
    return vector.reshape((2,) * (2 * n)).permute(axes).reshape(2**n, 2**n)
