"""Experiment 3: what noise does to the classifier of experiment 1, and noise learnt from data.

The classifier with a channel on both wires of every CNOT: trained without it, with it, and with
noise extrapolated away, by expectation values and by a hundred shots for each decision. Then the
two strengths of a channel of one's own on 12 qubits, learnt from measured values by `grad`.

    python -m experiments.noise [--seeds 256] [--page docs/experiments/noise.md]
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import sklearn
import torch
from matplotlib.figure import Figure

from experiments import _data, _run
from experiments._checks import check_counts, check_device, message
from experiments._classifier import BETTER, PAPERS, initial_params, to_wires
from experiments._desk import Desk, digest, write_atomic
from experiments._record import Result, Row, spread
from experiments._run import Experiment

from . import baselines, calibration, evaluation, plots, report
from .model import CHANNELS, SCALES, encoded, train

VARIANTS = (BETTER, PAPERS)
QUICK: Mapping[str, Any] = {
    "seeds": 8,
    "epochs": 5,
    "strengths": (0.0, 0.05, 0.2),
    "fresh": 100,
    "n_layers": 2,
    "steps": 10,
    "data_shots": (1000,),
}


@dataclass(frozen=True)
class Config:
    """What the results depend on.

    Args:
        seeds: Number of seeds; each has its own data, initial angles, and shots.
        epochs: Full-batch steps of Adam of a classifier.
        device: Torch device.
        strengths: Strengths of the channels after every CNOT, the first of them 0.
        shots: Shots for each decision.
        samples: Size of a set of circles before its 30 % test split.
        fresh: Number of fresh points per seed, which accuracies are measured on.
        n_layers: Layers of RY, RZ on every wire and CNOTs.
        learning_rate: Adam's, of a classifier.
        steps: Steps of Adam that learn the strengths of a channel.
        data_shots: Shots behind each number that these are learnt from.
    """

    seeds: int = 256
    epochs: int = 80
    device: str = "cpu"
    strengths: tuple[float, ...] = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
    shots: int = 100
    samples: int = 100
    fresh: int = 500
    n_layers: int = 4
    learning_rate: float = 0.05
    steps: int = 120
    data_shots: tuple[int, ...] = (1_000, 10_000, 100_000)

    def __post_init__(self) -> None:
        _data.check_dataset("Config", "circles", self.samples)
        check_counts(self, "seeds", "epochs", "fresh", "n_layers", "steps", "data_shots")
        check_counts(self, "shots", minimum=len(SCALES))
        check_device(self)
        if not self.strengths or self.strengths[0] != 0 or not 0 <= max(self.strengths) <= 1:
            need, remedy = "start with 0 and lie in [0, 1]", "Give (0.0, ...)."
            got = str(self.strengths)
            raise ValueError(message("Config", "strengths", self.strengths, need, got, remedy))


def results(config: Config, desk: Desk) -> Iterator[Result]:
    """Yield a fuller result after every setting."""
    points = _data.splits("circles", config.seeds, samples=config.samples, fresh=config.fresh)
    result = Result()
    for row in _baseline_rows(config, points, desk):
        result = replace(result, baselines=(*result.baselines, row))
    for rows in _classifier_rows(config, points, desk):
        result = replace(result, rows=(*result.rows, *rows))
        yield result
    for rows, data in _strength_rows(config, desk):
        data = {**result.data, **data}
        result = replace(result, rows=(*result.rows, *rows), data=data)
        yield result


def figures(config: Config, result: Result) -> dict[str, Figure]:
    """Accuracy against strength, and strengths learnt from data."""
    baselines = {row["model"]: row["mean"] for row in result.baselines}
    return {
        "accuracy": plots.accuracies(result.rows, baselines, BETTER.name, config.shots),
        "strengths": plots.strengths(result.rows, result.data["paths"], config.steps),
    }


def _classifier_rows(
    config: Config, points: Mapping[str, _data.Points], desk: Desk
) -> Iterator[list[Row]]:
    parts = []
    for name, seed in (("train", evaluation.TRAIN_SEED), ("fresh", evaluation.FRESH_SEED)):
        x, y = to_wires(points[name], config.device)
        parts.append(evaluation.part(encoded(x), y, config.shots, seed))
    data = evaluation.Data(*parts)
    strengths = torch.tensor(config.strengths, device=config.device)
    for variant in VARIANTS:
        start = initial_params(variant, config.seeds, config.n_layers, config.device)
        for name, channel in CHANNELS.items():
            label = f"{variant.name}, {name}"
            params = train(
                variant, channel, strengths, start, data.train.states, data.train.y,
                learning_rate=config.learning_rate, epochs=config.epochs, desk=desk, label=label,
            )  # fmt: skip
            clean = {key: value[0] for key, value in params.items()}
            for place in desk.bar(range(len(strengths)), "judged", "strength"):
                own = {key: value[place] for key, value in params.items()}
                yield list(evaluation.rows(variant, name, strengths[place], clean, own, data))


def _strength_rows(config: Config, desk: Desk) -> Iterator[tuple[list[Row], Mapping[str, Any]]]:
    truth, start = (
        torch.tensor(pair, dtype=torch.float64, device=config.device)
        for pair in (calibration.TRUTH, calibration.START)
    )
    exact = calibration.table(truth)
    many, longer = exact.expand(config.seeds, *exact.shape), calibration.LONGER * config.steps
    anywhere = calibration.starts(config.seeds, config.device)
    path, losses = calibration.learn(exact[None], start[None], config.steps, desk, "one start")
    yield [report.strength_row("exact, the suite's start", path, config.steps, losses)], {}
    path, _ = calibration.learn(many, anywhere, longer, desk, "many starts")
    rows = [
        report.strength_row("exact, many starts", path, steps) for steps in (config.steps, longer)
    ]
    yield rows, {"paths": path.cpu().numpy()}
    starts = start.expand(config.seeds, 2)
    for shots in config.data_shots:
        measured = calibration.measured(exact, shots, config.seeds)
        path, _ = calibration.learn(measured, starts, config.steps, desk, f"{shots} shots")
        deviations = calibration.predicted_deviations(truth, shots)
        yield [report.strength_row("shots", path, config.steps, None, shots, deviations)], {}


def _baseline_rows(config: Config, points: Mapping[str, _data.Points], desk: Desk) -> Iterator[Row]:
    key = digest(config.seeds, config.samples, config.fresh, sklearn.__version__, baselines.RECIPE)
    for name in baselines.CLASSIFIERS:
        found = desk.cached(name, key, partial(baselines.accuracies, name, points, desk))
        yield {"part": "without noise", "model": name, **spread(torch.tensor(found))}


EXPERIMENT = Experiment("noise", results, figures, report.COLUMNS, "part")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the experiment from the command line."""
    parser = _run.parser("noise", "A classifier under noise, and noise learnt from data.")
    parser.add_argument("--page", type=Path, help="a page whose tables are filled in")
    given, result = _run.main(EXPERIMENT, Config, parser, arguments, quick=QUICK)
    if given.page is not None:
        write_atomic(given.page, report.filled(given.page.read_text("utf-8"), result))


if __name__ == "__main__":
    main()
