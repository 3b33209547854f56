"""The processes that share a state, each of which is a *rank*."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


@dataclass(frozen=True)
class Ranks:
    """The processes that share a state, and which of them this one is.

    Attributes:
        n: How many, a power of two.
        rank: Number of this one.
        group: What they send by; None for a plan on paper, where nothing is sent.
    """

    n: int
    rank: int = 0
    group: "ProcessGroup | None" = None

    @cached_property
    def n_bits(self) -> int:
        """Bits of a rank's number: wires whose bits say which rank an amplitude is on."""
        return self.n.bit_length() - 1

    @cached_property
    def bits(self) -> tuple[int, ...]:
        """The bits of this rank's number, the most significant first."""
        return self.bits_of(self.rank)

    def bits_of(self, rank: int) -> tuple[int, ...]:
        """The bits of a rank's number, the most significant first."""
        return tuple(rank >> place & 1 for place in reversed(range(self.n_bits)))

    def with_bits(self, places: tuple[int, ...], bits: tuple[int, ...]) -> int:
        """The rank whose number differs from this one's in having some bits at some places."""
        own = list(self.bits)
        for place, bit in zip(places, bits, strict=True):
            own[place] = bit
        return sum(bit << i for i, bit in enumerate(reversed(own)))
