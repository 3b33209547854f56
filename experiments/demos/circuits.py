"""Ten circuits that PennyLane's demonstrations are about, written anew: parameters to one number.

Each is a function of a device and of a way to differentiate, to a function of a torch tensor. What
they have in common is what users of PennyLane write: templates, batches, channels, measurements in
the middle, observables of all kinds.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import pennylane as qml
import torch
from torch import Tensor

Loss = Callable[[Tensor], Tensor]
Node = Callable[[Callable[..., Any]], Any]
F64 = torch.float64


class Demo(NamedTuple):
    """One circuit.

    Attributes:
        title: What it is.
        n_wires: Wires of the device.
        shape: Shape of the parameters.
        make: From a QNode decorator to the function of the parameters.
        needs_mixed: Whether it has channels.
    """

    title: str
    n_wires: int
    shape: tuple[int, ...]
    make: Callable[[Node], Loss]
    needs_mixed: bool = False


def vqe(node: Node) -> Loss:
    """The energy of H2 in a minimal basis, by one double excitation and two single ones."""
    words = ["IIII", "ZIII", "IZII", "IIZI", "IIIZ", "ZZII", "ZIZI", "ZIIZ", "IZZI", "IZIZ", "IIZZ",
             "YYXX", "XXYY", "YXXY", "XYYX"]  # fmt: skip
    values = [-0.0971, 0.1714, 0.1714, -0.2234, -0.2234, 0.1687, 0.1206, 0.1659, 0.1659, 0.1206,
              0.1744, -0.0453, -0.0453, 0.0453, 0.0453]  # fmt: skip
    energy = qml.Hamiltonian(values, [qml.pauli.string_to_pauli_word(word) for word in words])

    @node
    def circuit(theta: Tensor) -> Any:
        qml.BasisState(torch.tensor([1, 1, 0, 0]), wires=range(4))
        qml.DoubleExcitation(theta[0], wires=[0, 1, 2, 3])
        qml.SingleExcitation(theta[1], wires=[0, 2])
        qml.SingleExcitation(theta[2], wires=[1, 3])
        return qml.expval(energy)

    return circuit  # type: ignore[no-any-return]


def qaoa(node: Node) -> Loss:
    """The cut of a ring with chords, two layers."""
    edges = [(i, (i + 1) % 8) for i in range(8)] + [(i, i + 4) for i in range(4)]
    cost = qml.Hamiltonian([0.5] * len(edges), [qml.Z(a) @ qml.Z(b) for a, b in edges])
    mixer = qml.Hamiltonian([1.0] * 8, [qml.X(wire) for wire in range(8)])

    @node
    def circuit(theta: Tensor) -> Any:
        for wire in range(8):
            qml.Hadamard(wire)
        for gamma, beta in theta:
            qml.qaoa.cost_layer(gamma, cost)
            qml.qaoa.mixer_layer(beta, mixer)
        return qml.expval(cost)

    return circuit  # type: ignore[no-any-return]


def classifier(node: Node) -> Loss:
    """The loss of a variational classifier, all samples in one batch."""
    x = torch.linspace(-2, 2, 4 * 24, dtype=F64).reshape(24, 4).sin()
    y = (x.sum(-1) > 0).to(F64) * 2 - 1

    @node
    def circuit(theta: Tensor) -> Any:
        qml.AngleEmbedding(x, wires=range(4))
        qml.StronglyEntanglingLayers(theta, wires=range(4))
        return qml.expval(qml.Z(0))

    return lambda theta: (circuit(theta) - y).square().mean()


def kernel(node: Node) -> Loss:
    """The alignment of a trained kernel with labels."""
    x = torch.linspace(0.1, 2.5, 12, dtype=F64).reshape(4, 3)
    y = torch.tensor([1.0, 1.0, -1.0, -1.0], dtype=F64)

    def embedding(point: Tensor, theta: Tensor) -> None:
        for row in theta:
            qml.AngleEmbedding(point, wires=range(3))
            for wire in range(3):
                qml.RY(row[wire], wires=wire)
                qml.CRZ(row[wire], wires=[wire, (wire + 1) % 3])

    @node
    def overlap(first: Tensor, second: Tensor, theta: Tensor) -> Any:
        embedding(first, theta)
        qml.adjoint(embedding)(second, theta)
        return qml.probs(wires=range(3))

    def loss(theta: Tensor) -> Tensor:
        rows = [torch.stack([overlap(a, b, theta)[0] for b in x]) for a in x]
        matrix = torch.stack(rows)
        alignment: Tensor = (matrix * torch.outer(y, y)).sum() / matrix.norm() / 4
        return -alignment

    return loss


def natural_gradient(node: Node) -> Loss:
    """The circuit of the demonstration of the quantum natural gradient."""

    @node
    def circuit(theta: Tensor) -> Any:
        for wire, angle in enumerate((0.785, 0.524, 0.393)):
            qml.RY(angle, wires=wire)
        qml.RZ(theta[0], wires=0)
        qml.RZ(theta[1], wires=1)
        qml.CNOT(wires=[0, 1])
        qml.CNOT(wires=[1, 2])
        qml.RY(theta[2], wires=1)
        qml.RX(theta[3], wires=2)
        qml.CNOT(wires=[0, 1])
        qml.CNOT(wires=[1, 2])
        return qml.expval(qml.Y(0))

    return circuit  # type: ignore[no-any-return]


def convolutions(node: Node) -> Loss:
    """A convolutional network whose pooling measures wires, and turns others by what it found."""

    def convolve(angles: Tensor, wires: list[int]) -> None:
        for a, b in zip(wires[::2], wires[1::2], strict=True):
            qml.U3(*angles[:3], wires=a)
            qml.U3(*angles[3:6], wires=b)
            qml.IsingXX(angles[6], wires=[a, b])
            qml.IsingYY(angles[7], wires=[a, b])
            qml.IsingZZ(angles[8], wires=[a, b])

    def pool(angles: Tensor, wires: list[int]) -> None:
        for a, b in zip(wires[::2], wires[1::2], strict=True):
            outcome = qml.measure(a)
            qml.cond(outcome, qml.U3)(*angles, wires=b)

    @node
    def circuit(theta: Tensor) -> Any:
        qml.AmplitudeEmbedding(torch.arange(1.0, 17.0, dtype=F64), wires=range(4), normalize=True)
        convolve(theta[0], [0, 1, 2, 3])
        pool(theta[1, :3], [0, 1, 2, 3])
        convolve(theta[2], [1, 3])
        pool(theta[1, 3:6], [1, 3])
        return qml.expval(qml.Z(3))

    return circuit  # type: ignore[no-any-return]


def noisy(node: Node) -> Loss:
    """A noisy circuit, whose noise is trained too."""

    @node
    def circuit(theta: Tensor) -> Any:
        for layer in theta:
            for wire in range(3):
                qml.RX(layer[wire], wires=wire)
                qml.AmplitudeDamping(layer[3].sigmoid() / 4, wires=wire)
                qml.DepolarizingChannel(0.02, wires=wire)
            for wire in range(2):
                qml.CNOT(wires=[wire, wire + 1])
                qml.PhaseDamping(layer[3].sigmoid() / 8, wires=wire)
        return qml.expval(qml.Z(0) @ qml.Z(2))

    return circuit  # type: ignore[no-any-return]


def teleportation(node: Node) -> Loss:
    """A state is carried over by measurements, through a channel whose angles are trained."""

    @node
    def circuit(theta: Tensor) -> Any:
        qml.Rot(*theta[:3], wires=0)
        qml.RY(theta[3], wires=1)
        qml.CNOT(wires=[1, 2])
        qml.CNOT(wires=[0, 1])
        qml.RY(-theta[4], wires=0)
        first, second = qml.measure(0), qml.measure(1)
        qml.cond(second, qml.X)(2)
        qml.cond(first, qml.Z)(2)
        return qml.expval(qml.X(2) + 0.5 * qml.Z(2))

    return circuit  # type: ignore[no-any-return]


def re_uploading(node: Node) -> Loss:
    """One qubit that is given the data in every layer, and its fidelities with labels' states."""
    x = torch.linspace(-1, 1, 40, dtype=F64).reshape(20, 2)
    y = (x.square().sum(-1) < 0.6).to(torch.int64)
    labels = [torch.diag(torch.tensor(d, dtype=torch.complex128)) for d in ([1, 0], [0, 1])]

    @node
    def circuit(theta: Tensor) -> Any:
        for layer in theta:
            qml.Rot(x[:, 0], x[:, 1], 0.0, wires=0)
            qml.Rot(*layer, wires=0)
        return [qml.expval(qml.Hermitian(one, wires=[0])) for one in labels]

    def loss(theta: Tensor) -> Tensor:
        fidelities = torch.stack([*circuit(theta)])
        return (1 - fidelities[y, torch.arange(20)]).square().sum()

    return loss


