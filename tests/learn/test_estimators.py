"""Estimators: scikit-learn's own checks, and laws of theirs and of ours."""

import pickle
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from oracles import dense, learning
from oracles.compare import assert_close

import quilt_func as qf

sklearn = pytest.importorskip("sklearn")

from sklearn.base import clone  # noqa: E402
from sklearn.linear_model import LogisticRegression, Ridge  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import KernelCenterer, StandardScaler  # noqa: E402
from sklearn.svm import SVC  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from quilt_func.learn import (  # noqa: E402
    QuantumClassifier,
    QuantumFeatures,
    QuantumKernel,
    QuantumRegressor,
)

F64 = torch.float64
QUICK = {"n_qubits": 2, "n_layers": 1, "learning_rate": 0.3, "max_iter": 12}
CHECKED = [
    QuantumClassifier(**QUICK, tol=0.01),
    QuantumRegressor(**QUICK, scale=0.3),
    QuantumKernel(n_qubits=2, n_layers=1),
    QuantumFeatures(n_qubits=2, n_layers=1),
]


@parametrize_with_checks(CHECKED)  # no failure is expected, so none is listed
def test_sklearns_own_checks(estimator, check):
    check(estimator)


def classifier(**options):
    return QuantumClassifier(**QUICK | {"random_state": 3} | options)


def regressor(**options):
    return QuantumRegressor(**QUICK | {"random_state": 3} | options)


each_supervised = pytest.mark.parametrize("make", [classifier, regressor])


@each_supervised
def test_weights_are_copies(make):
    learning.check_weights_are_copies(make)


def test_balanced_weights_are_copies():
    """Also where classes are weighed by their sizes, which the weights count for."""
    learning.check_weights_are_copies(partial(classifier, class_weight="balanced"))


@each_supervised
def test_order_is_no_matter(make):
    learning.check_order_is_no_matter(make)


@each_supervised
@pytest.mark.parametrize("batch_size", [None, 10])
def test_epochs_add_up(make, batch_size):
    learning.check_epochs_add_up(partial(make, batch_size=batch_size))


@each_supervised
def test_members_are_singles(make):
    learning.check_members_are_singles(make)


@each_supervised
@pytest.mark.parametrize("optimiser", ["adamw", "rmsprop", "sgd", "lbfgs", qf.optim.adam])
def test_optimisers(make, optimiser):
    X, y = learning.blobs()
    rate = 1.0 if optimiser == "lbfgs" else 0.1
    found = make(optimiser=optimiser, learning_rate=rate).fit(X, y)
    assert found.loss_curve_[-1] < found.loss_curve_[0]
    assert (found.loss_curve_ == found.loss_curves_[0]).all()


def test_methods_that_draw():
    X, y = learning.blobs()
    method = qf.optim.with_spsa(qf.optim.adam(0.1))
    found = classifier(optimiser=method, n_seeds=2, batch_size=12, max_iter=20).fit(X, y)
    assert found.loss_curve_[-1] < found.loss_curve_[0]
    again = classifier(optimiser=method, n_seeds=2, batch_size=12, max_iter=20).fit(X, y)
    assert (again.loss_curves_ == found.loss_curves_).all()


@each_supervised
def test_replayed_steps_are_the_steps(make):
    X, y = learning.blobs()
    learning.same_scores(make(jit=True, batch_size=10).fit(X, y), make(batch_size=10).fit(X, y), X)


def by_hand(params, X):
    """What a default classifier of two classes computes, with torch's own modules from there on."""
    states = torch.func.vmap(qf.learn.reuploaded, (None, 0))(params["model"], X)
    signs = torch.tensor([[1.0, 1, -1, -1], [1, -1, 1, -1]], dtype=F64)
    return states.abs().square() @ signs.T @ params["weights"][0] + params["bias"][0]


