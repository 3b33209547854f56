"""Any state as a circuit part."""

import torch
from torch import Tensor

from quilt_func._checks import COMPLEX_OF, REAL_OF, shape_error
from quilt_func.ansatz.encodings import amplitude_encoding
from quilt_func.ansatz.layers import SAMPLE_REMEDY, check_argument
from quilt_func.gates import unitary
from quilt_func.ops import Op


def prepare_state(amplitudes: Tensor) -> tuple[Op, ...]:
    r"""Gate that turns |0...0⟩ into a state of given amplitudes, exactly and with its phase.

    It is one reflection, $U = s (1 - v v^† / v^†|0⟩)$ with $v = |0⟩ - sψ$, where the sign $s$ keeps
    its denominator away from 0. Unlike the angles of a tree of rotations it is smooth in all
    amplitudes, those that vanish too. Its matrix has `4**n_qubits` entries. From |0...0⟩ alone,
    `amplitude_encoding` gives the state without a gate; this acts within a circuit, and has an
    inverse.

    Args:
        amplitudes (real or complex, (n_amplitudes,)): Amplitudes; they are normalised, and padded
            with zeros to the next power of two, as by `amplitude_encoding`.

    Returns:
        One op of a matrix on wires from 0 up.

    Raises:
        TypeError: If `amplitudes` is not a floating-point tensor.
        ValueError: If it is not one vector of at least two amplitudes.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the amplitudes but where all are 0.

    Examples:
        >>> from quilt_func import circuit
        >>> part = prepare_state(torch.tensor([0.6, 0.0, 0.0, -0.8]))
        >>> circuit(2, part)().real + 0.0
        tensor([ 0.6000,  0.0000,  0.0000, -0.8000])
        >>> circuit(2, part, circuit(2, part).inverse())().real.round(decimals=4).abs()
        tensor([1., 0., 0., 0.])

    References:
        Householder (1958), J. ACM 5, 339; Laurent (1960), for reflections of complex vectors, as in
        Golub and Van Loan (2013), Matrix Computations, section 5.1. Möttönen et al. (2005), Quantum
        Inf. Comput. 5, 467, for the tree of rotations.
    """
    dtypes = (*COMPLEX_OF, *REAL_OF)
    check_argument(
        "prepare_state", "amplitudes", amplitudes, ("n_amplitudes",), SAMPLE_REMEDY, dtypes
    )
    if amplitudes.shape[0] < 2:
        need, remedy = "have at least two amplitudes", "A state of no wires has none to act on."
        raise shape_error("prepare_state", "amplitudes", amplitudes, need, remedy)
    psi = amplitude_encoding(amplitudes)
    return (unitary(_reflection(psi), *range(psi.shape[0].bit_length() - 1)),)


def _reflection(psi: Tensor) -> Tensor:
    """A unitary matrix whose first column is a normalised state."""
    one = torch.eye(psi.shape[0], dtype=psi.dtype, device=psi.device)
    sign = torch.where(psi[:1].real > 0, -1.0, 1.0).to(psi.dtype)
    v = one[0] - sign * psi
    dual = torch.complex(v.real, -v.imag)
    found: Tensor = sign * (one - v[:, None] * (dual / dual[:1]))
    return found
