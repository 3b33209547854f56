"""What `help(channel)` shows: what the channel does, its strengths, and its Kraus operators."""

import math
from textwrap import fill
from typing import Any

import torch

from quilt_func._gate_help import shown, summary

_EXAMPLE = 0.1
"""A strength in [0, 1]; others are 1."""
_WIDTH = 79
_MOST_WIRES = 1
"""Kraus operators of more fill more than a page."""


def text_of(channel: Any) -> str:
    """Explain one channel."""
    about = (
        f"{_strengths(channel)}It makes an op, a part of a `circuit`: `run_density` runs that to a "
        "density matrix, `run_trajectory` to a sample."
    )
    parts = [summary(channel), f"{channel.form}\n{fill(about, _WIDTH)}", *_operators(channel)]
    return "\n\n".join(parts)


def _strengths(channel: Any) -> str:
    if not channel.bounds:
        return ""
    pairs = zip(channel.param_names, channel.bounds, strict=True)
    text = ", ".join(f"{name} in {_interval(*ends)}" for name, ends in pairs)
    joint = f"; they must {channel.joint[0]}" if channel.joint else ""
    kinds = "Python numbers or real tensors, one for each wire set or one for all"
    return f"Strengths are {kinds}: {text}{joint}. "


def _interval(low: float, high: float) -> str:
    left = "(-inf" if math.isinf(low) else f"[{low:g}"
    return f"{left}, inf)" if math.isinf(high) else f"{left}, {high:g}]"


def _operators(channel: Any) -> list[str]:
    """Its Pauli words and their probabilities, or its Kraus operators, at an example."""
    numbers = [_EXAMPLE if high == 1 else 1.0 for _, high in channel.bounds]
    if channel.param_shape or not numbers:
        return []
    tensors = [torch.tensor([number], dtype=torch.float64) for number in numbers]
    pairs = zip(channel.param_names, numbers, strict=True)
    where = ", ".join(f"{name} = {number:g}" for name, number in pairs)
    if channel.words:
        found = zip(channel.words, channel.mixture(*tensors)[0][0].tolist(), strict=True)
        text = ", ".join(f"{word} {probability:.4g}" for word, probability in found)
        return [fill(f"Probabilities of Pauli words at {where}: {text}.", _WIDTH)]
    if channel.kraus is None or channel.n_wires > _MOST_WIRES:
        return []
    operators = channel.kraus(*tensors)[0].resolve_conj().numpy()
    kept = [operator for operator in operators if operator.round(4).any()]
    return ["\n".join([f"Kraus operators at {where}:", *map(shown, kept)])]
