"""Shortened programs equal the trace, on programs that alias, write and move at random."""

import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from oracles.compare import assert_close
from torch.func import grad

import quilt_func as qf
from quilt_func.replay import executors, passes, tracing

aten = torch.ops.aten


def flat(a):
    return a.reshape(-1)


PLACES = torch.tensor([1, 0, 1, 0])


def picked_into(a, *, twice=False, shows_early=False):
    """Entries in memory of their own, through a view of it; written twice, or looked at before."""
    buffer = torch.empty_like(flat(a)[PLACES])
    early = buffer.view(2, 2)
    torch.index_select(flat(a), 0, PLACES, out=buffer.view(4))
    if twice:
        torch.index_select(2 * flat(a), 0, PLACES.flip(0), out=buffer)
    return early if shows_early else buffer


def beside_its_likeness(a):
    """Memory whose form is asked for before something writes to it."""
    buffer = torch.empty_like(flat(a)[PLACES])
    likeness = torch.empty_like(buffer)
    torch.index_select(flat(a), 0, PLACES, out=buffer)
    return buffer + torch.mul(flat(a)[PLACES], 2, out=likeness)


UNARY = {
    "beside its likeness": beside_its_likeness,
    "picked into a buffer": picked_into,
    "picked twice": lambda a: picked_into(a, twice=True),
    "picked into what is shown": lambda a: picked_into(a, shows_early=True),
    "flat": flat,
    "rows": lambda a: a.reshape(2, -1),
    "transposed": lambda a: a.transpose(0, -1),
    "tail": lambda a: a[1:],
    "first": lambda a: a[0],
    "last axis": lambda a: a[..., -1],
    "unsqueezed": lambda a: a.unsqueeze(0),
    "squeezed": lambda a: a.squeeze(0),
    "expanded": lambda a: a.expand(2, *a.shape),
    "flipped": lambda a: a.flip(0),
    "cloned": torch.clone,
    "doubled": lambda a: 2 * a,
    "sine": torch.sin,
    "sum": torch.sum,
    "zeros": torch.zeros_like,
    "ones": lambda a: a.new_ones(a.shape) * 3,
    "conjugated": torch.conj,
    "conjugated copy": lambda a: a.conj().clone(),
    "real parts": lambda a: torch.view_as_real(a)[..., 0].to(a.dtype),
    "unbound": lambda a: a.unbind(0)[-1],
    "split": lambda a: torch.cat(a.split(1)[::-1]),
    "padded": lambda a: torch.nn.functional.pad(a, (1, 2)),
    "picked": lambda a: flat(a)[torch.tensor([0, 0, -1])],
    "add in place": lambda a: a.add_(1),
    "scale a part in place": lambda a: a[1:].mul_(2),
    "fill in place": lambda a: a[0].fill_(0.5),
    "slice and add": lambda a: a.__setitem__(slice(1, None), a[1:] + 1),
    "unsqueezed in place": lambda a: a.unsqueeze_(0),
}
BINARY = {
    "sum of two": torch.add,
    "product": torch.mul,
    "joined": lambda a, b: torch.cat([flat(a), flat(b)]),
    "stacked": lambda a, b: torch.stack([a, b]),
    "copied in place": lambda a, b: a.copy_(b),
    "added in place": lambda a, b: a.add_(b),
    "written into": lambda a, b: torch.mul(b, 2, out=a) if a.shape == b.shape else None,
}
STEPS = [*UNARY.values(), *BINARY.values()]
steps = st.lists(
    st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 9), st.integers(0, 9)),
    min_size=1,
    max_size=14,
)
kinds = st.sampled_from([torch.float64, torch.complex128])


def program(plan):
    """A function of one tensor that takes the steps it can, and gives all that is left over."""

    def fn(x):
        pool = [x * 1, x + 1]
        for step in plan:
            made = taken(pool, *step)
            if made is not None and made.numel() < 200:
                pool.append(made)
        return [a * 1 for a in pool] + pool[-2:]

    return fn


def taken(pool, number, i, j):
    first, second = pool[i % len(pool)], pool[j % len(pool)]
    return STEPS[number](*([first] if number < len(UNARY) else [first, second]))


