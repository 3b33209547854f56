"""The figure of the experiment: stated errors against the spread, and shots that ways save."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments._record import Row
from experiments._style import BLUE, GREEN, GREY, INK, NOTE, ORANGE, PINK, clean

from .evaluation import TOLERANCE
from .model import METHODS
from .report import factor

TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
LOOKS = ((BLUE, "o"), (ORANGE, "s"), ("#E69F00", "P"), (GREEN, "D"), (PINK, "^"))


def overview(rows: Sequence[Row], seeds: int) -> Figure:
    """Both, for each way of measuring and each system.

    Args:
        rows: Rows of the record.
        seeds: Number of repetitions.
    """
    figure = Figure(figsize=(11.0, 5.6), layout="constrained")
    figure.suptitle(
        f"Estimates from shots, {seeds} repetitions each", fontsize=14, fontweight="bold", color=INK
    )
    left, right = figure.subplots(1, 2, sharey=True)
    labels = [f"{method}, {own}" for method, each in METHODS.items() for own in each]
    for axis, value in ((left, _ratio), (right, _factor)):
        for number, (name, (colour, shape)) in enumerate(zip(_names(rows), LOOKS, strict=False)):
            own = [row for row in rows if row["part"] == name]
            places = [labels.index(f"{row['method']}, {row['allocation']}") for row in own]
            heights = [place + 0.14 * (number - 2) for place in places]
            x = [value(row, rows) for row in own]
            axis.plot(x, heights, color=colour, marker=shape, linestyle="", label=name, alpha=0.9)
    _agreement(left, seeds)
    right.axvline(1.0, color=GREY, linestyle=":")
    right.set(xscale="log", xticks=TICKS, xticklabels=[f"{tick:g}" for tick in TICKS])
    right.minorticks_off()
    right.set(xlabel="times fewer shots than word by word, by deviation")
    right.set_title("What a way saves", color=INK)
    left.set_yticks(range(len(labels)), labels)
    left.invert_yaxis()
    handles, names = left.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    clean((left, right))
    return figure


def _names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["part"] for row in rows))


def _ratio(row: Row, rows: Sequence[Row]) -> float:
    del rows
    return float(row["ratio"])


def _factor(row: Row, rows: Sequence[Row]) -> float:
    return factor(row, rows)


def _agreement(ax: Axes, seeds: int) -> None:
    """What the ratio may be, and what chance alone makes of it."""
    chance = 2 / math.sqrt(2 * seeds)
    ax.axvspan(1 - TOLERANCE, 1 + TOLERANCE, color=GREY, alpha=0.12, linewidth=0)
    ax.axvspan(1 - chance, 1 + chance, color=GREY, alpha=0.25, linewidth=0)
    ax.axvline(1.0, color=GREY, linestyle=":")
    ax.text(1 + TOLERANCE, 1.0, "10 % ", ha="right", va="top", transform=ax.get_xaxis_transform(),
            **NOTE)  # fmt: skip
    ax.set(xlabel="stated error / spread of repetitions (dark: two deviations of chance)")
    ax.set_title("What an estimate says of itself", color=INK)
