"""Programs in OpenQASM that measure and decide, against Qiskit and Aer, which read the same text.

Qiskit's circuit is walked branch by branch, exactly: its gates act on its `Statevector`, and its
`if` is Python's. Aer runs it by itself; its counts must lie within five standard errors. Qiskit's
reader of version 3 lacks `for`, `def`, assignments and logic, so that programs with these are left
to the tests that have them in Python.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings

import quilt_func as qf
from quilt_func import instruments
from quilt_func.testing import strategies as qst
from quilt_func.testing.tolerances import tolerance

qiskit = pytest.importorskip("qiskit")
from qiskit import qasm2  # noqa: E402
from qiskit.circuit import Clbit  # noqa: E402
from qiskit.quantum_info import Operator, Statevector  # noqa: E402

FOLDER = Path(__file__).parent / "data" / "qasm-dynamic"
TEXTS = {path.stem: path.read_text("utf8") for path in sorted(FOLDER.glob("*.qasm"))}
NOT_READ = {"bb84", "ipea_3", "logic", "overwritten", "rus", "subroutines"}
READ = sorted({*TEXTS} - NOT_READ)
BOUND = tolerance(torch.float64, 10_000)
SHOTS = 20_000


def loaded(text):
    """The text, as Qiskit reads it."""
    if "OPENQASM 2" in text:
        return qasm2.loads(text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
    return pytest.importorskip("qiskit_qasm3_import").parse(text)


def theirs(circuit):
    """Probability by final bits, in the order of their declaration, of every branch."""
    start = (Statevector.from_int(0, 2**circuit.num_qubits), dict.fromkeys(circuit.clbits, 0))
    found = defaultdict(float)
    for state, bits in walked(circuit, circuit.qubits, circuit.clbits, [start]):
        found[tuple(bits[bit] for bit in circuit.clbits)] += float(np.linalg.norm(state.data) ** 2)
    return {key: value for key, value in found.items() if value > BOUND}


def walked(circuit, qubits, clbits, branches, outermost=None):
    outermost = outermost or circuit
    wires = dict(zip(circuit.qubits, qubits, strict=True))
    names = dict(zip(circuit.clbits, clbits, strict=True))
    for item in circuit.data:
        on = [outermost.find_bit(wires[q]).index for q in item.qubits]
        into = [names[bit] for bit in item.clbits]
        branches = [new for branch in branches
                    for new in step(item, on, into, branch, outermost, wires, names)]  # fmt: skip
    return branches


def step(item, on, into, branch, outermost, wires, names):
    state, bits = branch
    name = item.operation.name
    if name == "barrier":
        return [branch]
    if name in ("measure", "reset"):
        halves = [(projected(state, on[0], bit), bit) for bit in (0, 1)]
        if name == "measure":
            return [(half, {**bits, into[0]: bit}) for half, bit in halves]
        flip = Operator.from_label("X")
        return [(half.evolve(flip, on) if bit else half, bits) for half, bit in halves]
    if name == "if_else":
        blocks = item.operation.blocks
        index = 0 if holds(item.operation.condition, bits) else 1
        if index >= len(blocks):
            return [branch]
        qubits = [wires[q] for q in item.qubits]
        return walked(blocks[index], qubits, into, [branch], outermost)
    return [(state.evolve(item.operation, on), bits)]


def projected(state, wire, bit):
    return state.evolve(Operator(np.diag([1.0 - bit, bit])), [wire])


def holds(condition, bits):
    """A bit or a register, and the value that it is compared with."""
    target, value = condition
    if isinstance(target, Clbit):
        return bits[target] == int(value)
    return sum(bits[bit] << place for place, bit in enumerate(target)) == int(value)


def ours(text):
    found = qf.from_qasm(text, keep_measurements=True)
    start = qf.zero_state(found.n_qubits, dtype=torch.complex128)
    branches = qf.run_branches(found, start)
    registers = qf.register_bits(text, branches.bits)
    total = defaultdict(float)
    for place, probability in enumerate(instruments.branch_probabilities(branches).tolist()):
        total[tuple(torch.cat([bits[place] for bits in registers.values()]).tolist())] += (
            probability
        )
    return {key: value for key, value in total.items() if value > BOUND}


def assert_same(found, expected):
    assert abs(sum(expected.values()) - 1) <= BOUND
    for key in {*found, *expected}:
        assert abs(found.get(key, 0.0) - expected.get(key, 0.0)) <= 2 * BOUND, key


@pytest.mark.parametrize("name", READ)
def test_qiskit_finds_the_same_outcomes(name):
    assert_same(ours(TEXTS[name]), theirs(loaded(TEXTS[name])))


@pytest.mark.parametrize("name", READ)
def test_aer_draws_the_same_outcomes(name):
    aer = pytest.importorskip("qiskit_aer")
    circuit = loaded(TEXTS[name])
    simulator = aer.AerSimulator(method="statevector")
    known = qiskit.transpile(circuit, simulator, optimization_level=0)
    run = simulator.run(known, shots=SHOTS, seed_simulator=7).result()
    counts = defaultdict(float)
    for number, count in run.data()["counts"].items():
        key = tuple(int(number, 16) >> place & 1 for place in range(circuit.num_clbits))
        counts[key] += count / SHOTS
    expected = ours(TEXTS[name])
    for key in {*counts, *expected}:
        p = expected.get(key, 0.0)
        assert abs(counts.get(key, 0.0) - p) <= 5 * np.sqrt(p * (1 - p) / SHOTS) + 1 / SHOTS, key


@pytest.mark.parametrize("version", [2, 3])
@settings(max_examples=max(1, settings().max_examples // 2))
@given(drawn=qst.dynamic_circuits(max_ops=8))
def test_qiskit_reads_what_we_write(version, drawn):
    ops = [op for op in drawn.ops if sayable(op, version)]
    measured = qf.measure(range(drawn.n_qubits), "end")
    circuit = qf.circuit(drawn.n_qubits, qf.ry(0.7, range(drawn.n_qubits)), ops, measured)
    text = qf.to_qasm(circuit, version)
    assert_same(ours(text), theirs(loaded(text)))


def sayable(op, version):
    """Whether a version has words for an op, that Qiskit knows."""
    is_instrument = isinstance(op.gate, instruments.Instrument)
    gate = getattr(op.gate, "base", None) or op.gate
    if is_instrument and gate is op.gate:
        return True
    return gate in qf.GATES and not (version == 2 and is_instrument and len(op.gate.reads) > 1)


def is_read(text):
    try:
        loaded(text)
    except Exception:
        return False
    return True


@pytest.mark.parametrize("name", sorted(NOT_READ))
def test_what_qiskit_does_not_read_is_still_not_read(name):
    """When it is, the programs move to the tests above."""
    assert not is_read(TEXTS[name])
