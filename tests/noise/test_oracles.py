"""Closed forms of noise, each with its gradients, by the density matrix and by all its branches."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.compare import central_difference
from torch.func import grad, jacrev, vmap

import quilt_func as qf
from quilt_func import noise
from quilt_func.testing import fd_tolerance, tolerance

F64, C128 = torch.float64, torch.complex128
Z, X = qf.pauli_sum({"Z": 1.0}), qf.pauli_sum({"X": 1.0})


def by_density(circuit, observable):
    return qf.expval(qf.run_density(circuit), observable)


def by_patterns(circuit, observable):
    """The sum over all branches of all channels: nothing in common but the rows' operators."""
    sizes = []
    for op in circuit.ops:
        if isinstance(op.gate, noise.Channel):
            example = [torch.full((1,), 0.5, dtype=F64)] * op.gate.n_params
            rows = op.gate.mixture(*example)[0] if op.gate.mixture else op.gate.kraus(*example)
            sizes += [rows.shape[1]] * len(op.wires)
    patterns = torch.tensor(list(itertools.product(*map(range, sizes))))

    def value(branches):
        run = noise.run_pattern(circuit, branches)
        return run.probability * qf.expval(run.state, observable)

    return vmap(value)(patterns).sum()


each_way = pytest.mark.parametrize("value_of", [by_density, by_patterns])


def agree(found, expected, *point, scale=1.0):
    """Values, gradients and second derivatives of two functions of numbers."""
    arguments = tuple(range(len(point)))
    bound = tolerance(F64, 256, 8.0 * scale)
    assert abs(found(*point) - expected(*point)) < bound
    slopes = [torch.stack(grad(f, arguments)(*point)) for f in (found, expected)]
    assert (slopes[0] - slopes[1]).abs().max() < bound
    for i in arguments:
        curves = [
            torch.stack(grad(lambda *p, f=f, i=i: grad(f, i)(*p), arguments)(*point))
            for f in (found, expected)
        ]
        assert (curves[0] - curves[1]).abs().max() < 4 * bound


def numbers(*values):
    return tuple(torch.tensor(value, dtype=F64) for value in values)


@each_way
@pytest.mark.parametrize("point", [(math.pi / 2, 0.2), (0.8, 0.15), (2.3, 0.9)])
def test_damping_of_a_turned_qubit(value_of, point):
    """⟨Z⟩ = cos θ (1 - γ) + γ and ⟨X⟩ = sin θ sqrt(1 - γ)."""

    def of(observable):
        return lambda theta, gamma: value_of(
            qf.circuit(1, qf.ry(theta, 0), noise.amplitude_damping(gamma, 0)), observable
        )

    at = numbers(*point)
    agree(of(Z), lambda t, g: t.cos() * (1 - g) + g, *at)
    agree(of(X), lambda t, g: t.sin() * (1 - g).sqrt(), *at, scale=64.0)
    if point == (math.pi / 2, 0.2):
        slopes = grad(of(Z), (0, 1))(*at)
        assert abs(slopes[0] + 0.8) < tolerance(F64, 64)
        assert abs(slopes[1] - 1.0) < tolerance(F64, 64)


@each_way
@pytest.mark.parametrize("times", [1, 2, 4])
def test_depolarizing_again_and_again(value_of, times):
    """⟨Z⟩ = (1 - 4p/3)^k."""
    (p,) = numbers(0.2)
    agree(
        lambda p: value_of(qf.circuit(1, [noise.depolarizing(p, 0)] * times), Z),
        lambda p: (1 - 4 * p / 3) ** times,
        p,
    )


@each_way
def test_order_of_channels(value_of):
    """P(1) = p (1 - γ) if the flip comes first, p if it comes last."""
    ones = qf.pauli_sum({"I": 0.5, "Z": -0.5})
    point = numbers(0.3, 0.4)

    def of(order):
        def value(p, gamma):
            both = noise.bit_flip(p, 0), noise.amplitude_damping(gamma, 0)
            return value_of(qf.circuit(1, both[::order]), ones)

        return value

    agree(of(1), lambda p, gamma: p * (1 - gamma), *point)
    agree(of(-1), lambda p, gamma: p + 0 * gamma, *point)


