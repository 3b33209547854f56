"""The laws of a gate's row: each checks one of its statements against its matrix."""

from itertools import product
from typing import Any

import numpy as np
import torch

from quilt_func.derived import controlled, inverse, power
from quilt_func.ops import TAGS, Gate
from quilt_func.testing._gate_case import (
    GATE_LAWS,
    N_SETS,
    Array,
    GateCase,
    arrays,
    claims_unitary,
    rounding,
)
from quilt_func.testing._law import equal, law, same


@law(
    GATE_LAWS,
    statement="the row labels each wire, claims known tags, and has a generator of its size.",
    cause="a row copied from a gate of another number of wires.",
)
def labels(gate: Gate, case: GateCase) -> None:
    """What can be read without the matrix."""
    del case
    same(len(gate.symbol), gate.n_wires, "the number of labels in `symbol`")
    same(sorted(gate.tags - TAGS), [], "the list of unknown tags")
    if gate.generator is not None:
        same(gate.n_params, 1, "the number of angles of a gate with a generator")
        same(gate.generator.shape, (2**gate.n_wires,) * 2, "the generator's shape")


@law(
    GATE_LAWS,
    statement="the matrices are (m, 2**n_wires, 2**n_wires), complex, of the angles' precision.",
    cause="a constant made without `dtype=theta.dtype`, or numbers that became float64.",
)
def dtype(gate: Gate, case: GateCase) -> None:
    """Shape and dtype."""
    size = 2**gate.n_wires
    if not callable(gate.matrix):
        same(np.shape(gate.matrix), (size, size), "the shape of the matrix")
        return
    for real in (torch.float32, torch.float64):
        found = gate.matrices(*(angle.to(real) for angle in case.angles))
        same(tuple(found.shape), (N_SETS, size, size), f"the shape at {real}")
        same(found.dtype, real.to_complex(), f"the dtype at {real}")


@law(
    GATE_LAWS,
    statement="a gate that is not declared `unitary=False` has U† U = 1 at every angle.",
    cause="a sign or a factor in one entry, a lost 1/√2, or a branch of the function that the "
    "angles checked at the definition don't reach.",
)
def unitary(gate: Gate, case: GateCase) -> None:
    """U† U = 1."""
    if claims_unitary(gate):
        found = arrays(gate, case.angles)
        identity = np.broadcast_to(np.eye(found.shape[-1]), found.shape)
        equal(_adjoint(found) @ found, identity, rounding(gate, case), "U† U")


@law(
    GATE_LAWS,
    statement="the row's rule and `inverse(gate)` both give the conjugate transpose.",
    cause="angles in the wrong order or with the wrong sign in the rule, or a transpose without "
    "conjugation.",
)
def _inverse(gate: Gate, case: GateCase) -> None:
    """The inverse rule times the matrix is 1."""
    if gate.inverse is None:
        return
    other, angles = gate.inverse(*case.angles)
    expected = _adjoint(arrays(gate, case.angles))
    bound = rounding(gate, case)
    equal(arrays(other, angles), expected, bound, f"the rule's {other!r}")
    equal(arrays(inverse(gate), case.angles), expected, bound, f"{inverse(gate)!r}")


@law(
    GATE_LAWS,
    statement="the generator G is Hermitian and U(θ) = exp(-i θ G / 2).",
    cause="a full angle where half is meant, the sign of the generator, wires in the wrong order, "
    "or a transposed matrix.",
)
def generator(gate: Gate, case: GateCase) -> None:
    """U = exp(-i θ G / 2), by eigenvectors."""
    if gate.generator is None:
        return
    G = np.asarray(gate.generator)
    bound = rounding(gate, case) * max(1.0, float(np.abs(np.linalg.eigvalsh(G)).max()))
    equal(_adjoint(G), G, bound, "the generator's adjoint")
    values, vectors = np.linalg.eigh(G)
    (theta,) = case.angles
    phases = np.exp(-0.5j * theta.numpy()[:, None] * values)
    equal(arrays(gate, case.angles), (vectors * phases[:, None]) @ _adjoint(vectors), bound, "U(θ)")


def _adjoint(matrix: Any) -> Any:
    return np.conj(np.swapaxes(matrix, -1, -2))


@law(
    GATE_LAWS,
    statement="each tag holds of every matrix: hermitian, diagonal, permutation, real, clifford.",
    cause="a tag copied from a gate that looks alike.",
)
def tags(gate: Gate, case: GateCase) -> None:
    """Each tag, against the matrix."""
    bound = rounding(gate, case)
    for matrix in arrays(gate, case.angles):
        if "hermitian" in gate.tags:
            equal(_adjoint(matrix), matrix, bound, "tag `hermitian`: the adjoint")
        if "diagonal" in gate.tags:
            equal(matrix, np.diag(np.diag(matrix)), bound, "tag `diagonal`: the matrix")
        if "real" in gate.tags:
            equal(matrix.imag, np.zeros_like(matrix.imag), bound, "tag `real`: the imaginary part")
        if "permutation" in gate.tags:
            _check_permutation(matrix, bound)
        if "clifford" in gate.tags:
            _check_clifford(matrix, gate.n_wires, 4 * len(matrix) * bound)


