"""OpenQASM that measures and decides: whole programs against Python, statements against ops."""

import operator
import pickle
from collections import defaultdict
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import qasm_by_hand
from oracles.compare import assert_close
from oracles.qasm_texts import HEADER
from torch.func import grad, vmap

import quilt_func as qf
from quilt_func import instruments, noise
from quilt_func.qasm import control_writer, tables
from quilt_func.qasm.control import Control
from quilt_func.qasm.outcomes import Outcomes
from quilt_func.testing import strategies as qst
from quilt_func.testing.tolerances import tolerance

FOLDER = Path(__file__).parents[1] / "data" / "qasm-dynamic"
F64, C128 = torch.float64, torch.complex128


def program(name):
    return (FOLDER / f"{name}.qasm").read_text("utf8")


def branches_of(circuit):
    return qf.run_branches(circuit, qf.zero_state(circuit.n_qubits, dtype=C128), budget=2**26)


def distribution(text):
    """Probability by final registers, each a tuple of bits."""
    branches = branches_of(qf.from_qasm(text, keep_measurements=True))
    registers = qf.register_bits(text, branches.bits)
    found = defaultdict(float)
    for place, probability in enumerate(instruments.branch_probabilities(branches).tolist()):
        key = tuple((name, tuple(bits[place].tolist())) for name, bits in registers.items())
        found[key] += probability
    return found


def assert_same_distribution(got, expected, n_gates):
    bound = tolerance(torch.float64, n_gates)
    for key in {*got, *expected}:
        assert abs(got.get(key, 0.0) - expected.get(key, 0.0)) <= bound, key


def check(name, text):
    expected = qasm_by_hand.distribution(*qasm_by_hand.PROGRAMS[name])
    assert abs(sum(expected.values()) - 1) <= tolerance(torch.float64, 1_000)
    assert sum(probability > 0.001 for probability in expected.values()) > 1
    assert_same_distribution(distribution(text), expected, 1_000)


@pytest.mark.parametrize("name", qasm_by_hand.PROGRAMS)
def test_programs_have_the_outcomes_of_their_meaning(name):
    check(name, program(name))


def test_every_program_of_the_folder_is_written_by_hand_too():
    assert {path.stem for path in FOLDER.glob("*.qasm")} == {*qasm_by_hand.PROGRAMS}


# --- resets under a condition, and what the messages advise where none can be had ---

SPARE = """OPENQASM 3.0; include "stdgates.inc";
qubit[2] q; qubit spare; bit c; bit d; bit e; bit out;
ry(0.9) q[0]; ry(1.3) q[1]; cx q[0], q[1]; rz(0.4) q[1]; h q[1];
c = measure q[0];
"""


def by_a_reset(m):
    return by_a_condition(m, lambda m: m.reset(1))


def by_a_measurement(m):
    return by_a_condition(m, lambda m: m.measure(1))


def by_a_condition(m, step):
    m.ry(0.9, 0)
    m.ry(1.3, 1)
    m.cx(0, 1)
    m.rz(0.4, 1)
    m.h(1)
    c = m.measure(0)
    d = step(m) if c else 0
    m.rx(0.5, 1)
    m.h(1)
    return {"c": [c], "d": [d or 0], "e": [0], "out": [m.measure(1)]}


@pytest.mark.parametrize(
    ("text", "by_hand"),
    [
        ("if (c) swap q[1], spare; reset spare;", by_a_reset),
        ("if (c) reset q[1];", by_a_reset),
        ("if (!c) {} else { reset q[1]; reset q[1]; }", by_a_reset),
        ("if (c) swap q[1], spare; d = measure spare; if (c) swap q[1], spare;", by_a_measurement),
    ],
)
def test_conditions_on_what_is_no_gate_are_exact(text, by_hand):
    expected = qasm_by_hand.distribution(by_hand, 2)
    found = distribution(SPARE + text + " rx(0.5) q[1]; h q[1]; out = measure q[1];")
    assert_same_distribution(found, expected, 100)


# --- conditions on conditions, resets and tables, out and in again ---


