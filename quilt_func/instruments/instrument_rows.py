r"""Instruments as rows: measurement, reset and postselection stand in a circuit as gates do.

A circuit with instruments has no single state. Calling it is refused; `run_branches`,
`run_trajectory` and `run_density` run it. Outcomes have names, *keys*, which conditional gates read
later in the circuit. A key that is measured again holds the last outcome.
"""

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

import numpy as np

from quilt_func._checks import describe, is_index, kind_error, message
from quilt_func.ops import Gate, Made, Op, called
from quilt_func.typing import WireSet

REMEDY = (
    "Use `run_branches(circuit)`, which gives a state for each outcome, "
    "`run_trajectory(circuit, u)`, which gives one by uniform numbers, or `run_density(circuit)`, "
    "which gives their mixture."
)


@dataclass(frozen=True, eq=False, repr=False)
class Instrument(Gate):
    """The definition of one instrument: what has outcomes, or depends on some.

    Attributes:
        writes: The key that outcomes are kept under, or nothing.
        reads: The keys whose bits it depends on.

    Examples:
        >>> from quilt_func import conditional, measure, x
        >>> measure(0, "m").gate.writes, conditional("m", x(1), 1).gate.reads
        ('m', ('m',))
    """

    writes: str = ""
    reads: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<instrument {self.name}>"

    @property
    def refusal(self) -> str:
        """Why no state can be given to it, with the remedy."""
        return f"{called(self)}(): an instrument makes no one state of a state. {REMEDY}"

    @property
    def no_inverse(self) -> str:
        """Why it has none, with the remedy."""
        return "an outcome cannot be undone. Invert the parts before and after it."

    @property
    def n_outcomes(self) -> int:
        """Outcomes of one application, of which a run takes one; 1 if it has none."""
        return 1


class Measurement(Instrument):
    """The row of `measure`."""

    @property
    def n_outcomes(self) -> int:
        """One for each basis state of the wires."""
        return int(2**self.n_wires)


class Reset(Instrument):
    """The row of `reset`."""

    @property
    def n_outcomes(self) -> int:
        """What the wire was, which is not kept."""
        return 2


@dataclass(frozen=True, eq=False, repr=False)
class Postselection(Instrument):
    """The row of `postselect`: the bits that are kept."""

    bits: tuple[int, ...] = ()


def measure(wires: int | Iterable[int], key: str) -> Op:
    """Measure wires in the computational basis, and keep the bits under a key.

    Args:
        wires: One wire, or an iterable of distinct wires, the first the most significant bit.
        key: Name of the outcome. If it is measured again, the last outcome is kept.

    Returns:
        The op, for `circuit`.

    Raises:
        TypeError: If a wire is not an int, or `key` not a string.
        ValueError: If there is no wire, wires repeat, or `key` is empty.

    Transforms:
        None: it makes a structure.

    Examples:
        >>> from quilt_func import circuit, h, run_branches
        >>> run_branches(circuit(1, h(0), measure(0, "m"))).bits
        {'m': tensor([[0],
                [1]])}

    References:
        Nielsen and Chuang (2010), section 2.2.3.
    """
    check_key("measure", key)
    found = _checked("measure", wires)
    return Op(measurement_row(key, len(found)), (found,), ())


def reset(wires: int | Iterable[int]) -> Op:
    """Set wires to |0⟩: measure each, and flip it where it is 1; the outcome is not kept.

    A pure state cannot forget, so that `run_branches` doubles its branches for each wire; for
    `run_density` a reset is a channel, at no such cost.

    Args:
        wires: One wire, or an iterable of distinct wires.

    Returns:
        The op, for `circuit`.

    Raises:
        TypeError: If a wire is not an int.
        ValueError: If there is no wire, or wires repeat.

    Transforms:
        None: it makes a structure.

    Examples:
        >>> from quilt_func import circuit, h, run_density
        >>> run_density(circuit(1, h(0), reset(0))).real.round(decimals=4)
        tensor([[1., 0.],
                [0., 0.]])

    References:
        Nielsen and Chuang (2010), section 8.3.
    """
    return Op(reset_row(), tuple((wire,) for wire in _checked("reset", wires)), ())


def postselect(wires: int | Iterable[int], bits: int | Sequence[int]) -> Op:
    """Keep only what has given bits: the state is projected, and not normalised again.

    Args:
        wires: One wire, or an iterable of distinct wires.
        bits: 0 or 1 for each wire.

    Returns:
        The op, for `circuit`. It adds no branch.

    Raises:
        TypeError: If a wire or a bit is not an int.
        ValueError: If there is no wire, wires repeat, or there are not as many bits as wires.

    Transforms:
        None: it makes a structure.

    Examples:
        >>> from quilt_func import circuit, h, run_branches
        >>> run_branches(circuit(1, h(0), postselect(0, 1))).states.abs()
        tensor([[0.0000, 0.7071]])

    References:
        Aaronson (2005), arXiv:quant-ph/0412187.
    """
    found = _checked("postselect", wires)
    row = postselection_row(as_bits("postselect", "bits", bits, len(found)))
    return Op(row, (found,), ())


