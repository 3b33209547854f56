"""Which electrons move where: single and double excitations that keep the spin."""

from itertools import combinations, product
from typing import NamedTuple

from quilt_func.chemistry.occupations import check_electrons
from quilt_func.typing import WireSet


class Excitations(NamedTuple):
    """Moves of electrons from occupied to free spin orbitals.

    Attributes:
        singles: Pairs (from, to).
        doubles: Fours (from, from, to, to), each two ascending.

    Examples:
        >>> found = excitations(2, 4)
        >>> len(found.singles), len(found.doubles)
        (2, 1)
    """

    singles: tuple[WireSet, ...]
    doubles: tuple[WireSet, ...]


def excitations(n_electrons: int, n_orbitals: int) -> Excitations:
    """Single and double excitations of the Hartree-Fock state that keep the total spin along z.

    Args:
        n_electrons: Number of electrons; they occupy the first spin orbitals.
        n_orbitals: Number of spin orbitals; even ones are spin up, odd ones spin down.

    Returns:
        The excitations, in the order of the orbitals.

    Raises:
        TypeError: If a number is not an int.
        ValueError: If there are more electrons than spin orbitals.

    Transforms:
        None: it has no tensor argument.

    Examples:
        >>> excitations(2, 4)
        Excitations(singles=((0, 2), (1, 3)), doubles=((0, 1, 2, 3),))

    References:
        Szabo and Ostlund (1996), Modern Quantum Chemistry, section 2.2.6.
    """
    check_electrons("excitations", n_electrons, n_orbitals, "n_orbitals")
    occupied, free = range(n_electrons), range(n_electrons, n_orbitals)
    singles = ((p, r) for p, r in product(occupied, free) if p % 2 == r % 2)
    pairs = product(combinations(occupied, 2), combinations(free, 2))
    doubles = (start + end for start, end in pairs if _n_down(start) == _n_down(end))
    return Excitations(tuple(singles), tuple(doubles))


def _n_down(orbitals: WireSet) -> int:
    return sum(orbital % 2 for orbital in orbitals)
