"""Extrapolation to no noise: closed forms, numpy's fits, and errors against samples."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.mitigation import (
    check_decay,
    check_line,
    check_richardson,
    check_zero_noise,
    polynomial_weights,
)
from torch.func import grad, jacfwd, vmap

import quilt_func as qf
from quilt_func import noise
from quilt_func.noise import extrapolate, fold_gates, fold_global, zero_noise
from quilt_func.testing import strategies, tolerance

F64 = torch.float64
SCALES = st.lists(st.integers(2, 12), min_size=3, max_size=5, unique=True)
METHODS = ("linear", "richardson", "exponential")


def some(n):
    return strategies.uniforms(n)


@given(st.data(), SCALES)
def test_lines_are_numpys(data, halves):
    scales = [half / 2 for half in halves]
    values, errors = data.draw(some(len(scales))), 0.1 + data.draw(some(len(scales)))
    check_line(extrapolate, scales, values, errors)


@given(st.data(), SCALES)
def test_richardson_is_exact_for_polynomials(data, halves):
    scales = [half / 2 for half in halves]
    coefficients = data.draw(some(len(scales))).tolist()
    check_richardson(extrapolate, scales, coefficients, data.draw(some(len(scales))))


@pytest.mark.parametrize("c", [0.1, 0.3, 1.5])
@pytest.mark.parametrize(("a", "b"), [(0.0, 1.0), (0.7, -0.4)])
def test_decays_are_those_of_the_closed_form(c, a, b):
    check_decay(extrapolate, a + b * (-c * torch.tensor([1.0, 3.0, 5.0], dtype=F64)).exp())


@pytest.mark.parametrize("c", [1e-4, 0.01, 0.3, 2.0])
@pytest.mark.parametrize("scales", [[1, 3, 5], [1, 1.5, 4, 7], [2, 3, 4, 5, 6, 9]])
def test_decays_are_found(c, scales):
    at = torch.tensor(scales, dtype=F64)
    values = 0.3 + 0.6 * (-c * at).exp()
    for known in ({}, {"asymptote": 0.3}):
        found = extrapolate(scales, values, method="exponential", **known)
        assert abs(found.value - 0.9) < tolerance(F64, 256, math.exp(c * max(scales)))
    # through so many values that they tell an error, and it is none
    assert len(scales) == 3 or found.error < tolerance(F64, 256, math.exp(c * max(scales)))


def test_a_line_misses_a_decay_by_second_order():
    """Of `exp(-c s)` at 1, 3, 5 a line gives `1 - 19/6 c**2`, and the parabola `1 - 5/2 c**3`."""
    for c in (1e-2, 1e-3):
        values = (-c * torch.tensor([1.0, 3.0, 5.0], dtype=F64)).exp()
        line, parabola = (1 - extrapolate([1, 3, 5], values, method=m).value for m in METHODS[:2])
        assert abs(line / c**2 - 19 / 6) < 8 * c
        assert abs(abs(parabola) / c**3 - 5 / 2) < 16 * c


def test_errors_of_richardson_are_lagranges_weights():
    weights = torch.tensor([15 / 8, -5 / 4, 3 / 8], dtype=F64)
    errors = torch.tensor([0.1, 0.2, 0.3], dtype=F64)
    found = grad(lambda y: extrapolate([1, 3, 5], y, method="richardson").value)(errors)
    assert (found - weights).abs().max() < tolerance(F64, 4, 4.0)
    error = extrapolate([1, 3, 5], errors, errors, method="richardson").error
    assert abs(error - (weights * errors).square().sum().sqrt()) < tolerance(F64, 4)


@pytest.mark.parametrize("method", [*METHODS, "known"])
def test_errors_are_those_of_samples(method):
    """The spread of results is the standard error, to the sampling error of a spread."""
    kind = {"asymptote": 0.1} if method == "known" else {}
    how = {"method": "exponential" if kind else method} | kind
    scales, shots = [1, 2, 4, 6], 8_000
    errors = torch.tensor([1.0, 2.0, 1.5, 1.0], dtype=F64) * 1e-3
    true = 0.1 + 0.8 * (-0.3 * torch.tensor(scales, dtype=F64)).exp()
    normal = torch.special.ndtri(qf.uniforms((shots, 4), 0, dtype=F64))
    found = vmap(lambda y: extrapolate(scales, y, errors, **how).value)(true + errors * normal)
    expected = extrapolate(scales, true, errors, **how).error
    assert abs(found.std() / expected - 1) < 5 / math.sqrt(2 * shots)
    centre = extrapolate(scales, true, errors, **how).value
    assert abs(found.mean() - centre) < 5 * expected / math.sqrt(shots) + expected**2 * 4


def test_errors_that_nobody_gave():
    """From how far values are from a line, as numpy has it; none where a curve meets them all."""
    values = torch.tensor([0.9, 0.72, 0.5, 0.41], dtype=F64)
    scales = [1, 2, 4, 5]
    weights = polynomial_weights(scales, 1)
    slope = values.numpy() @ (weights - polynomial_weights([s + 1 for s in scales], 1))
    found = extrapolate(scales, values)
    line = float(found.value) + float(slope) * torch.tensor(scales, dtype=F64)
    rest = (values - line).square().sum() / 2
    assert abs(found.error - (rest * float((weights**2).sum())).sqrt()) < tolerance(F64, 16)
    for n, how in ((2, "linear"), (4, "richardson"), (3, "exponential")):
        assert extrapolate(scales[:n], values[:n], method=how).error.isnan()
    known = {"method": "exponential", "asymptote": 0.1}
    assert extrapolate(scales[:2], values[:2], **known).error.isnan()
    assert extrapolate(scales[:3], values[:3], **known).error > 0


def test_values_that_do_not_decay_give_a_bound():
    """No decay gives what a constant, a line or a jump gives, and finite slopes."""
    at = [1, 3, 5]
    flat = torch.full((3,), 0.5, dtype=F64)
    rising = torch.tensor([0.9, 0.8, 0.6], dtype=F64)  # faster and faster
    for values, expected in ((flat, 0.5), (rising, float(extrapolate(at, rising).value))):
        found = extrapolate(at, values, method="exponential").value
        assert abs(found - expected) < 1e-4 * 2
        slopes = grad(lambda y: extrapolate(at, y, method="exponential").value)(values)
        assert slopes.isfinite().all()


@pytest.mark.parametrize("method", METHODS)
def test_transforms_and_precision(method):
    def value(y):
        return extrapolate([1, 2, 4, 6], y, method=method).value

    values = torch.tensor([0.9, 0.72, 0.5, 0.41], dtype=F64)
    batch = torch.stack([values, values.square(), values.sqrt()])
    looped = torch.stack([grad(value)(one) for one in batch])
    for mapped in (
        vmap(grad(value))(batch),
        vmap(jacfwd(value))(batch),
        qf.jit(vmap(grad(value)))(batch),
    ):
        assert (mapped - looped).abs().max() < tolerance(F64, 256, 16.0)
    single = extrapolate([1, 2, 4, 6], values.float(), torch.full((4,), 0.01), method=method)
    assert single.value.dtype == single.error.dtype == torch.float32
    assert abs(single.value - value(values)) < 16 * tolerance(torch.float32, 16)


@pytest.mark.parametrize("fold", [fold_global, fold_gates])
@pytest.mark.parametrize("scales", [(1, 3, 5), (1, 1.7, 2.9, 3.3)])
def test_depolarizing_noise_is_taken_away(fold, scales):
    check_zero_noise(zero_noise, scales, fold)


def test_less_noise_is_left_than_there_was():
    """On a machine's noise, which is no decay: each method leaves less."""
    model = noise.noise_model(
        noise.rule(noise.two_qubit_depolarizing, 0.01, gates=qf.cx),
        noise.rule(noise.amplitude_damping, 0.002),
    )
    chain = [(0, 1), (1, 2)]
    circuit = qf.circuit(3, qf.ry(0.4, range(3)), qf.cx(chain), qf.rx(0.7, range(3)), qf.cx(chain))
    energy = qf.pauli_sum({"ZZI": 1.0, "IXX": 0.5, "IIZ": -0.3})

    def value(circuit):
        return qf.expval(
            qf.run_density(noise.with_noise(circuit, model), dtype=torch.complex128), energy
        )

    ideal = qf.expval(circuit(dtype=torch.complex128), energy)
    before = abs(value(circuit) - ideal)
    for fold in (fold_global, fold_gates):
        left = [abs(zero_noise(value, circuit, fold=fold, method=m).value - ideal) for m in METHODS]
        assert left[0] < 0.5 * before
        assert max(left[1:]) < 0.1 * before


