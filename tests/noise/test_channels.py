"""Channels: laws of every row, textbook values, and what is refused."""

import copy
import math
import pickle

import pytest
import torch
from torch.func import grad, jacrev, vmap

import quilt_func as qf
from quilt_func import noise
from quilt_func.testing import channel_laws, tolerance

F64 = torch.float64
ROWS = (*noise.CHANNELS, noise.pauli_errors(("ZZ", "XI", "YX")), noise.pauli_errors(("X",)))
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@noise.channel(n_wires=1)
def forgetting(p):
    """Loses everything with probability p."""
    keep, lose, zero = (1 - p).sqrt(), p.sqrt(), torch.zeros_like(p)
    half = 0.5**0.5 * lose
    rows = [
        [keep, zero, zero, keep], [half, zero, zero, zero], [zero, half, zero, zero],
        [zero, zero, half, zero], [zero, zero, zero, half],
    ]  # fmt: skip
    return torch.stack([torch.stack(row) for row in rows]).unflatten(-1, (2, 2))


@each_row
def test_laws(row):
    channel_laws(row)()


def test_laws_of_a_channel_of_ones_own():
    laws = ["labels", "dtype", "trace", "positive", "operators", "wires", "batch"]
    channel_laws(forgetting, only=laws)()


@each_row
def test_rows_are_kept_by_pickle_and_copy(row):
    assert pickle.loads(pickle.dumps(row)) is row
    assert copy.deepcopy(row) is row


def plus():
    return qf.circuit(1, qf.h(0))()


def density(*parts, n=1, dtype=torch.complex128):
    return qf.run_density(qf.circuit(n, *parts), dtype=dtype)


def near(got, expected):
    assert abs(float(got) - expected) < tolerance(F64, 64, max(1.0, abs(expected)))


Z = qf.pauli_sum({"Z": 1.0})
X = qf.pauli_sum({"X": 1.0})


def test_damping_of_a_turned_qubit():
    """⟨Z⟩ = cos θ (1 - γ) + γ, ⟨X⟩ = sin θ sqrt(1 - γ), with their derivatives."""

    def values(theta, gamma):
        circuit = qf.circuit(1, qf.ry(theta, 0), noise.amplitude_damping(gamma, 0))
        return torch.stack([qf.expval(qf.run_density(circuit), one) for one in (Z, X)])

    theta, gamma = torch.tensor(math.pi / 2, dtype=F64), torch.tensor(0.2, dtype=F64)
    z, x = values(theta, gamma)
    near(z, 0.2)
    near(x, math.sqrt(0.8))
    (z_theta, x_theta), (z_gamma, x_gamma) = (jacrev(values, i)(theta, gamma) for i in (0, 1))
    for got, expected in (
        (z_theta, -0.8), (z_gamma, 1.0), (x_theta, 0.0), (x_gamma, -0.5 / math.sqrt(0.8)),
    ):  # fmt: skip
        near(got, expected)
    mixed = grad(lambda t: grad(lambda g: values(t, g)[0])(gamma))(theta)
    near(mixed, 1.0)


@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize("p", [0.0, 0.1, 1.0])
def test_depolarizing_again_and_again(times, p):
    def z(p):
        circuit = qf.circuit(1, [noise.depolarizing(p, 0)] * times)
        return qf.expval(qf.run_density(circuit), Z)

    p = torch.tensor(p, dtype=F64)
    shrunk = float(1 - 4 * p / 3)
    near(z(p), shrunk**times)
    near(grad(z)(p), -4 * times / 3 * shrunk ** (times - 1))


@pytest.mark.parametrize("t2", [0.4, 1.0, 1.9, 2.0])
def test_both_regimes_of_thermal_relaxation(t2):
    """Populations relax by t1 to the excited share, coherences by t2, below t1 and above."""
    t, t1, excited = 0.7, 1.0, 0.2
    rho = density(qf.ry(1.1, 0), noise.thermal_relaxation(t, t1, t2, excited, 0))
    start, decay = math.sin(0.55) ** 2, math.exp(-t / t1)
    near(rho[1, 1].real, start * decay + excited * (1 - decay))
    near(rho[0, 1].real, 0.5 * math.sin(1.1) * math.exp(-t / t2))
    near(rho.diagonal().real.sum(), 1.0)


def test_coherence_after_t2():
    """|+⟩ after t = t2 has the coherence 1 / 2e."""
    rho = density(qf.h(0), noise.thermal_relaxation(1.0, 0.6, 1.0, 0.0, 0))
    near(rho[0, 1].real, 0.5 / math.e)


