"""What the classifier experiment says: rows of its table and the material of its figure.

A row holds the accuracy on one part of the split: mean, sd and quantiles over the seeds, and the
share of seeds at the paper's 96.67 % or more. Rows of circuits add the mean loss, the mean size
of a logit, and how many of the angles are live: the others can't change the logit at all.
"""

from collections.abc import Mapping

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.func import grad, vmap
from torch.nn.functional import binary_cross_entropy_with_logits

from experiments._classifier import accuracy, best_threshold
from experiments._record import Row, spread

from . import plots
from .model import Trained

GOAL = 29 / 30  # the paper's accuracy on its 30 test points
COLUMNS = {
    "model": "",
    "mean": ".2%",
    "sd": ".2%",
    "q05": ".1%",
    "q25": ".1%",
    "median": ".1%",
    "q75": ".1%",
    "q95": ".1%",
    "share_96.67": ".1%",
    "loss": ".3f",
    "abs_logit": ".2f",
    "angles": "d",
    "live": "d",
}
SEEDS_FOR_LIVE = 8
LIVE_GRADIENT = 1e-9  # in double precision, where rounding leaves about 1e-16


def rows(name: str, trained: Trained, *, fit_threshold: bool) -> list[Row]:
    """Summarise a trained variant on every part of the split.

    Args:
        name: Name in the table.
        trained: The variant.
        fit_threshold: Whether to add rows for the same logits with the threshold that is best on
            each seed's training points, in place of 0.
    """
    logits = {part: trained.logits(x) for part, (x, _) in trained.parts.items()}
    counts = {"angles": trained.params["theta"][0].numel(), "live": live_angles(trained)}
    result: list[Row] = []
    for part, (_, y) in trained.parts.items():
        size = logits[part].abs().mean().item()
        loss = binary_cross_entropy_with_logits(logits[part], y).item()
        summary = row(name, part, accuracy(logits[part], y))
        result.append({**summary, "loss": loss, "abs_logit": size, **counts})
    if fit_threshold:
        best = best_threshold(logits["train"], trained.parts["train"][1])
        for part, (_, y) in trained.parts.items():
            result.append(row("— its threshold fitted", part, accuracy(logits[part] - best, y)))
    return result


def row(name: str, part: str, accuracies: Tensor) -> Row:
    """Summarise one accuracy per seed."""
    reached = (accuracies > GOAL - 1e-6).double().mean().item()
    values = accuracies.tolist()
    summary = spread(accuracies)
    return {"model": name, "points": part, **summary, "share_96.67": reached, "values": values}


def live_angles(trained: Trained) -> int:
    """Number of angles that the logit depends on at all, by its gradients on training points."""
    params = {key: value[:SEEDS_FOR_LIVE].double() for key, value in trained.params.items()}
    x = trained.parts["train"][0][:SEEDS_FOR_LIVE].double()
    one = grad(lambda params, x: trained.batch(params, x[None])[0])
    gradients = vmap(vmap(one, (None, 0)))(params, x)["theta"]
    return int((gradients.abs().amax((0, 1)) > LIVE_GRADIENT).sum())


def figure(pair: Mapping[str, Trained], marks: Mapping[str, float]) -> Figure:
    """Draw two variants side by side: what they decide, how they learn, how seeds differ.

    Args:
        pair: The two variants by name.
        marks: Accuracies to mark in the histogram, by name.
    """
    names, models = list(pair), list(pair.values())
    part = "fresh" if "fresh" in models[0].parts else "test"
    right = {name: _accuracies(trained, part) for name, trained in pair.items()}
    shown = int(right[names[0]].argsort()[len(right[names[0]]) // 2])
    before, after = (f"{values.mean().item():.1%}" for values in right.values())
    return plots.draw(
        title=f"Scale and bias on the logit: {before} → {after} of {part} points right "
        f"(mean of {len(right[names[0]])} seeds)",
        panels={name: _panel(trained, shown) for name, trained in pair.items()},
        losses={name: trained.losses.cpu().numpy() for name, trained in pair.items()},
        accuracies={name: values.cpu().numpy() for name, values in right.items()},
        marks=marks,
        part=part,
        n_points=models[0].parts[part][1].shape[1],
    )


def _accuracies(trained: Trained, part: str) -> Tensor:
    x, y = trained.parts[part]
    return accuracy(trained.logits(x), y)


def _panel(trained: Trained, seed: int) -> plots.Boundary | plots.Logits:
    x, y = trained.parts["train"]
    if not torch.equal(x[..., 0], x[..., 2]):  # more than two features: no plane to draw
        x, y = trained.parts["test"]
        return plots.Logits(trained.logits(x).cpu().numpy(), y.cpu().numpy())
    axis = torch.linspace(*plots.EXTENT, plots.GRID, device=x.device)
    plane = torch.cartesian_prod(axis, axis).flip(1)  # first feature to the right
    seeds = [seed, *(other for other in range(len(x)) if other != seed)]
    params = {key: value[seeds[: plots.CONTOURS]] for key, value in trained.params.items()}
    grid = vmap(trained.batch, (0, None), chunk_size=4)(params, plane[:, [0, 1, 0, 1]])
    shape = (-1, plots.GRID, plots.GRID)
    return plots.Boundary(
        seed, x[seed].cpu().numpy(), y[seed].cpu().numpy(), grid.reshape(shape).cpu().numpy()
    )
