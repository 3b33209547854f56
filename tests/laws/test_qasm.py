"""OpenQASM: round trips of every gate, other readers, programs worked by hand, bounds, any text."""

import re

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from oracles import dense, qasm_mutations
from oracles.compare import assert_close
from oracles.qasm import phase_distance
from oracles.qasm_texts import OF_2, OF_3, PROGRAMS
from systems import givens
from torch.func import grad, hessian, jacfwd, vmap

import quilt_func as qf
from quilt_func import _qasm_read, _qasm_write
from quilt_func.testing import strategies as qst
from quilt_func.testing.tolerances import tolerance

C128 = torch.complex128
each_version = pytest.mark.parametrize("version", [2, 3])


def matrix(circuit):
    kind = {} if circuit.leaves else {"dtype": C128}
    return circuit.unitary(**kind).detach().numpy()


def assert_same_up_to_phase(a, b, circuit):
    bound = tolerance(torch.float64, 64 * (circuit.n_gates + 1))
    assert a.n_qubits == b.n_qubits
    assert phase_distance(matrix(a), matrix(b)) <= bound


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


@pytest.mark.parametrize("name", OF_2)
def test_qiskit_reads_programs_as_we_do(name):
    assert_qiskit_agrees(OF_2[name], qf.from_qasm(OF_2[name]), 2)


@each_version
@settings(max_examples=15)
@given(data=st.data())
def test_qiskit_reads_what_we_write(version, data):
    rows = data.draw(st.sampled_from([ROWS, tuple(MADE[version])]))
    circuit = data.draw(qst.circuits(min_qubits=5, max_qubits=5, rows=rows, derived=False))
    assert_qiskit_agrees(qf.to_qasm(circuit, version), circuit, version)


HEADER = 'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; '
MEANINGS = {
    "u2(0.1, 0.2) q[0];": qf.u(torch.pi / 2, 0.1, 0.2, 0),
    "cx q[0], q[1:2];": qf.cx([(0, 1), (0, 2)]),
    "cx q[{2, 0}], q[1];": qf.cx([(2, 1), (0, 1)]),
    "rx(-3*pi/4) q;": qf.rx(-3 * torch.pi / 4, range(3)),
    "rx(2 ** 3 ** 0 - 7 / 2) q[0];": qf.rx(-1.0, 0),
    "rx(-2 ** 2) q[0];": qf.rx(-4.0, 0),
    "rx(-7 / 2 + -7 % 4) q[-1];": qf.rx(-6.0, 2),
    "rx(mod(7.5, 2) + pow(2, 0.5) + floor(1.7) + float(3)) q[0];": qf.rx(1.5 + 2**0.5 + 4, 0),
    "ctrl @ gphase(0.3) q[1];": qf.p(0.3, 1),
    "ctrl(2) @ gphase(0.3) q[2], q[0];": qf.cp(0.3, 2, 0),
    "negctrl @ h q[0], q[1];": [qf.x(0), qf.ch(0, 1), qf.x(0)],
    "ctrl @ U(0.1, 0.2, 0.3) q[0], q[1];": [
        qf.p(0.05, 0), qf.controlled(qf.u)(0.1, 0.2, 0.3, 0, 1)],
    "ctrl @ u3(0.1, 0.2, 0.3) q[0], q[1];": [
        qf.p(-0.25, 0), qf.controlled(qf.u)(0.1, 0.2, 0.3, 0, 1)],
    "ctrl @ inv @ s q[0], q[1];": qf.cp(-torch.pi / 2, 0, 1),
    "inv @ ctrl @ s q[0], q[1];": qf.cp(-torch.pi / 2, 0, 1),
    "negctrl @ ctrl @ x q[0], q[1], q[2];": [qf.x(0), qf.ccx(0, 1, 2), qf.x(0)],
    "gate g(a) b, c { rx(a) c; ry(a) b; } inv @ g(0.2) q[0], q[2];": [
        qf.ry(-0.2, 0), qf.rx(-0.2, 2)],
    "gate g a, b { gphase(0.3); cx a, b; } ctrl @ g q[2], q[1], q[0];": [
        qf.p(0.3, 2), qf.ccx(2, 1, 0)],
    "gate g a { h a; t a; } pow(-2) @ g q[0];": [qf.tdg(0), qf.h(0), qf.tdg(0), qf.h(0)],
    "pow(0.5) @ z q[0];": qf.s(0),
    "gate h a { x a; } h q[0];": qf.x(0),
    "const int n = 2; for int i in [0:n - 1] { for int j in [i + 1:n] cx q[i], q[j]; }": qf.cx(
        [(0, 1), (0, 2), (1, 2)]),
    "for int i in [2:-2:0] x q[i];": qf.x([2, 0]),
    "let r = q[1:2] ++ q[0]; cx r[0], r[2];": qf.cx(1, 0),
    "qubit r; cx q[0], r;": qf.cx(0, 3),
    "bit b = measure q[0]; bit[3] c; c = measure q;": [],
}  # fmt: skip


