"""The paper's classifier and its variants: circuit, logit, training of all seeds at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.func import grad_and_value, vmap
from torch.nn.functional import binary_cross_entropy_with_logits

import quilt_func as qf
from experiments._classifier import BETTER, PAPERS, Z0, Variant, circuit
from experiments._desk import Desk

SEEDS_AT_ONCE = 32  # when many points are evaluated
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


def expectation(theta: Tensor, x: Tensor, reupload: bool = False) -> Tensor:
    """⟨Z0⟩ of one sample: `theta` is (n_layers, 4, 2), `x` is (4,), one angle per wire."""
    return qf.expval(circuit(theta, x, reupload)(), Z0)


def logit(variant: Variant, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """The model: one sample in, one number out; positive means class 1."""
    return variant.logit(params, expectation(params["theta"], x, variant.reupload))


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
