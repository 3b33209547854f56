"""pyqtorch: plain autograd, and its adjoint gradient for wide circuits.

`pyqtorch.run` and `pyqtorch.expectation` turn whole states into text for their log, whether or not
anyone reads it. What they call is called directly here.
"""

from collections.abc import Callable
from typing import Any

import pyqtorch as pyq
import torch
from pyqtorch.differentiation import AdjointExpectation
from pyqtorch.noise import Depolarizing
from pyqtorch.utils import density_mat
from torch import Tensor

from ..circuits import Observable, Rows
from ..workloads import STRENGTH, Work
from .base import Run, gate_sets, sparse_word
from .torch_tools import Energy, States, energy_run, tasks

AUTOGRAD_WIRES = 18
ROTATIONS: dict[str, Any] = {"rx": pyq.RX, "ry": pyq.RY, "rz": pyq.RZ}
CONSTANTS: dict[str, Any] = {"h": pyq.H, "cx": pyq.CNOT, "cz": pyq.CZ}
LETTERS: dict[str, Any] = {"X": pyq.X, "Y": pyq.Y, "Z": pyq.Z}


def _energy_run(work: Work) -> Run:
    """Energy and gradient by plain autograd, or where memory is dear by the adjoint method.

    Undoing a CNOT whose control comes after its target, the adjoint method of pyqtorch 1.7.8 gives
    wrong gradients; circuits with such gates stay with autograd.
    """
    rows = [row for row in work.circuit.rows if row.gate == "cx"]
    ascending = all(a < b for row in rows for a, b in row.wires)
    wide = work.circuit.n > AUTOGRAD_WIRES
    return energy_run(work, _adjoint(work) if wide and ascending else _energy(work))


def _energy(work: Work) -> Energy:
    expectation = _expectation(work)
    return lambda theta: expectation(theta).sum()


def _expectation(work: Work) -> Callable[..., Tensor]:
    states, observable = _run(work), _observable(work.measured)

    def expectation(theta: Tensor, x: Tensor | None = None) -> Tensor:
        found: Tensor = observable.expectation(states(theta, x))
        return found

    return expectation


def _adjoint(work: Work) -> Energy:
    circuit, observable = _circuit(work), _observable(work.measured)

    def expectation(theta: Tensor) -> Tensor:
        values = _values(theta, None)
        found: Tensor = AdjointExpectation.apply(
            circuit, circuit.init_state(), observable, None, values.keys(), *values.values()
        )
        return found.sum()

    return expectation


def _noise(work: Work) -> Run:
    """Energy and gradient of a density matrix."""
    circuit, observable = _circuit(work, STRENGTH), _observable(work.measured)

    def energy(theta: Tensor) -> Tensor:
        start = density_mat(circuit.init_state())
        found: Tensor = observable.expectation(circuit.run(start, _values(theta, None))).sum()
        return found

    return energy_run(work, energy)


def _states(work: Work) -> States:
    run = _run(work)

    def states(theta: Tensor, x: Tensor | None) -> Tensor:
        found = run(theta, x)
        return found.reshape(-1, found.shape[-1]).T

    return states


def _run(work: Work) -> Callable[..., Tensor]:
    circuit = _circuit(work)

    def run(theta: Tensor, x: Tensor | None = None) -> Tensor:
        start = circuit.init_state(1 if x is None else len(x))
        found: Tensor = circuit.run(start, _values(theta, x))
        return found

    return run


def _values(theta: Tensor, x: Tensor | None) -> dict[str, Tensor]:
    values = {} if x is None else {f"x{i}": column for i, column in enumerate(x.unbind(-1))}
    for i, layer in enumerate(theta.unbind(-2)):
        values |= {f"t{i}_{j}": angle for j, angle in enumerate(layer.unbind(-1))}
    return values


def _circuit(work: Work, p: float = 0.0) -> Any:
    parts: list[tuple[str, Rows]] = [("x", work.circuit.prefix)]
    parts += [(f"t{i}_", rows) for i, rows in enumerate(work.circuit.layers)]
    gates: list[Any] = []
    for source, rows in parts:
        for gate, wires, column in gate_sets(rows):
            gates += _gate(gate, wires, f"{source}{column}")
            gates += [Depolarizing(wire, p) for wire in wires] if p else []
    return pyq.QuantumCircuit(work.circuit.n, gates).to(torch.complex64)


def _gate(gate: str, wires: tuple[int, ...], name: str) -> list[Any]:
    if gate == "rzz":
        low, high = sorted(wires)
        return [pyq.CNOT(low, high), pyq.RZ(high, name), pyq.CNOT(low, high)]
    if gate in ROTATIONS:
        return [ROTATIONS[gate](wires[0], name)]
    return [CONSTANTS[gate](*wires)]


def _observable(observable: Observable) -> Any:
    def term(word: str, coefficient: float) -> Any:
        letters = [LETTERS[letter](wire) for wire, letter in sparse_word(word)]
        product = letters[0] if len(letters) == 1 else pyq.Sequence(letters)
        return pyq.Scale(product, torch.tensor(coefficient))

    terms = map(term, observable.words, observable.coefficients)
    return pyq.Observable(list(terms)).to(torch.complex64)


TASKS = {**tasks(_energy, _expectation, _states), "energy": _energy_run, "noise": _noise}
