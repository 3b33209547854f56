"""Choices of gates, blocks, Fourier transforms, states, evolutions, mixers; random circuits."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import templates
from oracles.compare import assert_close
from torch.func import grad, hessian, vmap

import quilt_func as qf
from quilt_func import ansatz
from quilt_func.testing import ansatz_laws, circuit_laws
from quilt_func.testing import strategies as qst

F64 = torch.float64
GATES = [qf.id, qf.rx, qf.ry, (qf.rz, (1,)), qf.rzz, qf.cx]


def test_a_choice_is_the_gate():
    templates.check_choice(qf.choice)


def chosen(params):
    """Four choices of which the numbers are fixed, for the laws of an ansatz."""
    index = torch.tensor([1, 4, 2, 3])
    pairs = [(0, 1), (1, 2), (2, 0), (0, 2)]
    return qf.h(range(3)), qf.choice(GATES, index, params, pairs), qf.ry(params[:3], range(3))


test_laws_of_a_choice = ansatz_laws(chosen, qf.uniforms(4, 0, dtype=F64))


@given(index=st.lists(st.integers(0, len(GATES) - 1), min_size=3, max_size=3))
def test_numbers_map_over_a_batch(index):
    """All at once, structures and angles, values and curvatures, plain and replayed."""

    def energy(i, theta):
        parts = qf.choice(GATES, i, theta, [(0, 1), (1, 2), (2, 0)])
        return templates.energy(3, parts)

    structures = torch.tensor([index, [0, 1, 2], [5, 4, 3]])
    theta = torch.tensor([[0.3, -0.9, 1.4], [2.0, 0.1, 0.7]], dtype=F64)
    found = vmap(vmap(hessian(energy, 1), (None, 0)), (0, None))(structures, theta)
    looped = torch.stack(
        [torch.stack([hessian(energy, 1)(i, t) for t in theta]) for i in structures]
    )
    assert_close(found, looped, n_gates=64, scale=3.0)
    slopes = vmap(grad(energy, 1), (0, None))
    assert_close(qf.jit(slopes)(structures, theta[0]), slopes(structures, theta[0]), n_gates=64)


def test_a_choice_keeps_precision_and_has_one_op():
    for real in (torch.float32, torch.float64):
        op = qf.choice(GATES, torch.tensor([1, 2]), torch.tensor(0.4, dtype=real), [(0, 1), (1, 0)])
        assert op.params[0].dtype == real.to_complex()
        assert (len(op), "unitary" in op.gate.tags) == (2, True)


@pytest.mark.parametrize("wrong", [-1, len(GATES)])
def test_numbers_out_of_range_are_refused_by_torch(wrong):
    theta = torch.tensor(0.4)
    with pytest.raises(IndexError, match="out of range"):
        qf.choice(GATES, torch.tensor(wrong), theta, 0, 1)
    with pytest.raises(RuntimeError, match="out of bounds"):
        vmap(lambda i: qf.circuit(2, qf.choice(GATES, i, theta, 0, 1))())(torch.tensor([wrong]))


def test_a_choice_of_wires():
    """Where a gate acts is data too."""
    places = [(qf.cx, (0, 1)), (qf.cx, (1, 2)), (qf.cx, (0, 2))]
    for i, (_, wires) in enumerate(places):
        op = qf.choice(places, i, torch.tensor(0.0), 0, 1, 2)
        expected = qf.circuit(3, qf.x(0), qf.cx(*wires))()
        assert_close(qf.circuit(3, qf.x(0), op)(), expected)


def test_fourier_transforms():
    templates.check_qft(ansatz.qft)
    templates.check_qft(ansatz.inverse_qft, sign=-1)


@given(n=st.integers(0, 5), swaps=st.booleans())
def test_a_fourier_transform_and_its_inverse(n, swaps):
    both = ansatz.qft(n, swaps=swaps), ansatz.inverse_qft(n, swaps=swaps)
    assert_close(qf.circuit(n, both)(), qf.zero_state(n), n_gates=4 * n * n + 1)
    reverse = ansatz.permute_wires(range(n)[::-1])
    assert_close(
        templates.matrix_of(n, (ansatz.qft(n, swaps=False), reverse)),
        templates.matrix_of(n, ansatz.qft(n)),
        n_gates=4 * n * n + 1,
    )


def test_orders_of_wires():
    templates.check_permutation(ansatz.permute_wires)


@given(order=st.permutations(range(6)))
def test_orders_of_wires_take_the_fewest_exchanges(order):
    state = qf.random_state(qf.uniforms((2, 64), 1))
    found = qf.circuit(6, ansatz.permute_wires(order))
    assert_close(found(state), state.reshape((2,) * 6).permute(order).reshape(-1))
    seen, cycles = set(), 0
    for wire in range(6):
        cycles += wire not in seen
        while wire not in seen:
            seen.add(wire)
            wire = order[wire]
    assert found.n_gates == 6 - cycles


def test_blocks_of_two_wires_span_su4():
    templates.check_two_qubit_unitary(ansatz.two_qubit_unitary)


test_laws_of_blocks = ansatz_laws(
    lambda p: (qf.h(range(3)), ansatz.two_qubit_unitary(p, [(0, 1), (1, 2)]), qf.ry(0.3, 0)),
    qf.uniforms((2, 15), 0, dtype=F64),
    only=["structure", "pure", "vmapped", "dtype"],
)


def test_blocks_share_angles():
    shared = qf.uniforms(15, 4, dtype=F64)
    pairs = [(0, 1), (2, 3), (1, 2)]
    one = ansatz.two_qubit_unitary(shared, pairs)
    assert [op.gate.name for op in one] == ["u", "rxx", "ryy", "rzz", "u"] * 2
    each = ansatz.two_qubit_unitary(shared.expand(3, 15), pairs)
    assert_close(qf.circuit(4, one)(), qf.circuit(4, each)())


def test_states_are_prepared():
    templates.check_preparation(ansatz.prepare_state)


@given(data=st.data(), n=st.integers(1, 5))
def test_any_state_is_prepared(data, n):
    state = data.draw(qst.states(n, dtype=torch.complex64))
    found = qf.circuit(n, ansatz.prepare_state(state))
    assert_close(found(), state / state.norm(), n_gates=16)
    assert_close((found + found.inverse())(), qf.zero_state(n), n_gates=64)
    assert found().dtype == torch.complex64


def test_prepared_states_map_over_a_batch():
    batch = qf.uniforms((3, 6), 0, dtype=F64) - 0.5
    found = vmap(lambda a: qf.circuit(3, ansatz.prepare_state(a))())(batch)
    assert_close(found, vmap(ansatz.amplitude_encoding)(batch), n_gates=16)


def test_evolutions():
    templates.check_evolution(ansatz.pauli_evolution)


@given(observable=qst.pauli_sums(3, max_terms=4), order=st.sampled_from([1, 2, 4]))
def test_evolutions_and_back(observable, order):
    there = qf.circuit(3, ansatz.pauli_evolution(observable, 0.7, order, n_steps=2))
    back = qf.circuit(3, ansatz.pauli_evolution(observable, -0.7, order, n_steps=2))
    first = qf.circuit(3, templates.SKEW)
    other = back if order > 1 else there.inverse()  # symmetric formulas run backwards
    state = (first + there + other)()
    assert_close(state, first(dtype=state.dtype), n_gates=8 * there.n_gates + 64)


def test_evolutions_of_commuting_words_take_one_step():
    for observable in (templates.COMMUTING, templates.FULL):
        one = qf.circuit(3, ansatz.pauli_evolution(observable, 0.4))
        assert one.n_gates == len(observable)
        many = qf.circuit(3, ansatz.pauli_evolution(observable, 0.4, 4, n_steps=9))
        assert qf.same_structure(one, many)


def test_evolutions_of_long_words():
    """Beyond five letters by chains of CNOTs."""
    word = qf.pauli_sum({"XYZXYZ": 0.3})
    got = qf.circuit(6, ansatz.pauli_evolution(word, 0.9)).unitary(dtype=torch.complex128)
    expected = templates.exponential(word, 0.9)
    assert_close(got, expected, n_gates=128)


def test_mixers_and_warm_starts():
    templates.check_qaoa(ansatz.qaoa, ansatz.warm_start)


def test_starts_of_optimisation():
    templates.check_starts(ansatz.ramp_qaoa, ansatz.interpolate_qaoa)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_exchanges_keep_the_number_of_ones(n):
    cost = qf.pauli_sum({"Z" * n: 1.0})
    params = qf.uniforms((2, 2), n, dtype=F64)
    found = qf.circuit(n, ansatz.qaoa(params, cost, "xy", qf.x(0)))()
    weights = [index.bit_count() == 1 for index in range(2**n)]
    assert_close(
        qf.probs(found)[torch.tensor(weights)].sum(), torch.tensor(1.0, dtype=F64), n_gates=64
    )


def test_a_mixer_of_ones_own():
    cost = qf.pauli_sum({"ZZ": 1.0})
    params = qf.uniforms((2, 2), 0, dtype=F64)
    own = ansatz.qaoa(params, cost, lambda beta: qf.rx(beta + beta, range(2)))
    assert_close(qf.circuit(2, own)(), qf.circuit(2, ansatz.qaoa(params, cost))())


def test_interpolation_is_a_better_start():
    """One layer more costs nothing, and goes on from where the last ended."""
    cost = qf.problems.maxcut(4, [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)])

    def energy(params):
        return qf.expval(qf.circuit(4, ansatz.qaoa(params, cost))(), cost)

    params = ansatz.ramp_qaoa(1, dtype=F64)
    found = []
    for _ in range(3):
        run = qf.optim.minimise(energy, params, qf.optim.with_line_search(qf.optim.lbfgs()), 15)
        found.append(float(energy(run.params)))
        params = ansatz.interpolate_qaoa(run.params)
    assert found == sorted(found, reverse=True)


# Random circuits


@given(
    n=st.integers(0, 5),
    depth=st.integers(0, 5),
    seed=st.integers(0, 99),
    real=st.sampled_from([torch.float32, F64]),
)
def test_random_circuits_have_their_depth(n, depth, seed, real):
    numbers = qf.uniforms((depth, n, 3), seed, dtype=real)
    found = qf.random_circuit(n, depth, numbers)
    assert (found.n_qubits, found.depth) == (n, depth if n else 0)
    assert {leaf.dtype for leaf in found.leaves} <= {real}
    assert sum(len(wires) for op in found.ops for wires in op.wires) == n * depth
    again = qf.random_circuit(n, depth, numbers)
    assert qf.same_structure(found, again)
    assert all(map(torch.equal, found.leaves, again.leaves))


def test_random_circuits_draw_all_gates():
    numbers = qf.uniforms((400, 4, 5), 0)
    rows = [qf.h, qf.u, qf.cx, qf.ccx]
    found = qf.random_circuit(4, 400, numbers, gates=rows)
    counts = found.gate_counts
    assert set(counts) == {"h", "u", "cx", "ccx"}
    assert abs(counts["h"] - counts["u"]) < 5 * math.sqrt(counts["h"] + counts["u"])
    alone = sum(op.gate is qf.cx for op in found.ops)
    assert 0 < alone < found.depth
    angles = torch.cat([op.params[0] for op in found.ops if op.gate is qf.u])
    assert abs(angles.mean() - math.pi) < 5 * math.pi / math.sqrt(3 * len(angles))


test_laws_of_a_random_circuit = circuit_laws(
    qf.random_circuit(3, 4, qf.uniforms((4, 3, 3), 1, dtype=F64))
)
