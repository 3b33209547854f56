"""Circuits and observables as plain integers, so that every library builds the same ones.

A circuit is a prefix, then layers. Layer `l` takes its angles from row `l` of one array
`(n_layers, width)`; the prefix takes its angles from the features of a sample. Wire 0 is the most
significant bit, and a rotation by `t` is `exp(-i t/2 P)`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

Wires: TypeAlias = tuple[int, ...]

ROTATIONS = ("rx", "ry", "rz", "rzz")
CONSTANTS = ("h", "cx", "cz")


@dataclass(frozen=True)
class Row:
    """One gate on many sets of wires, applied in order.

    Attributes:
        gate: One of `ROTATIONS` or `CONSTANTS`, or a Pauli word `P` such as XZY for the rotation
            `exp(-i t/2 P)`.
        wires: The wire sets.
        angles: For rotations, the column of the angle of each set; empty for constants.
    """

    gate: str
    wires: tuple[Wires, ...]
    angles: tuple[int, ...] = ()


Rows: TypeAlias = tuple[Row, ...]


@dataclass(frozen=True)
class Circuit:
    """A prefix fed by features, then layers fed by parameters."""

    n: int
    prefix: Rows
    layers: tuple[Rows, ...]
    width: int

    @property
    def rows(self) -> Rows:
        """All rows in order."""
        return self.prefix + tuple(row for layer in self.layers for row in layer)

    @property
    def n_gates(self) -> int:
        """Number of gates."""
        return sum(len(row.wires) for row in self.rows)

    @property
    def has_words(self) -> bool:
        """Whether it rotates Pauli words."""
        return any(row.gate.isupper() for row in self.rows)


@dataclass(frozen=True)
class Observable:
    """Pauli words with real coefficients."""

    words: tuple[str, ...]
    coefficients: tuple[float, ...]


def is_rotation(gate: str) -> bool:
    """Whether a gate takes an angle."""
    return gate in ROTATIONS or gate.isupper()


def rotations(gate: str, wires: Iterable[int], first: int = 0) -> Row:
    """One rotation on each wire, with angles from consecutive columns."""
    sets = tuple((wire,) for wire in wires)
    return Row(gate, sets, tuple(range(first, first + len(sets))))


def encoding(n: int, n_features: int) -> Rows:
    """An RY of feature `i % n_features` on wire `i`."""
    return (Row("ry", tuple((i,) for i in range(n)), tuple(i % n_features for i in range(n))),)


def hea(n: int, n_layers: int, prefix: Rows = ()) -> Circuit:
    """The hardware-efficient circuit: RY and RZ on every wire, then a chain of CNOTs."""
    chain = Row("cx", tuple((i, i + 1) for i in range(n - 1)))
    layer = (rotations("ry", range(n)), rotations("rz", range(n), n), chain)
    return Circuit(n, prefix, (layer,) * n_layers, 2 * n)


def hea_with_feed_forward(n: int, n_measured: int, n_layers: int) -> Circuit:
    """Two times so many layers of `hea`, and RY on wires 1, 2, ... between them."""
    layers = hea(n, n_layers).layers
    turns = (rotations("ry", range(1, n_measured + 1)),)
    return Circuit(n, (), (*layers, turns, *layers), 2 * n)


def brick(n: int, n_layers: int) -> Circuit:
    """RX and RZ on every wire, then a brick wall of CZ."""
    pairs = (*range(0, n - 1, 2), *range(1, n - 1, 2))
    wall = Row("cz", tuple((i, i + 1) for i in pairs))
    layer = (rotations("rx", range(n)), rotations("rz", range(n), n), wall)
    return Circuit(n, (), (layer,) * n_layers, 2 * n)


def ring(n: int, n_layers: int) -> Circuit:
    """RY on every wire, RZZ around the ring, then CNOTs across it."""
    around = Row("rzz", tuple((i, (i + 1) % n) for i in range(n)), tuple(range(n, 2 * n)))
    across = Row("cx", tuple((i, i + n // 2) for i in range(n // 2)))
    return Circuit(n, (), ((rotations("ry", range(n)), around, across),) * n_layers, 2 * n)


def far(n: int, n_layers: int, seed: int = 0) -> Circuit:
    """RY and RZ on every wire, then CNOTs on random pairs, drawn anew for each layer."""
    rng = np.random.default_rng(seed)

    def layer() -> Rows:
        order = [int(wire) for wire in rng.permutation(n)]
        pairs = tuple(zip(order[::2], order[1::2], strict=False))
        return rotations("ry", range(n)), rotations("rz", range(n), n), Row("cx", pairs)

    return Circuit(n, (), tuple(layer() for _ in range(n_layers)), 2 * n)


def qaoa(n: int, n_layers: int, edges: tuple[Wires, ...]) -> Circuit:
    """Hadamards, then layers of RZZ along the edges (column 0) and RX everywhere (column 1)."""
    start = (Row("h", tuple((i,) for i in range(n))),)
    cost = Row("rzz", edges, (0,) * len(edges))
    mixer = Row("rx", tuple((i,) for i in range(n)), (1,) * n)
    return Circuit(n, start, ((cost, mixer),) * n_layers, 2)


def tfim(n: int, n_layers: int) -> Circuit:
    """Hadamards, then layers of RZZ along a chain and RX, each with an angle of its own."""
    start = (Row("h", tuple((i,) for i in range(n))),)
    chain = Row("rzz", tuple((i, i + 1) for i in range(n - 1)), tuple(range(n - 1)))
    layer = (chain, rotations("rx", range(n), n - 1))
    return Circuit(n, start, (layer,) * n_layers, 2 * n - 1)


def kernel_map(n: int, n_layers: int) -> Circuit:
    """A feature map: Hadamards once, then per layer RZ of each feature and RZZ of neighbours.

    Without parameters: the rotations of all layers are a prefix fed by `2 n - 1` features.
    """
    wall = Row("rzz", tuple((i, i + 1) for i in range(n - 1)), tuple(range(n, 2 * n - 1)))
    mix = Row("h", tuple((i,) for i in range(n)))
    return Circuit(n, (mix, rotations("rz", range(n)), wall) * n_layers, (), 0)


def regular_graph(n: int, seed: int = 0, degree: int = 3) -> tuple[Wires, ...]:
    """A random regular simple graph, by drawing pairings until one has no loop and no double."""
    rng = np.random.default_rng(seed)
    while True:
        ends = rng.permutation(np.repeat(np.arange(n), degree)).reshape(-1, 2)
        edges = {(int(min(pair)), int(max(pair))) for pair in ends}
        if len(edges) == len(ends) and all(a != b for a, b in edges):
            return tuple(sorted(edges))


def word(n: int, letters: dict[int, str]) -> str:
    """The Pauli word with these letters at these wires."""
    return "".join(letters.get(i, "I") for i in range(n))


def ising(n: int, field: float = 1.0) -> Observable:
    """The open transverse-field Ising chain: `-Σ Z Z - field Σ X`."""
    bonds = [word(n, {i: "Z", i + 1: "Z"}) for i in range(n - 1)]
    sites = [word(n, {i: "X"}) for i in range(n)]
    return Observable((*bonds, *sites), (-1.0,) * len(bonds) + (-field,) * n)


def cut(n: int, edges: tuple[Wires, ...]) -> Observable:
    """The cut's ZZ terms along the edges of a graph."""
    words = tuple(word(n, {a: "Z", b: "Z"}) for a, b in edges)
    return Observable(words, (0.5,) * len(words))


def single_z(n: int) -> Observable:
    """Pauli Z on wire 0."""
    return Observable((word(n, {0: "Z"}),), (1.0,))


ANSATZE: dict[str, Callable[[int, int], Circuit]] = {
    "vqe": hea, "brick": brick, "ring": ring, "far": far, "tfim": tfim,
}  # fmt: skip
