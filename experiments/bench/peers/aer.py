"""Qiskit Aer, forward only: its statevector method in single precision, gates fused."""

from typing import Any

import numpy as np
from qiskit import QuantumCircuit, transpile
from qiskit_aer import AerSimulator

from ..reference import probe
from ..workloads import Work
from .base import Run, Tasks, gate_sets, threads


def _state(work: Work) -> Run:
    """The final state of a circuit transpiled beforehand; wire 0 is its last qubit."""
    n = work.circuit.n
    simulator = AerSimulator(
        method="statevector", precision="single", fusion_enable=True,
        max_parallel_threads=threads(),
    )  # fmt: skip
    circuit = QuantumCircuit(n)
    for rows, angles in zip(work.circuit.layers, work.theta, strict=True):
        for gate, wires, column in gate_sets(rows):
            angle = [] if column is None else [angles[column]]
            getattr(circuit, gate)(*angle, *(n - 1 - wire for wire in wires))
    circuit.save_statevector()
    compiled = transpile(circuit, simulator, optimization_level=0)

    def run(theta: Any) -> Any:
        del theta
        return simulator.run(compiled).result().data()["statevector"]

    return Run(work.theta, run, lambda found: probe(np.asarray(found)))


TASKS: Tasks = {"state": _state}
