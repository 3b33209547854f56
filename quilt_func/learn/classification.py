"""`QuantumClassifier`: scores of a quantum model, as classes and their probabilities."""

from typing import Any, Self

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from torch import Tensor

from quilt_func._checks import describe, kind_error, message
from quilt_func.learn.options import one_of, tensor_of
from quilt_func.learn.supervised import Supervised


class QuantumClassifier(ClassifierMixin, Supervised):
    r"""A quantum model that is trained to tell classes, by the log-loss of its scores.

    Without a `model` of your own it is `reuploaded`, a circuit that encodes the features before
    every layer. Each class has an observable, $b + \sum_i w_i Z_i$ with trained coefficients, whose
    expectation value is its score; two classes share one. Scores go through softmax, or the
    logistic function. All of `n_seeds` starts are trained at once, by `vmap`.

    It computes in the precision of what it is fitted to: of float32 in complex64, of float64 in
    complex128.

    Args:
        model: Function `model(params, x)` of parameters and one sample to a state (complex,
            (2**n_qubits,)), of which observables are taken as above; or to scores (real,
            (n_classes,)), of two classes one, () or (1,).
        init: Function of a seed, an int, to the model's parameters, a tree of real tensors. Give
            both or neither; functions of a module can be pickled.
        n_qubits: Qubits of the default; default: one a feature, but at most 10.
        n_layers: Layers of the default.
        scale: Factor of the features in front of any model: standardised ones make a turn of the
            wires at 2π. The default trains factors of its own, from there.
        readout: "observables", or "probabilities": the probability of class `k` is that of the
            outcomes `i` of the first wires with `i mod n_classes = k`.
        optimiser: "adam", "adamw", "rmsprop", "sgd" or "lbfgs"; a function from a learning rate to
            an optimiser, such as `quilt_func.optim.adam`; or an optimiser, which can't be pickled.
        learning_rate: Step size.
        max_iter: Largest number of epochs.
        batch_size: Samples of a batch; default: all, so that the order of samples does not matter.
        tol: Training ends when the loss, of samples held out if there are, has not fallen by more
            than this in `n_iter_no_change` epochs; None for no early end.
        n_iter_no_change: Number of such epochs.
        early_stopping: Whether samples are held out, and the parameters kept that are best on them.
        validation_fraction: Share that is held out.
        warm_start: Whether `fit` goes on from the last fit.
        n_seeds: Number of starts, by seeds from `random_state` on.
        ensemble: "mean" of the members' probabilities, or the "best" member: by its loss on samples
            held out, or else in training.
        chunk_size: Number of samples that are predicted at once; None for all.
        jit: Whether steps are replayed, see `quilt_func.jit`: pays for long runs.
        device: Where to compute; default: the CPU.
        class_weight: Factors of samples by class, or "balanced".
        random_state: Seed of starts, and of batches.

    Attributes:
        classes_: Labels, in the order of columns.
        params_: Parameters, with a first axis of members.
        n_iter_: Number of epochs.
        loss_curve_: Loss of each epoch, the mean of members or of the best one.
        loss_curves_: Losses `(n_seeds, n_iter_)`.
        validation_losses_: Losses on samples held out, the last of the parameters at the end.
        best_: The best member.

    Raises:
        TypeError: At `fit`, if an option is of the wrong kind.
        ValueError: At `fit`, if an option is out of range, or there is but one class.

    Examples:
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> xs, ys = load_iris(return_X_y=True, as_frame=False)
        >>> classifier = QuantumClassifier(n_layers=1, max_iter=30, random_state=0)
        >>> pipeline = make_pipeline(StandardScaler(), classifier).fit(xs[::2], ys[::2])
        >>> pipeline.score(xs[1::2], ys[1::2]) > 0.9, pipeline.predict_proba(xs[:5]).shape
        (True, (5, 3))

    References:
        Schuld et al. (2020), Phys. Rev. A 101, 032308; Pérez-Salinas et al. (2020), Quantum 4, 226.
    """

    def __init__(
        self,
        model: Any = None,
        init: Any = None,
        *,
        n_qubits: int | None = None,
        n_layers: int = 2,
        scale: float = 1.0,
        readout: str = "observables",
        optimiser: Any = "adam",
        learning_rate: float = 0.1,
        max_iter: int = 100,
        batch_size: int | None = None,
        tol: float | None = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        n_seeds: int = 1,
        ensemble: str = "mean",
        chunk_size: int | None = 1024,
        jit: bool = False,
        device: Any = None,
        class_weight: Any = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            model, init, n_qubits=n_qubits, n_layers=n_layers, scale=scale, optimiser=optimiser,
            learning_rate=learning_rate, max_iter=max_iter, batch_size=batch_size, tol=tol,
            n_iter_no_change=n_iter_no_change, early_stopping=early_stopping,
            validation_fraction=validation_fraction, warm_start=warm_start, n_seeds=n_seeds,
            ensemble=ensemble, chunk_size=chunk_size, jit=jit, device=device,
            random_state=random_state,
        )  # fmt: skip
        self.readout = readout
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train, from new starts unless `warm_start`.

        Args:
            X (real, (n, n_features)): Samples.
            y (n,): Labels.
            sample_weight (real, (n,)): Weights: 2 is as a sample that is there twice.

        Returns:
            The estimator.
        """
        schedule = self._check()
        one_of(self._name, "readout", self.readout, ("observables", "probabilities"))
        goes_on = self.warm_start and self._is_begun()
        X, y = self._read(X, y, first=not goes_on)
        check_classification_targets(y)
        weights = self._weights(sample_weight, X)
        classes = np.unique(y[weights > 0])
        if len(classes) < 2:
            need, got = "hold two classes or more", "one class of positive weight"
            raise ValueError(message(self._name, "y", y, need, got, "Give samples of others."))
        classes = np.unique(y)
        if goes_on and not np.array_equal(classes, self.classes_):
            need, remedy = "hold the classes of the last fit", "Start anew: `warm_start=False`."
            raise ValueError(message(self._name, "y", y, need, describe(classes), remedy))
        if not goes_on:
            self._open(classes, X)
        return self._fit_classes(X, y, weights, schedule)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one epoch, from where the last call ended.

        Args:
            X (real, (n, n_features)): Samples.
            y (n,): Labels.
            classes: All labels; needed by the first call.
            sample_weight (real, (n,)): Weights.

        Returns:
            The estimator.
        """
        schedule = self._check()._replace(n_epochs=1, tol=None)
        one_of(self._name, "readout", self.readout, ("observables", "probabilities"))
        for argument, value in {"early_stopping": True, "class_weight": "balanced"}.items():
            given = getattr(self, argument)
            if isinstance(given, type(value)) and given == value:
                need, remedy = "be left out of `partial_fit`", "It needs all samples: call `fit`."
                raise ValueError(message(self._name, argument, given, need, f"{given!r}", remedy))
        first = not self._is_begun()
        if first and classes is None:
            remedy = "Give all labels, such as `classes=[0, 1]`."
            need = "be given to the first `partial_fit`"
            raise ValueError(message(self._name, "classes", None, need, "None", remedy))
        X, y = self._read(X, y, first)
        check_classification_targets(y)
        weights = self._weights(sample_weight, X)
        if first:
            self._open(np.unique(classes), X)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            need, remedy = "be those of the first call", "Leave them out."
            got = describe(np.unique(classes))
            raise ValueError(message(self._name, "classes", classes, need, got, remedy))
        return self._fit_classes(X, y, weights, schedule)

    def _open(self, classes: Any, X: Any) -> None:
        self.classes_ = classes
        n_outputs = len(classes)
        if n_outputs == 2 and self.readout == "observables":
            n_outputs = 1
        self._start(n_outputs, tensor_of(X[:0]).dtype)

    def _least_qubits(self, n_outputs: int) -> int:
        is_read = self.readout == "probabilities"
        return max(1, (n_outputs - 1).bit_length()) if is_read else 1

    def _fit_classes(self, X: Any, y: Any, weights: Any, schedule: Any) -> Self:
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            need, got = f"hold the classes {self.classes_.tolist()}", f"{unknown.tolist()} too"
            remedy = "Give all in `classes` at first."
            raise ValueError(message(self._name, "y", y, need, got, remedy))
        places = np.searchsorted(self.classes_, y)
        weights = weights * self._class_weights(places, weights)[places]
        wanted = np.eye(len(self.classes_))[places]
        xs, norm, ys = self._tensors(X, weights / weights.mean(), wanted)
        self._train(xs, ys, norm, schedule)
        return self

    def _class_weights(self, places: Any, weights: Any) -> Any:
        n = len(self.classes_)
        if self.class_weight is None:
            return np.ones(n, dtype=weights.dtype)
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            totals = np.bincount(places, weights, n)
            return np.where(totals > 0, weights.sum() / (n * np.maximum(totals, 1e-300)), 0.0)
        if not isinstance(self.class_weight, dict):
            need, remedy = "be a dict of factors by class", 'Or give "balanced", or None.'
            raise kind_error(self._name, "class_weight", self.class_weight, need, remedy)
        return np.array([self.class_weight.get(label, 1.0) for label in self.classes_.tolist()])

    def _strata(self, targets: Tensor) -> Any:
        return targets.argmax(1).cpu().numpy()

    def _sample_loss(self, scores: Tensor, target: Tensor) -> Tensor:
        return -(target * _log_probabilities(scores)).sum()

    def _log_probs(self, X: Any) -> Tensor:
        """Logarithms of the mean of the members' probabilities."""
        found = _log_probabilities(self._scores(X))
        return found.logsumexp(0) - float(np.log(found.shape[0]))

    def decision_function(self, X: Any) -> Any:
        """Scores: of two classes the log-odds (n,), of more log-probabilities (n, n_classes)."""
        found = self._log_probs(X)
        return (found[:, 1] - found[:, 0] if found.shape[1] == 2 else found).cpu().numpy()

    def predict_proba(self, X: Any) -> Any:
        """Probabilities (n, n_classes)."""
        return self._log_probs(X).exp().cpu().numpy()

    def predict_log_proba(self, X: Any) -> Any:
        """Logarithms of probabilities (n, n_classes)."""
        return self._log_probs(X).cpu().numpy()

    def predict(self, X: Any) -> Any:
        """The likeliest class of each sample, (n,)."""
        decision = self.decision_function(X)
        places = decision > 0 if decision.ndim == 1 else decision.argmax(1)
        return self.classes_[places.astype(int)]


def _log_probabilities(scores: Tensor) -> Tensor:
    """Logarithms of the classes' probabilities; one score is of two classes."""
    if scores.shape[-1] == 1:
        both = torch.cat([-scores, scores], -1)
        return torch.nn.functional.logsigmoid(both)
    return torch.log_softmax(scores, -1)
