r"""Random brickwork on a ring, measured in between: one run is a pure function of uniform numbers.

After each layer of two-qubit gates, each wire is measured with probability `p`. That is a channel
with the Kraus operators `√(1-p) 1`, `√p |0⟩⟨0|` and `√p |1⟩⟨1|`, of which a trajectory takes one:
whether a wire is measured, and what is found, by one uniform number. Nothing depends on values, so
that runs with many seeds and at many `p` are one call.

References:
    Mezzadri (2007), Notices of the AMS 54, 592, for the gates.
    Page (1993), Phys. Rev. Lett. 71, 1291, for the entropy without measurements.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import jvp, vmap

import quilt_func as qf
from quilt_func import noise

LAYERS_PER_QUBIT = 2
"""So many layers for each qubit: the entropies have settled by then."""
QUANTITIES = ("entropy", "renyi", "tripartite")


class Draws(NamedTuple):
    """The uniform numbers of one run: those of its gates, and those of its measurements."""

    gates: Tensor
    outcomes: Tensor


def draws(n_qubits: int, seeds: range, device: str = "cpu") -> Draws:
    """Numbers of several runs, each by its own seed.

    Those of gates are `(m, T, n/2, 4, 4, 2)`, those of measurements `(m, T*n)`.
    """
    depth = LAYERS_PER_QUBIT * n_qubits
    shape = (depth, n_qubits // 2, 4, 4, 2)
    size = math.prod(shape)
    rows = [qf.uniforms(size + depth * n_qubits, seed, device=device) for seed in seeds]
    both = torch.stack(rows)
    return Draws(both[:, :size].unflatten(1, shape), both[:, size:])


def haar_unitaries(u: Tensor) -> Tensor:
    """Haar-random unitaries `(..., N, N)` from uniform numbers `(..., N, N, 2)`.

    The QR decomposition of a complex Gaussian matrix, with phases that make it unique.
    """
    radius = (-torch.log1p(-u[..., 0])).sqrt()
    q, r = torch.linalg.qr(torch.polar(radius, 2 * math.pi * u[..., 1]))
    phases: Tensor = torch.sgn(r.diagonal(dim1=-2, dim2=-1))
    found: Tensor = q * phases[..., None, :]
    return found


def measured_at_times(p: Tensor) -> Tensor:
    """Kraus operators `(3, 2, 2)` of a measurement that takes place with probability `p`."""
    projectors = torch.eye(2, dtype=p.dtype, device=p.device)
    one = projectors.sum(0)
    diagonals = torch.stack([(1 - p).sqrt() * one, *(p.sqrt() * projectors)])
    return torch.diag_embed(diagonals.to(p.dtype.to_complex()))


def monitored(n_qubits: int, p: Tensor, unitaries: Tensor) -> qf.Circuit:
    """Brickwork of unitaries `(T, n/2, 4, 4)` on a ring, each layer followed by measurements."""
    maybe = noise.kraus(measured_at_times(p), range(n_qubits))
    layers = []
    for number, gates in enumerate(unitaries):
        pairs = [(i, (i + 1) % n_qubits) for i in range(number % 2, n_qubits, 2)]
        layers.append((qf.unitary(gates, pairs), maybe))
    return qf.circuit(n_qubits, layers)


def run(n_qubits: int, p: Tensor, own: Draws) -> noise.Trajectory:
    """One run: its last state, and the weight that carries the derivative by `p`."""
    circuit = monitored(n_qubits, p, haar_unitaries(own.gates))
    return noise.run_trajectory(circuit, own.outcomes)


def quantities(state: Tensor) -> Tensor:
    """`QUANTITIES` of a state in bits: two entropies of half of the ring, and `I3` of quarters.

    `I3 = S_A + S_B + S_C + S_ABC - S_AB - S_AC - S_BC`, where `S_ABC` is that of the last quarter.
    """
    n_qubits = state.shape[0].bit_length() - 1
    a, b, c, d = (range(i * n_qubits // 4, (i + 1) * n_qubits // 4) for i in range(4))
    quarters = torch.stack([entropy(state, [*part]) for part in (a, b, c, d)])
    halves = [entropy(state, [*one, *other]) for one, other in ((a, b), (b, c), (a, c))]
    tripartite = quarters.sum() - torch.stack(halves).sum()
    return torch.stack([halves[0], renyi(state), tripartite])


def entropy(state: Tensor, wires: list[int]) -> Tensor:
    """Von Neumann's entropy of some wires, in bits."""
    return qf.entropy(qf.reduced_density(state, wires)) / math.log(2)


def renyi(state: Tensor) -> Tensor:
    """Rényi's second entropy of the first half, in bits: minus the logarithm of the purity."""
    half = (state.shape[0].bit_length() - 1) // 2
    return -qf.purity(qf.reduced_density(state, range(half))).log2()


def ensemble(n_qubits: int, ps: Tensor, own: Draws) -> Tensor:
    """`QUANTITIES` of runs `(k, m, 3)` at `k` probabilities, with the same `m` draws at each."""

    def one(p: Tensor, own: Draws) -> Tensor:
        return quantities(run(n_qubits, p, own).state)

    return vmap(vmap(one, (None, 0)), (0, None))(ps, own)


def slope(n_qubits: int, p: Tensor, own: Draws) -> tuple[Tensor, Tensor]:
    """The mean of `renyi` over runs, and its derivative by `p`: from runs at this `p` alone."""

    def mean(p: Tensor) -> Tensor:
        found = vmap(lambda own: run(n_qubits, p, own))(own)
        return noise.trajectory_mean(vmap(renyi)(found.state), found.weight)

    value, derivative, *_ = jvp(mean, (p,), (torch.ones_like(p),))
    return value, derivative


def page_entropy(n_part: int, n_qubits: int) -> float:
    """Mean entropy in bits of some wires of a Haar-random state."""
    small, large = 1 << min(n_part, n_qubits - n_part), 1 << max(n_part, n_qubits - n_part)
    total = math.fsum(1 / k for k in range(large + 1, small * large + 1))
    return (total - (small - 1) / (2 * large)) / math.log(2)


def page_tripartite(n_qubits: int) -> float:
    """Mean `I3` in bits of the quarters of a Haar-random state."""
    quarter = n_qubits // 4
    return 4 * page_entropy(quarter, n_qubits) - 3 * page_entropy(2 * quarter, n_qubits)
