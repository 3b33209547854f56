"""Many repetitions of one estimate: what each says of its error, and how far they spread."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

import quilt_func as qf
from experiments._desk import Desk
from experiments._record import Row

from .model import CLIFFORD, PAULI, System, Way

AT_ONCE, SHADOWS_AT_ONCE = 500_000, 20_000
"""Shots at once, of all repetitions that are mapped over; each of a shadow has its own circuit."""
TOLERANCE = 0.1
"""How far the stated error may be from the spread, as a share of it."""
ERRORS = 4.0
"""Standard errors that the mean of all repetitions may be off by."""


def repetitions(
    way: Way, n_shots: int, seeds: int, device: str, desk: Desk, label: str
) -> tuple[Tensor, Tensor]:
    """Means and stated errors (seeds,) of as many estimates; a seed's don't depend on the others.

    Args:
        way: How it is measured.
        n_shots: Shots of each repetition.
        seeds: Number of repetitions.
        device: Torch device.
        desk: Shows the progress and keeps unfinished work.
        label: Name of the work.
    """
    at_once = chunk(seeds, n_shots, SHADOWS_AT_ONCE if way.n_numbers else AT_ONCE)
    form = (n_shots, way.n_numbers) if way.n_numbers else (n_shots,)

    def step(first: Tensor) -> tuple[Tensor, Tensor]:
        own = range(int(first), int(first) + at_once)
        drawn = [qf.uniforms(form, seed, dtype=torch.float64, device=device) for seed in own]
        found = vmap(way.estimate)(torch.stack(drawn))
        return first + at_once, torch.stack([found.mean, found.error])

    _, records = desk.scan(label, step, torch.tensor(0), seeds // at_once)
    mean, error = records.movedim(1, 0).flatten(1)
    return mean, error


def chunk(seeds: int, n_shots: int, shots_at_once: int) -> int:
    """How many repetitions at once: a divisor of their number."""
    most = max(1, shots_at_once // n_shots)
    return max(size for size in range(1, min(most, seeds) + 1) if seeds % size == 0)


def row(system: System, way: Way, n_shots: int, mean: Tensor, error: Tensor) -> Row:
    """Summarise the repetitions of one way.

    Returns:
        The exact value, the mean of all and how many of its standard errors that is off, the spread
        of repetitions, the error that they state as a root mean square, the ratio of the two, and
        the variance of an estimate times its shots.
    """
    mean, error = (one.detach().cpu().double() for one in (mean, error))
    spread, stated = mean.std().item(), error.square().mean().sqrt().item()
    off = (mean.mean().item() - system.exact) / (spread / math.sqrt(len(mean)))
    found: dict[str, Any] = {"part": system.name, "method": way.method}
    found |= {"allocation": way.allocation, "circuits": way.n_circuits or None, "shots": n_shots}
    found |= {"words": len(system.observable.words), "exact": system.exact}
    found |= {"mean": mean.mean().item(), "off": off, "spread": spread, "stated": stated}
    ratio = stated / spread
    is_sound = abs(ratio - 1) <= TOLERANCE and abs(off) <= ERRORS
    return {**found, "ratio": ratio, "cost": stated**2 * n_shots, "sound": is_sound}


def is_shadow(method: str) -> bool:
    """Whether circuits are drawn."""
    return method in (PAULI, CLIFFORD)
