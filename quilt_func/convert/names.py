"""What the gates and channels of the tables are called in Qiskit, PennyLane and Cirq."""

from collections.abc import Callable
from typing import Any, NamedTuple

from quilt_func.derived import controlled
from quilt_func.gates import (
    GATES,
    ccx,
    ccz,
    ch,
    cp,
    crx,
    cry,
    crz,
    cswap,
    cx,
    cy,
    cz,
    double_excitation,
    givens,
    h,
    id,  # noqa: A004  # OpenQASM's name
    iswap,
    p,
    rx,
    rxx,
    ry,
    ryy,
    rz,
    rzz,
    s,
    sdg,
    single_excitation,
    swap,
    sx,
    sxdg,
    t,
    tdg,
    u,
    x,
    y,
    z,
)
from quilt_func.noise import (
    Channel,
    amplitude_damping,
    bit_flip,
    depolarizing,
    generalized_amplitude_damping,
    phase_damping,
    phase_flip,
    thermal_relaxation,
)
from quilt_func.ops import Gate


class Names(NamedTuple):
    """One gate elsewhere.

    Attributes:
        qiskit: Its `name`; nothing for what is written as a product of rotations about words.
        pennylane: Its `name`.
        cirq: Its class; nothing for what is written by `ControlledGate`, or as other gates.
        exponent: Of a class of powers: a number, or None for the angle over π.
        shift: `global_shift` of a class of powers.
    """

    qiskit: str
    pennylane: str
    cirq: str = ""
    exponent: float | None = 1.0
    shift: float = 0.0


NAMES: dict[Gate, Names] = {
    id: Names("id", "Identity", "IdentityGate"),
    x: Names("x", "PauliX", "XPowGate"),
    y: Names("y", "PauliY", "YPowGate"),
    z: Names("z", "PauliZ", "ZPowGate"),
    h: Names("h", "Hadamard", "HPowGate"),
    s: Names("s", "S", "ZPowGate", 0.5),
    sdg: Names("sdg", "Adjoint(S)", "ZPowGate", -0.5),
    t: Names("t", "T", "ZPowGate", 0.25),
    tdg: Names("tdg", "Adjoint(T)", "ZPowGate", -0.25),
    sx: Names("sx", "SX", "XPowGate", 0.5),
    sxdg: Names("sxdg", "Adjoint(SX)", "XPowGate", -0.5),
    rx: Names("rx", "RX", "XPowGate", None, -0.5),
    ry: Names("ry", "RY", "YPowGate", None, -0.5),
    rz: Names("rz", "RZ", "ZPowGate", None, -0.5),
    p: Names("p", "PhaseShift", "ZPowGate", None),
    u: Names("u", "U3"),
    cx: Names("cx", "CNOT", "CXPowGate"),
    cy: Names("cy", "CY"),
    cz: Names("cz", "CZ", "CZPowGate"),
    ch: Names("ch", "CH"),
    cp: Names("cp", "ControlledPhaseShift", "CZPowGate", None),
    crx: Names("crx", "CRX"),
    cry: Names("cry", "CRY"),
    crz: Names("crz", "CRZ"),
    swap: Names("swap", "SWAP", "SwapPowGate"),
    iswap: Names("iswap", "ISWAP", "ISwapPowGate"),
    rxx: Names("rxx", "IsingXX", "XXPowGate", None, -0.5),
    ryy: Names("ryy", "IsingYY", "YYPowGate", None, -0.5),
    rzz: Names("rzz", "IsingZZ", "ZZPowGate", None, -0.5),
    single_excitation: Names("", "SingleExcitation", "PhasedISwapPowGate", None),
    double_excitation: Names("", "DoubleExcitation"),
    ccx: Names("ccx", "Toffoli", "CCXPowGate"),
    ccz: Names("ccz", "CCZ", "CCZPowGate"),
    cswap: Names("cswap", "CSWAP", "CSwapGate"),
}
"""The table: one line for a gate."""

MULTIPLES = {givens: (single_excitation, 2.0)}
"""Gates that are another one at a multiple of their angle, and are written as that one."""

OF_QISKIT = {names.qiskit: row for row, names in NAMES.items() if names.qiskit}
OF_QISKIT |= {"u1": p, "u3": u, "cu1": cp}
"""Gates by Qiskit's names, older ones of equal matrices among them."""

OF_PENNYLANE = {names.pennylane: row for row, names in NAMES.items()}

ROTATIONS = {"XPowGate": rx, "YPowGate": ry, "ZPowGate": rz, "XXPowGate": rxx, "YYPowGate": ryy,
             "ZZPowGate": rzz}  # fmt: skip
"""Cirq's powers of Pauli words: `exp(i π t (shift + 1/2))` times a rotation by π t."""

CONTROLS = {"CXPowGate": (1, "XPowGate"), "CZPowGate": (1, "ZPowGate"),
            "CCXPowGate": (2, "XPowGate"), "CCZPowGate": (2, "ZPowGate")}  # fmt: skip
"""Cirq's controlled powers: the number of controls, and the class below them."""

CONSTANT_POWERS = {
    (names.cirq, names.exponent): row
    for row, names in NAMES.items()
    if names.exponent is not None and names.shift == 0
}
"""Gates without angles, by Cirq's class and its exponent."""

BASES = {controlled(row): row for row in GATES}
"""What a controlled gate of the table is the controlled gate of."""


CHANNELS_OF_PENNYLANE: dict[str, tuple[Channel, Callable[..., tuple[Any, ...]]]] = {
    "BitFlip": (bit_flip, lambda p: (p,)),
    "PhaseFlip": (phase_flip, lambda p: (p,)),
    "DepolarizingChannel": (depolarizing, lambda p: (p,)),
    "AmplitudeDamping": (amplitude_damping, lambda gamma: (gamma,)),
    "GeneralizedAmplitudeDamping": (generalized_amplitude_damping, lambda g, e: (g, e)),
    "PhaseDamping": (phase_damping, lambda gamma: (gamma,)),
    "ThermalRelaxationError": (thermal_relaxation, lambda pe, t1, t2, tg: (tg, t1, t2, pe)),
}
"""PennyLane's channels, and our strengths of theirs."""
