"""Mistakes in kernels and estimators: the laws of Gram matrices and of fits kill them."""

from functools import partial

import numpy as np
import pytest
import torch
from oracles import learning
from torch.func import vmap

import quilt_func as qf
from quilt_func.learn import alignment, centred, fidelity_gram, projected_gram, repaired

pytest.importorskip("sklearn")

from quilt_func.learn import classification, regression, training

# Gram matrices


def overlaps(encoding, params, xs, others=None, **options):
    return fidelity_gram(encoding, params, xs, others, **options).sqrt()


def without_conjugation(encoding, params, xs, others=None, *, chunk_size=None):
    a, b = (vmap(partial(encoding, params))(one) for one in (xs, xs if others is None else others))
    return (a @ b.mT).abs().square()


def transposed(encoding, params, xs, others=None, **options):
    return fidelity_gram(encoding, params, xs if others is None else others, xs, **options)


def chunks_in_reverse(encoding, params, xs, others=None, *, chunk_size=None):
    gram = fidelity_gram(encoding, params, xs, others)
    return gram if chunk_size is None else torch.cat(gram.split(chunk_size)[::-1])


def triangle_alone(encoding, params, xs, others=None, **options):
    gram = fidelity_gram(encoding, params, xs, others, **options)
    return gram.triu() if others is None else gram


def unsymmetric(encoding, params, xs, others=None, **options):
    gram = fidelity_gram(encoding, params, xs, others, **options)
    return gram + gram.triu(1) * 2e-16 * len(gram)


def params_forgotten(encoding, params, *args, **options):
    return fidelity_gram(encoding, {**params, "shift": 0 * params["shift"]}, *args, **options)


@pytest.mark.parametrize(
    "mistake",
    [overlaps, without_conjugation, transposed, chunks_in_reverse, triangle_alone, unsymmetric,
     params_forgotten],
)  # fmt: skip
def test_mistakes_in_fidelities_die(mistake):
    with pytest.raises((AssertionError, RuntimeError)):
        learning.check_fidelity_gram(mistake)


def distances_of_vectors(*args, gamma=1.0, **options):
    return projected_gram(*args, gamma=2 * gamma, **options)


def gamma_left_out(*args, gamma=1.0, **options):
    return projected_gram(*args, **options)


def gamma_inverse(*args, gamma=1.0, **options):
    return projected_gram(*args, gamma=1 / gamma, **options)


def of_one_qubit(encoding, params, *args, **options):
    def one(params, x):
        rho = qf.reduced_density(encoding(params, x), [0])
        return torch.linalg.eigh(rho)[1][:, 1]

    return projected_gram(one, params, *args, **options)


@pytest.mark.parametrize(
    "mistake", [distances_of_vectors, gamma_left_out, gamma_inverse, of_one_qubit]
)
def test_mistakes_in_projected_kernels_die(mistake):
    with pytest.raises(AssertionError):
        learning.check_projected_gram(mistake)


def polarity(gram, targets, **options):
    columns = targets.reshape(len(gram), -1)
    return (gram * (columns @ columns.mT)).sum() / len(gram) ** 2


def never_centred(gram, targets, *, centred=False):
    return alignment(gram, targets)


def half_centred(gram, targets, *, centred=False):
    columns = targets.reshape(len(gram), -1)
    if not centred:
        return alignment(gram, columns)
    return alignment(qf.learn.centred(gram), columns)


def first_column(gram, targets, **options):
    return alignment(gram, targets.reshape(len(gram), -1)[:, 0], **options)


@pytest.mark.parametrize("mistake", [polarity, never_centred, half_centred, first_column])
def test_mistakes_in_alignment_die(mistake):
    with pytest.raises(AssertionError):
        learning.check_alignment(mistake)


def by_rows(gram, train=None):
    return gram - gram.mean(1, keepdim=True)


def grand_mean_left_out(gram, train=None):
    own = gram if train is None else train
    return gram - gram.mean(1, keepdim=True) - own.mean(0)


def by_the_tests_mean(gram, train=None):
    return gram - gram.mean(1, keepdim=True) - gram.mean(0) + gram.mean()


@pytest.mark.parametrize("mistake", [by_rows, grand_mean_left_out, by_the_tests_mean])
def test_mistakes_in_centring_die(mistake):
    with pytest.raises(AssertionError):
        learning.check_centred(mistake)


def swapped(gram, method, **options):
    names = {"clip": "flip", "flip": "clip"}
    return repaired(gram, names.get(method, method), **options)


def always_shifted(gram, method, **options):
    if method != "shift":
        return repaired(gram, method, **options)
    return gram - torch.linalg.eigvalsh(gram)[0] * torch.eye(len(gram), dtype=gram.dtype)


def clipped_and_scaled(gram, method, **options):
    """Positive and of ones, but not the nearest."""
    if method != "correlation":
        return repaired(gram, method, **options)
    found = repaired(gram, "clip")
    size = found.diagonal().sqrt()
    return found / size / size[:, None]