@pytest.mark.parametrize("text", MEANINGS)
def test_what_it_means(text):
    """Against circuits by hand, run by the dense oracle."""
    found = qf.from_qasm(HEADER + text)
    expected = qf.circuit(found.n_qubits, MEANINGS[text])
    oracle = dense.circuit_matrix(found.n_qubits, expected.ops)
    bound = tolerance(torch.float64, 64 * (found.n_gates + 1))
    assert phase_distance(matrix(found), oracle) <= bound


def test_version_2_has_no_whole_division():
    found = qf.from_qasm('OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; rx(1/2+2^3) q[0];')
    assert found.ops[0].params == (8.5,)


def test_a_definition_that_we_write_is_read_as_the_row():
    text = qf.to_qasm(qf.circuit(2, qf.rzz(0.1, 0, 1), qf.iswap(0, 1)))
    assert [op.gate for op in qf.from_qasm(text).ops] == [qf.rzz, qf.iswap]


# --- inputs ---

TURNS = HEADER + "input float a; input angle[32] lambda; rx(a / 2) q[0]; ry(sin(lambda) * a) q[0];"


def test_inputs_become_parameters():
    turns = qf.from_qasm(TURNS)
    a, b = torch.tensor(0.4, dtype=torch.float64), torch.tensor(1.1, dtype=torch.float64)
    expected = qf.circuit(3, qf.rx(a / 2, 0), qf.ry(b.sin() * a, 0))()
    for made in (turns(a, b), turns(a, **{"lambda": b}), turns(**{"lambda": b, "a": a})):
        assert_close(made(), expected, n_gates=4)
    assert [turns(0.4, 1).ops[0].params[0], turns(0.4, b).ops[0].params[0]] == [0.2, 0.2]


def test_inputs_under_transforms():
    def energy(a, b):
        return qf.expval(qf.from_qasm(TURNS)(a, b)(), qf.pauli_sum({"ZII": 1.0}))

    def closed(a, b):
        return (a / 2).cos() * (b.sin() * a).cos()

    a = torch.linspace(-2, 2, 5, dtype=torch.float64)
    for transform in (grad, lambda f: grad(f, 1), hessian, lambda f: jacfwd(grad(f))):
        got, expected = (vmap(transform(f))(a, a + 0.3) for f in (energy, closed))
        assert_close(got, expected, n_gates=100)


# --- what is refused, with its place ---

