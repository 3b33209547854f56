"""Pauli sums of other libraries and ours: letters by wire, and real coefficients."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from quilt_func._checks import COMPLEX_OF, check_count, is_hidden, message
from quilt_func.convert.peers import imported, refusal
from quilt_func.pauli import PauliSum, pauli_sum


def of_terms(
    function: str, terms: Iterable[tuple[Mapping[int, str], Any]], n_qubits: int
) -> PauliSum:
    """A sum of words that are letters by wire."""
    found = [
        ("".join(letters.get(wire, "I") for wire in range(n_qubits)), _real(function, value))
        for letters, value in terms
    ]
    if not found:
        return pauli_sum({"I" * n_qubits: 0.0})
    merged: dict[str, Any] = {}
    for word, value in found:
        merged[word] = merged[word] + value if word in merged else value
    return pauli_sum(merged)


def _real(function: str, value: Any) -> Any:
    """A coefficient, which must be real."""
    remedy = "Give an observable: it is Hermitian, and so its coefficients are real."
    if isinstance(value, Tensor):
        if value.dtype not in COMPLEX_OF or value.ndim:
            raise refusal(function, "given", value, "a coefficient that is no real number", remedy)
        return value
    try:
        number = complex(value)
    except (TypeError, ValueError):
        what = f"the coefficient {value}"
        raise refusal(function, "given", value, what, "Give it a number.") from None
    if number.imag:
        raise refusal(function, "given", value, f"the coefficient {number}", remedy)
    return number.real


def check_size(function: str, wires: Iterable[int], n_qubits: int | None) -> int:
    """The number of qubits: as given, if all wires fit, or as many as the last wire needs."""
    least = max(wires, default=-1) + 1
    if n_qubits is None:
        return least
    check_count(function, "n_qubits", n_qubits)
    if n_qubits < least:
        need, got = f"be at least {least}", str(n_qubits)
        remedy = f"Give {least} or more."
        raise ValueError(message(function, "n_qubits", n_qubits, need, got, remedy))
    return n_qubits


def of_sparse_pauli_op(function: str, given: Any) -> PauliSum:
    """Qiskit's labels have qubit 0 last."""
    labels, coefficients = given.paulis.to_labels(), given.coeffs
    pairs = zip(labels, coefficients, strict=True)
    terms = [(dict(enumerate(label[::-1])), value) for label, value in pairs]
    return of_terms(function, terms, given.num_qubits)


def of_pauli(function: str, given: Any) -> PauliSum:
    """One word of Qiskit's, with its sign."""
    signs = {0: 1.0, 2: -1.0}
    power = int(given.phase)
    label = given.to_label().lstrip("-i")
    letters = dict(enumerate(label[::-1]))
    return of_terms(function, [(letters, signs.get(power, 1j))], given.num_qubits)


def of_pauli_rep(function: str, given: Any, wires: Mapping[Any, int], n_qubits: int) -> PauliSum:
    """An operator of PennyLane's that is a sum of Pauli words."""
    if getattr(given, "pauli_rep", None) is None:
        remedy = "Give a sum of products of X, Y and Z, or measure `qml.matrix(op)` as `hermitian`."
        raise refusal(function, "given", given, "an operator without `pauli_rep`", remedy)
    terms = [
        ({wires[wire]: letter for wire, letter in word.items()}, value)
        for word, value in given.pauli_rep.items()
    ]
    return of_terms(function, terms, n_qubits)


def of_cirq_sum(function: str, given: Any, wires: Mapping[Any, int], n_qubits: int) -> PauliSum:
    """A `cirq.PauliSum`, or one `cirq.PauliString`."""
    strings = given if hasattr(given, "add_term") or hasattr(given, "_linear_dict") else [given]
    terms = [
        ({wires[qubit]: str(letter) for qubit, letter in one.items()}, one.coefficient)
        for one in strings
    ]
    return of_terms(function, terms, n_qubits)


def of_qubit_operator(function: str, given: Any, n_qubits: int | None) -> PauliSum:
    """An OpenFermion `QubitOperator`: its `terms` are pairs of a wire and a letter."""
    size = check_size(function, [wire for word in given.terms for wire, _ in word], n_qubits)
    return of_terms(function, [(dict(word), value) for word, value in given.terms.items()], size)


def coefficients_of(function: str, given: PauliSum) -> list[float]:
    """Coefficients as numbers."""
    values = given.coefficients
    if not isinstance(values, Tensor):
        return list(values)
    if is_hidden(values):
        need, got = "have coefficients that can be read", "hidden ones"
        remedy = "Write it outside of `torch.func` transforms."
        raise TypeError(message(function, "given", given, need, got, remedy))
    found: list[float] = values.detach().tolist()
    return found


def letters_of(word: str, qubits: Sequence[Any]) -> list[tuple[Any, str]]:
    """Qubits and letters of a word, without I."""
    return [(q, letter) for q, letter in zip(qubits, word, strict=True) if letter != "I"]


def to_sparse_pauli_op(function: str, given: PauliSum) -> Any:
    """Labels with wire 0 last."""
    info = imported(function, "qiskit.quantum_info")
    labels = [word[::-1] for word in given.words]
    return info.SparsePauliOp(labels, np.array(coefficients_of(function, given)))


def to_pennylane_sum(function: str, given: PauliSum) -> Any:
    """A linear combination; coefficients that are tensors stay tensors."""
    qml = imported(function, "pennylane")
    wires = range(given.n_qubits)
    words = [
        qml.pauli.PauliWord(dict(letters_of(word, wires))).operation(wire_order=[*wires])
        for word in given.words
    ]
    values = given.coefficients
    return qml.Hamiltonian(values if isinstance(values, Tensor) else list(values), words)


def to_cirq_sum(function: str, given: PauliSum) -> Any:
    """A sum on `cirq.LineQubit`s."""
    cirq = imported(function, "cirq")
    qubits = cirq.LineQubit.range(given.n_qubits)
    total = cirq.PauliSum()
    for word, value in zip(given.words, coefficients_of(function, given), strict=True):
        letters = {qubit: getattr(cirq, letter) for qubit, letter in letters_of(word, qubits)}
        total += cirq.PauliString(letters, coefficient=value)
    return total


def to_qubit_operator(function: str, given: PauliSum) -> Any:
    """A `QubitOperator`."""
    kind = imported(function, "openfermion").QubitOperator
    total = kind()
    for word, value in zip(given.words, coefficients_of(function, given), strict=True):
        total += kind(tuple(letters_of(word, range(given.n_qubits))), value)
    return total
