"""A block's matrix as a product of factors, first to act first.

Gates are sorted into layers that alternate between *local* ones, which are Kronecker products of 2
by 2 matrices, and *mixed* ones. Neighbouring constant gates become one constant matrix here and
now, and if that has one entry per row, as CX, X, CZ or SWAP have, it is taken in by the factor
before it, as an order of rows: such gates cost no arithmetic later.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from quilt_func.evolution.steps.embedding import embedded, places
from quilt_func.evolution.steps.kind import Applied, Index
from quilt_func.ops import Matrix
from quilt_func.typing import WireSet

MAX_SLOTS = 4
"""Gates of one mixed factor; each costs a gather of the whole matrix."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a factor's matrix, in an order and with factors: `row_factors * matrix[order]`."""

    order: Index
    row_factors: Matrix

    def followed_by(self, monomial: Matrix) -> "Rows":
        """The same of the product of a matrix with one entry per row and this factor."""
        source = (monomial != 0).argmax(1)
        row_factors = monomial[np.arange(len(source)), source] * self.row_factors[source]
        return Rows(self.order[source], row_factors)


@dataclass(frozen=True, eq=False)
class Factor:
    """A part of a block's matrix: local gates, gates whose entries multiply, or a constant.

    Attributes:
        kind: "local", "mixed" or "constant".
        gates: Its gates, in order.
        rows: What its matrix's rows become.
        matrix: Of a constant.
    """

    kind: str
    gates: list[Applied]
    rows: Rows
    matrix: Matrix | None = None


def factors(gates: Iterable[Applied], wires: WireSet, *, joins: bool = True) -> list[Factor]:
    """Write the matrix of a block's gates as a product, first to act first.

    A gate joins the earliest layer of its kind that comes after all gates before it on its wires;
    if a constant one-wire gate `joins`, this may be a mixed layer.
    """
    identity = all_rows(len(wires))
    found: list[Factor] = []
    for layer in layered(gates, wires, joins=joins):
        if layer.kind != "constant":
            found.append(Factor(layer.kind, layer.gates, identity))
            continue
        matrix = _multiplied(layer.gates, wires)
        if _is_monomial(matrix):
            last = found.pop() if found else Factor("local", [], identity)
            found.append(replace(last, rows=last.rows.followed_by(matrix)))
        else:
            found.append(Factor("constant", layer.gates, identity, matrix))
    return found


@lru_cache(maxsize=64)
def all_rows(width: int) -> Rows:
    """A matrix's rows as they are."""
    return Rows(np.arange(2**width), np.ones(2**width, dtype=np.complex128))


@dataclass(frozen=True)
class Layer:
    """Gates that make one factor."""

    kind: str
    gates: list[Applied] = field(default_factory=list)


def layered(gates: Iterable[Applied], wires: WireSet, *, joins: bool = True) -> list[Layer]:
    """Sort a block's gates into layers; see `factors`."""
    level = dict.fromkeys(wires, 0)
    members: dict[int, list[Applied]] = defaultdict(list)
    for gate in gates:
        latest = max(level[wire] for wire in gate.wires)
        is_local = len(gate.wires) == 1 and not (joins and gate.is_constant and latest % 2)
        place = latest + (latest % 2 == is_local)
        members[place].append(gate)
        level.update(dict.fromkeys(gate.wires, place))
    found: list[Layer] = []
    for place, own in sorted(members.items()):
        found += _mixed(own) if place % 2 else [Layer("local", own)]
    return found


def _mixed(gates: Iterable[Applied]) -> list[Layer]:
    """Split a mixed layer into runs of constant gates, and of gates whose entries just multiply."""
    found: list[Layer] = []
    for gate in gates:
        kind = "constant" if gate.is_constant else "mixed"
        if found and found[-1].kind == kind and _joins(gate, found[-1].gates):
            found[-1].gates.append(gate)
        else:
            found.append(Layer(kind, [gate]))
    return found


def _joins(gate: Applied, gates: Sequence[Applied]) -> bool:
    if gate.is_constant:
        return True
    others = {wire for other in gates for wire in other.wires}
    diagonal = all("diagonal" in other.gate.tags for other in (gate, *gates))
    return len(gates) < MAX_SLOTS and (diagonal or others.isdisjoint(gate.wires))


def _is_monomial(matrix: Matrix) -> bool:
    return bool(((matrix != 0).sum(1) == 1).all())


def _multiplied(gates: Iterable[Applied], wires: WireSet) -> Matrix:
    matrix: Matrix = np.eye(2 ** len(wires), dtype=np.complex128)
    for gate in gates:
        matrix = embedded(gate.gate, places(gate, wires), len(wires)) @ matrix
    return matrix
