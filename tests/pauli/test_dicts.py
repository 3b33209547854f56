"""A dict of Pauli words, wherever a public function takes a Pauli sum or an observable."""

import inspect
from collections.abc import Mapping
from typing import get_args

import pytest
import torch
from test_corridor import documented

import quilt_func as qf
from quilt_func import bitstrings, convert, instruments, sharded, shots
from quilt_func._torch import tree_leaves
from quilt_func.pauli import as_sum
from quilt_func.typing import Observable

F64 = torch.float64
TERMS = {"ZXI": 0.5, "IYZ": -1.5, "III": 0.25, "ZII": 2.0}
"""An observable of any kind, and one that is diagonal."""
COST = {"ZZI": 0.5, "IZZ": -1.5, "III": 0.25, "ZII": 2.0}

STATE = qf.random_state(qf.uniforms((2, 8), 0, dtype=F64))
U = qf.uniforms(60, 1, dtype=F64)
INDICES = qf.sample(STATE, U)
BRANCHES = qf.run_branches(qf.circuit(3, qf.ry(0.3, [0, 1, 2]), qf.measure(0, "m")), STATE)
SHADOW = shots.shadow(STATE, qf.uniforms((50, 4), 2, dtype=F64))
CLIFFORD = shots.clifford_shadow(STATE, qf.uniforms((50, 7), 3, dtype=F64))


def alone(state):
    """A state on the one rank there is."""
    order = tuple(range(state.shape[0].bit_length() - 1))
    return sharded.ShardedState(state, sharded.Layout(order, sharded.Ranks(1)))


ALONE = alone(STATE)
RHO = sharded.ShardedDensity(alone(torch.outer(STATE, STATE.conj()).reshape(64)))
"""Entries in some order: only sums and dicts are compared."""


def final(parts):
    return qf.circuit(3, qf.h([0, 1, 2]), parts)(dtype=torch.complex128)


def state_of(params):
    return final(qf.ry(params, [0, 1, 2]))


def words(groups):
    return [group.words for group in groups]


def terms(observable):
    return sorted(observable.items())


def minimised(problem):
    starts = qf.uniforms((2, 1, 3, 2), 0, dtype=F64)
    return bitstrings.minimise_bitstring(
        problem, qf.ansatz.hardware_efficient, starts, n_steps=2
    ).trace


PARAMS = torch.tensor([0.1, -0.4, 0.9], dtype=F64)
CASES = {
    "expval(observable)": lambda o: qf.expval(STATE, o),
    "variance(observable)": lambda o: qf.variance(STATE, o),
    "covariance(a)": lambda o: qf.covariance(STATE, o, qf.pauli_sum(COST)),
    "covariance(b)": lambda o: qf.covariance(STATE, qf.pauli_sum(COST), o),
    "expval_from_samples(observable)": lambda o: qf.expval_from_samples(INDICES, o),
    "commutator(a)": lambda o: terms(qf.commutator(o, qf.pauli_sum({"XXI": 0.5}))),
    "commutator(b)": lambda o: terms(qf.commutator(qf.pauli_sum({"XXI": 0.5}), o)),
    "anticommutator(a)": lambda o: terms(qf.anticommutator(o, qf.pauli_sum({"XXI": 0.5}))),
    "anticommutator(b)": lambda o: terms(qf.anticommutator(qf.pauli_sum({"XXI": 0.5}), o)),
    "ground_state(observable)": lambda o: qf.ground_state(o, qf.uniforms((2, 8), 0, dtype=F64)),
    "instruments.branch_expval(observable)": lambda o: instruments.branch_expval(BRANCHES, o),
    "instruments.conditional_expval(observable)": lambda o: instruments.conditional_expval(
        BRANCHES, o, "m"
    ),
    "estimate(observable)": lambda o: qf.estimate(STATE, o, U),
    "shots.estimate_jointly(observable)": lambda o: shots.estimate_jointly(STATE, o, U),
    "shots.sample_groups(observable)": lambda o: shots.sample_groups(STATE, o, U),
    "shots.estimate_from_samples(observable)": lambda o: shots.estimate_from_samples(INDICES, o),
    "shots.measurement_groups(observable)": lambda o: words(shots.measurement_groups(o)),
    "shots.n_groups(observable)": shots.n_groups,
    "shots.allocate_shots(observable)": lambda o: (
        shots.allocate_shots(o, 99),
        shots.allocate_shots(o, 99, state=STATE),
    ),
    "shots.expval_from_counts(observable)": lambda o: shots.expval_from_counts(
        qf.counts(INDICES, 3), o
    ),
    "shots.shadow_estimate(observable)": lambda o: shots.shadow_estimate(SHADOW, o),
    "shots.shadow_variance_bound(observable)": shots.shadow_variance_bound,
    "shots.clifford_shadow_estimate(observable)": lambda o: shots.clifford_shadow_estimate(
        CLIFFORD, o
    ),
    "to_diagonal(observable)": lambda o: qf.to_diagonal(o).values,
    "problems.to_qubo(observable)": lambda o: qf.problems.to_qubo(o),
    "bitstrings.minimise_bitstring(problem)": minimised,
    "ansatz.qaoa(cost)": lambda o: final(qf.ansatz.qaoa(torch.tensor([[0.3, 0.7]], dtype=F64), o)),
    "ansatz.pauli_evolution(observable)": lambda o: final(qf.ansatz.pauli_evolution(o, 0.3)),
    "varqite(observable)": lambda o: qf.varqite(state_of, o, PARAMS, 0.2, 1),
    "convert.to_qiskit(given)": lambda o: str(convert.to_qiskit(o)),
    "convert.to_cirq(given)": lambda o: str(convert.to_cirq(o)),
    "convert.to_pennylane(given)": lambda o: str(convert.to_pennylane(o)),
    "convert.to_openfermion(given)": lambda o: str(convert.to_openfermion(o)),
    "sharded.expval(observable)": lambda o: sharded.expval(ALONE, o),
    "sharded.variance(observable)": lambda o: sharded.variance(ALONE, o),
    "sharded.density_expval(observable)": lambda o: sharded.density_expval(RHO, o),
    "testing.observable_laws(observable)": lambda o: qf.testing.observable_laws(
        o, only=["expectation"]
    )(),
}
"""Each parameter that is an observable: what a function makes of one."""
DIAGONAL = (
    "expval_from_samples", "shots.expval_from_counts", "to_diagonal", "problems.to_qubo",
    "bitstrings.minimise_bitstring", "ansatz.qaoa",
)  # fmt: skip
SEVERAL = (
    "expval", "estimate", "shots.estimate_jointly", "shots.sample_groups", "shots.n_groups",
    "shots.measurement_groups", "shots.allocate_shots", "shots.shadow_estimate",
    "shots.clifford_shadow_estimate", "shots.estimate_from_samples",
)  # fmt: skip
"""Functions that also take a sequence of observables."""
PLACED = (
    "expval(observable)", "variance(observable)", "covariance(a)", "ground_state(observable)",
    "estimate(observable)", "shots.estimate_jointly(observable)", "varqite(observable)",
    "shots.sample_groups(observable)", "shots.shadow_estimate(observable)",
    "shots.clifford_shadow_estimate(observable)", "instruments.branch_expval(observable)",
    "instruments.conditional_expval(observable)",
)  # fmt: skip
"""Parameters whose number of qubits is known, so that words may stand with their wires."""


