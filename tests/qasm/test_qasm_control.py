"""OpenQASM that measures and decides: whole programs against Python, statements against ops."""

from collections import defaultdict
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from oracles import qasm_by_hand

import quilt_func as qf
from quilt_func import instruments
from quilt_func.testing import strategies as qst
from quilt_func.testing.tolerances import tolerance

FOLDER = Path(__file__).parents[1] / "data" / "qasm-dynamic"
C128 = torch.complex128


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
