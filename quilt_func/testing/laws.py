"""Laws as one-line test-suites: give a gate, a channel, a circuit, an ansatz, a noise model ...

    test_givens = gate_laws(givens)

The failing law, the case, the deviation and the usual cause are in the message.
"""

from collections.abc import Callable, Iterable
from typing import Any

import hypothesis
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from quilt_func._checks import COMPLEX_OF, a_kind, describe, message
from quilt_func._torch import tree_leaves
from quilt_func.circuits import Circuit
from quilt_func.noise import Channel, NoiseModel, NoiseRule
from quilt_func.ops import Gate
from quilt_func.pauli import as_sum
from quilt_func.testing import _gate_actions, _gate_derivatives, _gate_device, _gate_rows
from quilt_func.testing._channel_laws import CHANNEL_LAWS, channel_cases
from quilt_func.testing._circuit_laws import (
    ANSATZ_LAWS,
    CIRCUIT_LAWS,
    REWRITE_LAWS,
    ansatz_cases,
    circuit_cases,
    default_circuits,
    rewrite_cases,
)
from quilt_func.testing._gate_case import GATE_LAWS, gate_cases
from quilt_func.testing._instrument_laws import INSTRUMENT_LAWS, instrument_cases
from quilt_func.testing._law import Law, LawError, law_test
from quilt_func.testing._noise_case import default_circuits as circuits_for
from quilt_func.testing._noise_case import noise_cases
from quilt_func.testing._noise_laws import NOISE_LAWS
from quilt_func.testing._observable_laws import OBSERVABLE_LAWS, state_cases
from quilt_func.typing import ObservableLike, PyTree

# imported for the laws that they add to GATE_LAWS
del _gate_actions, _gate_derivatives, _gate_device, _gate_rows

__all__ = [
    "ANSATZ_LAWS",
    "CHANNEL_LAWS",
    "CIRCUIT_LAWS",
    "GATE_LAWS",
    "INSTRUMENT_LAWS",
    "NOISE_LAWS",
    "OBSERVABLE_LAWS",
    "REWRITE_LAWS",
    "Law",
    "LawError",
    "ansatz_laws",
    "channel_laws",
    "circuit_laws",
    "gate_laws",
    "instrument_laws",
    "noise_laws",
    "observable_laws",
    "rewrite_laws",
]


def gate_laws(
    gate: Gate, *, only: Iterable[str] | None = None, settings: hypothesis.settings | None = None
) -> Callable[[], None]:
    """Make the property test of a gate: all that its definition says, against its matrix.

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
        ['batch', 'controlled', 'derivative']
    """
    if not isinstance(gate, Gate):
        raise TypeError(
            f"gate_laws(gate={gate!r}): `gate` must be a gate, but got {a_kind(gate)}. "
            "Give the gate itself, not an op or a function: `gate_laws(rx)`."
        )
    if gate.refusal:
        kind = a_kind(gate).lower()
        remedy = (
            "channel_laws(channel)" if isinstance(gate, Channel) else "instrument_laws(circuit)"
        )
        raise TypeError(
            f"gate_laws(gate={gate!r}): `gate` must be a gate, but got {kind}. Write `{remedy}`."
        )
    if gate.param_shape:
        raise TypeError(
            f"gate_laws(gate={gate!r}): `gate` must take angles, but it takes matrices of shape "
            f"{gate.param_shape}. Its matrix is your promise: there is nothing to check."
        )
    return law_test(gate, GATE_LAWS, gate_cases(gate), only, settings)


def channel_laws(
    channel: Channel,
    *,
    only: Iterable[str] | None = None,
    settings: hypothesis.settings | None = None,
) -> Callable[[], None]:
    """Make the property test of a channel: that it is one, and all that its definition says.

    Args:
        channel: A channel of strengths.
        only: Names of the laws to check, from `CHANNEL_LAWS`; default: all.
        settings: Hypothesis settings; default: the profile.

    Returns:
        A test function for pytest; hypothesis draws strengths, wires and density matrices.

    Raises:
        TypeError: If `channel` is not a channel, or takes matrices instead of strengths.
        ValueError: If there is no law of a name.

    Examples:
        >>> from quilt_func import noise
        >>> test_depolarizing = channel_laws(noise.depolarizing)
        >>> test_depolarizing()
        >>> sorted(CHANNEL_LAWS)[:3]
        ['batch', 'bounds', 'derivative']
    """
    if not isinstance(channel, Channel):
        raise TypeError(
            f"channel_laws(channel={channel!r}): `channel` must be a channel, but got "
            f"{a_kind(channel)}. Give the channel itself: `channel_laws(noise.depolarizing)`."
        )
    if channel.param_shape:
        raise TypeError(
            f"channel_laws(channel={channel!r}): `channel` must take strengths, but it takes "
            f"matrices of shape {channel.param_shape}. They are your promise: there is nothing to "
            "check."
        )
    return law_test(channel, CHANNEL_LAWS, channel_cases(channel), only, settings)