def adversarial(node: Node) -> Loss:
    """The generator's loss of a quantum generative adversarial network."""

    def layers(angles: Tensor, wires: list[int]) -> None:
        for row in angles:
            for wire, angle in zip(wires, row, strict=True):
                qml.RX(angle, wires=wire)
                qml.RZ(angle / 2, wires=wire)
            for a, b in pairwise(wires):
                qml.CNOT(wires=[a, b])

    @node
    def real(theta: Tensor) -> Any:
        qml.Rot(0.4, 0.9, 0.2, wires=0)
        layers(theta[2:], [0, 1, 2])
        return qml.expval(qml.Z(2))

    @node
    def fake(theta: Tensor) -> Any:
        layers(theta[:2, :2], [0, 1])
        layers(theta[2:], [0, 1, 2])
        return qml.expval(qml.Z(2))

    return lambda theta: (fake(theta) - real(theta)) / 2


DEMOS: dict[str, Demo] = {
    "vqe": Demo("VQE: energy of H2", 4, (3,), vqe),
    "qaoa": Demo("QAOA: cut of 8 nodes", 8, (2, 2), qaoa),
    "classifier": Demo("variational classifier, batch of 24", 4, (2, 4, 3), classifier),
    "kernel": Demo("trained kernel, 16 overlaps", 3, (2, 3), kernel),
    "natural-gradient": Demo("circuit of the natural gradient", 3, (4,), natural_gradient),
    "convolutions": Demo("convolutional network with pooling", 4, (3, 9), convolutions),
    "noisy": Demo("noisy circuit, trained noise", 3, (2, 4), noisy, needs_mixed=True),
    "teleportation": Demo("teleportation, trained", 3, (5,), teleportation),
    "re-uploading": Demo("data re-uploading, batch of 20", 1, (3, 3), re_uploading),
    "adversarial": Demo("adversarial network", 3, (4, 3), adversarial),
}
"""By name; parameters are drawn by seeds."""
