r"""One sample of a noisy circuit: a state and a weight, a pure function of uniform numbers.

Each channel, on each of its wire sets, takes one branch, by a uniform number of its own. Those of
mixtures of unitaries are taken first, and the circuit that is left is one of gates.

The derivative of a mean over samples has two parts: that of the branches' values, and that of
their probabilities. The weight `exp(log P - log P.detach())`, with the product `P` of the
probabilities of the branches that were taken, is 1 and has the second as its derivative, to any
order.

References:
    Dalibard, Castin and Mølmer (1992), Phys. Rev. Lett. 68, 580, for trajectories.
    Foerster et al. (2018), arXiv:1802.05098, for the weight.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor

from quilt_func._checks import COMPLEX_OF, check_tensor, is_number, message
from quilt_func._torch import register
from quilt_func.circuits import Circuit, check_circuit
from quilt_func.instruments import check_keys
from quilt_func.noise.branching import by_numbers, draws_of, product_of, score, take_branches


@dataclass(frozen=True, eq=False)
class Trajectory:
    """One sample of a noisy circuit. A pytree, which unpacks as `state, weight`.

    Attributes:
        state (complex, (2**n_qubits,)): Normalised statevector after the branches that were taken.
        weight (real, ()): 1, with the derivative of the branches' probability: multiply whatever is
            measured on the state by it before taking a mean. After `postselect`, times the
            probability of what was kept. Of `run_no_jump` and `run_jumps`, the probability of what
            each stands for.
        bits: Outcomes by key (int64, (n_wires,)), of a circuit with measurements.

    Examples:
        >>> from quilt_func import noise, circuit, measure, x, uniforms
        >>> decay = circuit(1, x(0), noise.amplitude_damping(1.0, 0), measure(0, "m"))
        >>> run = noise.run_trajectory(decay, uniforms(2, 0))
        >>> run.state.abs(), run.weight, run.bits
        (tensor([1., 0.]), tensor(1.), {'m': tensor([0])})
    """

    state: Tensor
    weight: Tensor
    bits: dict[str, Tensor] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Tensor]:
        """The state, then the weight."""
        yield self.state
        yield self.weight


register(
    Trajectory,
    lambda one: ([one.state, one.weight, one.bits], None),
    lambda children, _: Trajectory(*children),
    "quilt_func.noise.Trajectory",
)


def n_draws(circuit: Circuit) -> int:
    """Number of uniform numbers that one trajectory takes.

    One for each wire set of each channel, for each `measure`, and for each wire of a `reset`.

    Args:
        circuit: Gates, channels and instruments.

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
    return sum(map(draws_of, circuit.ops))


def run_trajectory(circuit: Circuit, u: Tensor, state: Tensor | None = None) -> Trajectory:
    """One sample of a circuit of gates, channels and instruments.

    Means of `weight * value` over uniform numbers are those of the density matrix, and so are their
    derivatives of every order, in angles and in strengths. A branch of probability 0 is never
    taken, so that a slope at strength 0 lacks what such a branch would give: use `run_density`.

    Args:
        circuit: Gates, channels whose Kraus operators are known, and instruments.
        u (real, (n_draws(circuit),)): Uniform numbers in [0, 1), from `uniforms`; one for each
            channel and wire set, each measurement, and each wire that is reset, in order.
        state (complex, (2**n,)): Statevector before; default: |0...0⟩.

    Returns:
        The state, its weight, and the bits that were measured last under each key.

    Raises:
        TypeError: If dtypes or devices differ, or a channel has no Kraus operators.
        ValueError: If there are too few or too many uniform numbers, the state is of the wrong
            size, or an outcome is read before it is measured.

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
    check_keys("run_trajectory", circuit)
    remedy = "Draw them with `uniforms(n_draws(circuit), seed)`; map over many with `vmap`."
    form = (n_draws(circuit),)
    check_tensor("run_trajectory", "u", u, COMPLEX_OF, form, remedy, need="be a real tensor")
    taken = take_branches("run_trajectory", circuit, by_numbers(u), state, u)
    weight = score(taken.probabilities) * product_of(taken.selected)
    return Trajectory(taken.state, weight, taken.bits)


def trajectory_mean(values: Tensor, weights: Tensor, *, total: float | Tensor = 1.0) -> Tensor:
    """The mean of `weight * value` over trajectories, whose gradient varies less.

    The mean of the others is subtracted from each sample's value where that multiplies the
    derivative of the weight. That mean does not depend on the sample, so that nothing is added on
    average, to any order; value and mean are those of `(weights * values).mean()`.

    Args:
        values (real, (T,)): What was measured on each of `T >= 2` trajectories.
        weights (real, (T,)): Their weights.
        total (real, ()): The probability of all that is sampled: 1, or of `run_jumps` that of any
            jump, `1 - run_no_jump(circuit).weight`, with its derivative.

    Returns:
        (real, ()): Mean.

    Raises:
        TypeError: If one is not a real tensor, or `total` of another dtype.
        ValueError: If there are fewer than two, or not as many of both.

    Transforms:
        vmap, grad, jvp, hessian.

    Examples:
        >>> import torch
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
    if not is_number(total):
        remedy = "Give `1 - run_no_jump(circuit).weight` with weights of `run_jumps`."
        check_tensor("trajectory_mean", "total", total, (values.dtype,), (), remedy)
    others = (values.sum() - values) / (T - 1)
    return (weights * values - (weights - total) * others).mean()
