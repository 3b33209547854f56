"""Shift rules: exact on every wave of the gaps, cheapest where known, found from matrices."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from systems import beam_splitter, damp

import quilt_func as qf
from quilt_func._shift_rules import _generator, rule_of, shift_rule
from quilt_func.testing import strategies as qst
from quilt_func.testing.tolerances import tolerance

F64 = torch.float64
BOUND = tolerance(F64, 2**10)


@qf.gate(n_wires=1)
def squared(theta):
    return qf.rx.matrices(theta.square()[None])[0]


def derivative(rule, function):
    """A rule's derivative at 0."""
    return sum(weight * function(shift) for shift, weight in rule)


def check_exact(rule, gaps, seed=0):
    """The rule differentiates random waves of these gaps, and a constant."""
    cos, sin = 2 * qf.uniforms((2, len(gaps)), seed, dtype=F64).numpy() - 1
    omega = np.array(gaps)

    def wave(theta):
        return 0.7 + (cos * np.cos(omega * theta) + sin * np.sin(omega * theta)).sum()

    weight = sum(abs(weight) for _, weight in rule)
    bound = BOUND * max(1.0, weight) * (1 + len(gaps))
    assert abs(derivative(rule, wave) - (omega * sin).sum()) <= bound


@given(n=st.integers(1, 8), unit=st.floats(0.1, 4.0), seed=st.integers(0, 99))
def test_equidistant_gaps(n, unit, seed):
    gaps = [unit * (k + 1) for k in range(n)]
    rule = rule_of(gaps)
    check_exact(rule, gaps, seed)
    assert len(rule) == 2 * n
    least = sum(abs(weight) for _, weight in rule)
    assert abs(least - gaps[-1]) <= BOUND * gaps[-1] * n, "no rule has a smaller sum"


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5, unique=True), st.integers(0, 99))
def test_any_gaps(numbers, seed):
    gaps = [math.sqrt(number) for number in sorted(numbers)]
    rule = rule_of(gaps)
    check_exact(rule, gaps, seed)
    assert sum(abs(weight) for _, weight in rule) >= gaps[-1] * (1 - BOUND)


def test_known_rules():
    """Two terms of Mitarai et al.; four of Anselmetti et al. (2021), New J. Phys. 23, 113010."""
    two, four = np.array(rule_of([1.0])), np.array(rule_of([0.5, 1.0]))
    assert np.abs(two - [[math.pi / 2, 0.5], [-math.pi / 2, -0.5]]).max() <= BOUND
    plus, minus = (math.sqrt(2) + 1) / (4 * math.sqrt(2)), (math.sqrt(2) - 1) / (4 * math.sqrt(2))
    expected = [[math.pi / 2, plus], [3 * math.pi / 2, -minus]]
    assert np.abs(four[::2] - expected).max() <= BOUND
    assert np.abs(four[1::2] + expected).max() <= BOUND


def test_closed_form_of_equidistant_rules():
    """Wierichs et al. (2022), equation 13."""
    for n in range(1, 7):
        mu = np.arange(1, n + 1)
        shifts = (2 * mu - 1) * math.pi / (2 * n)
        weights = (-1.0) ** (mu - 1) / (4 * n * np.sin(shifts / 2) ** 2)
        rule = np.array(rule_of([float(k) for k in range(1, n + 1)]))[::2]
        assert np.abs(rule - np.stack([shifts, weights], -1)).max() <= BOUND * n


GAPS = {
    qf.rx: [1.0],
    qf.p: [1.0],
    qf.rzz: [1.0],
    qf.cp: [1.0],
    qf.crx: [0.5, 1.0],
    qf.controlled(qf.rz, 2): [0.5, 1.0],
    qf.controlled(qf.crx): [0.5, 1.0],
    qf.inverse(qf.cry): [0.5, 1.0],
    qf.power(qf.ryy, -2.5): [2.5],
    beam_splitter: [1.0, 2.0],
    qf.givens: [1.0, 2.0],
    qf.single_excitation: [0.5, 1.0],
    qf.double_excitation: [0.5, 1.0],
    qf.u: [1.0],
    qf.controlled(qf.u): [0.5, 1.0],
}


@pytest.mark.parametrize(
    ("gate", "gaps"), GAPS.items(), ids=lambda value: getattr(value, "name", "")
)
def test_gaps_of_gates(gate, gaps):
    position = 0
    rule = shift_rule(gate, position)
    assert np.abs(np.array(rule) - rule_of(gaps)).max() <= BOUND


ANGLES = [(row, i) for row in qf.GATES for i in range(row.n_params)]


@pytest.mark.parametrize(
    ("row", "position"), ANGLES, ids=lambda value: getattr(value, "name", value)
)
@given(others=qst.angles(3), seed=st.integers(0, 99))
def test_the_matrix_has_no_other_waves(row, position, others, seed):
    """Any expectation value of any row is differentiated by its rule."""
    state = qf.random_state(qf.uniforms((2, 2**row.n_wires), seed, dtype=F64))
    diagonal = qf.uniforms(2**row.n_wires, seed + 100, dtype=F64)
    state, angles = row_state(row, state), others[: row.n_params]

    def value(shift):
        moved = angles.clone()
        moved[position] += shift
        image = row.matrices(*moved[:, None])[0] @ state
        image = turned(row.n_wires, seed) @ image
        return float((image.abs().square() * diagonal).sum())

    slope = (value(1e-5) - value(-1e-5)) / 2e-5
    assert abs(derivative(shift_rule(row, position), value) - slope) <= fd_bound()


def row_state(row, state):
    return state / state.abs().square().sum().sqrt()


def turned(n_wires, seed):
    columns = [
        qf.random_state(u) for u in qf.uniforms((2**n_wires, 2, 2**n_wires), seed, dtype=F64)
    ]
    return torch.linalg.qr(torch.stack(columns, -1))[0]


def fd_bound():
    """A difference over 2e-5: rounding by eps over the step, and the step squared."""
    return 64 * torch.finfo(F64).eps / 1e-5 + 16 * 1e-5**2


@pytest.mark.parametrize("row", [r for r in qf.GATES if r.generator is not None], ids=repr)
def test_generators_are_found_from_matrices(row):
    found = _generator(replace(row, generator=None), 0)
    assert np.abs(found - row.generator).max() <= BOUND


def test_gates_without_a_rule():
    assert shift_rule(damp, 0) is None, "not unitary"
    assert shift_rule(squared, 0) is None, "no group"
    assert shift_rule(qf.unitary(torch.eye(2).cfloat(), 0).gate, 0) is None, "a matrix, no angle"


def test_the_unit_generator_needs_no_runs():
    """A phase of everything changes no expectation value."""
    assert shift_rule(replace(qf.rz, generator=np.eye(2, dtype=complex)), 0) == ()


@pytest.mark.parametrize("mutant", [[1.0], [0.5], [0.5, 1.1], [1.0, 2.0]], ids=str)
def test_rules_of_other_gaps_die(mutant):
    with pytest.raises(AssertionError):
        check_exact(rule_of(mutant), [0.5, 1.0])
