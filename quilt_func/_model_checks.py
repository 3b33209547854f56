"""Checks of what is measured and differentiated: observables, and functions to a state."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from quilt_func._checks import (
    REAL_OF,
    STATE,
    fits,
    kind_error,
    message,
    names_of,
    qubits,
    shape_error,
)
from quilt_func._torch import is_differentiated
from quilt_func.circuits import Circuit
from quilt_func.ops import Gate, Op
from quilt_func.pauli import PauliSum, pauli_sum
from quilt_func.typing import Observable, PyTree

StateFn = Callable[[Any], Tensor]


def check_observable(
    function: str, observable: Any, n_qubits: int, argument: str = "observable"
) -> Observable:
    """Check that a value is an observable of as many qubits as a state; a mapping becomes one."""
    if isinstance(observable, Mapping):
        observable = pauli_sum(observable, n_qubits=n_qubits)
    if not all(hasattr(observable, name) for name in ("n_qubits", "apply", "expectation")):
        remedy = _observable_remedy(observable, n_qubits)
        raise kind_error(function, argument, observable, "be an observable", remedy)
    if observable.n_qubits != n_qubits:
        need = f"act on {qubits(n_qubits)}, as the state has"
        remedy = f"Give an observable of {qubits(n_qubits)}, or a state of {observable.n_qubits}."
        if isinstance(observable, PauliSum):
            place = f'{{("Z", (0,)): 1.0}}, n_qubits={n_qubits}'
            remedy = f"Give words of a letter per qubit, or name wires: `pauli_sum({place})`."
        got = qubits(observable.n_qubits)
        raise ValueError(message(function, argument, observable, need, got, remedy))
    checked: Observable = observable
    return checked


def _observable_remedy(given: object, n_qubits: int) -> str:
    if isinstance(given, Op) and given.gate.name in ("x", "y", "z") and len(given.wires) == 1:
        letter, (wire,) = given.gate.name.upper(), given.wires[0]
        word = "I" * wire + letter + "I" * (n_qubits - wire - 1)
        named = f'{{("{letter}", ({wire},)): 1.0}}'
        return f'A gate is no observable: write `{{"{word}": 1.0}}` or `{named}`.'
    if isinstance(given, (list, tuple)):
        return "Give one observable at a time, or one sum: `a + b`."
    if hasattr(given, "ndim"):
        return (
            "Make one of a matrix with `hermitian(matrix)`, of a diagonal with `diagonal(values)`."
        )
    if isinstance(given, (str, Op, Gate)):
        return 'Write it in Pauli words, such as `pauli_sum({"ZII": 1.0})` for Z on wire 0 of 3.'
    return "Make one with `pauli_sum`, `hermitian` or `diagonal`."


def check_not_differentiated(
    function: str, argument: str, given: Tensor, instead: str = "expval"
) -> None:
    """Refuse to draw samples, which have no derivative, from what is being differentiated."""
    if is_differentiated(given):
        raise TypeError(
            f"{function}(): samples have no gradient, but the {argument} is being differentiated. "
            f"Use `{argument}.detach()` where the gradient is not wanted, and `{instead}` "
            "where it is."
        )


def returning_state(function: str, state_fn: StateFn) -> StateFn:
    """A function from parameters to a state, with a check of what it returns."""
    if not callable(state_fn) or isinstance(state_fn, Circuit):
        need = "be a function from parameters to a state"
        remedy = "Write `lambda params: circuit(...)()`, with the parameters in the circuit."
        raise kind_error(function, "state_fn", state_fn, need, remedy)

    def checked(params: PyTree) -> Tensor:
        state = state_fn(params)
        _check_returned(function, state)
        return state

    return checked


def _check_returned(function: str, state: Any) -> None:
    need = "return one statevector, (2**n_qubits,)"
    if not isinstance(state, Tensor):
        remedy = "Return the state that `circuit(...)()` gives."
        if callable(state):
            remedy = "Call the circuit: `lambda params: circuit(...)()`."
        raise kind_error(function, "state_fn", state, need, remedy)
    if state.dtype not in REAL_OF:
        got = f"{names_of([state.dtype])} of shape {tuple(state.shape)}"
        remedy = "Return the state itself, complex, not what is measured on it."
        raise TypeError(message(function, "state_fn", state, need, got, remedy))
    if not fits(state.shape, STATE):
        raise shape_error(function, "state_fn", state, need, _over_data(function))


def _over_data(function: str) -> str:
    """What to do with many samples, whose joint state is none: there is one metric for each."""
    if function == "natural_gradient":
        return (
            "Over data, give one sample's state and the samples: "
            "`natural_gradient(lambda p, x: circuit(...)(), data=xs)`."
        )
    name = "fubini_study" if function == "varqite" else function
    return f"Over data, map: `vmap(lambda x: {name}(lambda p: state_fn(p, x), params))(xs)`."
