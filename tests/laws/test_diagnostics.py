"""Diagnostics against their closed forms: plateaus, Haar ensembles, spectra, dimensions, noise."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.compare import assert_close
from systems import beam_splitter
from torch.func import grad, jvp, vmap

import quilt_func as qf
from quilt_func.diagnostics import (
    allowed_frequencies,
    effective_dimension,
    entangling_capability,
    expressibility,
    fourier_coefficients,
    gradient_snr,
    gradient_variance,
    meyer_wallach,
)
from quilt_func.testing import strategies as qst

F64 = torch.float64
BOUNDS = {"n_gates": 2**10, "scale": 16.0}
FULL_TURN = 2 * math.pi


def haar(k, n, seed=0):
    return vmap(qf.random_state)(qf.uniforms((k, 2, 2**n), seed, dtype=F64))


def haar_unitaries(k, n, seed):
    """QR of Gaussian matrices, with the phases of R's diagonal taken out (Mezzadri, 2007)."""
    u = qf.uniforms((2, k, 2**n, 2**n), seed, dtype=F64)
    radius = (-2 * (1 - u[0]).log()).sqrt()
    q, r = torch.linalg.qr(torch.polar(radius, FULL_TURN * u[1]))
    phases = r.diagonal(dim1=-2, dim2=-1)
    return q * (phases / phases.abs())[:, None, :]


# --- gradients ---


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("tilt", [0.0, 0.8])
def test_barren_plateau(n, tilt):
    """With a random unitary behind a rotation: N (1 - ⟨P⟩²) / (2 (N² - 1))."""
    k, size = 4000, 2**n
    word = qf.pauli_sum({"Z" * n: 1.0})
    before = qf.circuit(n, qf.rx(tilt, 0))

    def energy(params):
        theta, behind = params["theta"], params["behind"]
        matrix = torch.complex(*behind.unbind(-1))
        parts = before, qf.ry(theta, 0), qf.unitary(matrix, *range(n))
        return qf.expval(qf.circuit(n, *parts)(), word)

    behind = torch.view_as_real(haar_unitaries(k, n, n))
    params = {"theta": FULL_TURN * qf.uniforms(k, 7, dtype=F64), "behind": behind}
    found = float(gradient_variance(energy, params)["theta"])
    # RX(tilt) turns |0⟩ to ⟨Y⟩ = -sin(tilt)
    expected = size * math.cos(tilt) ** 2 / (2 * (size**2 - 1))
    # a variance over k members has the relative error sqrt((kurtosis - 1) / k), kurtosis below 4
    assert abs(found - expected) <= 5 * expected * math.sqrt(3 / k)


def test_variances_are_those_of_a_loop():
    angles = qf.uniforms((5, 2, 2, 2), 0, dtype=F64)

    def energy(p):
        circuit = qf.circuit(2, qf.ansatz.hardware_efficient(p["theta"]))
        return p["scale"] * qf.expval(circuit(), qf.pauli_sum({"ZZ": 1.0}))

    params = {"theta": angles, "scale": torch.linspace(1, 2, 5, dtype=F64)}
    members = [{name: leaf[i] for name, leaf in params.items()} for i in range(5)]
    slopes = [grad(energy)(member) for member in members]
    for found in (
        gradient_variance(energy, params),
        gradient_variance(energy, params, chunk_size=2),
    ):
        for name, leaf in found.items():
            assert_close(leaf, torch.stack([slope[name] for slope in slopes]).var(0), **BOUNDS)


def test_signal_to_noise_of_a_spin():
    """Two runs of S shots at θ ± π/2, variance cos²θ each: |tan θ| sqrt(2 S)."""
    theta, shots, repeats = 0.6, 200, 3000
    z = qf.pauli_sum({"Z": 1.0})

    def estimate(params, u):
        def mean(circuit):
            return qf.expval_from_samples(qf.sample(circuit(), next(shot_rows)), z)

        shot_rows = iter(u)
        build = lambda sign: qf.circuit(1, qf.ry(params["a"] + sign * math.pi / 2, 0))  # noqa: E731
        return {"a": (mean(build(1)) - mean(build(-1))) / 2}

    u = qf.uniforms((repeats, 2, shots), 0)
    found = float(gradient_snr(estimate, {"a": torch.tensor(theta)}, u)["a"])
    expected = math.tan(theta) * math.sqrt(2 * shots)
    assert abs(found - expected) <= 5 * expected / math.sqrt(2 * repeats) + 5 / math.sqrt(repeats)


def test_no_noise_has_an_infinite_ratio():
    found = gradient_snr(lambda p, u: p + 0 * u, torch.tensor(1.0), torch.zeros(4))
    assert found == math.inf


# --- expressibility ---


def arcsine_divergence(n_bins):
    """H RZ(θ)|0⟩: fidelities cos²(Δ/2), with the arcsine law, against Haar's uniform one."""
    cdf = 2 / math.pi * np.arcsin(np.sqrt(np.linspace(0, 1, n_bins + 1)))
    share = np.diff(cdf)
    return float((share * np.log(share * n_bins)).sum())


