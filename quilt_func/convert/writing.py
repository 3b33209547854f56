"""What a gate is written as elsewhere: by its name, by what it is made of, or by its matrix."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from quilt_func._affine_angles import Symbolic, symbolic
from quilt_func._checks import is_hidden, is_number, message
from quilt_func.circuits import Circuit, check_circuit
from quilt_func.convert.formulas import scaled
from quilt_func.convert.names import BASES, MULTIPLES, NAMES
from quilt_func.derived import controlled, inverse, power
from quilt_func.gates import word_gate, word_matrix
from quilt_func.ops import Gate, Op, numbers


class Named(NamedTuple):
    """A gate of the table, with angles."""

    gate: Gate
    angles: tuple[Any, ...]


class Word(NamedTuple):
    """A rotation about a Pauli word."""

    word: str
    angle: Any


class Words(NamedTuple):
    """A product of rotations about Pauli words that commute: factors of one angle."""

    terms: tuple[tuple[str, float], ...]
    angle: Any


class Controlled(NamedTuple):
    """A form with one control in front of it."""

    inner: Any


class Inverse(NamedTuple):
    """The inverse of a form."""

    inner: Any


class Matrices(NamedTuple):
    """A unitary by its matrix, the first wire the most significant bit."""

    matrix: Any
    name: str


def form_of(function: str, gate: Gate, angles: tuple[Any, ...]) -> Any:
    """How a gate is written: as one of the forms.

    Raises:
        ValueError: If it is a matrix that is not known to be unitary, or one of angles that are not
            numbers.
    """
    if gate in NAMES:
        return Named(gate, angles)
    if gate in MULTIPLES:
        row, factor = MULTIPLES[gate]
        return Named(row, (scaled(angles[0], factor),))
    if word := gate.made_by(word_gate):
        return Word(word[0], angles[0])
    if made := gate.made_by(controlled):
        return Controlled(form_of(function, made[0], angles))
    if made := gate.made_by(power):
        base, exponent = made
        if gate.n_params == 1 and (base.generator is not None or "group" in base.tags):
            return form_of(function, base, (scaled(angles[0], float(exponent)),))
    if (made := gate.made_by(inverse)) and made[0].inverse is not None:
        found, turned = made[0].inverse(*angles)
        if found is not gate:
            return form_of(function, found, tuple(turned))
        return Inverse(form_of(function, made[0], angles))
    return Matrices(_matrix(function, gate, angles), gate.name)


@lru_cache
def _terms(gate: Gate) -> tuple[tuple[str, float], ...]:
    """The Pauli words of a gate's generator, and their coefficients."""
    letters = map("".join, product("IXYZ", repeat=gate.n_wires))
    generator = np.asarray(gate.generator)
    overlaps = (
        (word, float((word_matrix(word).conj() * generator).sum().real)) for word in letters
    )
    return tuple((word, c / 2**gate.n_wires) for word, c in overlaps if c)


def words_of(gate: Gate, angles: tuple[Any, ...]) -> Words:
    """A gate of the table, whose generator is a sum of words that commute, as rotations."""
    return Words(_terms(gate), angles[0])


def controls_of(gate: Gate) -> Gate | None:
    """What a controlled gate of the table is the controlled gate of."""
    return BASES.get(gate)


def _matrix(function: str, gate: Gate, angles: tuple[Any, ...]) -> Any:
    """An array, or a tensor if the angles are tensors."""
    remedy = "Write it as gates of the table."
    if "unitary" not in gate.tags:
        got = f"`{gate.name}`, which is not known to be unitary"
        raise _unsayable(function, gate, got, remedy)
    if not callable(gate.matrix):
        return gate.matrix
    if gate.param_shape:
        return np.asarray(angles[0], np.complex128)
    tensors = [angle for angle in angles if isinstance(angle, Tensor)]
    if tensors:
        like = tensors[0].reshape(1)
        rows = [a[None] if isinstance(a, Tensor) else torch.full_like(like, a) for a in angles]
        return gate.matrices(*rows)[0]
    if not all(map(is_number, angles)):
        remedy = "Write it as gates of the table, or at numbers: call the function first."
        raise _unsayable(function, gate, f"`{gate.name}` of an angle that is no number", remedy)
    given = [torch.tensor([angle], dtype=torch.float64) for angle in angles]
    return np.asarray(gate.matrices(*given)[0].resolve_conj().numpy(), np.complex128)


def _unsayable(function: str, gate: Gate, got: str, remedy: str) -> ValueError:
    need = "hold gates that the other library can say"
    return ValueError(message(function, "given", gate, need, got, remedy))


def refuse_gate(function: str, gate: Gate, got: str, remedy: str) -> ValueError:
    """The error for what has no counterpart."""
    return _unsayable(function, gate, got, remedy)


def read_angles(function: str, op: Op) -> Iterator[tuple[Any, ...]]:
    """The angles of each wire set: numbers, `Affine`s, or matrices."""
    columns = [_column(function, op, param) for param in op.params]
    return iter(zip(*columns, strict=True)) if columns else iter([()] * len(op))


def _column(function: str, op: Op, param: Any) -> Any:
    if isinstance(param, tuple):
        return param
    if op.gate.param_shape:
        if isinstance(param, Tensor) and not is_hidden(param):
            return param.detach().resolve_conj().cpu().numpy()
        raise _unreadable(function, op)
    found = numbers(param, len(op))
    if found is None:
        raise _unreadable(function, op)
    return found


def _unreadable(function: str, op: Op) -> TypeError:
    need, got = "have angles that can be read", "hidden ones"
    remedy = "Write it outside of `torch.func` transforms."
    return TypeError(message(function, "given", op, need, got, remedy))


def circuit_of(function: str, given: Any, inputs: Any) -> Symbolic:
    """A circuit, or what a function of inputs makes, with symbols."""
    if callable(given) and not isinstance(given, Circuit):
        return symbolic(function, "given", given, inputs)
    check_circuit(function, "given", given)
    if inputs is not None:
        need, got = "be left out with a circuit", "examples"
        remedy = "Give the function that makes the circuit, or leave them out."
        raise TypeError(message(function, "inputs", inputs, need, got, remedy))
    return Symbolic(given, ())


def linear_sum(angle: Any, symbols: Any, number: Callable[[float], Any] = float) -> Any:
    """An angle in symbols of another library."""
    if is_number(angle):
        return number(angle)
    total: Any = None
    for place, factor in angle.terms:
        term = symbols[place] if factor == 1 else number(factor) * symbols[place]
        total = term if total is None else total + term
    return total + number(angle.constant) if angle.constant else total