def test_strengths_have_slopes():
    """What is left of the noise is third order in the strength for three scales."""

    def mitigated(p):
        model = noise.noise_model(noise.rule(noise.depolarizing, p))

        def value(circuit):
            return qf.expval(
                qf.run_density(noise.with_noise(circuit, model)), qf.pauli_sum({"Z": 1.0})
            )

        return zero_noise(value, qf.circuit(1, qf.x(0)), method="richardson").value

    p = torch.tensor(0.0, dtype=F64)
    assert abs(grad(mitigated)(p)) < tolerance(F64, 64, 16.0)
    assert abs(grad(grad(mitigated))(p)) < tolerance(F64, 64, 256.0)
    assert abs(grad(grad(grad(mitigated)))(p)) > 1


def test_estimates_carry_their_errors():
    """What `extrapolate` gives of means and errors, by weights; of means alone it is another."""
    circuit = qf.circuit(1, qf.rx(0.4, 0))
    values = {1: 0.9, 3: 0.75, 5: 0.62}
    sizes = {1: 0.01, 3: 0.02, 5: 0.05}

    def measured(folded):
        n = len(folded)
        return qf.Estimate(*(torch.tensor(one[n], dtype=torch.float64) for one in (values, sizes)))

    found = zero_noise(measured, circuit)
    mean, error = (torch.tensor(list(one.values()), dtype=torch.float64) for one in (values, sizes))
    expected = extrapolate([1, 3, 5], mean, error)
    assert (found.value, found.error) == (expected.value, expected.error)
    alone = zero_noise(lambda folded: measured(folded).mean, circuit)
    assert alone.value != found.value
    assert alone.error != found.error
