"""Gram matrices of quantum kernels: states are encoded in chunks, then compared in pairs."""

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

from quilt_func._checks import (
    COMPLEX_OF,
    REAL_OF,
    check_chunk_size,
    check_function,
    check_is,
    check_number,
    check_positive,
    check_tensor,
    common_dtype_and_device,
    describe,
    message,
    shape_error,
)
from quilt_func._torch import own_precision, unconjugated
from quilt_func.measurement import expval
from quilt_func.pauli import PauliSum, pauli_sum
from quilt_func.typing import PyTree

Encoding = Callable[[PyTree, Tensor], Tensor]
"""A function from parameters and one sample to a state."""

States = Callable[[], Tensor]
"""What encodes a chunk of samples."""

_SAMPLES = "Stack the samples: `torch.stack(xs)`."


def fidelity_gram(
    encoding: Encoding,
    params: PyTree,
    xs: Tensor,
    others: Tensor | None = None,
    *,
    chunk_size: int | None = None,
) -> Tensor:
    r"""Fidelities of the states of all pairs of samples, $|\langle\phi(x)|\phi(x')\rangle|^2$.

    Memory: all states and the result; with `chunk_size`, 2 chunks of states and the result, at the
    price of encoding the second samples anew for each chunk of the first. Derivatives remember all.

    Args:
        encoding: Function from parameters and one sample to a state (complex, (2**n_qubits,)).
        params: Its parameters, any tree of tensors; `()` if it takes none.
        xs (any, (n, ...)): Samples.
        others (any, (m, ...)): Second samples; default: `xs`, of which each pair is compared once.
        chunk_size: Number of samples that are encoded at once; default: all.

    Returns:
        (real, (n, m)): Gram matrix. Of one set of samples it is symmetric to the last bit.

    Raises:
        TypeError: If an argument is of the wrong kind, or the encoding returns no state.
        ValueError: If samples are no stack, or `chunk_size` is below 1.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in `params` and samples.

    Examples:
        >>> from quilt_func import circuit, ry
        >>> def encoding(params, x):
        ...     return circuit(1, ry(params * x, 0))()
        >>> fidelity_gram(encoding, torch.tensor(2.0), torch.tensor([[0.0], [0.5]]))[1]
        tensor([0.7702, 1.0000])

    References:
        Havlíček et al. (2019), Nature 567, 209; Schuld and Killoran (2019), Phys. Rev. Lett. 122,
        040504.
    """
    rows = _chunks("fidelity_gram", encoding, params, xs, "xs", chunk_size)
    if others is None:
        return _symmetric(rows)
    columns = _chunks("fidelity_gram", encoding, params, others, "others", chunk_size)
    return torch.cat([_block_row(row(), columns) for row in rows])


def projected_gram(
    encoding: Encoding,
    params: PyTree,
    xs: Tensor,
    others: Tensor | None = None,
    *,
    gamma: float | Tensor = 1.0,
    chunk_size: int | None = None,
) -> Tensor:
    r"""Gaussian kernel of one-qubit density matrices, $\exp(-\gamma\sum_k\|\rho_k-\rho'_k\|_F^2)$.

    States are projected to what each qubit alone tells of them, so that kernels of many qubits do
    not become identity matrices. Half of the squared distance of two Bloch vectors is that of
    their density matrices.

    Memory: a chunk of states, the Bloch vectors of all samples, and the result; the differences of
    a chunk's vectors from all others.

    Args:
        encoding: Function from parameters and one sample to a state (complex, (2**n_qubits,)).
        params: Its parameters, any tree of tensors; `()` if it takes none.
        xs (any, (n, ...)): Samples.
        others (any, (m, ...)): Second samples; default: `xs`.
        gamma: Inverse width: a positive number, or a real tensor ().
        chunk_size: Number of samples that are encoded or compared at once; default: all.

    Returns:
        (real, (n, m)): Gram matrix, of ones where samples are equal.

    Raises:
        TypeError: If an argument is of the wrong kind, or the encoding returns no state.
        ValueError: If samples are no stack, `gamma` is not positive, or `chunk_size` is below 1.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in `params`, samples and `gamma`.

    Examples:
        >>> from quilt_func import circuit, ry
        >>> def encoding(params, x):
        ...     return circuit(1, ry(x, 0))()
        >>> xs = torch.tensor([[0.0], [torch.pi]])  # opposite poles: ||ρ - ρ'||² is 2
        >>> projected_gram(encoding, (), xs, gamma=0.5)[0]
        tensor([1.0000, 0.3679])

    References:
        Huang et al. (2021), Nat. Commun. 12, 2631, equation 9.
    """
    if isinstance(gamma, Tensor):
        check_tensor("projected_gram", "gamma", gamma, tuple(COMPLEX_OF), (), "Give one number.")
    else:
        check_number("projected_gram", "gamma", gamma)
        check_positive("projected_gram", "gamma", gamma, "Give 1.0, say.")
    own = _bloch_vectors("projected_gram", encoding, params, xs, "xs", chunk_size)
    second = own
    if others is not None:
        second = _bloch_vectors("projected_gram", encoding, params, others, "others", chunk_size)
        _check_alike("projected_gram", own, second)

    def row(one: Tensor) -> Tensor:
        return (gamma * (-0.5 * (one - second).square().sum(-1))).exp()

    return vmap(row, chunk_size=chunk_size)(own)


