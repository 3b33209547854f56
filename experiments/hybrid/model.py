"""Three networks for digits that differ in one layer, and their training by `torch.optim`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

import quilt_func as qf
from experiments._desk import Desk, map_leaves

N_CLASSES, N_PIXELS = 10, 64


@dataclass(frozen=True)
class Setting:
    """What a network and its training depend on, beside the seed.

    Args:
        n_qubits: Width of the middle of the network, and wires of its circuit.
        n_layers: Layers of the circuit.
        epochs: Passes over the training points.
        batch_size: Points in a step.
        learning_rate: Adam's.
        device: Torch device.
    """

    n_qubits: int
    n_layers: int
    epochs: int
    batch_size: int
    learning_rate: float
    device: str


class Angles(nn.Module):
    """Numbers to angles between -π and π, or between -1 and 1 where no circuit follows."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Squash each entry by itself."""
        return self.scale * x.tanh()


def expectations(params: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """⟨Z⟩ of every wire for one sample: `theta` is (n_layers, n, 2), `x` is (n,), radians."""
    n = len(x)
    ring = [(wire, (wire + 1) % n) for wire in range(n)]
    layers = (
        (qf.ry(theta[:, 0], range(n)), qf.rz(theta[:, 1], range(n)), qf.cx(ring))
        for theta in params["theta"].unbind(0)
    )
    state = qf.circuit(n, qf.ry(x, range(n)), layers)()
    words = ["I" * wire + "Z" + "I" * (n - 1 - wire) for wire in range(n)]
    return qf.expval(state, [qf.pauli_sum({word: 1.0}) for word in words])


def quantum(setting: Setting) -> list[nn.Module]:
    """The circuit of `expectations`, its angles trained."""
    n = setting.n_qubits
    theta = torch.zeros(setting.n_layers, n, 2)
    return [Angles(math.pi), qf.nn.QuantumLayer(expectations, {"theta": theta}, in_shape=(n,))]


def classical(setting: Setting) -> list[nn.Module]:
    """A layer of the usual kind."""
    n = setting.n_qubits
    return [Angles(1.0), nn.Linear(n, n), nn.Tanh()]


def nothing(setting: Setting) -> list[nn.Module]:
    """No layer, only the squashing."""
    del setting
    return [Angles(1.0)]


MIDDLES = {"with a circuit": quantum, "with a classical layer": classical, "without": nothing}


def network(middle: str, setting: Setting, seed: int) -> nn.Sequential:
    """A linear map down, the middle, a linear map up to the classes; parameters by the seed."""
    n = setting.n_qubits
    modules = [nn.Linear(N_PIXELS, n), *MIDDLES[middle](setting), nn.Linear(n, N_CLASSES)]
    generator = Generator().manual_seed(seed)
    with torch.no_grad():
        for module in modules:
            bound = math.pi
            if isinstance(module, nn.Linear):
                bound = 1 / math.sqrt(module.in_features)  # torch's own
            for parameter in module.parameters():
                parameter.uniform_(-bound, bound, generator=generator)
    return nn.Sequential(*modules).to(setting.device)


@dataclass(frozen=True)
class Trained:
    """One seed of a network after training.

    Args:
        network: The network.
        losses: Mean training loss of every epoch, (epochs,).
    """

    network: nn.Sequential
    losses: Tensor

    def accuracy(self, x: Tensor, y: Tensor) -> Tensor:
        """Share of points (n, 64) whose class is found."""
        with torch.no_grad():
            found: Tensor = self.network(x).argmax(1)
            return (found == y).double().mean()

    @property
    def n_parameters(self) -> int:
        """Number of trained numbers."""
        return sum(parameter.numel() for parameter in self.network.parameters())


def train(
    middle: str, setting: Setting, seed: int, x: Tensor, y: Tensor, desk: Desk | None = None
) -> Trained:
    """Train by Adam on batches that a `DataLoader` shuffles.

    Args:
        middle: One of `MIDDLES`.
        setting: Sizes and rates.
        seed: Of the start and of the shuffling.
        x: Training points, (n, 64).
        y: Their classes, (n,).
        desk: Shows the progress and keeps unfinished work.
    """
    model = network(middle, setting, seed)
    points = TensorDataset(x, y)

    def epoch(carry: Any) -> tuple[Any, Tensor]:
        """An epoch from a network's and an optimiser's state to the next ones."""
        number, weights, moments = carry
        model.load_state_dict(weights)
        optimiser = torch.optim.Adam(model.parameters(), setting.learning_rate)
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": moments, "param_groups": groups})
        shuffle = Generator().manual_seed(1_000_000 * (seed + 1) + int(number))
        losses = [
            _step(model, optimiser, *batch)
            for batch in DataLoader(points, setting.batch_size, shuffle=True, generator=shuffle)
        ]
        state = optimiser.state_dict()["state"]
        return _copied((number + 1, model.state_dict(), state)), torch.stack(losses).mean()

    zeros = {
        i: {
            "step": torch.zeros(()),
            "exp_avg": torch.zeros_like(p),
            "exp_avg_sq": torch.zeros_like(p),
        }
        for i, p in enumerate(model.parameters())
    }
    start = _copied((torch.zeros((), dtype=torch.int64), dict(model.state_dict()), zeros))
    carry, losses = (desk or Desk()).scan(f"{middle}, seed {seed}", epoch, start, setting.epochs)
    model.load_state_dict(carry[1])
    return Trained(model, losses)


def _step(model: nn.Module, optimiser: torch.optim.Optimizer, x: Tensor, y: Tensor) -> Tensor:
    optimiser.zero_grad()
    loss = cross_entropy(model(x), y)
    loss.backward()
    optimiser.step()
    return loss.detach()


def _copied(tree: Any) -> Any:
    """Tensors that later steps, which work in place, leave alone."""
    return map_leaves(lambda leaf: leaf.detach().clone(), tree)