def held():
    inner = qf.conditional("b", qf.x(2), 1)
    table = torch.tensor([0.3, 1.9], dtype=F64)
    return qf.circuit(
        3, qf.ry(torch.tensor([0.9, 1.7, 0.4], dtype=F64), range(3)), qf.cx([(0, 1), (1, 2)]),
        qf.measure(0, "a"), qf.measure(1, "b"), qf.conditional("a", inner, 1),
        qf.conditional("a", qf.reset(2), 0), qf.ry(1.1, 2),
        qf.conditional("b", qf.instruments.lookup("a", qf.rx, table, 2), 1),
        qf.conditional("a", qf.conditional("b", qf.reset(2), 0), 1), qf.measure(2, "out"),
    )  # fmt: skip


def test_what_holds_conditions_comes_back():
    expected, text = held(), qf.to_qasm(held())
    found = qf.from_qasm(text, keep_measurements=True)
    runs = [branches_of(one) for one in (expected, found)]
    sums = []
    for run in runs:
        own = torch.cat([run.bits[key] for key in ("a", "b", "out")], -1)
        numbers = (own * torch.tensor([4, 2, 1])).sum(-1)
        outcomes = qf.instruments.branch_probabilities(run)
        sums.append(torch.zeros(8, dtype=F64).index_add(0, numbers, outcomes))
    assert_close(sums[1], sums[0], n_gates=64)
    assert (sums[0] > 1e-3).tolist() == [*[True] * 5, False, True, True], "1, 0 resets at the end"
    with pytest.raises(ValueError, match="a condition on a condition"):
        qf.to_qasm(held(), version=2)


# --- statements ---

START = HEADER + "bit[2] c; bit d; h q; "
X1 = qf.x(1)
MEANINGS = {
    "c[0] = measure q[0]; if (c[0]) x q[1];": [
        qf.measure(0, "c[0]"), qf.conditional("c[0]", X1, 1)],
    "c[0] = measure q[0]; if (!c[0]) x q[1];": [
        qf.measure(0, "c[0]"), qf.conditional("c[0]", X1, 0)],
    "d = measure q[0]; if (d == false) x q[1];": [qf.measure(0, "d"), qf.conditional("d", X1, 0)],
    "measure q[0:1] -> c; if (c == 2) x q[1];": [
        qf.measure(0, "c[0]"), qf.measure(1, "c[1]"), qf.conditional(["c[0]", "c[1]"], X1, (0, 1))],
    "c = measure q[0:1]; if (c[0] ^ c[1]) x q[1];": [
        qf.measure(0, "c[0]"), qf.measure(1, "c[1]"),
        qf.conditional(["c[0]", "c[1]"], X1, table=(0, 1, 1, 0))],
    "d = measure q[0]; if (c == 0) x q[1];": [qf.measure(0, "d"), X1],
    "d = measure q[0]; if (c[1]) x q[1]; else z q[1];": [qf.measure(0, "d"), qf.z(1)],
    "d = measure q[0]; if (d) {} else { x q[1]; z q[0]; }": [
        qf.measure(0, "d"), qf.conditional("d", X1, 0), qf.conditional("d", qf.z(0), 0)],
    "d = measure q[0]; if (d) if (!d) x q[1];": [qf.measure(0, "d")],
    "d = measure q[0]; if (d) x q[1:2]; x q[0];": [
        qf.measure(0, "d"), qf.conditional("d", qf.x([1, 2]), 1), qf.x(0)],
    "d = measure q[0]; d = measure q[1]; if (d) x q[1];": [
        qf.measure(0, "d@1"), qf.measure(1, "d"), qf.conditional("d", X1, 1)],
    "d = measure q[0]; c[0] = d; d = measure q[1]; if (c[0]) x q[1];": [
        qf.measure(0, "c[0]"), qf.measure(1, "d"), qf.conditional("c[0]", X1, 1)],
    "d = measure q[0]; c[0] = !d; d = measure q[1]; if (c[0]) x q[1];": [
        qf.measure(0, "d@1"), qf.measure(1, "d"), qf.conditional("d@1", X1, 0)],
    "d = measure q[0]; c[0] = d; if (c[0]) x q[1];": [
        qf.measure(0, "d"), qf.conditional("d", X1, 1)],
    "d = measure q[0]; if (d) { d = 0; x q[1]; }": [
        qf.measure(0, "d@1"), qf.conditional("d@1", X1, 1)],
    "measure q[0]; x q[0];": [qf.measure(0, "@1"), qf.x(0)],
    "reset q[0]; reset q[0:1];": [qf.reset(0), qf.reset(1)],
    "d = measure q[0]; if (d) { reset r; barrier q; } x q[0];": [qf.measure(0, "d"), qf.x(0)],
    "def f(qubit a, bit b) -> bit { if (b) x a; return measure a; } d = f(q[0], 1); x q[1];": [
        qf.x(0), qf.measure(0, "d"), X1],
    "def f(qubit[2] a) -> bit[2] { bit[2] b = measure a; return b; } c = f(q[1:2]); x q[1];": [
        qf.measure(1, "c[0]"), qf.measure(2, "c[1]"), X1],
    "def f(qubit a) { bit b = measure a; if (b) x a; } f(q[0]); f(q[1]);": [
        qf.measure(0, "f.b@1"), qf.conditional("f.b@1", qf.x(0), 1),
        qf.measure(1, "f.b@2"), qf.conditional("f.b@2", X1, 1)],
    "def f(bit b) -> bit { return !b; } d = measure q[0]; d = f(d); if (d) x q[1];": [
        qf.measure(0, "d@1"), qf.conditional("d@1", X1, 0)],
    "const int k = 1; def g(bit k, qubit a) { if (k) x a; } g(0, q[0]); x q[1];": [X1],
}  # fmt: skip


