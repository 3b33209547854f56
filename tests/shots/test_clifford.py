"""Shadows by random Clifford circuits: all circuits, once each, and means over all of them."""

import math

import pytest
import torch
from oracles.compare import assert_close
from oracles.shots import GRID, check_clifford_mean, check_spread, every_clifford, some_state
from torch.func import vmap

import quilt_func as qf
from quilt_func.shots import clifford_shadow, clifford_shadow_estimate
from quilt_func.shots.clifford import transvections

F64 = torch.float64


@pytest.mark.parametrize(("n", "order"), [(1, 6), (2, 720)])
def test_every_symplectic_matrix_comes_once(n, order):
    """As many as the group has, none twice, each keeping which words commute."""
    u = every_clifford(n)
    x, z = torch.eye(2 * n, dtype=torch.int64).split(n, 1)
    images = torch.stack([x, z]).expand(len(u), 2, 2 * n, n)
    for h in transvections(u, n):
        clash = (images[:, 0] * h[1][:, None] + images[:, 1] * h[0][:, None]).sum(-1) % 2
        images = images ^ (clash[:, None, :, None] * torch.stack(h, 1)[:, :, None])
    assert len(u) == order == len(images.flatten(1).unique(dim=0))
    products = images[:, 0] @ images[:, 1].mT + images[:, 1] @ images[:, 0].mT
    assert torch.equal(products % 2, (x @ z.T + z @ x.T).expand_as(products))


@pytest.mark.parametrize("kind", ["state", "density"])
@pytest.mark.parametrize("n", [1, 2])
def test_means_over_all_circuits(n, kind):
    def value(state, observables, u):
        rho = torch.outer(state, state.conj()) if kind == "density" else state
        return clifford_shadow_estimate(clifford_shadow(rho, u), observables)

    check_clifford_mean(value, n)


def test_the_variance_is_bounded():
    """By three times the trace of the square of what has no trace."""
    u, state = every_clifford(2), some_state(2)
    ends = ((torch.arange(GRID, dtype=F64) + 0.5) / GRID).repeat(len(u))[:, None]
    shadow = clifford_shadow(state, torch.cat([u.repeat_interleave(GRID, 0), ends], 1))
    for observable in (qf.pauli_sum({"XY": 1.0}), qf.pauli_sum({"ZI": 1.0, "XX": -0.5})):
        found = clifford_shadow_estimate(shadow, observable)
        variance = float(found.error**2 * len(shadow.states))
        assert variance < 3 * 4 * sum(c**2 for c in observable.coefficients)


def test_means_and_errors():
    state, other = some_state(3), some_state(3, 8)
    target = qf.hermitian(torch.outer(other, other.conj()))
    u = qf.uniforms((1000, 40, 7), 0, dtype=F64)
    found = vmap(lambda v: clifford_shadow_estimate(clifford_shadow(state, v), target))(u)
    check_spread((found.mean, found.error), qf.fidelity(state, other))


def test_more_qubits():
    ghz = qf.ghz_state(6, dtype=torch.complex128)
    shadow = clifford_shadow(ghz, qf.uniforms((3000, 13), 0, dtype=F64))
    target = qf.hermitian(torch.outer(ghz, ghz.conj()))
    found = clifford_shadow_estimate(shadow, target)
    assert abs(found.mean - 1) < 5 * found.error
    assert found.error < math.sqrt(3 / 3000)
    norms = shadow.states.abs().square().sum(1)
    assert_close(norms, torch.ones_like(norms), n_gates=64)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
def test_dtypes(dtype):
    found = clifford_shadow(qf.ghz_state(2, dtype=dtype), qf.uniforms((4, 5), 0))
    assert found.states.dtype == dtype
    value = clifford_shadow_estimate(found, qf.pauli_sum({"ZZ": 1.0}))
    assert value.mean.dtype == value.error.dtype == dtype.to_real()
