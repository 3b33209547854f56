"""Every bad call raises at once, with a message that says what to do instead.

The tables in `bad_calls/` hold one call per line; a new check is tested by being appended there.
"""

import builtins
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
    interchange,
    observables,
    problems,
    states,
)

import quilt_func as qf

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
    interchange,
)
CALLS = [row for room in ROOMS for row in room.CALLS]
FORM = re.compile(r"\w+\((\w+)=.*\): `\1` must .+, but .+\. .+[.`\"]")
OTHER_FORMS = re.compile(
    r"\w+\(\): .+\..+\."  # of several arguments at once
    r"|(Circuit|circuit|PauliSum) [+*@] \w+: .+, but .+\. .+\."
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
        r"\(torch.float64\), but returned torch.complex64\. .*",
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
    with pytest.raises(AttributeError, match="module 'quilt_func' has no attribute 'nothing'"):
        _ = qf.nothing
