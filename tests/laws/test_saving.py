"""Saving: what is read equals what was written, bit for bit; damage is refused with a word."""

import json
import math
import re
import struct

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from systems import beam_splitter, damp
from torch.func import vmap

import quilt_func as qf
from quilt_func import noise
from quilt_func.instruments import lookup, parity
from quilt_func.saving import reading, tensors
from quilt_func.testing import strategies as qst

OWN = [beam_splitter, damp]
FORM = re.compile(
    r"from_json\(text=.*\): `text` must be a whole file of `to_json`, but got .+\. .+[.`]",
    re.DOTALL,
)


def bits(tensor):
    """All bits of a tensor; every NaN counts as one."""
    real = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    if not real.is_floating_point():
        return real.tolist()
    return [struct.pack("d", n) if n == n else "nan" for n in real.double().flatten().tolist()]


def assert_equal(a, b):
    assert type(a) is type(b)
    if isinstance(a, torch.Tensor):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert bits(a) == bits(b)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_equal(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_equal(x, y)
    elif isinstance(a, qf.Circuit):
        assert a.structure == b.structure
        assert_equal([op.params for op in a.ops], [op.params for op in b.ops])
    elif isinstance(a, qf.PauliSum):
        assert_equal((a.words, a.coefficients), (b.words, b.coefficients))
    elif isinstance(a, float):
        assert struct.pack("d", a) == struct.pack("d", b) or (math.isnan(a) and math.isnan(b))
    else:
        assert a == b


def round_trip(value, gates=()):
    again = qf.from_json(qf.to_json(value, gates=gates), gates=gates)
    assert_equal(again, value)


REAL = [torch.float32, torch.float64]
each_real = pytest.mark.parametrize("real", REAL, ids=str)


@each_real
@given(data=st.data())
def test_circuits(real, data):
    round_trip(data.draw(qst.circuits(dtype=real, min_qubits=0)))


@given(circuit=qst.circuits(min_qubits=2, rows=[beam_splitter, *qf.GATES[:3]]))
def test_circuits_of_own_gates(circuit):
    round_trip(circuit, OWN)


@each_real
@given(data=st.data())
def test_pauli_sums(real, data):
    round_trip(data.draw(qst.pauli_sums(3, dtype=real)))
    round_trip(data.draw(qst.pauli_sums(2, dtype=None)))


def test_made_gates():
    matrix = torch.tensor([[1, 0], [0, 0]], dtype=torch.complex64)
    ops = [
        qf.controlled(qf.ry, 3)(0.1, 0, 1, 2, 3), qf.inverse(qf.power(qf.t, 0.3))(1),
        qf.controlled(qf.pauli_rot(0.1, "XY", 0, 1).gate)(0.2, 1, 2, 3), qf.linear(matrix, [0, 1]),
        qf.power(qf.controlled(qf.inverse(qf.u)), 2)(0.1, 0.2, 0.3, 0, 1), qf.h([]),
        qf.pauli_rot(0.4, "XYZXYZ", 0, 1, 2, 3, 4, 5), qf.pauli_rot(0.5, "II", 0, 1),
        qf.controlled(beam_splitter)(0.2, 2, 3, 4),
    ]  # fmt: skip
    round_trip(qf.circuit(6, ops), OWN)


def noisy(circuit):
    """The circuit, and errors and a reset under a condition on what it measured last."""
    keys = [op.gate.writes for op in circuit.ops if op.gate.writes]
    acts = [noise.bit_flip(0.1, [0, 0]), noise.thermal_relaxation(1.0, 3.0, 2.0, 0.1, 0)]
    ops = [qf.conditional(keys[-1:], op, 1) for op in (*acts, qf.reset(0))] if keys else acts
    return qf.circuit(circuit.n_qubits, circuit, ops)


@each_real
@given(data=st.data(), postselects=st.booleans())
def test_circuits_with_instruments(real, data, postselects):
    circuit = data.draw(qst.dynamic_circuits(dtype=real, postselects=postselects))
    round_trip(circuit)
    round_trip(noisy(circuit))


def test_functions_are_saved_as_their_tables():
    def most(bits):
        return bits.sum(-1) > 1

    def circuit(condition, **table):
        inner = qf.conditional(["k", "m"], qf.ry(0.3, [0, 1]), condition, **table)
        return qf.circuit(
            2, qf.h([0, 1]), qf.measure(0, "m"), qf.measure([1, 0], "k"), qf.measure(1, "m"),
            qf.conditional("m", inner, 1), beam_splitter(0.2, 0, 1),
            qf.conditional("k", beam_splitter(0.1, 0, 1), (0, 1)),
        )  # fmt: skip

    again = qf.from_json(qf.to_json(circuit(most), gates=OWN), gates=OWN)
    assert_equal(again, circuit(None, table=[0, 0, 0, 1, 0, 1, 1, 1]))
    found, expected = (qf.run_branches(c).states for c in (again, circuit(most)))
    assert_equal(found, expected)


def test_what_instruments_look_like():
    ops = [qf.measure([1, 0], "m"), qf.conditional("m", qf.reset(0), 2), qf.postselect(0, 1)]
    assert [json.loads(qf.to_json(qf.circuit(2, op)))["value"]["ops"][0] for op in ops] == [
        {"gate": {"measure": "m"}, "wires": [[1, 0]]},
        {"gate": {"conditional": {"reset": 1}, "keys": ["m"], "value": 2}, "wires": [[0]]},
        {"gate": {"postselect": [1]}, "wires": [[0]]},
    ]


FLOATS = st.floats() | st.floats(width=32)
LEAVES = st.none() | st.booleans() | st.integers() | FLOATS | st.text(st.characters(codec="utf-8"))
TENSORS = st.one_of(
    st.lists(FLOATS, max_size=5).map(lambda x: torch.tensor(x, dtype=torch.float64)),
    st.lists(st.floats(width=32), max_size=5).map(lambda x: torch.tensor(x, dtype=torch.float32)),
    st.lists(st.floats(width=16), max_size=5).map(lambda x: torch.tensor(x, dtype=torch.float16)),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3).map(lambda x: torch.tensor(x).long()),
    st.lists(st.booleans(), max_size=3).map(lambda x: torch.tensor(x, dtype=torch.bool)),
    st.lists(st.complex_numbers(), max_size=3).map(lambda x: torch.tensor(x).cdouble()),
    st.lists(st.complex_numbers(width=64), max_size=3).map(lambda x: torch.tensor(x).cfloat()),
    st.sampled_from([torch.zeros(0, 3), torch.tensor(0.1), torch.eye(3)[::2].T]),
)
TREES = st.recursive(
    LEAVES | TENSORS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text("$ab", max_size=3) | st.integers() | st.none(), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=100)
