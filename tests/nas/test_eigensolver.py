"""The eigensolver is the notebook's loop."""

import math

import pytest
import torch

import quilt_func as qf
from quilt_func.testing.tolerances import tolerance

pytest.importorskip("sklearn")
pytest.importorskip("tqdm")
pytest.importorskip("optuna")

from experiments.nas import vqe


def test_the_notebooks_costs_have_one_optimum():
    costs = torch.tensor(vqe.NOTEBOOK_COSTS).float()
    assert int(costs.argmin()) == int("0100", 2)
    assert (costs == costs.min()).sum() == 1


def dense_product(theta):
    """The notebook's circuit, by Kronecker products."""
    state = torch.zeros(16, dtype=torch.complex128)
    state[0] = 1
    for layer in theta:
        matrix = torch.ones(1, 1, dtype=torch.complex128)
        for a, b in layer:
            c, s = (a / 2).cos(), (a / 2).sin()
            turn = torch.stack([c, -s, s, c]).reshape(2, 2).to(torch.complex128)
            phase = torch.stack([-0.5j * b, 0.5j * b]).exp().diag()
            matrix = torch.kron(matrix, phase @ turn)
        state = matrix @ state
    return state.abs().square()


def test_the_search_is_the_notebooks_loop():
    costs = torch.tensor(vqe.NOTEBOOK_COSTS).double()
    theta = 2 * math.pi * qf.uniforms((2, 4, 4, 2), 0, dtype=torch.float64)
    found = qf.bitstrings.minimise_bitstring(qf.diagonal(costs), vqe.product, theta, n_steps=5)
    own = theta[1].clone().requires_grad_()
    optimiser = torch.optim.Adam([own], lr=0.1)
    for energy in found.trace[:, 1]:
        loss = dense_product(own) @ costs
        assert abs(loss - energy) < tolerance(torch.float64, 1000, scale=10)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def test_chances_of_random_search_by_hand():
    rows = vqe.plain_rows("table", torch.tensor([0.0, 1.0, 0.0, 2.0]))
    found = {row["asked"]: row["found"] for row in rows}
    assert found == {1: 0.5, 2: 1 - 1 / 6, 4: 1.0}
