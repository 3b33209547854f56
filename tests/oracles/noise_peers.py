"""Noisy circuits in other libraries, each channel written as the table of `docs/noise.md` says.

A plan is a list of rows, gates or channels, each with its wires; together with one number after the
other for their parameters it is a circuit, here and there. Wire 0 is the most significant bit.
"""

import math
import re
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch

import quilt_func as qf
from quilt_func import noise

PAGE = Path(__file__).parents[2] / "docs" / "noise.md"
GATES = (qf.h, qf.s, qf.rx, qf.ry, qf.rz, qf.cx, qf.cz, qf.swap)
FLIP = ("XY", "ZZ"), ("XYZ",)
ROWS = {row.name: row for row in (*noise.CHANNELS, noise.kraus_channel(2, 2))}
ROWS |= {f"pauli_errors({list(words)})".replace("'", '"'): noise.pauli_errors(words)
         for words in FLIP}  # fmt: skip


@cache
def table():
    """From a library's name to the cells of its column: `(row, names of strengths, text)`."""
    lines = PAGE.read_text(encoding="utf-8").split("## Conventions")[1].splitlines()
    header, _, *body = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
                        for line in lines if line.startswith("|")]  # fmt: skip
    found = {library: [] for library in header[1:]}
    for here, *cells in body:
        name, names = re.fullmatch(r"`(.+)\((.*?)\)`", here).groups()
        if name in ROWS:
            for library, cell in zip(header[1:], cells, strict=True):
                texts = re.findall(r"`(.+?)`", cell)
                found[library] += [(ROWS[name], names.split(", "), text) for text in texts]
    return found


def filled(plan, numbers):
    """Each row with its own numbers and wires."""
    first = 0
    for row, wires in plan:
        yield row, list(numbers[first : first + row.n_params]), wires
        first += row.n_params


def circuit_of(n, plan, numbers):
    return qf.circuit(n, [row(*own, *wires) for row, own, wires in filled(plan, numbers)])


def strengths(row, u):
    """Numbers for which a row is a channel or gate, of uniform numbers `(n_params,)`."""
    if row is noise.thermal_relaxation:
        t1 = 0.5 + u[1]
        return torch.stack([u[0], t1, 2 * t1 * u[2], u[3]])
    if row.n_params == 1 or row is noise.generalized_amplitude_damping:
        return u if isinstance(row, noise.Channel) else 2 * math.pi * u
    return u / max(1, row.n_params)


class Peer:
    """What the libraries have in common.

    Attributes:
        frozen: Beginnings of those cells that its automatic gradients do not reach.
        automatic: Whether it differentiates.
        scale: Its rounding against that of the numbers' precision.
    """

    frozen: tuple = ()
    automatic = False
    scale = 1.0

    def __init__(self, cells=None):
        cells = table()[self.name] if cells is None else cells
        self.cells = {row: (names, text) for row, names, text in reversed(cells)}

    @property
    def rows(self):
        return (*GATES, *self.cells)

    def is_automatic(self, plan):
        texts = [self.cells[row][1] for row, _ in plan if row in self.cells]
        return self.automatic and not any(text.startswith(self.frozen) for text in texts)

    def written(self, row, numbers, namespace):
        names, text = self.cells[row]
        return eval(text, namespace, dict(zip(names, numbers, strict=True)))

    def activated(self):
        return contextmanager(lambda: iter([None]))()


class Aer(Peer):
    """Its wire 0 is the least significant: wires are counted from the other end, and reversed."""

    name = "Aer"

    def __init__(self, cells=None):
        super().__init__(cells)
        self.aer = pytest.importorskip("qiskit_aer")
        self.qiskit = pytest.importorskip("qiskit")
        self.namespace = vars(self.aer.noise)
        self.simulator = self.aer.AerSimulator(method="density_matrix")

    def circuit(self, n, plan, numbers):
        made = self.qiskit.QuantumCircuit(n)
        for row, own, wires in filled(plan, numbers):
            places = [n - 1 - wire for wire in wires]
            if row in self.cells:
                made.append(self.written(row, own, self.namespace), places[::-1])
            else:
                getattr(made, row.name)(*own, *places)
        return made

    def density(self, n, plan, numbers):
        made = self.circuit(n, plan, numbers)
        made.save_density_matrix()
        return self.simulator.run(made, shots=1).result().data()["density_matrix"].data


