"""Density matrices of circuits with channels, split over ranks.

A density matrix of n qubits is a vector of 2n wires, see `noise.density`, and so are gates and
channels on it gates on those wires. All its Pauli expectation values are another such vector: on
the two wires of each qubit one matrix maps entries to the values of I, X, Y and Z.

References:
    Nielsen and Chuang (2010), section 8.2 and exercise 2.72.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh

from quilt_func._amplitudes import walsh_transform
from quilt_func._checks import check_is, check_wires, message
from quilt_func._collectives import summed
from quilt_func._torch import as_seen_here, constant, register
from quilt_func.circuits import Circuit, check_circuit
from quilt_func.gates import linear_gate
from quilt_func.instruments import has_instruments
from quilt_func.noise import doubled
from quilt_func.ops import Op
from quilt_func.sharded.layouts import Layout, ShardedState
from quilt_func.sharded.running import run_sharded

LETTERS = "IXYZ"
"""By the number that the two bits of a qubit are."""

_VALUES = np.array([[1, 0, 0, 1], [0, 1, 1, 0], [0, 1j, -1j, 0], [1, 0, 0, -1]])
"""Entries ρ_rc of one qubit -> traces of each letter's product with ρ, the sums of P_cr ρ_rc."""


@dataclass(frozen=True, eq=False)
class ShardedDensity:
    """A density matrix that is split over ranks: each has its part. A pytree with one leaf.

    Attributes:
        vector: Its entries, as a state whose wires 2w and 2w + 1 are the row's and the column's bit
            of qubit w.

    Examples:
        >>> from quilt_func import circuit, h, sharded
        >>> def parts():
        ...     rho = sharded.run_sharded_density(circuit(2, h(1)), mesh=sharded.mesh("cpu"))
        ...     return rho.n_qubits, rho.vector.layout.n_qubits, len(rho.vector.local)
        >>> sharded.spawn(2, parts, start="fork")
        [(2, 4, 8), (2, 4, 8)]
    """

    vector: ShardedState

    @property
    def n_qubits(self) -> int:
        """Number of qubits."""
        return self.vector.layout.n_qubits // 2


def _unflatten(leaves: Iterable[Any], layout: Layout) -> ShardedDensity:
    (local,) = leaves
    return ShardedDensity(ShardedState(local, layout))


register(
    ShardedDensity,
    lambda rho: ([rho.vector.local], rho.vector.layout),
    _unflatten,
    "quilt_func.sharded.ShardedDensity",
)


def run_sharded_density(
    circuit: Circuit, *, mesh: DeviceMesh, dtype: torch.dtype | None = None
) -> ShardedDensity:
    """The density matrix after a circuit of gates and channels, split over ranks, from |0...0⟩.

    It has `4**n_qubits` entries, each rank its share. Measure it by `density_expval` and
    `density_marginal`.

    Args:
        circuit: Gates and channels.
        mesh: The ranks, from `sharded.mesh`.
        dtype: If the circuit has no tensors: complex64 or complex128.

    Returns:
        The density matrix.

    Raises:
        TypeError: If dtypes or devices differ, or the circuit has instruments.
        ValueError: If a gate or channel acts on more wires than a rank has, two for each qubit.

    Transforms:
        vmap, grad, jvp, hessian, in the circuit's leaves: angles and strengths.

    Examples:
        >>> from quilt_func import circuit, h, noise, sharded
        >>> def purity():
        ...     noisy = circuit(2, h(0), noise.phase_flip(0.25, 0))
        ...     rho = sharded.run_sharded_density(noisy, mesh=sharded.mesh("cpu"))
        ...     return sharded.norm(rho.vector) ** 2
        >>> sharded.spawn(2, purity, start="fork")[0]
        tensor(0.6250)

    References:
        Nielsen and Chuang (2010), section 8.2.
    """
    check_circuit("run_sharded_density", "circuit", circuit)
    if has_instruments(circuit):
        need, got = "hold gates and channels only", "one with instruments"
        remedy = "Use `run_density` on one process, or `noise.reset_channel` for a reset."
        raise TypeError(message("run_sharded_density", "circuit", circuit, need, got, remedy))
    both = Circuit(2 * circuit.n_qubits, tuple(doubled(circuit.ops)))
    return ShardedDensity(run_sharded(both, mesh=mesh, dtype=dtype))


def word_traces(words: Sequence[str], rho: ShardedDensity) -> Tensor:
    """The trace of each word's product with the matrix, `(n_words,)`, the same on every rank."""
    local = rho.vector.local
    pairs = tuple((2 * w, 2 * w + 1) for w in range(rho.n_qubits))
    matrix = as_seen_here(constant(_VALUES, local.dtype, local.device))
    op = Op(linear_gate(2), pairs, (matrix.expand(len(pairs), 4, 4),))
    values = run_sharded(Circuit(2 * rho.n_qubits, (op,)), rho.vector)
    layout = values.layout
    n_local = len(layout.local)
    numbers = [_place(word, layout) for word in words]
    here = [float(number >> n_local == layout.ranks.rank) for number in numbers]
    own = values.local.real[[number & (2**n_local - 1) for number in numbers]]
    is_here = as_seen_here(constant(here, own.dtype, own.device))
    return summed(layout.ranks, own * is_here)


def _place(word: str, layout: Layout) -> int:
    """The number of a word's value among all ranks' entries."""
    bits = [int(bit) for letter in word for bit in f"{LETTERS.index(letter):02b}"]
    return int("".join(str(bits[wire]) for wire in layout.order), 2)


def density_marginal(rho: ShardedDensity, wires: Sequence[int]) -> Tensor:
    """Probabilities of the bits of some qubits of a sharded density matrix.

    Args:
        rho: Density matrix.
        wires: `k` distinct qubits; the first is the most significant bit of the result.

    Returns:
        (real, (2**k,)): Probabilities, the same on every rank.

    Raises:
        TypeError: If it is no sharded density matrix, or a wire is not an int.
        ValueError: If wires repeat or are out of range.

    Transforms:
        vmap, grad (of a component), jvp, hessian.

    Examples:
        >>> from quilt_func import circuit, noise, sharded
        >>> def bits():
        ...     noisy = circuit(2, noise.bit_flip(0.25, 1))
        ...     rho = sharded.run_sharded_density(noisy, mesh=sharded.mesh("cpu"))
        ...     return sharded.density_marginal(rho, [1])
        >>> sharded.spawn(2, bits, start="fork")[0]
        tensor([0.7500, 0.2500])

    References:
        Hadfield (2021), ACM Trans. Quantum Comput. 2 (4), 18, section 3.
    """
    check_density("density_marginal", rho)
    kept = check_wires("density_marginal", wires, rho.n_qubits)
    k = len(kept)
    words = []
    for number in range(2**k):
        is_z = {kept[place] for place in range(k) if number >> k - 1 - place & 1}
        words.append("".join("Z" if wire in is_z else "I" for wire in range(rho.n_qubits)))
    found: Tensor = walsh_transform(word_traces(words, rho)) / 2**k
    return found


def check_density(function: str, rho: object) -> None:
    """Check that a value is a sharded density matrix."""
    need, remedy = "be a sharded density matrix", "Make one with `sharded.run_sharded_density`."
    check_is(function, "rho", rho, ShardedDensity, need, remedy)
