"""Groups of words that are measured together: partitions, gates and signs, shots for each."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.shots import check_groups, exact, some_state, some_words
from torch.func import vmap

import quilt_func as qf
from quilt_func.shots import allocate_shots, estimate, measurement_groups, n_groups
from quilt_func.testing import tolerance

F64 = torch.float64
LIH = qf.molecules.molecule("LiH", 1.6)
ways = pytest.mark.parametrize("commuting", ["qubit_wise", "general"])


def sums(n):
    word = st.text("IXYZ", min_size=n, max_size=n)
    return st.dictionaries(word, st.floats(-2, 2), min_size=1, max_size=12).map(qf.pauli_sum)


@ways
@given(st.integers(1, 4).flatmap(sums))
def test_groups_of_any_words(commuting, observable):
    check_groups(measurement_groups, observable, commuting)


@ways
@pytest.mark.parametrize("observable", [LIH, some_words(6, 100)], ids=["LiH", "random"])
def test_groups_of_hamiltonians(commuting, observable):
    check_groups(measurement_groups, observable, commuting)


def test_there_are_fewer_general_groups():
    for observable in (LIH, some_words(6, 100)):
        assert n_groups(observable, commuting="general") < n_groups(observable)
        assert n_groups(observable) < len(observable.words) / 1.5


@ways
@given(st.integers(1, 3).flatmap(sums), st.data())
def test_common_eigenstates_have_no_error(commuting, observable, data):
    """One group of a sum: each shot tells the same, whatever the uniform numbers."""
    groups = measurement_groups(observable, commuting=commuting)
    if not groups:
        return
    group = data.draw(st.sampled_from(groups))
    given = dict(observable.items())
    part = qf.pauli_sum({word: given[word] for word in group.words})
    n = observable.n_qubits
    index = data.draw(st.integers(0, 2**n - 1))
    state = group.rotation.inverse()(qf.basis_state(f"{index:0{n}b}", dtype=torch.complex128))
    found = estimate(state, part, qf.uniforms(7, index, dtype=F64), commuting=commuting)
    scale = sum(map(abs, part.coefficients)) + 1
    assert abs(found.mean - exact(state, part)) < tolerance(F64, 64, scale)
    assert found.error < tolerance(F64, 64, scale)


def test_the_order_is_that_of_sizes_where_these_are_numbers():
    terms = {"XI": 0.1, "ZZ": 2.0, "ZI": 1.0}
    assert measurement_groups(qf.pauli_sum(terms))[0].words == ("ZZ", "ZI")
    by_tensors = qf.pauli_sum(list(terms), torch.tensor(list(terms.values())))
    assert [group.words for group in measurement_groups(by_tensors)] == [("XI",), ("ZZ", "ZI")]


def test_the_identity_is_in_no_group():
    alone = qf.pauli_sum({"II": 3.0})
    assert measurement_groups(alone) == ()
    assert n_groups(alone) == 0
    found = estimate(qf.zero_state(2), alone, qf.uniforms(5, 0))
    assert (found.mean, found.error) == (3.0, 0.0)


@given(st.integers(1, 3).flatmap(sums), st.integers(24, 400))
def test_shots_are_all_given_out(observable, total):
    for state in (None, some_state(observable.n_qubits)):
        found = allocate_shots(observable, total, state=state)
        assert len(found) == n_groups(observable)
        assert min(found, default=2) >= 2
        assert sum(found) == (total if found else 0)


def test_shots_follow_deviations():
    observable = qf.pauli_sum({"Z": 3.0, "X": 1.0})
    assert allocate_shots(observable, 1000) == (750, 250)
    state = qf.circuit(1, qf.ry(0.5, 0))()
    spreads = [3 * abs(torch.tensor(0.5).sin()), abs(torch.tensor(0.5).cos())]
    first = float(1000 * spreads[0] / sum(spreads))
    assert abs(allocate_shots(observable, 1000, state=state)[0] - first) <= 1


def test_allocation_lowers_the_error():
    state = some_state(4)
    u = qf.uniforms(4000, 0, dtype=F64)
    even, by_weight, by_state = (
        estimate(state, LIH, u, shots=shots).error
        for shots in (None, allocate_shots(LIH, 4000), allocate_shots(LIH, 4000, state=state))
    )
    assert by_state < by_weight < even


def test_allocation_within_a_map_is_refused():
    with pytest.raises(TypeError, match="values are read, but a tensor is behind a transform"):
        vmap(lambda c: allocate_shots(qf.pauli_sum(["Z"], c), 10) and c)(torch.ones(2, 1))
