"""Data sets of the classification experiments: one stacked split per seed, and the Bayes limit.

Toy sets are drawn anew for every seed and come with fresh points to test on; real sets are split
anew for every seed. Features are standardised and projected to the leading principal components
where there are more of them than wires, then scaled by the training minimum and maximum to
[0, π]. Whatever is fitted is fitted on the training points alone.
"""

from collections.abc import Callable, Mapping
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

from quilt_func._checks import message

Array: TypeAlias = NDArray[Any]

CIRCLES_FACTOR, CIRCLES_NOISE, MOONS_NOISE = 0.5, 0.1, 0.2
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


def _circles(samples: int, seed: int) -> tuple[Array, Array]:
    x, y = make_circles(samples, factor=CIRCLES_FACTOR, noise=CIRCLES_NOISE, random_state=seed)
    return x, y


def _moons(samples: int, seed: int) -> tuple[Array, Array]:
    x, y = make_moons(samples, noise=MOONS_NOISE, random_state=seed)
    return x, y


TOYS: Mapping[str, Callable[[int, int], tuple[Array, Array]]] = {
    "circles": _circles,
    "moons": _moons,
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
    """Accuracy that no classifier can beat on the circles; None where it is not known.

    The angle says nothing, so the limit is half the integral of the larger of the two densities
    of the radius. Both are Rice densities: a circle blurred by an isotropic Gaussian.
    """
    if name != "circles":
        return None
    radius = np.linspace(0.0, 2.5, 25_001)  # beyond lies nothing; further out `i0` overflows
    larger = np.maximum(_rice(radius, 1.0), _rice(radius, CIRCLES_FACTOR))
    return float(np.trapezoid(larger, radius) / 2)


def _rice(radius: Array, circle: float, noise: float = CIRCLES_NOISE) -> Array:
    variance = noise**2
    bell = np.exp(-(radius**2 + circle**2) / (2 * variance))
    density: Array = radius / variance * bell * np.i0(radius * circle / variance)
    return density


def _toy(name: str, samples: int, fresh: int) -> Source:
    def draw(seed: int) -> tuple[Points, Points | None]:
        return Points(*TOYS[name](samples, seed)), Points(*TOYS[name](fresh, seed + FRESH_SEED))

    return draw


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
    to_radians = MinMaxScaler((0.0, np.pi))
    if points.x.shape[1] > n_wires:
        to_radians = make_pipeline(StandardScaler(), PCA(n_wires), to_radians)
    to_radians.fit(train_x)
    parts = {"train": Points(train_x, train_y), "test": Points(test_x, test_y)}
    if fresh is not None:
        parts["fresh"] = fresh
    return {part: Points(to_radians.transform(x), y) for part, (x, y) in parts.items()}
