"""Systems that are solved on paper: value, gradient and Hessian as formulas of the angles.

Each derivation is one line: a rotation `exp(-i θ P / 2)` turns the expectation of an observable
that anticommutes with `P` by θ, `⟨O⟩ → cos θ ⟨O⟩ + sin θ ⟨i[P, O]/2⟩`, and leaves others alone.
`build` gets the library and the angles, and returns a circuit and the words of an observable.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, sin
from typing import Any

import numpy as np


@dataclass(frozen=True)
class ClosedForm:
    name: str
    n_angles: int
    build: Callable[[Any, Any], Any]
    value: Callable[..., float]
    gradient: Callable[..., list[float]]
    hessian: Callable[..., list[list[float]]]


def ry_z(qf, t):
    """|0⟩ turned about Y: ⟨Z⟩ = cos θ."""
    return qf.circuit(1, qf.ry(t[0], 0)), {"Z": 1.0}


def rx_y(qf, t):
    """|0⟩ turned about X: ⟨Y⟩ = -sin θ."""
    return qf.circuit(1, qf.rx(t[0], 0)), {"Y": 1.0}


def products(qf, t):
    """Two qubits turned apart: ⟨ZZ⟩ = cos a cos b."""
    return qf.circuit(2, qf.ry(t, [0, 1])), {"ZZ": 1.0}


def parity(qf, t):
    """A CNOT turns Z on the target into ZZ: ⟨IZ⟩ = cos a cos b."""
    return qf.circuit(2, qf.rx(t, range(2)), qf.cx(0, 1)), {"IZ": 1.0}


def ising_pair(qf, t):
    """`rxx` turns ZI to -YX and IZ to -XY, from 1 on |00⟩: ⟨ZI⟩ = cos θ, ⟨XY⟩ = -sin θ."""
    return qf.circuit(2, qf.rxx(t[0], 0, 1)), {"ZI": 2.0, "XY": 1.0}


def euler(qf, t):
    """`u` on |0⟩ points to (θ, φ) on the sphere, whatever λ: ⟨X⟩ = sin θ cos φ."""
    return qf.circuit(1, qf.u(t[0], t[1], t[2], 0)), {"X": 1.0}


def ramsey(qf, t):
    """Half turn, detuning a, half turn about an axis at phase b: ⟨Z⟩ = -cos(a - b)."""
    second = [qf.rz(-t[1], 0), qf.rx(np.pi / 2, 0), qf.rz(t[1], 0)]
    return qf.circuit(1, qf.rx(np.pi / 2, 0), qf.rz(t[0], 0), second), {"Z": 1.0}


def ghz_phase(qf, t):
    """A GHZ state of 4 qubits gathers four times the phase: ⟨XXXX⟩ = cos 4θ."""
    circuit = qf.circuit(4, qf.h(0), qf.cx([(0, 1), (1, 2), (2, 3)]), qf.rz(t[0], range(4)))
    return circuit, {"XXXX": 1.0}


def control(qf, t):
    """A control in |+⟩ lets half of the turn through: ⟨IZ⟩ = (1 + cos θ) / 2."""
    return qf.circuit(2, qf.h(0), qf.crx(t[0], 0, 1)), {"IZ": 1.0}


def kickback(qf, t):
    """A phase on |11⟩ with the second wire in |1⟩ turns the first: ⟨XI⟩ = cos θ."""
    return qf.circuit(2, qf.h(0), qf.x(1), qf.cp(t[0], 0, 1)), {"XI": 1.0}


def interference(qf, t):
    """`rzz` on |++⟩ gives ⟨XI⟩ = cos a and ⟨ZI⟩ = 0; `ry` then turns X to -Z: cos a cos b."""
    return qf.circuit(2, qf.h([0, 1]), qf.rzz(t[0], 0, 1), qf.ry(t[1], 0)), {"XI": 1.0}


CLOSED_FORMS = [
    ClosedForm("ry_z", 1, ry_z, cos, lambda t: [-sin(t)], lambda t: [[-cos(t)]]),
    ClosedForm("rx_y", 1, rx_y, lambda t: -sin(t), lambda t: [-cos(t)], lambda t: [[sin(t)]]),
    *(
        ClosedForm(
            build.__name__,
            2,
            build,
            lambda a, b: cos(a) * cos(b),
            lambda a, b: [-sin(a) * cos(b), -cos(a) * sin(b)],
            lambda a, b: [
                [-cos(a) * cos(b), sin(a) * sin(b)],
                [sin(a) * sin(b), -cos(a) * cos(b)],
            ],
        )
        for build in (products, parity, interference)
    ),
    ClosedForm(
        "ising_pair",
        1,
        ising_pair,
        lambda t: 2 * cos(t) - sin(t),
        lambda t: [-2 * sin(t) - cos(t)],
        lambda t: [[-2 * cos(t) + sin(t)]],
    ),
    ClosedForm(
        "euler",
        3,
        euler,
        lambda a, b, c: sin(a) * cos(b),
        lambda a, b, c: [cos(a) * cos(b), -sin(a) * sin(b), 0.0],
        lambda a, b, c: [
            [-sin(a) * cos(b), -cos(a) * sin(b), 0.0],
            [-cos(a) * sin(b), -sin(a) * cos(b), 0.0],
            [0.0, 0.0, 0.0],
        ],
    ),
    ClosedForm(
        "ramsey",
        2,
        ramsey,
        lambda a, b: -cos(a - b),
        lambda a, b: [sin(a - b), -sin(a - b)],
        lambda a, b: [[cos(a - b), -cos(a - b)], [-cos(a - b), cos(a - b)]],
    ),
    ClosedForm(
        "ghz_phase",
        1,
        ghz_phase,
        lambda t: cos(4 * t),
        lambda t: [-4 * sin(4 * t)],
        lambda t: [[-16 * cos(4 * t)]],
    ),
    ClosedForm(
        "control",
        1,
        control,
        lambda t: (1 + cos(t)) / 2,
        lambda t: [-sin(t) / 2],
        lambda t: [[-cos(t) / 2]],
    ),
    ClosedForm("kickback", 1, kickback, cos, lambda t: [-sin(t)], lambda t: [[-cos(t)]]),
]
