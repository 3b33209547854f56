"""Samples of noisy circuits as circuits of gates, for whatever runs those.

References:
    Dalibard, Castin and Mølmer (1992), Phys. Rev. Lett. 68, 580, for trajectories.
"""

from typing import NamedTuple

from torch import Tensor

from quilt_func._checks import COMPLEX_OF, check_tensor, message
from quilt_func.circuits import Circuit, check_circuit
from quilt_func.noise.branching import Walk, by_numbers, check_no_instruments, score
from quilt_func.noise.channels import Channel
from quilt_func.noise.trajectories import n_draws


class SampledCircuit(NamedTuple):
    """One sample of a noisy circuit.

    Attributes:
        circuit: The circuit, with a unitary in the place of each channel.
        weight (real, ()): 1, with the derivative of the unitaries' probability: multiply whatever
            is measured by it before taking a mean.

    Examples:
        >>> from quilt_func import noise, circuit, h, uniforms
        >>> sample = noise.sampled_circuit(circuit(1, h(0), noise.bit_flip(0.1, 0)), uniforms(1, 0))
        >>> sample.circuit.n_gates, sample.weight
        (2, tensor(1.))
    """

    circuit: Circuit
    weight: Tensor


def sampled_circuit(circuit: Circuit, u: Tensor) -> SampledCircuit:
    """One sample of a circuit of gates and mixtures of unitaries, as a circuit of gates.

    Run, it gives the state of `run_trajectory` by the same numbers: on states that are split over
    ranks too, by `sharded.run_sharded`.

    Args:
        circuit: Gates, and channels that are mixtures of unitaries.
        u (real, (n_draws(circuit),)): Uniform numbers in [0, 1), from `uniforms`; one for each
            channel and wire set, in order.

    Returns:
        The circuit, in the precision of the given one's tensors, and its weight.

    Raises:
        TypeError: If a channel is not a mixture of unitaries, there are instruments, or `u` is not
            a real tensor on the circuit's device.
        ValueError: If there are too few or too many uniform numbers.

    Transforms:
        vmap, also over `u`, grad, jvp, hessian, of `weight * value`.

    Examples:
        >>> from quilt_func import noise, circuit, expval, uniforms
        >>> noisy = circuit(1, noise.bit_flip(0.25, [0, 0]))
        >>> sample = noise.sampled_circuit(noisy, uniforms(2, 0))
        >>> expval(sample.circuit(), {"Z": 1.0})  # one of the two has flipped it
        tensor(-1.)

    References:
        Dalibard, Castin and Mølmer (1992), Phys. Rev. Lett. 68, 580.
    """
    function = "sampled_circuit"
    check_circuit(function, "circuit", circuit)
    check_no_instruments(function, circuit)
    for op in circuit.ops:
        if isinstance(op.gate, Channel) and op.gate.mixture is None:
            need, remedy = "have mixtures of unitaries only", "Use `run_trajectory`."
            raise TypeError(message(function, "circuit", op, need, op.gate.name, remedy))
    remedy = "Draw them with `uniforms(n_draws(circuit), seed)`; map over many with `vmap`."
    form = (n_draws(circuit),)
    check_tensor(function, "u", u, COMPLEX_OF, form, remedy, need="be a real tensor")
    walk = Walk(function, circuit, by_numbers(u), None, u)
    walk.choose()
    ops = tuple(walk.waiting)
    return SampledCircuit(Circuit(circuit.n_qubits, ops), score(walk.joined(walk.taken)))
