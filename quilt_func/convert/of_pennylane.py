"""PennyLane's objects and ours. Wires in the device's order are wires 0, 1, ..."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from quilt_func._checks import check_is
from quilt_func._placed_gates import PHASE
from quilt_func.circuits import Circuit
from quilt_func.convert.observables import of_pauli_rep, to_pennylane_sum
from quilt_func.convert.peers import imported, is_a, refusal, refusal_of_kind
from quilt_func.convert.pennylane_reading import Reader
from quilt_func.convert.pennylane_values import measured_value
from quilt_func.convert.pennylane_writing import quantum_function
from quilt_func.convert.programs import plain_circuit
from quilt_func.instruments import has_instruments
from quilt_func.noise import Channel, run_density
from quilt_func.pauli import PauliSum, SumLike, as_sum

NAME = "from_pennylane"


def from_pennylane(given: Any, wires: Iterable[Any] | None = None) -> Any:
    r"""Convert a QNode, a quantum function, a tape or an observable of PennyLane.

    The operations of a QNode are recorded anew in every call, with the tensors that it is given. So
    its Python may depend on shapes, and its derivatives are those of our circuit. Gates of the
    table keep their names, others are decomposed as PennyLane does it. Templates, `adjoint`,
    `ctrl`, `pow`, channels, `measure` and `cond` are read; a global phase is dropped, but not below
    a control, and not from a `state`.

    Args:
        given: A QNode, a function that queues operations, a tape, or an operator.
        wires: Labels of wires 0, 1, ...; default: the device's, or, if it names none, `range` up to
            the highest if all are ints, and else in order of appearance.

    Returns:
        Of a QNode a function of its arguments to what it measures, exactly: `expval`, `var`,
        `probs`, `state`, `density_matrix`, `purity` and `vn_entropy`, several as a tuple. Its
        method `circuit` takes the same arguments, and gives the circuit. Of a function that
        measures nothing, and of a tape, whose measurements are left out: a function to the circuit,
        and the circuit. Of an operator a `PauliSum`.

    Raises:
        TypeError: If `given` is of another kind.
        ValueError: If it holds what has no counterpart, which is named; in the call, for what is
            recorded there.
        ImportError: If PennyLane is not installed.

    Transforms:
        None: it reads an object. What it returns takes vmap, grad, jvp and hessian, in any nesting.

    Examples:
        >>> import pennylane as qml, torch  # doctest: +SKIP
        >>> @qml.qnode(qml.device("default.qubit", wires=2))  # doctest: +SKIP
        ... def node(x):
        ...     qml.RY(x, wires=0)
        ...     qml.CNOT([0, 1])
        ...     return qml.expval(qml.Z(1))
        >>> slopes = torch.func.vmap(torch.func.grad(from_pennylane(node)))  # doctest: +SKIP
        >>> slopes(torch.tensor([0.5, torch.pi / 2]))  # doctest: +SKIP
        tensor([-0.4794, -1.0000])
    """
    if is_a(given, "Operator") and hasattr(given, "pauli_rep"):
        order = _order(given.wires, wires)
        return of_pauli_rep(NAME, given, {w: i for i, w in enumerate(order)}, len(order))
    labels = None if wires is None else tuple(wires)
    if is_a(given, "QuantumScript"):
        return _Recorded(given, labels).circuit
    if not callable(given) or isinstance(given, Circuit | type):
        need = "be a QNode, a quantum function, a tape or an operator"
        raise refusal_of_kind(
            NAME, "given", given, need, "Give the QNode itself, not a call of it."
        )
    imported(NAME, "pennylane")
    return FromPennyLane(given, labels)


@dataclass(frozen=True, eq=False, repr=False)
class FromPennyLane:
    """The function of a QNode's arguments to what it measures, or of a function's to its circuit.

    Attributes:
        source: The QNode or the quantum function.
        wires: Labels of wires 0, 1, ..., or None.
    """

    source: Any
    wires: tuple[Any, ...] | None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the operations that are recorded for some arguments give."""
        found = self._recorded(args, kwargs)
        if not found.tape.measurements:
            return found.circuit
        return found.values()

    def circuit(self, *args: Any, **kwargs: Any) -> Circuit:
        """The circuit of some arguments."""
        return self._recorded(args, kwargs).circuit

    def __repr__(self) -> str:
        name = getattr(self.source, "__name__", None) or type(self.source).__name__
        return f"<from_pennylane({name})>"

    def _recorded(self, args: Any, kwargs: Any) -> "_Recorded":
        qml = imported(NAME, "pennylane")
        if not is_a(self.source, "QNode"):
            return _Recorded(qml.tape.make_qscript(self.source)(*args, **kwargs), self.wires)
        tape = qml.workflow.construct_tape(self.source)(*args, **kwargs)
        if tape.shots:
            remedy = "Take them off, `qml.set_shots(node, None)`, and use `estimate`."
            raise refusal(NAME, "given", self.source, "a number of shots", remedy)
        wires = self.wires
        if wires is None and self.source.device.wires:
            wires = tuple(self.source.device.wires)
        elif wires is None:
            tape = tape.map_to_standard_wires()
        return _Recorded(tape, wires)


