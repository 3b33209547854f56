"""The classifier of experiment 1, which others put to tests of their own: circuit, logit, score."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import quilt_func as qf
from experiments._data import Points

N_QUBITS = 4
WIRES = range(N_QUBITS)
EVEN_PAIRS, ODD_PAIRS = [(0, 1), (2, 3)], [(1, 2)]
Z0 = qf.pauli_sum({"ZIII": 1.0})
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

    def logit(self, params: Mapping[str, Tensor], value: Tensor) -> Tensor:
        """From ⟨Z0⟩ to the logit; positive means class 1."""
        scale, bias = (params.get(name, START[name]) for name in ("scale", "bias"))
        return self.unit * (scale * value + bias)


PAPERS = Variant("paper's setting")
BETTER = Variant("scale and bias, x5", ("scale", "bias"), unit=5.0)


def layer(theta: Tensor) -> tuple[qf.Op, ...]:
    """One layer of the paper's circuit; `theta` is (4, 2), radians."""
    rotations = qf.ry(theta[:, 0], WIRES), qf.rz(theta[:, 1], WIRES)
    return *rotations, qf.cx(EVEN_PAIRS), qf.cx(ODD_PAIRS)


def circuit(theta: Tensor, x: Tensor, reupload: bool = False) -> qf.Circuit:
    """One sample's circuit: `theta` is (n_layers, 4, 2), `x` is (4,), one angle per wire."""
    encoding, layers = qf.ry(x, WIRES), map(layer, theta)
    parts: list[Any] = [(encoding, each) for each in layers] if reupload else [encoding, *layers]
    return qf.circuit(N_QUBITS, parts)


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


def to_wires(points: Points, device: str) -> tuple[Tensor, Tensor]:
    """Features (seeds, n, 4) and labels (seeds, n): feature i % n_features on wire i."""
    x, y = (torch.tensor(array, dtype=torch.float32, device=device) for array in points)
    return x[..., [wire % x.shape[-1] for wire in WIRES]], y


def accuracy(logits: Tensor, y: Tensor) -> Tensor:
    """Share of the points (seeds, n) that lie on the right side of 0, by seed."""
    return ((logits > 0) == (y > 0.5)).double().mean(1)


def best_threshold(logits: Tensor, y: Tensor) -> Tensor:
    """The threshold (seeds, 1) with the best accuracy on these points; ties go to the lowest."""
    ordered = logits.sort(1).values
    middles = (ordered[:, 1:] + ordered[:, :-1]) / 2
    candidates = torch.cat([ordered[:, :1] - 1, middles, ordered[:, -1:] + 1], 1)
    right = (logits[:, None, :] > candidates[:, :, None]) == (y[:, None, :] > 0.5)
    return candidates.gather(1, right.double().mean(2).argmax(1, keepdim=True))
