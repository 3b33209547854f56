"""Noise models of Aer and Cirq as rules of ours."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quilt_func.convert.names import OF_QISKIT
from quilt_func.convert.peers import imported, is_a, refusal
from quilt_func.convert.recognition import Named, little_endian_kraus, recognised
from quilt_func.gates import u
from quilt_func.noise import NoiseModel, NoiseRule, noise_model, rule
from quilt_func.ops import Gate

_ALSO = {"u2": u}
"""Gates of noise models that are read as a gate of the table."""


def of_aer(function: str, given: Any) -> NoiseModel:
    """An Aer model: errors by gate, for all qubits or for some, and readout errors."""
    rules: list[NoiseRule] = []
    for name, error in given._default_quantum_errors.items():
        gate = _gate(function, given, name)
        rules += _rules(function, error, gate, None)
        if name in given._local_quantum_errors:
            remedy = "Give the one for all qubits to each qubit, by `add_quantum_error`."
            raise refusal(
                function, "given", given, f"errors of `{name}` for all and for some", remedy
            )
    for name, errors in given._local_quantum_errors.items():
        gate = _gate(function, given, name)
        for qubits, error in errors.items():
            _check_order(function, given, name, gate, errors, tuple(qubits))
            if len(qubits) < 2 or qubits[0] <= qubits[-1] or tuple(qubits[::-1]) not in errors:
                rules += _rules(function, error, gate, tuple(qubits))
    if given._custom_noise_passes:
        remedy = "Write what it adds as channels of the circuit."
        raise refusal(
            function, "given", given, "a pass of its own, such as relaxation of delays", remedy
        )
    return noise_model(*rules, readout=_readout(given))


def _gate(function: str, given: Any, name: str) -> Gate:
    gate = OF_QISKIT.get(name) or _ALSO.get(name)
    if gate is None:
        remedy = "Take it out; gates of the table can have errors."
        raise refusal(function, "given", given, f"an error of `{name}`", remedy)
    return gate


def _check_order(
    function: str, given: Any, name: str, gate: Gate, errors: Mapping[Any, Any], qubits: Any
) -> None:
    """A rule is for a set of wires in any order, so that both orders must have one error."""
    if len(qubits) < 2:
        return
    other = errors.get(tuple(qubits[::-1])) if len(qubits) == 2 else None
    own = little_endian_kraus(errors[qubits], len(qubits))
    if other is not None and _same(own, little_endian_kraus(other, 2)):
        return
    if other is None and len(qubits) == 2 and "diagonal" in gate.tags and _is_even(own):
        return
    what = f"an error of `{name}` on {qubits} alone, and not on the same wires in another order"
    raise refusal(function, "given", given, what, "Give both orders the same error.")


def _superoperator(operators: Sequence[Any]) -> Any:
    return sum(np.kron(one, one.conj()) for one in operators)


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return bool(np.abs(_superoperator(one) - _superoperator(other)).max() < 1e-12)


def _is_even(operators: Sequence[Any]) -> bool:
    """Whether two wires can change places."""
    swapped = np.eye(4)[[0, 2, 1, 3]]
    return _same(operators, [swapped @ one @ swapped for one in operators])


def _rules(function: str, error: Any, gate: Gate, wires: Any) -> list[NoiseRule]:
    n = error.num_qubits
    if n != gate.n_wires:
        what = f"an error on {n} qubit(s) of `{gate.name}`"
        raise refusal(
            function, "given", error, what, "Give an error on as many qubits as the gate."
        )
    places = None if wires is None else [wires[0] if n == 1 else wires]
    return [
        rule(one.channel, *one.strengths, gates=gate, wires=places)
        for one in recognised(little_endian_kraus(error, n))
    ]


def _readout(given: Any) -> Tensor | None:
    """Matrices `A[measured, true]`; Aer's rows are true outcomes."""
    local = {qubits[0]: error for qubits, error in given._local_readout_errors.items()}
    default = given._default_readout_error
    if not local:
        return None if default is None else _confusion(default)
    other = torch.eye(2, dtype=torch.float64) if default is None else _confusion(default)
    wires = range(max(local) + 1)
    return torch.stack([_confusion(local[w]) if w in local else other for w in wires])


def _confusion(error: Any) -> Tensor:
    return torch.from_numpy(np.asarray(error.probabilities, np.float64).T.copy())


def of_cirq_model(function: str, given: Any) -> NoiseModel:
    """Cirq's constant noise: a channel on every qubit after every moment."""
    cirq = imported(function, "cirq")
    if is_a(given, "_NoNoiseModel"):
        return noise_model()
    if not is_a(given, "ConstantQubitNoiseModel") or getattr(given, "_prepend", False):
        remedy = "Give a channel on one qubit, or write the noise into the circuit: `with_noise`."
        raise refusal(function, "given", given, f"`{type(given).__name__}`", remedy)
    operators = [np.asarray(one) for one in cirq.kraus(given.qubit_noise_gate)]
    found: list[Named] = recognised(operators)
    return noise_model(
        *(
            rule(one.channel, *one.strengths, when=when)
            for when in ("after", "idle")
            for one in found
        )
    )
