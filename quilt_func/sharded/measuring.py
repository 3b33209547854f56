"""Norms, overlaps, and probabilities and densities of some wires of sharded states.

Each rank sums over its own amplitudes, and what all have is summed once. So every rank has the same
result, and the gradient that it has is that of the whole.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from quilt_func._amplitudes import split_wires
from quilt_func._checks import check_wires, common_dtype_and_device, message, qubits
from quilt_func._collectives import summed
from quilt_func._torch import unconjugated
from quilt_func.densities import partial_trace
from quilt_func.sharded.layouts import ShardedState, check_sharded
from quilt_func.sharded.moving import among_zeros, permuted, reordered, with_local


def norm(state: ShardedState) -> Tensor:
    """The root of the sum of all |ψ_b|² of a sharded state.

    Args:
        state: Sharded state.

    Returns:
        (real, ()): Norm, the same on every rank: 1 after unitary gates, up to rounding.

    Raises:
        TypeError: If the state is not sharded.

    Transforms:
        vmap, grad, jvp, hessian.

    Examples:
        >>> from quilt_func import basis_state, sharded
        >>> def length():
        ...     return sharded.norm(sharded.shard(2 * basis_state("01"), sharded.mesh("cpu")))
        >>> sharded.spawn(2, length, start="fork")[0]
        tensor(2.)
    """
    check_sharded("norm", state)
    local = unconjugated(state.local)
    return summed(state.layout.ranks, inner(local, local)).sqrt()


def overlap(a: ShardedState, b: ShardedState) -> Tensor:
    """Inner product ⟨a|b⟩ of two sharded states; `b` is brought to the layout of `a`.

    Args:
        a: State; it is conjugated.
        b: State on the same ranks.

    Returns:
        (complex, ()): Inner product, the same on every rank.

    Raises:
        TypeError: If a state is not sharded or dtypes differ.
        ValueError: If sizes or ranks differ.

    Transforms:
        vmap, grad (of real functions of it), jvp.

    Examples:
        >>> from quilt_func import basis_state, sharded
        >>> def product():
        ...     a = sharded.shard(basis_state("01"), sharded.mesh("cpu"))
        ...     return sharded.overlap(a, sharded.reordered(a, [1, 0]))
        >>> sharded.spawn(2, product, start="fork")[0]
        tensor(1.+0.j)
    """
    check_sharded("overlap", a, "a")
    check_sharded("overlap", b, "b")
    n = a.layout.n_qubits
    if b.layout.n_qubits != n:
        need, got = f"be of {qubits(n)}, as `a` is", qubits(b.layout.n_qubits)
        raise ValueError(message("overlap", "b", b.local, need, got, "Give equal sizes."))
    if b.layout.ranks != a.layout.ranks:
        need, got = f"be on the {a.layout.ranks.n} ranks of `a`", "others"
        raise ValueError(message("overlap", "b", b.local, need, got, "Take one mesh."))
    common_dtype_and_device("overlap", (a.local, b.local))
    other = reordered(b, a.layout.order)
    return summed(a.layout.ranks, torch.vdot(a.local, other.local))


def marginal(state: ShardedState, wires: Sequence[int]) -> Tensor:
    """Probabilities of the bits of some wires of a sharded state; no amplitude is sent.

    Args:
        state: Normalised sharded state.
        wires: `k` distinct wires; the first is the most significant bit of the result.

    Returns:
        (real, (2**k,)): Probabilities, the same on every rank.

    Raises:
        TypeError: If the state is not sharded or a wire is not an int.
        ValueError: If wires repeat or are out of range.

    Transforms:
        vmap, grad (of a component), jvp, jacrev, jacfwd, hessian.

    Examples:
        >>> from quilt_func import basis_state, sharded
        >>> def bits():
        ...     state = sharded.shard(basis_state("011"), sharded.mesh("cpu"))
        ...     return sharded.marginal(state, [2, 0])
        >>> sharded.spawn(2, bits, start="fork")[0]
        tensor([0., 0., 1., 0.])
    """
    check_sharded("marginal", state)
    kept = check_wires("marginal", wires, state.layout.n_qubits)
    layout = state.layout
    across = [wire for wire in layout.sharded if wire in kept]
    within = [wire for wire in layout.local if wire in kept]
    split, axes = split_wires(own_probabilities(state), [layout.local.index(w) for w in within])
    own = split.movedim(axes, list(range(len(axes)))).reshape(2 ** len(axes), -1).sum(-1)
    number = sum(
        layout.ranks.bits[layout.sharded.index(wire)] << place
        for place, wire in enumerate(reversed(across))
    )
    found = summed(layout.ranks, among_zeros(own, number, 2 ** len(across)))
    return permuted(found, tuple(map((*across, *within).index, kept)))


def reduced_density(state: ShardedState, wires: Sequence[int]) -> Tensor:
    """Density matrix of some wires of a sharded state, the others traced out.

    Those of the wires that are in the rank's number come in by one exchange first.

    Args:
        state: Normalised sharded state.
        wires: `k` distinct wires, no more than a rank has; the first is the most significant bit
            of the result.

    Returns:
        (complex, (2**k, 2**k)): Density matrix, the same on every rank.

    Raises:
        TypeError: If the state is not sharded or a wire is not an int.
        ValueError: If wires repeat or are out of range, or are more than a rank has.

    Transforms:
        vmap, grad (of real functions of it), jvp.

    Examples:
        >>> from quilt_func import ghz_state, sharded
        >>> def first():
        ...     state = sharded.shard(ghz_state(2), sharded.mesh("cpu"))
        ...     return sharded.reduced_density(state, [0]).real
        >>> sharded.spawn(2, first, start="fork")[0]
        tensor([[0.5000, 0.0000],
                [0.0000, 0.5000]])

    References:
        Nielsen and Chuang (2010), section 2.4.3.
    """
    check_sharded("reduced_density", state)
    kept = check_wires("reduced_density", wires, state.layout.n_qubits)
    most = len(state.layout.local)
    if len(kept) > most:
        need, got = f"be at most {most}, as many as a rank has", f"{len(kept)}"
        remedy = "Take fewer wires, or fewer ranks."
        raise ValueError(message("reduced_density", "wires", kept, need, got, remedy))
    here = with_local(state, kept)
    own = partial_trace(here.local, tuple(map(here.layout.local.index, kept)))
    return summed(state.layout.ranks, own)


def own_probabilities(state: ShardedState) -> Tensor:
    """Probabilities of this rank's basis states, in the order of its amplitudes."""
    local = unconjugated(state.local)
    return local.real.square() + local.imag.square()


def inner(a: Tensor, b: Tensor) -> Tensor:
    """The real part of an inner product."""
    return (a.real * b.real + a.imag * b.imag).sum()
