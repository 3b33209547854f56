"""Names for the shapes of functions and data that the library passes around."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor

PyTree: TypeAlias = Any
"""Nested dicts, lists, tuples and registered dataclasses with tensors as leaves."""

Angle: TypeAlias = Tensor | float
"""Radians: a 0-d or `(m,)` real tensor, or a Python number (weak: takes the working dtype)."""

Scalar: TypeAlias = Tensor | float
"""A real number: a 0-d tensor or a Python number."""

Device: TypeAlias = torch.device | str | None
"""Where tensors are made; None is a default that the function states."""

WireSet: TypeAlias = tuple[int, ...]
"""Positions that one gate acts on; wire 0 is the most significant bit."""

PauliTerms: TypeAlias = Mapping[str | tuple[str, tuple[int, ...]], Tensor | float]
"""Real coefficients by Pauli word, or by word and wires: `{("ZZ", (0, 3)): 1.0}`."""

Parts: TypeAlias = Any
"""Ops, circuits and (nested) iterables of them."""

AnsatzFn: TypeAlias = Callable[[PyTree], Iterable[Any]]
"""A function from parameters to circuit parts."""

Schedule: TypeAlias = Callable[[Tensor], Tensor | float]
"""A learning rate as a function of the step count, a 0-d tensor."""


class Observable(Protocol):
    """What can be measured: it maps a state to a state, and knows its expectation value."""

    @property
    def n_qubits(self) -> int:
        """Number of qubits."""
        ...

    def apply(self, state: Tensor) -> Tensor:
        """The state `O|ψ⟩`."""
        ...

    def expectation(self, state: Tensor) -> Tensor:
        """The number ⟨ψ|O|ψ⟩."""
        ...


ObservableLike: TypeAlias = Observable | PauliTerms
"""An observable, or what `pauli_sum` makes one of: `{"ZII": 1.0}`, `{("ZX", (0, 2)): 1.0}`."""
