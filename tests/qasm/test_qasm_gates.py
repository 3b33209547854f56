"""OpenQASM: gates that a text defines itself, and their controls, inverses and powers."""

import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.compare import assert_close
from oracles.qasm import phase_distance, text_matrix
from oracles.qasm_texts import HEADER, HEADER_2
from torch.func import grad, vmap

import quilt_func as qf
from quilt_func.qasm import calls, definitions
from quilt_func.testing.tolerances import tolerance

BOUND = tolerance(torch.float64, 4096)


def assert_same(a, b):
    assert phase_distance(text_matrix(a), text_matrix(b)) <= BOUND


# --- a text's own definitions ---

ROWS = [row for row in qf.GATES if row.qasm.definition]
WRITTEN = ("rxx", "ryy", "rzz", "iswap", "givens", "single_excitation", "double_excitation")
OTHERS = {
    "cx": "gate cx a, b { CX b, a; }",
    "rz": "gate rz(t) a { U(0, 0, 2*t) a; }",
    "rx": "gate rx(t) a { U(t, 0, 0) a; }",
    "h": "gate h a { U(pi/3, 0.1, 0) a; }",
    "s": "gate s a { U(0, 0, 0.3) a; }",
    "ccx": "gate ccx a, b, c { CX c, b; U(0.2, 0, 0) a; }",
}
TRUE = {
    "cx": "gate cx a, b { CX a, b; }",
    "rz": "gate rz(t) a { U(0, 0, t) a; }",
    "ry": "gate ry(t) a { U(t, 0, 0) a; }",
    "rx": "gate rx(t) a { U(t, -pi/2, pi/2) a; }",
    "h": "gate h a { U(pi/2, 0, pi) a; }",
    "s": "gate s a { U(0, 0, pi/2) a; }",
    "ccx": "gate ccx a, b, c { ctrl @ CX a, b, c; }",
}


def of_a_row(row, prelude, name):
    """A text whose own gate of some name has a row's body."""
    definition = row.qasm.definition.replace(f"gate {row.qasm.name}", f"gate {name}", 1)
    angles = ", ".join(["0.7", "-0.4", "1.1"][: row.n_params])
    wires = ", ".join(f"q[{i}]" for i in range(row.n_wires))
    mixed = "".join(f"U({0.5 + i}, {0.3 * i}, 0.2) q[{i}]; " for i in range(row.n_wires))
    call = f"{name}({angles}) {wires};" if angles else f"{name} {wires};"
    return f"{prelude} {definition} qubit[{row.n_wires}] q; {mixed} {call}"


@pytest.mark.parametrize("row", ROWS)
@given(names=st.sets(st.sampled_from(sorted(OTHERS)), min_size=1), has_include=st.booleans())
def test_renaming_a_definition_changes_nothing(row, names, has_include):
    """Whatever the inner gates are, and whether the library has a gate of that name."""
    rest = {} if has_include else TRUE
    own = [*({**rest, **{name: OTHERS[name] for name in names}}).values()]
    prelude = "OPENQASM 3.0; " + 'include "stdgates.inc"; ' * has_include + " ".join(own)
    texts = [of_a_row(row, prelude, name) for name in (row.qasm.name, "another")]
    assert_same(*map(qf.from_qasm, texts))


@pytest.mark.parametrize("row", [row for row in ROWS if row.name in WRITTEN])
def test_true_definitions_of_inner_gates_give_the_row(row):
    """In matrix; the row itself is put in only where the inner gates are the standard ones."""
    own = " ".join(TRUE.values())
    n = row.n_wires
    mixed = [qf.u(0.5 + i, 0.3 * i, 0.2, i) for i in range(n)]
    expected = qf.circuit(n, mixed, row(*[0.7] * row.n_params, *range(n)))
    inlined = qf.from_qasm(of_a_row(row, f"OPENQASM 3.0; {own}", row.name))
    recognised = qf.from_qasm(of_a_row(row, HEADER.replace(" qubit[3] q;", ""), row.name))
    assert_same(inlined, expected)
    assert_same(recognised, expected)
    assert row not in [op.gate for op in inlined.ops]
    assert row in [op.gate for op in recognised.ops]


def test_a_replaced_inner_gate_of_the_include_counts():
    text = (
        HEADER_2
        + "gate cx a, b { CX b, a; } gate rzz(theta) a, b { cx a, b; rz(theta) b; cx a, b; }"
    )
    found = qf.from_qasm(text + "qreg q[2]; h q; rzz(0.5) q[0], q[1];")
    expected = qf.circuit(2, qf.h([0, 1]), qf.cx(1, 0), qf.rz(0.5, 1), qf.cx(1, 0))
    assert_same(found, expected)


@pytest.mark.parametrize("version", [HEADER, HEADER_2])
def test_gates_of_the_include_do_not_change_with_the_texts_own(version):
    """`ch`, `rccx` and others of the library mean what the standard says."""
    text = version + "gate h a { s a; } gate cx a, b { } " + "qreg r[2]; x r; ch r[0], r[1];"
    found = qf.from_qasm(text)
    expected = qf.circuit(found.n_qubits, qf.x([found.n_qubits - 2, found.n_qubits - 1]),
                          qf.ch(found.n_qubits - 2, found.n_qubits - 1))  # fmt: skip
    assert_same(found, expected)


