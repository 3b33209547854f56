"""Observables given by numbers: a dense Hermitian matrix, or a diagonal."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    REAL_OF,
    check_state_size,
    check_tensor,
    common_dtype_and_device,
)
from quilt_func._torch import own_tangent, register, unconjugated


@dataclass(frozen=True, eq=False)
class Hermitian:
    """A dense observable; make one with `hermitian`. A pytree: its leaf is the matrix.

    Attributes:
        matrix (complex, (2**n_qubits, 2**n_qubits)): Hermitian matrix.

    Examples:
        >>> from quilt_func import zero_state
        >>> observable = hermitian(torch.tensor([[2.0, 1j], [-1j, 0.0]]))
        >>> observable.n_qubits, observable.expectation(zero_state(1))
        (1, tensor(2.))
        >>> observable.apply(zero_state(1))
        tensor([2.+0.j, 0.-1.j])
    """

    matrix: Tensor

    @property
    def n_qubits(self) -> int:
        """Number of qubits."""
        return self.matrix.shape[-1].bit_length() - 1

    def apply(self, state: Tensor) -> Tensor:
        """The state `O|ψ⟩`."""
        _check("apply", self.n_qubits, self.matrix, state)
        return self.matrix @ state

    def expectation(self, state: Tensor) -> Tensor:
        """Expectation value; see `quilt_func.expval`."""
        _check("expval", self.n_qubits, self.matrix, state)
        return torch.vdot(state, self.matrix @ state).real


@dataclass(frozen=True, eq=False)
class Diagonal:
    """An observable that is diagonal in the computational basis; make one with `diagonal`.

    A pytree: its leaf is the diagonal.

    Attributes:
        values (real, (2**n_qubits,)): Eigenvalues, in the order of the basis states.

    Examples:
        >>> from quilt_func import ghz_state
        >>> cost = diagonal(torch.tensor([0.0, 3.0, 4.0, 1.0]))
        >>> cost.n_qubits, cost.expectation(ghz_state(2))
        (2, tensor(0.5000))
    """

    values: Tensor

    @property
    def n_qubits(self) -> int:
        """Number of qubits."""
        return self.values.shape[-1].bit_length() - 1

    def apply(self, state: Tensor) -> Tensor:
        """The state `O|ψ⟩`."""
        _check("apply", self.n_qubits, self.values, state)
        return self.values * state

    def expectation(self, state: Tensor) -> Tensor:
        """Expectation value; see `quilt_func.expval`."""
        _check("expval", self.n_qubits, self.values, state)
        state = unconjugated(state)
        return (self.values * (state.real.square() + state.imag.square())).sum()


register(
    Hermitian,
    lambda o: ([o.matrix], None),
    lambda leaves, _: Hermitian(*leaves),
    "quilt_func.observables.Hermitian",
)
register(
    Diagonal,
    lambda o: ([o.values], None),
    lambda leaves, _: Diagonal(*leaves),
    "quilt_func.observables.Diagonal",
)


def hermitian(matrix: Tensor) -> Hermitian:
    """Make an observable of a dense Hermitian matrix; that it is Hermitian is your promise.

    Args:
        matrix (complex, (2**n, 2**n)): Hermitian matrix. A leaf.

    Returns:
        The observable.

    Raises:
        TypeError: If the matrix is not a complex tensor.
        ValueError: If it is not square with a power of two as its size.

    Transforms:
        vmap, grad, jvp, hessian, in the matrix and in the state.

    Examples:
        >>> import torch
        >>> from quilt_func import expval, zero_state
        >>> expval(zero_state(1), hermitian(torch.eye(2, dtype=torch.complex64)))
        tensor(1.)
    """
    _check_numbers("hermitian", "matrix", matrix, REAL_OF, 2)
    return Hermitian(own_tangent(matrix))


def diagonal(values: Tensor) -> Diagonal:
    """Make an observable of its value on each basis state.

    Args:
        values (real, (2**n,)): Eigenvalues; wire 0 is the most significant bit. A leaf.

    Returns:
        The observable.

    Raises:
        TypeError: If the values are not a real tensor.
        ValueError: If their number is not a power of two.

    Transforms:
        vmap, grad, jvp, hessian, in the values and in the state.

    Examples:
        >>> import torch
        >>> from quilt_func import expval, ghz_state
        >>> expval(ghz_state(1), diagonal(torch.tensor([0.0, 3.0])))
        tensor(1.5000)
    """
    _check_numbers("diagonal", "values", values, COMPLEX_OF, 1)
    return Diagonal(own_tangent(values))


def _check_numbers(
    function: str, argument: str, given: Any, dtypes: dict[Any, Any], n_axes: int
) -> None:
    remedy = "An observable on n qubits has the size 2**n."
    if isinstance(given, Tensor) and given.ndim != n_axes:
        remedy = "Give one observable; map over a batch with `torch.func.vmap`."
    fix, form = "Convert it with `torch.as_tensor(..., dtype=...)`.", ("2**n",) * n_axes
    check_tensor(function, argument, given, dtypes, form, remedy, dtype_remedy=fix)


def _check(function: str, n_qubits: int, leaf: Tensor, state: Tensor) -> None:
    check_state_size(function, state, n_qubits)
    common_dtype_and_device(function, (state, leaf))
