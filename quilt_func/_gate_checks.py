"""Checks of a gate at its definition: its facts against its matrices at a few fixed angles.

They cost a few products of small matrices once, and catch the slip that makes a wrong gate. What
holds at these angles and not elsewhere is found by `quilt_func.testing.gate_laws`.
"""

from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from quilt_func._checks import a_kind, describe, message
from quilt_func.ops import TAGS, Matrix, Qasm

_ANGLES = (0.37, 1.91, -2.6)
"""A small angle, one beyond a right angle, and a negative one."""
_ROUNDING = 64 * np.finfo(np.float64).eps
_SINGLE = 1e-5
"""Deviations below are those of constants in single precision, not slips of a formula."""


class Sample(NamedTuple):
    """A gate's name, and its matrices at fixed angles, or the one of a constant gate.

    Attributes:
        name: The gate's name.
        points (real, (n_points, n_params)): Angles.
        matrices (complex, (n_points, K, K)): Matrices.
    """

    name: str
    points: Any
    matrices: Matrix

    def worst(self, deviations: Any) -> tuple[float, str]:
        """The largest of entries that should vanish, and the words for where it is."""
        sizes = np.abs(deviations).max((-2, -1))
        at = int(sizes.argmax())
        angles = ", ".join(f"{angle:.3g}" for angle in self.points[at])
        return float(sizes[at]), f" at ({angles}) radians" if angles else ""


def check_points(n_params: int) -> Any:
    """Angles to check at, in rows; one empty row for a constant gate."""
    shifts = 0.61 * np.arange(n_params)
    return np.array(_ANGLES)[:, None] + shifts if n_params else np.empty((1, 0))


def check_facts(n_wires: int, tags: Any, symbol: Any, qasm: Any) -> frozenset[str]:
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
    if qasm is not None and not isinstance(qasm, Qasm):
        need, got = "be a name and a definition", a_kind(qasm)
        remedy = "Write `qasm=Qasm(name, definition)`."
        raise TypeError(message("gate", "qasm", qasm, need, got, remedy))
    return frozenset(found)


def check_declaration(unitary: object, generator: Any, tags: frozenset[str]) -> bool:
    """Check whether a gate is declared unitary; one that is not claims nothing that needs it."""
    if not isinstance(unitary, bool):
        need, got, remedy = "be a bool", a_kind(unitary), "Write True or False."
        raise TypeError(message("gate", "unitary", unitary, need, got, remedy))
    claim = "a generator" if generator is not None else "the tag" if "unitary" in tags else ""
    if claim and not unitary:
        need = "be left out beside a generator or the tag `unitary`"
        remedy = "Drop one of the two: exp(-i θ G / 2) is unitary, and so is what the tag claims."
        raise ValueError(message("gate", "unitary", unitary, need, claim, remedy))
    return unitary


def generator_array(generator: Any, n_wires: int) -> Matrix:
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
    if not deviation <= _ROUNDING * max(1.0, np.abs(found).max()):  # also where it is no number
        got, remedy = f"max |G - G†| = {deviation:.3g}", "Give the G of exp(-i θ G / 2)."
        raise ValueError(message("gate", "generator", generator, "be Hermitian", got, remedy))
    return found


def check_unitary(sample: Sample) -> None:
    """Check that matrices are unitary."""
    matrices, size = sample.matrices, sample.matrices.shape[-1]
    deviation, where = sample.worst(_adjoint(matrices) @ matrices - np.eye(size))
    if not deviation < _ROUNDING * size:
        slip = "half the angle in every entry, say" if where else "a sign, or a lost 1/√2"
        raise ValueError(
            f"{sample.name}(): the gate's matrix must be unitary, but got max |U†U - 1| = "
            f"{deviation:.3g}{where}. {_mend(deviation, slip)}, or declare it with "
            "`@gate(unitary=False)`."
        )


def check_generator(sample: Sample, generator: Matrix) -> None:
    """Check that matrices are `exp(-i θ G / 2)`."""
    values, vectors = np.linalg.eigh(generator)
    phases = np.exp(-0.5j * sample.points * values)
    expected = (vectors * phases[:, None]) @ _adjoint(vectors)
    deviation, where = sample.worst(sample.matrices - expected)
    if not deviation < _ROUNDING * len(values) * max(1.0, np.abs(values).max()):
        raise ValueError(
            f"{sample.name}(): the gate's matrix must be exp(-i θ G / 2) of its generator G, but "
            f"got max |U - exp(-i θ G / 2)| = {deviation:.3g}{where}. "
            f"{_mend(deviation, 'half the angle, the sign of G, the order of wires')}."
        )


def check_tags(sample: Sample, tags: frozenset[str]) -> None:
    """Check those tags that a glance at the matrices can tell."""
    matrices, size = sample.matrices, sample.matrices.shape[-1]
    excesses = {
        "hermitian": matrices - _adjoint(matrices),
        "diagonal": matrices * (1 - np.eye(size)),
        "real": matrices.imag,
        "permutation": matrices - np.round(matrices.real).clip(0, 1),
    }
    for tag in sorted(tags & set(excesses)):
        deviation, where = sample.worst(excesses[tag])
        if not deviation < _ROUNDING * size:
            raise ValueError(
                f"{sample.name}(): the gate's matrix must be as its tag `{tag}` says, but got a "
                f"deviation of {deviation:.3g}{where}. Leave the tag out, or mend the matrix."
            )


def _adjoint(matrices: Any) -> Any:
    return np.conj(np.swapaxes(matrices, -1, -2))


def _mend(deviation: float, slip: str) -> str:
    if deviation != deviation:
        return "Give it finite entries at every angle"
    if deviation < _SINGLE:
        return "Make its constants in double precision, with `dtype=theta.dtype` or `torch.float64`"
    return f"Mend it ({slip})"
