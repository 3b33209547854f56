"""Pauli sums: against dense matrices, their algebra, their pytrees, weak coefficients."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import dense
from oracles.compare import assert_close
from torch.func import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, vmap
from torch.utils import _pytree as pytree

import quilt_func as qf
from quilt_func.testing import strategies as qst

REALS = [torch.float32, torch.float64]
each_real = pytest.mark.parametrize("real", REALS, ids=str)


def numbers(observable):
    values = observable.coefficients
    return list(values) if isinstance(values, tuple) else values.tolist()


def dense_of(observable):
    return dense.sum_matrix(observable.words, numbers(observable))


def bounds(observable):
    """A sum of `n_words` terms over the basis states, each of at most its coefficient's size."""
    steps = 16 * (len(observable) + observable.n_qubits)
    return {"n_gates": steps, "scale": max(1.0, sum(map(abs, numbers(observable))))}


@st.composite
def measured(draw, real, weak=None, **options):
    n = draw(st.integers(1, 6))
    weak = draw(st.booleans()) if weak is None else weak
    observable = draw(qst.pauli_sums(n, dtype=None if weak else real, **options))
    return observable, draw(qst.states(n, dtype=real.to_complex()))


@each_real
@given(data=st.data())
def test_expectation_is_the_oracles(real, data):
    observable, state = data.draw(measured(real))
    got = qf.expval(state, observable)
    assert (got.dtype, got.shape) == (real, ())
    assert_close(got, dense.expectation(state, dense_of(observable)), **bounds(observable))


@each_real
@given(data=st.data())
def test_application_is_the_oracles(real, data):
    observable, state = data.draw(measured(real))
    got = observable.apply(state)
    assert got.dtype == state.dtype
    assert_close(got, dense_of(observable) @ state.numpy(), **bounds(observable))


@each_real
@given(data=st.data())
def test_matrix_is_the_oracles(real, data):
    observable, _ = data.draw(measured(real))
    assert_close(observable.to_matrix(), dense_of(observable), **bounds(observable), dtype=real)


@given(word=st.integers(1, 9).flatmap(qst.pauli_words), seed=st.integers(0, 99))
def test_single_words_of_any_length(word, seed):
    n = len(word)
    state = qf.random_state(qf.uniforms((2, 2**n), seed, dtype=torch.float64))
    got = qf.pauli_sum({word: 1.0}).apply(state)
    assert_close(got, dense.word_matrix(word) @ state.numpy())


@each_real
@given(data=st.data())
def test_variance_and_covariance_are_the_oracles(real, data):
    a, state = data.draw(measured(real, max_terms=4))
    b = data.draw(qst.pauli_sums(a.n_qubits, dtype=real, max_terms=4))
    scale = bounds(a)["scale"] * max(bounds(a)["scale"], bounds(b)["scale"])
    steps = bounds(a)["n_gates"] + bounds(b)["n_gates"]
    got = qf.variance(state, a)
    assert_close(got, dense.variance(state, dense_of(a)), n_gates=steps, scale=scale)
    both = qf.covariance(state, a, b)
    expected = dense.covariance(state, dense_of(a), dense_of(b))
    assert_close(both, expected, n_gates=steps, scale=scale)


@given(data=st.data())
def test_gradient_by_coefficients_is_each_words_expectation(data):
    observable, state = data.draw(measured(torch.float64, weak=False))
    slope = grad(lambda o: qf.expval(state, o))(observable)
    assert isinstance(slope, qf.PauliSum)
    assert slope.words == observable.words
    expected = [dense.expectation(state, dense.word_matrix(word)) for word in observable.words]
    assert_close(slope.coefficients, np.array(expected), n_gates=64)
    tangent = torch.ones_like(observable.coefficients)
    pushed = jvp(
        lambda c: qf.expval(state, qf.pauli_sum(observable.words, c)),
        (observable.coefficients,),
        (tangent,),
    )[1]
    assert_close(pushed, sum(expected), n_gates=64, scale=len(expected))


