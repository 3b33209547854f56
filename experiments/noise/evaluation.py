"""What noise does to trained classifiers, and what mends it: accuracies, losses, errors of ⟨Z0⟩.

Every setting is judged twice: by expectation values, and by as many shots for each decision. An
extrapolation has no more of them: it shares them among its scales.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import vmap
from torch.nn.functional import binary_cross_entropy_with_logits

import quilt_func as qf
from experiments._classifier import Variant, accuracy, best_threshold
from experiments._record import Row, spread
from quilt_func import noise

from .model import CHANNELS, SCALES, estimates, values

IGNORED, FITTED, WITH_NOISE = "noise ignored", "threshold fitted", "trained with noise"
EXTRAPOLATIONS = {
    "extrapolated, line": "linear",
    "extrapolated, Richardson": "richardson",
    "extrapolated, decay": "exponential",
}
METHODS = (IGNORED, FITTED, WITH_NOISE, *EXTRAPOLATIONS)
ASYMPTOTES: Mapping[str, float | None] = {"depolarizing": 0.0, "amplitude damping": None}
"""What ⟨Z0⟩ tends to with ever more noise, where that is known."""
VALUES_AT_ONCE = 4096
TRAIN_SEED, FRESH_SEED = 2_000_000, 3_000_000  # uniforms of seed s are drawn with s + these


class Part(NamedTuple):
    """Encoded states (seeds, n, 16), labels (seeds, n), and uniforms (seeds, n, shots)."""

    states: Tensor
    y: Tensor
    u: Tensor


@dataclass(frozen=True)
class Data:
    """What all settings are judged on: the same points and the same uniforms."""

    train: Part
    fresh: Part


def part(states: Tensor, y: Tensor, shots: int, first_seed: int) -> Part:
    """Points with uniform numbers; a seed's don't depend on the others."""
    n_seeds, n = y.shape
    drawn = [qf.uniforms((n, shots), first_seed + seed, device=y.device) for seed in range(n_seeds)]
    return Part(states, y, torch.stack(drawn))


def rows(
    variant: Variant,
    channel: str,
    strength: Tensor,
    clean: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    data: Data,
) -> Iterator[Row]:
    """Judge one setting by every method.

    Args:
        variant: How ⟨Z0⟩ becomes a logit.
        channel: Name of what acts after every CNOT.
        strength: Its strength, ().
        clean: Parameters (seeds, ...) that were trained without noise.
        own: Those that were trained at this strength.
        data: What they are judged on.
    """
    scaled = _values(channel, strength, clean, data.fresh, SCALES)
    ideal = _values(channel, torch.zeros_like(strength), clean, data.fresh)[0]
    shared = [estimates(z, u) for z, u in zip(scaled, _shares(data.fresh.u), strict=True)]
    with_noise = _values(channel, strength, own, data.fresh)[0]
    cuts = _thresholds(variant, channel, strength, clean, data.train)
    found: dict[str, tuple[Tensor, Tensor]] = {
        IGNORED: (scaled[0], estimates(scaled[0], data.fresh.u)),
        FITTED: (scaled[0], estimates(scaled[0], data.fresh.u)),
        WITH_NOISE: (with_noise, estimates(with_noise, data.fresh.u)),
    }
    for method, name in EXTRAPOLATIONS.items():
        exact, sampled = (_extrapolated(z, name, ASYMPTOTES[channel]) for z in (scaled, shared))
        found[method] = exact, sampled
    for method, both in found.items():
        params = own if method == WITH_NOISE else clean
        summary: dict[str, Any] = {"part": f"{variant.name}, {channel}", "model": variant.name}
        summary |= {"channel": channel, "strength": round(strength.item(), 6), "method": method}
        for prefix, value, cut in zip(("", "shots_"), both, cuts, strict=True):
            logits = _logits(variant, params, value) - (cut if method == FITTED else 0.0)
            summary |= _judged(prefix, logits, data.fresh.y)
            if method != WITH_NOISE:  # other angles: nothing to compare with
                summary[f"{prefix}error"] = (value - ideal).square().mean().sqrt().item()
        yield {**summary, "abs_value": both[0].abs().mean().item()}


def _logits(variant: Variant, params: Mapping[str, Tensor], value: Tensor) -> Tensor:
    found: Tensor = vmap(variant.logit)(params, value)
    return found


def _judged(prefix: str, logits: Tensor, y: Tensor) -> dict[str, float]:
    loss = binary_cross_entropy_with_logits(logits, y).item()
    found = {**spread(accuracy(logits, y)), "loss": loss}
    return {f"{prefix}{key}": value for key, value in found.items()}


def _values(
    channel: str,
    strength: Tensor,
    params: Mapping[str, Tensor],
    points: Part,
    scales: tuple[int, ...] = (1,),
) -> Tensor:
    """⟨Z0⟩ by scale, seed and point."""
    row = CHANNELS[channel]
    return torch.stack([
        vmap(lambda theta, states, s=scale: values(row, strength, theta, states, s))(
            params["theta"], points.states
        )
        for scale in scales
    ])  # fmt: skip


def _shares(u: Tensor) -> tuple[Tensor, ...]:
    return u.tensor_split(len(SCALES), -1)


def _extrapolated(scaled: Tensor | list[Tensor], name: str, asymptote: float | None) -> Tensor:
    """⟨Z0⟩ (seeds, n) without noise, from those at each scale; it lies within ±1."""
    asymptote = asymptote if name == "exponential" else None

    def one(found: Tensor) -> Tensor:
        return noise.extrapolate(SCALES, found, method=name, asymptote=asymptote).value

    stacked = torch.stack(list(scaled), -1)
    flat: Tensor = vmap(one, chunk_size=VALUES_AT_ONCE)(stacked.flatten(0, -2))
    return flat.reshape(stacked.shape[:-1]).clamp(-1, 1)


def _thresholds(
    variant: Variant, channel: str, strength: Tensor, params: Mapping[str, Tensor], train: Part
) -> tuple[Tensor, Tensor]:
    """What separates noisy training points best, by expectation values and by shots."""
    exact = _values(channel, strength, params, train)[0]
    logits = (_logits(variant, params, z) for z in (exact, estimates(exact, train.u)))
    first, second = (best_threshold(found, train.y) for found in logits)
    return first, second
