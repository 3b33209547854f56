"""The table of channels."""

from quilt_func.noise.given_channels import over_rotation_x, over_rotation_y, over_rotation_z
from quilt_func.noise.pauli_mixtures import (
    bit_flip,
    bit_phase_flip,
    depolarizing,
    pauli_channel,
    phase_flip,
    two_qubit_depolarizing,
)
from quilt_func.noise.relaxation import (
    amplitude_damping,
    generalized_amplitude_damping,
    phase_damping,
    reset_channel,
    thermal_relaxation,
)

CHANNELS = (
    bit_flip, phase_flip, bit_phase_flip, pauli_channel, depolarizing, two_qubit_depolarizing,
    amplitude_damping, generalized_amplitude_damping, phase_damping, thermal_relaxation,
    reset_channel, over_rotation_x, over_rotation_y, over_rotation_z,
)  # fmt: skip
"""The rows of the table, in the order of the reference pages."""
