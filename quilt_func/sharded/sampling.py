"""Samples of sharded states: first which rank, then which of its basis states."""

import torch
from torch import Tensor

from quilt_func._checks import COMPLEX_OF, check_device, check_tensor
from quilt_func._collectives import summed
from quilt_func._model_checks import check_not_differentiated
from quilt_func._sampling import place_of
from quilt_func.sharded.layouts import ShardedState, check_sharded
from quilt_func.sharded.measuring import own_probabilities
from quilt_func.sharded.moving import among_zeros, reordered


def sample(state: ShardedState, u: Tensor) -> Tensor:
    """Basis states measured on a sharded state, one for each uniform number.

    The state is brought to ascending wires first, so that the samples are those that
    `quilt_func.sample` draws of the whole state by the same numbers, up to the rounding of sums.
    What is sent is that, a number for each rank, and the samples.

    Args:
        state: Sharded state, which is normalised here.
        u (real, any shape): Uniform numbers in [0, 1), from `uniforms`, the same on every rank.

    Returns:
        (int64, u.shape): Indices of basis states, the same on every rank; `to_bits` makes bits.

    Raises:
        TypeError: If the state is not sharded or is being differentiated, `u` is not real, or
            devices differ.

    Transforms:
        vmap, over states and over uniform numbers.

    Examples:
        >>> from quilt_func import ghz_state, sharded, uniforms
        >>> def bits():
        ...     state = sharded.shard(ghz_state(2), sharded.mesh("cpu"))
        ...     return sorted(set(sharded.sample(state, uniforms(100, 0)).tolist()))
        >>> sharded.spawn(2, bits, start="fork")
        [[0, 3], [0, 3]]
    """
    check_sharded("sample", state)
    remedy = "Draw them with `uniforms(shots, seed)`."
    check_tensor("sample", "u", u, COMPLEX_OF, (...,), remedy, need="be a real tensor")
    check_device("sample", state.local, u)
    check_not_differentiated("sample", "state", state.local)
    ranks, ordered = state.layout.ranks, reordered(state)
    cumulative = own_probabilities(ordered).to(torch.float64).cumsum(-1)
    of_ranks = summed(ranks, among_zeros(cumulative[-1:], ranks.rank, ranks.n)).cumsum(-1)
    positions = u.to(torch.float64).flatten() * of_ranks[-1]
    holder = place_of(of_ranks, positions)
    before = of_ranks[ranks.rank - 1] if ranks.rank else torch.zeros_like(of_ranks[0])
    last = cumulative[-1] * (1 - torch.finfo(torch.float64).eps)  # the sums may round past it
    found = place_of(cumulative, torch.minimum(positions - before, last))
    own = torch.where(holder == ranks.rank, found + ranks.rank * cumulative.shape[0], 0)
    return summed(ranks, own).reshape(u.shape)
