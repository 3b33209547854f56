"""The same round in Qiskit Aer and in PennyLane: the circuit of `reading`, gate by gate.

Aer takes its depolarizing errors by its own numbers, shot by shot. PennyLane's `default.qubit` has
no channels, so its errors are drawn beforehand in numpy, and each different pattern of errors is
one execution with as many shots as have it, which is kinder to it than one for each shot.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .model import FIVE, RING, corrections
from .reading import ONE, Sampler


def aer(form: str, p: float, shots: int, **options: Any) -> Sampler:
    """Qiskit Aer: its own errors, `if_test` on the syndrome, one thread, single precision."""
    from qiskit import transpile
    from qiskit_aer import AerSimulator

    simulator = AerSimulator(precision="single", max_parallel_threads=1, **options)
    began = time.perf_counter()
    written = _qiskit(form, p)
    built = time.perf_counter()
    compiled = transpile(written, simulator, optimization_level=0)
    done = time.perf_counter()

    def run(seed: int) -> int:
        own = seed * shots  # a shot has the seed of the one before, plus 1
        counts = simulator.run(compiled, shots=shots, seed_simulator=own).result().get_counts()
        # registers come last first: the reading, then the syndrome
        return sum(n for bits, n in counts.items() if bits.split()[0].count("1") % 2 == 0)

    return Sampler(run, 1e3 * (built - began), 1e3 * (done - built))


def _qiskit(form: str, p: float) -> Any:
    from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
    from qiskit_aer.noise import depolarizing_error

    is_one = form == ONE
    syndrome, data = ClassicalRegister(4, "s"), ClassicalRegister(5, "data")
    made = QuantumCircuit(QuantumRegister(6 if is_one else 9), syndrome, data)
    made.h(range(5))
    for pair in RING:
        made.cz(*pair)
    for wire in range(5):
        made.append(depolarizing_error(4 * p / 3, 1), [wire])  # Aer's counts the identity, too
    for place, stabiliser in enumerate(FIVE.stabilisers):
        ancilla = 5 if is_one else 5 + place
        made.h(ancilla)
        for wire, letter in enumerate(stabiliser):
            if letter != "I":
                getattr(made, f"c{letter.lower()}")(ancilla, wire)
        made.h(ancilla)
        made.measure(ancilla, syndrome[3 - place])  # its first bit is the least significant
        if is_one:
            made.reset(ancilla)
    for number, word in enumerate(corrections(FIVE)):
        if number:
            with made.if_test((syndrome, number)):
                for wire, letter in enumerate(word):
                    if letter != "I":
                        getattr(made, letter.lower())(wire)
    made.h(range(5))
    made.measure(range(5), data)
    return made


def pennylane(form: str, p: float, shots: int, *, method: str) -> Sampler:
    """PennyLane's `default.qubit`: errors drawn in numpy, `qml.cond` on the syndrome."""
    import pennylane as qml

    device = qml.device("default.qubit", seed=0)
    node = qml.QNode(_pennylane(form), device, mcm_method=method)

    def run(seed: int) -> int:
        draws = np.random.default_rng(seed)
        errors = np.where(draws.random((shots, 5)) < p, draws.integers(1, 4, (shots, 5)), 0)
        wrong = 0
        for pattern, n in zip(*np.unique(errors, axis=0, return_counts=True), strict=True):
            bits = np.asarray(qml.set_shots(node, shots=int(n))(pattern.tolist())).reshape(-1, 5)
            wrong += int((bits.sum(1) % 2 == 0).sum())
        return wrong

    return Sampler(run)


def _pennylane(form: str) -> Callable[[Sequence[int]], Any]:
    import pennylane as qml

    paulis = {"X": qml.PauliX, "Y": qml.PauliY, "Z": qml.PauliZ}
    joined = {"X": qml.CNOT, "Z": qml.CZ}
    is_one = form == ONE

    def function(errors: Sequence[int]) -> Any:
        for wire in range(5):
            qml.Hadamard(wire)
        for pair in RING:
            qml.CZ(pair)
        for wire, error in enumerate(errors):
            if error:
                paulis["XYZ"[error - 1]](wire)
        number: Any = 0
        for place, stabiliser in enumerate(FIVE.stabilisers):
            ancilla = 5 if is_one else 5 + place
            qml.Hadamard(ancilla)
            for wire, letter in enumerate(stabiliser):
                if letter != "I":
                    joined[letter]([ancilla, wire])
            qml.Hadamard(ancilla)
            number = 2 * number + qml.measure(ancilla, reset=is_one)
        for value, word in enumerate(corrections(FIVE)):
            for wire, letter in enumerate(word):
                if letter != "I":
                    qml.cond(number == value, paulis[letter])(wire)
        for wire in range(5):
            qml.Hadamard(wire)
        return qml.sample(wires=range(5))

    return function
