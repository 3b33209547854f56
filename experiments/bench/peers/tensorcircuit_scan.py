"""TensorCircuit-NG on JAX: equal layers as one compiled loop, `jax.lax.scan`."""

from collections.abc import Callable

import jax
import tensorcircuit as tc
from jax import Array

from ..workloads import Work
from .base import Run, UnsupportedError
from .jax_tools import energy_run, ensemble_run, hessian_run, state_run, step_run
from .tensorcircuit import add, local_expectation


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
    check(work)
    return state_run(work, lambda theta: scanned(work, theta))


def check(work: Work) -> None:
    """Refuse circuits whose layers differ."""
    if not work.circuit.uniform:
        raise UnsupportedError("a loop needs equal layers")


def scanned(work: Work, theta: Array, x: Array | None = None) -> Array:
    """The final state, a loop over layers."""
    first = tc.Circuit(work.circuit.n)
    add(first, work.circuit.prefix, x)

    def layer(state: Array, angles: Array) -> tuple[Array, None]:
        circuit = tc.Circuit(work.circuit.n, inputs=state)
        add(circuit, work.circuit.layers[0], angles)
        return circuit.state(), None

    state: Array = jax.lax.scan(layer, first.state(), theta)[0]
    return state


def _energy(work: Work) -> Callable[..., Array]:
    check(work)

    def value(theta: Array, x: Array | None = None) -> Array:
        circuit = tc.Circuit(work.circuit.n, inputs=scanned(work, theta, x))
        return local_expectation(circuit, work.measured)

    return value
