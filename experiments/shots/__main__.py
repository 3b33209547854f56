"""What estimates from shots say of themselves, and what each way of measuring costs.

Energies of H2 and LiH and a sum of a hundred random words, estimated a thousand times over: word by
word, by groups that commute wire by wire or as a whole, with shots shared out equally, by size or
by deviation, and by shadows. Stated errors are held against the spread, means against exact values.

    python -m experiments.shots [--seeds 1000] [--page docs/experiments/shots.md docs/shots.md]
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from experiments import _run
from experiments._checks import check_counts, check_device
from experiments._desk import Desk, write_atomic
from experiments._record import Result
from experiments._run import Experiment

from . import evaluation, model, plots, report

QUICK: Mapping[str, Any] = {"seeds": 40, "shots": 1000, "shadow_shots": 200}


@dataclass(frozen=True)
class Config:
    """What the results depend on.

    Args:
        seeds: Number of repetitions; each has uniform numbers of its own.
        device: Torch device.
        shots: Shots of each repetition.
        shadow_shots: Those of a shadow, each of which is a circuit of its own.
    """

    seeds: int = 1000
    device: str = "cpu"
    shots: int = 10_000
    shadow_shots: int = 500

    def __post_init__(self) -> None:
        check_counts(self, "seeds", "shadow_shots", minimum=2)
        check_counts(self, "shots", minimum=2 * model.LEAST * 100)
        check_device(self)


def results(config: Config, desk: Desk) -> Iterator[Result]:
    """Yield a fuller result after every way of measuring."""
    result = Result()
    for system in model.systems(config.device):
        for way in model.ways(system, config.shots):
            n_shots = config.shadow_shots if evaluation.is_shadow(way.method) else config.shots
            label = f"{system.name}, {way.method}, {way.allocation}"
            found = evaluation.repetitions(way, n_shots, config.seeds, config.device, desk, label)
            row = evaluation.row(system, way, n_shots, *found)
            result = replace(result, rows=(*result.rows, row))
            yield result


def figures(config: Config, result: Result) -> dict[str, Figure]:
    """Stated errors against the spread, and what each way costs."""
    return {"overview": plots.overview(result.rows, config.seeds)}


EXPERIMENT = Experiment("shots", results, figures, report.COLUMNS, "part")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the experiment from the command line."""
    parser = _run.parser("shots", "What estimates say of themselves, and what they cost.")
    parser.add_argument("--page", type=Path, nargs="+", help="pages whose tables are filled in")
    given, result = _run.main(EXPERIMENT, Config, parser, arguments, quick=QUICK)
    for page in given.page or ():
        write_atomic(page, report.filled(page.read_text("utf-8"), result))


if __name__ == "__main__":
    main()
