"""The strategies themselves: what they draw, what they shrink to, what they refuse."""

import inspect
import math
import re

import pytest
import torch
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from oracles.compare import assert_close

import quilt_func as qf
from quilt_func import noise
from quilt_func._torch.trees import tree_flatten
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


@given(data=st.data(), n=st.integers(0, 5))
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
def test_product_states_have_pure_parts(data, n, dtype):
    state = data.draw(qst.product_states(n, dtype=dtype))
    assert (state.dtype, tuple(state.shape)) == (dtype, (2**n,))
    for wire in range(n):
        purity = qf.purity(qf.reduced_density(state, [wire]))
        assert_close(purity, 1.0, n_gates=16 * 2**n)


@given(data=st.data(), n=st.integers(0, 3))
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
def test_hermitians_are_their_adjoints(data, n, dtype):
    matrix = data.draw(qst.hermitians(n, dtype=dtype))
    assert (matrix.dtype, tuple(matrix.shape)) == (dtype, (2**n, 2**n))
    assert torch.equal(matrix, matrix.mH.resolve_conj())
    assert float(torch.view_as_real(matrix).abs().max()) <= 1


TREE = {"a": torch.zeros(2, 3), "b": [torch.zeros((), dtype=F64), torch.zeros(0)]}


@given(tree=qst.params_like(TREE, min_value=-1, max_value=2))
def test_params_are_like_the_tree(tree):
    got, expected = tree_flatten(tree), tree_flatten(TREE)
    assert got[1] == expected[1]
    for leaf, model in zip(got[0], expected[0], strict=True):
        assert (leaf.dtype, leaf.shape) == (model.dtype, model.shape)
        assert bool(((leaf >= -1) & (leaf <= 2)).all())


@given(data=qst.datasets(n_features=3, n_classes=3, max_samples=7, dtype=F32))
def test_datasets_hold_every_class(data):
    xs, ys = data
    assert 3 <= len(xs) == len(ys) <= 7
    assert (xs.shape[1:], xs.dtype, ys.dtype) == ((3,), F32, torch.int64)
    assert set(ys.tolist()) == {0, 1, 2}
    assert float(xs.abs().max()) <= math.pi * (1 + tolerance(F32, 1))


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


@given(pair=qst.channels(max_wires=1, dtype=F32), weak=qst.channels(rows=[noise.pauli_channel]))
def test_channels_come_with_strengths_in_bounds(pair, weak):
    row, strengths = pair
    assert row.n_wires == 1
    assert [(x.dtype, x.shape) for x in strengths] == [(F32, ())] * row.n_params
    for x, (low, high) in zip(strengths, row.bounds, strict=True):
        assert low <= float(x) <= high * (1 + tolerance(F32, 1))
    row(*map(float, weak[1]), 0) if weak[0] is row else weak[0](*weak[1], 0)  # checks numbers


def channels_of(circuit):
    return [op for op in circuit.ops if isinstance(op.gate, noise.Channel)]


@given(data=st.data(), n=st.integers(1, 3), dtype=st.sampled_from([F32, F64]))
def test_noisy_circuits_are_of_channels(data, n, dtype):
    """Superoperators of all that is drawn keep the trace, and so does the density."""
    options = {"max_ops": 4, "max_sets": 2, "dtype": dtype}
    circuit = data.draw(qst.noisy_circuits(n, **options))
    assert circuit.n_qubits == n
    assert len(circuit.ops) <= 4
    assert all(len(op.wires) <= 2 for op in circuit.ops)
    assert {leaf.dtype.to_real() for leaf in circuit.leaves} <= {dtype}
    rho = qf.run_density(circuit, None if circuit.leaves else qf.run_density(qf.circuit(n)))
    trace = rho.diagonal().sum()
    assert_close(trace.real, 1.0, n_gates=64 * (1 + circuit.n_gates), scale=4.0)


@given(op=qst.channel_ops(3, rows=[noise.bit_flip, noise.two_qubit_depolarizing], derived=False))
def test_channel_ops_come_of_the_rows_given(op):
    assert op.gate in (noise.bit_flip, noise.two_qubit_depolarizing)
    assert op.structure.last_wire < 3


@given(data=st.data(), n=st.integers(1, 3))
def test_noise_models_fit_circuits(data, n):
    model = data.draw(qst.noise_models(n, max_rules=2))
    assert len(model.rules) <= 2
    circuit = data.draw(qst.circuits(min_qubits=n, max_qubits=n, max_ops=4))
    noisy = noise.with_noise(circuit, model)
    assert noisy.n_qubits == n
    assert noisy.n_gates >= circuit.n_gates


def leaves(tree):
    return tree_flatten(tree)[0]


