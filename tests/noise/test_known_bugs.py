"""Mistakes that other libraries made with noise, one test each; none is to happen here."""

import itertools
import math

import pytest
import torch
from torch.func import grad, vmap

import quilt_func as qf
from quilt_func import noise
from quilt_func.testing import tolerance

F64, C128 = torch.float64, torch.complex128


def density(*parts, n=1):
    return qf.run_density(qf.circuit(n, *parts), dtype=C128)


def near(got, expected, steps=64):
    assert abs(complex(got) - expected) < tolerance(F64, steps)


@pytest.mark.parametrize("ratio", [0.3, 1.0, 1.1, 1.7, 2.0])
def test_the_trace_is_one_for_t2_above_t1(ratio):
    """Once 1.411."""
    for turn in (0.0, 1.1, math.pi):
        rho = density(qf.rx(turn, 0), noise.thermal_relaxation(0.9, 0.7, 0.7 * ratio, 0.3, 0))
        near(rho.trace(), 1.0)
        assert torch.linalg.eigvalsh(rho).min() > -tolerance(F64, 64)


@pytest.mark.parametrize("t1", [0.5, 1.0, 30.0])
def test_the_coherence_after_t2_is_one_over_2e(t1):
    """0.1839 whatever T1 is; a factor 2 in T2 gave 0.0677."""
    near(density(qf.h(0), noise.thermal_relaxation(1.0, t1, 1.0, 0.0, 0))[0, 1], 0.5 / math.e)


@pytest.mark.parametrize("t2", [0.5, 1.0, 1.9])
def test_the_excited_population_is_what_was_asked_for(t2):
    """Once it was twice as much, or half; on either side of T2 = T1."""
    for excited, start in itertools.product((0.0, 0.15, 0.5, 1.0), (0.0, math.pi)):
        rho = density(qf.rx(start, 0), noise.thermal_relaxation(200.0, 1.0, t2, excited, 0))
        near(rho[1, 1], excited)
    near(density(noise.generalized_amplitude_damping(1.0, 0.15, 0))[1, 1], 0.15)


def test_a_number_of_readout_is_its_own_wires():
    """Results once depended on the order in which numbers were drawn."""
    confusion = torch.tensor([[0.9, 0.2], [0.1, 0.8]], dtype=F64)
    indices = torch.tensor([0b000, 0b101, 0b111])
    u = qf.uniforms((3, 3), 0, dtype=F64)
    before = qf.to_bits(noise.sample_readout(indices, confusion, u), 3)
    ones = torch.where(qf.to_bits(indices, 3) == 1, 0.8, 0.1)
    assert torch.equal(before, (u < ones).to(torch.int64))
    for wire in range(3):
        other = u.clone()
        other[:, wire] = 1 - other[:, wire]
        after = qf.to_bits(noise.sample_readout(indices, confusion, other), 3)
        unchanged = [w for w in range(3) if w != wire]
        assert torch.equal(after[:, unchanged], before[:, unchanged])


def test_a_number_of_a_trajectory_is_its_own_channels():
    """In the order of ops and, within one, of its wire sets."""
    circuit = qf.circuit(3, noise.bit_flip(0.5, [2, 0]), noise.bit_flip(0.5, 1))
    for wires in itertools.product((0, 1), repeat=3):
        u = torch.tensor([0.9 if flips else 0.1 for flips in wires])
        state, _ = qf.run_trajectory(circuit, u)
        expected = f"{wires[1]}{wires[2]}{wires[0]}"
        assert torch.equal(qf.probs(state), qf.probs(qf.basis_state(expected)))


def test_readout_is_of_the_wire_that_is_read_after_wires_were_mapped():
    """Once the error of another qubit was taken."""
    each = torch.tensor([[[0.9, 0.2], [0.1, 0.8]], [[0.7, 0.4], [0.3, 0.6]]], dtype=F64)
    circuit = qf.circuit(2, qf.ry(0.7, 0), qf.ry(1.9, 1), qf.cx(0, 1))
    expected = noise.readout(qf.probs(circuit(dtype=C128)), each)
    new = {0: 2, 1: 0}
    moved = circuit.map_wires(new, 3)(dtype=C128)
    read = noise.readout(qf.probs(moved), each, [new[0], new[1]])
    found = read.reshape(2, 2, 2).sum(1).T.reshape(-1)
    assert (found - expected).abs().max() < tolerance(F64, 64)
    swapped = noise.readout(qf.probs(moved), each, [0, 2]).reshape(2, 2, 2).sum(1).T.reshape(-1)
    assert (swapped - expected).abs().max() > 0.01


