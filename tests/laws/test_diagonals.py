"""Laws of cost tables: every string has its cost, and tables and Pauli words say the same."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.compare import assert_close, assert_close_fd, central_difference
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap

import quilt_func as qf

F64 = torch.float64
costs = st.integers(0, 4).flatmap(
    lambda n: st.lists(st.floats(-10, 10), min_size=2**n, max_size=2**n)
)


def walsh(word, bits):
    """Eigenvalue of a word of I and Z on a bit string, by counting."""
    ones = sum(letter == "Z" and bit == "1" for letter, bit in zip(word, bits, strict=True))
    return (-1) ** ones


def assert_table_of_words(to_diagonal, terms):
    """The table's entry of a string is the sum of its words' signs."""
    observable = qf.pauli_sum(terms)
    table = to_diagonal(observable, dtype=F64).values
    strings = qf.bit_strings(observable.n_qubits)
    expected = [sum(c * walsh(word, bits) for word, c in terms.items()) for bits in strings]
    assert_close(table, expected, n_gates=len(terms), scale=sum(map(abs, terms.values())))


TERMS = {"ZIZ": 0.5, "IZI": -2.0, "III": 0.25, "ZZZ": 1.5}


@given(st.dictionaries(st.text("IZ", min_size=3, max_size=3), st.floats(-5, 5), min_size=1))
def test_a_table_is_the_sum_of_its_words(terms):
    assert_table_of_words(qf.to_diagonal, terms)


MUTANTS = {
    "wires backwards": lambda o, **kw: qf.to_diagonal(
        qf.PauliSum(tuple(w[::-1] for w in ("ZZI", *o.words[1:])), o.coefficients), **kw
    ),
    "signs turned": lambda o, **kw: qf.diagonal(qf.to_diagonal(o, **kw).values.flip(0)),
    "a word lost": lambda o, **kw: qf.to_diagonal(
        qf.PauliSum(o.words[:-1], o.coefficients[:-1]), **kw
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_the_law_of_words_refuses(mutant):
    with pytest.raises(AssertionError):
        assert_table_of_words(mutant, TERMS)


@given(costs)
def test_a_table_and_its_words_are_a_round_trip(values):
    table = torch.tensor(values, dtype=F64)
    back = qf.to_diagonal(qf.from_diagonal(qf.diagonal(table))).values
    assert_close(back, table, n_gates=len(values), scale=10 * len(values))


@given(costs)
def test_words_measure_what_the_table_does(values):
    table = qf.diagonal(torch.tensor(values, dtype=F64))
    u = qf.uniforms((2, len(values)), 0, dtype=F64)
    state = qf.random_state(u)
    found = qf.expval(state, qf.from_diagonal(table))
    assert_close(found, qf.expval(state, table), n_gates=len(values), scale=10)


@pytest.mark.parametrize("form", ["function", "mapping", "sequence"])
def test_every_string_has_its_own_cost(form):
    strings, asked = qf.bit_strings(3), []

    def cost(bits):
        asked.append(bits)
        return int(bits, 2) ** 2

    given = {"function": cost, "mapping": {s: cost(s) for s in reversed(strings)}}
    table = qf.cost_diagonal(given.get(form, [cost(s) for s in strings]), 3, dtype=F64)
    assert table.values.tolist() == [i**2 for i in range(8)]
    assert table.values.dtype == F64
    for string, value in zip(strings, table.values, strict=True):
        assert qf.expval(qf.basis_state(string, dtype=torch.complex128), table) == value
    assert form != "function" or asked[-8:] == strings


def test_costs_of_numpy_and_torch_are_numbers():
    values = [np.float32(0.5), torch.tensor(1.5), np.int64(2), 3]
    assert qf.cost_diagonal(values, 2).values.tolist() == [0.5, 1.5, 2.0, 3.0]


def quartic(coefficients):
    """A nonlinear function of a table's entries."""
    table = qf.to_diagonal(qf.pauli_sum(list(TERMS), coefficients)).values
    back = qf.from_diagonal(qf.diagonal(table.square())).coefficients
    return (back[:3] * table[:3].square()).sum() / 100


def test_transforms_agree():
    c = torch.tensor(list(TERMS.values()), dtype=F64)
    slope = central_difference(quartic, c)
    for transform in (grad, jacrev, jacfwd):
        assert_close_fd(transform(quartic)(c), slope, scale=8)
    curvature = central_difference(grad(quartic), c)
    for transform in (hessian, lambda f: jacfwd(jacfwd(f)), lambda f: jacrev(jacrev(f))):
        assert_close_fd(transform(quartic)(c), curvature, scale=8)
    tangent = torch.ones_like(c)
    along = jvp(grad(quartic), (c,), (tangent,))[1]
    assert_close(along, hessian(quartic)(c) @ tangent, n_gates=64, scale=8)
    batch = torch.stack([c, c.flip(0)])
    for f in (quartic, grad(quartic), hessian(quartic), lambda x: qf.from_diagonal(
        qf.diagonal(x)
    ).coefficients):  # fmt: skip
        looped = torch.stack([f(row) for row in batch])
        assert_close(vmap(f)(batch), looped, n_gates=64, scale=8)
