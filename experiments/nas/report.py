"""What the architecture search says: rows of its tables, and whether differences are real."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import quilt_func as qf
from experiments._record import Row, spread

from . import judge, model
from .train import Marks

COLUMNS = {
    "model": "",
    "found": ".1%",
    "mean": ".3f",
    "sd": ".3f",
    "q05": ".3f",
    "median": ".3f",
    "q95": ".3f",
    "exact": ".1%",
    "close": ".3f",
    "likely": ".3f",
    "starts": "d",
    "asked": ".1f",
}
TABLE = "architectures: score"
DIFFERENCES = "architectures: differences"
TIE = 1e-12  # of two variances


def architecture_row(bits: str, marks: list[Marks]) -> Row:
    """Score of an architecture: mean and spread over its seeds, and the means of its parts."""
    form, scores = model.architecture(bits), [each["score"] for each in marks]
    dropout, rate = f"{form.dropout:g}", f"{form.learning_rate:g}"
    row: dict[str, Any] = {
        "model": f"{bits} {form.name}, {dropout}, {rate}",
        "table": TABLE,
        "bits": bits,
    }
    for name in judge.WEIGHTS:
        row[name] = sum(each[name] for each in marks) / len(marks)
    return {**row, **spread(torch.tensor(scores)), "values": scores}


def difference_rows(scores: Tensor) -> list[Row]:
    """Whether architectures (16, seeds) differ by more than their seeds do.

    The ratio is that of an analysis of variance, 1 on average if all architectures are the same.
    Its chance without a difference comes from dealing every seed's scores out anew, 10,000 times.
    """
    rows: list[Row] = []
    seeds = scores.shape[1]
    if seeds > 1:
        within = scores.var(1).mean()
        between = seeds * scores.mean(1).var()
        ratio = (between / within).item() if within > 0 else math.inf
        best, second = scores.mean(1).sort(descending=True).values[:2].tolist()
        gap = (best - second) / math.sqrt(2 * within.item() / seeds) if within > 0 else math.inf
        pairs = [(i, j) for i in range(seeds) for j in range(i)]
        agreement = torch.tensor([spearman(scores[:, i], scores[:, j]) for i, j in pairs])
        rows += [
            {"model": "variance between / within architectures", "mean": ratio},
            {"model": "chance of that without a difference", "mean": chance(scores)},
            {"model": "best above second, in standard errors", "mean": gap},
            {"model": "rank correlation of two seeds", **spread(agreement)},
        ]
    return [{"table": DIFFERENCES, **row} for row in rows]


def agreement_rows(rows: Sequence[Row], compare: str) -> list[Row]:
    """Rank correlations of the scores, and of their parts, with those of another run's record."""
    other = json.loads(Path(compare).read_text(encoding="utf-8"))
    times = other["config"]["iterations"]
    found: list[Row] = []
    for column, name in {"mean": "score", **{part: part for part in judge.WEIGHTS}}.items():
        pair = (
            torch.tensor([row[column] for row in each if row.get("table") == TABLE])
            for each in (rows, other["rows"])
        )
        label = f"rank correlation with {times} iterations: {name}"
        found.append({"model": label, "table": DIFFERENCES, "mean": spearman(*pair)})
    return found


def chance(scores: Tensor, deals: int = 10_000) -> float:
    """Share of deals whose means by architecture vary as much as those of the scores.

    Architectures of one seed share their batches, so each seed's scores are dealt out among them.
    """
    order = qf.uniforms((deals, *scores.shape), 0).argsort(1)
    dealt = scores.expand(deals, -1, -1).gather(1, order).mean(2).var(1)
    return (dealt >= scores.mean(1).var() - TIE).double().mean().item()


def spearman(a: Tensor, b: Tensor) -> float:
    """Spearman's rank correlation; ties share their mean rank."""
    pair = torch.stack([_ranks(a), _ranks(b)])
    return torch.corrcoef(pair)[0, 1].item()


def _ranks(values: Tensor) -> Tensor:
    below = (values[:, None] > values).double().sum(1)
    equal = (values[:, None] == values).double().sum(1)
    return below + (equal - 1) / 2
