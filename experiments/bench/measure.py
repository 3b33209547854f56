"""From a workload and a peer to a row: a fresh process, its times, its results checked."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from . import peers
from .reference import Arrays, mismatch
from .worker import Job

Row: TypeAlias = dict[str, Any]

ROOT = Path(__file__).parents[2]
TOLERANCE = 1e-3
MIB = 2**20
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
)  # fmt: skip


class SilenceError(Exception):
    """A process ended without an answer; the text says how."""


def measure(
    work: str, peer: str, expected: Arrays, *, threads: int, budget_s: float, max_repeats: int,
    timeout_s: float,
) -> Row:  # fmt: skip
    """Measure one peer on one workload.

    Args:
        work: A workload, as it is written.
        peer: Name of a peer.
        expected: What the reference says.
        threads: Threads and cores for the process.
        budget_s: Seconds to spend on repetitions.
        max_repeats: Repetitions at most.
        timeout_s: Seconds after which the process is ended.

    Returns:
        A row whose `status` is `ok`, `wrong`, `unsupported`, `absent`, `timeout` or `failed`; only
        an `ok` row has times.
    """
    known = peers.PEERS[peer]
    row: Row = {"work": work, "peer": peer, "family": known.family, "precision": known.precision}
    if not peers.present(peer):
        return {**row, "status": "absent", "note": f"{known.requires} is not installed"}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.npz"
        job = Job(work, peer, str(file), threads, budget_s, max_repeats)
        try:
            outcome = answer("worker", [json.dumps(asdict(job))], threads, timeout_s)
        except subprocess.TimeoutExpired:
            return {**row, "status": "timeout", "note": f"not done in {timeout_s:g} s"}
        except SilenceError as error:
            return {**row, "status": "failed", "note": str(error)}
        if outcome["status"] != "ok":
            return {**row, "status": outcome["status"], "note": outcome["why"]}
        with np.load(file) as found:
            return {**row, **summary(outcome, mismatch(dict(found), expected))}


def summary(outcome: Mapping[str, Any], error: float) -> Row:
    """The numbers of a row; those of a wrong result are left out."""
    about = {"version": outcome["version"], "mismatch_ppm": 1e6 * error}
    if not error <= TOLERANCE:
        return {**about, "status": "wrong", "note": f"off by {error:.1e}, relatively"}
    low, middle, high = np.quantile(outcome["times_s"], [0.25, 0.5, 0.75]).tolist()
    return {
        **about, "status": "ok", "note": "",
        "median_ms": 1e3 * middle, "q25_ms": 1e3 * low, "q75_ms": 1e3 * high,
        "iqr_ms": 1e3 * (high - low), "repeats": len(outcome["times_s"]),
        "first_s": outcome["first_s"], "import_s": outcome["import_s"],
        "peak_mib": outcome["peak_bytes"] / MIB, "floor_mib": outcome["floor_bytes"] / MIB,
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
