"""Density matrices of all outcomes: a register of bits beside the matrix, of which it is diagonal.

Each value of the register has a matrix of its own, on a leading axis, not normalised. A value that
no op reads any more is summed over, so that the axis is as long as what is yet to be read needs.
"""

from collections.abc import Callable, Iterable, Sequence
from math import prod

import torch
from torch import Tensor

from quilt_func.circuits import Circuit
from quilt_func.instruments import BranchWalk, Measurement, is_read_later
from quilt_func.noise.conditioned import on_densities
from quilt_func.noise.pauli_mixtures import phase_flip
from quilt_func.ops import Op


class DensityWalk(BranchWalk):
    """A run of vectors of density matrices, whose wires have four entries each.

    Attributes:
        values: How many values each key of the register has, in the order of the leading axis.
    """

    size = 4

    def __init__(
        self, n_qubits: int, vector: Tensor | None, dtype: torch.dtype, device: torch.device,
        lower: Callable[[Iterable[Op]], list[Op]], *, keeps_all: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(n_qubits, vector, dtype, device)
        self.lower, self.keeps_all = lower, keeps_all
        self.values: dict[str, int] = {}

    def mixture(self, ops: Sequence[Op]) -> Tensor:
        """Run all ops, and return the vector of the sum over all outcomes."""
        self.run(ops)
        for key in tuple(self.values):
            self._forget(key)
        return self.advanced()[0]

    def resolved(self, op: Op, bits: dict[str, Tensor]) -> Op:
        """What an op does at one outcome: a gate's, or a channel's."""
        return on_densities(op, bits, self.dtype, self.device)

    def lowered(self, ops: list[Op]) -> list[Op]:
        """Gates and channels as they act on rows and columns."""
        return self.lower(ops)

    def measure(self, op: Op, later: Iterable[Op]) -> None:
        """Split each matrix by the bits if they are read later; else forget their coherences."""
        assert isinstance(op.gate, Measurement)
        key, later = op.gate.writes, tuple(later)
        for wires in op.wires:
            for one in tuple(self.values):
                if one == key or not self._is_kept(one, later):
                    self._forget(one)
            if not self._is_kept(key, later):
                self.waiting.append(phase_flip(0.5, wires))
                continue
            for wire in wires:
                self._project(wire)
            self.values[key] = 2 ** len(wires)
            self._write(key, len(wires))

    def _is_kept(self, key: str, later: Iterable[Op]) -> bool:
        return self.keeps_all or is_read_later(key, later)

    def reset(self, op: Op) -> None:
        """A channel: what the wires were is not kept."""
        self.waiting.append(op)

    def _forget(self, key: str) -> None:
        """Sum over a key's values, after all that reads them."""
        states, sizes = self.advanced(), list(self.values.values())
        place = list(self.values).index(key)
        left, own = prod(sizes[:place]), self.values.pop(key)
        self.states = states.unflatten(0, (left, own, -1)).sum(1).flatten(0, 1)
        del self.bits[key]
        for other, bits in self.bits.items():
            self.bits[other] = bits.unflatten(0, (left, own, -1))[:, 0].flatten(0, 1)


def most_matrices(circuit: Circuit) -> int:
    """How many matrices a run of the mixture holds when it holds most."""
    values: dict[str, int] = {}
    most = 1
    for place, op in enumerate(circuit.ops):
        if not isinstance(op.gate, Measurement):
            continue
        later, own = circuit.ops[place + 1 :], op.gate.writes
        kept = {key: n for key, n in values.items() if key != own and is_read_later(key, later)}
        values = {**kept, own: op.gate.n_outcomes} if is_read_later(own, later) else kept
        most = max(most, prod(values.values()))
    return most
