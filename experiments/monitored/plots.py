"""The figure: entropies and mutual information against the rate of measurements."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments._record import Row
from experiments._style import BLUE, GREEN, GREY, INK, NOTE, ORANGE, PINK, clean

from .model import page_entropy

COLOURS = (BLUE, GREEN, ORANGE, PINK, INK)
NEAR = (0.08, 0.26)
"""The rates that the third panel shows."""
CRITICAL, UNCERTAIN = 0.17, 0.01
"""Of larger rings, by Zabalo et al. (2020)."""


def transition(rows: Sequence[Row]) -> Figure:
    """Half of the ring, the same for each qubit, and the quarters near the transition.

    Args:
        rows: Rows of the record.
    """
    figure = Figure(figsize=(12.0, 4.6), layout="constrained")
    figure.suptitle(
        "Random circuits on a ring, each wire measured with probability p after each layer",
        fontsize=13, fontweight="bold", color=INK,
    )  # fmt: skip
    left, middle, right = figure.subplots(1, 3)
    of_entropy = [row for row in rows if row["part"] == "entropies"]
    sizes = list(dict.fromkeys(row["qubits"] for row in of_entropy))
    for colour, n_qubits in zip(COLOURS, sizes, strict=False):
        own = [row for row in of_entropy if row["qubits"] == n_qubits]
        label = f"{n_qubits} qubits, {own[0]['runs']} runs"
        _curve(left, own, "entropy", colour, label, 1)
        _curve(middle, own, "entropy", colour, label, n_qubits)
        _curve(right, own, "tripartite", colour, label, 1)
        page = page_entropy(n_qubits // 2, n_qubits)
        left.plot([0], [page], color=colour, marker="_", markersize=14, markeredgewidth=2)
    left.set_title("Entropy of half of the ring, in bits", color=INK)
    left.text(0.97, 0.72, "bars: random states (Page)", va="top", ha="right",
              transform=left.transAxes, **NOTE)  # fmt: skip
    middle.set_title("The same for each qubit", color=INK)
    right.set_title("Mutual information I3 of quarters", color=INK)
    _near(right, of_entropy)
    for ax in (left, middle, right):
        ax.axvspan(CRITICAL - UNCERTAIN, CRITICAL + UNCERTAIN, color=GREY, alpha=0.2, linewidth=0)
        ax.set_xlabel("p")
    left.legend(frameon=False, fontsize=9, loc="upper right")
    right.text(0.98, 0.02, "grey: critical rate of larger rings\n(Zabalo et al. 2020)",
               transform=right.transAxes, va="bottom", ha="right", **NOTE)  # fmt: skip
    clean((left, middle, right))
    return figure


def _curve(ax: Axes, rows: Sequence[Row], name: str, colour: str, label: str, divisor: int) -> None:
    p = [row["p"] for row in rows]
    mean = np.array([row[f"{name}_mean"] for row in rows]) / divisor
    error = np.array([row[f"{name}_error"] for row in rows]) / divisor
    ax.errorbar(p, mean, error, color=colour, marker="o", markersize=4, capsize=2, label=label)


def _near(ax: Axes, rows: Sequence[Row]) -> None:
    """Show the rates about the transition, and what lies between them."""
    shown = [row["tripartite_mean"] for row in rows if NEAR[0] <= row["p"] <= NEAR[1]]
    ax.set_xlim(*NEAR)
    if shown:
        ax.set_ylim(1.1 * min(shown), 0.05)
