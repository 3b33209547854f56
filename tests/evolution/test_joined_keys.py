"""Mapped and other parameters that take turns on a wide state: planned with one batch key."""

import pytest
import torch
from torch.func import grad, jvp, vmap

import quilt_func as qf
from quilt_func.evolution import planner, signature
from quilt_func.testing import tolerance

F64 = torch.float64
N = signature.WIDE


def uploads(weights, x):
    """Layers that encode the sample again and again."""
    chain = [(i, i + 1) for i in range(N - 1)]
    layers = [(qf.rx(x, range(N)), qf.ry(w, range(N)), qf.cx(chain)) for w in weights]
    return qf.expval(qf.circuit(N, layers)(), qf.pauli_sum({("Z", (0,)): 1.0}, n_qubits=N))


def inputs(samples=3, layers=3):
    weights = 3 * qf.uniforms((layers, N), 0, dtype=F64)
    return weights, 3 * qf.uniforms((samples, N), 1, dtype=F64)


def apart(monkeypatch):
    monkeypatch.setattr(signature, "WIDE", 99)
    signature._joined.cache_clear()


@pytest.fixture(autouse=True)
def _joined_anew():
    signature._joined.cache_clear()
    yield
    signature._joined.cache_clear()


def mapped(weights, x):
    return vmap(uploads, (None, 0))(weights, x)


def test_values_and_derivatives_are_those_of_each_sample():
    weights, x = inputs()
    values = mapped(weights, x)
    bound = tolerance(F64, 9 * N)
    assert (values - torch.stack([uploads(weights, one) for one in x])).abs().max() < bound
    by_weights, by_x = grad(lambda w, x: mapped(w, x).square().sum(), (0, 1))(weights, x)
    singles = [grad(lambda w, x: uploads(w, x).square(), (0, 1))(weights, one) for one in x]
    assert (by_weights - sum(w for w, _ in singles)).abs().max() < 4 * bound
    assert (by_x - torch.stack([own for _, own in singles])).abs().max() < 4 * bound
    along = jvp(lambda w: mapped(w, x), (weights,), (torch.cos(weights),))[1]
    exact = [jvp(lambda w, x=one: uploads(w, x), (weights,), (weights.cos(),))[1] for one in x]
    assert (along - torch.stack(exact)).abs().max() < 4 * bound
    of_each = vmap(grad(uploads), (None, 0))(weights, x)
    assert (of_each - torch.stack([grad(uploads)(weights, one) for one in x])).abs().max() < bound


def steps_of_runs(monkeypatch):
    seen = []
    made = planner.plan

    def watched(n_qubits, ops, keys, from_zero):
        seen.append((set(keys), len(made(n_qubits, ops, keys, from_zero).steps)))
        return made(n_qubits, ops, keys, from_zero)

    monkeypatch.setattr(signature, "plan", watched)
    return seen


def test_fewer_steps(monkeypatch):
    weights, x = inputs()
    seen = steps_of_runs(monkeypatch)
    mapped(weights, x)
    (keys, n_steps), *_ = seen
    assert keys == {(), (0,)}  # CX has none
    apart(monkeypatch)
    seen.clear()
    mapped(weights, x)
    assert n_steps < seen[0][1] / 1.5


@pytest.mark.parametrize("wide", [N, N + 1])
def test_an_encoding_at_the_start_stays_apart(wide, monkeypatch):
    """Weights are one matrix for all samples, unless they take turns on a wide state."""
    monkeypatch.setattr(signature, "WIDE", wide)
    weights, x = inputs(layers=4 if wide > N else 1)

    seen = []
    joined = signature._joined

    def watched(n_qubits, ops, keys):
        seen.append(joined(n_qubits, ops, keys) == keys)
        return joined(n_qubits, ops, keys)

    monkeypatch.setattr(signature, "_joined", watched)
    mapped(weights, x)
    assert seen == [True]
