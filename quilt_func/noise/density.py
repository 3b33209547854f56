r"""Density matrices of circuits with channels, on the same primitive as states.

A density matrix of n qubits is a vector of 2n: the bits of its row, at wires 0, 2, 4, ..., and
those of its column, at wires 1, 3, 5, ... A gate acts on rows, its conjugate on columns, and a
channel, as its superoperator, on both. Gates and channels on the same wires are merged first; then
all are fused into blocks, and whatever derives a state derives a density matrix.

References:
    Nielsen and Chuang (2010), section 8.2.
    Jones, Brown, Bush and Benjamin (2019), arXiv:1802.08032, for densities as vectors.
"""

from collections.abc import Iterable
from functools import lru_cache, partial

import torch
from torch import Tensor
from torch.func import vmap

from quilt_func._checks import REAL_OF, check_tensor, common_dtype_and_device
from quilt_func.circuits import Circuit, check_circuit, default_kind
from quilt_func.derived import conjugate
from quilt_func.evolution import evolved
from quilt_func.gates import swap
from quilt_func.instruments import (
    BUDGET,
    Branches,
    Measurement,
    check_budget,
    check_keys,
    has_instruments,
)
from quilt_func.noise.channels import Channel, on_pairs
from quilt_func.noise.density_walk import DensityWalk
from quilt_func.noise.merging import merged
from quilt_func.ops import Gate, Op, Structure
from quilt_func.typing import Device, WireSet

SWAPPED = 8
"""Qubits up to which rows and columns are parted by gates: so many fit one permutation."""