def test_a_fit_is_torchs_loop():
    """Adam of `torch.optim` on torch's own loss, by autograd, from the same start."""
    X, y = learning.blobs()
    found = classifier(max_iter=8, tol=None).fit(X, y)
    start = classifier(max_iter=1, learning_rate=1e-300).fit(X, y).params_  # as it was drawn
    params = torch.utils._pytree.tree_map(lambda p: p[0].clone().requires_grad_(), start)
    leaves, ys = torch.utils._pytree.tree_leaves(params), torch.tensor(y, dtype=F64)
    optimiser, losses = torch.optim.Adam(leaves, lr=QUICK["learning_rate"]), []
    for _ in range(8):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            by_hand(params, torch.tensor(X)), ys
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    assert_close(torch.tensor(found.loss_curve_), torch.stack(losses), n_gates=10**4)
    decision = by_hand(params, torch.tensor(X)).detach()
    assert_close(torch.tensor(found.decision_function(X)), decision, n_gates=10**4, scale=10.0)


def test_labels_are_names():
    """Other names, even in another order, give the same probabilities, under these names."""
    X, y = learning.blobs(n_classes=3)
    names = np.array(["b", "c", "a"])
    plain = classifier(max_iter=20).fit(X, y)
    same = classifier(max_iter=20).fit(X, np.array(["a", "b", "c"])[y])
    assert (same.predict_proba(X) == plain.predict_proba(X)).all()
    assert (same.predict(X) == np.array(["a", "b", "c"])[plain.predict(X)]).all()
    # another order has other starts for each class: it is as good, not the same
    assert classifier(max_iter=40).fit(X, names[y]).score(X, names[y]) > 0.9


@pytest.mark.parametrize("readout", ["observables", "probabilities"])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_probabilities(readout, n_classes):
    X, y = learning.blobs(30, n_classes, seed=4)
    found = classifier(readout=readout, n_qubits=None).fit(X, y)
    p, log_p = torch.tensor(found.predict_proba(X)), found.predict_log_proba(X)
    assert p.shape == (30, n_classes)
    assert_close(p.sum(1), np.ones(30), n_gates=40)
    assert_close(p.log(), log_p, n_gates=40, scale=10.0)
    assert (found.classes_[p.argmax(1)] == found.predict(X)).all()
    decision = torch.tensor(found.decision_function(X))
    expected = log_p[:, 1] - log_p[:, 0] if n_classes == 2 else log_p
    assert_close(decision, expected, n_gates=40)
    # what is minimised is minus the mean log-probability of the labels
    value = -np.mean(log_p[np.arange(30), y])
    going_on = found.set_params(warm_start=True, max_iter=1).fit(X, y)
    assert_close(torch.tensor(going_on.loss_curve_[-1]), value, n_gates=400)


def test_probabilities_of_a_state():
    """Class `k` takes the outcomes that are `k` modulo the number of classes, against numpy."""
    X, y = learning.blobs(12, 3)
    found = classifier(readout="probabilities").fit(X, y)
    params = {name: leaf[0] for name, leaf in found.params_["model"].items()}
    for x, row in zip(X, torch.tensor(found.predict_proba(X)), strict=True):
        p = qf.probs(qf.learn.reuploaded(params, torch.tensor(x))).numpy()
        assert_close(row, [p[0] + p[3], p[1], p[2]], n_gates=40)


def own_values(params, x):
    return params * x[:1]


def own_state(params, x):
    return qf.circuit(1, qf.ry(params * x[0], 0))()


def own_start(seed):
    return qf.uniforms((), seed, dtype=F64)


@pytest.mark.parametrize("model", [own_values, own_state])
def test_models_of_ones_own(model):
    X, y = learning.blobs()
    found = QuantumClassifier(model, own_start, max_iter=30, random_state=0).fit(X, y)
    head = set() if model is own_values else {"weights", "bias"}
    assert set(found.params_) == {"model"} | head
    if model is own_values:
        decision = found.params_["model"].numpy() * X[:, 0]
        assert_close(torch.tensor(found.decision_function(X)), decision, n_gates=40)
    assert found.loss_curve_[-1] < found.loss_curve_[0]


