r"""Clifford circuits that make commuting Pauli words words of I and Z, up to a sign.

A word is two rows of bits, `x` for its X and Y letters and `z` for its Z and Y letters, and a sign.
Of a word with an `x` on a wire, gates leave that letter alone, an X; `h` makes it Z. Words that
commute with it have none on that wire from then on, so that each wire is met once at most.

References:
    Aaronson and Gottesman (2004), Phys. Rev. A 70, 052328, for the rules of signs.
    van den Berg and Temme (2020), Quantum 4, 322, for words that are made diagonal together.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quilt_func.circuits import Circuit, circuit
from quilt_func.gates import cx, cz, h, sdg

Bits = NDArray[np.uint8]

_GATES = {"h": h, "sdg": sdg, "cx": cx, "cz": cz}


class Rotation(NamedTuple):
    """A circuit, what it makes of each word, a word of I and Z, and the sign of that."""

    circuit: Circuit
    readings: tuple[str, ...]
    signs: tuple[int, ...]


def rotation_of(words: Sequence[str], first: Iterable[str] = ()) -> Rotation:
    """Rotate words that commute. Those that come first decide which gates there are."""
    leading = tuple(first)
    table = _Table([*leading, *words])
    for row in range(len(table.x)):
        table.make_diagonal(row)
    places = range(len(leading), len(table.x))
    readings = ("".join("Z" if bit else "I" for bit in table.z[place]) for place in places)
    signs = (1 - 2 * int(table.sign[place]) for place in places)
    return Rotation(_circuit(len(words[0]), table.steps), tuple(readings), tuple(signs))


def bits_of(words: Sequence[str], letters: str) -> Bits:
    """Where words have one of some letters, `(n_words, n)`."""
    return np.array([[letter in letters for letter in word] for word in words], dtype=np.uint8)


class _Table:
    """Words under the gates so far."""

    def __init__(self, words: Sequence[str]) -> None:
        self.x, self.z = bits_of(words, "XY"), bits_of(words, "YZ")
        self.sign = np.zeros(len(words), dtype=np.uint8)
        self.steps: list[tuple[str, tuple[int, ...]]] = []

    def make_diagonal(self, row: int) -> None:
        """Add gates after which a word has Z and I only."""
        flips = np.flatnonzero(self.x[row]).tolist()
        if not flips:
            return
        pivot = flips[0]
        for wire in flips[1:]:
            self.cx(pivot, wire)
        if self.z[row, pivot]:
            self.sdg(pivot)
        for wire in np.flatnonzero(self.z[row]).tolist():
            self.cz(pivot, wire)
        self.h(pivot)

    def h(self, a: int) -> None:
        self.sign ^= self.x[:, a] & self.z[:, a]
        self.x[:, a], self.z[:, a] = self.z[:, a].copy(), self.x[:, a].copy()
        self.steps.append(("h", (a,)))

    def sdg(self, a: int) -> None:
        """It makes X of Y, and -Y of X."""
        self.sign ^= self.x[:, a] & (1 ^ self.z[:, a])
        self.z[:, a] ^= self.x[:, a]
        self.steps.append(("sdg", (a,)))

    def cx(self, a: int, b: int) -> None:
        self.sign ^= self.x[:, a] & self.z[:, b] & (self.x[:, b] ^ self.z[:, a] ^ 1)
        self.x[:, b] ^= self.x[:, a]
        self.z[:, a] ^= self.z[:, b]
        self.steps.append(("cx", (a, b)))

    def cz(self, a: int, b: int) -> None:
        self.sign ^= self.x[:, a] & self.x[:, b] & (self.z[:, a] ^ self.z[:, b])
        self.z[:, a] ^= self.x[:, b]
        self.z[:, b] ^= self.x[:, a]
        self.steps.append(("cz", (a, b)))


def _circuit(n_qubits: int, steps: Iterable[tuple[str, tuple[int, ...]]]) -> Circuit:
    """A circuit of gates, equal ones in a row as one op."""
    ops = []
    for name, run in groupby(steps, key=lambda step: step[0]):
        sets = [wires if len(wires) > 1 else wires[0] for _, wires in run]
        ops.append(_GATES[name](sets))
    return circuit(n_qubits, ops)
