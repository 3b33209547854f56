r"""Channels in which a qubit loses energy, or the memory of its phase.

All are one map with three numbers: a qubit in |1⟩ falls with probability `down`, one in |0⟩ is
excited with probability `up`, and coherences shrink by a factor. As a superoperator that is linear
in the three.

References:
    Nielsen and Chuang (2010), section 8.3.
    Krantz et al. (2019), arXiv:1904.06560, section III, for T1 and T2.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from quilt_func.noise.channels import Basis, Channel, Mixture, Table, root
from quilt_func.ops import found_in

_UNIT = (0.0, 1.0)
_TIME = (0.0, math.inf)


def _entries(*places: tuple[int, int, float]) -> np.ndarray:
    found = np.zeros((4, 4), np.complex128)
    for row, column, value in places:
        found[row, column] = value
    return found


_BASIS = Basis([
    _entries((0, 0, 1), (3, 3, 1)),  # populations that stay
    _entries((0, 3, 1), (3, 3, -1)),  # that fall
    _entries((3, 0, 1), (0, 0, -1)),  # that are excited
    _entries((1, 1, 1), (2, 2, 1)),  # coherences
])  # fmt: skip
_Numbers = Callable[..., tuple[Tensor, Tensor, Tensor]]
"""From strengths to `down`, `up`, and the factor of coherences."""


def _row(
    name: str, symbol: str, numbers: _Numbers, names: tuple[str, ...], doc: str,
    bounds: tuple[tuple[float, float], ...] = (),
    joint: tuple[str, Callable[..., bool]] | None = None, mixture: Mixture | None = None,
) -> Channel:  # fmt: skip
    def superoperator(*strengths: Tensor) -> Tensor:
        down, up, factor = numbers(*strengths)
        return _BASIS.combined(torch.ones_like(down), down, up, factor)

    def kraus(*strengths: Tensor) -> Tensor:
        return _kraus(*numbers(*strengths))

    return Channel(
        name=name,
        n_wires=1,
        n_params=len(names),
        matrix=superoperator,
        symbol=(symbol,),
        doc=doc,
        origin=found_in("quilt_func.noise.relaxation", name),
        param_names=names,
        kraus=kraus,
        mixture=mixture,
        bounds=bounds or (_UNIT,) * len(names),
        joint=joint,
    )


def _kraus(down: Tensor, up: Tensor, factor: Tensor) -> Tensor:
    """Four operators: nothing seen, the rest of the dephasing, a fall, an excitation."""
    stays = 1 - up
    is_positive = stays > 0
    quotient = torch.where(is_positive, factor / torch.where(is_positive, stays, 1.0), 0.0)
    zero = torch.zeros_like(down)
    first = root(stays)
    rows = [
        [first, zero, zero, quotient * first],
        [zero, zero, zero, root((1 - down - factor * quotient).clamp(min=0))],
        [zero, root(down), zero, zero],
        [zero, zero, root(up), zero],
    ]
    real = torch.stack([torch.stack(row, -1) for row in rows], -2)
    found: Tensor = torch.complex(real, torch.zeros_like(real)).unflatten(-1, (2, 2))
    return found


def _damping(gamma: Tensor, excited: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return gamma * (1 - excited), gamma * excited, root(1 - gamma)


def _thermal(t: Tensor, t1: Tensor, t2: Tensor, excited: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    gamma = -torch.expm1(-t / t1)
    return gamma * (1 - excited), gamma * excited, (-t / t2).exp()


_FLIP = Table(np.stack([np.eye(2), np.diag([1, -1])]).astype(np.complex128))


def _flips(gamma: Tensor) -> tuple[Tensor, Tensor]:
    """The mixture that shrinks coherences as much: Z with probability (1 - sqrt(1 - gamma)) / 2."""
    p = (1 - root(1 - gamma)) / 2
    return torch.stack([1 - p, p], -1), _FLIP.like(gamma)


amplitude_damping = _row(
    "amplitude_damping", "AD", lambda gamma: _damping(gamma, torch.zeros_like(gamma)), ("gamma",),
    "A qubit in |1> falls to |0> with probability gamma.",
)  # fmt: skip
generalized_amplitude_damping = _row(
    "generalized_amplitude_damping", "GAD", _damping, ("gamma", "excited"),
    "With probability gamma a qubit relaxes, to |1> with probability excited.",
)  # fmt: skip
phase_damping = _row(
    "phase_damping", "PD", lambda g: (torch.zeros_like(g), torch.zeros_like(g), root(1 - g)),
    ("gamma",),
    "Coherences shrink by sqrt(1 - gamma).", mixture=_flips,
)  # fmt: skip
thermal_relaxation = _row(
    "thermal_relaxation", "TR", _thermal, ("t", "t1", "t2", "excited"),
    "During t, populations relax as exp(-t/t1), coherences as exp(-t/t2).",
    (_TIME, _TIME, _TIME, _UNIT),
    ("keep t2 at 2 * t1 or below, and both above 0", lambda _, t1, t2, __: 0 < t2 <= 2 * t1),
)  # fmt: skip
reset_channel = _row(
    "reset_channel", "Reset", lambda p: (p, torch.zeros_like(p), 1 - p), ("p",),
    "With probability p the qubit is reset to |0>.",
)  # fmt: skip
