"""Names for the shapes of functions and data that the library passes around."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeAlias

from torch import Tensor

PyTree: TypeAlias = Any
"""Nested dicts, lists, tuples and registered dataclasses with tensors as leaves."""

Angle: TypeAlias = Tensor | float
"""Radians: a 0-d or `(m,)` real tensor, or a Python number (weak: takes the working dtype)."""

WireSet: TypeAlias = tuple[int, ...]
"""Positions that one gate acts on; wire 0 is the most significant bit."""

PauliWords: TypeAlias = Mapping[str, Tensor | float]
"""Pauli words such as `"ZZI"` with their real coefficients."""

Parts: TypeAlias = Any
"""Ops, circuits and (nested) iterables of them."""


class AnsatzFn(Protocol):
    """A function from parameters to circuit parts."""

    def __call__(self, params: PyTree) -> Iterable[Any]:
        """Build the parts."""
        ...


class Schedule(Protocol):
    """A learning rate as a function of the step count."""

    def __call__(self, step: Tensor) -> Tensor | float:
        """Return the rate at a 0-d step."""
        ...