def test_thermal_relaxation_is_phase_damping_after_damping():
    t, t1, t2, excited = 0.7, 1.0, 1.5, 0.2
    lost = 1 - math.exp(t / t1 - 2 * t / t2)
    both = density(
        qf.ry(1.1, 0),
        noise.generalized_amplitude_damping(1 - math.exp(-t / t1), excited, 0),
        noise.phase_damping(lost, 0),
    )
    one = density(qf.ry(1.1, 0), noise.thermal_relaxation(t, t1, t2, excited, 0))
    assert (both - one).abs().max() < tolerance(F64, 64)


def test_generalized_damping_ends_in_the_excited_share():
    rho = density(qf.h(0), noise.generalized_amplitude_damping(1.0, 0.3, 0))
    near(rho[1, 1].real, 0.3)
    near(rho[0, 1].abs(), 0.0)


@pytest.mark.parametrize("n", [2, 4])
def test_ghz_states_under_phase_flips(n):
    p = 0.15
    chain = qf.h(0), qf.cx([(i, i + 1) for i in range(n - 1)])
    rho = density(*chain, noise.phase_flip(p, range(n)), n=n)
    near(qf.fidelity(qf.ghz_state(n, dtype=torch.complex128), rho), (1 + (1 - 2 * p) ** n) / 2)
    near(qf.expval(rho, qf.pauli_sum({"X" * n: 1.0})), (1 - 2 * p) ** n)


def test_order_of_channels():
    p, gamma = 0.3, 0.4
    flip, damp = noise.bit_flip(p, 0), noise.amplitude_damping(gamma, 0)
    near(density(flip, damp)[1, 1].real, p * (1 - gamma))
    near(density(damp, flip)[1, 1].real, p)


def test_two_qubit_noise_has_no_preferred_wire():
    """Wires in either order, for a channel that is symmetric in them."""
    chain = qf.h(0), qf.cx(0, 1), qf.ry(0.3, 1)
    row = noise.two_qubit_depolarizing
    one, other = (density(*chain, row(0.2, *wires), n=2) for wires in ((0, 1), (1, 0)))
    assert (one - other).abs().max() < tolerance(F64, 64)
    shrunk = 1 - 16 * 0.2 / 15
    mixed = shrunk * density(*chain, n=2) + (1 - shrunk) * torch.eye(4, dtype=F64) / 4
    assert (one - mixed).abs().max() < tolerance(F64, 64)


def test_reset_and_over_rotation():
    near(density(qf.x(0), noise.reset_channel(0.25, 0))[0, 0].real, 0.25)
    turned = density(noise.over_rotation_x(0.4, 0.3, 0))
    near(qf.expval(turned, Z), math.exp(-0.045) * math.cos(0.4))
    coherent = density(noise.over_rotation_y(0.4, 0.0, 0))
    near(qf.fidelity(qf.circuit(1, qf.ry(0.4, 0))(dtype=torch.complex128), coherent), 1.0)


def test_given_operators_and_superoperators():
    p = torch.tensor(0.2, dtype=F64)
    operators = noise.amplitude_damping.kraus(p[None])[0]
    matrix = noise.amplitude_damping.matrices(p[None])[0]
    start = qf.ry(1.0, range(2))
    known = density(start, noise.amplitude_damping(p, range(2)), n=2)
    for op in (noise.kraus(operators, range(2)), noise.superoperator(matrix, range(2))):
        assert (density(start, op, n=2) - known).abs().max() < tolerance(F64, 64)

    def z(p):
        own = noise.amplitude_damping.kraus(p[None])[0]
        return qf.expval(qf.run_density(qf.circuit(1, qf.ry(1.0, 0), noise.kraus(own, 0))), Z)

    near(grad(z)(p), 1 - math.cos(1.0))


def test_strengths_map_and_share():
    p = torch.tensor([0.1, 0.3], dtype=F64)
    both = density(qf.h(range(2)), noise.phase_flip(p, range(2)), n=2)
    one = [density(qf.h(0), noise.phase_flip(q, 0)) for q in p]
    assert (both - torch.kron(*one)).abs().max() < tolerance(F64, 64)
    swept = vmap(lambda q: density(qf.h(0), noise.phase_flip(q, 0)))(p)
    assert (swept - torch.stack(one)).abs().max() < tolerance(F64, 64)


def test_weak_numbers_are_exact():
    rho = density(qf.h(0), noise.phase_flip(0.1, 0))
    assert abs(rho[0, 1] - 0.4) < 4 * torch.finfo(F64).eps
