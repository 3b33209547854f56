"""A dense simulator in numpy that shares no code with the library.

Gate matrices come from textbook formulas (exponentials of Pauli words, projectors for controls),
and every gate becomes a full `2**n` matrix by `np.kron`. Of the library's objects it reads names,
wires and parameter values, nothing else. Wire 0 is the most significant bit.

References:
    Nielsen and Chuang (2010), sections 2.1.7 and 4.2-4.3.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.complex128]

PAULI: dict[str, Array] = {
    "I": np.array([[1, 0], [0, 1]], dtype=complex),
    "X": np.array([[0, 1], [1, 0]], dtype=complex),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=complex),
    "Z": np.array([[1, 0], [0, -1]], dtype=complex),
}


def word_matrix(word: str) -> Array:
    """The Kronecker product of a word's letters."""
    return reduce(np.kron, [PAULI[letter] for letter in word], np.ones((1, 1), dtype=complex))


def exponential(hermitian: Array, factor: complex) -> Array:
    """The matrix `exp(factor * hermitian)`, by eigenvectors."""
    values, vectors = np.linalg.eigh(hermitian)
    return (vectors * np.exp(factor * values)) @ vectors.conj().T


def rotation(word: str, theta: float) -> Array:
    """The matrix `exp(-i theta P / 2)` of a Pauli word."""
    return np.cos(theta / 2) * np.eye(2 ** len(word)) - 1j * np.sin(theta / 2) * word_matrix(word)


def hopping(n: int) -> Array:
    """i (A - A†), where A moves n excitations from the last n of 2 n wires to the first n."""
    lower = np.array([[0, 1], [0, 0]], dtype=complex)
    moves = reduce(np.kron, [lower.T] * n + [lower] * n)
    return np.asarray(1j * (moves - moves.T))


def control(matrix: Array) -> Array:
    """`|0><0| ⊗ 1 + |1><1| ⊗ U`."""
    zero, one = np.diag([1, 0]), np.diag([0, 1])
    return np.kron(zero, np.eye(len(matrix))) + np.kron(one, matrix)


def phase(theta: float) -> Array:
    """The matrix `diag(1, exp(i theta))`."""
    return np.diag([1, np.exp(1j * theta)])


def euler(theta: float, phi: float, lam: float) -> Array:
    """OpenQASM's `u`, from its decomposition into rotations."""
    turns = rotation("Z", phi) @ rotation("Y", theta) @ rotation("Z", lam)
    return np.exp(1j * (phi + lam) / 2) * turns


EXCHANGE = (word_matrix("II") + word_matrix("XX") + word_matrix("YY") + word_matrix("ZZ")) / 2
HADAMARD = (PAULI["X"] + PAULI["Z"]) / np.sqrt(2)
ROOT_X = np.exp(1j * np.pi / 4) * rotation("X", np.pi / 2)

MATRICES: dict[str, Callable[..., Array]] = {
    "id": lambda: PAULI["I"],
    "x": lambda: PAULI["X"],
    "y": lambda: PAULI["Y"],
    "z": lambda: PAULI["Z"],
    "h": lambda: HADAMARD,
    "s": lambda: phase(np.pi / 2),
    "sdg": lambda: phase(-np.pi / 2),
    "t": lambda: phase(np.pi / 4),
    "tdg": lambda: phase(-np.pi / 4),
    "sx": lambda: ROOT_X,
    "sxdg": lambda: ROOT_X.conj().T,
    "rx": lambda theta: rotation("X", theta),
    "ry": lambda theta: rotation("Y", theta),
    "rz": lambda theta: rotation("Z", theta),
    "p": phase,
    "u": euler,
    "swap": lambda: EXCHANGE,
    "iswap": lambda: exponential(word_matrix("XX") + word_matrix("YY"), 1j * np.pi / 4),
    "rxx": lambda theta: rotation("XX", theta),
    "ryy": lambda theta: rotation("YY", theta),
    "rzz": lambda theta: rotation("ZZ", theta),
    "givens": lambda theta: exponential(hopping(1), -1j * theta),
    "single_excitation": lambda theta: exponential(hopping(1), -1j * theta / 2),
    "double_excitation": lambda theta: exponential(hopping(2), -1j * theta / 2),
    "unitary": lambda matrix: matrix,
    "linear": lambda matrix: matrix,
}
"""Matrices by gate name. Names with `c` in front are controlled, see `gate_matrix`."""


def gate_matrix(name: str, *params: Any) -> Array:
    """The matrix of a gate by its name, such as `cx`, `ccrz`, `pauli_rot[XY]`, `rx†`, `p^0.5`."""
    if name in MATRICES:
        return np.asarray(MATRICES[name](*params), dtype=complex)
    if name.endswith("†"):
        return gate_matrix(name[:-1], *params).conj().T
    if found := re.fullmatch(r"pauli_rot\[([IXYZ]+)\]", name):
        return rotation(found[1], *params)
    if found := re.fullmatch(r"(.+)\^(-?[0-9.]+)", name):
        (theta,) = params
        return gate_matrix(found[1], float(found[2]) * theta)
    if name.startswith("c"):
        return control(gate_matrix(name[1:], *params))
    raise KeyError(f"the oracle has no gate {name!r}")


