"""OpenQASM: what statements mean, against circuits by hand; versions, names, resets, inputs."""

import copy
import pickle

import pytest
import torch
from oracles import dense
from oracles.compare import assert_close
from oracles.qasm import phase_distance, text_matrix
from oracles.qasm_texts import HEADER, HEADER_2
from torch.func import grad, hessian, jacfwd, vmap

import quilt_func as qf
from quilt_func.qasm import calls
from quilt_func.testing.tolerances import tolerance

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
    "const float k = 0.3; gate g(t) a { rx(k * t) a; pow(k) @ z a; } g(2) q[0];": [
        qf.rx(0.6, 0), qf.p(0.3 * torch.pi, 0)],
    "const float k = 0.3; gate g(k) a { rx(k) a; } for int i in [2:2] { g(i) q[0]; }":
        qf.rx(2.0, 0),
    'bit[2] c = "01"; bit d = 1; bit e = true; x q[0];': qf.x(0),
    "reset q; h q[0]; reset q[1:2]; reset q[{2}];": qf.h(0),
    "for int i in [0:2] { reset q[i]; x q[i]; }": qf.x(range(3)),
    "gate g a, b { gphase(0.3); barrier a; cx a, b; } barrier; g q[0], q[1];": qf.cx(0, 1),
    "ctrl @inv @ s q[0], q[1];": qf.cp(-torch.pi / 2, 0, 1),
    "\n@bind anything: [1, 2] ;\n  @a.b\nx q[0];\n@last": qf.x(0),
    "rx(π / 2) q[0]; rx(τ) q[1]; ry(ℇ) q[2];": [
        qf.rx(torch.pi / 2, 0), qf.rx(2 * torch.pi, 1), qf.ry(2.718281828459045, 2)],
    "rx(.5 + 1. + 1e-1 + 1.5E+1 + 0x1e-3 + 0b11 + 0o17 + 1_0) q[0];": qf.rx(71.6, 0),
}  # fmt: skip


@pytest.mark.parametrize("text", MEANINGS)
def test_what_it_means(text):
    """Against circuits by hand, run by the dense oracle."""
    found = qf.from_qasm(HEADER + text)
    expected = qf.circuit(found.n_qubits, MEANINGS[text])
    oracle = dense.circuit_matrix(found.n_qubits, expected.ops)
    bound = tolerance(torch.float64, 64 * (found.n_gates + 1))
    assert phase_distance(text_matrix(found), oracle) <= bound


def test_greek_letters_in_version_2():
    """Not in its grammar, but written by people."""
    found = qf.from_qasm(HEADER_2 + "gate g(θ) a { rx(-θ) a; } qreg q[1]; g(π / 2) q[0];")
    assert found.ops[0].params == (-torch.pi / 2,)


def test_version_2_has_no_whole_division():
    found = qf.from_qasm('OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; rx(1/2+2^3) q[0];')
    assert found.ops[0].params == (8.5,)


VERSIONS = {
    'include "qelib1.inc"; qreg q[1]; rx(1/2) q[0];': 0.5,
    "include 'qelib1.inc'; creg c[1]; qreg q[1]; rx(1/2) q[0];": 0.5,
    "qreg q[1]; gate rx(t) a { U(t, -pi/2, pi/2) a; } rx(1/2) q[0];": 0.5,
    'include "stdgates.inc"; qubit q; rx(1/2) q;': 0.0,
    'include "stdgates.inc"; qubit q; rx(1/2) q; // include "qelib1.inc"; qreg q[1];': 0.0,
    'OPENQASM 3; include "stdgates.inc"; qreg q[1]; rx(1/2) q[0];': 0.0,
    'OPENQASM 3.1; include "qelib1.inc"; qubit q; rx(1/2) q;': 0.0,
    'OPENQASM 2; include "qelib1.inc"; qreg q[1]; rx(1/2) q[0];': 0.5,
    '\ufeff// of an editor\r\nOPENQASM 2.0;\r\ninclude "qelib1.inc";\r\nqreg q[1];rx(1/2) q;': 0.5,
}  # fmt: skip


