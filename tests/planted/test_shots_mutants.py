"""Mistakes in estimates from samples: the laws of groups, means and errors kill them."""

import pytest
import torch
from oracles.shots import (
    check_clifford_mean,
    check_covariance,
    check_estimate,
    check_groups,
    check_quadrature,
    check_shadow,
    some_state,
    some_words,
)

import quilt_func as qf
from quilt_func.shots import (
    CliffordShadow,
    Estimate,
    JointEstimate,
    Shadow,
    clifford_shadow,
    clifford_shadow_estimate,
    estimate,
    estimate_from_samples,
    estimate_jointly,
    measurement_groups,
    n_groups,
    sample_groups,
    shadow,
    shadow_estimate,
)
from quilt_func.shots.clifford import _turned, transvections

F64 = torch.float64
SUM = qf.pauli_sum({"XYI": 0.9, "ZZI": 1.0, "ZIZ": 0.8, "IIY": -0.7, "IYX": 0.6, "III": 2.0})
STATE = some_state(3)
SHOTS = 40 * n_groups(SUM)


def parts(observable, u):
    """The sum of each group, and its numbers."""
    groups, given = measurement_groups(observable), dict(observable.items())
    numbers = u.tensor_split(len(groups))
    for group, own in zip(groups, numbers, strict=True):
        yield group, qf.pauli_sum({word: given[word] for word in group.words}), own


def without_covariances(state, observable, u):
    """Words of a group as if they were independent."""
    found = estimate(state, observable, u)
    variance = 0.0
    for _, part, own in parts(observable, u):
        indices = sample_groups(state, part, own)
        for word, c in part.items():
            (group,) = measurement_groups(part)
            reading = group.readings[group.words.index(word)]
            signs = qf.to_diagonal(qf.pauli_sum({reading: c}), dtype=F64).values[indices]
            variance = variance + signs.var() / len(own)
    return Estimate(found.mean, variance.sqrt())


def errors_that_add_up(state, observable, u):
    found = estimate(state, observable, u)
    errors = [estimate(state, part, own).error for _, part, own in parts(observable, u)]
    return Estimate(found.mean, sum(errors))


def spread_of_shots(state, observable, u):
    """Not divided by the root of their number."""
    found = estimate(state, observable, u)
    return Estimate(found.mean, found.error * (len(u) / n_groups(observable)) ** 0.5)


def wires_reversed(state, observable, u):
    indices = sample_groups(state, observable, u)
    bits = qf.to_bits(indices, observable.n_qubits).flip(-1)
    powers = 2 ** torch.arange(observable.n_qubits - 1, -1, -1)
    return estimate_from_samples((bits * powers).sum(-1), observable, dtype=F64)


def not_turned(state, observable, u):
    """All words read in the computational basis."""
    z = qf.pauli_sum({"Z" * observable.n_qubits: 1.0})
    return estimate_from_samples(sample_groups(state, z, u), observable, dtype=F64)


def groups_swapped(state, observable, u):
    """The samples of one group for those of another."""
    indices = sample_groups(state, observable, u)
    return estimate_from_samples(indices.flip(0), observable, dtype=F64)


def turned_by_s(state, observable, u):
    """`s` where `sdg` belongs: Y has the other sign."""
    found = []
    for group, _, own in parts(observable, u):
        ops = [qf.s(op.wires[0][0]) if op.gate is qf.sdg else op for op in group.rotation.ops]
        wires = [w[0] for op in group.rotation.ops if op.gate is qf.sdg for w in op.wires]
        ops = [op for op in group.rotation.ops if op.gate is not qf.sdg]
        turn = qf.circuit(observable.n_qubits, qf.s(wires), ops)
        found.append(qf.sample(turn(state), own))
    return estimate_from_samples(torch.cat(found), observable, dtype=F64)


def without_constant(state, observable, u):
    return estimate(state, observable, u) - 2.0


MISTAKES = [
    errors_that_add_up, spread_of_shots, wires_reversed, not_turned,
    groups_swapped, turned_by_s, without_constant,
]  # fmt: skip


def test_the_library_is_right():
    check_estimate(estimate, SUM, STATE, SHOTS)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_estimates(mistake):
    with pytest.raises(AssertionError):
        check_estimate(mistake, SUM, STATE, SHOTS)


def test_words_that_vary_together():
    """Of equal bits, the variance of the sum is twice that of independent ones."""
    words = qf.pauli_sum({"ZII": 1.0, "IZI": 1.0, "XXX": 0.5})
    state = qf.ghz_state(3, dtype=torch.complex128)
    check_estimate(estimate, words, state, SHOTS)
    with pytest.raises(AssertionError):
        check_estimate(without_covariances, words, state, SHOTS)


