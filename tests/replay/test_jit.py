"""`jit` is the function: same values, same trees, its own results; one trace per signature."""

import functools
import threading
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.func import grad, grad_and_value, hessian, vmap
from torch.utils import _pytree as pytree

import quilt_func as qf
from quilt_func import replay
from quilt_func.replay import entry

F64 = torch.float64
N = 3
ENERGY = qf.pauli_sum({"ZZI": 1.0, "IXX": 0.5, "YIZ": -0.25})


def energy(theta):
    return qf.expval(
        qf.circuit(N, qf.ry(theta[0], range(N)), qf.cx(0, 1), qf.rx(theta[1], 2))(), ENERGY
    )


class Counted:
    """A function that counts its calls."""

    def __init__(self, fn):
        self.fn, self.calls = fn, 0
        functools.update_wrapper(self, fn)

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self.fn(*args, **kwargs)


def angles(seed=0):
    return 3 * qf.uniforms((2, N), seed, dtype=F64)[0], qf.uniforms((), seed + 100, dtype=F64)


def same_tree(a, b):
    assert pytree.tree_structure(a) == pytree.tree_structure(b)
    for x, y in zip(pytree.tree_leaves(a), pytree.tree_leaves(b), strict=True):
        assert type(x) is type(y)
        if isinstance(x, torch.Tensor):
            assert x.dtype == y.dtype
            assert torch.equal(x, y)
        else:
            assert x == y


def test_a_function_is_called_once_per_signature():
    fn = Counted(energy)
    replayed = qf.jit(fn)
    for seed in range(4):
        theta = angles(seed)
        assert torch.equal(replayed(theta), energy(theta))
    assert fn.calls == 1


CHANGES = {
    "shape": lambda x: (torch.stack([x, x]),),
    "dtype": lambda x: (x.float(),),
    "tree": lambda x: ({"a": x},),
    "requires_grad": lambda x: (x.clone().requires_grad_(),),
    "a number": lambda x: (x, 2.0),
    "a number of another type": lambda x: (x, 2),
    "a bool": lambda x: (x, True),
    "minus zero": lambda x: (x, -0.0),
    "zero": lambda x: (x, 0.0),
    "a word": lambda x: (x, "sum"),
    "a nested number": lambda x: (x, (1, (2.0,))),
    "a nested number of another type": lambda x: (x, (1, (2,))),
}


def test_signatures_differ():
    fn = Counted(lambda x, *rest: pytree.tree_map(lambda t: 2 * t, x))
    replayed = qf.jit(fn)
    x = torch.tensor([1.0, 2.0], dtype=F64)
    replayed(x)
    for count, change in enumerate(CHANGES.values(), start=2):
        replayed(*change(x)), replayed(*change(x))
        assert fn.calls >= count
    before = fn.calls
    for change in CHANGES.values():
        replayed(*change(x))
    assert fn.calls == before


def test_settings_of_torch_are_part_of_the_signature():
    replayed = qf.jit(lambda x: torch.zeros(2) + x.sum())
    x = torch.ones(2)
    assert replayed(x).dtype == torch.float32
    torch.set_default_dtype(F64)
    try:
        assert replayed(x).dtype == F64
    finally:
        torch.set_default_dtype(torch.float32)


def test_not_a_number_is_one_signature():
    fn = Counted(lambda x, scale: x + scale)
    replayed = qf.jit(fn)
    for _ in range(3):
        assert replayed(torch.ones(2), float("nan")).isnan().all()
    assert fn.calls == 1


class Pair(NamedTuple):
    first: torch.Tensor
    second: object


TREES = {
    "circuit": qf.circuit(2, qf.ry(torch.tensor([0.1, 0.2]), [0, 1]), qf.cx(0, 1)),
    "Pauli sum": qf.pauli_sum(["ZZ", "XI"], torch.tensor([0.5, 0.25])),
    "named tuple": Pair(torch.ones(2), (3, "a", None, 2.5)),
    "dict": {"b": [torch.ones(1), {"a": torch.zeros(())}], "a": ()},
    "optimiser state": qf.optim.adam(0.1).init({"w": torch.ones(3)}),
}


