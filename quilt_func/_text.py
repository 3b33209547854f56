"""Text drawing of ops. It never raises: unreadable values are shown by their shape."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from quilt_func._tree import is_transformed
from quilt_func.ops import Op
from quilt_func.planning import Block, Move, Plan, Shift, Step
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


def explain_plan(plan: Plan, n_gates: int, itemsize: int) -> str:
    """List a plan's steps with the cost of each: passes over the state and arithmetic."""
    size = 2**plan.n_qubits
    n_segments = len(plan.segments)
    steps = [(s, step) for s in plan.segments for step in s.steps]
    lines = [
        f"{n_gates} gates on {plan.n_qubits} qubits: {len(steps)} steps in {n_segments} segments",
        "   step  kind     wires                 gates  state moved       arithmetic",
    ]
    if plan.prefix is not None:
        lines.append(f"{'':7}  product  {_range(range(plan.n_qubits))}")
    work = 0
    for number, (_, step) in enumerate(steps, 1):
        flops = size * _products(step)
        work += flops
        moved = f"{_passes(step)} x {2 * size * itemsize / 2**20:.3g} MiB"
        lines.append(
            f"{number:7}  {_KINDS[type(step)]:7}  {_range(step.wires):20}  {step.n_gates:5}  "
            f"{moved:16}  {flops / 1e6:.3g} Mflop"
        )
    passes = sum(_passes(step) for _, step in steps)
    lines.append(
        f"  total  {passes} passes over a state of {size * itemsize / 2**20:.3g} MiB, "
        f"{work / 1e6:.3g} Mflop"
    )
    return "\n".join(lines)


_KINDS = {Block: "block", Move: "move", Shift: "phases"}


def _products(step: Step) -> int:
    """Real operations per amplitude; a cosine and a sine count as 16."""
    return 8 * 2 ** len(step.wires) if isinstance(step, Block) else 22 * isinstance(step, Shift)


def _passes(step: Step) -> int:
    """Passes over the state: a block's wires that are apart are brought together and back."""
    wires = step.wires
    is_apart = isinstance(step, Block) and wires[-1] - wires[0] != len(wires) - 1
    return 3 if is_apart else 1


def _range(wires: Sequence[int]) -> str:
    if wires[-1] - wires[0] == len(wires) - 1 and len(wires) > 1:
        return f"{wires[0]}-{wires[-1]}"
    return ", ".join(map(str, wires))
