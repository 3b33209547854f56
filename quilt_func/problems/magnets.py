"""Models of magnets: spins on a chain, or on the nodes of any graph."""

from collections.abc import Iterable
from typing import Any

from quilt_func._checks import check_count, describe, message
from quilt_func.pauli import PauliSum, pauli_sum
from quilt_func.problems.arguments import Edges, edges_of, is_graph, scalars, times
from quilt_func.typing import Scalar


def heisenberg(
    n_qubits: int | Any,
    coupling: tuple[Scalar, Scalar, Scalar] = (1.0, 1.0, 1.0),
    field: Scalar = 0.0,
    *,
    edges: Iterable[tuple[int, int]] | None = None,
    periodic: bool = False,
) -> PauliSum:
    r"""Spins $\sum_{ij} (J_x X_i X_j + J_y Y_i Y_j + J_z Z_i Z_j) + h \sum_i Z_i$.

    Args:
        n_qubits: Number of spins, of a chain unless `edges` are given. Or a graph such as networkx
            makes, of a lattice say: its nodes in their order are wires 0, 1, ..., and a coupling is
            multiplied by the `weight` of its edge, if it has one.
        coupling (real, ()): $J_x, J_y, J_z$; positive ones are antiferromagnetic.
        field (real, ()): $h$.
        edges: Pairs of coupled spins, in place of neighbours in a chain.
        periodic: Whether a chain's last spin is coupled to the first; two spins are coupled once.

    Returns:
        Pauli sum in Pauli matrices, not spins: they are twice as large.

    Raises:
        TypeError: If a coefficient is of the wrong kind.
        ValueError: If there are no spins, not three couplings, an edge repeats, joins a spin to
            itself or is out of range, or `periodic` is set with edges.

    Transforms:
        vmap, grad, jvp, hessian, in the coefficients.

    Examples:
        >>> heisenberg(2)
        PauliSum(1 XX + 1 YY + 1 ZZ + 0 ZI + 0 IZ)

    References:
        Heisenberg (1928), Z. Phys. 49, 619.
    """
    bonds = _bonds("heisenberg", n_qubits, edges, periodic)
    if not isinstance(coupling, (tuple, list)) or len(coupling) != 3:
        need, remedy = "be three numbers", "Give Jx, Jy and Jz."
        raise ValueError(
            message("heisenberg", "coupling", coupling, need, describe(coupling), remedy)
        )
    scalars("heisenberg", "coupling", coupling)
    scalars("heisenberg", "field", [field])
    couplings = dict(zip(("XX", "YY", "ZZ"), coupling, strict=True))
    return _model(bonds, couplings, {"Z": field})


def transverse_field_ising(
    n_qubits: int | Any,
    coupling: Scalar = 1.0,
    field: Scalar = 1.0,
    *,
    edges: Iterable[tuple[int, int]] | None = None,
    periodic: bool = False,
) -> PauliSum:
    r"""Spins $-J \sum_{ij} Z_i Z_j - h \sum_i X_i$; a chain is critical at $|h| = |J|$.

    Args:
        n_qubits: Number of spins, of a chain unless `edges` are given. Or a graph such as networkx
            makes, of a lattice say: its nodes in their order are wires 0, 1, ..., and a coupling is
            multiplied by the `weight` of its edge, if it has one.
        coupling (real, ()): $J$.
        field (real, ()): $h$.
        edges: Pairs of coupled spins, in place of neighbours in a chain.
        periodic: Whether a chain's last spin is coupled to the first; two spins are coupled once.

    Returns:
        Pauli sum.

    Raises:
        TypeError: If a coefficient is of the wrong kind.
        ValueError: If there are no spins, an edge repeats, joins a spin to itself or is out of
            range, or `periodic` is set with edges.

    Transforms:
        vmap, grad, jvp, hessian, in the coefficients.

    Examples:
        >>> transverse_field_ising(2, field=0.5)
        PauliSum(-1 ZZ + -0.5 XI + -0.5 IX)
        >>> square = transverse_field_ising(4, edges=[(0, 1), (1, 3), (3, 2), (2, 0)])
        >>> len(square)
        8

    References:
        Pfeuty (1970), Ann. Phys. 57, 79.
    """
    bonds = _bonds("transverse_field_ising", n_qubits, edges, periodic)
    scalars("transverse_field_ising", "coupling", [coupling])
    scalars("transverse_field_ising", "field", [field])
    return _model(bonds, {"ZZ": -coupling}, {"X": -field})


def _bonds(function: str, n_qubits: Any, edges: Any, periodic: bool) -> Edges:
    """Pairs of coupled spins and their weights: those of a graph, or of neighbours in a chain."""
    if is_graph(n_qubits) or edges is not None:
        if periodic:
            need, remedy = "be False with a graph or `edges`", "Add the edge that closes a chain."
            raise ValueError(message(function, "periodic", periodic, need, f"{periodic}", remedy))
        return edges_of(function, "n_qubits", n_qubits, edges)
    check_count(function, "n_qubits", n_qubits, minimum=1)
    pairs = [(wire, wire + 1) for wire in range(n_qubits - 1)]
    pairs += [(n_qubits - 1, 0)] if periodic and n_qubits > 2 else []
    return edges_of(function, "n_qubits", n_qubits, pairs)


def _model(bonds: Edges, couplings: dict[str, Scalar], fields: dict[str, Scalar]) -> PauliSum:
    """Each coupling on all pairs, times their weights, then each field on all wires."""
    weighted = list(zip(bonds.pairs, bonds.weights, strict=True))
    terms: dict[Any, Scalar] = {
        (word, pair): times(value, weight)
        for word, value in couplings.items()
        for pair, weight in weighted
    }
    n_qubits = len(bonds.wires)
    terms |= {(w, (wire,)): value for w, value in fields.items() for wire in range(n_qubits)}
    return pauli_sum(terms, n_qubits=n_qubits)
