"""Where the axes of states are in a run: `(lead, 2**n, last)`.

Batch levels that matrices carry lead, so that each is one batch of products; all others come last,
so that a matrix they share is one large product.
"""

import math
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from quilt_func.evolution.batching import BatchAxes, Levels


@dataclass(frozen=True)
class Layout:
    """Batch levels before and after the amplitudes of a run's states, descending."""

    axes: BatchAxes
    lead: Levels
    last: Levels

    @cached_property
    def n_lead(self) -> int:
        """Size of all leading levels together."""
        return math.prod(self.axes.shape(self.lead))

    def pack(self, state: Tensor, own: Levels) -> Tensor:
        """Bring a state `(*own, 2**n)` into this layout, `(lead, 2**n, last)`, contiguous."""
        full = self.axes.expand(state, own, self.lead + self.last)
        split = full.movedim(-1, len(self.lead))
        return split.reshape(self.n_lead, state.shape[-1], -1).contiguous()

    def unpack(self, state: Tensor, wanted: Levels) -> Tensor:
        """Bring a state of this layout to `(*wanted, 2**n)`, summed over all other levels."""
        lead, last = self.axes.shape(self.lead), self.axes.shape(self.last)
        split = state.reshape(*lead, -1, *last).movedim(len(lead), -1)
        return self.axes.reduce(split, self.lead + self.last, wanted)

    def to_lead(self, tensor: Tensor, key: Levels) -> Tensor:
        """Expand `(batch, ...)` of a batch key to `(lead, ...)`, unless it is one for all."""
        if not key:
            return tensor
        split = tensor.unflatten(0, self.axes.shape(key))
        return self.axes.expand(split, key, self.lead).flatten(0, len(self.lead) - 1)

    def by_key(self, each: Tensor, key: Levels) -> Tensor:
        """Sum `(lead, ...)` over the levels that are not in a batch key: `(batch, ...)`."""
        split = each.reshape(*self.axes.shape(self.lead), *each.shape[1:])
        return self.axes.reduce(split, self.lead, key).reshape(-1, *each.shape[1:])
