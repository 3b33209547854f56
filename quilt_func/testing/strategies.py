"""Hypothesis strategies for angles, wires, states, matrices, gates, circuits, observables, data.

They draw structure and a seed, never 2^n floats: numbers that fill a tensor come from
`quilt_func.uniforms` at a drawn seed. Failing examples shrink to few qubits, few and early gates of
the table, and seed 0. As in hypothesis, a bad argument raises `InvalidArgument` when an example is
drawn.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

import torch
from hypothesis import strategies as st
from torch import Tensor

import quilt_func as qf
from quilt_func._checks import COMPLEX_OF
from quilt_func._torch import tree_flatten, tree_unflatten
from quilt_func.circuits import Circuit
from quilt_func.ops import Gate, Op
from quilt_func.pauli import PauliSum
from quilt_func.testing._lazy import (
    check_bounds,
    check_complex,
    check_count,
    check_real,
    check_shape,
    lazily,
    require,
)
from quilt_func.typing import PyTree, WireSet

T = TypeVar("T")
Strategy = st.SearchStrategy[T]

_SEEDS = st.integers(0, 2**16 - 1)


@lazily
def uniforms(
    shape: int | Sequence[int] = (), *, dtype: torch.dtype = torch.float64
) -> Strategy[Tensor]:
    """Tensors of uniform numbers in [0, 1), as `quilt_func.uniforms` makes them of a seed.

    Args:
        shape: Shape of the tensors.
        dtype: float32 or float64.

    Returns:
        Strategy of tensors (real, shape). Shrinks towards the numbers of seed 0.

    Examples:
        >>> from hypothesis import find
        >>> find(uniforms(2), lambda u: True).shape
        torch.Size([2])
    """
    check_real("uniforms", dtype)
    return _uniforms(check_shape("uniforms", shape), dtype)


def _uniforms(shape: tuple[int, ...], dtype: torch.dtype) -> Strategy[Tensor]:
    return _SEEDS.map(lambda seed: qf.uniforms(shape, seed, dtype=dtype))


@lazily
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

    Examples:
        >>> from hypothesis import find
        >>> find(angles(), lambda theta: theta > 1)
        tensor(2., dtype=torch.float64)
    """
    check_bounds("angles", "max_value", min_value, max_value)
    check_real("angles", dtype)
    return _angles(check_shape("angles", shape), min_value, max_value, dtype)


@lru_cache(maxsize=256)
def _angles(
    shape: tuple[int, ...], min_value: float, max_value: float, dtype: torch.dtype
) -> Strategy[Tensor]:
    width = max_value - min_value
    drawn = _uniforms(shape, dtype).map(lambda u: min_value + width * u)
    same = st.floats(min_value, max_value, allow_subnormal=False).map(
        lambda theta: torch.full(shape, theta, dtype=dtype)
    )
    return same if math.prod(shape) == 1 else same | drawn


@lazily
def wires(n_qubits: int, *, size: int = 1) -> Strategy[WireSet]:
    """Tuples of distinct wires.

    Args:
        n_qubits: Number of qubits.
        size: Number of wires in a tuple.

    Returns:
        Strategy of tuples of ints. Shrinks towards `(0, 1, ...)`.

    Examples:
        >>> from hypothesis import find
        >>> find(wires(3, size=2), lambda pair: pair[0] > 0)
        (1, 0)
    """
    check_count("wires", "n_qubits", n_qubits)
    check_count("wires", "size", size)
    remedy = "Give no more wires than qubits."
    require(size <= n_qubits, "wires", "size", size, f"be at most {n_qubits}", remedy)
    return _wires(n_qubits, size)


@lru_cache(maxsize=256)
def _wires(n_qubits: int, size: int) -> Strategy[WireSet]:
    if size == 1:
        return st.integers(0, n_qubits - 1).map(lambda wire: (wire,))
    return st.permutations(range(n_qubits)).map(lambda order: tuple(order[:size]))


@lazily
def states(n_qubits: int, *, dtype: torch.dtype = torch.complex128) -> Strategy[Tensor]:
    """Normalised statevectors: basis states and random ones.

    Args:
        n_qubits: Number of qubits.
        dtype: complex64 or complex128.

    Returns:
        Strategy of tensors (complex, (2**n_qubits,)). Shrinks towards |0...0⟩.

    Examples:
        >>> from hypothesis import find
        >>> find(states(1), lambda state: True).real
        tensor([1., 0.], dtype=torch.float64)
    """
    check_count("states", "n_qubits", n_qubits)
    check_complex("states", dtype)
    drawn = _uniforms((2, 2**n_qubits), dtype.to_real()).map(qf.random_state)
    return _basis_states(n_qubits, dtype) | drawn


