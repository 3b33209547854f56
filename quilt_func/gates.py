r"""The gate table. Adding a gate is adding one row.

Rows are written in OpenQASM's names and conventions (Cross et al., OpenQASM 3, 2022; Nielsen and
Chuang, 2010, section 4.2): half angles, `rx(θ) = exp(-i θ X / 2)`, the first wire is the most
significant bit, controls come first.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, reduce
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quilt_func._checks import check_is, message, shape_error
from quilt_func._torch import adjoint
from quilt_func.derived import named_controlled, with_inverse
from quilt_func.ops import Gate, InverseRule, Made, Matrix, Op, Qasm
from quilt_func.typing import Angle

_Entry = Tensor | float
_Rows = Sequence[Sequence[_Entry]]


def _array(rows: Any) -> Matrix:
    return np.array(rows, dtype=np.complex128)


_X, _Y, _Z = (_array(m) for m in ([[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]))
_LETTERS = {"I": _array(np.eye(2)), "X": _X, "Y": _Y, "Z": _Z}


def _word_matrix(word: str) -> Matrix:
    """The product of a Pauli word's letters, the first the most significant."""
    return reduce(lambda a, b: _array(np.kron(a, b)), [_LETTERS[letter] for letter in word])


def _complex_matrix(real: _Rows, imag: _Rows | None = None) -> Tensor:
    """Matrix `(m, K, K)` from rows of real `(m,)` tensors and the numbers 0 and 1."""
    re = _real_matrix(real)
    return torch.complex(re, torch.zeros_like(re) if imag is None else _real_matrix(imag))


def _real_matrix(rows: _Rows) -> Tensor:
    entries = [entry for row in rows for entry in row]
    like = next(entry for entry in entries if isinstance(entry, Tensor))
    numbers = {entry for entry in entries if not isinstance(entry, Tensor)}
    filled = {number: torch.full_like(like, number) for number in numbers}
    stacked = torch.stack([e if isinstance(e, Tensor) else filled[e] for e in entries], -1)
    return stacked.reshape(*like.shape, len(rows), len(rows))


def _half(theta: Tensor) -> tuple[Tensor, Tensor]:
    half = theta / 2
    return half.cos(), half.sin()


def _rx(theta: Tensor) -> Tensor:
    c, s = _half(theta)
    return _complex_matrix([[c, 0], [0, c]], [[0, -s], [-s, 0]])


def _ry(theta: Tensor) -> Tensor:
    c, s = _half(theta)
    return _complex_matrix([[c, -s], [s, c]])


def _rz(theta: Tensor) -> Tensor:
    c, s = _half(theta)
    return _complex_matrix([[c, 0], [0, c]], [[-s, 0], [0, s]])


def _p(theta: Tensor) -> Tensor:
    return _complex_matrix([[1, 0], [0, theta.cos()]], [[0, 0], [0, theta.sin()]])


def _u(theta: Tensor, phi: Tensor, lam: Tensor) -> Tensor:
    c, s = _half(theta)
    total = phi + lam
    return _complex_matrix(
        [[c, -lam.cos() * s], [phi.cos() * s, total.cos() * c]],
        [[0, -lam.sin() * s], [phi.sin() * s, total.sin() * c]],
    )


def _rxx(theta: Tensor) -> Tensor:
    c, s = _half(theta)
    return _complex_matrix(
        [[c, 0, 0, 0], [0, c, 0, 0], [0, 0, c, 0], [0, 0, 0, c]],
        [[0, 0, 0, -s], [0, 0, -s, 0], [0, -s, 0, 0], [-s, 0, 0, 0]],
    )


def _ryy(theta: Tensor) -> Tensor:
    c, s = _half(theta)
    return _complex_matrix(
        [[c, 0, 0, 0], [0, c, 0, 0], [0, 0, c, 0], [0, 0, 0, c]],
        [[0, 0, 0, s], [0, 0, -s, 0], [0, -s, 0, 0], [s, 0, 0, 0]],
    )


def _rzz(theta: Tensor) -> Tensor:
    c, s = _half(theta)
    return _complex_matrix(
        [[c, 0, 0, 0], [0, c, 0, 0], [0, 0, c, 0], [0, 0, 0, c]],
        [[-s, 0, 0, 0], [0, s, 0, 0], [0, 0, s, 0], [0, 0, 0, -s]],
    )


_SWAP = np.eye(4)[[0, 2, 1, 3]]
_R = 0.5**0.5


def _tags(text: str) -> frozenset[str]:
    return frozenset({"unitary", *text.split()})


