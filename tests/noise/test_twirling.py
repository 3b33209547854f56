"""Twirls: the same circuit, and in the mean a Pauli channel for its noise."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import dense
from oracles.mitigation import (
    CLIFFORDS,
    all_words,
    check_twirl_keeps,
    check_twirl_mean,
    every_index,
    off,
)
from torch.func import grad, vmap

import quilt_func as qf
from quilt_func import noise
from quilt_func.noise import n_twirls, pauli_twirl, twirl
from quilt_func.testing import strategies, tolerance

F64 = torch.float64
C128 = torch.complex128


@pytest.mark.parametrize("gate", CLIFFORDS, ids=lambda gate: gate.name)
def test_twirls_keep_each_gate_and_its_sign(gate):
    check_twirl_keeps(twirl, gate)


def test_clifford_gates_of_ones_own_are_found():
    """By their matrix, whatever they are called."""

    @qf.gate(n_wires=2)
    def crossed():
        return torch.tensor(np.kron([[0, 1], [1, 0]], np.diag([1, 1j])) @ np.asarray(qf.cx.matrix))

    @qf.gate(n_wires=2)
    def rooted():
        return torch.tensor(np.diag([1, 1, 1, 1j]))

    for row in (crossed, qf.inverse(qf.iswap), qf.power(qf.iswap, 3)):
        assert n_twirls(qf.circuit(2, row(0, 1))) == 1
    expected = qf.circuit(2, crossed(0, 1)).unitary(dtype=C128)
    for u in every_index(1):
        found = twirl(qf.circuit(2, crossed(0, 1)), u).unitary()
        assert (found - expected).abs().max() < tolerance(F64, 4)
    others = (rooted(0, 1), qf.ch(0, 1), qf.rzz(0.3, 0, 1), qf.power(qf.swap, 0.5)(1, 0), qf.h(0))
    assert n_twirls(qf.circuit(3, others, qf.ccx(0, 1, 2))) == 0


@given(strategies.circuits(min_qubits=2, max_qubits=3, max_ops=6), st.integers(0, 99))
def test_twirls_keep_circuits(circuit, seed):
    u = qf.uniforms(n_twirls(circuit), seed, dtype=F64)
    twirled = twirl(circuit, u)
    expected = dense.circuit_matrix(circuit.n_qubits, circuit.ops)
    dtype = None if twirled.leaves else C128
    assert off(twirled.unitary(dtype=dtype), expected) < tolerance(F64, 16 * twirled.n_gates + 16)


def test_the_mean_over_all_twirls_has_a_pauli_channel():
    check_twirl_mean(twirl)


def test_letters_come_in_order():
    """One for each gate of an op, also where its gates share a wire."""
    circuit = qf.circuit(3, qf.cx([(0, 1), (1, 2)]), qf.cz(0, 2))
    assert n_twirls(circuit) == 3
    words = all_words(2)
    for choice in ([3, 6, 14], [0, 15, 1]):
        found = twirl(circuit, (torch.tensor(choice, dtype=F64) + 0.5) / 16).ops
        assert [op.gate.name for op in found] == ["unitary", "cx", "unitary"] * 2 + [
            "unitary", "cz", "unitary",
        ]  # fmt: skip
        for op, index in zip(found[::3], choice, strict=True):
            for matrix, letter in zip(op.params[0], words[index], strict=True):
                assert off(matrix, dense.PAULI[letter]) == 0
        assert [op.wires for op in found[::3]] == [((0,), (1,)), ((1,), (2,)), ((0,), (2,))]


@pytest.mark.parametrize("row", noise.CHANNELS, ids=lambda row: row.name)
def test_probabilities_are_those_of_kraus_operators(row):
    """`Σ |tr(P K)|**2 / 4**k`, on distributions of every strength."""
    strengths = [torch.tensor([0.11 * (i + 1)], dtype=F64) for i in range(row.n_params)]
    if row is noise.thermal_relaxation:
        strengths = [torch.tensor([s], dtype=F64) for s in (0.3, 1.0, 1.2, 0.2)]
    found = pauli_twirl(row.matrices(*strengths)[0])
    kraus = row.kraus(*strengths)[0].resolve_conj().numpy()
    size = 2**row.n_wires
    expected = [
        sum(abs(np.trace(dense.word_matrix(word) @ k)) ** 2 for k in kraus) / size**2
        for word in all_words(row.n_wires)
    ]
    assert off(found, np.array(expected)) < tolerance(F64, 16)
    assert abs(found.sum() - 1) < tolerance(F64, 16)


def test_damping_in_closed_form_with_its_slopes():
    """`((1 + r)**2, γ, γ, (1 - r)**2) / 4` with `r = sqrt(1 - γ)`."""

    def found(gamma):
        return pauli_twirl(noise.amplitude_damping.matrices(gamma[None])[0])

    def expected(gamma):
        r = (1 - gamma).sqrt()
        return torch.stack([(1 + r) ** 2, gamma, gamma, (1 - r) ** 2]) / 4

    gamma = torch.tensor(0.3, dtype=F64)
    for f in (lambda g: g, torch.func.jacfwd, torch.func.jacrev):
        assert (f(found)(gamma) - f(expected)(gamma)).abs().max() < tolerance(F64, 16)
    batch = noise.amplitude_damping.matrices(torch.tensor([0.1, 0.3], dtype=F64))
    assert (vmap(pauli_twirl)(batch)[1] - expected(gamma)).abs().max() < tolerance(F64, 16)


def test_three_wires_and_phases():
    """Of a coherent rotation about a word: cos² stays, sin² is the word."""
    turn = torch.tensor(dense.rotation("XYZ", 0.6))
    found = pauli_twirl(torch.kron(turn, turn.conj().resolve_conj()))
    expected = {"III": np.cos(0.3) ** 2, "XYZ": np.sin(0.3) ** 2}
    words = map("".join, itertools.product("IXYZ", repeat=3))
    assert off(found, np.array([expected.get(word, 0.0) for word in words])) < tolerance(F64, 16)


def test_transforms_and_precision():
    def circuit_of(theta):
        return qf.circuit(
            2, qf.ry(theta, range(2)), qf.cx(0, 1), qf.rzz(theta[0], 0, 1), qf.cz(0, 1)
        )

    model = noise.noise_model(noise.rule(noise.amplitude_damping, 0.1, gates=[qf.cx, qf.cz]))

    def value(theta, u):
        rho = qf.run_density(noise.with_noise(twirl(circuit_of(theta), u), model))
        return qf.expval(rho, qf.pauli_sum({"ZX": 1.0, "IZ": 0.5}))

    theta, u = torch.tensor([0.3, 0.8], dtype=F64), qf.uniforms((5, 2), 0, dtype=F64)
    looped = torch.stack([grad(value)(theta, one) for one in u])
    for mapped in (vmap(grad(value), (None, 0)), qf.jit(vmap(grad(value), (None, 0)))):
        assert (mapped(theta, u) - looped).abs().max() < tolerance(F64, 256)
    assert twirl(circuit_of(theta.float()), u[0])().dtype == torch.complex64
    bell = qf.circuit(2, qf.h(0), qf.cx(0, 1))
    assert twirl(bell, u[0, :1])().dtype == torch.complex128
    assert twirl(bell, u[0, :1].float())().dtype == torch.complex64
