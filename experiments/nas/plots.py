"""Figures of the architecture search."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments._style import BLUE, GREEN, GREY, INK, ORANGE, PINK, clean

from . import model, vqe

COLOURS = {"00": BLUE, "01": GREEN, "10": ORANGE, "11": PINK}
TRACED = {vqe.PAPERS: BLUE, vqe.ENTANGLED: ORANGE}
TABLES = ("search: our costs", "search: the notebook's costs")


def costs(data: Mapping[Any, Any]) -> Figure:
    """Costs of all 16 architectures: every seed, their means, and what the notebook gave."""
    figure = Figure(figsize=(10.5, 4.6), layout="constrained")
    ours, theirs = figure.subplots(1, 2)
    values = -data["scores"].numpy()
    for place, form in enumerate(model.ARCHITECTURES):
        colour = COLOURS[form.bits[:2]]
        seeds = np.full(values.shape[1], place)
        ours.scatter(seeds, values[place], s=16, color=colour, alpha=0.6)
        ours.plot([place - 0.35, place + 0.35], [values[place].mean()] * 2, color=colour, lw=2.5)
        theirs.bar(place, vqe.NOTEBOOK_COSTS[place], color=colour)
    for bits, (name, *_) in model.SHAPES.items():
        ours.scatter([], [], color=COLOURS[bits], label=name)
    ours.legend(frameon=False, fontsize=8.5, ncols=2)
    ours.set_title(f"ours: mean score of held-out questions, {values.shape[1]} seeds", fontsize=11)
    theirs.set_title("the paper's notebook: one mark for one question", fontsize=11)
    labels = [form.bits for form in model.ARCHITECTURES]
    for ax in (ours, theirs):
        ax.set_xticks(range(len(labels)), labels, rotation=60, fontsize=8)
        ax.set(xlabel="bits: shape, dropout, learning rate", ylabel="cost = -score")
    clean((ours, theirs), labelsize=8.5)
    ours.margins(y=0.25)
    return figure


def search(data: Mapping[Any, Any]) -> Figure:
    """Energies on the way, and the probability of the optimum at the end, for both tables."""
    figure = Figure(figsize=(10.5, 7.6), layout="constrained")
    axes = figure.subplots(2, 2)
    for row, table in zip(axes, TABLES, strict=True):
        values = data[table, "costs"].numpy()
        for name, colour in TRACED.items():
            _trace(row[0], data[table, name]["trace"].numpy(), name, colour)
        row[0].axhline(values.min(), color=INK, lw=1, ls="--", label="the optimum")
        row[0].axhline(np.sort(values)[1], color=GREY, lw=1, ls=":", label="the second best")
        row[0].legend(frameon=False, fontsize=8.5)
        row[0].set_title(table, fontsize=11)
        row[0].set(xlabel="epoch", ylabel="energy: median and 5–95% of starts")
        _bars(row[1], {name: data[table, name] for name in vqe.METHODS})
        clean(row, labelsize=8.5)
    return figure


def _trace(ax: Axes, trace: np.ndarray[Any, Any], name: str, colour: str) -> None:
    low, middle, high = np.quantile(trace, [0.05, 0.5, 0.95], axis=1)
    epochs = np.arange(len(trace))
    ax.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
    ax.plot(epochs, middle, color=colour, lw=2, label=name)


def _bars(ax: Axes, methods: Mapping[str, Mapping[str, Any]]) -> None:
    """Distribution of the optimum's probability; the share of starts that end on it beside."""
    values = [each["optimum"].numpy() for each in methods.values()]
    parts = ax.violinplot(values, orientation="horizontal", widths=0.8, showmedians=True)
    for body in parts["bodies"]:  # type: ignore[attr-defined]
        body.set(facecolor=BLUE, alpha=0.35)
    for name in ("cmins", "cmaxes", "cbars", "cmedians"):
        parts[name].set(color=INK, linewidth=1)
    ax.set_yticks(range(1, len(methods) + 1), list(methods), fontsize=8.5)
    for place, each in enumerate(methods.values(), start=1):
        ax.text(1.03, place, f"{each['found']:.1%}", va="center", fontsize=9, color=INK)
    ax.invert_yaxis()
    ax.set(xlim=(0, 1), xlabel="probability of the optimum; right: share of starts that find it")
