"""Hypothesis strategies for angles, wires, states, matrices, gates, circuits, noise, data.

They draw structure and a seed, never 2^n floats: numbers that fill a tensor come from
`quilt_func.uniforms` at a drawn seed. Failing examples shrink to few qubits, few and early gates of
the table, and seed 0. As in hypothesis, a bad argument raises `InvalidArgument` when an example is
drawn.
"""

from quilt_func.testing.strategies.random_circuits import (
    circuits,
    gates,
    ops,
    pauli_sums,
    pauli_words,
)
from quilt_func.testing.strategies.random_dynamics import dynamic_circuits
from quilt_func.testing.strategies.random_noise import (
    channel_ops,
    channels,
    noise_models,
    noisy_circuits,
)
from quilt_func.testing.strategies.random_tensors import (
    angles,
    datasets,
    hermitians,
    params_like,
    product_states,
    states,
    uniforms,
    unitaries,
    wires,
)

__all__ = [
    "angles",
    "channel_ops",
    "channels",
    "circuits",
    "datasets",
    "dynamic_circuits",
    "gates",
    "hermitians",
    "noise_models",
    "noisy_circuits",
    "ops",
    "params_like",
    "pauli_sums",
    "pauli_words",
    "product_states",
    "states",
    "uniforms",
    "unitaries",
    "wires",
]
