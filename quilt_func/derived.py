"""Gates made from other gates: `controlled`, `inverse`, `power`, `conjugate`.

Equal arguments give the same row, so that circuits built anew are recognised.
"""

from dataclasses import replace
from functools import lru_cache
from math import isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from quilt_func._checks import a_kind, check_count, check_is, is_number, kind_error, message
from quilt_func._torch import adjoint, constant, remembered
from quilt_func.ops import INVERSE_REMEDY, Gate, Made, Matrix, Qasm

_KEPT_BY_CONTROL = frozenset({"unitary", "hermitian", "diagonal", "permutation", "real", "group"})
_NAMED: dict[Gate, Gate] = {}


def controlled(base: Gate, n_controls: int = 1) -> Gate:
    """The gate on its wires where `n_controls` new first wires are all 1.

    Args:
        base: Any gate.
        n_controls: Number of control wires, 0 or more.

    Returns:
        A gate row; `controlled(x)` is `cx`.

    Raises:
        TypeError: If `base` is not a gate or `n_controls` not an int.
        ValueError: If it is negative.

    Transforms:
        vmap, grad, jvp, hessian: those of the base gate.

    Examples:
        >>> from quilt_func import ccx, rz, x
        >>> controlled(x, 2) is ccx
        True
        >>> controlled(rz, 2)(0.1, 0, 1, 2)
        <ccrz on (0, 1, 2)>
    """
    _check_gate("controlled", base)
    for _ in range(check_count("controlled", "n_controls", n_controls)):
        base = _NAMED.get(base) or _controlled(base)
    return base


def named_controlled(base: Gate, name: str, doc: str, **facts: Any) -> Gate:
    """Make a row of the gate table that `controlled(base)` returns from now on."""
    facts = {"name": name, "doc": doc, "qasm": Qasm(name), "origin": None, **facts}
    row = _NAMED[base] = replace(_controlled(base), **facts)
    return row


@lru_cache(maxsize=4096)
def _controlled(base: Gate) -> Gate:
    size = 2**base.n_wires

    def matrix(*params: Tensor) -> Tensor:
        block = base.matrices(*params)
        return pad(block, (size, 0, size, 0)) + _idle_tensor(size, block.dtype, block.device)

    def inverse_rule(*params: Any) -> tuple[Gate, tuple[Any, ...]]:
        assert base.inverse is not None
        inverse_gate, angles = base.inverse(*params)
        return controlled(inverse_gate), angles

    return replace(
        base,
        name=f"c{base.name}",
        n_wires=base.n_wires + 1,
        matrix=matrix if callable(base.matrix) else np.pad(base.matrix, (size, 0)) + _idle(size),
        generator=None if base.generator is None else np.pad(base.generator, (size, 0)),
        inverse=base.inverse and inverse_rule,
        tags=base.tags & _KEPT_BY_CONTROL,
        qasm=None,
        symbol=("●", *base.symbol),
        doc=f"`{base.name}` where the first wire is 1.",
        origin=Made(controlled, (base,)),
    )


def _idle(size: int) -> Matrix:
    """The identity where a control is 0, and zeros where it is 1."""
    return np.diag(np.repeat([1, 0], size)).astype(np.complex128)


