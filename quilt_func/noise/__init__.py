"""Noise: channels as rows, and the meanings of a circuit that holds some.

A circuit may hold channels beside gates, its own or those of a noise model. `run_density` gives the
density matrix, exactly; `run_trajectory` gives one sample; `run_pattern`, `run_no_jump` and
`run_jumps` give samples of some branches. Folding, extrapolation, twirls and cancellation estimate
what there would be without noise.
"""

from quilt_func.noise.cancellation import Cancelled, cancel, cancellation_cost, n_cancels
from quilt_func.noise.channels import Channel
from quilt_func.noise.density import doubled as doubled
from quilt_func.noise.density import run_density, run_density_branches
from quilt_func.noise.density_walk import most_matrices as most_matrices
from quilt_func.noise.explaining import explain_density, explain_trajectory
from quilt_func.noise.explaining import trajectory_cost as trajectory_cost
from quilt_func.noise.extrapolation import Extrapolated, extrapolate, zero_noise
from quilt_func.noise.folding import fold_gates, fold_global, folding_scale
from quilt_func.noise.given_channels import (
    channel,
    kraus,
    over_rotation_x,
    over_rotation_y,
    over_rotation_z,
    superoperator,
)
from quilt_func.noise.given_channels import (
    kraus_channel as kraus_channel,
)
from quilt_func.noise.given_channels import (
    superoperator_channel as superoperator_channel,
)
from quilt_func.noise.jumps import run_jumps, run_no_jump
from quilt_func.noise.model import NoiseModel, NoiseRule, noise_model, rule, with_noise
from quilt_func.noise.patterns import PatternRun, Patterns, run_pattern, trajectory_patterns
from quilt_func.noise.pauli_mixtures import (
    bit_flip,
    bit_phase_flip,
    depolarizing,
    pauli_channel,
    pauli_errors,
    phase_flip,
    two_qubit_depolarizing,
)
from quilt_func.noise.readout_errors import readout, sample_readout, undo_readout
from quilt_func.noise.relaxation import (
    amplitude_damping,
    generalized_amplitude_damping,
    phase_damping,
    reset_channel,
    thermal_relaxation,
)
from quilt_func.noise.sampled_circuits import SampledCircuit, sampled_circuit
from quilt_func.noise.table import CHANNELS
from quilt_func.noise.trajectories import Trajectory, n_draws, run_trajectory, trajectory_mean
from quilt_func.noise.twirling import n_twirls, pauli_twirl, twirl

__all__ = [
    "CHANNELS",
    "Cancelled",
    "Channel",
    "Extrapolated",
    "NoiseModel",
    "NoiseRule",
    "PatternRun",
    "Patterns",
    "SampledCircuit",
    "Trajectory",
    "amplitude_damping",
    "bit_flip",
    "bit_phase_flip",
    "cancel",
    "cancellation_cost",
    "channel",
    "depolarizing",
    "explain_density",
    "explain_trajectory",
    "extrapolate",
    "fold_gates",
    "fold_global",
    "folding_scale",
    "generalized_amplitude_damping",
    "kraus",
    "n_cancels",
    "n_draws",
    "n_twirls",
    "noise_model",
    "over_rotation_x",
    "over_rotation_y",
    "over_rotation_z",
    "pauli_channel",
    "pauli_errors",
    "pauli_twirl",
    "phase_damping",
    "phase_flip",
    "readout",
    "reset_channel",
    "rule",
    "run_density",
    "run_density_branches",
    "run_jumps",
    "run_no_jump",
    "run_pattern",
    "run_trajectory",
    "sample_readout",
    "sampled_circuit",
    "superoperator",
    "thermal_relaxation",
    "trajectory_mean",
    "trajectory_patterns",
    "twirl",
    "two_qubit_depolarizing",
    "undo_readout",
    "with_noise",
    "zero_noise",
]