def _basis_states(n_qubits: int, dtype: torch.dtype) -> Strategy[Tensor]:
    return st.integers(0, 2**n_qubits - 1).map(
        lambda index: qf.basis_state(f"{index:b}".zfill(n_qubits)[:n_qubits], dtype=dtype)
    )


@lazily
def product_states(n_qubits: int, *, dtype: torch.dtype = torch.complex128) -> Strategy[Tensor]:
    """Normalised states without entanglement: basis states, and products of random qubits.

    Args:
        n_qubits: Number of qubits.
        dtype: complex64 or complex128.

    Returns:
        Strategy of tensors (complex, (2**n_qubits,)). Shrinks towards |0...0⟩.

    Examples:
        >>> from hypothesis import find
        >>> find(product_states(1), lambda state: state[0] == 0).real
        tensor([0., 1.], dtype=torch.float64)
    """
    check_count("product_states", "n_qubits", n_qubits)
    check_complex("product_states", dtype)

    def product(u: Tensor) -> Tensor:
        none = torch.ones(1, dtype=dtype)
        return qf.product_state([none, *(qf.random_state(one) for one in u.unbind(0))])

    drawn = _uniforms((n_qubits, 2, 2), dtype.to_real()).map(product)
    return _basis_states(n_qubits, dtype) | drawn


@lazily
def unitaries(n_wires: int, *, dtype: torch.dtype = torch.complex128) -> Strategy[Tensor]:
    """Random unitary matrices.

    Args:
        n_wires: Number of wires.
        dtype: complex64 or complex128.

    Returns:
        Strategy of tensors (complex, (2**n_wires, 2**n_wires)). Shrinks towards that of seed 0.

    Examples:
        >>> from hypothesis import find
        >>> find(unitaries(1), lambda matrix: True).shape
        torch.Size([2, 2])
    """
    check_count("unitaries", "n_wires", n_wires)
    check_complex("unitaries", dtype)
    return _unitaries(n_wires, dtype)


@lru_cache(maxsize=64)
def _unitaries(n_wires: int, dtype: torch.dtype) -> Strategy[Tensor]:
    size = 2**n_wires

    def orthonormal(u: Tensor) -> Tensor:
        columns = torch.stack([qf.random_state(pair) for pair in u.unbind(0)], -1)
        basis: Tensor = torch.linalg.qr(columns)[0]
        return basis

    return _uniforms((size, 2, size), dtype.to_real()).map(orthonormal)


@lazily
def hermitians(n_wires: int, *, dtype: torch.dtype = torch.complex128) -> Strategy[Tensor]:
    """Random Hermitian matrices, exactly equal to their adjoints.

    Args:
        n_wires: Number of wires.
        dtype: complex64 or complex128.

    Returns:
        Strategy of tensors (complex, (2**n_wires, 2**n_wires)), with real and imaginary parts in
        [-1, 1]. Shrinks towards that of seed 0.

    Examples:
        >>> from hypothesis import find
        >>> find(hermitians(1), lambda matrix: bool((matrix == matrix.mH).all())).shape
        torch.Size([2, 2])
    """
    check_count("hermitians", "n_wires", n_wires)
    check_complex("hermitians", dtype)

    def symmetric(u: Tensor) -> Tensor:
        re, im = (2 * u - 1).unbind(0)
        return torch.complex((re + re.mT) / 2, (im - im.mT) / 2)

    return _uniforms((2, 2**n_wires, 2**n_wires), dtype.to_real()).map(symmetric)


