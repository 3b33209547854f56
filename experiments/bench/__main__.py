"""Run the benchmark: `python -m experiments.bench [--work NAME ...] [--peers a,b] [--quick]`.

`--work` takes workloads, such as `vqc(4,4,70)`, and groups: batches, energies, states, ensembles,
shapes, scaling, all. Without it, all groups run. Peers that are not installed are skipped with a
word. Every measurement has its own process; the record is complete after each.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments import _run
from experiments._desk import Desk, digest, write_atomic
from experiments._record import Result, table

from . import limit, measure, plots, targets
from .peers import PEERS
from .reference import Arrays, solve
from .workloads import SEED, Work, parse

GROUPS: dict[str, tuple[str, ...]] = {
    "batches": ("vqc(4,4,70)", "vqc(8,6,256)", "vqc(10,8,128)"),
    "energies": ("vqe(12,6)", "vqe(16,6)", "vqe(20,4)"),
    "states": ("fwd(20,6)", "fwd(24,4)"),
    "ensembles": ("seeds(64,4,4,70)", "hessian(8,2)", "train(4,4,70,80)", "kernel(8,2,128)"),
    "shapes": ("brick(16,6)", "ring(16,4)", "far(16,4)", "qaoa(16,4)", "vqe(5,100)"),
    "scaling": (
        "vqe(16,4)", "vqe(16,16)", "vqe(20,64)", "vqe(24,4)",
        "fwd(16,4)", "fwd(18,4)", "fwd(22,4)",
    ),
}  # fmt: skip
TITLES = {
    "batches": "A training step of a classifier: loss and gradient of a batch",
    "energies": "Energy and gradient of one circuit",
    "states": "The final state alone",
    "ensembles": "Many models, second derivatives, a whole training, a kernel",
    "shapes": "Energy and gradient of circuits of other shapes",
    "scaling": "Depth, width and memory",
}
ALONE = "scaling"
QUICK: Mapping[str, Any] = {
    "work": ("vqc(4,2,8)", "vqe(6,2)", "fwd(8,2)", "seeds(3,4,2,8)", "train(4,2,8,3)"),
    "peers": ("quilt", "paper"),
    "budget": 0.1,
    "repeats": 3,
}
COLUMNS = {
    "peer": "", "precision": "", "median_ms": ".3f", "iqr_ms": ".3f", "first_s": ".2f",
    "peak_mib": ".0f", "ratio": ".3g", "of_limit": ".1%", "status": "", "note": "",
}  # fmt: skip
VERDICTS = {"work": "", "peer": "", "ratio": ".3g", "status": "", "note": ""}


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
    budget: float = 5.0
    repeats: int = 1000
    timeout: float = 600.0
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
        return [
            (parse(work).name, peer)
            for name in self.work or tuple(GROUPS)
            for work in expand(name)
            for peer in self.peers or (("quilt",) if work in GROUPS[ALONE] else tuple(PEERS))
        ]


def expand(name: str) -> tuple[str, ...]:
    """The workloads of a group, or the one workload that is named."""
    every = tuple(work for group in GROUPS.values() for work in group)
    return every if name == "all" else GROUPS.get(name, (name,))


def results(config: Config, desk: Desk) -> Iterator[Result]:
    """Measure the machine, then every pair; a result after each."""
    answer = measure.answer("limit", [], config.threads, config.timeout)
    rates = limit.Rates(tuple((size, rate) for size, rate in answer["copy"]), answer["cgemm"])
    rows: list[measure.Row] = []
    for work, peer in desk.bar(config.pairs(), "measurements", "row"):
        rows = measure.add_ratios([*rows, _row(config, desk, rates, work, peer)])
        yield Result(tuple(rows), (_machine_row(rates), *targets.verdicts(rows)))


def figures(config: Config, result: Result) -> dict[str, Figure]:
    """One chart per group that has times, and one for workloads of no group."""
    known = {work for group in GROUPS.values() for work in group}
    charts = {
        name: [row for row in result.rows if row["work"] in works] for name, works in GROUPS.items()
    }
    charts["others"] = [row for row in result.rows if row["work"] not in known]
    machine = "1 thread" if config.threads == 1 else f"{config.threads} threads"
    return {
        name: plots.draw(f"{TITLES.get(name, 'Other workloads')} · {machine}", rows)
        for name, rows in charts.items()
        if any(row["status"] == "ok" for row in rows)
    }


EXPERIMENT = _run.Experiment("bench", results, figures, COLUMNS, group_by="work")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = _run.parser("bench", "quilt_func and its peers on the same work.")
    add = parser.add_argument
    add("--work", nargs="+", type=str, help=f"workloads, or {', '.join(GROUPS)}, all")
    add("--peers", type=lambda text: tuple(text.split(",")), help=f"from {','.join(PEERS)}")
    add("--threads", type=int, help="threads and cores of a measurement")
    add("--budget", type=float, help="seconds of repetitions per measurement")
    add("--repeats", type=int, help="repetitions at most")
    add("--timeout", type=float, help="seconds until a measurement is given up")
    given = parser.parse_args(arguments)
    given.work = given.work and tuple(given.work)
    config = _run.configure(parser, given, Config, QUICK)
    stem = "bench-quick" if given.quick else "bench"
    _run.exit_if_interrupted(lambda: _conduct(config, given.out, stem, given.resume))


def _conduct(config: Config, out: Path, stem: str, resume: bool) -> None:
    result = _run.conduct(EXPERIMENT, config, out, stem=stem, resume=resume)
    if found := targets.verdicts(result.rows):
        print(f"\ntargets\n{table(found, VERDICTS)}")


def _row(config: Config, desk: Desk, rates: limit.Rates, work: str, peer: str) -> measure.Row:
    path = None if desk.out is None else desk.out / "checkpoints" / desk.key / f"{work}-{peer}.json"
    if path is not None and path.exists():
        kept: measure.Row = json.loads(path.read_text(encoding="utf-8"))
        return kept
    row = measure.measure(
        work, peer, _expected(parse(work), desk), threads=config.threads,
        budget_s=config.budget, max_repeats=config.repeats, timeout_s=config.timeout,
    )  # fmt: skip
    if row["status"] == "ok":
        least_ms = 1e3 * limit.seconds(parse(work), rates, row["precision"])
        row = {**row, "limit_ms": least_ms, "of_limit": least_ms / row["median_ms"]}
    if path is not None:
        write_atomic(path, json.dumps(row))
    return row


def _expected(work: Work, desk: Desk) -> Arrays:
    path = None
    if desk.out is not None:
        path = desk.out / "cache" / f"{work.name}-{digest(asdict(work), SEED)}.npz"
        if path.exists():
            with np.load(path) as kept:
                return dict(kept)
    found = solve(work)
    if path is not None:
        buffer = BytesIO()
        np.savez(buffer, **found)  # type: ignore[arg-type]
        write_atomic(path, buffer.getvalue())
    return found


def _machine_row(rates: limit.Rates) -> dict[str, Any]:
    copies = {f"copy_gb_s_{size}": rate / 1e9 for size, rate in rates.copy}
    note = f"copy {rates.copy[-1][1] / 1e9:.1f} GB/s, cgemm {rates.cgemm / 1e9:.1f} GFLOP/s"
    return {"work": "machine", "note": note, **copies, "cgemm_gflop_s": rates.cgemm / 1e9}


if __name__ == "__main__":
    main()
