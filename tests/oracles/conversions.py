"""Laws of conversions, each of the function it is about, so that a wrong one can be planted."""

import numpy as np
import torch
from torch.func import grad

import quilt_func as qf
from oracles.compare import assert_close
from quilt_func._placed_gates import PHASE, Placed
from quilt_func.convert.programs import plain_circuit

F64, C128 = torch.float64, torch.complex128
PARTS = [Placed(PHASE, (0.4,), ()), Placed(qf.u, (0.3, 0.5, 0.7), (1,)), Placed(qf.cx, (), (1, 2)),
         Placed(qf.sx, (), (2,))]  # fmt: skip
WORDS = qf.pauli_sum({"XZ": 1.0, "YI": 0.5, "ZX": 0.7, "ZZ": 0.4, "IY": 0.3, "XX": -0.6})


def unitary_of(placed, n=3):
    """The matrix with its phase."""
    phase = sum(float(one.angles[0]) for one in placed if one.gate is PHASE)
    return np.exp(1j * phase) * plain_circuit(n, placed).unitary(dtype=C128).numpy()


def check_controlled(controlled, bit):
    """A block of the matrix is that of the gates, phase included; the other is the identity."""
    own = plain_circuit(2, [one._replace(wires=tuple(w - 1 for w in one.wires)) for one in PARTS])
    inner = np.exp(0.4j) * own.unitary(dtype=C128).numpy()
    expected = np.eye(8, dtype=complex)
    expected[4 * bit : 4 * bit + 4, 4 * bit : 4 * bit + 4] = inner
    found = unitary_of(controlled(PARTS, (0,), [bit]))
    assert_close(torch.from_numpy(found), expected, n_gates=64)


def check_raised(raised, exponent):
    """The principal power of the matrix, phase included; a whole one of any."""
    matrix = unitary_of(PARTS)
    vectors, _ = np.linalg.qr(np.linalg.eig(matrix)[1])
    values = np.diag(vectors.conj().T @ matrix @ vectors)
    expected = (vectors * np.exp(1j * exponent * np.angle(values))) @ vectors.conj().T
    found = unitary_of(raised(PARTS, exponent, "parts"))
    assert_close(torch.from_numpy(found), expected, n_gates=2**12)


def check_channel(recognised, operators):
    """The channels, one after the other, do to a mixed state what the operators do."""
    n = len(operators[0]).bit_length() - 1
    found = [one.channel(*one.strengths, *range(n)) for one in recognised(operators)]
    rho = qf.reduced_density(qf.random_state(qf.uniforms((2, 4**n), 3, dtype=F64)), range(n))
    expected = sum(k @ rho.numpy() @ k.conj().T for k in operators)
    got = qf.run_density(qf.circuit(n, found), rho)
    assert_close(got, expected, n_gates=2**12)
    return found


def check_function(fn, expected, args):
    """Values and slopes of two functions to circuits are equal."""

    def energy(make):
        return lambda *given: qf.expval(make(*given)(), WORDS)

    assert_close(energy(fn)(*args), energy(expected)(*args), n_gates=256)
    every = tuple(range(len(args)))
    for got, wanted in zip(
        grad(energy(fn), every)(*args), grad(energy(expected), every)(*args), strict=True
    ):
        assert_close(got, wanted, n_gates=1024)
