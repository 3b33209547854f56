"""Noisy circuits on ranks: density matrices, and samples of mixtures of unitaries."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from on_ranks import KINDS, check_alike, noisy_derivatives

import quilt_func as qf
from quilt_func import noise
from quilt_func.testing import strategies

F64 = torch.float64
KINDS_OF_LAWS = ("grad", "jvp", "jvp(grad)", "vmap(grad)")


def noisy(p, t):
    """Mixtures of unitaries on one wire and on two."""
    return qf.circuit(
        4,
        qf.ry(t, range(4)),
        noise.bit_flip(p[0], [0, 3]),
        qf.cx([(0, 1), (2, 3), (3, 0)]),
        noise.two_qubit_depolarizing(p[1], [(0, 3), (1, 2)]),
        qf.rx(t, range(4)),
        noise.pauli_channel(p[0], p[1], p[2], [0, 2]),
    )


P, T = qf.uniforms(3, 1, dtype=F64) / 4, qf.uniforms(4, 2, dtype=F64)
WORDS = qf.pauli_sum({"XYZI": 0.5, "ZIIZ": 1.0, "YIXX": -0.7})


@pytest.mark.parametrize("n_ranks", [2, 4])
def test_samples_of_trajectories(pool, n_ranks):
    """Weights and states, by the same uniform numbers, and all derivatives of their product."""
    circuit = noisy(P, T)
    for seed in range(3):
        u = qf.uniforms(noise.n_draws(circuit), seed)
        case = "trajectory", () if seed else KINDS, circuit, u, WORDS
        expected = noisy_derivatives("whole", *case)
        check_alike(pool(n_ranks).run(noisy_derivatives, "split", *case), expected, 40)


def test_means_of_sampled_circuits_are_those_of_the_density():
    circuit = noisy(P, T)
    u = qf.uniforms((20_000, noise.n_draws(circuit)), 5, dtype=F64)

    def value(u):
        return qf.expval(noise.sampled_circuit(circuit, u).circuit(), WORDS)

    values = torch.func.vmap(value)(u)
    error = values.std() / len(values) ** 0.5
    assert (values.mean() - qf.expval(qf.run_density(circuit), WORDS)).abs() < 4 * error


@st.composite
def noisy_runs(draw):
    circuit = draw(strategies.noisy_circuits(4, max_ops=6))
    assume(any(leaf.numel() for leaf in circuit.leaves))
    wires = draw(st.permutations(range(4)))[: draw(st.integers(0, 3))]
    kinds = (draw(st.sampled_from(KINDS_OF_LAWS)),)
    return kinds, circuit, draw(strategies.pauli_sums(4)), wires


@pytest.mark.parametrize("n_ranks", [2, 4])
def test_density_matrices_are_those_of_one_process(pool, n_ranks):
    @settings(max_examples=max(1, settings().max_examples // 8))
    @given(noisy_runs())
    def law(case):
        expected = noisy_derivatives("whole", "density", *case)
        answers = pool(n_ranks).run(noisy_derivatives, "split", "density", *case)
        check_alike(answers, expected, 64, scale=16.0)

    law()
