"""OpenQASM: round trips of every gate, what other readers read, and what is not written."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracles.compare import assert_close
from oracles.qasm import phase_distance, text_matrix
from oracles.qasm_texts import OF_2, OF_3, PROGRAMS
from systems import beam_splitter
from torch.func import vmap

import quilt_func as qf
from quilt_func.qasm import writer
from quilt_func.testing import strategies as qst
from quilt_func.testing.tolerances import tolerance

C128 = torch.complex128
each_version = pytest.mark.parametrize("version", [2, 3])


def assert_same_up_to_phase(a, b, circuit):
    bound = tolerance(torch.float64, 64 * (circuit.n_gates + 1))
    assert a.n_qubits == b.n_qubits
    assert phase_distance(text_matrix(a), text_matrix(b)) <= bound


def round_trip(circuit, version):
    again = qf.from_qasm(qf.to_qasm(circuit, version))
    assert_same_up_to_phase(again, circuit, circuit)


@qf.gate(n_wires=2, qasm=qf.Qasm("mine", "gate mine(x) a, b { ry(x) b; cx a, b; }"))
def mine(theta):
    c, s = (theta / 2).cos(), (theta / 2).sin()
    zero = torch.zeros_like(c)
    rows = [[c, -s, zero, zero], [s, c, zero, zero], [zero, zero, s, c], [zero, zero, c, -s]]
    return torch.stack([torch.stack(row) for row in rows])


ROWS = (*qf.GATES, mine)
WORDS = [qf.pauli_rot(0.1, word, *range(len(word))).gate for word in ("Y", "XZ", "ZYX", "YYZXX")]
EVERYWHERE = [*WORDS, qf.inverse(qf.rx), qf.inverse(qf.u), qf.power(qf.ryy, -0.5),
              qf.power(qf.inverse(qf.crz), 3), qf.inverse(WORDS[1]),
              qf.controlled(qf.u)]  # fmt: skip
IN_3 = [qf.inverse(qf.iswap), qf.inverse(qf.ch), qf.power(qf.x, 0.3), qf.power(qf.ccx, -0.7),
        qf.power(qf.h, 2), qf.controlled(qf.power(qf.y, 0.4)), qf.controlled(qf.iswap),
        qf.controlled(qf.sxdg), qf.controlled(qf.sxdg, 2), qf.controlled(qf.u, 2),
        qf.controlled(WORDS[0]), qf.controlled(WORDS[2]), qf.inverse(qf.controlled(qf.iswap)),
        qf.power(qf.controlled(qf.h), 0.2), qf.controlled(qf.inverse(qf.power(qf.swap, 0.5))),
        qf.inverse(mine), qf.power(qf.u, -2), qf.power(qf.iswap, 0.5)]  # fmt: skip
MADE = {2: EVERYWHERE, 3: EVERYWHERE + IN_3}


@each_version
@given(data=st.data())
def test_round_trip(version, data):
    """Of every row, every form of op, and gates made of rows."""
    rows = st.sampled_from([ROWS, tuple(MADE[version])])
    circuit = data.draw(qst.circuits(max_qubits=5, max_ops=8, rows=data.draw(rows), derived=False,
                                     min_qubits=5))  # fmt: skip
    round_trip(circuit, version)


@given(circuit=qst.circuits(max_qubits=4, max_ops=8))
def test_round_trip_of_all_that_is_derived(circuit):
    ops = [op for op in circuit.ops if not op.gate.param_shape]
    round_trip(qf.circuit(circuit.n_qubits, ops), 3)


@each_version
@given(data=st.data())
def test_angles_survive_bit_for_bit(version, data):
    theta = data.draw(st.floats(allow_nan=False, allow_infinity=False))
    assume(abs(theta) < 1e300)
    again = qf.from_qasm(qf.to_qasm(qf.circuit(1, qf.rx(theta, 0)), version))
    assert again.ops[0].params == (theta,)


@each_version
def test_circuits_without_qubits_or_gates(version):
    for n in (0, 3):
        again = qf.from_qasm(qf.to_qasm(qf.circuit(n), version))
        assert (again.n_qubits, len(again)) == (n, 0)


def test_equal_gates_in_a_row_become_one_op():
    again = qf.from_qasm(qf.to_qasm(qf.circuit(4, qf.h(range(4)), qf.rzz(0.5, [(0, 1), (2, 3)]))))
    assert [(op.gate, len(op)) for op in again.ops] == [(qf.h, 4), (qf.rzz, 2)]


def test_every_row_is_written_in_both_versions():
    for row in ROWS:
        op = row(*[0.3] * row.n_params, *range(row.n_wires))
        for version in (2, 3):
            round_trip(qf.circuit(row.n_wires, op), version)


# --- other readers, and programs worked out ---


def qiskits_state(text, version):
    pytest.importorskip("qiskit")
    from qiskit import qasm2
    from qiskit.quantum_info import Statevector

    if version == 3:
        load = pytest.importorskip("qiskit_qasm3_import").parse
    else:

        def load(text):
            return qasm2.loads(text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)

    circuit = load(text)
    circuit.remove_final_measurements()
    return torch.from_numpy(Statevector(circuit.reverse_bits()).data)


def assert_qiskit_agrees(text, circuit, version):
    theirs = qiskits_state(text, version)
    state = circuit(dtype=None if circuit.leaves else C128)
    overlap = torch.vdot(theirs, state).abs()
    assert_close(overlap, torch.ones(()), n_gates=64 * (circuit.n_gates + 1), dtype=torch.float64)


@pytest.mark.parametrize("name", [*OF_2, "exported, 3"])
def test_qiskit_reads_programs_as_we_do(name):
    text = PROGRAMS[name]
    assert_qiskit_agrees(text, qf.from_qasm(text), 2 if name in OF_2 else 3)


def test_what_is_exported_means_the_same_in_both_versions():
    assert_same_up_to_phase(*[qf.from_qasm(PROGRAMS[name]) for name in ("exported", "exported, 3")],
                            qf.circuit(0))  # fmt: skip


@each_version
@settings(max_examples=15)
@given(data=st.data())
def test_qiskit_reads_what_we_write(version, data):
    rows = data.draw(st.sampled_from([ROWS, tuple(MADE[version])]))
    circuit = data.draw(qst.circuits(min_qubits=5, max_qubits=5, rows=rows, derived=False))
    assert_qiskit_agrees(qf.to_qasm(circuit, version), circuit, version)


def test_a_definition_that_we_write_is_read_as_the_row():
    text = qf.to_qasm(qf.circuit(2, qf.rzz(0.1, 0, 1), qf.iswap(0, 1)))
    assert [op.gate for op in qf.from_qasm(text).ops] == [qf.rzz, qf.iswap]


NOT_WRITTEN = {
    "a matrix": (lambda: qf.unitary(torch.eye(2, dtype=C128), 0), 3, "matrices"),
    "without a definition": (lambda: beam_splitter(0.1, 0, 1), 3, "`beam_splitter`"),
    "derived, in version 2": (lambda: qf.controlled(qf.iswap)(0, 1, 2), 2, "version 3"),
    "a phase that matters": (lambda: qf.controlled(mine)(0.1, 0, 1, 2), 3, "phase of `mine`"),
    "not finite": (lambda: qf.rx(torch.tensor(torch.nan), 0), 3, "not finite"),
    "one name": (
        lambda: [mine(0.1, 0, 1), qf.gate(n_wires=1, qasm=qf.Qasm("mine", "gate mine a { h a; }"))(
            lambda: torch.eye(2))(0)], 3, "two gates of one name"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_WRITTEN)
def test_not_written(name):
    make, version, told = NOT_WRITTEN[name]
    with pytest.raises(
        ValueError, match=r"to_qasm\(circuit=.*\): `circuit` must hold .*"
    ) as caught:
        qf.to_qasm(qf.circuit(3, make()), version)
    assert told in str(caught.value)


def test_angles_behind_a_transform_are_not_written():
    with pytest.raises(TypeError, match=r"outside of `torch\.func` transforms"):
        vmap(lambda a: qf.to_qasm(qf.circuit(1, qf.rx(a, 0))) and a)(torch.zeros(2))


# --- mutants: mistakes that these laws must see ---


def crx_of_the_wrong_sign(monkeypatch):
    wrong = "gate crx(theta) a, b { h b; crz(-theta) a, b; h b; }"
    monkeypatch.setitem(writer._ALSO_IN_2, "crx", wrong)
    return lambda: round_trip(qf.circuit(2, qf.h(0), qf.crx(0.3, 0, 1)), 2)


def digits_cut(monkeypatch):
    monkeypatch.setattr(writer, "number", lambda value: f"{value:.6f}")
    return lambda: round_trip(qf.circuit(1, qf.rx(1 / 3, 0)), 3)


@pytest.mark.parametrize(
    "plant",
    [crx_of_the_wrong_sign, digits_cut],
)
def test_mutants_die(plant, monkeypatch):
    with pytest.raises(AssertionError):
        plant(monkeypatch)()


def test_all_programs_are_read():
    assert all(qf.from_qasm(text).n_gates > 5 for text in PROGRAMS.values())
    assert {*OF_2, *OF_3} == {*PROGRAMS}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    "qasm", [qf.Qasm("turn", "gate turn(t) a { ryy(t) a, a; }"), qf.Qasm("turn")]
)
def test_a_definition_that_cannot_be_read_is_refused(qasm, version):
    @qf.gate(n_wires=1, qasm=qasm)
    def turn(theta):
        c, s = theta.cos(), theta.sin()
        return torch.stack([torch.stack([c, -s]), torch.stack([s, c])])

    with pytest.raises(ValueError, match=r"definitions that can be read.*Use the gates of"):
        qf.to_qasm(qf.circuit(1, turn(0.5, 0)), version)
