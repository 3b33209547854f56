"""Hypothesis strategies for angles, wires, states, gates, ops, circuits and observables.

They draw structure and a seed, never 2^n floats: numbers that fill a tensor come from
`quilt_func.uniforms` at a drawn seed. Failing examples shrink to few qubits, few and early gates of
the table, and seed 0.
"""

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from torch import Tensor

import quilt_func as qf
from quilt_func._checks import COMPLEX_OF
from quilt_func.circuits import Circuit
from quilt_func.ops import Gate, Op
from quilt_func.pauli import PauliSum
from quilt_func.typing import WireSet

T = TypeVar("T")
Strategy = st.SearchStrategy[T]

_SEEDS = st.integers(0, 2**16 - 1)


def uniforms(
    shape: int | Sequence[int] = (), *, dtype: torch.dtype = torch.float64
) -> Strategy[Tensor]:
    """Tensors of uniform numbers in [0, 1), as `quilt_func.uniforms` makes them of a seed.

    Args:
        shape: Shape of the tensors.
        dtype: float32 or float64.

    Returns:
        Strategy of tensors (real, shape). Shrinks towards the numbers of seed 0.
    """
    return _SEEDS.map(lambda seed: qf.uniforms(shape, seed, dtype=dtype))


def angles(
    shape: int | Sequence[int] = (),
    *,
    min_value: float = -2 * math.pi,
    max_value: float = 2 * math.pi,
    dtype: torch.dtype = torch.float64,
) -> Strategy[Tensor]:
    """Tensors of angles in radians.

    Args:
        shape: Shape of the tensors.
        min_value: Smallest angle.
        max_value: Largest angle.
        dtype: float32 or float64.

    Returns:
        Strategy of tensors (real, shape). One angle shrinks towards 0, several towards the first
        angle shared by all, then towards those of seed 0.
    """
    if not min_value <= max_value:
        raise InvalidArgument(f"angles: min_value={min_value} exceeds max_value={max_value}")
    width = max_value - min_value
    drawn = uniforms(shape, dtype=dtype).map(lambda u: min_value + width * u)
    same = st.floats(min_value, max_value, allow_subnormal=False).map(
        lambda theta: torch.full(_size(shape), theta, dtype=dtype)
    )
    return same | drawn


def _size(shape: int | Sequence[int]) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def wires(n_qubits: int, *, size: int = 1) -> Strategy[WireSet]:
    """Tuples of distinct wires.

    Args:
        n_qubits: Number of qubits.
        size: Number of wires in a tuple.

    Returns:
        Strategy of tuples of ints. Shrinks towards `(0, 1, ...)`.
    """
    if size > n_qubits:
        raise InvalidArgument(f"wires: size={size} exceeds n_qubits={n_qubits}")
    return st.permutations(range(n_qubits)).map(lambda order: tuple(order[:size]))


def states(n_qubits: int, *, dtype: torch.dtype = torch.complex128) -> Strategy[Tensor]:
    """Normalised statevectors: basis states and random ones.

    Args:
        n_qubits: Number of qubits.
        dtype: complex64 or complex128.

    Returns:
        Strategy of tensors (complex, (2**n_qubits,)). Shrinks towards |0...0⟩.
    """
    basis = st.integers(0, 2**n_qubits - 1).map(
        lambda index: qf.basis_state(f"{index:b}".zfill(n_qubits)[:n_qubits], dtype=dtype)
    )
    return basis | uniforms((2, 2**n_qubits), dtype=dtype.to_real()).map(qf.random_state)


def gates(
    *,
    max_wires: int = 3,
    rows: Sequence[Gate] = qf.GATES,
    derived: bool = False,
) -> Strategy[Gate]:
    """Gates of the table, and if wanted gates made of them.

    Args:
        max_wires: Largest number of wires.
        rows: Table to draw from.
        derived: Whether to draw controlled, inverse and multiplied gates too.

    Returns:
        Strategy of gates. Shrinks towards the first row.
    """
    fitting = [row for row in rows if row.n_wires <= max_wires]
    if not fitting:
        raise InvalidArgument(f"gates: no row has at most {max_wires} wire(s)")
    plain = st.sampled_from(fitting)
    if not derived:
        return plain
    inverses = plain.map(qf.inverse)
    turned = [row for row in fitting if row.generator is not None]
    powers = st.builds(qf.power, st.sampled_from(turned), st.sampled_from([0.5, -1.25, 3]))
    narrow = [row for row in fitting if row.n_wires < max_wires]
    return st.one_of(
        [plain, inverses]
        + ([powers] if turned else [])
        + ([st.sampled_from(narrow).map(qf.controlled)] if narrow else [])
    )


