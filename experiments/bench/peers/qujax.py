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
from .base import UnsupportedError, gate_sets, sparse_word
from .jax_tools import tasks

MAX_GATES = 400
GATES: dict[str, Any] = {
    "rx": "Rx", "ry": "Ry", "rz": "Rz", "h": "H", "cx": "CX", "cz": "CZ",
    "rzz": lambda angle: jnp.diag(jnp.exp(-0.5j * jnp.pi * angle * jnp.array([1, -1, -1, 1]))),
}  # fmt: skip


def _expectation(work: Work) -> Callable[..., Array]:
    evolve = _evolve(work)
    words = [sparse_word(word) for word in work.measured.words]
    expectation = qujax.get_statetensor_to_expectation_func(
        [[letter for _, letter in word] for word in words],
        [[wire for wire, _ in word] for word in words],
        jnp.array(work.measured.coefficients, jnp.float32),
    )
    return lambda theta, x=None: expectation(evolve(theta, x))


def _state(work: Work) -> Callable[..., Array]:
    evolve = _evolve(work)
    return lambda theta, x=None: evolve(theta, x).reshape(-1)


def _evolve(work: Work) -> Callable[..., Array]:
    if work.circuit.n_gates > MAX_GATES:
        raise UnsupportedError(f"unrolled circuits are tried up to {MAX_GATES} gates")
    run = qujax.get_params_to_statetensor_func(*_gates(work), work.circuit.n)

    def evolve(theta: Array, x: Array | None = None) -> Array:
        angles = theta.reshape(-1) if x is None else jnp.concatenate([x, theta.reshape(-1)])
        state: Array = run(angles / jnp.pi)
        return state

    return evolve


def _gates(work: Work) -> tuple[list[Any], list[list[int]], list[list[int]]]:
    n_features, width = work.n_features if work.n_samples else 0, work.circuit.width
    parts: list[tuple[int, Rows]] = [(0, work.circuit.prefix)]
    parts += [(n_features + i * width, rows) for i, rows in enumerate(work.circuit.layers)]
    sets = [(offset, *one) for offset, rows in parts for one in gate_sets(rows)]
    return (
        [GATES[gate] for _, gate, _, _ in sets],
        [list(wires) for _, _, wires, _ in sets],
        [[] if column is None else [offset + column] for offset, _, _, column in sets],
    )


TASKS = tasks(_expectation, _expectation, _state)
