"""Families of circuits to draw from, where a search for slow circuits may find what no one chose.

A draw is a pure function of a seed, a number and the greatest width.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from .circuits import (
    Circuit,
    Observable,
    Row,
    Rows,
    brick,
    cut,
    encoding,
    far,
    hea,
    ising,
    qaoa,
    regular_graph,
    rotations,
    single_z,
)

N_FEATURES = 2
WIDEST, NARROWEST = 18, 4
WORK = 2**24
"""Amplitudes times gates of a circuit, times samples: what a draw keeps within."""
WRITINGS = ("gates", "layers", "indexed", "scaled")
"""One op per gate; one per row of a layer; `p[index]`; `p[index] * scale`."""
BATCHES = (8, 32, 128)


@dataclass(frozen=True)
class Drawn:
    """One draw: a circuit, what is measured, samples if any, and how our side writes it."""

    family: str
    circuit: Circuit
    observable: Observable
    n_samples: int
    writing: str


def draw(seed: int, index: int, widest: int = WIDEST) -> Drawn:
    """Draw a circuit, the families taking turns; one in three has a batch of samples."""
    rng = np.random.default_rng((seed, index, widest))
    family = list(FAMILIES)[index % len(FAMILIES)]
    low, high, depths = FAMILIES[family].bounds
    n = int(rng.integers(min(low, widest), min(high, widest) + 1))
    depth = int(rng.choice(depths))
    circuit, observable = FAMILIES[family].make(n, depth, int(rng.integers(2**31)))
    writing = str(rng.choice(WRITINGS))
    batch = int(rng.choice(BATCHES)) if rng.random() < 1 / 3 and family != "qaoa" else 0
    circuit = _shortened(circuit, WORK // max(1, batch))
    if not batch:
        return Drawn(family, circuit, observable, 0, writing)
    circuit = replace(circuit, prefix=encoding(circuit.n, N_FEATURES))
    return Drawn(family, circuit, single_z(circuit.n), batch, writing)


def reach(n: int, n_layers: int) -> Circuit:
    """RY on every wire, then CNOTs around the ring, a wire farther in each layer."""

    def layer(step: int) -> Rows:
        pairs = tuple((i, (i + step) % n) for i in range(n))
        return rotations("ry", range(n)), Row("cx", pairs)

    return Circuit(n, (), tuple(layer(1 + i % (n - 1)) for i in range(n_layers)), n)


def full(n: int, n_layers: int) -> Circuit:
    """RX on every wire, then RZZ on all pairs, each with its own angle."""
    pairs = tuple(combinations(range(n), 2))
    width = n + len(pairs)
    layer = (rotations("rx", range(n)), Row("rzz", pairs, tuple(range(n, width))))
    return Circuit(n, (), (layer,) * n_layers, width)


def words(n: int, n_layers: int, seed: int) -> Circuit:
    """Rotations of random Pauli words on two to four wires, as many in a layer as wires."""
    rng = np.random.default_rng(seed)

    def row(column: int) -> Row:
        size = int(rng.integers(2, min(4, n) + 1))
        wires = tuple(sorted(int(wire) for wire in rng.permutation(n)[:size]))
        return Row("".join(rng.choice(list("XYZ"), size)), (wires,), (column,))

    layers = tuple(tuple(row(i) for i in range(n)) for _ in range(n_layers))
    return Circuit(n, (), layers, n)


@dataclass(frozen=True)
class Family:
    """How a family makes a circuit and an observable: from qubits, layers and a seed.

    Attributes:
        make: Maker.
        bounds: Fewest and most qubits, and depths to choose from.
    """

    make: Callable[[int, int, int], tuple[Circuit, Observable]]
    bounds: tuple[int, int, tuple[int, ...]]


def _shortened(circuit: Circuit, work: int) -> Circuit:
    """As many of the first layers as the work allows, at least one."""
    n_gates = max(1, circuit.n_gates // len(circuit.layers))
    kept = max(1, work // (2**circuit.n * n_gates))
    return replace(circuit, layers=circuit.layers[:kept])


def _qaoa(n: int, depth: int, seed: int) -> tuple[Circuit, Observable]:
    n += n % 2  # three edges at every node make an even number of nodes
    edges = regular_graph(n, seed)
    return qaoa(n, depth, edges), cut(n, edges)


def _ising(
    make: Callable[[int, int, int], Circuit], low: int, high: int, depths: tuple[int, ...]
) -> Family:
    return Family(lambda n, depth, seed: (make(n, depth, seed), ising(n)), (low, high, depths))


COMMON, DEEP, SHALLOW = (2, 4, 8), (50, 100, 150), (1, 2)
FAMILIES: dict[str, Family] = {
    "chain": _ising(lambda n, depth, _: hea(n, depth), NARROWEST, WIDEST, COMMON),
    "words": _ising(words, NARROWEST, 14, COMMON),
    "far": _ising(far, NARROWEST, WIDEST, COMMON),
    "reach": _ising(lambda n, depth, _: reach(n, depth), NARROWEST, WIDEST, COMMON),
    "deep": _ising(lambda n, depth, _: hea(n, depth), NARROWEST, 6, DEEP),
    "qaoa": Family(_qaoa, (NARROWEST, WIDEST, COMMON)),
    "full": _ising(lambda n, depth, _: full(n, depth), NARROWEST, 14, COMMON),
    "brick": _ising(lambda n, depth, _: brick(n, depth), NARROWEST, WIDEST, COMMON),
    "wide": _ising(lambda n, depth, _: brick(n, depth), 15, WIDEST, SHALLOW),
}
