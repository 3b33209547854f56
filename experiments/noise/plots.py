"""The figures of the noise experiment: accuracy against strength, and strengths being learnt."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments._record import Row
from experiments._style import BLUE, GREEN, GREY, INK, NOTE, ORANGE, PINK, Array, clean

from . import calibration
from .evaluation import FITTED, IGNORED, METHODS, WITH_NOISE
from .model import CHANNELS

LOOKS = dict(
    zip(
        METHODS,
        [(INK, "o", "-"), (BLUE, "s", "-"), (GREEN, "D", "-"),
         (ORANGE, "^", "--"), (PINK, "v", "--"), ("#E69F00", "P", "--")],
        strict=True,
    )
)  # fmt: skip
STEP_APART = 0.09


def accuracies(
    rows: Sequence[Row], baselines: Mapping[str, float], model: str, shots: int
) -> Figure:
    """Accuracy of one model against the strength of each channel, exactly and by shots.

    Args:
        rows: Rows of the record.
        baselines: Accuracies to mark by a line, by name.
        model: Which classifier.
        shots: Shots for each decision.
    """
    figure = Figure(figsize=(11.0, 8.4), layout="constrained")
    figure.suptitle(
        "A classifier with a channel on both wires of every CNOT",
        fontsize=14, fontweight="bold", color=INK,
    )  # fmt: skip
    axes = figure.subplots(2, len(CHANNELS), sharex=True, sharey=True)
    for column, channel in enumerate(CHANNELS):
        of_channel = [r for r in rows if r.get("model") == model and r["channel"] == channel]
        for ax, prefix in zip(axes[:, column], ("", "shots_"), strict=True):
            _accuracies(ax, of_channel, prefix)
            _baselines(ax, baselines)
        axes[0, column].set_title(f"{channel}: expectation values", color=INK)
        axes[1, column].set_title(f"{channel}: {shots} shots for each decision", color=INK)
        axes[1, column].set_xlabel("strength of the channel")
    figure.supylabel("accuracy on fresh points: mean and 5–95% of seeds", fontsize=10)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    clean(axes.flat)
    return figure


def _baselines(ax: Axes, baselines: Mapping[str, float]) -> None:
    looks = (("left", "top"), ("left", "bottom"), ("right", "bottom"))  # where lines leave room
    for (name, value), (side, edge) in zip(baselines.items(), looks, strict=True):
        ax.axhline(value, color=GREY, linestyle=":", linewidth=1)
        x = 0.01 if side == "left" else 1.0
        ax.text(x, value, name, ha=side, va=edge, transform=ax.get_yaxis_transform(), **NOTE)


def _accuracies(ax: Axes, rows: Sequence[Row], prefix: str) -> None:
    strengths = list(dict.fromkeys(row["strength"] for row in rows))
    for number, (method, (colour, shape, line)) in enumerate(LOOKS.items()):
        chosen = [row for row in rows if row["method"] == method]
        mean, low, high = (
            np.array([row[f"{prefix}{key}"] for row in chosen]) for key in ("mean", "q05", "q95")
        )
        x = np.arange(len(chosen)) + STEP_APART * (number - len(LOOKS) / 2)
        width = 2.2 if method in (IGNORED, FITTED, WITH_NOISE) else 1.4
        ax.plot(x, mean, color=colour, marker=shape, linestyle=line, linewidth=width, label=method)
        ax.vlines(x, low, high, color=colour, linewidth=1, alpha=0.5)
    ax.set_xticks(range(len(strengths)), [f"{strength:g}" for strength in strengths])
    ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")


def strengths(rows: Sequence[Row], paths: Array, steps: int) -> Figure:
    """How strengths are learnt from exact data, and how far off shots leave them.

    Args:
        rows: Rows of the record.
        paths: Strengths before each step and after the last, from many starts (n + 1, k, 2).
        steps: Number of steps that the challenge has.
    """
    figure = Figure(figsize=(11.0, 4.4), layout="constrained")
    figure.suptitle(
        "Two strengths of a channel on 12 qubits, learnt from measured values",
        fontsize=14, fontweight="bold", color=INK,
    )  # fmt: skip
    left, right = figure.subplots(1, 2)
    _paths(left, paths, steps)
    _errors(right, [row for row in rows if row.get("shots") is not None])
    clean((left, right))
    return figure


def _paths(ax: Axes, paths: Array, steps: int) -> None:
    both = zip(("p01", "p10"), (BLUE, ORANGE), calibration.TRUTH, paths.T, strict=True)
    for name, colour, truth, path in both:
        low, middle, high = np.quantile(path, [0.05, 0.5, 0.95], axis=0)
        ax.fill_between(np.arange(len(low)), low, high, color=colour, alpha=0.25, linewidth=0)
        ax.plot(middle, color=colour, linewidth=2.2, label=f"{name}: median, 5–95% of starts")
        ax.axhline(truth, color=colour, linestyle=":", linewidth=1)
    ax.axvline(steps, color=GREY, linestyle=":")
    ax.text(steps, 1.0, f" {steps} steps", va="top", transform=ax.get_xaxis_transform(), **NOTE)
    ax.set_title(f"Exact data, {paths.shape[1]} starts", color=INK)
    ax.set(xlabel="step of Adam", ylabel="strength (dotted: true)")
    ax.legend(frameon=False, fontsize=9)


def _errors(ax: Axes, rows: Sequence[Row]) -> None:
    shots = [row["shots"] for row in rows]
    for name, colour in (("p01", BLUE), ("p10", ORANGE)):
        found = [row[f"error_{name}"] for row in rows]
        predicted = [row[f"predicted_{name}"] for row in rows]
        ax.plot(shots, found, color=colour, marker="o", linestyle="", label=f"{name}, found")
        ax.plot(shots, predicted, color=colour, linewidth=1, label=f"{name}, least squares")
    ax.axhline(calibration.TOLERANCE, color=GREY, linestyle=":")
    ax.text(0.0, calibration.TOLERANCE, " the suite's tolerance", va="bottom",
            transform=ax.get_yaxis_transform(), **NOTE)  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="shots behind each number", ylim=(5e-5, 1e-2))
    ax.set_ylabel("root mean square error")
    ax.set_title(f"Data by shots, {rows[0]['runs']} runs each", color=INK)
    ax.legend(frameon=False, fontsize=9)
