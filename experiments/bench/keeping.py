"""What a run keeps between its parts, and between runs: rows, and what the reference says."""

import json
from collections.abc import Callable
from dataclasses import asdict
from io import BytesIO
from typing import Any

import numpy as np

from experiments._desk import Desk, digest, write_atomic

from .reference import Arrays, solve
from .workloads import SEED, Work


def kept(desk: Desk, name: str, compute: Callable[[], Any]) -> Any:
    """Look up what an earlier run of the same config has computed, or compute it and keep it."""
    if desk.out is None:
        return compute()
    path = desk.out / "checkpoints" / desk.key / f"{name}.json"
    if not path.exists():
        write_atomic(path, json.dumps(compute()))
    return json.loads(path.read_text(encoding="utf-8"))


def expected(work: Work, desk: Desk) -> Arrays:
    """Look up the exact results of a workload, or find them and keep them for all runs."""
    if desk.out is None:
        return solve(work)
    path = desk.out / "cache" / f"{work.name}-{digest(asdict(work), SEED)}.npz"
    if not path.exists():
        buffer = BytesIO()
        np.savez(buffer, **solve(work))  # type: ignore[arg-type]
        write_atomic(path, buffer.getvalue())
    with np.load(path) as found:
        return dict(found)