@pytest.mark.parametrize("text", VERSIONS)
def test_the_version_decides_what_a_half_is(text):
    found, expected = qf.from_qasm(text), qf.circuit(1, qf.rx(VERSIONS[text], 0))
    assert phase_distance(text_matrix(found), text_matrix(expected)) <= tolerance(torch.float64, 64)


# fmt: off
KEYWORDS = [
    "defcalgrammar", "def", "cal", "defcal", "extern", "box", "let", "break", "continue", "else",
    "end", "return", "for", "while", "in", "switch", "case", "default", "pragma", "input", "output",
    "const", "readonly", "mutable", "qubit", "bool", "bit", "int", "uint", "float", "angle",
    "complex", "array", "void", "duration", "stretch", "gphase", "inv", "pow", "ctrl", "negctrl",
    "dim", "durationof", "delay", "nop", "true", "false", "im", "tau", "euler", "mod", "arcsin",
    "arccos", "arctan", "floor", "ceiling", "log", "popcount", "sizeof", "real", "imag",
]
"""Words that version 3 gave a meaning, which version 2 lets anyone use."""
# fmt: on
PLACES = {
    "a gate": "gate NAME(t) a, b { rx(t) a; cx a, b; } qreg r[2]; NAME(0.3) r[1], r[0];",
    "a gate of a gate": "gate NAME a { x a; } gate g(t) a, b { rx(t) a; cx a, b; NAME a; NAME a; }"
    "qreg r[2]; g(0.3) r[1], r[0];",
    "an opaque gate": "opaque NAME a, b; qreg r[2]; rx(0.3) r[1]; cx r[1], r[0];",
    "qubits": "qreg NAME[2]; creg c[2]; rx(0.3) NAME[1]; barrier NAME; cx NAME[1], NAME[0];"
    "measure NAME -> c;",
    "bits": "qreg r[2]; creg NAME[2]; rx(0.3) r[1]; cx r[1], r[0]; measure r -> NAME;",
    "a parameter": "gate g(NAME, t) a { rx(-NAME / 2 + 2 * NAME - NAME / 2 + t * 0) a; } "
    "qreg r[2]; g(0.3, 1) r[1]; cx r[1], r[0];",
    "a wire": "gate g(t) NAME, b { rx(t) NAME; cx NAME, b; } qreg r[2]; g(0.3) r[1], r[0];",
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("word", KEYWORDS)
def test_words_of_version_3_are_names_in_version_2(word, place):
    found = qf.from_qasm(HEADER_2 + PLACES[place].replace("NAME", word))
    expected = qf.circuit(2, qf.rx(0.3, 1), qf.cx(1, 0))
    distance = phase_distance(text_matrix(found), text_matrix(expected))
    assert distance <= tolerance(torch.float64, 64)


@pytest.mark.parametrize("word", ["inv", "pow", "ctrl", "box", "for", "gphase", "end"])
def test_gates_named_by_such_words_are_called_like_others(word):
    called = {"": "r[0]", "(t)": "r[1]", "(s, t)": "r"}
    for parameters, operand in called.items():
        values = {"": "", "(t)": "(0.5)", "(s, t)": "(0.5, pi)"}[parameters]
        text = f"gate {word}{parameters} a {{ h a; }} qreg r[2]; {word}{values} {operand};"
        found = qf.from_qasm(HEADER_2 + text)
        assert [(op.gate, len(op)) for op in found.ops] == [(qf.h, 2 if operand == "r" else 1)]


def test_a_reset_of_a_qubit_that_a_barrier_or_another_ones_gate_left_alone():
    found = qf.from_qasm(HEADER_2 + "qreg q[3]; x q[0]; barrier q; reset q[1]; reset q[2]; x q[2];")
    assert [op.gate for op in found.ops] == [qf.x]
    assert found.n_gates == 2


# --- inputs ---

TURNS = HEADER + "input float a; input angle[32] lambda; rx(a / 2) q[0]; ry(sin(lambda) * a) q[0];"


def test_inputs_become_parameters():
    turns = qf.from_qasm(TURNS)
    a, b = torch.tensor(0.4, dtype=torch.float64), torch.tensor(1.1, dtype=torch.float64)
    expected = qf.circuit(3, qf.rx(a / 2, 0), qf.ry(b.sin() * a, 0))()
    for made in (turns(a, b), turns(a, **{"lambda": b}), turns(**{"lambda": b, "a": a})):
        assert_close(made(), expected, n_gates=4)
    assert [turns(0.4, 1).ops[0].params[0], turns(0.4, b).ops[0].params[0]] == [0.2, 0.2]


@pytest.mark.parametrize("value", [1, 1.0, torch.tensor(1.0)])
def test_half_of_an_input_is_a_half_whatever_it_is_given_as(value):
    half = qf.from_qasm(HEADER + "input float a; rx(a / 2) q[0];")(value)
    assert float(half.ops[0].params[0]) == 0.5


@pytest.mark.parametrize("copied", [lambda f: pickle.loads(pickle.dumps(f)), copy.copy,
                                    copy.deepcopy])  # fmt: skip
def test_functions_of_inputs_are_pickled_and_copied(copied):
    text = TURNS + "for int i in [0:2] { rz(a * i) q[i]; }"
    turns = qf.from_qasm(text, max_gates=7)
    again = copied(turns)
    values = torch.tensor(0.4, dtype=torch.float64), torch.tensor(1.1, dtype=torch.float64)
    assert torch.equal(again(*values)(), turns(*values)())
    assert torch.equal(again(**{"lambda": values[1], "a": values[0]})(), turns(*values)())
    assert repr(again) == repr(turns) == "<circuit of (a, lambda)>"
    with pytest.raises(TypeError, match="takes the inputs a, lambda"):
        again(values[0])


def test_functions_of_inputs_cross_to_another_process():
    import multiprocessing

    turns = qf.from_qasm(TURNS)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        states = pool.map(_state_of, [(turns, 0.4, 1.1)])
    assert_close(states[0], turns(0.4, 1.1)(dtype=torch.complex128))


def _state_of(job):
    turns, *values = job
    return turns(*values)(dtype=torch.complex128)


def test_inputs_under_transforms():
    def energy(a, b):
        return qf.expval(qf.from_qasm(TURNS)(a, b)(), qf.pauli_sum({"ZII": 1.0}))

    def closed(a, b):
        return (a / 2).cos() * (b.sin() * a).cos()

    a = torch.linspace(-2, 2, 5, dtype=torch.float64)
    for transform in (grad, lambda f: grad(f, 1), hessian, lambda f: jacfwd(grad(f))):
        got, expected = (vmap(transform(f))(a, a + 0.3) for f in (energy, closed))
        assert_close(got, expected, n_gates=100)


# --- mutants: mistakes that these laws must see ---


def inverse_in_the_same_order(monkeypatch):
    same = lambda f: [calls._inverse(g) for g in f]  # noqa: E731
    monkeypatch.setattr(calls, "_inverted", same)
    return lambda: test_what_it_means("gate g a { h a; t a; } pow(-2) @ g q[0];")


def phase_lost_below_a_control(monkeypatch):
    real = calls.Calls.expand
    dropped = lambda *a: [g for g in real(*a) if g.wires]  # noqa: E731
    monkeypatch.setattr(calls.Calls, "expand", dropped)
    return lambda: test_what_it_means("gate g a, b { gphase(0.3); cx a, b; } "
                                      "ctrl @ g q[2], q[1], q[0];")  # fmt: skip


@pytest.mark.parametrize("plant", [inverse_in_the_same_order, phase_lost_below_a_control])
def test_mutants_die(plant, monkeypatch):
    with pytest.raises(AssertionError):
        plant(monkeypatch)()