def test_covariances_without_what_is_shared():
    def diagonal(state, observables, u):
        found = estimate_jointly(state, observables, u)
        return JointEstimate(found.mean, found.covariance.diagonal().diag_embed())

    both = [SUM, qf.pauli_sum({"ZZI": 1.0})]
    check_covariance(estimate_jointly, both, STATE, SHOTS)
    with pytest.raises(AssertionError):
        check_covariance(diagonal, both, STATE, SHOTS)


def test_sums_whose_errors_add_up():
    with pytest.raises(AssertionError):
        check_quadrature(lambda a, b: Estimate(a.mean + b.mean, a.error + b.error))


def with_signs_lost(observable, *, commuting):
    groups = measurement_groups(observable, commuting=commuting)
    return tuple(one._replace(signs=(1,) * len(one.words)) for one in groups)


def by_whole_words(observable, *, commuting):
    """Words that only commute as a whole, turned by gates on pairs."""
    return measurement_groups(observable, commuting="general")


def word_by_word(observable, *, commuting):
    found = []
    for word in observable.words:
        found += measurement_groups(qf.pauli_sum({word: 1.0}), commuting=commuting)
    return tuple(found)


def with_s(observable, *, commuting):
    def turned(group):
        ops = [
            qf.s([w for (w,) in op.wires]) if op.gate is qf.sdg else op for op in group.rotation.ops
        ]
        return group._replace(rotation=qf.circuit(observable.n_qubits, ops))

    return tuple(map(turned, measurement_groups(observable, commuting=commuting)))


@pytest.mark.parametrize(
    ("mistake", "commuting"),
    [
        (with_signs_lost, "general"),
        (by_whole_words, "qubit_wise"),
        (word_by_word, "qubit_wise"),
        (word_by_word, "general"),
        (with_s, "qubit_wise"),
        (with_s, "general"),
    ],
)
def test_groups(mistake, commuting):
    words = some_words(3, 20)
    check_groups(measurement_groups, words, commuting)
    with pytest.raises(AssertionError):
        check_groups(mistake, words, commuting)


def told(state, observable, u, change=lambda found: found):
    return shadow_estimate(change(shadow(state, u)), observable, dtype=F64)


SHADOWS = {
    "X for Y": lambda found: Shadow(torch.tensor([1, 0, 2])[found.bases], found.bits),
    "bits flipped": lambda found: Shadow(found.bases, 1 - found.bits),
    "wires reversed": lambda found: Shadow(found.bases.flip(-1), found.bits.flip(-1)),
    "bits of other shots": lambda found: Shadow(found.bases, found.bits.roll(1, 0)),
}


@pytest.mark.parametrize("mistake", SHADOWS)
def test_shadows(mistake):
    words = qf.pauli_sum({"XYI": 0.5, "ZII": 1.0, "IIX": -0.7, "IYZ": 0.3})
    check_shadow(told, words, STATE)
    with pytest.raises(AssertionError):
        check_shadow(lambda *args: told(*args, SHADOWS[mistake]), words, STATE)


def by_clifford(state, observables, u):
    return clifford_shadow_estimate(clifford_shadow(state, u), observables)


def states_conjugated(state, observables, u):
    shadow = clifford_shadow(state, u)
    return clifford_shadow_estimate(
        CliffordShadow(shadow.states.conj().resolve_conj()), observables
    )


def states_forward(state, observables, u):
    """The circuit on outcomes, where its inverse belongs."""
    columns = clifford_shadow(state, u).states[..., None]
    for x, z in 2 * transvections(u[:, :-1], observables[0].n_qubits):
        columns = _turned(columns, x, z, 1)
    return clifford_shadow_estimate(CliffordShadow(columns[..., 0]), observables)


def without_inverse_channel(state, observables, u):
    """The mean over stabilizer states, as if they were the state."""
    states = clifford_shadow(state, u).states
    values = torch.func.vmap(lambda one: qf.expval(one, observables))(states)
    return Estimate(values.mean(0), values.std(0))


def few_circuits(state, observables, u):
    return by_clifford(state, observables, torch.cat([u[:, :-1] / 2, u[:, -1:]], 1))


@pytest.mark.parametrize(
    "mistake", [states_conjugated, states_forward, without_inverse_channel, few_circuits]
)
def test_clifford_shadows(mistake):
    check_clifford_mean(by_clifford, 2)
    with pytest.raises(AssertionError):
        check_clifford_mean(mistake, 2)
