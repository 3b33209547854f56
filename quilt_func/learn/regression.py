"""`QuantumRegressor`: numbers that a quantum model gives."""

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from torch import Tensor

from quilt_func._checks import message
from quilt_func.learn.options import tensor_of
from quilt_func.learn.supervised import Supervised


class QuantumRegressor(RegressorMixin, Supervised):
    r"""A quantum model that is trained to give numbers, by the mean of squared errors.

    Without a `model` of your own it is `reuploaded`, whose values are Fourier series in the
    features. Each output is the expectation value of $b + \sum_i w_i Z_i$ with trained
    coefficients. Targets are standardised for training, and predictions turned back.

    Args:
        model: Function `model(params, x)` of parameters and one sample to a state, or to numbers
            (real, (n_outputs,)), of one output also (): predictions of standardised targets.
        init: Function of a seed to the model's parameters. Give both or neither.
        n_qubits: Qubits of the default; default: one a feature, but at most 10.
        n_layers: Layers of the default, and so the highest frequency.
        scale: Factor of the features in front of any model.
        optimiser: As of `QuantumClassifier`, as are all arguments from here on.
        learning_rate: Step size.
        max_iter: Largest number of epochs.
        batch_size: Samples of a batch; default: all.
        tol: Least fall of the loss; None for no early end.
        n_iter_no_change: Number of epochs without it that end training.
        early_stopping: Whether samples are held out, and the parameters kept that are best on them.
        validation_fraction: Share that is held out.
        warm_start: Whether `fit` goes on from the last fit.
        n_seeds: Number of starts.
        ensemble: "mean" of the members' predictions, or the "best" member.
        chunk_size: Number of samples that are predicted at once; None for all.
        jit: Whether steps are replayed.
        device: Where to compute; default: the CPU.
        random_state: Seed of starts, and of batches.

    Attributes:
        params_: Parameters, with a first axis of members.
        n_iter_: Number of epochs.
        loss_curve_: Mean squared error of standardised targets in each epoch.
        loss_curves_: Losses `(n_seeds, n_iter_)`.
        validation_losses_: Losses on samples held out, the last of the parameters at the end.
        best_: The best member.

    Raises:
        TypeError: At `fit`, if an option is of the wrong kind.
        ValueError: At `fit`, if an option is out of range.

    Examples:
        >>> import numpy as np
        >>> xs = np.linspace(-3, 3, 40)[:, None]
        >>> ys = np.cos(2 * xs[:, 0])
        >>> regressor = QuantumRegressor(n_qubits=2, max_iter=80, random_state=0).fit(xs, ys)
        >>> regressor.score(xs, ys) > 0.9
        True

    References:
        Schuld, Sweke and Meyer (2021), Phys. Rev. A 103, 032430.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train, from new starts unless `warm_start`.

        Args:
            X (real, (n, n_features)): Samples.
            y (real, (n,) or (n, n_outputs)): Targets.
            sample_weight (real, (n,)): Weights: 2 is as a sample that is there twice.

        Returns:
            The estimator.
        """
        schedule = self._check()
        return self._fit(X, y, sample_weight, schedule, not (self.warm_start and self._is_begun()))

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch, from where the last call ended; the first one standardises.

        Args:
            X (real, (n, n_features)): Samples.
            y (real, (n,) or (n, n_outputs)): Targets.
            sample_weight (real, (n,)): Weights.

        Returns:
            The estimator.
        """
        schedule = self._check()._replace(n_epochs=1, tol=None)
        if self.early_stopping:
            need, remedy = "be left out of `partial_fit`", "It needs all samples: call `fit`."
            text = message(self._name, "early_stopping", True, need, "True", remedy)
            raise ValueError(text)
        return self._fit(X, y, sample_weight, schedule, not self._is_begun())

    def _fit(self, X: Any, y: Any, sample_weight: Any, schedule: Any, first: bool) -> Self:
        X, y = self._read(X, y, first, multi_output=True, y_numeric=True)
        weights = self._weights(sample_weight, X)
        y = np.asarray(y, dtype=X.dtype)
        columns = y.reshape(len(y), -1)
        if first:
            self._is_flat = y.ndim == 1
            self.y_mean_ = np.average(columns, axis=0, weights=weights)
            spread = np.sqrt(np.average((columns - self.y_mean_) ** 2, axis=0, weights=weights))
            self.y_scale_ = np.where(spread > 0, spread, 1.0)
            self._start(columns.shape[1], tensor_of(X[:0]).dtype)
        elif columns.shape[1] != self._readout.n_outputs:
            need, got = f"have {self._readout.n_outputs} output(s)", f"{columns.shape[1]}"
            raise ValueError(message(self._name, "y", y, need, got, "Start anew with another."))
        targets = (columns - self.y_mean_) / self.y_scale_
        xs, ys, norm = self._tensors(X, targets, weights / weights.mean())
        self._train(xs, ys, norm, schedule)
        return self

    def _sample_loss(self, scores: Tensor, target: Tensor) -> Tensor:
        return (scores - target).square().mean()

    def predict(self, X: Any) -> Any:
        """Predictions, (n,) or (n, n_outputs) as the targets were."""
        scores = self._scores(X).mean(0).cpu().numpy()
        found = (scores * self.y_scale_ + self.y_mean_).astype(scores.dtype)
        return found[:, 0] if self._is_flat else found