REFUSED = {
    "x q[3];": (1, "index 3 of `q`"),
    "\n  reset q;": (2, "`reset`"),
    "if (c == 1) x q;": (1, "`if`"),
    "measure q[0];\nx q[1]; x q[0];": (2, "a gate on the measured qubit 0"),
    "while (true) { }": (1, "`while`"),
    "def f() { }": (1, "`def`"),
    'include "other.inc";': (1, 'include of "other.inc"'),
    'include "../qelib1.inc";': (1, 'include of "../qelib1.inc"'),
    "gate g a { g a; }": (1, "`g` in its own definition"),
    "gate f a { g a; } gate g a { f a; }": (1, "the unknown gate `g`"),
    "gate x a { x a; }": (1, "`x` in its own definition"),
    "gate g a { h b; }": (1, "`b` in the gate `g`"),
    "gate g a, a { }": (1, "the gate `g` on 1 different wires"),
    "gate g a { } gate g b { }": (1, "a second `g`"),
    "opaque g a; g q[0];": (1, "the unknown gate `g`"),
    "foo q;": (1, "the unknown gate `foo`"),
    "csx q[0], q[1];": (1, "the unknown gate `csx`"),
    "x r;": (1, "the unknown qubit register `r`"),
    "qubit q;": (1, "a second `q`"),
    "rx q[0];": (1, "0 argument(s) of `rx`"),
    "cx q[0];": (1, "1 qubit(s) of `cx`"),
    "cx q[0], q[0];": (1, "`cx` twice on one qubit"),
    "qubit[2] r; cx q, r;": (1, "registers of 2 and 3 qubits"),
    "bit[2] c; c = measure q;": (1, "3 qubit(s) measured to 2 bit(s)"),
    "rx(1/0.0) q;": (1, "no number from `/`"),
    "rx(sqrt(-1)) q;": (1, "no number from `sqrt`"),
    "rx((-1) ** 0.5) q;": (1, "no number from `pow`"),
    "rx(1e200 * 1e200) q;": (1, "an infinite number"),
    "int n = 2 ** 62 * 4;": (1, "an int of more than 64 bits"),
    "rx(a) q;": (1, "the unknown name `a`"),
    "rx(2 ^ 3) q;": (1, "`^`"),
    "rx(100ns) q;": (1, "`ns`"),
    "rx(sin(1, 2)) q;": (1, "2 argument(s) of `sin`"),
    f"rx({'(' * 99}": (1, "nesting deeper than 64"),
    f"rx({'-' * 99}1) q;": (1, "nesting deeper than 64"),
    "for int i in [0:1] " * 99: (1, "nesting deeper than 64"),
    "for int i in [0:1] input float a;": (1, "`input` in a loop"),
    "for int i in [0:1] { x q; qubit r; }": (1, "`qubit` in a loop"),
    "for int i in [0:] x q;": (1, "a loop without bounds"),
    "for int i in [0:0:1] x q;": (1, "a range with step 0"),
    "for int i in [0:0.5] x q;": (1, "0.5, not an int"),
    "for int i in [0:999999999] x q;": (1, "more work than max_gates=50000 allows"),
    "pow(1e12) @ x q[0];": (1, "more work than max_gates=50000 allows"),
    "pow(0.5) @ U(1, 2, 3) q[0];": (1, "the power 0.5 of a composed gate"),
    "ctrl(0) @ x q[0];": (1, "`ctrl` of something else than a whole number from 1"),
    "qubit[9] r; ctrl(8) @ x r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8];": (
        1, "a gate of 9 qubits"),
    "qubit[5000] r;": (1, "a register of 5000 after 3"),
    "input int n;": (1, "`int`"),
    "input float a; pow(a) @ x q[0];": (1, "a power of an `input`"),
    "input float a; x q[int(a)];": (1, "an `input` made an int"),
    "int n = 1; n = 2;": (1, "`2`"),
    "/* ": (1, "a comment without end"),
    "x q": (1, "the end of the text"),
    "x $0;": (1, "the character '$'"),
    "OPENQASM 3.0;": (1, "`OPENQASM`"),
    f"int n = {'9' * 99};": (1, "a number of 99 characters"),
}  # fmt: skip
PLACE = re.compile(
    r"from_qasm\(text=.*\): `text` must be OpenQASM that can be simulated, "
    r"but got (.*) at line (\d+), column (\d+)\. .+\.",
    re.DOTALL,
)


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:40])
def test_refused_with_its_place(text):
    line, got = REFUSED[text]
    with pytest.raises(ValueError, match="line") as caught:
        qf.from_qasm(HEADER.replace("3.0; ", "3.0;\n").replace("q; ", "q;\n") + text)
    found = PLACE.fullmatch(str(caught.value))
    assert found, str(caught.value)
    assert (found[1], int(found[2])) == (got, line + 2)


