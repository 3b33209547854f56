"""Every bad call raises at once, with a message that says what to do instead.

The tables in `bad_calls/` hold one call per line; a new check is tested by being appended there.
"""

import builtins
import pydoc
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from bad_calls import (
    circuits,
    derivatives,
    diagnostics,
    gates,
    instruments,
    interchange,
    learning,
    noise,
    observables,
    problems,
    processes,
    shots,
    states,
    training,
)
from torch import Tensor
from torch.func import vmap

import quilt_func as qf
from quilt_func import _spellings
from quilt_func._checks import a_kind

ANGLE = torch.tensor(0.1)
NAMES = {
    **{name: getattr(qf, name) for name in qf.__all__ if name not in ("draw", "testing")},
    "np": np,
    "tensor": torch.tensor,
    "zeros": torch.zeros,
    "ones": torch.ones,
    "eye": torch.eye,
    "f32": torch.float32,
    "f64": torch.float64,
    "c64": torch.complex64,
    "c128": torch.complex128,
    "int64": torch.int64,
    "s2": qf.zero_state(2),
    "a32": ANGLE,
    "a64": ANGLE.double(),
    "meta": ANGLE.to("meta"),
}
ROOMS = (
    gates,
    circuits,
    observables,
    states,
    problems,
    derivatives,
    diagnostics,
    instruments,
    interchange,
    learning,
    noise,
    processes,
    shots,
    training,
)
CALLS = [row for room in ROOMS for row in room.CALLS]
FORM = re.compile(r"\w+\((\w+)=.*\): `\1` must .+, but .+\. .+[.`\"]")
OTHER_FORMS = re.compile(
    r"\w+\(\): .+\..+\."  # of several arguments at once
    r"|(Circuit|circuit|PauliSum) ([+*@]|\*\*) \w+: .+, but .+\. .+\."
    r"|\w+\.inverse\(\): .+\. .+\."
)


@pytest.mark.parametrize(("call", "kind", "message"), CALLS, ids=[row[0] for row in CALLS])
def test_bad_call(call, kind, message):
    with pytest.raises(kind) as caught:
        eval(call, dict(NAMES))
    assert str(caught.value) == message
    assert type(caught.value) is kind


def test_messages_have_the_houses_form():
    """One line: function, argument as given, what it must be, what it is, what to do."""
    forms = (FORM, OTHER_FORMS)
    others = [row[2] for row in CALLS if not any(form.fullmatch(row[2]) for form in forms)]
    assert others == []


def test_every_room_has_bad_calls():
    called = " ".join(row[0] for row in CALLS)
    functions = [name for name in qf.__all__ if callable(getattr(qf, name)) and name.islower()]
    missing = [name for name in functions if f"{name}(" not in called]
    assert set(missing) <= {row.name for row in qf.GATES}


def by_tensor(theta):
    return torch.tensor([[theta.cos(), -theta.sin()], [theta.sin(), theta.cos()]])


def of_another_size(theta):
    return torch.eye(4, dtype=theta.dtype) * theta


def of_another_precision(theta):
    return (torch.eye(2, dtype=theta.dtype) * theta).to(torch.complex64)


def without_tensor(theta):
    return [[1, 0], [0, 1]]


FUNCTIONS = {
    by_tensor: (
        TypeError,
        r"by_tensor\(\): the gate's function must work under `torch.func.vmap`, but raised: .*\. "
        r"Assemble its matrix with `torch.stack`, not with `torch.tensor`\.",
    ),
    of_another_size: (
        ValueError,
        r"of_another_size\(\): the gate's function must return a matrix of shape \(2, 2\), but got "
        r"Tensor\(shape=\(3, 4, 4\), dtype=float64\)\. Its first wire is the most significant .*",
    ),
    of_another_precision: (
        TypeError,
        r"of_another_precision\(\): the gate's function must keep the precision of its angles "
        r"\(torch.float64, in which it is checked\), but returned torch.complex64\. .*",
    ),
    without_tensor: (
        ValueError,
        r"without_tensor\(\): the gate's function must return a matrix .*",
    ),
}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_bad_gate_functions_are_refused_where_they_are_made(function):
    kind, message = FUNCTIONS[function]
    with pytest.raises(kind) as caught:
        qf.gate(n_wires=1)(function)
    assert re.fullmatch(message, str(caught.value), re.DOTALL), caught.value


