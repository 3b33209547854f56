"""Circuits: against the dense oracle, their algebra, their pytrees and keys, weak numbers."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import dense
from oracles.compare import assert_close
from torch.func import grad, vmap
from torch.utils import _pytree as pytree

import quilt_func as qf
from quilt_func.testing import CIRCUIT_LAWS, rewrite_laws
from quilt_func.testing import strategies as qst
from quilt_func.testing._circuit_laws import case_of

REALS = [torch.float32, torch.float64]
each_real = pytest.mark.parametrize("real", REALS, ids=str)


def steps(circuit):
    """Rounding steps: each gate is up to eight products and sums in a row."""
    return 8 * circuit.n_gates + 8


@each_real
@given(data=st.data())
def test_state_is_the_oracles(real, data):
    circuit = data.draw(qst.circuits(dtype=real, max_qubits=6))
    state = data.draw(qst.states(circuit.n_qubits, dtype=real.to_complex()))
    got = circuit(state)
    assert got.dtype == real.to_complex()
    assert got.shape == state.shape
    assert_close(got, dense.run(circuit.ops, state), n_gates=steps(circuit))


@each_real
@given(data=st.data())
def test_wide_circuits_of_several_blocks(real, data):
    circuit = data.draw(qst.circuits(dtype=real, min_qubits=7, max_qubits=9, max_ops=20))
    dtype = real.to_complex()
    expected = dense.run(circuit.ops, dense.zero_state(circuit.n_qubits))
    assert_close(
        circuit(qf.zero_state(circuit.n_qubits, dtype=dtype)), expected, n_gates=steps(circuit)
    )
    state = data.draw(qst.states(circuit.n_qubits, dtype=dtype))
    assert_close(circuit(state), dense.run(circuit.ops, state), n_gates=steps(circuit))


@given(circuit=qst.circuits(min_qubits=0))
def test_default_state_is_zero(circuit):
    dtype = circuit().dtype
    zero = qf.zero_state(circuit.n_qubits, dtype=dtype)
    assert_close(circuit(), circuit(zero), n_gates=steps(circuit))


@each_real
@given(data=st.data())
def test_unitary_is_the_oracles(real, data):
    circuit = data.draw(qst.circuits(dtype=real, max_qubits=4))
    matrix = circuit.unitary(dtype=None if circuit.leaves else real.to_complex())
    expected = dense.circuit_matrix(circuit.n_qubits, circuit.ops)
    assert_close(matrix, expected, n_gates=steps(circuit))


@given(data=st.data())
def test_inverse_undoes(data):
    circuit = data.draw(qst.circuits(max_qubits=6))
    state = data.draw(qst.states(circuit.n_qubits))
    both = circuit + circuit.inverse()
    assert_close(both(state), state, n_gates=2 * steps(circuit))
    assert circuit.inverse().n_gates == circuit.n_gates


@given(data=st.data())
def test_norm_is_kept(data):
    circuit = data.draw(qst.circuits(max_qubits=7))
    state = data.draw(qst.states(circuit.n_qubits))
    assert_close(circuit(state).abs().square().sum(), 1.0, n_gates=2 * steps(circuit))


@given(data=st.data())
def test_map_wires_permutes_qubits(data):
    circuit = data.draw(qst.circuits(max_qubits=5))
    n = circuit.n_qubits
    wide = data.draw(st.integers(n, n + 2))
    table = dict(zip(range(n), data.draw(qst.wires(wide, size=n)), strict=True))
    state = data.draw(qst.states(wide))
    mapped = circuit.map_wires(table, n_qubits=wide)
    full = dense.embed(dense.circuit_matrix(n, circuit.ops), list(table.values()), wide)
    assert_close(mapped(state), full @ state.numpy(), n_gates=steps(circuit))
    by_function = circuit.map_wires(table.__getitem__, n_qubits=wide)
    assert qf.same_structure(by_function, mapped)


@given(data=st.data())
def test_controlled_acts_where_all_controls_are_one(data):
    inner = data.draw(qst.circuits(max_qubits=3, max_ops=5))
    n_controls = data.draw(st.integers(0, 2))
    n = inner.n_qubits + n_controls
    order = data.draw(st.permutations(range(n)))
    controls, targets = order[:n_controls], order[n_controls:]
    moved = inner.map_wires(dict(enumerate(targets)), n_qubits=n)
    matrix = dense.circuit_matrix(inner.n_qubits, inner.ops)
    for _ in controls:
        matrix = dense.control(matrix)
    state = data.draw(qst.states(n))
    expected = dense.embed(matrix, order, n) @ state.numpy()
    assert_close(moved.controlled(*controls)(state), expected, n_gates=steps(inner))


@given(data=st.data(), times=st.integers(0, 3))
def test_repeat_is_a_power(data, times):
    circuit = data.draw(qst.circuits(max_qubits=4, max_ops=6))
    state = data.draw(qst.states(circuit.n_qubits))
    matrix = np.linalg.matrix_power(dense.circuit_matrix(circuit.n_qubits, circuit.ops), times)
    got = circuit.repeat(times)
    assert len(got) == times * len(circuit)
    assert_close(got(state), matrix @ state.numpy(), n_gates=(times + 1) * steps(circuit))


@given(data=st.data())
def test_addition_composes(data):
    n = data.draw(st.integers(1, 4))
    a, b = (data.draw(qst.circuits(min_qubits=n, max_qubits=n, max_ops=5)) for _ in "ab")
    state = data.draw(qst.states(n))
    joined = a + b
    assert joined.ops == a.ops + b.ops
    assert_close(joined(state), b(a(state)), n_gates=steps(joined))


@given(circuit=qst.circuits())
def test_parts_may_be_nested(circuit):
    n, ops = circuit.n_qubits, circuit.ops
    middle = len(ops) // 2
    forms = [
        qf.circuit(n, *ops),
        qf.circuit(n, ops),
        qf.circuit(n, circuit),
        qf.circuit(n, [ops[:middle], iter(ops[middle:])]),
        qf.circuit(n, qf.circuit(n, ops[:middle]), (op for op in ops[middle:])),
    ]
    assert all(form.ops == ops for form in forms)


@given(circuit=qst.circuits(min_qubits=0))
def test_pytree_round_trip(circuit):
    leaves, spec = pytree.tree_flatten(circuit)
    again = pytree.tree_unflatten(leaves, spec)
    assert again.structure == circuit.structure
    assert all(a is b for a, b in zip(again.leaves, circuit.leaves, strict=True))
    assert len(leaves) == len(circuit.leaves)
    assert spec == pytree.tree_flatten(again)[1]


@given(circuit=qst.circuits())
def test_leaves_may_be_anything(circuit):
    count = len(circuit.leaves)
    for leaf in (None, "text", object()):
        odd = pytree.tree_map(lambda _, leaf=leaf: leaf, circuit)
        assert odd.leaves == [leaf] * count
        assert isinstance(repr(odd), str)


@given(circuit=qst.circuits())
def test_copies(circuit):
    for again in (
        pickle.loads(pickle.dumps(circuit)),
        copy.deepcopy(circuit),
        copy.copy(circuit),
    ):
        assert qf.same_structure(again, circuit)
        assert torch.equal(again(), circuit())


def rebuilt(circuit, wires=lambda op: op.wires, gate=lambda op: op.gate):
    ops = (type(op)(gate(op), wires(op), op.params) for op in circuit.ops)
    return qf.circuit(circuit.n_qubits, ops)


@given(circuit=qst.circuits(max_ops=6))
def test_structure_of_a_rebuilt_circuit_is_equal(circuit):
    again = rebuilt(circuit, wires=lambda op: tuple(tuple(ws) for ws in op.wires))
    assert again.structure == circuit.structure
    assert hash(again.structure) == hash(circuit.structure)
    moved = pytree.tree_map(lambda leaf: leaf + 1, circuit)
    assert qf.same_structure(moved, circuit)
    assert again != circuit, "circuits are equal only to themselves"


DIFFERENT = {
    "wires": (qf.circuit(2, qf.h(0)), qf.circuit(2, qf.h(1))),
    "order of wires": (qf.circuit(2, qf.cx(0, 1)), qf.circuit(2, qf.cx(1, 0))),
    "order of sets": (qf.circuit(2, qf.h([0, 1])), qf.circuit(2, qf.h([1, 0]))),
    "gates": (qf.circuit(2, qf.h(0)), qf.circuit(2, qf.x(0))),
    "qubits": (qf.circuit(2, qf.h(0)), qf.circuit(3, qf.h(0))),
    "kinds": (qf.circuit(2, qf.rx(0.1, 0)), qf.circuit(2, qf.rx(torch.tensor(0.1), 0))),
    "inverse": (qf.circuit(1, qf.s(0)), qf.circuit(1, qf.s(0)).inverse()),
    "derived": (qf.circuit(1, qf.rx(0.1, 0)), qf.circuit(1, qf.power(qf.rx, 2)(0.1, 0))),
    "grouping": (qf.circuit(2, qf.h([0, 1])), qf.circuit(2, qf.h(0), qf.h(1))),
}


@pytest.mark.parametrize("pair", DIFFERENT.values(), ids=DIFFERENT)
def test_structures_differ(pair):
    assert not qf.same_structure(*pair)


def test_gradient_by_a_circuit_is_a_circuit():
    circuit = qf.circuit(2, qf.rx(torch.tensor([0.1, 0.2]), [0, 1]), qf.ry(0.3, 0), qf.cx(0, 1))
    derived = grad(lambda c: qf.expval(c(), qf.pauli_sum({"IZ": 1.0})))(circuit)
    assert isinstance(derived, qf.Circuit)
    assert qf.same_structure(derived, circuit)
    angles = circuit.ops[0].params[0]
    by_angles = grad(
        lambda t: qf.expval(
            qf.circuit(2, qf.rx(t, [0, 1]), qf.ry(0.3, 0), qf.cx(0, 1))(),
            qf.pauli_sum({"IZ": 1.0}),
        )
    )(angles)
    assert torch.equal(derived.ops[0].params[0], by_angles)


def test_circuits_map_over_a_batch():
    batch = torch.linspace(0, 1, 5)
    circuits = vmap(lambda t: qf.circuit(1, qf.rx(t, 0)))(batch)
    assert circuits.ops[0].params[0].shape == (5, 1)
    states = vmap(lambda c: c())(circuits)
    assert_close(states, torch.stack([qf.circuit(1, qf.rx(t, 0))() for t in batch]))


@given(circuit=qst.circuits(min_qubits=0))
def test_counts(circuit):
    assert len(circuit) == len(circuit.ops)
    assert circuit.n_gates == len(dense.steps(circuit.ops))
    touched = {w for _, ws in dense.steps(circuit.ops) for w in ws}
    assert circuit.wires == tuple(sorted(touched))


@given(circuit=qst.circuits(min_qubits=0, max_qubits=4))
def test_same_arguments_same_bits(circuit):
    assert torch.equal(circuit(), rebuilt(circuit)())


@settings(max_examples=max(1, settings().max_examples // 2))
@given(circuit=qst.circuits(max_qubits=4))
def test_laws_of_random_circuits(circuit):
    for law in CIRCUIT_LAWS.values():
        law(circuit, case_of(0, circuit))


test_two_inverses = rewrite_laws(lambda circuit: circuit.inverse().inverse())
test_nothing_added = rewrite_laws(lambda circuit: qf.circuit(circuit.n_qubits, [], circuit))


def test_options_are_keywords():
    with pytest.raises(TypeError):
        qf.circuit(1, qf.h(0)).unitary(torch.complex64)


def test_ops_may_come_from_a_generator():
    """Checked first and applied after: the second look must not find it empty."""
    found = qf.evolve(2, (qf.h(wire) for wire in range(2)), qf.zero_state(2))
    assert_close(found, qf.circuit(2, qf.h([0, 1]))(), n_gates=2)


def test_factors_may_be_one_tensor():
    rows = torch.stack([qf.basis_state("1"), qf.basis_state("0")])
    assert torch.equal(qf.product_state(rows), qf.basis_state("10"))


# --- on chosen wires, and counted ---


@given(data=st.data())
def test_circuits_on_chosen_wires(data):
    """The wires chosen hold the state, in their order; the others stay."""
    circuit = data.draw(qst.circuits(min_qubits=1, max_qubits=3))
    n = circuit.n_qubits
    places = data.draw(st.permutations(range(5)))[:n]
    moved = circuit.on(*places, n_qubits=5)
    expected = dense.embed(dense.circuit_matrix(n, circuit.ops), places, 5)
    assert_close(moved.unitary(), expected, n_gates=steps(circuit))
    narrow = circuit.on(places)
    assert (moved.n_qubits, narrow.n_qubits) == (5, 1 + max(places))
    assert qf.same_structure(qf.circuit(5, narrow), moved)
    back = moved.map_wires({place: i for i, place in enumerate(places)} | {}, 5)
    assert [op.wires for op in back.ops] == [op.wires for op in circuit.ops]


def test_no_wires_are_chosen():
    assert qf.circuit(0).on().n_qubits == 0
    assert qf.circuit(0).on(n_qubits=3).n_qubits == 3


@given(circuit=qst.circuits(min_qubits=0, max_qubits=5))
def test_depth_is_the_longest_path(circuit):
    """Of gates that share a wire, found from the last gate back."""
    gates = [{*wires} for op in circuit.ops for wires in op.wires]
    longest = [1] * len(gates)
    for i in reversed(range(len(gates))):
        later = [longest[j] for j in range(i + 1, len(gates)) if gates[i] & gates[j]]
        longest[i] += max(later, default=0)
    assert circuit.depth == max(longest, default=0)
    assert (circuit + circuit).depth <= 2 * circuit.depth


@given(circuit=qst.circuits(min_qubits=0, max_qubits=4))
def test_counts_of_gates(circuit):
    counts = circuit.gate_counts
    assert sum(counts.values()) == circuit.n_gates
    names = [op.gate.name for op in circuit.ops for _ in op.wires]
    assert counts == {name: names.count(name) for name in names}
    assert [*counts] == [*dict.fromkeys(names)]


def test_depth_waits_for_outcomes():
    measured = qf.circuit(2, qf.h(0), qf.measure(0, "m"), qf.conditional("m", qf.x(1), 1))
    assert measured.depth == 3
    assert qf.circuit(2, qf.h(0), qf.measure(0, "m"), qf.x(1)).depth == 2


def test_counts_leave_out_ops_on_no_wires():
    assert qf.circuit(2, qf.h([]), qf.cx(0, 1)).gate_counts == {"cx": 1}


def test_notebooks_show_the_drawing():
    circuit = qf.circuit(2, qf.h(0), qf.ry(0.5, [0, 1]), qf.cx(0, 1))
    html = circuit._repr_html_()
    assert "2 qubits, depth 3: 1 h, 2 ry, 1 cx" in html
    assert circuit.draw(10**6) in html
    own = qf.gate(n_wires=1, symbol=("<&>",))(lambda: torch.eye(2))
    assert "&lt;&amp;&gt;" in qf.circuit(1, own(0))._repr_html_()
    assert "no gates" in qf.circuit(1)._repr_html_()


@pytest.mark.parametrize("transform", [grad, vmap, lambda f: vmap(grad(f))])
def test_notebooks_show_circuits_under_transforms(transform):
    shown = []

    def model(theta):
        circuit = qf.circuit(1, qf.ry(theta, 0))
        shown.append(circuit._repr_html_())
        return qf.expval(circuit(), qf.pauli_sum({"Z": 1.0}))

    transform(model)(torch.tensor(0.1) if transform is grad else torch.tensor([0.1, 0.2]))
    assert "RY(float32[1])" in shown[0]