@pytest.mark.parametrize("name", TREES)
def test_trees_go_in_and_out(name):
    replayed = qf.jit(
        lambda tree: pytree.tree_map(lambda x: 2 * x if isinstance(x, torch.Tensor) else x, tree)
    )
    for _ in range(2):
        found = replayed(TREES[name])
        expected = replayed.fn(TREES[name])
        assert type(found) is type(expected)
        same_tree(found, expected)


def test_keywords_and_static_arguments():
    fn = Counted(lambda x, power, *, kind="sum": getattr(x**power, kind)())
    x = torch.tensor([1.0, 3.0])
    for replayed in (qf.jit(fn, static_argnums=1), qf.jit(fn, static_argnames=["power", "kind"])):
        fn.calls = 0
        for _ in range(2):
            assert replayed(x, 2) == 10
            assert replayed(x, power=2, kind="mean") == 5
            assert replayed(kind="mean", power=2, x=x) == 5
        assert fn.calls == 3


def test_a_static_argument_may_be_any_hashable_value():
    class Scale:
        def __init__(self, by):
            self.by = by

    two, three = Scale(2), Scale(3)
    replayed = qf.jit(lambda x, scale: x * scale.by, static_argnames="scale")
    assert replayed(torch.ones(()), two) == 2
    assert replayed(torch.ones(()), three) == 3


def test_layouts_of_arguments_do_not_matter():
    replayed = qf.jit(lambda x: (x.reshape(-1) * 2, x.mT.sum(0)))
    base = torch.arange(24.0).reshape(4, 6)
    for x in (base[1:, 1:4].mT, base.mT[::2, 1:], base[:3, :3], torch.ones(1, 3).expand(3, 3)):
        same_tree(replayed(x), replayed.fn(x))
    z = torch.complex(base, base.mT.reshape(4, 6))
    for x in (z.conj(), z.conj().imag.to(z.dtype), z):
        same_tree(replayed(x), replayed.fn(x))


def test_results_are_their_own():
    def fn(x):
        y = x * 2
        return x, x[0], y, y[1:], y, y.view(2, 2), CONSTANT

    replayed = qf.jit(fn)
    x = torch.arange(4.0)
    for _ in range(3):
        found = replayed(x)
        same_tree(found, fn(torch.arange(4.0)))
        for result in found:
            result.fill_(7.0)
    assert torch.equal(x, torch.arange(4.0))
    assert torch.equal(CONSTANT, torch.ones(2))


CONSTANT = torch.ones(2)


def test_a_closure_is_captured_by_reference():
    weights = torch.tensor([1.0, 2.0])
    replayed = qf.jit(lambda x: (x * weights * 2).sum())
    x = torch.tensor([1.0, 1.0])
    assert replayed(x) == 6
    weights.mul_(10)
    assert replayed(x) == 60


def test_it_falls_through_within_transforms_and_modes():
    fn = Counted(energy)
    replayed = qf.jit(fn)
    theta = angles()
    expected = grad(energy)(theta)
    same_tree(grad(replayed)(theta), expected)
    batch = pytree.tree_map(lambda t: torch.stack([t, 2 * t]), theta)
    assert torch.equal(vmap(replayed)(batch), vmap(energy)(batch))
    with torch.autocast("cpu", torch.bfloat16):
        replayed(theta)
    with torch.device("cpu"):
        replayed(theta)
    assert fn.calls == 4
    replayed(theta), replayed(theta)
    assert fn.calls == 5
    outer = qf.jit(lambda t: replayed(t) * 2)
    assert torch.equal(outer(theta), 2 * energy(theta))


