"""Ground states by Lanczos' method: energies, states, residuals and derivatives."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import dense
from oracles.compare import assert_close, assert_close_fd, central_difference
from torch.func import grad, hessian, jacfwd, jacrev, vmap

import quilt_func as qf
from quilt_func.pauli import lanczos
from quilt_func.testing import strategies as qst
from quilt_func.testing.tolerances import tolerance

F32, F64 = torch.float32, torch.float64
WORDS = ["XZI", "ZZI", "IYX", "IZY", "XXX", "IIZ"]
VALUES = torch.tensor([1.1, -0.7, 0.9, 0.4, 0.5, -1.3], dtype=F64)
START = qf.uniforms((2, 8), 0, dtype=F64)
OTHER = qf.random_state(qf.uniforms((2, 8), 9, dtype=F64))


def found(values, u=START, n_steps=100):
    return qf.ground_state(qf.pauli_sum(WORDS, values), u, n_steps)


def energy(values):
    return found(values).energy


def seen(values):
    """A real number of the state, phase and all."""
    overlap = torch.linalg.vecdot(OTHER, found(values).state)
    return overlap.real + 0.3 * overlap.imag


def exactly(values):
    return torch.linalg.eigvalsh(qf.pauli_sum(WORDS, values).to_matrix())[0]


def assert_lowest(result, observable):
    """It is an eigenpair, its eigenvalue is the lowest, and the residual says how good it is."""
    matrix = dense.sum_matrix(observable.words, [float(c) for _, c in observable.items()])
    scale = max(1.0, float(np.abs(matrix).sum(0).max()))
    n_gates = 64 * len(matrix)
    state = result.state.numpy()
    real = result.energy.dtype
    bound = tolerance(real, n_gates, scale)
    assert abs(float(result.energy) - np.linalg.eigvalsh(matrix)[0]) <= bound
    assert abs(np.linalg.norm(state) - 1) <= bound
    assert np.linalg.norm(matrix @ state - float(result.energy) * state) <= bound
    assert float(result.residual) <= bound


@pytest.mark.parametrize("real", [F32, F64], ids=str)
@given(data=st.data())
def test_it_is_the_lowest_of_all(real, data):
    n = data.draw(st.integers(1, 5))
    observable = data.draw(qst.pauli_sums(n, dtype=data.draw(st.sampled_from([None, real]))))
    u = qf.uniforms((2, 2**n), data.draw(st.integers(0, 99)), dtype=real)
    result = qf.ground_state(observable, u)
    assert (result.energy.dtype, result.state.dtype) == (real, real.to_complex())
    assert_lowest(result, observable)


DEGENERATE = {
    "nothing": {"III": 0.0},
    "a constant": {"III": 2.5},
    "one wire": {"ZII": 1.0, "III": 5.0},
    "small": {"IIZ": 10.0**-12},
    "two values": {"ZZI": 1.0, "IZZ": 1.0},
}


@pytest.mark.parametrize("terms", DEGENERATE.values(), ids=DEGENERATE)
def test_a_space_that_is_exhausted_early(terms):
    observable = qf.pauli_sum(terms)
    assert_lowest(qf.ground_state(observable, START), observable)


def test_critical_chain_of_free_fermions():
    """The energy of the periodic transverse-field Ising chain is -2 / sin(π / 2n) at J = h = 1."""
    n = 10
    ring = {("ZZ", (i, (i + 1) % n)): -1.0 for i in range(n)} | {
        ("X", (i,)): -1.0 for i in range(n)
    }
    result = qf.ground_state(qf.pauli_sum(ring, n_qubits=n), qf.uniforms((2, 2**n), 0, dtype=F64))
    assert_close(result.energy, -2 / math.sin(math.pi / (2 * n)), n_gates=2**n, scale=2 * n)


def test_the_residual_bounds_the_error_before_convergence():
    chain = qf.problems.transverse_field_ising(8, 1.0, 0.7)
    values = np.linalg.eigvalsh(chain.to_matrix().numpy())
    u = qf.uniforms((2, 2**8), 0, dtype=F64)
    errors = []
    for n_steps in (1, 3, 10, 30):
        result = qf.ground_state(chain, u, n_steps)
        errors.append(float(result.energy) - values[0])
        assert np.abs(values - float(result.energy)).min() <= float(result.residual)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.001 * errors[0]


# --- derivatives ---


def test_the_slope_is_that_of_hellmann_and_feynman():
    for slope in (grad(energy)(VALUES), jacfwd(energy)(VALUES)):
        assert_close(slope, grad(exactly)(VALUES), n_gates=256, scale=4)
    values = VALUES.clone().requires_grad_()
    energy(values).backward()
    assert_close(values.grad, grad(exactly)(VALUES), n_gates=256, scale=4)


def test_curvature_is_that_of_perturbation_theory():
    expected = central_difference(grad(energy), VALUES)
    assert_close_fd(hessian(energy)(VALUES), expected.reshape(6, 6), scale=16)
    assert_close(hessian(energy)(VALUES), hessian(exactly)(VALUES), n_gates=1024, scale=16)


@pytest.mark.parametrize("transform", [grad, jacfwd])
def test_the_state_moves_with_the_coefficients(transform):
    expected = central_difference(seen, VALUES)
    assert_close_fd(transform(seen)(VALUES), expected.reshape(6), scale=16)


def test_the_phase_moves_with_the_start():
    def of_start(u):
        return torch.linalg.vecdot(OTHER, found(VALUES, u).state).real

    expected = central_difference(of_start, START)
    assert_close_fd(grad(of_start)(START), expected.reshape(START.shape), scale=16)


def test_maps():
    many = VALUES + 0.3 * qf.uniforms((3, 6), 1, dtype=F64)
    starts = qf.uniforms((3, 2, 8), 2, dtype=F64)
    for fn in (energy, grad(energy), grad(seen), hessian(energy)):
        loop = torch.stack([fn(one) for one in many])
        assert_close(vmap(fn)(many), loop, n_gates=4096, scale=16)
    by_start = vmap(partial(found, VALUES))(starts)
    assert_close(by_start.energy, energy(VALUES).expand(3), n_gates=256, scale=4)
    both = vmap(vmap(found, (None, 0)), (0, None))(many, starts)
    assert both.state.shape == (3, 3, 8)
    assert_close(both.energy, vmap(energy)(many)[:, None].expand(3, 3), n_gates=256, scale=4)


REFUSED = {
    "curvature of the state": lambda: hessian(seen)(VALUES),
    "a third derivative": lambda: jacrev(jacrev(jacrev(energy)))(VALUES),
    "two levels of forward mode": lambda: jacfwd(jacfwd(energy))(VALUES),
}


@pytest.mark.parametrize("name", REFUSED)
def test_derivatives_that_are_not_known_are_refused(name):
    with pytest.raises(TypeError, match=r"ground_state\(\): .*, but got .*\. Take"):
        REFUSED[name]()


# --- mutants ---


def overlapping(vector, rows):
    """Orthogonal to the last two vectors only, as Lanczos' recurrence is on paper."""
    return _without(vector, rows[..., -2:, :])