class _Recorded:
    """A tape, and the circuit of its operations."""

    def __init__(self, tape: Any, wires: tuple[Any, ...] | None) -> None:
        self.tape = tape
        self.wires = _order(tape.wires, wires)
        found = Reader(self.wires).operations(tape.operations)
        self.phase = _total([one.angles[0] for one in found if one.gate is PHASE])
        self.circuit = plain_circuit(len(self.wires), found)

    def values(self) -> Any:
        """What is measured: one value, or a tuple."""
        is_mixed = has_instruments(self.circuit) or any(
            isinstance(op.gate, Channel) for op in self.circuit.ops
        )
        state = run_density(self.circuit) if is_mixed else self.circuit()
        places = {wire: i for i, wire in enumerate(self.wires)}
        found = [measured_value(mp, state, places, self.phase) for mp in self.tape.measurements]
        return found[0] if len(found) == 1 else tuple(found)


def _total(angles: list[Any]) -> Any:
    first, *rest = angles or [0.0]
    return sum(rest, start=first)


def _order(found: Iterable[Any], wires: Any) -> tuple[Any, ...]:
    """Labels in the order of our wires."""
    own = [*found]
    if wires is not None:
        order = tuple(wires)
        missing = [wire for wire in own if wire not in order]
        if missing:
            what = f"no place for the wire {missing[0]!r}"
            raise refusal(NAME, "wires", wires, what, "Give all of its wires.")
        return order
    if all(isinstance(wire, int) and wire >= 0 for wire in own):
        return tuple(range(max(own, default=-1) + 1))
    return tuple(dict.fromkeys(own))


def to_pennylane(given: Circuit | SumLike | Callable[..., Circuit]) -> Any:
    r"""Make a quantum function or an operator of PennyLane. Wire k is wire k.

    Args:
        given: A circuit, a function that makes one, or a Pauli sum, or a dict that `pauli_sum`
            would take.

    Returns:
        A function that queues the circuit's operations, to be called within a QNode, with the
        arguments of the function if one is given. Angles that are tensors stay tensors, so that
        PennyLane differentiates by them. Channels become `QubitChannel`, instruments `measure` and
        `cond`. Of a Pauli sum an operator.

    Raises:
        TypeError: If `given` is of another kind.
        ValueError: If something has no counterpart, which is named; in the call.
        ImportError: If PennyLane is not installed.

    Transforms:
        None: it makes an object.

    Examples:
        >>> import pennylane as qml, torch  # doctest: +SKIP
        >>> from quilt_func import circuit, cx, ry
        >>> bell = to_pennylane(lambda x: circuit(2, ry(x, 0), cx(0, 1)))  # doctest: +SKIP
        >>> @qml.qnode(qml.device("default.qubit"))  # doctest: +SKIP
        ... def node(x):
        ...     bell(x)
        ...     return qml.probs(wires=[0, 1])
        >>> node(torch.tensor(0.0))  # doctest: +SKIP
        tensor([1., 0., 0., 0.], dtype=torch.float64)
    """
    given = as_sum(given)
    if isinstance(given, PauliSum):
        return to_pennylane_sum("to_pennylane", given)
    need = "be a circuit, a function that makes one, or a Pauli sum"
    check_is("to_pennylane", "given", given, Callable, need, "Make a circuit with `circuit`.")
    return quantum_function(given)
