"""Patterns of branches: which samples of a noisy circuit are the same, and a run of a given one.

At little noise most samples have the same pattern: no error anywhere. In circuits whose channels
are mixtures of unitaries, patterns follow from the uniform numbers alone, so that each pattern can
be run once, for all samples that have it.

References:
    Dalibard, Castin and Mølmer (1992), Phys. Rev. Lett. 68, 580, for trajectories.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from quilt_func._checks import COMPLEX_OF, check_tensor, message
from quilt_func._torch import batch_levels
from quilt_func.circuits import Circuit, check_circuit
from quilt_func.noise.branching import (
    check_no_instruments,
    chosen,
    kind_of_run,
    product_of,
    score,
    take_branches,
)
from quilt_func.noise.channels import Channel, strengths_of
from quilt_func.noise.trajectories import n_draws


class Patterns(NamedTuple):
    """The different patterns among samples.

    Attributes:
        branches (int64, (U, n_draws)): Each pattern once, as the numbers of the branches that are
            taken, in the order of `run_trajectory`'s uniform numbers. 0 is the channel's first
            unitary: no error, of the table's mixtures.
        counts (int64, (U,)): How many samples have it.
        of_sample (int64, (T,)): Which of them each sample has.

    Examples:
        >>> from quilt_func import noise, circuit, uniforms
        >>> noisy = circuit(1, noise.bit_flip(0.25, 0))
        >>> noise.trajectory_patterns(noisy, uniforms((100, 1), 0)).branches
        tensor([[0],
                [1]])
    """

    branches: Tensor
    counts: Tensor
    of_sample: Tensor


class PatternRun(NamedTuple):
    """What one pattern of branches makes of a state.

    Attributes:
        state (complex, (2**n_qubits,)): Normalised statevector; zeros where the pattern can't be.
        weight (real, ()): 1, with the derivative of the pattern's probability, as of a sample.
        probability (real, ()): How likely the pattern is. A sum of `probability * value` over all
            patterns is exact.

    Examples:
        >>> from quilt_func import noise, circuit, x
        >>> decay = circuit(1, x(0), noise.amplitude_damping(0.25, 0))
        >>> noise.run_pattern(decay, torch.tensor([2])).probability
        tensor(0.2500)
    """

    state: Tensor
    weight: Tensor
    probability: Tensor


def trajectory_patterns(circuit: Circuit, u: Tensor) -> Patterns:
    """Which patterns of branches many samples have, and how often: each needs to be run once only.

    `run_pattern`, mapped over `branches`, gives a weight and a state for each pattern. The mean of
    `counts * weight * value`, over samples, has the value and the derivatives of that of
    `run_trajectory`.

    Args:
        circuit: Gates, and channels that are mixtures of unitaries.
        u (real, (T, n_draws(circuit))): Uniform numbers in [0, 1) of `T` samples, from `uniforms`.

    Returns:
        The patterns in lexical order, their counts, and the one of each sample.

    Raises:
        TypeError: If a channel is not a mixture of unitaries, or `u` not a real tensor.
        ValueError: If there is no sample, there are too few or too many numbers for each, or
            numbers can't be looked at: under `vmap`.

    Transforms:
        None: how many patterns there are depends on numbers. It may be called within grad, jvp
        and hessian; call it before `vmap` and `jit`.

    Examples:
        >>> from torch.func import grad, vmap
        >>> from quilt_func import noise, circuit, expval, pauli_sum, uniforms
        >>> z, u = pauli_sum({"Z": 1.0}), uniforms((10_000, 20), 0)
        >>> def noisy(p):
        ...     return circuit(1, [noise.depolarizing(p, 0)] * 20)
        >>> patterns = noise.trajectory_patterns(noisy(0.003), u)
        >>> len(patterns.branches)
        76
        >>> def mean(p):
        ...     def value(branches):
        ...         run = noise.run_pattern(noisy(p), branches)
        ...         return run.weight * expval(run.state, z)
        ...     return (patterns.counts * vmap(value)(patterns.branches)).sum() / len(u)
        >>> mean(torch.tensor(0.003)).round(decimals=2), grad(mean)(torch.tensor(0.003)).round()
        (tensor(0.9200), tensor(-24.))
    """
    function = "trajectory_patterns"
    check_circuit(function, "circuit", circuit)
    check_no_instruments(function, circuit)
    n = n_draws(circuit)
    remedy = "Draw them with `uniforms((n_samples, n_draws(circuit)), seed)`."
    check_tensor(function, "u", u, COMPLEX_OF, ("T", n), remedy, need="be a real tensor", least=1)
    kind = kind_of_run(function, circuit, None, u)
    rows, first = [torch.zeros(len(u), 0, dtype=torch.int64, device=u.device)], 0
    for op in circuit.ops:
        if isinstance(op.gate, Channel):
            own = u[:, first : first + len(op.wires)]
            probabilities = _mixture(op.gate, strengths_of(op, *kind))
            rows.append(chosen(probabilities, own.to(probabilities.dtype)))
            first += len(op.wires)
    taken = torch.cat(rows, 1)
    if batch_levels(taken) or taken.is_meta:
        need, got = "be numbers that can be looked at", "some that are mapped over, or none"
        remedy = "Call it outside of `vmap`, and map `run_pattern` over its `branches`."
        raise ValueError(message(function, "u", u, need, got, remedy))
    if not n:
        of_sample = taken.sum(1)  # zeros
        return Patterns(taken[:1], torch.full_like(of_sample[:1], len(u)), of_sample)
    found = torch.unique(taken, dim=0, return_inverse=True, return_counts=True)
    branches, of_sample, counts = found
    return Patterns(branches, counts, of_sample)


def _mixture(channel: Channel, strengths: list[Tensor]) -> Tensor:
    """The probabilities of a channel that is a mixture of unitaries."""
    if channel.mixture is None:
        need, remedy = "have mixtures of unitaries only", "Map `run_trajectory` over the numbers."
        raise TypeError(
            message("trajectory_patterns", "circuit", channel, need, repr(channel), remedy)
        )
    return channel.mixture(*strengths)[0]


def run_pattern(circuit: Circuit, branches: Tensor, state: Tensor | None = None) -> PatternRun:
    """Run a circuit of gates and channels, each of which takes a given branch.

    Args:
        circuit: Gates, and channels whose Kraus operators are known.
        branches (int64, (n_draws(circuit),)): Number of the branch that each channel takes on each
            wire set, in order: of a mixture of unitaries the place among these, of other channels
            among Kraus operators. They are not looked at, and torch raises an error where there is
            no such branch.
        state (complex, (2**n,)): Normalised statevector before; default: |0...0⟩.

    Returns:
        The state, its weight as a sample, and the probability of the pattern.

    Raises:
        TypeError: If `branches` are not int64, dtypes or devices differ, or a channel has no Kraus
            operators.
        ValueError: If there are too few or too many branches, or the state is of the wrong size.

    Transforms:
        vmap, also over `branches`, grad, jvp, hessian, of `weight * value` and `probability *
        value`.

    Examples:
        >>> from torch.func import vmap
        >>> from quilt_func import noise, circuit, expval, pauli_sum
        >>> noisy, z = circuit(1, noise.bit_flip(0.25, 0)), pauli_sum({"Z": 1.0})
        >>> def value(branches):
        ...     run = noise.run_pattern(noisy, branches)
        ...     return run.probability * expval(run.state, z)
        >>> vmap(value)(torch.tensor([[0], [1]])).sum()
        tensor(0.5000)
    """
    check_circuit("run_pattern", "circuit", circuit)
    check_no_instruments("run_pattern", circuit)
    remedy = "Take them from `trajectory_patterns(circuit, u)`; map over many with `vmap`."
    form = (n_draws(circuit),)
    check_tensor("run_pattern", "branches", branches, (torch.int64,), form, remedy)

    def pick(first: int, probabilities: Tensor) -> Tensor:
        return branches[first : first + len(probabilities)]

    found = take_branches("run_pattern", circuit, pick, state, branches)
    weight, probability = score(found.probabilities), product_of(found.probabilities)
    return PatternRun(found.state, weight, probability)
