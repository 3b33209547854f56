"""Graphs, pairs of wires and real numbers, as arguments of problems."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    check_count,
    check_iterable,
    check_wires,
    common_dtype_and_device,
    describe,
    is_number,
    message,
)
from quilt_func.typing import Scalar

Pair = tuple[int, ...]


class Edges(NamedTuple):
    """A graph on wires: the wire of each node, pairs of wires, and the weights of these."""

    wires: Mapping[Any, int]
    pairs: Sequence[Pair]
    weights: Sequence[Any]


def is_graph(given: Any) -> bool:
    """Tell a graph such as networkx makes by its views, so that none is imported."""
    return isinstance(getattr(given, "nodes", None), Iterable) and hasattr(given, "edges")


def edges_of(function: str, argument: str, given: Any, edges: Any) -> Edges:
    """A graph on wires: of a graph, or of a number of nodes and pairs."""
    if is_graph(given):
        if edges is not None:
            need, remedy = "be left out with a graph", "Give the graph alone, or a number of nodes."
            raise TypeError(message(function, "edges", edges, need, describe(edges), remedy))
        wires = {node: wire for wire, node in enumerate(given.nodes)}
        found = list(given.edges(data="weight", default=1.0))
        edges, weights = [(wires[a], wires[b]) for a, b, _ in found], [w for *_, w in found]
    else:
        check_count(function, argument, given)
        wires, weights = {wire: wire for wire in range(given)}, None
    pairs = pairs_of(function, "edges", edges, len(wires))
    if len({frozenset(pair) for pair in pairs}) < len(pairs):
        remedy = "Name an edge once, with the sum of its weights."
        raise ValueError(message(function, "edges", pairs, "be distinct", f"{pairs}", remedy))
    return Edges(wires, pairs, [1.0] * len(pairs) if weights is None else weights)


def node_weights(function: str, given: Any, n_nodes: int, weights: Any) -> list[Any]:
    """Weights of nodes: those that are given, or of a graph, or 1 each."""
    if weights is None and is_graph(given) and callable(given.nodes):
        weights = [weight for _, weight in given.nodes(data="weight", default=1.0)]
    return weights_of(function, weights, [1.0] * n_nodes, "node")


def weights_of(function: str, weights: Any, default: Sequence[Any], what: str) -> list[Any]:
    """As many weights as there are by default."""
    found = scalars(function, "weights", default if weights is None else weights)
    if len(found) != len(default):
        need, got = f"have {len(default)} entries", str(len(found))
        remedy = f"Give one weight for every {what}."
        raise ValueError(message(function, "weights", weights, need, got, remedy))
    return found


def check_penalty(function: str, penalty: Any, weights: Sequence[Any]) -> None:
    """Check that a penalty exceeds all weights, where these are numbers that can be read."""
    scalars(function, "penalty", [penalty])
    known = [weight for weight in weights if is_number(weight)]
    if is_number(penalty) and not penalty > max(known, default=0.0):
        need = f"exceed the largest weight, {max(known, default=0.0):g}"
        remedy = "Breaking a rule must cost more than it can gain."
        raise ValueError(message(function, "penalty", penalty, need, f"{penalty}", remedy))


def pairs_of(function: str, argument: str, given: Any, n_qubits: int) -> list[Pair]:
    """Check pairs of distinct wires."""
    check_iterable(function, argument, given, "Write `[(0, 1)]` for one pair.")
    pairs = list(given)
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:
            need, remedy = "hold pairs of wires", "Write (0, 1), a tuple."
            raise TypeError(message(function, argument, pair, need, describe(pair), remedy))
    return [check_wires(function, pair, n_qubits, argument) for pair in pairs]


def scalars(function: str, argument: str, given: Any) -> list[Any]:
    """Check real numbers or 0-d real tensors, one by one."""
    check_iterable(function, argument, given, "Write `[1.0]` for one number.")
    values = list(given)
    for value in values:
        if not is_number(value) and getattr(value, "dtype", None) not in COMPLEX_OF:
            need, remedy = "hold real numbers", "Give numbers or real floating-point tensors."
            raise TypeError(message(function, argument, value, need, describe(value), remedy))
    common_dtype_and_device(function, [value for value in values if isinstance(value, Tensor)])
    return values


def total(values: Sequence[Scalar]) -> Scalar:
    """Sum of numbers or 0-d tensors; of none it is 0."""
    first, *others = values or [0.0]
    return reduce(plus, others, first)


def plus(a: Scalar, b: Scalar) -> Scalar:
    """Sum of two numbers or 0-d tensors, in one precision; see `times`."""
    if isinstance(a, Tensor) and not isinstance(b, Tensor):
        found: Tensor = (a[None] + b)[0]
        return found
    if isinstance(b, Tensor) and not isinstance(a, Tensor):
        return plus(b, a)
    _check_alike(a, b)
    return a + b


def times(value: Scalar, factor: Scalar) -> Scalar:
    """A number or 0-d tensor by another, in one precision.

    By a Python number, torch would give a 0-d tensor of float32 a tangent of float64.
    """
    if isinstance(value, Tensor) and not isinstance(factor, Tensor):
        scaled: Tensor = (value[None] * factor)[0]
        return scaled
    if isinstance(factor, Tensor) and not isinstance(value, Tensor):
        return times(factor, value)
    _check_alike(value, factor)
    return value * factor


def _check_alike(a: Scalar, b: Scalar) -> None:
    """Check two tensors for one precision, such as a weight and a penalty."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        common_dtype_and_device("problems", (a, b))
