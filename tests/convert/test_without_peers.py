"""What can be said of conversions where no other library is installed.

Objects that others make are given by their shape: the attributes that are read.
"""

import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from oracles.compare import assert_close, assert_close_fd, central_difference
from oracles.conversions import (
    PARTS,
    WORDS,
    check_channel,
    check_controlled,
    check_raised,
    unitary_of,
)
from torch.func import grad, hessian, jvp, vmap

import quilt_func as qf
from quilt_func import convert
from quilt_func._affine_angles import Affine, inputs_of, symbolic
from quilt_func._placed_gates import PHASE, Placed
from quilt_func.convert.formulas import Formula, added, multiplied, raised, value_of
from quilt_func.convert.names import BASES, MULTIPLES, NAMES
from quilt_func.convert.programs import FromInputs, runs_of
from quilt_func.convert.recognition import recognised
from quilt_func.convert.terms import controlled, inverted, little_endian
from quilt_func.convert.terms import raised as raised_gates

F64, C128 = torch.float64, torch.complex128
CIRCUIT = qf.circuit(2, qf.h(0), qf.cx(0, 1))
SUM = qf.pauli_sum({"XI": 1.0})


# --- libraries that are missing ---


@pytest.mark.parametrize(
    ("library", "extra", "call"),
    [
        ("qiskit", "qiskit", lambda: convert.to_qiskit(CIRCUIT)),
        ("qiskit", "qiskit", lambda: convert.to_qiskit(SUM)),
        ("pennylane", "pennylane", lambda: convert.to_pennylane(CIRCUIT)),
        ("pennylane", "pennylane", lambda: convert.to_pennylane(SUM)),
        ("pennylane", "pennylane", lambda: convert.from_pennylane(lambda x: None)),
        ("cirq", "cirq", lambda: convert.to_cirq(CIRCUIT)),
        ("cirq", "cirq", lambda: convert.to_cirq(SUM)),
        ("openfermion", "openfermion", lambda: convert.to_openfermion(SUM)),
    ],
)
def test_a_missing_library_names_its_extra(monkeypatch, library, extra, call):
    for name in [name for name in sys.modules if name.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(
        ImportError,
        match=rf"^\w+\(\): `{library}` must be installed, but it is "
        rf"not\. Install the extra with `pip install 'quilt-func\[{extra}\]'`\.$",
    ):
        call()


def test_what_a_library_itself_lacks_is_told_as_it_is(monkeypatch):
    broken = SimpleNamespace(find_spec=lambda name, path=None, target=None: _fail(name))

    def _fail(name):
        if name == "openfermion":
            raise ModuleNotFoundError("No module named 'deprecation'", name="deprecation")

    monkeypatch.delitem(sys.modules, "openfermion", raising=False)
    monkeypatch.setattr(sys, "meta_path", [broken, *sys.meta_path])
    with pytest.raises(ModuleNotFoundError, match="deprecation"):
        convert.to_openfermion(SUM)


# --- objects by their shape ---


class QubitOperator:
    """OpenFermion's, as far as it is read."""

    def __init__(self, terms):
        self.terms = terms


def test_qubit_operators():
    given = QubitOperator({((0, "X"), (2, "Y")): 0.5 + 0j, (): -1.0, ((1, "Z"),): 2})
    assert dict(convert.from_openfermion(given).items()) == {"XIY": 0.5, "III": -1.0, "IZI": 2.0}
    assert convert.from_openfermion(given, 5).words[0] == "XIYII"
    assert convert.from_openfermion(QubitOperator({})).words == ("",)
    for n, message in ((2, "must be at least 3, but got 2"), (True, "must be an int")):
        with pytest.raises((ValueError, TypeError), match=message):
            convert.from_openfermion(given, n)
    for value, message in ((1j, "the coefficient 1j"), ("a", "the coefficient a")):
        with pytest.raises(ValueError, match=message):
            convert.from_openfermion(QubitOperator({((0, "X"),): value}))


def made_in(library, name, **attributes):
    """An object whose class says that a library defines it."""
    return type(name, (), {"__module__": f"{library}.some.where", **attributes})()


@pytest.mark.parametrize(
    ("library", "name"),
    [("qiskit", "SparsePauliOp"), ("pennylane", "SProd"), ("cirq", "PauliSum"),
     ("openfermion", "QubitOperator")],
)  # fmt: skip
@pytest.mark.parametrize("more", [{}, {"__iter__": lambda self: iter(())}])
def test_pauli_sum_names_the_converter(library, name, more):
    with pytest.raises(
        TypeError, match=rf"{name}\. Convert it with `convert.from_{library}\(...\)"
    ):
        qf.pauli_sum(made_in(library, name, **more))


class Graph:
    """A graph as networkx has it."""

    nodes = ("c", "a", "b")

    def edges(self, data, default):
        assert (data, default) == ("weight", 1.0)
        return [("a", "b", 2.0), ("c", "b", default)]


def test_graphs_for_maxcut():
    found = qf.problems.maxcut(Graph())
    expected = qf.problems.maxcut(3, [(1, 2), (0, 2)], [2.0, 1.0])
    assert dict(found.items()) == dict(expected.items())
    weights = torch.tensor([3.0, 4.0])
    own = qf.problems.maxcut(Graph(), weights=weights)
    assert torch.equal(own.coefficients[:2], weights / 2)
    with pytest.raises(TypeError, match="`edges` must be left out with a graph"):
        qf.problems.maxcut(Graph(), [(0, 1)])


def test_counts_turn_round():
    counts = {"0 01": 3, "1 10": 5}
    assert convert.counts_from_qiskit(counts) == {"100": 3, "011": 5}
    assert convert.counts_to_qiskit(convert.counts_from_qiskit(counts)) == {"001": 3, "110": 5}


# --- the table of names ---


def test_the_table_of_names_is_of_the_whole_gate_table():
    assert tuple(row for row in qf.GATES if row not in MULTIPLES) == tuple(NAMES)
    for column in ("qiskit", "pennylane"):
        names = [name for row in NAMES.values() if (name := getattr(row, column))]
        assert len(set(names)) == len(names) >= len(NAMES) - 2
    assert all(qf.controlled(base) is row for row, base in BASES.items())


# --- functions of inputs ---


def test_affine_angles_are_values():
    x, y = Affine(((0, 1.0),)), Affine(((1, 2.0),), 0.5)
    assert x + y == Affine(((0, 1.0), (1, 2.0)), 0.5) == y + x
    assert x + (-x) == Affine(())
    assert 1.0 + 2 * y == Affine(((1, 4.0),), 2.0)
    texts = [one.text(["a", "b"], str) for one in (x, -y, y + -1.5, x + -x, -1 * x + y)]
    assert texts == ["a", "-2.0*b - 0.5", "2.0*b - 1.0", "0.0", "-a + 2.0*b + 0.5"]


def model(theta, x):
    mixed = 2 * theta - x[None] / 2 + 0.3
    return qf.circuit(
        2, qf.ry(mixed, range(2)), qf.cx(0, 1), qf.u(x, -theta[0], 0.5, 1), qf.rx(0.25, 0)
    )


SHAPES = {"theta": torch.zeros(2, dtype=F64), "x": torch.zeros((), dtype=F64)}


def test_functions_become_circuits_of_affine_angles():
    found, inputs = symbolic("to_qasm", "circuit", model, SHAPES)
    assert inputs == inputs_of({"theta": (2,), "x": ()})
    assert [name for one in inputs for name in one.names()] == ["theta_0", "theta_1", "x"]
    first = found.ops[0].params[0]
    assert first[0] == Affine(((0, 2.0), (2, -0.5)), 0.3)
    assert first[1] == Affine(((1, 2.0), (2, -0.5)), 0.3)
    assert found.ops[2].params[1] == (Affine(((0, -1.0),)),)
    assert found.ops[3].params == (0.25,)


CURVED = {
    "square": lambda x: qf.circuit(1, qf.ry(x.square(), 0)),
    "kink": lambda x: qf.circuit(1, qf.ry(x.abs(), 0)),
    "flat at 0": lambda x: qf.circuit(1, qf.ry(torch.relu(x), 0)),
    "root": lambda x: qf.circuit(1, qf.ry(x.sqrt(), 0)),
    "period": lambda x: qf.circuit(1, qf.ry(x % 0.5, 0)),
    "matrix": lambda x: qf.circuit(1, qf.unitary(torch.diag(torch.stack([x, x]).exp() + 0j), 0)),
}


@pytest.mark.parametrize("name", CURVED)
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_angles_that_are_not_affine_are_refused(name, dtype):
    with pytest.raises(ValueError, match=r"must have angles that are affine in the inputs"):
        symbolic("to_qiskit", "given", CURVED[name], {"x": torch.zeros((), dtype=dtype)})


def test_structures_that_depend_on_inputs_are_refused():
    def chosen(x):
        return qf.circuit(1, qf.rx(x, 0) if x > 0 else qf.ry(x, 0))

    with pytest.raises(ValueError, match="must have the same gates for all inputs"):
        symbolic("to_qiskit", "given", chosen, {"x": torch.zeros(())})


def program(*placed, **shapes):
    return FromInputs(2, tuple(runs_of(placed)), inputs_of(shapes))


A, B, V = (Affine(((place, 1.0),)) for place in range(3))
BENT = Formula("sin", (multiplied(A, B),)) + 0.5 * V


def bent(a, b, v):
    return qf.circuit(
        2, qf.ry(torch.stack([(a * b).sin() + v[0] / 2, (v[1] - a[None] * 3)[0]]), range(2)),
        qf.cx(0, 1), qf.rz(b, 1), qf.u(a, b, 0.1, 0),
    )  # fmt: skip


def test_programs_fill_formulas_in():
    fn = program(
        Placed(qf.ry, (BENT,), (0,)),
        Placed(PHASE, (A,), ()),
        Placed(qf.ry, (Affine(((0, -3.0), (3, 1.0))),), (1,)),
        Placed(qf.cx, (), (0, 1)), Placed(qf.rz, (B,), (1,)), Placed(qf.u, (A, B, 0.1), (0,)),
        a=(), b=(), v=(2,),
    )  # fmt: skip
    assert repr(fn) == "<circuit of (a, b, v[2])>"
    a, b = torch.tensor(0.4, dtype=F64), torch.tensor(-1.1, dtype=F64)
    v = torch.tensor([0.3, 0.8], dtype=F64)
    words = WORDS

    def energy(make):
        return lambda *args: qf.expval(make(*args)(), words)

    args = (a, b, v)
    assert_close(energy(fn)(*args), energy(bent)(*args), n_gates=64)
    for one in range(3):
        assert_close(grad(energy(fn), one)(*args), grad(energy(bent), one)(*args), n_gates=256)
    assert_close(hessian(energy(fn), 2)(*args), hessian(energy(bent), 2)(*args), n_gates=1024)
    batch = torch.stack([v, 2 * v])
    found = vmap(grad(energy(fn), 2), (None, None, 0))(a, b, batch)
    assert_close(found[1], grad(energy(bent), 2)(a, b, 2 * v), n_gates=256)
    single = tuple(one.float() for one in args)
    value, tangent = jvp(energy(fn), single, single)
    assert value.dtype == tangent.dtype == torch.float32
    assert fn(a, b, v=v).n_gates == pickle.loads(pickle.dumps(fn))(a, b, v).n_gates == 5
    assert_close(fn(0.4, -1.1, v)(), fn(*args)(), n_gates=64)


def test_columns_of_one_input_are_one_index():
    fn = program(
        *(Placed(qf.rx, (Affine(((1 - i, 2.0),), 0.5 * i),), (i,)) for i in range(2)), v=(2,)
    )
    v = torch.tensor([0.3, 0.7], dtype=F64)
    (op,) = fn(v).ops
    assert torch.equal(op.params[0], 2 * v.flip(0) + torch.tensor([0.0, 0.5], dtype=F64))
    whole = program(*(Placed(qf.rx, (one,), (i,)) for i, one in enumerate((A, B))), v=(2,))
    assert torch.equal(whole(v).ops[0].params[0], v)


def test_numbers_stay_numbers():
    angles = zip((A, 2.0 * A, B), (0, 1, 1), strict=True)
    fn = program(*(Placed(qf.rx, (one,), (wire,)) for one, wire in angles), a=(), b=())
    assert [op.params for op in fn(0.5, 0.5).ops] == [(0.5,), (1.0,), (0.5,)]
    assert [op.params for op in fn(b=0, a=0).ops] == [(0.0,)]
    assert fn(0.5, 1)(dtype=C128).dtype == C128


BAD_INPUTS = {
    "one too few": (lambda fn: fn(0.1), "takes the inputs a, v, but got 1 value"),
    "a wrong name": (lambda fn: fn(0.1, w=1), r"got 1 value\(s\) and \['w'\]"),
    "a text": (lambda fn: fn("1", torch.zeros(2)), r"be a Python number or a real tensor of shape"),
    "a list": (
        lambda fn: fn(1, [0.1, 0.2]),
        r"`v` must be a real tensor of shape \(2,\), but got a l",
    ),
    "a batch": (lambda fn: fn(torch.zeros(3), torch.zeros(2)), "float32 of shape .3,"),
    "two precisions": (lambda fn: fn(torch.zeros(()), torch.zeros(2).double()), "one precision"),
}


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_values_of_another_kind_are_refused(name):
    call, told = BAD_INPUTS[name]
    with pytest.raises(TypeError, match=told):
        call(program(Placed(qf.rx, (A,), (0,)), a=(), v=(2,)))


@pytest.mark.parametrize("kind", [float, lambda v: torch.tensor([v], dtype=F64)])
def test_formulas_of_numbers_and_tensors(kind):
    a, b = 0.7, 1.3
    formulas = {
        "pow": (raised(A, B), a**b), "quotient": (multiplied(A, raised(B, -1)), a / b),
        "sum": (added(A, Formula("exp", (B,))), a + np.exp(b)),
        "scaled": (-(2.0 * Formula("log", (A,))), -2 * np.log(a)),
        "abs": (Formula("abs", (A + -2.0,)), 2 - a), "sign": (Formula("sign", (-1.0 * A,)), -1.0),
        "number": (raised(2.0, 3.0), 8.0),
    }  # fmt: skip
    entries = [a, b] if kind is float else torch.cat([kind(a), kind(b)])
    for formula, expected in formulas.values():
        assert_close(torch.as_tensor(value_of(formula, entries), dtype=F64).reshape(()), expected)


def test_sympy_is_read_by_its_shape():
    """Only attributes are used, so that sympy itself need not be there."""
    from quilt_func.convert.formulas import UnknownFormulaError, of_sympy

    sympy = pytest.importorskip("sympy")  # torch brings it
    a, b = sympy.symbols("a b")
    names, point = {"a": 0, "b": 1}, [0.7, 1.3]
    cases = [a * b + 2, a / b, sympy.sin(a) ** 2, sympy.sqrt(a), sympy.exp(-a * b), sympy.pi * a,
             sympy.E**b, sympy.Abs(a - b), sympy.atan(a) + sympy.acos(a / 2), a**b, sympy.log(b),
             sympy.Rational(1, 3) * a - sympy.tan(b) * sympy.cosh(a)]  # fmt: skip
    for case in cases:
        expected = float(case.subs({a: 0.7, b: 1.3}))
        flat = torch.tensor(point, dtype=F64)

        def value(x, case=case):
            return value_of(of_sympy(case, names), x).reshape(())

        assert_close(value(flat), expected, n_gates=16)
        assert_close_fd(grad(value)(flat), central_difference(value, flat), scale=64.0)
    for wrong, told in ((sympy.gamma(a), "the function gamma"), (sympy.I * a, "complex number I")):
        with pytest.raises(UnknownFormulaError, match=told):
            of_sympy(wrong, names)


# --- gates on wires ---


@pytest.mark.parametrize("bit", [0, 1])
def test_phases_matter_below_a_control(bit):
    check_controlled(controlled, bit)


@pytest.mark.parametrize("exponent", [-2, -1, 0, 1, 3, 0.5])
def test_powers(exponent):
    check_raised(raised_gates, exponent)


def test_inverses():
    undone = unitary_of([*PARTS, *inverted(PARTS)])
    assert_close(torch.from_numpy(undone), np.eye(8), n_gates=256)


def test_little_endian_matrices():
    a, b, c = (np.diag([1, factor]) for factor in (2, 3, 5))
    matrix = np.kron(a, np.kron(b, c))
    assert np.array_equal(little_endian(matrix, 3), np.kron(c, np.kron(b, a)))


# --- channels by their operators ---


def operators_of(channel, *strengths):
    given = [torch.tensor([one], dtype=F64) for one in strengths]
    return list(channel.kraus(*given)[0].numpy())


NAMED = [
    (qf.noise.bit_flip, (0.1,)), (qf.noise.phase_flip, (0.2,)), (qf.noise.bit_phase_flip, (0.3,)),
    (qf.noise.pauli_channel, (0.1, 0.2, 0.05)), (qf.noise.depolarizing, (0.4,)),
    (qf.noise.two_qubit_depolarizing, (0.3,)), (qf.noise.pauli_errors(["XY", "ZI"]), (0.1, 0.2)),
    (qf.noise.amplitude_damping, (0.3,)), (qf.noise.generalized_amplitude_damping, (0.3, 0.2)),
]  # fmt: skip


@pytest.mark.parametrize(("channel", "strengths"), NAMED, ids=lambda one: getattr(one, "name", ""))
def test_channels_are_recognised(channel, strengths):
    (found,) = recognised(operators_of(channel, *strengths))
    assert set(found.channel.words) == set(channel.words)
    if not channel.words or len(channel.words) in (2, 4, 16):
        assert found.channel is channel
    given = dict(zip(channel.words[1:], strengths, strict=False)) or strengths
    own = dict(zip(found.channel.words[1:], found.strengths, strict=False)) or found.strengths
    pairs = (
        [(own[k], given[k]) for k in given]
        if isinstance(given, dict)
        else zip(own, given, strict=True)
    )
    for a, b in pairs:
        assert_close(torch.tensor(a, dtype=F64), b, n_gates=64)


OTHERS = {
    "thermal": operators_of(qf.noise.thermal_relaxation, 0.3, 1.0, 1.4, 0.2),
    "reset": operators_of(qf.noise.reset_channel, 0.3),
    "phase damping": operators_of(qf.noise.phase_damping, 0.3),
    "turned": [qf.sx.matrix @ k for k in operators_of(qf.noise.amplitude_damping, 0.3)],
    "unitary": [qf.t.matrix], "full damping": operators_of(qf.noise.amplitude_damping, 1.0),
    "three wires": [np.kron(k, np.kron(qf.h.matrix, qf.h.matrix))
                    for k in operators_of(qf.noise.amplitude_damping, 0.3)],
    "identity": [np.eye(2) * 1j],
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_recognised_is_the_channel(name):
    found = check_channel(recognised, OTHERS[name])
    assert name != "identity" or not found