def centred(gram: Tensor, train: Tensor | None = None) -> Tensor:
    r"""Gram matrix of features that have mean 0 over the training samples, $HKH$ for these.

    Args:
        gram (real, (n, m)): Gram matrix of samples with training samples; a square one of training
            samples if `train` is left out.
        train (real, (m, m)): Gram matrix of the training samples.

    Returns:
        (real, (n, m)): Centred Gram matrix.

    Raises:
        TypeError: If a matrix is not a real tensor, or dtypes differ.
        ValueError: If shapes do not fit.

    Transforms:
        vmap, grad, jvp, hessian.

    Examples:
        >>> gram = torch.tensor([[1.0, 0.2], [0.2, 1.0]])
        >>> centred(gram)
        tensor([[ 0.4000, -0.4000],
                [-0.4000,  0.4000]])
        >>> centred(gram[:1], train=gram)
        tensor([[ 0.4000, -0.4000]])

    References:
        Cortes, Mohri and Rostamizadeh (2012), J. Mach. Learn. Res. 13, 795, lemma 1.
    """
    real = tuple(COMPLEX_OF)
    if train is None:
        check_tensor("centred", "gram", gram, real, ("n", "n"), "Give `train=` for other samples.")
        train = gram
    check_tensor("centred", "train", train, real, ("m", "m"), "Give a square Gram matrix.")
    form = ("n", train.shape[0])
    check_tensor("centred", "gram", gram, (train.dtype,), form, "Columns are training samples.")
    means = train.mean(0)
    return gram - gram.mean(1, keepdim=True) - means + means.mean()


def _symmetric(chunks: list[States]) -> Tensor:
    """All pairs of one set: the upper triangle is computed, chunk by chunk, and mirrored."""
    rows: list[Tensor] = []
    for i, chunk in enumerate(chunks):
        states = chunk()
        own = _fidelities(states, states).triu()
        later = chunks[i + 1 :]
        rows.append(torch.cat([own, _block_row(states, later)], 1) if later else own)
    n = rows[0].shape[1]
    upper = torch.cat([torch.nn.functional.pad(row, (n - row.shape[1], 0)) for row in rows])
    return upper + upper.triu(1).mT


def _block_row(states: Tensor, columns: list[States]) -> Tensor:
    return torch.cat([_fidelities(states, column()) for column in columns], 1)


def _fidelities(states: Tensor, others: Tensor) -> Tensor:
    _check_alike("fidelity_gram", states, others)
    with own_precision(states.device):
        a, b = unconjugated(states), unconjugated(others)
        re = a.real @ b.real.mT + a.imag @ b.imag.mT
        im = a.real @ b.imag.mT - a.imag @ b.real.mT
        return re.square() + im.square()


def _check_alike(function: str, states: Tensor, others: Tensor) -> None:
    """Check that the states of samples and of other samples, or their vectors, can be compared."""
    common_dtype_and_device(function, (states, others))
    if states.shape[1:] != others.shape[1:]:
        need = f"be encoded in states of {tuple(states.shape[1:])} entries, as `xs` are"
        remedy = "Give samples of equally many features."
        raise shape_error(function, "others", others[0], need, remedy)


def _chunks(
    function: str, encoding: Any, params: PyTree, xs: Any, argument: str, chunk_size: Any
) -> list[States]:
    """A function for each chunk that encodes it, anew each time unless all is one chunk."""
    _check_encoding(function, encoding)
    check_is(function, argument, xs, Tensor, "be a tensor", _SAMPLES)
    if not xs.ndim or not xs.shape[0]:
        need, got = "have a first axis of samples", f"shape {tuple(xs.shape)}"
        raise ValueError(message(function, argument, xs, need, got, _SAMPLES))
    check_chunk_size(function, chunk_size)

    def state_of(x: Tensor) -> Tensor:
        state = encoding(params, x)
        if not isinstance(state, Tensor) or state.dtype not in REAL_OF or state.ndim != 1:
            need = "return one statevector, complex of shape (2**n_qubits,)"
            remedy = "Return `circuit(...)()`, of one sample."
            raise TypeError(message(function, "encoding", state, need, describe(state), remedy))
        return state

    parts = [xs] if chunk_size is None else xs.split(chunk_size)
    if len(parts) == 1:
        kept = vmap(state_of)(xs)
        return [lambda: kept]
    return [partial(vmap(state_of), part) for part in parts]


def _check_encoding(function: str, encoding: Any) -> None:
    """Check that a value is a function of two arguments, as far as it tells."""
    check_function(function, "encoding", encoding)
    try:
        signature(encoding).bind((), ())
    except TypeError:
        need, got = "take parameters and a sample", f"a function of {signature(encoding)}"
        remedy = "Write `lambda params, x: ...`, also if there are no parameters."
        raise TypeError(message(function, "encoding", encoding, need, got, remedy)) from None
    except ValueError:  # some built-in functions have no signature
        return


def _bloch_vectors(
    function: str, encoding: Any, params: PyTree, xs: Any, argument: str, chunk_size: Any
) -> Tensor:
    """Expectation values of X, Y and Z of each qubit, for each sample."""
    chunks = _chunks(function, encoding, params, xs, argument, chunk_size)

    def vector(state: Tensor) -> Tensor:
        return expval(state, one_qubit_words(state.shape[0].bit_length() - 1, "XYZ"))

    return torch.cat([vmap(vector)(chunk()) for chunk in chunks])


def one_qubit_words(n_qubits: int, letters: str) -> list[PauliSum]:
    """Each letter on each wire, letter by letter."""
    places = range(n_qubits)
    words = ("I" * k + letter + "I" * (n_qubits - k - 1) for letter in letters for k in places)
    return [pauli_sum({word: 1.0}) for word in words]
