"""FlagQuantum: its `Module`, which keeps the compiled circuit, on native CPU kernels."""

from collections.abc import Callable
from typing import Any

import flagquantum as fq
from flagquantum.algorithms import Hamiltonian, HamiltonianTerm
from torch import Tensor

from ..circuits import Observable
from ..workloads import Work
from .base import Run, sparse_word
from .torch_tools import (
    energy_run,
    ensemble_run,
    hessian_run,
    kernel_run,
    no_angles,
    placed,
    state_run,
    step_run,
    tensor,
)


def energy(work: Work) -> Run:
    """Energy and gradient."""
    module = _module(work, hamiltonian=_hamiltonian(work.measured))
    return energy_run(work, lambda theta: module(parameters=theta).sum())


def hessian(work: Work) -> Run:
    """Hessian of the energy, all rows in one vectorised pass."""
    hamiltonian, build = _hamiltonian(work.measured), _builder(work)
    return hessian_run(work, lambda t: hamiltonian.expectation(build(t)).sum(), vectorize=True)


def step(work: Work) -> Run:
    """Loss and gradient of a classifier."""
    module = _module(work)
    return step_run(work, lambda theta, x: module(x, parameters=theta))


def ensemble(work: Work) -> Run:
    """Many classifiers, seeds times samples as one batch of circuits."""
    build = _builder(work)
    return ensemble_run(work, lambda theta, x: build(theta, x).expectation_z([0]).squeeze(-1))


def state(work: Work) -> Run:
    """The final state."""
    build = _builder(work)
    return state_run(work, lambda theta: build(theta).state())


def kernel(work: Work) -> Run:
    """Fidelities of all pairs from one batch of states."""
    build = _builder(work)
    return kernel_run(work, lambda x: build(no_angles(), x).state())


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
