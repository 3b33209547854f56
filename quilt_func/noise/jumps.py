r"""Samples that have at least one error: the run without any is computed, not drawn.

The *no-jump* run takes branch 0 of every channel: no error, of the table's mixtures, and the first
Kraus operator of other channels. With its probability `P`, a mean over all branches is
`P * value` of this run, plus `1 - P` times the mean over the others, which are what is drawn. So
the variance of samples falls to a share of `1 - P`, or less.

As long as no jump has come, the state is that of the no-jump run. So there the probability that a
jump comes *later* is known beforehand, and a channel keeps branch 0 so much more seldom that one
does come.

References:
    Dalibard, Castin and Mølmer (1992), Phys. Rev. Lett. 68, 580, for trajectories.
    Abdelhafez, Schuster and Koch (2019), arXiv:1901.05541, for the run without a jump done once.
"""

import torch
from torch import Tensor

from quilt_func._checks import COMPLEX_OF, check_tensor
from quilt_func._torch import tree_map
from quilt_func.circuits import Circuit, check_circuit
from quilt_func.noise.branching import (
    Walk,
    check_no_instruments,
    chosen,
    product_of,
    score,
    take_branches,
)
from quilt_func.noise.trajectories import Trajectory, n_draws


def run_no_jump(circuit: Circuit, state: Tensor | None = None) -> Trajectory:
    """The run of a noisy circuit in which no channel makes an error, and its probability.

    Every channel takes its branch 0: no error, of the table's mixtures of unitaries, and the first
    Kraus operator of other channels.

    Args:
        circuit: Gates, and channels whose Kraus operators are known.
        state (complex, (2**n,)): Normalised statevector before; default: |0...0⟩.

    Returns:
        The state, and as its weight the probability: `weight * value` is what this run adds to the
        mean over all. Where the probability is 0, the state may be one of zeros.

    Raises:
        TypeError: If dtypes or devices differ, or a channel has no Kraus operators.
        ValueError: If the state is of the wrong size.

    Transforms:
        vmap, grad, jvp, hessian, in the circuit's leaves and in `state`.

    Examples:
        >>> from quilt_func import noise, circuit, h
        >>> noise.run_no_jump(circuit(1, h(0), noise.amplitude_damping(0.2, 0))).weight
        tensor(0.9000)

    References:
        Dalibard, Castin and Mølmer (1992), Phys. Rev. Lett. 68, 580.
    """
    check_circuit("run_no_jump", "circuit", circuit)
    check_no_instruments("run_no_jump", circuit)
    found = take_branches("run_no_jump", circuit, _first, state)
    return Trajectory(found.state, product_of(found.probabilities))


def run_jumps(circuit: Circuit, u: Tensor, state: Tensor | None = None) -> Trajectory:
    """One sample of a noisy circuit among those with at least one error, or jump.

    With `run_no_jump` it makes a mean whose samples vary less, the less noise there is:
    `no_jump.weight * value` of that run, plus the mean of `weight * value` over samples of this
    function. That is the density matrix' value on average, and so are derivatives of every order,
    in angles and in strengths. `trajectory_mean(..., total=1 - no_jump.weight)` has a baseline too.

    Args:
        circuit: Gates, and channels whose Kraus operators are known.
        u (real, (n_draws(circuit),)): Uniform numbers in [0, 1), from `uniforms`; one for each
            channel and wire set, in order.
        state (complex, (2**n,)): Normalised statevector before; default: |0...0⟩.

    Returns:
        The state, and its weight: the probability of any jump, with the derivative of the branches'
        probability. It is 0 where no jump is possible.

    Raises:
        TypeError: If dtypes or devices differ, or a channel has no Kraus operators.
        ValueError: If there are too few or too many uniform numbers, or the state is of the wrong
            size.

    Transforms:
        vmap, also over `u`, grad, jvp, hessian, of `weight * value`.

    Examples:
        >>> from torch.func import vmap
        >>> from quilt_func import noise, circuit, expval, pauli_sum, uniforms
        >>> noisy, z = circuit(1, noise.bit_flip(0.01, [0, 0])), pauli_sum({"Z": 1.0})
        >>> state, weight = noise.run_no_jump(noisy)
        >>> def value(u):
        ...     jumps = noise.run_jumps(noisy, u)
        ...     return jumps.weight * expval(jumps.state, z)
        >>> found = weight * expval(state, z) + vmap(value)(uniforms((100, 2), 0)).mean()
        >>> found.round(decimals=2)  # 0.98**2
        tensor(0.9600)

    References:
        Abdelhafez, Schuster and Koch (2019), arXiv:1901.05541.
    """
    check_circuit("run_jumps", "circuit", circuit)
    check_no_instruments("run_jumps", circuit)
    remedy = "Draw them with `uniforms(n_draws(circuit), seed)`; map over many with `vmap`."
    form = (n_draws(circuit),)
    check_tensor("run_jumps", "u", u, COMPLEX_OF, form, remedy, need="be a real tensor")
    later = _later(_jump_probabilities(circuit, state))
    found = take_branches("run_jumps", circuit, _Conditioned(u, later), state, u)
    return Trajectory(found.state, later[0] * score(found.probabilities))


def _first(_: int, probabilities: Tensor) -> Tensor:
    """Branch 0 for all."""
    return torch.zeros(len(probabilities), dtype=torch.int64, device=probabilities.device)


def _jump_probabilities(circuit: Circuit, state: Tensor | None) -> Tensor:
    """Of each draw of the no-jump run, the probability that it takes another branch."""
    still: Circuit = tree_map(lambda p: p.detach() if isinstance(p, Tensor) else p, circuit)
    found: list[Tensor] = []

    def pick(first: int, probabilities: Tensor) -> Tensor:
        p = probabilities.detach().clamp(min=0)
        total = p.sum(-1)
        found.append(p[:, 1:].sum(-1) / torch.where(total > 0, total, 1.0))
        return _first(first, probabilities)

    walk = Walk("run_jumps", still, pick, state if state is None else state.detach())
    walk.choose()
    none = torch.zeros(0, dtype=walk.dtype.to_real(), device=walk.device)
    return torch.cat([*found, none])


def _later(jumps: Tensor) -> Tensor:
    """The probability of any jump from each draw on, `(n_draws + 1,)`, without one before."""
    log = torch.log1p(-jumps.clamp(max=1)).flip(0).cumsum(0).flip(0)
    return -torch.expm1(torch.cat([log, torch.zeros(1, dtype=log.dtype, device=log.device)]))


class _Conditioned:
    """Picks branches by uniform numbers, under the condition that one of them is a jump."""

    def __init__(self, u: Tensor, later: Tensor) -> None:
        self.u, self.later = u, later
        self.has_jumped = torch.zeros((), dtype=torch.bool, device=u.device)

    def __call__(self, first: int, probabilities: Tensor) -> Tensor:
        """Branches `(m,)`: up to the first jump, branch 0 is weighed by what may come later."""
        places = slice(first, first + len(probabilities))
        later = self.later[1:][places, None]
        p, u = probabilities.detach(), self.u[places].to(probabilities.dtype)
        free, held = chosen(p, u), chosen(torch.cat([p[:, :1] * later, p[:, 1:]], 1), u)
        jumps = (held > 0).to(torch.int64)
        is_after = self.has_jumped | (jumps.cumsum(0) > jumps)
        self.has_jumped = self.has_jumped | (jumps.sum() > 0)
        return torch.where(is_after, free, held)
