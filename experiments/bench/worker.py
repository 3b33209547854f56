"""One measurement in a fresh process: `python -m experiments.bench.worker '{"peer": ...}'`.

The last line of standard output is a JSON object. The results themselves go to a file of numpy
arrays, for the parent to hold against the reference.
"""

import json
import os
import sys
import time
import warnings
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from experiments._memory import peak_bytes, reset_peak, resident_bytes

from . import peers
from .peers.base import Run, UnsupportedError
from .workloads import parse

MIN_REPEATS, WARM_UPS = 3, 2
PATIENCE_S = 5.0


@dataclass(frozen=True)
class Job:
    """What to measure.

    Attributes:
        work: A workload, as it is written.
        peer: Name of a peer.
        result: File for the resulting arrays; `measure.attempt` fills it in.
        threads: Threads and cores the process may use.
        budget_s: Seconds to spend on repetitions; where three don't fit, up to `PATIENCE_S`.
        max_repeats: Repetitions at most.
    """

    work: str
    peer: str
    result: str = ""
    threads: int = 2
    budget_s: float = 1.0
    max_repeats: int = 1000


def main() -> None:
    """Measure the job in the first argument."""
    job = Job(**json.loads(sys.argv[1]))
    warnings.simplefilter("ignore")
    try:
        outcome = measure(job)
    except UnsupportedError as error:
        outcome = {"status": "unsupported", "note": str(error)}
    print("\n" + json.dumps(outcome), flush=True)


def measure(job: Job) -> dict[str, Any]:
    """Import a library, prepare, take the first step, warm up, repeat; in seconds and bytes."""
    pin(job.threads)
    volunteer()
    work = parse(job.work)
    began = time.perf_counter()
    tasks = peers.load(job.peer)
    limit_torch(job.threads)
    imported = time.perf_counter() - began
    reset_peak()
    floor = resident_bytes()
    began = time.perf_counter()
    run = tasks[work.task](work)
    prepared = time.perf_counter()
    result = run.step(run.theta)
    ended = time.perf_counter()
    whole, first = ended - began, ended - prepared
    times = [whole] if work.task == "train" else repeat(run, job, first)
    peak = peak_bytes() - floor
    np.savez(Path(job.result), **run.read(result))  # type: ignore[arg-type]
    return {
        "status": "ok", "version": version(job.peer), "import_s": imported, "first_s": whole,
        "times_s": times, "peak_bytes": peak, "floor_bytes": floor, "job": asdict(job),
    }  # fmt: skip


def repeat(run: Run, job: Job, first: float) -> list[float]:
    """Times of single steps until the budget is spent.

    Slow steps are not warmed up, and very slow ones are taken once: nothing but compiling and
    tracing makes a first step much slower than the next.
    """
    patience, compiled = max(PATIENCE_S, job.budget_s), peers.PEERS[job.peer].compiles
    if first > patience and not compiled:
        return [first]
    began, times = time.perf_counter(), list[float]()
    for _ in range(WARM_UPS):
        if time.perf_counter() - began + first < job.budget_s:
            run.step(run.theta)
    while len(times) < job.max_repeats:
        start = time.perf_counter()
        run.step(run.theta)
        times.append(time.perf_counter() - start)
        spent = time.perf_counter() - began
        if spent > (job.budget_s if len(times) >= MIN_REPEATS else patience):
            break
    return times


def pin(threads: int) -> None:
    """Keep this process on as many cores as it may have threads, for libraries that ask neither."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[:threads])


def volunteer() -> None:
    """Ask to be the process that is ended if memory runs out."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def limit_torch(threads: int) -> None:
    """Set torch's threads if the adapter has imported it."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def version(peer: str) -> str:
    """The installed version of a peer."""
    try:
        return metadata.version(peers.PEERS[peer].distribution)
    except metadata.PackageNotFoundError:
        return "source"


if __name__ == "__main__":
    main()