@pytest.mark.parametrize("text", MEANINGS)
def test_what_it_means(text):
    """The ops, with their keys and conditions, one by one."""
    text, expected = START.replace("h q;", "qubit r; h q;") + text, MEANINGS[text]
    found = qf.from_qasm(text, keep_measurements=True)
    first, *ops = found.ops
    assert (first.gate, len(first)) == (qf.h, 3)
    assert [(op.gate.name, op.wires) for op in ops] == [(op.gate.name, op.wires) for op in expected]


def test_measurements_at_the_end_stay_on_demand():
    text = START + "c = measure q[0:1]; measure q[2];"
    assert [op.gate for op in qf.from_qasm(text).ops] == [qf.h]
    kept = qf.from_qasm(text, keep_measurements=True)
    assert [op.gate.writes for op in kept.ops[1:]] == ["c[0]", "c[1]", "@1"]
    turned = qf.from_qasm("input float a; qubit q; bit c; U(a, 0, 0) q; c = measure q;",
                          keep_measurements=True)  # fmt: skip
    for function in (turned, pickle.loads(pickle.dumps(turned))):
        assert [op.gate.writes for op in function(0.3).ops[1:]] == ["c"]


def test_gates_of_inputs_under_a_condition_are_differentiated():
    text = HEADER + "input float a; bit d; ry(a) q[0]; d = measure q[0]; if (d) ry(2 * a) q[1];"
    turned = qf.from_qasm(text)

    def mean(a):
        return instruments.branch_expval(
            qf.run_branches(turned(a)), qf.pauli_sum({"IZI": 1.0})
        ).sum()

    def closed(a):
        return (a / 2).cos() ** 2 + (a / 2).sin() ** 2 * (2 * a).cos()

    a = torch.tensor(0.7, dtype=torch.float64)
    assert_close(mean(a), closed(a), n_gates=100)
    assert_close(grad(mean)(a), grad(closed)(a), n_gates=100)


def test_registers_of_one_outcome_and_of_a_density():
    text = START + "d = measure q[0]; c[1] = !d; if (d) x q[1]; c[0] = measure q[1];"
    circuit = qf.from_qasm(text)
    u = qf.uniforms((50, noise.n_draws(circuit)), 3)
    drawn = vmap(lambda u: qf.register_bits(text, qf.run_trajectory(circuit, u).bits))(u)
    assert torch.equal(drawn["c"][:, 1], 1 - drawn["d"][:, 0])
    assert drawn["c"].shape == (50, 2)
    assert drawn["d"].sum() not in (0, 50)
    mixed = noise.run_density_branches(circuit)
    assert qf.register_bits(text, mixed.bits)["c"].shape == (4, 2)
    assert qf.register_bits("bit[2] c = 2;", {})["c"].tolist() == [0, 1]


