"""FlagQuantum: its `Module`, which keeps the compiled circuit, on native CPU kernels."""

from collections.abc import Callable
from typing import Any

import flagquantum as fq
import torch
from flagquantum.algorithms import Hamiltonian, HamiltonianTerm
from flagquantum.noise import NoiseModel, depolarizing_channel
from torch import Tensor

from ..circuits import Observable
from ..workloads import STRENGTH, Work
from .base import Run, UnsupportedError, sparse_word
from .paper import observable_matrix
from .torch_tools import (
    Energy,
    Logits,
    States,
    energy_run,
    ensemble_run,
    hessian_run,
    placed,
    tasks,
    tensor,
)

MAX_DENSITY = 8


def _energy(work: Work) -> Energy:
    module = _module(work, _hamiltonian(work.measured))
    return lambda theta: module(parameters=theta).sum()


def _logits(work: Work) -> Logits:
    module = _module(work)
    return lambda theta, x: module(x, parameters=theta)


def _states(work: Work) -> States:
    build = _builder(work)
    return lambda theta, x: build(theta, x).state()


def _hessian(work: Work) -> Run:
    """The Hessian from circuits without a module, which vectorise."""
    hamiltonian, build = _hamiltonian(work.measured), _builder(work)
    return hessian_run(work, lambda theta: hamiltonian.expectation(build(theta)).sum())


def _noise(work: Work) -> Run:
    """Energy and gradient of the density matrix that a noise model gives."""
    if work.circuit.n > MAX_DENSITY:
        raise UnsupportedError(f"gates as full matrices are tried up to {MAX_DENSITY} qubits")
    build, matrix = _builder(work), observable_matrix(work)
    names = sorted({row.gate for row in work.circuit.rows})
    model = NoiseModel().add(names, depolarizing_channel(STRENGTH))

    def energy(theta: Tensor) -> Tensor:
        rho = build(theta).noisy_density_matrix(model)[0]
        return torch.einsum("ij,ji->", rho, matrix).real

    return energy_run(work, energy)


def _ensemble(work: Work) -> Run:
    """Many classifiers as one batch of circuits without a module, which fixes its parameters."""
    build = _builder(work)
    return ensemble_run(work, lambda theta, x: build(theta, x).expectation_z([0]).squeeze(-1))


def _module(work: Work, hamiltonian: Any = None) -> Any:
    kind = "z" if hamiltonian is None else "hamiltonian"
    return fq.Module(
        _builder(work),
        n_parameters=work.theta.shape,
        init=tensor(work.theta),
        hamiltonian=hamiltonian,
        policy=fq.RuntimePolicy(observable=kind, observable_qubits=(0,)),
    )


def _builder(work: Work) -> Callable[..., Any]:
    def build(theta: Tensor, x: Tensor | None = None) -> Any:
        circuit = fq.Circuit(work.circuit.n, bsz=1 if x is None else x.shape[0])
        for gate, wires, angle in placed(work.circuit, theta, x):
            angles = () if angle is None else (angle,)
            getattr(circuit, gate)(*wires, *angles)
        return circuit

    return build


def _hamiltonian(observable: Observable) -> Any:
    terms = zip(observable.words, observable.coefficients, strict=True)
    return Hamiltonian([HamiltonianTerm(c, dict(sparse_word(word))) for word, c in terms])


TASKS = {
    **tasks(_energy, _logits, _states),
    "hessian": _hessian,
    "ensemble": _ensemble,
    "noise": _noise,
}
