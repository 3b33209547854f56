"""Objects of other libraries in and out: circuits, observables, noise models, counts.

Each function imports the library that it is about when it is called. Qubit k of Qiskit and of
OpenFermion, wire k of PennyLane and line qubit k of Cirq are wire k.
"""

from quilt_func.convert.names import OF_PENNYLANE as OF_PENNYLANE
from quilt_func.convert.observables import of_pauli_rep as of_pauli_rep
from quilt_func.convert.of_cirq import from_cirq, to_cirq
from quilt_func.convert.of_openfermion import from_openfermion, to_openfermion
from quilt_func.convert.of_pennylane import from_pennylane, to_pennylane
from quilt_func.convert.of_qiskit import (
    counts_from_qiskit,
    counts_to_qiskit,
    from_qiskit,
    to_qiskit,
)
from quilt_func.convert.peers import imported as imported
from quilt_func.convert.pennylane_reading import Reader as Reader
from quilt_func.convert.pennylane_reading import unitary_of as unitary_of
from quilt_func.convert.programs import Run as Run
from quilt_func.convert.programs import plain_circuit as plain_circuit
from quilt_func.convert.programs import runs_of as runs_of

__all__ = [
    "counts_from_qiskit",
    "counts_to_qiskit",
    "from_cirq",
    "from_openfermion",
    "from_pennylane",
    "from_qiskit",
    "to_cirq",
    "to_openfermion",
    "to_pennylane",
    "to_qiskit",
]
