"""Functions whose results other ranks have a part in, with rules for all transforms.

Each is linear. A value is either *replicated*, the same on every rank, or a rank's *own* part. A
loss is replicated, and one, so that the gradient of a replicated value is replicated as well:
`copied` and `summed` between the two kinds are each other's transposes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from quilt_func._amplitudes import runs
from quilt_func._collectives.exchanging import Exchange
from quilt_func._collectives.messages import total, trade
from quilt_func._collectives.ranks import Ranks
from quilt_func._torch import Primitive
from quilt_func.typing import WireSet


@dataclass(frozen=True)
class Over:
    """What a Function between ranks is told beside its tensor, whose batch axes come first.

    Attributes:
        ranks: The processes.
        way: The exchange, or the bits in which the number of a partner differs; 0 for sums.
    """

    ranks: Ranks
    way: Exchange | int = 0

    def mapped(self, dims: Sequence[int | None], size: int) -> Self:
        """The same below one more level."""
        del dims, size
        return self


class _Linear(Primitive):
    """A linear Function of one tensor."""

    @staticmethod
    def setup_context(ctx: Any, tensors: Sequence[Tensor | None], output: Any) -> None:
        """Nothing is saved."""

    @classmethod
    def push(
        cls, static: Any, values: Sequence[Any], tangents: Sequence[Tensor | None]
    ) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = (cls.apply(static, *values), cls.apply(static, *tangents))
        return found


class Copied(_Linear):
    """A replicated tensor -> each rank's own."""

    @staticmethod
    def forward(static: Over, tensor: Tensor) -> Tensor:
        del static
        return tensor.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor]:
        return (Summed.apply(ctx.static, gradient),)


class Summed(_Linear):
    """Each rank's own tensor -> their sum, replicated."""

    @staticmethod
    def forward(static: Over, tensor: Tensor) -> Tensor:
        return total(static.ranks, tensor)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor]:
        return (Copied.apply(ctx.static, gradient),)


class Exchanged(_Linear):
    """A rank's own amplitudes `(..., 2**n)` -> those after an exchange of its first wires.

    It undoes itself, and is its own transpose.
    """

    @staticmethod
    def forward(static: Over, state: Tensor) -> Tensor:
        assert isinstance(static.way, Exchange)
        flat = state.contiguous().view(-1, state.shape[-1], 1)
        out = torch.empty_like(flat)
        order = tuple(range(state.shape[-1].bit_length() - 1))
        static.way.forward(order, flat, out)
        return out.view(state.shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor]:
        return (Exchanged.apply(ctx.static, gradient),)


class Partners(_Linear):
    """A rank's own tensor -> that of the rank whose number differs in some bits.

    It undoes itself, and is its own transpose.
    """

    @staticmethod
    def forward(static: Over, tensor: Tensor) -> Tensor:
        assert isinstance(static.way, int)
        out = torch.empty_like(tensor, memory_format=torch.contiguous_format)
        partner = static.ranks.rank ^ static.way
        trade(static.ranks, [partner], [([tensor], [out])])
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor]:
        return (Partners.apply(ctx.static, gradient),)


def copied(ranks: Ranks, tensor: Tensor) -> Tensor:
    """A replicated tensor as each rank's own: its gradient is the sum of theirs."""
    found: Tensor = Copied.apply(Over(ranks), tensor) if ranks.n > 1 else tensor
    return found


def summed(ranks: Ranks, tensor: Tensor) -> Tensor:
    """The sum of all ranks' tensors, replicated."""
    found: Tensor = Summed.apply(Over(ranks), tensor) if ranks.n > 1 else tensor
    return found


def exchanged(exchange: Exchange, order: WireSet, state: Tensor) -> Tensor:
    """Put the wires of a flat state in an order, then exchange the first of them."""
    shape, axes = runs(order)
    moved = state.reshape(shape).permute(axes).reshape(-1)
    found: Tensor = Exchanged.apply(Over(exchange.ranks, exchange), moved)
    return found


def of_partner(ranks: Ranks, bits: int, tensor: Tensor) -> Tensor:
    """The tensor of the rank whose number differs from this one's in some bits."""
    found: Tensor = Partners.apply(Over(ranks, bits), tensor) if bits else tensor
    return found
