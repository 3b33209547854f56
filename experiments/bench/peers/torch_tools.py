"""What the adapters of torch libraries share: losses, plain autograd, reading."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn.functional import binary_cross_entropy_with_logits

from ..circuits import Circuit, Rows, Wires
from ..reference import probe
from ..workloads import Work
from .base import Run, Tasks, gate_sets, read_pair, train_run

Energy: TypeAlias = Callable[[Tensor], Tensor]
"""Angles (n_layers, width) to the energy ()."""
Logits: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Angles (n_layers, width), or one such set per sample, and samples (B, F), to logits (B,)."""
States: TypeAlias = Callable[[Tensor, Tensor | None], Tensor]
"""Angles (n_layers, width), or one such set per sample, and samples (B, F) if any, to states
(2**n,) or (B, 2**n)."""


def tasks(
    energy: Callable[[Work], Energy],
    logits: Callable[[Work], Logits],
    states: Callable[[Work], States],
) -> Tasks:
    """All tasks of a library, by plain autograd, from three makers of functions."""
    return {
        "energy": lambda work: energy_run(work, energy(work)),
        "hessian": lambda work: hessian_run(work, energy(work)),
        "qfi": lambda work: qfi_run(work, states(work)),
        "shifts": lambda work: shifts_run(work, states(work)),
        "step": lambda work: step_run(work, logits(work)),
        "train": lambda work: train_run(work, step_run(work, logits(work))),
        "ensemble": lambda work: ensemble_run(work, logits(work)),
        "state": lambda work: state_run(work, states(work)),
        "kernel": lambda work: kernel_run(work, states(work)),
    }


def tensor(array: Any, dtype: torch.dtype = torch.float32) -> Tensor:
    """A numpy array in the working precision."""
    return torch.as_tensor(array, dtype=dtype)


def energy_run(work: Work, energy: Energy) -> Run:
    """Value and gradient."""
    return Run(tensor(work.theta), lambda theta: value_and_grad(energy, theta), read_pair)


def hessian_run(work: Work, energy: Energy, vectorize: bool = True) -> Run:
    """The Hessian: all rows in one vectorised pass, or one at a time."""

    def step(theta: Tensor) -> Tensor:
        matrix: Tensor = torch.autograd.functional.hessian(energy, theta, vectorize=vectorize)
        return matrix.reshape(theta.numel(), theta.numel())

    return Run(tensor(work.theta), step, lambda matrix: {"hessian": matrix.numpy()})


def qfi_run(work: Work, states: States) -> Run:
    """The quantum Fisher information in forward mode: a batch of states, a direction for each.

    Of all ways to differentiate states the fastest in the fastest libraries, never far from it.
    """
    size = work.theta.size
    directions = torch.eye(size).reshape(-1, *work.theta.shape)

    def step(theta: Tensor) -> Tensor:
        with forward_ad.dual_level(), torch.no_grad():
            duals = forward_ad.make_dual(theta.expand_as(directions).clone(), directions)
            found = states(duals, torch.zeros(size, 0)).reshape(size, -1)
            psi, tangents = forward_ad.unpack_dual(found)
            assert tangents is not None, "states depend on angles"
            return fisher_information(psi[:1], 2 * tangents)

    return Run(tensor(work.theta), step, lambda matrix: {"qfi": matrix.numpy()})


def shifts_run(work: Work, states: States, dtype: torch.dtype = torch.float32) -> Run:
    """The same from one batch of states, without automatic differentiation.

    An angle of one rotation only, shifted by π, gives twice the derivative of the state.
    """
    size = work.theta.size
    shifts = torch.cat([torch.zeros(1, size), torch.pi * torch.eye(size)]).to(dtype)
    shifts, no_features = shifts.reshape(-1, *work.theta.shape), torch.zeros(size + 1, 0)

    def step(theta: Tensor) -> Tensor:
        with torch.no_grad():
            psi, shifted = states(theta + shifts, no_features).split([1, size])
            return fisher_information(psi, shifted)

    return Run(tensor(work.theta, dtype), step, lambda matrix: {"qfi": matrix.numpy()})


def fisher_information(psi: Tensor, doubled: Tensor) -> Tensor:
    """The matrix from a state (1, 2**n) and the doubles of its derivatives."""
    rows = doubled - doubled @ psi.mH @ psi
    parts = torch.view_as_real(rows.resolve_conj()).flatten(1)
    return parts @ parts.T


def step_run(work: Work, logits: Logits) -> Run:
    """Loss and gradient of a classifier."""
    x, y = tensor(work.x), tensor(work.y)

    def loss(theta: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(logits(theta, x), y)

    return Run(tensor(work.theta), lambda theta: value_and_grad(loss, theta), read_pair)


def ensemble_run(work: Work, logits: Logits) -> Run:
    """Losses and gradients of many classifiers, seeds times samples as one batch."""
    x = tensor(work.x).repeat(work.n_seeds, 1)
    y = tensor(work.y).repeat(work.n_seeds, 1)

    def losses(theta: Tensor) -> Tensor:
        found = logits(theta.repeat_interleave(work.n_samples, 0), x).reshape(y.shape)
        return binary_cross_entropy_with_logits(found, y, reduction="none").mean(1)

    return Run(tensor(work.theta), lambda theta: value_and_grad(losses, theta), read_pair)


def state_run(work: Work, states: States, dtype: torch.dtype = torch.float32) -> Run:
    """The final state, without a gradient."""

    def step(theta: Tensor) -> Tensor:
        with torch.no_grad():
            return states(theta, None)

    return Run(tensor(work.theta, dtype), step, lambda found: probe(found.reshape(-1).numpy()))


def kernel_run(work: Work, states: States, dtype: torch.dtype = torch.float32) -> Run:
    """The fidelities of all pairs, from the states of all samples."""
    no_angles = torch.zeros(0, 0, dtype=dtype)

    def step(x: Tensor) -> Tensor:
        with torch.no_grad():
            found = states(no_angles, x)
            return (found.conj() @ found.T).abs().square()

    return Run(tensor(work.x, dtype), step, lambda kernel: {"kernel": kernel.numpy()})


def value_and_grad(loss: Callable[[Tensor], Tensor], theta: Tensor) -> tuple[Tensor, Tensor]:
    """A value and its gradient; several values that share no angles, each its own."""
    leaf = theta.detach().requires_grad_()
    value = loss(leaf)
    (slope,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), slope


def placed(
    circuit: Circuit, theta: Tensor, x: Tensor | None = None
) -> Iterator[tuple[str, Wires, Tensor | None]]:
    """All gates with their wires and angles; angles are split in one call per layer.

    Angles `(n_layers, width)` give 0-d tensors; a leading batch axis, here or in `x`, stays.
    """
    parts: list[tuple[Rows, Sequence[Tensor]]] = [(circuit.prefix, _columns(x))]
    parts += zip(circuit.layers, map(_columns, theta.unbind(-2)), strict=True)
    for rows, angles in parts:
        for gate, wires, column in gate_sets(rows):
            yield gate, wires, None if column is None else angles[column]


def _columns(angles: Tensor | None) -> Sequence[Tensor]:
    return () if angles is None else angles.unbind(-1)
