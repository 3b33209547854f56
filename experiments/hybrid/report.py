"""What the hybrid experiment says: rows of its table, and its figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from experiments._record import Result, Row, spread
from experiments._style import BLUE, GREY, INK, ORANGE

from .model import Trained

COLUMNS = {
    "model": "",
    "mean": ".2%",
    "sd": ".2%",
    "q05": ".1%",
    "median": ".1%",
    "q95": ".1%",
    "loss": ".3f",
    "parameters": "d",
    "in_the_middle": "d",
}
COLOURS = (BLUE, ORANGE, GREY)


def rows(
    middle: str, trained: Sequence[Trained], splits: Sequence[Mapping[str, tuple[Tensor, Tensor]]]
) -> list[Row]:
    """Accuracies on both parts, the last epoch's loss, and numbers of parameters."""
    modules = list(trained[0].network)[1:-1]
    inner = sum(p.numel() for module in modules for p in module.parameters())
    counts = {"parameters": trained[0].n_parameters, "in_the_middle": inner}
    loss = torch.stack([one.losses[-1] for one in trained]).mean().item()
    found: list[Row] = []
    for part in ("train", "test"):
        pairs = zip(trained, splits, strict=True)
        accuracies = torch.stack([one.accuracy(*points[part]) for one, points in pairs])
        found.append({**_row(middle, part, accuracies), "loss": loss, **counts})
    return found


def baseline(name: str, scores: Sequence[Mapping[str, float]]) -> tuple[Row, ...]:
    """Rows of a classifier that knows nothing of the networks."""
    parts = ("train", "test")
    return tuple(_row(name, p, torch.tensor([score[p] for score in scores])) for p in parts)


def _row(model: str, part: str, accuracies: Tensor) -> dict[str, Any]:
    summary = spread(accuracies)
    return {"model": model, "points": part, **summary, "values": accuracies.tolist()}


def figures(config: Any, result: Result) -> dict[str, Figure]:
    """Losses with their spread, and every seed's accuracy on test points."""
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    for i, (name, data) in enumerate(result.data.items()):
        losses, colour = data["losses"].double(), COLOURS[i]
        epochs = range(1, len(losses) + 1)
        low, middle, high = losses.quantile(torch.tensor([0.05, 0.5, 0.95]).double(), dim=1)
        left.fill_between(epochs, low, high, color=colour, alpha=0.18, linewidth=0)
        left.plot(epochs, middle, color=colour, linewidth=2, label=name)
        values = data["accuracies"]
        right.scatter(values, [-i] * len(values), color=colour, alpha=0.55, s=36, linewidths=0)
        right.plot(values.mean(), -i, "|", color=INK, markersize=26, markeredgewidth=2)
        text = f"{name}: {values.mean():.1%}"
        right.annotate(text, (values.mean(), -i + 0.26), ha="center", fontsize=9.5, color=INK)
    left.set(xlabel="epoch", ylabel="training loss (cross-entropy)", yscale="log")
    left.set_title("How they learn: median and 5–95 % of seeds", fontsize=11, color=INK)
    left.legend(frameon=False, fontsize=9.5)
    right.set(yticks=[], ylim=(0.6 - len(result.data), 0.6), xlabel="accuracy on test points")
    right.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")
    right.set_title(f"What they reach: {config.seeds} seeds and their mean", fontsize=11, color=INK)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    right.spines["left"].set_visible(False)
    return {"digits": figure}
