"""Exchanges: wires of each rank's own amplitudes trade places with bits of the rank's number.

Of `k` wires, all `2**k` values of their bits are sent at once, each to the rank that has it in its
number, so that `1 - 2**-k` of a rank's amplitudes move; one wire after the other would move `k / 2`
of them.

References:
    De Raedt et al. (2007), Comput. Phys. Commun. 176, 121, for states split over processes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from torch import Tensor

from quilt_func._amplitudes import runs
from quilt_func._collectives.messages import trade
from quilt_func._collectives.ranks import Ranks
from quilt_func.typing import WireSet

MESSAGE = 2**23
"""Bytes to one rank in one message, about: larger ones are cut, so that copies overlap them."""


@dataclass(frozen=True)
class Exchange:
    """Some bits of the rank's number, which trade places with as many wires.

    Attributes:
        ranks: The processes.
        places: Which bits, counted from the most significant one.
    """

    ranks: Ranks
    places: tuple[int, ...]

    @property
    def n_wires(self) -> int:
        """How many wires are exchanged."""
        return len(self.places)

    @property
    def partners(self) -> list[int]:
        """The rank that has each value of these bits, and all others as this one."""
        values = product((0, 1), repeat=self.n_wires)
        return [self.ranks.with_bits(self.places, bits) for bits in values]

    def forward(self, order: WireSet, state: Tensor, out: Tensor) -> None:
        """Put wires in an order, then exchange the first of them: write the state after both.

        Args:
            order: All local wires, in the order that they are to have; the first go out.
            state (complex, (lead, 2**n, last)): Contiguous.
            out (complex, (lead, 2**n, last)): Contiguous, and not the state's memory.
        """
        self._trade(self._parts(order, state), self._parts(tuple(range(len(order))), out))

    def backward(self, order: WireSet, state: Tensor, out: Tensor) -> None:
        """Undo `forward`; a cotangent goes back alike."""
        self._trade(self._parts(tuple(range(len(order))), state), self._parts(order, out))

    def _parts(self, order: WireSet, state: Tensor) -> list[Tensor]:
        """Views of a state, one for each value of the bits of the first wires of an order.

        The axes of each are `lead`, the other wires in that order, and `last`.
        """
        lead, _, last = state.shape
        shape, axes = runs(order, self.n_wires)
        moved, others = axes[: self.n_wires], axes[self.n_wires :]
        split = state.view(lead, *shape, last)
        front = split.permute(*(1 + a for a in moved), 0, *(1 + a for a in others), -1)
        return [front[bits] for bits in product((0, 1), repeat=self.n_wires)]

    def _trade(self, sources: Sequence[Tensor], targets: Sequence[Tensor]) -> None:
        number = _number_of_pieces(sources[0], targets[0])
        cut = [[_pieces(part, number) for part in parts] for parts in (sources, targets)]
        pieces = list(zip(*(zip(*parts, strict=True) for parts in cut), strict=True))
        trade(self.ranks, self.partners, pieces)


def _number_of_pieces(source: Tensor, target: Tensor) -> int:
    """How many pieces of about a message both can be cut to along their first long axis."""
    most = max(1, source.numel() * source.element_size() // MESSAGE)
    axis = _long_axis(source)
    sizes = source.shape[axis], target.shape[axis]
    if axis == 0:
        return min(most, sizes[0])
    return min(1 << most.bit_length() - 1, *sizes)


def _pieces(part: Tensor, number: int) -> Sequence[Tensor]:
    return part.tensor_split(number, _long_axis(part))


def _long_axis(part: Tensor) -> int:
    """`lead`, unless that is 1; then the first of the wires' axes."""
    return int(part.shape[0] == 1 and part.ndim > 2)
