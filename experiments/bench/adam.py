"""Adam with operators alone, so that one text serves the arrays of every library."""

from collections.abc import Callable
from typing import Any, TypeAlias

Carry: TypeAlias = tuple[Any, Any, Any, Any]
"""Angles, mean slope, mean square slope, number of the step."""


def start(theta: Any) -> Carry:
    """What the first step takes."""
    return theta, 0.0 * theta, 0.0 * theta, 0.0


def step(
    carry: Carry, value_and_grad: Callable[[Any], Any], rate: float = 0.05
) -> tuple[Carry, Any]:
    """One step: what the next one takes, and the loss before it."""
    theta, mean, square, t = carry
    loss, slope = value_and_grad(theta)
    t = t + 1.0
    mean = 0.9 * mean + 0.1 * slope
    square = 0.999 * square + 0.001 * slope * slope
    scale = (square / (1 - 0.999**t)) ** 0.5 + 1e-8
    return (theta - (rate / (1 - 0.9**t)) * mean / scale, mean, square, t), loss


def losses(theta: Any, n_steps: int, value_and_grad: Callable[[Any], Any]) -> list[Any]:
    """The losses along the way."""
    carry, found = start(theta), []
    for _ in range(n_steps):
        carry, loss = step(carry, value_and_grad)
        found.append(loss)
    return found
