"""What kernel and features share: an encoding circuit, its parameters, and their options."""

from functools import partial
from typing import Any, NamedTuple

import torch
from sklearn.base import BaseEstimator, TransformerMixin
from torch import Tensor

from quilt_func._checks import check_function, kind_error
from quilt_func.learn.options import MAX_QUBITS, cast, check_tree, real, seed_of, whole
from quilt_func.learn.reuploading import reuploaded, started
from quilt_func.typing import PyTree


class Encoded(NamedTuple):
    """An encoding of samples, scaled first; called as `encoded(params, x)`, it gives a state."""

    encoding: Any
    scale: float

    def __call__(self, params: PyTree, x: Tensor) -> Tensor:
        """The state of a sample."""
        state: Tensor = self.encoding(params, self.scale * x)
        return state


class Encoder(TransformerMixin, BaseEstimator):
    """An estimator that encodes samples."""

    encoding: Any
    init: Any
    params: PyTree
    n_qubits: int | None
    n_layers: int
    scale: float
    chunk_size: int | None
    device: Any
    random_state: Any

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _chunk_size(self) -> int | None:
        size = self.chunk_size
        return None if size is None else whole(self._name, "chunk_size", size)

    def _encoded(self) -> Encoded:
        encoding = reuploaded if self.encoding is None else self.encoding
        check_function(self._name, "encoding", encoding)
        return Encoded(encoding, real(self._name, "scale", self.scale))

    def _first_params(self, n_features: int, dtype: torch.dtype) -> PyTree:
        """Where parameters start: as they were given, by a seed, or none."""
        n_layers = whole(self._name, "n_layers", self.n_layers)
        n_qubits = self.n_qubits
        if n_qubits is None:
            n_qubits = min(n_features, MAX_QUBITS)
        n_qubits = whole(self._name, "n_qubits", n_qubits)
        if self.params is not None:
            return cast(check_tree(self._name, "params", self.params), dtype, self.device)
        init = self.init
        if init is None and self.encoding is not None:
            return ()
        if self.encoding is None:
            if init is not None:
                need, remedy = "be left out of the default encoding", "Give `params` to start from."
                raise kind_error(self._name, "init", init, need, remedy)
            init = partial(started, n_features, n_qubits, n_layers, last=True)
        check_function(self._name, "init", init)
        tree = init(seed_of(self.random_state))
        return cast(check_tree(self._name, "init", tree), dtype, self.device)
