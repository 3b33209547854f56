"""The paper's own method, section 3: every gate a full `2**n` matrix, one sample at a time.

A gate on one wire is the Kronecker product of its matrix with identities; a CNOT is the sum of
two such products. The state is multiplied by each matrix in turn, a Python loop goes over the
samples, and plain autograd differentiates.
"""

from functools import reduce

import torch
from torch import Tensor

from ..circuits import Wires
from ..workloads import Work
from .base import UnsupportedError
from .torch_tools import Energy, Logits, States, hessian_run, placed, qfi_run, shifts_run, tasks

MAX_ENTRIES = 10**9


def _energy(work: Work) -> Energy:
    """The Hamiltonian is one matrix, made beforehand."""
    _check(work)
    hamiltonian = observable_matrix(work)

    def energy(theta: Tensor) -> Tensor:
        psi = evolve(work, theta)
        return torch.real(torch.vdot(psi, hamiltonian @ psi))

    return energy


def _logits(work: Work) -> Logits:
    _check(work)

    def logit(theta: Tensor, sample: Tensor) -> Tensor:
        psi = evolve(work, theta, sample)
        return torch.real(torch.vdot(psi, observable_matrix(work) @ psi))

    return lambda theta, x: torch.stack([logit(theta, sample) for sample in x])


def _states(work: Work) -> States:
    _check(work)

    def states(theta: Tensor, x: Tensor | None) -> Tensor:
        if x is None:
            return evolve(work, theta)
        return torch.stack([evolve(work, theta, sample) for sample in x])

    return states


def _states_of_angles(work: Work) -> States:
    _check(work)
    return lambda theta, _: torch.stack([evolve(work, angles) for angles in theta])


def _check(work: Work) -> None:
    if 4**work.circuit.n * work.circuit.n_gates * max(1, work.n_samples) > MAX_ENTRIES:
        raise UnsupportedError(f"full matrices are tried up to {MAX_ENTRIES:,} entries in all")


def evolve(work: Work, theta: Tensor, x: Tensor | None = None) -> Tensor:
    """The final state of one sample."""
    circuit = work.circuit
    psi = torch.zeros(2**circuit.n, dtype=torch.cfloat)
    psi[0] = 1.0
    for gate, wires, angle in placed(circuit, theta, x):
        psi = full_matrix(gate, wires, angle, circuit.n) @ psi
    return psi


def observable_matrix(work: Work) -> Tensor:
    """The observable as a full matrix."""
    terms = zip(work.measured.words, work.measured.coefficients, strict=True)
    matrices = [c * reduce(torch.kron, [LETTERS[a] for a in word]) for word, c in terms]
    return torch.stack(matrices).sum(0)


def full_matrix(gate: str, wires: Wires, angle: Tensor | None, n: int) -> Tensor:
    """A gate as a matrix on all wires."""
    if angle is not None and gate == "rzz":
        both = embed(dict.fromkeys(wires, LETTERS["Z"]), n)
        return torch.diag(torch.exp(-0.5j * angle * torch.diagonal(both)))
    if angle is not None:
        return embed({wires[0]: ROTATIONS[gate](angle)}, n)
    if gate == "h":
        return embed({wires[0]: HADAMARD}, n)
    flip = LETTERS["X"] if gate == "cx" else LETTERS["Z"]
    control, target = wires
    return embed({control: ZERO}, n) + embed({control: ONE, target: flip}, n)


def embed(factors: dict[int, Tensor], n: int) -> Tensor:
    """The Kronecker product of some one-wire matrices with identities."""
    return reduce(torch.kron, [factors.get(wire, LETTERS["I"]) for wire in range(n)])


def ry_matrix(theta: Tensor) -> Tensor:
    """RY as the paper writes it."""
    c, s = torch.cos(theta / 2), torch.sin(theta / 2)
    return torch.stack([torch.stack([c, -s]), torch.stack([s, c])]).to(torch.cfloat)


def rx_matrix(theta: Tensor) -> Tensor:
    """RX in the same manner."""
    c, s = torch.cos(theta / 2).to(torch.cfloat), -1j * torch.sin(theta / 2)
    return torch.stack([torch.stack([c, s]), torch.stack([s, c])])


def rz_matrix(theta: Tensor) -> Tensor:
    """RZ in the same manner."""
    half = theta / 2
    return torch.diag(torch.polar(torch.ones(2), torch.stack([-half, half])))


ROTATIONS = {"rx": rx_matrix, "ry": ry_matrix, "rz": rz_matrix}
LETTERS = {
    "I": torch.eye(2, dtype=torch.cfloat),
    "X": torch.tensor([[0, 1], [1, 0]], dtype=torch.cfloat),
    "Y": torch.tensor([[0, -1j], [1j, 0]], dtype=torch.cfloat),
    "Z": torch.tensor([[1, 0], [0, -1]], dtype=torch.cfloat),
}
ZERO, ONE = torch.diag(torch.tensor([1, 0j])), torch.diag(torch.tensor([0j, 1]))
HADAMARD = (LETTERS["X"] + LETTERS["Z"]) / 2**0.5

TASKS = {
    **tasks(_energy, _logits, _states),
    "hessian": lambda work: hessian_run(work, _energy(work), vectorize=False),
    "qfi": lambda work: qfi_run(work, _states_of_angles(work)),
    "shifts": lambda work: shifts_run(work, _states_of_angles(work)),
}
del TASKS["ensemble"]