def check_expressibility(divergence, n_bins=20, k=20_000):
    """One angle on a circle of states: ln(4/π), less what bins hide."""
    angles = FULL_TURN * qf.uniforms((2, k), 0, dtype=F64)
    states = vmap(vmap(lambda t: qf.circuit(1, qf.h(0), qf.rz(t, 0))()))(angles)
    found = float(divergence(*states, n_bins))
    noise = 5 * math.sqrt(2 * n_bins) / k + 5 * 0.6 / math.sqrt(k)
    assert abs(found - arcsine_divergence(n_bins)) <= noise


def test_a_histogram_has_no_slope():
    """It is flat wherever no fidelity changes its bin: that would be a silent 0."""
    u, other = 6 * qf.uniforms((2, 50), 0)

    def value(scale):
        turned = (vmap(lambda a: qf.circuit(1, qf.ry(a * scale, 0))())(v) for v in (u, other))
        return expressibility(*turned, 10)

    one = torch.tensor(1.0)
    for transform in (grad(value), lambda x: jvp(value, (x,), (x,))):
        with pytest.raises(TypeError, match="a histogram has no gradient"):
            transform(one)


def test_expressibility_of_a_circle_of_states():
    check_expressibility(expressibility)
    exact = [arcsine_divergence(10**power) for power in range(1, 7)]
    limit = math.log(4 / math.pi)
    assert all(a < b < limit for a, b in itertools.pairwise(exact))
    assert limit - exact[-1] <= 10 ** (-6 / 2)


def in_bits(states, others, n_bins):
    return expressibility(states, others, n_bins) / math.log(2)


def of_overlaps(states, others, n_bins):
    """Fidelities without the square."""
    found = vmap(qf.fidelity)(states, others).sqrt()
    share = torch.histc(found, n_bins, 0, 1) / len(found)
    return torch.xlogy(share, share * n_bins).sum()


@pytest.mark.parametrize("mutant", [in_bits, of_overlaps])
def test_expressibility_mutants_die(mutant):
    with pytest.raises(AssertionError):
        check_expressibility(mutant)


@pytest.mark.parametrize("n", [1, 2, 4, 6])
def test_random_states_are_expressive(n):
    """Only the noise of counting is left: about (bins - 1) / (2k)."""
    k, n_bins = 4000, 40
    found = float(expressibility(haar(k, n), haar(k, n, 1), n_bins))
    assert 0 <= found <= 2 * n_bins / k


def test_one_state_is_least_expressive():
    """All fidelities 1: the divergence is minus the logarithm of the last bin's weight."""
    for n, n_bins in ((1, 10), (3, 75), (12, 75)):
        states = qf.zero_state(n, dtype=torch.complex128).expand(4, -1)
        expected = (2**n - 1) * math.log(n_bins)
        found = expressibility(states, states, n_bins)
        assert_close(found, np.array(expected), n_gates=2**10, scale=expected)


# --- entanglement ---


@given(data=st.data())
def test_product_states_are_not_entangled(data):
    factors = [data.draw(qst.states(1)) for _ in range(data.draw(st.integers(1, 4)))]
    assert_close(meyer_wallach(qf.product_state(factors)), np.array(0.0), **BOUNDS)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_known_entanglement(n):
    """GHZ: every wire is mixed. W: purities 1 - 2 (n-1) / n²."""
    ghz, w = (make(n, dtype=torch.complex128) for make in (qf.ghz_state, qf.w_state))
    assert_close(meyer_wallach(ghz), np.array(1.0), **BOUNDS)
    assert_close(meyer_wallach(w), np.array(4 * (n - 1) / n**2), **BOUNDS)


def check_haar_mean(capability):
    """(N - 2) / (N + 1) for random states."""
    for n in (2, 3, 5):
        k, size = 2000, 2**n
        found = float(capability(haar(k, n, n)))
        assert abs(found - (size - 2) / (size + 1)) <= 5 * 0.3 / math.sqrt(k)


def test_random_states_have_haars_mean():
    check_haar_mean(entangling_capability)


@pytest.mark.parametrize("factor", [0.5, 4 / 3])
def test_entanglement_mutants_die(factor):
    with pytest.raises(AssertionError):
        check_haar_mean(lambda states: factor * entangling_capability(states))


# --- spectra ---


def uploads(gates):
    """A model that uploads one feature through gates between fixed, generic rotations."""

    def model(x):
        parts = [qf.ry(0.4, range(3)), qf.cx([(0, 1), (1, 2)])]
        for i, gate in enumerate(gates):
            wires = [(i + j) % 3 for j in range(gate.n_wires)]
            mix = qf.ry(0.3 + 0.2 * i, range(3)), qf.rx(1.1 - 0.3 * i, range(3))
            parts += [gate(x[0], *wires), *mix, qf.cx([(0, 1), (1, 2), (2, 0)])]
        return qf.expval(qf.circuit(3, parts)(), qf.pauli_sum({"ZII": 0.7, "IXY": 0.5}))

    return model


