"""Text drawing of ops. It never raises: unreadable values are shown by their shape."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from torch import Tensor

from quilt_func.ops import Op, numbers
from quilt_func.typing import WireSet

_MAX_GATES = 400


@dataclass
class _Column:
    """Labels by wire, and the pairs (first, last) of wires that a vertical line joins."""

    labels: dict[int, str]
    spans: list[tuple[int, int]]


def draw_text(n_qubits: int, ops: Sequence[Op], width: int = 100) -> str:
    """Draw ops as text, wrapped at a width in characters."""
    columns, shown = _layout(n_qubits, ops)
    columns = columns or [_Column({}, [])] * (n_qubits > 0)  # wires without gates
    prefix = len(f"q{max(n_qubits - 1, 0)}: ")
    blocks: list[str] = []
    current: list[list[str]] = []
    used = prefix
    for column in columns:
        cells = _render(n_qubits, column)
        if current and used + len(cells[0]) > width:
            blocks.append(_join(n_qubits, current, prefix))
            current, used = [], prefix
        current.append(cells)
        used += len(cells[0])
    blocks.append(_join(n_qubits, current, prefix))
    total = sum(len(op) for op in ops)
    more = [f"... {total - shown} more gates"] if shown < total else []
    return "\n\n".join(blocks + more)


def _gates(ops: Iterable[Op]) -> Iterator[tuple[WireSet, tuple[str, ...]]]:
    for op in ops:
        texts = [_parameter_texts(param, len(op)) for param in op.params]
        for i, wires in enumerate(op.wires):
            angles = f"({', '.join(text[i] for text in texts)})" if texts else ""
            symbol = op.gate.symbol
            yield wires, tuple(s if s == "●" else s + angles for s in symbol)


def _parameter_texts(param: object, m: int) -> list[str]:
    found = numbers(param, m) if type(param) in (float, Tensor) else None
    return [_shape_text(param)] * m if found is None else [f"{value:.3g}" for value in found]


def _shape_text(param: object) -> str:
    if not isinstance(param, Tensor):
        return type(param).__name__
    return f"{str(param.dtype).removeprefix('torch.')}{list(param.shape)}"


def columns_of(n_qubits: int, sets: Iterable[WireSet]) -> Iterator[int]:
    """For each gate's wires, the first column that is free between the outer ones."""
    free = [0] * n_qubits
    for wires in sets:
        between = slice(min(wires), max(wires) + 1)
        column = max(free[between])
        free[between] = [column + 1] * len(free[between])
        yield column


def _layout(n_qubits: int, ops: Sequence[Op]) -> tuple[list[_Column], int]:
    columns: list[_Column] = []
    gates = list(islice(_gates(ops), _MAX_GATES))
    places = columns_of(n_qubits, (wires for wires, _ in gates))
    for (wires, labels), place in zip(gates, places, strict=True):
        if place == len(columns):
            columns.append(_Column({}, []))
        columns[place].labels.update(zip(wires, labels, strict=True))
        columns[place].spans.append((min(wires), max(wires)))
    return columns, len(gates)


def _render(n_qubits: int, column: _Column) -> list[str]:
    """Lines of a column: a wire, the gap below it, the next wire, and so on."""
    width = max(map(len, column.labels.values()), default=1) + 2
    lines = []
    for wire in range(n_qubits):
        crossed = any(first < wire < last for first, last in column.spans)
        label = column.labels.get(wire, "┼" if crossed else "─")
        lines.append(label.center(width, "─"))
        joined = any(first <= wire < last for first, last in column.spans)
        lines.append(("│" if joined else " ").center(width))
    return lines


def _join(n_qubits: int, columns: list[list[str]], prefix: int) -> str:
    lines = []
    for row in range(max(2 * n_qubits - 1, 0)):
        head = f"q{row // 2}: " if row % 2 == 0 else ""
        lines.append((head.ljust(prefix) + "".join(cells[row] for cells in columns)).rstrip())
    return "\n".join(lines)
