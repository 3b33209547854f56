"""Which spin orbitals are occupied, as the bits of a basis state, by three mappings."""

from collections.abc import Callable
from itertools import accumulate
from operator import xor

from quilt_func._checks import check_count, describe, message

Bits = list[int]


def hartree_fock(n_electrons: int, n_qubits: int, mapping: str = "jordan_wigner") -> str:
    """Basis state in which the first spin orbitals are occupied, and the others are not.

    - `"jordan_wigner"`: qubit j is the occupation of orbital j;
    - `"parity"`: the parity of the orbitals 0 to j;
    - `"bravyi_kitaev"`: the parity of those orbitals up to j that a binary tree gives it.

    Args:
        n_electrons: Number of electrons.
        n_qubits: Number of spin orbitals, which is that of qubits.
        mapping: One of these names.

    Returns:
        Bits for `basis_state`; wire 0 comes first.

    Raises:
        TypeError: If a number is not an int.
        ValueError: If there are more electrons than qubits, or the mapping is unknown.

    Transforms:
        None: it has no tensor argument.

    Examples:
        >>> hartree_fock(2, 6), hartree_fock(2, 6, "parity"), hartree_fock(2, 6, "bravyi_kitaev")
        ('110000', '100000', '100000')

    References:
        Seeley, Richard and Love (2012), J. Chem. Phys. 137, 224109, sections III and IV.
    """
    check_electrons("hartree_fock", n_electrons, n_qubits, "n_qubits")
    if mapping not in _MAPPINGS:
        need, remedy = "be the name of a mapping", f"Choose one of {', '.join(_MAPPINGS)}."
        got = describe(mapping)
        raise ValueError(message("hartree_fock", "mapping", mapping, need, got, remedy))
    occupied = [int(orbital < n_electrons) for orbital in range(n_qubits)]
    return "".join(map(str, _MAPPINGS[mapping](occupied)))


def check_electrons(function: str, n_electrons: int, n_orbitals: int, argument: str) -> None:
    """Check that some electrons have room in some spin orbitals."""
    check_count(function, "n_electrons", n_electrons)
    check_count(function, argument, n_orbitals)
    if n_electrons > n_orbitals:
        need, remedy = f"be at most `{argument}`", "A spin orbital holds one electron."
        got = f"{n_electrons} electrons for {n_orbitals}"
        raise ValueError(message(function, "n_electrons", n_electrons, need, got, remedy))


def _tree_parities(occupied: Bits) -> Bits:
    """Parities of the ranges of a Fenwick tree: of the last `2**k` orbitals up to j."""
    # 2**k is the largest power of two that divides j + 1
    ends = range(1, len(occupied) + 1)
    return [sum(occupied[end - (end & -end) : end]) % 2 for end in ends]


_MAPPINGS: dict[str, Callable[[Bits], Bits]] = {
    "jordan_wigner": lambda occupied: occupied,
    "parity": lambda occupied: [*accumulate(occupied, xor)],
    "bravyi_kitaev": _tree_parities,
}