class PennyLane(Peer):
    """It adds 1e-14 to what it takes a root of."""

    name = "PennyLane"
    scale = 16.0
    automatic = True
    frozen = ("ThermalRelaxationError", "QubitChannel")

    def __init__(self, cells=None):
        super().__init__(cells)
        self.qml = qml = pytest.importorskip("pennylane")
        self.gates = {"h": qml.Hadamard, "s": qml.S, "rx": qml.RX, "ry": qml.RY, "rz": qml.RZ,
                      "cx": qml.CNOT, "cz": qml.CZ, "swap": qml.SWAP}  # fmt: skip

    @contextmanager
    def activated(self):
        """Its RZ of a 0-d double is in the default precision, on this device."""
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            yield
        finally:
            torch.set_default_dtype(before)

    def density(self, n, plan, numbers):
        qml = self.qml
        device = qml.device("default.mixed", wires=n)

        @qml.qnode(device, interface="torch", diff_method="backprop")
        def node():
            for row, own, wires in filled(plan, numbers):
                if row in self.cells:
                    space = {name: partial(getattr(qml, name), wires=wires)
                             for name in qml.ops.channel.__all__}  # fmt: skip
                    self.written(row, own, space)
                else:
                    self.gates[row.name](*own, wires=wires)
            return qml.density_matrix(range(n))

        return node()

    def slopes(self, n, plan, numbers, observable):
        leaf = numbers.clone().requires_grad_()
        value = torch.einsum("ij,ji->", self.density(n, plan, leaf), torch.as_tensor(observable))
        value.real.backward()
        return leaf.grad.numpy()


class Cirq(Peer):
    name = "Cirq"

    def __init__(self, cells=None):
        super().__init__(cells)
        self.cirq = cirq = pytest.importorskip("cirq")
        self.simulator = cirq.DensityMatrixSimulator(dtype=np.complex128)
        self.gates = {"h": cirq.H, "s": cirq.S, "rx": cirq.rx, "ry": cirq.ry, "rz": cirq.rz,
                      "cx": cirq.CNOT, "cz": cirq.CZ, "swap": cirq.SWAP}  # fmt: skip

    def circuit(self, n, plan, numbers):
        qubits = self.cirq.LineQubit.range(n)
        made = self.cirq.Circuit()
        for row, own, wires in filled(plan, numbers):
            if row in self.cells:
                gate = self.written(row, own, vars(self.cirq))
            else:
                gate = self.gates[row.name](*own) if own else self.gates[row.name]
            made.append(gate.on(*(qubits[wire] for wire in wires)))
        return made, qubits

    def density(self, n, plan, numbers):
        made, qubits = self.circuit(n, plan, numbers)
        return self.simulator.simulate(made, qubit_order=qubits).final_density_matrix


class TensorCircuit(Peer):
    """Values by its numpy backend, gradients by JAX."""

    name = "TensorCircuit-NG"
    automatic = True
    frozen = ("isotropicdepolarizingchannel", "generaldepolarizingchannel", "thermalrelaxation")

    def __init__(self, cells=None):
        super().__init__(cells)
        self.tc = pytest.importorskip("tensorcircuit")

    @contextmanager
    def activated(self, backend="numpy"):
        """Its settings are global: put them back."""
        before = self.tc.backend.name, self.tc.dtypestr
        self.tc.set_backend(backend)
        self.tc.set_dtype("complex128")
        try:
            yield
        finally:
            self.tc.set_backend(before[0])
            self.tc.set_dtype(before[1])

    def density(self, n, plan, numbers):
        made = self.tc.DMCircuit(n)
        for row, own, wires in filled(plan, numbers):
            if row in self.cells:
                operators = self.written(row, own, vars(self.tc.channels))
                made.general_kraus(operators, *wires)
            else:
                angle = {"theta": own[0]} if own else {}
                getattr(made, row.name)(*wires, **angle)
        return made.densitymatrix()

    def slopes(self, n, plan, numbers, observable):
        jax = pytest.importorskip("jax")

        def value(leaf):
            rho = self.density(n, plan, leaf)
            return jax.numpy.einsum("ij,ji->", rho, observable).real

        with self.activated("jax"):
            return np.asarray(jax.grad(value)(jax.numpy.asarray(numbers.numpy())))


PEERS = (Aer, PennyLane, Cirq, TensorCircuit)
