"""Sums of Pauli words and states to measure them in, and the ways of measuring.

A way turns uniform numbers into an estimate: word by word, by groups of words that share a circuit,
or by shadows. How many shots each word or group gets is decided beforehand: equally, by the size of
the coefficients, or by the deviation in the very state.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

import quilt_func as qf
from quilt_func import shots

EQUAL, BY_SIZE, BY_DEVIATION = "equal", "by size", "by deviation"
ALLOCATIONS = (EQUAL, BY_SIZE, BY_DEVIATION)
WORDS = "word by word"
GROUPED = {"qubit-wise groups": "qubit_wise", "general groups": "general"}
PAULI, CLIFFORD = "Pauli shadow", "Clifford shadow"
ONE_CIRCUIT = "random"
"""Of shadows, whose circuits are drawn: there is nothing to share out."""
LEAST = 2
"""Shots of a word or a group, at least: fewer have no error."""
F64 = torch.float64
SEED = 7
"""Of random states and sums."""


@dataclass(frozen=True)
class System:
    """What is measured.

    Args:
        name: Sum and state, in words.
        observable: Pauli sum.
        state: Statevector (2**n,).
    """

    name: str
    observable: qf.PauliSum
    state: Tensor

    @property
    def exact(self) -> float:
        """The expectation value that is estimated."""
        return float(qf.expval(self.state, self.observable))


@dataclass(frozen=True)
class Way:
    """A way of measuring a system with so many shots.

    Args:
        method: Name of the way.
        allocation: How shots are shared out.
        n_circuits: Number of circuits that are measured, or 0 where each shot has its own.
        n_numbers: Uniform numbers of a shot, or 0 for one that is no axis of its own.
        estimate: From uniform numbers (shots,) or (shots, n_numbers) to an estimate.
    """

    method: str
    allocation: str
    n_circuits: int
    n_numbers: int
    estimate: Callable[[Tensor], qf.Estimate]


def systems(device: str) -> list[System]:
    """H2 on two qubits, LiH on four in three states, and a hundred random words on six."""
    h2 = qf.molecules.molecule("H2", 0.735)
    lih, six = qf.molecules.molecule("LiH", 1.6), random_sum(6, 100)
    found = [
        System("H2, circuit", h2, circuit_state(2)),
        System("LiH, circuit", lih, circuit_state(4)),
        System("LiH, ground state", lih, ground_state(lih)),
        System("LiH, random state", lih, random_state(4)),
        System("random words, random state", six, random_state(6)),
    ]
    return [System(one.name, one.observable, one.state.to(device)) for one in found]


def circuit_state(n_qubits: int) -> Tensor:
    """A state that an ansatz might be in."""
    pairs = [(w, w + 1) for w in range(0, n_qubits - 1, 2)]
    pairs += [(w, w + 1) for w in range(1, n_qubits - 1, 2)]
    wires = range(n_qubits)
    found: Tensor = qf.circuit(n_qubits, qf.ry(0.4, wires), qf.cx(pairs), qf.rx(0.7, wires))(
        dtype=torch.complex128
    )
    return found


def ground_state(observable: qf.PauliSum) -> Tensor:
    """The eigenvector of the least eigenvalue."""
    found: Tensor = torch.linalg.eigh(observable.to_matrix())[1][:, 0].to(torch.complex128)
    return found


def random_state(n_qubits: int) -> Tensor:
    """A state from the uniform distribution on all."""
    return qf.random_state(qf.uniforms((2, 2**n_qubits), SEED, dtype=F64))


def random_sum(n_qubits: int, n_words: int) -> qf.PauliSum:
    """Different random words with coefficients between -1 and 1."""
    letters = (4 * qf.uniforms((4 * n_words, n_qubits), SEED + 1, dtype=F64)).long().tolist()
    words = list(dict.fromkeys("".join("IXYZ"[one] for one in row) for row in letters))
    chosen = [word for word in words if set(word) != {"I"}][:n_words]
    coefficients = (2 * qf.uniforms(n_words, SEED + 2, dtype=F64) - 1).tolist()
    return qf.pauli_sum(dict(zip(chosen, coefficients, strict=True)))


def ways(system: System, n_shots: int) -> list[Way]:
    """All ways of measuring a system; words and groups share out so many shots."""
    state, energy, n = system.state, system.observable, system.observable.n_qubits
    parts = [qf.pauli_sum({w: c}) for w, c in energy.items() if set(w) != {"I"}]
    constant = sum(c for w, c in energy.items() if set(w) == {"I"})
    found = []
    for allocation in ALLOCATIONS:
        split = shared_out(weights(parts, state, allocation), n_shots)
        word_by_word = partial(_word_by_word, state, parts, split, float(constant))
        found.append(Way(WORDS, allocation, len(parts), 0, word_by_word))
    for method, commuting in GROUPED.items():
        for allocation in ALLOCATIONS:
            own = group_shots(system, n_shots, commuting, allocation)
            in_groups = partial(_in_groups, state, energy, own, commuting)
            count = shots.n_groups(energy, commuting=commuting)
            found.append(Way(method, allocation, count, 0, in_groups))
    return [
        *found,
        Way(PAULI, ONE_CIRCUIT, 0, n + 1, partial(_by_pauli_shadow, state, energy)),
        Way(CLIFFORD, ONE_CIRCUIT, 0, 2 * n + 1, partial(_by_clifford_shadow, state, energy)),
    ]


def weights(parts: Sequence[qf.PauliSum], state: Tensor, allocation: str) -> list[float]:
    """What shots of single words are in proportion to."""
    if allocation == EQUAL:
        return [1.0] * len(parts)
    if allocation == BY_SIZE:
        return [abs(float(c)) for part in parts for _, c in part.items()]
    return [float(qf.variance(state, part).clamp(min=0).sqrt()) for part in parts]


def shared_out(own: Sequence[float], total: int) -> tuple[int, ...]:
    """Shots in proportion to weights, two at least, which sum to a total."""
    free = total - LEAST * len(own)
    exact = [free * one / sum(own) for one in own]
    found = [int(one) for one in exact]
    order = sorted(range(len(own)), key=lambda place: found[place] - exact[place])
    for place in order[: free - sum(found)]:
        found[place] += 1
    return tuple(LEAST + one for one in found)


def group_shots(
    system: System, n_shots: int, commuting: str, allocation: str
) -> tuple[int, ...] | None:
    """Shots of each group; None shares them out equally."""
    if allocation == EQUAL:
        return None
    state = system.state if allocation == BY_DEVIATION else None
    return shots.allocate_shots(system.observable, n_shots, state=state, commuting=commuting)


def _word_by_word(
    state: Tensor, parts: Sequence[qf.PauliSum], split: Sequence[int], constant: float, u: Tensor
) -> qf.Estimate:
    each = [qf.estimate(state, *pair) for pair in zip(parts, u.split(list(split)), strict=True)]
    mean = torch.stack([one.mean for one in each]).sum() + constant
    return qf.Estimate(mean, torch.stack([one.error for one in each]).square().sum().sqrt())


def _in_groups(
    state: Tensor, energy: qf.PauliSum, own: Sequence[int] | None, commuting: str, u: Tensor
) -> qf.Estimate:
    return qf.estimate(state, energy, u, shots=own, commuting=commuting)


def _by_pauli_shadow(state: Tensor, energy: qf.PauliSum, u: Tensor) -> qf.Estimate:
    return shots.shadow_estimate(shots.shadow(state, u), energy, dtype=F64)


def _by_clifford_shadow(state: Tensor, energy: qf.PauliSum, u: Tensor) -> qf.Estimate:
    return shots.clifford_shadow_estimate(shots.clifford_shadow(state, u), energy)


METHODS: Mapping[str, tuple[str, ...]] = {
    WORDS: ALLOCATIONS,
    **dict.fromkeys(GROUPED, ALLOCATIONS),
    PAULI: (ONE_CIRCUIT,),
    CLIFFORD: (ONE_CIRCUIT,),
}
"""Allocations of each way."""
