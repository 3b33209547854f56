r"""Channels as rows: what a gate is to states, a channel is to density matrices.

A `Channel` holds several independent statements about one map `ρ -> Σ K ρ K†`: its superoperator,
its Kraus operators and, if it is a mixture of unitaries, probabilities and unitaries; the laws in
`quilt_func.testing` check each against the others. Calling a channel gives an `Op`, like a gate's.

Conventions: a strength `p` is the total probability of an error. A superoperator acts on the rows
of `ρ` one after the other, so that `U ρ U†` is `U ⊗ U*`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quilt_func._checks import message
from quilt_func._gate_help import GateHelp
from quilt_func._torch import constant, matmul, remembered
from quilt_func.noise.channel_help import text_of
from quilt_func.ops import Gate, Made, Matrix, Op, called

Kraus = Callable[..., Tensor]
"""From strengths `(m, ...)` to Kraus operators `(m, n_operators, K, K)`."""
Mixture = Callable[..., tuple[Tensor, Tensor]]
"""From strengths to probabilities `(m, n)`, and unitaries `(m, n, K, K)`, or `(n, K, K)`."""


@dataclass(frozen=True, eq=False, repr=False)
class Channel(Gate):
    """The definition of one channel. Equal only to itself; call it to make an `Op`.

    What it has in common with a gate has the same name. Its `matrix` is the superoperator, a
    function from strengths `(m,)` to `(m, 4**n_wires, 4**n_wires)`. It is made of strengths, not of
    Kraus operators, so that it keeps the trace to rounding and has a finite derivative at 0.

    Attributes:
        kraus: Function from strengths to Kraus operators `(m, n_operators, K, K)`; None if they are
            not known.
        mixture: Function from strengths to probabilities `(m, n)` and unitaries `(n, K, K)` or
            `(m, n, K, K)`; None unless it is a mixture of unitaries.
        bounds: Least and largest value of each strength.
        joint: What strengths must do together, in words, and whether numbers do; or None.
        words: The Pauli words that `mixture` has for unitaries, in its order; nothing for others.

    Examples:
        >>> from quilt_func import noise
        >>> noise.depolarizing.n_wires, noise.depolarizing.param_names, noise.depolarizing.bounds
        (1, ('p',), ((0.0, 1.0),))
        >>> noise.depolarizing(0.1, range(2))
        <depolarizing on (0,), (1,)>
    """

    kraus: Kraus | None = None
    mixture: Mixture | None = None
    bounds: tuple[tuple[float, float], ...] = ()
    joint: tuple[str, Callable[..., bool]] | None = None
    words: tuple[str, ...] = ()

    def __call__(self, *args: Any, **misplaced: Any) -> Op:
        """Apply the channel: its strengths, then `n_wires` ints or one iterable of wire sets.

        Args:
            *args: Strengths (real, `()` or `(m,)`) or Python numbers, then wires.
            **misplaced: Nothing: strengths and wires go by position.

        Returns:
            The op. A 0-d strength is shared by all `m` wire sets.

        Raises:
            TypeError: If a strength or a wire is of the wrong kind, or dtypes or devices differ.
            ValueError: If wires repeat, a length differs from the number of wire sets, or a Python
                number is out of bounds. Tensors are not looked at.

        Transforms:
            vmap, grad, jvp, hessian: building an op moves its strengths, nothing else.

        Examples:
            >>> from quilt_func import noise
            >>> noise.amplitude_damping(0.2, 0)
            <amplitude_damping on (0,)>
        """
        op = super().__call__(*args, **misplaced)
        if any(type(param) is float for param in op.params):
            self._check_numbers(op.params)
        return op

    def _check_numbers(self, params: Sequence[Any]) -> None:
        """Check those strengths that are Python numbers."""
        remedy = "Give numbers for which it is a channel."
        for name, param, (low, high) in zip(self.param_names, params, self.bounds, strict=True):
            if type(param) is float and not low <= param <= high:
                need = f"be in [{low:g}, {high:g}]"
                raise ValueError(message(called(self), name, param, need, f"{param:g}", remedy))
        if self.joint is None or any(type(param) is not float for param in params):
            return
        need, holds = self.joint
        if not holds(*params):
            names, got = ", ".join(self.param_names), ", ".join(f"{p:g}" for p in params)
            raise ValueError(f"{called(self)}(): {names} must {need}, but got {got}. {remedy}")

    def __repr__(self) -> str:
        return f"<channel {self.name}>"

    @property
    def refusal(self) -> str:
        """Why no state can be given to it, with the remedy."""
        return (
            f"{called(self)}(): a channel makes a mixture of a state, so that it can't act on one. "
            "Use `run_density(circuit)`, which gives the density matrix, or "
            "`run_trajectory(circuit, u)`, which gives a sample."
        )


setattr(Channel, "__doc__", GateHelp(Channel.__doc__, text_of))  # noqa: B010  # as `Gate`'s


@dataclass(frozen=True, eq=False)
class Table:
    """Fixed numbers of a row, as tensors where they are needed."""

    numbers: NDArray[Any]

    def like(self, strength: Tensor) -> Tensor:
        """The numbers on a strength's device, in its precision."""
        dtype = strength.dtype.to_complex() if self.numbers.dtype.kind == "c" else strength.dtype
        return _tensor(self, dtype, strength.device)


