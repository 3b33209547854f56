"""Small gradients wake no threads: on a busy machine, whoever waits for them waits for a core.

Torch's BLAS splits batched products among threads, however small they are; single small products,
and elementwise operations of up to 32,768 entries, it leaves to the caller.
"""

import math
from collections import Counter

import pytest
import torch
from torch.func import grad, vmap
from torch.utils._python_dispatch import TorchDispatchMode

import quilt_func as qf
from quilt_func.evolution.steps import block_build

ENTRIES = 2**15
"""What torch leaves to the caller, at most."""


PRODUCTS = 400
"""Scalar products of one matrix product from which on torch hands a batch of them to BLAS."""


class Batched(TorchDispatchMode):
    """Counts operations that threads share."""

    def __init__(self):
        super().__init__()
        self.found = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        sizes = [one.numel() for one in (*args, result) if isinstance(one, torch.Tensor)]
        if self.is_shared_product(func, *args) or max(sizes, default=0) > ENTRIES:
            self.found[str(func)] += 1
        return result

    def is_shared_product(self, func, *args):
        if func is not torch.ops.aten.bmm.default or len(args[0]) == 1:
            return False
        return math.prod(args[0].shape[1:]) * args[1].shape[2] >= PRODUCTS


def classifier(n_layers, n_qubits=4):
    pairs = [(i, i + 1) for i in range(n_qubits - 1)]

    def model(params, x):
        layers = (
            (qf.ry(a[0], range(n_qubits)), qf.rz(a[1], range(n_qubits)), qf.cx(pairs))
            for a in params.unbind(0)
        )
        circuit = qf.circuit(n_qubits, qf.ry(x, range(n_qubits)), layers)
        return qf.expval(circuit(), qf.pauli_sum({"Z" + "I" * (n_qubits - 1): 1.0}))

    def loss(params, xs):
        return vmap(model, (None, 0))(params, xs).square().mean()

    params = qf.uniforms((n_layers, 2, n_qubits), 0)
    return loss, params, qf.uniforms((40, n_qubits), 1)


def shared_work(loss, *args):
    with Batched() as mode:
        grad(loss)(*args)
    return mode.found


@pytest.mark.parametrize("n_layers", [1, 2, 3, 4, 6])
def test_a_small_gradient_is_left_to_the_caller(n_layers):
    assert not shared_work(*classifier(n_layers))


def test_batched_products_are_noticed(monkeypatch):
    """A mutant: a tree of batched products."""
    monkeypatch.setattr(block_build, "FEW", 0)
    assert shared_work(*classifier(3))["aten.bmm.default"] == 6
