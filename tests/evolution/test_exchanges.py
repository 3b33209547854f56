"""Plans with exchanges: each finds the wires that it names, whatever order they were put in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import quilt_func as qf
from quilt_func._collectives import Exchange, Ranks
from quilt_func.evolution import exchange_row, partitioning
from quilt_func.evolution.planner import plan
from quilt_func.evolution.steps import ExchangeStep, WireOrder
from quilt_func.ops import Op

N = 8
exchanges = st.permutations(range(N)).map(tuple)


def exchange(order):
    """An exchange of the first two wires of an order with the bits of the number of four ranks."""
    return Op(exchange_row(Exchange(Ranks(4), (0, 1)), N), (order,), ())


def apart(seed):
    """Gates that want wires which are far apart to be neighbours."""
    pairs = [(wire, (wire + 3 + seed) % N) for wire in range(N)]
    return [
        qf.ry(0.1, range(N)),
        qf.rxx(0.3, pairs),
        qf.u(0.1, 0.2, 0.3, range(N)),
        qf.rxx(0.2, pairs),
    ]


def found_by(orders):
    """The wires that each exchange of a planned run finds at its places, and its steps."""
    ops = [part for seed, order in enumerate(orders) for part in (*apart(seed), exchange(order))]
    steps = plan(N, tuple(op.structure for op in ops), ((),) * len(ops), True).steps
    at, found = tuple(range(N)), []
    for step in steps:
        if isinstance(step, WireOrder):
            at = tuple(at[place] for place in step.order)
        elif isinstance(step, ExchangeStep):
            found.append(tuple(at[place] for place in step.order))
            at = tuple(range(N))  # what an exchange leaves is named anew
    return found, steps


@given(st.lists(exchanges, min_size=1, max_size=3))
def test_an_exchange_finds_the_wires_that_it_names(orders):
    assert found_by(orders)[0] == orders


def test_an_order_before_an_exchange_is_one_movement_with_it():
    steps = found_by([tuple(range(N))])[1]
    kinds = [type(step) for step in steps]
    assert WireOrder in kinds, "the circuit has wires apart"
    assert kinds[-1] is ExchangeStep
    assert kinds[-2] is not WireOrder
    assert steps[-1].order != tuple(range(N)), "it brings wires back"


def test_a_composition_the_other_way_round_is_noticed(monkeypatch):
    compose = partitioning.after_order
    monkeypatch.setattr(partitioning, "after_order", lambda first, then: compose(then, first))
    plan.cache_clear()
    try:
        orders = [(3, 1, 0, 2, 7, 5, 6, 4)]
        with pytest.raises(AssertionError):
            assert found_by(orders)[0] == orders
    finally:
        plan.cache_clear()
