"""TensorCircuit-NG on JAX: equal layers as one compiled loop, `jax.lax.scan`."""

from collections.abc import Callable

import jax
import tensorcircuit as tc
from jax import Array

from ..workloads import Work
from .base import UnsupportedError
from .jax_tools import tasks
from .tensorcircuit import add, local_expectation


def _state(work: Work) -> Callable[..., Array]:
    n, layers = work.circuit.n, work.circuit.layers
    if len(set(layers)) != 1:
        raise UnsupportedError("a loop needs equal layers")

    def layer(state: Array, angles: Array) -> tuple[Array, None]:
        circuit = tc.Circuit(n, inputs=state)
        add(circuit, layers[0], angles)
        return circuit.state(), None

    def state(theta: Array, x: Array | None = None) -> Array:
        first = tc.Circuit(n)
        add(first, work.circuit.prefix, x)
        last: Array = jax.lax.scan(layer, first.state(), theta)[0]
        return last

    return state


def _expectation(work: Work) -> Callable[..., Array]:
    state = _state(work)

    def expectation(theta: Array, x: Array | None = None) -> Array:
        return local_expectation(tc.Circuit(work.circuit.n, inputs=state(theta, x)), work.measured)

    return expectation


TASKS = tasks(_expectation, _expectation, _state)
del TASKS["kernel"]  # its circuit has no layers to loop over
