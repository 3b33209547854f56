"""Which of its wires a gate lets stand: those in whose bits its matrix is block-diagonal."""

from functools import lru_cache

import numpy as np

from quilt_func.derived import conjugate, controlled, inverse, power
from quilt_func.ops import Gate, Matrix


@lru_cache(maxsize=4096)
def standing(gate: Gate) -> tuple[bool, ...]:
    """Tell of each wire of a gate whether its matrix is block-diagonal in that wire's bit.

    A control is such a wire, and each wire of a diagonal gate. Where the bit is known, the gate is
    a smaller one on its other wires: so the wire may be one of a rank's number. What is said holds
    at all angles, by what the row states: its matrix, its generator, or what it was made of.

    Args:
        gate: A gate's row.

    Returns:
        For each wire, in the row's order, whether it stands; False where that is not known.

    Transforms:
        None: it reads a row only.

    Examples:
        >>> from quilt_func import controlled, cx, crz, u
        >>> standing(cx), standing(crz), standing(controlled(u))
        ((True, False), (True, True), (True, False))
    """
    if "diagonal" in gate.tags:
        return (True,) * gate.n_wires
    known = [_known(gate)]
    if gate.made_by(controlled):
        known.append((True, *standing(gate.made_by(controlled)[0])))
    for maker in (inverse, conjugate, power):  # a function of a matrix has its blocks, and more
        known += [standing(base) for base in gate.made_by(maker)[:1]]
    return tuple(map(any, zip(*known, strict=True)))


def _known(gate: Gate) -> tuple[bool, ...]:
    """What the zeros of a constant matrix or of a generator say."""
    if not callable(gate.matrix):
        return _blocks(gate.matrix, gate.n_wires)
    if gate.generator is not None:
        return _blocks(gate.generator, gate.n_wires)
    return (False,) * gate.n_wires


def _blocks(matrix: Matrix, n_wires: int) -> tuple[bool, ...]:
    """For each wire, whether all entries are 0 whose row and column differ in its bit."""
    found = np.asarray(matrix).reshape((2,) * (2 * n_wires))
    places = ((wire, n_wires + wire) for wire in range(n_wires))
    by_bits = (np.moveaxis(found, pair, (0, 1)) for pair in places)
    return tuple(not (one[0, 1].any() or one[1, 0].any()) for one in by_bits)
