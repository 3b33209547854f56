"""Kernels and their measures in dense numpy, and laws that estimators keep.

Each `check_*` takes what it checks, so that mistakes can be planted in it.
"""

import numpy as np
import torch

import quilt_func as qf
from oracles import dense
from oracles.compare import assert_close

F64 = torch.float64


def encoding(params, x):
    """Two qubits: RY of scaled features, CX, RX of one feature and a parameter, RZZ."""
    ops = (
        qf.ry(params["scale"] * x, range(2)), qf.cx(0, 1), qf.rx(x[0] + params["shift"], 1),
        qf.rzz(x[0] * x[1], 0, 1),
    )  # fmt: skip
    return qf.circuit(2, *ops)()


def kernel_params(dtype=F64):
    return {"scale": torch.tensor([1.3, -0.7], dtype=dtype), "shift": torch.tensor(0.4).to(dtype)}


def points(n, seed=0, dtype=F64, n_features=2):
    return 4 * qf.uniforms((n, n_features), seed, dtype=dtype) - 2


def dense_state(scale, shift, x):
    """The state of `encoding`, by Kronecker products."""
    cx = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
    turns = np.kron(dense.rotation("Y", scale[0] * x[0]), dense.rotation("Y", scale[1] * x[1]))
    one = np.kron(np.eye(2), dense.rotation("X", x[0] + shift))
    return (dense.rotation("ZZ", x[0] * x[1]) @ one @ cx @ turns)[:, 0]


def dense_states(params, xs):
    scale, shift = params["scale"].numpy(), params["shift"].numpy()
    return [dense_state(scale, shift, x) for x in xs.numpy()]


def dense_fidelities(params, xs, others):
    a, b = dense_states(params, xs), dense_states(params, others)
    return np.array([[abs(np.vdot(s, t)) ** 2 for t in b] for s in a])


def one_qubit_densities(state):
    """Partial traces of a state of two qubits, by its matrix of amplitudes."""
    m = state.reshape(2, 2)
    return m @ m.conj().T, m.T @ m.conj()


def dense_projected(params, xs, others, gamma):
    a, b = ([one_qubit_densities(s) for s in dense_states(params, one)] for one in (xs, others))
    squares = [
        [sum(np.linalg.norm(r - t) ** 2 for r, t in zip(p, q, strict=True)) for q in b] for p in a
    ]
    return np.exp(-gamma * np.array(squares))


def check_fidelity_gram(gram):
    """A function with the arguments of `fidelity_gram`: symmetric, positive, 1 of equals, right."""
    params, xs, others = kernel_params(), points(7), points(4, seed=1)
    own = gram(encoding, params, xs)
    _check_kernel(own)
    assert_close(own, dense_fidelities(params, xs, xs), n_gates=40)
    assert_close(gram(encoding, params, xs, others), dense_fidelities(params, xs, others))
    for size in (1, 3, 7, 9):
        assert_close(gram(encoding, params, xs, chunk_size=size), own, n_gates=40)
        assert_close(
            gram(encoding, params, xs, others, chunk_size=size), gram(encoding, params, xs, others)
        )
        _check_kernel(gram(encoding, params, xs, chunk_size=size))


def check_projected_gram(gram):
    params, xs, others = kernel_params(), points(7), points(4, seed=1)
    for gamma in (1.0, 0.3):
        own = gram(encoding, params, xs, gamma=gamma)
        _check_kernel(own)
        assert_close(own, dense_projected(params, xs, xs, gamma), n_gates=40)
        expected = dense_projected(params, xs, others, gamma)
        for size in (None, 1, 3):
            found = gram(encoding, params, xs, others, gamma=gamma, chunk_size=size)
            assert_close(found, expected, n_gates=40)


def _check_kernel(gram):
    assert bool((gram == gram.mT).all()), "symmetric to the last bit"
    assert_close(gram.diagonal(), torch.ones_like(gram[0]), n_gates=40)
    least = torch.linalg.eigvalsh(gram)[0]
    assert_close(least.clamp(max=0), torch.zeros_like(least), n_gates=40, scale=len(gram))


def check_alignment(alignment):
    """Against its definition by full matrices, scale, and its extremes."""
    rng = np.random.default_rng(0)
    for targets in (np.array([1.0, -1, -1, 1, -1]), rng.normal(size=(5, 3))):
        factor = rng.normal(size=(5, 4))
        gram = factor @ factor.T
        columns = targets.reshape(5, -1)
        ideal = columns @ columns.T
        h = np.eye(5) - 1 / 5
        for is_centred, k, t in ((False, gram, ideal), (True, h @ gram @ h, h @ ideal @ h)):
            expected = np.trace(k.T @ t) / np.sqrt(np.trace(k.T @ k) * np.trace(t.T @ t))
            call = {"centred": is_centred} if is_centred else {}
            found = alignment(torch.tensor(gram), torch.tensor(targets), **call)
            assert_close(found, expected, n_gates=100)
            scaled = alignment(torch.tensor(3 * gram), torch.tensor(-2 * targets), **call)
            assert_close(scaled, expected, n_gates=100)
            found = alignment(torch.tensor(ideal), torch.tensor(targets), **call)
            assert_close(found, 1.0, n_gates=100)


def check_centred(centred):
    """Inner products of explicit features, less their mean over the training samples."""
    rng = np.random.default_rng(1)
    train, test = rng.normal(size=(6, 3)), rng.normal(size=(4, 3))
    moved = train - train.mean(0), test - train.mean(0)
    gram = torch.tensor(train @ train.T)
    assert_close(centred(gram), moved[0] @ moved[0].T, n_gates=100)
    found = centred(torch.tensor(test @ train.T), gram)
    assert_close(found, moved[1] @ moved[0].T, n_gates=100)


