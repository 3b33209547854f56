"""One measurement in a fresh process: `python -m experiments.bench.worker '{"peer": ...}'`.

The last line of standard output is a JSON object. The results themselves go to a file of numpy
arrays, for the parent to hold against the reference.
"""

import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from . import peers
from .memory import peak_bytes, reset_peak, resident_bytes
from .peers.base import Run, UnsupportedError
from .reference import Arrays, adam
from .workloads import Work, parse

MIN_REPEATS, WARM_UPS = 3, 2


@dataclass(frozen=True)
class Job:
    """What to measure.

    Attributes:
        work: A workload, as it is written.
        peer: Name of a peer.
        result: File for the resulting arrays.
        threads: Threads and cores the process may use.
        budget_s: Seconds to spend on repetitions.
        max_repeats: Repetitions at most.
    """

    work: str
    peer: str
    result: str
    threads: int = 2
    budget_s: float = 5.0
    max_repeats: int = 1000


def main() -> None:
    """Measure the job in the first argument."""
    job = Job(**json.loads(sys.argv[1]))
    warnings.simplefilter("ignore")
    try:
        outcome = measure(job)
    except UnsupportedError as error:
        outcome = {"status": "unsupported", "why": str(error)}
    print("\n" + json.dumps(outcome), flush=True)


def measure(job: Job) -> dict[str, Any]:
    """Import a library, take the first step, warm up, repeat; times in seconds, sizes in bytes."""
    pin(job.threads)
    volunteer()
    work = parse(job.work)
    began = time.perf_counter()
    adapter = peers.load(job.peer)
    limit_torch(job.threads)
    imported = time.perf_counter() - began
    reset_peak()
    floor = resident_bytes()
    began = time.perf_counter()
    run = prepare(adapter, work)
    result = run.step(run.theta)
    first = time.perf_counter() - began
    times = [first] if work.task == "train" else repeat(run, job, first)
    peak = peak_bytes() - floor
    np.savez(Path(job.result), **run.read(result))  # type: ignore[arg-type]
    return {
        "status": "ok", "version": version(job.peer), "import_s": imported, "first_s": first,
        "times_s": times, "peak_bytes": peak, "floor_bytes": floor, "job": asdict(job),
    }  # fmt: skip


def prepare(adapter: ModuleType, work: Work) -> Run:
    """Make the run of a workload's task.

    Raises:
        UnsupportedError: If the adapter lacks the task.
    """
    task = "step" if work.task == "train" else work.task
    maker: Callable[[Work], Run] | None = getattr(adapter, task, None)
    if maker is None:
        raise UnsupportedError(f"no {task} in this library's adapter")
    run = maker(work)
    return train(run, work) if work.task == "train" else run


def train(run: Run, work: Work) -> Run:
    """A whole training as one step."""

    def losses(theta: Any) -> Any:
        return adam(theta, work.n_epochs, run.step)

    def read(found: Any) -> Arrays:
        return {"losses": np.array([float(loss) for loss in found])}

    return Run(run.theta, losses, read)


def repeat(run: Run, job: Job, first: float) -> list[float]:
    """Times of single steps until the budget is spent; warm-ups only where it allows them."""
    began, times = time.perf_counter(), list[float]()
    for _ in range(WARM_UPS):
        if time.perf_counter() - began + first < job.budget_s:
            run.step(run.theta)
    while len(times) < job.max_repeats:
        start = time.perf_counter()
        run.step(run.theta)
        times.append(time.perf_counter() - start)
        if len(times) >= MIN_REPEATS and time.perf_counter() - began > job.budget_s:
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
