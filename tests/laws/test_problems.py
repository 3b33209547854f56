"""Laws of the problems: costs by definition, round trips, dense magnets, QAOA's values."""

import math
from functools import partial, reduce
from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.compare import assert_close, assert_close_fd, central_difference
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap

import quilt_func as qf
from quilt_func import problems

F64 = torch.float64
TRIANGLE_AND_TAIL = [(0, 1), (1, 2), (2, 0), (2, 3)]
numbers = st.floats(-5, 5)


def table(observable):
    return qf.to_diagonal(observable, dtype=F64).values


def bits(string):
    return [int(bit) for bit in string]


def spins(string):
    return [1 - 2 * bit for bit in bits(string)]


def assert_costs(observable, cost, scale):
    """The table, and the expectation value on each basis state, are the cost by definition."""
    strings = qf.bit_strings(observable.n_qubits)
    expected = [float(cost(string)) for string in strings]
    assert_close(table(observable), expected, n_gates=64, scale=scale)
    states = [qf.basis_state(string, dtype=torch.complex128) for string in strings]
    found = torch.stack([qf.expval(state, observable) for state in states])
    assert_close(found, expected, n_gates=64, scale=scale)


def cut(string, edges, weights):
    return sum(w for (i, j), w in zip(edges, weights, strict=True) if string[i] != string[j])


WEIGHTS = [1.0, -2.0, 0.5, 3.0]


def ising_cost(string, couplings, fields, constant=0.0):
    z = spins(string)
    pairs = sum(value * z[i] * z[j] for (i, j), value in couplings.items())
    return pairs + sum(value * z[i] for i, value in fields.items()) + constant


COUPLINGS, FIELDS = {(0, 1): 0.5, (2, 0): -1.5, (0, 2): 0.25}, {2: 1.0, 1: -0.5}


def test_maxcut_by_hand():
    """A triangle with a tail: three of its four edges can be cut, in three ways and mirrored."""
    values = table(problems.maxcut(4, TRIANGLE_AND_TAIL))
    assert values.min() == -3
    best = [s for s, v in zip(qf.bit_strings(4), values.tolist(), strict=True) if v == -3]
    assert best == ["0010", "0101", "0110", "1001", "1010", "1101"]
    assert values[0] == values[-1] == 0


CASES = {
    "maxcut": (
        problems.maxcut(4, TRIANGLE_AND_TAIL),
        lambda s: -cut(s, TRIANGLE_AND_TAIL, [1] * 4),
    ),
    "weighted maxcut": (
        problems.maxcut(4, TRIANGLE_AND_TAIL, WEIGHTS),
        lambda s: -cut(s, TRIANGLE_AND_TAIL, WEIGHTS),
    ),
    "maxcut, weights as a tensor": (
        problems.maxcut(4, TRIANGLE_AND_TAIL, torch.tensor(WEIGHTS, dtype=F64)),
        lambda s: -cut(s, TRIANGLE_AND_TAIL, WEIGHTS),
    ),
    "no edges": (problems.maxcut(2, []), lambda s: 0.0),
    "partitioning": (
        problems.number_partitioning([3.0, 1.0, 1.5, 2.5]),
        lambda s: np.dot(spins(s), [3.0, 1.0, 1.5, 2.5]) ** 2,
    ),
    "ising": (
        problems.ising(3, COUPLINGS, FIELDS, 2.0),
        lambda s: ising_cost(s, COUPLINGS, FIELDS, 2.0),
    ),
}
WRONG = {
    "cut counted twice": ("maxcut", lambda s: -2 * cut(s, TRIANGLE_AND_TAIL, [1] * 4)),
    "cut maximised": ("maxcut", lambda s: cut(s, TRIANGLE_AND_TAIL, [1] * 4)),
    "wires backwards": ("weighted maxcut", lambda s: -cut(s[::-1], TRIANGLE_AND_TAIL, WEIGHTS)),
    "not squared": ("partitioning", lambda s: abs(np.dot(spins(s), [3.0, 1.0, 1.5, 2.5]))),
    "bits for spins": ("partitioning", lambda s: np.dot(bits(s), [3.0, 1.0, 1.5, 2.5]) ** 2),
    "one of two couplings of a pair": (
        "ising",
        lambda s: ising_cost(s, {(0, 1): 0.5, (2, 0): -1.5}, FIELDS, 2.0),
    ),
}


