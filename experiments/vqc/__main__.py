"""Experiment 1: a variational classifier on 4 qubits, many seeds at once.

The paper's section 4.1 as it stands, where one run reached 96.67 % of 30 test points; then the
same circuit with a logit that has a scale and a bias. Every seed has its own data and its own
initial angles; all seeds train in one vmapped call per epoch.

    python -m experiments.vqc [--dataset circles|moons|iris|breast_cancer|digits]
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import sklearn
import torch
from matplotlib.figure import Figure

from experiments import _data, _run
from experiments._checks import check_counts, check_device
from experiments._classifier import BETTER, N_QUBITS, PAPERS, initial_params, to_wires
from experiments._desk import Desk, digest
from experiments._record import Result, Row
from experiments._run import Experiment

from . import baselines, report
from .model import VARIANTS, train

PAPER: tuple[Row, ...] = (
    {"model": "paper, 1 run", "points": "test", "mean": 29 / 30},
    {"model": "notebook, 1 run", "points": "test", "mean": 26 / 30},
)
QUICK = {"seeds": 8, "epochs": 5, "fresh": 100}


@dataclass(frozen=True)
class Config:
    """What the results depend on.

    Args:
        dataset: One of circles, moons, iris, breast_cancer, digits.
        seeds: Number of seeds; each has its own data (or split) and initial angles.
        epochs: Full-batch steps of Adam.
        device: Torch device.
        baselines: Whether classical classifiers run on the same splits.
        samples: Size of a toy set before its 30 % test split.
        fresh: Number of fresh points per seed (toy sets).
        n_layers: Layers of RY, RZ on every wire and CNOTs.
        learning_rate: Adam's.
    """

    dataset: str = "circles"
    seeds: int = 256
    epochs: int = 80
    device: str = "cpu"
    baselines: bool = True
    samples: int = 100
    fresh: int = 1000
    n_layers: int = 4
    learning_rate: float = 0.05

    def __post_init__(self) -> None:
        _data.check_dataset("Config", self.dataset, self.samples)
        check_counts(self, "seeds", "epochs", "fresh", "n_layers")
        check_device(self)


def results(config: Config, desk: Desk) -> Iterator[Result]:
    """Yield a fuller result after every variant and every baseline."""
    points = _data.splits(
        config.dataset, config.seeds, samples=config.samples, fresh=config.fresh, n_wires=N_QUBITS
    )
    parts = {name: to_wires(part, config.device) for name, part in points.items()}
    result = Result(paper=PAPER if config.dataset == "circles" else ())
    for variant in VARIANTS:
        params = initial_params(variant, config.seeds, config.n_layers, config.device)
        rate, epochs = config.learning_rate, config.epochs
        trained = train(variant, params, parts, learning_rate=rate, epochs=epochs, desk=desk)
        rows = report.rows(variant.name, trained, fit_threshold=variant is PAPERS)
        data = {**result.data, variant.name: trained}
        result = replace(result, rows=(*result.rows, *rows), data=data)
        yield result
    for row in _baseline_rows(config, points, desk):
        result = replace(result, baselines=(*result.baselines, row))
        yield result


def figures(config: Config, result: Result) -> dict[str, Figure]:
    """Boundaries, losses and accuracies of the paper's setting and the better logit."""
    pair = {variant.name: result.data[variant.name] for variant in (PAPERS, BETTER)}
    marks = {f"{row['model']}, 30 points": row["mean"] for row in result.paper}
    limit = _data.bayes_limit(config.dataset)
    if limit is not None:
        marks["Bayes limit"] = limit
    return {"seeds": report.figure(pair, marks)}


EXPERIMENT = Experiment("vqc", results, figures, report.COLUMNS, "points")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the experiment from the command line."""
    parser = _run.parser("vqc", "A variational classifier on 4 qubits, many seeds at once.")
    parser.add_argument("--dataset", help=f"one of {', '.join(_data.NAMES)}")
    parser.add_argument("--samples", type=int, help="size of a toy set before its test split")
    parser.add_argument(
        "--no-baselines", dest="baselines", action="store_false", default=None, help="skip them"
    )
    _run.main(EXPERIMENT, Config, parser, arguments, stem="{0.dataset}", quick=QUICK)


def _baseline_rows(config: Config, points: Mapping[str, _data.Points], desk: Desk) -> Iterator[Row]:
    limit = _data.bayes_limit(config.dataset)
    if limit is not None:
        yield {"model": "Bayes limit", "points": "fresh", "mean": limit}
    size = (config.dataset, config.seeds, config.samples, config.fresh)
    for name in baselines.CLASSIFIERS if config.baselines else ():
        key = digest(*size, sklearn.__version__, baselines.RECIPE)
        scores = desk.cached(name, key, partial(baselines.accuracies, name, points, desk))
        for part, values in scores.items():
            yield report.row(name, part, torch.tensor(values))


if __name__ == "__main__":
    main()