def test_mutant_that_trusts_the_spelling_dies(monkeypatch):
    monkeypatch.setattr(definitions, "_is_standard", lambda *_: True)
    with pytest.raises(AssertionError):
        test_a_replaced_inner_gate_of_the_include_counts()


# --- powers, inverses and controls of what a text composes ---

BODIES = st.lists(
    st.sampled_from(["h a;", "t b;", "rx(t) a;", "cx a, b;", "gphase(0.4);", "U(0.3, t, 1) b;",
                     "ctrl @ U(t, 0.2, 0.5) b, a;", "swap a, b;", "iswap_ a, b;", "u2(t, 0.1) a;",
                     "inv @ sx b;", "negctrl @ gphase(t) a;", "pow(0.3) @ cx b, a;", "rz(-2) a;",
                     "crz(t) b, a;", "pow(-2) @ t a;"]),
    min_size=1, max_size=6)  # fmt: skip


def text_of(body, call, n=3):
    inner = "gate iswap_ a, b { s a; s b; h a; cx a, b; cx b, a; h b; } "
    return (f'OPENQASM 3.0; include "stdgates.inc"; qubit[{n}] q; {inner}'
            f"gate g(t) a, b {{ {' '.join(body)} }} {call}")  # fmt: skip


def with_phase(body, modifiers):
    """The matrix of a modified gate on two wires, with its phase, which a control shows."""
    text = text_of(body, f"ctrl @ {modifiers} g(0.7) q[0], q[1], q[2];")
    matrix = text_matrix(qf.from_qasm(text))
    matrix = matrix / matrix[0, 0]
    assert np.abs(matrix[:4, :4] - np.eye(4)).max() <= BOUND
    return matrix[4:, 4:]


@given(body=BODIES, exponent=st.sampled_from([0.5, -0.5, 0.25, 1 / 3, 0.9]))
def test_powers_are_principal(body, exponent):
    """The phases of the power's eigenvalues are those of the gate's, in (-π, π], times x."""
    base, found = with_phase(body, ""), with_phase(body, f"pow({exponent!r}) @")
    values, vectors = np.linalg.eig(base)
    phases = np.angle(values)
    phases = np.where(phases < -math.pi + 1e-6, phases + 2 * math.pi, phases)
    expected = (vectors * np.exp(1j * exponent * phases)) @ np.linalg.inv(vectors)
    assert np.abs(found - expected).max() <= 100 * BOUND
    assert np.abs(found @ base - base @ found).max() <= BOUND


@given(body=BODIES, parts=st.integers(2, 5))
def test_parts_of_a_gate_make_it_whole(body, parts):
    whole = with_phase(body, "")
    part = with_phase(body, f"pow(1.0 / {parts}) @")
    assert np.abs(np.linalg.matrix_power(part, parts) - whole).max() <= BOUND
    back = with_phase(body, f"inv @ pow(1.0 / {parts}) @")
    assert np.abs(back @ part - np.eye(4)).max() <= BOUND
    inner = with_phase(body, f"pow(1.0 / {parts}) @ inv @")
    assert np.abs(np.linalg.matrix_power(inner, parts) @ whole - np.eye(4)).max() <= BOUND