def test_kraus_operators_act_on_each_state_of_a_batch():
    """A formula for density matrices once met a batch of states, with plausible numbers."""
    circuit = qf.circuit(
        2, noise.amplitude_damping(0.3, [0, 1]), qf.cx(0, 1), noise.depolarizing(0.2, 1)
    )
    states = torch.stack(
        [qf.random_state(one) for one in qf.uniforms((4, 2, 4), 0, dtype=F64)]
    )  # as many as a state has entries, so that the batch has the form of a matrix
    u = qf.uniforms((4, noise.n_draws(circuit)), 1, dtype=F64)
    mapped = vmap(lambda u, s: qf.run_trajectory(circuit, u, s).state)(u, states)
    alone = [qf.run_trajectory(circuit, *pair).state for pair in zip(u, states, strict=True)]
    assert (mapped - torch.stack(alone)).abs().max() < tolerance(F64, 64)
    norms = mapped.abs().square().sum(-1)
    assert (norms - 1).abs().max() < tolerance(F64, 64)
    densities = vmap(lambda s: qf.run_density(circuit, s.outer(s.conj())))(states)
    for state, rho in zip(states, densities, strict=True):
        expected = qf.run_density(circuit, state.outer(state.conj()))
        assert (rho - expected).abs().max() < tolerance(F64, 64)
    with pytest.raises(ValueError, match="one flat statevector"):
        qf.run_trajectory(circuit, u[0], states)


@pytest.mark.parametrize("wires", [(0, 1), (1, 0)])
def test_noise_on_two_qubits_comes_in_either_order(wires):
    """Once noise came for one order of a gate's qubits only; its first letter is the gate's first
    wire.
    """
    row = noise.pauli_errors(["XI"])
    model = noise.noise_model(noise.rule(row, 0.25, gates=qf.cz, wires=[(0, 1)]))
    noisy = noise.with_noise(qf.circuit(2, qf.cz(*wires)), model)
    rho = qf.run_density(noisy, dtype=C128)
    flipped = "".join("1" if wire == wires[0] else "0" for wire in range(2))
    near(rho[int(flipped, 2), int(flipped, 2)], 0.25)
    near(rho[0, 0], 0.75)


def test_values_are_not_looked_at_under_transforms():
    """Checks of values once broke vmap and jit; here they are for Python numbers only."""

    def coherence(p):
        return qf.run_density(qf.circuit(1, qf.h(0), noise.phase_flip(p, 0)))[0, 1].real

    p = torch.tensor([0.0, 0.25, 1.0, 1.5], dtype=F64)
    expected = (1 - 2 * p) / 2
    for found in (vmap(coherence)(p), qf.jit(vmap(coherence))(p)):
        assert (found - expected).abs().max() < tolerance(F64, 64)
    slopes = vmap(grad(coherence))(p)
    assert (slopes + 1).abs().max() < tolerance(F64, 64)
    with pytest.raises(ValueError, match="must be in"):
        noise.phase_flip(1.5, 0)


EACH = (*noise.CHANNELS, noise.pauli_errors(("ZX", "YI")), noise.pauli_errors(("XYZ",)))


@pytest.mark.parametrize("row", EACH, ids=lambda row: row.name)
@pytest.mark.parametrize("seed", [0, 1])
def test_what_trajectories_do_is_the_superoperator(row, seed):
    """The operators that samples meet, composed: no sampling, phases and all.

    Branch by branch, `sqrt(probability) * state` from each basis state are the columns of `K`.
    """
    u = 0.4 * qf.uniforms(row.n_params, seed, dtype=F64)
    if row.name == "thermal_relaxation":
        u = torch.tensor([0.4, 0.7, 0.5 + seed, 0.3], dtype=F64)
    n = row.n_wires
    circuit = qf.circuit(n, row(*u, *range(n)))
    strengths = [one[None] for one in u]
    taken = row.mixture(*strengths)[0] if row.mixture else row.kraus(*strengths)
    states = torch.eye(2**n, dtype=C128)

    def columns(branch, start):
        run = noise.run_pattern(circuit, branch[None], start)
        return run.probability.sqrt() * run.state

    branches = torch.arange(taken.shape[1])
    found = vmap(vmap(columns, (None, 0)), (0, None))(branches, states).mT  # as K[row, column]
    total = torch.einsum("bij,bkl->ikjl", found, found.conj()).reshape((4**n,) * 2)
    bound = tolerance(F64, 256)
    assert (total - row.matrices(*strengths)[0]).abs().max() < bound
    by_density = vmap(vmap(lambda a, b: qf.run_density(circuit, a.outer(b)), (None, 0)), (0, None))
    exact = by_density(states, states).flatten(0, 1).flatten(1).mT
    assert (total - exact).abs().max() < bound
