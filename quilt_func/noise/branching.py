r"""Runs in which each channel takes one branch: what trajectories of all kinds have in common.

Of a mixture of unitaries the branches' probabilities do not depend on the state, so that what is
taken waits with the gates. Of other channels they are those of Kraus operators `K`,
`tr(K ρ K†)` for the reduced density matrix `ρ` of the channel's wires, so that the circuit runs up
to each.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from quilt_func._amplitudes import axes_of
from quilt_func._checks import check_device, check_state_size, common_dtype_and_device, message
from quilt_func.circuits import Circuit, default_kind
from quilt_func.densities import partial_trace
from quilt_func.evolution import evolved
from quilt_func.gates import linear_gate, unitary_gate
from quilt_func.instruments import (
    Instrument,
    Measurement,
    Postselection,
    all_bits,
    innermost,
    number,
    outcomes_of,
)
from quilt_func.noise.channels import Channel, Kraus, strengths_of
from quilt_func.noise.conditioned import mixture_if, operators_if, without_conditions
from quilt_func.ops import Op
from quilt_func.typing import WireSet

Pick = Callable[[int, Tensor], Tensor]
"""From the place of the first draw, and probabilities `(m, n)`, to the branches taken `(m,)`."""


class Taken(NamedTuple):
    """What a run with branches has come to.

    Attributes:
        state: The state, normalised.
        probabilities: Those of the branches taken `(n_draws,)`.
        selected: The probability of each postselection, after what came before it.
        bits: Outcomes by key, int64 `(n_wires,)`.
    """

    state: Tensor
    probabilities: Tensor
    selected: Tensor
    bits: dict[str, Tensor]


def take_branches(
    function: str, circuit: Circuit, pick: Pick, state: Tensor | None, numbers: Tensor | None = None
) -> Taken:
    """Run a circuit in which a function picks branches, by numbers on the same device if any."""
    walk = Walk(function, circuit, pick, state, numbers)
    state = walk.advanced(walk.choose())
    return Taken(state, walk.joined(walk.taken), walk.joined(walk.selected), walk.bits)


def kind_of_run(
    function: str, circuit: Circuit, state: Tensor | None, numbers: Tensor | None = None
) -> tuple[torch.dtype, torch.device]:
    """Check what a run is made of, and return its state's dtype and device."""
    if state is None:
        dtype, device = default_kind(function, circuit.leaves, None, None)
    else:
        check_state_size(function, state, circuit.n_qubits)
        common_dtype_and_device(function, [state, *circuit.leaves])
        dtype, device = state.dtype, state.device
    if numbers is not None:
        check_device(function, torch.empty(0, device=device), numbers)
    return dtype, device


class Walk:
    """A run under way: ops that wait to be run, and the probabilities of branches so far."""

    def __init__(
        self, function: str, circuit: Circuit, pick: Pick, state: Tensor | None,
        numbers: Tensor | None = None,
    ) -> None:  # fmt: skip
        self.function, self.circuit, self.pick, self.start = function, circuit, pick, state
        self.dtype, self.device = kind_of_run(function, circuit, state, numbers)
        self.waiting: list[Op] = []
        self.taken: list[Tensor] = []
        self.selected: list[Tensor] = []
        self.bits: dict[str, Tensor] = {}

    def choose(self) -> Tensor | None:
        """Let all channels take a branch; the state after the last that depends on it."""
        state, first = self.start, 0
        for given in self.circuit.ops:
            op, holds = without_conditions(given, self.bits, self.dtype, self.device)
            if isinstance(op.gate, Measurement):
                state = self._measure(op.gate, op, first, state)
            elif isinstance(op.gate, Postselection):
                state = self._select(op.gate, op, state)
            elif not isinstance(op.gate, Channel):
                self.waiting.append(op)
            elif op.gate.mixture is not None:
                self._mix(op.gate, op, first, holds)
            else:
                state = self._branch(op.gate, op, first, state, holds)
            first += draws_of(given)
        return state

    def advanced(self, state: Tensor | None) -> Tensor:
        """The state after the ops that wait."""
        ops, self.waiting = self.waiting, []
        return evolved(self.circuit.n_qubits, ops, state, self.dtype, self.device)

    def joined(self, probabilities: list[Tensor]) -> Tensor:
        """Probabilities in order, also where there are none."""
        real = self.dtype.to_real()
        return torch.cat([*probabilities, torch.ones(0, dtype=real, device=self.device)])

    def _mix(self, channel: Channel, op: Op, first: int, holds: Tensor | None) -> None:
        """Let the unitaries that a mixture takes wait with the gates."""
        assert channel.mixture is not None
        strengths = strengths_of(op, self.dtype, self.device)
        probabilities, unitaries = mixture_if(holds, *channel.mixture(*strengths))
        index = self.pick(first, probabilities)
        self.taken.append(probabilities.gather(1, index[:, None])[:, 0])
        if unitaries.ndim == 3:
            matrices = unitaries[index]
        else:
            matrices = torch.take_along_dim(unitaries, index[:, None, None, None], 1)[:, 0]
        self.waiting.append(Op(unitary_gate(channel.n_wires), op.wires, (matrices,)))

    def _branch(
        self, channel: Channel, op: Op, first: int, state: Tensor | None, holds: Tensor | None
    ) -> Tensor | None:
        """Run up to each wire set in turn, and let the operator that it takes wait."""
        kraus = check_kraus(self.function, channel)
        operators = operators_if(holds, kraus(*strengths_of(op, self.dtype, self.device)))
        for slot, wires in enumerate(op.wires):
            state = self.advanced(state)
            self._take(operators[slot], first + slot, wires, partial_trace(state, wires))
        return state

    def _take(self, operators: Tensor, place: int, wires: WireSet, rho: Tensor) -> None:
        """Let the Kraus operator that is taken wait, divided by the root of its probability."""
        image = operators @ rho
        both = image.real * operators.real + image.imag * operators.imag
        probabilities = both.sum((-2, -1))
        index = self.pick(place, probabilities[None])
        p, total = probabilities.gather(0, index), probabilities.sum()
        self.taken.append(p / torch.where(total > 0, total, 1.0))  # 0 after what can't happen
        inverse_root = torch.where(p > 0, torch.where(p > 0, p, 1.0).rsqrt(), 0.0)
        matrix = operators.index_select(0, index) * inverse_root
        self.waiting.append(Op(linear_gate(len(wires)), (wires,), (matrix,)))

    def _measure(self, row: Measurement, op: Op, first: int, state: Tensor | None) -> Tensor | None:
        """Run up to each wire set in turn, and let the projectors that it takes wait."""
        for slot, wires in enumerate(op.wires):
            state = self.advanced(state)
            probabilities = populations_of(state, wires)
            index = self.pick(first + slot, probabilities[None])
            bits = all_bits(len(wires), self.device).index_select(0, index)[0]
            self.taken.append(self._project(wires, bits, probabilities, index))
            self.bits[row.writes] = bits
        return state

    def _select(self, row: Postselection, op: Op, state: Tensor | None) -> Tensor | None:
        """Run up to each wire set in turn, and let the projectors on given bits wait."""
        bits = torch.tensor(row.bits, device=self.device)
        index = number(bits)[None]
        for wires in op.wires:
            state = self.advanced(state)
            probabilities = populations_of(state, wires)
            self.selected.append(self._project(wires, bits, probabilities, index))
        return state

    def _project(
        self, wires: WireSet, bits: Tensor, probabilities: Tensor, index: Tensor
    ) -> Tensor:
        """Let projectors on bits wait, divided by the root of their probability, and return it."""
        p = probabilities.gather(0, index)
        total = probabilities.sum()
        inverse_root = torch.where(p > 0, torch.where(p > 0, p, 1.0).rsqrt(), 0.0)
        is_kept = all_bits(1, self.device)[:, 0] == bits[:, None]
        diagonals = torch.where(is_kept, 1.0, 0.0).to(self.dtype)
        factors = torch.cat([inverse_root, torch.ones_like(p).expand(len(wires) - 1)])
        matrices = torch.diag_embed(diagonals * factors[:, None])
        sets = tuple((wire,) for wire in wires)
        self.waiting.append(Op(linear_gate(1), sets, (matrices,)))
        return p / torch.where(total > 0, total, 1.0)


