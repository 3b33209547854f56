"""Times of a thousand sampled rounds of the 5-qubit code: `python -m experiments.codes --bench`.

Every library runs the circuit of `reading`, on one thread. No time counts unless the share of wrong
readings, over all calls that were timed, is within four standard errors of the exact one. First
calls, and what is done once before, stand apart.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments import _run
from experiments._checks import check_counts, message
from experiments._desk import Desk, write_atomic
from experiments._record import Result

from . import exact, report
from .model import FIVE
from .peers import OURS, PEERS
from .reading import FORMS, Sampler

MIN_REPEATS, FIRST = 3, 1
SIGMAS = 4.0
QUICK: Mapping[str, Any] = {"shots": 100, "repeats": 3, "budget": 0.1}

Row = dict[str, Any]


@dataclass(frozen=True)
class Config:
    """What is measured.

    Args:
        shots: Rounds that are sampled in a call.
        strength: Of the depolarizing noise.
        peers: Names of peers; empty means all.
        budget: Seconds to spend on the repetitions of one measurement.
        repeats: Repetitions at most.
        seeds: Always 1.
        device: Always cpu.
    """

    shots: int = 1000
    strength: float = 0.05
    peers: tuple[str, ...] = ()
    budget: float = 5.0
    repeats: int = 100
    seeds: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_counts(self, "shots", "repeats")
        for name in self.peers:
            if name not in PEERS:
                need, remedy = "name peers", f"Choose from {', '.join(PEERS)}."
                raise ValueError(message("Config", "peers", self.peers, need, name, remedy))
        if self.seeds != 1 or self.device != "cpu":
            raise ValueError("times are of one seed, on cpu")
        if not 0 < self.strength < 1:
            need, remedy = "lie between 0 and 1", "Give 0.05."
            got = str(self.strength)
            raise ValueError(message("Config", "strength", self.strength, need, got, remedy))


def expected(strength: float) -> float:
    """The exact share of wrong readings: logical Y and Z turn the logical X over."""
    return float(exact.one_round(FIVE, "depolarizing")(strength)[2:].sum())


def results(config: Config, desk: Desk) -> Iterator[Result]:
    """Measure every peer on every form; a result after each."""
    rows: list[Row] = []
    pairs = [(form, name) for form in FORMS for name in config.peers or PEERS]
    for form, name in desk.bar(pairs, "measurements", "row"):
        rows.append(measured(config, form, name))
        yield Result(tuple(with_ratios(rows)))


def measured(config: Config, form: str, name: str) -> Row:
    """One peer on one form: times, and whether its readings are right."""
    peer = PEERS[name]
    row: Row = {"part": "times", "form": form, "by": name}
    if peer.version is None:
        return {**row, "status": f"absent: {peer.requires}"}
    sampler = peer.make(form, config.strength, config.shots)
    times, wrong = _timed(sampler, config)
    n, sure = len(times) * config.shots, expected(config.strength)
    error = math.sqrt(sure * (1 - sure) / n)
    deviation = (wrong / n - sure) / error
    row |= {"version": peer.version, "calls": len(times), "wrong": wrong / n, "error": error}
    row |= {"exact": sure, "deviation": deviation}
    if abs(deviation) > SIGMAS:
        return {**row, "status": "wrong"}
    low, middle, high = np.quantile(times[1:], [0.25, 0.5, 0.75]).tolist()
    row |= {"build_ms": sampler.build_ms, "compile_ms": sampler.compile_ms}
    row |= {"first_ms": 1e3 * times[0], "median_ms": 1e3 * middle}
    return {**row, "q25_ms": 1e3 * low, "q75_ms": 1e3 * high, "status": "ok"}


def _timed(sampler: Sampler, config: Config) -> tuple[list[float], int]:
    """Seconds of each call, the first first, and wrong readings of all."""
    times: list[float] = []
    wrong = 0
    while len(times) <= config.repeats:
        if len(times) > MIN_REPEATS and sum(times[1:]) > config.budget:
            break
        began = time.perf_counter()
        wrong += sampler.run(FIRST + len(times))
        times.append(time.perf_counter() - began)
    return times, wrong


def with_ratios(rows: Sequence[Row]) -> list[Row]:
    """Each row with its median over that of ours, jitted, on the same form."""
    own = {
        row["form"]: row["median_ms"] for row in rows if row["by"] == OURS and "median_ms" in row
    }
    return [
        {**row, "ratio": row["median_ms"] / own[row["form"]]}
        if "median_ms" in row and row["form"] in own
        else row
        for row in rows
    ]


def figures(config: Config, result: Result) -> dict[str, Figure]:
    """None: the table says it."""
    del config, result
    return {}


EXPERIMENT = _run.Experiment("codes", results, figures, report.TIMES, "form")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure from the command line."""
    parser = _run.parser("codes", "A thousand sampled rounds of the 5-qubit code, and its peers.")
    add = parser.add_argument
    add("--bench", action="store_true", help="this: without it, the experiment runs")
    add("--shots", type=int, help="rounds in a call")
    add("--strength", type=float, help="strength of the depolarizing noise")
    add("--peers", nargs="+", help=f"some of {', '.join(PEERS)}")
    add("--budget", type=float, help="seconds of repetitions per measurement")
    add("--repeats", type=int, help="repetitions at most")
    add("--page", type=Path, help="a page whose table of times is filled in")
    given, result = _run.main(EXPERIMENT, Config, parser, arguments, stem="bench", quick=QUICK)
    if given.page is not None:
        write_atomic(given.page, report.filled(given.page.read_text("utf-8"), result))
