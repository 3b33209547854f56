r"""One sample of a noisy circuit: a state and a weight, a pure function of uniform numbers.

Each channel, on each of its wire sets, takes one branch, by a uniform number of its own. Of a
mixture of unitaries the branches' probabilities do not depend on the state: all are taken first,
and the circuit that is left is one of gates. Of other channels they are those of Kraus operators
`K`, `tr(K ρ K†)` for the reduced density matrix `ρ` of the channel's wires, so that the circuit
runs up to each.

The derivative of a mean over samples has two parts: that of the branches' values, and that of
their probabilities. The weight `exp(log P - log P.detach())`, with the product `P` of the
probabilities of the branches that were taken, is 1 and has the second as its derivative, to any
order.

References:
    Dalibard, Castin and Mølmer (1992), Phys. Rev. Lett. 68, 580, for trajectories.
    Foerster et al. (2018), arXiv:1802.05098, for the weight.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    check_device,
    check_state_size,
    check_tensor,
    common_dtype_and_device,
    message,
)
from quilt_func.circuits import Circuit, check_circuit, default_kind
from quilt_func.densities import partial_trace
from quilt_func.evolution import evolved
from quilt_func.gates import linear_gate, unitary_gate
from quilt_func.noise.channels import Channel, strengths_of
from quilt_func.ops import Op
from quilt_func.typing import WireSet


class Trajectory(NamedTuple):
    """One sample of a noisy circuit.

    Attributes:
        state (complex, (2**n_qubits,)): Normalised statevector after the branches that were taken.
        weight (real, ()): 1, with the derivative of the branches' probability: multiply whatever is
            measured on the state by it before taking a mean.

    Examples:
        >>> from quilt_func import noise, circuit, x, uniforms
        >>> decay = circuit(1, x(0), noise.amplitude_damping(1.0, 0))
        >>> run = noise.run_trajectory(decay, uniforms(1, 0))
        >>> run.state.abs(), run.weight
        (tensor([1., 0.]), tensor(1.))
    """

    state: Tensor
    weight: Tensor


def n_draws(circuit: Circuit) -> int:
    """Number of uniform numbers that one trajectory takes: one for each channel and wire set.

    Args:
        circuit: Gates and channels.

    Returns:
        The number.

    Raises:
        TypeError: If `circuit` is not a circuit.

    Transforms:
        None: it reads a structure.

    Examples:
        >>> from quilt_func import noise, circuit, h
        >>> n_draws(circuit(2, h(0), noise.bit_flip(0.1, range(2))))
        2
    """
    check_circuit("n_draws", "circuit", circuit)
    return sum(len(op.wires) for op in circuit.ops if isinstance(op.gate, Channel))


def run_trajectory(circuit: Circuit, u: Tensor, state: Tensor | None = None) -> Trajectory:
    """One sample of a circuit of gates and channels.

    Means of `weight * value` over uniform numbers are those of the density matrix, and so are their
    derivatives of every order, in angles and in strengths. A branch of probability 0 is never
    taken, so that a slope at strength 0 lacks what such a branch would give: use `run_density`.

    Args:
        circuit: Gates, and channels whose Kraus operators are known.
        u (real, (n_draws(circuit),)): Uniform numbers in [0, 1), from `uniforms`; one for each
            channel and wire set, in order.
        state (complex, (2**n,)): Statevector before; default: |0...0⟩.

    Returns:
        The state and its weight.

    Raises:
        TypeError: If dtypes or devices differ, or a channel has no Kraus operators.
        ValueError: If there are too few or too many uniform numbers, or the state is of the wrong
            size.

    Transforms:
        vmap, also over `u`, grad, jvp, hessian, of `weight * value`.

    Examples:
        >>> from torch.func import vmap
        >>> from quilt_func import noise, circuit, expval, pauli_sum, uniforms
        >>> noisy, z = circuit(1, noise.bit_flip(0.25, 0)), pauli_sum({"Z": 1.0})
        >>> def value(u):
        ...     state, weight = noise.run_trajectory(noisy, u)
        ...     return weight * expval(state, z)
        >>> vmap(value)(uniforms((1000, 1), 0)).mean().round(decimals=1)
        tensor(0.5000)
    """
    check_circuit("run_trajectory", "circuit", circuit)
    remedy = "Draw them with `uniforms(n_draws(circuit), seed)`; map over many with `vmap`."
    form = (n_draws(circuit),)
    check_tensor("run_trajectory", "u", u, COMPLEX_OF, form, remedy, need="be a real tensor")
    if state is None:
        dtype, device = default_kind("run_trajectory", circuit.leaves, None, None)
    else:
        check_state_size("run_trajectory", state, circuit.n_qubits)
        common_dtype_and_device("run_trajectory", [state, *circuit.leaves])
        dtype, device = state.dtype, state.device
    for leaf in circuit.leaves[:1]:
        check_device("run_trajectory", leaf, u)
    return _Walk(circuit.n_qubits, dtype, device).run(circuit.ops, u.to(dtype.to_real()), state)


class _Walk:
    """A trajectory under way: ops that wait to be run, and the branches' probabilities so far."""

    def __init__(self, n_qubits: int, dtype: torch.dtype, device: torch.device) -> None:
        self.n_qubits, self.dtype, self.device = n_qubits, dtype, device
        self.waiting: list[Op] = []
        self.taken: list[Tensor] = []

    def run(self, ops: Sequence[Op], u: Tensor, state: Tensor | None) -> Trajectory:
        """The state after all ops, and its weight."""
        first = 0
        for op in ops:
            if not isinstance(op.gate, Channel):
                self.waiting.append(op)
                continue
            own = u[first : first + len(op.wires)]
            first += len(op.wires)
            strengths = strengths_of(op, u.dtype, self.device)
            if op.gate.mixture is not None:
                self._choose(op.gate, strengths, own, op.wires)
            else:
                state = self._branch(op.gate, strengths, own, op.wires, state)
        state = self._advanced(state)
        if not self.taken:
            return Trajectory(state, torch.ones((), dtype=u.dtype, device=u.device))
        log = torch.cat(self.taken).log().sum()
        return Trajectory(state, (log - log.detach()).exp())

    def _choose(
        self, channel: Channel, strengths: list[Tensor], u: Tensor, wires: tuple[WireSet, ...]
    ) -> None:
        """Let the unitaries that a mixture takes wait with the gates."""
        assert channel.mixture is not None
        probabilities, unitaries = channel.mixture(*strengths)
        index = chosen(probabilities, u)
        self.taken.append(probabilities.gather(1, index[:, None])[:, 0])
        if unitaries.ndim == 3:
            matrices = unitaries[index]
        else:
            matrices = torch.take_along_dim(unitaries, index[:, None, None, None], 1)[:, 0]
        self.waiting.append(Op(unitary_gate(channel.n_wires), wires, (matrices,)))

    def _branch(
        self, channel: Channel, strengths: list[Tensor], u: Tensor, wires: tuple[WireSet, ...],
        state: Tensor | None,
    ) -> Tensor:  # fmt: skip
        """Run up to a channel, and let it take a branch on one wire set after the other."""
        if channel.kraus is None:
            need, got = "have Kraus operators", "only a superoperator"
            remedy = "Give them with `noise.kraus(operators, *wires)`, or use `run_density`."
            raise TypeError(message("run_trajectory", "circuit", channel, need, got, remedy))
        operators = channel.kraus(*strengths)
        for slot, own in enumerate(wires):
            state = self._advanced(state)
            rho = partial_trace(state, own)
            image, own_operators = operators[slot] @ rho, operators[slot]
            both = image.real * own_operators.real + image.imag * own_operators.imag
            probabilities = both.sum((-2, -1))
            index = chosen(probabilities[None], u[slot : slot + 1])
            p = probabilities.gather(0, index)
            self.taken.append(p / probabilities.sum())
            matrix = operators[slot].index_select(0, index) / p.sqrt()
            self.waiting.append(Op(linear_gate(channel.n_wires), (own,), (matrix,)))
        return self._advanced(state)

    def _advanced(self, state: Tensor | None) -> Tensor:
        ops, self.waiting = self.waiting, []
        return evolved(self.n_qubits, ops, state, self.dtype, self.device)


