"""The forward rule of `evolve`, against the same transform of the reference, gate by gate.

All that can move moves at once: angles, matrices, which leave the unitary group on the way, states
and coefficients, each by one of two shared numbers; some angles are batched.
"""

from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.compare import assert_close
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap

import quilt_func as qf
from quilt_func._torch.trees import tree_flatten, tree_unflatten
from quilt_func.evolution import reference
from quilt_func.evolution.planner import plan
from quilt_func.evolution.steps import Block, block
from quilt_func.evolution.tangents import jacobians
from quilt_func.testing import strategies as qst

pytestmark = pytest.mark.usefixtures("each_route")
F32, F64 = torch.float32, torch.float64
T, V = torch.zeros(2), torch.tensor([0.6, -0.8])
few = settings(max_examples=3)


def direction(like, seed):
    u = qf.uniforms((*like.shape, 2), seed, dtype=F64) - 0.5
    return (torch.view_as_complex(u) if like.is_complex() else u[..., 0]).to(like.dtype)


@st.composite
def models(draw, dtype=F64):
    """A function of `t` and `x`, of the route that a circuit takes; and its number of gates."""
    circuit = draw(qst.circuits(min_qubits=6, max_qubits=7, max_ops=8, dtype=dtype))
    leaves, structure = tree_flatten(circuit)
    n = circuit.n_qubits
    kind = torch.complex64 if dtype == F32 else torch.complex128
    state = draw(st.none() | qst.states(n, dtype=kind))
    words = draw(qst.pauli_sums(n, dtype=dtype))
    movers = st.sampled_from(["t0", "t1", "x", "t0 x", ""])
    moves = draw(st.lists(movers, min_size=len(leaves) + 2, max_size=len(leaves) + 2))

    given = [*leaves, words.coefficients, words.coefficients if state is None else state]
    directions = [direction(value, place) for place, value in enumerate(given)]

    def moved(value, place, t, x):
        by, parts = directions[place], moves[place].split()
        if "x" in parts and not value.dtype.is_complex:
            value = value + x * by
        for i in (0, 1):
            value = value + t[i] * by if f"t{i}" in parts else value
        return value

    def function(run):
        def f(t, x):
            changed = [moved(leaf, place, t, x) for place, leaf in enumerate(leaves)]
            start = None if state is None else moved(state, -1, t, x)
            observable = qf.pauli_sum(words.words, moved(words.coefficients, -2, t, x))
            return qf.expval(run(tree_unflatten(changed, structure), start, kind), observable)

        return f

    return function, circuit.n_gates


def fast(circuit, state, kind):
    return circuit(dtype=kind) if state is None else circuit(state)


def by_reference(circuit, state, kind):
    start = qf.zero_state(circuit.n_qubits, dtype=kind) if state is None else state
    return reference.run(circuit.ops, start)


def along(f, t, v):
    return jvp(f, (t,), (v,))[1]


TRANSFORMS = {
    "jvp": lambda f, t, v, xs: along(lambda s: f(s, xs[0]), t, v),
    "jacfwd": lambda f, t, v, xs: jacfwd(f)(t, xs[0]),
    "jvp(grad)": lambda f, t, v, xs: along(lambda s: grad(f)(s, xs[0]), t, v),
    "grad(jvp)": lambda f, t, v, xs: grad(lambda s: along(lambda r: f(r, xs[0]), s, v))(t),
    "hessian": lambda f, t, v, xs: hessian(f)(t, xs[0]),
    "jacrev(jacfwd)": lambda f, t, v, xs: jacrev(jacfwd(f))(t, xs[0]),
    "vmap(jvp)": lambda f, t, v, xs: vmap(lambda x: along(lambda s: f(s, x), t, v))(xs),
    "vmap(hessian)": lambda f, t, v, xs: vmap(hessian(f), (None, 0))(t, xs),
    "jvp(vmap)": lambda f, t, v, xs: along(lambda s: vmap(f, (None, 0))(s, xs), t, v),
    "jacfwd(vmap)": lambda f, t, v, xs: jacfwd(lambda s: vmap(f, (None, 0))(s, xs))(t),
    "hessian(vmap)": lambda f, t, v, xs: hessian(lambda s: vmap(f, (None, 0))(s, xs).sum())(t),
    "hessian(vmap), each": lambda f, t, v, xs: hessian(lambda s: vmap(f, (None, 0))(s, xs))(t),
    "jacfwd(jacfwd)": lambda f, t, v, xs: jacfwd(jacfwd(f))(t, xs[0]),
    "jacfwd(hessian)": lambda f, t, v, xs: jacfwd(hessian(f))(t, xs[0]),
    "jacfwd(jacfwd(grad))": lambda f, t, v, xs: jacfwd(jacfwd(grad(f)))(t, xs[0]),
    "grad(trace of hessian)": lambda f, t, v, xs: grad(lambda s: hessian(f)(s, xs[0]).trace())(t),
    "vmap(grad(jvp(grad)))": lambda f, t, v, xs: vmap(
        lambda x: grad(lambda s: along(lambda r: grad(f)(r, x), s, v).sum())(t)
    )(xs),
}


def way(has_slopes):
    """Derivatives of blocks of rotations, by shifted angles or in forward mode."""
    return patch.object(jacobians, "has_few_slopes", lambda *_: has_slopes)