# --- expressions ---

PRECEDENCE = {
    "a[0] | a[1] & a[2]": "a[0] | (a[1] & a[2])", "a[0] ^ a[1] | a[2]": "(a[0] ^ a[1]) | a[2]",
    "a[0] ^ a[1] & a[2]": "a[0] ^ (a[1] & a[2])", "a[0] & a[1] == a[2]": "a[0] & (a[1] == a[2])",
    "a[0] == a[1] < a[2]": "a[0] == (a[1] < a[2])", "!a[0] == a[1]": "(!a[0]) == a[1]",
    "a[0] || a[1] && a[2]": "a[0] || (a[1] && a[2])", "1 + 2 * 3 == a": "(1 + (2 * 3)) == a",
    "a[0] && a[1] | a[2]": "a[0] && (a[1] | a[2])", "1 << 1 + 1 == a": "(1 << (1 + 1)) == a",
    "7 - 2 - 1 == a": "((7 - 2) - 1) == a", "a < 1 << 1": "a < (1 << 1)", "~a == 2": "(~a) == 2",
    "9 / 2 * 2 - 5 == a": "(((9 / 2) * 2) - 5) == a", "-a + 9 > 4": "((-a) + 9) > 4",
    "a >> 1 % 2 == 1": "(a >> (1 % 2)) == 1", "a[0] != a[1] == a[2]": "(a[0] != a[1]) == a[2]",
}  # fmt: skip


def values(expression):
    """An expression at all eight values of three measured bits, and a set one."""
    text = HEADER + "bit[3] a; bit b = 1; bit r; h q; a = measure q; x q[0]; r = bool(EXPR);"
    text = text.replace("EXPR", expression)
    return (
        qf.register_bits(text, {f"a[{i}]": EIGHT[:, [i]] for i in range(3)})["r"].flatten().tolist()
    )


EIGHT = torch.arange(8)[:, None] >> torch.arange(3) & 1


@pytest.mark.parametrize("text", PRECEDENCE)
def test_operators_bind_as_in_c(text):
    assert values(text) == values(PRECEDENCE[text])


OPERATIONS = {
    "&&": lambda a, b: int(bool(a) and bool(b)), "||": lambda a, b: int(bool(a) or bool(b)),
    "==": lambda a, b: int(a == b), "!=": lambda a, b: int(a != b), "<": lambda a, b: int(a < b),
    "<=": lambda a, b: int(a <= b), ">": lambda a, b: int(a > b), ">=": lambda a, b: int(a >= b),
    "+": operator.add, "-": operator.sub, "*": operator.mul, "&": operator.and_,
    "|": operator.or_, "^": operator.xor,
}  # fmt: skip
ATOMS = [("uint(a)", lambda a: a), ("uint(b)", lambda a: 1), ("3", lambda a: 3),
         ("true", lambda a: 1),
         *((f"uint(a[{i}])", lambda a, i=i: a >> i & 1) for i in range(3)),
         ('uint("101")', lambda a: 5), ("popcount(a)", int.bit_count)]  # fmt: skip


def joined_by(children):
    def made(some, other, mark):
        function = OPERATIONS[mark]
        text = f"(uint({some[0]}) {mark} uint({other[0]}))"
        return text, lambda a: function(some[1](a), other[1](a))

    def signed(inner, mark):
        function = {"!": lambda v: int(not v), "-": operator.neg}[mark]
        return f"{mark}{inner[0]}", lambda a: function(inner[1](a))

    return st.builds(made, children, children, st.sampled_from(sorted(OPERATIONS))) | st.builds(
        signed, children, st.sampled_from("!-")
    )


@given(expression=st.recursive(st.sampled_from(ATOMS), joined_by, max_leaves=6))
def test_expressions_are_those_of_python(expression):
    text, function = expression
    assert values(text) == [int(bool(function(a))) for a in range(8)]


