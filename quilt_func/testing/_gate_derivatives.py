"""The laws of how a gate depends on its angles: derivatives in every mode, and periods."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.func import grad, jvp, vjp

from quilt_func._shift_rules import shift_rule
from quilt_func.circuits import circuit
from quilt_func.ops import Gate
from quilt_func.states import overlap
from quilt_func.testing._gate_case import GATE_LAWS, GateCase, arrays, by_matrix, rounding
from quilt_func.testing._law import equal, law


@law(
    GATE_LAWS,
    statement="a gate with a generator G has dU/dθ = -i/2 G U.",
    cause="an angle detached in a part of the matrix, or a derivative written by hand.",
)
def derivative(gate: Gate, case: GateCase) -> None:
    """The tangent of the matrix."""
    if gate.generator is None:
        return
    (theta,) = case.angles
    pushed = jvp(gate.matrices, (theta,), (torch.ones_like(theta),))[1]
    expected = -0.5j * np.asarray(gate.generator) @ arrays(gate, case.angles)
    bound = rounding(gate, case) * max(1.0, float(np.abs(gate.generator).max()))
    equal(pushed, expected, bound, "dU/dθ")


@law(
    GATE_LAWS,
    statement="forward and reverse derivatives of the matrix are adjoint: ⟨w, J v⟩ = ⟨Jᵀ w, v⟩.",
    cause="an `autograd.Function` whose `jvp` and `backward` disagree.",
)
def modes(gate: Gate, case: GateCase) -> None:
    """Along one direction, at all wire sets."""
    if not gate.n_params:
        return
    tangents = tuple(1.0 + 0.5 * i + 0 * angle for i, angle in enumerate(case.angles))
    value, pushed = jvp(gate.matrices, case.angles, tangents)[:2]
    size = torch.arange(value.numel(), dtype=torch.float64).reshape(value.shape)
    weights = torch.complex((size + 1).cos(), (size + 2).sin())
    pulled = vjp(gate.matrices, *case.angles)[1](weights)
    forward = (weights.real * pushed.real + weights.imag * pushed.imag).sum()
    pairs = zip(pulled, tangents, strict=True)
    reverse = sum((slope * tangent).sum() for slope, tangent in pairs)
    scale = 4.0**gate.n_wires * len(case.angles)
    equal(forward, reverse, scale * rounding(gate, case), "the forward derivative")


@law(
    GATE_LAWS,
    statement="where an angle has a shift rule, it gives the gradient of a fidelity.",
    cause="a generator whose eigenvalues are not the matrix's, as where the half angle is lost.",
)
def shift(gate: Gate, case: GateCase) -> None:
    """The rule of `quilt_func.parameter_shift` against `grad`, one angle at a time."""
    for position in range(gate.n_params):
        rule = shift_rule(gate, position)
        if rule is None:
            continue
        point = [angle[0] for angle in case.angles]

        def measured(theta: Tensor, at: int = position, fixed: list[Tensor] = point) -> Tensor:
            op = by_matrix(gate)(*fixed[:at], theta, *fixed[at + 1 :], *case.wires)
            amplitude = overlap(case.weights, circuit(case.n_qubits, op)(case.state))
            return amplitude.real.square() + amplitude.imag.square()

        shifted = sum(c * measured(point[position] + s) for s, c in rule)
        size = 4.0 + sum(abs(s) + abs(c) for s, c in rule)
        slope = grad(measured)(point[position])
        equal(shifted, slope, size * rounding(gate, case), f"the shift rule of angle {position}")


@law(
    GATE_LAWS,
    statement="if the generator's eigenvalues are whole numbers, U(θ + 4π) = U(θ) for all θ.",
    cause="an angle clamped or wrapped, or a matrix that holds near 0 only, such as a series.",
)
def periodicity(gate: Gate, case: GateCase) -> None:
    """Two turns ahead and behind, beyond the angles that other laws draw."""
    if gate.generator is None:
        return
    values = np.linalg.eigvalsh(gate.generator)
    near = np.round(values)
    if np.abs(values - near).max() > rounding(gate, case):
        return
    (theta,) = case.angles
    here, bound = arrays(gate, case.angles), rounding(gate, case)
    bound *= 8 * max(1.0, float(np.abs(near).max()))
    for turns in (4 * math.pi, -4 * math.pi):
        equal(arrays(gate, (theta + turns,)), here, bound, f"U(θ {turns:+.3f})")
