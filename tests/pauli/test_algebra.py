"""Pauli sums as an algebra, as sparse matrices, and as dicts, against dense matrices."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import dense
from oracles.compare import assert_close

import quilt_func as qf
from quilt_func.testing import strategies as qst

F32, F64, C128 = torch.float32, torch.float64, torch.complex128


def dense_of(observable):
    values = observable.coefficients
    numbers = list(values) if isinstance(values, tuple) else values.detach().tolist()
    return dense.sum_matrix(observable.words, numbers)


def size(*sums):
    """The product of the sums' norms, at least 1 each."""
    return float(np.prod([max(1.0, np.abs(dense_of(one)).sum(0).max()) for one in sums]))


def assert_is(found, expected, *parts):
    assert_close(dense_of(found), expected, n_gates=64, scale=size(*parts), dtype=C128)


@st.composite
def several(draw, n_sums, max_qubits=3):
    n = draw(st.integers(1, max_qubits))
    kinds = st.sampled_from([None, F64])
    return [draw(qst.pauli_sums(n, dtype=draw(kinds))) for _ in range(n_sums)]


@given(sums=several(1), number=st.floats(-3, 3), as_tensor=st.booleans())
def test_a_number_is_so_many_identities(sums, number, as_tensor):
    (a,) = sums
    constant = torch.tensor(number, dtype=F64) if as_tensor else number
    one = number * np.eye(2**a.n_qubits)
    for found, expected in [
        (a + constant, dense_of(a) + one), (constant + a, dense_of(a) + one),
        (a - constant, dense_of(a) - one), (constant - a, one - dense_of(a)),
    ]:  # fmt: skip
        assert_is(found, expected, a + number)


def test_python_can_sum_them():
    a, b = qf.pauli_sum({"X": 1.0}), qf.pauli_sum({"Z": 2.0})
    assert sum([a, b]).words == ("X", "Z")


@given(sums=several(1), exponent=st.integers(0, 4))
def test_powers(sums, exponent):
    (a,) = sums
    expected = np.linalg.matrix_power(dense_of(a), exponent)
    assert_is(a**exponent, expected, *[a] * exponent)


def assert_brackets(commutator, anticommutator, a, b):
    A, B = dense_of(a), dense_of(b)
    assert_is(commutator, 1j * (A @ B - B @ A), a, b)
    assert_is(anticommutator, A @ B + B @ A, a, b)


@given(sums=several(2))
def test_commutators(sums):
    a, b = sums
    assert_brackets(qf.commutator(a, b), qf.anticommutator(a, b), a, b)


@given(sums=several(3))
def test_the_identity_of_jacobi(sums):
    total = [qf.commutator(x, qf.commutator(y, z)) for x, y, z in (sums, sums[1:] + sums[:1],
             sums[2:] + sums[:2])]  # fmt: skip
    whole = total[0] + total[1] + total[2]
    assert_is(whole, np.zeros((2**whole.n_qubits,) * 2), *sums, 4 * sums[0])


def test_mutants_of_brackets_die():
    a = qf.pauli_sum({"XY": 0.7, "ZI": 0.2})
    b = qf.pauli_sum({"YY": 0.5, "XX": -1.0, "IX": 0.4})
    right = qf.commutator(a, b), qf.anticommutator(a, b)
    assert_brackets(*right, a, b)
    wrong = [
        (-right[0], right[1]), (0.5 * right[0], right[1]), (right[0], 0.5 * right[1]),
        (qf.commutator(b, a), right[1]), right[::-1],
    ]  # fmt: skip
    for found in wrong:
        with pytest.raises(AssertionError):
            assert_brackets(*found, a, b)


@pytest.mark.parametrize("exponent", [2, 3])
def test_mutants_of_powers_die(exponent):
    a = qf.pauli_sum({"XY": 0.7, "ZI": 0.2, "IY": 1.0})
    for wrong in (a ** (exponent - 1), a**exponent + 1e-6, -(a**exponent)):
        with pytest.raises(AssertionError):
            assert_is(wrong, np.linalg.matrix_power(dense_of(a), exponent), a)