def noise_laws(
    model: NoiseModel | Callable[[Circuit], Circuit],
    *,
    circuits: SearchStrategy[Circuit] | None = None,
    only: Iterable[str] | None = None,
    skip: Iterable[str] = (),
    settings: hypothesis.settings | None = None,
) -> Callable[[], None]:
    """Make the property test of a noise model, or of a function that puts noise on a circuit.

    Args:
        model: A noise model, or a function from a circuit to a circuit with channels.
        circuits: Strategy of circuits to try it on; default: few qubits and ops, of the gates that
            a model has rules for.
        only: Names of the laws to check, from `NOISE_LAWS`; default: all.
        skip: Names of laws to leave out: "moved" for a function whose noise differs from wire to
            wire, "off" for one that adds gates as well.
        settings: Hypothesis settings; default: the profile.

    Returns:
        A test function for pytest; hypothesis draws circuits, and other wires for them.

    Raises:
        TypeError: If `model` is neither a model nor a function, or `circuits` is not a strategy.
        ValueError: If there is no law of a name.

    Examples:
        >>> from quilt_func import cx, noise
        >>> rule = noise.rule(noise.two_qubit_depolarizing, 0.02, gates=cx)
        >>> test_model = noise_laws(noise.noise_model(rule))
        >>> test_model()
        >>> sorted(NOISE_LAWS)
        ['density', 'derivative', 'kept', 'mapped', 'moved', 'off', 'register', 'trajectories']
    """
    is_model = isinstance(model, NoiseModel)
    if isinstance(model, Channel | Gate | NoiseRule) or not (is_model or callable(model)):
        got = a_kind(model)
        need, remedy = "be a noise model or a function", "Make one with `noise_model(rule(...))`."
        raise TypeError(message("noise_laws", "model", model, need, got, remedy))
    drawn = circuits_for(model) if circuits is None else circuits
    if not isinstance(drawn, SearchStrategy):
        got, remedy = a_kind(drawn), "Give `strategies.circuits(...)`."
        raise TypeError(message("noise_laws", "circuits", drawn, "be a strategy", got, remedy))
    left_out = tuple(skip)
    if unknown := [name for name in left_out if name not in NOISE_LAWS]:
        raise ValueError(
            f"skip={left_out}: there are no laws {unknown}. Choose from {list(NOISE_LAWS)}."
        )
    names = NOISE_LAWS if only is None else only
    kept = [name for name in names if name not in left_out]
    return law_test(model, NOISE_LAWS, noise_cases(drawn), kept, settings)


