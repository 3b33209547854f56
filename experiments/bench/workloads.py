"""The workloads: what is computed, on which numbers, independent of any library.

A workload is written like a call, `vqc(4,4,70)` or, for the shell, `vqc4,4,70`:

* `vqc(n,L,B)`: value and gradient of the mean binary cross entropy of ⟨Z0⟩ over B samples.
* `vqe(n,L)`, `brick(n,L)`, `ring(n,L)`, `far(n,L)`: value and gradient of the Ising energy.
* `qaoa(n,L)`: value and gradient of the cut of a random 3-regular graph.
* `hunt(s,i)`, `hunt(s,i,n)`: circuit `i` of those drawn from the seed `s`, of at most `n` qubits,
  and a way to write it: value and gradient of its energy, or of a classifier (`families.py`).
* `fwd(n,L)`: the final state alone.
* `seeds(S,n,L,B)`: the step of `vqc` for S parameter sets at once.
* `hessian(n,L)`: the full Hessian of the Ising energy.
* `qfi(n,L)`: the quantum Fisher information of the final state, by all angles, from derivatives of
  states that the library makes.
* `shifts(n,L)`: the same from states with one angle shifted by π, made by hand; this is right where
  every angle belongs to one Pauli rotation.
* `kernel(n,L,M)`: the fidelities of M encoded samples with one another.
* `noise(n,L)`: value and gradient of the Ising energy of a density matrix, where every gate is
  followed by a depolarizing channel on each of its wires.
* `trajectories(n,L,T)`: the same of the mean over T trajectories, whose errors are given.
* `sampled(n,L,T)`: the value of that alone.
* `branches(n,m,L)`: value and gradient of the mean Ising energy over all outcomes of a circuit
  whose first `m` wires are measured between two times L layers, one after the other; after each
  comes an RY on the next wire, whose angle has the sign of the bit.
* `train(n,L,B,E)`: E epochs of Adam on `vqc`, from imported libraries to the last loss.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import families
from .circuits import (
    ANSATZE,
    Circuit,
    Observable,
    cut,
    encoding,
    hea,
    hea_with_feed_forward,
    ising,
    kernel_map,
    qaoa,
    regular_graph,
    single_z,
)

SEED = 20_26
STRENGTH = 0.01
"""Probability of an error after a gate, on each wire."""
TASKS = (
    "state", "energy", "step", "ensemble", "hessian", "qfi", "shifts", "kernel", "train",
    "noise", "trajectories", "sampled", "branches",
)  # fmt: skip


@dataclass(frozen=True)
class Work:
    """One workload.

    Attributes:
        name: The call it is written as.
        task: One of `TASKS`.
        circuit: The circuit.
        observable: What is measured; None where the result is made of states.
        n_samples: Size of the batch, if any.
        n_features: Features of one sample.
        n_seeds: Parameter sets evaluated at once, if any.
        n_epochs: Steps of a training.
        n_trajectories: Samples of the noise, if any.
        n_measured: Wires that are measured before the layer in the middle, if any.
        writing: How our side writes the circuit, one of `families.WRITINGS`.
    """

    name: str
    task: str
    circuit: Circuit
    observable: Observable | None = None
    n_samples: int = 0
    n_features: int = families.N_FEATURES
    n_seeds: int = 0
    n_epochs: int = 0
    n_trajectories: int = 0
    n_measured: int = 0
    writing: str = "layers"

    @property
    def theta(self) -> NDArray[np.float64]:
        """Angles in [0, 2π): `(n_layers, width)`, for an ensemble `(n_seeds, n_layers, width)`."""
        shape: tuple[int, ...] = (len(self.circuit.layers), self.circuit.width)
        shape = (self.n_seeds, *shape) if self.n_seeds else shape
        return np.random.default_rng(SEED).uniform(0, 2 * np.pi, shape)

    @property
    def x(self) -> NDArray[np.float64]:
        """Features in [0, π): `(n_samples, n_features)`."""
        shape = (self.n_samples, self.n_features)
        return np.random.default_rng(SEED + 1).uniform(0, np.pi, shape)

    @property
    def y(self) -> NDArray[np.float64]:
        """Labels 0 and 1 of the samples: whether the first feature exceeds the last."""
        return (self.x[:, 0] > self.x[:, -1]).astype(np.float64)

    @property
    def errors(self) -> NDArray[np.int64]:
        """Letters 0 to 3 for I, X, Y, Z, after each gate on each wire: `(n_trajectories, m)`."""
        shape = (self.n_trajectories, sum(len(w) for row in self.circuit.rows for w in row.wires))
        rates = (1 - STRENGTH, *(STRENGTH / 3,) * 3)
        return np.random.default_rng(SEED + 2).choice(4, shape, p=rates)

    @property
    def u(self) -> NDArray[np.float64]:
        """Uniform numbers that give these letters, in the middle of each one's share of [0, 1)."""
        middles = 1 - STRENGTH + STRENGTH / 3 * np.array([0.0, 0.5, 1.5, 2.5])
        middles[0] /= 2
        return middles[self.errors]

    @property
    def directions(self) -> NDArray[np.float64]:
        """Directions along which the gradient of a mean over trajectories is checked."""
        return np.random.default_rng(SEED + 3).normal(size=(3, *self.theta.shape))

    @property
    def measured(self) -> Observable:
        """The observable of a task that has one."""
        if self.observable is None:
            raise ValueError(f"{self.name} measures nothing")
        return self.observable