@given(tree=TREES)
@example(tree={"$tensor": "float32"})
@example(tree={1: (), "$": [None]})
def test_trees(tree):
    round_trip(tree)


@given(text=TREES.map(qf.to_json))
def test_texts_are_plain_json(text):
    """Other tools read them: no NaN, no Infinity."""
    entry = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert (entry["format"], entry["version"]) == ("quilt_func", 1)


def test_what_a_file_looks_like():
    circuit = qf.circuit(2, qf.ry(torch.tensor([0.1, 0.2]), range(2)), qf.cp(0.5, 0, 1))
    assert (
        qf.to_json({"circuit": circuit, "energy": -1.5})
        == """{
 "format": "quilt_func",
 "version": 1,
 "value": {
  "circuit": {
   "$circuit": 2,
   "ops": [
    {
     "gate": "ry",
     "wires": [[0], [1]],
     "params": [{"$tensor": "float32", "shape": [2], "data": [0.1, 0.2]}]
    },
    {"gate": "cp", "wires": [[0, 1]], "params": [0.5]}
   ]
  },
  "energy": -1.5
 }
}"""
    )


def test_a_trained_model_comes_back():
    params = {"theta": torch.randn(3, 4, generator=torch.Generator().manual_seed(0))}
    params["theta"].requires_grad_()
    again = qf.from_json(qf.to_json(params))
    assert torch.equal(again["theta"], params["theta"].detach())
    assert not again["theta"].requires_grad