def rotation(theta):
    c, s = theta.cos(), theta.sin()
    return torch.stack([torch.stack([c, -s]), torch.stack([s, c])])


def two_angles(theta, phi):
    return rotation(theta + phi)


BAD_FACTS = {
    "generator of another size": (rotation, {"generator": np.eye(4)}, "generator"),
    "generator of two angles": (two_angles, {"generator": np.diag([1, -1])}, "generator"),
    "labels for other wires": (rotation, {"symbol": ("A", "B")}, "symbol"),
}


@pytest.mark.parametrize(("function", "facts", "argument"), BAD_FACTS.values(), ids=BAD_FACTS)
def test_bad_facts_are_refused_where_they_are_made(function, facts, argument):
    with pytest.raises(ValueError, match=rf"gate\({argument}=.*\): `{argument}` must .*, but got "):
        qf.gate(n_wires=1, **facts)(function)


@pytest.mark.parametrize("size", [2, 8])
def test_matrices_of_the_wrong_size_are_refused_on_two_wires(size):
    with pytest.raises(ValueError, match=r"must return a matrix of shape \(4, 4\), but got "):
        qf.gate(n_wires=2)(lambda theta: torch.eye(size, dtype=theta.dtype) * theta)


def test_a_label_too_few_is_refused():
    with pytest.raises(ValueError, match=r"`symbol` must hold 2 label\(s\), but got 1"):
        qf.gate(n_wires=2, symbol=("A",))(lambda theta: torch.eye(4, dtype=theta.dtype) + 0 * theta)


def test_first_error_wins_before_any_work():
    """Bad wires are found when the op is made, not when the circuit runs."""
    calls = SimpleNamespace(count=0)

    @qf.gate(n_wires=1, vectorised=True)
    def counted(theta):
        calls.count += 1
        return torch.stack([rotation(one) for one in theta.unbind(0)])

    before = calls.count
    with pytest.raises(ValueError, match="wires"):
        counted(0.1, -1)
    with pytest.raises(ValueError, match="qubits"):
        qf.circuit(1, counted(0.1, 1))
    assert calls.count == before


def test_testing_names_its_extra(monkeypatch):
    real = builtins.__import__

    def without_hypothesis(name, *args, **kwargs):
        if name == "hypothesis":
            raise ModuleNotFoundError("No module named 'hypothesis'", name="hypothesis")
        return real(name, *args, **kwargs)

    for name in [name for name in sys.modules if name.startswith("quilt_func.testing")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without_hypothesis)
    with pytest.raises(ImportError, match=r"pip install 'quilt-func\[test\]'"):
        real("quilt_func.testing")


