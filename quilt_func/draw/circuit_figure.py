"""Where each gate of a drawing goes, and the artists that show it."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch

from quilt_func._text_drawing import Texts, columns_of
from quilt_func.ops import Op, numbers
from quilt_func.typing import WireSet

INK, PAPER, WIRE = "#1B1B1B", "#FFFFFF", "#8A8A8A"
FILLS = {"plain": "#DCE9F5", "turn": "#FBE3D0", "own": "#E2EFDA"}
"""Constant gates, gates of angles, given matrices."""
_NARROW, _PER_CHARACTER, _HEIGHT = 0.72, 0.135, 0.66
_MARKS = ("●", "⊕", "×")
_MATHS_COMMAND, _MATHS_MARKS = re.compile(r"\\[A-Za-z]+"), str.maketrans("", "", "$_^{}")
_DENOMINATORS = (1, 2, 3, 4, 6, 8, 12, 16)


class Placed(NamedTuple):
    """A gate in a column: its wires, their labels, the text of its angles and its colour."""

    column: int
    wires: WireSet
    labels: tuple[str, ...]
    angles: str
    fill: str


class Row(NamedTuple):
    """Columns that stand side by side: their numbers, and the middle and width of each."""

    columns: range
    middles: tuple[float, ...]
    width: float


def placed(n_qubits: int, ops: Sequence[Op], texts: Texts | None = None) -> list[Placed]:
    """Put each gate into the first column that is free between its outer wires."""
    columns = columns_of(n_qubits, ops)
    found: list[Placed] = []
    for i, op in enumerate(ops):
        fill = "own" if op.gate.param_shape else "turn" if op.params else "plain"
        own = _angle_texts(op) if texts is None else texts[i]
        for wires, angles in zip(op.wires, own, strict=True):
            found.append(Placed(next(columns), wires, op.gate.symbol, angles, fill))
    return found


def rows(gates: Sequence[Placed], width: float) -> list[Row]:
    """Break the columns into rows of at most a width."""
    n_columns = 1 + max((gate.column for gate in gates), default=-1)
    widths = [_NARROW] * n_columns
    for gate in gates:
        widths[gate.column] = max(widths[gate.column], _box_width(gate))
    found: list[Row] = []
    middles: list[float] = []
    used = 0.0
    for column, own in enumerate(widths):
        if middles and used + own + 0.2 > width:
            found.append(Row(range(column - len(middles), column), tuple(middles), used))
            middles, used = [], 0.0
        middles.append(used + 0.1 + own / 2)
        used += own + 0.2
    return [*found, Row(range(n_columns - len(middles), n_columns), tuple(middles), used)]


def draw_row(axes: Axes, n_qubits: int, gates: Sequence[Placed], row: Row, top: float) -> None:
    """Draw wires, their names, and the gates of a row whose first wire is at height `top`."""
    for wire in range(n_qubits):
        axes.plot([-0.1, row.width + 0.1], [top - wire] * 2, color=WIRE, lw=1.1, zorder=0)
        name = f"$q_{{{wire}}}$"
        axes.text(-0.2, top - wire, name, ha="right", va="center", fontsize=12, color=INK)
    for gate in gates:
        if gate.column in row.columns:
            _draw_gate(axes, gate, row.middles[gate.column - row.columns.start], top)


def _draw_gate(axes: Axes, gate: Placed, x: float, top: float) -> None:
    heights = [top - wire for wire in gate.wires]
    if len(heights) > 1:
        axes.plot([x, x], [min(heights), max(heights)], color=INK, lw=1.3, zorder=1)
    if _is_one_box(gate):
        _box(axes, gate, x, (min(heights), max(heights)), gate.labels[0])
        return
    for label, y in zip(gate.labels, heights, strict=True):
        if label == "●":
            axes.add_patch(Circle((x, y), 0.085, facecolor=INK, edgecolor=INK, zorder=3))
        elif label == "⊕":
            axes.add_patch(Circle((x, y), 0.2, facecolor=PAPER, edgecolor=INK, lw=1.3, zorder=2))
            axes.plot([x - 0.2, x + 0.2], [y, y], color=INK, lw=1.3, zorder=3)
            axes.plot([x, x], [y - 0.2, y + 0.2], color=INK, lw=1.3, zorder=3)
        elif label == "×":
            for slope in (-1, 1):
                ends = [y - 0.12 * slope, y + 0.12 * slope]
                axes.plot([x - 0.12, x + 0.12], ends, color=INK, lw=1.6, zorder=3)
        else:
            _box(axes, gate, x, (y, y), label)


def _is_one_box(gate: Placed) -> bool:
    """Whether neighbouring wires bear one label, such as the two of `rxx`."""
    first, last = min(gate.wires), max(gate.wires)
    is_whole = len(gate.wires) == last - first + 1 > 1
    return is_whole and len(set(gate.labels)) == 1 and gate.labels[0] not in _MARKS


def _box(axes: Axes, gate: Placed, x: float, ends: tuple[float, float], label: str) -> None:
    width, (low, high) = _box_width(gate), ends
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, low - _HEIGHT / 2), width, high - low + _HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.06", facecolor=FILLS[gate.fill],
            edgecolor=INK, lw=1.1, zorder=2,
        )
    )  # fmt: skip
    middle, shift = (low + high) / 2, 0.12 if gate.angles else 0.0
    kind: dict[str, Any] = {"ha": "center", "va": "center", "color": INK, "zorder": 4}
    base, _, exponent = label.partition("^")
    shown = f"{base}$^{{{exponent}}}$" if exponent else label
    axes.text(x, middle + shift, shown, fontsize=11, **kind)
    if gate.angles:
        axes.text(x, middle - 0.17, gate.angles, fontsize=8, **kind)


def _box_width(gate: Placed) -> float:
    boxed = [1.25 * len(label) for label in gate.labels if label not in _MARKS]
    longest = max([*boxed, _length(gate.angles)]) if boxed else 0
    return max(_NARROW, 0.22 + _PER_CHARACTER * longest)


def _length(text: str) -> int:
    """Characters that a text shows, of which mathematics hides its marks."""
    return len(_MATHS_COMMAND.sub("x", text).translate(_MATHS_MARKS))


def _angle_texts(op: Op) -> Iterator[str]:
    """The angles of each wire set; given matrices and hidden values have none."""
    if op.gate.param_shape or not op.params:
        return iter([""] * len(op))
    found = [numbers(param, len(op)) for param in op.params]
    columns = [["…"] * len(op) if one is None else map(angle_text, one) for one in found]
    return (", ".join(texts) for texts in zip(*columns, strict=True))


def angle_text(value: float) -> str:
    """An angle to three digits, or a fraction of π where it is one to six digits."""
    for denominator in _DENOMINATORS if abs(value) < 100 else ():
        times = value * denominator / math.pi
        if round(times) and abs(times - round(times)) < 1e-6 * max(1.0, abs(times)):
            sign, count = "−" if times < 0 else "", abs(round(times))
            top = f"{sign}{'' if count == 1 else count}π"
            return top if denominator == 1 else f"{top}/{denominator}"
    return f"{value:.3g}".replace("-", "−")
