"""TensorCircuit-NG on JAX: the whole circuit unrolled into one compiled function."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax.numpy as jnp
import tensorcircuit as tc
from jax import Array

from ..circuits import Observable, Rows
from ..workloads import Work
from .base import UnsupportedError, gate_sets, sparse_word
from .jax_tools import tasks

tc.set_backend("jax")
tc.set_dtype("complex64")

MAX_GATES = 300
MAX_SPARSE = 16
CODES = {"I": 0, "X": 1, "Y": 2, "Z": 3}
LETTERS: dict[str, Any] = {"X": tc.gates.x, "Y": tc.gates.y, "Z": tc.gates.z}


def add(circuit: Any, rows: Rows, angles: Array | None) -> None:
    """Append some rows of gates to a circuit."""
    for gate, wires, column in gate_sets(rows):
        angle = {} if column is None or angles is None else {"theta": angles[column]}
        if gate.isupper() and angles is not None:
            circuit.exp1(*wires, unitary=_word(gate), theta=angles[column] / 2)
        else:
            getattr(circuit, gate)(*wires, **angle)


def local_expectation(circuit: Any, observable: Observable) -> Array:
    """The expectation value, a contraction per term."""
    total = jnp.zeros(())
    for word, coefficient in zip(observable.words, observable.coefficients, strict=True):
        letters = [(LETTERS[letter](), [wire]) for wire, letter in sparse_word(word)]
        total += coefficient * jnp.real(circuit.expectation(*letters))
    return total


def _word(word: str) -> Array:
    """The matrix of a Pauli word."""
    return reduce(jnp.kron, [LETTERS[letter]().tensor for letter in word])


def _circuit(work: Work) -> Callable[..., Any]:
    if work.circuit.n_gates > MAX_GATES:
        raise UnsupportedError(f"unrolled circuits are tried up to {MAX_GATES} gates")

    def circuit(theta: Array, x: Array | None = None) -> Any:
        result = tc.Circuit(work.circuit.n)
        add(result, work.circuit.prefix, x)
        for rows, angles in zip(work.circuit.layers, theta, strict=True):
            add(result, rows, angles)
        return result

    return circuit


def _energy(work: Work) -> Callable[[Array], Array]:
    circuit, observable = _circuit(work), work.measured
    if work.circuit.n > MAX_SPARSE:
        return lambda theta: local_expectation(circuit(theta), observable)
    codes = [[CODES[letter] for letter in word] for word in observable.words]
    matrix = tc.quantum.PauliStringSum2COO(codes, list(observable.coefficients), numpy=False)
    expect = tc.templates.measurements.operator_expectation
    return lambda theta: expect(circuit(theta), matrix)


def _logit(work: Work) -> Callable[[Array, Array], Array]:
    circuit = _circuit(work)
    return lambda theta, x: local_expectation(circuit(theta, x), work.measured)


def _state(work: Work) -> Callable[..., Array]:
    circuit = _circuit(work)
    return lambda theta, x=None: circuit(theta, x).state()


TASKS = tasks(_energy, _logit, _state)