@remembered(256)
def _idle_tensor(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return constant(_idle(size), dtype, device)


def inverse(base: Gate) -> Gate:
    """The gate whose matrix is the conjugate transpose, at the same angles.

    Args:
        base: A unitary gate.

    Returns:
        A gate row; `inverse(s)` is `sdg`.

    Raises:
        TypeError: If `base` is not a gate.
        ValueError: If the gate is not known to be unitary.

    Transforms:
        vmap, grad, jvp, hessian: those of the base gate.

    Examples:
        >>> from quilt_func import rx, s, sdg
        >>> inverse(s) is sdg
        True
        >>> inverse(rx)(0.1, 0)
        <rx† on (0,)>
    """
    _check_gate("inverse", base)
    if base.inverse is None:
        raise _not_unitary("inverse", base)
    return _adjoint(base) if base.n_params else base.inverse()[0]


@lru_cache(maxsize=4096)
def _adjoint(base: Gate) -> Gate:
    return replace(
        base,
        name=f"{base.name}†",
        matrix=(lambda *params: adjoint(base.matrices(*params)))
        if callable(base.matrix)
        else base.matrix.conj().T,
        generator=None if base.generator is None else -base.generator,
        inverse=lambda *params: (base, params),
        qasm=None,
        symbol=tuple(label if label == "●" else f"{label}†" for label in base.symbol),
        doc=f"Inverse of `{base.name}`.",
        origin=Made(inverse, (base,)),
    )


def conjugate(base: Gate) -> Gate:
    """The gate whose matrix has the complex conjugate entries, at the same angles.

    It is what a gate does to the columns of a density matrix: `U ρ U†` in terms of `U` and `U*`.

    Args:
        base: Any gate.

    Returns:
        A gate row; of a gate with the tag `real` that gate itself.

    Raises:
        TypeError: If `base` is not a gate.

    Transforms:
        vmap, grad, jvp, hessian: those of the base gate.

    Examples:
        >>> from quilt_func import ry, s
        >>> conjugate(s).matrix.diagonal()
        array([1.-0.j, 0.-1.j])
        >>> conjugate(ry) is ry
        True

    References:
        Nielsen and Chuang (2010), section 8.2, for `U ρ U†`.
    """
    _check_gate("conjugate", base)
    if "real" in base.tags:
        return base
    return next(iter(base.made_by(conjugate)), None) or _conjugate(base)


@lru_cache(maxsize=4096)
def _conjugate(base: Gate) -> Gate:
    def matrix(*params: Tensor) -> Tensor:
        found = base.matrices(*params)
        return torch.complex(found.real, -found.imag)

    def inverse_rule(*params: Any) -> tuple[Gate, tuple[Any, ...]]:
        assert base.inverse is not None
        inverse_gate, angles = base.inverse(*params)
        return conjugate(inverse_gate), angles

    return replace(
        base,
        name=f"{base.name}*",
        matrix=matrix if callable(base.matrix) else base.matrix.conj(),
        generator=None if base.generator is None else -base.generator.conj(),
        inverse=base.inverse and inverse_rule,
        qasm=None,
        symbol=tuple(label if label == "●" else f"{label}*" for label in base.symbol),
        doc=f"Complex conjugate of `{base.name}`.",
        origin=Made(conjugate, (base,)),
    )


def power(base: Gate, exponent: float) -> Gate:
    """The gate raised to a power.

    Gates with a generator scale their angle; constant gates take the principal power (each
    eigenvalue's phase in (-π, π]); others allow whole numbers.

    Args:
        base: A unitary gate.
        exponent: A Python number.

    Returns:
        A gate row of the same angles.

    Raises:
        TypeError: If `base` is not a gate or the exponent not a Python number.
        ValueError: If the gate is not unitary, or has several angles and the exponent is not whole.

    Transforms:
        vmap, grad, jvp, hessian: those of the base gate.

    Examples:
        >>> from quilt_func import x
        >>> power(x, 0.5).matrix.round(2)
        array([[0.5+0.5j, 0.5-0.5j],
               [0.5-0.5j, 0.5+0.5j]])
    """
    _check_gate("power", base)
    if not is_number(exponent):
        remedy = "Give an int or a float."
        if isinstance(exponent, Tensor):
            remedy = "A tensor exponent needs a gate of its own: write one with `@gate`."
        raise kind_error("power", "exponent", exponent, "be a Python number", remedy)
    if "unitary" not in base.tags:
        raise _not_unitary("power", base)
    is_group = base.generator is not None or "group" in base.tags
    if not isfinite(exponent) or (base.n_params and not is_group and exponent % 1):
        requirement = "be finite, and whole for a gate of angles without a generator"
        remedy = "Give a whole exponent or a gate with a generator."
        raise ValueError(message("power", "exponent", exponent, requirement, f"{exponent}", remedy))
    return _power(base, exponent)


@lru_cache(maxsize=4096)
def _power(base: Gate, exponent: float) -> Gate:
    is_group = base.generator is not None or "group" in base.tags
    if not callable(base.matrix):
        matrix: Any = _matrix_power(base.matrix, exponent)
    elif is_group:
        matrix = lambda theta: base.matrices(exponent * theta)  # noqa: E731
    else:
        matrix = lambda *params: torch.linalg.matrix_power(  # noqa: E731
            base.matrices(*params) if exponent >= 0 else adjoint(base.matrices(*params)),
            abs(int(exponent)),
        )
    kept = {"unitary", "diagonal"} | ({"group", "real"} if is_group else set())
    return with_inverse(
        replace(
            base,
            name=f"{base.name}^{exponent:g}",
            matrix=matrix,
            generator=None if base.generator is None else exponent * base.generator,
            tags=base.tags & kept,
            qasm=None,
            symbol=tuple(f"{label}^{exponent:g}" for label in base.symbol),
            doc=f"`{base.name}` to the power {exponent:g}.",
            origin=Made(power, (base, exponent)),
        )
    )


def _matrix_power(unitary: Matrix, exponent: float) -> Matrix:
    """Principal power, by an orthonormal basis of eigenvectors.

    Eigenvectors of equal eigenvalues need not be orthogonal; made so in their order, they stay in
    their eigenspaces, as those of different eigenvalues are orthogonal already.
    """
    vectors, _ = np.linalg.qr(np.linalg.eig(unitary)[1])
    phases = np.angle(np.diag(vectors.conj().T @ unitary @ vectors))
    phases = np.where(np.isclose(phases, -np.pi), np.pi, phases)
    power_: Matrix = (vectors * np.exp(1j * exponent * phases)) @ vectors.conj().T
    return power_


def _check_gate(function: str, base: object) -> None:
    remedy = "Give the gate itself, such as `x`, not a call of it."
    check_is(function, "base", base, Gate, "be a gate", remedy)
    if isinstance(base, Gate) and base.refusal:
        kind = a_kind(base).lower()
        remedy = f"{kind.capitalize()} has no such thing; change the gates around it."
        raise TypeError(message(function, "base", base, "be a gate", kind, remedy))


def _not_unitary(function: str, base: Gate) -> ValueError:
    got = "a gate that is not known to be"
    return ValueError(message(function, "base", base, "be unitary", got, INVERSE_REMEDY))


def with_inverse(row: Gate) -> Gate:
    """Add the inverse rule that a unitary row's other facts imply."""
    if "unitary" not in row.tags:
        return row
    if row.generator is not None:
        closed = replace(row, inverse=lambda theta: (closed, (-theta,)))
    elif row.n_params == 0 and "hermitian" in row.tags:
        closed = replace(row, inverse=lambda: (closed, ()))
    else:
        closed = replace(row, inverse=lambda *params: (_adjoint(closed), params))
    return closed
