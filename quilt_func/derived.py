"""Gates made from functions and from other gates: `@gate`, `controlled`, `inverse`, `power`.

Equal arguments give the same row, so that circuits built anew are recognised.
"""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from math import isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from quilt_func._checks import COMPLEX_OF, a_kind, check_count, describe, message
from quilt_func._gate_checks import (
    Sample,
    check_declaration,
    check_facts,
    check_generator,
    check_points,
    check_tags,
    check_unitary,
    generator_array,
)
from quilt_func._torch import adjoint
from quilt_func.ops import INVERSE_REMEDY, Gate, Matrix, Qasm

_KEPT_BY_CONTROL = frozenset({"unitary", "hermitian", "diagonal", "permutation", "real", "group"})


def gate(
    misplaced: None = None,
    /,
    *,
    n_wires: int = 0,
    generator: Any = None,
    tags: Iterable[str] = (),
    qasm: Qasm | None = None,
    symbol: tuple[str, ...] = (),
    vectorised: bool = False,
    unitary: bool = True,
) -> Callable[[Callable[..., Tensor]], Gate]:
    """Make a gate of a function from 0-d angles to one matrix.

    The function is mapped over wire sets with `vmap`. It is called once here, in complex128 at
    fixed angles, and refused if a matrix is not unitary, is not that of the generator, or is not
    as its tags say. A gate declared `unitary=False` promises nothing: it has no inverse and is
    simulated by the plain path.

    Args:
        misplaced: Nothing: the function goes below the decorator.
        n_wires: Number of wires, at least 1; it must be given.
        generator: Hermitian `(2**n_wires, 2**n_wires)` array-like `G` if the gate is
            `exp(-i θ G / 2)`; it gives the gate its inverse, real powers and shift rule.
        tags: Further facts from `quilt_func.ops.TAGS`; `quilt_func.testing` checks them.
        qasm: OpenQASM name and definition.
        symbol: Label of each wire in drawings; default: the function's name.
        vectorised: Promise that the function maps `(m,)` angles to `(m, K, K)` by itself.
        unitary: Whether the matrices are unitary. False is for those that are meant not to be.

    Returns:
        A decorator from a function to a `Gate`; the function's parameters are the angles.

    Raises:
        TypeError: If the function can't be mapped, or does not keep its angles' precision.
        ValueError: If the matrix or the generator is not `(2**n_wires, 2**n_wires)`, if there is a
            generator and not one angle, if a tag is unknown, or `symbol` is not one label per wire;
            if the matrix is not unitary and not declared so, is not `exp(-i θ G / 2)`, or breaks
            a tag; if the generator is not Hermitian.

    Transforms:
        vmap, grad, jvp, hessian: those that the function supports.

    Examples:
        >>> import torch
        >>> @gate(n_wires=1)
        ... def half_turn(theta):
        ...     c, s = (theta / 2).cos(), (theta / 2).sin()
        ...     return torch.stack([torch.stack([c, -s]), torch.stack([s, c])])
        >>> half_turn(0.3, 0), "unitary" in half_turn.tags
        (<half_turn on (0,)>, True)
        >>> @gate(n_wires=1, unitary=False)
        ... def attenuate(strength):
        ...     return torch.stack([torch.ones_like(strength), (-strength).exp()]).diag()
        >>> attenuate.tags
        frozenset()
    """
    if misplaced is not None:
        raise TypeError(
            "gate(): must be called with `n_wires`, but got a function or gate. Write "
            "`@gate(n_wires=1)` above the function."
        )
    check_count("gate", "n_wires", n_wires, 1)
    claimed = check_facts(n_wires, tags, symbol, qasm)
    facts = claimed | {"unitary"} if check_declaration(unitary, generator, claimed) else claimed
    G = None if generator is None else generator_array(generator, n_wires)

    def decorate(function: Callable[..., Tensor]) -> Gate:
        if not inspect.isroutine(function):
            requirement, got = "be a function of angles", describe(function)
            remedy = "Write `@gate(...)` above `def`."
            raise TypeError(message("gate", "function", function, requirement, got, remedy))
        name, n_params = function.__name__, len(inspect.signature(function).parameters)
        matrix = _checked_matrix(function, name, n_wires, vectorised)
        sample = _sample(function, matrix, name, n_wires, n_params)
        if generator is not None and n_params != 1:
            requirement, got = "be left out unless there is one angle", f"{n_params} angles"
            remedy = "A generator G stands for exp(-i θ G / 2)."
            raise ValueError(message("gate", "generator", generator, requirement, got, remedy))
        if unitary:
            check_unitary(sample)
        if G is not None:
            check_generator(sample, G)
        check_tags(sample, facts)
        row = Gate(
            name=name,
            n_wires=n_wires,
            n_params=n_params,
            matrix=matrix if n_params else sample.matrices[0],
            generator=G,
            tags=facts,
            qasm=qasm,
            symbol=symbol or (name,) * n_wires,
            doc=inspect.getdoc(function) or "",
            origin=function.__module__,
        )
        return with_inverse(row)

    return decorate


