"""OpenQASM that measures and decides: whole programs against Python, statements against ops."""

from collections import defaultdict
from pathlib import Path

import pytest
import torch
from oracles import qasm_by_hand

import quilt_func as qf
from quilt_func import instruments
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
