"""Nested `vmap`s where each argument is batched over levels of its own, and derivatives of them.

A fused simulator must keep shared weights unbatched and still line up every level; here levels are
drawn for each argument, and the result is compared with explicit loops.
"""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.compare import assert_close
from systems import beam_splitter, damp
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

import quilt_func as qf

pytestmark = pytest.mark.usefixtures("each_route")
F64 = torch.float64
SIZES = (2, 3, 2)
BOUNDS = {"n_gates": 2048, "scale": 16.0}


def random_angles(seed, *shape):
    return 6 * qf.uniforms(shape, seed, dtype=F64) - 3


def random_states(seed, shape, n_qubits):
    u = qf.uniforms((*shape, 2, 2**n_qubits), seed, dtype=F64)
    function = qf.random_state
    for _ in shape:
        function = vmap(function)
    return function(u)


def value(a, b, c, state):
    """Rotations, user's gates and matrices on 6 wires in several blocks."""
    cos, sin = c.cos(), c.sin()
    matrix = torch.complex(
        torch.stack([cos, -sin, sin, cos]).reshape(2, 2), torch.zeros(2, 2).to(c)
    )
    circuit = qf.circuit(
        6,
        qf.ry(a, range(6)),
        qf.cx([(0, 3), (5, 1), (2, 4)]),
        beam_splitter(b, [(0, 5), (3, 2)]),
        qf.unitary(matrix, [1, 4]),
        qf.rzz(a[:3], [(0, 2), (1, 5), (4, 3)]),
        qf.crx(b, 5, 0),
    )
    return qf.expval(circuit(state), qf.pauli_sum({"XIZIIY": 0.5, "IZIIXI": 0.5}))


def arguments(levels):
    """Four arguments, each batched over its levels (True for each level it has)."""
    shapes = [tuple(size for size, has in zip(SIZES, own, strict=True) if has) for own in levels]
    return (
        random_angles(1, *shapes[0], 6),
        random_angles(2, *shapes[1]),
        random_angles(3, *shapes[2]),
        random_states(4, shapes[3], 6),
    )


def nested(function, levels):
    """Map over the levels that some argument has, the first outermost."""
    for level in reversed(range(len(SIZES))):
        in_dims = tuple(0 if own[level] else None for own in levels)
        if any(dim is not None for dim in in_dims):
            function = vmap(function, in_dims)
    return function


def looped(function, levels, args):
    used = [any(own[level] for own in levels) for level in range(len(SIZES))]
    sizes = [size for size, has in zip(SIZES, used, strict=True) if has]
    rows = []
    for index in product(
        *(range(size) if has else [0] for size, has in zip(SIZES, used, strict=True))
    ):
        picked = []
        for arg, own in zip(args, levels, strict=True):
            picked.append(arg[tuple(i for i, has in zip(index, own, strict=True) if has)])
        rows.append(function(*picked))
    stacked = torch.stack(rows)
    return stacked.reshape((*sizes, *stacked.shape[1:]))


FUNCTIONS = {
    "value": value,
    "grad by angles": grad(value),
    "grad by a shared angle": grad(value, 1),
    "grad by a matrix": grad(value, 2),
    "grad by the state": lambda *args: torch.view_as_real(grad(value, 3)(*args).resolve_conj()),
    "jvp": lambda a, b, c, s: jvp(lambda d: value(a, d, c, s), (b,), (torch.ones_like(b),))[1],
    "hessian": lambda a, b, c, s: hessian(lambda d: value(a, d, c, s))(b),
    "jacfwd(jacfwd)": lambda a, b, c, s: jacfwd(jacfwd(lambda d: value(a, b, d, s)))(c),
}
flags = st.tuples(*[st.booleans()] * len(SIZES))


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
@given(levels=st.tuples(flags, flags, flags, flags))
def test_levels_of_each_argument(function, levels):
    args = arguments(levels)
    assert_close(nested(function, levels)(*args), looped(function, levels, args), **BOUNDS)


@given(levels=st.tuples(flags, flags, flags, flags))
def test_gradient_of_the_nested_batch(levels):
    """grad(vmap(vmap(vmap))): each argument's gradient is summed over the levels that it lacks."""
    args = arguments(levels)
    got = grad(lambda *a: nested(value, levels)(*a).sum(), (0, 1, 2, 3))(*args)
    expected = grad(lambda *a: looped(value, levels, a).sum(), (0, 1, 2, 3))(*args)
    for one, other in zip(got, expected, strict=True):
        assert_close(one.resolve_conj(), other.resolve_conj(), n_gates=2048, scale=64.0)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_axes_of_leaves_and_states(axis):
    a, states = random_angles(5, 4, 6), random_states(6, (4,), 6)
    b, c = random_angles(7), random_angles(8)
    moved = a.movedim(0, axis).contiguous(), states.movedim(0, axis)
    expected = torch.stack([value(x, b, c, s) for x, s in zip(a, states, strict=True)])
    got = vmap(value, (axis, None, None, axis))(moved[0], b, c, moved[1])
    assert_close(got, expected, **BOUNDS)


