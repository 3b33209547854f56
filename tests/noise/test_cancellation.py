"""Cancellation of Pauli noise: exactly over all choices of words, and by samples."""

import math

import pytest
import torch
from oracles.mitigation import (
    PAIR,
    WORDS,
    check_cancelled,
    check_cancelled_slopes,
    inverse_channel,
    noisy_pair,
    off,
    probabilities,
    without_noise,
)
from torch.func import grad, hessian, jvp, vmap

import quilt_func as qf
from quilt_func import noise
from quilt_func.noise import cancel, cancellation_cost, n_cancels
from quilt_func.testing import tolerance

F64 = torch.float64
Z = qf.pauli_sum({"Z": 1.0})
SHOTS = 20_000
PAULI = {
    "bit_flip": (noise.bit_flip, (0.2,)),
    "phase_flip": (noise.phase_flip, (0.2,)),
    "bit_phase_flip": (noise.bit_phase_flip, (0.1,)),
    "pauli_channel": (noise.pauli_channel, (0.1, 0.05, 0.02)),
    "depolarizing": (noise.depolarizing, (0.15,)),
    "two_qubit_depolarizing": (noise.two_qubit_depolarizing, (0.15,)),
    "two words": (noise.pauli_errors(["XY", "ZI"]), (0.1, 0.05)),
    "three wires": (noise.pauli_errors(["XYZ", "IIZ", "ZXI"]), (0.1, 0.05, 0.02)),
}


def close(found, expected):
    """Within five standard errors of the mean of samples."""
    error = found.std(0) / math.sqrt(len(found))
    assert bool(((found.mean(0) - expected).abs() < 5 * error + 1e-12).all())


def test_over_all_choices_it_is_exact():
    check_cancelled(cancel)


def test_so_are_derivatives():
    check_cancelled_slopes(cancel)


@pytest.mark.parametrize("name", PAULI)
def test_inverses_are_those_of_a_linear_system(name):
    """Of every Pauli channel: the sum of sizes is the cost, and words say what unitaries are."""
    row, strengths = PAULI[name]
    k = row.n_wires
    q = inverse_channel(row.name, k, *strengths)
    assert abs(sum(q.values()) - 1) < tolerance(F64, 64)
    circuit = qf.circuit(k, row(*torch.tensor(strengths, dtype=F64), *range(k)))
    cost = sum(map(abs, q.values()))
    assert abs(cancellation_cost(circuit) - cost) < tolerance(F64, 64, cost)
    found, unitaries = row.mixture(*torch.tensor(strengths, dtype=F64)[:, None])
    own = probabilities(row.name, k, *strengths)
    for word, p, matrix in zip(row.words, found[0], unitaries, strict=True):
        assert abs(p - own[word]) < tolerance(F64, 4)
        assert off(matrix, noise.pauli_mixtures.word_matrix(word)) == 0


def test_costs_in_closed_form_with_slopes():
    """Flips cost `1 / (1 - 2p)` each, depolarizing `(1 + 2p/3) / (1 - 4p/3)`; slopes hold at 0."""

    def cost(p, row):
        return cancellation_cost(qf.circuit(2, qf.h(0), row(p, range(2)), row(p, 0)))

    closed = {
        noise.bit_flip: lambda p: (1 - 2 * p) ** -3,
        noise.depolarizing: lambda p: ((1 + 2 * p / 3) / (1 - 4 * p / 3)) ** 3,
    }
    for row, expected in closed.items():
        for p in torch.tensor([0.0, 0.1, 0.3], dtype=F64):
            for f in (lambda g: g, grad, hessian):
                found = f(lambda p, row=row: cost(p, row))(p)
                exact = f(expected)(p)
                assert abs(found - exact) < tolerance(F64, 64, float(exact) + 1)


def test_weights_are_costs_with_signs():
    circuit = noisy_pair(*PAIR)
    u = qf.uniforms((500, n_cancels(circuit)), 0, dtype=F64)
    weights = vmap(lambda u: cancel(circuit, u).weight)(u)
    cost = cancellation_cost(circuit)
    assert (weights.abs() - cost).abs().max() < tolerance(F64, 64, float(cost))
    assert 0 < (weights < 0).double().mean() < 0.5
    free = cancel(qf.circuit(1, qf.h(0)), torch.zeros(0))
    assert free.weight == 1
    assert cancellation_cost(qf.circuit(1, qf.h(0))) == 1