@cache
def parse(name: str) -> Work:
    """Make the workload that a call such as `vqc(4,4,70)` names.

    Raises:
        ValueError: If no workload is written so.
    """
    match = re.fullmatch(r"([a-z]+)(?:(\d+(?:,\d+)*)|\((\d+(?:,\d+)*)\))", name.replace(" ", ""))
    if match is None:
        raise ValueError(f"`{name}` must be written like vqc(4,4,70) or vqc4,4,70")
    kind, numbers = match[1], match[2] or match[3]
    try:
        return _make(kind, f"{kind}({numbers})", *map(int, numbers.split(",")))
    except (KeyError, TypeError) as error:
        raise ValueError(f"`{name}` is no workload: see the list in workloads.py") from error


def _make(kind: str, name: str, *numbers: int) -> Work:
    if kind in ANSATZE:
        n, depth = numbers
        return Work(name, "energy", ANSATZE[kind](n, depth), ising(n))
    return _MAKERS[kind](name, *numbers)


def _classifier(name: str, task: str, n: int, depth: int, batch: int, **extra: Any) -> Work:
    circuit = hea(n, depth, encoding(n, families.N_FEATURES))
    return Work(name, task, circuit, single_z(n), n_samples=batch, **extra)


def _vqc(name: str, n: int, depth: int, batch: int) -> Work:
    return _classifier(name, "step", n, depth, batch)


def _seeds(name: str, seeds: int, n: int, depth: int, batch: int) -> Work:
    return _classifier(name, "ensemble", n, depth, batch, n_seeds=seeds)


def _train(name: str, n: int, depth: int, batch: int, epochs: int) -> Work:
    return _classifier(name, "train", n, depth, batch, n_epochs=epochs)


def _fwd(name: str, n: int, depth: int) -> Work:
    return Work(name, "state", hea(n, depth))


def _qaoa(name: str, n: int, depth: int) -> Work:
    edges = regular_graph(n)
    return Work(name, "energy", qaoa(n, depth, edges), cut(n, edges))


def _hunt(name: str, seed: int, index: int, n: int = families.WIDEST) -> Work:
    found = families.draw(seed, index, n)
    task = "step" if found.n_samples else "energy"
    made = Work(name, task, found.circuit, found.observable, n_samples=found.n_samples)
    return replace(made, writing=found.writing)


def _hessian(name: str, n: int, depth: int) -> Work:
    return Work(name, "hessian", hea(n, depth), ising(n))


def _qfi(name: str, n: int, depth: int) -> Work:
    return Work(name, "qfi", hea(n, depth))


def _shifts(name: str, n: int, depth: int) -> Work:
    return Work(name, "shifts", hea(n, depth))


def _noise(name: str, n: int, depth: int) -> Work:
    return Work(name, "noise", hea(n, depth), ising(n))


def _trajectories(name: str, n: int, depth: int, samples: int) -> Work:
    return Work(name, "trajectories", hea(n, depth), ising(n), n_trajectories=samples)


def _sampled(name: str, n: int, depth: int, samples: int) -> Work:
    return Work(name, "sampled", hea(n, depth), ising(n), n_trajectories=samples)


def _branches(name: str, n: int, n_measured: int, depth: int) -> Work:
    circuit = hea_with_feed_forward(n, n_measured, depth)
    return Work(name, "branches", circuit, ising(n), n_measured=n_measured)


def _kernel(name: str, n: int, depth: int, samples: int) -> Work:
    circuit = kernel_map(n, depth)
    return Work(name, "kernel", circuit, n_samples=samples, n_features=2 * n - 1)


_MAKERS: dict[str, Callable[..., Work]] = {
    "vqc": _vqc, "fwd": _fwd, "qaoa": _qaoa, "seeds": _seeds, "hunt": _hunt,
    "hessian": _hessian, "qfi": _qfi, "shifts": _shifts, "kernel": _kernel, "train": _train,
    "noise": _noise, "trajectories": _trajectories, "sampled": _sampled,
    "branches": _branches,
}  # fmt: skip
