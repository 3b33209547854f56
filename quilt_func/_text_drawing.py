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
    if not n_qubits:
        return ""
    prefix = len(f"q{n_qubits - 1}: ")
    heads = [text.ljust(prefix) for wire in range(n_qubits) for text in (f"q{wire}: ", "")]
    blocks, used = [[heads]], prefix
    for column in _layout(n_qubits, ops) or [_Column({}, [])]:  # wires without gates
        cells = _render(n_qubits, column)
        if len(blocks[-1]) > 1 and used + len(cells[0]) > width:
            blocks.append([heads])
            used = prefix
        blocks[-1].append(cells)
        used += len(cells[0])
    texts = [_joined(block) for block in blocks]
    more = sum(len(op) for op in ops) - _MAX_GATES
    return "\n\n".join(texts + [f"... {more} more gates"] * (more > 0))


def _joined(columns: list[list[str]]) -> str:
    """Columns side by side, without the gap below the last wire."""
    lines = ["".join(cells).rstrip() for cells in zip(*columns, strict=True)]
    return "\n".join(lines[:-1])


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


def columns_of(n_qubits: int, ops: Iterable[Op]) -> Iterator[int]:
    """For each gate, the first column that is free between its outer wires.

    What reads an outcome comes after what writes it, and before what overwrites it.
    """
    free, written, read = [0] * n_qubits, dict[str, int](), dict[str, int]()
    for op in ops:
        own, others = op.gate.writes, op.gate.reads
        for wires in op.wires:
            between = slice(min(wires), max(wires) + 1)
            known = [written.get(key, 0) for key in (*others, own)] + [read.get(own, 0)]
            column = max(*free[between], *known)
            free[between] = [column + 1] * len(free[between])
            written |= {own: column + 1} if own else {}
            read |= {key: max(column + 1, read.get(key, 0)) for key in others}
            yield column


def _layout(n_qubits: int, ops: Sequence[Op]) -> list[_Column]:
    columns: list[_Column] = []
    gates = list(islice(_gates(ops), _MAX_GATES))
    places = columns_of(n_qubits, ops)
    for (wires, labels), place in zip(gates, places, strict=False):  # the first gates alone
        if place == len(columns):
            columns.append(_Column({}, []))
        columns[place].labels.update(zip(wires, labels, strict=True))
        columns[place].spans.append((min(wires), max(wires)))
    return columns


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
