"""What the adapters of JAX libraries share: losses, `jit`, `vmap`, waiting for results."""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..reference import probe
from ..workloads import Work
from .base import Run, read_pair

Energy: TypeAlias = Callable[[Array], Array]
"""Angles (n_layers, width) to the energy ()."""
Logit: TypeAlias = Callable[[Array, Array], Array]
"""Angles (n_layers, width) and one sample (F,) to a logit ()."""


def single(array: Any) -> Array:
    """A numpy array in single precision."""
    return jnp.asarray(array, jnp.float32)


def energy_run(work: Work, energy: Energy) -> Run:
    """Value and gradient, compiled."""
    return Run(single(work.theta), waiting(jax.value_and_grad(energy)), read_pair)


def hessian_run(work: Work, energy: Energy) -> Run:
    """The Hessian, compiled."""
    size = work.theta.size
    second = waiting(lambda theta: jax.hessian(energy)(theta).reshape(size, size))
    return Run(single(work.theta), second, lambda found: {"hessian": np.asarray(found)})


def step_run(work: Work, logit: Logit) -> Run:
    """Loss and gradient of a classifier: `vmap` over samples, compiled."""
    x, y = single(work.x), single(work.y)
    step = waiting(jax.value_and_grad(_loss(logit)))
    return Run(single(work.theta), lambda theta: step(theta, x, y), read_pair)


def ensemble_run(work: Work, logit: Logit) -> Run:
    """Many classifiers: `vmap` over parameter sets and samples, compiled."""
    x, y = single(work.x), single(work.y)
    step = waiting(jax.vmap(jax.value_and_grad(_loss(logit)), (0, None, None)))
    return Run(single(work.theta), lambda theta: step(theta, x, y), read_pair)


def state_run(work: Work, state: Callable[[Array], Array]) -> Run:
    """The final state, compiled."""
    return Run(single(work.theta), waiting(state), lambda found: probe(np.asarray(found)))


def kernel_run(work: Work, state: Callable[[Array], Array]) -> Run:
    """The fidelities of all pairs, from the state of one sample: `vmap` over samples, compiled."""

    def kernel(x: Array) -> Array:
        states = jax.vmap(state)(x)
        return jnp.abs(states.conj() @ states.T) ** 2

    return Run(single(work.x), waiting(kernel), lambda found: {"kernel": np.asarray(found)})


def waiting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function and wait for its results."""
    compiled = jax.jit(function)
    return lambda *arguments: jax.block_until_ready(compiled(*arguments))


def _loss(logit: Logit) -> Callable[[Array, Array, Array], Array]:
    def loss(theta: Array, x: Array, y: Array) -> Array:
        logits = jax.vmap(logit, (None, 0))(theta, x)
        return jnp.mean(jnp.logaddexp(0, logits) - y * logits)

    return loss