@remembered(1024)
def _tensor(table: Table, dtype: torch.dtype, device: torch.device) -> Tensor:
    return constant(table.numbers, dtype, device)


class Basis:
    """Fixed superoperators `(n, K**2, K**2)` that those of a row are sums of."""

    def __init__(self, superoperators: Sequence[Matrix]) -> None:
        rows = np.stack([one.reshape(-1) for one in superoperators])
        self._size = len(superoperators[0])
        self._parts = [Table(part) for part in (rows.real, rows.imag) if part.any()]

    def combined(self, *coefficients: Tensor) -> Tensor:
        """Superoperators `(m, K**2, K**2)` by their coefficients `(m,)`."""
        weights = torch.stack(coefficients, -1)
        real, *imag = (matmul(weights, part.like(weights)) for part in self._parts)
        flat = torch.complex(real, *(imag or [torch.zeros_like(real)]))
        found: Tensor = flat.unflatten(-1, (self._size, self._size))
        return found


def strengths_of(op: Op, dtype: torch.dtype, device: torch.device) -> list[Tensor]:
    """An op's strengths `(m, ...)`: Python numbers as real tensors of a dtype's precision."""
    return [
        torch.full((len(op.wires),), p, dtype=dtype.to_real(), device=device)
        if type(p) is float
        else p
        for p in op.params
    ]


def root(x: Tensor) -> Tensor:
    """The square root, with slope 0 at 0, where the true one is infinite.

    A Kraus operator that has this for a factor is one of a branch that never happens there.
    """
    is_positive = x > 0
    return torch.where(is_positive, torch.where(is_positive, x, 1.0).sqrt(), 0.0)


def sandwich(left: Matrix) -> Matrix:
    """The superoperator `A ⊗ A*` of `ρ -> A ρ A†`."""
    return np.asarray(np.kron(left, left.conj()), np.complex128)


@lru_cache(maxsize=4096)
def on_pairs(channel: Channel) -> Gate:
    """The channel's superoperator as a gate: on the wires of rows, then on those of columns."""
    return Gate(
        name=channel.name,
        n_wires=2 * channel.n_wires,
        n_params=channel.n_params,
        matrix=channel.matrix,
        symbol=(*channel.symbol, *(f"{label}*" for label in channel.symbol)),
        doc=f"Superoperator of `{channel.name}`.",
        param_shape=channel.param_shape,
        origin=Made(on_pairs, (channel,)),
    )