@lazily
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

    Examples:
        >>> from hypothesis import find
        >>> find(gates(), lambda gate: gate.n_params == 1)
        <gate rx>
    """
    return _gates(max_wires, _rows("gates", max_wires, rows), derived)


def _rows(function: str, max_wires: int, rows: Any) -> tuple[Gate, ...]:
    """Rows that are narrow enough, at least one."""
    check_count(function, "max_wires", max_wires)
    is_table = isinstance(rows, list | tuple) and all(isinstance(row, Gate) for row in rows)
    require(is_table, function, "rows", rows, "be a list of gates", "Give `[h, rx]`, say.")
    fitting = tuple(row for row in rows if row.n_wires <= max_wires)
    need, remedy = f"hold a gate of at most {max_wires} wire(s)", "Widen `max_wires` or `rows`."
    require(bool(fitting), function, "rows", rows, need, remedy)
    return fitting


@lru_cache(maxsize=64)
def _gates(max_wires: int, fitting: tuple[Gate, ...], derived: bool) -> Strategy[Gate]:
    plain = st.sampled_from(fitting)
    if not derived:
        return plain
    kinds = [plain]
    unitary = [row for row in fitting if row.inverse is not None]
    turned = [row for row in fitting if row.generator is not None]
    narrow = [row for row in fitting if row.n_wires < max_wires]
    if unitary:
        kinds.append(st.sampled_from(unitary).map(qf.inverse))
    if turned:
        kinds.append(st.builds(qf.power, st.sampled_from(turned), st.sampled_from([0.5, -1.25, 3])))
    if narrow:
        kinds.append(st.sampled_from(narrow).map(qf.controlled))
    return st.one_of(kinds)


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

    Examples:
        >>> from hypothesis import find
        >>> find(ops(2), lambda op: op.gate.n_wires == 2 and len(op.wires) == 2).wires
        ((0, 1), (0, 1))
    """
    check_count("ops", "n_qubits", n_qubits, 1)
    check_count("ops", "max_sets", max_sets, 1)
    check_real("ops", dtype)
    fitting = _rows("ops", min(3, n_qubits), rows)
    return draw(_ops(n_qubits, dtype, max_sets, fitting, derived))


@lru_cache(maxsize=64)
def _ops(
    n_qubits: int, dtype: torch.dtype, max_sets: int, rows: tuple[Gate, ...], derived: bool
) -> Strategy[Op]:
    """Strategies are made once: making costs more than drawing."""
    kinds = st.sampled_from(["gate"] * 4 + (["word", "matrix"] if derived else []))
    widest = min(3, n_qubits)
    sizes, some_gates = st.integers(1, widest), _gates(widest, rows, derived)
    sets = [_wire_sets(n_qubits, size, max_sets) for size in range(widest + 1)]

    @st.composite
    def one(draw: st.DrawFn) -> Op:
        kind = draw(kinds)
        if kind == "gate":
            gate = draw(some_gates)
            places = draw(sets[gate.n_wires])
            given = [draw(_parameters(len(places), dtype)) for _ in range(gate.n_params)]
            return gate(*given, places)
        size = draw(sizes)
        places = draw(sets[size])
        if kind == "word":
            word = draw(_words(size, "XYZ"))
            angle = draw(_parameters(len(places), dtype))
            rotation: Op = qf.pauli_rot(angle, word, places)  # type: ignore[assignment]  # short words give one op
            return rotation
        return qf.unitary(draw(_unitaries(size, COMPLEX_OF[dtype])), places)

    return one()


@lru_cache(maxsize=256)
def _wire_sets(n_qubits: int, size: int, max_sets: int) -> Strategy[list[Any]]:
    each = _wires(n_qubits, size).map(lambda ws: ws[0] if size == 1 else ws)
    some = st.lists(each, min_size=1, max_size=max_sets)
    return st.one_of([some] * 7 + [st.just([])])


