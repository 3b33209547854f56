"""What the adapters of JAX libraries share: losses, `jit`, `vmap`, waiting for results."""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import adam
from ..reference import probe
from ..workloads import Work
from .base import Run, Tasks, read_losses, read_pair

Energy: TypeAlias = Callable[[Array], Array]
"""Angles (n_layers, width) to the energy ()."""
Logit: TypeAlias = Callable[[Array, Array], Array]
"""Angles (n_layers, width) and one sample (F,) to a logit ()."""
State: TypeAlias = Callable[..., Array]
"""Angles (n_layers, width), and one sample (F,) if any, to the state (2**n,)."""


def tasks(
    energy: Callable[[Work], Energy], logit: Callable[[Work], Logit], state: Callable[[Work], State]
) -> Tasks:
    """All tasks of a library, compiled, from three makers of functions."""
    return {
        "energy": lambda work: _pair(work, jax.value_and_grad(energy(work))),
        "hessian": lambda work: _hessian(work, energy(work)),
        "qfi": lambda work: _qfi(work, state(work)),
        "shifts": lambda work: _shifts(work, state(work)),
        "step": lambda work: _pair(work, jax.value_and_grad(_loss(work, logit(work)))),
        "train": lambda work: _train(work, logit(work)),
        "ensemble": lambda work: _pair(
            work, jax.vmap(jax.value_and_grad(_loss(work, logit(work))))
        ),
        "state": lambda work: _state(work, state(work)),
        "kernel": lambda work: _kernel(work, state(work)),
    }


def _pair(work: Work, value_and_grad: Callable[[Array], Any]) -> Run:
    return Run(single(work.theta), compiled(value_and_grad), read_pair)


def _hessian(work: Work, energy: Energy) -> Run:
    size = work.theta.size
    second = compiled(lambda theta: jax.hessian(energy)(theta).reshape(size, size))
    return Run(single(work.theta), second, lambda found: {"hessian": np.asarray(found)})


def _qfi(work: Work, state: State) -> Run:
    def with_state(theta: Array) -> tuple[Array, Array]:
        psi = state(theta)
        return psi, psi

    def matrix(theta: Array) -> Array:
        tangents, psi = jax.jacfwd(with_state, has_aux=True)(theta)
        return _fisher_information(psi, 2 * tangents.reshape(psi.size, -1).T)

    return Run(single(work.theta), compiled(matrix), lambda found: {"qfi": np.asarray(found)})


def _shifts(work: Work, state: State) -> Run:
    size = work.theta.size
    shifts = single(np.pi * np.eye(size).reshape(-1, *work.theta.shape))

    def matrix(theta: Array) -> Array:
        return _fisher_information(state(theta), jax.vmap(state)(theta + shifts))

    return Run(single(work.theta), compiled(matrix), lambda found: {"qfi": np.asarray(found)})


def _fisher_information(psi: Array, doubled: Array) -> Array:
    """The matrix from a state and the doubles of its derivatives, in rows."""
    rows = doubled - jnp.outer(doubled @ psi.conj(), psi)
    parts = jnp.concatenate([rows.real, rows.imag], 1)
    return parts @ parts.T


def _train(work: Work, logit: Logit) -> Run:
    value_and_grad = jax.value_and_grad(_loss(work, logit))

    def losses(theta: Array) -> Array:
        def step(carry: Any, _: None) -> Any:
            return adam.step(carry, value_and_grad)

        return jax.lax.scan(step, adam.start(theta), None, work.n_epochs)[1]

    return Run(single(work.theta), compiled(losses), read_losses)


def _state(work: Work, state: State) -> Run:
    return Run(single(work.theta), compiled(state), lambda found: probe(np.asarray(found)))


def _kernel(work: Work, state: State) -> Run:
    def kernel(x: Array) -> Array:
        states = jax.vmap(state, (None, 0))(jnp.zeros((0, 0)), x)
        return jnp.abs(states.conj() @ states.T) ** 2

    return Run(single(work.x), compiled(kernel), lambda found: {"kernel": np.asarray(found)})


def _loss(work: Work, logit: Logit) -> Callable[[Array], Array]:
    x, y = single(work.x), single(work.y)

    def loss(theta: Array) -> Array:
        logits = jax.vmap(logit, (None, 0))(theta, x)
        return jnp.mean(jnp.logaddexp(0, logits) - y * logits)

    return loss


def single(array: Any) -> Array:
    """A numpy array in the working precision."""
    return jnp.asarray(array, jnp.float32)


def compiled(function: Callable[[Array], Any]) -> Callable[[Array], Any]:
    """A function as one compiled step that waits for its result."""
    jitted = jax.jit(function)
    return lambda argument: jax.block_until_ready(jitted(argument))
