"""Hamiltonians of small molecules along the bond length, from a table in the package."""

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import torch
from torch import Tensor

from quilt_func._checks import COMPLEX_OF, describe, message
from quilt_func.pauli import PauliSum, pauli_sum
from quilt_func.typing import Device

__all__ = ["Curve", "bond_lengths", "curve", "hartree_fock", "molecule"]


class Curve(NamedTuple):
    """A molecule along its bond: sums of the same words.

    Attributes:
        bond_lengths (real, (k,)): In ångström, ascending.
        words: Pauli words, `n_words` of them.
        coefficients (real, (k, n_words)): In hartree; a row goes to `pauli_sum(words, row)`.

    Examples:
        >>> curve("LiH").coefficients.shape
        torch.Size([22, 100])
    """

    bond_lengths: Tensor
    words: tuple[str, ...]
    coefficients: Tensor


def molecule(
    name: str, bond_length: float, *, nuclear_repulsion: bool = True, mapping: str = "reduced"
) -> PauliSum:
    """Hamiltonian of H2 or LiH in the STO-3G basis as a Pauli sum, in hartree.

    LiH keeps two electrons in three sigma orbitals; the other two stay in the 1s shell of Li.
    The coefficients come from pyscf and openfermion; `experiments/_molecules_make.py` makes them.

    Spin orbitals become qubits by one of two mappings:

    - `"reduced"`: Bravyi and Kitaev's, spin up before spin down, without the qubits of the parities
      of either spin. H2 has 2 qubits, and its Hartree-Fock state is `11`; LiH has 4, `1111`.
    - `"jordan_wigner"`: a qubit each, in the order of orbital 0 up, 0 down, 1 up, ... H2 has 4
      qubits, and its Hartree-Fock state is `1100`; LiH has 6, `110000`.

    Args:
        name: "H2" or "LiH".
        bond_length: In ångström; one of `bond_lengths(name)`.
        nuclear_repulsion: Whether the energy of the nuclei is part of the constant.
        mapping: "reduced" or "jordan_wigner".

    Returns:
        Pauli sum; the words of a molecule are the same for all bond lengths.

    Raises:
        ValueError: If the molecule, the bond length or the mapping is not in the table.

    Transforms:
        None: it has no tensor argument. Coefficients are Python numbers.

    Examples:
        >>> import torch
        >>> torch.linalg.eigvalsh(molecule("H2", 0.735, nuclear_repulsion=False).to_matrix())[0]
        tensor(-1.8573, dtype=torch.float64)
        >>> molecule("H2", 0.735, mapping="jordan_wigner").n_qubits
        4

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
    table = _mapped("molecule", entry, mapping)
    terms = dict(zip(table["words"], table["coefficients"][place], strict=True))
    if nuclear_repulsion:
        terms["I" * len(table["words"][0])] += entry["nuclear_repulsion"][place]
    return pauli_sum(terms)


def hartree_fock(name: str, mapping: str = "reduced") -> str:
    """Basis state of the Hartree-Fock determinant of a molecule of the table.

    Its energy is that of restricted Hartree-Fock, at every bond length.

    Args:
        name: "H2" or "LiH".
        mapping: "reduced" or "jordan_wigner", as in `molecule`.

    Returns:
        Bits for `basis_state`; wire 0 comes first.

    Raises:
        ValueError: If the molecule or the mapping is not in the table.

    Transforms:
        None: it has no tensor argument.

    Examples:
        >>> from quilt_func import basis_state, expval
        >>> expval(basis_state(hartree_fock("H2")), molecule("H2", 0.735))
        tensor(-1.1170)
    """
    bits: str = _mapped("hartree_fock", _molecule("hartree_fock", name), mapping)["hartree_fock"]
    return bits


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


def curve(
    name: str,
    *,
    nuclear_repulsion: bool = True,
    mapping: str = "reduced",
    dtype: torch.dtype = torch.float32,
    device: Device = None,
) -> Curve:
    """Hamiltonians of a molecule at all bond lengths, for `torch.func.vmap`.

    Args:
        name: "H2" or "LiH".
        nuclear_repulsion: As for `molecule`.
        mapping: As for `molecule`.
        dtype: Of the tensors.
        device: Of the tensors; default: the CPU.

    Returns:
        Lengths, words, and coefficients, a row for each length.

    Raises:
        TypeError: If `dtype` is no real one.
        ValueError: If the molecule or the mapping is not in the table.

    Transforms:
        None: it has no tensor argument.

    Examples:
        >>> from torch.func import vmap
        >>> found = curve("H2", dtype=torch.float64)
        >>> matrices = vmap(lambda c: pauli_sum(found.words, c).to_matrix())(found.coefficients)
        >>> energies = torch.linalg.eigvalsh(matrices)[:, 0]
        >>> found.bond_lengths[energies.argmin()], energies.min()
        (tensor(0.7350, dtype=torch.float64), tensor(-1.1373, dtype=torch.float64))
    """
    if dtype not in COMPLEX_OF:
        got, remedy = f"{dtype}", "Choose torch.float32 or torch.float64."
        raise TypeError(message("curve", "dtype", dtype, "be real", got, remedy))
    _mapped("curve", _molecule("curve", name), mapping)
    lengths = bond_lengths(name)
    sums = [
        molecule(name, length, nuclear_repulsion=nuclear_repulsion, mapping=mapping)
        for length in lengths
    ]
    rows = [one.coefficients for one in sums]
    return Curve(
        torch.tensor(lengths, dtype=dtype, device=device),
        sums[0].words,
        torch.tensor(rows, dtype=dtype, device=device),
    )


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    text = files("quilt_func").joinpath("molecules.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return {name: entry for name, entry in table.items() if isinstance(entry, dict)}


def _mapped(function: str, entry: dict[str, Any], mapping: str) -> dict[str, Any]:
    """The part of a molecule's table for one mapping."""
    known = ("reduced", "jordan_wigner")
    if mapping not in known:
        remedy = f"Choose one of {', '.join(known)}."
        got = describe(mapping)
        raise ValueError(message(function, "mapping", mapping, "be in the table", got, remedy))
    found: dict[str, Any] = entry[mapping]
    return found


def _molecule(function: str, name: str) -> dict[str, Any]:
    if not isinstance(name, str) or name not in _table():
        need, remedy = "be in the table", f"Choose one of {', '.join(_table())}."
        raise ValueError(message(function, "name", name, need, describe(name), remedy))
    entry: dict[str, Any] = _table()[name]
    return entry