@pytest.mark.parametrize(("text", "expected"), [("a << 1 == 4", [0, 0, 1, 0, 0, 0, 1, 0]),
    ("~a == 6", [0, 1, 0, 0, 0, 0, 0, 0]), ("a[0:1] == 2", [0, 0, 1, 0, 0, 0, 1, 0]),
    ("a[{2, 0}] == 1", [0, 0, 0, 0, 1, 0, 1, 0]), ("uint[2](a) == 3", [0, 0, 0, 1, 0, 0, 0, 1]),
    ("bit[3](a + 1) == 0", [0, 0, 0, 0, 0, 0, 0, 1]), ('a == "011"', [0, 0, 0, 1, 0, 0, 0, 0]),
    ("-7 / 2 + 3 == a[0] - 0", [1, 0] * 4), ("-7 % 4 + 3 == a[0] - 0", [1, 0] * 4)])  # fmt: skip
def test_registers_are_numbers_with_index_0_the_lowest(text, expected):
    assert values(text) == expected


# --- there and back ---


def mixtures(branches, registers):
    """The unnormalised density matrix of each value of the registers."""
    found = {}
    outer = torch.einsum("bi,bj->bij", branches.states, branches.states.conj())
    for place, matrix in enumerate(outer):
        key = tuple((name, *registers[name][place].tolist()) for name in sorted(registers))
        found[key] = found.get(key, 0) + matrix
    return found


def check_round_trip(circuit, version):
    text = qf.to_qasm(circuit, version)
    again = qf.from_qasm(text, keep_measurements=True)
    branches, theirs = branches_of(circuit), branches_of(again)
    registers = qf.register_bits(text, theirs.bits)
    registers = {name: bits for name, bits in registers.items() if name in branches.bits}
    assert registers.keys() == branches.bits.keys()
    found, expected = mixtures(theirs, registers), mixtures(branches, branches.bits)
    bound = tolerance(torch.float64, 64 * (circuit.n_gates + 1))
    nothing = torch.zeros((), dtype=C128)
    for key in {*found, *expected}:
        assert (found.get(key, nothing) - expected.get(key, nothing)).abs().max() <= bound, text
    if len(theirs.states) == len(branches.states):  # else resets of qubits at 0 were left out
        assert all(torch.equal(registers[key], branches.bits[key]) for key in registers)
        inner = (theirs.states.conj() * branches.states).sum(-1).abs()
        assert (inner - instruments.branch_probabilities(branches)).abs().max() <= bound


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("name", qasm_by_hand.PROGRAMS)
def test_programs_are_written_and_read_again(name, version):
    """All but what is computed of bits, which is in no circuit; version 2, if it reads one."""
    circuit = qf.from_qasm(program(name), keep_measurements=True)
    if version == 2 and name in ("overwritten", "rus"):
        with pytest.raises(ValueError, match=r"registers\. Version 2 compares one register"):
            qf.to_qasm(circuit, version)
        return
    again = qf.from_qasm(qf.to_qasm(circuit, version), keep_measurements=True)
    assert len(again.ops) >= len(circuit.ops)
    states, theirs = branches_of(circuit).states, branches_of(again).states
    bound = tolerance(torch.float64, 1_000)
    assert (states.mT @ states.conj() - theirs.mT @ theirs.conj()).abs().max() <= bound


def sayable(op, version):
    """Whether a version has words for an op of a random circuit."""
    gate = getattr(op.gate, "base", None) or op.gate
    if gate.param_shape or (version == 2 and len(op.gate.reads if is_instrument(op) else ()) > 1):
        return False
    try:
        plain = [] if gate is op.gate and is_instrument(op) else [alone(gate)]
        return bool(qf.to_qasm(qf.circuit(8, plain), version))
    except ValueError:
        return False


def is_instrument(op):
    return isinstance(op.gate, instruments.Instrument)


def alone(gate):
    return gate(*[0.3] * gate.n_params, *range(gate.n_wires))


