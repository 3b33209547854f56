"""Gates on wires, as other libraries compose them: controlled, inverted, raised, conditional.

What is placed keeps its phase as `PHASE`, on no wires, since a control makes it matter.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from quilt_func._checks import is_number
from quilt_func._placed_gates import PHASE, Placed, composed, root
from quilt_func.convert.formulas import scaled
from quilt_func.derived import controlled as controlled_gate
from quilt_func.derived import power
from quilt_func.gates import p, x
from quilt_func.instruments import conditional, measure, reset
from quilt_func.ops import Gate, Matrix, Op
from quilt_func.typing import WireSet

MAX_GATE_WIRES = 8
"""A wider gate's matrix would be larger than 1 MiB."""


class CannotRaiseError(Exception):
    """A power that is not known."""


def phase(angle: Any) -> list[Placed]:
    """A global phase; none of angle 0."""
    return [] if is_number(angle) and angle == 0 else [Placed(PHASE, (angle,), ())]


def placed(gate: Gate, angles: Sequence[Any], wires: WireSet) -> Placed:
    """A gate on wires, with whole angles as floats."""
    return Placed(gate, tuple(float(a) if is_number(a) else a for a in angles), tuple(wires))


def of_matrix(name: str, matrix: Any, wires: WireSet) -> list[Placed]:
    """A constant unitary on wires, the first the most significant bit."""
    entries = np.ascontiguousarray(matrix, np.complex128)
    return [Placed(composed(name, len(wires), entries.tobytes()), (), tuple(wires))]


def little_endian(matrix: Any, n_wires: int) -> Matrix:
    """A matrix whose first wire is the most significant bit, for one whose first is the least."""
    axes = [*reversed(range(n_wires))]
    split = np.asarray(matrix, np.complex128).reshape((2,) * (2 * n_wires))
    turned = split.transpose([*axes, *(n_wires + axis for axis in axes)])
    return np.ascontiguousarray(turned.reshape(2**n_wires, 2**n_wires))


def controlled(found: Sequence[Placed], controls: WireSet, bits: Sequence[int]) -> list[Placed]:
    """Gates where controls have given bits."""
    if not controls:
        return [*found]
    inner = [_controlled(one, tuple(controls)) for one in found]
    flips = [Placed(x, (), (wire,)) for wire, bit in zip(controls, bits, strict=True) if not bit]
    return [*flips, *inner, *flips]


def _controlled(one: Placed, controls: WireSet) -> Placed:
    if one.gate is PHASE:
        return Placed(controlled_gate(p, len(controls) - 1), one.angles, controls)
    return Placed(controlled_gate(one.gate, len(controls)), one.angles, (*controls, *one.wires))


def inverted(found: Sequence[Placed]) -> list[Placed]:
    """The gates that undo others."""
    return [_inverse(one) for one in reversed(found)]


def _inverse(one: Placed) -> Placed:
    if one.gate.inverse is None:
        raise CannotRaiseError(f"the inverse of `{one.gate.name}`")
    gate, angles = one.gate.inverse(*one.angles)
    return Placed(gate, tuple(angles), one.wires)


def raised(found: Sequence[Placed], exponent: float, name: str) -> list[Placed]:
    """Gates to a power: angles scaled, repeated, or the principal power of the matrix.

    Raises:
        CannotRaiseError: If the exponent is not whole and the gates have no numbers for angles.
    """
    gates = [one for one in found if one.gate is not PHASE]
    if len(gates) == 1 == gates[0].gate.n_params and gates[0].gate.generator is not None:
        return [one._replace(angles=(scaled(one.angles[0], exponent),)) for one in found]
    if float(exponent).is_integer():
        return ([*found] if exponent > 0 else inverted(found)) * abs(int(exponent))
    if len(found) == 1 and not found[0].angles:
        return [found[0]._replace(gate=power(found[0].gate, exponent))]
    n_wires = len({wire for one in found for wire in one.wires})
    is_known = all(is_number(angle) for one in found for angle in one.angles)
    if not is_known or n_wires > MAX_GATE_WIRES:
        raise CannotRaiseError(f"the power {exponent} of `{name}`")
    return root(found, float(exponent), name) if found else []


def measured(wire: int, key: str) -> Placed:
    """A measurement of one wire."""
    return Placed(measure(wire, key).gate, (), (wire,))


def reset_to_zero(wire: int) -> Placed:
    """A reset of one wire."""
    return Placed(reset(wire).gate, (), (wire,))


def if_bits(found: Sequence[Placed], keys: Sequence[str], table: Sequence[int]) -> list[Placed]:
    """Gates that are applied at those outcomes of some keys for which a table has 1.

    A phase of all of it is one of a branch, and shows nowhere.
    """
    return [
        Placed(_conditional(one, tuple(keys), tuple(table)), one.angles, one.wires)
        for one in found
        if one.gate is not PHASE
    ]


def _conditional(one: Placed, keys: WireSet | tuple[str, ...], table: tuple[int, ...]) -> Gate:
    """The row: by a value where one outcome counts, so that it is written as one."""
    op = Op(one.gate, (one.wires,), (0.0,) * one.gate.n_params)
    if sum(table) == 1:
        return conditional(keys, op, table.index(1)).gate  # type: ignore[arg-type]
    return conditional(keys, op, table=table).gate  # type: ignore[arg-type]
