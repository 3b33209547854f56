"""Exact references for chains too long for a statevector: matrix product states in numpy.

Every two-wire gate used here is `Σ_a |a⟩⟨a| ⊗ U_a`: the bond between two neighbours takes on the
index `a`, so each layer of such gates doubles it and nothing is ever truncated. Gradients are
parameter shifts, exact for rotations.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .circuits import Circuit, Observable
from .workloads import Work

Array: TypeAlias = NDArray[Any]
Chain: TypeAlias = list[Array]
"""One tensor (left bond, 2, right bond) per wire."""

MAX_BOND = 64
STEP = float(np.finfo(float).eps ** (1 / 3))
X, Z = np.array([[0, 1], [1, 0]], complex), np.diag([1.0 + 0j, -1])
LETTERS = {"I": np.eye(2), "X": X, "Y": 1j * X @ Z, "Z": Z}
BRANCHES = {"cx": (np.eye(2), X), "cz": (np.eye(2), Z)}


def solve(work: Work, probes: NDArray[np.int64]) -> dict[str, Array]:
    """The checked results of a long chain: amplitudes and norm, or energy and gradient."""
    theta = work.theta
    if work.task == "state":
        state = evolve(work.circuit, theta)
        norm = np.sqrt(expectation(state, Observable(("I" * work.circuit.n,), (1.0,))))
        return {"norm": np.asarray(norm), "amplitudes": amplitudes(state, probes)}
    if work.task == "energy":
        return {"value": np.asarray(energy(work, theta)), "gradient": gradient(work, theta)}
    raise ValueError(f"{work.name} has no reference at this size")


def energy(work: Work, theta: Array) -> float:
    """The energy of one circuit."""
    return expectation(evolve(work.circuit, theta), work.measured)


def gradient(work: Work, theta: Array) -> Array:
    """The gradient of the energy, one pair of shifted circuits per angle."""
    result = np.zeros_like(theta)
    for index in np.ndindex(*theta.shape):
        shift = np.zeros_like(theta)
        shift[index] = np.pi / 2
        result[index] = (energy(work, theta + shift) - energy(work, theta - shift)) / 2
    return result


def trajectories(work: Work) -> dict[str, Array]:
    """The mean energy over given errors, and its derivatives along some directions.

    These are central differences: in double precision far more exact than what is checked.
    """
    patterns, counts = np.unique(work.errors, axis=0, return_counts=True)
    weights = counts / counts.sum()

    def mean(theta: Array) -> float:
        states = (evolve(work.circuit, theta, errors) for errors in patterns)
        return float(weights @ [expectation(state, work.measured) for state in states])

    if work.task == "sampled":
        return {"value": np.asarray(mean(work.theta))}
    slopes = [
        (mean(work.theta + STEP * along) - mean(work.theta - STEP * along)) / (2 * STEP)
        for along in work.directions
    ]
    return {"value": np.asarray(mean(work.theta)), "slopes": np.array(slopes)}


def evolve(circuit: Circuit, theta: Array, errors: Array | None = None) -> Chain:
    """The final state of a circuit without prefix whose gates join neighbours only.

    Each of a gate's wires has an error after it, if any are given.
    """
    state: Chain = [np.eye(1, 2, dtype=complex)[:, :, None] for _ in range(circuit.n)]
    remaining = iter(() if errors is None else errors)
    for layer, angles in zip(circuit.layers, theta, strict=True):
        for row in layer:
            columns = row.angles or (0,) * len(row.wires)
            for wires, column in zip(row.wires, columns, strict=True):
                _apply(row.gate, wires, angles[column], state)
                for wire, error in zip(wires, remaining, strict=False):
                    if error:
                        state[wire] = np.einsum("st,atb->asb", LETTERS["IXYZ"[error]], state[wire])
    return state


def expectation(state: Chain, observable: Observable) -> float:
    """The expectation value of a Pauli sum; a word costs only the sites it spans."""
    identity = np.eye(2)
    lefts, rights = [np.ones((1, 1))], [np.ones((1, 1))]
    for site in state:
        lefts.append(_through(lefts[-1], site, identity))
    for site in reversed(state):
        rights.append(_through(rights[-1], site.transpose(2, 1, 0), identity))
    total = 0.0
    for word, coefficient in zip(observable.words, observable.coefficients, strict=True):
        first = len(word) - len(word.lstrip("I"))
        last = max(first, len(word.rstrip("I")))
        env = lefts[first]
        for wire in range(first, last):
            env = _through(env, state[wire], LETTERS[word[wire]])
        total += coefficient * float(np.sum(env * rights[len(word) - last]).real)
    return total


def amplitudes(state: Chain, indices: NDArray[np.int64]) -> Array:
    """Amplitudes of some basis states; wire 0 is the most significant bit."""
    rows = np.ones((len(indices), 1, 1), complex)
    for wire, site in enumerate(state):
        bits = (indices >> (len(state) - 1 - wire)) & 1
        rows = rows @ site.transpose(1, 0, 2)[bits]
    result: Array = rows[:, 0, 0]
    return result


def _through(env: Array, site: Array, letter: Array) -> Array:
    inner = np.tensordot(env, site, (1, 0))
    inner = np.einsum("st,atb->asb", letter, inner)
    result: Array = np.tensordot(site.conj(), inner, ((0, 1), (0, 1)))
    return result


def _apply(gate: str, wires: tuple[int, ...], angle: float, state: Chain) -> None:
    if len(wires) == 1:
        state[wires[0]] = np.einsum("st,atb->asb", _rotation(gate, angle), state[wires[0]])
        return
    control, target = wires
    if target != control + 1 or 2 * state[control].shape[2] > MAX_BOND:
        raise ValueError(f"{gate} on {wires} leaves the reach of the reference")
    phase = (_rotation("rz", angle), _rotation("rz", -angle))
    branches = phase if gate == "rzz" else BRANCHES[gate]
    a, b = state[control], state[target]
    state[control] = np.einsum("lsr,sa->lsra", a, np.eye(2)).reshape(len(a), 2, -1)
    moved = np.stack([np.einsum("st,rtk->rsk", branch, b) for branch in branches], axis=1)
    state[target] = moved.reshape(2 * len(b), 2, -1)


def _rotation(gate: str, angle: float) -> Array:
    generator = LETTERS[gate[1].upper()]
    result: Array = np.cos(angle / 2) * np.eye(2) - 1j * np.sin(angle / 2) * generator
    return result
