"""Steps that cannot be undone: planned, run and walked back beside all others."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.compare import assert_close
from torch.func import grad, hessian, jacfwd, jvp, vjp, vmap

import quilt_func as qf
from quilt_func.evolution import planner, reference, reversible_run
from quilt_func.evolution.steps import Operator
from quilt_func.testing import strategies as qst

F64, C128 = torch.float64, torch.complex128
N = 7
RING = [(i, (i + 1) % N) for i in range(N)]
WORDS = qf.pauli_sum({"XZIIIIY": 0.5, "ZZZZZZZ": 1.0, "IXIIIII": -0.3})
LOSSY = torch.tensor([[1.0, 0.2], [0.1j, 0.8]], dtype=C128) / 1.1
PAIR = torch.diag(torch.tensor([1.0, 0.9, 0.7, 0.6], dtype=C128))


@qf.gate(n_wires=1, unitary=False)
def damp(theta):
    keep = torch.complex((-theta.square()).exp(), 0 * theta)
    one = torch.ones_like(keep)
    return torch.stack([torch.stack([one, 0 * one]), torch.stack([0 * one, keep])])


def mixed(t, x):
    """One operator among blocks, permutations and phases; matrices and angles that are leaves."""
    return qf.circuit(
        N, qf.ry(x, range(N)), qf.cx(RING), qf.linear(LOSSY * (1 + t[0]), 2),
        qf.rzz(t[1], RING), damp(t[2], [3, 0]), qf.rx(t[1], range(N)), qf.linear(PAIR, [(5, 1)]),
        qf.cz(RING), qf.ry(t[0], range(N)),
    )  # fmt: skip


def many(t, x):
    """More operators than states that are kept."""
    layers = [
        (damp(t[i % 3] / 4, i % N), qf.rx(t[2], range(N)), qf.cx(RING[i % N : i % N + 1]))
        for i in range(3 * planner.CHECKPOINTS)
    ]
    return qf.circuit(N, qf.ry(x, range(N)), layers)


def alone(t, x):
    """Nothing else, from the first step on."""
    return qf.circuit(N, qf.linear(LOSSY * (1 + t[0]), range(N)), damp(x[:2], [1, 1]))


CIRCUITS = {"mixed": mixed, "many": many, "alone": alone}
T, X = torch.tensor([0.3, -0.8, 0.4], dtype=F64), 2 * qf.uniforms(N, 0, dtype=F64)
TRANSFORMS = {
    "value": lambda f: f(T, X),
    "grad": lambda f: torch.cat(grad(f, (0, 1))(T, X)),
    "vmap(grad)": lambda f: vmap(grad(f), (0, None))(torch.stack([T, -T]), X),
    "grad(vmap)": lambda f: grad(
        lambda t: vmap(f, (None, 0))(t, torch.stack([X, -X, 2 * X])).square().sum()
    )(T),
    "jvp": lambda f: jvp(lambda t: f(t, X), (T,), (T.cos(),))[1],
    "jvp(grad)": lambda f: jvp(grad(lambda t: f(t, X)), (T,), (T.cos(),))[1],
    "hessian": lambda f: hessian(f)(T, X),
    "grad(grad)": lambda f: grad(lambda t: grad(f)(t, X).square().sum())(T),
    "jacfwd(jacfwd)": lambda f: jacfwd(jacfwd(f))(T, X),
    "vmap(hessian)": lambda f: vmap(hessian(f), (0, None))(torch.stack([T, -T]), X),
}


def energy(circuit, run):
    return lambda t, x: qf.expval(run(circuit(t, x)), WORDS)


def fast(circuit):
    return energy(circuit, lambda c: c(dtype=C128))


def slow(circuit):
    return energy(circuit, lambda c: reference.run(c.ops, qf.zero_state(N, dtype=C128)))


@pytest.mark.parametrize("name", CIRCUITS)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_it_is_the_reference(name, transform):
    got, expected = (TRANSFORMS[transform](f(CIRCUITS[name])) for f in (fast, slow))
    assert_close(got, expected, n_gates=1024, scale=64.0 * max(1.0, float(expected.abs().max())))


@pytest.mark.parametrize("name", CIRCUITS)
def test_it_is_the_reference_from_a_state(name):
    """With gradients of the state, with and without what a run has kept."""
    start = qf.random_state(qf.uniforms((2, 2**N), 4, dtype=F64))

    def pulled(run):
        value, pull = vjp(lambda s, t: run(CIRCUITS[name](t, X), s), start, T)
        return [part for c in (1.0, 2.0j) for part in pull(c * value)]

    ours, theirs = pulled(lambda c, s: c(s)), pulled(lambda c, s: reference.run(c.ops, s))
    for got, expected in zip(ours, theirs, strict=True):
        assert_close(got, expected, n_gates=256, scale=8.0)


@pytest.mark.parametrize("name", CIRCUITS)
def test_the_callers_state_is_not_written_to(name, monkeypatch):
    """Not even where the first step cannot be undone, and nothing was kept."""
    monkeypatch.setattr(reversible_run.Run, "_checkpoints", lambda run, state: frozenset())
    start = qf.random_state(qf.uniforms((2, 2**N), 4, dtype=F64))
    before = start.clone()
    value, pull = vjp(lambda s, t: CIRCUITS[name](t, X)(s), start, T)
    first, again = pull(value), pull(value)
    assert torch.equal(start, before)
    for got, expected in zip(again, first, strict=True):
        assert torch.equal(got, expected)


@given(data=st.data())
def test_random_circuits_with_an_operator(data):
    ops = data.draw(qst.circuits(min_qubits=6, max_qubits=8, max_ops=12)).ops
    n = 8
    place = data.draw(st.integers(0, len(ops)))
    theta = torch.tensor(0.4, dtype=F64)

    def value(run):
        def f(theta):
            circuit = qf.circuit(n, ops[:place], damp(theta, [1, 4]), ops[place:], qf.h(0))
            return qf.expval(run(circuit), qf.pauli_sum({"X" + "Z" * (n - 1): 1.0}))

        return f

    if qf.circuit(n, ops).leaves and qf.circuit(n, ops).leaves[0].dtype not in (F64, C128):
        return
    ours = value(lambda c: c(qf.zero_state(n, dtype=C128)))
    theirs = value(lambda c: reference.run(c.ops, qf.zero_state(n, dtype=C128)))
    assert_close(grad(ours)(theta), grad(theirs)(theta), n_gates=256, scale=8.0)


def plan_of(circuit):
    acting = tuple(op.structure for op in circuit.ops)
    return planner.plan(circuit.n_qubits, acting, ((),) * len(acting), True)


def test_one_operator_leaves_the_rest_fused():
    chain = [(i, i + 1) for i in range(N - 1)]
    layers = [(qf.ry(0.1 * k, range(N)), qf.cx(chain)) for k in range(20)]
    whole = plan_of(qf.circuit(N, layers))
    split = plan_of(qf.circuit(N, layers[:10], qf.linear(LOSSY, 3), layers[10:]))
    assert len(split.steps) <= len(whole.steps) + 4
    assert len(split.irreversible) == 1
    (operator,) = (s for seg in split.segments for s in seg.steps if isinstance(s, Operator))
    assert operator.wires == (3,)


def test_states_that_are_kept_are_bounded_and_told():
    circuit = many(T, X)
    assert "kept  13 states before steps that cannot be undone" in qf.explain(circuit)
    assert "kept" not in qf.explain(qf.circuit(N, qf.h(range(N))))
    found, before = [], reversible_run.Run._before

    def watched(run, *args):
        *_, again, _ = args
        found.append((len(run.states), len(again)))
        return before(run, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reversible_run.Run, "_before", watched)
        patch.setattr(reversible_run, "KEPT", 0)
        grad(fast(many))(T, X)
    kept, again = (max(column) for column in zip(*found, strict=True))
    n_fronts = len(plan_of(circuit).irreversible)
    assert 0 < kept <= planner.CHECKPOINTS < n_fronts
    assert 0 < again <= -(-n_fronts // planner.CHECKPOINTS)


@pytest.mark.parametrize("mistake", ["undone", "late"])
def test_planted_mistakes_show(mistake, monkeypatch):
    """States undone with the adjoint, and states kept one step too late."""
    if mistake == "undone":
        monkeypatch.setattr(Operator, "is_reversible", True)
        monkeypatch.setattr(reversible_run, "KEPT", 0)
    else:
        advanced = reversible_run.Run._advanced
        monkeypatch.setattr(
            reversible_run.Run, "_advanced",
            lambda run, state, first, stop, kept, *rest: advanced(
                run, state, first, stop, frozenset(k + 1 for k in kept), *rest
            ),
        )  # fmt: skip
        monkeypatch.setattr(reversible_run, "KEPT", 0)
        before = reversible_run.Run._before
        monkeypatch.setattr(
            reversible_run.Run, "_before",
            lambda run, number, *rest: before(run, number + 1, *rest)
            if number + 1 in run.states
            else before(run, number, *rest),
        )  # fmt: skip
    planner.plan.cache_clear()
    with pytest.raises(AssertionError, match="deviation"):
        test_it_is_the_reference("many", "grad")
    planner.plan.cache_clear()
