"""`QuantumKernel`: similarities of states as a kernel, perhaps trained to tell labels."""

from functools import partial
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.utils import check_array
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from quilt_func._checks import check_is, describe, is_index, kind_error, message
from quilt_func.learn.alignments import alignment, target_columns
from quilt_func.learn.encodings import Encoded, Encoder
from quilt_func.learn.gram_matrices import centred, fidelity_gram, projected_gram
from quilt_func.learn.options import (
    DTYPES,
    cast,
    chosen_optimiser,
    one_of,
    real,
    seed_of,
    stream,
    tensor_of,
    whole,
)
from quilt_func.learn.repairs import repaired
from quilt_func.optim import Minimisation, minimise
from quilt_func.states import uniforms
from quilt_func.typing import PyTree


class QuantumKernel(ClassNamePrefixFeaturesOutMixin, Encoder):
    r"""A kernel of quantum states: for `SVC(kernel=QuantumKernel())`, or as a transformer.

    Called as `kernel(X, Y)` it gives the Gram matrix of two sets of samples. As a transformer it
    maps samples to their kernels with those it was fitted to, for
    `make_pipeline(QuantumKernel(), SVC(kernel="precomputed"))`. There it can be trained: with
    `n_steps`, `fit` moves the circuit's parameters up the alignment with the labels, in each fold
    of a search on that fold's own training samples. For `SVC(kernel=...)` hand trained parameters
    on: `QuantumKernel(params=trained.params_)`.

    Args:
        encoding: Function `encoding(params, x)` of parameters and one sample to a state (complex,
            (2**n_qubits,)); default: `reuploaded`, that encodes once more at the end.
        init: Function of a seed to the encoding's parameters; if it takes none, leave it out, and
            `params` is `()`.
        params: Parameters themselves, in place of `init`.
        kind: "fidelity", $|\langle\phi(x)|\phi(x')\rangle|^2$, or "projected", a Gaussian of
            one-qubit density matrices, see `projected_gram`; or a function of the arguments of
            `fidelity_gram`, of what a noisy machine measures, say.
        gamma: Inverse width of the latter.
        n_qubits: Qubits of the default encoding; default: one a feature, but at most 10.
        n_layers: Layers of the default encoding.
        scale: Factor of the features: the kernel's inverse width.
        repair: "clip" or "flip" for a kernel without negative eigenvalues, see `repaired`: samples
            that are new go through the same change as those of the fit. None leaves it as it is.
        centre: Whether `transform` centres features over the samples of the fit, after repair.
        n_steps: Number of steps of training by alignment; 0 for none.
        batch_size: Samples of a step, drawn anew for each; default: all.
        optimiser: As of `QuantumClassifier`.
        learning_rate: Step size.
        chunk_size: Samples encoded at once; None for all.
        device: Where to compute; default: the CPU.
        random_state: Seed of the start and of batches. An int, so that a kernel that is called
            again is the same; only one that is fitted first may have others.

    Attributes:
        params_: Parameters, trained if `n_steps` is above 0.
        X_fit_: Samples of the fit.
        alignments_: Centred alignment with the labels before each step, and after the last.

    Raises:
        TypeError: If an option is of the wrong kind.
        ValueError: If an option is out of range, or labels are missing where they are needed.

    Examples:
        >>> from sklearn.datasets import make_moons
        >>> from sklearn.svm import SVC
        >>> xs, ys = make_moons(60, noise=0.1, random_state=0)
        >>> SVC(kernel=QuantumKernel(n_layers=1)).fit(xs, ys).score(xs, ys) > 0.8
        True
        >>> trained = QuantumKernel(n_layers=1, n_steps=10).fit(xs, ys)
        >>> bool(trained.alignments_[-1] > trained.alignments_[0]), trained.transform(xs[:3]).shape
        (True, (3, 60))

    References:
        Havlíček et al. (2019), Nature 567, 209; Huang et al. (2021), Nat. Commun. 12, 2631;
        Hubregtsen et al. (2022), Phys. Rev. A 106, 042431.
    """

    def __init__(
        self,
        encoding: Any = None,
        init: Any = None,
        *,
        params: Any = None,
        kind: Any = "fidelity",
        gamma: float = 1.0,
        n_qubits: int | None = None,
        n_layers: int = 2,
        scale: float = 1.0,
        repair: str | None = None,
        centre: bool = False,
        n_steps: int = 0,
        batch_size: int | None = None,
        optimiser: Any = "adam",
        learning_rate: float = 0.1,
        chunk_size: int | None = 1024,
        device: Any = None,
        random_state: Any = 0,
    ) -> None:
        self.encoding = encoding
        self.init = init
        self.params = params
        self.kind = kind
        self.gamma = gamma
        self.n_qubits = n_qubits
        self.n_layers = n_layers
        self.scale = scale
        self.repair = repair
        self.centre = centre
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.optimiser = optimiser
        self.learning_rate = learning_rate
        self.chunk_size = chunk_size
        self.device = device
        self.random_state = random_state

    def __call__(self, X: Any, Y: Any = None) -> Any:
        """Gram matrix of two sets of samples, (n, m); of one, (n, n).

        Args:
            X (real, (n, n_features)): Samples.
            Y (real, (m, n_features)): Second samples; default: `X`.

        Returns:
            (real, (n, m)): Gram matrix, repaired as one of samples with the training samples `Y`,
            and not centred.
        """
        X = check_array(X, dtype=DTYPES)
        xs, others = tensor_of(X, device=self.device), None
        if Y is not None and Y is not X:
            Y = check_array(Y, dtype=DTYPES)
            if Y.shape[1] != X.shape[1]:
                need, got = f"have {X.shape[1]} features, as X has", f"{Y.shape[1]}"
                raise ValueError(message(self._name, "Y", Y, need, got, "Give the same features."))
            others = tensor_of(Y, xs.dtype, self.device)
        if hasattr(self, "params_"):
            params = cast(self.params_, xs.dtype, self.device)
        else:
            if self.params is None and not is_index(self.random_state):
                need, remedy = "be an int, or the kernel be fitted", "Give a seed."
                given = self.random_state
                raise kind_error(self._name, "random_state", given, need, remedy)
            params = self._first_params(X.shape[1], xs.dtype)
        encoded = self._encoded()
        gram = self._gram(encoded, params, xs, others)
        if self._repair():
            train = None if others is None else self._gram(encoded, params, others)
            gram = repaired(gram, self._repair(), train=train)
        return gram.cpu().numpy()

    def fit(self, X: Any, y: Any = None) -> Self:
        """Keep samples and, with `n_steps`, train parameters by the alignment with labels.

        Args:
            X (real, (n, n_features)): Samples.
            y (n,): Labels of classes, or numbers; needed for training alone.

        Returns:
            The kernel.
        """
        n_steps = whole(self._name, "n_steps", self.n_steps, minimum=0)
        remedy = "Give True or False."
        check_is(self._name, "centre", self.centre, bool | np.bool_, "be a bool", remedy)
        self._gram_function()
        self._repair()
        if n_steps and y is None:
            need, remedy = "be given: `n_steps` asks for training", "Give labels, or `n_steps=0`."
            raise ValueError(message(self._name, "y", y, need, "None", remedy))
        if n_steps:
            X, y = validate_data(self, X, y, dtype=DTYPES, multi_output=False)
        else:
            X = validate_data(self, X, dtype=DTYPES)
        self.X_fit_ = X
        xs = tensor_of(X, device=self.device)
        encoded, params = self._encoded(), self._first_params(X.shape[1], xs.dtype)
        self._n_features_out = X.shape[0]
        if n_steps:
            found = self._trained(encoded, params, xs, self._targets(y, xs.dtype), n_steps)
            params = found.params
        self.params_ = params
        is_needed = self.centre or self._repair()
        self._gram_of_fit = self._gram(encoded, params, xs) if is_needed else None
        return self

    def transform(self, X: Any) -> Any:
        """Kernels with the samples of the fit.

        Args:
            X (real, (n, n_features)): Samples.

        Returns:
            (real, (n, n_samples of the fit)): Gram matrix.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=DTYPES, reset=False)
        xs = tensor_of(X, device=self.device)
        others = tensor_of(self.X_fit_, xs.dtype, self.device)
        params = cast(self.params_, xs.dtype, self.device)
        gram = self._gram(self._encoded(), params, xs, others)
        if self._gram_of_fit is not None:
            gram = self._as_of_fit(gram, self._gram_of_fit.to(gram))
        return gram.cpu().numpy()

    def _as_of_fit(self, gram: Tensor, train: Tensor) -> Tensor:
        """Rows, repaired and centred as the training samples are."""
        method = self._repair()
        if method:
            gram, train = repaired(gram, method, train=train), repaired(train, method)
        return centred(gram, train) if self.centre else gram

    def _repair(self) -> Any:
        return one_of(self._name, "repair", self.repair, (None, "clip", "flip"))

    def _gram_function(self) -> Any:
        if callable(self.kind):
            return self.kind
        one_of(self._name, "kind", self.kind, ("fidelity", "projected"))
        if self.kind == "fidelity":
            return fidelity_gram
        return partial(projected_gram, gamma=real(self._name, "gamma", self.gamma))

    def _gram(self, encoded: Encoded, params: PyTree, xs: Tensor, others: Any = None) -> Tensor:
        gram_of = self._gram_function()
        found: Tensor = gram_of(encoded, params, xs, others, chunk_size=self._chunk_size())
        return found

    def _targets(self, y: Any, dtype: torch.dtype) -> Tensor:
        """Labels as columns of -1 and 1; numbers as they are."""
        if type_of_target(y) == "continuous":
            return tensor_of(y, dtype, self.device)
        classes, places = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            need, got = "hold two classes or more", "one class"
            raise ValueError(message(self._name, "y", y, need, got, "Give samples of others."))
        return target_columns(tensor_of(places, device=self.device), len(classes), dtype)

    def _trained(
        self, encoded: Encoded, params: PyTree, xs: Tensor, targets: Tensor, n_steps: int
    ) -> Minimisation:
        """Steps up the centred alignment."""
        gram_of, n = self._gram_function(), xs.shape[0]
        size = n if self.batch_size is None else whole(self._name, "batch_size", self.batch_size, 2)
        if params == ():
            need, remedy = "be 0: the encoding has no parameters", "Give `init` or `params`."
            got = describe(n_steps)
            raise ValueError(message(self._name, "n_steps", n_steps, need, got, remedy))

        def loss(params: PyTree, chosen: Tensor) -> Tensor:
            gram = gram_of(encoded, params, xs[chosen])
            return -alignment(gram, targets[chosen], centred=True)

        order = torch.arange(n).expand(n_steps, n)
        if size < n:
            u = uniforms((n_steps, n), stream(seed_of(self.random_state), 1), dtype=torch.float64)
            order = u.argsort(1)[:, :size]
        optimiser = chosen_optimiser(self._name, self.optimiser, self.learning_rate)
        found = minimise(loss, params, optimiser, n_steps, batches=order.to(xs.device))
        last = -loss(found.params, torch.arange(n, device=xs.device))
        self.alignments_ = torch.cat([-found.losses, last[None]]).cpu().numpy()
        return found
