"""Qiskit's objects and ours. Qubit k is wire k."""

from collections.abc import Callable, Mapping
from typing import Any

from quilt_func._checks import check_is, message
from quilt_func.circuits import Circuit
from quilt_func.convert.noise_models import of_aer
from quilt_func.convert.observables import of_pauli, of_sparse_pauli_op, to_sparse_pauli_op
from quilt_func.convert.peers import is_a, library_of, refusal_of_kind
from quilt_func.convert.qiskit_reading import counts_of, read_circuit
from quilt_func.convert.qiskit_writing import write_circuit
from quilt_func.convert.writing import circuit_of
from quilt_func.pauli import PauliSum, SumLike, as_sum


def from_qiskit(given: Any) -> Any:
    r"""Convert a circuit, an observable or a noise model of Qiskit or Aer.

    Qubit k is wire k. Qiskit prints qubit 0 last, as the least significant bit; here wire 0 is the
    first: `Statevector(circuit.reverse_bits())` is our state, and words and bit strings are
    reversed. Parameters stay parameters: expressions of them are computed by torch.

    Gates of the table keep their names. Others are expanded by their definitions; matrices become
    constant gates. A global phase is dropped, but not below a control. Barriers, delays and resets
    of qubits that are still 0 are left out. Measurements are left out if all of them are at the
    end; else they, `reset` and `if_test` become instruments, with a key for each classical bit,
    such as `c[0]`. Channels of Aer become ours.

    Args:
        given: A `QuantumCircuit`, a `SparsePauliOp` or `Pauli`, or an Aer `NoiseModel`.

    Returns:
        A `Circuit`; or, of a circuit with parameters, a function from their values, in Qiskit's
        order or by name, to one. A `Parameter` takes a number or a real tensor `()`, a
        `ParameterVector` one real tensor `(n,)`. Of an observable a `PauliSum`, of a noise model a
        `noise.NoiseModel`.

    Raises:
        TypeError: If `given` is of another kind.
        ValueError: If it holds what has no counterpart, which is named.
        ImportError: If it needs a library that is not installed.

    Transforms:
        None: it reads an object. What it returns takes vmap, grad, jvp and hessian, in any nesting.

    Examples:
        >>> from qiskit import QuantumCircuit  # doctest: +SKIP
        >>> from qiskit.circuit import Parameter  # doctest: +SKIP
        >>> theta, made = Parameter("theta"), QuantumCircuit(2)  # doctest: +SKIP
        >>> _ = made.ry(theta / 2, 0), made.cx(0, 1)  # doctest: +SKIP
        >>> from_qiskit(made)  # doctest: +SKIP
        <circuit of (theta)>
        >>> from_qiskit(made)(0.5)  # doctest: +SKIP
        Circuit(2 qubits, 2 gates)
        q0: ─RY(0.25)──●─
                       │
        q1: ───────────⊕─
    """
    if is_a(given, "QuantumCircuit"):
        return read_circuit(given)
    if is_a(given, "SparsePauliOp"):
        return of_sparse_pauli_op("from_qiskit", given)
    if is_a(given, "Pauli"):
        return of_pauli("from_qiskit", given)
    if is_a(given, "NoiseModel") and library_of(given) == "qiskit_aer":
        return of_aer("from_qiskit", given)
    need = "be a QuantumCircuit, a SparsePauliOp, a Pauli or a NoiseModel of Aer"
    raise refusal_of_kind("from_qiskit", "given", given, need, "Give the object itself.")


def to_qiskit(
    given: Circuit | SumLike | Callable[..., Circuit], inputs: Mapping[str, Any] | None = None
) -> Any:
    r"""Make a `QuantumCircuit` or a `SparsePauliOp`. Wire k is qubit k.

    A function from tensors to a circuit becomes a circuit with parameters, if its angles are affine
    in the tensors' entries. That is found by its values and slopes at 0, and checked elsewhere.

    Args:
        given: A circuit, a function that makes one, or a Pauli sum, or a dict that `pauli_sum`
            would take.
        inputs: Of a function: an example of each argument, in order, by the name that it is to
            have: real tensors, of which only shapes and dtypes count. `()` becomes a `Parameter`,
            any other shape a `ParameterVector` of its entries. A function that `from_qiskit`,
            `from_cirq` or `from_qasm` made needs none.

    Returns:
        A `QuantumCircuit`, equal up to a global phase; or a `SparsePauliOp`.

    Raises:
        TypeError: If `given` is of another kind, or its numbers are hidden behind a transform.
        ValueError: If an angle is not affine, or something has no counterpart, which is named.
        ImportError: If Qiskit is not installed.

    Transforms:
        None: it makes an object.

    Examples:
        >>> import torch
        >>> from quilt_func import circuit, cx, pauli_sum, ry
        >>> def ansatz(theta):
        ...     return circuit(2, ry(2 * theta, range(2)), cx(0, 1))
        >>> print(to_qiskit(ansatz, {"theta": torch.zeros(2)}))  # doctest: +SKIP
             ┌────────────────┐
        q_0: ┤ Ry(2*theta[0]) ├──■──
             ├────────────────┤┌─┴─┐
        q_1: ┤ Ry(2*theta[1]) ├┤ X ├
             └────────────────┘└───┘
        >>> to_qiskit(pauli_sum({"XI": 0.5})).paulis.to_labels()  # doctest: +SKIP
        ['IX']
    """
    given = as_sum(given)
    if isinstance(given, PauliSum):
        return to_sparse_pauli_op("to_qiskit", given)
    return write_circuit(circuit_of("to_qiskit", given, inputs))


def counts_from_qiskit(counts: Mapping[str, int]) -> dict[str, int]:
    """Reverse the bit strings of Qiskit's counts, so that wire 0 comes first.

    Args:
        counts: Numbers by bit strings, the last bit first, as `get_counts()` gives them; spaces
            between registers are left out.

    Returns:
        Numbers by bit strings, as `counts` gives them.

    Raises:
        TypeError: If `counts` is not a mapping.
        ValueError: If a key is no bit string.

    Transforms:
        None: it reads numbers.

    Examples:
        >>> counts_from_qiskit({"0 01": 3, "1 10": 5})
        {'100': 3, '011': 5}
    """
    return _turned("counts_from_qiskit", counts)


def counts_to_qiskit(counts: Mapping[str, int]) -> dict[str, int]:
    """Reverse the bit strings of counts for Qiskit, so that wire 0 comes last.

    Args:
        counts: Numbers by bit strings, as `counts` gives them.

    Returns:
        Numbers by bit strings, the last wire first.

    Raises:
        TypeError: If `counts` is not a mapping.
        ValueError: If a key is no bit string.

    Transforms:
        None: it reads numbers.

    Examples:
        >>> counts_to_qiskit({"100": 3, "011": 5})
        {'001': 3, '110': 5}
    """
    return _turned("counts_to_qiskit", counts)


def _turned(function: str, counts: Any) -> dict[str, int]:
    remedy = 'Give numbers by bit strings: `{"01": 3}`.'
    check_is(function, "counts", counts, Mapping, "be a mapping", remedy)
    for key in counts:
        if not isinstance(key, str) or set(key) - set("01 "):
            need = "have bit strings for keys"
            raise ValueError(message(function, "counts", counts, need, repr(key), remedy))
    return counts_of(counts)
