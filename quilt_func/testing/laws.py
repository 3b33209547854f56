"""Laws as one-line test-suites: give a gate or an observable, get a test function.

    test_givens = gate_laws(givens)

The failing law, the case, the deviation and the usual cause are in the message.
"""

from collections.abc import Callable, Iterable

import hypothesis

from quilt_func.ops import Gate
from quilt_func.testing import _gate_actions, _gate_rows
from quilt_func.testing._gate_case import GATE_LAWS, gate_cases
from quilt_func.testing._law import Law, LawError, law_test
from quilt_func.testing._observable_laws import OBSERVABLE_LAWS, state_cases
from quilt_func.typing import Observable

del _gate_actions, _gate_rows  # imported for the laws that they add to GATE_LAWS

__all__ = ["GATE_LAWS", "OBSERVABLE_LAWS", "Law", "LawError", "gate_laws", "observable_laws"]


def gate_laws(
    gate: Gate, *, only: Iterable[str] | None = None, settings: hypothesis.settings | None = None
) -> Callable[[], None]:
    """Make the property test of a gate: all that its row claims, against its matrix.

    Args:
        gate: A gate of angles, or a constant one.
        only: Names of the laws to check, from `GATE_LAWS`; default: all.
        settings: Hypothesis settings, such as `settings(max_examples=1000)`; default: the profile.

    Returns:
        A test function for pytest; hypothesis draws angles, wires and states.

    Raises:
        TypeError: If `gate` is not a gate, or takes matrices instead of angles.
        ValueError: If there is no law of a name.

    Examples:
        >>> from quilt_func import gate, rx
        >>> test_rx = gate_laws(rx)
        >>> test_rx()
        >>> sorted(GATE_LAWS)[:3]
        ['batch', 'controlled', 'dtype']
    """
    if not isinstance(gate, Gate):
        raise TypeError(
            f"gate_laws(gate={gate!r}): `gate` must be a gate, but got a {type(gate).__name__}. "
            "Give the gate itself, not an op or a function: `gate_laws(rx)`."
        )
    if gate.param_shape:
        raise TypeError(
            f"gate_laws(gate={gate!r}): `gate` must take angles, but it takes matrices of shape "
            f"{gate.param_shape}. Its matrix is your promise: there is nothing to check."
        )
    return law_test(gate, GATE_LAWS, gate_cases(gate), only, settings)


def observable_laws(
    observable: Observable,
    *,
    only: Iterable[str] | None = None,
    settings: hypothesis.settings | None = None,
) -> Callable[[], None]:
    """Make the property test of an observable.

    Args:
        observable: A Pauli sum, or an object with `n_qubits`, `apply` and `expectation`. Its
            leaves give the precision of the states; without leaves it is complex128.
        only: Names of the laws to check, from `OBSERVABLE_LAWS`; default: all.
        settings: Hypothesis settings; default: the profile.

    Returns:
        A test function for pytest; hypothesis draws states.

    Raises:
        TypeError: If `observable` is not an observable.
        ValueError: If there is no law of a name.

    Examples:
        >>> from quilt_func import pauli_sum
        >>> test_energy = observable_laws(pauli_sum({"ZZ": 1.0, "XI": 0.5}))
        >>> test_energy()
    """
    if not all(hasattr(observable, name) for name in ("n_qubits", "apply", "expectation")):
        raise TypeError(
            f"observable_laws(observable={observable!r}): `observable` must have `n_qubits`, "
            f"`apply` and `expectation`, but got a {type(observable).__name__}. Make one with "
            "`pauli_sum`, `hermitian` or `diagonal`."
        )
    return law_test(observable, OBSERVABLE_LAWS, state_cases(observable), only, settings)