def chosen(probabilities: Tensor, u: Tensor) -> Tensor:
    """Which entry of each row `(m, n)` a uniform number falls on; none of probability 0.

    Numbers are compared with sums from the left, in the rows' own precision.
    """
    sums = probabilities.detach().clamp(min=0).cumsum(-1)
    position = (u.detach() * sums[:, -1])[:, None]
    is_last = sums >= sums[:, -1:]
    return ((sums <= position) & ~is_last).sum(-1)


def trajectory_mean(values: Tensor, weights: Tensor) -> Tensor:
    """The mean of `weight * value` over trajectories, whose gradient varies less.

    From each sample's value the mean of the others is taken before it meets the derivative of the
    weight. That mean does not depend on the sample, so that nothing is added on average, to any
    order; value and mean are those of `(weights * values).mean()`.

    Args:
        values (real, (T,)): What was measured on each of `T >= 2` trajectories.
        weights (real, (T,)): Their weights.

    Returns:
        (real, ()): Mean.

    Raises:
        TypeError: If one is not a real tensor.
        ValueError: If there are fewer than two, or not as many of both.

    Transforms:
        vmap, grad, jvp, hessian.

    Examples:
        >>> trajectory_mean(torch.tensor([1.0, -1.0, 0.5]), torch.ones(3))
        tensor(0.1667)

    References:
        Kool, van Hoof and Welling (2019), ICLR workshop, for the baseline.
    """
    remedy = "Give one number for each trajectory."
    check_tensor("trajectory_mean", "values", values, COMPLEX_OF, ("T",), remedy)
    T = values.shape[0]
    check_tensor("trajectory_mean", "weights", weights, COMPLEX_OF, (T,), remedy)
    if T < 2:
        need, got = "hold two or more", f"{T}"
        raise ValueError(message("trajectory_mean", "values", values, need, got, remedy))
    others = (values.sum() - values) / (T - 1)
    return (weights * values - (weights - 1) * others).mean()