def check(model, transform, dtype):
    function, n_gates = model
    xs = torch.tensor([0.4, -0.7], dtype=dtype)
    got, expected = (
        transform(function(run), T.to(dtype), V.to(dtype), xs) for run in (fast, by_reference)
    )
    assert got.dtype == dtype
    assert_close(got, expected, n_gates=256 * (1 + n_gates), scale=64.0)


@pytest.mark.parametrize("has_slopes", [False, True], ids=["duals", "slopes"])
@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
@few
@given(model=models())
def test_it_is_the_derivative_of_the_reference(transform, has_slopes, model):
    with way(has_slopes):
        check(model, transform, F64)


@pytest.mark.parametrize("has_slopes", [False, True], ids=["duals", "slopes"])
@few
@given(model=models())
def test_many_directions_agree_with_few(has_slopes, model):
    """Twelve directions, of which any four are dependent, and one at a time."""
    function, n_gates = model
    f, x = function(fast), torch.tensor(0.4, dtype=F64)
    spread = direction(torch.zeros(2, 12, dtype=F64), 7)

    def wide(s):
        return f(spread @ s, x)

    at = torch.zeros(12, dtype=F64)
    with way(has_slopes):
        got = hessian(wide)(at)
    expected = spread.T @ hessian(function(by_reference))(T.to(F64), x) @ spread
    assert_close(got, expected, n_gates=256 * (1 + n_gates), scale=64.0)


@pytest.mark.parametrize("name", ["jvp", "hessian", "vmap(hessian)"])
@few
@given(model=models(F32))
def test_single_precision_stays(name, model):
    check(model, TRANSFORMS[name], F32)


def no_tangent_of_the_matrix(step, operand, tangent, jet, **options):
    return PUSH(step, operand, None, jet, **options)


def not_conjugated(before, after):
    turned = after.clone()
    turned[..., 1:, :] = after[..., 1:, :].conj()
    return OUTER(before, turned)


def no_curvature(slopes, by):
    slopes.along = None
    return PULL_SLOPES(slopes, by)


def only_the_value(duals, by):
    duals.tangents_built = None
    return PULL_DUALS(duals, by)


Slopes, Duals = jacobians.Slopes, jacobians.Duals
PUSH, OUTER, PULL_SLOPES, PULL_DUALS = Block.push, block._outer, Slopes._pulled, Duals._pulled
MISTAKES = [
    (Block, "push", no_tangent_of_the_matrix, True),
    (block, "_outer", not_conjugated, True),
    (Slopes, "_pulled", no_curvature, True),
    (Duals, "_pulled", only_the_value, False),
]


@pytest.mark.parametrize(
    ("place", "name", "mistake", "has_slopes"), MISTAKES, ids=[m[2].__name__ for m in MISTAKES]
)
def test_planted_mistakes_show(place, name, mistake, has_slopes, monkeypatch):
    monkeypatch.setattr(jacobians, "has_few_slopes", lambda *_: has_slopes)
    theta = 6 * qf.uniforms((2, 6, 2), 0, dtype=F64)
    words = qf.pauli_sum({"XXIIII": 1.0, "IZZIIY": 0.5})

    def value(run):
        def f(t, x):
            circuit = qf.circuit(6, qf.ansatz.hardware_efficient(theta * (1 + t[0]) + x * t[1]))
            return qf.expval(run(circuit, None, torch.complex128), words)

        return f

    check((value, 48), TRANSFORMS["hessian"], F64)
    monkeypatch.setattr(place, name, mistake)
    with pytest.raises(AssertionError, match="deviation"):
        check((value, 48), TRANSFORMS["hessian"], F64)


@pytest.mark.parametrize(
    ("n_layers", "n_directions", "of_blocks", "of_the_start"),
    [(1, 1, True, False), (1, 6, True, False), (1, 7, True, True), (4, 1, False, False)],
)
def test_slopes_are_taken_where_they_cost_less(n_layers, n_directions, of_blocks, of_the_start):
    """A block may have sixteen; a product state as many as there are directions, twice."""
    layers = qf.ansatz.hardware_efficient(torch.zeros(n_layers, 6, 2))
    more = [qf.rx(0.1 * k, range(6)) for k in range(n_layers)] * (1 if n_layers == 1 else 8)
    ops = qf.circuit(6, layers, more).ops
    found = plan(6, tuple(op.structure for op in ops), ((),) * len(ops), True)
    assert found.prefix is not None
    assert found.prefix.angles.shape == (1, 12)
    assert jacobians.has_few_slopes(found.prefix, n_directions) == of_the_start
    recipes = [one.stack for segment in found.segments for one in segment.recipes]
    turning = [stack for stack in recipes if stack.angles.size]
    assert all(jacobians.has_few_slopes(s, n_directions) for s in turning) == of_blocks


@pytest.mark.parametrize("has_slopes", [False, True], ids=["duals", "slopes"])
def test_large_angles_keep_their_precision(has_slopes):
    """A thousand turns on, an angle has three digits fewer, but not its derivatives."""
    theta = 6 * qf.uniforms((1, 6, 2), 0) + 1000 * torch.pi
    words = qf.pauli_sum({"ZIIIII": 1.0, "IXIIII": 1.0, "IIYIII": 1.0, "IIIZII": 1.0})

    def energy(theta):
        return qf.expval(qf.circuit(6, qf.ansatz.hardware_efficient(theta))(), words)

    with way(has_slopes):
        assert_close(hessian(energy)(theta), hessian(energy)(theta.double()), n_gates=12)
        assert_close(jacfwd(energy)(theta), jacfwd(energy)(theta.double()), n_gates=12)
