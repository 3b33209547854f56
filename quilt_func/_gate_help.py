"""What `help(gate)` shows: what the gate does, how it is called, and its matrix."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

_MOST_WIRES = 3
"""Wider matrices fill more than a page."""
_ANGLES = (math.pi / 2, 0.0, math.pi)
_SPOKEN = ("π/2", "0", "π")


class GateHelp:
    """The docstring of a class of gates, and, on its instances, that of each."""

    def __init__(self, of_class: str | None, text: Callable[[Any], str]) -> None:
        self.of_class, self.text = of_class, text

    def __get__(self, gate: Any, owner: type) -> str | None:
        return self.of_class if gate is None else self.text(gate)


def summary(gate: Any) -> str:
    """A gate's name, and what it does."""
    first, _, _ = gate.doc.partition("\n\n")
    return f"{gate.name}: {' '.join(first.split()) or 'A gate.'}"


def text_of(gate: Any) -> str:
    """Explain one gate."""
    parts = [
        summary(gate),
        f"{gate.form}\n{_angles(gate)}It makes an op, a part of a `circuit`. The first wire is the "
        "most\nsignificant bit of the matrix.",
        *_matrix(gate),
    ]
    tags = ", ".join(sorted(gate.tags))
    parts += [f"Facts: {tags}." if tags else "Facts: none is known, not that it is unitary."]
    parts[-1] += f" OpenQASM: {gate.qasm.name}." if gate.qasm else ""
    return "\n\n".join(parts)


def _angles(gate: Any) -> str:
    if gate.param_shape or not gate.n_params:
        return ""
    kind = "Angles are in radians: " if not gate.param_names else "Parameters are "
    return f"{kind}Python numbers or real tensors, one for each wire set or\none for all. "


def _matrix(gate: Any) -> list[str]:
    """Its matrix, if it has one of its own that is small; of angles its generator too."""
    if gate.param_shape or gate.n_wires > _MOST_WIRES or gate.n_params > len(_ANGLES):
        return []
    if not callable(gate.matrix):
        return [f"Matrix:\n{shown(gate.matrix)}"]
    found = []
    if gate.generator is not None:
        found.append(f"Matrix exp(-i theta G / 2), with the generator G:\n{shown(gate.generator)}")
    points = torch.tensor(_ANGLES[: gate.n_params], dtype=torch.float64)[:, None]
    try:
        matrix = gate.matrices(*points)[0].resolve_conj().numpy()
    except Exception:  # an instrument or a channel has none, and a gate of your own may have bounds
        return found
    angles = ", ".join(_SPOKEN[: gate.n_params])
    return [*found, f"Matrix at {angles}:\n{shown(matrix)}"]


def shown(matrix: Any) -> str:
    """An array as indented rows, without imaginary parts if there are none."""
    rounded = np.round(matrix, 4) + 0.0
    entries = rounded.real if not rounded.imag.any() else rounded
    text = np.array2string(entries, precision=4, suppress_small=True, max_line_width=200)
    return "\n".join(f"    {line}" for line in text.splitlines())
