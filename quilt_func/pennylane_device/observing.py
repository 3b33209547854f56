"""What is measured of a state, exactly: a plan that is made of a tape's measurements once.

Pauli sums, other observables by their matrices, and probabilities are ours; for others the state
is turned to the measurement's basis, and PennyLane's own last step makes the value.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import is_density
from quilt_func.circuits import Circuit
from quilt_func.convert import Reader, of_pauli_rep, plain_circuit
from quilt_func.densities import mutual_information
from quilt_func.gates import linear
from quilt_func.measurement import expval, marginal, probs, variance
from quilt_func.noise import run_density
from quilt_func.observables import hermitian
from quilt_func.pauli import PauliSum
from quilt_func.pennylane_device.library import qml
from quilt_func.states import entropy, purity, reduced_density

Measure = Callable[[Tensor], Tensor]
NAME = "quilt.qubit"
MAX_MATRIX = 8
"""Wires of an observable that is measured by its matrix, at most."""


class Plan:
    """Measurements of one tape, ready for states.

    Attributes:
        is_plain: Whether all is done by this package, so that it can be traced.
        needs_phase: Whether the global phase shows.
    """

    def __init__(
        self, measurements: Sequence[Any], wires: Sequence[Any], real: torch.dtype
    ) -> None:
        self._measurements = measurements
        self._places = {wire: i for i, wire in enumerate(wires)}
        self._order, self._real = qml.wires.Wires(wires), real
        self.is_plain, self.needs_phase = True, False
        self._sums: dict[int, PauliSum] = {}
        self._others: dict[int, Measure] = {}
        for i, mp in enumerate(measurements):
            found = self._of(mp)
            if isinstance(found, PauliSum):
                self._sums[i] = found
            else:
                self._others[i] = found

    def __call__(self, state: Tensor) -> tuple[Tensor, ...]:
        """The value of each measurement."""
        found = {i: measure(state) for i, measure in self._others.items()}
        if len(self._sums) == 1:
            ((i, one),) = self._sums.items()
            found[i] = expval(state, one)
        elif self._sums:
            values = expval(state, [*self._sums.values()])
            found |= zip(self._sums, values.unbind(0), strict=True)
        return tuple(found[i] for i in sorted(found))

    def _of(self, mp: Any) -> PauliSum | Measure:
        kind = type(mp).__name__
        own = [self._places[wire] for wire in mp.wires]
        if mp.mv is None and mp.obs is not None and kind == "ExpectationMP":
            return self._sum(mp.obs) or self._mean(mp.obs) or self._elsewhere(mp)
        if mp.mv is None and mp.obs is not None and kind == "VarianceMP":
            found = self._sum(mp.obs)
            return self._elsewhere(mp) if found is None else lambda state: variance(state, found)
        if kind == "ProbabilityMP" and mp.obs is None and mp.mv is None:
            return (lambda state: marginal(state, own)) if own else probs
        if kind == "StateMP" and mp.mv is None:
            self.needs_phase = True
            return lambda state: _reordered(state, own)
        if kind == "DensityMatrixMP":
            return lambda state: reduced_density(state, own)
        return self._information(mp, kind, own) or self._elsewhere(mp)

    def _information(self, mp: Any, kind: str, own: Sequence[int]) -> Measure | None:
        """Purity, and entropies in units of a base's logarithm."""
        unit = math.log(mp.log_base) if getattr(mp, "log_base", None) else 1.0
        if kind == "PurityMP":
            return lambda state: purity(reduced_density(state, own))
        if kind == "VnEntropyMP":
            return lambda state: entropy(reduced_density(state, own)) / unit
        if kind == "MutualInfoMP":
            a, b = ([self._places[wire] for wire in wires] for wires in mp.raw_wires)
            return lambda state: mutual_information(state, a, b) / unit
        return None
        return self._elsewhere(mp)

    def _sum(self, obs: Any) -> PauliSum | None:
        """As a Pauli sum, if PennyLane knows it as one."""
        if obs.pauli_rep is None:
            return None
        words = {word: _coefficient(value, self._real) for word, value in obs.pauli_rep.items()}
        return of_pauli_rep(NAME, _Sum(words), self._places, len(self._places))

    def _mean(self, obs: Any) -> Measure | None:
        """The mean of a sum by its terms, or of an observable by its matrix."""
        if isinstance(obs, qml.ops.SProd):
            inner = self._observed(obs.base)
            factor = _coefficient(obs.scalar, self._real)
            return inner and (lambda state: factor * inner(state))
        if isinstance(obs, qml.ops.Sum | qml.ops.LinearCombination):
            coefficients, terms = obs.terms()
            parts = [self._observed(term) for term in terms]
            if None in parts:
                return None
            factors = [_coefficient(one, self._real) for one in coefficients]
            return _weighted(factors, [one for one in parts if one is not None])
        if obs.name == "SparseHamiltonian":
            return _sparse_mean(obs.sparse_matrix(wire_order=self._order))
        if len(obs.wires) > MAX_MATRIX or not obs.has_matrix:
            return None
        matrix = torch.as_tensor(obs.matrix())
        own = [self._places[wire] for wire in obs.wires]
        return lambda state: _matrix_mean(state, matrix.to(state), own)

    def _observed(self, obs: Any) -> Measure | None:
        found = self._sum(obs)
        return self._mean(obs) if found is None else lambda state: expval(state, found)

    def _elsewhere(self, mp: Any) -> Measure:
        """By the basis of the measurement, and PennyLane's last step."""
        self.is_plain = False
        self.needs_phase = self.needs_phase or type(mp).__name__ == "StateMP"
        turn = rotation(mp.diagonalizing_gates(), self._places)
        order = self._order

        def measure(state: Tensor) -> Tensor:
            turned = turn(state)
            if is_density(state):
                found = mp.process_density_matrix(turned, order)
            else:
                found = mp.process_state(turned, order)
            return torch.as_tensor(found)

        return measure


