"""Problems of graphs as energies of bit strings: cuts, independent sets, covers, colourings.

Penalties stand for rules: a string that breaks one costs more than one that keeps it and is
otherwise alike.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

from torch import Tensor

from quilt_func._checks import check_count
from quilt_func.pauli import PauliSum
from quilt_func.problems.arguments import (
    Pair,
    check_penalty,
    edges_of,
    node_weights,
    plus,
    times,
    total,
    weights_of,
)
from quilt_func.problems.energies import ising, of_bits
from quilt_func.typing import Scalar


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
    graph = edges_of("maxcut", "n_nodes", n_nodes, edges)
    given = weights_of("maxcut", weights, graph.weights, "edge")
    halves: dict[Any, Scalar] = {
        pair: times(weight, 0.5) for pair, weight in zip(graph.pairs, given, strict=True)
    }
    return ising(len(graph.wires), halves, constant=-times(total(given), 0.5))


def max_independent_set(
    n_nodes: int | Any,
    edges: Iterable[tuple[int, int]] | None = None,
    weights: Sequence[Scalar] | Tensor | None = None,
    *,
    penalty: Scalar = 2.0,
) -> PauliSum:
    r"""Minus the weight of a set of nodes, with a penalty for each edge between two of them.

    $-\sum_i w_i x_i + P \sum_{ij} x_i x_j$, where bit $x_i$ says whether node `i` is in the set.

    Args:
        n_nodes: Number of nodes, one wire each; or a graph, as for `maxcut`.
        edges: Pairs of nodes.
        weights (real, (n_nodes,)): Weights $w_i$ of nodes; default: 1 each, or the `weight` of the
            graph's nodes.
        penalty (real, ()): $P$, more than the largest weight.

    Returns:
        Pauli sum; its lowest eigenvalue is minus the largest weight of nodes no two of which are
        joined.

    Raises:
        TypeError: If an edge, a weight or the penalty is of the wrong kind.
        ValueError: If an edge repeats, joins a node to itself or is out of range, the number of
            weights is not that of nodes, or a penalty that is a number is no more than a weight.

    Transforms:
        vmap, grad, jvp, hessian, in the weights and the penalty.

    Examples:
        >>> from quilt_func import bit_strings, to_diagonal
        >>> energies = to_diagonal(max_independent_set(3, [(0, 1), (1, 2)])).values
        >>> energies.amin(), bit_strings(3)[energies.argmin()]
        (tensor(-2.), '101')

    References:
        Lucas (2014), Front. Phys. 2, 5, section 4.2, of the complement.
    """
    function = "max_independent_set"
    graph = edges_of(function, "n_nodes", n_nodes, edges)
    given = node_weights(function, n_nodes, len(graph.wires), weights)
    return _independent(function, graph.pairs, given, penalty)


def max_clique(
    n_nodes: int | Any,
    edges: Iterable[tuple[int, int]] | None = None,
    weights: Sequence[Scalar] | Tensor | None = None,
    *,
    penalty: Scalar = 2.0,
) -> PauliSum:
    r"""Minus the weight of a set of nodes, with a penalty for each two that are not joined.

    Args:
        n_nodes: Number of nodes, one wire each; or a graph, as for `maxcut`.
        edges: Pairs of nodes.
        weights (real, (n_nodes,)): As for `max_independent_set`.
        penalty (real, ()): More than the largest weight.

    Returns:
        Pauli sum; its lowest eigenvalue is minus the largest weight of nodes that are all joined
        to one another.

    Raises:
        TypeError: As for `max_independent_set`.
        ValueError: As for `max_independent_set`.

    Transforms:
        vmap, grad, jvp, hessian, in the weights and the penalty.

    Examples:
        >>> from quilt_func import bit_strings, to_diagonal
        >>> tailed = [(0, 1), (1, 2), (0, 2), (2, 3)]  # a triangle with a tail
        >>> energies = to_diagonal(max_clique(4, tailed)).values
        >>> energies.amin(), bit_strings(4)[energies.argmin()]
        (tensor(-3.), '1110')

    References:
        Lucas (2014), Front. Phys. 2, 5, section 2.3.
    """
    graph = edges_of("max_clique", "n_nodes", n_nodes, edges)
    given = node_weights("max_clique", n_nodes, len(graph.wires), weights)
    joined = {frozenset(pair) for pair in graph.pairs}
    apart = [pair for pair in combinations(range(len(given)), 2) if frozenset(pair) not in joined]
    return _independent("max_clique", apart, given, penalty)


def min_vertex_cover(
    n_nodes: int | Any,
    edges: Iterable[tuple[int, int]] | None = None,
    weights: Sequence[Scalar] | Tensor | None = None,
    *,
    penalty: Scalar = 2.0,
) -> PauliSum:
    r"""The weight of a set of nodes, with a penalty for each edge that has no end in it.

    $\sum_i w_i x_i + P \sum_{ij} (1 - x_i)(1 - x_j)$, bit $x_i$ saying whether node `i` is in it.

    Args:
        n_nodes: Number of nodes, one wire each; or a graph, as for `maxcut`.
        edges: Pairs of nodes.
        weights (real, (n_nodes,)): As for `max_independent_set`.
        penalty (real, ()): $P$, more than the largest weight.

    Returns:
        Pauli sum; its lowest eigenvalue is the least weight of nodes that touch all edges.

    Raises:
        TypeError: As for `max_independent_set`.
        ValueError: As for `max_independent_set`.

    Transforms:
        vmap, grad, jvp, hessian, in the weights and the penalty.

    Examples:
        >>> from quilt_func import bit_strings, to_diagonal
        >>> energies = to_diagonal(min_vertex_cover(3, [(0, 1), (1, 2)])).values
        >>> energies.amin(), bit_strings(3)[energies.argmin()]
        (tensor(1.), '010')

    References:
        Lucas (2014), Front. Phys. 2, 5, section 4.3.
    """
    function = "min_vertex_cover"
    graph = edges_of(function, "n_nodes", n_nodes, edges)
    given = node_weights(function, n_nodes, len(graph.wires), weights)
    check_penalty(function, penalty, given)
    degrees = Counter(node for pair in graph.pairs for node in pair)
    linear = [plus(w, -times(penalty, degrees[node])) for node, w in enumerate(given)]
    constant = times(penalty, len(graph.pairs))
    return of_bits(linear, dict.fromkeys(graph.pairs, penalty), constant)


def graph_colouring(
    n_nodes: int | Any, edges: Iterable[tuple[int, int]] | None = None, *, n_colours: int
) -> PauliSum:
    r"""Number of faults of a colouring: edges of one colour, and nodes without one or with many.

    $\sum_v (1 - \sum_c x_{vc})^2 + \sum_{uv} \sum_c x_{uc} x_{vc}$, where bit $x_{vc}$, on wire
    `v * n_colours + c`, says that node `v` has colour `c`.

    Args:
        n_nodes: Number of nodes; or a graph, as for `maxcut`, whose weights do not count.
        edges: Pairs of nodes.
        n_colours: Number of colours; each node takes as many wires.

    Returns:
        Pauli sum; its lowest eigenvalue is 0 if colours can be chosen so that no edge has both
        ends of one colour, and every other string has 1 or more.

    Raises:
        TypeError: If an edge is of the wrong kind.
        ValueError: If an edge repeats, joins a node to itself or is out of range, or there is no
            colour.

    Transforms:
        None: it has no tensor argument.

    Examples:
        >>> from quilt_func import bit_strings, to_diagonal
        >>> energies = to_diagonal(graph_colouring(2, [(0, 1)], n_colours=2)).values
        >>> [bits for bits, e in zip(bit_strings(4), energies.tolist()) if e == 0]
        ['0110', '1001']

    References:
        Lucas (2014), Front. Phys. 2, 5, section 6.1.
    """
    check_count("graph_colouring", "n_colours", n_colours, minimum=1)
    graph = edges_of("graph_colouring", "n_nodes", n_nodes, edges)
    n, colours = len(graph.wires), range(n_colours)
    both = {
        (v * n_colours + a, v * n_colours + b): 2.0
        for v in range(n)
        for a, b in combinations(colours, 2)
    }
    clashes = {(u * n_colours + c, v * n_colours + c): 1.0 for u, v in graph.pairs for c in colours}
    return of_bits([-1.0] * (n * n_colours), both | clashes, float(n))


def _independent(
    function: str, pairs: Sequence[Pair], weights: Sequence[Scalar], penalty: Scalar
) -> PauliSum:
    """Minus the weight of a set, and a penalty for each of the pairs that is in it."""
    check_penalty(function, penalty, weights)
    return of_bits([-w for w in weights], dict.fromkeys(pairs, penalty), 0.0)
