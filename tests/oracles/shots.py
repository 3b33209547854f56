"""What estimates from samples must do, against dense numpy that shares no code with the library.

Each `check_...` takes the function that it is about, so that mistakes can be planted in its place.
Statistical checks fix their uniform numbers and allow five standard errors.

References:
    Nielsen and Chuang (2010), section 2.2.5; Huang, Kueng and Preskill (2020), arXiv:2002.08953.
"""

import math
from itertools import product

import numpy as np
import torch
from torch.func import vmap

import quilt_func as qf
from oracles import dense
from quilt_func.testing import tolerance

F64 = torch.float64
REPETITIONS = 1000
SPREAD = 0.1
"""How far a stated error may be from the spread of means; the latter's own error is 0.022."""


def some_state(n, seed=3):
    return qf.random_state(qf.uniforms((2, 2**n), seed, dtype=F64))


def some_words(n, number, seed=0):
    """Random words, none twice, with normal coefficients."""
    rng = np.random.default_rng(seed)
    found = {}
    while len(found) < number:
        word = "".join(rng.choice(list("IXYZ"), n))
        found[word] = float(rng.normal())
    return qf.pauli_sum(found)


def exact(state, observable):
    matrix = dense.sum_matrix(observable.words, [float(c) for _, c in observable.items()])
    return dense.expectation(state.numpy(), matrix)


def anticommute(a, b):
    differ = sum(x != y and "I" not in (x, y) for x, y in zip(a, b, strict=True))
    return differ % 2 == 1


def disagree(a, b):
    """On a wire, both words have a letter, and not the same."""
    return any(x != y and "I" not in (x, y) for x, y in zip(a, b, strict=True))


def check_groups(groups_of, observable, commuting):
    """A partition into words that commute, and what the gates of each group make of them."""
    groups = groups_of(observable, commuting=commuting)
    n = observable.n_qubits
    words = [word for group in groups for word in group.words]
    assert sorted(words) == sorted(set(observable.words) - {"I" * n})
    clash = disagree if commuting == "qubit_wise" else anticommute
    for place, group in enumerate(groups):
        assert not any(clash(a, b) for a in group.words for b in group.words)
        for word in group.words:  # the first group that takes it
            assert all(any(clash(word, b) for b in one.words) for one in groups[:place])
        if commuting == "qubit_wise":
            assert {op.gate.n_wires for op in group.rotation.ops} <= {1}
        check_rotation(group)


def check_rotation(group):
    """`U P U† = ± Q` with a word `Q` of I and Z."""
    U = dense.circuit_matrix(len(group.words[0]), group.rotation.ops)
    bound = tolerance(F64, 8 * max(1, group.rotation.n_gates))
    for word, reading, sign in zip(group.words, group.readings, group.signs, strict=True):
        assert set(reading) <= set("IZ")
        image = U @ dense.word_matrix(word) @ U.conj().T
        assert np.abs(image - sign * dense.word_matrix(reading)).max() < bound


def check_spread(found, expected):
    """Means over repetitions are right, and the error that is stated is how far they spread."""
    means, errors = found
    spread = means.std(0)
    off = (means.mean(0) - torch.as_tensor(expected)).abs()
    assert bool((off <= 5 * spread / math.sqrt(len(means)) + tolerance(F64, 64, 8.0)).all())
    stated = errors.square().mean(0).sqrt()
    assert bool(((stated - spread).abs() <= SPREAD * spread).all()), (stated, spread)


def check_estimate(estimate, observable, state, n_shots, seed=1):
    u = qf.uniforms((REPETITIONS, n_shots), seed, dtype=F64)
    mean, error = vmap(lambda v: tuple(estimate(state, observable, v)))(u)
    check_spread((mean, error), exact(state, observable))
    one = (mean[0] - exact(state, observable)).abs()
    assert one <= 4 * error[0]


def check_covariance(jointly, observables, state, n_shots, seed=1):
    """Covariances of means over repetitions are those that are stated."""
    u = qf.uniforms((REPETITIONS, n_shots), seed, dtype=F64)
    mean, covariance = vmap(lambda v: tuple(jointly(state, observables, v)))(u)
    spread = mean.mT.cov()
    scale = spread.diagonal().sqrt()
    off = (covariance.mean(0) - spread) / (scale[:, None] * scale)
    assert bool((off.abs() <= 5 / math.sqrt(REPETITIONS)).all()), off


