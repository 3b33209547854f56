"""Kernels against PennyLane's, where that is installed."""

import numpy as np
import pytest
import torch
from oracles import learning
from oracles.compare import assert_close

import quilt_func as qf
from quilt_func.learn import alignment, fidelity_gram, repaired

qml = pytest.importorskip("pennylane")

X = learning.points(6)
PARAMS = learning.kernel_params()


@qml.qnode(qml.device("default.qubit", wires=2))
def fidelity(x, y):
    def encode(x):
        scale, shift = PARAMS["scale"].numpy(), PARAMS["shift"].item()
        for wire in range(2):
            qml.RY(scale[wire] * x[wire], wires=wire)
        qml.CNOT([0, 1])
        qml.RX(x[0] + shift, wires=1)
        qml.IsingZZ(x[0] * x[1], wires=[0, 1])

    encode(x)
    qml.adjoint(encode)(y)
    return qml.probs(wires=[0, 1])


def kernel(x, y):
    return fidelity(x, y)[0]


def test_gram_matrices_and_alignment():
    gram = fidelity_gram(learning.encoding, PARAMS, X, chunk_size=4)
    expected = qml.kernels.square_kernel_matrix(X.numpy(), kernel)
    assert_close(gram, expected, n_gates=40)
    others = fidelity_gram(learning.encoding, PARAMS, X, X[:2] + 0.1)
    assert_close(others, qml.kernels.kernel_matrix(X.numpy(), X[:2].numpy() + 0.1, kernel))
    labels = np.array([1.0, -1, -1, -1, 1, -1])
    for rescaled in (False, True):  # labels over the size of their class
        counts = np.where(labels > 0, 2, 4) if rescaled else 1
        expected = qml.kernels.target_alignment(
            X.numpy(), labels, kernel, rescale_class_labels=rescaled
        )
        assert_close(alignment(gram, torch.tensor(labels / counts)), expected, n_gates=100)


def test_repair():
    gram = learning.indefinite()
    rules = {"clip": "threshold_matrix", "flip": "flip_matrix", "shift": "displace_matrix"}
    for method, name in rules.items():
        expected = getattr(qml.kernels, name)(gram.numpy())
        assert_close(repaired(gram, method), expected, n_gates=100)
    assert qf.learn.repaired is repaired