# Graphs: energies by definition, and the best sets by trying all

CHORDS = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (0, 2)]
NODES = [1.0, 2.5, 0.5, 1.5, 2.0]


def chosen(string):
    return {node for node, bit in enumerate(string) if bit == "1"}


def inside(nodes, edges):
    return [edge for edge in edges if set(edge) <= nodes]


def apart(edges, n):
    joined = set(map(frozenset, edges))
    return [pair for pair in combinations(range(n), 2) if frozenset(pair) not in joined]


def independent(string, edges=CHORDS, weights=NODES, penalty=3.0):
    nodes = chosen(string)
    return penalty * len(inside(nodes, edges)) - sum(weights[node] for node in nodes)


def cover(string, edges=CHORDS, weights=NODES, penalty=3.0):
    nodes = chosen(string)
    missed = inside(set(range(len(string))) - nodes, edges)
    return penalty * len(missed) + sum(weights[node] for node in nodes)


def faults(string, edges, n_colours):
    rows = [chosen(string[at : at + n_colours]) for at in range(0, len(string), n_colours)]
    clashes = sum(len(rows[a] & rows[b]) for a, b in edges)
    return clashes + sum((1 - len(row)) ** 2 for row in rows)


CASES |= {
    "independent set": (
        problems.max_independent_set(5, CHORDS, NODES, penalty=3.0),
        independent,
    ),
    "clique": (
        problems.max_clique(5, CHORDS, torch.tensor(NODES, dtype=F64), penalty=3.0),
        lambda s: independent(s, apart(CHORDS, 5)),
    ),
    "vertex cover": (problems.min_vertex_cover(5, CHORDS, NODES, penalty=3.0), cover),
    "colouring": (
        problems.graph_colouring(3, [(0, 1), (2, 0)], n_colours=2),
        lambda s: faults(s, [(0, 1), (2, 0)], 2),
    ),
}
WRONG |= {
    "a set of largest weight is not minimised": ("independent set", lambda s: -independent(s)),
    "a penalty for pairs that are apart": ("clique", independent),
    "a penalty for edges inside": ("vertex cover", lambda s: -independent(s, penalty=-3.0)),
    "a penalty for ends, not edges": (
        "vertex cover",
        lambda s: cover(s) + sum(3 * (s[a] == s[b] == "0") for a, b in CHORDS),
    ),
    "colours before nodes": (
        "colouring",
        lambda s: faults(s[0::3] + s[1::3] + s[2::3], [(0, 1), (2, 0)], 2),
    ),
    "no penalty for two colours": (
        "colouring",
        lambda s: faults(s, [(0, 1), (2, 0)], 2) - sum(s[i : i + 2] == "11" for i in (0, 2, 4)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_costs_of_every_string(name):
    assert_costs(*CASES[name], scale=64)


@pytest.mark.parametrize(("name", "cost"), WRONG.values(), ids=WRONG)
def test_the_law_of_costs_refuses(name, cost):
    with pytest.raises(AssertionError):
        assert_costs(CASES[name][0], cost, scale=64)


def graphs(n=5):
    pairs = st.sampled_from(list(combinations(range(n), 2)))
    return st.lists(pairs, unique=True, max_size=8)


def lowest(observable):
    """The strings of lowest energy, and that."""
    values = table(observable)
    strings = zip(qf.bit_strings(observable.n_qubits), values.tolist(), strict=True)
    least = float(values.min())  # exact: all numbers are multiples of 1/16
    return {s for s, v in strings if v == least}, least


def best(rule, weight, sign):
    """All strings that keep a rule, and of these the ones of largest weight, by trying all."""
    kept = [s for s in qf.bit_strings(5) if rule(chosen(s))]
    found = max(sign * weight(s) for s in kept)
    return {s for s in kept if sign * weight(s) == found}, -found


@given(graphs(), st.lists(st.sampled_from([0.5, 1.0, 1.5, 2.0]), min_size=5, max_size=5))
def test_the_best_sets_keep_the_rules(edges, weights):
    """Just above the largest weight, no penalty is worth paying."""
    penalty = 2.25

    def weight(string):
        return sum(weights[node] for node in chosen(string))

    found = problems.max_independent_set(5, edges, weights, penalty=penalty)
    assert_lowest(found, *best(lambda s: not inside(s, edges), weight, 1))
    found = problems.max_clique(5, edges, weights, penalty=penalty)
    assert_lowest(found, *best(lambda s: not inside(s, apart(edges, 5)), weight, 1))
    found = problems.min_vertex_cover(5, edges, weights, penalty=penalty)
    assert_lowest(found, *best(lambda s: not inside(set(range(5)) - s, edges), weight, -1))


def assert_lowest(observable, strings, energy):
    found, least = lowest(observable)
    assert (found, least) == (strings, energy)


@pytest.mark.parametrize("penalty", [0.5, 1.0])
def test_a_small_penalty_breaks_the_rule(penalty):
    """What the check of the penalty is for; behind a tensor it can't be read."""
    edge = [(0, 1)]
    small = torch.tensor(penalty, dtype=F64)
    found, _ = lowest(problems.max_independent_set(2, edge, penalty=small))
    assert "11" in found


@given(graphs(4))
def test_a_cover_is_what_an_independent_set_leaves(edges):
    """Of weights 1: the complement of each is the other, and sizes sum to the number of nodes."""
    flipped = str.maketrans("01", "10")
    sets, minus_size = lowest(problems.max_independent_set(4, edges))
    covers, size = lowest(problems.min_vertex_cover(4, edges))
    assert {s.translate(flipped) for s in sets} == covers
    assert round(size - minus_size) == 4


@pytest.mark.parametrize("n_colours", [1, 2, 3])
@pytest.mark.parametrize("n", [3, 4])
def test_colourings_are_counted_by_the_chromatic_polynomial(n_colours, n):
    """Of a ring, (k - 1)^n + (-1)^n (k - 1); where that is 0 each string has a fault."""
    n_ways = (n_colours - 1) ** n + (-1) ** n * (n_colours - 1)
    found, least = lowest(problems.graph_colouring(n, ring(n), n_colours=n_colours))
    assert (least < 0.5) == (n_ways > 0)
    assert least > 0.5 or len(found) == n_ways


class Labelled:
    """A graph as networkx has it: views that give data, and nodes of any kind."""

    def __init__(self, nodes, edges):
        self.nodes, self.edges = Nodes(nodes), lambda data, default: [
            (a, b, weight if weight is not None else default) for a, b, weight in edges
        ]  # fmt: skip


class Nodes(dict):
    def __call__(self, data, default):
        assert data == "weight"
        return [(node, weight if weight is not None else default) for node, weight in self.items()]


LABELLED = Labelled({"c": 2.0, ("a", 1): None, 7: 0.5}, [(7, "c", 3.0), ("c", ("a", 1), None)])
PLACES, OWN = [(2, 0), (0, 1)], [2.0, 1.0, 0.5]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (problems.maxcut(LABELLED), problems.maxcut(3, PLACES, [3.0, 1.0])),
        (
            problems.max_independent_set(LABELLED, penalty=2.5),
            problems.max_independent_set(3, PLACES, OWN, penalty=2.5),
        ),
        (
            problems.max_clique(LABELLED, weights=[1.0] * 3),
            problems.max_clique(3, PLACES),
        ),
        (
            problems.min_vertex_cover(LABELLED, penalty=2.5),
            problems.min_vertex_cover(3, PLACES, OWN, penalty=2.5),
        ),
        (
            problems.graph_colouring(LABELLED, n_colours=2),
            problems.graph_colouring(3, PLACES, n_colours=2),
        ),
        (
            problems.ising(LABELLED, fields={7: 0.5}),
            problems.ising(3, {(2, 0): 3.0, (0, 1): 1.0}, {2: 0.5}),
        ),
        (
            problems.heisenberg(LABELLED, (1.0, 2.0, 3.0), 0.5),
            problems.heisenberg(3, (1.0, 2.0, 3.0), 0.5, edges=PLACES)
            + problems.heisenberg(3, (2.0, 4.0, 6.0), edges=PLACES[:1]),
        ),
        (
            problems.transverse_field_ising(LABELLED, 0.5),
            problems.transverse_field_ising(3, 0.5, edges=PLACES)
            + problems.transverse_field_ising(3, 1.0, 0.0, edges=PLACES[:1]),
        ),
    ],
)
def test_graphs_with_labels(found, expected):
    assert_close(found.to_matrix(), expected.to_matrix(), n_gates=64, scale=64)


@given(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=3, max_size=3), numbers)
def test_qubo_is_the_quadratic_form(rows, offset):
    q = np.array(rows)
    observable = problems.from_qubo(torch.tensor(rows, dtype=F64), offset)
    assert_costs(observable, lambda s: np.array(bits(s)) @ q @ np.array(bits(s)) + offset, 100)


