"""A pool of states: a step writes to a spare one, and then frees what it has read."""

from collections.abc import Callable

import torch
from torch import Tensor


class Buffers:
    """Two or three states that a run writes to in turn, whatever its length."""

    def __init__(self) -> None:
        self._spare: list[Tensor] = []
        self._owned: dict[int, Tensor] = {}

    def owned(self, state: Tensor) -> Tensor:
        """A state that belongs to somebody else: it is never written over."""
        self._owned[id(state)] = state
        return state

    def take(self, like: Tensor) -> Tensor:
        """A state to write to."""
        return self._spare.pop() if self._spare else torch.empty_like(like)

    def free(self, state: Tensor) -> None:
        """Give a state back, unless it belongs to somebody else."""
        if id(state) not in self._owned:
            self._spare.append(state)

    def into(self, write: Callable[[Tensor, Tensor], None], state: Tensor) -> Tensor:
        """What is written of a state, which is freed."""
        out = self.take(state)
        write(state, out)
        self.free(state)
        return out
