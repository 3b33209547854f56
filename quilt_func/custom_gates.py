"""Gates of your own: a function of angles becomes a row, checked where it is defined.

The facts of a row are compared with its matrices at a few fixed angles, which costs a few products
of small matrices. What holds there and not elsewhere is found by `quilt_func.testing.gate_laws`.
"""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from quilt_func._checks import COMPLEX_OF, check_count, check_is, describe, message
from quilt_func.derived import with_inverse
from quilt_func.ops import ROUNDING, TAGS, Gate, Matrix, Qasm, found_in

_ANGLES = (0.37, 1.91, -2.6)
"""A small angle, one beyond a right angle, and a negative one."""
_SINGLE = 1e-5
"""Deviations below are those of constants in single precision, not slips of a formula."""


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
    as its tags say. A gate declared `unitary=False` promises nothing: it has no inverse, and
    gradients keep the state that it acts on.

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
    facts = _check_facts(n_wires, tags, symbol, qasm)
    _check_declaration(unitary, generator, facts)
    G = None if generator is None else _generator_array(generator, n_wires)

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
            _check_unitary(sample)
        if G is not None:
            _check_generator(sample, G)
        _check_tags(sample, facts)
        row = Gate(
            name=name,
            n_wires=n_wires,
            n_params=n_params,
            matrix=matrix if n_params else sample.matrices[0],
            generator=G,
            tags=facts | {"unitary"} if unitary else facts,
            qasm=qasm,
            symbol=symbol or (name,) * n_wires,
            doc=inspect.getdoc(function) or "",
            origin=found_in(function.__module__, name),
        )
        return with_inverse(row)

    return decorate


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
            f"({angle.dtype}, in which it is checked), but returned {result.dtype}. Create "
            "constants with `dtype=theta.dtype`, or `theta.dtype.to_complex()` for complex ones."
        )
    return result


class _Sample(NamedTuple):
    """A gate's matrices `(n_points, K, K)` at fixed angles, or the one of a constant gate."""

    name: str
    points: Any
    matrices: Matrix

    def check(
        self, need: str, deviations: Any, size: float, measure: str, remedy: Callable[[float], str]
    ) -> None:
        """Check that entries which should vanish do, to the rounding of numbers of a size."""
        sizes = np.abs(deviations).max((-2, -1))
        at = int(sizes.argmax())
        deviation = float(sizes[at])
        if not deviation < ROUNDING * size:  # also where it is no number
            angles = ", ".join(f"{angle:.3g}" for angle in self.points[at])
            where = f" at ({angles}) radians" if angles else ""
            raise ValueError(
                f"{self.name}(): the gate's matrix must {need}, but got {measure} {deviation:.3g}"
                f"{where}. {remedy(deviation)}"
            )


def _sample(
    function: Callable[..., Tensor],
    matrix: Callable[..., Tensor],
    name: str,
    n_wires: int,
    n_params: int,
) -> _Sample:
    """Matrices at a few angles, or the constant one, as complex128."""
    points = _check_points(n_params)
    if n_params:
        values = matrix(*torch.from_numpy(points).unbind(-1))
    else:
        values = torch.as_tensor(function()).to(torch.complex128)[None]
        values = _as_complex(name, values, values.real, n_wires)
    try:
        return _Sample(name, points, values.resolve_conj().numpy())
    except RuntimeError:
        raise TypeError(
            f"{name}(): a gate must be made outside of derivatives, where it is checked, but got "
            "one within. Define it before, and call it within."
        ) from None


def _check_points(n_params: int) -> Any:
    """Angles to check at, in rows."""
    return np.array(_ANGLES)[:, None] + 0.61 * np.arange(n_params)


def _check_facts(n_wires: int, tags: Any, symbol: Any, qasm: Any) -> frozenset[str]:
    """Check what can be read without the function, and return the tags."""
    found = [tags] if isinstance(tags, str) else list(tags)
    unknown = [tag for tag in found if tag not in TAGS]
    if unknown or isinstance(tags, str):
        need, got = "be a set of known names", f"{unknown or tags!r}"
        remedy = f"Choose from {sorted(TAGS)}."
        raise ValueError(message("gate", "tags", tags, need, got, remedy))
    if symbol and len(symbol) != n_wires:
        need, got = f"hold {n_wires} label(s)", f"{len(symbol)}"
        remedy = 'Give a tuple of one label per wire, such as `("RX",)`.'
        raise ValueError(message("gate", "symbol", symbol, need, got, remedy))
    need, remedy = "be a name and a definition", "Write `qasm=Qasm(name, definition)`."
    check_is("gate", "qasm", qasm, Qasm | None, need, remedy)
    return frozenset(found)


