"""Gates `swap` are other names of wires: no gate, no message."""

import torch
from hypothesis import given
from hypothesis import strategies as st

import quilt_func as qf
from quilt_func import sharded
from quilt_func.sharded.localising import applications
from quilt_func.sharded.relabelling import relabelled
from quilt_func.testing import strategies as qst
from quilt_func.testing.tolerances import tolerance


@given(data=st.data())
def test_other_names_are_the_same_circuit(data):
    """Without swaps, on the names: then wires hold what their names say."""
    circuit = data.draw(qst.circuits(min_qubits=4, max_qubits=4))
    pairs = data.draw(st.lists(st.permutations(range(4)).map(lambda p: tuple(p[:2])), max_size=4))
    both = qf.circuit(4, *(part for pair in pairs for part in (circuit, qf.swap(*pair))), circuit)
    found = relabelled(4, applications(both.ops))
    assert all(gate.gate is not qf.swap for gate in found.gates)
    ops = [one_set(both.ops[gate.op], gate) for gate in found.gates]
    state = qf.random_state(qf.uniforms((2, 16), 3, dtype=torch.float64))
    after = qf.evolve(4, ops, state).reshape((2,) * 4).permute(found.names).reshape(-1)
    error = (after - both(state)).abs().max()
    assert error <= tolerance(torch.float64, n_gates=len(applications(both.ops)) + 1)


def one_set(op, gate):
    """One gate of an op, on other wires."""
    params = (p if type(p) is float else p[gate.slot : gate.slot + 1] for p in op.params)
    return qf.Op(gate.gate, (gate.wires,), tuple(params))


def test_an_order_of_names_is_one_of_wires():
    circuit = qf.circuit(3, qf.swap(0, 2), qf.h(2))
    found = relabelled(3, applications(circuit.ops))
    assert [gate.wires for gate in found.gates] == [(0,)]
    assert found.names == (2, 1, 0)
    assert found.by_wires((0, 1, 2)) == (2, 1, 0)


def test_a_circuit_of_swaps_sends_nothing():
    pairs = [(wire, 7 - wire) for wire in range(4)]
    reversal = qf.circuit(8, qf.ry(0.1, range(8)), qf.swap(pairs), qf.rz(0.2, range(8)))
    found = sharded.plan_sharded(reversal, 8)
    assert found.sent == 0
    assert sorted(found.order[:3]) == sorted(7 - wire for wire in found.start[:3])