@pytest.mark.parametrize("version", [2, 3])
@settings(max_examples=max(1, settings().max_examples // 2))
@given(drawn=qst.dynamic_circuits(max_ops=10))
def test_round_trip(version, drawn):
    ops = [op for op in drawn.ops if sayable(op, version)]
    turned = qf.ry(0.7, range(drawn.n_qubits)), qf.rz(0.4, range(drawn.n_qubits))
    check_round_trip(qf.circuit(drawn.n_qubits, turned, ops), version)


# --- mutants: mistakes that these laws must see ---


def read_after_it_is_overwritten(monkeypatch):
    """All measurements of a bit under its name: the last is read."""
    monkeypatch.setattr(Outcomes, "keys", lambda self, bits: list(self.measured))


def read_before_it_is_overwritten(monkeypatch):
    """A bit that is measured again keeps what it was."""

    def measure(self, wire, bit, label, right=Outcomes.measure):
        old = None if bit is None else self.values[bit]
        made = right(self, wire, bit, label)
        if old is not None and old.measured:
            self.values[bit] = old
        return made

    monkeypatch.setattr(Outcomes, "measure", measure)


def condition_read_again(monkeypatch):
    """The condition of a branch is computed anew for the other branch."""

    def run_if(self, statement):
        condition = tables.truth(self.table(statement.condition))
        self.within(condition, statement.holds, statement.place)
        condition = tables.truth(self.table(statement.condition))
        self.within(tables.negated(condition), statement.fails, statement.place)

    monkeypatch.setattr(Control, "run_if", run_if)


def set_in_both_branches(monkeypatch):
    monkeypatch.setattr(Control, "chosen", lambda self, new, old, place: new)


def index_0_the_highest(monkeypatch):
    right = tables.joined
    monkeypatch.setattr("quilt_func.qasm.control.joined", lambda bits: right(bits[::-1]))


def never_reset(monkeypatch):
    monkeypatch.setattr(Control, "run_reset", lambda self, statement: None)


def outer_condition_lost(monkeypatch):
    monkeypatch.setattr("quilt_func.qasm.control.both", lambda outer, own: tables.truth(own))


def order_of_register_reversed(monkeypatch):
    right = control_writer.Registers.measured

    def measured(self, key, wires):
        return right(self, key, tuple(reversed(wires)))

    monkeypatch.setattr(control_writer.Registers, "measured", measured)


def condition_on_the_last_width(monkeypatch):
    """A key that changed its width is read where it is kept at the end."""
    right = control_writer.registers_of

    def registers_of(circuit, version, taken):
        found = right(circuit, version, taken)
        last = dict(found.places)
        for key, width in last:
            found.places[key, width] = next(p for (k, _), p in last.items() if k == key)
        return found

    monkeypatch.setattr("quilt_func.qasm.writer.registers_of", registers_of)


BY_PROGRAM = {
    read_after_it_is_overwritten: "overwritten", read_before_it_is_overwritten: "overwritten",
    set_in_both_branches: "rus", index_0_the_highest: "inverseqft2", never_reset: "resets",
    outer_condition_lost: "logic",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted({*qasm_by_hand.PROGRAMS} - {"shor"}))
def test_every_program_needs_its_branches(name, monkeypatch):
    """Without any `if` each has other outcomes; the order that `shor` finds is too symmetric."""
    monkeypatch.setattr(Control, "run_if", lambda self, statement: None)
    with pytest.raises(AssertionError):
        check(name, program(name))


@pytest.mark.parametrize("plant", BY_PROGRAM)
def test_mutants_die(plant, monkeypatch):
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check(BY_PROGRAM[plant], program(BY_PROGRAM[plant]))


def test_a_condition_is_read_once(monkeypatch):
    text = START + "d = measure q[0]; if (d) { d = 0; x q[1]; } else z q[1];"

    def gates():
        return [op.gate.name for op in qf.from_qasm(text).ops[2:]]

    right = ["conditional[x, d@1=1]", "conditional[z, d@1=0]"]
    assert gates() == right
    condition_read_again(monkeypatch)
    assert gates() != right


@pytest.mark.parametrize("plant", [order_of_register_reversed, condition_on_the_last_width])
def test_mutants_of_the_writer_die(plant, monkeypatch):
    circuit = qf.circuit(
        3, qf.ry(torch.tensor([0.4, 1.0, 2.0], dtype=torch.float64), range(3)),
        qf.measure([0, 1], "a"), qf.conditional("a", qf.ry(0.3, 2), (0, 1)), qf.ry(0.7, 0),
        qf.measure(0, "a"), qf.conditional("a", qf.h(1), 1), qf.measure([1, 2], "b"),
    )  # fmt: skip
    check_round_trip(circuit, 3)
    plant(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        check_round_trip(circuit, 3)