def first_features():
    return 2 * math.pi * qf.uniforms((2, 2), 0, dtype=F64) - math.pi


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
    "product states": (
        qst.product_states(2),
        lambda s: True,
        lambda s: torch.equal(s, qf.zero_state(2).to(s)),
    ),
    "params": (qst.params_like(TREE), lambda t: True, lambda t: not any(map(torch.any, leaves(t)))),
    "datasets": (
        qst.datasets(),
        lambda d: True,
        lambda d: d[1].tolist() == [0, 1] and torch.equal(d[0], first_features()),
    ),
    "words": (qst.pauli_words(4), lambda word: True, lambda word: word == "IIII"),
    "sums": (qst.pauli_sums(2), lambda o: True, lambda o: o.words == ("II",)),
    "channels": (qst.channels(), lambda c: True, lambda c: c == (noise.bit_flip, (0.0,))),
    "channels that relax": (
        qst.channels(),
        lambda c: c[0] is noise.thermal_relaxation,
        lambda c: c[1][0] == 0.0,
    ),
    "channel ops": (
        qst.channel_ops(3),
        lambda op: len(op) == 1,
        lambda op: op.gate is noise.bit_flip and op.wires == ((0,),) and not op.params[0].any(),
    ),
    "noisy circuits": (qst.noisy_circuits(3), lambda c: True, lambda c: len(c) == 0),
    "noisy circuits with a channel": (
        qst.noisy_circuits(3),
        lambda c: any(len(op) for op in channels_of(c)),
        lambda c: (len(c), c.n_gates) == (1, 1),
    ),
    "noise models": (qst.noise_models(2), lambda m: True, lambda m: m.rules == ()),
    "noise models of two rules": (
        qst.noise_models(2),
        lambda m: len(m.rules) > 1,
        lambda m: all(
            (r.channel, r.gates, r.wires) == (noise.bit_flip, None, None) for r in m.rules
        ),
    ),
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


NOISY_REACHED = {
    "no wire sets": lambda ops: any(not len(op) for op in ops),
    "many wire sets": lambda ops: any(len(op) > 2 for op in ops),
    "numbers": lambda ops: any(type(p) is float and p > 0 for op in ops for p in op.params),
    "strengths of their own": lambda ops: any(
        len(set(p.tolist())) > 1
        for op in ops
        for p in op.params
        if isinstance(p, torch.Tensor) and p.ndim == 1
    ),
    "words": lambda ops: any(op.gate.name.startswith("pauli_errors") for op in ops),
    "operators": lambda ops: any(op.gate.name == "kraus" for op in ops),
    "two wires": lambda ops: any(op.gate.n_wires == 2 for op in ops),
    "a strength of 1": lambda ops: any(
        type(p) is float and p == 1 for op in ops for p in op.params
    ),
    **{row.name: lambda ops, row=row: any(op.gate is row for op in ops) for row in noise.CHANNELS},
}


@pytest.mark.parametrize("condition", NOISY_REACHED.values(), ids=NOISY_REACHED)
def test_noisy_circuits_reach(condition):
    find(qst.noisy_circuits(3), lambda c: condition(channels_of(c)), settings=QUIETLY)


RULES_REACHED = {
    "before": lambda r: r.when == "before",
    "idle": lambda r: r.when == "idle",
    "gates": lambda r: r.gates is not None,
    "wires": lambda r: r.wires is not None,
    "pairs of wires": lambda r: r.wires is not None and len(next(iter(r.wires))) == 2,
    "strengths of wires": lambda r: any(getattr(x, "ndim", 0) == 1 for x in r.strengths),
    "numbers": lambda r: type(r.strengths[0]) is float,
}


@pytest.mark.parametrize("condition", RULES_REACHED.values(), ids=RULES_REACHED)
def test_noise_models_reach(condition):
    find(qst.noise_models(3), lambda m: any(map(condition, m.rules)), settings=QUIETLY)


