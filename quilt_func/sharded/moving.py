"""States that are brought to ranks, back from them, and from one layout to another."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh

from quilt_func._amplitudes import inverse, runs
from quilt_func._checks import check_state, check_wires, message, qubits
from quilt_func._collectives import Exchange, copied, exchanged, summed
from quilt_func.sharded import planning
from quilt_func.sharded.layouts import Layout, ShardedState, check_sharded
from quilt_func.sharded.processes import ranks_of
from quilt_func.sharded.running import check_enough
from quilt_func.typing import WireSet


def shard(state: Tensor, mesh: DeviceMesh, *, order: Sequence[int] | None = None) -> ShardedState:
    """Split a statevector that every rank holds: each keeps its part.

    Args:
        state (complex, (2**n,)): Statevector, the same on all ranks.
        mesh: The ranks, from `sharded.mesh`.
        order: All wires, of which the first are those of the rank's number; default: ascending.

    Returns:
        The sharded state. The gradient by `state` is the same on every rank.

    Raises:
        TypeError: If the state is not a complex tensor, or `mesh` is no mesh.
        ValueError: If a rank would have less than one wire, or the order lacks one.

    Transforms:
        vmap, grad, jvp, hessian.

    Examples:
        >>> from quilt_func import basis_state, sharded
        >>> def parts():
        ...     return sharded.shard(basis_state("10"), sharded.mesh("cpu")).local.real
        >>> sharded.spawn(2, parts, start="fork")
        [tensor([0., 0.]), tensor([1., 0.])]
    """
    n = check_state("shard", state)
    ranks = ranks_of(mesh, "shard")
    check_enough("shard", n, ranks, "state")
    layout = Layout(_full_order("shard", order, n), ranks)
    return ShardedState(own_part(copied(ranks, state), layout), layout)


def gather(state: ShardedState) -> Tensor:
    """The whole statevector, on every rank: for small states.

    Args:
        state: Sharded state.

    Returns:
        (complex, (2**n,)): Statevector; wire 0 is the most significant bit, whatever the layout.

    Raises:
        TypeError: If it is no sharded state.

    Transforms:
        vmap, grad (of real functions of it), jvp.

    Examples:
        >>> from quilt_func import ghz_state, sharded
        >>> def whole():
        ...     state = sharded.shard(ghz_state(2), sharded.mesh("cpu"), order=[1, 0])
        ...     return sharded.gather(state).real
        >>> sharded.spawn(2, whole, start="fork")[0]
        tensor([0.7071, 0.0000, 0.0000, 0.7071])
    """
    check_sharded("gather", state)
    ranks = state.layout.ranks
    whole = summed(ranks, among_zeros(state.local, ranks.rank, ranks.n))
    return permuted(whole, inverse(state.layout.order))


def reordered(state: ShardedState, order: Sequence[int] | None = None) -> ShardedState:
    """The same state with its wires in another layout.

    Wires change between the rank's number and the local ones in one exchange, or in two if some
    change places within the rank's number; more only where a rank has too few wires for that. The
    rest is a copy.

    Args:
        state: Sharded state.
        order: All wires, of which the first are those of the rank's number; default: ascending.

    Returns:
        The state in that layout.

    Raises:
        TypeError: If it is no sharded state, or a wire is not an int.
        ValueError: If the order lacks a wire, or has others.

    Transforms:
        vmap, grad (of real functions of it), jvp.

    Examples:
        >>> from quilt_func import basis_state, sharded
        >>> def parts():
        ...     state = sharded.shard(basis_state("10"), sharded.mesh("cpu"))
        ...     return sharded.reordered(state, [1, 0]).local.real
        >>> sharded.spawn(2, parts, start="fork")
        [tensor([0., 1.]), tensor([0., 0.])]
    """
    check_sharded("reordered", state)
    target = _full_order("reordered", order, state.layout.n_qubits)
    for move in moves(state.layout.order, target, state.layout.ranks.n_bits):
        state = moved(state, move)
    layout = Layout(target, state.layout.ranks)
    return ShardedState(permuted(state.local, between(state.layout.local, layout.local)), layout)


class Move(NamedTuple):
    """An exchange: places in the rank's number, and local wires that take them."""

    places: tuple[int, ...]
    wires: WireSet


def moves(order: WireSet, target: WireSet, n_bits: int) -> Iterator[Move]:
    """Exchanges after which the wires of a rank's number are those of another order.

    A wire goes to its place at once if it is local. To a place whose wire is still at another place
    of the rank's number goes any local wire first, so that all those come in with the first
    exchange and find their places with the second.
    """
    while order[:n_bits] != target[:n_bits]:
        sharded, local = order[:n_bits], order[n_bits:]
        wrong = [place for place in range(n_bits) if sharded[place] != target[place]]
        chosen = {place: target[place] for place in wrong if target[place] in local}
        fillers = (wire for wire in local if wire not in target[:n_bits])
        waiting = (place for place in wrong if place not in chosen)
        chosen |= dict(zip(waiting, fillers, strict=False))
        move = Move(tuple(chosen), tuple(chosen.values()))
        yield move
        order = planning.planned_exchange(order, n_bits, *move).order


def moved(state: ShardedState, move: Move) -> ShardedState:
    """The state after an exchange; wires that come in are its first local ones."""
    layout = state.layout
    order = planning.planned_exchange(layout.order, layout.ranks.n_bits, *move).order
    first = tuple(map(layout.local.index, move.wires))
    others = (place for place in range(len(layout.local)) if place not in first)
    exchange = Exchange(layout.ranks, move.places)
    local = exchanged(exchange, (*first, *others), state.local)
    return ShardedState(local, Layout(order, layout.ranks))


def with_local(state: ShardedState, wires: Sequence[int]) -> ShardedState:
    """The state with some wires local, after one exchange if any is not."""
    layout = state.layout
    places = tuple(place for place, wire in enumerate(layout.sharded) if wire in wires)
    others = [wire for wire in reversed(layout.local) if wire not in wires]
    return moved(state, Move(places, tuple(others[: len(places)]))) if places else state


def own_part(values: Tensor, layout: Layout) -> Tensor:
    """Of numbers by basis state `(2**n,)`, those of this rank, in the order of its amplitudes."""
    shape, axes = runs(layout.order, layout.ranks.n_bits)
    return values.reshape(shape).permute(axes)[layout.ranks.bits].reshape(-1)


def among_zeros(part: Tensor, number: int, n: int) -> Tensor:
    """A flat tensor of which part number `number` of `n` is given, and all others are 0."""
    size = part.shape[0]
    before, after = part.new_zeros(number * size), part.new_zeros((n - 1 - number) * size)
    return torch.cat([before, part, after]) if n > 1 else part


def permuted(values: Tensor, order: WireSet) -> Tensor:
    """Numbers by basis state `(2**n,)` with the wires in another order."""
    if order == tuple(range(len(order))):
        return values
    shape, axes = runs(order)
    return values.reshape(shape).permute(axes).reshape(-1)


def between(order: WireSet, target: WireSet) -> WireSet:
    """From one order of wires to another: which place each comes from."""
    return tuple(map(order.index, target))


def _full_order(function: str, order: Sequence[int] | None, n_qubits: int) -> WireSet:
    found = tuple(range(n_qubits)) if order is None else check_wires(
        function, order, n_qubits, "order"
    )  # fmt: skip
    if len(found) < n_qubits:
        need, got = f"hold all {qubits(n_qubits)}", f"{len(found)}"
        remedy = "Give each wire once."
        raise ValueError(message(function, "order", found, need, got, remedy))
    return found