def indefinite(n=5, seed=2):
    """A symmetric matrix with ones on its diagonal and a negative eigenvalue."""
    u = 2 * qf.uniforms((n, n), seed, dtype=F64) - 1
    gram = u + u.mT
    gram = gram - torch.diag(gram.diagonal() - 1)
    assert torch.linalg.eigvalsh(gram)[0] < -0.1
    return gram


def check_repaired(repaired):
    gram = indefinite()
    values, vectors = np.linalg.eigh(gram.numpy())
    expected = {
        "clip": (vectors * np.maximum(values, 0)) @ vectors.T,
        "flip": (vectors * np.abs(values)) @ vectors.T,
        "shift": gram.numpy() - values.min() * np.eye(5),
    }
    factor = torch.linalg.qr(indefinite(seed=3))[0][:, :3]
    positive = factor @ factor.mT + 0.5 * torch.eye(5, dtype=F64)
    for method, matrix in expected.items():
        found = repaired(gram, method)
        assert_close(found, matrix, n_gates=100)
        assert bool((found == found.mT).all())
        assert_close(repaired(positive, method), positive, n_gates=100)
    _check_correlation(repaired, gram)


def check_repaired_rows(repaired):
    """Rows of training samples are those of the repaired matrix; others are linear in them."""
    gram = indefinite()
    for method in ("clip", "flip"):
        whole = repaired(gram, method)
        assert_close(repaired(gram, method, train=gram), whole, n_gates=100)
        mixtures = torch.tensor([[0.2, 0.8, 0, 0, 0], [0, 1, -1, 0.5, 0.0]], dtype=F64)
        assert_close(repaired(mixtures @ gram, method, train=gram), mixtures @ whole, n_gates=100)
    rows = gram[:2] + 1
    assert_close(repaired(rows, "shift", train=gram), rows)


def _check_correlation(repaired, gram):
    """Nearest with ones on the diagonal, by the conditions of Karush, Kuhn and Tucker.

    The multiplier `Z = K - G - diag(d)` is positive and orthogonal to `K`, for one `d`.
    """
    found = repaired(gram, "correlation", n_steps=400)
    assert_close(found.diagonal(), torch.ones(5, dtype=F64), n_gates=10**4)
    step = found - gram
    multiplier = step - torch.diag((step @ found).diagonal() / found.diagonal())
    assert_close(multiplier @ found, torch.zeros_like(gram), n_gates=10**4)
    for matrix in (found, multiplier):
        least = torch.linalg.eigvalsh(matrix)[0]
        assert_close(least.clamp(max=0), torch.zeros_like(least), n_gates=10**4)


# Laws of estimators


def blobs(n=24, n_classes=2, seed=0):
    """Samples around one centre for each class, and their labels."""
    angles = 0.5 + 2 * torch.pi * torch.arange(n_classes, dtype=F64) / n_classes
    centres = 1.3 * torch.stack([angles.cos(), angles.sin()], 1)
    labels = torch.arange(n) % n_classes
    noise = qf.uniforms((n, 2), seed + 2, dtype=F64) - 0.5
    return (centres[labels] + noise).numpy(), labels.numpy()


def same_scores(a, b, X):
    method = "decision_function" if hasattr(a, "decision_function") else "predict"
    assert_close(
        torch.tensor(getattr(a, method)(X)), getattr(b, method)(X), n_gates=10**4, scale=10.0
    )


def check_weights_are_copies(make):
    """A weight of 2 is a sample twice, one of 0 is a sample that is not there."""
    X, y = blobs()
    weights = np.where(y == 0, np.arange(len(y)) % 3, 2)
    a = make().fit(X, y, sample_weight=weights.astype(float))
    same_scores(a, make().fit(X.repeat(weights, 0), y.repeat(weights)), X)


def check_order_is_no_matter(make):
    X, y = blobs()
    order = np.argsort(np.sin(np.arange(len(y))))
    same_scores(make().fit(X, y), make().fit(X[order], y[order]), X)


def check_epochs_add_up(make, n_epochs=6):
    """`fit` is so many calls of `partial_fit`, and two warm fits of half as many."""
    X, y = blobs()
    whole = make().set_params(max_iter=n_epochs, tol=None).fit(X, y)
    parts = make().set_params(tol=None)
    options = {"classes": np.unique(y)} if hasattr(parts, "predict_proba") else {}
    for _ in range(n_epochs):
        parts.partial_fit(X, y, **options)
    warm = make().set_params(max_iter=n_epochs // 2, tol=None, warm_start=True)
    warm.fit(X, y).fit(X, y)
    for other in (parts, warm):
        assert other.n_iter_ == whole.n_iter_ == n_epochs
        assert (other.loss_curves_ == whole.loss_curves_).all()
        found, expected = (qf.optim.ravel(one.params_)[0] for one in (other, whole))
        assert bool((found == expected).all())


def check_members_are_singles(make):
    """Member `k` of an ensemble is the single of the seed after `k` more."""
    X, y = blobs()
    several = make().set_params(n_seeds=3, random_state=5, tol=None).fit(X, y)
    singles = [make().set_params(random_state=5 + k, tol=None).fit(X, y) for k in range(3)]
    curves = torch.tensor(several.loss_curves_)
    assert_close(curves, np.concatenate([one.loss_curves_ for one in singles]), n_gates=10**4)
    method = "predict_proba" if hasattr(several, "predict_proba") else "predict"
    found = torch.tensor(getattr(several, method)(X))
    mean = np.mean([getattr(one, method)(X) for one in singles], 0)
    assert_close(found, mean, n_gates=10**4, scale=10.0)
    best = min(singles, key=lambda one: one.loss_curves_[0, -1])
    same_scores(several.set_params(ensemble="best"), best, X)
