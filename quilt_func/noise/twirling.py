r"""Random Pauli letters around gates, which leave the gates as they are and make noise simpler.

A Clifford gate `G` turns each Pauli word `P` into another, up to a sign: `G P G† = ±P'`. So
`±P' G P` is `G`. A channel behind the gate is not left as it is: its mean over all `P` is a Pauli
channel, with probabilities that are the diagonal of its matrix in the basis of Pauli words.

References:
    Knill (2004), arXiv:quant-ph/0404104, for random Pauli letters.
    Wallman and Emerson (2016), arXiv:1512.01098, for the noise that is left.
"""

from functools import lru_cache
from itertools import product

import numpy as np
import torch
from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    REAL_OF,
    check_device,
    check_tensor,
    common_dtype_and_device,
    shape_error,
)
from quilt_func._torch import constant, remembered, unconjugated
from quilt_func.circuits import Circuit
from quilt_func.gates import unitary_gate, word_matrix
from quilt_func.noise.channels import Table, sandwich
from quilt_func.noise.folding import check_gates_only
from quilt_func.noise.model import without_overlap
from quilt_func.ops import ROUNDING, Gate, Op

WORDS = tuple(map("".join, product("IXYZ", repeat=2)))
"""The letters that a gate may get, by the index that a uniform number gives."""
BEFORE = Table(np.stack([[word_matrix(letter) for letter in word] for word in WORDS]))


def twirl(circuit: Circuit, u: Tensor) -> Circuit:
    """The circuit with random Pauli letters before its Clifford gates, and their undoing behind.

    Gates on two wires get letters if they are Clifford and have no angles: `cx`, `cy`, `cz`,
    `swap`, `iswap`, and such gates of your own; others stay alone. The circuit's unitary is the
    same, signs included. Letters are ops of `unitary`. So that noise acts between a gate and the
    letters behind it, put it on afterwards, by rules for these gates: `rule(..., gates=[cx])`.

    Args:
        circuit: Gates.
        u (real, (n_twirls(circuit),)): Uniform numbers in [0, 1), from `uniforms`; one for each
            such gate, in order.

    Returns:
        The circuit, in the precision of its tensors, or if it had none, of `u`.

    Raises:
        TypeError: If `circuit` is not a circuit or holds a channel, or `u` is no real tensor.
        ValueError: If there are too few or too many uniform numbers.

    Transforms:
        vmap, also over `u`, grad, jvp, hessian, in the circuit's leaves.

    Examples:
        >>> from quilt_func import circuit, cx, h, uniforms
        >>> bell = circuit(2, h(0), cx(0, 1))
        >>> twirled = twirl(bell, uniforms(1, 0))
        >>> [op.gate.name for op in twirled.ops]
        ['h', 'unitary', 'cx', 'unitary']
        >>> twirled().real
        tensor([0.7071, 0.0000, 0.0000, 0.7071])

    References:
        Wallman and Emerson (2016), arXiv:1512.01098.
    """
    check_gates_only("twirl", circuit, "Twirl")
    remedy = "Draw them with `uniforms(n_twirls(circuit), seed)`; map over many with `vmap`."
    check_tensor("twirl", "u", u, COMPLEX_OF, (n_twirls(circuit),), remedy)
    u = working_numbers("twirl", circuit, u)
    index = (len(WORDS) * u.detach()).long().clamp(max=len(WORDS) - 1)
    ops: list[Op] = []
    first = 0
    for op in without_overlap(circuit.ops):
        behind = _behind(op.gate)
        if behind is None:
            ops.append(op)
            continue
        own = index[first : first + len(op)]
        first += len(op)
        ops += [_letters(op, BEFORE.like(u)[own]), op, _letters(op, behind.like(u)[own])]
    return Circuit(circuit.n_qubits, tuple(ops))


