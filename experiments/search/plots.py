"""The figure of the searches: share of runs that found the optimum, and the gap, by budget."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from experiments._record import Row
from experiments._style import BLUE, GREEN, GREY, INK, ORANGE, clean

from .methods import CIRCUITS, CLASSICAL
from .problems import PROBLEMS

COLOURS = dict(
    zip([*CLASSICAL, *CIRCUITS], [GREY, INK, GREEN, BLUE, "#56B4E9", ORANGE], strict=True)
)


def draw(data: Mapping[Any, Any], rows: Sequence[Row]) -> Figure:
    """One column for each problem; the last panel holds QAOA's rings."""
    names = [name for name in PROBLEMS if any(key[0] == name for key in data)]
    figure = Figure(figsize=(3.4 * (len(names) + 1), 6.4), layout="constrained")
    axes = figure.subplots(2, len(names) + 1, squeeze=False)
    for column, name in zip(axes.T, names, strict=False):
        for way, colour in COLOURS.items():
            curves = data[name, way].numpy()
            asked = np.arange(1, curves.shape[1] + 1)
            style = "-" if way in CIRCUITS else "--"
            column[0].plot(asked, (curves == 0).mean(0), style, color=colour, label=way)
            column[1].plot(asked, curves.mean(0), style, color=colour)
        column[0].set_title(name, fontsize=11)
        column[0].set(ylim=(-0.02, 1.02), ylabel="share of runs that found the optimum")
        column[1].set(ylim=(0, None), ylabel="mean gap (0 optimum, 1 blind guess)")
        for ax in column:
            ax.set_xscale("log", base=2)
            ax.set_xlabel("distinct strings asked for")
    axes[0, 0].legend(frameon=False, fontsize=8)
    _rings(axes[0, -1], [row for row in rows if "known" in row])
    axes[1, -1].set_axis_off()
    clean(axes.flat, labelsize=8.5)
    return figure


def draw_structures(energies: Tensor, least: float) -> Figure:
    """Energies of all seeds by structure, the best structure first, and their best."""
    best, order = energies.amin(1).sort()
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(best))
    seeds = np.repeat(places, energies.shape[1])
    axes.plot(seeds, energies[order].flatten().numpy(), ".", color=GREY, ms=3, label="each seed")
    axes.plot(places, best.numpy(), color=BLUE, label="best seed")
    axes.axhline(least, color=ORANGE, ls="--", label="ground state")
    axes.set(xlabel="structure, the best first", ylabel="energy after training")
    axes.legend(frameon=False, fontsize=8, loc=(0.75, 0.12))
    clean([axes], labelsize=8.5)
    return figure


def _rings(ax: Any, rows: Sequence[Row]) -> None:
    layers = np.arange(1, len(rows) + 1)
    ax.plot(layers, [row["known"] for row in rows], color=GREY, lw=3, label="(2p + 1) / (2p + 2)")
    ax.plot(layers, [row["mean"] for row in rows], "o", color=BLUE, label="ours")
    ax.set_title("QAOA on even rings", fontsize=11)
    ax.set(xlabel="layers p; the ring has 2p + 2 nodes", ylabel="share of the cut")
    ax.legend(frameon=False, fontsize=8)
