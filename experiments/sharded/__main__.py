"""Experiment 5: states that are split over processes, planned on paper.

Exchanges and bytes of chains, bricks, QAOA on random graphs and gates on far pairs, on 30 to 40
qubits and 16 to 1,024 ranks, as this library plans them and as others do; and how long the
exchanges of 34 and 40 qubits take over links of three speeds.

    python -m experiments.sharded --paper [--page docs/experiments/sharded.md]
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from experiments import _run
from experiments._checks import check_counts, check_device, message
from experiments._desk import Desk, write_atomic
from experiments._record import Result
from experiments._run import Experiment

from . import plots, report
from .families import FAMILIES, RANDOM, demands
from .methods import METHODS

PAPER: Mapping[str, Any] = {}
QUICK: Mapping[str, Any] = {
    "seeds": 2,
    "n_layers": 6,
    "sizes": ((14, 4), (16, 16)),
    "timed": ((16, 16),),
}


@dataclass(frozen=True)
class Config:
    """What the results depend on.

    Args:
        seeds: Number of random graphs, and of random pairings.
        device: Torch device; planning needs none.
        n_layers: Layers of every circuit.
        sizes: Numbers of qubits, each with a number of ranks.
        timed: Those of them whose exchanges are timed.
    """

    seeds: int = 16
    device: str = "cpu"
    n_layers: int = 20
    sizes: tuple[tuple[int, int], ...] = (
        (30, 16), (30, 64), (34, 16), (34, 64), (34, 256), (40, 256), (40, 1024),
    )  # fmt: skip
    timed: tuple[tuple[int, int], ...] = ((34, 16), (40, 1024))

    def __post_init__(self) -> None:
        check_counts(self, "seeds", "n_layers")
        check_device(self)
        if not set(self.timed) <= set(self.sizes):
            need, remedy = "be among `sizes`", "Give some of these."
            raise ValueError(message("Config", "timed", self.timed, need, "others", remedy))
        for n_qubits, n_ranks in self.sizes:
            if n_qubits % 2 or n_ranks & (n_ranks - 1) or n_ranks < 2 or 4 * n_ranks > 2**n_qubits:
                need = "be even numbers of qubits and powers of two of ranks, with two wires left"
                given, remedy = (n_qubits, n_ranks), "Give ((30, 16), (40, 1024)), say."
                raise ValueError(message("Config", "sizes", given, need, str(given), remedy))


def results(config: Config, desk: Desk) -> Iterator[Result]:
    """Yield a fuller result after every size of every family."""
    result = Result()
    settings = [(family, *size) for family in FAMILIES for size in config.sizes]
    for family, n_qubits, n_ranks in desk.bar(settings, "planned", "size"):
        n_bits = n_ranks.bit_length() - 1
        circuits = [demands(one) for one in _circuits(config, family, n_qubits)]
        found = {
            name: [method(n_qubits, n_bits, one) for one in circuits]
            for name, method in METHODS.items()
        }
        size = family, n_qubits, n_ranks, config.n_layers
        rows = report.method_rows(*size, found)
        if (n_qubits, n_ranks) in config.timed:
            rows.append(report.time_row(*size, found["quilt_func"]))
        result = replace(result, rows=(*result.rows, *rows))
        yield result


def _circuits(config: Config, family: str, n_qubits: int) -> list[Any]:
    seeds = range(config.seeds if family in RANDOM else 1)
    return [FAMILIES[family](n_qubits, config.n_layers, seed) for seed in seeds]


def figures(config: Config, result: Result) -> dict[str, Figure]:
    """What each method sends."""
    return {"traffic": plots.traffic(result.rows, config.n_layers)}


EXPERIMENT = Experiment("sharded", results, figures, report.COLUMNS, "part")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the experiment from the command line."""
    parser = _run.parser("sharded", "States split over processes, planned on paper.")
    parser.add_argument("--paper", action="store_true", help="plan only: no processes are started")
    parser.add_argument("--page", type=Path, help="a page whose tables are filled in")
    given, result = _run.main(EXPERIMENT, Config, parser, arguments, paper=PAPER, quick=QUICK)
    if given.page is not None:
        write_atomic(given.page, report.filled(given.page.read_text("utf-8"), result))


if __name__ == "__main__":
    main()
