"""The gate table: every row's laws, the dense oracle, OpenQASM definitions, gates made of gates."""

import copy
import keyword
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import dense, qasm
from oracles.compare import assert_close
from systems import beam_splitter, damp

import quilt_func as qf
from quilt_func.testing import gate_laws, tolerance
from quilt_func.testing import strategies as qst

# fmt: off
NAMES = [
    "id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx",
    "ry", "rz", "p", "u", "cx", "cy", "cz", "ch", "cp", "crx", "cry", "crz",
    "swap", "iswap", "rxx", "ryy", "rzz", "givens", "single_excitation",
    "double_excitation", "ccx", "ccz", "cswap",
]
# fmt: on
F32, F64 = torch.float32, torch.float64
CPU = torch.device("cpu")
each_row = pytest.mark.parametrize("row", qf.GATES, ids=lambda row: row.name)
MADE = {
    "user's": beam_splitter,
    "user's, not unitary": damp,
    "controlled twice": qf.controlled(qf.ry, 2),
    "controlled, of three angles": qf.controlled(qf.u),
    "controlled user's": qf.controlled(beam_splitter),
    "inverse": qf.inverse(qf.crx),
    "inverse of three angles": qf.inverse(qf.u),
    "power": qf.power(qf.rzz, -0.75),
    "power of a constant": qf.power(qf.y, 0.3),
    "whole power of three angles": qf.power(qf.u, -2),
    "power of a controlled gate": qf.power(qf.cp, 0.5),
    "controlled power": qf.controlled(qf.power(qf.swap, 0.5)),
    "inverse of a power": qf.inverse(qf.power(qf.t, 0.5)),
    "word": qf.pauli_rot(0.1, "XYZ", 0, 1, 2).gate,
    "word of Z": qf.pauli_rot(0.1, "ZZ", 0, 1).gate,
    "one letter": qf.pauli_rot(0.1, "Y", 0).gate,
}
each_made = pytest.mark.parametrize("row", MADE.values(), ids=MADE)


A_THIRD = settings(max_examples=settings().max_examples // 3)  # there are many gates


@each_row
def test_laws_of_the_table(row):
    gate_laws(row, settings=A_THIRD)()


@each_made
def test_laws_of_gates_made(row):
    gate_laws(row, settings=A_THIRD)()


test_one_liner = gate_laws(beam_splitter)


def test_table_is_complete():
    assert [row.name for row in qf.GATES] == NAMES
    for row in qf.GATES:
        assert getattr(qf, row.name) is row
        assert row.doc.endswith(".")
        assert row.qasm.name == row.name
        assert "unitary" in row.tags
        assert not keyword.iskeyword(row.name)


def angles_of(row, data, real):
    return [data.draw(qst.angles(2, dtype=real)) for _ in range(row.n_params)]


@each_row
@pytest.mark.parametrize("real", [F32, F64], ids=str)
@given(data=st.data())
def test_matrix_is_the_oracles(row, real, data):
    angles = angles_of(row, data, real)
    dtype = real.to_complex()
    found = row.matrices(*angles) if angles else row.constant(dtype, CPU).expand(2, -1, -1)
    values = zip(*(angle.tolist() for angle in angles), strict=True) if angles else [(), ()]
    expected = np.stack([dense.gate_matrix(row.name, *value) for value in values])
    assert_close(found, expected, n_gates=16, scale=8.0)


def has_definition(row):
    return bool(row.qasm.definition)


@pytest.mark.parametrize(
    "row", [row for row in qf.GATES if has_definition(row)], ids=lambda row: row.name
)
@given(data=st.data())
def test_qasm_definition_up_to_phase(row, data):
    angles = [float(data.draw(qst.angles())) for _ in range(row.n_params)]
    name, matrix = qasm.definition_matrix(row.qasm.definition, angles)
    assert name == row.qasm.name
    expected = dense.gate_matrix(row.name, *angles)
    deviation = qasm.phase_distance(matrix, expected)
    assert deviation <= tolerance(F64, 64, 8.0), f"{row.name}: {deviation}"


@each_row
def test_only_rows_outside_the_standard_include_are_defined(row):
    assert (row.name in qasm.STANDARD) != has_definition(row)


@each_row
def test_wires_and_drawing(row):
    assert len(row.symbol) == row.n_wires
    op = row(*(0.5,) * row.n_params, *range(row.n_wires))
    assert row.name in repr(op)
    assert "q0" in repr(qf.circuit(4, op))


@pytest.mark.parametrize("row", [*qf.GATES, *MADE.values()], ids=lambda row: row.name)
def test_pickle_and_copies_are_the_row_itself(row):
    for again in (pickle.loads(pickle.dumps(row)), copy.deepcopy(row), copy.copy(row)):
        assert again is row


def test_gates_made_of_equal_arguments_are_one_object():
    assert qf.controlled(qf.x) is qf.cx
    assert qf.controlled(qf.x, 2) is qf.ccx
    assert qf.controlled(qf.swap) is qf.cswap
    assert qf.controlled(qf.rx, 0) is qf.rx
    assert qf.controlled(qf.u, 2) is qf.controlled(qf.controlled(qf.u))
    assert qf.inverse(qf.s) is qf.sdg
    assert qf.inverse(qf.inverse(qf.iswap)) is qf.iswap
    assert qf.power(qf.x, 0.5) is qf.power(qf.x, 0.5)
    assert qf.pauli_rot(0.1, "XY", 0, 1).gate is qf.pauli_rot(0.2, "XY", 1, 0).gate


@given(circuit=qst.circuits(max_qubits=3, max_ops=4))
def test_ops_made_in_place_have_known_structures(circuit):
    again = qf.circuit(circuit.n_qubits, [op.inverse().inverse() for op in circuit.ops])
    state = circuit()
    assert_close(again(), state, n_gates=16 * circuit.n_gates + 16)


@given(data=st.data(), word=st.integers(1, 8).flatmap(qst.pauli_words))
def test_pauli_rotations_of_any_length(data, word):
    n = len(word)
    theta = data.draw(qst.angles())
    wires = data.draw(qst.wires(n, size=n))
    state = data.draw(qst.states(n))
    got = qf.circuit(n, qf.pauli_rot(theta, word, *wires))(state)
    expected = dense.embed(dense.rotation(word, float(theta)), wires, n) @ state.numpy()
    assert_close(got, expected, n_gates=64, scale=8.0)


def test_pauli_rotation_of_many_sets_of_a_long_word():
    theta, sets = torch.tensor([0.3, -1.2], dtype=F64), [(0, 1, 2, 3, 4, 5), (5, 0, 4, 1, 3, 2)]
    got = qf.circuit(6, qf.h(range(6)), qf.t(range(6)), qf.pauli_rot(theta, "XYZZYX", sets))()
    state = qf.circuit(6, qf.h(range(6)), qf.t(range(6)))(qf.zero_state(6, dtype=torch.complex128))
    for angle, wires in zip(theta.tolist(), sets, strict=True):
        state = dense.embed(dense.rotation("XYZZYX", angle), wires, 6) @ np.asarray(state)
    assert_close(got, state, n_gates=64, scale=8.0)


@given(data=st.data())
def test_matrices_of_ones_own(data):
    m = data.draw(st.integers(1, 3))
    sets = [data.draw(qst.wires(3, size=2)) for _ in range(m)]
    matrices = torch.stack([data.draw(qst.unitaries(2)) for _ in range(m)])
    state = data.draw(qst.states(3))
    expected = state.numpy()
    for matrix, wires in zip(matrices.numpy(), sets, strict=True):
        expected = dense.embed(matrix, wires, 3) @ expected
    for apply in (qf.unitary, qf.linear):
        assert_close(qf.circuit(3, apply(matrices, sets))(state), expected, n_gates=64)
    undone = qf.circuit(3, qf.unitary(matrices, sets)).inverse()
    assert_close(undone(torch.from_numpy(expected)), state, n_gates=128)


def test_vectorised_gate_is_the_mapped_one():
    def turn(theta):
        c, s = theta.cos(), theta.sin()
        return torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)

    plain = qf.gate(n_wires=1)(turn)
    vectorised = qf.gate(n_wires=1, vectorised=True)(turn)
    theta = qf.uniforms(5, 0, dtype=F64)
    assert torch.equal(plain.matrices(theta), vectorised.matrices(theta))
    gate_laws(vectorised)()


