"""Classical classifiers on the very points that the circuits see, one fit per seed."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from experiments import _data
from experiments._data import Points
from experiments._desk import Desk

CLASSIFIERS: Mapping[str, Callable[[int], Any]] = {
    "logistic regression": lambda _: LogisticRegression(),
    "RBF-SVM": lambda _: SVC(),
    "MLP, 16 hidden": lambda seed: MLPClassifier(
        (16,), solver="lbfgs", alpha=0.1, max_iter=100, random_state=seed
    ),
}
RECIPE = "".join(Path(module).read_text("utf-8") for module in (__file__, _data.__file__))
"""The source text that cached accuracies depend on."""


def accuracies(name: str, parts: Mapping[str, Points], desk: Desk) -> dict[str, list[float]]:
    """Fit one classifier per seed and score it on every part of the split.

    Args:
        name: One of `CLASSIFIERS`.
        parts: Points by part; the classifier is fitted on "train".
        desk: Shows the progress.

    Returns:
        Accuracy of every seed, by part.
    """
    seeds = desk.bar(range(len(parts["train"].x)), name, "seed")
    scores = [_score(name, parts, seed) for seed in seeds]
    return {part: [score[part] for score in scores] for part in parts}


def _score(name: str, parts: Mapping[str, Points], seed: int) -> dict[str, float]:
    classifier = make_pipeline(StandardScaler(), CLASSIFIERS[name](seed))
    x, y = parts["train"]
    with warnings.catch_warnings():  # the MLP may stop at its limit of steps
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(x[seed], y[seed])
    return {part: float(classifier.score(x[seed], y[seed])) for part, (x, y) in parts.items()}