def without_correction(gram, method, **options):
    """Projections in turns alone: of both sets in the end, but not the nearest."""
    if method != "correlation":
        return repaired(gram, method, **options)
    for _ in range(400):
        positive = repaired(gram, "clip")
        gram = positive - torch.diag(positive.diagonal() - 1)
    return positive


def test_mistakes_in_repair_die():
    learning.check_repaired(repaired)
    for mistake in (swapped, always_shifted, clipped_and_scaled, without_correction):
        with pytest.raises(AssertionError):
            learning.check_repaired(mistake)


def test_the_library_is_right():
    learning.check_fidelity_gram(fidelity_gram)
    learning.check_projected_gram(projected_gram)
    learning.check_alignment(alignment)
    learning.check_centred(centred)


# Fits

QUICK = {"n_qubits": 2, "n_layers": 1, "max_iter": 4, "random_state": 3}
MAKERS = [
    partial(classification.QuantumClassifier, **QUICK),
    partial(regression.QuantumRegressor, **QUICK),
]
each = pytest.mark.parametrize("make", MAKERS, ids=["classifier", "regressor"])


def planted(monkeypatch, target, change):
    """Put a changed attribute in place of an object's own."""
    owner, name = target
    monkeypatch.setattr(owner, name, change(getattr(owner, name)))


def weights_left_out(fit):
    return lambda loss, params, data, *rest: fit(
        loss, params, (*data[:2], torch.ones_like(data[2])), *rest
    )


def weights_of_one_sample(fit):
    return lambda loss, params, data, *rest: fit(
        loss, params, (*data[:2], (data[2] > 0).to(data[2])), *rest
    )


def first_samples_alone(fit):
    return lambda loss, params, data, *rest: fit(
        loss, params, tuple(one[: len(one) // 2] for one in data), *rest
    )


def state_forgotten(fit):
    return lambda loss, params, data, schedule, state=None, held_out=None: fit(
        loss, params, data, schedule, None, held_out
    )


def last_member_for_all(fit):
    def mistaken(loss, params, *rest):
        same = torch.utils._pytree.tree_map(lambda leaf: leaf[-1:].expand_as(leaf), params)
        return fit(loss, same, *rest)

    return mistaken


def epochs_from_the_first(fit):
    return lambda loss, params, data, schedule, *rest: fit(
        loss, params, data, schedule._replace(done=0), *rest
    )


IN_FITS = [
    (weights_left_out, learning.check_weights_are_copies),
    (weights_of_one_sample, learning.check_weights_are_copies),
    (first_samples_alone, learning.check_order_is_no_matter),
    (state_forgotten, learning.check_epochs_add_up),
    (last_member_for_all, learning.check_members_are_singles),
]


@each
@pytest.mark.parametrize(("mistake", "law"), IN_FITS, ids=lambda one: one.__name__)
def test_mistakes_in_fits_die(make, mistake, law, monkeypatch):
    law(make)
    monkeypatch.setattr("quilt_func.learn.supervised.train", mistake(training.train))
    with pytest.raises(AssertionError):
        law(make)


def test_the_same_batches_in_each_epoch_die(monkeypatch):
    make = partial(MAKERS[0], batch_size=10)
    learning.check_epochs_add_up(make)
    monkeypatch.setattr("quilt_func.learn.supervised.train", epochs_from_the_first(training.train))
    with pytest.raises(AssertionError):
        learning.check_epochs_add_up(make)


def unweighted_units(average):
    return lambda values, axis=None, weights=None: average(values, axis=axis)


def test_units_without_weights_die(monkeypatch):
    monkeypatch.setattr(np, "average", unweighted_units(np.average))
    with pytest.raises(AssertionError):
        learning.check_weights_are_copies(MAKERS[1])


def test_seeds_that_are_alike_die(monkeypatch):
    """Members that all start as the first."""
    right = classification.QuantumClassifier._start

    def mistaken(self, *args):
        right(self, *args)
        self.params_ = torch.utils._pytree.tree_map(
            lambda leaf: leaf[:1].expand_as(leaf).clone(), self.params_
        )

    monkeypatch.setattr(classification.QuantumClassifier, "_start", mistaken)
    with pytest.raises(AssertionError):
        learning.check_members_are_singles(MAKERS[0])


def rows_as_they_are(gram, method, train=None):
    """Training and new samples apart: what a repair of the training matrix alone would be."""
    return gram if train is not None else repaired(gram, method)


def rows_flipped_for_clipped(gram, method, train=None):
    return repaired(gram, "flip" if train is not None else method, train=train)


def rows_shifted(gram, method, train=None):
    if train is None or method != "shift":
        return repaired(gram, method, train=train)
    return gram - torch.linalg.eigvalsh(train)[0]


def test_mistakes_in_rows_die():
    learning.check_repaired_rows(repaired)
    for mistake in (rows_as_they_are, rows_flipped_for_clipped, rows_shifted):
        with pytest.raises(AssertionError):
            learning.check_repaired_rows(mistake)
