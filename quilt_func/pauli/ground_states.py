"""The ground state of a Pauli sum by Lanczos' method, which stores no matrix."""

from typing import NamedTuple

import torch
from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    check_count,
    check_tensor,
    common_dtype_and_device,
    kind_error,
    message,
    qubits,
)
from quilt_func._torch import is_differentiated, trusts_forward_rules
from quilt_func.pauli.entry import PauliSum
from quilt_func.pauli.given import SumLike, as_sum
from quilt_func.pauli.rules import Lowest, Search
from quilt_func.pauli.words import interned
from quilt_func.states import random_state


class GroundState(NamedTuple):
    """The lowest eigenvalue of an observable, and its eigenvector.

    Attributes:
        energy (real, ()): Eigenvalue; an upper bound of it, before convergence.
        state (complex, (2**n_qubits,)): Normalised eigenvector; its overlap with the start is
            positive.
        residual (real, ()): Norm of `(H - energy) state`: an eigenvalue is no further from
            `energy` than that.

    Examples:
        >>> from quilt_func import pauli_sum, uniforms
        >>> ground_state(pauli_sum({"Z": 1.0}), uniforms((2, 2), 0)).energy
        tensor(-1.)
    """

    energy: Tensor
    state: Tensor
    residual: Tensor


def ground_state(observable: SumLike, u: Tensor, n_steps: int = 100) -> GroundState:
    """The lowest eigenvalue of a Pauli sum and its eigenvector, by Lanczos' method.

    It keeps `n_steps` vectors of the size of a state, all of which are made orthogonal to one
    another. Derivatives are those of an eigenvalue without degeneracy, by Hellmann and Feynman, and
    of its eigenvector, by perturbation theory; they are as good as `residual` is small.

    Args:
        observable: Pauli sum, or a dict that `pauli_sum` would take.
        u (real, (2, 2**n_qubits)): Uniform numbers in [0, 1), from `uniforms`, for the start. Their
            dtype is that of the result.
        n_steps: Number of steps, 1 or more; the space has no more than `2**n_qubits`.

    Returns:
        `GroundState(energy, state, residual)`.

    Raises:
        TypeError: If `observable` is no Pauli sum, `u` is not a real tensor, dtypes or devices
            differ, or a second derivative of the state is taken.
        ValueError: If `u` is of another number of qubits, or there is no step.

    Transforms:
        vmap; grad, jvp, in the coefficients; hessian of the energy.

    Examples:
        >>> from quilt_func import uniforms
        >>> from quilt_func.problems import transverse_field_ising
        >>> chain = transverse_field_ising(10, 1.0, 1.0)
        >>> energy, state, residual = ground_state(chain, uniforms((2, 2**10), 0))
        >>> energy, bool(residual < 1e-4)
        (tensor(-12.3815), True)

    References:
        Lanczos (1950), J. Res. Natl. Bur. Stand. 45, 255; Feynman (1939), Phys. Rev. 56, 340.
    """
    form, draw = (2, "2**n_qubits"), "Draw it with `uniforms((2, 2**n_qubits), seed)`."
    check_tensor("ground_state", "u", u, COMPLEX_OF, form, draw, need="be a real tensor")
    start = random_state(u)
    observable = as_sum(observable, start.shape[0].bit_length() - 1)
    if not isinstance(observable, PauliSum):
        remedy = "Make one with `pauli_sum`; of a matrix take `torch.linalg.eigh(matrix)`."
        raise kind_error("ground_state", "observable", observable, "be a Pauli sum", remedy)
    check_count("ground_state", "n_steps", n_steps, 1)
    n = observable.n_qubits
    if start.shape[0] != 2**n:
        need, got = f"have shape (2, {2**n})", f"shape {tuple(u.shape)}"
        remedy = f"Draw it for {qubits(n)}: `uniforms((2, 2**{n}), seed)`."
        raise ValueError(message("ground_state", "u", u, need, got, remedy))
    common_dtype_and_device("ground_state", [start, *observable.leaves])
    coefficients = observable._tensor(start)
    if is_differentiated(coefficients) and not trusts_forward_rules():
        raise TypeError(
            "ground_state(): it has one level of forward mode, but got two, or torch's own. Take "
            "`torch.func.jvp` of `torch.func.grad`, as `torch.func.hessian` does."
        )
    search = Search(interned(observable.words), min(n_steps, 2**n))
    energy, found = Lowest.apply(search, coefficients, start)
    overlap = torch.linalg.vecdot(found, start)
    state = found * (overlap / overlap.abs())
    residual = torch.linalg.vector_norm(observable.apply(state) - energy * state)
    return GroundState(energy, state, residual)
