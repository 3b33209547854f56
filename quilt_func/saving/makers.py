"""Functions that make rows, by their names in a file."""

from collections.abc import Callable

from quilt_func.derived import conjugate, controlled, inverse
from quilt_func.gates import linear_gate, unitary_gate, word_gate
from quilt_func.noise import superoperator_channel
from quilt_func.ops import Gate

MAX_WIRES = 10
"""A wider gate's matrix would take more than 16 MiB to make, whatever the file says."""
OF_A_VALUE: dict[str, Callable[..., Gate]] = {
    "unitary": unitary_gate,
    "linear": linear_gate,
    "superoperator": superoperator_channel,
    "pauli_rot": word_gate,
}
OF_A_GATE: dict[str, Callable[..., Gate]] = {
    "controlled": controlled,
    "inverse": inverse,
    "conjugate": conjugate,
}
"""Makers of rows by their name in a file, but for `power`, which takes an exponent too."""
