"""The figure of the landscapes: gradients by width and depth, expressibility, ways down."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments._record import Row
from experiments._style import BLUE, GREEN, GREY, INK, NOTE, ORANGE, Array, clean

from .model import GROUND_ENERGY

COLOURS = (BLUE, ORANGE, GREEN)
SHAPES = "os^"
NO_GRADIENT = 1e-6
"""Variances that are smaller still, relative to a 2-design's, are rounding: the angle is idle."""


def draw(rows: Sequence[Row], energies: Mapping[str, Array], n_seeds: int) -> Figure:
    """Compose the figure.

    Args:
        rows: Rows of the record.
        energies: Energies of each way down, (n_steps + 1, n_seeds).
        n_seeds: Number of random initial angles.
    """
    figure = Figure(figsize=(11.0, 8.8), layout="constrained")
    figure.suptitle(
        f"Landscapes of circuits: gradients over {n_seeds} random initial angles",
        fontsize=14,
        fontweight="bold",
        color=INK,
    )
    (width, depth), (express, down) = figure.subplots(2, 2)
    _gradients(width, _part(rows, "gradients by width"), "qubits")
    _gradients(depth, _part(rows, "gradients by depth"), "layers")
    _expressibility(express, _part(rows, "expressibility"))
    _ways_down(down, energies)
    clean((width, depth, express, down))
    return figure


def _part(rows: Sequence[Row], part: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row["part"] == part:
            found.setdefault(row["model"], []).append(row)
    return found


def _gradients(ax: Axes, models: Mapping[str, list[Row]], key: str) -> None:
    for colour, shape, (name, all_rows) in zip(COLOURS, SHAPES, models.items(), strict=True):
        rows = [row for row in all_rows if row["ratio"] > NO_GRADIENT]
        x, y = ([row[column] for row in rows] for column in (key, "variance"))
        error = [2 * row["ratio_error"] * row["two_design"] for row in rows]
        ax.errorbar(x, y, error, color=colour, marker=shape, markersize=6, capsize=3, label=name)
    rows = next(iter(models.values()))
    limits = [row["two_design"] for row in rows]
    ax.plot([row[key] for row in rows], limits, color=INK, linestyle="--", label="2-design, exact")
    ax.set_yscale("log")
    other, value = ("layers", "layers") if key == "qubits" else ("qubits", "qubits")
    if key == "layers":
        ax.set_xscale("log", base=2)
    ticks = [row[key] for row in rows]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.set_title(f"Variance of the first derivative, {rows[0][value]} {other}", color=INK)
    ax.set(xlabel=key, ylabel="variance over initial angles, ±2 standard errors")
    ax.legend(frameon=False, fontsize=9)


def _expressibility(ax: Axes, models: Mapping[str, list[Row]]) -> None:
    for colour, shape, (name, rows) in zip(COLOURS, SHAPES, models.items(), strict=True):
        x, y = ([row[column] for row in rows] for column in ("entanglement", "expressibility"))
        ax.plot(x, y, color=colour, marker=shape, markersize=6, linewidth=1, label=name)
        ax.annotate(f"layers: {rows[0]['layers']}", (x[0], y[0]), xytext=(5, 5),
                    textcoords="offset points", **NOTE)  # fmt: skip
    n = next(iter(models.values()))[0]["qubits"]
    haar = (2**n - 2) / (2**n + 1)
    ax.axvline(haar, color=GREY, linestyle=":")
    ax.text(haar, 0.75, "random states", rotation=90, ha="left", va="center",
            transform=ax.get_xaxis_transform(), **NOTE)  # fmt: skip
    ax.set_yscale("log")
    ax.set_title(f"More layers: towards random states ({n} qubits)", color=INK)
    ax.set(
        xlabel="entangling capability: mean Meyer-Wallach Q",
        ylabel="expressibility: divergence from random states (nats)",
    )
    ax.legend(frameon=False, fontsize=9, loc="lower left")


def _ways_down(ax: Axes, energies: Mapping[str, Array]) -> None:
    for colour, (name, values) in zip(COLOURS, energies.items(), strict=True):
        excess = np.maximum((values - GROUND_ENERGY) / abs(GROUND_ENERGY), 1e-7)
        low, middle, high = np.quantile(excess, [0.25, 0.5, 0.75], axis=1)
        steps = np.arange(len(values))
        ax.fill_between(steps, low, high, color=colour, alpha=0.25, linewidth=0)
        ax.plot(steps, middle, color=colour, linewidth=2.2, label=name)
    ax.axhline(0.01, color=GREY, linestyle=":")
    ax.text(0.98, 0.01, "1 %", transform=ax.get_yaxis_transform(), ha="right", va="bottom", **NOTE)
    ax.set_yscale("log")
    ax.set_title("Ways down the energy of four Heisenberg spins", color=INK)
    ax.set(xlabel="step", ylabel="relative excess energy: median and quartiles")
    ax.legend(frameon=False, fontsize=9, loc="upper right")