def test_batches_of_one_and_of_none():
    a, b, c, state = arguments([(False,) * 3] * 4)
    one = vmap(value, (0, None, None, None))(a[None], b, c, state)
    assert_close(one, value(a, b, c, state)[None], **BOUNDS)
    one = vmap(grad(value), (None, None, None, 0))(a, b, c, state[None])
    assert_close(one, grad(value)(a, b, c, state)[None], **BOUNDS)


@pytest.mark.parametrize("n", [3, 7])
def test_batches_of_gates_that_are_not_unitary(n):
    theta, states = random_angles(9, 3) / 3, random_states(10, (3,), n)

    def f(t, s):
        circuit = qf.circuit(n, qf.rx(t, range(n)), damp(t, 0.3, n - 1), qf.cx(0, n - 1))
        return qf.probs(circuit(s))[1]

    loop = torch.stack([f(t, s) for t, s in zip(theta, states, strict=True)])
    assert_close(vmap(f)(theta, states), loop, **BOUNDS)
    slopes = torch.stack([grad(f)(t, s) for t, s in zip(theta, states, strict=True)])
    assert_close(vmap(grad(f))(theta, states), slopes, **BOUNDS)


def test_an_output_that_depends_on_no_batched_argument():
    fixed = qf.circuit(6, qf.h(range(6)))
    got = vmap(lambda x: x * qf.expval(fixed(), qf.pauli_sum({"XIIIII": 1.0})))(torch.arange(3.0))
    assert_close(got, torch.arange(3.0), n_gates=64, scale=4.0)


STATE = qf.random_state(qf.uniforms((2, 64), 4, dtype=F64))


def of_constants(x):
    """A state that moves, and gates that do not."""
    line = torch.complex(x, x.sin()) * STATE
    return qf.circuit(6, qf.h(0), qf.cx(0, 3))(line).abs().pow(4).sum()


def of_one_phase(x):
    """A single leaf, whose cosine is the first thing that is taken of it."""
    amplitudes = qf.circuit(6, qf.h(range(6)), qf.p(x, 2))(dtype=torch.complex128)
    return (amplitudes * torch.linspace(0, 1, 64, dtype=F64)).sum().abs()


def twice(f):
    def h(x):
        slope, pull = vjp(grad(f), x)
        return pull(torch.ones_like(slope))[0]

    return h


@pytest.mark.parametrize("f", [of_constants, of_one_phase])
def test_reverse_over_reverse_within_a_level(f):
    """Where a gradient does not depend on the state, and where it is saved with a leaf itself."""
    x = torch.tensor([0.3, 0.6], dtype=F64)
    expected = torch.stack([jacfwd(jacfwd(f))(one) for one in x])
    assert_close(vmap(twice(f))(x), expected, n_gates=64)
    third = jvp(twice(f), (x[0],), (torch.ones_like(x[0]),))[1]
    assert_close(third, jacfwd(jacfwd(jacfwd(f)))(x[0]), n_gates=256)


INFERENCE = {
    "grad": grad, "hessian": hessian, "vmap(grad)": lambda f: lambda x: vmap(grad(f))(x[None]),
    "jvp": lambda f: lambda x: jvp(f, (x,), (x,))[1], "jacrev(jacrev)": lambda f: jacrev(jacrev(f)),
    "qfi": lambda f: lambda x: qf.qfi(lambda y: many_kinds(y)(dtype=torch.complex128), x),
}  # fmt: skip


def many_kinds(x):
    matrix = torch.linalg.matrix_exp(
        1j * torch.tensor([[0.1, 0.4], [0.4, -0.3]], dtype=torch.complex128)
    )
    return qf.circuit(
        6, qf.ry(x, range(6)), qf.cx(0, 1), qf.u(x[0], x[1], 0.2, 3), qf.rzz(x[2], 0, 4),
        qf.unitary(matrix, 2), qf.rx(x, range(6)), qf.cx(1, 2),
    )  # fmt: skip


@pytest.mark.parametrize("transform", INFERENCE.values(), ids=INFERENCE)
def test_within_inference_mode(transform):
    words = qf.pauli_sum({"ZZZZZZ": 1.0, "XXIIII": 0.5})
    derivative = transform(lambda x: qf.expval(many_kinds(x)(dtype=torch.complex128), words))
    x = torch.linspace(0.1, 0.9, 6, dtype=F64)
    expected = derivative(x)
    with torch.inference_mode():
        assert_close(derivative(x), expected, n_gates=64)
        assert_close(derivative(x.clone()), expected, n_gates=64)
