"""Text drawing of ops. It never raises: unreadable values are shown by their shape."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from quilt_func._torch import is_transformed
from quilt_func.ops import Op
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
    if isinstance(param, float):
        return [f"{param:.3g}"] * m
    if not isinstance(param, Tensor) or param.ndim != 1 or _is_unreadable(param):
        return [_shape_text(param)] * m
    return [f"{value:.3g}" for value in param.detach().tolist()]


def _shape_text(param: object) -> str:
    if not isinstance(param, Tensor):
        return type(param).__name__
    return f"{str(param.dtype).removeprefix('torch.')}{list(param.shape)}"


def _is_unreadable(tensor: Tensor) -> bool:
    return is_transformed(tensor) or tensor.is_meta or type(tensor) is not Tensor


def _layout(n_qubits: int, ops: Sequence[Op]) -> tuple[list[_Column], int]:
    columns: list[_Column] = []
    frontier = [0] * n_qubits
    shown = 0
    for wires, labels in _gates(ops):
        if shown == _MAX_GATES:
            break
        first, last = min(wires), max(wires)
        place = max(frontier[first : last + 1])
        if place == len(columns):
            columns.append(_Column({}, []))
        columns[place].labels.update(zip(wires, labels, strict=True))
        columns[place].spans.append((first, last))
        frontier[first : last + 1] = [place + 1] * (last + 1 - first)
        shown += 1
    return columns, shown


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
