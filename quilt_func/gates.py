r"""The gate table. Adding a gate is adding one row.

Rows are written in OpenQASM's names and conventions (Cross et al., OpenQASM 3, 2022; Nielsen and
Chuang, 2010, section 4.2): half angles, `rx(θ) = exp(-i θ X / 2)`, the first wire is the most
significant bit, controls come first.

Excitation gates are PennyLane's, with the definitions of Anselmetti, Wierichs, Gogolin and Parrish
(2021), New J. Phys. 23, 113010 (`double_excitation`), and `givens` is Cirq's.
"""

from dataclasses import replace
from functools import lru_cache, reduce
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quilt_func._checks import check_is, message, shape_error
from quilt_func._torch import adjoint, constant, remembered
from quilt_func.derived import named_controlled, with_inverse
from quilt_func.ops import Gate, InverseRule, Made, Matrix, Op, Qasm
from quilt_func.typing import Angle

__all__ = [
    "GATES", "ccx", "ccz", "ch", "cp", "crx", "cry", "crz", "cswap", "cx", "cy", "cz",
    "double_excitation", "givens", "h", "id", "iswap", "linear", "p", "pauli_rot", "rx", "rxx",
    "ry", "ryy", "rz", "rzz", "s", "sdg", "single_excitation", "swap", "sx", "sxdg", "t", "tdg",
    "u", "unitary", "x", "y", "z",
]  # fmt: skip


def _array(rows: Any) -> Matrix:
    return np.array(rows, dtype=np.complex128)


