"""Experiment 4: random circuits that are measured at a rate, and where entanglement gives way.

Brickwork of Haar-random gates on a ring, each wire measured with probability `p` after each layer:
entropies of half of the ring and the tripartite mutual information of its quarters, for many
circuits and outcomes at many `p` at once. Then the derivative by `p`, from runs at one `p` alone.

    python -m experiments.monitored [--seeds 512] [--page docs/experiments/monitored.md]
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from experiments import _run
from experiments._checks import check_counts, check_device, message
from experiments._desk import Desk, write_atomic
from experiments._record import Result, Row
from experiments._run import Experiment

from . import model, plots, report

AT_ONCE = 2**20
"""Most amplitudes of the runs that are one call."""
QUICK: Mapping[str, Any] = {
    "seeds": 32,
    "sizes": (4, 8),
    "rates": (0.0, 0.1, 0.3, 1.0),
    "slopes_at": (0.1, 0.3),
    "slope_size": 4,
}
PAPER: tuple[Row, ...] = (
    {
        "part": "crossings",
        "pair": "Zabalo et al. (2020)",
        "p": 0.17,
        "error": 0.01,
    },
)


@dataclass(frozen=True)
class Config:
    """What the results depend on.

    Args:
        seeds: Number of runs at each rate; each has gates and outcomes of its own.
        device: Torch device.
        sizes: Numbers of qubits, each divisible by 4.
        rates: Probabilities that a wire is measured after a layer, from 0 up to 1.
        few: From `large` qubits on, there are so many times fewer runs.
        large: See `few`.
        slope_size: Number of qubits of the runs whose derivative is taken.
        slopes_at: Rates at which it is taken, within (0, 1).
        step: What their differences are taken over, to both sides.
        batches: The runs are parted into so many, for the error of a derivative.
        resamples: Draws of the runs, for the error of a crossing.
    """

    seeds: int = 512
    device: str = "cpu"
    sizes: tuple[int, ...] = (4, 8, 12)
    rates: tuple[float, ...] = (0.0, 0.05, 0.1, 0.13, 0.15, 0.17, 0.19, 0.22, 0.3, 0.5, 1.0)
    few: int = 16
    large: int = 16
    slope_size: int = 8
    slopes_at: tuple[float, ...] = (0.05, 0.1, 0.17, 0.25, 0.4)
    step: float = 0.02
    batches: int = 8
    resamples: int = 500

    def __post_init__(self) -> None:
        check_counts(self, "sizes", "slope_size", minimum=4)
        check_counts(self, "few", "large", "resamples")
        check_counts(self, "batches", minimum=2)
        check_counts(self, "seeds", minimum=2 * max(self.few, self.batches))
        check_device(self)
        for size in (*self.sizes, self.slope_size):
            if size % 4:
                need, remedy = "be divisible by 4", "Give 4, 8, 12 ..."
                raise ValueError(message("Config", "sizes", size, need, str(size), remedy))
        self._check_rates("rates", self.rates, 0.0, 1.0)
        self._check_rates("slopes_at", self.slopes_at, self.step, 1 - self.step)

    def _check_rates(self, name: str, rates: tuple[float, ...], low: float, high: float) -> None:
        if not rates or list(rates) != sorted(set(rates)) or rates[0] < low or rates[-1] > high:
            need, remedy = f"rise within [{low:g}, {high:g}]", "Give (0.1, 0.2), say."
            raise ValueError(message("Config", name, rates, need, str(rates), remedy))

    def runs(self, n_qubits: int) -> int:
        """Number of runs of so many qubits at each rate."""
        return self.seeds // (self.few if n_qubits >= self.large else 1)


def results(config: Config, desk: Desk) -> Iterator[Result]:
    """Yield a fuller result after every size, then with crossings and derivatives."""
    baselines = tuple(report.page_row(n_qubits) for n_qubits in config.sizes)
    result, found = Result(baselines=baselines, paper=PAPER), dict[int, Tensor]()
    for n_qubits in config.sizes:
        found[n_qubits] = ensembles(config, n_qubits, desk)
        rows = report.entropy_rows(n_qubits, config.rates, found[n_qubits])
        result = replace(result, rows=(*result.rows, *rows))
        yield result
    rows = report.crossing_rows(config.rates, found, config.resamples)
    result = replace(result, rows=(*result.rows, *rows))
    yield result
    for p in desk.bar(config.slopes_at, "derivatives", "rate"):
        result = replace(result, rows=(*result.rows, slope_row(config, p)))
        yield result


def ensembles(config: Config, n_qubits: int, desk: Desk) -> Tensor:
    """The quantities `(k, m, 3)` of all runs of so many qubits at all rates."""
    rates = torch.tensor(config.rates, device=config.device)
    n_runs = config.runs(n_qubits)
    chunk = min(n_runs, max(1, AT_ONCE // (len(rates) << n_qubits)))

    def step(first: Tensor) -> tuple[Tensor, Tensor]:
        seeds = range(int(first), int(first) + chunk)
        own = model.draws(n_qubits, seeds, config.device)
        return first + chunk, model.ensemble(n_qubits, rates, own)

    start, n_steps = torch.tensor(0), -(-n_runs // chunk)
    _, found = desk.scan(f"{n_qubits} qubits", step, start, n_steps, "chunk")
    return found.transpose(0, 1).flatten(1, 2)[:, :n_runs]


def slope_row(config: Config, p: float) -> Row:
    """The derivative by the rate from runs at it, beside a difference of runs at two others."""
    n, size = config.slope_size, config.seeds // config.batches
    rate = torch.tensor(p, device=config.device)
    own = model.draws(n, range(size * config.batches), config.device)
    parts = [model.Draws(*part) for part in zip(*(one.split(size) for one in own), strict=True)]
    slopes = torch.stack([model.slope(n, rate, part)[1] for part in parts])
    both = torch.stack([rate - config.step, rate + config.step])
    low, high = model.ensemble(n, both, own)[..., model.QUANTITIES.index("renyi")]
    return report.slope_row(n, p, slopes, (high - low) / (2 * config.step))


def figures(config: Config, result: Result) -> dict[str, Figure]:
    """Entropies and mutual information against the rate."""
    del config
    return {"transition": plots.transition(result.rows)}


EXPERIMENT = Experiment("monitored", results, figures, report.COLUMNS, "part", threads=2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the experiment from the command line."""
    parser = _run.parser("monitored", "Entanglement of random circuits that are measured.")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of qubits, such as 4 8 12 16")
    parser.add_argument("--page", type=Path, help="a page whose tables are filled in")
    given, result = _run.main(EXPERIMENT, Config, parser, arguments, quick=QUICK)
    if given.page is not None:
        write_atomic(given.page, report.filled(given.page.read_text("utf-8"), result))


if __name__ == "__main__":
    main()