@lru_cache(maxsize=64)
def _parameters(m: int, dtype: torch.dtype) -> Strategy[Any]:
    weak = st.floats(-6, 6, allow_subnormal=False) | st.integers(-3, 3)
    turn = 2 * math.pi
    return _angles((m,), -turn, turn, dtype) | _angles((), -turn, turn, dtype) | weak


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
        rows: Table to draw gates from; those wider than a circuit are left out of it.
        derived: Whether to draw gates made of these, Pauli rotations and matrices too.

    Returns:
        Strategy of circuits. Shrinks towards few qubits and no ops.

    Examples:
        >>> from hypothesis import find
        >>> find(circuits(), lambda circuit: circuit.n_qubits > 1 and circuit.n_gates == 1)
        Circuit(2 qubits, 1 gates)
        q0: ─I─
        <BLANKLINE>
        q1: ───
    """
    check_count("circuits", "min_qubits", min_qubits)
    check_count("circuits", "max_qubits", max_qubits)
    check_bounds("circuits", "max_qubits", min_qubits, max_qubits)
    check_count("circuits", "max_ops", max_ops)
    check_real("circuits", dtype)
    n = draw(st.integers(min_qubits, max_qubits))
    if not n:
        return qf.circuit(0)
    fitting = _rows("circuits", min(3, n), rows)
    return qf.circuit(n, draw(_parts(n, max_ops, dtype, fitting, derived)))


@lru_cache(maxsize=64)
def _parts(
    n: int, max_ops: int, dtype: torch.dtype, rows: tuple[Gate, ...], derived: bool
) -> Strategy[list[Op]]:
    part = _ops(n, dtype, 4, rows, derived)
    # lists of a drawn length shrink to fewer ops; those of a free one get stuck more often
    return st.integers(0, max_ops).flatmap(lambda m: st.lists(part, min_size=m, max_size=m))


@lazily
def pauli_words(n_qubits: int, *, letters: str = "IXYZ") -> Strategy[str]:
    """Pauli words.

    Args:
        n_qubits: Number of letters.
        letters: Letters to draw from.

    Returns:
        Strategy of strings. Shrinks towards the first of the letters.

    Examples:
        >>> from hypothesis import find
        >>> find(pauli_words(3), lambda word: word.count("Z") > 1)
        'IZZ'
    """
    check_count("pauli_words", "n_qubits", n_qubits)
    return _words(n_qubits, _letters("pauli_words", letters))


def _letters(function: str, letters: str) -> str:
    holds = isinstance(letters, str) and bool(letters) and not set(letters) - set("IXYZ")
    remedy = 'Give some of "IXYZ".'
    require(holds, function, "letters", letters, "be Pauli letters", remedy)
    return letters


@lru_cache(maxsize=64)
def _words(n_qubits: int, letters: str) -> Strategy[str]:
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

    Examples:
        >>> from hypothesis import find
        >>> find(pauli_sums(2), lambda energy: "Z" in energy.words[0]).words
        ('IZ',)
    """
    check_count("pauli_sums", "n_qubits", n_qubits)
    check_count("pauli_sums", "max_terms", max_terms, 1)
    if dtype is not None:
        check_real("pauli_sums", dtype)
    one = _words(n_qubits, _letters("pauli_sums", letters))
    words = draw(st.lists(one, min_size=1, max_size=max_terms))
    values = 2 * draw(_uniforms((len(words),), dtype or torch.float64)) - 1
    if dtype is not None:
        return qf.pauli_sum(words, values)
    return qf.pauli_sum(dict(zip(words, values.tolist(), strict=True)))


@lazily
def params_like(
    tree: PyTree, *, min_value: float = -2 * math.pi, max_value: float = 2 * math.pi
) -> Strategy[PyTree]:
    """Trees of parameters of the structure, shapes and dtypes of a given one.

    Args:
        tree: Tree of float32 or float64 tensors; their values are not used.
        min_value: Smallest number.
        max_value: Largest number.

    Returns:
        Strategy of trees. Shrinks towards 0 throughout if the bounds allow it, then towards the
        numbers of seed 0.

    Examples:
        >>> from hypothesis import find
        >>> import torch
        >>> find(params_like({"x": torch.ones(2)}), lambda params: True)
        {'x': tensor([0., 0.])}
    """
    check_bounds("params_like", "max_value", min_value, max_value)
    leaves, structure = tree_flatten(tree)
    is_real = bool(leaves) and all(
        isinstance(leaf, Tensor) and leaf.dtype in COMPLEX_OF for leaf in leaves
    )
    need, remedy = "hold float32 or float64 tensors, at least one", "Wrap numbers in tensors."
    require(is_real, "params_like", "tree", tree, need, remedy)
    sizes = [leaf.numel() for leaf in leaves]

    def filled(flat: Tensor) -> PyTree:
        parts = zip(flat.split(sizes), leaves, strict=True)
        return tree_unflatten(
            [part.reshape(leaf.shape).to(leaf.dtype) for part, leaf in parts], structure
        )

    return _angles((sum(sizes),), min_value, max_value, torch.float64).map(filled)


@st.composite
def datasets(
    draw: st.DrawFn,
    *,
    n_features: int = 2,
    n_classes: int = 2,
    min_samples: int | None = None,
    max_samples: int = 8,
    dtype: torch.dtype = torch.float64,
) -> tuple[Tensor, Tensor]:
    """Labelled samples; every class occurs.

    Args:
        draw: Hypothesis' own.
        n_features: Number of features of a sample.
        n_classes: Number of classes.
        min_samples: Smallest number of samples; default: one per class.
        max_samples: Largest number of samples, at least `n_classes`.
        dtype: Precision of the features.

    Returns:
        Strategy of pairs: features (real, (n_samples, n_features)) in [-π, π), and labels (int64,
        (n_samples,)). Shrinks towards few samples, the features of seed 0, and labels 0, 1, ...

    Examples:
        >>> from hypothesis import find
        >>> find(datasets(), lambda data: len(data[1]) > 2)[1]
        tensor([0, 1, 0])
    """
    check_count("datasets", "n_features", n_features, 1)
    check_count("datasets", "n_classes", n_classes, 1)
    least = n_classes if min_samples is None else min_samples
    check_count("datasets", "min_samples", least, n_classes)
    check_count("datasets", "max_samples", max_samples, 1)
    check_bounds("datasets", "max_samples", least, max_samples)
    check_real("datasets", dtype)
    n_samples = draw(st.integers(least, max_samples))
    xs = 2 * math.pi * draw(_uniforms((n_samples, n_features), dtype)) - math.pi
    order = torch.tensor(draw(st.permutations(range(n_samples))))
    return xs, order % n_classes


