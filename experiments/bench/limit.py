"""The physical limit: what a workload costs at the measured copy bandwidth and `cgemm` rate.

A circuit fused into blocks of `k` wires reads and writes the state once per block and multiplies
it by a `2**k` square matrix. A gradient walks state and costate back and forms one outer product
per block: three times the bytes, four times the arithmetic. The limit is the larger of the two
times, for the best `k`. A Hessian counts as two gradients per angle, a quantum Fisher
information as one state per angle and the products of all with all. A density matrix is read and
written once per block, and multiplied from both sides; channels on a block's wires cost nothing. It
is the limit of methods that keep a statevector: contracting a shallow circuit as a tensor network
can be faster.

    python -m experiments.bench.limit
"""

import json
import math
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from .fusion import count_blocks
from .workloads import Work, parse

BLOCK_SIZES = range(1, 8)
COPY_BYTES = tuple(2**exponent for exponent in range(16, 29, 3))
SQUARE = 1024
SECONDS = 0.3
WALKS = {"state": (1, 1), "sampled": (1, 1), "qfi": (1, 1), "shifts": (1, 1), "kernel": (1, 1)}
GRADIENT = (3, 4)


@dataclass(frozen=True)
class Rates:
    """What the machine can do.

    Attributes:
        copy: Pairs of a buffer's size in bytes and the bytes read and written per second.
        cgemm: Floating-point operations per second of a complex64 matrix product.
    """

    copy: tuple[tuple[int, float], ...]
    cgemm: float

    def bandwidth(self, n_bytes: int) -> float:
        """The copy bandwidth of the measured size that is nearest on a logarithmic scale."""
        return min(self.copy, key=lambda pair: abs(math.log(pair[0] / n_bytes)))[1]


def measure() -> Rates:
    """Measure this process's machine with the threads that torch has."""
    return Rates(tuple((size, copy_rate(size)) for size in COPY_BYTES), cgemm_rate())


def copy_rate(n_bytes: int) -> float:
    """Bytes read and written per second in a copy between two buffers."""
    source, target = torch.ones(n_bytes // 4), torch.zeros(n_bytes // 4)
    return 2 * source.nbytes / fastest(lambda: target.copy_(source))


def cgemm_rate() -> float:
    """Floating-point operations per second of a square complex product."""
    a, b = torch.randn(2, SQUARE, SQUARE, dtype=torch.complex64)
    out = torch.empty_like(a)
    return 8 * SQUARE**3 / fastest(lambda: torch.mm(a, b, out=out))


def fastest(action: Callable[[], object]) -> float:
    """The shortest time of an action, repeated for a while."""
    best, end = math.inf, time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - start)
    return best


def add_fraction(row: Mapping[str, Any], rates: Rates) -> dict[str, Any]:
    """Add to a row that has a time the limit and the fraction of it that is reached."""
    if row["status"] != "ok":
        return dict(row)
    least_ms = 1e3 * seconds(parse(row["work"]), rates, row["precision"])
    return {**row, "limit_ms": least_ms, "of_limit": least_ms / row["median_ms"]}


def seconds(work: Work, rates: Rates, precision: str = "single") -> float:
    """The least time a workload can take."""
    return min(_seconds(work, rates, precision, size) for size in BLOCK_SIZES)


def _seconds(work: Work, rates: Rates, precision: str, size: int) -> float:
    blocks, scale = count_blocks(work.circuit, size), 2 if precision == "double" else 1
    sides = 2 if work.task == "noise" else 1
    amplitudes = 2 ** (sides * work.circuit.n) * max(1, work.n_samples) * max(1, work.n_seeds)
    amplitudes *= max(1, work.n_trajectories)
    state_bytes = 8 * scale * amplitudes
    byte_walks, flop_walks = WALKS.get(work.task, GRADIENT)
    moving = byte_walks * 2 * state_bytes / rates.bandwidth(state_bytes)
    counting = flop_walks * sides * 8 * amplitudes * 2**size * scale / rates.cgemm
    gram = products(work) * amplitudes / rates.cgemm
    total: float = repetitions(work) * (blocks * max(moving, counting) + gram)
    return total


def repetitions(work: Work) -> int:
    """How many gradients or batches of states a workload consists of."""
    per_angle = {"hessian": 2, "qfi": 1, "shifts": 1}
    if work.task in per_angle:
        return per_angle[work.task] * work.theta.size
    return max(1, work.n_epochs)


def products(work: Work) -> int:
    """Operations per amplitude in its products with other states; a real part costs half."""
    of_angles = 4 * work.theta.size
    by_task = {"kernel": 8 * work.n_samples, "qfi": of_angles, "shifts": of_angles}
    return by_task.get(work.task, 0)


def about() -> dict[str, str]:
    """The machine in words, and the day."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = f"{torch.get_num_threads()} threads"
    day = datetime.now(tz=UTC).date().isoformat()
    cpu = f"{(names or [platform.machine()])[0]}, {cores}"
    return {"cpu": cpu, "date": day, "python": platform.python_version()}


if __name__ == "__main__":
    print(json.dumps({**asdict(measure()), **about()}))
