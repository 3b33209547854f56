"""TensorCircuit-NG on JAX: the whole circuit unrolled into one compiled function."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import tensorcircuit as tc
from jax import Array

from ..circuits import Observable, Rows
from ..workloads import Work
from .base import Run, UnsupportedError, gate_sets, sparse_word
from .jax_tools import energy_run, ensemble_run, hessian_run, kernel_run, state_run, step_run

tc.set_backend("jax")
tc.set_dtype("complex64")

MAX_GATES = 300
MAX_SPARSE = 16
CODES = {"I": 0, "X": 1, "Y": 2, "Z": 3}
LETTERS: dict[str, Any] = {"X": tc.gates.x, "Y": tc.gates.y, "Z": tc.gates.z}


def energy(work: Work) -> Run:
    """Energy and gradient."""
    return energy_run(work, _energy(work))


def hessian(work: Work) -> Run:
    """Hessian of the energy."""
    return hessian_run(work, _energy(work))


def step(work: Work) -> Run:
    """Loss and gradient of a classifier."""
    return step_run(work, _logit(work))


def ensemble(work: Work) -> Run:
    """Many classifiers at once."""
    return ensemble_run(work, _logit(work))


def state(work: Work) -> Run:
    """The final state."""
    check(work)
    return state_run(work, lambda theta: unrolled(work, theta).state())


def kernel(work: Work) -> Run:
    """Fidelities of all pairs."""
    check(work)
    return kernel_run(work, lambda x: unrolled(work, jnp.zeros((0, 0)), x).state())


def check(work: Work) -> None:
    """Refuse circuits that take very long to compile."""
    if work.circuit.n_gates > MAX_GATES:
        raise UnsupportedError(f"unrolled circuits are tried up to {MAX_GATES} gates")


def unrolled(work: Work, theta: Array, x: Array | None = None) -> Any:
    """The whole circuit."""
    circuit = tc.Circuit(work.circuit.n)
    add(circuit, work.circuit.prefix, x)
    for rows, angles in zip(work.circuit.layers, theta, strict=True):
        add(circuit, rows, angles)
    return circuit


def add(circuit: Any, rows: Rows, angles: Array | None) -> None:
    """Append some rows of gates to a circuit."""
    for gate, wires, column in gate_sets(rows):
        angle = {} if column is None or angles is None else {"theta": angles[column]}
        getattr(circuit, gate)(*wires, **angle)


def local_expectation(circuit: Any, observable: Observable) -> Array:
    """The expectation value, a contraction per term."""
    total = jnp.zeros(())
    for word, coefficient in zip(observable.words, observable.coefficients, strict=True):
        letters = [(LETTERS[letter](), [wire]) for wire, letter in sparse_word(word)]
        total += coefficient * jnp.real(circuit.expectation(*letters))
    return total


def _energy(work: Work) -> Callable[[Array], Array]:
    check(work)
    observable = work.measured
    if work.circuit.n > MAX_SPARSE:
        return lambda theta: local_expectation(unrolled(work, theta), observable)
    codes = [[CODES[letter] for letter in word] for word in observable.words]
    matrix = tc.quantum.PauliStringSum2COO(codes, list(observable.coefficients), numpy=False)
    expect = tc.templates.measurements.operator_expectation
    return lambda theta: expect(unrolled(work, theta), matrix)


def _logit(work: Work) -> Callable[[Array, Array], Array]:
    check(work)
    return lambda theta, x: local_expectation(unrolled(work, theta, x), work.measured)