def test_the_score_is_an_expectation_value():
    """`b + sum_i w_i Z_i`, times the factor of the features, against dense probabilities."""
    X, y = learning.blobs()
    found = classifier(scale=0.7).fit(X, y)
    params = {name: leaf[0] for name, leaf in found.params_["model"].items()}
    w, b = (found.params_[k][0] for k in ("weights", "bias"))
    signs = [[1, 1, -1, -1], [1, -1] * 2]
    for x, score in zip(X, torch.tensor(found.decision_function(X)), strict=True):
        p = qf.probs(qf.learn.reuploaded(params, 0.7 * torch.tensor(x))).numpy()
        assert_close(score, w[0].numpy() @ np.array(signs) @ p + b[0].item(), n_gates=40)


def test_an_early_end():
    X, y = learning.blobs(60)
    full = classifier(tol=None, max_iter=40).fit(X, y)
    early = classifier(tol=0.05, n_iter_no_change=3, max_iter=40).fit(X, y)
    assert full.n_iter_ == 40
    assert early.n_iter_ < 40
    assert (early.loss_curve_ == full.loss_curve_[: early.n_iter_]).all()
    falls, least = [], np.inf
    for value in early.loss_curve_:
        falls.append(value < least - 0.05)
        least = value if falls[-1] else least
    assert falls[-3:] == [False] * 3
    assert falls[-4]


@each_supervised
def test_the_best_on_samples_held_out_is_kept(make):
    X, y = learning.blobs(60)
    found = make(early_stopping=True, validation_fraction=0.25, n_seeds=3, max_iter=20, tol=None)
    found.fit(X, y)
    assert found.validation_losses_.shape == (3, 21)
    assert found.loss_curves_.shape == (3, 20)
    assert found.best_ == found.validation_losses_.min(1).argmin()
    assert (found.fit(X, y).validation_losses_ == found.validation_losses_).all()


def test_a_class_may_weigh_nothing():
    X, y = learning.blobs(30, 3)
    found = classifier(class_weight="balanced").fit(X, y, sample_weight=(y != 2).astype(float))
    assert np.isfinite(found.predict_proba(X)).all()
    heavy = classifier(class_weight={1: 1000.0}).fit(X, y)
    assert (heavy.predict(X) == 1).all()


def test_several_outputs():
    """Each in its own units; a column is as a vector."""
    X, y = learning.blobs(30, 3)
    targets = np.stack([100 + 5 * X[:, 0], y], 1)
    found = regressor(max_iter=40, n_layers=2).fit(X, targets)
    assert found.predict(X).shape == (30, 2)
    assert abs(found.predict(X)[:, 0].mean() - 100) < 5
    with pytest.raises(ValueError, match=r"have 2 output\(s\), but got 1"):
        found.partial_fit(X, y)


def test_units_of_targets_are_no_matter():
    X, y = learning.blobs()
    plain, moved = (regressor().fit(X, t).predict(X) for t in (1.0 * y, 5.0 + 2.0 * y))
    assert_close(torch.tensor(moved), 5 + 2 * plain, n_gates=10**4, scale=10.0)


MAKERS = [classifier, regressor, partial(QuantumKernel, n_steps=2), QuantumFeatures]
each_estimator = pytest.mark.parametrize("make", MAKERS)


def result(estimator, X):
    return estimator.transform(X) if hasattr(estimator, "transform") else estimator.predict(X)


@each_estimator
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_is_that_of_the_samples(make, dtype):
    X, y = learning.blobs()
    found = make().fit(X.astype(dtype), y)
    torchs = {np.float32: torch.float32, np.float64: F64}[dtype]
    assert all(leaf.dtype is torchs for leaf in torch.utils._pytree.tree_leaves(found.params_))
    if make is not classifier:
        assert result(found, X.astype(dtype)).dtype == dtype
    else:
        assert found.predict_proba(X.astype(dtype)).dtype == dtype


