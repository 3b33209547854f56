"""Make `quilt_func/molecules.json`, the Hamiltonians of H2 and LiH along the bond length.

    pip install pyscf openfermion openfermionpyscf
    python -m experiments._molecules_make

Restricted Hartree-Fock orbitals in the STO-3G basis. H2 keeps both of its orbitals. LiH freezes
the two electrons of the 1s shell and keeps two electrons in the three sigma orbitals 1, 2 and 5;
the two pi orbitals, to which no single excitation leads, stay empty. Spin orbitals become qubits
by `symmetry_conserving_bravyi_kitaev`, which spends no qubit on the parities of spin up and down,
and by `jordan_wigner`, a qubit for each spin orbital: orbital 0 up, 0 down, 1 up, 1 down, ...
Every Hamiltonian is checked against a configuration interaction by pyscf in the same space.
"""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyscf
from openfermion import (
    MolecularData,
    QubitOperator,
    get_fermion_operator,
    get_sparse_operator,
    jordan_wigner,
    symmetry_conserving_bravyi_kitaev,
)
from openfermionpyscf import run_pyscf
from pyscf import mcscf

OUT = Path(__file__).resolve().parents[1] / "quilt_func" / "molecules.json"
SETTINGS: dict[str, dict[str, Any]] = {
    "H2": {"atoms": ("H", "H"), "frozen": [], "active": [0, 1]},
    "LiH": {"atoms": ("Li", "H"), "frozen": [0], "active": [1, 2, 5]},
}
LENGTHS = {
    "H2": [0.3, 0.4, 0.5, 0.6, 0.7, 0.735, 0.8, 0.9, *np.arange(1.0, 2.51, 0.125)],
    "LiH": [*np.arange(0.8, 4.01, 0.16), 1.595],
}
SMALLEST = 1e-10  # hartree; below is rounding
N_ELECTRONS = 2  # active ones, in both
HARTREE_FOCK = {
    "reduced": {"H2": "11", "LiH": "1111"},
    "jordan_wigner": {"H2": "1100", "LiH": "110000"},
}
"""Basis states; their energies are checked against those of pyscf's orbitals."""


def main() -> None:
    """Write the file, molecule by molecule."""
    made = {name: molecule(name, sorted(LENGTHS[name])) for name in SETTINGS}
    packages = ("pyscf", "openfermion", "openfermionpyscf")
    source = ", ".join(f"{package} {version(package)}" for package in packages)
    lines = [f' "source": {json.dumps(source)}']
    lines += [f' "{name}": {_layout(entry)}' for name, entry in made.items()]
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def molecule(name: str, lengths: list[float]) -> dict[str, Any]:
    """Hamiltonians of one molecule: words, and one row of coefficients for each bond length."""
    rows = [hamiltonian(name, round(float(length), 6)) for length in lengths]
    return {
        "basis": "STO-3G",
        "active": f"{N_ELECTRONS} electrons in orbitals {SETTINGS[name]['active']}",
        "bond_lengths": [round(float(length), 6) for length in lengths],
        "nuclear_repulsion": [round(nuclear, 12) for _, nuclear in rows],
        **{
            mapping: _table([terms[mapping] for terms, _ in rows], states[name])
            for mapping, states in HARTREE_FOCK.items()
        },
    }


def _table(rows: list[dict[str, float]], hartree_fock: str) -> dict[str, Any]:
    """One mapping: the basis state of Hartree-Fock, words, and coefficients by bond length."""
    words = sorted({word for terms in rows for word in terms}, reverse=True)
    return {
        "hartree_fock": hartree_fock,
        "words": words,
        "coefficients": [[round(terms.get(w, 0.0), 12) for w in words] for terms in rows],
    }


def _diagonal(terms: dict[str, float], bits: str) -> float:
    """The energy of a basis state."""
    diagonal = {word: c for word, c in terms.items() if not set(word) & {"X", "Y"}}
    ones = {i for i, bit in enumerate(bits) if bit == "1"}
    odd = {word for word in diagonal if sum(word[i] == "Z" for i in ones) % 2}
    return sum(-c if word in odd else c for word, c in diagonal.items())


def hamiltonian(name: str, length: float) -> tuple[dict[str, dict[str, float]], float]:
    """Coefficients by mapping and word of the electrons' energy, and the energy of the nuclei."""
    chosen = SETTINGS[name]
    atoms = [(atom, (0.0, 0.0, length * i)) for i, atom in enumerate(chosen["atoms"])]
    data = run_pyscf(MolecularData(atoms, "sto-3g", 1), run_scf=True)
    fermions = data.get_molecular_hamiltonian(chosen["frozen"], chosen["active"])
    fermions.constant -= data.nuclear_repulsion
    n_orbitals = 2 * len(chosen["active"])
    ladder = get_fermion_operator(fermions)
    operator = symmetry_conserving_bravyi_kitaev(ladder, n_orbitals, N_ELECTRONS)
    n_qubits = n_orbitals - 2
    _check(name, atoms, operator, n_qubits, data.nuclear_repulsion)
    found = {
        "reduced": _terms(operator, n_qubits),
        "jordan_wigner": _terms(jordan_wigner(ladder), n_orbitals),
    }
    for mapping, terms in found.items():
        energy = _diagonal(terms, HARTREE_FOCK[mapping][name]) + data.nuclear_repulsion
        assert abs(energy - data.hf_energy) < 1e-7, (name, length, energy, data.hf_energy)
    return found, float(data.nuclear_repulsion)


def _terms(operator: QubitOperator, n_qubits: int) -> dict[str, float]:
    found = {_word(key, n_qubits): float(np.real(c)) for key, c in operator.terms.items()}
    return {w: c for w, c in found.items() if abs(c) > SMALLEST}


def _check(name: str, atoms: Any, operator: QubitOperator, n_qubits: int, nuclear: float) -> None:
    """The lowest eigenvalue is that of pyscf's CASCI in the same orbitals, by another route."""
    chosen = SETTINGS[name]
    mole = pyscf.gto.M(atom=atoms, basis="sto-3g", verbose=0)
    field = pyscf.scf.RHF(mole).run()
    space = mcscf.CASCI(field, len(chosen["active"]), N_ELECTRONS)
    orbitals = space.sort_mo([orbital + 1 for orbital in chosen["active"]])
    expected = space.kernel(orbitals)[0]
    found = np.linalg.eigvalsh(get_sparse_operator(operator, n_qubits).toarray())[0] + nuclear
    assert abs(found - expected) < 1e-7, (name, atoms, found, expected)


def _word(key: tuple[tuple[int, str], ...], n_qubits: int) -> str:
    letters = dict(key)
    return "".join(letters.get(wire, "I") for wire in range(n_qubits))


def _layout(entry: dict[str, Any], space: str = "  ") -> str:
    """One line for each field, and for each row of coefficients."""
    fields = []
    for key, value in entry.items():
        text = _layout(value, f"{space} ") if isinstance(value, dict) else json.dumps(value)
        if key == "coefficients":
            rows = f",\n{space} ".join(map(json.dumps, value))
            text = f"[\n{space} {rows}\n{space}]"
        fields.append(f'{space}"{key}": {text}')
    return "{\n" + ",\n".join(fields) + f"\n{space[:-1]}}}"


if __name__ == "__main__":
    main()
