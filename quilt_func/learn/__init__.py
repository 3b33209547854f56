"""Learning from tables of data: quantum kernels, and estimators of scikit-learn's kind.

Functions of tensors, which need torch alone: Gram matrices, their alignment with labels, centring
and repair. Estimators, which need the extra `learn`: `QuantumClassifier`, `QuantumRegressor`,
`QuantumKernel` and `QuantumFeatures` clone, pickle, search grids and stand in pipelines.

    >>> from sklearn.datasets import make_circles
    >>> from quilt_func.learn import QuantumClassifier
    >>> xs, ys = make_circles(60, noise=0.05, factor=0.3, random_state=0)
    >>> classifier = QuantumClassifier(max_iter=40, random_state=0).fit(2 * xs, ys)
    >>> classifier.score(2 * xs, ys) > 0.9
    True

scikit-learn is imported when the first estimator is asked for, not before.
"""

from typing import TYPE_CHECKING

from quilt_func.learn.alignments import alignment
from quilt_func.learn.gram_matrices import centred, fidelity_gram, projected_gram
from quilt_func.learn.on_demand import __dir__ as __dir__
from quilt_func.learn.on_demand import __getattr__ as __getattr__
from quilt_func.learn.repairs import repaired
from quilt_func.learn.reuploading import init_reuploaded, reuploaded

if TYPE_CHECKING:
    from quilt_func.learn.classification import QuantumClassifier
    from quilt_func.learn.features import QuantumFeatures
    from quilt_func.learn.kernels import QuantumKernel
    from quilt_func.learn.regression import QuantumRegressor

__all__ = [
    "QuantumClassifier",
    "QuantumFeatures",
    "QuantumKernel",
    "QuantumRegressor",
    "alignment",
    "centred",
    "fidelity_gram",
    "init_reuploaded",
    "projected_gram",
    "repaired",
    "reuploaded",
]