@each_way
@pytest.mark.parametrize("t2", [0.4, 1.0, 1.9])
def test_thermal_relaxation(value_of, t2):
    """Populations relax by exp(-t/T1) to the excited share, coherences by exp(-t/T2)."""

    def circuit(theta, t, t1, t2, excited):
        return qf.circuit(1, qf.ry(theta, 0), noise.thermal_relaxation(t, t1, t2, excited, 0))

    def z(theta, t, t1, _, excited):
        decay = (-t / t1).exp()
        return theta.cos() * decay + (1 - 2 * excited) * (1 - decay)

    point = numbers(1.1, 0.7, 1.0, t2, 0.2)
    agree(lambda *p: value_of(circuit(*p), Z), z, *point, scale=16.0)
    agree(
        lambda *p: value_of(circuit(*p), X),
        lambda theta, t, _, t2, __: theta.sin() * (-t / t2).exp(),
        *point,
        scale=16.0,
    )


def test_thermal_relaxation_is_dephasing_after_damping():
    """With its gradients: a lost coherence of 1 - exp(t/T1 - 2t/T2)."""
    word = qf.pauli_sum({"X": 0.7, "Z": 0.4})

    def one(t, t1, t2, excited):
        relaxed = noise.thermal_relaxation(t, t1, t2, excited, 0)
        return by_density(qf.circuit(1, qf.ry(torch.full_like(t, 1.1), 0), relaxed), word)

    def two(t, t1, t2, excited):
        gamma, lost = -torch.expm1(-t / t1), -torch.expm1(t / t1 - 2 * t / t2)
        damped = noise.generalized_amplitude_damping(gamma, excited, 0)
        both = damped, noise.phase_damping(lost, 0)
        return by_density(qf.circuit(1, qf.ry(torch.full_like(t, 1.1), 0), both), word)

    for t2 in (0.6, 1.5):
        agree(one, two, *numbers(0.7, 1.0, t2, 0.2), scale=64.0)


@each_way
@pytest.mark.parametrize("n", [2, 3, 5])
def test_ghz_states_under_phase_flips(value_of, n):
    """Parity (1 - 2p)^n; fidelity (1 + (1 - 2p)^n) / 2."""

    def circuit(p):
        chain = [(i, i + 1) for i in range(n - 1)]
        return qf.circuit(n, qf.h(0), qf.cx(chain), noise.phase_flip(p, range(n)))

    (p,) = numbers(0.15)
    agree(
        lambda p: value_of(circuit(p), qf.pauli_sum({"X" * n: 1.0})),
        lambda p: (1 - 2 * p) ** n,
        p,
        scale=4.0,
    )
    ghz = qf.ghz_state(n, dtype=C128)
    agree(
        lambda p: value_of(circuit(p), qf.hermitian(ghz.outer(ghz))),
        lambda p: (1 + (1 - 2 * p) ** n) / 2,
        p,
        scale=4.0,
    )


UNIT = st.floats(0.0, 1.0)


@given(gamma=UNIT, excited=UNIT)
def test_damping_keeps_its_fixed_point(gamma, excited):
    """diag(1 - e, e), and from any state by repetition, if there is damping at all."""
    fixed = torch.diag(torch.tensor([1 - excited, excited], dtype=C128))
    op = noise.generalized_amplitude_damping(gamma, excited, 0)
    assert (qf.run_density(qf.circuit(1, op), fixed) - fixed).abs().max() < tolerance(F64, 64)
    if gamma > 0.3:
        rho = qf.run_density(qf.circuit(1, qf.ry(0.7, 0), [op] * 200), dtype=C128)
        assert (rho - fixed).abs().max() < tolerance(F64, 4096)


UNITAL = (
    noise.bit_flip, noise.phase_flip, noise.bit_phase_flip, noise.depolarizing,
    noise.two_qubit_depolarizing, noise.phase_damping, noise.over_rotation_x,
    noise.pauli_errors(("ZX", "XI", "YY")),
)  # fmt: skip