def _constant(
    name: str,
    matrix: Any,
    inverse: InverseRule | None,
    tags: str,
    symbol: tuple[str, ...],
    doc: str,
    definition: str = "",
) -> Gate:
    qasm = Qasm(name, definition)
    row = _array(matrix)
    return Gate(name, len(symbol), 0, row, None, inverse, _tags(tags), qasm, symbol, doc)


def _rotation(
    name: str,
    matrix: Callable[[Tensor], Tensor],
    generator: Matrix,
    tags: str,
    symbol: tuple[str, ...],
    doc: str,
    definition: str = "",
) -> Gate:
    qasm = Qasm(name, definition)
    tagged = _tags(f"group {tags}")
    row = Gate(name, len(symbol), 1, matrix, generator, None, tagged, qasm, symbol, doc)
    return with_inverse(row)


# fmt: off
id: Gate = _constant(
    "id", np.eye(2), lambda: (id, ()), "hermitian diagonal permutation real clifford", ("I",),
    "Identity.")
x: Gate = _constant(
    "x", _X, lambda: (x, ()), "hermitian permutation real clifford", ("X",), "Pauli X.")
y: Gate = _constant("y", _Y, lambda: (y, ()), "hermitian clifford", ("Y",), "Pauli Y.")
z: Gate = _constant(
    "z", _Z, lambda: (z, ()), "hermitian diagonal real clifford", ("Z",), "Pauli Z.")
h: Gate = _constant(
    "h", [[_R, _R], [_R, -_R]], lambda: (h, ()), "hermitian real clifford", ("H",), "Hadamard.")
s: Gate = _constant(
    "s", np.diag([1, 1j]), lambda: (sdg, ()), "diagonal clifford", ("S",), "Phase: sqrt(Z).")
sdg: Gate = _constant(
    "sdg", np.diag([1, -1j]), lambda: (s, ()), "diagonal clifford", ("S†",), "Inverse of `s`.")
t: Gate = _constant(
    "t", np.diag([1, _R + _R * 1j]), lambda: (tdg, ()), "diagonal", ("T",), "sqrt(S).")
tdg: Gate = _constant(
    "tdg", np.diag([1, _R - _R * 1j]), lambda: (t, ()), "diagonal", ("T†",), "Inverse of `t`.")
sx: Gate = _constant(
    "sx", [[0.5 + 0.5j, 0.5 - 0.5j], [0.5 - 0.5j, 0.5 + 0.5j]], lambda: (sxdg, ()), "clifford",
    ("√X",), "sqrt(X).")
sxdg: Gate = _constant(
    "sxdg", [[0.5 - 0.5j, 0.5 + 0.5j], [0.5 + 0.5j, 0.5 - 0.5j]], lambda: (sx, ()), "clifford",
    ("√X†",), "Inverse of `sx`.", "gate sxdg a { s a; h a; s a; }")
rx: Gate = _rotation("rx", _rx, _X, "", ("RX",), "Rotation exp(-i θ X / 2).")
ry: Gate = _rotation("ry", _ry, _Y, "real", ("RY",), "Rotation exp(-i θ Y / 2).")
rz: Gate = _rotation("rz", _rz, _Z, "diagonal", ("RZ",), "Rotation exp(-i θ Z / 2).")
p: Gate = _rotation(
    "p", _p, _array(np.diag([0, -2])), "diagonal", ("P",), "Phase diag(1, exp(i θ)).")
u: Gate = Gate(
    "u", 1, 3, _u, None, lambda theta, phi, lam: (u, (-theta, -lam, -phi)), _tags(""),
    Qasm("u", "gate u(theta, phi, lam) a { U(theta, phi, lam) a; }"), ("U",),
    "Any rotation: rz(φ) ry(θ) rz(λ) times exp(i (φ + λ) / 2).")
swap: Gate = _constant(
    "swap", _SWAP, lambda: (swap, ()), "hermitian permutation real clifford", ("×", "×"),
    "Exchange of two wires.")
iswap: Gate = with_inverse(_constant(
    "iswap", [[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]], None, "clifford",
    ("iSWAP", "iSWAP"), "Exchange of two wires with a factor i: exp(i π (XX + YY) / 4).",
    "gate iswap a, b { s a; s b; h a; cx a, b; cx b, a; h b; }"))
rxx: Gate = _rotation(
    "rxx", _rxx, _word_matrix("XX"), "", ("RXX", "RXX"), "Rotation exp(-i θ XX / 2).",
    "gate rxx(theta) a, b { h a; h b; cx a, b; rz(theta) b; cx a, b; h a; h b; }")
ryy: Gate = _rotation(
    "ryy", _ryy, _word_matrix("YY"), "", ("RYY", "RYY"), "Rotation exp(-i θ YY / 2).",
    "gate ryy(theta) a, b { rx(pi/2) a; rx(pi/2) b; cx a, b; rz(theta) b; cx a, b; "
    "rx(-pi/2) a; rx(-pi/2) b; }")
