"""Channels by their operators: given as tensors, or by a function of strengths of your own."""

import inspect
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from quilt_func._checks import COMPLEX_OF, check_count, check_is, describe, message, shape_error
from quilt_func._torch import with_plain_cotangent
from quilt_func.gates import word_gate, word_matrix
from quilt_func.noise.channels import Basis, Channel, root, sandwich
from quilt_func.ops import ROUNDING, Made, Matrix, Op, found_in

STRENGTHS = (0.13, 0.41, 0.77)
"""Where a channel of your own is checked to keep the trace."""


def of_kraus(operators: Tensor) -> Tensor:
    """Kraus operators `(m, n, K, K)` -> superoperators `(m, K**2, K**2)`: the sum of `K ⊗ K*`."""
    conjugates = with_plain_cotangent(torch.complex(operators.real, -operators.imag))
    products = operators[..., :, None, :, None] * conjugates[..., None, :, None, :]
    return products.sum(-5).flatten(-4, -3).flatten(-2)


def kraus(operators: Tensor, *wires: Any, **misplaced: Any) -> Op:
    """Apply the channel of some Kraus operators; that it keeps the trace is your promise.

    Args:
        operators (complex, (n, 2**k, 2**k) or (m, n, 2**k, 2**k)): Operators `K` with
            `Σ K† K = 1`, the same for all wire sets, or for each.
        *wires: `k` ints, or one iterable of wire sets.
        **misplaced: Nothing: wires go by position.

    Returns:
        An op whose leaf is the operators.

    Raises:
        TypeError: If the operators are not a complex tensor, or a wire is of the wrong kind.
        ValueError: If they are not square, or their size does not fit the wires.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the operators.

    Examples:
        >>> import torch
        >>> from quilt_func import circuit, run_density, noise
        >>> erase = torch.tensor([[[1, 0], [0, 0]], [[0, 1], [0, 0]]], dtype=torch.complex64)
        >>> run_density(circuit(1, noise.kraus(erase, 0))).real
        tensor([[1., 0.],
                [0., 0.]])

    References:
        Nielsen and Chuang (2010), section 8.2.3.
    """
    need = "be a tensor of shape (n, 2**k, 2**k) or (m, n, 2**k, 2**k)"
    n_wires = _n_wires("kraus", "operators", operators, (3, 4), need, 1)
    row = kraus_channel(operators.shape[-3], n_wires)
    return row(operators, *wires, **misplaced)


def superoperator(matrix: Tensor, *wires: Any, **misplaced: Any) -> Op:
    """Apply a superoperator; that it is a channel is your promise.

    Args:
        matrix (complex, (4**k, 4**k) or (m, 4**k, 4**k)): Map of the rows of `ρ`, one after the
            other: `U ⊗ U*` for a unitary.
        *wires: `k` ints, or one iterable of wire sets.
        **misplaced: Nothing: wires go by position.

    Returns:
        An op whose leaf is the matrix.

    Raises:
        TypeError: If the matrix is not a complex tensor, or a wire is of the wrong kind.
        ValueError: If it is not square, or its size does not fit the wires.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the matrix.

    Examples:
        >>> import torch
        >>> from quilt_func import noise
        >>> noise.superoperator(torch.eye(4, dtype=torch.complex64), 0)
        <superoperator on (0,)>
    """
    need = "be a tensor of shape (4**k, 4**k) or (m, 4**k, 4**k)"
    n_wires = _n_wires("superoperator", "matrix", matrix, (2, 3), need, 2)
    return superoperator_channel(n_wires)(matrix, *wires, **misplaced)