_X, _Y, _Z = (_array(m) for m in ([[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]))
_LETTERS = {"I": _array(np.eye(2)), "X": _X, "Y": _Y, "Z": _Z}


def word_matrix(word: str) -> Matrix:
    """The product of a Pauli word's letters, the first the most significant."""
    return reduce(lambda a, b: _array(np.kron(a, b)), [_LETTERS[letter] for letter in word])


def _two_by_two(real: list[Tensor], imag: list[Tensor]) -> Tensor:
    """Matrices `(m, 2, 2)` from the parts `(m,)` of their four entries."""
    entries = torch.complex(torch.stack(real, -1), torch.stack(imag, -1))
    return entries.reshape(*real[0].shape, 2, 2)


def _p(theta: Tensor) -> Tensor:
    one, zero = torch.ones_like(theta), torch.zeros_like(theta)
    return _two_by_two([one, zero, zero, theta.cos()], [zero, zero, zero, theta.sin()])


def _u(theta: Tensor, phi: Tensor, lam: Tensor) -> Tensor:
    c, s, total = (theta / 2).cos(), (theta / 2).sin(), phi + lam
    real = [c, -lam.cos() * s, phi.cos() * s, total.cos() * c]
    imag = [torch.zeros_like(c), -lam.sin() * s, phi.sin() * s, total.sin() * c]
    return _two_by_two(real, imag)


_R = 0.5**0.5


def _tags(text: str) -> frozenset[str]:
    return frozenset({"unitary", *text.split()})


def _constant(
    name: str,
    matrix: Any,
    tags: str,
    symbol: tuple[str, ...],
    doc: str,
    inverse: InverseRule | None = None,
    definition: str = "",
) -> Gate:
    tagged, qasm = _tags(tags), Qasm(name, definition)
    row = Gate(name, len(symbol), 0, _array(matrix), None, inverse, tagged, qasm, symbol, doc)
    return row if inverse else with_inverse(row)


_MAX_DENSE_WORD = 5
"""Longer Pauli words are rotated by a chain of CNOTs: their matrix would outgrow a block."""


def _rotation(name: str, word: str, tags: str = "", **facts: Any) -> Gate:
    """The row of `exp(-i θ P / 2)`, for a Pauli word `P`."""
    symbol, doc = (name.upper(),) * len(word), f"Rotation exp(-i θ {word} / 2)."
    facts = {"qasm": Qasm(name), "symbol": symbol, "doc": doc, **facts}

    def matrix(theta: Tensor) -> Tensor:
        identity, real, imag = _parts(word, theta.dtype, theta.device)
        half = theta[:, None, None] / 2
        c, s = half.cos(), half.sin()
        return torch.complex(c * identity + s * imag, -s * real)

    tagged = _tags(f"group {tags} diagonal" if set(word) <= set("IZ") else f"group {tags}")
    generator = word_matrix(word) if len(word) <= _MAX_DENSE_WORD else None
    return with_inverse(Gate(name, len(word), 1, matrix, generator, tags=tagged, **facts))


@remembered(256)
def _parts(word: str, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    """The identity, and the real and the imaginary part of a Pauli word's matrix."""
    dense = word_matrix(word)
    parts = (np.eye(len(dense)), dense.real, dense.imag)
    return tuple(constant(part, dtype, device) for part in parts)


def _excitation(
    name: str, n_wires: int, slope: float, label: str, definition: str, doc: str
) -> Gate:
    """The row of a rotation by `slope * θ / 2` from the state 0…01…1, half of it 1, to 1…10…0."""
    size, half = 2**n_wires, 2 ** (n_wires // 2)
    low, high = half - 1, size - half

    def matrix(theta: Tensor) -> Tensor:
        rest, plane, turn = _plane(size, low, high, theta.dtype, theta.device)
        angle = slope * theta[:, None, None] / 2
        real = rest + angle.cos() * plane + angle.sin() * turn
        return torch.complex(real, torch.zeros_like(real))

    generator = _array(np.zeros((size, size)))
    generator[high, low], generator[low, high] = 1j * slope, -1j * slope
    return with_inverse(Gate(
        name, n_wires, 1, matrix, generator, tags=_tags("group real"),
        qasm=Qasm(name, definition), symbol=(label,) * n_wires, doc=doc,
    ))  # fmt: skip


@remembered(64)
def _plane(
    size: int, low: int, high: int, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, ...]:
    """The projectors onto all basis states but two and onto these, and a quarter turn of them."""
    plane, turn = np.zeros((2, size, size))
    plane[low, low] = plane[high, high] = turn[high, low] = 1.0
    turn[low, high] = -1.0
    return tuple(constant(part, dtype, device) for part in (np.eye(size) - plane, plane, turn))


# fmt: off
id: Gate = _constant(
    "id", np.eye(2), "hermitian diagonal permutation real clifford", ("I",), "Identity.")
x: Gate = _constant("x", _X, "hermitian permutation real clifford", ("X",), "Pauli X.")
y: Gate = _constant("y", _Y, "hermitian clifford", ("Y",), "Pauli Y.")
z: Gate = _constant("z", _Z, "hermitian diagonal real clifford", ("Z",), "Pauli Z.")
h: Gate = _constant(
    "h", [[_R, _R], [_R, -_R]], "hermitian real clifford", ("H",), "Hadamard.")
s: Gate = _constant(
    "s", np.diag([1, 1j]), "diagonal clifford", ("S",), "Phase: sqrt(Z).", lambda: (sdg, ()))
sdg: Gate = _constant(
    "sdg", np.diag([1, -1j]), "diagonal clifford", ("S†",), "Inverse of `s`.", lambda: (s, ()))
t: Gate = _constant(
    "t", np.diag([1, _R + _R * 1j]), "diagonal", ("T",), "sqrt(S).", lambda: (tdg, ()))
tdg: Gate = _constant(
    "tdg", np.diag([1, _R - _R * 1j]), "diagonal", ("T†",), "Inverse of `t`.", lambda: (t, ()))
sx: Gate = _constant(
    "sx", [[0.5 + 0.5j, 0.5 - 0.5j], [0.5 - 0.5j, 0.5 + 0.5j]], "clifford", ("√X",), "sqrt(X).",
    lambda: (sxdg, ()))
sxdg: Gate = _constant(
    "sxdg", [[0.5 - 0.5j, 0.5 + 0.5j], [0.5 + 0.5j, 0.5 - 0.5j]], "clifford", ("√X†",),
    "Inverse of `sx`.", lambda: (sx, ()), "gate sxdg a { s a; h a; s a; }")
rx: Gate = _rotation("rx", "X")
ry: Gate = _rotation("ry", "Y", "real")
rz: Gate = _rotation("rz", "Z")
p: Gate = with_inverse(Gate(
    "p", 1, 1, _p, _array(np.diag([0, -2])), None, _tags("group diagonal"), Qasm("p"), ("P",),
    "Phase diag(1, exp(i θ))."))
u: Gate = Gate(
    "u", 1, 3, _u, None, lambda theta, phi, lam: (u, (-theta, -lam, -phi)), _tags(""),
    Qasm("u", "gate u(theta, phi, lam) a { U(theta, phi, lam) a; }"), ("U",),
    "Any rotation: rz(φ) ry(θ) rz(λ) times exp(i (φ + λ) / 2).")
swap: Gate = _constant(
    "swap", np.eye(4)[[0, 2, 1, 3]], "hermitian permutation real clifford", ("×", "×"),
    "Exchange of two wires.")
iswap: Gate = _constant(
    "iswap", [[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]], "clifford",
    ("iSWAP", "iSWAP"), "Exchange of two wires with a factor i: exp(i π (XX + YY) / 4).",
    definition="gate iswap a, b { s a; s b; h a; cx a, b; cx b, a; h b; }")
rxx: Gate = _rotation("rxx", "XX", qasm=Qasm(
    "rxx", "gate rxx(theta) a, b { h a; h b; cx a, b; rz(theta) b; cx a, b; h a; h b; }"))
ryy: Gate = _rotation("ryy", "YY", qasm=Qasm(
    "ryy", "gate ryy(theta) a, b { rx(pi/2) a; rx(pi/2) b; cx a, b; rz(theta) b; cx a, b; "
    "rx(-pi/2) a; rx(-pi/2) b; }"))
rzz: Gate = _rotation("rzz", "ZZ", qasm=Qasm(
    "rzz", "gate rzz(theta) a, b { cx a, b; rz(theta) b; cx a, b; }"))

givens: Gate = _excitation(
    "givens", 2, 2.0, "Givens",
    "gate givens(theta) a, b { cx a, b; ry(theta) a; cx b, a; ry(-theta) a; cx b, a; cx a, b; }",
    "Givens rotation by θ, the whole angle, in the plane of 01 and 10.")
single_excitation: Gate = _excitation(
    "single_excitation", 2, 1.0, "G",
    "gate single_excitation(theta) a, b { cx a, b; ry(theta/2) a; cx b, a; ry(-theta/2) a; "
    "cx b, a; cx a, b; }",
    "Rotation by θ / 2 in the plane of 01 and 10: one excitation moves, 01 to 10.")
double_excitation: Gate = _excitation(
    "double_excitation", 4, 1.0, "G²",
    "gate double_excitation(theta) a, b, c, d { cx c, d; cx a, c; h d; h a; cx c, d; cx a, b; "
    "ry(theta/8) b; ry(-theta/8) a; cx a, d; h d; cx d, b; ry(theta/8) b; ry(-theta/8) a; "
    "cx c, b; cx c, a; ry(-theta/8) b; ry(theta/8) a; cx d, b; h d; cx a, d; ry(-theta/8) b; "
    "ry(theta/8) a; cx a, b; cx c, a; h a; h d; cx a, c; cx c, d; }",
    "Rotation by θ / 2 in the plane of 0011 and 1100: two excitations move, 0011 to 1100.")

_EXACT = frozenset({"unitary", "hermitian", "real", "clifford"})
cx: Gate = named_controlled(
    x, "cx", "Controlled X.", symbol=("●", "⊕"), tags=_EXACT | {"permutation"})
cy: Gate = named_controlled(y, "cy", "Controlled Y.", tags=_EXACT - {"real"})
cz: Gate = named_controlled(
    z, "cz", "Controlled Z.", symbol=("●", "●"), tags=_EXACT | {"diagonal"})
ch: Gate = named_controlled(h, "ch", "Controlled Hadamard.")
cp: Gate = named_controlled(p, "cp", "Phase exp(i θ) where both wires are 1.")
crx: Gate = named_controlled(rx, "crx", "Controlled `rx`.")
cry: Gate = named_controlled(ry, "cry", "Controlled `ry`.")
crz: Gate = named_controlled(rz, "crz", "Controlled `rz`.")
ccx: Gate = named_controlled(cx, "ccx", "Toffoli.")
ccz: Gate = named_controlled(
    cz, "ccz", "Doubly controlled Z.",
    qasm=Qasm("ccz", "gate ccz a, b, c { h c; ccx a, b, c; h c; }"))
cswap: Gate = named_controlled(swap, "cswap", "Fredkin: controlled exchange.")
# fmt: on

GATES = (
    id, x, y, z, h, s, sdg, t, tdg, sx, sxdg, rx, ry, rz, p, u, cx, cy, cz, ch, cp, crx, cry, crz,
    swap, iswap, rxx, ryy, rzz, givens, single_excitation, double_excitation, ccx, ccz, cswap,
)  # fmt: skip
"""The rows of the table, in the order of the reference pages."""


def unitary(matrix: Tensor, *wires: Any, **misplaced: Any) -> Op:
    """Apply a unitary matrix of your own; that it is unitary is your promise.

    Args:
        matrix (complex, (2**k, 2**k) or (m, 2**k, 2**k)): One matrix for all sets, or one each.
        *wires: `k` ints, or one iterable of wire sets.
        **misplaced: Nothing: wires go by position.

    Returns:
        An op whose leaf is the matrix.

    Raises:
        TypeError: If the matrix is not a complex tensor, or a wire is of the wrong kind.
        ValueError: If the matrix is not square, or its size does not fit the wires.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the matrix. Reverse mode relies on the promise:
        a matrix that is not unitary gives wrong gradients; use `linear` for those.

    Examples:
        >>> import torch
        >>> unitary(torch.eye(4, dtype=torch.complex64), 0, 2)
        <unitary on (0, 2)>
    """
    return unitary_gate(_n_wires("unitary", matrix))(matrix, *wires, **misplaced)


def linear(matrix: Tensor, *wires: Any, **misplaced: Any) -> Op:
    """Apply any matrix, such as a projector; it has no inverse, and gradients keep what it acts on.

    Args:
        matrix (complex, (2**k, 2**k) or (m, 2**k, 2**k)): One matrix for all sets, or one each.
        *wires: `k` ints, or one iterable of wire sets.
        **misplaced: Nothing: wires go by position.

    Returns:
        An op whose leaf is the matrix.

    Raises:
        TypeError: If the matrix is not a complex tensor, or a wire is of the wrong kind.
        ValueError: If the matrix is not square, or its size does not fit the wires.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the matrix.

    Examples:
        >>> import torch
        >>> from quilt_func import circuit, h
        >>> project = linear(torch.tensor([[1, 0], [0, 0]], dtype=torch.complex64), 0)
        >>> circuit(1, h(0), project)().real
        tensor([0.7071, 0.0000])
    """
    return linear_gate(_n_wires("linear", matrix))(matrix, *wires, **misplaced)


def _n_wires(function: str, matrix: Any) -> int:
    requirement = "be a tensor of shape (2**k, 2**k) or (m, 2**k, 2**k)"
    remedy = "Convert it with `torch.as_tensor(matrix, dtype=torch.complex64)`."
    check_is(function, "matrix", matrix, Tensor, requirement, remedy)
    size = matrix.shape[-1] if matrix.ndim in (2, 3) else 0
    if size < 2 or matrix.shape[-2] != size or size & (size - 1):
        remedy = "Give square matrices whose size is a power of two."
        raise shape_error(function, "matrix", matrix, requirement, remedy)
    return int(size).bit_length() - 1


@lru_cache
def linear_gate(n_wires: int) -> Gate:
    """The row of `linear` on so many wires."""
    return Gate(
        name="linear",
        n_wires=n_wires,
        n_params=1,
        matrix=lambda matrices: matrices,
        symbol=("M",) * n_wires,
        doc="A given matrix.",
        param_shape=(2**n_wires, 2**n_wires),
        origin=Made(linear_gate, (n_wires,)),
    )


@lru_cache
def unitary_gate(n_wires: int) -> Gate:
    """The row of `unitary` on so many wires."""
    row = replace(
        linear_gate(n_wires),
        name="unitary",
        inverse=lambda matrices: (row, (adjoint(matrices),)),
        tags=_tags(""),
        symbol=("U",) * n_wires,
        origin=Made(unitary_gate, (n_wires,)),
    )
    return row


def _matrix_gate(name: str, n_wires: int) -> Gate:
    """What pickles of earlier versions call."""
    return {"unitary": unitary_gate, "linear": linear_gate}[name](n_wires)


def pauli_rot(theta: Angle, word: str, *wires: Any, **misplaced: Any) -> Op | tuple[Op, ...]:
    r"""Rotation `exp(-i θ P / 2)` about a Pauli word `P`.

    Args:
        theta (real, () or (m,)): Angle in radians.
        word: Letters I, X, Y, Z, one per wire.
        *wires: `len(word)` ints, or one iterable of wire sets.
        **misplaced: Nothing: wires go by position.

    Returns:
        One op; for words of more than five letters other than I a tuple of ops (a change of basis,
        CNOTs that gather the parity, one `rz`, and the way back), which `circuit` flattens.

    Raises:
        TypeError: If the word is not a string, or wires or angles are of the wrong kind.
        ValueError: If the word is empty or has other letters, or wires repeat.

    Transforms:
        vmap, grad, jvp, hessian.

    Examples:
        >>> pauli_rot(0.1, "XYZ", 0, 1, 2)
        <pauli_rot[XYZ] on (0, 1, 2)>

    References:
        Nielsen and Chuang (2010), section 4.7.3.
    """
    check_is("pauli_rot", "word", word, str, "be a string", 'Write "XYZ".')
    if not word or set(word) - set("IXYZ"):
        remedy = "Use the letters I, X, Y and Z."
        requirement = "be a Pauli word of at least one letter"
        raise ValueError(message("pauli_rot", "word", word, requirement, repr(word), remedy))
    op = word_gate(word)(theta, *wires, **misplaced)
    if "I" in word:
        kept = [i for i, letter in enumerate(word) if letter != "I"] or [0]
        word = "".join(word[i] for i in kept)
        op = Op(word_gate(word), tuple(tuple(ws[i] for i in kept) for ws in op.wires), op.params)
    return op if len(word) <= _MAX_DENSE_WORD else _parity_chain(op, word)


def _parity_chain(op: Op, word: str) -> tuple[Op, ...]:
    """Rotate about a long word: to the Z basis, parity onto the last wire, `rz`, and back."""
    to_z = {"X": h, "Y": sx}
    ops: list[Op] = []
    for i, wire_set in enumerate(op.wires):
        basis = [
            to_z[letter](wire) for letter, wire in zip(word, wire_set, strict=True) if letter != "Z"
        ]
        chain = [*basis, cx(list(pairwise(wire_set)))]
        theta = op.params[0] if type(op.params[0]) is float else op.params[0][i]
        ops += [*chain, rz(theta, wire_set[-1]), *(part.inverse() for part in reversed(chain))]
    return tuple(ops)


@lru_cache(maxsize=4096)
def word_gate(word: str) -> Gate:
    """The row of `pauli_rot` for one word."""
    return _rotation(
        name=f"pauli_rot[{word}]",
        word=word,
        qasm=None,
        doc="Rotation about a Pauli word.",
        symbol=tuple(f"R{letter}" for letter in word),
        origin=Made(word_gate, (word,)),
    )


_word_gate = word_gate
"""What pickles of earlier versions call."""