WITH_A_PHASE = "gate n a { gphase(0.5); x a; } ctrl @ pow(0.5) @ n q[0], q[1];"
KNOWN = {
    WITH_A_PHASE: [qf.p(0.25, 0), qf.controlled(qf.sxdg)(0, 1)],
    "gate x_ a { U(pi, 0, pi) a; gphase(-pi/2); } pow(0.5) @ x_ q[0];": qf.sx(0),
    "gate x_ a { U(pi, 0, pi) a; gphase(-pi/2); } ctrl @ pow(0.5) @ x_ q[0], q[1];":
        qf.controlled(qf.sx)(0, 1),
    "gate x_ a { U(pi, 0, pi) a; gphase(-pi/2); } pow(0.5) @ ctrl @ x_ q[0], q[1];":
        qf.controlled(qf.sx)(0, 1),
    "gate x_ a { U(pi, 0, pi) a; gphase(-pi/2); } gate sx_ a { pow(0.5) @ x_ a; }"
    "ctrl @ inv @ sx_ q[2], q[1];": qf.controlled(qf.sxdg)(2, 1),
    "gate z_ a { h a; x a; h a; } pow(0.5) @ z_ q[1];": qf.s(1),
    "gate z_ a { h a; x a; h a; } ctrl @ pow(0.25) @ z_ q[1], q[0];": qf.cp(math.pi / 4, 1, 0),
    "gate m a { gphase(pi); } ctrl @ pow(0.5) @ m q[0], q[1];": qf.s(0),
    "gate m a { gphase(2); gphase(2); } ctrl @ pow(0.5) @ m q[0], q[1];": qf.p(2 - math.pi, 0),
    "gate i a { } pow(0.5) @ i q[0];": [],
    "gate w a, b { cx a, b; cx b, a; cx a, b; } pow(0.5) @ w q[0], q[2];":
        qf.power(qf.swap, 0.5)(0, 2),
    "gate w a, b { cx a, b; cx b, a; cx a, b; } pow(0.5) @ w q[1:2], q[0];": [
        qf.power(qf.swap, 0.5)(1, 0), qf.power(qf.swap, 0.5)(2, 0)],
    "gate w a, b { cx a, b; } pow(0.5) @ w q[2], q[0];": qf.controlled(qf.sx)(2, 0),
    "gate r(t) a { rx(t) a; } pow(0.3) @ r(9.0) q[0];": qf.rx(2.7, 0),
    "gate r(t) a { h a; p(t) a; h a; } pow(0.5) @ r(arccos(1 / 3.0)) q[0];": [
        qf.h(0), qf.p(math.acos(1 / 3) / 2, 0), qf.h(0)],
    "const float k = 0.5; gate r(t) a { h a; p(t) a; h a; }"
    "for int i in [1:2] { pow(k * i) @ r(0.4 * i) q[i]; }": [
        qf.h(1), qf.p(0.1 * 2, 1), qf.h(1), qf.h(2), qf.p(0.8, 2), qf.h(2)],
    "pow(0.5) @ U(0.3, 0, 0) q[0];": [qf.ry(0.15, 0)],
}  # fmt: skip


@pytest.mark.parametrize("text", KNOWN)
def test_known_roots(text):
    found = qf.from_qasm(HEADER + text)
    assert_same(found, qf.circuit(found.n_qubits, KNOWN[text]))


def test_equal_powers_are_one_gate_which_is_pickled_and_takes_any_precision():
    text = HEADER + "gate g(t) a, b { h a; cx a, b; ry(t) b; } "
    calls = "pow(0.5) @ g(0.3) q[0], q[1]; pow(0.5) @ g(0.3) q[1], q[2];"
    found, again = qf.from_qasm(text + calls), qf.from_qasm(text + calls)
    assert [len(op) for op in found.ops] == [2]
    assert found.ops[0].gate is again.ops[0].gate is pickle.loads(pickle.dumps(found)).ops[0].gate
    assert qf.same_structure(found, again)
    assert found(dtype=torch.complex64).dtype == torch.complex64
    assert_same(found.inverse() + found, qf.circuit(3))
    assert "g^0.5" in repr(found)


def test_mutant_without_the_phases_dies(monkeypatch):
    real = calls.root
    without = lambda found, *a: real([g for g in found if g.wires] or found, *a)  # noqa: E731
    monkeypatch.setattr(calls, "root", without)
    with pytest.raises(AssertionError):
        test_known_roots(WITH_A_PHASE)


@pytest.mark.parametrize("version", [2, 3])
def test_such_a_power_is_not_written(version):
    found = qf.from_qasm(HEADER + "gate g a { h a; t a; } ctrl @ pow(0.5) @ g q[0], q[1];")
    with pytest.raises(ValueError, match=r"to_qasm\(circuit=.*Write the gate as|Give the gate"):
        qf.to_qasm(found, version)


def test_roots_are_made_within_transforms_too():
    """By a text that was never read before, so that nothing is there to be found again."""
    text = HEADER + "input float a; gate g(t) a { h a; ry(t) a; } rx(a) q[0]; "
    text += "pow(0.5) @ g(0.4321) q[0];"

    def energy(read):
        return lambda a: qf.expval(read()(a)(), qf.pauli_sum({"ZII": 1.0}))

    angles = torch.linspace(-1, 1, 3, dtype=torch.float64)
    inside = vmap(grad(energy(lambda: qf.from_qasm(text))))(angles)
    found = qf.from_qasm(text)
    outside = torch.stack([grad(energy(lambda: found))(angle) for angle in angles])
    assert_close(inside, outside, n_gates=100)


# --- roots of matrices ---


@given(phases=st.lists(st.sampled_from([0.0, math.acos(1 / 3), math.pi, -1.0, 1.0, math.pi / 2]),
                       min_size=4, max_size=4),
       exponent=st.sampled_from([0.5, -0.3, 1.7]), seed=st.integers(0, 99))  # fmt: skip
def test_power_of_a_constant_gate_is_principal(phases, exponent, seed):
    """Also of phases such as 0 and arccos(1/3), whose cosines and sines mix to the same number."""
    random = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(random.normal(size=(4, 4)) + 1j * random.normal(size=(4, 4)))

    @qf.gate(n_wires=2)
    def base():
        return torch.from_numpy((basis * np.exp(1j * np.array(phases))) @ basis.conj().T)

    expected = (basis * np.exp(1j * exponent * np.array(phases))) @ basis.conj().T
    assert np.abs(qf.power(base, exponent).matrix - expected).max() <= BOUND
