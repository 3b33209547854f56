"""Reverse mode of reverse mode, whatever step a run ends with.

What comes back to the last step is the cotangent of a measurement, which torch conjugates lazily;
under `vmap` such a tensor's imaginary part cannot be read.
"""

import pytest
import torch
from oracles.compare import assert_close
from torch.func import grad, hessian, jacrev, vmap

import quilt_func as qf
from quilt_func import noise
from quilt_func.evolution.planner import plan
from quilt_func.evolution.steps import (
    Block,
    DiagonalPhases,
    Operator,
    Permutation,
    WireOrder,
    diagonal_phases,
)

N = 6
ALL = range(N)
PAIRS = [(0, 3), (1, 4)]
LAST = {
    "block": (Block, lambda t: qf.rxx(t[1], [(0, 1), (4, 5)])),
    "operator": (Operator, lambda t: qf.linear(torch.stack([t[1], *T, t[0]]).diag() + 0j, 0, 1)),
    "wire order": (WireOrder, lambda t: qf.pauli_rot(t[1], "XIZIIY", *ALL)),
    "phases": (DiagonalPhases, lambda t: qf.rzz(t[1], PAIRS)),
    "permutation": (Permutation, lambda t: qf.cx([(0, 3), (5, 1), (2, 4), (1, 3)])),
}
MEASURED = {
    "expval": lambda state: qf.expval(state, {"XXIIII": 1.0}),
    "probs": lambda state: qf.probs(state)[5],
    "variance": lambda state: qf.variance(state, {"XXIIII": 1.0, "ZIIIII": 0.5}),
    "fidelity": lambda state: qf.fidelity(state, qf.ghz_state(N, dtype=state.dtype)),
}
C128 = torch.complex128
T = torch.tensor([0.3, 0.4], dtype=torch.float64)


def circuit(last, t):
    return qf.circuit(N, qf.h(ALL), qf.rx(t[0], 2), qf.ry(0.1 * T[1], ALL), LAST[last][1](t))


def kind_of_end(last):
    structures = tuple(op.structure for op in circuit(last, T).ops)
    return type(plan(N, structures, ((),) * len(structures), True).steps[-1])


@pytest.mark.parametrize("last", LAST)
def test_runs_end_as_they_say(last):
    assert kind_of_end(last) is LAST[last][0]


@pytest.mark.parametrize("last", LAST)
@pytest.mark.parametrize("measured", MEASURED)
def test_orders_agree(last, measured):
    def f(t):
        return MEASURED[measured](circuit(last, t)())

    expected = hessian(f)(T)
    assert_close(jacrev(grad(f))(T), expected, n_gates=256)
    assert_close(jacrev(jacrev(f))(T), expected, n_gates=256)

    def size(t):
        return grad(f)(t).square().sum()

    both = torch.stack([T, 2 * T])
    loop = torch.stack([2 * hessian(f)(t) @ grad(f)(t) for t in both])
    assert_close(vmap(grad(size))(both), loop, n_gates=256)
    assert_close(qf.jit(jacrev(grad(f)))(T), expected, n_gates=256)


def test_densities_that_end_with_phases():
    def f(t):
        ops = qf.ry(t[0], range(3)), qf.rzz(t[1], [(0, 1), (1, 2)])
        return qf.expval(qf.run_density(qf.circuit(3, *ops)), {"XXI": 1.0})

    assert_close(jacrev(grad(f))(T), hessian(f)(T), n_gates=256)


def test_a_lazy_cotangent_is_noticed(monkeypatch):
    """A mutant: phases that hand on a cotangent as it comes."""
    monkeypatch.setattr(diagonal_phases, "with_plain_cotangent", lambda given: given)
    with pytest.raises(RuntimeError, match="_neg_view"):
        test_orders_agree("phases", "expval")


@noise.channel(n_wires=1)
def damp(gamma):
    one, zero = torch.ones_like(gamma), torch.zeros_like(gamma)
    keep, lose = (one - gamma).sqrt(), gamma.sqrt()
    rows = [[one, zero, zero, keep], [zero, lose, zero, zero]]
    return torch.stack([torch.stack(row) for row in rows]).unflatten(-1, (2, 2))


def pair(t):
    return qf.circuit(2, qf.ry(t, [0, 1]), qf.cx(0, 1))()


def mixed(t):
    return 0.5 * qf.reduced_density(pair(t), [1]) + 0.25 * torch.eye(2, dtype=C128)


def dephased(t):
    operators = [torch.ones_like(t) * (1 - t[0]).sqrt(), torch.stack([t[0], -t[0]]) / t[0].sqrt()]
    kraus = torch.stack([operator.diag() for operator in operators]).to(C128)
    return qf.expval(qf.run_density(qf.circuit(1, qf.h(0), noise.kraus(kraus, 0))), {"X": 1.0})


ADJOINTS = {
    "kraus": dephased,
    "reduced density": lambda t: qf.expval(qf.reduced_density(pair(t), [1]), {"Z": 1.0}),
    "purity": lambda t: qf.purity(qf.reduced_density(pair(t), [1])),
    "entropy": lambda t: qf.entropy(mixed(t)),
    "fidelity with a state": lambda t: qf.fidelity(qf.ghz_state(1, dtype=C128), mixed(t)),
    "fidelity": lambda t: qf.fidelity(mixed(t), mixed(2 * t)),
    "own channel": lambda t: qf.expval(
        qf.run_density(qf.circuit(1, qf.ry(t[1], 0), damp(t[0], 0))), {"X": 1.0}
    ),
}


@pytest.mark.parametrize("name", ADJOINTS)
def test_orders_agree_behind_an_adjoint(name):
    expected = hessian(ADJOINTS[name])(T)
    for order in (jacrev(grad(ADJOINTS[name])), jacrev(jacrev(ADJOINTS[name]))):
        assert_close(order(T), expected, n_gates=1024, scale=16.0)