def test_testing_is_loaded_when_asked_for():
    """In a fresh process: `import quilt_func` needs no extra."""
    code = (
        "import sys, quilt_func; assert not {'hypothesis', 'quilt_func.testing'} & set(sys.modules)"
        "; quilt_func.testing.gate_laws; assert 'hypothesis' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_names():
    with pytest.raises(AttributeError, match=r"module 'quilt_func' has no attribute 'nothing'$"):
        _ = qf.nothing


MEANT = {
    "cnot": "cx",
    "CNOT": "cx",
    "toffoli": "ccx",
    "rot": "u",
    "mcx": "controlled(x, n_controls)",
    "RX": "rx",
    "Hadamard": "h",
    "IsingXX": "rxx",
    "expvall": "expval",
    "pauli_summ": "pauli_sum",
    "circuits_": "circuit",
    "phase_shift": "p",
    "hadamard": "h",
    "mcrx": "controlled(rx, n_controls)",
    "dagger": "inverse",
    "QFT": "ansatz.qft",
    "MottonenStatePreparation": "ansatz.prepare_state",
    "TrotterProduct": "ansatz.pauli_evolution",
    "lookup": "instruments.lookup",
    "with_noise": "noise.with_noise",
    "Depolarizing": "noise.depolarizing",
    "Adam": "optim.adam",
    "cond": "conditional",
}


@pytest.mark.parametrize("name", MEANT)
def test_unknown_names_of_known_things(name):
    meant = re.escape(f"has no attribute '{name}'. Did you mean `{MEANT[name]}`?")
    with pytest.raises(AttributeError, match=f"{meant}$"):
        getattr(qf, name)


def test_names_of_elsewhere_name_what_is_here():
    for name, meant in _spellings.ELSEWHERE.items():
        assert not hasattr(qf, name)
        assert eval(meant, {**NAMES, "nn": qf.nn, "optim": qf.optim, "n_controls": 2}) is not None


def test_numbers_are_not_drawn_within_vmap():
    """Torch's own message recommends a flag that hides the draw."""
    with pytest.raises(ValueError, match=r"uniforms\(\): .* outside of `vmap`, .* map over `u`"):
        vmap(lambda x: x + qf.uniforms(2, 0))(torch.zeros(3))


def test_all_names_are_listed():
    """Those too that are imported when they are asked for."""
    assert set(qf.__all__) <= set(dir(qf))


def test_hints_are_no_names():
    """Tools ask for names that need not be there; private ones get no advice."""
    assert not hasattr(qf, "cnot")
    with pytest.raises(AttributeError, match=r"attribute '_circuit'$"):
        _ = qf._circuit


GATES = [*qf.GATES, qf.controlled(qf.u), qf.pauli_rot(0.1, "XYZ", 0, 1, 2).gate]


@pytest.mark.parametrize("row", GATES, ids=lambda row: row.name)
def test_help_of_a_gate_tells_of_the_gate(row):
    """What it is, how it is called, and its matrix."""
    text = pydoc.plain(pydoc.render_doc(row))
    assert f"{row.name}: {row.doc}" in text
    calls = re.findall(r"`([^`]*\(.*?\))`", row.__doc__.split("\n\n")[1])
    assert len(calls) == 2
    angles = dict.fromkeys(("theta", "theta0", "theta1", "theta2"), 0.1)
    for call in calls:
        assert eval(call.replace(", ...", ""), {**NAMES, row.name: row, **angles}).gate.n_wires
    is_small = row.n_wires <= 3
    assert (("Matrix at π/2" if row.n_params else "Matrix:") in text) == is_small
    assert ("generator G" in text) == (is_small and row.generator is not None)


def test_help_shows_the_matrix():
    assert "[[ 0.7071 -0.7071]\n     [ 0.7071  0.7071]]" in qf.ry.__doc__
    assert "[[1.+0.j 0.+0.j]\n     [0.+0.j 0.+1.j]]" in qf.s.__doc__
    assert "Matrix" not in qf.controlled(qf.x, 5).__doc__
    assert qf.Gate.__doc__.startswith("The definition of one gate.")


@pytest.mark.parametrize("channel", qf.noise.CHANNELS, ids=lambda channel: channel.name)
def test_help_of_a_channel_tells_of_the_channel(channel):
    """What it does, how it is called, what its strengths may be, and what it is made of."""
    text = " ".join(pydoc.plain(pydoc.render_doc(channel)).split())
    assert f"{channel.name}: {channel.doc}" in text
    calls = re.findall(r"`([^`]*\(.*?\))`", channel.__doc__.split("\n\n")[1])[:2]
    strengths = {**dict.fromkeys(channel.param_names, 0.1), "t1": 1.0, "t2": 1.0}
    for call in calls:
        op = eval(call.replace(", ...", ""), {channel.name: channel, **strengths})
        assert op.gate is channel
    for name, (low, high) in zip(channel.param_names, channel.bounds, strict=True):
        ends = re.search(rf"{name} in [\[(](\S+), (\S+)[\])]", text).groups()
        assert tuple(map(float, ends)) == (low, high)
    assert ("Probabilities of Pauli words" in text) == bool(channel.words)
    assert ("Kraus operators" in text) == (not channel.words)


def test_help_shows_a_channels_operators():
    assert "I 0.7, X 0.1, Y\n0.1, Z 0.1." in qf.noise.pauli_channel.__doc__
    damping = "[[0.     0.3162]\n     [0.     0.    ]]"
    assert damping in qf.noise.amplitude_damping.__doc__
    assert "[[0. 0.]\n     [0. 0.]]" not in qf.noise.amplitude_damping.__doc__  # they say nothing
    assert qf.noise.Channel.__doc__.startswith("The definition of one channel.")
    given = qf.noise.kraus(torch.eye(2, dtype=torch.complex64)[None], 0).gate
    assert given.__doc__.startswith("kraus: Given Kraus operators.")
    assert "Strengths" not in given.__doc__


def test_help_of_what_is_no_gate():
    """Rows without a matrix of their own keep their words."""
    assert "row of `measure`" in pydoc.render_doc(qf.measure(0, "m").gate)
    assert "Matrix" not in qf.linear(torch.eye(2) + 0j, 0).gate.__doc__

    @qf.gate(n_wires=1, unitary=False)
    def damp(strength):
        """Damps."""
        return torch.stack([torch.ones_like(strength), strength]).diag()

    assert damp.__doc__.startswith("damp: Damps.")


KINDS = {"an int": 1, "a str": "x", "an Op": qf.x(0), "a Gate": qf.x, "None": None, "a bool": True}
KINDS |= {"an ndarray": np.eye(2), "a Tensor": ANGLE, "a float64": np.float64(1)}
KINDS |= {"an RX": type("RX", (), {})(), "a Union": type("Union", (), {})()}


@pytest.mark.parametrize("words", KINDS)
def test_kinds_have_their_article(words):
    assert a_kind(KINDS[words]) == words


def test_no_message_has_the_wrong_article():
    wrong = re.compile(r"\ba(n?) (int|float|str|list|[A-Z]\w+|ndarray|NoneType)\b")
    found = [match for row in CALLS for match in wrong.finditer(row[2])]
    assert [
        m[0] for m in found if bool(m[1]) != (m[2] in ("int", "ndarray", "Op", "Estimate"))
    ] == []


def test_the_remedy_for_a_model_with_data_is_one():
    """What the natural gradient and the metric say of many samples, tried here."""
    xs, params = torch.tensor([0.1, 0.4, 0.9]), torch.tensor([0.2, 0.3])

    def state(p, x):
        return qf.circuit(1, qf.ry(p[0] * x, 0), qf.rz(p[1] + x, 0), qf.rx(x, 0))()

    def remedy(call):
        with pytest.raises(ValueError, match=r"state_fn` must return one statevector") as got:
            call()
        return re.findall("`([^`]*)`", str(got.value).split("Over data")[1])[0]

    names = {"vmap": vmap, "state_fn": state, "params": params, "xs": xs, "p": params}
    names |= {"fubini_study": qf.fubini_study, "natural_gradient": qf.natural_gradient}
    for join in (lambda states: states, Tensor.flatten):
        joint = lambda p, join=join: join(vmap(state, (None, 0))(p, xs))  # noqa: E731
        metric = remedy(lambda joint=joint: qf.fubini_study(joint, params))
        advice = remedy(
            lambda joint=joint: qf.natural_gradient(joint).update(params, (), params)
        )  # fmt: skip
        g = eval(metric, dict(names)).mean(0)
        each = [qf.fubini_study(lambda p, x=x: state(p, x), params) for x in xs]
        assert torch.allclose(g, torch.stack(each).mean(0))
        opt = eval(advice.replace("circuit(...)()", "state_fn(p, x)"), dict(names))
        found = opt.update(params, (), params)[0]
        assert torch.allclose(g @ found + 1e-3 * found, params)
