"""A traced tape as a function of tensors: angles that a batch shares, others, and slots.

Which angles are batched is part of a program, so that a run's column is one index into one of the
two vectors.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from quilt_func._affine_angles import Affine
from quilt_func.circuits import Circuit
from quilt_func.instruments import Branches, run_branches
from quilt_func.noise import run_density
from quilt_func.ops import Op
from quilt_func.pennylane_device.tracing import Slot, Traced
from quilt_func.states import zero_state


class Inputs(NamedTuple):
    """What a program is called with.

    Attributes:
        shared (real, (s,)): Angles.
        batched (real, (b,)): Angles that each sample of a batch has its own of.
        slots: Tensors of the slots, in order.
    """

    shared: Tensor
    batched: Tensor
    slots: tuple[Tensor, ...]


class Program:
    """The circuit of a tape, and what runs it.

    Attributes:
        angles: Places of all parameters that are angles, ascending.
        slots: Slots in the order in which they are given.
    """

    def __init__(self, traced: Traced, n_qubits: int) -> None:
        self.traced, self.n_qubits = traced, n_qubits
        columns = [column for run in traced.runs for column in run.columns]
        columns += [(phase,) for phase in traced.phases]
        self.slots = [] if traced.start is None else [traced.start]
        self.slots += [c[0] for c in columns if isinstance(c, tuple) and isinstance(c[0], Slot)]
        self.angles = sorted({
            place for c in columns if isinstance(c, tuple) for part in c
            if isinstance(part, Affine) for place, _ in part.terms
        })  # fmt: skip
        self._layouts: dict[tuple[bool, ...], Layout] = {}

    def layout(self, is_batched: tuple[bool, ...]) -> "Layout":
        """The program for batched angles, said of each in the order of `angles`."""
        if is_batched not in self._layouts:
            self._layouts[is_batched] = Layout(self, is_batched)
        return self._layouts[is_batched]


class Column(NamedTuple):
    """Angles of a run: an index into a vector, factors and constants."""

    source: str
    index: Any
    factors: tuple[float, ...]
    constants: tuple[float, ...]


class Layout:
    """A program whose angles are known to be batched or not.

    Attributes:
        shared: Positions, within all angles, of those that a batch shares.
        batched: Positions of the others.
        kept: Compiled functions by what is measured.
    """

    def __init__(self, program: Program, is_batched: tuple[bool, ...]) -> None:
        self.program, traced = program, program.traced
        self.shared = [i for i, one in enumerate(is_batched) if not one]
        self.batched = [i for i, one in enumerate(is_batched) if one]
        self.kept: dict[Any, Any] = {}
        self._where = {program.angles[i]: ("shared", k) for k, i in enumerate(self.shared)}
        self._where |= {program.angles[i]: ("batched", k) for k, i in enumerate(self.batched)}
        self._runs = [(run, [self._column(c) for c in run.columns]) for run in traced.runs]
        self._phases = [self._column((phase,)) for phase in traced.phases]

    def state(
        self, inputs: Inputs, dtype: torch.dtype, is_density: bool, *, is_raw: bool = False
    ) -> Tensor:
        """The state, or the density matrix, after the tape's operations, at norm 1 if not raw."""
        slots = iter(inputs.slots)
        start = None if self.program.traced.start is None else next(slots).to(dtype)
        circuit = self._circuit(inputs, slots, dtype)
        if is_density:
            if start is not None and start.ndim == 1:
                start = start[:, None] * start.conj()[None, :]
            found = run_density(
                circuit, start, **({} if start is not None else _kind(inputs, dtype))
            )
        else:
            found = circuit(start) if start is not None else circuit(**_kind(inputs, dtype))
        is_whole = is_raw or not self.program.traced.is_projecting
        return found if is_whole else _normalised(found, is_density)

    def branches(self, inputs: Inputs, dtype: torch.dtype) -> Branches:
        """All branches of a tape that measures in the middle."""
        slots = iter(inputs.slots)
        start = None if self.program.traced.start is None else next(slots)
        circuit = self._circuit(inputs, slots, dtype)
        if start is None:
            start = zero_state(circuit.n_qubits, **_kind(inputs, dtype))
        return run_branches(circuit, start)

    def phase(self, inputs: Inputs) -> Any:
        """The angle of the global phase."""
        parts = [self._filled(column, inputs, iter(()), 1, None) for column in self._phases]
        return sum((p[0] if isinstance(p, Tensor) else p for p in parts), start=0.0)

    def _circuit(self, inputs: Inputs, slots: Any, dtype: torch.dtype) -> Circuit:
        ops = [
            Op(run.gate, run.wires, tuple(
                self._filled(column, inputs, slots, len(run.wires), dtype) for column in columns
            ))
            for run, columns in self._runs
        ]  # fmt: skip
        return Circuit(self.program.n_qubits, tuple(ops))

    def _column(self, column: Any) -> Any:
        """A number, a slot, or places in one vector."""
        if isinstance(column, tuple) and isinstance(column[0], Slot):
            return column[0]
        if not isinstance(column, tuple):
            return column
        parts = [part if isinstance(part, Affine) else Affine((), part) for part in column]
        if not any(part.terms for part in parts):
            return parts[0].constant
        terms = [part.terms[0] for part in parts]
        found = [self._where[place] for place, _ in terms]
        sources = {source for source, _ in found}
        if len(sources) == 1:
            (source,) = sources
            index = [k for _, k in found]
        else:
            source, n = "both", len(self.shared)
            index = [k + (n if own == "batched" else 0) for own, k in found]
        return Column(
            source, _compact(index), tuple(factor for _, factor in terms),
            tuple(part.constant for part in parts),
        )  # fmt: skip

    def _filled(
        self, column: Any, inputs: Inputs, slots: Any, m: int, dtype: torch.dtype | None
    ) -> Any:
        if isinstance(column, Slot):
            return _slot(slots, m, dtype)
        if not isinstance(column, Column):
            return column
        vector = inputs.shared if column.source == "shared" else inputs.batched
        if column.source == "both":
            vector = torch.cat([inputs.shared, inputs.batched])
        found = vector[column.index]
        if set(column.factors) != {1.0}:
            found = found * _constants(column.factors, found)
        return found + _constants(column.constants, found) if any(column.constants) else found


def _slot(slots: Any, m: int, dtype: torch.dtype | None) -> Tensor:
    one: Tensor = next(slots)
    one = one if dtype is None else one.to(dtype)
    return one.expand(m, *one.shape)


def _compact(index: list[int]) -> Any:
    """A slice, where it is one."""
    first, step = index[0], index[1] - index[0] if len(index) > 1 else 1
    is_slice = step > 0 and index == [*range(first, first + step * len(index), step)]
    return slice(first, index[-1] + 1, step) if is_slice else index


def _constants(values: Sequence[float], like: Tensor) -> Any:
    if len(set(values)) == 1:
        return values[0]
    return torch.tensor(values, dtype=like.dtype, device=like.device)


def _kind(inputs: Inputs, dtype: torch.dtype) -> dict[str, Any]:
    return {"dtype": dtype, "device": inputs.shared.device}


def _normalised(state: Tensor, is_density: bool) -> Tensor:
    """A state that was projected, at norm 1."""
    if is_density:
        return state / state.diagonal().real.sum()
    norm: Tensor = torch.linalg.vector_norm(state)
    return state / norm
