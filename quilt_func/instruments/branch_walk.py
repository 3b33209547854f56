r"""A run on all branches at once: a leading axis, which each outcome makes longer.

A measurement puts two masked copies of each branch beside one another for each wire, so that a
branch's place is the number of its bits, in the order in which they were measured, the first the
most significant. States are not normalised: a squared norm is a branch's probability, nothing is
divided by it, and sums over branches are means over outcomes.

Between outcomes the circuit runs once, mapped over the branches: conditional gates are resolved
within the map, by each branch's bits.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.func import vmap

from quilt_func.evolution import evolved
from quilt_func.instruments.conditions import Bits, all_bits
from quilt_func.instruments.feed_forward import holds_of, innermost, resolved
from quilt_func.instruments.instrument_rows import Measurement, Postselection, Reset, projectors
from quilt_func.ops import Op


class BranchWalk:
    """A run of states under way: ops that wait, the branches so far, and their bits.

    Attributes:
        states: `(n_branches, size**n_qubits)`, or None for |0...0⟩ before anything is run.
        bits: By key, int64 `(n_branches, n_wires)`.
        size: Entries that a wire has among a branch's: 2; of a vector of a density matrix, 4.
        dropped: The probability of branches that were left out.
    """

    size = 2

    def __init__(
        self, n_qubits: int, state: Tensor | None, dtype: torch.dtype, device: torch.device,
        most: int | None = None,
    ) -> None:  # fmt: skip
        self.n_qubits, self.dtype, self.device, self.most = n_qubits, dtype, device, most
        self.states = None if state is None else state[None]
        self.bits: Bits = {}
        self.waiting: list[Op] = []
        self.dropped = torch.zeros((), dtype=dtype.to_real(), device=device)

    def run(self, ops: Sequence[Op]) -> Tensor:
        """Run all ops, and return the branches' states."""
        for place, op in enumerate(ops):
            if isinstance(op.gate, Measurement):
                self.measure(op, ops[place + 1 :])
            elif isinstance(innermost(op.gate), Reset):
                self.reset(op)
            elif isinstance(op.gate, Postselection):
                self.waiting += projectors(op)
            else:
                self.waiting.append(op)
        return self.advanced()

    def advanced(self) -> Tensor:
        """The states after the ops that wait, which are none afterwards."""
        ops, self.waiting = self.waiting, []

        def one(state: Tensor | None, bits: Bits) -> Tensor:
            found = self.lowered([self.resolved(op, bits) for op in ops])
            n_wires = self.n_qubits * (self.size // 2)
            return evolved(n_wires, found, state, self.dtype, self.device)

        if self.states is None:
            self.states = one(None, {})[None]
        elif ops:
            self.states = vmap(one)(self.states, self.bits)
        return self.states

    def resolved(self, op: Op, bits: Bits) -> Op:
        """What an op does at one outcome."""
        return resolved(op, bits, self.dtype, self.device)

    def lowered(self, ops: list[Op]) -> Sequence[Op]:
        """Gates as they act on the entries of a branch."""
        return ops

    def measure(self, op: Op, later: Iterable[Op]) -> None:
        """Split each branch by the bits of the wires, and keep these."""
        del later
        assert isinstance(op.gate, Measurement)
        for wires in op.wires:
            for wire in wires:
                self._project(wire)
            self._write(op.gate.writes, len(wires))

    def reset(self, op: Op) -> None:
        """Split each branch by what a wire is, and set that to 0 in both.

        Where a condition fails, the first part is the branch as it was, and the other none.
        """
        for (wire,) in op.wires:
            states = self.advanced()
            each = states.unflatten(1, (2**wire, 2, -1))
            halves = each.movedim(2, 1)
            parts = torch.stack([halves, torch.zeros_like(halves)], 3)
            if op.gate.reads:
                as_it_was = torch.stack([each, torch.zeros_like(each)], 1)
                holds = holds_of(op.gate, self.bits)
                parts = torch.where(holds[:, None, None, None, None], parts, as_it_was)
            self.states = parts.reshape(2 * len(states), -1)
            self._repeat_bits(2)
            self._prune()

    def _project(self, wire: int) -> None:
        """Masked copies for the two values of a wire, side by side."""
        states, size = self.advanced(), self.size
        places = torch.arange(size, device=self.device)
        kept = places == torch.tensor([[0], [size - 1]], device=self.device)
        each = states.unflatten(1, (size**wire, size, -1))[:, None]
        copies = torch.where(kept[:, None, :, None], each, 0.0)
        self.states = copies.reshape(2 * len(states), -1)

    def _write(self, key: str, n_bits: int) -> None:
        """Keep the bits of the outcomes that the last splits made."""
        self._repeat_bits(2**n_bits)
        own, n_branches = all_bits(n_bits, self.device), len(self.advanced())
        self.bits[key] = own.expand(n_branches // 2**n_bits, -1, -1).reshape(n_branches, n_bits)
        self._prune()

    def _repeat_bits(self, times: int) -> None:
        """What each branch had is what its parts have."""
        for key, bits in self.bits.items():
            self.bits[key] = bits[:, None].expand(-1, times, -1).flatten(0, 1)

    def _prune(self) -> None:
        """Leave out all but the likeliest branches, if there are too many."""
        states = self.advanced()
        if self.most is None or len(states) <= self.most:
            return
        probabilities = norms(states)
        kept = probabilities.detach().topk(self.most).indices.sort().values
        self.dropped = self.dropped + probabilities.sum() - probabilities[kept].sum()
        self.states = states[kept]
        self.bits = {key: bits[kept] for key, bits in self.bits.items()}


def norms(states: Tensor) -> Tensor:
    """Squared norms of states in the last axis."""
    return torch.view_as_real(states).square().sum((-2, -1))