def n_twirls(circuit: Circuit) -> int:
    """Number of uniform numbers that `twirl` takes: one for each gate that gets letters.

    Args:
        circuit: Gates.

    Returns:
        The number.

    Raises:
        TypeError: If `circuit` is not a circuit or holds a channel.

    Transforms:
        None: it reads a structure.

    Examples:
        >>> from quilt_func import circuit, cx, h, rzz
        >>> n_twirls(circuit(3, h(0), cx([(0, 1), (1, 2)]), rzz(0.1, 0, 1)))
        2
    """
    check_gates_only("n_twirls", circuit, "Twirl")
    return sum(len(op) for op in circuit.ops if _behind(op.gate) is not None)


def pauli_twirl(superoperator: Tensor) -> Tensor:
    """Probabilities of the Pauli channel that a channel becomes in the mean over all twirls.

    Args:
        superoperator (complex, (4**k, 4**k)): Map of the rows of `ρ`, one after the other, such as
            `channel.matrices(strength[None])[0]`.

    Returns:
        (real, (4**k,)): Probability of each Pauli word of `k` letters, in the order of
        `itertools.product("IXYZ", repeat=k)`; the first is that of no error.

    Raises:
        TypeError: If it is not a complex tensor.
        ValueError: If it is not square, or of another size.

    Transforms:
        vmap, grad, jvp, hessian.

    Examples:
        >>> from quilt_func import noise
        >>> damping = noise.amplitude_damping.matrices(torch.tensor([0.2]))[0]
        >>> pauli_twirl(damping)
        tensor([0.8972, 0.0500, 0.0500, 0.0028])

    References:
        Wallman and Emerson (2016), arXiv:1512.01098.
    """
    remedy = "Give one superoperator, such as `channel.matrices(strength[None])[0]`."
    check_tensor("pauli_twirl", "superoperator", superoperator, REAL_OF, (...,), remedy)
    size = superoperator.shape[-1] if superoperator.ndim == 2 else 0
    k = (size.bit_length() - 1) // 2
    if not k or superoperator.shape != (4**k, 4**k):
        need, remedy = "have shape (4**k, 4**k)", f"{remedy} Map over many with `torch.func.vmap`."
        raise shape_error("pauli_twirl", "superoperator", superoperator, need, remedy)
    real, imag = _parts(k, superoperator.dtype.to_real(), superoperator.device)
    given = unconjugated(superoperator)
    return (real * given.real + imag * given.imag).sum((-2, -1))


@remembered(64)
def _parts(k: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Real and imaginary parts `(4**k, 4**k, 4**k)` of `P ⊗ P*` over `4**k`, for each word."""
    words = map("".join, product("IXYZ", repeat=k))
    basis = np.stack([sandwich(word_matrix(word)) for word in words]) / 4**k
    return constant(basis.real, dtype, device), constant(basis.imag, dtype, device)


def working_numbers(function: str, circuit: Circuit, u: Tensor) -> Tensor:
    """Uniform numbers in the precision of a circuit's tensors, on their device."""
    kind = common_dtype_and_device(function, circuit.leaves)
    if kind is None:
        return u
    check_device(function, circuit.leaves[0], u)
    return u.to(kind[0])


def _letters(op: Op, matrices: Tensor) -> Op:
    """Matrices `(m, 2, 2, 2)` on both wires of an op's `m` wire sets."""
    wires = tuple((wire,) for wire_set in op.wires for wire in wire_set)
    return Op(unitary_gate(1), wires, (matrices.flatten(0, 1),))


@lru_cache(maxsize=1024)
def _behind(gate: Gate) -> Table | None:
    """The letters `(16, 2, 2, 2)` that undo each word before a gate; None if there are none.

    A word's sign goes with its first letter.
    """
    if gate.n_wires != 2 or callable(gate.matrix) or "unitary" not in gate.tags:
        return None
    words = np.stack([word_matrix(word) for word in WORDS])
    images = gate.matrix @ words @ gate.matrix.conj().T
    overlaps = np.einsum("qij,pij->pq", words.conj(), images) / 4
    image = np.abs(overlaps).argmax(1)
    signs = np.take_along_axis(overlaps, image[:, None], 1)[:, 0].real.round()
    if np.abs(images - signs[:, None, None] * words[image]).max() > ROUNDING:
        return None
    letters = BEFORE.numbers[image].copy()
    letters[:, 0] *= signs[:, None, None]
    return Table(letters)