def possible(plan, x):
    """The steps that can be taken: where shapes fit, and memory does not overlap."""
    found = []
    for step in plan:
        try:
            program([*found, step])(x)
        except (RuntimeError, IndexError, TypeError, ValueError):
            continue
        found.append(step)
    return found


@settings(max_examples=40)
@given(steps, kinds)
def test_programs_equal_their_traces(plan, dtype):
    fn = program(possible(plan, torch.ones(2, 3, dtype=dtype)))
    replayed = qf.jit(fn)
    for seed in range(2):
        x = qf.uniforms((2, 3), seed, dtype=torch.float64).to(dtype)
        x = x * (1 + 0.5j) if dtype.is_complex else x
        kept = x.clone()
        for found, expected in zip(replayed(x), fn(x.clone()), strict=True):
            assert torch.equal(found, expected)
            found.zero_()
        assert torch.equal(x, kept)


@settings(max_examples=15)
@given(steps)
def test_gradients_of_such_programs(plan):
    fn = program(possible(plan, torch.ones(2, 3, dtype=torch.float64)))

    def number(x):
        return sum((part * part.cos()).sum() for part in fn(x))

    replayed, through = qf.jit(grad(number)), qf.jit(number)
    for seed in range(2):
        x = qf.uniforms((2, 3), seed, dtype=torch.float64)
        try:
            expected = grad(number)(x)
        except RuntimeError:  # a value that the way back needs was changed in place
            reject()
        assert torch.equal(replayed(x), expected)
        leaf = x.clone().requires_grad_()
        size = 1.0 + float(expected.abs().sum())
        assert_close(torch.autograd.grad(through(leaf), leaf)[0], expected, n_gates=64, scale=size)


def count(fn, *tensors):
    """Operations of the shortened trace of a function that lists tensors."""
    draft, results = tracing.draft_of(fn, "fn", tensors)
    passes.simplify(draft)
    passes.separate_results(draft, len(results))
    return [node.target for node in draft.graph.nodes if node.op == "call_function"]


X = torch.arange(6.0)
SHORTER = {
    "equal operations": (lambda x: [x.sin() + x.sin()], 2),
    "numbers": (lambda x: [x * (torch.tensor([2.0]) + torch.zeros(6)).cos()], 1),
    "a shape": (lambda x: [x * (torch.ones_like(x) * 2)], 1),
    "views": (lambda x: [x.sin().view(2, 3).mT[1:].unsqueeze(0).cos()], 3),
    "a way there and back": (lambda x: [x.view(2, 3).mT.mT.view(6).cos()], 1),
    "a copy": (lambda x: [x.sin().clone().clone().cos()], 2),
    "an addition to a part": (lambda x: [y := x.sin(), y[2:].__iadd__(1)][:1], 3),
    "packing": (lambda x: [torch.cat([x.view(2, 3)[i] for i in (1, 0)] + [x[:2], x[4:]]).cos()], 2),
    "numbers, and views of what is made of them": (
        lambda x: [x[:3] * (2 * torch.eye(3) @ torch.eye(3)).t().expand(2, 3, 3)],
        2,
    ),
    "a buffer": (lambda x: [torch.index_select(x, 0, PLACES, out=torch.empty(4)).cos()], 2),
    "a buffer that is shown": (lambda x: [picked_into(x, shows_early=True).cos()], 3),
    "a buffer, written twice": (lambda x: [picked_into(x, twice=True)], 6),
    "a buffer beside its likeness": (lambda x: [beside_its_likeness(x)], 6),
    "a conjugate": (lambda x: [torch.complex(x, x).conj().clone()], 2),
    "unused": (lambda x: [x.sin().cos(), x.sin()][1:], 1),
    "an axis of one place": (
        lambda x: [aten.select_backward(x.sin(), [1, 6], 0, 0).cos()],
        3,
    ),
}


@pytest.mark.parametrize("name", SHORTER)
def test_what_is_left(name):
    fn, expected = SHORTER[name]
    assert len(count(fn, X)) == expected, count(fn, X)


