"""Views of amplitudes by wires. Wire 0 is the most significant bit of an index."""

from collections.abc import Sequence

from torch import Tensor

from quilt_func.typing import WireSet


def is_window(wires: WireSet) -> bool:
    """Whether ascending wires are neighbours."""
    return wires[-1] - wires[0] == len(wires) - 1


def axes_of(n_qubits: int, wires: Sequence[int]) -> tuple[list[int], list[int]]:
    """A shape of `2**n_qubits` amplitudes with an axis for each wire, and those axes in order.

    The wires in between share an axis, so that there are at most `2 * len(wires) + 1` axes
    however many qubits there are: CUDA tensors are limited to 25.
    """
    ordered = sorted(wires)
    shape: list[int] = []
    axis: dict[int, int] = {}
    for before, wire in zip([-1, *ordered], ordered, strict=False):
        axis[wire] = len(shape) + 1
        shape += [2 ** (wire - before - 1), 2]
    shape.append(2 ** (n_qubits - 1 - ordered[-1]) if ordered else 2**n_qubits)
    return shape, [axis[wire] for wire in wires]


def split_wires(state: Tensor, wires: Sequence[int]) -> tuple[Tensor, list[int]]:
    """View a flat state with an axis of length 2 for each given wire, and name those axes."""
    shape, axes = axes_of(state.shape[0].bit_length() - 1, wires)
    return state.reshape(shape), axes
