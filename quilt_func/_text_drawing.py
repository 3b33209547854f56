"""Text drawing of ops. It never raises: unreadable values are shown by their shape."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from torch import Tensor

from quilt_func._checks import check_is, describe, kind_error, message
from quilt_func.ops import Op, numbers
from quilt_func.typing import WireSet

_MAX_GATES = 400

Labels: TypeAlias = Sequence[str | Sequence[str]]
"""One for each angle of each op: a text, in which `{}` is the wire set's number, or a list."""
Texts: TypeAlias = list[list[str]]
"""What stands beside each gate, by op and by wire set."""


def shown_texts(
    function: str, ops: Sequence[Op], values: bool, labels: Labels | None
) -> Texts | None:
    """The texts that labels or their absence give; None where values are shown."""
    check_is(function, "values", values, bool, "be a bool", "Write True or False.")
    if labels is None:
        return None if values else [[""] * len(op) for op in ops]
    need = "be a list of texts, or of lists of texts"
    remedy = 'Give one for each angle of each op: `["x{}", "θ"]`.'
    if isinstance(labels, str) or not isinstance(labels, Sequence):
        raise kind_error(function, "labels", labels, need, remedy)
    n_angles = [0 if op.gate.param_shape else len(op.params) for op in ops]
    if len(labels) != sum(n_angles):
        got = f"{len(labels)}"
        need = f"hold {sum(n_angles)} label(s), one for each angle of each op"
        raise ValueError(message(function, "labels", labels, need, got, remedy))
    rest = iter(labels)
    found = [
        [_spread(function, label, len(op)) for label in islice(rest, n)]
        for op, n in zip(ops, n_angles, strict=True)
    ]
    return [
        [", ".join(one) for one in zip(*columns, strict=True)] if columns else [""] * len(op)
        for op, columns in zip(ops, found, strict=True)
    ]


def _spread(function: str, label: Any, m: int) -> list[str]:
    """A label's text for each of `m` wire sets."""
    if isinstance(label, str):
        return [label.replace("{}", str(i)) for i in range(m)]
    remedy = "Give a text, or a list of one for each wire set."
    if not isinstance(label, Sequence) or not all(isinstance(text, str) for text in label):
        need = "hold texts, or lists of texts"
        raise TypeError(message(function, "labels", label, need, describe(label), remedy))
    if len(label) != m:
        need, got = f"have {m} text(s) for {m} wire set(s)", f"{len(label)}"
        raise ValueError(message(function, "labels", label, need, got, remedy))
    return [*label]


@dataclass
class _Column:
    """Labels by wire, and the pairs (first, last) of wires that a vertical line joins."""

    labels: dict[int, str]
    spans: list[tuple[int, int]]


def draw_text(
    n_qubits: int, ops: Sequence[Op], width: int = 100, texts: Texts | None = None
) -> str:
    """Draw ops as text, wrapped at a width in characters; with values, or with texts for them."""
    if not n_qubits:
        return ""
    prefix = len(f"q{n_qubits - 1}: ")
    heads = [text.ljust(prefix) for wire in range(n_qubits) for text in (f"q{wire}: ", "")]
    blocks, used = [[heads]], prefix
    for column in _layout(n_qubits, ops, texts) or [_Column({}, [])]:  # wires without gates
        cells = _render(n_qubits, column)
        if len(blocks[-1]) > 1 and used + len(cells[0]) > width:
            blocks.append([heads])
            used = prefix
        blocks[-1].append(cells)
        used += len(cells[0])
    drawn = [_joined(block) for block in blocks]
    more = sum(len(op) for op in ops) - _MAX_GATES
    return "\n\n".join(drawn + [f"... {more} more gates"] * (more > 0))


def _joined(columns: list[list[str]]) -> str:
    """Columns side by side, without the gap below the last wire."""
    lines = ["".join(cells).rstrip() for cells in zip(*columns, strict=True)]
    return "\n".join(lines[:-1])


def _gates(ops: Iterable[Op], texts: Texts | None) -> Iterator[tuple[WireSet, tuple[str, ...]]]:
    given = iter(texts) if texts is not None else map(_value_texts, ops)
    for op, own in zip(ops, given, strict=False):
        for wires, text in zip(op.wires, own, strict=True):
            angles = f"({text})" if text else ""
            yield wires, tuple(s if s == "●" else s + angles for s in op.gate.symbol)


def _value_texts(op: Op) -> list[str]:
    """What an op's parameters are at each wire set."""
    columns = [_parameter_texts(param, len(op)) for param in op.params]
    return [", ".join(one) for one in zip(*columns, strict=True)] if columns else [""] * len(op)


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


def _layout(n_qubits: int, ops: Sequence[Op], texts: Texts | None) -> list[_Column]:
    columns: list[_Column] = []
    gates = list(islice(_gates(ops, texts), _MAX_GATES))
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
