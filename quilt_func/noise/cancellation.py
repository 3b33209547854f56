r"""Pauli channels undone in the mean: random Pauli words, and a weight that may be negative.

The inverse of a Pauli channel is a sum of Pauli words with real numbers `q` that sum to 1, some of
them negative: no channel, but a mean. With `γ = Σ |q|`, each word is taken with probability
`|q| / γ`, and what is measured is multiplied by `γ` and the sign of `q`.

Words, as bits, multiply by addition, so that a channel's eigenvalues are the Walsh transform of its
probabilities, and `q` is that of the eigenvalues' reciprocals, up to a factor.

References:
    Temme, Bravyi and Gambetta (2017), arXiv:1612.02058, for the cancellation of errors.
    van den Berg, Minev, Kandala and Temme (2023), arXiv:2201.09866, for Pauli channels.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from quilt_func._amplitudes import walsh_transform
from quilt_func._checks import COMPLEX_OF, check_tensor, message
from quilt_func._torch import matmul
from quilt_func.circuits import Circuit, check_circuit, default_kind
from quilt_func.gates import unitary_gate, word_matrix
from quilt_func.noise.branching import chosen
from quilt_func.noise.channels import Channel, Table, strengths_of
from quilt_func.noise.twirling import working_numbers
from quilt_func.ops import Op

LETTERS = "IXYZ"
"""Up to a phase, letters multiply as pairs of bits add, whatever their order."""


class Cancelled(NamedTuple):
    """One sample of a noisy circuit with its noise undone in the mean.

    Attributes:
        circuit: The circuit, with a Pauli word after each channel.
        weight (real, ()): Signs times costs, with the derivative of the inverse: multiply whatever
            is measured by it before taking a mean.

    Examples:
        >>> from quilt_func import noise, circuit, h, uniforms
        >>> cancelled = noise.cancel(circuit(1, h(0), noise.phase_flip(0.1, 0)), uniforms(1, 1))
        >>> cancelled.circuit.n_gates, cancelled.weight
        (3, tensor(1.2500))
    """

    circuit: Circuit
    weight: Tensor


def cancel(circuit: Circuit, u: Tensor) -> Cancelled:
    """A circuit of Pauli noise with random Pauli words, which undo the noise in the mean.

    Means of `weight * value` over uniform numbers, with the value of the circuit by `run_density`
    or by `run_trajectory` and its weight, are those without noise, and so are their derivatives of
    every order, in angles and, being 0, in strengths. A word that the inverse of a channel does not
    have is never taken, so that a slope at strength 0 lacks what it would give. A channel without
    inverse, such as `depolarizing` of 3/4, gives no finite weight.

    Args:
        circuit: Gates and Pauli channels: `bit_flip`, `phase_flip`, `bit_phase_flip`,
            `pauli_channel`, `depolarizing`, `two_qubit_depolarizing` and `pauli_errors`.
        u (real, (n_cancels(circuit),)): Uniform numbers in [0, 1), from `uniforms`; one for each
            channel and wire set, in order.

    Returns:
        The circuit and its weight, in the precision of the circuit's tensors, or if it has none, of
        `u`.

    Raises:
        TypeError: If `circuit` is not a circuit or holds another channel, or `u` is no real tensor.
        ValueError: If there are too few or too many uniform numbers, or a channel of Python numbers
            has no inverse.

    Transforms:
        vmap, also over `u`, grad, jvp, hessian, of `weight * value`.

    Examples:
        >>> from torch.func import vmap
        >>> import quilt_func as qf
        >>> from quilt_func import noise
        >>> noisy = qf.circuit(1, qf.x(0), noise.bit_flip(0.1, 0))
        >>> z = qf.pauli_sum({"Z": 1.0})
        >>> def value(u):
        ...     circuit, weight = noise.cancel(noisy, u)
        ...     return weight * qf.expval(qf.run_density(circuit), z)
        >>> qf.expval(qf.run_density(noisy), z)
        tensor(-0.8000)
        >>> vmap(value)(qf.uniforms((10_000, 1), 0)).mean().round(decimals=2)
        tensor(-1.)

    References:
        Temme, Bravyi and Gambetta (2017), arXiv:1612.02058;
        van den Berg et al. (2023), arXiv:2201.09866.
    """
    remedy = "Draw them with `uniforms(n_cancels(circuit), seed)`; map over many with `vmap`."
    form = (_count("cancel", circuit),)
    check_tensor("cancel", "u", u, COMPLEX_OF, form, remedy)
    u = working_numbers("cancel", circuit, u)
    ops: list[Op] = []
    shares = [torch.ones(1, dtype=u.dtype, device=u.device)]
    first = 0
    for op in circuit.ops:
        ops.append(op)
        if isinstance(op.gate, Channel):
            inverse = _inverse(op.gate, strengths_of(op, u.dtype, u.device))
            index = chosen(inverse.abs(), u[first : first + len(op)])
            first += len(op)
            own = inverse.gather(1, index[:, None])[:, 0]
            # the sign times the cost as a value, the inverse over the chance to be taken as a slope
            shares.append(own * (_cost(inverse) / own.abs()).detach())
            words = _words(op.gate.n_wires).like(u)[index]
            ops.append(Op(unitary_gate(op.gate.n_wires), op.wires, (words,)))
    return Cancelled(Circuit(circuit.n_qubits, tuple(ops)), torch.cat(shares).prod())


def n_cancels(circuit: Circuit) -> int:
    """Number of uniform numbers that `cancel` takes: one for each channel and wire set.

    Args:
        circuit: Gates and Pauli channels.

    Returns:
        The number.

    Raises:
        TypeError: If `circuit` is not a circuit, or holds another channel.
        ValueError: If a channel of Python numbers has no inverse.

    Transforms:
        None: it reads a structure.

    Examples:
        >>> from quilt_func import noise, circuit, h
        >>> n_cancels(circuit(2, h(0), noise.bit_flip(0.1, range(2))))
        2
    """
    return _count("n_cancels", circuit)


def cancellation_cost(circuit: Circuit) -> Tensor:
    """How many times as far samples may spread with `cancel`: the product of all `γ = Σ |q|`.

    For the same standard error that takes the square of it times as many samples.

    Args:
        circuit: Gates and Pauli channels.

    Returns:
        (real, ()): At least 1: the absolute value of each weight that `cancel` gives.

    Raises:
        TypeError: If `circuit` is not a circuit, or holds another channel.
        ValueError: If a channel of Python numbers has no inverse.

    Transforms:
        vmap, grad, jvp, hessian, in the strengths; the slope at strength 0 is that to the right.

    Examples:
        >>> from quilt_func import noise, circuit, h
        >>> cancellation_cost(circuit(2, h(0), noise.phase_flip(0.1, range(2))))
        tensor(1.5625)

    References:
        van den Berg et al. (2023), arXiv:2201.09866.
    """
    _count("cancellation_cost", circuit)
    dtype, device = default_kind("cancellation_cost", circuit.leaves, None, None)
    costs = [torch.ones(1, dtype=dtype.to_real(), device=device)]
    for op in _channels(circuit):
        assert isinstance(op.gate, Channel)
        costs.append(_cost(_inverse(op.gate, strengths_of(op, dtype, device))))
    return torch.cat(costs).prod()


def _channels(circuit: Circuit) -> Iterator[Op]:
    return (op for op in circuit.ops if isinstance(op.gate, Channel))


def _count(function: str, circuit: Circuit) -> int:
    """Number of channels and wire sets, after a check that these are Pauli channels."""
    check_circuit(function, "circuit", circuit)
    for op in _channels(circuit):
        if not isinstance(op.gate, Channel) or not op.gate.words:
            need, got = "hold Pauli channels only", f"the channel {op.gate.name}"
            remedy = "Put `pauli_errors` there, with the probabilities that `pauli_twirl` gives."
            raise TypeError(message(function, "circuit", op, need, got, remedy))
        if all(type(param) is float for param in op.params):
            _check_invertible(function, op)
    return sum(map(len, _channels(circuit)))


def _check_invertible(function: str, op: Op) -> None:
    """Check that a channel whose strengths are Python numbers loses nothing for good."""
    assert isinstance(op.gate, Channel)
    found = _eigenvalues(op.gate, strengths_of(op, torch.complex128, torch.device("cpu")))
    if (found.abs() < torch.finfo(found.dtype).eps).any():
        got = f"{op.gate.name}({', '.join(f'{param:g}' for param in op.params)})"
        remedy = "Take a strength at which no Pauli value becomes 0."
        need = "hold channels that have an inverse"
        raise ValueError(message(function, "circuit", op, need, got, remedy))


def _eigenvalues(channel: Channel, strengths: list[Tensor]) -> Tensor:
    """What a channel multiplies the value of each Pauli word by, `(m, 4**k)`."""
    assert channel.mixture is not None
    probabilities, _ = channel.mixture(*strengths)
    each = matmul(probabilities, _places(channel.words).like(probabilities))
    found: Tensor = vmap(walsh_transform)(each)
    return found


def _inverse(channel: Channel, strengths: list[Tensor]) -> Tensor:
    """The numbers `q` `(m, 4**k)` of words in a channel's inverse, in the order of `LETTERS`."""
    eigenvalues = _eigenvalues(channel, strengths)
    return vmap(walsh_transform)(eigenvalues.reciprocal()) / eigenvalues.shape[1]


def _cost(inverse: Tensor) -> Tensor:
    """`γ` of each row; the size of 0 slopes as that of a number below 0, which errors have."""
    return torch.where(inverse > 0, inverse, -inverse).sum(1)


@lru_cache(maxsize=1024)
def _places(words: tuple[str, ...]) -> Table:
    """Where a channel's words are among all of as many letters: 1 in a row for each."""
    everywhere = ["".join(letters) for letters in product(LETTERS, repeat=len(words[0]))]
    return Table(np.array([[float(one == word) for one in everywhere] for word in words]))


@lru_cache
def _words(n_wires: int) -> Table:
    """The matrices `(4**k, 2**k, 2**k)` of all words."""
    return Table(
        np.stack([word_matrix("".join(word)) for word in product(LETTERS, repeat=n_wires)])
    )