# --- damage ---


def file(value):
    return json.dumps({"format": "quilt_func", "version": 1, "value": value})


def op(**changes):
    whole = {"gate": "rx", "wires": [[0]], "params": [0.1], **changes}
    return {"$circuit": 1, "ops": [{k: v for k, v in whole.items() if v is not None}]}


def tensor(**changes):
    return {"$tensor": "float32", "shape": [2], "data": [1, 2], **changes}


DAMAGED = {
    "": "no JSON at line 1, column 1",
    "{": "no JSON",
    "NaN": "the constant NaN",
    "[" * 100_000: "nested too deeply",
    "3": "another format",
    '{"format": "else", "version": 1, "value": 1}': "another format",
    '{"format": "quilt_func", "version": 2, "value": 1}': "version 2, newer than 1",
    '{"format": "quilt_func", "version": true, "value": 1}': "version True",
    '{"format": "quilt_func", "version": 1}': "the keys",
    file({"$code": "print(1)"}): "the unknown kind '$code'",
    '{"format": "quilt_func", "version": 1, "value": 1e999}': "too large",
    file({"$float": "one"}): "the float 'one'",
    file({"$tuple": 3}): "$tuple 3",
    file({"$dict": [[1]]}): "a $dict without pairs",
    file({"$dict": [[[], 1]]}): "a key that is none",
    file(tensor(shape=[3])): "2 numbers for shape [3]",
    file(tensor(shape=[-2])): "a tensor of dtype 'float32' and shape [-2]",
    file({"$tensor": "quint8", "shape": [0], "data": []}): "a tensor of dtype 'quint8'",
    file(tensor(data=[1, "2"])): "'2' in a tensor of torch.float32",
    file(tensor(data=[1, True])): "True in a tensor of torch.float32",
    file({"$tensor": "int64", "shape": [1], "data": [2**70]}): "a tensor that can't be made",
    file({"$tensor": "int64", "shape": [1], "data": [0.5]}): "0.5 in a tensor of torch.int64",
    file(tensor(more=1)): "where $tensor and shape and data should be",
    file({"$circuit": -1, "ops": []}): "`n_qubits` must be at least 0",
    file({"$circuit": True, "ops": []}): "$circuit True",
    file(op(gate="os.system")): "the unknown gate 'os.system'",
    file(op(gate={"eval": "1"})): "the gate {'eval': '1'}",
    file(op(wires=[[1]])): "fit 1 qubit, but got wire 1. Give more qubits or other wires. Save",
    file(op(wires=[[-1]])): "zero or more",
    file(op(wires=[[0, 1]])): "`wires` must",
    file(op(wires=[0])): "the op",
    file(op(params=None)): "the op",
    file(op(params=["a"])): "a str",
    file(op(params=[{"$tuple": []}])): "a tuple",
    file(op(params=[tensor()])): "shape (2,) for 1 wire set(s)",
    file(op(gate={"power": "rx", "exponent": 10**400})): "the exponent 1000",
    file(op(gate={"power": "x", "exponent": 0})).replace(": 0}", ": -1e999}"): "the exponent -inf",
    file(op(gate={"inverse": {"linear": 1}})): "unitary",
    file(op(gate={"unitary": 99})): "the gate {'unitary': 99}",
    file(op(gate={"pauli_rot": "XQ"})): "Pauli word",
    file(op(gate={"pauli_rot": "XI"})): "the word 'XI'",
    file(op(gate={"measure": ""}, params=[])): "have a letter",
    file(op(gate={"measure": 3}, params=[])): "`key` must be a string",
    file(op(gate={"measure": "m"}, wires=[], params=[])): "the gate {'measure': 'm'}",
    file(op(gate={"measure": "m"}, wires=[[0, 0]], params=[])): "distinct",
    file(op(gate={"measure": "m"})): "parameters of {'measure': 'm'}",
    file(op(gate={"measure": "m", "more": 1}, params=[])): "the gate {'measure'",
    file(op(gate={"reset": 2}, params=[])): "the gate {'reset': 2}",
    file(op(gate={"postselect": [2]}, params=[])): "0 or 1",
    file(op(gate={"postselect": [0, 1]}, params=[])): "`wires` must",
    file(op(gate={"controlled": {"measure": "m"}}, params=[])): "the gate {'measure': 'm'}",
    file(op(gate={"conditional": "rx", "keys": ["m"]})): "the gate {'conditional'",
    file(op(gate={"conditional": "rx", "keys": [], "value": 1})): "name an outcome",
    file(op(gate={"conditional": "rx", "keys": ["m"], "value": True})): "value True",
    file(op(gate={"conditional": "rx", "keys": ["m"], "table": [0, 1, 1]})): "2**m entries",
    file(op(gate={"conditional": "rx", "keys": ["m"], "function": "eval"})): "function 'eval'",
    file(op(gate={"conditional": {"measure": "k"}, "keys": ["m"], "value": 1}, params=[])): "Copy",
    file(op(gate={"lookup": "rx", "keys": ["m"]})): "`table` must be a tensor",
    file(op(gate={"lookup": "h", "keys": ["m"]}, params=[])): "with an angle",
    file(op(gate={"lookup": "bit_flip", "keys": ["m"]})): "a gate's",
    file({"$pauli_sum": ["X", "ZZ"], "coefficients": {"$tuple": [1, 2]}}): "one length",
    file({"$pauli_sum": ["X"], "coefficients": {"$tuple": ["a"]}}): "the coefficient 'a'",
    file({"$pauli_sum": ["X"], "coefficients": {"$tuple": [1, 2]}}): "a Pauli sum that can't",
    file({"$pauli_sum": [3], "coefficients": {"$tuple": [1]}}): "a Pauli sum that can't",
    '{"format": "quilt_func", "version": 1, "value": ' + "9" * 5000 + "}": "no JSON",
}