def test_torchs_own_forward_mode_keeps_its_tangent():
    replayed = qf.jit(lambda x: (x * x).sum())
    x, along = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    replayed(x)
    with forward_ad.dual_level():
        found = forward_ad.unpack_dual(replayed(forward_ad.make_dual(x, along)))
    assert found.tangent == 22


class Marked(torch.Tensor):
    """A tensor subclass from outside."""


def test_it_falls_through_for_tensors_of_other_kinds():
    fn = Counted(lambda x: x * 2)
    replayed = qf.jit(fn)
    assert type(replayed(torch.ones(2).as_subclass(Marked))) is Marked
    assert replayed(torch.ones(2).to_sparse()).is_sparse
    assert replayed(torch.ones(2, device="meta")).is_meta
    assert fn.calls == 3
    assert type(replayed(nn.Parameter(torch.ones(2))).detach()) is torch.Tensor


def test_inference_mode():
    replayed = qf.jit(lambda x: x * 2)
    with torch.inference_mode():
        assert torch.equal(replayed(torch.ones(2)), torch.full((2,), 2.0))
    assert torch.equal(replayed(torch.ones(2)), torch.full((2,), 2.0))
    x = torch.ones(2, requires_grad=True)
    replayed(x).sum().backward()
    assert torch.equal(x.grad, torch.full((2,), 2.0))


def test_whole_training_steps():
    optimiser = qf.optim.adam(0.1)

    def step(params, state, xs):
        def loss(p):
            return vmap(lambda x: energy((p["a"] + x, p["b"])))(xs).square().mean()

        grads, value = grad_and_value(loss)(params)
        updates, state = optimiser.update(grads, state, params)
        return qf.optim.apply_updates(params, updates), state, value

    fn = Counted(step)
    replayed = qf.jit(fn)
    params = {"a": torch.rand(N, dtype=F64), "b": torch.rand((), dtype=F64)}
    mine = theirs = (params, optimiser.init(params))
    for seed in range(5):
        xs = qf.uniforms((4, N), seed, dtype=F64)
        *mine, value = replayed(*mine, xs)
        *theirs, expected = step(*theirs, xs)
        assert torch.equal(value, expected)
    same_tree(mine, theirs)
    assert fn.calls == 1


def test_samplers_and_second_order():
    def shots(theta, u):
        return qf.sample(qf.circuit(N, qf.ry(theta, range(N)))(), u)

    theta, u = angles()[0], qf.uniforms(50, 1)
    replayed = qf.jit(shots)
    assert torch.equal(replayed(theta, u), shots(theta, u))
    assert torch.equal(replayed(theta, u.flip(0)), shots(theta, u.flip(0)))
    state = lambda t: qf.circuit(N, qf.ry(t, range(N)), qf.cx(0, 1))()  # noqa: E731
    assert torch.equal(qf.jit(lambda t: qf.qfi(state, t))(theta), qf.qfi(state, theta))
    curved = hessian(lambda t: energy((t, t[0])))
    assert torch.equal(qf.jit(curved)(theta), curved(theta))


def test_programs_are_bounded(monkeypatch):
    monkeypatch.setattr(entry, "MAX_PROGRAMS", 3)
    fn = Counted(lambda x, n: x * n)
    replayed = qf.jit(fn)
    x = torch.ones(2)
    for n in range(5):
        replayed(x, n)
    assert "signatures kept: 3 of at most 3" in replayed.explain(x, 4)
    replayed(x, 4), replayed(x, 3), replayed(x, 2)
    assert fn.calls == 5
    replayed(x, 0)
    assert fn.calls == 6


