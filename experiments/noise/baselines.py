"""Classical classifiers on the very points that the circuits see, without noise."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from experiments import _data
from experiments._data import Points
from experiments._desk import Desk

CLASSIFIERS: Mapping[str, Callable[[], Any]] = {
    "majority class": lambda: DummyClassifier(strategy="most_frequent"),
    "logistic regression": LogisticRegression,
    "RBF-SVM": SVC,
}
RECIPE = "".join(Path(module).read_text("utf-8") for module in (__file__, _data.__file__))
"""The source text that cached accuracies depend on."""


def accuracies(name: str, parts: Mapping[str, Points], desk: Desk) -> list[float]:
    """Fit one classifier per seed on "train", and score it on "fresh"."""
    train, fresh = parts["train"], parts["fresh"]
    found = []
    for seed in desk.bar(range(len(train.x)), name, "seed"):
        classifier = make_pipeline(StandardScaler(), CLASSIFIERS[name]())
        classifier.fit(train.x[seed], train.y[seed])
        found.append(float(classifier.score(fresh.x[seed], fresh.y[seed])))
    return found