@given(st.sampled_from(UNITAL), UNIT, UNIT)
def test_unital_channels_keep_the_fully_mixed_state(row, p, q):
    n, strengths = row.n_wires, [p / 3, q / 3, p * q / 3][: row.n_params]
    mixed = torch.eye(2**n, dtype=C128) / 2**n
    found = qf.run_density(qf.circuit(n, row(*strengths, *range(n))), mixed)
    assert (found - mixed).abs().max() < tolerance(F64, 64)


def choi(row, strengths):
    """`Σ |i⟩⟨j| ⊗ Φ(|i⟩⟨j|)`, by running it on a half of pairs."""
    n = row.n_wires
    pairs = torch.eye(2**n, dtype=C128).reshape(-1)
    circuit = qf.circuit(2 * n, row(*strengths, *range(n, 2 * n)))
    return qf.run_density(circuit, pairs.outer(pairs))


@given(st.sampled_from(noise.CHANNELS), st.lists(UNIT, min_size=4, max_size=4))
def test_choi_matrices_are_positive_and_their_trace_is_the_identity(row, drawn):
    strengths = [number / (3 if row.joint else 1) for number in drawn[: row.n_params]]
    if row is noise.thermal_relaxation:
        t, t1, t2, excited = drawn
        strengths = [t, 0.1 + t1, (0.1 + t1) * (0.1 + 1.9 * t2), excited]
    n = row.n_wires
    found = choi(row, strengths)
    bound = tolerance(F64, 256, 2.0**n)
    assert torch.linalg.eigvalsh(found).min() > -bound
    inner = found.reshape((2**n,) * 4).diagonal(0, 1, 3).sum(-1)
    assert (inner - torch.eye(2**n)).abs().max() < bound


RECOVERED = 2e-4
"""How near an estimate is to come, as the task states it."""


def brickwork(bits):
    n = 12
    layer = [qf.rxx(0.31, [(i, i + 1) for i in range(start, n - 1, 2)]) for start in (0, 1)]
    flips = [i for i, bit in enumerate(bits) if bit == "1"]
    return qf.circuit(n, qf.x(flips), layer, layer)


def test_errors_of_the_readout_are_recovered_by_descent():
    """Twelve qubits, four inputs, two layers: 0.034 and 0.011 to 2e-4 in 120 steps of Adam."""
    inputs = ("0" * 12, "1" * 12, "01" * 6, "0011" * 3)
    true = torch.stack([qf.probs(brickwork(bits)(dtype=C128)) for bits in inputs])

    def confusion(errors):
        p01, p10 = errors.sigmoid().unbind()  # read 0 as 1, and 1 as 0
        return torch.stack([torch.stack([1 - p01, p10]), torch.stack([p01, 1 - p10])])

    def read(matrix):
        return vmap(lambda p: noise.readout(p, matrix))(true)

    given_errors = torch.tensor([[1 - 0.034, 0.011], [0.034, 1 - 0.011]], dtype=F64)
    seen, opt = read(given_errors), qf.optim.adam(0.1)

    def loss(errors):
        return ((read(confusion(errors)).clamp(min=1e-12).log()) * -seen).sum()

    errors = torch.tensor([-2.0, -2.0], dtype=F64)
    state = opt.init(errors)
    for _ in range(120):
        updates, state = opt.update(grad(loss)(errors), state)
        errors = errors + updates
    found = errors.sigmoid()
    assert abs(found[0] - 0.034) < RECOVERED
    assert abs(found[1] - 0.011) < RECOVERED


def test_slopes_of_readout_by_differences():
    p = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=F64)
    A = torch.tensor([[0.9, 0.2], [0.1, 0.8]], dtype=F64).reshape(-1)

    def value(a):
        return (noise.readout(p, a.reshape(2, 2)) * torch.arange(4.0, dtype=F64)).sum()

    slopes, expected = jacrev(value)(A), central_difference(value, A)
    assert (slopes - expected).abs().max() < fd_tolerance(F64, 16.0)