def assert_round_trip(to_qubo, matrix, offset):
    found, constant = to_qubo(problems.from_qubo(matrix, offset))
    folded = matrix.triu() + matrix.tril(-1).mT
    assert_close(found, folded, n_gates=64, scale=100)
    assert_close(constant, offset, n_gates=64, scale=100, dtype=F64)


@given(st.lists(numbers, min_size=16, max_size=16), numbers)
def test_qubo_and_ising_are_a_round_trip(entries, offset):
    assert_round_trip(problems.to_qubo, torch.tensor(entries, dtype=F64).reshape(4, 4), offset)


@given(st.dictionaries(st.tuples(st.integers(0, 1), st.integers(2, 3)), numbers), numbers)
def test_ising_and_qubo_are_a_round_trip(couplings, constant):
    observable = problems.ising(4, couplings, {1: 0.5}, constant)
    back = problems.from_qubo(*problems.to_qubo(observable, dtype=F64))
    assert_close(table(back), table(observable), n_gates=64, scale=100)


@pytest.mark.parametrize(
    "mutant",
    [
        lambda o: (problems.to_qubo(o)[0].mT, problems.to_qubo(o)[1]),
        lambda o: (problems.to_qubo(o)[0], -problems.to_qubo(o)[1]),
        lambda o: (problems.to_qubo(o)[0].triu(1), problems.to_qubo(o)[1]),
    ],
    ids=["lower triangle", "sign of the offset", "no linear part"],
)
def test_the_round_trip_refuses(mutant):
    matrix = torch.arange(1.0, 10.0, dtype=F64).reshape(3, 3)
    with pytest.raises(AssertionError):
        assert_round_trip(mutant, matrix, 0.5)