def test_a_conjugate_in_one_operation_is_one():
    """Other numbers than those that are not conjugated, and than those of the trace."""
    x = torch.complex(X, X + 1)
    draft, _ = tracing.draft_of(lambda x: [x.conj().clone()], "fn", (x,))
    passes.simplify(draft)
    (found,) = executors.choose(draft, (x,)).run((x,))
    assert torch.equal(found, torch.complex(X, -X - 1))


def test_a_gradient_is_unpacked_in_one_step():
    """Eight slices, their zero-padded parts and the sums of these are one selection."""

    def loss(p):
        return (torch.cat([p[i, :, j] for j in range(2) for i in range(2)]) ** 3).sum()

    found = count(lambda p: [grad(loss)(p)], torch.rand(2, 4, 2))
    assert aten.select_backward.default not in found
    assert found.count(aten.index_select.default) == 2


@pytest.mark.parametrize("size", [2**10, 2**17])
def test_large_numbers_are_not_kept(size):
    draft, _ = tracing.draft_of(lambda x: [x + torch.ones(size)], "fn", [torch.rand(size)])
    passes.simplify(draft)
    kept = sum(constant.numel() for constant in draft.constants.values())
    assert kept == (size if size <= passes.FOLDED_ENTRIES else 0)


@pytest.mark.parametrize("name", ["C++ interpreter", "straight-line Python"])
def test_executors_agree(name, monkeypatch):
    room = executors.choosing.EXECUTORS[name]
    monkeypatch.setattr(executors.choosing, "EXECUTORS", {name: room})
    for fn in (
        *(program(possible(plan, X.view(2, 3))) for plan in PLANS),
        lambda x: [torch.linalg.inv(x[:, :2] + torch.eye(2))],
    ):
        replayed = qf.jit(fn)
        assert name in replayed.explain(X.view(2, 3))
        for x in (X.view(2, 3), X.flip(0).view(2, 3)):
            for found, expected in zip(replayed(x), fn(x.clone()), strict=True):
                assert torch.equal(found, expected)
    inverse = qf.jit(torch.linalg.inv)
    assert torch.equal(inverse(2 * torch.eye(2)), torch.eye(2) / 2)
    with pytest.raises(RuntimeError, match="singular"):
        inverse(torch.zeros(2, 2))


PLANS = [[(i, 0, 1), (3 * i % len(STEPS), 2, 0)] for i in range(0, len(STEPS), 2)]


def test_straight_line_python_is_at_hand_where_the_interpreter_is_not(monkeypatch):
    def gone(*_):
        raise AttributeError("_create_function_from_graph")

    monkeypatch.setattr(executors.cpp_interpreter, "compile_in_cpp", gone)
    replayed = qf.jit(torch.sin)
    assert "straight-line Python" in replayed.explain(X)
    assert torch.equal(replayed(X), X.sin())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_graphs():
    def fn(theta):
        state = qf.circuit(4, qf.ry(theta, range(4)), qf.cx([(0, 1), (2, 3)]))()
        return qf.expval(state, qf.pauli_sum({"ZZII": 1.0, "IXXI": 0.5}))

    replayed = qf.jit(torch.func.grad_and_value(fn))
    for seed in range(3):
        theta = qf.uniforms(4, seed).cuda()
        found, expected = replayed(theta), torch.func.grad_and_value(fn)(theta)
        for a, b in zip(found, expected, strict=True):
            assert_close(a, b, n_gates=16)
            a.zero_()
    assert "CUDA graph" in replayed.explain(theta)


def test_sums_of_parts_that_overlap_are_no_movements():
    def fn(x):
        return torch.cat([x[:3], x[3:]]).flip(0).flip(0) + x.flip(0).flip(0).clone()

    assert torch.equal(qf.jit(fn)(X), 2 * X)


def test_an_operation_that_failed_within_the_function_is_left_out():
    def fn(x):
        try:
            return torch.stack([x, x[:2]])
        except RuntimeError:
            return x * 2

    assert torch.equal(qf.jit(fn)(X), 2 * X)