def _check_permutation(matrix: Array, bound: float) -> None:
    what = "tag `permutation`: the matrix"
    equal(matrix, np.round(matrix.real).clip(0, 1), bound, what)
    ones = np.ones(len(matrix))
    equal(np.abs(matrix).sum(0), ones, len(matrix) * bound, f"{what}'s column sums")
    equal(np.abs(matrix).sum(1), ones, len(matrix) * bound, f"{what}'s row sums")


_LETTERS = ([[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]])


def _words(n_wires: int) -> list[Array]:
    """All Pauli words as matrices."""
    found = []
    for letters in product(_LETTERS, repeat=n_wires):
        matrix = np.ones((1, 1), dtype=complex)
        for letter in letters:
            matrix = np.kron(matrix, np.array(letter))
        found.append(matrix)
    return found


def _check_clifford(matrix: Array, n_wires: int, bound: float) -> None:
    """U P U† is plus or minus one Pauli word, for every word P."""
    words = _words(n_wires)
    for word in words:
        image = matrix @ word @ _adjoint(matrix)
        weights = np.array([np.trace(other @ image) for other in words]) / len(matrix)
        largest = np.abs(weights).argmax()
        sign = np.sign(weights[largest].real)
        equal(image, sign * words[largest], bound, "tag `clifford`: the image of a Pauli word")


@law(
    GATE_LAWS,
    statement="a gate tagged `group` or with a generator has U(a) U(b) = U(a + b).",
    cause="a tag `group` on a gate whose angles do not add, such as one of several axes.",
)
def group(gate: Gate, case: GateCase) -> None:
    """U(a) U(b) = U(a + b)."""
    if "group" not in gate.tags and gate.generator is None:
        return
    (theta,) = case.angles
    other = theta.flip(0) / 3 + 0.5
    both = arrays(gate, (theta,)) @ arrays(gate, (other,))
    equal(both, arrays(gate, (theta + other,)), 4 * rounding(gate, case), "U(a) U(b)")


@law(
    GATE_LAWS,
    statement="`controlled(gate)` is 1 ⊕ U, and its facts hold of that matrix.",
    cause="a row registered under a wrong base, or facts that a control does not keep.",
)
def _controlled(gate: Gate, case: GateCase) -> None:
    """The controlled form."""
    row = controlled(gate)
    same(row.n_wires, gate.n_wires + 1, "the number of wires of the controlled gate")
    inner = arrays(gate, case.angles)
    expected = np.zeros((len(inner), 2**row.n_wires, 2**row.n_wires), dtype=complex)
    half = inner.shape[-1]
    expected[:, :half, :half] = np.eye(half)
    expected[:, half:, half:] = inner
    equal(arrays(row, case.angles), expected, rounding(gate, case), f"{row!r}")
    for check in (_inverse, generator, tags, group):
        check(row, case)


@law(
    GATE_LAWS,
    statement="power(gate, 2) = U U, power(gate, -1) = U†, and power(gate, ½) squares to U.",
    cause="a generator or a tag `group` that the matrix does not obey: powers scale the angle.",
)
def _power(gate: Gate, case: GateCase) -> None:
    """Powers."""
    if "unitary" not in gate.tags:
        return
    plain, bound = arrays(gate, case.angles), 8 * rounding(gate, case)
    equal(arrays(power(gate, 2), case.angles), plain @ plain, bound, "power 2")
    equal(arrays(power(gate, -1), case.angles), _adjoint(plain), bound, "power -1")
    if not gate.n_params or gate.generator is not None or "group" in gate.tags:
        root = arrays(power(gate, 0.5), case.angles)
        equal(root @ root, plain, bound, "power ½, squared,")


@law(
    GATE_LAWS,
    statement="matrices of many angles are the matrices of each.",
    cause="`vectorised=True` on a function that mixes its wire sets, or reads only the first.",
)
def batch(gate: Gate, case: GateCase) -> None:
    """(m,) angles give what m calls give."""
    many = arrays(gate, case.angles)
    for i in range(N_SETS):
        one = arrays(gate, tuple(angle[i : i + 1].expand(N_SETS) for angle in case.angles))
        equal(many[i], one[0], rounding(gate, case), f"matrix {i} of {N_SETS}")
