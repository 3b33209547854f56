"""The figure of the classifier experiment: boundaries, losses, and a histogram over seeds."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure

from experiments._style import BLUE, GREEN, GREY, INK, NOTE, ORANGE, PINK, Array, clean

EXTENT = (-0.5, math.pi + 0.5)
GRID = 81
CONTOURS = 21  # the seed that is shown and twenty others
LOWEST_BOUNDED_LOSS = math.log1p(math.exp(-1.0))  # of a logit within [-1, 1]

CLASS_COLOURS = (BLUE, ORANGE)
MODEL_COLOURS = (PINK, GREEN)
DOT: Mapping[str, Any] = {"s": 26, "edgecolors": "white", "linewidths": 0.7, "zorder": 3}
SHADES = LinearSegmentedColormap.from_list("classes", ["#7FB8D8", "#FFFFFF", "#EAAE7F"])
BANDS = np.linspace(0.0, 1.0, 21)


class Boundary(NamedTuple):
    """One seed's training points (n, 2) and labels, and logits on a grid: that seed's first."""

    seed: int
    x: Array
    y: Array
    logits: Array


class Logits(NamedTuple):
    """Logits and labels of test points, all seeds."""

    logits: Array
    y: Array


def draw(
    *,
    title: str,
    panels: Mapping[str, Boundary | Logits],
    losses: Mapping[str, Array],
    accuracies: Mapping[str, Array],
    marks: Mapping[str, float],
    part: str,
    n_points: int,
) -> Figure:
    """Compose the figure of two models.

    Args:
        title: The finding, in a sentence.
        panels: What each model decides.
        losses: Training losses (epochs, seeds).
        accuracies: Accuracies (seeds,).
        marks: Accuracies to mark by a line.
        part: What the accuracies were measured on.
        n_points: Number of its points.
    """
    figure = Figure(figsize=(10.5, 8.8), layout="constrained")
    figure.suptitle(title, fontsize=14, fontweight="bold", color=INK)
    axes, shades = figure.subplots(2, 2), None
    for ax, colour, (name, panel) in zip(axes[0], MODEL_COLOURS, panels.items(), strict=True):
        if isinstance(panel, Boundary):
            shades = _boundary(ax, panel)
        else:
            _logits(ax, panel)
        ax.set_title(name, fontsize=12, color=INK, fontweight="bold", pad=9)
        ax.title.set_bbox({"facecolor": colour, "alpha": 0.35, "edgecolor": "none", "pad": 3})
    if shades:
        bar = figure.colorbar(shades, ax=axes[0].tolist(), shrink=0.8, pad=0.02, format="{x:.0%}")
        bar.set_label("probability of class 1, as the model gives it", fontsize=9)
        bar.set_ticks([0.0, 0.25, 0.5, 0.75, 1.0])
    _losses(axes[1, 0], losses)
    _histogram(axes[1, 1], accuracies, marks, part, n_points)
    clean(axes.flat)
    return figure


def _boundary(ax: Axes, panel: Boundary) -> ContourSet:
    axis = np.linspace(*EXTENT, GRID)
    shown, *others = panel.logits
    shades = ax.contourf(axis, axis, 1 / (1 + np.exp(-shown)), levels=BANDS, cmap=SHADES)
    for logits in others:
        ax.contour(axis, axis, logits, levels=[0.0], colors=[GREY], linewidths=0.6, alpha=0.6)
    ax.contour(axis, axis, shown, levels=[0.0], colors=[INK], linewidths=2.2)
    for label, (colour, shape) in enumerate(zip(CLASS_COLOURS, "os", strict=True)):
        x, y = panel.x[panel.y == label].T[:2]
        ax.scatter(x, y, c=colour, marker=shape, label=f"class {label}", **DOT)
    ticks = [0, math.pi / 2, math.pi]
    ax.set_xticks(ticks, ["0", "π/2", "π"])
    ax.set_yticks(ticks, ["0", "π/2", "π"])
    ax.legend(fontsize=8.5, loc="upper right", edgecolor="none", framealpha=0.75)
    note = f"black: seed {panel.seed}, whose points are shown; grey: {len(others)} others"
    ax.set(aspect="equal", xlabel=f"feature 1 (rad)\n{note}", ylabel="feature 2 (rad)")
    return shades


def _logits(ax: Axes, panel: Logits) -> None:
    reach = float(np.abs(panel.logits).max())
    bins = np.linspace(-reach, reach, 61).tolist()
    for label, colour in enumerate(CLASS_COLOURS):
        values = panel.logits[panel.y == label]
        ax.hist(values, bins, color=colour, alpha=0.6, label=f"class {label}")
    ax.axvline(0.0, color=INK, linewidth=1.5, label="threshold")
    ax.margins(y=0.22)
    ax.set(xlabel="logit of a test point", ylabel="test points, all seeds")
    ax.legend(frameon=False, fontsize=9, loc="upper left")


def _losses(ax: Axes, losses: Mapping[str, Array]) -> None:
    for colour, (name, values) in zip(MODEL_COLOURS, losses.items(), strict=True):
        low, middle, high = np.quantile(values, [0.05, 0.5, 0.95], axis=1)
        epochs = np.arange(len(values))
        ax.fill_between(epochs, low, high, color=colour, alpha=0.25, linewidth=0)
        ax.plot(epochs, middle, color=colour, linewidth=2.2, label=name)
    ax.axhline(LOWEST_BOUNDED_LOSS, color=INK, linewidth=1, linestyle="--")
    note = f"least loss of a logit within ±1: {LOWEST_BOUNDED_LOSS:.3f}"
    place = ax.get_yaxis_transform()
    ax.text(0.98, LOWEST_BOUNDED_LOSS, note, transform=place, ha="right", va="bottom", **NOTE)
    ax.set(xlabel="epoch", ylabel="training loss (BCE): median and 5–95% of seeds")
    ax.set_ylim(0, min(1.5, ax.get_ylim()[1]))
    ax.legend(frameon=False, fontsize=9, loc="upper right")


def _histogram(
    ax: Axes, accuracies: Mapping[str, Array], marks: Mapping[str, float], part: str, n_points: int
) -> None:
    lowest = n_points * min(float(values.min()) for values in accuracies.values())
    width = math.ceil(0.01 * n_points)  # in points, so that bins hold equally many accuracies
    bins = (np.arange(n_points + 0.5, lowest - width, -width)[::-1] / n_points).tolist()
    for colour, (name, values) in zip(MODEL_COLOURS, accuracies.items(), strict=True):
        sd = values.std(ddof=min(1, len(values) - 1))
        label = f"{name}: {values.mean():.1%} ± {sd:.1%}"
        ax.hist(values, bins, color=colour, alpha=0.7, label=label)
    ax.margins(y=0.12)
    falling = sorted(marks.items(), key=lambda mark: -mark[1])
    for place, (name, value) in enumerate(falling):  # a line ends at its label, below the others
        height = 0.98 - 0.08 * place
        ax.axvline(value, ymax=height, color=INK, linewidth=1, linestyle=":")
        where = (value - 0.003, height)
        text = f"{name}: {value:.2%}"
        ax.annotate(text, where, xycoords=ax.get_xaxis_transform(), ha="right", va="top", **NOTE)
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")
    ax.set(xlabel=f"accuracy on {n_points} {part} points", ylabel="seeds")
    ax.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0.0, 1.0))