class _Sum:
    """What `of_pauli_rep` reads."""

    def __init__(self, words: Mapping[Any, Any]) -> None:
        self.pauli_rep = words


def _coefficient(value: Any, real: torch.dtype) -> Any:
    """A number, or a tensor of the working precision."""
    if isinstance(value, Tensor):
        return (value.real if value.is_complex() else value).to(real)
    return complex(value).real


def rotation(gates: Sequence[Any], places: Mapping[Any, int]) -> Measure:
    """The function that applies PennyLane's gates to a state or a density matrix."""
    found = plain_circuit(len(places), Reader([*places]).operations(gates))
    if not found.ops:
        return lambda state: state
    return lambda state: run_density(found, state) if is_density(state) else found(state)


def _matrix_mean(state: Tensor, matrix: Tensor, own: Sequence[int]) -> Tensor:
    if is_density(state):
        return expval(reduced_density(state, own), hermitian(matrix))
    n = state.shape[-1].bit_length() - 1
    image = Circuit(n, (linear(matrix, *own),))(state)
    return torch.vdot(state, image).real


def _weighted(factors: Sequence[Any], parts: Sequence[Measure]) -> Measure:
    """A sum of means."""

    def measure(state: Tensor) -> Tensor:
        total = factors[0] * parts[0](state)
        for factor, part in zip(factors[1:], parts[1:], strict=True):
            total = total + factor * part(state)
        found: Tensor = total
        return found

    return measure


def _sparse_mean(matrix: Any) -> Measure:
    """By the entries of a sparse matrix: index operations, which transforms can map."""
    entries = matrix.tocoo()
    rows, columns = (torch.as_tensor(one.astype("int64")) for one in (entries.row, entries.col))
    values = torch.as_tensor(entries.data)

    def measure(state: Tensor) -> Tensor:
        own = values.to(state)
        if is_density(state):
            return (own * state[columns, rows]).sum().real
        return (state[rows].conj() * own * state[columns]).sum().real

    return measure


def _reordered(state: Tensor, own: Sequence[int]) -> Tensor:
    """The state, or density matrix, with its wires in another order."""
    n = state.shape[-1].bit_length() - 1
    if not own or [*own] == [*range(n)]:
        return state
    if is_density(state):
        axes = [*own, *(n + wire for wire in own)]
        return state.reshape((2,) * (2 * n)).permute(axes).reshape(state.shape)
    return state.reshape((2,) * n).permute([*own]).reshape(-1)


def key_of_measurement(mp: Any) -> Any:
    """What a measurement is; something unequal to all where a plan must be made anew."""
    kind = type(mp).__name__
    if mp.mv is not None or kind not in _KEYED or (mp.obs is None and kind not in _BARE):
        return object()
    return kind, tuple(mp.wires), None if mp.obs is None else _key_of_observable(mp.obs)


_BARE = frozenset({"ProbabilityMP", "StateMP", "DensityMatrixMP"})
_KEYED = _BARE | {"ExpectationMP", "VarianceMP"}


def _key_of_observable(obs: Any) -> Any:
    if obs.name in ("PauliX", "PauliY", "PauliZ"):
        return obs.name, tuple(obs.wires)
    if type(obs) is qml.ops.Prod:
        return "Prod", tuple(map(_key_of_observable, obs.operands))
    if any(isinstance(one, Tensor) for one in obs.data):
        return object()
    return "object", id(obs)  # which the plan keeps alive
