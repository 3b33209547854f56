"""Torch's modes: nothing of one is left behind, and none changes a digit.

A cache that a fake, functional or proxy mode fills would spoil every later call of the process.
So each mode comes first in a process of its own, over all public functions.
"""

import os
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import pytest
import support
import torch
from oracles.compare import assert_close
from systems import MODELS
from torch.func import grad, hessian, jacfwd, vmap
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

import quilt_func as qf
from quilt_func._torch import arrays

ROOT = Path(__file__).resolve().parents[2]
PATHS = ROOT / "tests", ROOT / "tests" / "transforms", ROOT
READS_VALUES = {"problems.from_qubo"}
"""It looks for entries that are not zero, which a mode without values has none of."""


class Marked(torch.Tensor):
    """A tensor subclass from outside."""


class Marking(TorchDispatchMode):
    """A mode from outside, that makes tensors of its own kind."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        return pytree.tree_map_only(torch.Tensor, lambda t: t.as_subclass(Marked), found)


def fake(fn, args):
    from torch._subclasses.fake_tensor import FakeTensorMode

    mode = FakeTensorMode()
    given = pytree.tree_map_only(torch.Tensor, mode.from_tensor, args)
    with mode:
        return fn(*given)


def marked(fn, args):
    with Marking():
        return fn(*args)


def traced(fn, args):
    from torch.fx.experimental.proxy_tensor import make_fx

    leaves, structure = pytree.tree_flatten(args)
    return make_fx(lambda *flat: tensors(fn(*pytree.tree_unflatten(flat, structure))))(*leaves)(
        *leaves
    )


def exported(fn, args):
    class Module(torch.nn.Module):
        def forward(self, *flat):
            return tensors(fn(*pytree.tree_unflatten(flat, structure)))

    leaves, structure = pytree.tree_flatten(args)
    with suppress(Exception):  # torch refuses to export some transforms
        torch.export.export(Module(), tuple(leaves))


def inferred(fn, args):
    with torch.inference_mode():
        return fn(*args)


FIRST = {
    "fake": fake,
    "functional": lambda fn, args: torch.func.functionalize(fn)(*args),
    "inference": inferred,
    "marked": marked,
    "traced": traced,
    "exported": exported,
}


def tensors(tree):
    return [leaf for leaf in pytree.tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def spoiled(names, first, expected):
    """What is not a plain tensor with the right values after a first call under a mode."""
    found = []
    for name in names:
        fn, args = support.CASES[name]
        try:
            FIRST[first](fn, args)
        except Exception as error:
            found.append(f"{name}: {type(error).__name__}: {error}")
    for name, values in expected.items():
        got = tensors(support.CASES[name][0](*support.CASES[name][1]))
        if any(type(one) is not torch.Tensor or one.is_inference() for one in got):
            found.append(f"{name}: the next call returns {[type(one).__name__ for one in got]}")
        elif not all(map(torch.equal, got, values)):
            found.append(f"{name}: the next call returns other values")
    return found


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """A file of what all public functions return without a mode."""
    path = tmp_path_factory.mktemp("modes") / "expected.pt"
    torch.save({name: tensors(fn(*args)) for name, (fn, args) in support.CASES.items()}, path)
    return path


@pytest.mark.parametrize("first", FIRST)
def test_nothing_is_left_behind(first, expected):
    told = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, first, expected],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, PATHS))},
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert told.stdout == ""


def test_constants_left_in_a_mode_are_noticed(monkeypatch):
    """A mutant: constants that do not leave the modes around them."""
    monkeypatch.setattr(arrays, "_disable_current_modes", torch.no_grad)
    for mode in (fake, marked):
        made = mode(lambda: arrays.constant([1.0], torch.float64, torch.device("cpu")), ())
        assert type(made) is not torch.Tensor


AMP = {
    "value": lambda f, p, x: f(p, x),
    "grad": lambda f, p, x: grad(f)(p, x),
    "hessian": lambda f, p, x: hessian(f)(p, x),
    "jacfwd(jacfwd)": lambda f, p, x: jacfwd(jacfwd(f))(p, x),
    "vmap(grad)": lambda f, p, x: vmap(grad(f), (None, 0))(p, x[None]),
}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@pytest.mark.parametrize("name", AMP)
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_autocast_changes_nothing(model, name, half):
    p, x = model.params(6, torch.float32), model.x(6, torch.float32)
    expected = AMP[name](model, p, x)
    with torch.autocast("cpu", half):
        got = AMP[name](model, p, x)
    assert got.dtype == torch.float32
    scale = 16 * model.scale * model.frequency**2
    assert_close(got, expected, n_gates=64 * model.n_gates, scale=scale)


SINGLE = {torch.float64: torch.float32, torch.complex128: torch.complex64}
AUTOCAST_ITSELF = {"diagnostics.effective_dimension"}
"""Its case multiplies matrices before the library sees them."""


@pytest.mark.parametrize("name", [n for n in support.CASES if n not in AUTOCAST_ITSELF])
def test_public_functions_under_autocast(name):
    fn, args = support.CASES[name]
    args = pytree.tree_map_only(torch.Tensor, lambda t: t.to(SINGLE.get(t.dtype, t.dtype)), args)
    expected = tensors(fn(*args))
    with torch.autocast("cpu", torch.bfloat16):
        got = tensors(fn(*args))
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == b.dtype
        assert_close(1.0 * a, 1.0 * b, n_gates=256, scale=16.0)


def test_autocast_is_felt_without_the_guard(monkeypatch):
    """A mutant: products of the library by `@` alone."""
    monkeypatch.setattr(qf.fisher, "matmul", torch.matmul)
    fn, args = support.CASES["qfi"]
    with torch.autocast("cpu", torch.bfloat16):
        assert fn(args[0].float()).dtype == torch.bfloat16


STRICT = """
import torch
from torch.func import hessian, jvp
import quilt_func as qf
from quilt_func.testing import gate_laws

def energy(t):
    return qf.expval(qf.circuit(6, qf.ry(t, range(6)))(), qf.pauli_sum({"ZIIIII": 1.0}))

t = qf.uniforms(6, 0)
hessian(energy)(t), jvp(energy, (t,), (t,))
qf.qfi(lambda t: qf.circuit(6, qf.ry(t, range(6)))(), t)
gate_laws(qf.ry)()
"""


def test_a_strict_project_meets_no_warning_of_torchs():
    """Torch warns of its own rules at the first use of forward mode, from 2.14 on."""
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", STRICT], check=False, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    names = [name for name in support.CASES if name not in READS_VALUES]
    for line in spoiled(names, sys.argv[1], torch.load(sys.argv[2])):
        print(line)
