"""The laws of a gate in use: on a register, under transforms, in both precisions."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.func import grad, jvp, vmap

from quilt_func import from_qasm, to_qasm
from quilt_func.circuits import circuit
from quilt_func.ops import Gate
from quilt_func.testing._gate_case import (
    GATE_LAWS,
    N_SETS,
    GateCase,
    arrays,
    by_matrix,
    claims_unitary,
    rounding,
)
from quilt_func.testing._law import DIFFERENCES, equal, law, same, up_to_phase
from quilt_func.testing.tolerances import fd_tolerance
from quilt_func.typing import WireSet


def _applied(gate: Gate, case: GateCase, *angles: Tensor, wires: WireSet | None = None) -> Tensor:
    """The case's state after the gate at 0-d angles."""
    op = by_matrix(gate)(*angles, *(case.wires if wires is None else wires))
    real = angles[0].dtype if angles else torch.float64
    return circuit(case.n_qubits, op)(case.state.to(real.to_complex()))


def _first(case: GateCase) -> tuple[Tensor, ...]:
    return tuple(angle[0] for angle in case.angles)


@law(
    GATE_LAWS,
    statement="on a larger register the gate acts on its wires in order, and on no other.",
    cause="wires swapped or sorted on the way, or the first wire taken as the least significant.",
)
def locality(gate: Gate, case: GateCase) -> None:
    """Against an explicit sum over the wires' bits."""
    n, wires = case.n_qubits, list(case.wires)
    rest = [wire for wire in range(n) if wire not in wires]
    axes = np.argsort(wires + rest)
    before = case.state.numpy().reshape((2,) * n).transpose(wires + rest)
    after = arrays(gate, case.angles)[0] @ before.reshape(2 ** len(wires), -1)
    expected = after.reshape((2,) * n).transpose(axes).reshape(-1)
    equal(_applied(gate, case, *_first(case)), expected, rounding(gate, case), "the state")


@law(
    GATE_LAWS,
    statement="a gate that is not declared `unitary=False` keeps a state's norm.",
    cause="a matrix that is not unitary: a lost 1/√2, or a damping factor.",
)
def norm(gate: Gate, case: GateCase) -> None:
    """On a random state of the register."""
    if claims_unitary(gate):
        found = float(_applied(gate, case, *_first(case)).detach().norm())
        equal(found, 1.0, rounding(gate, case), "the norm")


@law(
    GATE_LAWS,
    statement="OpenQASM 2 and 3 text of a gate with a `qasm` reads back as the gate, but a phase.",
    cause="another gate's name, angles or wires in another order in the definition, or a name "
    "that the standard include lacks, without a definition.",
)
def qasm(gate: Gate, case: GateCase) -> None:
    """`quilt_func.to_qasm`, then `from_qasm`."""
    if gate.qasm is None:
        return
    written = circuit(case.n_qubits, gate(*_first(case), *case.wires))
    expected = _applied(gate, case, *_first(case)).detach()
    for version in (2, 3):
        read = from_qasm(to_qasm(written, version))
        got = up_to_phase(read(case.state), expected)
        equal(got, expected, 16 * rounding(gate, case), f"the state after version {version}")


@law(
    GATE_LAWS,
    statement="to move the wires, apply, and move back is to apply elsewhere.",
    cause="a gate whose effect depends on where it stands, as when its wires are sorted.",
)
def relabelling(gate: Gate, case: GateCase) -> None:
    """Turn the register by one wire."""
    n = case.n_qubits
    turned = tuple((wire + 1) % n for wire in case.wires)
    here = _applied(gate, case, *_first(case))

    def turn(state: Tensor, by: int) -> Tensor:
        order = tuple((axis + by) % n for axis in range(n))
        return state.reshape((2,) * n).permute(order).reshape(-1)

    op = by_matrix(gate)(*_first(case), *turned)
    there = circuit(n, op)(turn(case.state, -1))
    equal(turn(there, 1), here, rounding(gate, case), "the state")


