"""States and what is read off them, against the dense oracle; uniform numbers."""

import math
from functools import reduce

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import dense
from oracles.compare import assert_close, assert_close_fd, central_difference
from torch.func import grad, hessian, jacfwd, vmap

import quilt_func as qf
from quilt_func.testing import strategies as qst

F32, F64 = torch.float32, torch.float64
COMPLEX = [torch.complex64, torch.complex128]
each_dtype = pytest.mark.parametrize("dtype", COMPLEX, ids=str)
MADE = {
    "zero": lambda n, dtype: qf.zero_state(n, dtype=dtype),
    "basis": lambda n, dtype: qf.basis_state("1" * n, dtype=dtype),
    "ghz": lambda n, dtype: qf.ghz_state(n, dtype=dtype),
    "w": lambda n, dtype: qf.w_state(n, dtype=dtype),
    "random": lambda n, dtype: qf.random_state(qf.uniforms((2, 2**n), n, dtype=dtype.to_real())),
    "product": lambda n, dtype: qf.product_state([qf.ghz_state(1, dtype=dtype)] * n),
}


@each_dtype
@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_states_are_normalised_vectors(make, n, dtype):
    state = make(n, dtype)
    assert (state.dtype, tuple(state.shape)) == (dtype, (2**n,))
    assert_close(state.abs().square().sum(), 1.0, n_gates=2**n)


@each_dtype
@given(bits=st.text("01", max_size=8))
def test_basis_state(dtype, bits):
    expected = reduce(np.kron, [np.eye(2)[int(bit)] for bit in bits], np.ones(1))
    assert_close(qf.basis_state(bits, dtype=dtype), expected)
    assert_close(qf.zero_state(len(bits), dtype=dtype), dense.zero_state(len(bits)))


def test_states_made_by_circuits():
    made = qf.circuit(3, qf.h(0), qf.cx([(0, 1), (1, 2)]))()
    assert_close(qf.ghz_state(3), made, n_gates=8)
    single = [qf.basis_state(bits) for bits in ("100", "010", "001")]
    assert_close(qf.w_state(3), sum(single) / math.sqrt(3), n_gates=8)


@given(data=st.data())
def test_product_state_is_the_kronecker_product(data):
    sizes = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    factors = [data.draw(qst.states(n)) for n in sizes]
    expected = reduce(np.kron, [factor.numpy() for factor in factors])
    assert_close(qf.product_state(factors), expected, n_gates=8)
    assert_close(qf.product_state(iter(factors)), expected, n_gates=8)


@given(data=st.data())
def test_reduced_density_is_the_partial_trace(data):
    n = data.draw(st.integers(1, 4))
    state = data.draw(qst.states(n))
    wires = data.draw(qst.wires(n, size=data.draw(st.integers(0, min(2, n)))))
    rho = qf.reduced_density(state, wires)
    assert_close(rho, dense.reduced_density(state, wires), n_gates=2**n)
    assert_close(qf.purity(rho), float(np.trace(np.linalg.matrix_power(rho.numpy(), 2)).real),
                 n_gates=2**n)  # fmt: skip
    assert_close(qf.entropy(rho), dense.entropy(rho.numpy()), n_gates=64, scale=64.0)


def test_a_random_state_has_a_finite_slope_at_0():
    """Uniform numbers are in [0, 1): the radius' root has an infinite slope there."""
    u = torch.tensor([[0.0, 0.5], [0.25, 0.75]], dtype=F64)
    assert grad(lambda u: qf.random_state(u).real.sum())(u).isfinite().all()


def test_one_wire_may_be_an_int_of_numpy():
    state = qf.ghz_state(2)
    assert_close(qf.reduced_density(state, [np.int64(1)]), 0.5 * np.eye(2), n_gates=8)


@given(data=st.data())
def test_overlap_and_fidelity(data):
    n = data.draw(st.integers(0, 5))
    a, b = data.draw(qst.states(n)), data.draw(qst.states(n))
    inner = complex(np.vdot(a.numpy(), b.numpy()))
    assert_close(qf.overlap(a, b), inner, n_gates=2**n)
    assert_close(qf.fidelity(a, b), abs(inner) ** 2, n_gates=2**n)
    assert_close(qf.fidelity(a, a), 1.0, n_gates=2**n)


