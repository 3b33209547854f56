"""What the architecture search says: rows of its tables, with intervals."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from experiments._record import Row, spread

from . import judge, model
from .intervals import above, chance, interval, ranks, resampled, spearman
from .judge import JUDGES, Judge, Reply

COLUMNS = {
    "model": "",
    "found": ".1%",
    "mean": ".3f",
    "low": ".3f",
    "high": ".3f",
    "sd": ".3f",
    "rank_low": ".0f",
    "rank_high": ".0f",
    "character": ".3f",
    "answer": ".3f",
    "exact": ".1%",
    "close": ".3f",
    "q05": ".3f",
    "median": ".3f",
    "q95": ".3f",
    "starts": "d",
    "asked": ".1f",
    "budget": "d",
    "regret": ".4f",
    "error": ".4f",
    "runs": "d",
}
RIVALS = {"second": 1, "third": 2, "eighth": 7}
PAPERS = {"the paper's 1010 Large": "1010", "its notebook's 0100 Medium-Deep": "0100"}


def judged(replies: Sequence[Sequence[Sequence[Sequence[Reply]]]], of: Judge) -> Tensor:
    """Values of replies by checkpoint, architecture, seed and question, in four dimensions."""
    found = [[[of.values(seed) for seed in form] for form in steps] for steps in replies]
    return torch.tensor(found, dtype=torch.float64)


def architecture_rows(
    task: str, values: Mapping[str, Tensor], of: Judge, draws: Tensor
) -> list[Row]:
    """Each architecture at the last checkpoint: its score and its rank with their intervals.

    Args:
        task: Name of the task.
        values (real, (n_checkpoints, 16, n_seeds, n_questions)): By the name of a judge.
        of: The judge whose scores are costs.
        draws (real, (n_draws, n_checkpoints, 16)): Its scores, resampled.
    """
    curves = of.score(values[of.name].mean(3))
    low, high = interval(draws[:, -1])
    first, last = interval(ranks(draws[:, -1]))
    nats = values[judge.LIKELIHOOD][-1].mean((1, 2))
    length = values["length"].item()
    rows: list[Row] = []
    for place, form in enumerate(model.ARCHITECTURES):
        rate = f"{form.dropout:g}, {form.learning_rate:g}"
        row: dict[str, Any] = {
            "model": f"{form.bits} {form.name}, {rate}",
            "table": f"{task}: architectures",
            "bits": form.bits,
            **spread(curves[-1, place]),
            "mean": of.score(values[of.name][-1, place].mean()).item(),
            "low": low[place].item(),
            "high": high[place].item(),
            "rank_low": first[place].item(),
            "rank_high": last[place].item(),
            "character": nats[place].item(),
            "answer": nats[place].item() * length,
            "values": curves[:, place].tolist(),
        }
        for name in (judge.EXACT, judge.CLOSE):
            row[name] = values[name][-1, place].mean().item()
        rows.append(row)
    return rows


def budget_rows(
    task: str, checkpoints: Sequence[int], judges: Sequence[Judge], values: Mapping[str, Tensor]
) -> list[Row]:
    """Rank correlation of the architectures between any two checkpoints, for each judge."""
    rows: list[Row] = []
    for each in judges:
        means = values[each.name].mean((2, 3))
        draws = resampled(values[each.name])
        for late, after in enumerate(checkpoints):
            for early, before in enumerate(checkpoints[:late]):
                low, high = interval(_finite(spearman(draws[:, early], draws[:, late])))
                rows.append(
                    {
                        "model": f"{each.name}, {before} and {after} steps",
                        "table": f"{task}: rank correlation of two budgets",
                        "judge": each.name,
                        "early": before,
                        "late": after,
                        "mean": spearman(means[early], means[late]).item(),
                        "low": low.item(),
                        "high": high.item(),
                    }
                )
    return rows


def seed_rows(
    task: str, checkpoints: Sequence[int], judges: Sequence[Judge], values: Mapping[str, Tensor]
) -> list[Row]:
    """Rank correlation of one seed's architectures with another seed's at the last checkpoint."""
    rows: list[Row] = []
    for each in judges:
        means = values[each.name].mean(3)
        seeds = range(means.shape[2])
        for place, steps in enumerate(checkpoints):
            pairs = [(means[place, :, i], means[-1, :, j]) for i in seeds for j in seeds if i != j]
            if pairs:
                found = _finite(torch.stack([spearman(*pair) for pair in pairs]))
                rows.append(
                    {
                        "model": f"{each.name}, {steps} steps",
                        "table": f"{task}: rank correlation with other seeds at the end",
                        "judge": each.name,
                        "early": steps,
                        **spread(found),
                    }
                )
    return rows


def winner_rows(task: str, of: Judge, values: Mapping[str, Tensor], draws: Tensor) -> list[Row]:
    """With what chance the winner is better than others: the share of draws in which it is."""
    means = values[of.name][-1].mean((1, 2))
    order = means.argsort(descending=True).tolist()
    bits = [form.bits for form in model.ARCHITECTURES]
    others = {f"the {name}, {bits[order[place]]}": order[place] for name, place in RIVALS.items()}
    others |= {name: bits.index(one) for name, one in PAPERS.items()}
    last = draws[:, -1]
    rows: list[dict[str, Any]] = [
        {"model": f"above {name}", "found": above(last, order[0], place)}
        for name, place in others.items()
        if place != order[0]
    ]
    is_first = (last.argmax(1) == order[0]).double().mean().item()
    rows.append({"model": "above all", "found": is_first})
    table = f"{task}: how surely {bits[order[0]]} is better"
    return [{"table": table, "winner": bits[order[0]], **row} for row in rows]


def difference_rows(task: str, scores: Tensor) -> list[Row]:
    """Whether architectures (16, n_seeds) differ by more than their seeds do.

    The ratio is that of an analysis of variance, 1 on average if all architectures are the same.
    Its chance without a difference comes from dealing every seed's scores out anew, 10,000 times.
    """
    seeds = scores.shape[1]
    if seeds == 1:
        return []
    within, between = scores.var(1).mean(), seeds * scores.mean(1).var()
    ratio = (between / within).item() if within > 0 else math.inf
    table = f"{task}: differences"
    return [
        {"table": table, "model": "variance between / within architectures", "mean": ratio},
        {"table": table, "model": "chance of that without a difference", "mean": chance(scores)},
    ]


def constant_row(task: str, replies: Sequence[Reply]) -> Row:
    """The best that one answer to all questions does."""
    answer, times = Counter(reply.right for reply in replies).most_common(1)[0]
    as_given = [reply._replace(given=answer) for reply in replies]
    near = judge.close(as_given)
    return {
        "model": f"`{answer}` to every question",
        "table": f"{task}: architectures",
        "exact": times / len(replies),
        "close": sum(near) / len(near),
        "questions": len(replies),
    }


def task_rows(
    task: str,
    checkpoints: Sequence[int],
    replies: Sequence[Sequence[Sequence[Sequence[Reply]]]],
    of: Judge,
) -> tuple[list[Row], list[Row], dict[str, Tensor]]:
    """All rows of a task, its baseline, and the curves and intervals that its figures show."""
    judges = [*JUDGES.values(), *([] if of.name in JUDGES else [of])]
    values = {each.name: judged(replies, each) for each in judges}
    asked = replies[0][0][0]
    values["length"] = torch.tensor(sum(r.n_characters for r in asked) / len(asked))
    draws = of.score(resampled(values[of.name]))
    scores = of.score(values[of.name].mean(3))
    rows = architecture_rows(task, values, of, draws)
    rows += winner_rows(task, of, values, draws)
    rows += difference_rows(task, scores[-1])
    rows += budget_rows(task, checkpoints, judges, values)
    rows += seed_rows(task, checkpoints, judges, values)
    data = {"scores": scores, "ends": torch.stack(interval(draws[:, -1]))}
    data["exact"] = values[judge.EXACT].mean((2, 3))
    return rows, [constant_row(task, asked)], data


def _finite(values: Tensor) -> Tensor:
    """What isn't NaN: where all networks tie, as in exact answers, there is no rank correlation."""
    kept = values[values.isfinite()]
    return kept if len(kept) else values[:1]