@law(
    GATE_LAWS,
    statement="`vmap` over angles equals the loop, and so does `vmap(grad)`.",
    cause="values read inside the gate (`float(theta)`, `.item()`, numpy), a side effect, or a "
    "lazy conjugation (`.mH`, `.conj()`) of a matrix made by `torch.complex`.",
)
def _vmap(gate: Gate, case: GateCase) -> None:
    """Over the case's angles."""
    if not gate.n_params:
        return
    loop = [_applied(gate, case, *(a[i] for a in case.angles)) for i in range(N_SETS)]
    mapped = vmap(lambda *angles: _applied(gate, case, *angles))(*case.angles)
    equal(mapped, torch.stack(loop), rounding(gate, case), "the batch of states")
    slope = grad(_seen(gate, case))
    slopes = [slope(*(a[i] for a in case.angles)) for i in range(N_SETS)]
    bound = 4 * rounding(gate, case)
    equal(vmap(slope)(*case.angles), torch.stack(slopes), bound, "the batch of gradients")


@law(
    GATE_LAWS,
    statement="a float32 tangent gives a complex64 tangent, also through `vmap`.",
    cause="`1j * theta`, whose tangent is complex128: use `torch.complex(re, im)`.",
)
def tangent(gate: Gate, case: GateCase) -> None:
    """Forward mode keeps the precision."""
    if not gate.n_params:
        return
    single = tuple(angle.to(torch.float32) for angle in _first(case))
    ones = tuple(torch.ones_like(angle) for angle in single)
    value, pushed = jvp(lambda *angles: _applied(gate, case, *angles), single, ones)[:2]
    same(value.dtype, torch.complex64, "the state's dtype")
    same(pushed.dtype, torch.complex64, "the tangent's dtype")
    slopes = grad(_seen(gate, case), tuple(range(gate.n_params)))(*single)
    same({slope.dtype for slope in slopes}, {torch.float32}, "the gradients' dtypes")


def _seen(gate: Gate, case: GateCase) -> Callable[..., Tensor]:
    """A real number that depends on every entry of the matrix: a fixed random part of the state."""

    def value(*angles: Tensor) -> Tensor:
        state = _applied(gate, case, *angles)
        weights = case.weights.to(state.dtype)
        return (weights.real * state.real + weights.imag * state.imag).sum()

    return value


@law(
    GATE_LAWS,
    statement="reverse and forward derivatives by each angle are the finite differences.",
    cause="an angle detached on the way: `torch.tensor([...])` of tensors, `.detach()`, `.data`.",
)
def gradient(gate: Gate, case: GateCase) -> None:
    """Reverse and forward mode against central differences."""
    value, point = _seen(gate, case), _first(case)
    step = torch.finfo(torch.float64).eps ** (1 / 3)
    for i in range(gate.n_params):
        ahead, behind = ([*point[:i], point[i] + d, *point[i + 1 :]] for d in (step, -step))
        slope = float(value(*ahead) - value(*behind)) / (2 * step)
        bound = fd_tolerance(torch.float64, scale=4.0)
        equal(grad(value, i)(*point), slope, bound, f"the gradient by angle {i}", DIFFERENCES)
        unit = tuple(torch.full_like(a, float(j == i)) for j, a in enumerate(point))
        equal(jvp(value, point, unit)[1], slope, bound, f"the tangent by angle {i}", DIFFERENCES)


@law(
    GATE_LAWS,
    statement="float32 agrees with float64 up to float32's rounding.",
    cause="cancellation between large terms, or a constant stored in low precision.",
)
def precision(gate: Gate, case: GateCase) -> None:
    """Single against double precision, at angles that both represent."""
    if not gate.n_params:
        return
    single = tuple(angle.to(torch.float32) for angle in case.angles)
    low = gate.matrices(*single).to(torch.complex128)
    high = gate.matrices(*(angle.double() for angle in single))
    equal(low, high, rounding(gate, case, torch.float32), "the float32 matrix")