def check_quadrature(add):
    """Errors of independent numbers are the sides of a right triangle."""
    three, four = (qf.Estimate(torch.tensor(v, dtype=F64), torch.tensor(e, dtype=F64))
                   for v, e in ((1.0, 3.0), (10.0, 4.0)))  # fmt: skip
    found = add(three, four)
    assert abs(found.mean - 11) < tolerance(F64, 4, 11.0)
    assert abs(found.error - 5) < tolerance(F64, 4, 5.0)


def shadow_moments(state, observable):
    """Mean and variance of a shot's value, by all bases and all outcomes."""
    n, mean, square = observable.n_qubits, 0.0, 0.0
    turns = {"X": np.array([[1, 1], [1, -1]]) / math.sqrt(2), "Z": np.eye(2)}
    turns["Y"] = turns["X"] @ np.diag([1, -1j])
    for bases in product("XYZ", repeat=n):
        whole = np.ones((1, 1))
        for basis in bases:
            whole = np.kron(whole, turns[basis])
        chances = np.abs(whole @ state.numpy()) ** 2 / 3**n
        for outcome, chance in zip(product((1, -1), repeat=n), chances, strict=True):
            value = sum(float(c) * _told(word, bases, outcome) for word, c in observable.items())
            mean, square = mean + chance * value, square + chance * value**2
    return mean, square - mean**2


def _told(word, bases, outcome):
    found = 1.0
    for letter, basis, sign in zip(word, bases, outcome, strict=True):
        found *= 1.0 if letter == "I" else 3.0 * sign if letter == basis else 0.0
    return found


def check_shadow(value_of, observable, state, n_shots=60, seed=1):
    """Mean and variance of estimates are those of all bases and outcomes."""
    n = observable.n_qubits
    u = qf.uniforms((REPETITIONS, n_shots, n + 1), seed, dtype=F64)
    mean, error = vmap(lambda v: tuple(value_of(state, observable, v)))(u)
    expected, variance = shadow_moments(state, observable)
    assert abs(expected - exact(state, observable)) < tolerance(F64, 3**n, 8.0)
    check_spread((mean, error), expected)
    assert abs(mean.std() * math.sqrt(n_shots / variance) - 1) < SPREAD
    return variance


GRID = 64
"""Outcomes' frequencies are off by at most one in so many, for each circuit."""


def every_clifford(n):
    """Uniform numbers that choose each circuit once, up to signs."""
    levels = []
    for k in range(n, 0, -1):
        sizes = 4**k - 1, 2 ** (2 * k - 1)
        places = product(*map(range, sizes))
        levels.append([tuple((i + 0.5) / size for i, size in zip(place, sizes, strict=True))
                       for place in places])  # fmt: skip
    return torch.tensor([sum(choice, ()) for choice in product(*levels)], dtype=F64)


def check_clifford_mean(value_of, n):
    """Over all circuits, and outcomes on a grid, the mean is the expectation value."""
    u, state = every_clifford(n), some_state(n)
    ends = ((torch.arange(GRID, dtype=F64) + 0.5) / GRID).repeat(len(u))[:, None]
    numbers = torch.cat([u.repeat_interleave(GRID, 0), ends], 1)
    words = {"X" * n: 0.5, "Z" + "I" * (n - 1): 1.0, "Y" + "X" * (n - 1): -0.8, "I" * n: 2.0}
    matrix = dense.sum_matrix(list(words), list(words.values()))
    values = np.arange(2.0**n)
    observables = [qf.pauli_sum(words), qf.hermitian(torch.tensor(matrix)),
                   qf.diagonal(torch.tensor(values))]  # fmt: skip
    expected = [dense.expectation(state.numpy(), m) for m in (matrix, matrix, np.diag(values))]
    found = value_of(state, observables, numbers).mean
    bound = (2**n + 1) * 2**n / GRID / math.sqrt(len(u))
    assert float((found - torch.tensor(expected)).abs().max()) < bound