def embed(matrix: Array, wires: Sequence[int], n_qubits: int) -> Array:
    """The full matrix of a gate on some wires: kron with the identity, then reorder the wires."""
    rest = [wire for wire in range(n_qubits) if wire not in wires]
    full = np.kron(matrix, np.eye(2 ** len(rest)))
    order = np.argsort([*wires, *rest])
    axes = [*order, *(order + n_qubits)]
    return full.reshape((2,) * 2 * n_qubits).transpose(axes).reshape(2**n_qubits, 2**n_qubits)


def steps(ops: Iterable[Any]) -> list[tuple[Array, tuple[int, ...]]]:
    """Matrix and wires of each gate of the library's ops, in order of application."""
    found = []
    for op in ops:
        columns = [_per_set(param, len(op.wires)) for param in op.params]
        for i, wires in enumerate(op.wires):
            values = [column[i] for column in columns]
            found.append((gate_matrix(op.gate.name, *values), tuple(wires)))
    return found


def _per_set(param: Any, m: int) -> Any:
    return [param] * m if isinstance(param, float) else param.detach().cpu().numpy()


def run(ops: Iterable[Any], state: Any) -> Array:
    """Apply ops to a state."""
    vector = np.asarray(state, dtype=complex)
    n_qubits = int(np.log2(len(vector)))
    for matrix, wires in steps(ops):
        vector = embed(matrix, wires, n_qubits) @ vector
    return vector


def circuit_matrix(n_qubits: int, ops: Iterable[Any]) -> Array:
    """The matrix of a circuit."""
    total = np.eye(2**n_qubits, dtype=complex)
    for matrix, wires in steps(ops):
        total = embed(matrix, wires, n_qubits) @ total
    return total


def zero_state(n_qubits: int) -> Array:
    """The state |0...0⟩."""
    return reduce(np.kron, [np.array([1, 0], dtype=complex)] * n_qubits, np.ones(1, dtype=complex))


def sum_matrix(words: Sequence[str], coefficients: Sequence[float]) -> Array:
    """The matrix of a Pauli sum."""
    size = 2 ** len(words[0])
    terms = (c * word_matrix(word) for word, c in zip(words, coefficients, strict=True))
    return sum(terms, np.zeros((size, size), dtype=complex))


def expectation(state: Any, matrix: Array) -> float:
    """⟨ψ|O|ψ⟩."""
    vector = np.asarray(state, dtype=complex)
    return float((vector.conj() @ matrix @ vector).real)


def variance(state: Any, matrix: Array) -> float:
    """⟨O²⟩ - ⟨O⟩²."""
    return expectation(state, matrix @ matrix) - expectation(state, matrix) ** 2


def covariance(state: Any, a: Array, b: Array) -> float:
    """½⟨AB + BA⟩ - ⟨A⟩⟨B⟩."""
    both = expectation(state, a @ b + b @ a) / 2
    return both - expectation(state, a) * expectation(state, b)


def bits(index: int, n_qubits: int) -> tuple[int, ...]:
    """The bits of a basis state, wire 0 first."""
    return tuple(int(letter) for letter in f"{index:0{n_qubits}b}"[-n_qubits:]) if n_qubits else ()


def marginal(state: Any, wires: Sequence[int]) -> NDArray[np.float64]:
    """Probabilities of the bits of some wires, summed one basis state at a time."""
    vector = np.asarray(state, dtype=complex)
    n_qubits = int(np.log2(len(vector)))
    result = np.zeros(2 ** len(wires))
    for index, amplitude in enumerate(vector):
        own = bits(index, n_qubits)
        result[sum(own[w] << i for i, w in enumerate(reversed(wires)))] += abs(amplitude) ** 2
    return result


def reduced_density(state: Any, wires: Sequence[int]) -> Array:
    """Partial trace, by the expectation of every matrix unit on the wires kept."""
    vector = np.asarray(state, dtype=complex)
    n_qubits, size = int(np.log2(len(vector))), 2 ** len(wires)
    rho = np.zeros((size, size), dtype=complex)
    for i in range(size):
        for j in range(size):
            unit = np.zeros((size, size))
            unit[j, i] = 1
            rho[i, j] = vector.conj() @ embed(unit, wires, n_qubits) @ vector
    return rho


def entropy(rho: Array) -> float:
    """-tr(ρ ln ρ)."""
    values = np.linalg.eigvalsh(rho)
    values = values[values > np.finfo(float).eps]
    return float(-(values * np.log(values)).sum())
