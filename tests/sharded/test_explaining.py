"""What `explain` tells of runs over ranks is what they do: of each rank, and without any."""

import re

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import quilt_func as qf
from quilt_func import sharded
from quilt_func._collectives import Ranks
from quilt_func.evolution import Cost, cost_of, cost_on_paper
from quilt_func.sharded.localising import applications, local_ops, split_leading
from quilt_func.sharded.planning import schedule
from quilt_func.sharded.relabelling import relabelled
from quilt_func.testing import strategies as qst


def layers(n, n_layers, precision=torch.float32):
    """Rotations, and a ladder of CNOTs."""
    theta = torch.zeros(n, dtype=precision)
    ladder = qf.cx([(wire, wire + 1) for wire in range(n - 1)])
    return qf.circuit(n, n_layers * [qf.ry(theta, range(n)), ladder])


def runs(circuit, n_ranks):
    """The gates of each rank between exchanges."""
    n_bits = Ranks(n_ranks).n_bits
    _, gates = split_leading(relabelled(circuit.n_qubits, applications(circuit.ops)).gates)
    found = schedule(circuit.n_qubits, n_bits, tuple(gate.demand for gate in gates), None)
    for rank in range(n_ranks):
        stretches = [[]]
        for op in local_ops(circuit.ops, gates, found, Ranks(n_ranks, rank)):
            stretches += [[]] if op.gate.name == "exchange" else []
            stretches[-1].append(op)
        yield stretches


@given(data=st.data(), n_bits=st.integers(1, 3))
def test_the_plan_is_that_of_each_ranks_run(data, n_bits):
    circuit = data.draw(qst.circuits(min_qubits=6, max_qubits=6))
    moving = [len(gate.demand.moving) for gate in applications(circuit.ops)]
    assume(max(moving, default=0) <= 6 - n_bits)
    found = sharded.plan_sharded(circuit, 2**n_bits)
    assert found.shard == 2 ** (6 - n_bits) * (16 if is_double(circuit) else 8)
    acting = [gate for gate in applications(circuit.ops) if gate.gate is not qf.swap]
    assert sum(stage.cost.n_gates for stage in found.stages) == len(acting)
    n_local = 6 - n_bits
    for stretches in runs(circuit, 2**n_bits):
        exchanges = [stretch[0] for stretch in stretches[1:]]
        assert len(exchanges) == found.n_exchanges == len(found.stages) - 1
        for stage, exchange in zip(found.stages[1:], exchanges, strict=True):
            k = len(exchange.gate.exchange.places)
            assert stage.sent == found.shard - found.shard // 2**k
            assert len(stage.incoming) == len(stage.outgoing) == k
        for stage, stretch in zip(found.stages[1:], stretches[1:], strict=True):
            cost = cost_of(n_local, stretch[1:], from_zero=False)
            assert (cost.n_steps, cost.passes) == (stage.cost.n_steps, stage.cost.passes)


@given(data=st.data(), from_zero=st.booleans())
def test_the_cost_on_paper_is_that_of_the_plan(data, from_zero):
    circuit = data.draw(qst.circuits(min_qubits=5, max_qubits=7))
    more = data.draw(st.sampled_from([0, 1, 20]))
    project = qf.linear(torch.eye(2, dtype=torch.complex128), 0)
    ops = data.draw(st.permutations([*circuit.ops, *more * [project]]))
    cost = cost_of(circuit.n_qubits, ops, from_zero=from_zero)
    assert cost_on_paper(circuit.n_qubits, ops, from_zero=from_zero) == cost


def is_double(circuit):
    return any(leaf.dtype in (torch.float64, torch.complex128) for leaf in circuit.leaves)


def test_forty_qubits_on_a_thousand_ranks_without_any():
    circuit = layers(40, 6)
    found = sharded.plan_sharded(circuit, 1024)
    assert found.shard == 8 * 2**30
    assert found.n_exchanges >= 1
    assert set(found.start[:10]).isdisjoint(found.order[:10])
    assert not torch.distributed.is_initialized()


def test_precision_doubles_what_is_sent():
    single, double = (
        sharded.plan_sharded(layers(30, 12, kind), 16) for kind in (torch.float32, torch.float64)
    )
    assert double.sent == 2 * single.sent > 0
    assert double.memory == 2 * single.memory == 4 * single.shard


def test_the_table_tells_the_plan():
    circuit = layers(12, 30)
    found = sharded.plan_sharded(circuit, 8)
    text = qf.explain(circuit, n_ranks=8, bandwidth=25e9, latency=1e-3)
    rows = [line.split()[:4] for line in text.splitlines() if re.match(r" +\d", line)]
    told = [Cost(int(gates), int(steps), int(passes), 0, 0) for _, gates, steps, passes in rows]
    plain = [stage.cost._replace(operations=0) for stage in found.stages]
    assert told == plain
    assert text.startswith(f"{30 * 23} gates on 12 qubits, 8 ranks of 9 wires each: ")
    assert f": {found.n_exchanges} exchange(s)" in text
    assert f"each rank sends {found.sent / 2**20:.3g} MiB" in text
    seconds = found.n_exchanges * 1e-3 + found.sent / 25e9
    assert found.seconds(25e9, 1e-3) == pytest.approx(seconds)
    assert f"{seconds:.3g} s for exchanges, of 25 GB/s from each rank and 0.001 s" in text


def test_one_rank_sends_nothing():
    found = sharded.plan_sharded(layers(8, 3), 1)
    assert (found.n_exchanges, found.sent, len(found.stages)) == (0, 0, 1)


FLIPS = qf.circuit(3, qf.iswap(0, 1))
BAD = {
    "no circuit": (qf.h(0), 2, TypeError, "must be a circuit"),
    "no int": (FLIPS, 2.0, TypeError, "must be an int"),
    "three ranks": (FLIPS, 3, ValueError, "be a power of two, but got 3. Take 2 ranks."),
    "too many ranks": (FLIPS, 8, ValueError, "have more than 3 qubits on 8 ranks"),
    "a wide gate": (FLIPS, 4, ValueError, r"move at most 1 wire\(s\).* Take 2 rank"),
    "a measurement": (
        qf.circuit(3, qf.measure(0, "m")),
        2,
        TypeError,
        "an instrument makes no one state",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_plans(name):
    circuit, n_ranks, kind, message = BAD[name]
    with pytest.raises(kind, match=message):
        sharded.plan_sharded(circuit, n_ranks)
