"""TensorCircuit-NG on JAX: the whole circuit unrolled into one compiled function."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tensorcircuit as tc
from jax import Array

from ..circuits import Observable, Rows
from ..workloads import STRENGTH, Work
from .base import Run, UnsupportedError, gate_sets, read_along, read_pair, sparse_word
from .jax_tools import compiled, single, tasks

tc.set_backend("jax")
tc.set_dtype("complex64")

MAX_GATES = 300
MAX_SPARSE = 16
BATCH_BYTES = 2**23
"""What the states of trajectories that are run at once take, as on our side."""
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


def _noise(work: Work) -> Run:
    """Channels as superoperators on the circuit's density matrix."""

    def energy(theta: Array) -> Array:
        circuit = tc.DMCircuit(work.circuit.n)
        _add_noisy(circuit, work, theta)
        return local_expectation(circuit, work.measured)

    return Run(single(work.theta), compiled(jax.value_and_grad(energy)), read_pair)


def _add_noisy(circuit: Any, work: Work, theta: Array, u: Array | None = None) -> None:
    """Append gates with noise after each, whose branches are taken by `u` if there is one."""
    share = dict.fromkeys(("px", "py", "pz"), STRENGTH / 3)
    drawn = iter(() if u is None else u)
    for rows, angles in zip(work.circuit.layers, theta, strict=True):
        for gate, wires, column in gate_sets(rows):
            getattr(circuit, gate)(*wires, **({} if column is None else {"theta": angles[column]}))
            for wire in wires:
                branch = {} if u is None else {"status": next(drawn)}
                circuit.depolarizing(wire, **share, **branch)


def _sample(work: Work) -> Callable[[Array, Array], Array]:
    """The value of one trajectory."""

    def sample(theta: Array, u: Array) -> Array:
        circuit = tc.Circuit(work.circuit.n)
        _add_noisy(circuit, work, theta, u)
        state = tc.Circuit(work.circuit.n, inputs=circuit.state())
        return local_expectation(state, work.measured)

    return sample


def _trajectories(work: Work) -> Run:
    """A loop over batches of trajectories, in one compiled function."""
    u, each = single(work.u), jax.value_and_grad(_sample(work))

    def means(theta: Array) -> Any:
        found = jax.lax.map(lambda own: each(theta, own), u, batch_size=_batch(work))
        return jax.tree.map(lambda one: one.mean(0), found)

    return Run(single(work.theta), compiled(means), read_along(work))


def _sampled(work: Work) -> Run:
    u, each = single(work.u), _sample(work)

    def mean(theta: Array) -> Array:
        return jax.lax.map(lambda own: each(theta, own), u, batch_size=_batch(work)).mean()

    return Run(single(work.theta), compiled(mean), lambda value: {"value": np.asarray(value)})


def _batch(work: Work) -> int:
    return max(1, BATCH_BYTES >> (work.circuit.n + 3))


TASKS = {
    **tasks(_energy, _logit, _state),
    "noise": _noise,
    "trajectories": _trajectories,
    "sampled": _sampled,
}
