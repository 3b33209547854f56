"""Experiment 2: choose one of 16 transformer architectures by a variational eigensolver.

The paper's section 4.2: each of 16 architectures is trained on questions of addition and
subtraction and judged, its cost becomes a diagonal entry of a Hamiltonian, and a circuit on 4
qubits looks for the ground state. Here every architecture has several seeds, two tasks, hundreds of
held-out questions and checkpoints on the way; searches are replayed on the recorded curves.

    python -m experiments.nas [--full] [--questions PATH] [--judge package.module:function]
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from experiments import _run
from experiments._checks import check_counts, check_device
from experiments._desk import Desk, write_atomic
from experiments._record import Result
from experiments._run import Experiment

from . import comparison, jobs, judge, page, plots, report, train, vqe
from .jobs import Curve, Job
from .model import ARCHITECTURES, PAPERS_BATCH, PAPERS_BLOCK, PAPERS_ITERATIONS
from .train import Setting

QUICK: Mapping[str, Any] = {
    "seeds": 2,
    "iterations": 2,
    "held_out": 20,
    "train": 500,
    "starts": 16,
    "epochs": 5,
    "runs": 4,
}
FULL: Mapping[str, Any] = {"seeds": 3, "iterations": PAPERS_ITERATIONS, "runs": 192}
PAPERS_SIZES: Mapping[str, Any] = {
    "seeds": 3,
    "iterations": PAPERS_ITERATIONS,
    "block": PAPERS_BLOCK,
    "batch": PAPERS_BATCH,
    "digits": 6,
    "decimals": 5,
    "train": 200_000,
}


@dataclass(frozen=True)
class Config:
    """What the results depend on.

    Args:
        seeds: Seeds per architecture: initial weights, dropout and order of the questions.
        iterations: Steps of AdamW per architecture.
        block: Characters that a model sees, in the task in words.
        batch: Windows of text in a step, in the task in words.
        train: Number of questions to train on, in the task in words.
        held_out: Number of questions to judge by.
        digits: Most digits of a number before the point, in the task in words.
        decimals: Most digits after it.
        questions: File of the data set in place of generated questions in words.
        judge: Name of a judge, or a function from replies to scores, `package.module:function`.
        epochs: Steps of Adam of the eigensolver.
        starts: Its random starts, trained at once.
        layers: Its layers.
        learning_rate: Its Adam's.
        runs: Runs of every search that is replayed.
        device: Torch device.
        workers: Processes that train at the same time on the CPU; they don't change the numbers.
    """

    seeds: int = 2
    iterations: int = 250
    block: int = 32
    batch: int = 16
    train: int = 8000
    held_out: int = 300
    digits: int = 2
    decimals: int = 0
    questions: str = ""
    judge: str = judge.LIKELIHOOD
    epochs: int = 50
    starts: int = 1024
    layers: int = 4
    learning_rate: float = 0.1
    runs: int = 96
    device: str = "cpu"
    workers: int = os.cpu_count() or 1

    def __post_init__(self) -> None:
        counts = ("seeds", "iterations", "block", "batch", "train", "held_out", "digits", "runs")
        check_counts(self, *counts, "epochs", "starts", "layers", "workers")
        check_counts(self, "decimals", minimum=0)
        check_device(self)
        judge.find(self.judge)

    @property
    def settings(self) -> tuple[Setting, ...]:
        """What training depends on, for each task; what doesn't matter to the short one is 0."""
        names = [item.name for item in fields(Setting) if item.name != "task"]
        words = Setting(task=train.WRITTEN, **{name: getattr(self, name) for name in names})
        sizes = {"block": train.SHORT_BLOCK, "batch": train.SHORT_BATCH}
        short: dict[str, Any] = {**sizes, "train": 0, "digits": 0, "decimals": 0, "questions": ""}
        return words, replace(words, task=train.SHORT, **short)

    @property
    def circuits(self) -> dict[str, Any]:
        """How circuits are trained."""
        return {name: getattr(self, name) for name in ("layers", "epochs", "learning_rate")}


