"""What every result is held against: complex128 statevectors and adjoint gradients in numpy.

It shares no code with the library or its peers. Gates act on views of a state
`(2, ..., 2, batch)`; gradients walk the circuit back with the rule
`d⟨H⟩/dt = Im ⟨λ|P|ψ⟩` for a gate `exp(-i t/2 P)`, where `λ = H ψ` at the end. The Hessian is the
parameter shift of the gradient, exact for such gates. So are the tangents of the quantum Fisher
information: one gate's shift by π gives twice the derivative of the state. States of more than
`DENSE` wires are matrix products (`chain.py`).

A density matrix is a batch of columns; depolarizing channels so weak have inverses, so that it is
walked back as well: `dρ/dt = -i/2 [P, ρ]` gives `Im tr(Λ P ρ)`, with the observable `Λ` as it is
there.

Outcomes of measurements are the batch of a state. A measured state is the sum of its projections:
so the way back adds them up, and projects the costates.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import adam, chain
from .circuits import Circuit, Observable, Row, Wires, is_rotation
from .workloads import STRENGTH, Work

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = dict[str, Array]

DENSE = 20
N_PROBES = 4096
SHARE = 4 * STRENGTH / 3
"""What a depolarizing channel replaces by the mixed state: all four letters are equally likely."""
LETTERS: Arrays = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.array([[1, 0], [0, -1]]),
}
GENERATORS: Arrays = {
    "rx": LETTERS["X"], "ry": LETTERS["Y"], "rz": LETTERS["Z"],
    "rzz": np.kron(LETTERS["Z"], LETTERS["Z"]),
}  # fmt: skip
CONSTANTS: Arrays = {
    "h": np.array([[1, 1], [1, -1]]) / np.sqrt(2),
    "cx": np.eye(4)[[0, 1, 3, 2]],
    "cz": np.diag([1, 1, 1, -1]),
}


def solve(work: Work) -> Arrays:
    """The exact results of a workload, by name, as far as they are checked."""
    if work.circuit.n > DENSE:
        return chain.solve(work, probes(work.circuit.n))
    return _SOLVERS[work.task](work)


def probes(n: int) -> NDArray[np.int64]:
    """The basis states whose amplitudes are compared: all of a small state, else a random few."""
    if 2**n <= N_PROBES:
        return np.arange(2**n)
    return np.sort(np.random.default_rng(n).choice(2**n, N_PROBES, replace=False))


def probe(state: Array) -> Arrays:
    """What is compared of a state: its norm and the amplitudes at the probes."""
    n = state.size.bit_length() - 1
    return {"norm": np.asarray(np.linalg.norm(state)), "amplitudes": state[probes(n)]}


def mismatch(found: Arrays, expected: Arrays) -> float:
    """Largest relative deviation of any named result, each in its Euclidean norm.

    Infinite where a result is missing or of another size; not a number where it has such entries.
    """
    return float(np.max([_deviation(found.get(name), exact) for name, exact in expected.items()]))


def evolve(circuit: Circuit, theta: Array, x: Array | None = None) -> Array:
    """The final states `(2, ..., 2, batch)` of angles `(n_layers, width)` and samples `x`."""
    batch = 1 if x is None else len(x)
    state = np.zeros((2,) * circuit.n + (batch,), complex)
    state[(0,) * circuit.n] = 1
    return _evolved(circuit, theta, state, x)


def _evolved(circuit: Circuit, theta: Array, state: Array, x: Array | None = None) -> Array:
    for gate, wires, angle in _gates(circuit, theta, x):
        state = apply(_matrix(gate, angle), wires, state)
    return state


def gradient(circuit: Circuit, theta: Array, state: Array, costate: Array) -> Array:
    """The derivative of `Σ_b ⟨λ_b|ψ_b⟩` along every angle, given the final ψ and λ = H ψ."""
    return _walked_back(circuit, theta, state, costate)[0]


def _walked_back(
    circuit: Circuit, theta: Array, state: Array, costate: Array
) -> tuple[Array, Array, Array]:
    """The derivative, and both states in front of the layers."""
    result = np.zeros_like(theta)
    for layer in reversed(range(len(circuit.layers))):
        for gate, wires, column in reversed(list(_sets(circuit.layers[layer]))):
            angle = theta[layer, column] if is_rotation(gate) else 0.0
            if is_rotation(gate):
                moved = apply(_generator(gate), wires, state)
                result[layer, column] += np.vdot(costate, moved).imag
            back = _matrix(gate, angle).conj().T
            state, costate = apply(back, wires, state), apply(back, wires, costate)
    return result, state, costate


def apply(matrix: Array, wires: Wires, state: Array) -> Array:
    """A matrix `(2**k, 2**k)`, or one per sample `(2**k, 2**k, batch)`, on some wires."""
    result = np.empty_like(state)
    source, target = (np.moveaxis(a, wires, range(len(wires))) for a in (state, result))
    indices = list(product((0, 1), repeat=len(wires)))
    for i, row in enumerate(indices):
        terms = [
            matrix[i, j] * source[column]
            for j, column in enumerate(indices)
            if np.any(matrix[i, j] != 0)
        ]
        target[row] = sum(terms[1:], terms[0])
    return result


def apply_observable(observable: Observable, state: Array) -> Array:
    """The states `H ψ`."""
    result = np.zeros_like(state)
    for word, coefficient in zip(observable.words, observable.coefficients, strict=True):
        term = state
        for wire, letter in enumerate(word):
            term = apply(LETTERS[letter], (wire,), term) if letter != "I" else term
        result += coefficient * term
    return result


def cross_entropy(logits: Array, y: Array) -> tuple[float, Array]:
    """Mean binary cross entropy of logits, and its derivative along them."""
    value = np.mean(np.logaddexp(0, logits) - y * logits)
    return float(value), (1 / (1 + np.exp(-logits)) - y) / len(y)


def step(work: Work, theta: Array) -> tuple[float, Array]:
    """Loss and gradient of a classifier."""
    state = evolve(work.circuit, theta, work.x)
    costate = apply_observable(work.measured, state)
    logits = (state.conj() * costate).real.reshape(-1, work.n_samples).sum(0)
    value, weights = cross_entropy(logits, work.y)
    return value, gradient(work.circuit, theta, state, costate * weights)


def energy(work: Work, theta: Array) -> tuple[float, Array]:
    """Energy and gradient of one circuit."""
    state = evolve(work.circuit, theta)
    costate = apply_observable(work.measured, state)
    value = np.vdot(state, costate).real
    return float(value), gradient(work.circuit, theta, state, costate)


def outcomes(work: Work, theta: Array) -> tuple[float, Array]:
    """Mean energy and gradient over all outcomes of the measurements before the middle layer.

    Each outcome sets the sign of the angle of an RY on the next wire.
    """
    layers, wires = work.circuit.layers, range(work.n_measured)
    middle, slopes = len(layers) // 2, np.zeros_like(theta)
    before, after = slice(middle), slice(middle + 1, None)
    state = evolve(replace(work.circuit, layers=layers[before]), theta[before])
    for wire in wires:
        state = np.concatenate(_projected(state, wire), -1)
        state = apply(_signed_turn(theta[middle, wire], state), (wire + 1,), state)
    rest = replace(work.circuit, layers=layers[after])
    state = _evolved(rest, theta[after], state)
    costate = apply_observable(work.measured, state)
    value = np.vdot(state, costate).real
    slopes[after], state, costate = _walked_back(rest, theta[after], state, costate)
    for wire in reversed(wires):
        moved = apply(LETTERS["Y"], (wire + 1,), state) * _signs(state)
        slopes[middle, wire] = np.vdot(costate, moved).imag
        back = _signed_turn(-theta[middle, wire], state)
        state, costate = (apply(back, (wire + 1,), one) for one in (state, costate))
        state = np.add(*np.split(state, 2, -1))
        zero, one = np.split(costate, 2, -1)
        costate = _projected(zero, wire)[0] + _projected(one, wire)[1]
    first = replace(work.circuit, layers=layers[before])
    slopes[before] = gradient(first, theta[before], state, costate)
    return float(value), slopes


def _projected(state: Array, wire: int) -> list[Array]:
    """Both projections of a wire."""
    flipped = apply(LETTERS["Z"], (wire,), state)
    return [(state + flipped) / 2, (state - flipped) / 2]


def _signs(state: Array) -> Array:
    """1 for outcomes in the first half, where the last bit is 0, and -1 for the others."""
    return np.repeat([1.0, -1.0], state.shape[-1] // 2)


def _signed_turn(angle: float, state: Array) -> Array:
    return _matrix("ry", angle * _signs(state))


def _sandwich(matrix: Array, wires: Wires, rho: Array) -> Array:
    """`U ρ U†` of a Hermitian `ρ`, from `ρ U†`, the adjoint of `U ρ`."""
    size = rho.shape[-1]
    half = apply(matrix, wires, rho).reshape(size, size)
    return apply(matrix, wires, half.conj().T.reshape(rho.shape))


def _depolarized(rho: Array, wires: Wires, share: float) -> Array:
    """A share of each wire replaced by the mixed state."""
    n = rho.ndim - 1
    result = rho.reshape((2,) * (2 * n)).copy()
    for wire in wires:
        split = np.moveaxis(result, (wire, n + wire), (0, 1))
        mixed = share * (split[0, 0] + split[1, 1]) / 2
        result *= 1 - share
        split[0, 0] += mixed
        split[1, 1] += mixed
    return result.reshape(rho.shape)


def noise(work: Work, theta: Array) -> tuple[float, Array]:
    """Energy and gradient of a density matrix."""
    n = work.circuit.n
    identity = np.eye(2**n, dtype=complex).reshape((2,) * n + (-1,))
    rho = np.zeros_like(identity)
    rho[(0,) * (n + 1)] = 1
    for gate, wires, angle in _gates(work.circuit, theta, None):
        rho = _depolarized(_sandwich(_matrix(gate, angle), wires, rho), wires, SHARE)
    above = apply_observable(work.measured, identity)
    value, slopes = np.vdot(above, rho).real, np.zeros_like(theta)
    for layer in reversed(range(len(work.circuit.layers))):
        for gate, wires, column in reversed(list(_sets(work.circuit.layers[layer]))):
            rho = _depolarized(rho, wires, SHARE / (SHARE - 1))
            above = _depolarized(above, wires, SHARE)
            if is_rotation(gate):
                slopes[layer, column] += np.vdot(above, apply(_generator(gate), wires, rho)).imag
            back = _matrix(gate, theta[layer, column] if is_rotation(gate) else 0.0).conj().T
            rho, above = _sandwich(back, wires, rho), _sandwich(back, wires, above)
    return float(value), slopes


def _solve_state(work: Work) -> Arrays:
    return probe(evolve(work.circuit, work.theta).reshape(-1))


def _solve_energy(work: Work) -> Arrays:
    return _named(*energy(work, work.theta))


def _solve_noise(work: Work) -> Arrays:
    return _named(*noise(work, work.theta))


def _solve_outcomes(work: Work) -> Arrays:
    return _named(*outcomes(work, work.theta))


def _solve_step(work: Work) -> Arrays:
    return _named(*step(work, work.theta))


def _solve_ensemble(work: Work) -> Arrays:
    values, slopes = zip(*(step(work, theta) for theta in work.theta), strict=True)
    return _named(np.array(values), np.array(slopes))


def _solve_hessian(work: Work) -> Arrays:
    theta, rows = work.theta, []
    for k in range(theta.size):
        shift = np.zeros_like(theta)
        shift.flat[k] = np.pi / 2
        ahead, behind = energy(work, theta + shift)[1], energy(work, theta - shift)[1]
        rows.append((ahead - behind).reshape(-1) / 2)
    return {"hessian": np.array(rows)}


def _solve_qfi(work: Work) -> Arrays:
    theta = work.theta
    shifts = np.pi * np.eye(theta.size).reshape(-1, *theta.shape)
    psi = evolve(work.circuit, theta).reshape(-1)
    tangents = np.array([evolve(work.circuit, theta + s).reshape(-1) / 2 for s in shifts])
    along = tangents.conj() @ psi
    return {"qfi": 4 * (tangents.conj() @ tangents.T - np.outer(along, along.conj())).real}


def _solve_kernel(work: Work) -> Arrays:
    states = evolve(work.circuit, work.theta, work.x).reshape(-1, work.n_samples)
    return {"kernel": np.abs(states.conj().T @ states) ** 2}


def _solve_train(work: Work) -> Arrays:
    losses = adam.losses(work.theta, work.n_epochs, lambda theta: step(work, theta))
    return {"losses": np.array(losses)}


_SOLVERS = {
    "state": _solve_state, "energy": _solve_energy, "step": _solve_step,
    "ensemble": _solve_ensemble, "hessian": _solve_hessian, "qfi": _solve_qfi,
    "shifts": _solve_qfi, "kernel": _solve_kernel, "train": _solve_train,
    "noise": _solve_noise, "trajectories": chain.trajectories, "sampled": chain.trajectories,
    "branches": _solve_outcomes,
}  # fmt: skip


def _deviation(found: Array | None, exact: Array) -> float:
    if found is None or np.size(found) != np.size(exact):
        return np.inf
    difference = np.linalg.norm(np.reshape(found, np.shape(exact)) - exact)
    return float(difference / (np.linalg.norm(exact) or 1.0))


def _named(value: Any, slope: Array) -> Arrays:
    return {"value": np.asarray(value), "gradient": slope}


def _gates(circuit: Circuit, theta: Array, x: Array | None) -> Iterator[tuple[str, Wires, Any]]:
    layers = [
        (circuit.prefix, None if x is None else x.T),
        *zip(circuit.layers, theta, strict=True),
    ]
    for rows, angles in layers:
        for gate, wires, column in _sets(rows):
            yield gate, wires, angles[column] if is_rotation(gate) and angles is not None else 0.0


def _sets(rows: tuple[Row, ...]) -> Iterator[tuple[str, Wires, int]]:
    for row in rows:
        columns = row.angles or (0,) * len(row.wires)
        yield from ((row.gate, *pair) for pair in zip(row.wires, columns, strict=True))


def _matrix(gate: str, angle: Any) -> Array:
    if gate in CONSTANTS:
        return CONSTANTS[gate]
    generator, half = _generator(gate), np.asarray(angle) / 2
    even = np.multiply.outer(np.eye(len(generator)), np.cos(half))
    matrix: Array = even - 1j * np.multiply.outer(generator, np.sin(half))
    return matrix


def _generator(gate: str) -> Array:
    if gate in GENERATORS:
        return GENERATORS[gate]
    return reduce(np.kron, [LETTERS[letter] for letter in gate])
