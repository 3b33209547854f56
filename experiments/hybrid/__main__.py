"""Experiment: a circuit inside a network of torch, on handwritten digits.

The network maps 64 pixels to a few numbers, through a circuit, to ten classes. Beside it stand the
same network with a classical layer in the circuit's place, and without any. It is written as any
network is: modules in a row, `torch.optim`, a `DataLoader`.

    python -m experiments.hybrid [--qubits 4] [--layers 3]
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import sklearn
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from torch import Tensor

from experiments import _run
from experiments._checks import check_counts, check_device
from experiments._desk import Desk, digest
from experiments._record import Result
from experiments._run import Experiment

from . import report
from .model import MIDDLES, Setting, Trained, train

TEST_SHARE = 0.3
QUICK = {"seeds": 2, "epochs": 2}


@dataclass(frozen=True)
class Config:
    """What the results depend on.

    Args:
        seeds: Number of seeds; each has its own split, start and order of points.
        epochs: Passes over the training points.
        device: Torch device.
        n_qubits: Wires of the circuit, and width of the network's middle.
        n_layers: Layers of RY, RZ and a ring of CNOTs.
        batch_size: Points in a step.
        learning_rate: Adam's.
        baselines: Whether logistic regression runs on the same splits.
    """

    seeds: int = 10
    epochs: int = 30
    device: str = "cpu"
    n_qubits: int = 4
    n_layers: int = 3
    batch_size: int = 64
    learning_rate: float = 0.01
    baselines: bool = True

    def __post_init__(self) -> None:
        check_counts(self, "seeds", "epochs", "n_layers", "batch_size")
        check_counts(self, "n_qubits", minimum=2)
        check_device(self)


Points = dict[str, tuple[Tensor, Tensor]]


def split(seed: int, device: str = "cpu") -> Points:
    """Pixels in [0, 1] and classes, by part; every class has its share in both."""
    x, y = load_digits(return_X_y=True)
    parts = train_test_split(x / 16, y, test_size=TEST_SHARE, random_state=seed, stratify=y)
    train_x, test_x = (torch.tensor(part, dtype=torch.float32) for part in parts[:2])
    train_y, test_y = (torch.tensor(part) for part in parts[2:])
    points = {"train": (train_x, train_y), "test": (test_x, test_y)}
    return {part: (x.to(device), y.to(device)) for part, (x, y) in points.items()}


def results(config: Config, desk: Desk) -> Iterator[Result]:
    """Yield a fuller result after every network and the baseline."""
    setting = Setting(
        config.n_qubits, config.n_layers, config.epochs, config.batch_size,
        config.learning_rate, config.device,
    )  # fmt: skip
    splits = [split(seed, config.device) for seed in range(config.seeds)]
    result = Result()
    for middle in MIDDLES:
        trained = [
            train(middle, setting, seed, *points["train"], desk)
            for seed, points in enumerate(splits)
        ]
        rows = report.rows(middle, trained, splits)
        data = {**result.data, middle: _summary(trained, splits)}
        result = replace(result, rows=(*result.rows, *rows), data=data)
        yield result
    if config.baselines:
        key = digest(config.seeds, sklearn.__version__)
        scores = desk.cached("logistic regression", key, lambda: [_logistic(p) for p in splits])
        yield replace(result, baselines=report.baseline("logistic regression", scores))


def _summary(trained: Sequence[Trained], splits: Sequence[Points]) -> dict[str, Tensor]:
    """What the figure shows: losses (epochs, seeds) and accuracies (seeds,)."""
    pairs = list(zip(trained, splits, strict=True))
    return {
        "losses": torch.stack([one.losses for one in trained], 1).cpu(),
        "accuracies": torch.stack([one.accuracy(*points["test"]) for one, points in pairs]).cpu(),
    }


def _logistic(points: Points) -> dict[str, float]:
    """All 64 pixels, no bottleneck."""
    arrays = {part: (x.cpu().numpy(), y.cpu().numpy()) for part, (x, y) in points.items()}
    model = LogisticRegression(max_iter=1000).fit(*arrays["train"])
    return {part: float(model.score(*array)) for part, array in arrays.items()}


EXPERIMENT = Experiment("hybrid", results, report.figures, report.COLUMNS, "points")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the experiment from the command line."""
    parser = _run.parser("hybrid", "A circuit inside a network of torch, on handwritten digits.")
    parser.add_argument("--qubits", dest="n_qubits", type=int, help="wires of the circuit")
    parser.add_argument("--layers", dest="n_layers", type=int, help="layers of the circuit")
    parser.add_argument(
        "--no-baselines", dest="baselines", action="store_false", default=None, help="skip them"
    )
    _run.main(EXPERIMENT, Config, parser, arguments, stem="{0.n_qubits}-qubits", quick=QUICK)


if __name__ == "__main__":
    main()