@pytest.mark.parametrize("text", DAMAGED, ids=lambda text: text[-50:])
def test_damage_is_refused_with_a_word(text):
    with pytest.raises(ValueError, match="from_json") as caught:
        qf.from_json(text)
    assert FORM.fullmatch(str(caught.value)), str(caught.value)
    assert DAMAGED[text] in str(caught.value)


def controls(levels):
    gate = "x"
    for _ in range(levels):
        gate = {"controlled": gate}
    return file({"$circuit": 99, "ops": [{"gate": gate, "wires": [[*range(levels + 1)]]}]})


def test_gates_too_wide_to_make_are_refused():
    assert qf.from_json(controls(9)).ops[0].gate is qf.controlled(qf.x, 9)
    for levels in (10, 400):
        with pytest.raises(ValueError, match="a gate of more than 10 wires"):
            qf.from_json(controls(levels))


def test_newer_files_tell_what_to_do():
    with pytest.raises(ValueError, match=r"newer than 1\. Install a newer quilt_func\."):
        qf.from_json('{"format": "quilt_func", "version": 2, "value": {"$new": 1}}')


def test_own_gates_are_refused_by_name():
    text = qf.to_json(qf.circuit(2, beam_splitter(0.1, 0, 1)), gates=[beam_splitter])
    with pytest.raises(ValueError, match="the unknown gate 'beam_splitter'"):
        qf.from_json(text)
    with pytest.raises(ValueError, match=r"`to_json\(value, gates=\[beam_splitter\]\)`"):
        qf.to_json(qf.circuit(2, beam_splitter(0.1, 0, 1)))


