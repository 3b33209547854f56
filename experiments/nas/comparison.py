"""All searches at equal budgets in steps of training: regret of what they pick.

The curves in a run's record are enough to compare them anew, without any training:

    python -m experiments.nas.comparison docs/_static/nas.json [--runs 96]
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from experiments._desk import Desk, digest
from experiments._record import Row, table

from . import circuit_replay, replay
from .jobs import checkpoints
from .replay import Costs

Picks: TypeAlias = list[list[int | None]]
"""Of every run, with every budget: the architecture picked, None where nothing was seen."""

Method: TypeAlias = Callable[[Costs, Sequence[int], Sequence[int], int, int], Picks]
"""From costs, checkpoints, budgets, the number of runs and a seed to picks."""

VERSION = 1  # of the methods, for the cache


def methods(how: Mapping[str, Any]) -> dict[str, Method]:
    """All searches by name; circuits have layers, epochs and a learning rate."""
    found: dict[str, Method] = {}
    for name, search in replay.SEARCHES.items():
        plans = name in (replay.ALL, replay.HALVING)
        found[name] = partial(_one_by_one, replay.picks if plans else replay.anytime, search)
    for name in circuit_replay.EXACT:
        found[name] = partial(_together, circuit_replay.exact_picks, name, how)
    for name in circuit_replay.SAMPLED:
        found[name] = partial(_together, circuit_replay.sampled_picks, name, how)
    return found


def compare(
    task: str,
    scores: Tensor,
    checkpoints: Sequence[int],
    runs: int,
    how: Mapping[str, Any],
    desk: Desk,
) -> Iterator[list[Row]]:
    """Yield the rows of each method: mean regret with every budget.

    Every seed's curves are searched by as many runs. The regret is in points of the score: how far
    the pick is below the best, by the mean over all seeds at the last checkpoint. A search that has
    seen nothing picks blindly, and has the mean of all regrets.

    Args:
        task: Name of the task.
        scores (real, (n_checkpoints, n_architectures, n_seeds)): Scores of the curves.
        checkpoints: Steps of training at each.
        runs: Runs of each method, at least; shared among the seeds.
        how: What circuits are trained with.
        desk: Keeps picks, and shows a bar.
    """
    allowed = replay.budgets(checkpoints, scores.shape[1])
    truth = scores[-1].mean(1)
    regrets = np.append((truth.max() - truth).numpy(), (truth.max() - truth).mean().item())
    each = -(-runs // scores.shape[2])
    tables = [-scores[:, :, seed].T.double().numpy() for seed in range(scores.shape[2])]
    for name, method in desk.bar(list(methods(how).items()), f"replays, {task}", "method"):
        picks: Picks = []
        for seed, costs in enumerate(tables):
            key = digest(costs.tolist(), checkpoints, each, how, seed, torch.__version__, VERSION)
            found = partial(method, costs, checkpoints, allowed, each, seed)
            picks += desk.cached(f"picks {name}", key, found)
        chosen = np.array([[-1 if form is None else form for form in run] for run in picks])
        yield [
            _row(task, name, budget, regrets[column])
            for budget, column in zip(allowed, chosen.T, strict=True)
        ]


def recorded(entry: Mapping[str, Any]) -> dict[str, Tensor]:
    """Scores (n_checkpoints, n_architectures, n_seeds) of each task in a record."""
    found: dict[str, list[Any]] = {}
    for row in entry["rows"]:
        if "bits" in row:
            found.setdefault(row["table"].partition(":")[0], []).append(row["values"])
    return {
        task: torch.tensor(curves, dtype=torch.float64).transpose(0, 1)
        for task, curves in found.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the regret of all searches on the curves of a record."""
    parser = argparse.ArgumentParser(prog="python -m experiments.nas.comparison")
    parser.add_argument("record", type=Path, help="record of a finished run")
    parser.add_argument("--runs", type=int, default=96, help="runs of every search")
    given = parser.parse_args(arguments)
    entry = json.loads(given.record.read_text(encoding="utf-8"))
    how = {name: entry["config"][name] for name in ("layers", "epochs", "learning_rate")}
    steps, desk = checkpoints(entry["config"]["iterations"]), Desk(show=True)
    for task, scores in recorded(entry).items():
        rows = [
            {"search": found[0]["model"], **{f"{row['budget']:,}": row["regret"] for row in found}}
            for found in compare(task, scores, steps, given.runs, how, desk)
        ]
        columns = {name: "" if name == "search" else ".3f" for name in rows[0]}
        print(f"\n{task}: mean regret with budgets in steps\n{table(rows, columns)}")


def _row(task: str, name: str, budget: int, regrets: Costs) -> Row:
    error = regrets.std(ddof=1) / len(regrets) ** 0.5 if len(regrets) > 1 else float("nan")
    return {
        "model": name,
        "table": f"{task}: searches",
        "budget": budget,
        "regret": float(regrets.mean()),
        "error": float(error),
        "found": float((regrets == 0).mean()),
        "runs": len(regrets),
    }


def _one_by_one(
    picks: Callable[..., list[int | None]],
    search: replay.Search,
    costs: Costs,
    checkpoints: Sequence[int],
    allowed: Sequence[int],
    runs: int,
    seed: int,
) -> Picks:
    return [picks(search, costs, checkpoints, allowed, seed * runs + run) for run in range(runs)]


def _together(
    picks: Callable[..., Picks],
    name: str,
    how: Mapping[str, Any],
    costs: Costs,
    checkpoints: Sequence[int],
    allowed: Sequence[int],
    runs: int,
    seed: int,
) -> Picks:
    return picks(name, costs, checkpoints, allowed, starts=runs, seed=seed, **how)


if __name__ == "__main__":
    main()