def run_density(
    circuit: Circuit,
    rho: Tensor | None = None,
    *,
    dtype: torch.dtype | None = None,
    device: Device = None,
) -> Tensor:
    """The density matrix after a circuit of gates, channels and instruments, exactly.

    It has `4**n_qubits` entries. Gates are fused with the channels around them. Gradients keep the
    matrix before those steps that cannot be undone: 16 at most, others are computed again from
    these; `noise.explain_density` tells the steps.

    Of instruments it is the mixture of all outcomes: `run_density_branches` has one matrix for
    each. As many matrices are held as outcomes that are read later have values: those that no op
    reads, or none any more, are summed over. After `postselect` its trace is the probability.

    Args:
        circuit: Gates, channels and instruments.
        rho (complex, (2**n, 2**n)): Density matrix before; default: of |0...0⟩.
        dtype: For the default, if the circuit has no tensors: complex64 or complex128.
        device: For the default, if the circuit has no tensors.

    Returns:
        (complex, (2**n, 2**n)): Density matrix.

    Raises:
        TypeError: If `circuit` is not a circuit, or dtypes or devices differ.
        ValueError: If `rho` is of the wrong size, or an outcome is read before it is measured.

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
    kind, n = kind_of_density("run_density", circuit, rho, dtype, device), circuit.n_qubits
    vector = None if rho is None else _together(rho, n)
    if not has_instruments(circuit):
        ops = [*doubled(circuit.ops), *(_swaps(n) if n <= SWAPPED else ())]
        found = evolved(2 * n, ops, vector, *kind)
        return found.reshape(2**n, 2**n) if n <= SWAPPED else _apart(found, n)
    check_keys("run_density", circuit)
    return _apart(DensityWalk(n, vector, *kind, doubled).mixture(circuit.ops), n)


def run_density_branches(
    circuit: Circuit, rho: Tensor | None = None, *, budget: float = BUDGET
) -> Branches:
    """The density matrix of each outcome of a circuit of gates, channels and instruments, exactly.

    Like `run_branches`, with noise. A key that is measured again has its last outcome alone, and
    resets make no branches, since matrices are summed over what is not kept.

    Args:
        circuit: Gates, channels and instruments.
        rho (complex, (2**n, 2**n)): Density matrix before; default: of |0...0⟩.
        budget: Most entries that all matrices may have together.

    Returns:
        Matrices `(n_branches, 2**n, 2**n)` whose traces are the outcomes' probabilities, in the
        order in which keys were measured last, and their bits. Their sum is `run_density(circuit)`.

    Raises:
        TypeError: If `circuit` is not a circuit, or dtypes or devices differ.
        ValueError: If `rho` is of the wrong size, there are more entries than `budget`, or an
            outcome is read before it is measured.

    Transforms:
        vmap, grad, jvp, jacrev, jacfwd, hessian, in `rho` and in the circuit's leaves.

    Examples:
        >>> import quilt_func as qf
        >>> from quilt_func import noise
        >>> noisy = qf.circuit(1, qf.h(0), noise.bit_flip(0.1, 0), qf.measure(0, "m"))
        >>> found = noise.run_density_branches(noisy)
        >>> found.states.shape, qf.instruments.branch_probabilities(found)
        (torch.Size([2, 2, 2]), tensor([0.5000, 0.5000]))

    References:
        Nielsen and Chuang (2010), section 8.2.
    """
    function = "run_density_branches"
    check_circuit(function, "circuit", circuit)
    n = circuit.n_qubits
    check_keys(function, circuit)
    kind = kind_of_density(function, circuit, rho, None, None)
    last = {
        op.gate.writes: op.gate.n_outcomes for op in circuit.ops if isinstance(op.gate, Measurement)
    }
    check_budget(function, [*last.values()], 4**n, budget)
    vector = None if rho is None else _together(rho, n)
    walk = DensityWalk(n, vector, *kind, doubled, keeps_all=True)
    vectors = walk.run(circuit.ops)
    return Branches(vmap(partial(_apart, n=n))(vectors), walk.bits, walk.dropped)


def kind_of_density(
    function: str, circuit: Circuit, rho: Tensor | None, dtype: torch.dtype | None, device: Device
) -> tuple[torch.dtype, torch.device]:
    """Check what a run is made of, and return its dtype and device."""
    if rho is None:
        return default_kind(function, circuit.leaves, dtype, device)
    if dtype is not None or device is not None:
        raise TypeError(
            f"{function}(): `dtype` and `device` must describe the default, but a matrix was "
            "given. Leave them out, or convert it with `.to(...)`."
        )
    size = 2**circuit.n_qubits
    remedy = "Give one density matrix; map over a batch with `torch.func.vmap`."
    if isinstance(rho, Tensor) and rho.shape == (size,):
        remedy = "Write `torch.outer(state, state.conj())` for that of a statevector."
    fix = "Convert it with `.to(torch.complex64)`."
    check_tensor(function, "rho", rho, REAL_OF, (size, size), remedy, dtype_remedy=fix)
    common_dtype_and_device(function, [rho, *circuit.leaves])
    return rho.dtype, rho.device


def doubled(ops: Iterable[Op]) -> list[Op]:
    """Ops as they act on rows and columns, on twice as many wires."""
    return [
        Op(gate, wires, op.params) for op in merged(ops) for gate, wires in _twice(op.structure)
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


@lru_cache(maxsize=16)
def _swaps(n: int) -> tuple[Op, ...]:
    """What `_apart` does, as gates: in a plan they are one pass by an index, forth and back."""
    order, pairs = list(range(2 * n)), []
    for place, wire in enumerate([*range(0, 2 * n, 2), *range(1, 2 * n, 2)]):
        if (now := order.index(wire)) != place:
            order[place], order[now] = order[now], order[place]
            pairs.append((place, now))
    return (swap(pairs),) if pairs else ()


def _together(rho: Tensor, n: int) -> Tensor:
    """A matrix `(2**n, 2**n)` as a vector in which a row's bit comes before its column's."""
    axes = [axis for pair in zip(range(n), range(n, 2 * n), strict=True) for axis in pair]
    return rho.reshape((2,) * (2 * n)).permute(axes).reshape(-1)


def _apart(vector: Tensor, n: int) -> Tensor:
    """The matrix of a vector, see `_together`."""
    axes = [*range(0, 2 * n, 2), *range(1, 2 * n, 2)]
    return vector.reshape((2,) * (2 * n)).permute(axes).reshape(2**n, 2**n)