def results(config: Config, desk: Desk) -> Iterator[Result]:
    """Yield a fuller result after every seed of all tasks, and after every search."""
    result, found = Result(paper=vqe.PAPER), {}
    n_jobs = len(config.settings) * len(ARCHITECTURES)
    for job, curve in jobs.curves(
        config.settings, config.seeds, config.iterations, config.workers, desk
    ):
        found[job] = curve
        if len(found) % n_jobs == 0:
            result = _judged(config, found)
            yield result
    tables = {}
    for task, each in result.data["tasks"].items():
        for rows in comparison.compare(
            task, each["scores"], each["steps"], config.runs, config.circuits, desk
        ):
            result = replace(result, rows=(*result.rows, *rows))
            yield result
        tables[f"search: {task}"] = -each["scores"][-1].mean(1).float()
    tables["search: the notebook's costs"] = torch.tensor(vqe.NOTEBOOK_COSTS).float()
    for name, costs in tables.items():
        for fuller in _searched(config, name, costs.to(config.device), result, desk):
            result = fuller
            yield fuller


def _judged(config: Config, found: Mapping[Job, Curve]) -> Result:
    """Rows of all tasks, from the seeds that all have."""
    rows, baselines, tasks = [], [], {}
    steps, seeds = jobs.checkpoints(config.iterations), sorted({job.seed for job in found})
    for setting in config.settings:
        task = setting.task
        replies = [
            [[found[Job(task, form.bits, seed)][n] for seed in seeds] for form in ARCHITECTURES]
            for n in steps
        ]
        more, plain, data = report.task_rows(task, steps, replies, judge.find(config.judge))
        rows += more
        baselines += plain
        tasks[task] = {**data, "steps": steps, "constant": plain[0]["exact"]}
    return Result(tuple(rows), tuple(baselines), vqe.PAPER, {"tasks": tasks, "searches": {}})


def _searched(
    config: Config, table: str, costs: Tensor, result: Result, desk: Desk
) -> Iterator[Result]:
    plain = (*result.baselines, *vqe.plain_rows(table, costs))
    result = replace(result, baselines=plain)
    kept: dict[str, Any] = {"costs": costs.cpu()}
    for name, method in desk.bar(list(vqe.METHODS.items()), table, "search"):
        found = vqe.search(costs, method, starts=config.starts, **config.circuits)
        row = vqe.row(name, table, costs, method, found)
        kept[name] = {
            "trace": found.trace.cpu(),
            "optimum": vqe.optimum_probabilities(costs, method, found).cpu(),
            "found": row["found"],
        }
        searches = {**result.data["searches"], table: kept}
        data = {**result.data, "searches": searches}
        result = replace(result, rows=(*result.rows, row), data=data)
        yield result


def figures(config: Config, result: Result) -> dict[str, Figure]:
    """Scores; learning curves and rank correlations; regret of searches; traces of circuits."""
    del config
    return {
        "costs": plots.costs(result.data),
        "budgets": plots.budgets(result.data, result.rows),
        "regret": plots.regret(result.data, result.rows),
        "search": plots.search(result.data),
    }


EXPERIMENT = Experiment("nas", results, figures, report.COLUMNS, "table")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the experiment from the command line."""
    parser = _run.parser("nas", "Architecture search by a variational eigensolver on 4 qubits.")
    parser.add_argument("--full", action="store_true", help="2,000 steps and three seeds")
    parser.add_argument("--papers-sizes", action="store_true", help="and its blocks; for a GPU")
    for name in ("iterations", "block", "batch", "train", "digits", "decimals", "starts", "runs"):
        parser.add_argument(f"--{name}", type=int, help=f"see Config.{name}")
    parser.add_argument("--held-out", type=int, help="number of questions to judge by")
    parser.add_argument("--workers", type=int, help="processes that train at the same time")
    parser.add_argument("--questions", help="file arithmetic__add_or_sub.txt of the data set")
    parser.add_argument("--judge", help=f"{', '.join(judge.JUDGES)}, or package.module:function")
    parser.add_argument("--page", type=Path, help="a page whose tables are filled in")
    given, result = _run.main(
        EXPERIMENT,
        Config,
        parser,
        arguments,
        full=FULL,
        papers_sizes=PAPERS_SIZES,
        quick=QUICK,
    )
    if given.page is not None:
        write_atomic(given.page, page.filled(given.page.read_text("utf-8"), result))


if __name__ == "__main__":
    main()