def observable_laws(
    observable: ObservableLike,
    *,
    only: Iterable[str] | None = None,
    settings: hypothesis.settings | None = None,
) -> Callable[[], None]:
    """Make the property test of an observable.

    Args:
        observable: A Pauli sum, or a dict that `pauli_sum` would take; or an object with
            `n_qubits`, `apply` and `expectation`. Its leaves give the precision of the states;
            without leaves it is complex128.
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
    observable = as_sum(observable)
    if not all(hasattr(observable, name) for name in ("n_qubits", "apply", "expectation")):
        raise TypeError(
            f"observable_laws(observable={observable!r}): `observable` must have `n_qubits`, "
            f"`apply` and `expectation`, but got {a_kind(observable)}. Make one with "
            "`pauli_sum`, `hermitian` or `diagonal`."
        )
    return law_test(observable, OBSERVABLE_LAWS, state_cases(observable), only, settings)


def circuit_laws(
    circuit: Circuit,
    *,
    only: Iterable[str] | None = None,
    settings: hypothesis.settings | None = None,
) -> Callable[[], None]:
    """Make the property test of a circuit: its gates one by one, its inverse, its derivatives.

    Args:
        circuit: A circuit; its leaves give the precision, without leaves it is complex128.
        only: Names of the laws to check, from `CIRCUIT_LAWS`; default: all.
        settings: Hypothesis settings; default: the profile.

    Returns:
        A test function for pytest; hypothesis draws states.

    Raises:
        TypeError: If `circuit` is not a circuit.
        ValueError: If there is no law of a name.

    Examples:
        >>> from quilt_func import circuit, cx, ry
        >>> test_pair = circuit_laws(circuit(2, ry(0.3, [0, 1]), cx(0, 1)))
        >>> test_pair()
    """
    if not isinstance(circuit, Circuit):
        got, remedy = a_kind(circuit), "Make one with `circuit`."
        raise TypeError(message("circuit_laws", "circuit", circuit, "be a circuit", got, remedy))
    return law_test(circuit, CIRCUIT_LAWS, circuit_cases(circuit), only, settings)


def instrument_laws(
    circuit: Circuit,
    *,
    only: Iterable[str] | None = None,
    settings: hypothesis.settings | None = None,
) -> Callable[[], None]:
    """Make the property test of a circuit with instruments: that all its meanings agree.

    Branches, trajectories, the density matrix, and the circuit in which measurement is put off to
    the end, are held against one another.

    Args:
        circuit: A circuit of gates and instruments, of few qubits and bits.
        only: Names of the laws to check, from `INSTRUMENT_LAWS`; default: all.
        settings: Hypothesis settings; default: the profile.

    Returns:
        A test function for pytest; hypothesis draws states.

    Raises:
        TypeError: If `circuit` is not a circuit.
        ValueError: If there is no law of a name.

    Examples:
        >>> from quilt_func import circuit, conditional, h, measure, x
        >>> copied = circuit(2, h(0), measure(0, "m"), conditional("m", x(1), 1))
        >>> test_copied = instrument_laws(copied, only=["probabilities", "deferred"])
        >>> test_copied()
    """
    if not isinstance(circuit, Circuit):
        got, remedy = a_kind(circuit), "Make one with `circuit`."
        need = "be a circuit"
        raise TypeError(message("instrument_laws", "circuit", circuit, need, got, remedy))
    return law_test(circuit, INSTRUMENT_LAWS, instrument_cases(circuit), only, settings)


def ansatz_laws(
    fn: Callable[[PyTree], Any],
    params: PyTree,
    *,
    only: Iterable[str] | None = None,
    settings: hypothesis.settings | None = None,
) -> Callable[[], None]:
    """Make the property test of a function from parameters to a circuit or to its parts.

    Args:
        fn: Function from parameters to a circuit, or to ops and iterables of them.
        params: Tree of float32 or float64 tensors; only its structure, shapes and dtype are used.
        only: Names of the laws to check, from `ANSATZ_LAWS`; default: all.
        settings: Hypothesis settings; default: the profile.

    Returns:
        A test function for pytest; hypothesis draws parameters and states.

    Raises:
        TypeError: If `fn` can't be called, or a leaf of `params` is not a real tensor.
        ValueError: If there is no law of a name.

    Examples:
        >>> import torch
        >>> from quilt_func import cx, ry
        >>> def layer(theta):
        ...     return ry(theta, range(3)), cx([(0, 1), (1, 2)])
        >>> test_layer = ansatz_laws(layer, torch.zeros(3))
        >>> test_layer()
    """
    if not callable(fn):
        got, remedy = a_kind(fn), "Give the function, not the circuit."
        raise TypeError(message("ansatz_laws", "fn", fn, "be a function", got, remedy))
    leaves = tree_leaves(params)
    other = [
        leaf for leaf in leaves if not isinstance(leaf, Tensor) or leaf.dtype not in COMPLEX_OF
    ]
    if other or not leaves:
        got = describe(other[0]) if other else "no tensors"
        need, remedy = "hold float32 or float64 tensors", "Wrap numbers in `torch.tensor`."
        raise TypeError(message("ansatz_laws", "params", params, need, got, remedy))
    return law_test(fn, ANSATZ_LAWS, ansatz_cases(fn, params), only, settings)


def rewrite_laws(
    fn: Callable[[Circuit], Circuit],
    *,
    circuits: SearchStrategy[Circuit] | None = None,
    only: Iterable[str] | None = None,
    settings: hypothesis.settings | None = None,
) -> Callable[[], None]:
    """Make the property test of a function from circuits to circuits of the same meaning.

    Args:
        fn: Function from a circuit to a circuit; a global phase may change.
        circuits: Strategy of circuits to try it on; default: up to 4 qubits and 8 ops of all kinds.
        only: Names of the laws to check, from `REWRITE_LAWS`; default: all.
        settings: Hypothesis settings; default: the profile.

    Returns:
        A test function for pytest.

    Raises:
        TypeError: If `fn` can't be called, or `circuits` is not a strategy.
        ValueError: If there is no law of a name.

    Examples:
        >>> test_double_inverse = rewrite_laws(lambda circuit: circuit.inverse().inverse())
        >>> test_double_inverse()
    """
    if not callable(fn):
        got, remedy = a_kind(fn), "Give a function from circuits to circuits."
        raise TypeError(message("rewrite_laws", "fn", fn, "be a function", got, remedy))
    drawn = default_circuits() if circuits is None else circuits
    if not isinstance(drawn, SearchStrategy):
        got, remedy = a_kind(drawn), "Give `strategies.circuits(...)`."
        raise TypeError(message("rewrite_laws", "circuits", drawn, "be a strategy", got, remedy))
    return law_test(fn, REWRITE_LAWS, rewrite_cases(drawn), only, settings)
