"""`QuantumFeatures`: expectation values of an encoding circuit, as features of samples."""

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data
from torch import Tensor
from torch.func import vmap

from quilt_func._checks import check_iterable, kind_error
from quilt_func.learn.encodings import Encoder
from quilt_func.learn.gram_matrices import one_qubit_words
from quilt_func.learn.options import DTYPES, cast, tensor_of
from quilt_func.measurement import expval
from quilt_func.pauli import pauli_sum
from quilt_func.typing import PyTree


class QuantumFeatures(Encoder):
    """Expectation values of Pauli words in the state of each sample, a transformer of tables.

    Nothing is trained: parameters of the circuit are given, or drawn by a seed. A linear model on
    these features is what Huang et al. call a projected quantum model, and of a random circuit a
    quantum kitchen sink.

    Args:
        encoding: Function `encoding(params, x)` of parameters and one sample to a state (complex,
            (2**n_qubits,)); default: `reuploaded`, that encodes once more at the end.
        init: Function of a seed to the encoding's parameters; if it takes none, leave it out, and
            `params` is `()`.
        params: Parameters themselves, in place of `init`, such as those of a trained kernel.
        words: Pauli words such as `["ZZI", "XII"]`; default: X, Y and Z of each qubit.
        n_qubits: Qubits of the default encoding; default: one a feature, but at most 10.
        n_layers: Layers of the default encoding.
        scale: Factor of the features.
        chunk_size: Samples encoded at once; None for all.
        device: Where to compute; default: the CPU.
        random_state: Seed of the parameters.

    Attributes:
        params_: Parameters.
        words_: Pauli words, in the order of columns.

    Raises:
        TypeError: If an option is of the wrong kind.
        ValueError: If an option is out of range, or words do not fit the qubits.

    Examples:
        >>> from sklearn.datasets import make_circles
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.pipeline import make_pipeline
        >>> xs, ys = make_circles(80, noise=0.05, factor=0.5, random_state=0)
        >>> features = QuantumFeatures(n_layers=1, words=["ZI", "IZ", "ZZ", "XX"])
        >>> make_pipeline(features, LogisticRegression(C=100)).fit(xs, ys).score(xs, ys) > 0.9
        True
        >>> list(features.fit(xs).get_feature_names_out())
        ['ZI', 'IZ', 'ZZ', 'XX']

    References:
        Huang et al. (2021), Nat. Commun. 12, 2631; Wilson et al. (2018), arXiv:1806.08321.
    """

    def __init__(
        self,
        encoding: Any = None,
        init: Any = None,
        *,
        params: Any = None,
        words: Any = None,
        n_qubits: int | None = None,
        n_layers: int = 2,
        scale: float = 1.0,
        chunk_size: int | None = 1024,
        device: Any = None,
        random_state: Any = 0,
    ) -> None:
        self.encoding = encoding
        self.init = init
        self.params = params
        self.words = words
        self.n_qubits = n_qubits
        self.n_layers = n_layers
        self.scale = scale
        self.chunk_size = chunk_size
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Draw the parameters that are not given, and check that words fit.

        Args:
            X (real, (n, n_features)): Samples.
            y: Not looked at.

        Returns:
            The transformer.
        """
        del y
        X = validate_data(self, X, dtype=DTYPES)
        x = tensor_of(X[:1], device=self.device)
        self.params_ = self._first_params(X.shape[1], x.dtype)
        state = self._encoded()(self.params_, x[0])
        words = self.words
        if words is None:
            n = state.shape[-1].bit_length() - 1
            words = [word for one in one_qubit_words(n, "XYZ") for word in one.words]
        remedy = 'Give words such as `["ZZ", "XI"]`.'
        if isinstance(words, str):
            raise kind_error(self._name, "words", words, "be a sequence", remedy)
        check_iterable(self._name, "words", words, remedy)
        self.words_ = list(words)
        self._values(state, self.words_)
        return self

    def transform(self, X: Any) -> Any:
        """Expectation values of the words.

        Args:
            X (real, (n, n_features)): Samples.

        Returns:
            (real, (n, n_words)): Features, in the precision of `X`.
        """
        check_is_fitted(self)
        xs = tensor_of(validate_data(self, X, dtype=DTYPES, reset=False), device=self.device)
        params, encoded = cast(self.params_, xs.dtype, self.device), self._encoded()

        def features(params: PyTree, x: Tensor) -> Tensor:
            return self._values(encoded(params, x), self.words_)

        found = vmap(features, (None, 0), chunk_size=self._chunk_size())(params, xs)
        return found.cpu().numpy()

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """The words, as names of columns.

        Args:
            input_features: Names of the columns of `X`, which are checked.

        Returns:
            Array of strings.
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features)
        return np.array(self.words_, dtype=object)

    def _values(self, state: Tensor, words: Iterable[Any]) -> Tensor:
        return expval(state, [pauli_sum({word: 1.0}) for word in words])
