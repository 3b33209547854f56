r"""Templates: plain functions from parameters or data to circuit parts, with initial parameters.

A template returns a tuple of parts on the wires from 0 up; give it to `circuit(n_qubits, ...)`,
and move that with `on`: `circuit(6, circuit(2, template(...)).on(4, 5))`. Each `init_*` maps
uniform numbers to parameters and draws nothing. Layers are the first axis of every parameter
tensor, wires the second:

    >>> import torch
    >>> from quilt_func import circuit, expval, pauli_sum, uniforms
    >>> params = init_hardware_efficient(uniforms((2, 3, 2), seed_or_generator=0))
    >>> def energy(params):
    ...     return expval(circuit(3, hardware_efficient(params))(), pauli_sum({"ZZI": 1.0}))
    >>> torch.func.grad(energy)(params).shape
    torch.Size([2, 3, 2])

A layer has one op for each kind of gate, however many wires there are. Angles are in radians.
"""

from quilt_func.ansatz.encodings import (
    amplitude_encoding,
    angle_encoding,
    data_reuploading,
    init_data_reuploading,
    iqp_encoding,
)
from quilt_func.ansatz.evolutions import pauli_evolution
from quilt_func.ansatz.layers import (
    Entangler,
    brickwork,
    entangler_pairs,
    hardware_efficient,
    init_brickwork,
    init_hardware_efficient,
    init_strongly_entangling,
    strongly_entangling,
)
from quilt_func.ansatz.optimisation import (
    Mixer,
    WarmStart,
    init_qaoa,
    interpolate_qaoa,
    qaoa,
    ramp_qaoa,
    warm_start,
)
from quilt_func.ansatz.preparation import prepare_state
from quilt_func.ansatz.unitaries import inverse_qft, permute_wires, qft, two_qubit_unitary

__all__ = [
    "Entangler",
    "Mixer",
    "WarmStart",
    "amplitude_encoding",
    "angle_encoding",
    "brickwork",
    "data_reuploading",
    "entangler_pairs",
    "hardware_efficient",
    "init_brickwork",
    "init_data_reuploading",
    "init_hardware_efficient",
    "init_qaoa",
    "init_strongly_entangling",
    "interpolate_qaoa",
    "inverse_qft",
    "iqp_encoding",
    "pauli_evolution",
    "permute_wires",
    "prepare_state",
    "qaoa",
    "qft",
    "ramp_qaoa",
    "strongly_entangling",
    "two_qubit_unitary",
    "warm_start",
]
