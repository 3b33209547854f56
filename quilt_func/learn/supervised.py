"""What classifier and regressor share: options, the fit of an ensemble, scores."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from torch import Tensor

from quilt_func._checks import check_function, check_is, describe, kind_error, message
from quilt_func._torch import tree_leaves, tree_map
from quilt_func.learn.options import (
    DTYPES,
    MAX_QUBITS,
    cast,
    check_tree,
    chosen_optimiser,
    one_of,
    real,
    seed_of,
    stream,
    tensor_of,
    whole,
)
from quilt_func.learn.readouts import Readout, head, kind_of
from quilt_func.learn.reuploading import reuploaded, started
from quilt_func.learn.training import Data, Schedule, train
from quilt_func.optim import Progress
from quilt_func.typing import PyTree


class Supervised(BaseEstimator):
    """The fit of an ensemble of models, one for each seed, to targets."""

    readout = "observables"
    _state: Progress | None
    _readout: Readout
    _seed: int

    def __init__(
        self,
        model: Callable[[PyTree, Tensor], Tensor] | None = None,
        init: Callable[[int], PyTree] | None = None,
        *,
        n_qubits: int | None = None,
        n_layers: int = 2,
        scale: float = 1.0,
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
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.init = init
        self.n_qubits = n_qubits
        self.n_layers = n_layers
        self.scale = scale
        self.optimiser = optimiser
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.n_seeds = n_seeds
        self.ensemble = ensemble
        self.chunk_size = chunk_size
        self.jit = jit
        self.device = device
        self.random_state = random_state

    def _sample_loss(self, scores: Tensor, target: Tensor) -> Tensor:
        raise NotImplementedError

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _is_begun(self) -> bool:
        return hasattr(self, "params_")

    def _read(self, X: Any, y: Any, first: bool, **options: Any) -> tuple[Any, Any]:
        return tuple(validate_data(self, X, y, dtype=DTYPES, reset=first, **options))

    def _weights(self, sample_weight: Any, X: Any) -> Any:
        weights = _check_sample_weight(sample_weight, X, dtype=X.dtype)
        if (weights < 0).any() or not weights.sum() > 0:
            need, got = "not be negative, and not all be 0", describe(sample_weight)
            remedy = "Give a weight for each sample, or leave it out."
            text = message(self._name, "sample_weight", sample_weight, need, got, remedy)
            raise ValueError(text)
        return weights

    def _check(self) -> Schedule:
        """Check the options; what remains of them for a run."""
        name, check = self._name, partial(whole, self._name)
        for argument in ("early_stopping", "warm_start", "jit"):
            remedy = "Give True or False."
            value = getattr(self, argument)
            check_is(name, argument, value, bool | np.bool_, "be a bool", remedy)
        one_of(name, "ensemble", self.ensemble, ("mean", "best"))
        check("n_seeds", self.n_seeds)
        check("n_layers", self.n_layers)
        real(name, "scale", self.scale)
        real(name, "validation_fraction", self.validation_fraction, high=1.0)
        for argument in ("n_qubits", "chunk_size"):
            if getattr(self, argument) is not None:
                check(argument, getattr(self, argument))
        if (self.model is None) != (self.init is None):
            argument = "init" if self.init is None else "model"
            need, remedy = "be given with the other", "Give both `model` and `init`, or neither."
            raise kind_error(name, argument, None, need, remedy)
        return Schedule(
            chosen_optimiser(name, self.optimiser, self.learning_rate),
            n_epochs=check("max_iter", self.max_iter),
            batch_size=None if self.batch_size is None else check("batch_size", self.batch_size),
            seed=0,
            done=0,
            tol=None if self.tol is None else real(name, "tol", self.tol, least=0.0),
            patience=check("n_iter_no_change", self.n_iter_no_change),
            jit=bool(self.jit),
        )

    def _start(self, n_outputs: int, dtype: torch.dtype) -> None:
        """Parameters of all members, and how scores come of them."""
        self._seed = seed_of(self.random_state)
        n_features = self.n_features_in_
        n_qubits = self.n_qubits
        if n_qubits is None:
            n_qubits = max(min(n_features, MAX_QUBITS), self._least_qubits(n_outputs))
        n_layers, model = whole(self._name, "n_layers", self.n_layers), self.model or reuploaded
        check_function(self._name, "model", model)
        init = self.init or partial(started, n_features, int(n_qubits), n_layers)
        check_function(self._name, "init", init)
        scale = float(self.scale)
        members, kind = [], self.readout
        for k in range(self.n_seeds):
            tree = cast(check_tree(self._name, "init", init(self._seed + k)), dtype, self.device)
            x = torch.zeros(n_features, dtype=dtype, device=self.device)
            out = model(tree, x)
            kind = kind_of(self._name, out, self.readout, n_outputs)
            members.append({"model": tree, **head(out, kind, n_outputs, stream(self._seed + k, 2))})
        self._readout, self._state = Readout(model, scale, kind, n_outputs), None
        self.params_ = tree_map(lambda *leaves: torch.stack(leaves), *members)
        self.loss_curves_ = torch.zeros((self.n_seeds, 0), dtype=dtype).numpy()
        self.n_iter_ = 0

    def _least_qubits(self, n_outputs: int) -> int:
        del n_outputs
        return 1

    def _train(self, xs: Tensor, ys: Tensor, weights: Tensor, schedule: Schedule) -> None:
        data, held_out = (xs, ys, weights), None
        if self.early_stopping:
            data, held_out = self._split(data)
        loss = partial(_loss_of, self._readout, self._sample_loss)
        schedule = schedule._replace(seed=stream(self._seed, 1), done=self.n_iter_)
        found = train(loss, self.params_, data, schedule, self._state, held_out)
        self.params_, self._state = found.params, found.state
        self.n_iter_ += found.losses.shape[-1]
        new = found.losses.cpu().numpy()
        self.loss_curves_ = np.concatenate([self.loss_curves_, new], axis=1)
        self.best_ = int((new[:, -1] if held_out is None else found.held_out.amin(1)).argmin())
        self.loss_curve_ = self._one_of(self.loss_curves_)
        if held_out is not None:
            self.validation_losses_ = found.held_out.cpu().numpy()

    def _one_of(self, rows: Any) -> Any:
        """The best member's row, or the mean of all."""
        return rows[self.best_] if self.ensemble == "best" else rows.mean(0)

    def _split(self, data: Data) -> tuple[Data, Data]:
        parts = train_test_split(
            np.arange(data[0].shape[0]),
            test_size=self.validation_fraction,
            stratify=self._strata(data[1]),
            random_state=self._seed % 2**32,
        )
        chosen = [torch.from_numpy(part).to(data[0].device) for part in parts]
        first, second = (tuple(one[part] for one in data) for part in chosen)
        return first, second  # type: ignore[return-value]  # tuples of three, as `data`

    def _strata(self, targets: Tensor) -> Any:
        """What both parts hold in like shares."""
        del targets
        return None

    def _tensors(self, *tables: Any) -> list[Tensor]:
        """Tables in the precision of the parameters."""
        dtype = tree_leaves(self.params_)[0].dtype
        return [tensor_of(table, dtype, self.device) for table in tables]

    def _scores(self, X: Any) -> Tensor:
        """Scores (n_members, n, n_outputs) of the members that are asked."""
        check_is_fitted(self)
        (xs,) = self._tensors(validate_data(self, X, dtype=DTYPES, reset=False))
        params, chunk_size = self.params_, self.chunk_size
        if self.ensemble == "best":
            params = tree_map(lambda leaf: leaf[self.best_ : self.best_ + 1], params)
        return self._readout.of_members(params, xs, None if chunk_size is None else int(chunk_size))


def _loss_of(
    readout: Readout,
    loss: Callable[[Tensor, Tensor], Tensor],
    params: PyTree,
    x: Tensor,
    target: Tensor,
) -> Tensor:
    return loss(readout.scores(params, x), target)