@st.composite
def dynamic_circuits(
    draw: st.DrawFn,
    *,
    min_qubits: int = 1,
    max_qubits: int = 3,
    max_ops: int = 8,
    max_bits: int = 4,
    dtype: torch.dtype = torch.float64,
    postselects: bool = False,
) -> Circuit:
    """Circuits of gates and instruments: measurements, resets, conditional gates and lookups.

    Args:
        draw: Hypothesis' own.
        min_qubits: Smallest number of qubits, at least 1.
        max_qubits: Largest number of qubits.
        max_ops: Largest number of ops.
        max_bits: Largest number of measured and reset wires: there are `2**max_bits` branches.
        dtype: Precision of the angles.
        postselects: Whether to draw postselections, too.

    Returns:
        Strategy of circuits that read only what was measured before. Shrinks towards few qubits
        and no ops.

    Examples:
        >>> from hypothesis import find
        >>> found = find(dynamic_circuits(), lambda c: any(op.gate.reads for op in c.ops))
        >>> [bool(op.gate.reads) for op in found.ops]
        [False, True]
    """
    check_count("dynamic_circuits", "min_qubits", min_qubits, 1)
    check_bounds("dynamic_circuits", "max_qubits", min_qubits, max_qubits)
    check_count("dynamic_circuits", "max_ops", max_ops)
    check_count("dynamic_circuits", "max_bits", max_bits)
    check_real("dynamic_circuits", dtype)
    n = draw(st.integers(min_qubits, max_qubits))
    widths: dict[str, int] = {}
    found: list[Op] = []
    left = max_bits
    for _ in range(draw(st.integers(0, max_ops))):
        kinds = [
            "gate",
            *["measure", "reset"] * (left > 0),
            *["condition", "lookup"] * bool(widths),
        ]
        kind = draw(st.sampled_from(kinds + ["postselect"] * postselects))
        if kind in ("measure", "postselect"):
            size = draw(st.integers(1, min(n, max(left, 1))))
            places = draw(_wires(n, size))
            key = draw(st.sampled_from(["a", "b"]))
            bits = draw(st.tuples(*[st.integers(0, 1)] * size))
            is_kept = kind == "postselect"
            found.append(qf.postselect(places, bits) if is_kept else qf.measure(places, key))
            left -= 0 if is_kept else size
            widths |= {} if is_kept else {key: size}
        elif kind == "reset":
            found.append(qf.reset(draw(st.integers(0, n - 1))))
            left -= 1
        else:
            found.append(draw(_dependent(n, kind, widths, dtype)))
    return qf.circuit(n, found)


@st.composite
def _dependent(
    draw: st.DrawFn, n: int, kind: str, widths: dict[str, int], dtype: torch.dtype
) -> Op:
    """A gate, alone, under a condition, or with a table."""
    op: Op = draw(_ops(n, dtype, 2, _rows("dynamic_circuits", min(2, n), qf.GATES), True))
    if kind == "gate":
        return op
    keys = draw(st.lists(st.sampled_from(sorted(widths)), min_size=1, max_size=2, unique=True))
    m = sum(widths[key] for key in keys)
    if kind == "condition":
        values = st.integers(0, 2**m - 1)
        bits = st.tuples(*[st.integers(0, 1)] * m)
        value = draw(values | bits | st.just(qf.instruments.parity))
        table = draw(st.none() | st.tuples(*[st.integers(0, 1)] * 2**m))
        return qf.conditional(keys, op, value if table is None else None, table=table)
    gate = draw(st.sampled_from([row for row in qf.GATES if row.n_params and row.n_wires <= n]))
    tables = [draw(_angles((2**m,), -6.0, 6.0, dtype)) for _ in range(gate.n_params)]
    return qf.instruments.lookup(keys, gate, tables, draw(_wires(n, gate.n_wires)))