def test_constants_are_cast_once_per_dtype():
    assert qf.h.constant(torch.complex64, CPU) is qf.h.constant(torch.complex64, CPU)
    assert qf.h.constant(torch.complex64, CPU).dtype == torch.complex64


@each_row
def test_tags_are_complete(row):
    """What a matrix shows at angles of no symmetry, the row says: plans live on it."""
    angles = [torch.tensor([0.37 + place], dtype=F64) for place in range(row.n_params)]
    made = row.matrices(*angles) if row.n_params else row.constant(torch.complex128, CPU)[None]
    matrix = made[0].numpy()
    shown = {
        "diagonal": np.array_equal(matrix, np.diag(np.diag(matrix))),
        "real": not matrix.imag.any(),
        "permutation": np.isin(matrix, [0, 1]).all(),
        "hermitian": np.array_equal(matrix, matrix.conj().T),
    }
    assert {tag for tag, is_shown in shown.items() if is_shown} <= row.tags


def test_a_hermitian_gate_is_its_own_inverse():
    for row in (qf.x, qf.cz, qf.controlled(qf.h), qf.controlled(qf.swap)):
        assert qf.inverse(row) is row


def test_a_constant_that_is_tagged_hermitian_is_its_own_inverse():
    entries = torch.tensor([[0.6, 0.8], [0.8, -0.6]], dtype=F64)
    tagged = qf.gate(n_wires=1, tags={"hermitian"})(lambda: entries)
    plain = qf.gate(n_wires=1)(lambda: entries)
    assert qf.inverse(tagged) is tagged
    assert tagged(0).inverse().gate is tagged
    assert qf.inverse(plain) is not plain
    assert qf.inverse(qf.inverse(plain)) is plain


def test_a_hermitian_gate_of_an_angle_is_undone_at_that_angle():
    @qf.gate(n_wires=1, tags={"hermitian"})
    def mirror(theta):
        c, s = theta.cos(), theta.sin()
        return torch.stack([torch.stack([c, s]), torch.stack([s, -c])])

    gate_laws(mirror)()
    op = mirror(0.7, 0)
    assert_close(qf.circuit(1, op, op.inverse()).unitary(), np.eye(2), n_gates=2)


def test_a_generator_or_the_group_law_is_enough_for_powers():
    def turned(theta):
        half = torch.stack([-theta, theta]) / 2
        return torch.diag(torch.complex(half.cos(), half.sin()))

    by_generator = qf.gate(n_wires=1, generator=np.diag([1.0, -1.0]))(turned)
    by_group = qf.gate(n_wires=1, tags={"group"})(turned)
    theta = torch.tensor([0.7], dtype=F64)
    for row in (by_generator, by_group):
        assert_close(qf.power(row, 0.5).matrices(theta), qf.rz.matrices(theta / 2), n_gates=8)


def test_gates_of_ones_own_may_have_three_wires():
    wide = qf.gate(n_wires=3)(lambda theta: torch.eye(8, dtype=theta.dtype) + 0 * theta)
    assert wide.matrices(torch.zeros(2)).shape == (2, 8, 8)
