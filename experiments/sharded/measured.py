"""The energy of an Ising chain and its gradient, measured on one process and on ranks."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import grad_and_value

import quilt_func as qf
from experiments._record import Row
from experiments.bench.memory import peak_bytes, reset_peak, resident_bytes
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
    alone = sharded.spawn(1, on_one_process, *job, n_ranks)
    found = sharded.spawn(n_ranks, on_this_rank, *job)
    names = ["one process", *(f"rank {rank} of {n_ranks}" for rank in range(n_ranks))]
    return [
        {
            "part": "measured", "process": name, "qubits": n_qubits, "layers": n_layers,
            "dtype": str(dtype).removeprefix("torch."),
            "value_ms": 1e3 * one.seconds[0], "gradient_ms": 1e3 * one.seconds[1],
            "value_mib": one.bytes_[0] / 2**20, "gradient_mib": one.bytes_[1] / 2**20,
            "of_one": one.bytes_[1] / alone[0].bytes_[1],
            "energy": one.energy, "slope": one.slope,
        }
        for name, one in zip(names, [*alone, *found], strict=True)
    ]  # fmt: skip


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
