"""Runs on 1 to 8 ranks are those on one process: states, and derivatives of all kinds."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from on_ranks import (
    KINDS,
    ROUTES,
    check_run,
    example,
    layers,
    n_messages,
    of_lazy_numbers,
    random_state,
    run_derivatives,
    run_with,
    states_after,
)
from oracles.compare import assert_close

import quilt_func as qf
from quilt_func._collectives import Ranks
from quilt_func.evolution import cost_of
from quilt_func.sharded.localising import applications, local_ops, split_leading
from quilt_func.sharded.planning import schedule
from quilt_func.testing import strategies

RANKS = {1: 4, 2: 8, 4: 6, 8: 3}
"""Numbers of ranks, and the share of examples that each has, of 40."""
each_size = pytest.mark.parametrize("n_ranks", RANKS)


def share(n_ranks):
    return settings(max_examples=max(1, settings().max_examples * RANKS[n_ranks] // 40))


@st.composite
def runs(draw, n_ranks):
    """A circuit, perhaps a state to start from in any layout, a bra, derivatives, and a route."""
    n_bits = n_ranks.bit_length() - 1
    dtype = draw(st.sampled_from([torch.float64, torch.float64, torch.float32]))
    sizes = {"min_qubits": n_bits + 3, "max_qubits": n_bits + 4}
    circuit = draw(strategies.circuits(**sizes, max_ops=10, dtype=dtype))
    n = circuit.n_qubits
    kinds = tuple(draw(st.lists(st.sampled_from(KINDS), min_size=2, max_size=2, unique=True)))
    bra, route = random_state(n, 7, dtype), draw(st.sampled_from(ROUTES))
    if draw(st.booleans()) and any(leaf.numel() for leaf in circuit.leaves):
        return circuit, None, None, bra, kinds, route
    start = random_state(n, draw(st.integers(0, 9)), dtype)
    return circuit, start, tuple(draw(st.permutations(range(n)))), bra, kinds, route


@each_size
def test_runs_are_those_of_one_process(pool, n_ranks):
    @share(n_ranks)
    @given(runs(n_ranks))
    def law(run):
        check_run(pool(n_ranks).run(run_derivatives, "split", *run), run)

    law()


@pytest.mark.parametrize("n_ranks", [2, 4])
@pytest.mark.parametrize("kind", ["pairs", "one call"])
@pytest.mark.parametrize("route", ROUTES)
def test_all_derivatives_with_messages_of_every_kind_and_in_pieces(pool, n_ranks, kind, route):
    run = (*example(), KINDS, route)
    answers, pieces = zip(*pool(n_ranks).run(run_with, kind, 64, *run), strict=True)
    check_run(answers, run)
    assert min(pieces) > 1


def of_every_row():
    """A circuit for each gate of the table, and for some that are made of others."""
    made = [qf.controlled(qf.ccx), qf.inverse(qf.crx), qf.power(qf.cy, 0.3), qf.controlled(qf.u)]
    for row in (*qf.GATES, *made):
        angles = [0.3 + 0.4 * i for i in range(row.n_params)]
        wires = (4, 0, 2, 5)[: row.n_wires]
        yield qf.circuit(6, qf.rx(torch.tensor(0.2).double(), 1), row(*angles, *wires))


@pytest.mark.parametrize("n_ranks", [2, 4])
def test_every_gate_of_the_table(pool, n_ranks):
    """With each of its wires local, and in the number of the rank."""
    circuits = list(of_every_row())
    orders = [(0, 1, 2, 3, 4, 5), (4, 2, 0, 1, 3, 5), (2, 0, 4, 5, 3, 1), (5, 4, 3, 2, 1, 0)]
    answers = pool(n_ranks).run(states_after, circuits, orders)
    for answer in answers:
        for number, got in enumerate(answer):
            circuit = circuits[number // len(orders)]
            right = circuit(random_state(6, 3))
            assert_close(got, right, n_gates=8, what=str(circuit.ops[-1].gate))


def test_ranks_with_one_wire(pool):
    """Gates on single wires, controls and diagonals need no more."""
    p = qf.uniforms(4, 0, dtype=torch.float64)
    circuit = qf.circuit(
        4, qf.ry(p, range(4)), qf.cx([(0, 1), (3, 2)]), qf.ccx(2, 1, 0), qf.rzz(p[0], 0, 3),
        qf.rx(p, range(4)),
    )  # fmt: skip
    run = circuit, random_state(4, 1), (2, 0, 3, 1), random_state(4, 2), ("grad", "jvp")
    check_run(pool(8).run(run_derivatives, "split", *run), run)


@each_size
def test_zero_amplitudes_have_finite_derivatives(pool, n_ranks):
    """From |0...0⟩ at angles 0, where most amplitudes are 0."""
    p = torch.zeros(5, dtype=torch.float64)
    circuit = qf.circuit(5, qf.rx(p, range(5)), qf.cx([(0, 4), (1, 3)]), qf.rxx(p[:1], [(0, 1)]))
    run = circuit, None, None, random_state(5, 2), ("grad", "jvp(grad)")
    check_run(pool(n_ranks).run(run_derivatives, "split", *run), run)


def planned(circuit, n_bits, order=None):
    """The schedule of a run, and the gates that it numbers."""
    gates = applications(circuit.ops)
    gates = split_leading(gates)[1] if order is None else gates
    demands = tuple(gate.demand for gate in gates)
    return schedule(circuit.n_qubits, n_bits, demands, order), gates


@pytest.mark.parametrize("n_ranks", [2, 4, 8])
@pytest.mark.parametrize("order", [None, (3, 0, 5, 1, 4, 2)])
@pytest.mark.parametrize(("route", "n_back"), [("plain", 1), ("fused", 1), ("walking back", 2)])
def test_as_many_exchanges_as_planned(pool, n_ranks, order, route, n_back):
    """On the way back, each for the gradient, and for the state if it is walked back."""
    circuit, start = layers(6), None if order is None else random_state(6, 1)
    n_planned = len(planned(circuit, n_ranks.bit_length() - 1, order)[0].exchanges)
    assert n_planned
    for forward, whole in pool(n_ranks).run(n_messages, route, circuit, start, order):
        assert forward == n_planned
        assert whole == (1 + n_back) * n_planned


@pytest.mark.parametrize("n_ranks", [2, 4])
def test_diagonals_and_controls_of_sharded_wires_send_nothing(pool, n_ranks):
    p = qf.uniforms(6, 0, dtype=torch.float64)
    circuit = qf.circuit(
        6, qf.rz(p, range(6)), qf.cz([(0, 1), (1, 5)]), qf.rzz(p[:2], [(0, 5), (0, 1)]),
        qf.cx([(0, 5), (1, 4)]), qf.ccx(0, 1, 3), qf.crx(p[2], 1, 4), qf.cp(p[3], 0, 3),
        qf.controlled(qf.u)(p[0], p[1], p[2], 0, 2),
    )  # fmt: skip
    answers = pool(n_ranks).run(n_messages, "fused", circuit, random_state(6, 1), tuple(range(6)))
    assert answers == [(0, 0)] * n_ranks


def steps(circuit, n_ranks, order):
    """What each rank runs: gates by what a plan looks at, and the cost of the steps."""
    found, gates = planned(circuit, n_ranks.bit_length() - 1, order)
    n_local = circuit.n_qubits - (n_ranks.bit_length() - 1)
    for rank in range(n_ranks):
        ops = list(local_ops(circuit.ops, gates, found, Ranks(n_ranks, rank)))
        seen = [(op.gate.n_wires, op.gate.n_params, op.gate.tags, op.wires) for op in ops]
        yield seen, cost_of(n_local, ops, from_zero=False)


@each_size
def test_every_rank_plans_the_same_steps(n_ranks):
    @share(n_ranks)
    @given(runs(n_ranks))
    def law(run):
        order = run[2] or tuple(range(run[0].n_qubits))
        first, *others = steps(run[0], n_ranks, order)
        assert all(one == first for one in others)

    law()


@pytest.mark.parametrize("n_ranks", [2])
def test_lazy_numbers_are_sent_as_what_they_are(pool, n_ranks):
    """Gradients of linear functions are zeros without memory, and others are lazy conjugates."""
    for rank, (x, *found) in enumerate(pool(n_ranks).run(of_lazy_numbers)):
        zero, right = torch.zeros_like(x), x.conj().resolve_conj()
        exchanged = torch.stack([right[2 * rank :][:2]] * 2).reshape(-1)
        expected = [2 * right, 2 * right.imag, zero, right, right.imag, zero, exchanged, zero]
        for got, value in zip(found, expected, strict=True):
            assert torch.equal(got, value)


@pytest.mark.cuda
def test_runs_on_gpus():
    """As many ranks as there are GPUs, up to 8, by NCCL."""
    n_ranks = 1 << torch.cuda.device_count().bit_length() - 1
    run = layers(8, torch.float32), None, None, random_state(8, 2, torch.float32), ("grad", "jvp")
    answers = qf.sharded.spawn(min(n_ranks, 8), run_derivatives, "gpus", *run)
    check_run(answers, run)
