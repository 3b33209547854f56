"""qujax: pure functions from parameters to states, compiled and differentiated by JAX.

Its angles are in units of π.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import qujax
from jax import Array

from ..circuits import Rows
from ..workloads import Work
from .base import Run, UnsupportedError, gate_sets, sparse_word
from .jax_tools import energy_run, ensemble_run, hessian_run, kernel_run, state_run, step_run

MAX_GATES = 400
GATES: dict[str, Any] = {
    "rx": "Rx", "ry": "Ry", "rz": "Rz", "h": "H", "cx": "CX", "cz": "CZ",
    "rzz": lambda angle: jnp.diag(jnp.exp(-0.5j * jnp.pi * angle * jnp.array([1, -1, -1, 1]))),
}  # fmt: skip


def energy(work: Work) -> Run:
    """Energy and gradient."""
    return energy_run(work, _energy(work))


def hessian(work: Work) -> Run:
    """Hessian of the energy."""
    return hessian_run(work, _energy(work))


def step(work: Work) -> Run:
    """Loss and gradient of a classifier."""
    return step_run(work, _energy(work))


def ensemble(work: Work) -> Run:
    """Many classifiers at once."""
    return ensemble_run(work, _energy(work))


def state(work: Work) -> Run:
    """The final state."""
    evolve = _evolve(work)
    return state_run(work, lambda theta: evolve(theta).reshape(-1))


def kernel(work: Work) -> Run:
    """Fidelities of all pairs."""
    evolve, theta = _evolve(work), jnp.zeros((0, 0))
    return kernel_run(work, lambda x: evolve(theta, x).reshape(-1))


def _energy(work: Work) -> Callable[..., Array]:
    evolve = _evolve(work)
    words = [sparse_word(word) for word in work.measured.words]
    expectation = qujax.get_statetensor_to_expectation_func(
        [[letter for _, letter in word] for word in words],
        [[wire for wire, _ in word] for word in words],
        jnp.array(work.measured.coefficients, jnp.float32),
    )
    return lambda theta, x=None: expectation(evolve(theta, x))


def _evolve(work: Work) -> Callable[..., Array]:
    if work.circuit.n_gates > MAX_GATES:
        raise UnsupportedError(f"unrolled circuits are tried up to {MAX_GATES} gates")
    n_features = work.n_features if work.n_samples else 0
    parts: list[tuple[int, Rows]] = [(0, work.circuit.prefix)]
    width = work.circuit.width
    parts += [(n_features + i * width, rows) for i, rows in enumerate(work.circuit.layers)]
    gates: list[Any] = []
    wire_sets: list[list[int]] = []
    columns: list[list[int]] = []
    for offset, rows in parts:
        for gate, wires, column in gate_sets(rows):
            gates.append(GATES[gate])
            wire_sets.append(list(wires))
            columns.append([] if column is None else [offset + column])
    run = qujax.get_params_to_statetensor_func(gates, wire_sets, columns, work.circuit.n)

    def evolve(theta: Array, x: Array | None = None) -> Array:
        angles = theta.reshape(-1) if x is None else jnp.concatenate([x, theta.reshape(-1)])
        state: Array = run(angles / jnp.pi)
        return state

    return evolve