@st.composite
def ops(
    draw: st.DrawFn,
    n_qubits: int,
    *,
    dtype: torch.dtype = torch.float64,
    max_sets: int = 4,
    rows: Sequence[Gate] = qf.GATES,
    derived: bool = True,
) -> Op:
    """Ops of every form: one or many wire sets or none, own or shared or weak angles, matrices.

    Args:
        draw: Hypothesis' own.
        n_qubits: Number of qubits, at least 1.
        dtype: Precision of the angles.
        max_sets: Largest number of wire sets.
        rows: Table to draw gates from.
        derived: Whether to draw gates made of these, Pauli rotations and matrices too.

    Returns:
        Strategy of ops. Shrinks towards the first row on wire 0.
    """
    kinds = ["gate"] * 4 + (["word", "matrix"] if derived else [])
    kind = draw(st.sampled_from(kinds))
    if kind == "gate":
        gate = draw(gates(max_wires=min(3, n_qubits), rows=rows, derived=derived))
        sets = draw(_wire_sets(n_qubits, gate.n_wires, max_sets))
        return gate(*(draw(_parameters(len(sets), dtype)) for _ in range(gate.n_params)), sets)
    size = draw(st.integers(1, min(3, n_qubits)))
    sets = draw(_wire_sets(n_qubits, size, max_sets))
    if kind == "word":
        word = draw(st.text("XYZ", min_size=size, max_size=size))
        rotation: Op = qf.pauli_rot(draw(_parameters(len(sets), dtype)), word, sets)  # type: ignore[assignment]  # short words give one op
        return rotation
    return qf.unitary(draw(unitaries(size, dtype=COMPLEX_OF[dtype])), sets)


def unitaries(n_wires: int, *, dtype: torch.dtype = torch.complex128) -> Strategy[Tensor]:
    """Random unitary matrices.

    Args:
        n_wires: Number of wires.
        dtype: complex64 or complex128.

    Returns:
        Strategy of tensors (complex, (2**n_wires, 2**n_wires)). Shrinks towards that of seed 0.
    """
    size = 2**n_wires

    def orthonormal(u: Tensor) -> Tensor:
        columns = torch.stack([qf.random_state(pair) for pair in u.unbind(0)], -1)
        basis: Tensor = torch.linalg.qr(columns)[0]
        return basis

    return uniforms((size, 2, size), dtype=dtype.to_real()).map(orthonormal)


def _wire_sets(n_qubits: int, size: int, max_sets: int) -> Strategy[list[Any]]:
    each = wires(n_qubits, size=size).map(lambda ws: ws[0] if size == 1 else ws)
    some = st.lists(each, min_size=1, max_size=max_sets)
    return st.one_of([some] * 7 + [st.just([])])


def _parameters(m: int, dtype: torch.dtype) -> Strategy[Any]:
    weak = st.floats(-6, 6, allow_subnormal=False) | st.integers(-3, 3)
    return angles(m, dtype=dtype) | angles(dtype=dtype) | weak


@st.composite
def circuits(
    draw: st.DrawFn,
    *,
    min_qubits: int = 1,
    max_qubits: int = 5,
    max_ops: int = 12,
    dtype: torch.dtype = torch.float64,
    rows: Sequence[Gate] = qf.GATES,
    derived: bool = True,
) -> Circuit:
    """Circuits of ops of every form.

    Args:
        draw: Hypothesis' own.
        min_qubits: Smallest number of qubits.
        max_qubits: Largest number of qubits.
        max_ops: Largest number of ops.
        dtype: Precision of the angles.
        rows: Table to draw gates from.
        derived: Whether to draw gates made of these, Pauli rotations and matrices too.

    Returns:
        Strategy of circuits. Shrinks towards few qubits and no ops.
    """
    n = draw(st.integers(min_qubits, max_qubits))
    if not n:
        return qf.circuit(0)
    part = ops(n, dtype=dtype, rows=rows, derived=derived)
    some = st.lists(part, max_size=max_ops)
    many = st.lists(part, min_size=max_ops // 2, max_size=max_ops)
    return qf.circuit(n, draw(some | many))


def pauli_words(n_qubits: int, *, letters: str = "IXYZ") -> Strategy[str]:
    """Pauli words.

    Args:
        n_qubits: Number of letters.
        letters: Letters to draw from.

    Returns:
        Strategy of strings. Shrinks towards the first of the letters.
    """
    if not letters or set(letters) - set("IXYZ"):
        raise InvalidArgument(f"pauli_words: letters={letters!r} are not letters of IXYZ")
    one = st.sampled_from(letters)
    return st.lists(one, min_size=n_qubits, max_size=n_qubits).map("".join)


@st.composite
def pauli_sums(
    draw: st.DrawFn,
    n_qubits: int,
    *,
    max_terms: int = 6,
    letters: str = "IXYZ",
    dtype: torch.dtype | None = torch.float64,
) -> PauliSum:
    """Observables of Pauli words, equal words among them.

    Args:
        draw: Hypothesis' own.
        n_qubits: Number of qubits.
        max_terms: Largest number of words.
        letters: Letters to draw from.
        dtype: Precision of the coefficients, in [-1, 1); None draws Python numbers.

    Returns:
        Strategy of Pauli sums. Shrinks towards one word, towards the first of the letters.
    """
    words = draw(st.lists(pauli_words(n_qubits, letters=letters), min_size=1, max_size=max_terms))
    values = 2 * draw(uniforms(len(words), dtype=dtype or torch.float64)) - 1
    if dtype is not None:
        return qf.pauli_sum(words, values)
    return qf.pauli_sum(dict(zip(words, values.tolist(), strict=True)))
