"""Properties of noise, on random circuits of gates and channels of every form."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles.densities import dense_run, random_density
from torch.func import grad

import quilt_func as qf
from quilt_func import noise
from quilt_func.testing import NOISE_LAWS, fd_tolerance, noise_laws, tolerance
from quilt_func.testing import strategies as qst
from quilt_func.testing._noise_case import noise_cases

F64, C128 = torch.float64, torch.complex128
UNITAL = [
    noise.bit_flip, noise.phase_flip, noise.bit_phase_flip, noise.pauli_channel,
    noise.depolarizing, noise.two_qubit_depolarizing, noise.phase_damping, noise.over_rotation_x,
    noise.over_rotation_y, noise.over_rotation_z,
]  # fmt: skip
MIXTURES = [row for row in noise.CHANNELS if row.mixture is not None]
SEEDS = st.integers(0, 2**16 - 1)


def circuits(most=3, **options):
    return st.integers(1, most).flatmap(lambda n: qst.noisy_circuits(n, **options))


UNITAL_CIRCUITS = st.integers(1, 3).flatmap(
    lambda n: st.lists(
        qst.channel_ops(n, rows=[row for row in UNITAL if row.n_wires <= n], derived=False),
        max_size=4,
    ).map(lambda ops: qf.circuit(n, qf.h(range(n)), ops))
)


def bound(circuit, scale=4.0):
    """Rounding; angles reach 12, and operators of one op are several."""
    return tolerance(F64, 256 * (1 + circuit.n_gates), 4 * scale)


def shifted(circuit, t):
    """All angles moved by a number, and all strengths less by a part."""
    ops = []
    for op in circuit.ops:
        is_channel, m = isinstance(op.gate, noise.Channel), len(op.wires)
        if not op.gate.param_shape:
            moved = [(1 - t / 2) * p if is_channel else p + t for p in op.params]
            op = qf.Op(op.gate, op.wires, tuple(p.expand(m) for p in moved))
        ops.append(op)
    return qf.Circuit(circuit.n_qubits, tuple(ops))


@given(circuits(), SEEDS)
def test_densities_are_those_of_dense_matrices(circuit, seed):
    rho = random_density(circuit.n_qubits, seed)
    found = qf.run_density(circuit, rho)
    assert np.abs(found.numpy() - dense_run(circuit, rho.numpy())).max() < bound(circuit)


@given(circuits(2, max_ops=5), SEEDS)
def test_slopes_are_differences_of_dense_matrices(circuit, seed):
    """Inside the bounds, along a direction of all angles and strengths."""
    rho, h = random_density(circuit.n_qubits, seed), torch.finfo(F64).eps ** (1 / 3)
    energy = qf.hermitian(random_density(circuit.n_qubits, seed + 1))
    matrix = energy.matrix.numpy()
    middle = torch.tensor(0.5, dtype=F64)

    def value(t):
        return qf.expval(qf.run_density(shifted(circuit, t), rho), energy)

    def dense(t):
        return float(np.trace(matrix @ dense_run(shifted(circuit, t), rho.numpy())).real)

    def slope(step):
        return (dense(middle + step) - dense(middle - step)) / (2 * step)

    truncated = abs(slope(2 * h) - slope(h))  # three times the error of the smaller step
    limit = fd_tolerance(F64, 64.0 * (1 + circuit.n_gates)) + truncated
    assert abs(float(grad(value)(middle)) - slope(h)) < limit


@given(circuits(), SEEDS, st.floats(0, 1))
def test_it_is_linear_in_the_matrix_before(circuit, seed, share):
    a, b = (random_density(circuit.n_qubits, seed + i) for i in range(2))
    mixed = qf.run_density(circuit, share * a + (1 - share) * b)
    each = share * qf.run_density(circuit, a) + (1 - share) * qf.run_density(circuit, b)
    assert (mixed - each).abs().max() < bound(circuit)


@given(circuits(), SEEDS)
def test_states_become_no_easier_to_tell_apart(circuit, seed):
    """Contractive in trace distance; exactly as far apart without channels."""
    a, b = (random_density(circuit.n_qubits, seed + i, rank=1 + i) for i in range(2))
    before = qf.trace_distance(a, b)
    after = qf.trace_distance(qf.run_density(circuit, a), qf.run_density(circuit, b))
    assert after < before + bound(circuit, 8.0)
    if not noise.n_draws(circuit):
        assert abs(after - before) < bound(circuit, 8.0)


@given(UNITAL_CIRCUITS, SEEDS)
def test_unital_channels_make_nothing_purer(circuit, seed):
    n = circuit.n_qubits
    rho = random_density(n, seed, rank=1)
    assert qf.purity(qf.run_density(circuit, rho)) < qf.purity(rho) + bound(circuit)
    mixed = torch.eye(2**n, dtype=torch.complex128) / 2**n
    assert (qf.run_density(circuit, mixed) - mixed).abs().max() < bound(circuit)


def test_others_do():
    """Damping is not unital: the law above would see it."""
    damp = qf.circuit(1, noise.amplitude_damping(0.9, 0))
    mixed = torch.eye(2, dtype=torch.complex128) / 2
    assert qf.purity(qf.run_density(damp, mixed)) > qf.purity(mixed)


test_the_mean_over_all_branches_is_the_density = noise_laws(
    lambda circuit: circuit, circuits=circuits(2, max_ops=4, max_sets=2), only=["trajectories"]
)


@given(
    st.integers(1, 2).flatmap(
        lambda n: qst.noisy_circuits(
            n, max_ops=4, max_sets=1, channels=[r for r in MIXTURES if r.n_wires <= n]
        )
    ),
)
def test_mixtures_by_every_choice_of_unitaries(circuit):
    """Uniform numbers in the middle of each choice, by products of probabilities alone."""
    choices = [
        op.gate.mixture(*(torch.as_tensor(p, dtype=F64).reshape(1) for p in op.params))[0][0]
        for op in circuit.ops
        if isinstance(op.gate, noise.Channel) and op.wires and op.gate.mixture is not None
    ]
    kraus = [
        op
        for op in circuit.ops
        if isinstance(op.gate, noise.Channel) and op.wires and op.gate.mixture is None
    ]
    assume(not kraus and np.prod([len(p) for p in choices]) <= 256)
    total = 0.0
    for pattern in np.ndindex(*(len(p) for p in choices)):
        weight = float(np.prod([float(p[i]) for p, i in zip(choices, pattern, strict=True)]))
        if weight > 0:
            ends = [float(p[:i].sum() + p[i] / 2) for p, i in zip(choices, pattern, strict=True)]
            u, start = torch.tensor(ends, dtype=F64), qf.zero_state(circuit.n_qubits).to(C128)
            state = noise.run_trajectory(circuit, u, start).state
            total = total + weight * torch.outer(state, state.conj())
    start = torch.zeros_like(total)
    start[0, 0] = 1
    assert (qf.run_density(circuit, start) - total).abs().max() < bound(circuit)


LAWS = ["density", "kept", "register", "moved", "trajectories", "mapped"]


@pytest.mark.parametrize("law", LAWS)
@given(data=st.data(), n=st.integers(1, 3))
def test_models_of_every_form_keep_the_laws(law, data, n):
    model = data.draw(qst.noise_models(n))
    own = qst.circuits(min_qubits=n, max_qubits=n, max_ops=4)
    NOISE_LAWS[law](model, data.draw(noise_cases(own)))
