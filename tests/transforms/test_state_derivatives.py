"""Complex states as inputs: gradients, tangents, batches, and Jacobians through `view_as_real`.

torch's convention for a real function of a complex state: the gradient is `∂f/∂re + i ∂f/∂im`.
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import dense
from oracles.compare import assert_close, assert_close_fd, central_difference
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

import quilt_func as qf
from quilt_func.testing import strategies as qst

WORDS = ["XIZ", "ZYI", "IZZ"]
TERMS = qf.pauli_sum(dict(zip(WORDS, [0.5, -0.25, 0.25], strict=True)))


def circuit(theta):
    pairs = [(0, 1), (1, 2), (2, 0)]
    return qf.circuit(3, qf.rx(theta, range(3)), qf.cx(pairs), qf.rzz(0.3, pairs), qf.s([0, 1]))


def matrix(theta):
    return torch.from_numpy(dense.circuit_matrix(3, circuit(theta).ops))


def of_diagonal(state):
    return qf.expval(state, qf.diagonal(torch.arange(8, dtype=state.real.dtype)))


def of_matrix(state):
    matrix = torch.from_numpy(dense.sum_matrix(WORDS, [1, 1, 1]))
    return qf.expval(state, qf.hermitian(matrix.to(state.dtype)))


FUNCTIONS = {
    "expval of words": lambda state: qf.expval(state, TERMS),
    "expval of a diagonal": of_diagonal,
    "expval of a matrix": of_matrix,
    "variance": lambda state: qf.variance(state, TERMS),
    "covariance": lambda state: qf.covariance(state, TERMS, qf.pauli_sum({"ZZZ": 1.0})),
    "probs": lambda state: qf.probs(state)[5] - qf.probs(state)[2],
    "marginal": lambda state: qf.marginal(state, [2, 0])[1],
    "fidelity": lambda state: qf.fidelity(qf.ghz_state(3, dtype=state.dtype), state),
    "fidelity, first": lambda state: qf.fidelity(state, qf.w_state(3, dtype=state.dtype)),
    "purity": lambda state: qf.purity(qf.reduced_density(state, [0, 2])),
    "circuit": lambda state: qf.expval(circuit(0.7)(state), TERMS),
    "norm": lambda state: circuit(0.4)(state).abs().square().sum(),
}
each_function = pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
SCALE = {"n_gates": 64, "scale": 64.0}


def random_state(seed=0, batch=()):
    u = qf.uniforms((*batch, 2, 8), seed, dtype=torch.float64)
    return qf.random_state(u) if not batch else vmap(qf.random_state)(u)


def as_real(f):
    return lambda pairs: f(torch.view_as_complex(pairs))


@each_function
def test_gradient_is_the_finite_difference(f):
    state = random_state()
    expected = central_difference(as_real(f), torch.view_as_real(state))
    assert_close_fd(torch.view_as_real(grad(f)(state)), expected, scale=16)


@each_function
def test_transforms_agree(f):
    state, tangent = random_state(), random_state(1)
    slope = grad(f)(state)
    value, pull = vjp(f, state)
    assert_close(pull(torch.ones_like(value))[0], slope, **SCALE)
    along = jvp(f, (state,), (tangent,))[1]
    assert_close(along, (slope.conj() * tangent).sum().real, **SCALE)
    leaf = state.clone().requires_grad_()
    f(leaf).backward()
    assert_close(leaf.grad, slope, **SCALE)
    real = torch.view_as_real(slope)
    pairs = torch.view_as_real(state)
    assert_close(jacrev(as_real(f))(pairs), real, **SCALE)
    assert_close(jacfwd(as_real(f))(pairs), real, **SCALE)


@each_function
def test_second_derivatives(f):
    pairs = torch.view_as_real(random_state(2))
    expected = central_difference(grad(as_real(f)), pairs)
    got = hessian(as_real(f))(pairs)
    assert_close_fd(got, expected, scale=64)
    assert_close(jacfwd(jacfwd(as_real(f)))(pairs), got, **SCALE)
    assert_close(jacrev(jacrev(as_real(f)))(pairs), got, **SCALE)


@each_function
def test_states_made_of_real_and_imaginary_parts(f):
    """The gradient of `torch.complex`, mapped, refuses tensors that are conjugated lazily."""
    states = random_state(3, batch=(2,))

    def of_parts(re, im):
        return f(torch.complex(re, im))

    slopes = torch.stack([grad(f)(s) for s in states])
    mapped = vmap(grad(of_parts, (0, 1)))(states.real, states.imag)
    assert_close(torch.complex(*mapped), slopes, **SCALE)


@each_function
def test_batches_of_states(f):
    states = random_state(3, batch=(3,))
    assert_close(vmap(f)(states), torch.stack([f(s) for s in states]), **SCALE)
    slopes = torch.stack([grad(f)(s) for s in states])
    assert_close(vmap(grad(f))(states), slopes, **SCALE)
    assert_close(grad(lambda s: vmap(f)(s).sum())(states), slopes, **SCALE)
    last = vmap(f, in_dims=1)(states.mT.contiguous())
    assert_close(last, vmap(f)(states), **SCALE)


@each_function
def test_single_precision_stays(f):
    double, tangent = random_state(4), random_state(5)
    state = double.to(torch.complex64)
    slope = grad(f)(state)
    pushed = jvp(f, (state,), (tangent.to(state.dtype),))[1]
    assert (f(state).dtype, slope.dtype, pushed.dtype) == (
        torch.float32,
        torch.complex64,
        torch.float32,
    )
    assert_close(slope, grad(f)(state.to(torch.complex128)), **SCALE)


def test_circuit_is_linear_and_so_is_its_jvp():
    theta = torch.tensor([0.3, -0.8, 1.1], dtype=torch.float64)
    state, tangent = random_state(5), random_state(6)
    pushed = jvp(circuit(theta), (state,), (tangent,))[1]
    assert_close(pushed, circuit(theta)(tangent), **SCALE)
    assert_close(pushed, matrix(theta) @ tangent, **SCALE)


def test_circuit_vjp_is_the_adjoint():
    theta = torch.tensor([0.3, -0.8, 1.1], dtype=torch.float64)
    state, cotangent = random_state(7), random_state(8)
    _, pull = vjp(circuit(theta), state)
    assert_close(pull(cotangent)[0], circuit(theta).inverse()(cotangent), **SCALE)
    assert_close(pull(cotangent)[0], matrix(theta).mH @ cotangent, **SCALE)


@pytest.mark.parametrize(
    "in_dims", [(0, None), (None, 0), (0, 0), (1, 0)], ids=["angles", "states", "both", "axis 1"]
)
def test_batches_of_angles_and_of_states(in_dims):
    thetas = qf.uniforms((4, 3), 9, dtype=torch.float64)
    states = random_state(10, batch=(4,))
    angles = thetas if in_dims[0] is not None else thetas[0]
    given = states if in_dims[1] is not None else states[0]
    got = vmap(lambda t, s: circuit(t)(s), in_dims)(angles.mT if in_dims[0] == 1 else angles, given)
    rows = [
        circuit(thetas[i if in_dims[0] is not None else 0])(states[i if in_dims[1] == 0 else 0])
        for i in range(4)
    ]
    assert_close(got, torch.stack(rows), **SCALE)


def test_nested_batches_of_angles_and_of_states():
    thetas = qf.uniforms((2, 3), 11, dtype=torch.float64)
    states = random_state(12, batch=(4,))

    def value(theta, state):
        return qf.expval(circuit(theta)(state), TERMS)

    rows = torch.stack([torch.stack([value(t, s) for s in states]) for t in thetas])
    nested = vmap(vmap(value, (None, 0)), (0, None))(thetas, states)
    assert_close(nested, rows, **SCALE)
    turned = vmap(vmap(value, (0, None)), (None, 0), out_dims=1)(thetas, states)
    assert_close(turned, rows, **SCALE)
    both = vmap(vmap(grad(value, (0, 1)), (None, 0)), (0, None))(thetas, states)
    singles = [[grad(value, (0, 1))(t, s) for s in states] for t in thetas]
    for i in (0, 1):
        expected = torch.stack([torch.stack([one[i] for one in row]) for row in singles])
        assert_close(both[i], expected, **SCALE)


@given(data=st.data())
def test_state_gradient_of_random_circuits(data):
    drawn = data.draw(qst.circuits(max_qubits=6))
    n = drawn.n_qubits
    words = data.draw(qst.pauli_sums(n))
    state = data.draw(qst.states(n))
    full = dense.circuit_matrix(n, drawn.ops)
    seen = full.conj().T @ dense.sum_matrix(words.words, words.coefficients.tolist()) @ full
    got = grad(lambda s: qf.expval(drawn(s), words))(state)
    steps = 32 * (drawn.n_gates + 1)
    assert_close(got, 2 * seen @ state.numpy(), n_gates=steps, scale=2 * len(words))
