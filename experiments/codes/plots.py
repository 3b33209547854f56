"""The figure of the experiment on codes: how often a qubit is lost, against the noise."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from experiments._record import Row
from experiments._style import BLUE, GREEN, GREY, INK, NOTE, ORANGE, clean

from . import exact
from .model import BARE, Code

COLOURS = (BLUE, ORANGE, GREEN, INK)
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


def losses(rows: Sequence[Row], codes: Mapping[str, Code]) -> Figure:
    """The share that is lost against the strength of the noise, for codes and a bare qubit.

    Args:
        rows: Rows of the record.
        codes: By kind of noise, the code that is for it.
    """
    figure = Figure(figsize=(11.0, 5.4), layout="constrained")
    figure.suptitle(
        "A qubit that a code keeps, and a bare one", fontsize=14, fontweight="bold", color=INK
    )
    axes = figure.subplots(1, len(codes))
    for ax, (name, code) in zip(axes, codes.items(), strict=True):
        _losses(ax, [row for row in rows if row["part"] == name], name, code)
        _crossing(ax, [row for row in rows if row.get("noise") == name])
        ax.set_title(f"{code.name}, {name}", color=INK)
        ax.set_xlabel("probability of an error on each wire, in each round")
    axes[0].set_ylabel("probability that the qubit is lost")
    clean(axes)
    return figure


def _losses(ax: Axes, rows: Sequence[Row], name: str, code: Code) -> None:
    strengths = sorted({row["p"] for row in rows})
    grid = np.geomspace(0.8 * strengths[0], min(1.2 * strengths[-1], 0.75), 100)
    rounds = list(dict.fromkeys(row["rounds"] for row in rows))
    for number, colour in zip(rounds, COLOURS, strict=False):
        for kept, line, shape in ((BARE, "--", "s"), (code, "-", "o")):
            expected = exact.loss(kept, name, number)
            ax.plot(grid, [expected(p) for p in grid], color=colour, linestyle=line, linewidth=1.4)
            own = [r for r in rows if r["code"] == kept.name and r["rounds"] == number]
            p, mean, error = (np.array([row[key] for row in own]) for key in ("p", "mean", "error"))
            seen = mean > 0  # a logarithm has no place for others
            ax.errorbar(
                p[seen], mean[seen], error[seen], color=colour, marker=shape, linestyle="",
                markersize=4, capsize=2, markerfacecolor="white" if kept is BARE else colour,
            )  # fmt: skip
    ax.set(xscale="log", yscale="log", ylim=(None, 10.0))
    ticks = [p for p in TICKS if grid[0] <= p <= grid[-1]]
    ax.set_xticks(ticks, [f"{p:g}" for p in ticks])
    ax.xaxis.set_minor_formatter(NullFormatter())
    handles = [
        Line2D([], [], color=colour, label=f"{number} round{'s' * (number > 1)}")
        for number, colour in zip(rounds, COLOURS, strict=False)
    ]
    handles += [
        Line2D([], [], color=GREY, linestyle="-", marker="o", markersize=4, label=code.name),
        Line2D([], [], color=GREY, linestyle="--", marker="s", markersize=4,
               markerfacecolor="white", label=BARE.name),
    ]  # fmt: skip
    ax.legend(handles=handles, frameon=False, fontsize=9, loc="upper left", ncols=2)


def _crossing(ax: Axes, rows: Sequence[Row]) -> None:
    for row in rows:
        ax.axvline(row["exact"], color=GREY, linestyle=":")
        text = f"as good as a bare qubit \nat p = {row['exact']:.4f} "
        if row.get("mean") is not None:
            text += f"\n(samples: {row['mean']:.4f} ± {row['error']:.4f}) "
        ax.text(row["exact"], 0.03, text, ha="right", va="bottom",
                transform=ax.get_xaxis_transform(), **NOTE)  # fmt: skip
