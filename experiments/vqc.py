"""Experiment 1: a variational classifier on 4 qubits, many seeds at once.

The paper's section 4.1 as it stands, where one run reached 96.67 % of 30 test points; then the
same circuit with a logit that has a scale and a bias. Every seed has its own data and its own
initial angles; all seeds train in one vmapped call per epoch.

    python -m experiments.vqc [--dataset circles|moons|iris|breast_cancer|digits]
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import sklearn
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.func import grad_and_value, vmap
from torch.nn.functional import binary_cross_entropy_with_logits

import quilt_func as qf
from experiments import _baselines, _data, _run, _vqc_report
from experiments._desk import Desk, digest
from experiments._record import Result, Row
from experiments._run import Experiment
from experiments._vqc_report import Trained
from quilt_func._checks import check_count

N_QUBITS = 4
WIRES = range(N_QUBITS)
EVEN_PAIRS, ODD_PAIRS = [(0, 1), (2, 3)], [(1, 2)]
Z0 = qf.pauli_sum({"ZIII": 1.0})

PAPER: tuple[Row, ...] = (
    {"model": "the paper, 1 run", "points": "test", "mean": 29 / 30},
    {"model": "its notebook, 1 run", "points": "test", "mean": 26 / 30},
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
        for name in ("seeds", "epochs", "fresh", "n_layers"):
            check_count("Config", name, getattr(self, name), minimum=1)
        _run.check_device("Config", self.device)


@dataclass(frozen=True)
class Variant:
    """How the data enter the circuit, and how its expectation value becomes a logit.

    Args:
        name: Name in the table.
        unit: None makes ⟨Z0⟩ the logit; a number makes `unit * (scale * ⟨Z0⟩ + bias)` the logit,
            with trainable scale (1 at first) and bias (0). Adam moves a parameter by about its
            learning rate a step, so the unit decides how far the logit gets in few steps.
        reupload: Whether the data enter before every layer, not only before the first.
    """

    name: str
    unit: float | None = None
    reupload: bool = False


PAPERS = Variant("paper's setting")
BETTER = Variant("scale and bias, x5", unit=5.0)
VARIANTS = (
    PAPERS,
    Variant("scale and bias", unit=1.0),
    BETTER,
    Variant("re-uploading, x5", unit=5.0, reupload=True),
)


def layer(theta: Tensor) -> tuple[Any, ...]:
    """One layer of the paper's circuit; `theta` is (4, 2), radians."""
    rotations = qf.ry(theta[:, 0], WIRES), qf.rz(theta[:, 1], WIRES)
    return *rotations, qf.cx(EVEN_PAIRS), qf.cx(ODD_PAIRS)


def expectation(theta: Tensor, x: Tensor, reupload: bool) -> Tensor:
    """⟨Z0⟩ of one sample: `theta` is (n_layers, 4, 2), `x` is (4,), one angle per wire."""
    encoding = qf.ry(x, WIRES)
    if reupload:
        parts = ((encoding, layer(angles)) for angles in theta)
        return qf.expval(qf.circuit(N_QUBITS, parts)(), Z0)
    # This matrix does not depend on x, so vmap over samples builds it once.
    matrix = qf.circuit(N_QUBITS, map(layer, theta)).unitary()
    return qf.expval(matrix @ qf.circuit(N_QUBITS, encoding)(), Z0)