# Models of magnets: dense matrices, and known energies

PAULI = {
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}


def dense(n, letters):
    return reduce(np.kron, [PAULI[letters[w]] if w in letters else np.eye(2) for w in range(n)])


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_magnets_are_their_sums(n, periodic):
    bonds = [*pairwise(range(n)), *([(n - 1, 0)] if periodic and n > 2 else [])]
    chain = problems.heisenberg(n, (0.5, -1.0, 2.0), 0.25, periodic=periodic)
    expected = 0.25 * sum(dense(n, {w: "Z"}) for w in range(n))
    for letter, strength in zip("XYZ", (0.5, -1.0, 2.0), strict=True):
        expected = expected + strength * sum(dense(n, {i: letter, j: letter}) for i, j in bonds)
    assert_close(chain.to_matrix(), expected, n_gates=8, scale=8)
    chain = problems.transverse_field_ising(n, 0.5, -1.5, periodic=periodic)
    expected = 1.5 * sum(dense(n, {w: "X"}) for w in range(n))
    expected = expected - 0.5 * sum(dense(n, {i: "Z", j: "Z"}) for i, j in bonds)
    assert_close(chain.to_matrix(), expected, n_gates=8, scale=8)


def test_known_energies_of_magnets():
    """The singlet of two spins, and Pfeuty's free fermions on a ring at criticality."""
    levels = torch.linalg.eigvalsh(problems.heisenberg(2).to_matrix())
    assert_close(levels, [-3.0, 1, 1, 1], n_gates=16, scale=8)
    n = 6
    ring = problems.transverse_field_ising(n, periodic=True).to_matrix()
    momenta = [(2 * k + 1) * math.pi / n for k in range(n)]
    lowest = -sum(math.sqrt(2 + 2 * math.cos(k)) for k in momenta)
    assert_close(torch.linalg.eigvalsh(ring)[0], lowest, n_gates=64, scale=2 * n)


# QAOA: closed forms


def ring(n):
    return [(i, (i + 1) % n) for i in range(n)]


def energy(params, cost):
    return qf.expval(qf.circuit(cost.n_qubits, qf.ansatz.qaoa(params, cost))(), cost)


def one_layer_cut(gamma, beta, edges):
    """Expected cut of QAOA at p = 1 for C maximised, by degrees and triangles."""
    adjacent = {}
    for i, j in edges:
        adjacent.setdefault(i, set()).add(j)
        adjacent.setdefault(j, set()).add(i)
    total = 0.0
    for i, j in edges:
        d, e, f = len(adjacent[i]) - 1, len(adjacent[j]) - 1, len(adjacent[i] & adjacent[j])
        first = (
            math.sin(4 * beta) * math.sin(gamma) / 4 * (math.cos(gamma) ** d + math.cos(gamma) ** e)
        )
        second = math.sin(2 * beta) ** 2 / 4 * math.cos(gamma) ** (d + e - 2 * f)
        total += 0.5 + first - second * (1 - math.cos(2 * gamma) ** f)
    return total


GRAPHS = {
    "ring": ring(6),
    "triangle and tail": TRIANGLE_AND_TAIL,
    "two triangles": [(0, 1), (1, 2), (0, 2), (1, 3), (2, 3), (3, 4)],
}


def assert_one_layer(edges, gamma, beta):
    """Wang, Hadfield, Jiang and Rieffel (2018), Phys. Rev. A 97, 022304, theorem 1."""
    cost = problems.maxcut(1 + max(map(max, edges)), edges)
    params = torch.tensor([[-gamma, beta]], dtype=F64)  # the cost is minus the cut
    expected = -one_layer_cut(gamma, beta, edges)
    assert_close(energy(params, cost), expected, n_gates=64, scale=len(edges))


@given(st.sampled_from(list(GRAPHS)), st.floats(-3, 3), st.floats(-3, 3))
def test_one_layer_of_qaoa(name, gamma, beta):
    assert_one_layer(GRAPHS[name], gamma, beta)


@pytest.mark.parametrize("turn", [(-1, 1), (1, -1), (0.5, 1), (1, 2)])
def test_the_law_of_one_layer_refuses(turn, monkeypatch):
    whole, turn = qf.ansatz.qaoa, torch.tensor(turn, dtype=F64)
    monkeypatch.setattr(qf.ansatz, "qaoa", lambda params, cost: whole(turn * params, cost))
    with pytest.raises(AssertionError):
        assert_one_layer(GRAPHS["triangle and tail"], 0.7, 0.4)


@pytest.mark.parametrize("n_layers", [1, 2, 3])
def test_qaoa_on_even_rings(n_layers):
    """On rings of n ≥ 2p + 2 nodes the best cut is (2p + 1) / (2p + 2) of the edges.

    Farhi et al. (2014), section 4, numerically; Mbeng, Fazio and Santoro (2019), arXiv:1906.08948.
    """
    n = 2 * n_layers + 2
    cost = problems.maxcut(n, ring(n))
    ramp = (torch.arange(n_layers, dtype=F64) + 0.5) / n_layers
    params, opt = torch.stack([-ramp, 1 - ramp], 1) * 0.8, qf.optim.adam(0.05)
    state = opt.init(params)
    for _ in range(150):
        updates, state = opt.update(grad(energy)(params, cost), state)
        params = params + updates
    for _ in range(8):  # Newton's steps, damped where the curvature vanishes
        slope, curvature = grad(energy)(params, cost).flatten(), hessian(energy)(params, cost)
        step = (
            torch.linalg.pinv(
                curvature.reshape(2 * n_layers, -1), rtol=math.sqrt(torch.finfo(F64).eps)
            )
            @ slope
        )
        params = params - step.reshape(-1, 2)
    expected = -n * (2 * n_layers + 1) / (2 * n_layers + 2)
    assert_close(energy(params, cost), expected, n_gates=64 * n, scale=n)


# Coefficients are leaves

STATE = qf.random_state(qf.uniforms((2, 8), 0, dtype=F64))
EDGES = [(0, 1), (1, 2), (0, 2)]
FAMILIES = {
    "maxcut": lambda c: problems.maxcut(3, EDGES, c),
    "independent set": lambda c: problems.max_independent_set(3, EDGES, c, penalty=c[0] * c[2]),
    "clique": lambda c: problems.max_clique(3, EDGES[:1], c, penalty=4.0),
    "cover": lambda c: problems.min_vertex_cover(3, EDGES, c, penalty=c[2] * c[2]),
    "on edges": lambda c: problems.heisenberg(3, tuple(c.unbind()), c[0], edges=EDGES),
    "partitioning": problems.number_partitioning,
    "ising": lambda c: problems.ising(3, {(0, 1): c[0]}, {2: c[1]}, c[2]),
    "qubo": lambda c: problems.from_qubo(c[:, None] * c, c[0]),
    "to_qubo": lambda c: problems.from_qubo(
        *problems.to_qubo(problems.maxcut(3, EDGES, c.square()))
    ),
    "heisenberg": lambda c: problems.heisenberg(3, tuple(c.unbind()), c[0] * c[1]),
    "transverse": lambda c: problems.transverse_field_ising(3, c[0], c[1], periodic=True),
}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_coefficients_are_differentiable(family):
    def value(c):
        return qf.expval(STATE, family(c)) ** 2

    c = torch.tensor([0.5, -0.75, 1.25], dtype=F64)
    slope = central_difference(value, c)
    for transform in (grad, jacrev, jacfwd):
        assert_close_fd(transform(value)(c), slope, scale=32)
    curvature = central_difference(grad(value), c)
    for transform in (hessian, lambda f: jacfwd(jacfwd(f)), lambda f: jacrev(jacrev(f))):
        assert_close_fd(transform(value)(c), curvature, scale=32)
    batch = torch.stack([c, c.flip(0), 2 * c])
    for f in (value, grad(value), hessian(value)):
        looped = torch.stack([f(row) for row in batch])
        assert_close(vmap(f)(batch), looped, n_gates=64, scale=64)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_coefficients_keep_their_dtype(family, dtype):
    c = torch.tensor([0.5, -0.75, 1.25], dtype=dtype)
    coefficients, tangents = jvp(lambda c: family(c).coefficients, (c,), (torch.ones_like(c),))
    assert coefficients.dtype == tangents.dtype == dtype


def test_qaoa_differentiates_by_the_weights():
    params = torch.tensor([[0.3, 0.4], [-0.2, 0.7]], dtype=F64)
    weights = torch.tensor([0.5, 1.0, -1.0], dtype=F64)
    by_weights = partial(lambda p, w: energy(p, problems.maxcut(3, EDGES, w)), params)
    assert_close_fd(grad(by_weights)(weights), central_difference(by_weights, weights), scale=8)