def test_the_column_is_the_first_characters():
    with pytest.raises(ValueError, match=r"index 7 of `q` at line 2, column 7\."):
        qf.from_qasm(HEADER + "\n  x   q[7];")


def test_a_bound_that_is_raised():
    text = HEADER + "for int i in [1:20000] { h q; }"
    with pytest.raises(ValueError, match="max_gates"):
        qf.from_qasm(text)
    assert qf.from_qasm(text, max_gates=10**6).n_gates == 60_000


def test_gates_that_grow_without_end_are_stopped():
    bodies = [f"gate g{i + 1} a {{ {f'g{i} a; ' * 50} }} " for i in range(30)]
    with pytest.raises(ValueError, match="more work than max_gates"):
        qf.from_qasm(HEADER + "gate g0 a { } " + "".join(bodies) + "g30 q[0];")


NOT_WRITTEN = {
    "a matrix": (lambda: qf.unitary(torch.eye(2, dtype=C128), 0), 3, "matrices"),
    "without a definition": (lambda: givens(0.1, 0, 1), 3, "`givens`"),
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


# --- any text ---


def read_or_refused(text):
    """A circuit, a function, or a message with its place."""
    told = None
    try:
        assert callable(qf.from_qasm(text, max_gates=500))
    except ValueError as error:
        told = str(error)
    assert told is None or PLACE.fullmatch(told), told


NUMBERS = st.integers(0, 9999)


@given(text=st.text(max_size=200) | st.text("q10.+-*/()[]{};,@ \ngatehx", max_size=200))
@example(text="")
@example(text="\ud800")
def test_any_text(text):
    read_or_refused(text)


@settings(max_examples=150)
@given(choices=st.lists(NUMBERS, max_size=12))
def test_any_order_of_statements(choices):
    read_or_refused(qasm_mutations.program([0, 2, *choices]))


@settings(max_examples=150)
@given(program=NUMBERS, edits=st.lists(st.tuples(st.integers(0, 4), NUMBERS, NUMBERS), max_size=4))
def test_any_mistake(program, edits):
    read_or_refused(qasm_mutations.mutate(program, edits))


# --- mutants: mistakes that these laws must see ---


def crx_of_the_wrong_sign(monkeypatch):
    wrong = "gate crx(theta) a, b { h b; crz(-theta) a, b; h b; }"
    monkeypatch.setitem(_qasm_write._ALSO_IN_2, "crx", wrong)
    return lambda: round_trip(qf.circuit(2, qf.h(0), qf.crx(0.3, 0, 1)), 2)


def inverse_in_the_same_order(monkeypatch):
    monkeypatch.setattr(_qasm_read, "_inverted", lambda f: [_qasm_read._inverse(g) for g in f])
    return lambda: test_what_it_means("gate g a { h a; t a; } pow(-2) @ g q[0];")


def phase_lost_below_a_control(monkeypatch):
    real = _qasm_read.Reader.expand
    dropped = lambda *a: [g for g in real(*a) if g.gate]  # noqa: E731
    monkeypatch.setattr(_qasm_read.Reader, "expand", dropped)
    return lambda: test_what_it_means("gate g a, b { gphase(0.3); cx a, b; } "
                                      "ctrl @ g q[2], q[1], q[0];")  # fmt: skip


def digits_cut(monkeypatch):
    monkeypatch.setattr(_qasm_write, "number", lambda value: f"{value:.6f}")
    return lambda: round_trip(qf.circuit(1, qf.rx(1 / 3, 0)), 3)


@pytest.mark.parametrize(
    "plant",
    [crx_of_the_wrong_sign, inverse_in_the_same_order, phase_lost_below_a_control, digits_cut],
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
