"""Every pattern of branches that a trajectory may take, by the operators of the rows alone."""

import torch
from torch import Tensor
from torch.func import vmap

from quilt_func.circuits import Circuit
from quilt_func.gates import linear
from quilt_func.noise import Channel
from quilt_func.ops import Op

MOST = 256
"""Patterns of a circuit, at most."""
RARE = 1e-9
"""Branches of less are left out."""
NOTHING = 1e-24
"""Branches of less have no slope either, since that is at most as the root of it."""


def within_reach(circuit: Circuit) -> Circuit:
    """The first ops of a circuit, as many as have no more patterns than `MOST`."""
    total, ops = 1, []
    for op in circuit.ops:
        if isinstance(op.gate, Channel) and op.gate.kraus is not None and len(op):
            total *= len(operators(op, torch.float64)[0]) ** len(op)
        if total > MOST:
            break
        ops.append(op)
    return Circuit(circuit.n_qubits, tuple(ops))


def operators(op: Op, real: torch.dtype, inwards: float = 0.0) -> Tensor:
    """The operators `(m, n, K, K)` of an op's branches, in their order: `Σ A† A = 1`."""
    given = [
        torch.full((len(op),), p, dtype=real) if type(p) is float else p.detach() for p in op.params
    ]
    if not op.gate.param_shape:
        given = [(1 - 2 * inwards) * strength + inwards for strength in given]
    channel = op.gate
    assert isinstance(channel, Channel)
    if channel.mixture is not None:
        probabilities, unitaries = channel.mixture(*given)
        found: Tensor = probabilities.clamp(min=0).sqrt()[..., None, None] * unitaries
        return found
    assert channel.kraus is not None
    return channel.kraus(*given)


def all_patterns(circuit: Circuit, real: torch.dtype) -> tuple[Tensor, Tensor, bool]:
    """Uniform numbers `(B, n_draws)` in the middle of each pattern, and probabilities `(B,)`.

    Returns:
        Both, and whether the branches that were left out have no slope: they vanish by the state,
        or by an operator that is 0 at other strengths, too, unlike one of strength 0.
    """
    n = circuit.n_qubits
    states = torch.zeros(1, 2**n, dtype=real.to_complex())
    states[0, 0] = 1
    u, is_whole = torch.zeros(1, 0, dtype=real), True
    for op in circuit.ops:
        if not isinstance(op.gate, Channel):
            gates = Circuit(n, (op,))
            states = vmap(gates)(states)
            continue
        for slot, wires in enumerate(op.wires):
            own = operators(op, real)[slot]
            branches = torch.stack([
                vmap(Circuit(n, (linear(one, *wires),)))(states) for one in own
            ])  # fmt: skip
            p = branches.abs().square().sum(-1)
            ends = (p / p.sum(0)).cumsum(0)
            middles = ends - p / p.sum(0) / 2
            is_taken = p / p.sum(0) > RARE
            is_zero, is_always = _vanish(own), _vanish(operators(op, real, 0.05)[slot])
            without_slope = is_always[:, None] | ((p < NOTHING) & ~is_zero[:, None])
            is_whole &= bool((is_taken | without_slope).all())
            branch, old = is_taken.nonzero(as_tuple=True)
            states = branches[branch, old]
            u = torch.cat([u[old], middles[branch, old][:, None]], 1)
    return u, states.abs().square().sum(-1), is_whole


def _vanish(own: Tensor) -> Tensor:
    """Which operators are 0, or the root of what rounding left of it."""
    return own.abs().amax((-2, -1)).square() < 64 * torch.finfo(own.dtype).eps