def _n_wires(
    function: str, argument: str, given: Any, ndims: tuple[int, int], need: str, bits: int
) -> int:
    remedy = "Convert it with `torch.as_tensor(matrix, dtype=torch.complex64)`."
    check_is(function, argument, given, Tensor, need, remedy)
    size = given.shape[-1] if given.ndim in ndims else 0
    log = size.bit_length() - 1
    if size < 2 or given.shape[-2] != size or size != 1 << log or log % bits:
        remedy = f"Give square matrices whose size is a power of {2**bits}."
        raise shape_error(function, argument, given, need, remedy)
    return int(log // bits)


@lru_cache
def kraus_channel(n_operators: int, n_wires: int) -> Channel:
    """The row of `kraus` of so many operators on so many wires."""
    return Channel(
        name="kraus",
        n_wires=n_wires,
        n_params=1,
        matrix=of_kraus,
        symbol=("K",) * n_wires,
        doc="Given Kraus operators.",
        param_shape=(n_operators, 2**n_wires, 2**n_wires),
        param_names=("operators",),
        origin=Made(kraus_channel, (n_operators, n_wires)),
        kraus=lambda operators: operators,
    )


@lru_cache
def superoperator_channel(n_wires: int) -> Channel:
    """The row of `superoperator` on so many wires."""
    return Channel(
        name="superoperator",
        n_wires=n_wires,
        n_params=1,
        matrix=lambda matrices: matrices,
        symbol=("S",) * n_wires,
        doc="A given superoperator.",
        param_shape=(4**n_wires, 4**n_wires),
        param_names=("matrix",),
        origin=Made(superoperator_channel, (n_wires,)),
    )


def _over_rotation(letter: str) -> Channel:
    """The row of rotations about a letter by a normally distributed angle.

    `U ⊗ U*` of `cos(θ/2) - i sin(θ/2) P` is a sum of 1, cos θ and sin θ, whose means are 1,
    `exp(-σ²/2) cos μ` and `exp(-σ²/2) sin μ`.
    """
    word, one = word_matrix(letter), np.eye(2)
    stay, flip = sandwich(word_matrix("I")), sandwich(word)
    across: Matrix = -1j * np.kron(word, one) + 1j * np.kron(one, word.conj())
    basis = Basis([(stay + flip) / 2, (stay - flip) / 2, across / 2])
    turn = word_gate(letter)
    name = f"over_rotation_{letter.lower()}"

    def matrix(mean: Tensor, deviation: Tensor) -> Tensor:
        factor = (-deviation.square() / 2).exp()
        return basis.combined(torch.ones_like(mean), factor * mean.cos(), factor * mean.sin())

    def mixture(mean: Tensor, deviation: Tensor) -> tuple[Tensor, Tensor]:
        p = -torch.expm1(-deviation.square() / 2) / 2
        unitaries = [turn.matrices(angle) for angle in (mean, mean + math.pi)]  # the word, up to -i
        return torch.stack([1 - p, p], -1), torch.stack(unitaries, -3)

    def operators(mean: Tensor, deviation: Tensor) -> Tensor:
        p, unitaries = mixture(mean, deviation)
        return root(p)[..., None, None] * unitaries

    return Channel(
        name=name,
        n_wires=1,
        n_params=2,
        matrix=matrix,
        symbol=(f"ΔR{letter}",),
        doc=f"Rotation about {letter} by an angle of a mean and a deviation, in radians.",
        origin=found_in("quilt_func.noise.given_channels", name),
        param_names=("mean", "deviation"),
        kraus=operators,
        mixture=mixture,
        bounds=((-np.inf, np.inf), (0.0, np.inf)),
    )


over_rotation_x, over_rotation_y, over_rotation_z = map(_over_rotation, "XYZ")


def channel(
    misplaced: None = None,
    /,
    *,
    n_wires: int = 0,
    symbol: tuple[str, ...] = (),
    bounds: tuple[tuple[float, float], ...] = (),
) -> Callable[[Callable[..., Tensor]], Channel]:
    """Make a channel of a function from 0-d strengths to Kraus operators.

    The function is mapped over wire sets with `vmap`. It is called once here, in double precision
    at fixed strengths, and refused if `Σ K† K` is not 1.

    Args:
        misplaced: Nothing: the function goes below the decorator.
        n_wires: Number of wires, at least 1; it must be given.
        symbol: Label of each wire in drawings; default: the function's name.
        bounds: Least and largest value of each strength; default: 0 and 1.

    Returns:
        A decorator from a function, which returns a stack of operators `(n, 2**k, 2**k)`, to a
        `Channel`; the function's parameters are the strengths.

    Raises:
        TypeError: If the function can't be mapped, or does not keep its strengths' precision.
        ValueError: If the operators are not `(n, 2**n_wires, 2**n_wires)`, or do not keep the
            trace; if `symbol` or `bounds` are not one for each wire or strength.

    Transforms:
        vmap, grad, jvp, hessian: those that the function supports.

    Examples:
        >>> import torch
        >>> @channel(n_wires=1)
        ... def forget(p):
        ...     keep, lose = (1 - p).sqrt(), p.sqrt()
        ...     zero = torch.zeros_like(p)
        ...     rows = [keep, zero, zero, keep], [lose, zero, zero, zero], [zero, zero, zero, lose]
        ...     return torch.stack([torch.stack(row) for row in rows]).unflatten(-1, (2, 2))
        >>> forget(0.5, 0)
        <forget on (0,)>
    """
    if misplaced is not None:
        raise TypeError(
            "channel(): must be called with `n_wires`, but got a function. Write "
            "`@channel(n_wires=1)` above the function."
        )
    check_count("channel", "n_wires", n_wires, 1)

    def decorate(function: Callable[..., Tensor]) -> Channel:
        if not inspect.isroutine(function):
            need, got = "be a function of strengths", describe(function)
            remedy = "Write `@channel(...)` above `def`."
            raise TypeError(message("channel", "function", function, need, got, remedy))
        name, names = function.__name__, tuple(inspect.signature(function).parameters)
        for argument, given, count in (("symbol", symbol, n_wires), ("bounds", bounds, len(names))):
            if given and len(given) != count:
                need, got = f"have {count} entries", str(len(given))
                remedy = "Give one for each wire, or strength."
                raise ValueError(message("channel", argument, given, need, got, remedy))
        operators = _checked(function, name, n_wires, len(names))
        return Channel(
            name=name,
            n_wires=n_wires,
            n_params=len(names),
            matrix=lambda *strengths: of_kraus(operators(*strengths)),
            symbol=symbol or (name,) * n_wires,
            doc=inspect.getdoc(function) or "",
            origin=found_in(function.__module__, name),
            param_names=names,
            kraus=operators,
            bounds=bounds or ((0.0, 1.0),) * len(names),
        )

    return decorate


def _checked(
    function: Callable[..., Tensor], name: str, n_wires: int, n_params: int
) -> Callable[..., Tensor]:
    """The function mapped over wire sets, after a look at it at fixed strengths."""
    size, mapped = 2**n_wires, vmap(function)

    def operators(*strengths: Tensor) -> Tensor:
        try:
            found = mapped(*strengths)
        except RuntimeError as error:
            raise TypeError(
                f"{name}(): the channel's function must work under `torch.func.vmap`, but raised: "
                f"{error}. Assemble its operators with `torch.stack`, not with `torch.tensor`."
            ) from error
        if not isinstance(found, Tensor) or found.shape[2:] != (size, size):
            raise ValueError(
                f"{name}(): the channel's function must return operators of shape (n, {size}, "
                f"{size}), but got {describe(found)}. Stack them with `torch.stack`."
            )
        if found.dtype == strengths[0].dtype:
            found = torch.complex(found, torch.zeros_like(found))
        if found.dtype != COMPLEX_OF[strengths[0].dtype]:
            raise TypeError(
                f"{name}(): the channel's function must keep the precision of its strengths "
                f"({strengths[0].dtype}), but returned {found.dtype}. Create constants with "
                "`dtype=p.dtype`."
            )
        return found

    points = torch.tensor(STRENGTHS, dtype=torch.float64)
    sample = operators(*(points for _ in range(n_params))).resolve_conj()
    excess = (sample.mH @ sample).sum(1) - torch.eye(size, dtype=sample.dtype)
    deviation = float(np.abs(excess.numpy()).max())
    if not deviation < ROUNDING * size * sample.shape[1]:
        raise ValueError(
            f"{name}(): the channel's operators must keep the trace, but got max |Σ K†K - 1| = "
            f"{deviation:.3g} at strengths of {STRENGTHS}. Mend them (a lost square root, say)."
        )
    return operators