@pytest.mark.parametrize(
    "gates", [[qf.rx], [qf.rx, qf.rz], [qf.rx, qf.ry, qf.rzz], [beam_splitter, qf.rx]], ids=str
)
def test_models_have_the_allowed_frequencies_only(gates):
    allowed = allowed_frequencies(gates)
    found = fourier_coefficients(uploads(gates), 6)
    for frequency, coefficient in zip(range(-6, 7), found.tolist(), strict=True):
        seen = abs(coefficient) > 64 * torch.finfo(torch.float32).eps
        assert seen == (abs(frequency) in allowed)


@pytest.mark.parametrize("dtype", [torch.float32, F64], ids=str)
def test_coefficients_of_a_known_series(dtype):
    def series(x):
        a, b = x
        return 0.5 + (a - 2 * b).cos() + 3 * (2 * a).sin()

    expected = np.zeros((5, 5), dtype=complex)
    expected[2, 2], expected[3, 0], expected[1, 4] = 0.5, 0.5, 0.5
    expected[4, 2], expected[0, 2] = -1.5j, 1.5j
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(F64)  # which changes nothing
        found = fourier_coefficients(series, 2, 2, dtype=dtype)
    finally:
        torch.set_default_dtype(before)
    assert found.dtype == dtype.to_complex()
    assert_close(found, expected, **BOUNDS)


def test_coefficients_sum_to_the_model():
    model = uploads([qf.rx, qf.rz])
    coefficients, x = fourier_coefficients(model, 2), torch.tensor([0.83])
    angles = torch.arange(-2, 3) * x
    waves = torch.complex(angles.cos(), angles.sin())
    assert_close((coefficients * waves).sum().real, model(x), **BOUNDS)


def test_allowed_frequencies():
    assert allowed_frequencies([]) == (0.0,)
    assert allowed_frequencies([qf.ry] * 4) == (0.0, 1.0, 2.0, 3.0, 4.0)
    tripled = qf.power(qf.rz, 3)
    assert allowed_frequencies([qf.rz, tripled]) == (0.0, 1.0, 2.0, 3.0, 4.0)
    assert allowed_frequencies([qf.crx]) == (0.0, 0.5, 1.0)
    assert allowed_frequencies([beam_splitter]) == (0.0, 1.0, 2.0)


# --- effective dimension ---


@pytest.mark.parametrize(("p", "rank"), [(3, 3), (4, 1), (5, 2)])
def test_equal_information_in_some_directions(p, rank):
    """A projector of rank r everywhere, of any size: r ln(1 + κ p / r) / ln κ."""
    basis = torch.linalg.qr(qf.uniforms((p, p), 3, dtype=F64) - 0.5)[0][:, :rank]
    fishers = (7.5 * basis @ basis.mT).expand(6, p, p)
    n, gamma = 5000, 0.5
    kappa = gamma * n / (2 * math.pi * math.log(n))
    expected = rank * math.log(1 + kappa * p / rank) / math.log(kappa)
    assert_close(effective_dimension(fishers, n, gamma), np.array(expected), **BOUNDS)


def test_the_mean_is_over_volumes():
    """Two kinds of parameters, information 0 and 2 in one direction: a mean of roots."""
    fishers = torch.tensor([0.0, 2.0], dtype=F64)[:, None, None]
    kappa = 1000 / (2 * math.pi * math.log(1000))
    expected = 2 * math.log((1 + math.sqrt(1 + 2 * kappa)) / 2) / math.log(kappa)
    assert_close(effective_dimension(fishers, 1000), np.array(expected), **BOUNDS)


def test_dimension_of_a_model_is_at_most_its_angles():
    """A repeated axis adds angles and no dimension."""

    def outcome(theta):
        return qf.probs(qf.circuit(1, qf.ry(theta[0], 0), qf.ry(theta[1], 0))())

    angles = 1 + qf.uniforms((50, 2), 0, dtype=F64)
    fishers = vmap(lambda t: qf.classical_fisher(outcome, t))(angles)
    found = float(effective_dimension(fishers, 10**8))
    assert 1.0 <= found <= 1.1


# --- transforms ---


def test_everything_maps_over_ensembles():
    states, others = haar(24, 2).reshape(3, 8, 4), haar(24, 2, 1).reshape(3, 8, 4)
    fishers = qf.uniforms((3, 4, 2, 2), 0, dtype=F64)
    fishers = fishers @ fishers.mT
    for fn, args in (
        (lambda a, b: expressibility(a, b, 10), (states, others)),
        (entangling_capability, (states,)),
        (lambda f: effective_dimension(f, 1000), (fishers,)),
    ):
        loop = torch.stack([fn(*row) for row in zip(*args, strict=True)])
        assert_close(vmap(fn)(*args), loop, **BOUNDS)


def test_spectra_differentiate_in_what_they_close_over():
    def second(a):
        return fourier_coefficients(lambda x: a * x[0].cos() + a.square(), 1)[2].real

    a = torch.tensor(0.7)
    assert_close(grad(second)(a), np.array(0.5), **BOUNDS)
    assert_close(vmap(second)(a.expand(3)), np.full(3, 0.35), **BOUNDS)