def test_threads_may_call_one_function():
    fn = Counted(grad_and_value(energy))
    replayed = qf.jit(fn)
    cases = [angles(seed) for seed in range(8)]
    expected, found = [fn.fn(theta) for theta in cases], {}

    def work(i):
        for _ in range(20):
            found[i] = replayed(cases[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fn.calls == 1
    for i, value in enumerate(expected):
        same_tree(found[i], value)


def test_methods():
    class Model:
        scale = 3

        @qf.jit
        def __call__(self, x):
            return self.scale * x

    model = Model()
    assert torch.equal(model(torch.ones(2)), torch.full((2,), 3.0))
    assert isinstance(Model.__call__, replay.Jitted)


def test_explain_tells_what_is_replayed():
    replayed = qf.jit(energy)
    told = replayed.explain(angles())
    assert told.startswith("jit(energy): ")
    assert "operations" in told
    assert "MiB of constants" in told
    same_tree(replayed(angles(1)), energy(angles(1)))


def test_explain_knows_the_memory_of_a_run():
    def fn(x):
        y = x.sin()  # two of these at a time, then the sum
        return (y.view(2, -1).cos().view(-1) * 2).sum()

    replayed = qf.jit(fn)
    assert "0.00 MiB of constants, 16.00 MiB at most" in replayed.explain(torch.zeros(2**21))


BAD = {
    "a number for the function": (
        lambda: qf.jit(3),
        "jit(fn=3): `fn` must be a function, but got an int. Give the function itself, not what "
        "it returns.",
    ),
    "an array": (
        lambda: qf.jit(lambda x: x)(np.ones(2)),
        "jit(arguments=array([1., 1.])): `arguments` must be tensors, or hashable values that are "
        "static, but got an ndarray. Give a tensor (`torch.as_tensor(array)`), a tuple for a list, "
        "or a pytree of these.",
    ),
    "a static tensor": (
        lambda: qf.jit(lambda x: x, static_argnums=0)(torch.ones(2)),
        "jit(arguments=Tensor(shape=(2,), dtype=float32)): `arguments` must be tensors, or "
        "hashable values that are static, but got a Tensor. Leave it out of the static arguments.",
    ),
    "a static list": (
        lambda: qf.jit(lambda x: x, static_argnums=0)([1]),
        "jit(arguments=[1]): `arguments` must be tensors, or hashable values that are static, but "
        "got a list. Give a tensor (`torch.as_tensor(array)`), a tuple for a list, or a pytree of "
        "these.",
    ),
    "a name for a position": (
        lambda: qf.jit(lambda x: x, static_argnums="x"),
        "jit(static_argnums='x'): `static_argnums` must be ints, but got a str. Give names as "
        "`static_argnames`.",
    ),
    "a position for a name": (
        lambda: qf.jit(lambda x: x, static_argnames=[0]),
        "jit(static_argnames=0): `static_argnames` must be names, but got an int. Give "
        "positions as `static_argnums`.",
    ),
    "a set": (
        lambda: qf.jit(lambda x: {1})(torch.ones(2)),
        "jit(fn=<lambda>): `fn` must return a pytree of tensors, numbers and strings, but got a "
        "set. Return its tensors, or register its class as a pytree node.",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_calls(name):
    call, message = BAD[name]
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value) == message


@pytest.mark.parametrize("count", [2, 7, 8, 9, 20])
def test_many_products_of_one_factor_lie_as_they_did(count):
    """The interpreter joins eight or more of `mm`, in another order in memory: not those here."""
    x, *factors = qf.uniforms((count + 1, 4, 4), 0, dtype=F64)

    def fn(x):
        return torch.stack([(x @ m).view(2, 8)[1] for m in factors]).sin()

    assert torch.equal(qf.jit(fn)(x), fn(x))


def test_forward_derivatives_of_many_observables():
    words = [qf.pauli_sum({word: 1.0}) for word in ("XI", "IX", "YI", "IY", "ZI", "IZ")]

    def values(x):
        return qf.expval(qf.circuit(2, qf.ry(x, range(2)), qf.cx(0, 1))(), words)

    slopes = torch.func.jacfwd(vmap(values))
    xs = qf.uniforms((2, 2), 0, dtype=F64)
    assert torch.allclose(qf.jit(slopes)(xs), slopes(xs))
