"""Cirq's objects and ours. `LineQubit(k)` is wire k."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from quilt_func.circuits import Circuit
from quilt_func.convert.cirq_reading import read_circuit
from quilt_func.convert.cirq_writing import write_circuit
from quilt_func.convert.noise_models import of_cirq_model
from quilt_func.convert.observables import of_cirq_sum, to_cirq_sum
from quilt_func.convert.peers import imported, is_a, library_of, refusal, refusal_of_kind
from quilt_func.convert.writing import circuit_of
from quilt_func.pauli import PauliSum, SumLike, as_sum

NAME = "from_cirq"


def from_cirq(given: Any, qubits: Iterable[Any] | None = None) -> Any:
    r"""Convert a circuit, an observable or a noise model of Cirq.

    Gates of the table keep their names; their powers become rotations, and others are decomposed.
    Symbols stay symbols: expressions of them are computed by torch. A global phase is dropped, but
    not below a control. Channels become ours. Measurements are left out if all of them are at the
    end and none is read; else they, `reset` and classical controls become instruments.

    Args:
        given: A `cirq.Circuit`, a `PauliSum` or `PauliString`, or a noise model that puts one
            channel on every qubit after every moment, or that channel.
        qubits: Of a circuit or an observable: the qubits that are wires 0, 1, ...; default: wire k
            is `LineQubit(k)`, or, if there are other qubits, all of them in Cirq's order.

    Returns:
        A `Circuit`; or, of a circuit with symbols, a function from their values, numbers or real
        tensors `()`, in alphabetical order or by name, to one. Of an observable a `PauliSum`, of a
        noise model a `noise.NoiseModel`, whose layers are as early as wires are free.

    Raises:
        TypeError: If `given` is of another kind.
        ValueError: If it holds what has no counterpart, which is named.
        ImportError: If Cirq is not installed.

    Transforms:
        None: it reads an object. What it returns takes vmap, grad, jvp and hessian, in any nesting.

    Examples:
        >>> import cirq, sympy  # doctest: +SKIP
        >>> a, b = cirq.LineQubit.range(2)  # doctest: +SKIP
        >>> turn = cirq.ry(sympy.Symbol("theta") / 2)  # doctest: +SKIP
        >>> from_cirq(cirq.Circuit(turn(a), cirq.CNOT(a, b)))(0.5)  # doctest: +SKIP
        Circuit(2 qubits, 2 gates)
        q0: ─RY(0.25)──●─
                       │
        q1: ───────────⊕─
    """
    if library_of(given) != "cirq":
        need = "be a circuit, a PauliSum, a PauliString or a noise model of Cirq"
        raise refusal_of_kind(NAME, "given", given, need, "Give the object itself.")
    if is_a(given, "AbstractCircuit"):
        return read_circuit(given, _order(given.all_qubits(), qubits))
    if is_a(given, "PauliSum", "PauliString"):
        order = _order(given.qubits, qubits)
        return of_cirq_sum(NAME, given, {q: i for i, q in enumerate(order)}, len(order))
    cirq = imported(NAME, "cirq")
    if is_a(given, "Gate"):
        given = cirq.NoiseModel.from_noise_model_like(given)
    if is_a(given, "NoiseModel"):
        return of_cirq_model(NAME, given)
    need = "be a circuit, a PauliSum, a PauliString or a noise model of Cirq"
    raise refusal_of_kind(NAME, "given", given, need, "Give the object itself.")


def _order(found: Iterable[Any], qubits: Iterable[Any] | None) -> list[Any]:
    """Qubits in the order of our wires."""
    own = sorted(found)
    if qubits is not None:
        order = [*qubits]
        missing = [qubit for qubit in own if qubit not in order]
        if missing:
            raise refusal(
                NAME, "qubits", order, f"no place for {missing[0]!r}", "Give all of its qubits."
            )
        return order
    if own and all(is_a(qubit, "LineQubit") and qubit.x >= 0 for qubit in own):
        kind = type(own[0])
        return [*kind.range(max(qubit.x for qubit in own) + 1)]
    return own


def to_cirq(
    given: Circuit | SumLike | Callable[..., Circuit], inputs: Mapping[str, Any] | None = None
) -> Any:
    r"""Make a `cirq.Circuit` or a `cirq.PauliSum`. Wire k is `cirq.LineQubit(k)`.

    A function from tensors to a circuit becomes a circuit with symbols, if its angles are affine in
    the tensors' entries, as for `to_qiskit`.

    Args:
        given: A circuit, a function that makes one, or a Pauli sum, or a dict that `pauli_sum`
            would take.
        inputs: Of a function: an example of each argument, as for `to_qiskit`. The entries of a
            tensor become symbols of their own, such as `theta_0`.

    Returns:
        A `cirq.Circuit`, equal up to a global phase; or a `cirq.PauliSum`. Channels become Kraus
        channels.

    Raises:
        TypeError: If `given` is of another kind, or its numbers are hidden behind a transform.
        ValueError: If an angle is not affine, or something has no counterpart, which is named.
        ImportError: If Cirq is not installed.

    Transforms:
        None: it makes an object.

    Examples:
        >>> from quilt_func import circuit, cx, h
        >>> print(to_cirq(circuit(2, h(0), cx(0, 1))))  # doctest: +SKIP
        0: ───H───@───
                  │
        1: ───────X───
    """
    given = as_sum(given)
    if isinstance(given, PauliSum):
        return to_cirq_sum("to_cirq", given)
    return write_circuit(circuit_of("to_cirq", given, inputs))
