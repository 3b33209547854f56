"""Figures of the architecture search."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments._record import Row
from experiments._style import BLUE, GREEN, GREY, INK, ORANGE, PINK, clean

from . import circuit_replay, judge, model, replay, vqe

COLOURS = {"00": BLUE, "01": GREEN, "10": ORANGE, "11": PINK}
TRACED = {vqe.PAPERS: BLUE, vqe.ENTANGLED: ORANGE}
JUDGED = {judge.LIKELIHOOD: BLUE, judge.EXACT: ORANGE, judge.CLOSE: GREEN, judge.MIXED: PINK}
PAPERS_VQE, ENTANGLED_VQE, CVAR, QAOA = circuit_replay.EXACT
SAMPLED_VQE, SAMPLED_CVAR = circuit_replay.SAMPLED
LINES: Mapping[str, Mapping[str, Any]] = {
    replay.RANDOM: {"color": GREY},
    replay.ALL: {"color": INK, "lw": 2.4},
    replay.HALVING: {"color": BLUE, "lw": 2.4},
    replay.OPTUNA: {"color": GREEN},
    replay.PRUNED: {"color": GREEN, "ls": "--"},
    PAPERS_VQE: {"color": ORANGE},
    ENTANGLED_VQE: {"color": ORANGE, "ls": "-."},
    CVAR: {"color": ORANGE, "ls": "--"},
    QAOA: {"color": ORANGE, "ls": ":"},
    SAMPLED_VQE: {"color": PINK},
    SAMPLED_CVAR: {"color": PINK, "ls": "--"},
}


def costs(data: Mapping[Any, Any]) -> Figure:
    """Scores of all 16 architectures on each task, and what the notebook gave."""
    tasks = data["tasks"]
    figure = Figure(figsize=(10.5, 3.1 * (len(tasks) + 1)), layout="constrained")
    *ours, theirs = figure.subplots(len(tasks) + 1, 1, sharex=True)
    for ax, (task, found) in zip(ours, tasks.items(), strict=True):
        _scores(ax, found["scores"][-1].numpy(), found["ends"].numpy())
        n_seeds = found["scores"].shape[2]
        seeds = f"{n_seeds} seeds (dots)" if n_seeds > 1 else "one seed"
        ax.set_title(f"{task}: {found['steps'][-1]:,} steps, {seeds}", fontsize=11)
        ax.set_ylabel("score, 95% interval")
    for place, form in enumerate(model.ARCHITECTURES):
        theirs.bar(place, -vqe.NOTEBOOK_COSTS[place], color=COLOURS[form.bits[:2]], width=0.6)
    theirs.set_title("the paper's notebook: one mark for one question", fontsize=11)
    for bits, (name, *_) in model.SHAPES.items():
        theirs.bar(0, 0, color=COLOURS[bits], label=name)
    theirs.legend(frameon=False, fontsize=8.5, ncols=4, loc="upper right")
    labels = [f"{f.bits}\n{f.dropout:g}\n{f.learning_rate:g}" for f in model.ARCHITECTURES]
    theirs.set_xticks(range(len(labels)), labels, fontsize=8)
    theirs.set(xlabel="bits, dropout, learning rate", ylabel="score", ylim=(0, 12))
    clean((*ours, theirs), labelsize=8)
    return figure


def _scores(ax: Axes, scores: np.ndarray[Any, Any], ends: np.ndarray[Any, Any]) -> None:
    for place, form in enumerate(model.ARCHITECTURES):
        colour, mean = COLOURS[form.bits[:2]], scores[place].mean()
        ax.vlines(place, *ends[:, place], color=colour, lw=5, alpha=0.3)
        ax.plot([place - 0.3, place + 0.3], [mean, mean], color=colour, lw=2.5)
        ax.scatter(np.full(scores.shape[1], place), scores[place], s=14, color=colour, zorder=3)


def budgets(data: Mapping[Any, Any], rows: Sequence[Row]) -> Figure:
    """Learning curves, and from which budget on rankings agree with the longest."""
    tasks = data["tasks"]
    figure = Figure(figsize=(10.5, 10), layout="constrained")
    axes = figure.subplots(3, len(tasks), squeeze=False)
    for column, (task, found) in zip(axes.T, tasks.items(), strict=True):
        steps = found["steps"]
        _curves(column[0], steps, found["scores"].mean(2).numpy())
        column[0].set(title=task, ylabel="score")
        _curves(column[1], steps, 100 * found["exact"].numpy())
        column[1].axhline(100 * found["constant"], color=INK, lw=1, ls="--")
        column[1].set_ylabel("exact answers, %; dashed: one answer to all")
        table = f"{task}: rank correlation of two budgets"
        _agreement(column[2], [row for row in rows if row["table"] == table], steps)
        for ax in column:
            ax.set_xscale("log")
            ax.set_xticks(steps, [f"{number:,}" for number in steps])
            ax.set_xlim(0.85 * steps[0], 1.15 * steps[-1])
            ax.minorticks_off()
        column[2].set_xlabel("steps of training")
    axes[0, 0].legend(frameon=False, fontsize=8.5)
    for name, colour in JUDGED.items():
        axes[2, 0].plot([], [], "o-", color=colour, lw=1.8, ms=4, label=name)
    axes[2, 0].legend(frameon=False, fontsize=8.5, loc="lower right")
    clean(axes.flat, labelsize=8.5)
    return figure


def _curves(ax: Axes, steps: Sequence[int], values: np.ndarray[Any, Any]) -> None:
    for form, each in zip(model.ARCHITECTURES, values.T, strict=True):
        colour, line = COLOURS[form.bits[:2]], "--" if form.dropout else "-"
        label = form.name if form.bits[2:] == "00" else None
        strength = 1.0 if form.bits[3] == "0" else 0.5
        ax.plot(steps, each, line, color=colour, alpha=strength, lw=1.3, label=label)
    ax.plot([], [], color=INK, ls="--", label="with dropout")
    ax.plot([], [], color=INK, alpha=0.4, label="pale: learning rate 0.0005")


def _agreement(ax: Axes, rows: Sequence[Row], steps: Sequence[int]) -> None:
    for name, colour in JUDGED.items():
        kept = [row for row in rows if row["judge"] == name and row["late"] == steps[-1]]
        if kept:
            x = [row["early"] for row in kept]
            low, high, mean = ([row[key] for row in kept] for key in ("low", "high", "mean"))
            ax.fill_between(x, low, high, color=colour, alpha=0.13, linewidth=0)
            ax.plot(x, mean, "o-", color=colour, lw=1.8, ms=4)
    ax.axhline(0, color=GREY, lw=1)
    ax.set(ylim=(-1.02, 1.02), ylabel=f"rank correlation with {steps[-1]:,} steps")


def regret(data: Mapping[Any, Any], rows: Sequence[Row]) -> Figure:
    """Regret against the budget in steps of training, for all searches."""
    tasks = data["tasks"]
    figure = Figure(figsize=(10.5, 5.6), layout="constrained")
    axes = figure.subplots(1, len(tasks), squeeze=False)[0]
    for ax, task in zip(axes, tasks, strict=True):
        found = [row for row in rows if row["table"] == f"{task}: searches"]
        for name, style in LINES.items():
            kept = [row for row in found if row["model"] == name]
            x, y, e = ([row[key] for row in kept] for key in ("budget", "regret", "error"))
            ax.errorbar(x, y, e, label=name, **{"lw": 1.5, "marker": "o", "ms": 3, **style})
        ax.set_xscale("log")
        ax.set(title=task, xlabel="budget, steps of training")
        ax.set_ylim(bottom=0)
    axes[0].set_ylabel("regret of the pick, points of the score")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8.5)
    clean(axes, labelsize=8.5)
    return figure


def search(data: Mapping[Any, Any]) -> Figure:
    """Energies on the way, and the probability of the optimum at the end, for all tables."""
    tables = list(data["searches"])
    figure = Figure(figsize=(10.5, 3.7 * len(tables)), layout="constrained")
    axes = figure.subplots(len(tables), 2, squeeze=False)
    for row, table in zip(axes, tables, strict=True):
        found = data["searches"][table]
        values = found["costs"].numpy()
        for name, colour in TRACED.items():
            _trace(row[0], found[name]["trace"].numpy(), name, colour)
        row[0].axhline(values.min(), color=INK, lw=1, ls="--", label="the optimum")
        row[0].axhline(np.sort(values)[1], color=GREY, lw=1, ls=":", label="the second best")
        row[0].legend(frameon=False, fontsize=8.5)
        row[0].set_title(table, fontsize=11)
        row[0].set(xlabel="epoch", ylabel="energy: median and 5–95% of starts")
        _bars(row[1], {name: found[name] for name in vqe.METHODS})
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