def logit(variant: Variant, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """The model: one sample in, one number out; positive means class 1."""
    value = expectation(params["theta"], x, variant.reupload)
    if variant.unit is None:
        return value
    return variant.unit * (params["scale"] * value + params["bias"])


def initial_params(variant: Variant, config: Config) -> dict[str, Tensor]:
    """Stacked parameters; a seed's angles do not depend on the number of seeds."""
    shape = (config.n_layers, N_QUBITS, 2)
    angles = [qf.uniforms(shape, seed, device=config.device) for seed in range(config.seeds)]
    params = {"theta": 2 * math.pi * torch.stack(angles)}
    if variant.unit is not None:
        ones = torch.ones(config.seeds, device=config.device)
        params |= {"scale": ones, "bias": torch.zeros_like(ones)}
    return params


def train(
    variant: Variant, config: Config, parts: Mapping[str, tuple[Tensor, Tensor]], desk: Desk
) -> Trained:
    """Train all seeds of a variant at once and evaluate it on every part of the split."""
    batch = vmap(lambda params, x: logit(variant, params, x), (None, 0))
    optimiser = qf.optim.adam(config.learning_rate)

    def loss(params: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(batch(params, x), y)

    def step(carry: Any) -> tuple[Any, Tensor]:
        params, state = carry
        grads, losses = vmap(grad_and_value(loss))(params, *parts["train"])
        updates, state = vmap(optimiser.update)(grads, state, params)
        return (qf.optim.apply_updates(params, updates), state), losses

    params = initial_params(variant, config)
    carry = (params, vmap(optimiser.init)(params))
    (params, _), losses = desk.scan(variant.name, step, carry, config.epochs)
    return Trained(batch, params, losses, parts)


def results(config: Config, desk: Desk | None = None) -> Iterator[Result]:
    """Yield a fuller result after every variant and every baseline."""
    desk = desk or Desk()
    points = _data.splits(
        config.dataset, config.seeds, samples=config.samples, fresh=config.fresh, n_wires=N_QUBITS
    )
    parts = {name: _to_wires(part, config.device) for name, part in points.items()}
    result = Result(paper=PAPER if config.dataset == "circles" else ())
    for variant in VARIANTS:
        trained = train(variant, config, parts, desk)
        rows = _vqc_report.rows(variant.name, trained, fit_threshold=variant is PAPERS)
        data = {**result.data, variant.name: trained}
        result = replace(result, rows=(*result.rows, *rows), data=data)
        yield result
    for row in _baseline_rows(config, points, desk):
        result = replace(result, baselines=(*result.baselines, row))
        yield result


def run(config: Config) -> Result:
    """Train and evaluate all variants; a pure function of the config."""
    *_, last = results(config)
    return last


def figures(config: Config, result: Result) -> dict[str, Figure]:
    """Boundaries, losses and accuracies of the paper's setting and the better logit."""
    pair = {variant.name: result.data[variant.name] for variant in (PAPERS, BETTER)}
    marks = {f"{row['model']} of 30 points": row["mean"] for row in result.paper}
    limit = _data.bayes_limit(config.dataset)
    if limit is not None:
        marks["Bayes limit"] = limit
    return {"seeds": _vqc_report.figure(pair, marks)}


EXPERIMENT = Experiment("vqc", results, figures, _vqc_report.COLUMNS, "points")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the experiment from the command line."""
    parser = _run.parser("vqc", "A variational classifier on 4 qubits, many seeds at once.")
    parser.add_argument("--dataset", help=f"one of {', '.join(_data.NAMES)}")
    parser.add_argument("--samples", type=int, help="size of a toy set before its test split")
    parser.add_argument(
        "--no-baselines", dest="baselines", action="store_false", default=None, help="skip them"
    )
    given = parser.parse_args(arguments)
    config = _run.configure(parser, given, Config, QUICK)
    stem = f"{config.dataset}-quick" if given.quick else config.dataset
    _run.exit_if_interrupted(
        lambda: _run.conduct(EXPERIMENT, config, given.out, stem=stem, resume=given.resume)
    )


def _to_wires(points: _data.Points, device: str) -> tuple[Tensor, Tensor]:
    """Put feature i % n_features on wire i."""
    x, y = (torch.tensor(array, dtype=torch.float32, device=device) for array in points)
    return x[..., [wire % x.shape[-1] for wire in WIRES]], y


def _baseline_rows(config: Config, points: Mapping[str, _data.Points], desk: Desk) -> Iterator[Row]:
    limit = _data.bayes_limit(config.dataset)
    if limit is not None:
        yield {"model": "Bayes limit", "points": "fresh", "mean": limit}
    size = (config.dataset, config.seeds, config.samples, config.fresh)
    for name in _baselines.CLASSIFIERS if config.baselines else ():
        key = digest(*size, sklearn.__version__, _baselines.RECIPE)
        scores = desk.cached(name, key, partial(_baselines.accuracies, name, points, desk))
        for part, values in scores.items():
            yield _vqc_report.row(name, part, torch.tensor(values))


if __name__ == "__main__":
    main()