@pytest.mark.parametrize("by", ["density", "trajectory"])
def test_means_and_slopes_of_samples(by):
    """Also where the noise is sampled, too: two weights."""

    def value(theta, p, u, v):
        circuit, weight = cancel(noisy_pair(theta, p), u)
        if by == "density":
            return weight * qf.expval(qf.run_density(circuit), WORDS)
        state, taken = qf.run_trajectory(circuit, v)
        return weight * taken * qf.expval(state, WORDS)

    def ideal(theta):
        return qf.expval(without_noise(noisy_pair(theta, PAIR[1]))(), WORDS)

    shots = SHOTS if by == "trajectory" else SHOTS // 10
    u, v = qf.uniforms((2, shots, n_cancels(noisy_pair(*PAIR))), 0, dtype=F64)
    maps = (None, None, 0, 0)
    close(vmap(value, maps)(*PAIR, u, v), ideal(PAIR[0]))
    by_theta, by_p = vmap(grad(value, (0, 1)), maps)(*PAIR, u, v)
    close(by_theta, grad(ideal)(PAIR[0]))
    close(by_p, torch.zeros(3, dtype=F64))


def test_a_frozen_weight_has_another_slope():
    """One flip of `p`: the value is 1; samples of a frozen weight slope by `-2 / (1 - 2p)`."""
    p = torch.tensor(0.1, dtype=F64)

    def value(p, u, is_frozen):
        circuit, weight = cancel(qf.circuit(1, noise.bit_flip(p, 0)), u)
        weight = weight.detach() if is_frozen else weight
        return weight * qf.expval(qf.run_density(circuit), Z)

    u = qf.uniforms((SHOTS, 1), 0, dtype=F64)
    slopes = [vmap(grad(value), (None, 0, None))(p, u, frozen) for frozen in (False, True)]
    close(slopes[0], 0.0)
    close(slopes[1], -2 / (1 - 2 * p))


def test_noise_of_a_model():
    """Cut gates, shared wires and strengths for each wire."""
    model = noise.noise_model(
        noise.rule(noise.two_qubit_depolarizing, 0.03, gates=qf.cx),
        noise.rule(noise.depolarizing, torch.tensor([0.01, 0.02, 0.03], dtype=F64)),
    )
    theta = torch.tensor([0.3, 0.5, 0.7], dtype=F64)
    plain = qf.circuit(3, qf.ry(theta, range(3)), qf.cx([(0, 1), (1, 2)]))
    noisy = noise.with_noise(plain, model)
    observable = qf.pauli_sum({"ZZZ": 1.0, "XIX": 0.5})
    u = qf.uniforms((1000, n_cancels(noisy)), 0, dtype=F64)

    def value(u):
        circuit, weight = cancel(noisy, u)
        return weight * qf.expval(qf.run_density(circuit), observable)

    close(vmap(value)(u), qf.expval(plain(), observable))
    assert n_cancels(noisy) == 2 + 3 + 4


def test_words_come_after_their_channel():
    circuit = noise.with_noise(
        qf.circuit(2, qf.h(0), qf.cx(0, 1)),
        noise.noise_model(noise.rule(noise.two_qubit_depolarizing, 0.1, gates=qf.cx)),
    )
    names = [op.gate.name for op in cancel(circuit, qf.uniforms(1, 0)).circuit.ops]
    assert names == ["h", "cx", "two_qubit_depolarizing", "unitary"]


def test_transforms_nest():
    def value(theta, p, u):
        circuit, weight = cancel(noisy_pair(theta, p), u)
        return weight * qf.expval(qf.run_density(circuit), WORDS)

    u = qf.uniforms((3, n_cancels(noisy_pair(*PAIR))), 4, dtype=F64)
    looped = torch.stack([grad(value)(*PAIR, one) for one in u])
    mapped = vmap(grad(value), (None, None, 0))
    assert (mapped(*PAIR, u) - looped).abs().max() < tolerance(F64, 256, 16.0)
    assert (qf.jit(mapped)(*PAIR, u) - looped).abs().max() < tolerance(F64, 256, 16.0)
    one = torch.ones((), dtype=F64)
    for sample, slope in zip(u, looped, strict=True):
        pushed = jvp(lambda t, s=sample: value(t, PAIR[1], s), (PAIR[0],), (one,))[1]
        assert abs(slope - pushed) < tolerance(F64, 256, 16.0)


def test_single_precision_stays():
    circuit = noisy_pair(*(one.float() for one in PAIR))
    found = cancel(circuit, qf.uniforms(n_cancels(circuit), 0, dtype=F64))
    assert found.weight.dtype == torch.float32
    assert qf.run_density(found.circuit).dtype == torch.complex64
    numbers = qf.circuit(1, qf.h(0), noise.bit_flip(0.1, 0))
    assert cancel(numbers, qf.uniforms(1, 0, dtype=F64)).weight.dtype == F64
    assert cancellation_cost(numbers).dtype == torch.float32
