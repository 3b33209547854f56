"""Run the benchmark: `python -m experiments.bench [--work NAME ...] [--peers NAME ...] [--quick]`.

`--work` takes workloads, such as `vqc4,4,70`, and groups: batches, energies, states, ensembles,
shapes, noisy, measured, scaling. Without it, all groups run. Peers that are not installed are
skipped with a word. Every measurement has its own process; the record is complete after each.
`--resume` goes on from what an interrupted run has measured, or only prints again what a finished
one has. `--hunt` draws circuits at random instead, and finds those where ours compares worst
(`hunt.py`); `--families` measures one circuit of each family (`family_table.py`).
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from experiments import _run
from experiments._desk import Desk, write_atomic
from experiments._record import Result

from . import family_table, hunt, limit, markdown, measure, plots, targets
from .keeping import expected, kept
from .peers import BENCHED, PEERS
from .worker import Job
from .workloads import parse

GROUPS: dict[str, tuple[str, ...]] = {
    "batches": ("vqc(4,4,70)", "vqc(8,6,256)", "vqc(10,8,128)"),
    "energies": ("vqe(12,6)", "vqe(16,6)", "vqe(20,4)"),
    "states": ("fwd(20,6)", "fwd(24,4)"),
    "ensembles": (
        "seeds(64,4,4,70)", "hessian(8,2)", "qfi(8,2)", "shifts(8,2)", "train(4,4,70,80)",
        "kernel(8,2,128)",
    ),
    "shapes": ("brick(16,4)", "ring(16,4)", "far(16,4)", "qaoa(16,4)", "vqe(5,100)", "tfim(20,10)"),
    "noisy": ("noise(6,2)", "noise(10,4)", "trajectories(16,2,1000)", "sampled(20,2,100)"),
    "measured": ("branches(14,8,2)",),
    "scaling": (
        "vqe(16,4)", "vqe(16,16)", "vqe(20,64)", "vqe(24,4)",
        "fwd(16,4)", "fwd(18,4)", "fwd(22,4)",
    ),
}  # fmt: skip
ALONE = GROUPS["scaling"]
"""Workloads that say how our own costs grow: without `--peers`, only we run them."""
QUICK: Mapping[str, Any] = {
    "work": (
        "vqc(4,2,8)", "vqe(6,2)", "fwd(8,2)", "seeds(3,4,2,8)", "train(4,2,8,3)", "noise(3,2)",
    ),
    "peers": ("quilt", "quilt-jit", "paper"),
    "budget": 0.1,
    "repeats": 3,
}  # fmt: skip
COLUMNS = {
    "peer": "", "precision": "", "median_ms": ".3f", "iqr_ms": ".3f", "first_s": ".2f",
    "peak_mib": ".0f", "ratio": ".3g", "of_limit": ".1%", "status": "", "note": "",
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """What is measured, and how.

    Args:
        work: Workloads and groups of them; empty means all groups.
        peers: Names of peers; empty means all, but for the scaling group only ours.
        threads: Threads and cores of a measuring process.
        budget: Seconds to spend on the repetitions of one measurement.
        repeats: Repetitions at most.
        timeout: Seconds after which a measurement is given up.
        seeds: Draws of angles and data.
        device: Torch device.
    """

    work: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    threads: int = 2
    budget: float = 1.0
    repeats: int = 1000
    timeout: float = 120.0
    seeds: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        for peer in self.peers:
            if peer not in PEERS:
                raise ValueError(f"no peer `{peer}`: choose from {', '.join(PEERS)}")
        if self.seeds != 1 or self.device != "cpu":
            raise ValueError("the benchmark has one draw of angles and runs on cpu")
        self.pairs()

    def pairs(self) -> list[tuple[str, str]]:
        """All measurements in order: workloads and peers."""
        names = [one for name in self.work or GROUPS for one in GROUPS.get(name, (name,))]
        works = dict.fromkeys(parse(name).name for name in names)
        return [
            (work, peer)
            for work in works
            for peer in self.peers or (("quilt",) if work in ALONE else BENCHED)
        ]


def results(config: Config, desk: Desk) -> Iterator[Result]:
    """Measure the machine, then every pair; a result after each."""
    machine = kept(desk, "machine", lambda: measure.answer("limit", [], config.threads, 60.0))
    rates = limit.Rates(tuple(map(tuple, machine["copy"])), machine["cgemm"])
    rows: list[measure.Row] = []
    for work, peer in desk.bar(config.pairs(), "measurements", "row"):
        row = kept(desk, f"{work}-{peer}", partial(_row, config, desk, work, peer))
        rows = measure.add_ratios([*rows, limit.add_fraction(row, rates)])
        yield Result(tuple(rows), (_machine_row(machine), *targets.verdicts(rows)))


def figures(config: Config, result: Result) -> dict[str, Figure]:
    """All peers on all workloads, against ours."""
    del config
    chart = plots.draw(result.rows)
    return {} if chart is None else {"ratios": chart}


EXPERIMENT = _run.Experiment("bench", results, figures, COLUMNS, group_by="work")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark, the hunt or the table of families, from the command line."""
    words = sys.argv[1:] if arguments is None else arguments
    if "--hunt" in words:
        hunt.main(words)
    elif "--families" in words:
        family_table.main(words)
    else:
        _bench(words)


def _bench(words: Sequence[str]) -> None:
    parser = _run.parser("bench", "quilt_func and its peers on the same work.")
    add = parser.add_argument
    add("--hunt", action="store_true", help="draw circuits instead; see `--hunt --help`")
    add("--families", nargs="+", type=int, help="one circuit of each; see `--families --help`")
    add("--work", nargs="+", help=f"workloads, or {', '.join(GROUPS)}")
    add("--peers", nargs="+", help=f"some of {', '.join(PEERS)}")
    add("--threads", type=int, help="threads and cores of a measurement")
    add("--budget", type=float, help="seconds of repetitions per measurement")
    add("--repeats", type=int, help="repetitions at most")
    add("--timeout", type=float, help="seconds until a measurement is given up")
    add("--markdown", type=Path, help="file for the tables in Markdown")
    given, result = _run.main(EXPERIMENT, Config, parser, words, quick=QUICK)
    if given.markdown is not None:
        write_atomic(given.markdown, markdown.page(result.rows, result.baselines))


def _row(config: Config, desk: Desk, work: str, peer: str) -> measure.Row:
    job = Job(
        work, peer, threads=config.threads, budget_s=config.budget, max_repeats=config.repeats
    )
    return measure.measure(job, expected(parse(work), desk), config.timeout)


def _machine_row(machine: Mapping[str, Any]) -> dict[str, Any]:
    copy, cgemm = machine["copy"][-1][1] / 1e9, machine["cgemm"] / 1e9
    note = f"{machine['cpu']}: copy {copy:.1f} GB/s, cgemm {cgemm:.1f} GFLOP/s"
    return {"work": "machine", "note": note, **machine}


if __name__ == "__main__":
    main()
