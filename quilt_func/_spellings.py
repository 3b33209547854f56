"""What other libraries call the things of this one, for names that are not found."""

from collections.abc import Iterable
from difflib import get_close_matches

ELSEWHERE = {
    "cnot": "cx",
    "toffoli": "ccx",
    "fredkin": "cswap",
    "ccnot": "ccx",
    "mcx": "controlled(x, n_controls)",
    "multicontrolledx": "controlled(x, n_controls)",
    "mcz": "controlled(z, n_controls)",
    "cs": "controlled(s)",
    "csx": "controlled(sx)",
    "cu": "controlled(u)",
    "crot": "controlled(u)",
    "rot": "u",
    "u1": "p",
    "u3": "u",
    "phase": "p",
    "phaseshift": "p",
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
    "adam": "optim.adam",
}


def hint(name: str, known: Iterable[str]) -> str:
    """A sentence that names what was probably meant, or nothing."""
    if name.startswith("_"):
        return ""
    lowered = name.lower()
    names = {one.lower(): one for one in known}
    close = get_close_matches(lowered, [*names, *ELSEWHERE], n=1, cutoff=0.75)
    found = ELSEWHERE.get(lowered) or (names | ELSEWHERE)[close[0]] if close else None
    return f". Did you mean `{found}`?" if found else ""
