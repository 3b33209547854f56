"""Experiment 2: choose one of 16 transformer architectures by a variational eigensolver.

The paper's section 4.2: each of 16 architectures is trained on questions of addition and
subtraction and judged, its cost becomes a diagonal entry of a Hamiltonian, and a circuit on 4
qubits looks for the ground state. Here every architecture has several seeds and at least 200
held-out questions, and the circuit starts 1,024 times.

    python -m experiments.nas [--full] [--questions PATH] [--judge package.module:function]
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from experiments import _run
from experiments._checks import check_counts, check_device
from experiments._desk import Desk
from experiments._record import Result
from experiments._run import Experiment

from . import judge, plots, report, train, vqe
from .model import PAPERS_BATCH, PAPERS_BLOCK, PAPERS_ITERATIONS
from .train import Setting

QUICK: Mapping[str, Any] = {
    "seeds": 2,
    "iterations": 2,
    "held_out": 20,
    "train": 500,
    "starts": 16,
    "epochs": 5,
}
FULL: Mapping[str, Any] = {
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
        block: Characters that a model sees.
        batch: Windows of text in a step.
        train: Number of questions to train on.
        held_out: Number of questions to judge by.
        digits: Most digits of a number before the point.
        decimals: Most digits after it.
        questions: File of the data set in place of generated questions.
        judge: Function from replies to scores, `package.module:function`.
        epochs: Steps of Adam of the eigensolver.
        starts: Its random starts, trained at once.
        layers: Its layers.
        learning_rate: Its Adam's.
        compare: Record of another run, for the rank correlation of the costs.
        device: Torch device.
        workers: Processes that train at the same time on the CPU; they don't change the numbers.
    """

    seeds: int = 3
    iterations: int = 250
    block: int = 32
    batch: int = 16
    train: int = 8000
    held_out: int = 200
    digits: int = 2
    decimals: int = 0
    questions: str = ""
    judge: str = "experiments.nas.judge:marks"
    epochs: int = 50
    starts: int = 1024
    layers: int = 4
    learning_rate: float = 0.1
    compare: str = ""
    device: str = "cpu"
    workers: int = os.cpu_count() or 1

    def __post_init__(self) -> None:
        counts = ("seeds", "iterations", "block", "batch", "train", "held_out", "digits")
        check_counts(self, *counts, "epochs", "starts", "layers", "workers")
        check_counts(self, "decimals", minimum=0)
        check_device(self)
        judge.find(self.judge)

    @property
    def setting(self) -> Setting:
        """What training and judging depend on."""
        return Setting(**{item.name: getattr(self, item.name) for item in fields(Setting)})


def results(config: Config, desk: Desk) -> Iterator[Result]:
    """Yield a fuller result after every architecture and every search."""
    result, scores = Result(paper=vqe.PAPER), []
    for bits, marks in train.all_marks(config.setting, config.seeds, config.workers, desk):
        result = replace(result, rows=(*result.rows, report.architecture_row(bits, marks)))
        scores.append([each["score"] for each in marks])
        yield result
    table = torch.tensor(scores, dtype=torch.float64)
    rows = report.difference_rows(table)
    if config.compare:
        rows += report.agreement_rows(result.rows, config.compare)
    result = replace(result, rows=(*result.rows, *rows), data={"scores": table})
    yield result
    tables = {
        "search: our costs": -table.mean(1).float(),
        "search: the notebook's costs": torch.tensor(vqe.NOTEBOOK_COSTS).float(),
    }
    for name, costs in tables.items():
        for fuller in _searched(config, name, costs.to(config.device), result, desk):
            result = fuller
            yield fuller


def _searched(
    config: Config, table: str, costs: Tensor, result: Result, desk: Desk
) -> Iterator[Result]:
    plain = (*result.baselines, *vqe.plain_rows(table, costs))
    result = replace(result, baselines=plain)
    how: dict[str, Any] = {
        name: getattr(config, name) for name in ("starts", "layers", "epochs", "learning_rate")
    }
    for name, method in desk.bar(list(vqe.METHODS.items()), table, "search"):
        found = vqe.search(costs, method, **how)
        row = vqe.row(name, table, costs, method, found)
        kept = {
            "trace": found.trace.cpu(),
            "optimum": vqe.optimum_probabilities(costs, method, found).cpu(),
            "found": row["found"],
        }
        data: dict[Any, Any] = {**result.data, (table, name): kept, (table, "costs"): costs.cpu()}
        result = replace(result, rows=(*result.rows, row), data=data)
        yield result


def figures(config: Config, result: Result) -> dict[str, Figure]:
    """Costs of all architectures; traces and probabilities of the searches."""
    del config
    return {"costs": plots.costs(result.data), "search": plots.search(result.data)}


EXPERIMENT = Experiment("nas", results, figures, report.COLUMNS, "table")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the experiment from the command line."""
    parser = _run.parser("nas", "Architecture search by a variational eigensolver on 4 qubits.")
    parser.add_argument("--full", action="store_true", help="the paper's sizes; for a GPU")
    for name in ("iterations", "block", "batch", "train", "digits", "decimals", "starts"):
        parser.add_argument(f"--{name}", type=int, help=f"see Config.{name}")
    parser.add_argument("--held-out", type=int, help="number of questions to judge by")
    parser.add_argument("--workers", type=int, help="processes that train at the same time")
    parser.add_argument("--questions", help="file arithmetic__add_or_sub.txt of the data set")
    parser.add_argument("--judge", help="package.module:function, from replies to scores 1 to 10")
    parser.add_argument("--compare", help="record of another run, for the rank correlation")
    _run.main(EXPERIMENT, Config, parser, arguments, full=FULL, quick=QUICK)


if __name__ == "__main__":
    main()