def kinds_in(annotation):
    """All types that an annotation is made of."""
    yield annotation
    for inner in get_args(annotation):
        yield from kinds_in(inner) if not isinstance(inner, list) else ()


def takes_an_observable(annotation):
    kinds = list(kinds_in(annotation))
    return qf.PauliSum in kinds or Observable in kinds


def parameters():
    """`function(parameter)` of all parameters of public functions that are observables."""
    return {
        f"{name}({p.name})": p.annotation
        for name, function in documented().items()
        for p in inspect.signature(function).parameters.values()
        if takes_an_observable(p.annotation)
    }


def terms_for(case):
    return COST if case.split("(")[0] in DIAGONAL else TERMS


def same(found, expected):
    """Equal to the last bit: a dict is a sum before anything is computed."""
    if isinstance(expected, (str, int, list)) or expected is None:
        return found == expected
    a, b = tree_leaves(found), tree_leaves(expected)
    pairs = zip(a, b, strict=True)
    return len(a) == len(b) and all(torch.equal(*map(torch.as_tensor, pair)) for pair in pairs)


def run(case, given):
    library = case.split("(")[0].removeprefix("convert.to_")
    if case.startswith("convert."):
        pytest.importorskip(library)
    return CASES[case](given)


def test_no_parameter_is_missing():
    """By annotation, so that a new function can't forget its dict."""
    assert set(parameters()) == set(CASES)


def test_all_annotations_say_so():
    silent = [
        name
        for name, annotation in parameters().items()
        if not any(getattr(kind, "__origin__", None) is Mapping for kind in kinds_in(annotation))
    ]
    assert silent == []


@pytest.mark.parametrize("case", CASES)
def test_a_dict_is_its_sum(case):
    terms = terms_for(case)
    assert same(run(case, terms), run(case, qf.pauli_sum(terms)))


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith(("conv", "test"))])
def test_the_comparison_tells_sums_apart(case):
    """Other coefficients, or where those do not matter other words, give another value."""
    terms = terms_for(case)
    other = {word.replace("ZI", "IZ"): 2 * value + 1 for word, value in terms.items()}
    assert not same(run(case, other | {"ZZZ": 1.0} if "groups" in case else other),
                    run(case, terms))  # fmt: skip


@pytest.mark.parametrize("name", SEVERAL)
def test_a_sequence_may_hold_both(name):
    case = f"{name}(observable)"
    mixed = run(case, [TERMS, qf.pauli_sum(COST), {"XXX": 1.0}])
    sums = [qf.pauli_sum(terms) for terms in (TERMS, COST, {"XXX": 1.0})]
    assert same(mixed, run(case, sums))


@pytest.mark.parametrize("case", PLACED)
def test_words_on_wires(case):
    placed = {("ZX", (0, 1)): 0.5, ("Z", (2,)): 2.0}
    assert same(run(case, placed), run(case, qf.pauli_sum({"ZXI": 0.5, "IIZ": 2.0})))


def test_coefficients_in_a_dict_are_leaves():
    def value(c):
        return qf.estimate(STATE, {"ZXI": c[0], "IYZ": c[1]}, U).mean

    def of_sum(c):
        return qf.estimate(STATE, qf.pauli_sum(["ZXI", "IYZ"], c), U).mean

    c = torch.tensor([0.5, -1.5], dtype=F64)
    assert torch.equal(torch.func.grad(value)(c), torch.func.grad(of_sum)(c))


def test_anything_else_stays_as_it_is():
    for given in (None, "ZZ", [1], qf.pauli_sum({"Z": 1.0})):
        assert as_sum(given) is given
