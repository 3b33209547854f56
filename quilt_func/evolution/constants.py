"""Constant tensors of a plan: indices and constant matrices, of one dtype and on one device."""

from typing import Any

import torch
from torch import Tensor

from quilt_func._torch import as_seen_here, constant


class Constants:
    """Tensors of constant arrays, made when they are first asked for. They live with their plan."""

    def __init__(self, dtype: torch.dtype, device: torch.device) -> None:
        self.dtype = dtype
        self.device = device
        self._made: dict[tuple[Any, str], Tensor] = {}

    def index(self, owner: Any, name: str) -> Tensor:
        """The array `owner.name` of a recipe as a flat int64 tensor."""
        return self._of(owner, name, torch.int64, flat=True)

    def mask(self, owner: Any, name: str) -> Tensor:
        """The array `owner.name` of a recipe as a bool tensor."""
        return self._of(owner, name, torch.bool)

    def real(self, owner: Any, name: str) -> Tensor:
        """The array `owner.name` of a recipe as a real tensor."""
        return self._of(owner, name, self.dtype.to_real())

    def complex(self, owner: Any, name: str) -> Tensor:
        """The array `owner.name` of a recipe as a complex tensor."""
        return self._of(owner, name, self.dtype)

    def _of(self, owner: Any, name: str, dtype: torch.dtype, *, flat: bool = False) -> Tensor:
        found = self._made.get((owner, name))
        if found is None:
            array = getattr(owner, name)
            found = constant(array.reshape(-1) if flat else array, dtype, self.device)
            self._made[owner, name] = found
        return as_seen_here(found)