@given(data=st.data())
def test_expectation_is_linear_in_coefficients(data):
    observable, state = data.draw(measured(torch.float64, weak=False))
    second = hessian(lambda c: qf.expval(state, qf.pauli_sum(observable.words, c)))
    assert not second(observable.coefficients).any()


@given(data=st.data())
def test_batches_of_states_and_coefficients(data):
    observable, _ = data.draw(measured(torch.float64, weak=False))
    n = observable.n_qubits
    states = vmap(qf.random_state)(qf.uniforms((3, 2, 2**n), 1, dtype=torch.float64))
    many = torch.stack([observable.coefficients * k for k in (1, -2, 3)])

    def value(s, c):
        return qf.expval(s, qf.pauli_sum(observable.words, c))

    limits = bounds(observable)
    limits["scale"] *= 3
    each = torch.stack([value(s, c) for s, c in zip(states, many, strict=True)])
    assert_close(vmap(value)(states, many), each, **limits)
    shared = torch.stack([value(states[0], c) for c in many])
    assert_close(vmap(value, (None, 0))(states[0], many), shared, **limits)
    alone = torch.stack([value(s, many[0]) for s in states])
    assert_close(vmap(value, (0, None))(states, many[0]), alone, **limits)
    by_state = torch.stack([grad(value)(s, c) for s, c in zip(states, many, strict=True)])
    assert_close(vmap(grad(value))(states, many), by_state, **limits)


@given(data=st.data())
def test_algebra(data):
    n = data.draw(st.integers(1, 4))
    a, b = (data.draw(qst.pauli_sums(n, dtype=None if weak else torch.float64))
            for weak in data.draw(st.tuples(st.booleans(), st.booleans())))  # fmt: skip
    A, B = dense_of(a), dense_of(b)
    limits = {"n_gates": 64, "scale": 4.0 * (len(a) + len(b)), "dtype": torch.float64}
    assert_close((a + b).to_matrix(), A + B, **limits)
    assert_close((a - b).to_matrix(), A - B, **limits)
    assert_close((2.5 * a).to_matrix(), 2.5 * A, **limits)
    assert_close((a * -2).to_matrix(), -2 * A, **limits)
    assert_close((-a).to_matrix(), -A, **limits)
    assert_close((a + b).simplify().to_matrix(), A + B, **limits)
    factor = torch.tensor(0.75, dtype=torch.float64)
    assert_close((factor * a).to_matrix(), 0.75 * A, **limits)


@given(data=st.data())
def test_square_is_the_matrix_product(data):
    n = data.draw(st.integers(1, 3))
    a = data.draw(qst.pauli_sums(n, max_terms=4))
    A = dense_of(a)
    assert_close((a @ a).to_matrix(), A @ A, n_gates=64, scale=float(len(a)) ** 2)


@given(data=st.data())
def test_product_of_commuting_sums(data):
    n = data.draw(st.integers(1, 3))
    a, b = (data.draw(qst.pauli_sums(n, letters="IZ", max_terms=4)) for _ in "ab")
    assert_close((a @ b).to_matrix(), dense_of(a) @ dense_of(b), n_gates=64, scale=16.0)


@given(data=st.data())
def test_words_by_wires(data):
    n = data.draw(st.integers(1, 5))
    size = data.draw(st.integers(1, n))
    ws = data.draw(qst.wires(n, size=size))
    word = data.draw(qst.pauli_words(size))
    got = qf.pauli_sum({(word, ws): 2.0}, n_qubits=n).to_matrix()
    assert_close(got, 2 * dense.embed(dense.word_matrix(word), ws, n))