def angle_state(theta):
    return qf.circuit(2, qf.ry(theta[0], 0), qf.cx(0, 1), qf.rx(theta[1], 1))()


def test_entropy_of_a_turned_pair():
    """The reduced state of wire 0 has eigenvalues cos²(θ/2) and sin²(θ/2)."""
    theta = torch.tensor([0.8, 0.3], dtype=F64)

    def f(t):
        return qf.entropy(qf.reduced_density(angle_state(t), [0]))

    c, s = math.cos(0.4) ** 2, math.sin(0.4) ** 2
    assert_close(f(theta), -c * math.log(c) - s * math.log(s), n_gates=64)
    slope = math.cos(0.4) * math.sin(0.4) * math.log(c / s)
    assert_close(grad(f)(theta), np.array([slope, 0.0]), n_gates=256)
    assert_close(vmap(grad(f))(theta[None])[0], grad(f)(theta), n_gates=256)
    assert_close_fd(hessian(f)(theta), central_difference(grad(f), theta), scale=4)


def test_entropy_of_a_pure_state_has_a_finite_gradient():
    def f(t):
        return qf.entropy(qf.reduced_density(qf.circuit(2, qf.ry(t, 0))(), [0]))

    slope = grad(f)(torch.tensor(0.3, dtype=F64))
    assert torch.isfinite(slope)


@pytest.mark.parametrize("n", [1, 3])
def test_random_states_average_to_the_haar_measure(n):
    """Mean |ψ_b|² = 1/N and mean |ψ_b|⁴ = 2/(N(N+1)), within 5 standard errors."""
    draws, size = 4096, 2**n
    states = vmap(qf.random_state)(qf.uniforms((draws, 2, size), 7, dtype=F64))
    p = states.abs().square()
    for power, mean in ((1, 1 / size), (2, 2 / (size * (size + 1)))):
        values = p.pow(power)
        error = 5 * float(values.std(0).max()) / math.sqrt(draws)
        assert float((values.mean(0) - mean).abs().max()) <= error
    phase = states[:, 0] / states[:, 0].abs()
    assert float(phase.mean().abs()) <= 5 / math.sqrt(draws)


def test_random_state_is_differentiable():
    u = qf.uniforms((2, 4), 3, dtype=F64)

    def f(v):
        return qf.probs(qf.random_state(v))[1]

    assert_close_fd(grad(f)(u), central_difference(f, u), scale=64)
    assert_close(jacfwd(f)(u), grad(f)(u), n_gates=64)


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_uniforms_replay(dtype):
    a = qf.uniforms((3, 5), 11, dtype=dtype)
    assert torch.equal(a, qf.uniforms([3, 5], 11, dtype=dtype))
    assert torch.equal(a, qf.uniforms((3, 5), torch.Generator().manual_seed(11), dtype=dtype))
    assert not torch.equal(a, qf.uniforms((3, 5), 12, dtype=dtype))
    assert (a.dtype, tuple(a.shape), tuple(qf.uniforms(4, 0).shape)) == (dtype, (3, 5), (4,))
    assert bool(((a >= 0) & (a < 1)).all())


def test_a_generator_advances_and_the_global_one_does_not():
    generator = torch.Generator().manual_seed(0)
    first, second = (qf.uniforms(4, generator) for _ in range(2))
    assert not torch.equal(first, second)
    before = torch.get_rng_state()
    qf.uniforms(4, 0)
    assert torch.equal(before, torch.get_rng_state())


def test_uniforms_do_not_follow_the_default_dtype():
    before, usual = torch.get_default_dtype(), qf.uniforms(4, 0)
    try:
        torch.set_default_dtype(F64)
        again = qf.uniforms(4, 0)
    finally:
        torch.set_default_dtype(before)
    assert again.dtype == usual.dtype
    assert torch.equal(again, usual)
