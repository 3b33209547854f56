"""The hunt for slow circuits: `python -m experiments.bench --hunt [--circuits N] [--quick]`.

It draws circuits and ways to write them (`families.py`), times value and gradient of ours, plain,
under `qf.jit` and in complex128, against the installed peers, and prints where ours compares worst
first, with the plan of each. No time counts unless its results agree with the reference. A circuit
that it names, such as `hunt(0,7)`, is a workload of the benchmark like any other.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from matplotlib.figure import Figure

import quilt_func as qf
from experiments import _run
from experiments._desk import Desk
from experiments._record import Result

from . import families, measure, peers
from .keeping import expected, kept
from .peers.quilt import written
from .worker import Job
from .workloads import Work, parse

OURS = ("quilt", "quilt-jit", "quilt-double")
RIVALS = ("pennylane", "flagquantum", "tensorcircuit", "tensorcircuit-scan", "lightning", "qulacs")
QUICK: Mapping[str, Any] = {"circuits": 9, "widest": 8, "budget": 0.2, "timeout": 30.0}
WORST, EVERY = "worst first", "every measurement"
COLUMNS = {
    "work": "", "kind": "", "qubits": "d", "layers": "d", "gates": "d", "samples": "d",
    "writing": "", "peer": "", "median_ms": ".3f", "q25_ms": ".3f", "first_s": ".2f",
    "rival": "", "rival_ms": ".3f", "ratio": ".3g", "status": "", "note": "",
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """What is drawn, and how it is measured.

    Args:
        draw: Seed of the circuits.
        circuits: How many are drawn.
        widest: Qubits at most.
        peers: Names of peers; empty means ours and all that the hunt knows.
        plans: How many plans are printed, those of the worst ratios.
        threads: Threads and cores of a measuring process.
        budget: Seconds to spend on the repetitions of one measurement.
        repeats: Repetitions at most.
        timeout: Seconds after which a measurement is given up.
        seeds: Draws of angles and data.
        device: Torch device.
    """

    draw: int = 0
    circuits: int = 36
    widest: int = families.WIDEST
    peers: tuple[str, ...] = ()
    plans: int = 5
    threads: int = 2
    budget: float = 1.0
    repeats: int = 1000
    timeout: float = 120.0
    seeds: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        for peer in self.peers:
            if peer not in peers.PEERS:
                raise ValueError(f"no peer `{peer}`: choose from {', '.join(peers.PEERS)}")
        if self.seeds != 1 or self.device != "cpu":
            raise ValueError("the hunt has one draw of angles and runs on cpu")
        if self.circuits < 1:
            raise ValueError("draw at least one circuit")
        if not families.NARROWEST <= self.widest <= families.WIDEST:
            raise ValueError(f"widest must be {families.NARROWEST} to {families.WIDEST} qubits")

    @property
    def works(self) -> list[str]:
        """The names of the circuits."""
        return [parse(f"hunt({self.draw},{i},{self.widest})").name for i in range(self.circuits)]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """All measurements in order: circuits, and peers that are installed."""
        present = [peer for peer in self.peers or (*OURS, *RIVALS) if peers.present(peer)]
        return [(work, peer) for work in self.works for peer in present]


def results(config: Config, desk: Desk) -> Iterator[Result]:
    """Measure every circuit by every peer; a result after each measurement."""
    absent = [peer for peer in config.peers or RIVALS if not peers.present(peer)]
    gone = [{"table": EVERY, **_measured(config, desk, config.works[0], peer)} for peer in absent]
    rows: list[measure.Row] = []
    for work, peer in desk.bar(config.pairs, "measurements", "row"):
        rows.append(_measured(config, desk, work, peer))
        every = [{"table": EVERY, **row} for row in rows]
        yield Result(tuple(worst_first(rows)), (*every, *gone))


def worst_first(rows: Sequence[measure.Row]) -> list[measure.Row]:
    """Ours against the fastest peer of the same precision, the worst ratio first, with plans."""
    own = {(row["work"], row["peer"]): _against(row, rows) for row in rows if _is_ours(row)}
    known = sorted((row for row in own.values() if "ratio" in row), key=lambda row: row["ratio"])
    return [*known, *(row for row in own.values() if "ratio" not in row)]


def plans(rows: Sequence[Mapping[str, Any]], number: int) -> str:
    """The plans of so many circuits, in the order of the rows."""
    names = list(dict.fromkeys(row["work"] for row in rows if "ratio" in row))[:number]
    found = {row["work"]: row["plan"] for row in rows if row["work"] in names}
    return "\n".join(f"\n{name}\n{found[name]}" for name in names)


def figures(config: Config, result: Result) -> dict[str, Figure]:
    """None: the table says it."""
    del config, result
    return {}


EXPERIMENT = _run.Experiment("bench", results, figures, COLUMNS, group_by="table")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the hunt from the command line."""
    parser = _run.parser("bench", "Circuits at random, where ours compares worst first.")
    add = parser.add_argument
    add("--hunt", action="store_true", help="this: without it, the benchmark runs")
    add("--draw", type=int, help="seed of the circuits")
    add("--circuits", type=int, help="how many circuits are drawn")
    add("--widest", type=int, help="qubits at most")
    add("--peers", nargs="+", help=f"some of {', '.join(peers.PEERS)}")
    add("--plans", type=int, help="how many plans are printed")
    add("--threads", type=int, help="threads and cores of a measurement")
    add("--budget", type=float, help="seconds of repetitions per measurement")
    add("--repeats", type=int, help="repetitions at most")
    add("--timeout", type=float, help="seconds until a measurement is given up")
    given, result = _run.main(EXPERIMENT, Config, parser, arguments, stem="hunt", quick=QUICK)
    print(plans(result.rows, Config.plans if given.plans is None else given.plans))


def _measured(config: Config, desk: Desk, work: str, peer: str) -> measure.Row:
    return {
        **_described(work),
        **kept(desk, f"{work}-{peer}", partial(_row, config, desk, work, peer)),
    }


def _row(config: Config, desk: Desk, work: str, peer: str) -> measure.Row:
    job = Job(
        work, peer, threads=config.threads, budget_s=config.budget, max_repeats=config.repeats
    )
    return measure.measure(job, expected(parse(work), desk), config.timeout)


def _described(name: str) -> measure.Row:
    work, drawn = parse(name), families.draw(*map(int, re.findall(r"\d+", name)))
    circuit = work.circuit
    return {
        "kind": drawn.family, "qubits": circuit.n, "layers": len(circuit.layers),
        "gates": circuit.n_gates, "samples": work.n_samples, "writing": work.writing,
    }  # fmt: skip


def _is_ours(row: measure.Row) -> bool:
    return bool(row["family"] == "ours")


def _against(row: measure.Row, rows: Sequence[measure.Row]) -> measure.Row:
    """A row of ours with its fastest rival, if any has a time, and its plan."""
    row = {"table": WORST, **row, "plan": _plan(parse(row["work"]))}
    key = ("work", "precision", "status")
    rivals = [one for one in rows if not _is_ours(one) and all(one[k] == row[k] for k in key)]
    if row["status"] != "ok" or not rivals:
        return row
    best = min(rivals, key=lambda one: one["median_ms"])
    found = {"rival": best["peer"], "rival_ms": best["median_ms"]}
    return {**row, **found, "ratio": best["median_ms"] / row["median_ms"]}


def _plan(work: Work) -> str:
    theta = torch.as_tensor(work.theta, dtype=torch.float32)
    x = torch.as_tensor(work.x[0], dtype=torch.float32) if work.n_samples else None
    return qf.explain(written(work)(theta, x))


if __name__ == "__main__":
    main()