@given(data=st.data())
def test_pytree_round_trip_and_copies(data):
    observable, state = data.draw(measured(torch.float64))
    leaves, spec = pytree.tree_flatten(observable)
    again = pytree.tree_unflatten(leaves, spec)
    assert (again.words, again.coefficients) == (observable.words, observable.coefficients)
    assert spec == pytree.tree_flatten(again)[1]
    for twin in (pickle.loads(pickle.dumps(observable)), copy.deepcopy(observable)):
        assert torch.equal(qf.expval(state, twin), qf.expval(state, observable))
    assert isinstance(repr(pytree.tree_map(lambda _: None, observable)), str)


def test_weak_coefficients_are_exact_and_take_the_states_precision():
    weak = qf.pauli_sum({"Z": 0.1})
    double = qf.expval(qf.zero_state(1, dtype=torch.complex128), weak)
    single = qf.expval(qf.zero_state(1), weak)
    assert (double.dtype, double.item()) == (torch.float64, 0.1)
    assert (single.dtype, single.item()) == (torch.float32, torch.tensor(0.1).item())


def test_weak_terms_follow_tensors():
    c = torch.tensor(0.5, dtype=torch.float64)
    mixed = qf.pauli_sum({"Z": c, "X": 0.1})
    assert mixed.coefficients.tolist() == [0.5, 0.1]
    joined = qf.pauli_sum({"Z": 0.1}) + qf.pauli_sum(["X"], c[None])
    assert joined.coefficients.tolist() == [0.1, 0.5]
    assert qf.pauli_sum({"Z": 0.1}).__mul__(c).coefficients.tolist() == [0.05]


def test_several_observables_are_stacked():
    state = qf.ghz_state(2, dtype=torch.complex128)
    several = [qf.pauli_sum({"ZZ": 1.0}), qf.pauli_sum({"XX": 2.0}), qf.pauli_sum({"ZI": 1.0})]
    assert_close(qf.expval(state, several), np.array([1.0, 2.0, 0.0]), scale=2.0)


@pytest.mark.parametrize("n", [3, 7])
@given(data=st.data())
def test_several_sums_at_once_are_each_alone(n, data):
    sums = [data.draw(qst.pauli_sums(n)) for _ in range(3)]
    states = torch.stack([data.draw(qst.states(n)) for _ in range(2)])
    alone = [[qf.expval(state, one) for one in sums] for state in states]
    together = vmap(lambda state: qf.expval(state, sums))(states)
    assert_close(together, torch.stack([torch.stack(row) for row in alone]), n_gates=64, scale=6.0)


def test_sums_are_equal_to_themselves_only():
    """Coefficients can't be compared under `vmap`, so nothing is."""
    one, other = (qf.pauli_sum({"XZ": 0.5}) for _ in range(2))
    assert one == one
    assert one != other
    assert len({one, other}) == 2


PAIRS = [a + b for a in "IXYZ" for b in "IXYZ"]


@pytest.mark.parametrize("left", PAIRS)
def test_products_of_words_are_the_matrices_products(left):
    for right in PAIRS:
        a, b = (dense.sum_matrix((word,), [1.0]) for word in (left, right))
        if np.array_equal(a @ b, b @ a):
            product = qf.pauli_sum({left: 1.0}) @ qf.pauli_sum({right: 1.0})
            assert np.array_equal(dense_of(product), a @ b)
        else:
            with pytest.raises(ValueError, match="do not commute"):
                qf.pauli_sum({left: 1.0}) @ qf.pauli_sum({right: 1.0})


def test_application_differentiates_by_coefficients():
    """`⟨φ|O|ψ⟩` is linear in the coefficients, on few wires and on many."""
    for n in (4, 7):
        words = ("X" * n, "Y" + "Z" * (n - 1), "I" * (n - 1) + "Z")
        phi, psi = (qf.random_state(qf.uniforms((2, 2**n), s, dtype=torch.float64)) for s in (1, 2))
        values = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)

        def overlap(values, words=words, phi=phi, psi=psi):
            return torch.vdot(phi, qf.pauli_sum(words, values).apply(psi)).real

        expected = [
            np.vdot(phi.numpy(), dense.sum_matrix((word,), [1.0]) @ psi.numpy()).real
            for word in words
        ]
        assert_close(grad(overlap)(values), np.array(expected), n_gates=2**n)


