r"""Hamiltonians of problems: energies of bit strings to be minimised, and models of magnets.

Bit `b` of a string is the basis state of its wire, wire 0 first; its spin is $z = 1 - 2b$, the
eigenvalue of Z. `to_diagonal` tabulates the energies of all strings:

    >>> from quilt_func import expval, ghz_state, to_diagonal
    >>> triangle = maxcut(3, [(0, 1), (1, 2), (0, 2)])
    >>> to_diagonal(triangle).values
    tensor([ 0., -2., -2., -2., -2., -2., -2.,  0.])
    >>> expval(ghz_state(3), triangle)
    tensor(0.)

Coefficients may be Python numbers or tensors, which are leaves.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    check_count,
    check_is,
    check_iterable,
    check_tensor,
    check_wires,
    describe,
    message,
)
from quilt_func._torch import matmul
from quilt_func.diagonals import z_coefficients, z_wires
from quilt_func.pauli import PauliSum, SumLike, as_sum, pauli_sum
from quilt_func.typing import Scalar, WireSet


def ising(
    n_qubits: int,
    couplings: Mapping[tuple[int, int], Scalar],
    fields: Mapping[int, Scalar] | None = None,
    constant: Scalar = 0.0,
) -> PauliSum:
    r"""Ising energy $\sum_{ij} J_{ij} z_i z_j + \sum_i h_i z_i + c$.

    Args:
        n_qubits: Number of spins.
        couplings (real, ()): $J_{ij}$ by pair of wires.
        fields (real, ()): $h_i$ by wire.
        constant (real, ()): $c$.

    Returns:
        Pauli sum of the words ZZ, Z and I.

    Raises:
        TypeError: If a wire or a coefficient is of the wrong kind.
        ValueError: If wires repeat or are out of range.

    Transforms:
        vmap, grad, jvp, hessian, in all coefficients.

    Examples:
        >>> ising(3, {(0, 1): 1.0, (1, 2): -1.0}, {0: 0.5})
        PauliSum(1 ZZI + -1 IZZ + 0.5 ZII + 0 III)

    References:
        Lucas (2014), Front. Phys. 2, 5.
    """
    check_count("ising", "n_qubits", n_qubits)
    for name, given in (("couplings", couplings), ("fields", fields or {})):
        remedy = "Give numbers by wires: `{(0, 1): 1.0}`, `{0: 0.5}`."
        check_is("ising", name, given, Mapping, "be a mapping", remedy)
    _pairs("ising", "couplings", couplings, n_qubits)
    check_wires("ising", fields or (), n_qubits, "fields")
    _scalars("ising", "couplings", couplings.values())
    _scalars("ising", "fields", (fields or {}).values())
    _scalars("ising", "constant", [constant])
    terms: dict[Any, Scalar] = {("ZZ", pair): value for pair, value in couplings.items()}
    terms |= {("Z", (wire,)): value for wire, value in (fields or {}).items()}
    return pauli_sum({**terms, ("", ()): constant}, n_qubits=n_qubits)


def from_qubo(matrix: Tensor, offset: Scalar = 0.0) -> PauliSum:
    r"""Ising form of $x^T Q x + c$ over bits $x_i = (1 - z_i) / 2$.

    Args:
        matrix (real, (n, n)): $Q$; only $Q_{ij} + Q_{ji}$ and the diagonal matter.
        offset (real, ()): $c$.

    Returns:
        Pauli sum of all words ZZ and Z, and the constant.

    Raises:
        TypeError: If the matrix is not a real tensor.
        ValueError: If it is not square.

    Transforms:
        vmap, grad, jvp, hessian, in the matrix and the offset.

    Examples:
        >>> to_diagonal(from_qubo(torch.tensor([[1.0, 3.0], [0.0, -2.0]]))).values
        tensor([ 0., -2.,  1.,  2.])

    References:
        Lucas (2014), Front. Phys. 2, 5.
    """
    remedy = "Give one problem; map over a batch with `torch.func.vmap`."
    fix, form = "Convert it with `torch.as_tensor`.", ("n", "n")
    check_tensor("from_qubo", "matrix", matrix, COMPLEX_OF, form, remedy, dtype_remedy=fix, least=1)
    n = matrix.shape[0]
    rows, columns = torch.triu_indices(n, n, 1, device=matrix.device)
    linear, both = matrix.diagonal(), matrix + matrix.mT
    between = both[rows, columns] / 4
    fields = -linear / 2 - (both.sum(1) - 2 * linear) / 4
    constant = offset + linear.sum() / 2 + between.sum()
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    keys = [*(("ZZ", pair) for pair in pairs), *(("Z", (i,)) for i in range(n)), ("", ())]
    return pauli_sum(keys, torch.cat([between, fields, constant[None]]), n_qubits=n)


def to_qubo(observable: SumLike, *, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    r"""Matrix and offset of an Ising energy: the inverse of `from_qubo`.

    Args:
        observable: Pauli sum of the words I, Z and ZZ, or a dict that `pauli_sum` would take.
        dtype: Of the result, where the coefficients are Python numbers.

    Returns:
        (real, (n, n)), (real, ()): Upper triangular $Q$, and $c$, of $x^T Q x + c$.

    Raises:
        TypeError: If the observable is not a Pauli sum.
        ValueError: If a word has X or Y, or Z on more than two wires.

    Transforms:
        vmap, grad, jvp, hessian, in the coefficients.

    Examples:
        >>> matrix, offset = to_qubo(maxcut(2, [(0, 1)]))
        >>> matrix, offset
        (tensor([[-1.,  2.],
                [ 0., -1.]]), tensor(0.))
    """
    observable = as_sum(observable)
    given = z_coefficients("to_qubo", "observable", observable, dtype)
    n, words = observable.n_qubits, observable.words
    recipe = torch.zeros(n * n + 1, len(words), dtype=given.dtype)
    for column, word in enumerate(words):
        wires = z_wires(word)
        if len(wires) > 2:
            need, remedy = "have words of at most two Z", "A QUBO has pairs only: add bits."
            raise ValueError(message("to_qubo", "observable", observable, need, word, remedy))
        for place, factor in _qubo_entries(wires, n):
            recipe[place, column] += factor
    entries = matmul(recipe.to(given.device), given)
    return entries[:-1].reshape(n, n), entries[-1]


def maxcut(
    n_nodes: int | Any,
    edges: Iterable[tuple[int, int]] | None = None,
    weights: Sequence[Scalar] | Tensor | None = None,
) -> PauliSum:
    r"""Minus the weight of the cut edges, $\sum_{ij} w_{ij} (z_i z_j - 1) / 2$.

    Args:
        n_nodes: Number of nodes, one wire each. Or a graph such as networkx makes, without `edges`:
            its nodes in their order are wires 0, 1, ..., its edges have their `weight`.
        edges: Pairs of nodes.
        weights (real, (n_edges,)): Weights $w_{ij}$; default: 1 each, or those of the graph.

    Returns:
        Pauli sum; its lowest eigenvalue is minus the largest cut.

    Raises:
        TypeError: If an edge or a weight is of the wrong kind.
        ValueError: If an edge repeats, joins a node to itself or is out of range, or the number
            of weights is not that of the edges.

    Transforms:
        vmap, grad, jvp, hessian, in the weights.

    Examples:
        >>> maxcut(3, [(0, 1), (1, 2)])
        PauliSum(0.5 ZZI + 0.5 IZZ + -1 III)
        >>> import networkx  # doctest: +SKIP
        >>> maxcut(networkx.path_graph(["a", "b", "c"]))  # doctest: +SKIP
        PauliSum(0.5 ZZI + 0.5 IZZ + -1 III)

    References:
        Farhi, Goldstone and Gutmann (2014), arXiv:1411.4028, section 2.
    """
    if hasattr(n_nodes, "nodes") and hasattr(n_nodes, "edges"):
        n_nodes, edges, weights = _graph(n_nodes, edges, weights)
    check_count("maxcut", "n_nodes", n_nodes)
    pairs = _pairs("maxcut", "edges", edges, n_nodes)
    given = _scalars("maxcut", "weights", [1.0] * len(pairs) if weights is None else weights)
    if len(given) != len(pairs):
        need, got = f"have {len(pairs)} entries", str(len(given))
        remedy = "Give one weight for every edge."
        raise ValueError(message("maxcut", "weights", weights, need, got, remedy))
    if len({frozenset(pair) for pair in pairs}) < len(pairs):
        remedy = "Name an edge once, with the sum of its weights."
        raise ValueError(message("maxcut", "edges", pairs, "be distinct", f"{pairs}", remedy))
    halves: dict[Any, Scalar] = dict(zip(pairs, map(_halved, given), strict=True))
    return ising(n_nodes, halves, constant=-_halved(_total(given)))


def number_partitioning(numbers: Sequence[Scalar] | Tensor) -> PauliSum:
    r"""Squared difference of two groups' sums, $(\sum_i a_i z_i)^2$.

    Args:
        numbers (real, (n,)): Numbers $a_i$; bit `i` says which group number `i` is in.

    Returns:
        Pauli sum; its lowest eigenvalue is 0 if the numbers can be shared out evenly.

    Raises:
        TypeError: If a number is of the wrong kind.

    Transforms:
        vmap, grad, jvp, hessian, in the numbers.

    Examples:
        >>> number_partitioning([3.0, 1.0, 2.0])
        PauliSum(6 ZZI + 12 ZIZ + 4 IZZ + 14 III)

    References:
        Lucas (2014), Front. Phys. 2, 5, section 2.1.
    """
    given, n = _scalars("number_partitioning", "numbers", numbers), len(numbers)
    terms: dict[Any, Scalar] = {
        (i, j): given[i] * (given[j] + given[j]) for i in range(n) for j in range(i + 1, n)
    }
    return ising(n, terms, constant=_total([a * a for a in given]))


def heisenberg(
    n_qubits: int,
    coupling: tuple[Scalar, Scalar, Scalar] = (1.0, 1.0, 1.0),
    field: Scalar = 0.0,
    *,
    periodic: bool = False,
) -> PauliSum:
    r"""Spin chain $\sum_i (J_x X_i X_{i+1} + J_y Y_i Y_{i+1} + J_z Z_i Z_{i+1}) + h \sum_i Z_i$.

    Args:
        n_qubits: Number of spins.
        coupling (real, ()): $J_x, J_y, J_z$; positive ones are antiferromagnetic.
        field (real, ()): $h$.
        periodic: Whether the last spin is coupled to the first; two spins are coupled once.

    Returns:
        Pauli sum in Pauli matrices, not spins: they are twice as large.

    Raises:
        TypeError: If a coefficient is of the wrong kind.
        ValueError: If there are no spins, or not three couplings.

    Transforms:
        vmap, grad, jvp, hessian, in the coefficients.

    Examples:
        >>> heisenberg(2)
        PauliSum(1 XX + 1 YY + 1 ZZ + 0 ZI + 0 IZ)

    References:
        Heisenberg (1928), Z. Phys. 49, 619.
    """
    check_count("heisenberg", "n_qubits", n_qubits, minimum=1)
    if not isinstance(coupling, (tuple, list)) or len(coupling) != 3:
        need, remedy = "be three numbers", "Give Jx, Jy and Jz."
        raise ValueError(
            message("heisenberg", "coupling", coupling, need, describe(coupling), remedy)
        )
    _scalars("heisenberg", "coupling", coupling)
    _scalars("heisenberg", "field", [field])
    couplings = dict(zip(("XX", "YY", "ZZ"), coupling, strict=True))
    return _chain(n_qubits, couplings, {"Z": field}, periodic)


def transverse_field_ising(
    n_qubits: int, coupling: Scalar = 1.0, field: Scalar = 1.0, *, periodic: bool = False
) -> PauliSum:
    r"""Chain $-J \sum_i Z_i Z_{i+1} - h \sum_i X_i$, critical at $|h| = |J|$.

    Args:
        n_qubits: Number of spins.
        coupling (real, ()): $J$.
        field (real, ()): $h$.
        periodic: Whether the last spin is coupled to the first; two spins are coupled once.

    Returns:
        Pauli sum.

    Raises:
        TypeError: If a coefficient is of the wrong kind.
        ValueError: If there are no spins.

    Transforms:
        vmap, grad, jvp, hessian, in the coefficients.

    Examples:
        >>> transverse_field_ising(2, field=0.5)
        PauliSum(-1 ZZ + -0.5 XI + -0.5 IX)

    References:
        Pfeuty (1970), Ann. Phys. 57, 79.
    """
    check_count("transverse_field_ising", "n_qubits", n_qubits, minimum=1)
    _scalars("transverse_field_ising", "coupling", [coupling])
    _scalars("transverse_field_ising", "field", [field])
    return _chain(n_qubits, {"ZZ": -coupling}, {"X": -field}, periodic)


def _graph(graph: Any, edges: Any, weights: Any) -> tuple[int, list[tuple[int, int]], Any]:
    """Number of nodes, edges between wires, and weights, of a graph with labels for nodes."""
    if edges is not None:
        need, remedy = "be left out with a graph", "Give the graph alone, or a number of nodes."
        raise TypeError(message("maxcut", "edges", edges, need, describe(edges), remedy))
    wires = {node: wire for wire, node in enumerate(graph.nodes)}
    found = list(graph.edges(data="weight", default=1.0))
    pairs = [(wires[a], wires[b]) for a, b, _ in found]
    return len(wires), pairs, [weight for *_, weight in found] if weights is None else weights


def _pairs(function: str, argument: str, given: Any, n_qubits: int) -> list[tuple[int, ...]]:
    """Check pairs of distinct wires."""
    check_iterable(function, argument, given, "Write `[(0, 1)]` for one pair.")
    pairs = list(given)
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:
            need, remedy = "hold pairs of wires", "Write (0, 1), a tuple."
            raise TypeError(message(function, argument, pair, need, describe(pair), remedy))
    return [check_wires(function, pair, n_qubits, argument) for pair in pairs]


def _scalars(function: str, argument: str, given: Any) -> list[Any]:
    """Check real numbers or 0-d real tensors, one by one."""
    check_iterable(function, argument, given, "Write `[1.0]` for one number.")
    values = list(given)
    for value in values:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number and getattr(value, "dtype", None) not in COMPLEX_OF:
            need, remedy = "hold real numbers", "Give numbers or real floating-point tensors."
            raise TypeError(message(function, argument, value, need, describe(value), remedy))
    return values


def _chain(
    n_qubits: int, couplings: dict[str, Scalar], fields: dict[str, Scalar], periodic: bool
) -> PauliSum:
    """Each coupling on all pairs of neighbours, then each field on all wires."""
    pairs = [(wire, wire + 1) for wire in range(n_qubits - 1)]
    pairs += [(n_qubits - 1, 0)] if periodic and n_qubits > 2 else []
    terms: dict[Any, Scalar] = {(w, pair): c for w, c in couplings.items() for pair in pairs}
    terms |= {(w, (wire,)): c for w, c in fields.items() for wire in range(n_qubits)}
    return pauli_sum(terms, n_qubits=n_qubits)


def _total(values: Sequence[Scalar]) -> Scalar:
    """Sum of numbers or 0-d tensors; of none it is 0."""
    first, *others = values or [0.0]
    return sum(others, start=first)


def _halved(value: Scalar) -> Scalar:
    """Half of a number or a 0-d tensor, which torch would give a float64 tangent in float32."""
    return (value[None] / 2)[0] if isinstance(value, Tensor) else value / 2


def _qubo_entries(wires: WireSet, n: int) -> list[tuple[int, float]]:
    """Product of the spins 1 - 2x of the wires: places in (matrix, offset), and factors."""
    linear = [(wire * n + wire, -2.0) for wire in wires]
    pair = [(wires[0] * n + wires[1], 4.0)] if len(wires) == 2 else []
    return [*linear, *pair, (n * n, 1.0)]
