"""Data sets of the classification experiments: one stacked split per seed, and the Bayes limit.

Toy sets are drawn anew for every seed and come with fresh points to test on; real sets are split
anew for every seed. Features are standardised and projected to the leading principal components
where there are more of them than wires, then scaled to [0, π]: on toy sets by one minimum and one
maximum for both features, as the paper's notebook does, on real sets by those of each feature.
Whatever is fitted is fitted on the training points alone.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    make_circles,
    make_moons,
)
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from experiments._checks import message

Array: TypeAlias = NDArray[Any]

IRIS_PAIR = (1, 2)  # versicolor and virginica: the pair that no line separates
DIGITS_PAIR = (3, 8)
TEST_SHARE = 0.3
FRESH_SEED = 1_000_000  # fresh points of seed s are drawn with s + FRESH_SEED
MIN_SAMPLES = 10


class Points(NamedTuple):
    """Features (seeds, n, n_features) in radians and labels 0 or 1 (seeds, n)."""

    x: Array
    y: Array


Source: TypeAlias = Callable[[int], tuple[Points, Points | None]]
"""A seed in; points to split and, if there are any, fresh points out."""


TOYS: Mapping[str, "partial[tuple[Array, Array]]"] = {
    "circles": partial(make_circles, factor=0.5, noise=0.1),
    "moons": partial(make_moons, noise=0.2),
}
REAL: Mapping[str, tuple[Callable[..., Any], tuple[int, int]]] = {
    "iris": (load_iris, IRIS_PAIR),
    "breast_cancer": (load_breast_cancer, (0, 1)),
    "digits": (load_digits, DIGITS_PAIR),
}
NAMES = (*TOYS, *REAL)


def check_dataset(function: str, name: str, samples: int) -> None:
    """Refuse a data set that does not exist or is as good as empty."""
    if name not in NAMES:
        remedy = "Give one of these names."
        requirement = f"be one of {', '.join(NAMES)}"
        raise ValueError(message(function, "dataset", name, requirement, repr(name), remedy))
    if samples < MIN_SAMPLES:
        requirement = f"be at least {MIN_SAMPLES}, so that both parts of the split hold points"
        remedy = f"Give {MIN_SAMPLES} samples or more."
        raise ValueError(message(function, "samples", samples, requirement, str(samples), remedy))


def splits(
    name: str, n_seeds: int, *, samples: int = 100, fresh: int = 1000, n_wires: int = 4
) -> dict[str, Points]:
    """Draw or split a data set once per seed.

    Args:
        name: One of `NAMES`.
        n_seeds: Seeds 0 to `n_seeds - 1` are used; a seed's points don't depend on their number.
        samples: Size of a toy set before its split; real sets are used whole.
        fresh: Number of fresh points per seed (toy sets only).
        n_wires: Largest number of features that is kept.

    Returns:
        Points by part: "train", "test" and, for toy sets, "fresh".
    """
    check_dataset("splits", name, samples)
    source: Source = _toy(name, samples, fresh) if name in TOYS else _real(name)
    parts = [_prepare(*source(seed), seed, n_wires) for seed in range(n_seeds)]
    return {
        part: Points(np.stack([p[part].x for p in parts]), np.stack([p[part].y for p in parts]))
        for part in parts[0]
    }


def bayes_limit(name: str) -> float | None:
    """Accuracy that no classifier can beat on a toy set; None where it is not known.

    Both classes are equally likely, so it is half the integral of the larger of two densities.
    """
    if name not in TOYS:
        return None
    x, y = TOYS[name](2000, noise=None)
    axis, step = np.linspace(-2.0, 3.0, 1001, retstep=True)  # beyond lies nothing
    noise = TOYS[name].keywords["noise"]
    larger = np.maximum(*(_density(axis, x[y == label], noise) for label in (0, 1)))
    return float(larger.sum() * step**2 / 2)


def _density(axis: Array, points: Array, noise: float) -> Array:
    """Mean of the Gaussians around some points, on the grid `axis` times `axis`."""
    bells = np.exp(-((axis[:, None, None] - points) ** 2) / (2 * noise**2))
    density: Array = bells[..., 0] @ bells[..., 1].T
    return density / (2 * np.pi * noise**2 * len(points))


def _toy(name: str, samples: int, fresh: int) -> Source:
    def draw(seed: int) -> tuple[Points, Points | None]:
        return _points(name, samples, seed), _points(name, fresh, seed + FRESH_SEED)

    return draw


def _points(name: str, samples: int, seed: int) -> Points:
    return Points(*TOYS[name](samples, random_state=seed))


def _real(name: str) -> Source:
    load, pair = REAL[name]
    features, classes = load(return_X_y=True)
    chosen = np.isin(classes, pair)
    points = Points(features[chosen], (classes[chosen] == pair[1]).astype(int))
    return lambda _: (points, None)


def _prepare(points: Points, fresh: Points | None, seed: int, n_wires: int) -> dict[str, Points]:
    train_x, test_x, train_y, test_y = train_test_split(
        points.x, points.y, test_size=TEST_SHARE, random_state=seed
    )
    parts = {"train": Points(train_x, train_y), "test": Points(test_x, test_y)}
    if fresh is None:
        to_radians = _scale_each(train_x, n_wires)
    else:
        parts["fresh"], to_radians = fresh, _scale_all(train_x)
    return {part: Points(to_radians(x), y) for part, (x, y) in parts.items()}


def _scale_all(train_x: Array) -> Callable[[Array], Array]:
    low, high = train_x.min(), train_x.max()
    return lambda x: (x - low) / (high - low) * np.pi


def _scale_each(train_x: Array, n_wires: int) -> Callable[[Array], Array]:
    scaler = MinMaxScaler((0.0, np.pi))
    if train_x.shape[1] > n_wires:
        scaler = make_pipeline(StandardScaler(), PCA(n_wires), scaler)
    return scaler.fit(train_x).transform  # type: ignore[no-any-return]
