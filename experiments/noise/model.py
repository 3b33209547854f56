"""The classifier of experiment 1 with a channel on both wires of every CNOT.

⟨Z0⟩ is linear in the density matrix that the layers are given. So its gradient by that matrix is an
observable: what the layers, noise and all, make of Z0 (the Heisenberg picture). Found once for a
seed, it gives ⟨Z0⟩ of every sample as an expectation value in the sample's encoded state, which has
no CNOT and thus no noise.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.func import grad, grad_and_value, vmap
from torch.nn.functional import binary_cross_entropy_with_logits

import quilt_func as qf
from experiments._classifier import N_QUBITS, WIRES, Z0, Variant, circuit, layer
from experiments._desk import Desk, map_leaves
from quilt_func import noise
from quilt_func.noise import Channel

CHANNELS: Mapping[str, Channel] = {
    "depolarizing": noise.depolarizing,
    "amplitude damping": noise.amplitude_damping,
}
SCALES = (1, 3, 5)
"""Times as much noise, by folding: `U`, `U U† U`, `U U† U U† U`."""


def noisy(channel: Channel, strength: Tensor, plain: qf.Circuit) -> qf.Circuit:
    """The circuit with a channel after every CNOT, on both of its wires."""
    return noise.with_noise(plain, noise.noise_model(noise.rule(channel, strength, gates=qf.cx)))


def expectation(channel: Channel, strength: Tensor, theta: Tensor, x: Tensor) -> Tensor:
    """⟨Z0⟩ of one sample, as it is defined: `theta` is (n_layers, 4, 2), `x` is (4,)."""
    return qf.expval(qf.run_density(noisy(channel, strength, circuit(theta, x))), Z0)


def observable(channel: Channel, strength: Tensor, theta: Tensor, scale: int = 1) -> qf.Hermitian:
    """What folded noisy layers make of Z0.

    Folding the encoding as well would change nothing: it has no noise, so that it cancels.
    """
    layers = noise.fold_global(qf.circuit(N_QUBITS, map(layer, theta)), scale)
    whole = noisy(channel, strength, layers)
    size = 2**N_QUBITS
    anywhere = torch.zeros(size, size, dtype=theta.dtype.to_complex(), device=theta.device)
    slope: Tensor = grad(lambda rho: qf.expval(qf.run_density(whole, rho), Z0))(anywhere)
    return qf.hermitian(slope)


def encoded(x: Tensor) -> Tensor:
    """Encoded states (seeds, n, 16) of features (seeds, n, 4)."""
    return vmap(vmap(lambda one: qf.circuit(N_QUBITS, qf.ry(one, WIRES))()))(x)


def values(
    channel: Channel, strength: Tensor, theta: Tensor, states: Tensor, scale: int = 1
) -> Tensor:
    """⟨Z0⟩ of many samples of one seed, by their encoded states (n, 16)."""
    z0 = observable(channel, strength, theta, scale)
    return vmap(lambda state: qf.expval(state, z0))(states)


def train(
    variant: Variant,
    channel: Channel,
    strengths: Tensor,
    params: dict[str, Tensor],
    states: Tensor,
    y: Tensor,
    *,
    learning_rate: float,
    epochs: int,
    desk: Desk,
    label: str,
) -> dict[str, Tensor]:
    """Train all seeds at all strengths at once: Adam on the whole training part.

    Args:
        variant: How ⟨Z0⟩ becomes a logit.
        channel: What acts after every CNOT.
        strengths: Its strengths (k,).
        params: Stacked parameters of the seeds to start from, at every strength.
        states: Encoded training points (seeds, n, 16).
        y: Their labels (seeds, n).
        learning_rate: Adam's.
        epochs: Number of steps.
        desk: Shows the progress and keeps unfinished work.
        label: Name of the work.

    Returns:
        Parameters, stacked on (k, seeds).
    """
    optimiser = qf.optim.adam(learning_rate)

    def loss(params: dict[str, Tensor], states: Tensor, y: Tensor, strength: Tensor) -> Tensor:
        found = values(channel, strength, params["theta"], states)
        return binary_cross_entropy_with_logits(variant.logit(params, found), y)

    over_seeds = vmap(grad_and_value(loss), (0, 0, 0, None))
    over_strengths = vmap(over_seeds, (0, None, None, 0))

    def step(carry: Any) -> tuple[Any, Tensor]:
        params, state = carry
        grads, losses = over_strengths(params, states, y, strengths)
        updates, state = vmap(vmap(optimiser.update))(grads, state, params)
        return (qf.optim.apply_updates(params, updates), state), losses

    start = map_leaves(lambda leaf: leaf.expand(len(strengths), *leaf.shape).clone(), params)
    carry = start, vmap(vmap(optimiser.init))(start)
    (params, _), _ = desk.scan(label, qf.jit(step), carry, epochs)
    return params


def estimates(exact: Tensor, u: Tensor) -> Tensor:
    """Means of as many outcomes ±1 as there are uniform numbers, for expectation values.

    Args:
        exact: Expectation values (...).
        u: Uniform numbers (..., shots).
    """
    return 2 * (u < (1 + exact[..., None]) / 2).to(exact.dtype).mean(-1) - 1
