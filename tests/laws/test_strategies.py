"""The strategies themselves: what they draw, what they shrink to, what they refuse."""

import math

import pytest
import torch
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from oracles.compare import assert_close

import quilt_func as qf
from quilt_func.testing import fd_tolerance, tolerance
from quilt_func.testing import strategies as qst

F32, F64 = torch.float32, torch.float64
QUIETLY = settings(database=None, derandomize=True, max_examples=400, phases=[Phase.generate])
PATIENTLY = settings(QUIETLY, phases=[Phase.generate, Phase.shrink], max_examples=2000)


@given(data=st.data(), dtype=st.sampled_from([F32, F64]))
def test_angles_have_shape_dtype_and_range(data, dtype):
    shape = data.draw(st.lists(st.integers(0, 3), max_size=2).map(tuple))
    theta = data.draw(qst.angles(shape, min_value=-1, max_value=2, dtype=dtype))
    assert (theta.shape, theta.dtype) == (shape, dtype)
    assert bool(((theta >= -1) & (theta <= 2)).all())


@given(data=st.data(), n=st.integers(1, 6))
def test_wires_are_distinct(data, n):
    size = data.draw(st.integers(0, n))
    wires = data.draw(qst.wires(n, size=size))
    assert len(set(wires)) == len(wires) == size
    assert set(wires) <= set(range(n))


@given(data=st.data(), n=st.integers(0, 5))
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
def test_states_are_normalised(data, n, dtype):
    state = data.draw(qst.states(n, dtype=dtype))
    assert (state.dtype, tuple(state.shape)) == (dtype, (2**n,))
    assert_close(state.abs().square().sum(), 1.0, n_gates=2**n)


@given(data=st.data(), n=st.integers(1, 3))
def test_unitaries_are_unitary(data, n):
    matrix = data.draw(qst.unitaries(n))
    assert_close(matrix.mH @ matrix, torch.eye(2**n, dtype=matrix.dtype), n_gates=16**n)


@given(row=qst.gates(max_wires=2, derived=True))
def test_gates_are_narrow_enough(row):
    assert row.n_wires <= 2


@given(op=qst.ops(3, derived=False, rows=[qf.rx, qf.h]))
def test_ops_come_of_the_rows_given(op):
    assert op.gate in (qf.rx, qf.h)
    assert op.structure.last_wire < 3


@given(circuit=qst.circuits(min_qubits=2, max_qubits=4, max_ops=3, dtype=F32))
def test_circuits_stay_in_bounds(circuit):
    assert 2 <= circuit.n_qubits <= 4
    assert len(circuit) <= 3
    assert circuit(dtype=torch.complex64).dtype == torch.complex64


@given(words=qst.pauli_sums(3, max_terms=4, letters="IZ"), weak=qst.pauli_sums(2, dtype=None))
def test_pauli_sums(words, weak):
    assert len(words) <= 4
    assert set("".join(words.words)) <= set("IZ")
    assert words.coefficients.dtype == F64
    assert weak.leaves == []


SHRUNK = {
    "angles": (qst.angles(), lambda theta: True, lambda theta: float(theta) == 0.0),
    "several angles": (qst.angles(3), lambda t: True, lambda t: not t.any()),
    "wires": (qst.wires(5, size=3), lambda ws: True, lambda ws: ws == (0, 1, 2)),
    "states": (qst.states(3), lambda s: True, lambda s: torch.equal(s, qf.zero_state(3).to(s))),
    "gates": (qst.gates(), lambda row: True, lambda row: row is qf.id),
    "two-wire gates": (qst.gates(), lambda row: row.n_wires == 2, lambda row: row is qf.cx),
    "ops": (qst.ops(3), lambda op: len(op) == 1, lambda op: op.wires == ((0,),)),
    "circuits": (qst.circuits(), lambda c: True, lambda c: (c.n_qubits, len(c)) == (1, 0)),
    "circuits of two ops": (qst.circuits(), lambda c: len(c) > 1, lambda c: c.n_qubits == 1),
    "words": (qst.pauli_words(4), lambda word: True, lambda word: word == "IIII"),
    "sums": (qst.pauli_sums(2), lambda o: True, lambda o: o.words == ("II",)),
    "uniforms": (
        qst.uniforms(2),
        lambda u: True,
        lambda u: torch.equal(u, qf.uniforms(2, 0, dtype=F64)),
    ),
}


@pytest.mark.parametrize(("strategy", "condition", "is_simplest"), SHRUNK.values(), ids=SHRUNK)
def test_shrinking(strategy, condition, is_simplest):
    simplest = find(strategy, condition, settings=PATIENTLY)
    assert is_simplest(simplest), simplest


REACHED = {
    "no wire sets": lambda c: any(not len(op) for op in c.ops),
    "many wire sets": lambda c: any(len(op) > 2 for op in c.ops),
    "weak angles": lambda c: any(type(p) is float for op in c.ops for p in op.params),
    "matrices": lambda c: any(op.gate.name == "unitary" for op in c.ops),
    "words": lambda c: any(op.gate.name.startswith("pauli_rot") for op in c.ops),
    "inverses": lambda c: any("†" in op.gate.name for op in c.ops),
    "powers": lambda c: any("^" in op.gate.name for op in c.ops),
    "three wires": lambda c: any(op.gate.n_wires == 3 for op in c.ops),
    "overlapping sets": lambda c: any(
        len({w for ws in op.wires for w in ws}) < len(op) * op.gate.n_wires for op in c.ops
    ),
    "widest": lambda c: c.n_qubits == 5,
    "long": lambda c: len(c) > 8,
}


@pytest.mark.parametrize("condition", REACHED.values(), ids=REACHED)
def test_circuits_reach(condition):
    find(qst.circuits(), condition, settings=QUIETLY)


REFUSED = {
    "angles": lambda: qst.angles(min_value=1, max_value=0),
    "wires": lambda: qst.wires(2, size=3),
    "gates": lambda: qst.gates(max_wires=0),
    "letters": lambda: qst.pauli_words(2, letters="AB"),
    "no letters": lambda: qst.pauli_words(2, letters=""),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_bad_arguments(call):
    with pytest.raises(InvalidArgument):
        find(call(), lambda _: True, settings=QUIETLY)


def test_tolerances_scale_as_a_random_walk():
    for dtype in (F32, F64, torch.complex64, torch.complex128):
        eps = torch.finfo(dtype).eps
        assert math.isclose(tolerance(dtype, 400), 2 * tolerance(dtype, 100))
        assert math.isclose(tolerance(dtype, 100, 3.0), 3 * tolerance(dtype, 100))
        assert tolerance(dtype, 0) == tolerance(dtype, 1) > eps
        assert fd_tolerance(dtype) > tolerance(dtype, 1)
