"""OpenFermion's qubit operators and Pauli sums."""

from typing import Any

from quilt_func._checks import check_is
from quilt_func.convert.observables import of_qubit_operator, to_qubit_operator
from quilt_func.convert.peers import is_a, refusal_of_kind
from quilt_func.pauli import PauliSum, SumLike, as_sum


def from_openfermion(given: Any, n_qubits: int | None = None) -> PauliSum:
    """Make a Pauli sum of a `QubitOperator`. Qubit k is wire k.

    Args:
        given: A `QubitOperator` with real coefficients.
        n_qubits: Number of qubits; default: as many as the highest needs.

    Returns:
        The observable.

    Raises:
        TypeError: If `given` is of another kind.
        ValueError: If a coefficient is not real, or there are too few qubits.

    Transforms:
        None: it reads an object.

    Examples:
        >>> from openfermion import QubitOperator  # doctest: +SKIP
        >>> from_openfermion(QubitOperator("X0 Y2", 0.5), n_qubits=4)  # doctest: +SKIP
        PauliSum(0.5 XIYI)
    """
    if not is_a(given, "QubitOperator"):
        need, remedy = "be a QubitOperator", "Transform fermions first: `jordan_wigner(operator)`."
        raise refusal_of_kind("from_openfermion", "given", given, need, remedy)
    return of_qubit_operator("from_openfermion", given, n_qubits)


def to_openfermion(given: SumLike) -> Any:
    """Make a `QubitOperator` of a Pauli sum. Wire k is qubit k.

    Args:
        given: A Pauli sum, or a dict that `pauli_sum` would take.

    Returns:
        The `QubitOperator`.

    Raises:
        TypeError: If `given` is of another kind, or its coefficients are hidden behind a transform.
        ImportError: If OpenFermion is not installed.

    Transforms:
        None: it makes an object.

    Examples:
        >>> from quilt_func import pauli_sum
        >>> to_openfermion(pauli_sum({"XIY": 0.5}))  # doctest: +SKIP
        0.5 [X0 Y2]
    """
    given, remedy = as_sum(given), "Make one with `pauli_sum`."
    check_is("to_openfermion", "given", given, PauliSum, "be a Pauli sum", remedy)
    return to_qubit_operator("to_openfermion", given)
