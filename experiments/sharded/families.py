"""Families of circuits that are planned: what their gates need of each wire, layer by layer."""

import random
from collections.abc import Callable, Mapping

from quilt_func import Circuit, circuit, cx, h, rx, rxx, ry, rz, rzz
from quilt_func.sharded.localising import applications, split_leading
from quilt_func.sharded.planning import Demand

DEGREE = 3
"""Of each vertex of a random graph."""


def chain(n_qubits: int, n_layers: int, seed: int = 0) -> Circuit:
    """Rotations on every wire, and CNOTs from each wire to the next."""
    del seed
    wires = range(n_qubits)
    ladder = cx([(wire, wire + 1) for wire in wires[:-1]])
    return circuit(n_qubits, n_layers * [ry(0.1, wires), rz(0.2, wires), ladder])


def brick(n_qubits: int, n_layers: int, seed: int = 0) -> Circuit:
    """Rotations on every wire, and gates on pairs of neighbours, even and odd ones in turns."""
    del seed
    layers = (
        (
            ry(0.1, range(n_qubits)),
            rxx(0.2, [(a, a + 1) for a in range(layer % 2, n_qubits - 1, 2)]),
        )
        for layer in range(n_layers)
    )
    return circuit(n_qubits, layers)


def qaoa(n_qubits: int, n_layers: int, seed: int = 0) -> Circuit:
    """QAOA for cuts of a random graph with three edges at each vertex."""
    wires, edges = range(n_qubits), regular_graph(n_qubits, seed)
    return circuit(n_qubits, h(wires), n_layers * [rzz(0.1, edges), rx(0.2, wires)])


def far_pairs(n_qubits: int, n_layers: int, seed: int = 0) -> Circuit:
    """Gates on pairs of wires, drawn anew for every layer."""
    rng = random.Random(seed)
    orders = (rng.sample(range(n_qubits), n_qubits) for _ in range(n_layers))
    layers = (rxx(0.1, list(zip(order[::2], order[1::2], strict=True))) for order in orders)
    return circuit(n_qubits, layers)


FAMILIES: Mapping[str, Callable[[int, int, int], Circuit]] = {
    "chain": chain,
    "brick": brick,
    "QAOA, random graphs": qaoa,
    "random far pairs": far_pairs,
}
RANDOM = ("QAOA, random graphs", "random far pairs")
"""Families that differ from seed to seed."""


def regular_graph(n_vertices: int, seed: int) -> list[tuple[int, int]]:
    """The edges of a random graph, by pairing up the ends of edges until none is twice there.

    References:
        Bollobás (1980), Eur. J. Comb. 1, 311, for the configuration model.
    """
    rng = random.Random(seed)
    ends = [vertex for vertex in range(n_vertices) for _ in range(DEGREE)]
    while True:
        rng.shuffle(ends)
        edges = {(min(pair), max(pair)) for pair in zip(ends[::2], ends[1::2], strict=True)}
        if len(edges) == len(ends) // 2 and all(a != b for a, b in edges):
            return sorted(edges)


def demands(found: Circuit) -> tuple[Demand, ...]:
    """What the gates of a circuit need, without the first ones on single wires of |0...0⟩.

    Those make a product state, which no method has to exchange anything for.
    """
    _, gates = split_leading(applications(found.ops))
    return tuple(gate.demand for gate in gates)
