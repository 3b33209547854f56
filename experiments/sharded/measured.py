"""The energy of an Ising chain and its gradient, measured on one process and on ranks."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import grad_and_value

import quilt_func as qf
from experiments._memory import peak_bytes, reset_peak, resident_bytes
from experiments._record import Row
from quilt_func import sharded

REPEATS = 5


class Measured(NamedTuple):
    """What one process saw.

    Attributes:
        seconds: Median time of a value, and of a value with its gradient.
        bytes_: The most memory held in these, beyond what was held before them.
        energy: The value.
        slope: Norm of the gradient.
    """

    seconds: tuple[float, float]
    bytes_: tuple[int, int]
    energy: float
    slope: float


def chain(params: Tensor) -> qf.Circuit:
    """Layers of RY, RZ and a chain of CNOTs; angles (n_layers, 2, n_qubits)."""
    n_qubits = params.shape[-1]
    ladder = qf.cx([(wire, wire + 1) for wire in range(n_qubits - 1)])
    layers = [[qf.ry(y, range(n_qubits)), qf.rz(z, range(n_qubits)), ladder] for y, z in params]
    return qf.circuit(n_qubits, layers)


def on_one_process(n_qubits: int, n_layers: int, dtype: torch.dtype, threads: int) -> Measured:
    """Measure without ranks."""
    torch.set_num_threads(threads)
    ising = qf.problems.transverse_field_ising(n_qubits)
    return _measured(lambda p: qf.expval(chain(p)(), ising), _angles(n_qubits, n_layers, dtype))


def on_this_rank(n_qubits: int, n_layers: int, dtype: torch.dtype) -> Measured:
    """Measure as one of several ranks, with one thread each."""
    torch.set_num_threads(1)
    mesh, ising = sharded.mesh("cpu"), qf.problems.transverse_field_ising(n_qubits)

    def energy(params: Tensor) -> Tensor:
        return sharded.expval(sharded.run_sharded(chain(params), mesh=mesh), ising)

    return _measured(energy, _angles(n_qubits, n_layers, dtype))


def rows(n_qubits: int, n_layers: int, n_ranks: int, dtype: torch.dtype) -> list[Row]:
    """Times and memory of one process with as many threads as there are ranks, and of each rank."""
    job = n_qubits, n_layers, dtype

    def measure() -> list[Measured]:
        alone = sharded.spawn(1, on_one_process, *job, n_ranks)
        return [*alone, *sharded.spawn(n_ranks, on_this_rank, *job)]

    timed = measure()
    with _returning_memory():
        found = measure()
    names = ["one process", *(f"rank {rank} of {n_ranks}" for rank in range(n_ranks))]
    return [
        {
            "part": "measured", "process": name, "qubits": n_qubits, "layers": n_layers,
            "dtype": str(dtype).removeprefix("torch."),
            "value_ms": 1e3 * at.seconds[0], "gradient_ms": 1e3 * at.seconds[1],
            "value_mib": one.bytes_[0] / 2**20, "gradient_mib": one.bytes_[1] / 2**20,
            "of_one": one.bytes_[1] / found[0].bytes_[1],
            "energy": one.energy, "slope": one.slope,
        }
        for name, one, at in zip(names, found, timed, strict=True)
    ]  # fmt: skip


@contextmanager
def _returning_memory() -> Iterator[None]:
    """Processes that are started now give large blocks back when they are freed.

    Otherwise glibc keeps those of up to 32 MiB, which hides what a run holds.
    """
    name, size = "MALLOC_MMAP_THRESHOLD_", str(2**20)
    before = os.environ.get(name)
    os.environ[name] = size
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


def _angles(n_qubits: int, n_layers: int, dtype: torch.dtype) -> Tensor:
    drawn = qf.uniforms((n_layers, 2, n_qubits), 0, dtype=torch.float64)
    return (2 * torch.pi * drawn).to(dtype)


def _measured(energy: Callable[[Tensor], Tensor], params: Tensor) -> Measured:
    functions: list[Callable[[Tensor], Any]] = [energy, grad_and_value(energy)]
    grad_and_value(torch.sin)(params[0, 0, 0])  # torch imports its compiler at the first gradient
    before, seconds, held = resident_bytes(), [], []
    for function in functions:
        reset_peak()
        found = function(params)
        held.append(peak_bytes() - before)
        times = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            found = function(params)
            times.append(time.perf_counter() - start)
        seconds.append(median(times))
    slope, value = found
    return Measured((seconds[0], seconds[1]), (held[0], held[1]), value.item(), slope.norm().item())
