"""Products on wires of all kinds, and phases by tables, against what they stand for."""

import itertools

import pytest
import torch
from oracles.compare import assert_close
from torch.func import grad, vmap

import quilt_func as qf
from quilt_func._amplitudes import apply_block, outer_product
from quilt_func.evolution import reference
from quilt_func.evolution.steps import block, phase_tables

F64 = torch.float64


def drawn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.complex128)


def front(state, wires):
    """The state with the wires' axes first, by plain axes."""
    lead, size, last = state.shape
    axes = state.reshape(lead, *(2,) * (size.bit_length() - 1), last)
    moved = axes.movedim([1 + w for w in wires], list(range(1, 1 + len(wires))))
    return moved.reshape(lead, 2 ** len(wires), -1)


@pytest.mark.parametrize(("lead", "last"), [(1, 1), (1, 3), (2, 1), (2, 2)])
@pytest.mark.parametrize("n", [3, 9, 13])
def test_a_product_on_any_wires(n, lead, last):
    state, other = drawn(lead, 2**n, last), drawn(lead, 2**n, last, seed=1)
    sets = [w for k in (1, 2, 3) for w in itertools.combinations(range(n), k)]
    for wires in sets[:: max(1, len(sets) // 60)]:
        matrix, out = drawn(1, 2 ** len(wires), 2 ** len(wires), seed=2), torch.empty_like(state)
        apply_block(matrix, wires, state, out)
        assert_close(front(out, wires), matrix @ front(state, wires), n_gates=2**n, scale=8.0)
        expected = front(other, wires) @ front(state, wires).mT
        found = outer_product(other, state, wires)
        assert_close(found, expected, n_gates=2**n, scale=2.0**n)


def crossed(theta, n):
    pairs = [(0, n - 1), (1, n // 2), (n // 2, n - 2), (2, 3), (0, n // 2), (n - 2, n - 1)]
    return qf.circuit(
        n, qf.h(range(n)), qf.rzz(theta[0], pairs), qf.rz(theta[1], range(n)), qf.s(1),
        qf.rx(theta[2], range(n)), qf.cp(theta[3], pairs), qf.cz(0, 5), qf.rx(theta[0], range(n)),
    )  # fmt: skip


def test_phases_by_tables_of_pairs(monkeypatch):
    """Values, gradients, and those of a batch, with tables from few wires on and without."""
    n, theta = 7, 6 * qf.uniforms((2, 4), 3, dtype=F64)
    words = qf.pauli_sum({"XZIYIZI": 1.0, "ZZIIIIX": -0.5})

    def energy(run):
        return lambda theta: qf.expval(run(crossed(theta, n)), words)

    expected = energy(lambda c: reference.run(c.ops, qf.zero_state(n, dtype=torch.complex128)))
    for fewest in (3, 30):
        monkeypatch.setattr(phase_tables, "FEWEST", fewest)
        qf.evolution.planner.plan.cache_clear()
        ours = energy(lambda c: c(dtype=torch.complex128))
        assert_close(ours(theta[0]), expected(theta[0]), n_gates=64, scale=8.0)
        assert_close(grad(ours)(theta[0]), grad(expected)(theta[0]), n_gates=64, scale=64.0)
        assert_close(vmap(grad(ours))(theta), vmap(grad(expected))(theta), n_gates=64, scale=64.0)
        hessians = (torch.func.hessian(f)(theta[0]) for f in (ours, expected))
        assert_close(*hessians, n_gates=64, scale=512.0)
    qf.evolution.planner.plan.cache_clear()


def test_words_on_all_three_groups_have_no_tables():
    n = phase_tables.FEWEST
    assert len(phase_tables.pair_tables(n, [(), (0,), (0, n - 1), (0, n // 2)])) == 3
    assert phase_tables.pair_tables(n, [(0, n // 2, n - 1)]) == ()
    assert phase_tables.pair_tables(n - 1, [(0,)]) == ()


@pytest.mark.parametrize(("lead", "last"), [(1, 1), (2, 3)])
def test_a_product_with_a_real_matrix(lead, last):
    n = 9
    state = drawn(lead, 2**n, last)
    for wires in [(0, 1, 2), (3, 4), (n - 1,), (n - 3, n - 2), (0, 4, 7)]:
        matrix, out = drawn(1, 2 ** len(wires), 2 ** len(wires)), torch.empty_like(state)
        apply_block(matrix.real.contiguous(), wires, state, out)
        expected = matrix.real.to(state.dtype) @ front(state, wires)
        assert_close(front(out, wires), expected, n_gates=2**n, scale=8.0)


def real_and_not(theta, n):
    chain = [(i, i + 1) for i in range(n - 1)]
    real = qf.ry(theta[0], range(n)), qf.cx(chain), qf.h(2), qf.cz(0, 5)
    return qf.circuit(n, real, qf.rx(theta[1], [n - 1, 4]), real, qf.ry(theta[2], range(n)))


def check_real(n, theta, monkeypatch):
    words = qf.pauli_sum({"XZIYIZI": 1.0, "ZZIIIIX": -0.5})

    def energy(run):
        return lambda theta: qf.expval(run(real_and_not(theta, n)), words)

    monkeypatch.setattr(block, "REAL", n)
    monkeypatch.setattr(block, "REAL_BEFORE", 0)
    qf.evolution.planner.plan.cache_clear()
    ours = energy(lambda c: c(dtype=torch.complex128))
    plain = energy(lambda c: reference.run(c.ops, qf.zero_state(n, dtype=torch.complex128)))
    both = torch.stack([theta, -theta])
    assert_close(vmap(grad(ours))(both), vmap(grad(plain))(both), n_gates=64, scale=64.0)
    hessians = (torch.func.hessian(f)(theta) for f in (ours, plain))
    assert_close(*hessians, n_gates=64, scale=512.0)


def test_blocks_of_real_gates_under_transforms(monkeypatch):
    """Real ones among others; a mutant that takes all for real is noticed."""
    n, theta = 7, 6 * qf.uniforms(3, 5, dtype=F64)
    monkeypatch.setattr(block, "REAL", n)
    monkeypatch.setattr(block, "REAL_BEFORE", 0)
    qf.evolution.planner.plan.cache_clear()
    acting = tuple(op.structure for op in real_and_not(theta, n).ops)
    steps = qf.evolution.planner.plan(n, acting, ((),) * len(acting), True).steps
    assert {step.is_real for step in steps if isinstance(step, block.Block)} == {True, False}
    check_real(n, theta, monkeypatch)
    monkeypatch.setattr(block, "_pays_as_real", lambda n, wires, gates: True)
    with pytest.raises(AssertionError):
        check_real(n, theta, monkeypatch)
    qf.evolution.planner.plan.cache_clear()