_without = lanczos._without


def test_mutant_without_orthogonality_dies(monkeypatch):
    """Rounding brings the lowest vector back, and the combination is no unit vector."""
    chain = qf.problems.transverse_field_ising(6, 1.0, 0.2)
    u = qf.uniforms((2, 64), 0, dtype=F64)
    basis = lanczos.krylov(chain.apply, qf.random_state(u), 64).basis
    assert_orthonormal(basis)
    monkeypatch.setattr(lanczos, "_without", overlapping)
    with pytest.raises(AssertionError):
        assert_orthonormal(lanczos.krylov(chain.apply, qf.random_state(u), 64).basis)


def assert_orthonormal(rows):
    """Rows of norm 1 or 0."""
    gram = rows @ rows.mH
    norms = gram.diagonal().real.round()
    assert_close(gram, torch.diag(norms).to(gram), n_gates=4096, scale=1)


def test_mutant_without_dead_directions_dies(monkeypatch):
    """Places that nothing is left for must be above the others, not at 0."""
    real = lanczos._tridiagonal

    def at_zero(diagonal, beside, alive):
        return real(diagonal, beside, [torch.ones_like(one) for one in alive])

    monkeypatch.setattr(lanczos, "_tridiagonal", at_zero)
    with pytest.raises(AssertionError):
        test_a_space_that_is_exhausted_early(DEGENERATE["one wire"])


def test_mutant_response_dies(monkeypatch):
    """Perturbation theory of the opposite sign."""
    from quilt_func.pauli import rules

    right = rules.response
    monkeypatch.setattr(rules, "response", lambda *args: -right(*args))
    for check in (
        test_curvature_is_that_of_perturbation_theory,
        partial(test_the_state_moves_with_the_coefficients, grad),
    ):
        with pytest.raises(AssertionError):
            check()