def as_bits(function: str, argument: str, given: Any, count: int | None) -> tuple[int, ...]:
    """Check bits, one or a sequence, and how many there are."""
    remedy = "Give 0 or 1 for each wire."
    if isinstance(given, str) or not (is_index(given) or isinstance(given, Iterable)):
        raise kind_error(function, argument, given, "be bits", remedy)
    bits = (given,) if is_index(given) else tuple(given)
    if any(not is_index(bit) for bit in bits):
        raise TypeError(message(function, argument, given, "be ints", describe(bits), remedy))
    found = tuple(map(int, bits))
    if set(found) - {0, 1}:
        raise ValueError(message(function, argument, given, "be 0 or 1", f"{found}", remedy))
    if count not in (None, len(found)):
        need, got = f"have {count} bit(s)", f"{len(found)}"
        raise ValueError(message(function, argument, given, need, got, remedy))
    return found


def check_key(function: str, key: object) -> None:
    """Check the name of an outcome."""
    remedy = 'Name the outcome: `"m"`.'
    if not isinstance(key, str):
        raise kind_error(function, "key", key, "be a string", remedy)
    if not key:
        raise ValueError(message(function, "key", key, "have a letter", "an empty string", remedy))


def _checked(function: str, wires: Any) -> WireSet:
    """One or more distinct wires."""
    remedy = "Give a wire or an iterable of wires: `0` or `[0, 1]`."
    if isinstance(wires, str) or not (is_index(wires) or isinstance(wires, Iterable)):
        raise kind_error(function, "wires", wires, "be ints", remedy)
    given = (wires,) if is_index(wires) else tuple(wires)
    for wire in given:
        if type(wire) is bool or not is_index(wire):
            raise TypeError(message(function, "wires", wires, "be ints", describe(wire), remedy))
    found = tuple(map(operator.index, given))
    for is_wrong, need, got in (
        (not found, "hold a wire", "none"),
        (min(found, default=0) < 0, "be zero or more", f"{found}"),
        (len(set(found)) < len(found), "be distinct", f"{found}"),
    ):
        if is_wrong:
            raise ValueError(message(function, "wires", wires, need, got, remedy))
    return found


def without_matrix(*_: Any) -> NoReturn:
    """What a row has for a matrix, and nothing calls."""
    raise TypeError(f"matrix(): an instrument has none. {REMEDY}")


@lru_cache(maxsize=4096)
def measurement_row(key: str, n_wires: int) -> Measurement:
    """The row of `measure` under a key, on so many wires at once."""
    return Measurement(
        name=f"measure[{key}]",
        n_wires=n_wires,
        n_params=0,
        matrix=without_matrix,
        symbol=(f"M:{key}",) * n_wires,
        doc="Measurement in the computational basis.",
        origin=Made(measurement_row, (key, n_wires)),
        writes=key,
    )


@lru_cache(maxsize=4096)
def postselection_row(bits: tuple[int, ...]) -> Postselection:
    """The row of `postselect` of given bits."""
    return Postselection(
        name=f"postselect[{''.join(map(str, bits))}]",
        n_wires=len(bits),
        n_params=0,
        matrix=without_matrix,
        symbol=tuple(f"={bit}" for bit in bits),
        doc="Projection on basis states.",
        origin=Made(postselection_row, (bits,)),
        bits=bits,
    )


@lru_cache(maxsize=1)
def reset_row() -> Reset:
    """The row of `reset`."""
    return Reset(
        name="reset",
        n_wires=1,
        n_params=0,
        matrix=without_matrix,
        symbol=("Reset",),
        doc="Sets a wire to |0>.",
        origin=Made(reset_row, ()),
    )


@lru_cache(maxsize=2)
def projector(bit: int) -> Gate:
    """The projector on a bit of one wire, as a gate that is not unitary."""
    return Gate(
        name="projector",
        n_wires=1,
        n_params=0,
        matrix=np.diag([1.0 - bit, bit]).astype(np.complex128),
        symbol=(f"={bit}",),
        doc="Projection of one wire.",
        origin=Made(projector, (bit,)),
    )


def projectors(op: Op) -> list[Op]:
    """A postselection as gates that are not unitary, one for each wire."""
    assert isinstance(op.gate, Postselection)
    pairs = ((op.gate.bits, wires) for wires in op.wires)
    return [
        Op(projector(bit), ((wire,),), ())
        for bits, wires in pairs
        for bit, wire in zip(bits, wires, strict=True)
    ]
