"""What the noise experiment says: the columns of its tables, and the tables of its page."""

import re
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from experiments._desk import plain
from experiments._record import Result, Row, spread

from . import calibration
from .evaluation import METHODS

COLUMNS = {
    "model": "",
    "strength": "g",
    "method": "",
    "mean": ".2%",
    "sd": ".2%",
    "q05": ".1%",
    "q95": ".1%",
    "loss": ".3f",
    "error": ".4f",
    "shots_mean": ".2%",
    "shots_sd": ".2%",
    "shots_loss": ".3f",
    "shots_error": ".4f",
    "abs_value": ".3f",
    "data": "",
    "shots": ",d",
    "steps": "d",
    "runs": "d",
    "p01": ".5f",
    "p10": ".5f",
    "error_p01": ".6f",
    "error_p10": ".6f",
    "predicted_p01": ".6f",
    "predicted_p10": ".6f",
    "worst": ".6f",
    "share": ".1%",
}
BLOCK = re.compile(r"(<!-- table: ([^\n]*) -->\n).*?(<!-- end -->)", re.DOTALL)


def strength_row(
    data: str,
    path: Tensor,
    steps: int,
    losses: Tensor | None = None,
    shots: int | None = None,
    predicted: Tensor | None = None,
) -> Row:
    """Summarise what was learnt after some steps.

    Args:
        data: What it was learnt from, in words.
        path: Strengths before each step and after the last (n_steps + 1, k, 2).
        steps: Number of steps after which it is summarised.
        losses: Losses before each step (n_steps, k), of one run.
        shots: Shots behind each number, if it was learnt from any.
        predicted: Standard deviations (2,) that least squares should have.

    Returns:
        Means of both strengths, root mean square and largest errors, and the share of runs in which
        both are within the tolerance.
    """
    found = path[steps].cpu()
    errors = found - torch.tensor(calibration.TRUTH, dtype=found.dtype)
    row: dict[str, object] = {"part": "strengths", "data": data, "steps": steps}
    row |= {"runs": len(found), "shots": shots}
    for place, name in enumerate(("p01", "p10")):
        row[name] = found[:, place].mean().item()
        row[f"error_{name}"] = errors[:, place].square().mean().sqrt().item()
        row[f"median_{name}"] = spread(errors[:, place].abs())["median"]
        if predicted is not None:
            row[f"predicted_{name}"] = predicted[place].item()
    worst = errors.abs().amax(1)
    row |= {"worst": worst.max().item(), "q95_worst": spread(worst)["q95"]}
    row["share"] = (worst <= calibration.TOLERANCE).double().mean().item()
    if losses is not None:
        row |= {"first_loss": losses[0, 0].item(), "last_loss": losses[-1, 0].item()}
    return row


def filled(page: str, result: Result) -> str:
    """A page with its tables written anew: each stands between two comments and is named there."""
    kept = Result(plain(result.rows), plain(result.baselines))  # as the record has them, rounded
    return BLOCK.sub(lambda found: f"{found[1]}{_block(found[2], kept)}\n{found[3]}", page)


def _block(name: str, result: Result) -> str:
    """One table: `accuracy`, `by shots`, `loss` or `errors` of a part, or one of its own."""
    if name == "seeds":
        runs = max(row["runs"] for row in result.rows if row["part"] == "strengths")
        return f"Means and standard deviations are over {runs} seeds."
    if name == "baselines":
        return _baselines(result.baselines)
    if name == "strengths":
        return _strengths(result.rows)
    kind, _, part = name.partition(": ")
    rows = [row for row in result.rows if row["part"] == part]
    return _by_strength(rows, CELLS[kind])


CELLS: dict[str, Callable[[Row], str]] = {
    "accuracy": lambda row: f"{100 * row['mean']:.1f} ± {100 * row['sd']:.1f}",
    "by shots": lambda row: f"{100 * row['shots_mean']:.1f} ± {100 * row['shots_sd']:.1f}",
    "loss": lambda row: f"{row['loss']:.3f} / {row['shots_loss']:.3f}",
    "errors": lambda row: (
        f"{row['error']:.3f} / {row['shots_error']:.3f}" if row.get("error") is not None else "–"
    ),
}


def _by_strength(rows: Sequence[Row], cell: Callable[[Row], str]) -> str:
    strengths = list(dict.fromkeys(row["strength"] for row in rows))
    lines = [
        [method, *(cell(row) for row in rows if row["method"] == method)] for method in METHODS
    ]
    return _table(["", *(f"{strength:g}" for strength in strengths)], lines)


def _baselines(rows: Sequence[Row]) -> str:
    lines = [[row["model"], f"{100 * row['mean']:.1f} ± {100 * row['sd']:.1f}"] for row in rows]
    return _table(["", "fresh points"], lines)


def _strengths(rows: Sequence[Row]) -> str:
    header = ["data", "runs", "steps", "p01", "p10", "predicted", "within 0.0002"]
    lines = []
    for row in rows:
        if row["part"] == "strengths":
            data = row["data"] if row["shots"] is None else f"{row['shots']:,} shots"
            errors = [f"{row[name]:.5f} ± {row[f'error_{name}']:.5f}" for name in ("p01", "p10")]
            predicted = [row.get(f"predicted_{name}") for name in ("p01", "p10")]
            said = "–" if None in predicted else " / ".join(f"{one:.5f}" for one in predicted)
            counts = str(row["runs"]), str(row["steps"])
            lines.append([data, *counts, *errors, said, f"{row['share']:.0%}"])
    return _table(header, lines)


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] + ["--:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *lines))
