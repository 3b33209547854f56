"""Random circuits of uniform numbers: the same numbers give the same circuit."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    check_count,
    check_is,
    check_tensor,
    describe,
    is_hidden,
    message,
)
from quilt_func.circuits import Circuit, circuit
from quilt_func.gates import cx, cz, h, rx, ry, rz, rzz
from quilt_func.ops import Gate, Op
from quilt_func.typing import WireSet

DRAWN = (h, rx, ry, rz, cx, cz, rzz)
"""What gates are drawn from, unless others are given."""


def random_circuit(
    n_qubits: int, depth: int, u: Tensor, *, gates: Iterable[Gate] = DRAWN
) -> Circuit:
    """A circuit of random gates, angles and wires, with one gate on every wire in each moment.

    A moment goes through the wires in a random order; each gate is any of those that the wires
    which are left have room for. Angles are uniform in [0, 2π).

    Args:
        n_qubits: Number of wires.
        depth: Number of moments, the circuit's `depth`.
        u (real, (depth, n_qubits, 3 or more)): Uniform numbers in [0, 1), from `uniforms`: order,
            gate and angle; one more for each further angle of a gate.
        gates: Gates to draw from; at least one acts on one wire, and none takes a matrix.

    Returns:
        The circuit; its angles are tensors of the dtype and device of `u`.

    Raises:
        TypeError: If a count is not an int, `u` no real tensor or hidden behind a transform, or a
            gate no gate.
        ValueError: If a shape does not fit, or no gate acts on one wire.

    Transforms:
        None: `u` is read to make a structure. Structures that map over a batch are data: see
        `choice`.

    Examples:
        >>> from quilt_func import uniforms
        >>> print(random_circuit(3, 2, uniforms((2, 3, 3), 5)).draw(values=False))
        q0: ─H──RY─
        <BLANKLINE>
        q1: ─●──●──
             │  │
        q2: ─●──⊕──

    References:
        Arute et al. (2019), Nature 574, 505, for random circuits in use.
    """
    check_count("random_circuit", "n_qubits", n_qubits)
    check_count("random_circuit", "depth", depth)
    rows = _gates(gates)
    n_angles = max(1, *(row.n_params for row in rows))
    check_tensor(
        "random_circuit", "u", u, COMPLEX_OF, (depth, n_qubits, ...),
        "Draw it with `uniforms((depth, n_qubits, 3), seed)`.",
    )  # fmt: skip
    if u.ndim != 3 or u.shape[-1] < 2 + n_angles:
        need = f"have shape ({depth}, {n_qubits}, {2 + n_angles}) or more numbers at last"
        got = f"shape {tuple(u.shape)}"
        remedy = "Give numbers for order, gate and each angle."
        raise ValueError(message("random_circuit", "u", u, need, got, remedy))
    if is_hidden(u):
        need, remedy = "be read to make a structure", "Choose gates by `choice` under a transform."
        raise TypeError(message("random_circuit", "u", u, need, describe(u), remedy))
    orders, kinds = u[..., 0].argsort(-1).tolist(), u[..., 1].detach().tolist()
    angles = 2 * math.pi * u[..., 2:]
    moments = zip(orders, kinds, angles, strict=True)
    return circuit(n_qubits, [_moment(rows, *moment) for moment in moments])


def _moment(rows: Sequence[Gate], order: list[int], kinds: list[float], angles: Tensor) -> list[Op]:
    """Gates that cover all wires once: one op for each kind."""
    sets: dict[Gate, list[WireSet]] = {}
    while order:
        fitting = [row for row in rows if row.n_wires <= len(order)]
        row = fitting[min(int(kinds[order[0]] * len(fitting)), len(fitting) - 1)]
        sets.setdefault(row, []).append(tuple(order[: row.n_wires]))
        order = order[row.n_wires :]
    return [_on(row, found, angles) for row, found in sets.items()]


def _on(row: Gate, sets: list[WireSet], angles: Tensor) -> Op:
    """A gate on wires, by the angles of the first wire of each set."""
    own = angles[[wires[0] for wires in sets]].unbind(-1)[: row.n_params]
    wires: Any = [wire for (wire,) in sets] if row.n_wires == 1 else sets
    return row(*own, wires)


def _gates(given: Any) -> tuple[Gate, ...]:
    remedy = "Give gates such as `[h, rx, cx]`, without calling them."
    check_is("random_circuit", "gates", given, Iterable, "be gates", remedy)
    rows = tuple(given)
    for row in rows:
        check_is("random_circuit", "gates", row, Gate, "be gates", remedy)
        if row.param_shape or row.refusal:
            got, need = "another kind" if row.refusal else "one of a matrix", "be gates of angles"
            raise ValueError(message("random_circuit", "gates", row, need, got, remedy))
    if not any(row.n_wires == 1 for row in rows):
        need, got = "hold one of a single wire", f"{[row.name for row in rows]}"
        raise ValueError(message("random_circuit", "gates", rows, need, got, "Add `h`, say."))
    return rows
