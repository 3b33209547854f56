"""Circuits of inputs that are not known yet: runs of equal gates, and the function that fills them.

The function is called in every training step. So runs are found once, and the angles of a run whose
formulas have one input each are one index into all entries.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from quilt_func._affine_angles import Affine, Input
from quilt_func._checks import COMPLEX_OF, a_kind, common_dtype_and_device, is_number, message
from quilt_func._placed_gates import PHASE, Placed
from quilt_func.circuits import Circuit, circuit
from quilt_func.convert.formulas import Formula, value_of
from quilt_func.ops import Gate, Op, make_op
from quilt_func.typing import WireSet


class Run(NamedTuple):
    """Equal gates in a row: columns of angles, each a number for all or one entry for each."""

    gate: Gate
    wires: tuple[WireSet, ...]
    columns: tuple[Any, ...]


def runs_of(placed: Iterable[Placed]) -> list[Run]:
    """Gates in runs; phases, which no control sees, are left out."""
    found: list[list[Placed]] = []
    for one in placed:
        if one.gate is PHASE:
            continue
        if found and _may_join(found[-1][0], one):
            found[-1].append(one)
        else:
            found.append([one])
    return [_joined(group) for group in found]


def _may_join(first: Placed, other: Placed) -> bool:
    if first.gate is not other.gate or first.gate.param_shape:
        return False
    return all(map(_is_alike, first.angles, other.angles))


def _is_alike(a: Any, b: Any) -> bool:
    """Whether two angles can stand in one column."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.dtype == b.dtype and a.device == b.device and a.shape == b.shape == ()
    if isinstance(a, Affine | Formula):
        return isinstance(b, Affine | Formula)
    return is_number(a) and is_number(b) and a == b


def _joined(group: Sequence[Placed]) -> Run:
    columns = zip(*(one.angles for one in group), strict=True)
    wires = tuple(one.wires for one in group)
    return Run(group[0].gate, wires, tuple(map(_column, columns)))


def _column(angles: tuple[Any, ...]) -> Any:
    first = angles[0]
    if is_number(first):
        return float(first)
    if isinstance(first, Tensor):
        return first if len(angles) == 1 else torch.stack(list(angles))
    return angles


def plain_circuit(n_qubits: int, placed: Iterable[Placed]) -> Circuit:
    """A circuit whose angles are numbers or tensors."""
    return circuit(n_qubits, [make_op(run.gate, run.columns, run.wires) for run in runs_of(placed)])


@dataclass(frozen=True, eq=False, repr=False)
class FromInputs:
    """The function from values of symbols to the circuit that holds them.

    Attributes:
        n_qubits: Number of wires.
        runs: The gates.
        inputs: Its arguments, in order.
    """

    n_qubits: int
    runs: tuple[Run, ...]
    inputs: tuple[Input, ...]

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each argument, by name."""
        return {one.name: one.shape for one in self.inputs}

    def __call__(self, *values: Any, **named: Any) -> Circuit:
        """The circuit at values of the symbols, given in order or by name."""
        given = self._bound(values, named)
        tensors = [value for value in given if isinstance(value, Tensor)]
        entries: Any = [float(value) for value in given] if not tensors else _joined_inputs(given)
        ops = [op for run in self.runs for op in _filled(run, entries)]
        return Circuit(self.n_qubits, tuple(ops))

    def __repr__(self) -> str:
        sizes = (f"[{', '.join(map(str, one.shape))}]" if one.shape else "" for one in self.inputs)
        names = (f"{one.name}{size}" for one, size in zip(self.inputs, sizes, strict=True))
        return f"<circuit of ({', '.join(names)})>"

    def _bound(self, values: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
        names = [one.name for one in self.inputs]
        given = {**dict(zip(names, values, strict=False)), **named}
        if len(values) + len(named) != len(names) or set(given) != set(names):
            raise TypeError(
                f"from_inputs(): takes the inputs {', '.join(names)}, but got {len(values)} "
                f"value(s) and {sorted(named)}. Give each once, in this order or by name."
            )
        for one in self.inputs:
            _check_value(one, given[one.name])
        return [given[name] for name in names]


def _check_value(one: Input, value: Any) -> None:
    is_real = isinstance(value, Tensor) and value.dtype in COMPLEX_OF
    if (is_real and value.shape == one.shape) or (is_number(value) and not one.shape):
        return
    kinds = "a Python number or a real tensor" if not one.shape else "a real tensor"
    requirement, got = f"be {kinds} of shape {one.shape}", a_kind(value)
    if isinstance(value, Tensor):
        got = f"{value.dtype} of shape {tuple(value.shape)}"
    remedy = "Map over many values with `torch.func.vmap`."
    raise TypeError(message("from_inputs", one.name, value, requirement, got, remedy))


def _joined_inputs(given: Sequence[Any]) -> Tensor:
    """All entries, one after the other; numbers take the tensors' precision."""
    tensors = [value for value in given if isinstance(value, Tensor)]
    common_dtype_and_device("from_inputs", tensors)
    flat = [
        value.reshape(-1) if isinstance(value, Tensor) else tensors[0].new_full((1,), value)
        for value in given
    ]
    return torch.cat(flat)


def _filled(run: Run, entries: Any) -> list[Op]:
    """A run at entries of the inputs: one op, or one for each wire set where numbers differ."""
    columns = [_at(column, len(run.wires), entries) for column in run.columns]
    if not any(isinstance(column, tuple) for column in columns):
        return [Op(run.gate, run.wires, tuple(columns))]
    rows = zip(*(c if isinstance(c, tuple) else (c,) * len(run.wires) for c in columns),
               strict=True)  # fmt: skip
    return [Op(run.gate, (ws,), row) for ws, row in zip(run.wires, rows, strict=True)]


def _at(column: Any, m: int, entries: Any) -> Any:
    """A column `(m,)`, or a number for all, or numbers as a tuple."""
    if not isinstance(column, tuple):
        return column.expand(m, *column.shape) if isinstance(column, Tensor) else column
    if not isinstance(entries, Tensor):
        found = tuple(float(value_of(angle, entries)) for angle in column)
        return found[0] if len(set(found)) == 1 else found
    if all(isinstance(angle, Affine) and len(angle.terms) == 1 for angle in column):
        return _picked(column, entries)
    parts = [value_of(angle, entries) for angle in column]
    return torch.cat([p if isinstance(p, Tensor) else entries.new_full((1,), p) for p in parts])


def _picked(column: Sequence[Affine], entries: Tensor) -> Tensor:
    """Angles of one input each."""
    places, factors = zip(*(angle.terms[0] for angle in column), strict=True)
    constants = [angle.constant for angle in column]
    is_whole = places == tuple(range(len(entries)))
    found = entries if is_whole else entries[list(places)]
    if set(factors) != {1.0}:
        found = found * _constants(factors, entries)
    return found + _constants(constants, entries) if any(constants) else found


def _constants(values: Sequence[float], like: Tensor) -> Any:
    """A number if all are equal, or a tensor."""
    if len(set(values)) == 1:
        return values[0]
    return torch.tensor(values, dtype=like.dtype, device=like.device)