rzz: Gate = _rotation(
    "rzz", _rzz, _word_matrix("ZZ"), "diagonal", ("RZZ", "RZZ"), "Rotation exp(-i θ ZZ / 2).",
    "gate rzz(theta) a, b { cx a, b; rz(theta) b; cx a, b; }")
# fmt: on

_EXACT = frozenset({"unitary", "hermitian", "real", "clifford"})

# fmt: off
cx: Gate = named_controlled(
    x, "cx", qasm=Qasm("cx"), symbol=("●", "⊕"), tags=_EXACT | {"permutation"}, doc="Controlled X.")
cy: Gate = named_controlled(
    y, "cy", qasm=Qasm("cy"), tags=_EXACT - {"real"}, doc="Controlled Y.")
cz: Gate = named_controlled(
    z, "cz", qasm=Qasm("cz"), symbol=("●", "●"), tags=_EXACT | {"diagonal"}, doc="Controlled Z.")
ch: Gate = named_controlled(h, "ch", qasm=Qasm("ch"), doc="Controlled Hadamard.")
cp: Gate = named_controlled(p, "cp", qasm=Qasm("cp"), doc="Phase exp(i θ) where both wires are 1.")
crx: Gate = named_controlled(rx, "crx", qasm=Qasm("crx"), doc="Controlled `rx`.")
cry: Gate = named_controlled(ry, "cry", qasm=Qasm("cry"), doc="Controlled `ry`.")
crz: Gate = named_controlled(rz, "crz", qasm=Qasm("crz"), doc="Controlled `rz`.")
ccx: Gate = named_controlled(cx, "ccx", qasm=Qasm("ccx"), doc="Toffoli.")
ccz: Gate = named_controlled(
    cz, "ccz", qasm=Qasm("ccz", "gate ccz a, b, c { h c; ccx a, b, c; h c; }"),
    doc="Doubly controlled Z.")
cswap: Gate = named_controlled(
    swap, "cswap", qasm=Qasm("cswap"), doc="Fredkin: controlled exchange.")
# fmt: on

GATES = (
    id, x, y, z, h, s, sdg, t, tdg, sx, sxdg, rx, ry, rz, p, u, cx, cy, cz, ch, cp, crx, cry, crz,
    swap, iswap, rxx, ryy, rzz, ccx, ccz, cswap,
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
    shape = tuple(matrix.shape) if isinstance(matrix, Tensor) else ()
    size = shape[-1] if shape else 0
    requirement = "be a tensor of shape (2**k, 2**k) or (m, 2**k, 2**k)"
    remedy = "Convert it with `torch.as_tensor(matrix, dtype=torch.complex64)`."
    check_is(function, "matrix", matrix, Tensor, requirement, remedy)
    if len(shape) not in (2, 3) or shape[-2] != size or size < 2 or size & (size - 1):
        remedy = "Give square matrices whose size is a power of two."
        raise shape_error(function, "matrix", matrix, requirement, remedy)
    return size.bit_length() - 1


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


_MAX_DENSE_WORD = 5
"""Longer Pauli words are rotated by a chain of CNOTs: their matrix would outgrow a block."""


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
    support = [i for i, letter in enumerate(word) if letter != "I"]
    if len(support) == len(word) <= _MAX_DENSE_WORD:
        return op
    kept = support or [0]
    short = "".join(word[i] for i in kept)
    op = Op(word_gate(short), tuple(tuple(ws[i] for i in kept) for ws in op.wires), op.params)
    return op if len(kept) <= _MAX_DENSE_WORD else _parity_chain(op, short)


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

    def matrix(theta: Tensor) -> Tensor:
        c, s = (part[:, None, None] for part in _half(theta))
        dense = torch.tensor(_word_matrix(word), device=theta.device)
        re, im = dense.real.to(theta.dtype), dense.imag.to(theta.dtype)
        identity = torch.eye(2 ** len(word), dtype=theta.dtype, device=theta.device)
        return torch.complex(c * identity + s * im, -s * re)

    return with_inverse(
        Gate(
            name=f"pauli_rot[{word}]",
            n_wires=len(word),
            n_params=1,
            matrix=matrix,
            generator=_word_matrix(word) if len(word) <= _MAX_DENSE_WORD else None,
            tags=_tags("group diagonal" if set(word) <= set("IZ") else "group"),
            symbol=tuple(f"R{letter}" for letter in word),
            doc="Rotation about a Pauli word.",
            origin=Made(word_gate, (word,)),
        )
    )


_word_gate = word_gate
"""What pickles of earlier versions call."""