def populations_of(state: Tensor, wires: WireSet) -> Tensor:
    """Probabilities `(2**k,)` of the basis states of some wires."""
    shape, axes = axes_of(state.shape[0].bit_length() - 1, wires)
    squares = torch.view_as_real(state).square().sum(-1).reshape(shape)
    return squares.movedim(axes, list(range(len(wires)))).reshape(2 ** len(wires), -1).sum(1)


def draws_of(op: Op) -> int:
    """Uniform numbers that an op takes: one for each wire set of what has several branches."""
    return len(op.wires) if isinstance(innermost(op.gate), Channel) else len(outcomes_of(op))


def check_no_instruments(function: str, circuit: Circuit) -> None:
    """Check that a circuit holds gates and channels only."""
    for op in circuit.ops:
        if isinstance(op.gate, Instrument):
            need, got = "hold gates and channels only", f"the instrument {op.gate.name}"
            remedy = "Use `run_trajectory`, `run_density` or `run_branches`."
            raise TypeError(message(function, "circuit", op, need, got, remedy))


def check_kraus(function: str, channel: Channel) -> Kraus:
    """Check that a channel has Kraus operators, and return their function."""
    if channel.kraus is None:
        need, got = "have Kraus operators", "only a superoperator"
        remedy = "Give them with `noise.kraus(operators, *wires)`, or use `run_density`."
        raise TypeError(message(function, "circuit", channel, need, got, remedy))
    return channel.kraus


def by_numbers(u: Tensor) -> Pick:
    """Branches by uniform numbers, one each."""

    def pick(first: int, probabilities: Tensor) -> Tensor:
        return chosen(probabilities, u[first : first + len(probabilities)].to(probabilities.dtype))

    return pick


def chosen(probabilities: Tensor, u: Tensor) -> Tensor:
    """Which entry of each row `(m, n)` numbers `(..., m)` fall on; none of probability 0.

    They are compared with sums from the left, in the rows' own precision.
    """
    sums = probabilities.detach().clamp(min=0).cumsum(-1)
    position = (u.detach() * sums[:, -1])[..., None]
    is_last = sums >= sums[:, -1:]
    return ((sums <= position) & ~is_last).sum(-1)


def score(probabilities: Tensor) -> Tensor:
    """1, with the derivative of the logarithm of the product of probabilities; to any order.

    Factors of 0, which no sample has, are left out.
    """
    log = torch.where(probabilities > 0, probabilities, 1.0).log().sum()
    return (log - log.detach()).exp()


def product_of(factors: Tensor) -> Tensor:
    """The product of numbers `(n,)` by halves, whose derivatives are right where some are 0."""
    while len(factors) > 1:
        half = len(factors) // 2
        pairs = factors[:half] * factors[half : 2 * half]
        factors = torch.cat([pairs, factors[2 * half :]])
    return factors[0] if len(factors) else factors.sum() + 1