HIGHER = {
    "reverse over reverse": lambda f, x: jacrev(jacrev(f))(x),
    "forward over reverse": lambda f, x: jacfwd(jacrev(f))(x),
    "reverse over forward": lambda f, x: jacrev(jacfwd(f))(x),
    "mapped": lambda f, x: vmap(hessian(f))(x[None])[0],
    "of all at once": lambda f, x: jacrev(lambda y: vmap(grad(f))(y[None]))(x)[0],
    "three times": lambda f, x: jacrev(jacrev(jacrev(f)))(x),
    "with the value": lambda f, x: jacrev(lambda y: torch.mul(*grad_and_value(f)(y)))(x),
}


@pytest.mark.parametrize("higher", HIGHER.values(), ids=HIGHER)
@pytest.mark.parametrize("moves", ["state", "coefficients", "both"])
def test_higher_derivatives_are_those_of_the_matrix(higher, moves):
    """Of a wave of an expectation value, by a line of states and one of coefficients."""
    words = ("XXIIII", "IZZIIY", "ZIIIII", "YIIXZI")
    numbers = qf.uniforms((3, 4), 0, dtype=torch.float64)
    parts = torch.view_as_complex(qf.uniforms((3, 64, 2), 1, dtype=torch.float64) - 0.5)
    matrices = torch.stack([qf.pauli_sum({word: 1.0}).to_matrix() for word in words])

    def of(measure):
        def f(x):
            amount = x if moves != "coefficients" else torch.zeros_like(x)
            state = parts[0] + amount[0] * parts[1] + amount[1].sin() * parts[2]
            amount = x if moves != "state" else torch.zeros_like(x)
            given = numbers[0] + amount[0] * numbers[1] + amount[1].exp() * numbers[2]
            return (measure(given, state) / 8).sin()

        return f

    def fast(coefficients, state):
        return qf.expval(state, qf.pauli_sum(words, coefficients))

    def dense_value(coefficients, state):
        matrix = torch.tensordot(coefficients.to(state.dtype), matrices, 1)
        return torch.vdot(state, matrix @ state).real

    at = torch.tensor([0.3, -0.7], dtype=torch.float64)
    assert_close(higher(of(fast), at), higher(of(dense_value), at), n_gates=256)


def test_fourth_derivatives_of_an_image():
    """Forward over reverse, twice, where states are conjugated by halves on the way."""
    bra, ket = (qf.random_state(qf.uniforms((2, 64), s, dtype=torch.float64)) for s in (2, 3))
    words, numbers = ("XYIIII", "IZZIIY"), qf.uniforms((2, 2), 4, dtype=torch.float64)
    matrices = torch.stack([qf.pauli_sum({word: 1.0}).to_matrix() for word in words])

    def overlap(image):
        def f(x):
            state = qf.circuit(6, qf.ry(x[0], range(6)), qf.cx(0, 1))(ket)
            return (bra.conj() * image(1.0 + numbers @ x, state)).sum().real

        return f

    fast = overlap(lambda c, state: qf.pauli_sum(words, c).apply(state))
    exact = overlap(lambda c, state: torch.tensordot(c.to(state.dtype), matrices, 1) @ state)
    at = torch.tensor([0.3, 0.4], dtype=torch.float64)
    got, expected = (hessian(hessian(f))(at) for f in (fast, exact))
    assert_close(got, expected, n_gates=1024)


@each_real
def test_a_word_of_no_letters_is_one(real):
    """As of a table with one entry: numbers and tensors on no qubits."""
    state = qf.zero_state(0, dtype=real.to_complex())
    for coefficient in (2.0, torch.tensor(2.0, dtype=real)):
        observable = qf.pauli_sum({"": coefficient})
        assert qf.expval(state, observable).item() == 2.0
        assert observable.apply(state).tolist() == [2.0]
        assert observable.to_matrix().tolist() == [[2.0]]