def _check_gate(function: str, base: object) -> None:
    if not isinstance(base, Gate):
        remedy = "Give the gate itself, such as `x`, not a call of it."
        got = a_kind(base)
        raise TypeError(message(function, "base", base, "be a gate", got, remedy))


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


def _checked_matrix(
    function: Callable[..., Tensor], name: str, n_wires: int, vectorised: bool
) -> Callable[..., Tensor]:
    def entries(*angles: Tensor) -> Tensor:
        result = function(*angles)
        if not isinstance(result, Tensor):
            raise _matrix_error(name, result, n_wires)
        return result

    mapped = entries if vectorised else vmap(entries)

    def matrix(*angles: Tensor) -> Tensor:
        try:
            result = mapped(*angles)
        except RuntimeError as error:
            raise TypeError(
                f"{name}(): the gate's function must work under `torch.func.vmap`, but raised: "
                f"{error}. Assemble its matrix with `torch.stack`, not with `torch.tensor`."
            ) from error
        return _as_complex(name, result, angles[0], n_wires)

    return matrix


def _matrix_error(name: str, result: object, n_wires: int) -> ValueError:
    size = 2**n_wires
    return ValueError(
        f"{name}(): the gate's function must return a matrix of shape ({size}, {size}), but got "
        f"{describe(result)}. Its first wire is the most significant bit."
    )


def _as_complex(name: str, result: Tensor, angle: Tensor, n_wires: int) -> Tensor:
    if result.shape != (angle.shape[0], 2**n_wires, 2**n_wires):
        raise _matrix_error(name, result, n_wires)
    if result.dtype == angle.dtype:
        return torch.complex(result, torch.zeros_like(result))
    if result.dtype != COMPLEX_OF[angle.dtype]:
        raise TypeError(
            f"{name}(): the gate's function must keep the precision of its angles "
            f"({angle.dtype}), but returned {result.dtype}. Create constants with "
            "`dtype=theta.dtype`, and complex entries with `torch.complex(re, im)`."
        )
    return result


def _sample(
    function: Callable[..., Tensor],
    matrix: Callable[..., Tensor],
    name: str,
    n_wires: int,
    n_params: int,
) -> Sample:
    """Matrices at a few angles, or the constant one, as complex128."""
    points = check_points(n_params)
    if n_params:
        values = matrix(*torch.from_numpy(points).unbind(-1))
    else:
        values = torch.as_tensor(function()).to(torch.complex128)[None]
        values = _as_complex(name, values, values.real, n_wires)
    return Sample(name, points, values.resolve_conj().numpy())


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


def named_controlled(base: Gate, name: str, **facts: Any) -> Gate:
    """Make a row of the table that `controlled(base)` returns from now on."""
    row = _NAMED[base] = replace(_controlled_row(base), name=name, origin=base.origin, **facts)
    return row


@lru_cache(maxsize=4096)
def _controlled(base: Gate) -> Gate:
    return _controlled_row(base)


def _controlled_row(base: Gate) -> Gate:
    identity = np.eye(2**base.n_wires, dtype=np.complex128)

    def matrix(*params: Tensor) -> Tensor:
        block = base.matrices(*params)
        one = torch.eye(len(identity), dtype=block.dtype, device=block.device).expand_as(block)
        zero = torch.zeros_like(block)
        return torch.cat([torch.cat([one, zero], -1), torch.cat([zero, block], -1)], -2)

    def inverse_rule(*params: Any) -> tuple[Gate, tuple[Any, ...]]:
        assert base.inverse is not None
        inverse_gate, angles = base.inverse(*params)
        return controlled(inverse_gate), angles

    return replace(
        base,
        name=f"c{base.name}",
        n_wires=base.n_wires + 1,
        matrix=matrix if callable(base.matrix) else _direct_sum(identity, base.matrix),
        generator=None if base.generator is None else _direct_sum(0 * identity, base.generator),
        inverse=base.inverse and inverse_rule,
        tags=base.tags & _KEPT_BY_CONTROL,
        qasm=None,
        symbol=("●", *base.symbol),
        doc=f"`{base.name}` where the first wire is 1.",
        origin=(controlled, (base,)),
    )


def _direct_sum(a: Matrix, b: Matrix) -> Matrix:
    zero = np.zeros_like(b)
    return np.block([[a, zero], [zero, b]])


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
        raise ValueError(
            message(
                "inverse",
                "base",
                base,
                "be unitary",
                "a gate that is not known to be",
                INVERSE_REMEDY,
            )
        )
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
        origin=(inverse, (base,)),
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
    if isinstance(exponent, bool) or not isinstance(exponent, (int, float)):
        requirement, got, remedy = "be a Python number", a_kind(exponent), "Give an int or a float."
        if isinstance(exponent, Tensor):
            remedy = "A tensor exponent needs a gate of its own: write one with `@gate`."
        raise TypeError(message("power", "exponent", exponent, requirement, got, remedy))
    if "unitary" not in base.tags:
        got = "a gate that is not known to be"
        raise ValueError(message("power", "base", base, "be unitary", got, INVERSE_REMEDY))
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
            origin=(power, (base, exponent)),
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
