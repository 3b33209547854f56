"""What other libraries call the things of this one, for names that are not found."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

ELSEWHERE = {
    "cnot": "cx",
    "toffoli": "ccx",
    "fredkin": "cswap",
    "ccnot": "ccx",
    "mcx": "controlled(x, n_controls)",
    "multicontrolledx": "controlled(x, n_controls)",
    "mcz": "controlled(z, n_controls)",
    "mct": "controlled(x, n_controls)",
    "mcp": "controlled(p, n_controls)",
    "mcphase": "controlled(p, n_controls)",
    "mcu1": "controlled(p, n_controls)",
    "mcrx": "controlled(rx, n_controls)",
    "mcry": "controlled(ry, n_controls)",
    "mcrz": "controlled(rz, n_controls)",
    "multicontrolled": "controlled",
    "cs": "controlled(s)",
    "csx": "controlled(sx)",
    "cu": "controlled(u)",
    "crot": "controlled(u)",
    "rot": "u",
    "u1": "p",
    "u3": "u",
    "phase": "p",
    "phaseshift": "p",
    "phase_shift": "p",
    "sinv": "sdg",
    "tinv": "tdg",
    "sqrtx": "sx",
    "v": "sx",
    "cphase": "cp",
    "controlledphaseshift": "cp",
    "hadamard": "h",
    "i": "id",
    "identity": "id",
    "paulix": "x",
    "pauliy": "y",
    "pauliz": "z",
    "xx": "rxx",
    "yy": "ryy",
    "zz": "rzz",
    "isingxx": "rxx",
    "isingyy": "ryy",
    "isingzz": "rzz",
    "adjoint": "inverse",
    "dagger": "inverse",
    "selectgate": "choice",
    "chosen": "choice",
    "switch": "choice",
    "randomcircuit": "random_circuit",
    "randomlayers": "random_circuit",
    "qft": "ansatz.qft",
    "iqft": "ansatz.inverse_qft",
    "qaoa": "ansatz.qaoa",
    "trotter": "ansatz.pauli_evolution",
    "trotterproduct": "ansatz.pauli_evolution",
    "paulievolution": "ansatz.pauli_evolution",
    "mottonenstatepreparation": "ansatz.prepare_state",
    "statepreparation": "ansatz.prepare_state",
    "stateprep": "ansatz.prepare_state",
    "initialize": "ansatz.prepare_state",
    "amplitudeembedding": "ansatz.amplitude_encoding",
    "angleembedding": "ansatz.angle_encoding",
    "stronglyentanglinglayers": "ansatz.strongly_entangling",
    "arbitraryunitary": "ansatz.two_qubit_unitary",
    "ctrl": "controlled",
    "multirz": "pauli_rot",
    "paulirot": "pauli_rot",
    "qubitunitary": "unitary",
    "hamiltonian": "pauli_sum",
    "sparsepauliop": "pauli_sum",
    "expectation": "expval",
    "var": "variance",
    "density_matrix": "reduced_density",
    "partial_trace": "reduced_density",
    "statevector": "zero_state",
    "quantumcircuit": "circuit",
    "qnode": "circuit",
    "quantumlayer": "nn.QuantumLayer",
    "torchlayer": "nn.QuantumLayer",
    "cond": "conditional",
    "minimize": "optim.minimise",
}


def hint(name: str, known: Iterable[str], rooms: Mapping[str, Iterable[str]]) -> str:
    """A sentence that names what was probably meant, or nothing.

    Args:
        name: What was asked for.
        known: Names at the top level.
        rooms: Names in each of its modules.
    """
    if name.startswith("_"):
        return ""
    lowered = name.lower()
    names = {one.lower(): f"{room}.{one}" for room, ones in rooms.items() for one in ones}
    names |= {one.lower(): one for one in known}
    close = get_close_matches(lowered, [*names, *ELSEWHERE], n=1, cutoff=0.75)
    found = ELSEWHERE.get(lowered) or (names | ELSEWHERE)[close[0]] if close else None
    return f". Did you mean `{found}`?" if found else ""
