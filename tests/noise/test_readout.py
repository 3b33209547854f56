"""Readout errors: closed forms, samples against probabilities, and the way back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import grad, jacfwd

import quilt_func as qf
from quilt_func.noise import readout, sample_readout, undo_readout
from quilt_func.testing import fd_tolerance, tolerance

F64 = torch.float64
CONVERGED = fd_tolerance(F64, 1024.0)


def confusions(n, seed=0):
    wrong = 0.2 * qf.uniforms((n, 2), seed, dtype=F64)
    rows = [1 - wrong[:, 0], wrong[:, 1], wrong[:, 0], 1 - wrong[:, 1]]
    return torch.stack(rows, -1).reshape(n, 2, 2)


def some(n, seed=1):
    p = qf.uniforms(2**n, seed, dtype=F64)
    return p / p.sum()


def kron(matrices):
    found = torch.ones(1, 1, dtype=F64)
    for matrix in matrices:
        found = torch.kron(found, matrix)
    return found


@given(st.integers(1, 4), st.integers(0, 99))
def test_it_is_the_product_of_the_wires_matrices(n, seed):
    A, p = confusions(n, seed), some(n, seed)
    bound = tolerance(F64, 2**n)
    assert (readout(p, A) - kron(A) @ p).abs().max() < bound
    assert (readout(p, kron(A)) - kron(A) @ p).abs().max() < bound
    assert (undo_readout(readout(p, A), A) - p).abs().max() < 16 * bound


def test_some_wires_in_any_order():
    A, p = confusions(2), some(3)
    identity = torch.eye(2, dtype=F64)
    expected = kron([A[1], identity, A[0]]) @ p
    for given_matrix in (A, kron(A)):
        assert (readout(p, given_matrix, [2, 0]) - expected).abs().max() < tolerance(F64, 8)
    one = readout(p, A[0], [1])
    assert (one - kron([identity, A[0], identity]) @ p).abs().max() < tolerance(F64, 8)
    same = readout(p, A[0])
    assert (same - kron([A[0]] * 3) @ p).abs().max() < tolerance(F64, 8)


def test_the_measured_outcome_comes_first():
    A = torch.tensor([[0.966, 0.011], [0.034, 0.989]], dtype=F64)
    assert torch.equal(readout(torch.tensor([1.0, 0.0], dtype=F64), A), A[:, 0])


def test_samples_have_the_probabilities():
    n, shots = 2, 200_000
    A, p = confusions(n), some(n)
    true = torch.multinomial(p, shots, replacement=True, generator=torch.Generator().manual_seed(0))
    read = sample_readout(true, A, qf.uniforms((shots, n), 1, dtype=F64))
    seen = torch.bincount(read, minlength=4) / shots
    expected = readout(p, A)
    errors = (expected * (1 - expected) / shots).sqrt()
    assert bool(((seen - expected).abs() < 5 * errors).all())


def test_least_squares_stays_in_the_simplex():
    """Where the inverse is a distribution both agree; else it is the best on the boundary."""
    A, p = confusions(2), some(2)
    found = undo_readout(readout(p, A), A, method="least_squares", n_steps=2000)
    assert (found - p).abs().max() < CONVERGED
    noisy = torch.tensor([0.7, 0.3, -0.05, 0.05], dtype=F64)
    found = undo_readout(noisy, A, method="least_squares", n_steps=2000)
    assert bool((found >= 0).all())
    assert abs(found.sum() - 1) < tolerance(F64, 16)
    slope = kron(A).mT @ (kron(A) @ found - noisy)  # equal where positive, larger where zero
    assert bool((slope >= slope[found > CONVERGED].max() - CONVERGED).all())


def test_gradients_in_the_matrix():
    p = some(2)
    weights = torch.arange(4.0, dtype=F64)

    def value(A):
        return (weights * undo_readout(readout(p, A).detach() + 0.01, A)).sum()

    A, h = confusions(2), torch.finfo(F64).eps ** (1 / 3)
    found = grad(lambda A: (weights * readout(p, A)).sum())(A)
    step = torch.zeros_like(A)
    step[1, 0, 1] = h
    ends = [(weights * readout(p, A + s * step)).sum() for s in (1, -1)]
    assert abs(found[1, 0, 1] - (ends[0] - ends[1]) / (2 * h)) < fd_tolerance(F64, 8.0)
    assert bool(torch.isfinite(grad(value)(A)).all())


@pytest.mark.parametrize("method", ["inverse", "least_squares"])
def test_dtype_stays(method):
    A, p = confusions(2).float(), some(2).float()
    assert readout(p, A).dtype == torch.float32
    assert undo_readout(p, A, method=method).dtype == torch.float32


def test_samples_have_no_slope_by_the_confusion():
    """What `readout` has of probabilities: here it would be 0 without a word."""
    confusion, indices = torch.tensor([[0.9, 0.2], [0.1, 0.8]]), torch.tensor([0, 3, 2])
    u = qf.uniforms((3, 2), 0)

    def ones(c):
        return sample_readout(indices, c, u).float().mean()

    for transform in (grad(ones), jacfwd(ones)):
        with pytest.raises(TypeError, match=r"sample_readout\(\): .* `readout\(p, confusion\)`"):
            transform(confusion)