REFUSED = {
    "channels: rows": (lambda: qst.channels(rows=["bit_flip"]), "rows must be a list of channels"),
    "channels: matrices": (
        lambda: qst.channels(rows=[noise.kraus_channel(2, 1)]),
        "rows must be a list of channels of strengths",
    ),
    "channels: max_wires": (
        lambda: qst.channels(max_wires=0),
        "rows must hold a channel of at most 0 wire(s)",
    ),
    "channels: dtype": (lambda: qst.channels(dtype=torch.complex64), "dtype must be real"),
    "channel_ops: n_qubits": (
        lambda: qst.channel_ops(0),
        "n_qubits must be an int of at least 1",
    ),
    "channel_ops: max_sets": (
        lambda: qst.channel_ops(1, max_sets=0),
        "max_sets must be an int of at least 1",
    ),
    "noisy_circuits: n_qubits": (
        lambda: qst.noisy_circuits(0),
        "n_qubits must be an int of at least 1",
    ),
    "noisy_circuits: rows": (
        lambda: qst.noisy_circuits(1, rows=[qf.cx]),
        "rows must hold a gate of at most 1 wire(s)",
    ),
    "noise_models: max_rules": (
        lambda: qst.noise_models(1, max_rules=-1),
        "max_rules must be an int of at least 0",
    ),
    "noise_models: dtype": (lambda: qst.noise_models(1, dtype=None), "dtype must be real"),
    "uniforms: shape": (lambda: qst.uniforms((2, -1)), "shape must be a shape"),
    "uniforms: letters": (lambda: qst.uniforms("ab"), "shape must be a shape"),
    "uniforms: dtype": (lambda: qst.uniforms(dtype=torch.int64), "dtype must be real"),
    "angles: bounds": (
        lambda: qst.angles(min_value=1, max_value=0),
        "max_value must be at least 1",
    ),
    "angles: dtype": (lambda: qst.angles(dtype=torch.complex64), "dtype must be real"),
    "wires: size": (lambda: qst.wires(2, size=3), "size must be at most 2"),
    "wires: n_qubits": (lambda: qst.wires(-1), "n_qubits must be an int of at least 0"),
    "wires: kind": (lambda: qst.wires(True), "n_qubits must be an int of at least 0"),
    "states: n_qubits": (lambda: qst.states(2.0), "n_qubits must be an int of at least 0"),
    "states: dtype": (lambda: qst.states(1, dtype=F32), "dtype must be complex"),
    "product_states: dtype": (lambda: qst.product_states(1, dtype=F32), "dtype must be complex"),
    "unitaries: n_wires": (lambda: qst.unitaries("a"), "n_wires must be an int of at least 0"),
    "hermitians: dtype": (lambda: qst.hermitians(1, dtype=F64), "dtype must be complex"),
    "gates: width": (lambda: qst.gates(max_wires=0), "rows must hold a gate of at most 0 wire(s)"),
    "gates: rows": (lambda: qst.gates(rows=[]), "rows must hold a gate of at most 3 wire(s)"),
    "gates: kind": (lambda: qst.gates(rows=["h"]), "rows must be a list of gates"),
    "ops: n_qubits": (lambda: qst.ops(0), "n_qubits must be an int of at least 1"),
    "ops: max_sets": (lambda: qst.ops(1, max_sets=0), "max_sets must be an int of at least 1"),
    "ops: rows": (lambda: qst.ops(1, rows=[qf.cx]), "rows must hold a gate of at most 1 wire(s)"),
    "circuits: bounds": (
        lambda: qst.circuits(min_qubits=3, max_qubits=2),
        "max_qubits must be at least 3",
    ),
    "circuits: max_ops": (lambda: qst.circuits(max_ops=-1), "max_ops must be an int of at least 0"),
    "circuits: dtype": (lambda: qst.circuits(dtype=None), "dtype must be real"),
    "dynamic_circuits: max_bits": (
        lambda: qst.dynamic_circuits(max_bits=-1),
        "max_bits must be an int of at least 0",
    ),
    "pauli_words: letters": (
        lambda: qst.pauli_words(2, letters="AB"),
        "letters must be Pauli letters",
    ),
    "pauli_words: no letters": (
        lambda: qst.pauli_words(2, letters=""),
        "letters must be Pauli letters",
    ),
    "pauli_sums: max_terms": (
        lambda: qst.pauli_sums(2, max_terms=0),
        "max_terms must be an int of at least 1",
    ),
    "params_like: numbers": (
        lambda: qst.params_like({"a": 1.0}),
        "tree must hold float32 or float64 tensors",
    ),
    "params_like: none": (lambda: qst.params_like({}), "tree must hold float32 or float64 tensors"),
    "datasets: samples": (
        lambda: qst.datasets(n_classes=3, max_samples=2),
        "max_samples must be at least 3",
    ),
    "datasets: features": (
        lambda: qst.datasets(n_features=0),
        "n_features must be an int of at least 1",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_arguments_are_refused_when_an_example_is_drawn(case):
    call, complaint = REFUSED[case]
    strategy = call()
    with pytest.raises(InvalidArgument) as caught:
        find(strategy, lambda _: True, settings=QUIETLY)
    argument, need = complaint.split(" must ")
    call = rf"{case.split(':')[0]}\({argument}=.*\)"
    form = rf"{call}: `{argument}` must {re.escape(need)}.*, but got .*\."
    assert re.match(form, str(caught.value)), caught.value


def test_every_strategy_is_refused_something():
    public = {name for name, f in vars(qst).items() if callable(f) and is_public(name, f)}
    assert {case.split(":")[0] for case in REFUSED} == public


def is_public(name, function):
    return name in qst.__all__ and function.__module__.startswith(qst.__name__)


def test_options_are_keywords():
    """All but what an object cannot do without."""
    for name, function in vars(qst).items():
        if not callable(function) or not is_public(name, function):
            continue
        for parameter in inspect.signature(function).parameters.values():
            required = parameter.default is parameter.empty or parameter.name == "shape"
            assert required or parameter.kind is parameter.KEYWORD_ONLY, (name, parameter)


def test_tolerances_scale_as_a_random_walk():
    for dtype in (F32, F64, torch.complex64, torch.complex128):
        eps = torch.finfo(dtype).eps
        assert math.isclose(tolerance(dtype, 400), 2 * tolerance(dtype, 100))
        assert math.isclose(tolerance(dtype, 100, 3.0), 3 * tolerance(dtype, 100))
        assert tolerance(dtype, 0) == tolerance(dtype, 1) > eps
        assert fd_tolerance(dtype) > tolerance(dtype, 1)
