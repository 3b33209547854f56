"""From a workload and a peer to a row: a fresh process, its times, its results checked."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from . import peers
from .reference import Arrays, mismatch
from .worker import Job
from .workloads import parse

Row: TypeAlias = dict[str, Any]

ROOT = Path(__file__).parents[2]
TOLERANCE = 1e-3
MIB = 2**20
TRAININGS, LONG_TRAINING_S = 3, 20.0
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
)  # fmt: skip


class SilenceError(Exception):
    """A process ended without an answer; the text says how."""


def measure(job: Job, expected: Arrays, timeout_s: float) -> Row:
    """Measure one peer on one workload.

    Args:
        job: What to measure.
        expected: What the reference says.
        timeout_s: Seconds after which the process is ended.

    Returns:
        A row whose `status` is `ok`, `wrong`, `unsupported`, `absent`, `timeout` or `failed`; only
        an `ok` row has times.
    """
    known, task = peers.PEERS[job.peer], parse(job.work).task
    row: Row = {"work": job.work, "peer": job.peer}
    row |= {"family": known.family, "precision": known.precision}
    if not peers.present(job.peer):
        return {**row, "status": "absent", "note": f"{known.requires} is not installed"}
    if task in known.lacks:
        return {**row, "status": "unsupported", "note": f"no {task} by this library here"}
    if parse(job.work).circuit.has_words and not known.words:
        return {**row, "status": "unsupported", "note": "no Pauli rotations of words here"}
    began = time.monotonic()
    outcomes = [attempt(job, expected, timeout_s)]
    while task == "train" and outcomes[-1]["status"] == "ok" and len(outcomes) < TRAININGS:
        if time.monotonic() - began > LONG_TRAINING_S:
            break
        outcomes.append(attempt(job, expected, timeout_s))
    return {**row, **summary(outcomes)}


def attempt(job: Job, expected: Arrays, timeout_s: float) -> Row:
    """One fresh process, its results held against the reference."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.npz"
        arguments = [json.dumps(asdict(replace(job, result=str(file))))]
        try:
            outcome: Row = answer("worker", arguments, job.threads, timeout_s)
        except subprocess.TimeoutExpired:
            return {"status": "timeout", "note": f"not done in {timeout_s:g} s"}
        except SilenceError as silence:
            return {"status": "failed", "note": str(silence)}
        if outcome["status"] != "ok":
            return outcome
        with np.load(file) as found:
            outcome["mismatch"] = mismatch(dict(found), expected)
    return outcome if outcome["mismatch"] <= TOLERANCE else {**outcome, "status": "wrong"}


def summary(outcomes: Sequence[Row]) -> Row:
    """The numbers of a row, from one process or from several that all agree with the reference."""
    last = outcomes[-1]
    if "mismatch" not in last:
        return last
    about = {"version": last["version"], "mismatch_ppm": 1e6 * last["mismatch"]}
    if last["status"] == "wrong":
        return {**about, "status": "wrong", "note": f"off by {last['mismatch']:.1e}, relatively"}
    times = [seconds for outcome in outcomes for seconds in outcome["times_s"]]
    low, middle, high = np.quantile(times, [0.25, 0.5, 0.75]).tolist()
    return {
        **about, "status": "ok", "note": "",
        "median_ms": 1e3 * middle, "q25_ms": 1e3 * low, "q75_ms": 1e3 * high,
        "iqr_ms": 1e3 * (high - low), "repeats": len(times),
        "first_s": last["first_s"], "import_s": last["import_s"],
        "peak_mib": last["peak_bytes"] / MIB, "floor_mib": last["floor_bytes"] / MIB,
    }  # fmt: skip


def answer(module: str, arguments: Sequence[str], threads: int, timeout_s: float) -> Any:
    """The last line that a module of this package prints in its own process, as JSON.

    Raises:
        subprocess.TimeoutExpired: If it takes too long; it is ended then.
        SilenceError: If it ends without an answer.
    """
    command = [sys.executable, "-m", f"{__package__}.{module}", *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(threads), text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        output, errors = process.communicate(timeout=timeout_s)
    finally:
        end(process)
    if process.returncode != 0:
        last = errors.strip().splitlines()[-1:] or ["no message"]
        raise SilenceError(f"exit code {process.returncode}: {last[0][:200]}")
    return json.loads(output.strip().splitlines()[-1])


def environment(threads: int) -> dict[str, str]:
    """The surroundings of a measuring process: so many threads, no accelerator."""
    only_cpu = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    return {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads)), **only_cpu}


def end(process: subprocess.Popen[str]) -> None:
    """End a process that still runs, and what it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def add_ratios(rows: Sequence[Row]) -> list[Row]:
    """Add to each row how often its time fits into that of the fastest peer of its precision.

    Our own rows are no peers: their ratio is the speed-up over the fastest library.
    """
    best: dict[tuple[str, str], float] = {}
    for row in rows:
        if row["status"] == "ok" and row["family"] != "ours":
            key = (row["work"], row["precision"])
            best[key] = min(best.get(key, float("inf")), row["median_ms"])
    result = []
    for row in rows:
        fastest = best.get((row["work"], row["precision"]))
        known = row["status"] == "ok" and fastest is not None
        result.append({**row, "ratio": fastest / row["median_ms"]} if known and fastest else row)
    return result
