"""Energies of spins and of bits: Ising models, quadratic forms, and sums to be balanced."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    check_count,
    check_is,
    check_tensor,
    check_wires,
    common_dtype_and_device,
    describe,
    message,
)
from quilt_func._torch import matmul
from quilt_func.diagonals import z_coefficients, z_wires
from quilt_func.pauli import PauliSum, SumLike, as_sum, pauli_sum
from quilt_func.problems.arguments import (
    edges_of,
    is_graph,
    pairs_of,
    plus,
    scalars,
    times,
    total,
)
from quilt_func.typing import Scalar, WireSet


def ising(
    n_qubits: int | Any,
    couplings: Mapping[tuple[int, int], Scalar] | None = None,
    fields: Mapping[Any, Scalar] | None = None,
    constant: Scalar = 0.0,
) -> PauliSum:
    r"""Ising energy $\sum_{ij} J_{ij} z_i z_j + \sum_i h_i z_i + c$.

    Args:
        n_qubits: Number of spins. Or a graph such as networkx makes, without `couplings`: its nodes
            in their order are wires 0, 1, ..., its edges have their `weight` as couplings.
        couplings (real, ()): $J_{ij}$ by pair of wires.
        fields (real, ()): $h_i$ by wire, or of a graph by node.
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
    if is_graph(n_qubits):
        n_qubits, couplings, fields = _of_graph(n_qubits, couplings, fields)
    check_count("ising", "n_qubits", n_qubits)
    for name, given in (("couplings", couplings), ("fields", fields or {})):
        remedy = "Give numbers by wires: `{(0, 1): 1.0}`, `{0: 0.5}`."
        check_is("ising", name, given, Mapping, "be a mapping", remedy)
    assert couplings is not None
    pairs_of("ising", "couplings", couplings, n_qubits)
    check_wires("ising", fields or (), n_qubits, "fields")
    scalars("ising", "couplings", couplings.values())
    scalars("ising", "fields", (fields or {}).values())
    scalars("ising", "constant", [constant])
    terms: dict[Any, Scalar] = {("ZZ", pair): value for pair, value in couplings.items()}
    terms |= {("Z", (wire,)): value for wire, value in (fields or {}).items()}
    return pauli_sum({**terms, ("", ()): constant}, n_qubits=n_qubits)


def _of_graph(graph: Any, couplings: Any, fields: Any) -> tuple[int, dict[Any, Any], Any]:
    """Number of spins, couplings and fields by wires, of a graph and fields by node."""
    if couplings is not None:
        need, remedy = "be left out with a graph", "Give the graph alone, or a number of spins."
        raise TypeError(message("ising", "couplings", couplings, need, describe(couplings), remedy))
    wires, pairs, weights = edges_of("ising", "n_qubits", graph, None)
    if isinstance(fields, Mapping):
        strange = next((node for node in fields if node not in wires), None)
        if strange is not None:
            need, remedy = "name nodes of the graph", f"Choose from {describe(list(wires))}."
            raise ValueError(message("ising", "fields", fields, need, describe(strange), remedy))
        fields = {wires[node]: value for node, value in fields.items()}
    return len(wires), dict(zip(pairs, weights, strict=True)), fields


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
        >>> from quilt_func import to_diagonal
        >>> to_diagonal(from_qubo(torch.tensor([[1.0, 3.0], [0.0, -2.0]]))).values
        tensor([ 0., -2.,  1.,  2.])

    References:
        Lucas (2014), Front. Phys. 2, 5.
    """
    remedy = "Give one problem; map over a batch with `torch.func.vmap`."
    fix, form = "Convert it with `torch.as_tensor`.", ("n", "n")
    check_tensor("from_qubo", "matrix", matrix, COMPLEX_OF, form, remedy, dtype_remedy=fix, least=1)
    (offset,) = scalars("from_qubo", "offset", [offset])
    common_dtype_and_device("from_qubo", [t for t in (matrix, offset) if isinstance(t, Tensor)])
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
        >>> from quilt_func.problems import maxcut
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
    given = scalars("number_partitioning", "numbers", numbers)
    n = len(given)
    terms: dict[Any, Scalar] = {
        (i, j): times(given[i], given[j] + given[j]) for i in range(n) for j in range(i + 1, n)
    }
    return ising(n, terms, constant=total([times(a, a) for a in given]))


def of_bits(
    linear: Sequence[Scalar], quadratic: Mapping[Any, Scalar], constant: Scalar
) -> PauliSum:
    """Ising form of a constant, weights of bits, and weights of products of two bits."""
    quarters: dict[Any, Scalar] = {pair: times(value, 0.25) for pair, value in quadratic.items()}
    halves = [times(value, 0.5) for value in linear]
    fields = {wire: -value for wire, value in enumerate(halves)}
    for pair, value in quarters.items():
        for wire in pair:
            fields[wire] = plus(fields[wire], -value)
    constants = [constant, *halves, *quarters.values()]
    return ising(len(linear), quarters, fields, total(constants))


def _qubo_entries(wires: WireSet, n: int) -> list[tuple[int, float]]:
    """Product of the spins 1 - 2x of the wires: places in (matrix, offset), and factors."""
    linear = [(wire * n + wire, -2.0) for wire in wires]
    pair = [(wires[0] * n + wires[1], 4.0)] if len(wires) == 2 else []
    return [*linear, *pair, (n * n, 1.0)]