def _check_declaration(unitary: bool, generator: Any, tags: frozenset[str]) -> None:
    """Check that a gate which is declared not unitary claims nothing that needs it."""
    check_is("gate", "unitary", unitary, bool, "be a bool", "Write True or False.")
    claim = "a generator" if generator is not None else "the tag" if "unitary" in tags else ""
    if claim and not unitary:
        need = "be left out beside a generator or the tag `unitary`"
        remedy = "Drop one of the two: exp(-i θ G / 2) is unitary, and so is what the tag claims."
        raise ValueError(message("gate", "unitary", unitary, need, claim, remedy))


def _generator_array(generator: Any, n_wires: int) -> Matrix:
    """A given generator as an array, after a check that it is square and Hermitian."""
    size = 2**n_wires
    try:
        given = generator.tolist() if isinstance(generator, Tensor) else generator
        found = np.array(given, np.complex128)
    except (TypeError, ValueError, RuntimeError):
        need, remedy = "be an array of numbers", "Convert it with `numpy.array`, or list its rows."
        got = describe(generator)
        raise TypeError(message("gate", "generator", generator, need, got, remedy)) from None
    if found.shape != (size, size):
        need, got = f"have shape ({size}, {size})", f"shape {found.shape}"
        remedy = "Its first wire is the most significant bit."
        raise ValueError(message("gate", "generator", generator, need, got, remedy))
    deviation = np.abs(found - found.conj().T).max()
    if not deviation <= ROUNDING * max(1.0, np.abs(found).max()):  # also where it is no number
        got, remedy = f"max |G - G†| = {deviation:.3g}", "Give the G of exp(-i θ G / 2)."
        raise ValueError(message("gate", "generator", generator, "be Hermitian", got, remedy))
    return found


def _check_unitary(sample: _Sample) -> None:
    """Check that matrices are unitary."""
    matrices, size = sample.matrices, sample.matrices.shape[-1]
    excess = _adjoint(matrices) @ matrices - np.eye(size)
    has_angles = sample.points.size
    slip = "half the angle in every entry, say" if has_angles else "a sign, or a lost 1/√2"
    or_else = ", or declare it with `@gate(unitary=False)`."
    remedy = lambda deviation: _mend(deviation, slip) + or_else  # noqa: E731
    sample.check("be unitary", excess, size, "max |U†U - 1| =", remedy)


def _check_generator(sample: _Sample, generator: Matrix) -> None:
    """Check that matrices are `exp(-i θ G / 2)`."""
    values, vectors = np.linalg.eigh(generator)
    phases = np.exp(-0.5j * sample.points * values)
    excess = sample.matrices - (vectors * phases[:, None]) @ _adjoint(vectors)
    size = len(values) * max(1.0, np.abs(values).max())
    need, measure = "be exp(-i θ G / 2) of its generator G", "max |U - exp(-i θ G / 2)| ="
    slip = "half the angle, the sign of G, the order of wires"
    sample.check(need, excess, size, measure, lambda deviation: f"{_mend(deviation, slip)}.")


def _check_tags(sample: _Sample, tags: frozenset[str]) -> None:
    """Check those tags that a glance at the matrices can tell."""
    matrices, size = sample.matrices, sample.matrices.shape[-1]
    excesses = {
        "hermitian": matrices - _adjoint(matrices),
        "diagonal": matrices * (1 - np.eye(size)),
        "real": matrices.imag,
        "permutation": matrices - np.round(matrices.real).clip(0, 1),
    }
    remedy = "Leave the tag out, or mend the matrix."
    for tag in sorted(tags & set(excesses)):
        need = f"be as its tag `{tag}` says"
        sample.check(need, excesses[tag], size, "a deviation of", lambda _: remedy)


def _adjoint(matrices: Any) -> Any:
    return np.conj(np.swapaxes(matrices, -1, -2))


def _mend(deviation: float, slip: str) -> str:
    if deviation != deviation:
        return "Give it finite entries at every angle"
    if deviation < _SINGLE:
        return "Make its constants in double precision, with `dtype=theta.dtype` or `torch.float64`"
    return f"Mend it ({slip})"
