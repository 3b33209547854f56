"""The paper's classifier and its variants: circuit, logit, training of all seeds at once."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import grad_and_value, vmap
from torch.nn.functional import binary_cross_entropy_with_logits

import quilt_func as qf
from experiments._desk import Desk

N_QUBITS = 4
WIRES = range(N_QUBITS)
EVEN_PAIRS, ODD_PAIRS = [(0, 1), (2, 3)], [(1, 2)]
Z0 = qf.pauli_sum({"ZIII": 1.0})
SEEDS_AT_ONCE = 32  # when many points are evaluated
START = {"scale": 1.0, "bias": 0.0}


@dataclass(frozen=True)
class Variant:
    """How the data enter the circuit, and how ⟨Z0⟩ becomes `unit * (scale * ⟨Z0⟩ + bias)`.

    Args:
        name: Name in the table.
        trains: Which of "scale" and "bias" are trained beside the angles; the others stay 1 and 0.
        unit: Constant factor. Adam moves a parameter by about its learning rate a step, so the
            unit decides how far the logit gets in few steps.
        reupload: Whether the data enter before every layer, not only before the first.
    """

    name: str
    trains: tuple[str, ...] = ()
    unit: float = 1.0
    reupload: bool = False


PAPERS = Variant("paper's setting")
BETTER = Variant("scale and bias, x5", ("scale", "bias"), unit=5.0)
VARIANTS = (
    PAPERS,
    Variant("bias alone", ("bias",)),
    Variant("scale alone", ("scale",)),
    Variant("scale and bias", ("scale", "bias")),
    BETTER,
    Variant("x5, re-uploading", ("scale", "bias"), unit=5.0, reupload=True),
)


@dataclass(frozen=True)
class Trained:
    """All seeds of a variant after training.

    Args:
        batch: The model on many samples: parameters and (n, 4) features to (n,) logits.
        params: Stacked parameters.
        losses: Training loss before every step, (epochs, seeds).
        parts: Features (seeds, n, 4) and labels (seeds, n), by part of the split.
    """

    batch: Callable[..., Tensor]
    params: dict[str, Tensor]
    losses: Tensor
    parts: Mapping[str, tuple[Tensor, Tensor]]

    def logits(self, x: Tensor) -> Tensor:
        """Evaluate every seed on its own points (seeds, n, 4)."""
        return vmap(self.batch, chunk_size=SEEDS_AT_ONCE)(self.params, x)


def layer(theta: Tensor) -> tuple[qf.Op, ...]:
    """One layer of the paper's circuit; `theta` is (4, 2), radians."""
    rotations = qf.ry(theta[:, 0], WIRES), qf.rz(theta[:, 1], WIRES)
    return *rotations, qf.cx(EVEN_PAIRS), qf.cx(ODD_PAIRS)


def expectation(theta: Tensor, x: Tensor, reupload: bool = False) -> Tensor:
    """⟨Z0⟩ of one sample: `theta` is (n_layers, 4, 2), `x` is (4,), one angle per wire."""
    encoding, layers = qf.ry(x, WIRES), map(layer, theta)
    parts: list[Any] = [(encoding, each) for each in layers] if reupload else [encoding, *layers]
    return qf.expval(qf.circuit(N_QUBITS, parts)(), Z0)


def logit(variant: Variant, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """The model: one sample in, one number out; positive means class 1."""
    scale, bias = (params.get(name, START[name]) for name in ("scale", "bias"))
    return variant.unit * (scale * expectation(params["theta"], x, variant.reupload) + bias)


def initial_params(
    variant: Variant, n_seeds: int, n_layers: int = 4, device: str = "cpu"
) -> dict[str, Tensor]:
    """Stacked parameters, angles uniform in [0, 2π); a seed's don't depend on the others."""
    shape = (n_layers, N_QUBITS, 2)
    angles = [qf.uniforms(shape, seed, device=device) for seed in range(n_seeds)]
    params = {"theta": 2 * math.pi * torch.stack(angles)}
    for name in variant.trains:
        params[name] = torch.full((n_seeds,), START[name], device=device)
    return params


def train(
    variant: Variant,
    params: dict[str, Tensor],
    parts: Mapping[str, tuple[Tensor, Tensor]],
    *,
    learning_rate: float = 0.05,
    epochs: int = 80,
    desk: Desk | None = None,
) -> Trained:
    """Train all seeds of a variant at once: Adam on the whole training part.

    Args:
        variant: The model.
        params: Stacked parameters to start from.
        parts: Features (seeds, n, 4) and labels (seeds, n) by part; "train" is trained on.
        learning_rate: Adam's.
        epochs: Number of steps.
        desk: Shows the progress and keeps unfinished work.
    """
    batch = vmap(lambda params, x: logit(variant, params, x), (None, 0))
    optimiser = qf.optim.adam(learning_rate)

    def loss(params: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(batch(params, x), y)

    def step(carry: Any) -> tuple[Any, Tensor]:
        params, state = carry
        grads, losses = vmap(grad_and_value(loss))(params, *parts["train"])
        updates, state = vmap(optimiser.update)(grads, state, params)
        return (qf.optim.apply_updates(params, updates), state), losses

    carry = params, vmap(optimiser.init)(params)
    (params, _), losses = (desk or Desk()).scan(variant.name, qf.jit(step), carry, epochs)
    return Trained(batch, params, losses, parts)
