"""What is measured on landscapes: three ansätze, their gradients and states, three descents.

Ensembles are stacked on the first axis and run in one vmapped call.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import grad, grad_and_value, vmap

import quilt_func as qf
from experiments._desk import Desk

GROUND_ENERGY = -(3 + 2 * math.sqrt(3))
"""Of the open Heisenberg chain of four spins, XX + YY + ZZ on neighbours."""

CHAIN = qf.problems.heisenberg(4)


@dataclass(frozen=True)
class Ansatz:
    """A template on `n` wires: its parts, and the shape of its angles.

    The first angle of each turns the first wire about Y, right after |0...0⟩ or a phase of it.
    """

    name: str
    parts: Callable[[Tensor], tuple[qf.Op, ...]]
    shape: Callable[[int, int], tuple[int, ...]]

    def circuit(self, n_qubits: int, theta: Tensor) -> qf.Circuit:
        """The circuit at angles of `shape(n_qubits, n_layers)`."""
        return qf.circuit(n_qubits, self.parts(theta))


ANSATZE = (
    Ansatz("hardware-efficient", qf.ansatz.hardware_efficient, lambda n, d: (d, n, 2)),
    Ansatz("strongly entangling", qf.ansatz.strongly_entangling, lambda n, d: (d, n, 3)),
    Ansatz("brickwork", qf.ansatz.brickwork, lambda n, d: (d, n - 1, 9)),
)


def angles(shape: tuple[int, ...], n_seeds: int, device: str, first: int = 0) -> Tensor:
    """Angles uniform in [0, 2π), (n_seeds, *shape); a seed's don't depend on the others."""
    drawn = [qf.uniforms(shape, seed, device=device) for seed in range(first, first + n_seeds)]
    return 2 * math.pi * torch.stack(drawn)


def first_slopes(ansatz: Ansatz, n_qubits: int, theta: Tensor, chunk_size: int) -> Tensor:
    """Derivative of ⟨Z⟩ of the first wire by the first angle, for each of many angles."""
    word = qf.pauli_sum({"Z" + "I" * (n_qubits - 1): 1.0})

    def slope(theta: Tensor) -> Tensor:
        others = theta.flatten()[1:]

        def value(first: Tensor) -> Tensor:
            whole = torch.cat([first[None], others]).reshape(theta.shape)
            return qf.expval(ansatz.circuit(n_qubits, whole)(), word)

        found: Tensor = grad(value)(theta.flatten()[0])
        return found

    slopes: Tensor = vmap(slope, chunk_size=chunk_size)(theta)
    return slopes


def two_design_variance(n_qubits: int) -> float:
    """Variance of that derivative if everything behind the first angle is a 2-design."""
    size: int = 2**n_qubits
    return size / (2 * (size**2 - 1))


def variance_and_error(values: Tensor) -> tuple[float, float]:
    """Variance over an ensemble and its standard error, from the fourth moment."""
    centred = values.double() - values.double().mean()
    variance, fourth = centred.square().mean().item(), centred.pow(4).mean().item()
    k = len(values)
    return variance * k / (k - 1), math.sqrt(max(fourth - variance**2, 0.0) / k)


def states(ansatz: Ansatz, n_qubits: int, theta: Tensor) -> Tensor:
    """States at many angles."""
    return vmap(lambda one: ansatz.circuit(n_qubits, one)(), chunk_size=1000)(theta)


@dataclass(frozen=True)
class Descent:
    """A way down: its name, how a rate makes an optimiser, and the rates to choose from."""

    name: str
    optimiser: Callable[[Tensor], qf.optim.GradientTransformation]
    rates: tuple[float, ...]


def state(theta: Tensor) -> Tensor:
    """The state of four spins at angles (n_layers, 4, 2)."""
    return ANSATZE[0].circuit(4, theta)()


def energy(theta: Tensor) -> Tensor:
    """Energy of the chain."""
    return qf.expval(state(theta), CHAIN)


def _natural(rate: Tensor) -> qf.optim.GradientTransformation:
    return qf.optim.chain(qf.natural_gradient(state, damping=0.01), qf.optim.sgd(rate))


DESCENTS = (
    Descent("gradient descent", qf.optim.sgd, (0.02, 0.04, 0.08, 0.16, 0.32)),
    Descent("Adam", qf.optim.adam, (0.02, 0.05, 0.1, 0.2, 0.4)),
    Descent("natural gradient", _natural, (0.02, 0.04, 0.08, 0.16, 0.32)),
)


def descend(
    descent: Descent, theta: Tensor, rates: Tensor, n_steps: int, desk: Desk, label: str
) -> Tensor:
    """Energies before each step and after the last, (n_steps + 1, k): one rate for each start."""

    def update(theta: Tensor, carry: Any, rate: Tensor) -> tuple[Tensor, Any, Tensor]:
        slope, value = grad_and_value(energy)(theta)
        updates, carry = descent.optimiser(rate).update(slope, carry, theta)
        return qf.optim.apply_updates(theta, updates), carry, value

    def step(carry: Any) -> tuple[Any, Tensor]:
        theta, memory, values = vmap(update)(carry[0], carry[1], rates)
        return (theta, memory), values

    memory = vmap(lambda theta, rate: descent.optimiser(rate).init(theta))(theta, rates)
    (theta, _), values = desk.scan(label, qf.jit(step), (theta, memory), n_steps)
    return torch.cat([values, vmap(energy)(theta)[None]])
