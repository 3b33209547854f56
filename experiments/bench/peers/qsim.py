"""qsim, forward only: gates fused in C++, the size of the fused gates tuned beforehand."""

import time
from typing import Any

import cirq
import numpy as np
from qsimcirq import QSimOptions, QSimSimulator

from ..reference import probe
from ..workloads import Work
from .base import Run, Tasks, gate_sets, threads

SIZES = (2, 3, 4, 5)
ROTATIONS: dict[str, Any] = {"rx": cirq.rx, "ry": cirq.ry, "rz": cirq.rz}
CONSTANTS: dict[str, Any] = {"h": cirq.H, "cx": cirq.CNOT, "cz": cirq.CZ}


def _state(work: Work) -> Run:
    """The final state; the translation to C++ belongs to the call."""
    wires = cirq.LineQubit.range(work.circuit.n)
    circuit = _circuit(work, wires)
    simulators = [_simulator(size) for size in SIZES if size <= work.circuit.n]

    def run(simulator: Any) -> Any:
        return simulator.simulate(circuit, qubit_order=wires).final_state_vector

    def seconds(simulator: Any) -> float:
        start = time.perf_counter()
        run(simulator)
        return time.perf_counter() - start

    best = min(simulators, key=seconds)
    return Run(work.theta, lambda _: run(best), lambda found: probe(np.asarray(found)))


def _simulator(size: int) -> Any:
    return QSimSimulator(QSimOptions(max_fused_gate_size=size, cpu_threads=threads()))


def _circuit(work: Work, wires: list[Any]) -> Any:
    gates: list[Any] = []
    for rows, angles in zip(work.circuit.layers, work.theta, strict=True):
        for gate, places, column in gate_sets(rows):
            made = CONSTANTS[gate] if column is None else ROTATIONS[gate](angles[column])
            gates.append(made(*(wires[place] for place in places)))
    return cirq.Circuit(gates)


TASKS: Tasks = {"state": _state}