# --- sparse ---


@pytest.mark.parametrize("real", [F32, F64], ids=str)
@given(data=st.data())
def test_the_sparse_matrix_is_the_matrix(real, data):
    n = data.draw(st.integers(1, 4))
    a = data.draw(qst.pauli_sums(n, dtype=data.draw(st.sampled_from([None, real]))))
    found = a.to_sparse(dtype=real.to_complex())
    assert found.is_sparse
    assert found.is_coalesced()
    assert found.dtype == real.to_complex()
    masks = {tuple(letter in "XY" for letter in word) for word in a.words}
    assert found._nnz() == 2**n * len(masks)
    assert_close(found.to_dense(), dense_of(a), n_gates=len(a), scale=size(a))
    state = data.draw(qst.states(n, dtype=real.to_complex()))
    assert_close(found @ state, a.apply(state), n_gates=16 * len(a), scale=size(a))
    wrong = (found * 1j).to_dense()
    if np.abs(dense_of(a)).max() > 1e-2:
        with pytest.raises(AssertionError):
            assert_close(wrong, dense_of(a), n_gates=len(a), scale=size(a))


def test_backward_goes_through_the_sparse_matrix():
    values = (0.2 + qf.uniforms(4, 0, dtype=F64)).requires_grad_()
    a = qf.pauli_sum(["XY", "YX", "ZZ", "IY"], values)
    weights = torch.complex(*qf.uniforms((2, 4, 4), 1, dtype=F64))
    slopes = [
        torch.autograd.grad((matrix * weights).sum().real, values)[0]
        for matrix in (a.to_sparse().to_dense(), a.to_matrix())
    ]
    assert_close(slopes[0], slopes[1], n_gates=16, scale=4)


def test_hidden_coefficients_have_no_sparse_matrix():
    def nonzero(c):
        return qf.pauli_sum(["X", "Z"], c).to_sparse().to_dense().real.sum()

    for transform in (torch.func.grad, torch.func.vmap):
        with pytest.raises(TypeError, match=r"Take `apply`, which every transform goes through"):
            transform(nonzero)(torch.ones(2) if transform is torch.func.grad else torch.ones(3, 2))


# --- dicts ---


def test_a_dict_is_the_sum_that_it_makes():
    state = qf.random_state(qf.uniforms((2, 8), 0, dtype=F64))
    rho = torch.outer(state, state.conj())
    terms, placed = {"ZIX": 1.0, "IYI": 0.5}, {("ZX", (0, 2)): 1.0, ("Y", (1,)): 0.5}
    expected = qf.pauli_sum(terms)
    for given_ in (terms, placed):
        for one in (state, rho):
            assert torch.equal(qf.expval(one, given_), qf.expval(one, expected))
            assert torch.equal(qf.variance(one, given_), qf.variance(one, expected))
            assert torch.equal(
                qf.covariance(one, given_, {"ZZZ": 1.0}),
                qf.covariance(one, expected, qf.pauli_sum({"ZZZ": 1.0})),
            )
    both = qf.expval(state, [terms, qf.pauli_sum({"XXX": 1.0}), placed])
    assert_close(both[0], both[2], n_gates=4, scale=2)
    branches = qf.run_branches(qf.circuit(3, qf.h(range(3)), qf.measure(0, "m")))
    assert torch.equal(
        qf.instruments.branch_expval(branches, placed),
        qf.instruments.branch_expval(branches, expected),
    )


def test_a_dict_has_a_gradient():
    def energy(c):
        return qf.expval(qf.circuit(2, qf.h(0))(dtype=C128), {"XI": c[0], ("Z", (1,)): c[1]})

    slopes = torch.func.grad(energy)(torch.tensor([0.3, 0.4], dtype=F64))
    assert_close(slopes, [1.0, 1.0], n_gates=4, scale=1)
