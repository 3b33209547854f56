"""Hamiltonians of small molecules along the bond length, from a table in the package."""

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

from quilt_func._checks import describe, message
from quilt_func.pauli import PauliSum, pauli_sum


def molecule(name: str, bond_length: float, *, nuclear_repulsion: bool = True) -> PauliSum:
    """Energy of H2 (2 qubits) or LiH (4 qubits) in the STO-3G basis, in hartree.

    LiH keeps two electrons in three sigma orbitals; the other two stay in the 1s shell of Li.
    The coefficients come from pyscf and openfermion, with a qubit saved for the parity of either
    spin; `experiments/_molecules_make.py` makes them.

    Args:
        name: "H2" or "LiH".
        bond_length: In ångström; one of `bond_lengths(name)`.
        nuclear_repulsion: Whether the energy of the nuclei is part of the constant.

    Returns:
        Pauli sum; the words of a molecule are the same for all bond lengths.

    Raises:
        ValueError: If the molecule or the bond length is not in the table.

    Transforms:
        None: it has no tensor argument. Coefficients are Python numbers.

    Examples:
        >>> import torch
        >>> torch.linalg.eigvalsh(molecule("H2", 0.735, nuclear_repulsion=False).to_matrix())[0]
        tensor(-1.8573, dtype=torch.float64)

    References:
        Bravyi, Gambetta, Mezzacapo and Temme (2017), arXiv:1701.08213 (the reduction);
        Sun et al. (2020), J. Chem. Phys. 153, 024109 (pyscf); McClean et al. (2020),
        Quantum Sci. Technol. 5, 034014 (openfermion).
    """
    entry, lengths = _molecule("molecule", name), bond_lengths(name)
    if bond_length not in lengths:
        need, remedy = "be in the table", f"Choose one of {', '.join(map(str, lengths))}."
        got = describe(bond_length)
        raise ValueError(message("molecule", "bond_length", bond_length, need, got, remedy))
    place = lengths.index(bond_length)
    terms = dict(zip(entry["words"], entry["coefficients"][place], strict=True))
    if nuclear_repulsion:
        terms["I" * len(entry["words"][0])] += entry["nuclear_repulsion"][place]
    return pauli_sum(terms)


def bond_lengths(name: str) -> tuple[float, ...]:
    """Bond lengths at which `molecule` knows a Hamiltonian.

    Args:
        name: "H2" or "LiH".

    Returns:
        Lengths in ångström, ascending.

    Raises:
        ValueError: If the molecule is not in the table.

    Transforms:
        None: it has no tensor argument.

    Examples:
        >>> len(bond_lengths("H2")), min(bond_lengths("H2"))
        (21, 0.3)
    """
    return tuple(_molecule("bond_lengths", name)["bond_lengths"])


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    text = files("quilt_func").joinpath("molecules.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return {name: entry for name, entry in table.items() if isinstance(entry, dict)}


def _molecule(function: str, name: str) -> dict[str, Any]:
    if not isinstance(name, str) or name not in _table():
        need, remedy = "be in the table", f"Choose one of {', '.join(_table())}."
        raise ValueError(message(function, "name", name, need, describe(name), remedy))
    entry: dict[str, Any] = _table()[name]
    return entry
