"""Messages between ranks: complex numbers go as pairs of real ones, which every backend knows."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from quilt_func._collectives.ranks import Ranks
from quilt_func._torch import in_memory, is_noted

AT_ONCE = 2
"""Messages to each rank that are on their way at once."""

ONE_CALL = ("nccl", "xccl", "mpi")
"""Backends that are given one `all_to_all`. Others get a message for each pair of ranks: with gloo
that took half the time for 16 MiB between two processes."""


class _OnTheWay(NamedTuple):
    """Messages, the memory that they are read from, and where what they bring is to go."""

    works: Sequence[dist.Work]
    read: Sequence[Tensor]
    arriving: Sequence[tuple[Tensor, Tensor]]

    def finish(self) -> None:
        """Wait for them, and copy what they brought to where it belongs."""
        for work in self.works:
            work.wait()
        for buffer, target in self.arriving:
            target.copy_(buffer.view(target.shape))


def trade(
    ranks: Ranks, partners: Sequence[int],
    pieces: Sequence[tuple[Sequence[Tensor], Sequence[Tensor]]],
) -> None:  # fmt: skip
    """Send each partner its part, and write what it sends; pieces follow each other.

    Args:
        ranks: The processes.
        partners: Ranks, this one among them.
        pieces: Of each piece, the parts for the partners, and where theirs are written, of the same
            sizes. Copies to and from messages overlap the messages of other pieces.
    """
    _check_not_noted()
    send = _all_to_all if _takes_one_call(ranks) else _point_to_point
    others = [i for i, partner in enumerate(partners) if partner != ranks.rank]
    own = [i for i in range(len(partners)) if i not in others]
    on_the_way: list[_OnTheWay] = []
    for tag, (sources, targets) in enumerate(pieces):
        if len(on_the_way) == AT_ONCE:
            on_the_way.pop(0).finish()
        peers = [partners[i] for i in others]
        pairs = [(in_memory(sources[i]), targets[i]) for i in others]
        on_the_way.append(send(ranks, peers, pairs, tag))
        for i in own:
            targets[i].copy_(sources[i].reshape(targets[i].shape))
    for messages in on_the_way:
        messages.finish()


def total(ranks: Ranks, part: Tensor) -> Tensor:
    """The sum of all ranks' tensors, on each of them."""
    _check_not_noted()
    found = in_memory(part).clone()
    dist.all_reduce(_real(found), group=ranks.group)
    return found


def _check_not_noted() -> None:
    """Refuse to send within a trace: a replay would not send, and wait for ever or be wrong."""
    if is_noted():
        raise TypeError(
            "run_sharded(): ranks must send one another values, but a trace such as that of `jit` "
            "notes operations only. Call the function itself, without `jit`."
        )


def _takes_one_call(ranks: Ranks) -> bool:
    return dist.get_backend(ranks.group) in ONE_CALL


def _point_to_point(
    ranks: Ranks, peers: Sequence[int], pairs: Sequence[tuple[Tensor, Tensor]], tag: int
) -> _OnTheWay:
    """A message to each peer, and one from each."""
    buffers = [t if t.is_contiguous() else torch.empty_like(s) for s, t in pairs]
    calls = [
        dist.P2POp(call, _real(tensor), group=ranks.group, tag=tag, group_peer=peer)
        for peer, (source, _), buffer in zip(peers, pairs, buffers, strict=True)
        for call, tensor in ((dist.isend, source), (dist.irecv, buffer))
    ]
    arriving = [(b, t) for b, (_, t) in zip(buffers, pairs, strict=True) if b is not t]
    works = dist.batch_isend_irecv(calls) if calls else []
    return _OnTheWay(works, [source for source, _ in pairs], arriving)


def _all_to_all(
    ranks: Ranks, peers: Sequence[int], pairs: Sequence[tuple[Tensor, Tensor]], tag: int
) -> _OnTheWay:
    """One call for all peers: parts in the order of their ranks, nothing for other ranks."""
    del tag  # calls come in order
    order = sorted(range(len(peers)), key=peers.__getitem__)
    sent = torch.cat([pairs[i][0].reshape(-1) for i in order])
    buffer, sizes = torch.empty_like(sent), [0] * ranks.n
    for i in order:
        sizes[peers[i]] = 2 * pairs[i][0].numel()
    work = dist.all_to_all_single(
        _real(buffer).view(-1), _real(sent).view(-1), sizes, sizes, group=ranks.group, async_op=True
    )
    parts = buffer.split([pairs[i][0].numel() for i in order])
    arriving = [(part, pairs[i][1]) for part, i in zip(parts, order, strict=True)]
    return _OnTheWay([work], [sent], arriving)


def _real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor
