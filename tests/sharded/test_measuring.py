"""Measurements on sharded states are those on the whole state, with derivatives of all kinds."""

from math import ceil

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from on_ranks import (
    KINDS,
    bits_of_samples,
    check_alike,
    jitted,
    measured_derivatives,
    n_messages_of_measuring,
    random_state,
    reordered_parts,
)
from oracles.compare import assert_close
from rank_pools import RankError

import quilt_func as qf
from quilt_func.sharded.moving import moves
from quilt_func.sharded.planning import planned_exchange
from quilt_func.sharded.word_passes import passes_for
from quilt_func.testing import strategies

EXAMPLES = {1: 4, 2: 12, 4: 12, 8: 6}
"""Numbers of ranks, and examples of each law."""
each_size = pytest.mark.parametrize("n_ranks", EXAMPLES)


def weighed_parity(bits, weights):
    """A cost that is no product, with parameters."""
    return (bits.to(weights.dtype) @ weights).cos() + weights[0]


@st.composite
def measurements(draw, n_ranks):
    """A state, a layout, kinds of derivatives, and a function's name with its arguments."""
    n = n_ranks.bit_length() - 1 + draw(st.integers(1, 4))
    dtype = draw(st.sampled_from([torch.float64, torch.float64, torch.float32]))
    state, order = random_state(n, draw(st.integers(0, 9)), dtype), draw(st.permutations(range(n)))
    sums = strategies.pauli_sums(n, dtype=dtype)
    values = strategies.uniforms((2**n,), dtype=dtype)
    wires = draw(st.permutations(range(n)))[: draw(st.integers(0, n))]
    of_name = {
        "expval": [draw(sums)],
        "several": [[draw(sums), qf.diagonal(draw(values)), draw(sums), dict(draw(sums).items())]],
        "diagonal": [qf.diagonal(draw(values))],
        "variance": [draw(sums)],
        "variance of a diagonal": [qf.diagonal(draw(values))],
        "marginal": [wires],
        "reduced_density": [wires],
        "norm": [],
        "mean_cost": [weighed_parity, qf.uniforms(n, 5, dtype=dtype)],
    }
    name = draw(st.sampled_from(list(of_name)))
    arguments = of_name[name]
    if name == "reduced_density":
        assume(len(arguments[0]) <= n - (n_ranks.bit_length() - 1))
    name = {"several": "expval", "diagonal": "expval"}.get(name, name.split()[0])
    kinds = tuple(draw(st.lists(st.sampled_from(KINDS), min_size=2, max_size=2, unique=True)))
    return state, tuple(order), kinds, name, *arguments


@each_size
def test_measurements_are_those_of_the_whole_state(pool, n_ranks):
    @settings(max_examples=max(1, settings().max_examples * EXAMPLES[n_ranks] // 40))
    @given(measurements(n_ranks))
    def law(case):
        expected = measured_derivatives("whole", *case)
        answers = pool(n_ranks).run(measured_derivatives, "split", *case)
        check_alike(answers, expected, 2 ** len(case[1]), scale=64.0)

    law()


@pytest.mark.parametrize("name", ["expval", "variance", "mean_cost", "marginal", "norm"])
def test_all_derivatives_of_measurements(pool, name):
    """On four ranks, with words that flip wires of the rank's number and of the others."""
    state, order = random_state(5, 1), (3, 0, 4, 1, 2)
    coefficients = qf.uniforms(6, 2, dtype=torch.float64)
    words = qf.pauli_sum(["XYIII", "ZZIYZ", "YIIXX", "IZZII", "YYYYY", "XXXXZ"], coefficients)
    arguments = {"mean_cost": [weighed_parity, coefficients[:5]], "marginal": [(0, 2)], "norm": []}
    case = state, order, KINDS, name, *arguments.get(name, [words])
    expected = measured_derivatives("whole", *case)
    check_alike(pool(4).run(measured_derivatives, "split", *case), expected, 64, scale=16.0)


@st.composite
def layouts(draw, least=1):
    n_bits = draw(st.integers(0, 4))
    n = n_bits + draw(st.integers(least, 6))
    order, target = draw(st.permutations(range(n))), draw(st.permutations(range(n)))
    return n_bits, tuple(order), tuple(target)


def after(order, found, n_bits):
    for move in found:
        order = planned_exchange(order, n_bits, *move).order
    return order


@settings(max_examples=100)
@given(layouts())
def test_exchanges_lead_to_every_layout(case):
    """In one or two of them, if a rank has as many wires as its number has bits."""
    n_bits, order, target = case
    found = list(moves(order, target, n_bits))
    assert after(order, found, n_bits)[:n_bits] == target[:n_bits]
    assert all(len(set(move.places)) == len(move.places) == len(move.wires) for move in found)
    if len(order) >= 2 * n_bits:
        is_within = any(
            w in order[:n_bits] and w != v for w, v in zip(target, order[:n_bits], strict=False)
        )
        assert len(found) <= 1 + is_within
    assert len(found) <= 2 * n_bits


@each_size
def test_states_come_back_from_every_layout(pool, n_ranks):
    n = 2 + n_ranks.bit_length()
    state, orders = random_state(n, 4), list(st_orders(n))
    for answer in pool(n_ranks).run(reordered_parts, state, orders):
        assert all(torch.equal(got, state) for got in answer)


def st_orders(n):
    """Some orders of n wires: of each, another rotation and its reverse."""
    for k in range(n):
        turned = tuple((i + k) % n for i in range(n))
        yield turned
        yield turned[::-1]


@each_size
def test_samples_are_those_of_one_process(pool, n_ranks):
    n = 2 + n_ranks.bit_length()
    u = qf.uniforms((50, 4), 3, dtype=torch.float64)
    for state in (random_state(n, 5), qf.ghz_state(n), qf.basis_state("0" * (n - 1) + "1")):
        expected = qf.sample(state, u), qf.sample(state, qf.uniforms(9000, 1))
        order = tuple(range(n))[::-1]
        for answer in pool(n_ranks).run(bits_of_samples, state, order, u, qf.uniforms(9000, 1)):
            assert all(torch.equal(a, b) for a, b in zip(answer, expected, strict=True))


def flips(word):
    return {wire for wire, letter in enumerate(word) if letter in "XY"}


@settings(max_examples=100)
@given(layouts(least=2), st.data())
def test_each_word_is_measured_once_where_it_can_be(case, data):
    n_bits, order, _ = case
    words = data.draw(st.lists(strategies.pauli_words(len(order)), min_size=1, max_size=12))
    found = passes_for(tuple(words), order, n_bits)
    assert sorted(term for one in found for term in one.terms) == list(range(len(words)))
    for one in found:
        layout = order if one.move is None else planned_exchange(order, n_bits, *one.move).order
        for term in one.terms:
            across = flips(words[term]) & set(layout[:n_bits])
            mask = sum(
                1 << n_bits - 1 - place for place in range(n_bits) if layout[place] in across
            )
            assert mask == one.partner
    by_partner = {frozenset(flips(word) & set(order[:n_bits])) for word in words} - {frozenset()}
    sent = sum(1 - 2 ** -len(one.move.places) for one in found if one.move)
    sent += len({one.partner for one in found if one.partner})
    assert sent <= len(by_partner)


@pytest.mark.parametrize(
    ("words", "n_exchanges"),
    [
        (["ZZIIII", "IIZIXX", "ZIIYIY"], 0),
        (["XIIIII", "IXIIII", "XXIIII", "IIXIII"], 1),
        (["ZYXIII", "XIIIIZ", "IIIYYI"], 1),
        (["XXXXXX"], 1),
        (["XXXXXX", "YXXXXX", "YYXXXX", "XIIIII"], 2),
    ],
)
def test_what_is_sent_for_words(pool, words, n_exchanges):
    """None for I and Z on the wires of the rank's number; one exchange where one is enough."""
    found = pool(4).run(n_messages_of_measuring, random_state(6, 1), words)
    assert found == [n_exchanges] * 4


def test_words_of_a_chain_and_of_a_molecule_take_few_exchanges():
    """Thousands of words of a molecule: as many passes as it takes to bring each pair together."""
    n, order = 30, tuple(range(30))
    chain = ["I" * i + p * 2 + "I" * (n - 2 - i) for p in "XYZ" for i in range(n - 1)]
    assert len(passes_for(tuple(chain), order, 3)) == 2
    pairs = [
        "".join("X" if k in (i, j) else "Z" if i < k < j else "I" for k in range(n))
        for i in range(n) for j in range(i + 1, n)
    ]  # fmt: skip
    assert len(passes_for(tuple(pairs), order, 3)) <= 1 + ceil(n / 3)


@pytest.mark.parametrize("n_ranks", [1, 2])
def test_jit_replays_one_rank_and_refuses_more(pool, n_ranks):
    """It never replays what would have to be sent."""
    x = torch.tensor(0.3, dtype=torch.float64)
    if n_ranks == 1:
        (found,) = pool(1).run(jitted, x)
        assert_close(found, x.cos())
        return
    with pytest.raises(RankError, match=r"run_sharded\(\): .*without `jit`"):
        pool(2).run(jitted, x)


@pytest.mark.parametrize("transform", [torch.func.grad, torch.func.jacfwd])
def test_costs_must_not_close_over_what_is_differentiated(transform):
    """The gradient of a rank alone would be wrong, without a word."""
    layout = qf.sharded.Layout((0, 1), qf.sharded.Ranks(1))
    state = qf.sharded.ShardedState(random_state(2, 1), layout)
    weights = qf.uniforms(2, 3, dtype=torch.float64)

    def closing(w):
        return qf.sharded.mean_cost(state, lambda bits: weighed_parity(bits, w))

    def given_them(w):
        return qf.sharded.mean_cost(state, weighed_parity, w)

    with pytest.raises(TypeError, match=r"mean_cost\(state, cost, weights\)"):
        transform(closing)(weights)
    assert transform(given_them)(weights).abs().min() > 0


ELSEWHERE = [qf.probs, lambda s: qf.expval(s, {"Z": 1.0}), lambda s: qf.circuit(1, qf.x(0))(s)]


@pytest.mark.parametrize("function", ELSEWHERE)
def test_functions_of_whole_states_name_those_of_sharded_ones(function):
    layout = qf.sharded.Layout((0,), qf.sharded.Ranks(1))
    state = qf.sharded.ShardedState(qf.zero_state(1), layout)
    with pytest.raises(TypeError, match=r"quilt_func\.sharded.* `sharded\.gather\(state\)`"):
        function(state)