@each_estimator
def test_copies(make):
    """Pickles are the same, clones are not fitted and fit the same."""
    X, y = learning.blobs()
    found = make().fit(X, y)
    again = pickle.loads(pickle.dumps(found))
    assert (result(again, X) == result(found, X)).all()
    copy = clone(found)
    assert not hasattr(copy, "params_")
    assert (result(copy.fit(X, y), X) == result(found, X)).all()
    if hasattr(found, "partial_fit"):  # the optimiser's memory goes along
        assert (again.partial_fit(X, y).loss_curve_ == found.partial_fit(X, y).loss_curve_).all()
        assert (result(again, X) == result(found, X)).all()


@each_estimator
def test_global_state_is_left_alone(make):
    before, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    make().fit(*learning.blobs())
    assert (torch.get_rng_state() == before).all()
    assert (np.random.get_state()[1] == numpys).all()  # noqa: NPY002


def test_a_search_over_depth_and_scale():
    X, y = learning.blobs(30)
    pipeline = make_pipeline(StandardScaler(), classifier(max_iter=8))
    grid = {"quantumclassifier__n_layers": np.array([1, 2]), "quantumclassifier__scale": [0.5, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.9


def of_a_seed(seed):
    return {"shift": qf.uniforms((), seed), "scale": 1 + qf.uniforms(2, seed)}


@pytest.mark.parametrize("kind", ["fidelity", "projected"])
def test_kernels_as_functions_and_as_tables(kind):
    """`SVC(kernel=kernel)` is SVC on precomputed tables; `kernel__scale` is searched."""
    X, y = learning.blobs(30)
    kernel = QuantumKernel(learning.encoding, of_a_seed, kind=kind, scale=0.8, gamma=0.7)
    called = SVC(kernel=kernel).fit(X, y)
    pipeline = make_pipeline(kernel, SVC(kernel="precomputed")).fit(X, y)
    found = torch.tensor(pipeline.decision_function(X))
    assert_close(found, called.decision_function(X), n_gates=400)
    params = {k: v.double() for k, v in of_a_seed(0).items()}
    xs = torch.tensor(0.8 * X)
    projected = partial(learning.dense_projected, gamma=0.7)
    oracle = learning.dense_fidelities if kind == "fidelity" else projected
    assert_close(torch.tensor(kernel(X)), oracle(params, xs, xs), n_gates=40)
    assert_close(torch.tensor(kernel(X, X[:4])), kernel(X)[:, :4], n_gates=40)
    search = GridSearchCV(SVC(kernel=kernel), {"kernel__scale": [0.3, 1.0]}, cv=2).fit(X, y)
    assert "kernel__scale" in search.best_params_


def test_centred_tables():
    X, _ = learning.blobs()
    plain, centre = (QuantumKernel(centre=c).fit(X) for c in (False, True))
    expected = KernelCenterer().fit(plain.transform(X)).transform(plain.transform(X[:5] + 0.1))
    assert_close(torch.tensor(centre.transform(X[:5] + 0.1)), expected, n_gates=400)


def measured(encoding, params, xs, others=None, *, chunk_size=None):
    """Fidelities as a machine that errs would give them: the larger the more so, with a sign."""
    gram = qf.learn.fidelity_gram(encoding, params, xs, others, chunk_size=chunk_size)
    return gram + 0.4 * torch.cos(40 * gram) * (gram < 0.9)


def test_measured_kernels_are_repaired():
    """Training samples and new ones alike, whichever way the kernel is used, and in a search."""
    X, y = learning.blobs(30)
    plain, clip = (QuantumKernel(kind=measured, repair=r) for r in (None, "clip"))
    raw = torch.tensor(plain(X))
    least = torch.linalg.eigvalsh(raw)[0]
    assert least < -0.1  # there is something to repair
    assert_close(torch.tensor(clip(X)), qf.learn.repaired(raw, "clip"), n_gates=400)
    new = torch.tensor(plain(X[:5] + 0.1, X))
    expected = qf.learn.repaired(new, "clip", train=raw)
    assert not torch.allclose(new, expected)
    assert_close(torch.tensor(clip(X[:5] + 0.1, X)), expected, n_gates=400)
    assert_close(torch.tensor(clip.fit(X).transform(X[:5] + 0.1)), expected, n_gates=400)
    assert_close(torch.tensor(clip.transform(X)), qf.learn.repaired(raw, "clip"), n_gates=400)
    both = QuantumKernel(kind=measured, repair="clip", centre=True).fit(X).transform(X[:5] + 0.1)
    centred = qf.learn.centred(expected, qf.learn.repaired(raw, "clip"))
    assert_close(torch.tensor(both), centred, n_gates=400)
    grid = {"kernel__repair": [None, "clip", "flip"], "kernel__kind": [measured, "fidelity"]}
    search = GridSearchCV(SVC(kernel=QuantumKernel()), grid, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("kind", ["fidelity", "projected"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_training_by_alignment(kind, n_classes):
    """The alignment rises, and is what the function says of the trained kernel's table."""
    X, y = learning.blobs(24, n_classes)
    found = QuantumKernel(kind=kind, n_steps=15, batch_size=20).fit(X, y)
    columns = np.eye(n_classes)[y] * 2 - 1
    targets = torch.tensor(columns[:, 1] if n_classes == 2 else columns)
    value = qf.learn.alignment(torch.tensor(found.transform(X)), targets, centred=True)
    assert_close(torch.tensor(found.alignments_[-1]), value, n_gates=400)
    full = QuantumKernel(kind=kind, n_steps=15).fit(X, y)
    assert full.alignments_[-1] > full.alignments_[0]
    handed = QuantumKernel(kind=kind, params=full.params_)
    assert (clone(handed)(X, X[:3]) == full(X, X[:3])).all()


def test_kernels_of_numbers():
    X, _ = learning.blobs()
    found = QuantumKernel(n_steps=5).fit(X, X[:, 0])
    assert found.alignments_[-1] > found.alignments_[0]


def test_features_are_expectation_values():
    X, y = learning.blobs()
    words = ["ZI", "XY", "YZ"]
    features = QuantumFeatures(learning.encoding, params=learning.kernel_params(), words=words)
    found = torch.tensor(features.fit_transform(X))
    states = learning.dense_states(learning.kernel_params(), torch.tensor(X))
    expected = [[(s.conj() @ dense.word_matrix(w) @ s).real for w in words] for s in states]
    assert_close(found, np.array(expected), n_gates=40)
    assert list(features.get_feature_names_out()) == words
    assert QuantumFeatures(n_qubits=2).fit_transform(X).shape == (24, 6)
    pipeline = make_pipeline(QuantumFeatures(n_qubits=2), LogisticRegression()).fit(X, y)
    assert pipeline.score(X, y) > 0.9
    assert make_pipeline(QuantumFeatures(), Ridge()).fit(X, X[:, 0]).score(X, X[:, 0]) > 0.5


def test_chunks_are_no_matter():
    X, y = learning.blobs()
    for make in MAKERS:
        found = make().fit(X, y)
        read = getattr(found, "predict_proba", partial(result, found))
        whole = read(found.set_params(chunk_size=None) and X)
        parts = torch.tensor(read(found.set_params(chunk_size=np.int64(5)) and X))
        assert_close(parts, whole, n_gates=40)


def test_many_features_take_ten_qubits():
    X = np.linspace(-1, 1, 44).reshape(2, 22)
    found = QuantumFeatures(n_layers=1).fit(X)
    assert found.words_[0] == "X" + "I" * 9
    assert np.isfinite(found.transform(X)).all()


def test_the_package_asks_for_sklearn_late():
    code = (
        "import sys, quilt_func as qf; qf.learn.fidelity_gram; assert 'sklearn' not in sys.modules;"
        "assert 'QuantumKernel' in dir(qf.learn); qf.learn.QuantumKernel;"
        "assert 'sklearn' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_extra_is_named(monkeypatch):
    for name in [n for n in sys.modules if n.startswith("quilt_func.learn.kernels")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    with pytest.raises(ImportError, match=r"pip install 'quilt-func\[learn\]'"):
        _ = qf.learn.QuantumKernel
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = qf.learn.nothing