def test_values_behind_a_transform_are_refused():
    with pytest.raises(TypeError, match=r"outside of `torch\.func` transforms"):
        vmap(lambda x: qf.to_json({"x": x}) and x)(torch.zeros(2))


def texts():
    return [
        qf.to_json(qf.circuit(3, qf.rx(torch.tensor([0.1, 0.2]), [0, 1]), qf.ccx(0, 1, 2),
                              qf.power(qf.controlled(qf.h), 0.5)(0, 1), qf.u(0.1, 0.2, 0.3, 2),
                              qf.unitary(torch.eye(2, dtype=torch.complex64), 1))),
        qf.to_json(qf.circuit(2, qf.measure(0, "m"), qf.conditional("m", qf.reset(1), table=[0, 1]),
                              qf.conditional("m", qf.conditional("m", qf.h(0), parity), 1),
                              lookup("m", qf.rx, torch.zeros(2), 0), qf.postselect(0, 1))),
        qf.to_json({"a": (1.5, math.inf), "b": [qf.pauli_sum({"XY": 1.0, "ZI": -0.5})], 3: None}),
    ]  # fmt: skip


PIECES = [*'{}[]",:', "null", "true", "-1", "0.5", "1e999", '"$tensor"', '"$circuit"', '"inf"',
          "9" * 20, '"wires"', '"controlled"', '"complex64"', "[[0]]", '"measure"',
          '"conditional"', '"keys"',
          '{"$tuple": []}']  # fmt: skip
NUMBERS = st.integers(0, 9999)


def mutate(start, edits):
    tokens = re.findall(r'"[^"]*"|[^"\s]|\s+', texts()[start])
    for kind, where, what in edits:
        at = where % (len(tokens) + 1)
        tokens[at : at + (kind != 1)] = [PIECES[what % len(PIECES)]] if kind else []
    return "".join(tokens)


def read_or_refused(text):
    told = None
    try:
        qf.from_json(text)
    except ValueError as error:
        told = str(error)
    assert told is None or FORM.fullmatch(told), told


@settings(max_examples=200)
@given(
    start=st.integers(0, 2),
    edits=st.lists(st.tuples(st.integers(0, 2), NUMBERS, NUMBERS), min_size=1, max_size=3),
)
def test_any_damage(start, edits):
    read_or_refused(mutate(start, edits))


JSON = st.recursive(
    LEAVES | st.sampled_from(["rx", "cx", "unitary", "float32", "inf"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["$tensor", "shape", "data", "$circuit", "ops", "gate", "wires", "params", "$tuple",
                 "measure", "reset", "postselect", "conditional", "lookup", "keys", "value",
                 "table", "$dict", "$float", "$pauli_sum", "coefficients", "power", "exponent",
                 "inverse"]
            ), inner, max_size=3)
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=200)
@given(value=JSON)
def test_any_json(value):
    read_or_refused(file(value).replace("NaN", "0").replace("Infinity", "1"))


@given(text=st.text(max_size=50))
def test_any_text(text):
    read_or_refused(text)


# --- mutants ---


def six_digits(number, dtype):
    del dtype
    return float(f"{number:.6g}") if type(number) is float else number


def lists_for_tuples(self, entry):
    return [self.read(item) for item in entry["$tuple"]]


@pytest.mark.parametrize(
    ("place", "name", "wrong", "value"),
    [
        (tensors, "_number_out", six_digits, torch.tensor([1 / 3])),
        (reading.Reader, "read_tuple", lists_for_tuples, (1, 2)),
    ],
)
def test_mutants_die(place, name, wrong, value, monkeypatch):
    round_trip(value)
    monkeypatch.setattr(place, name, wrong)
    with pytest.raises(AssertionError):
        round_trip(value)
