"""The laws of noise models, and of functions that put noise on a circuit."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.func import grad, vmap

from quilt_func._torch import tree_map
from quilt_func.circuits import Circuit
from quilt_func.measurement import expval
from quilt_func.noise import Channel, NoiseModel, n_draws, run_density, run_trajectory
from quilt_func.ops import Gate, Op
from quilt_func.testing._circuit_laws import precision
from quilt_func.testing._law import DIFFERENCES, Law, array, equal, law, same
from quilt_func.testing._noise_case import NoiseCase, Subject, density, is_given, noisy, rounding
from quilt_func.testing._trajectory_patterns import all_patterns, within_reach
from quilt_func.testing.tolerances import fd_tolerance

NOISE_LAWS: dict[str, Law] = {}
"""The laws of `noise_laws`, by name."""


@law(
    NOISE_LAWS,
    statement="the density matrix has trace 1, is Hermitian, and no eigenvalue is negative.",
    cause="a channel that does not keep the trace, or is not completely positive.",
)
def _density(subject: Subject, case: NoiseCase) -> None:
    """After a random state: what is not completely positive shows on a part of it."""
    found = noisy(subject, case.circuit)
    rho, bound = density(found, case.start(precision(found))), rounding(found)
    equal(rho.diagonal().sum(), 1.0, bound, "the trace")
    equal(rho, array(rho).conj().T, bound, "the adjoint")
    lowest = min(0.0, float(torch.linalg.eigvalsh(rho.detach()).min()))
    equal(lowest, 0.0, len(rho) * bound, "the lowest eigenvalue")


@law(
    NOISE_LAWS,
    statement="the circuit's gates are all there, on their wires and with their angles; those that "
    "share a wire in their order.",
    cause="a gate that is dropped or replaced where its noise comes, or layers mixed up.",
)
def kept(subject: Subject, case: NoiseCase) -> None:
    """Gates one by one: each is the next on all of its wires."""
    waiting = _gates_of(case.circuit)
    for slot in _gates_of(noisy(subject, case.circuit)):
        busy: set[int] = set()
        for i, other in enumerate(waiting):
            if not busy & set(other[1]) and _are_same(slot, other):
                del waiting[i]
                break
            busy |= set(other[1])
    missing = [f"{gate.name} on {wires}" for gate, wires, _ in waiting]
    same(missing, [], "what is missing of the circuit")


def _gates_of(circuit: Circuit) -> list[tuple[Gate, tuple[int, ...], list[Any]]]:
    """Each wire set of each op: its gate, its wires, and its numbers."""

    def numbers(op: Op, i: int) -> list[Any]:
        return [p if type(p) is float else array(p)[i] for p in op.params]

    return [
        (op.gate, wires, numbers(op, i)) for op in circuit.ops for i, wires in enumerate(op.wires)
    ]


def _are_same(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    pairs = zip(a[2], b[2], strict=False)
    return a[:2] == b[:2] and all(bool((array(x) == array(y)).all()) for x, y in pairs)


@law(
    NOISE_LAWS,
    statement="the register stays as it is, and noise comes on its wires.",
    cause="a wire counted from 1, or a neighbour of the last wire.",
)
def register(subject: Subject, case: NoiseCase) -> None:
    """Wires are in range, and differ within a set."""
    found = noisy(subject, case.circuit)
    same(found.n_qubits, case.circuit.n_qubits, "the number of qubits")
    allowed = set(range(found.n_qubits))
    for op in found.ops:
        for wires in op.wires:
            is_right = set(wires) <= allowed and len(set(wires)) == op.gate.n_wires == len(wires)
            same(is_right, True, f"whether {op.gate.name} is on wires of the register ({wires})")


@law(
    NOISE_LAWS,
    statement="noise moves with the wires: that of a moved circuit is the moved noise.",
    cause="noise on a fixed wire, or wires sorted. Give `skip=['moved']` if wires differ.",
)
def moved(subject: Subject, case: NoiseCase) -> None:
    """Densities, with a model's own wires and strengths moved as well."""
    table = dict(enumerate(case.order))
    expected = noisy(subject, case.circuit).map_wires(table)
    found = noisy(_moved(subject, case.order), case.circuit.map_wires(table))
    equal(density(found), density(expected), rounding(expected, 8.0), "the moved density matrix")


def _moved(subject: Subject, order: tuple[int, ...]) -> Subject:
    """A model for other wires; a function says nothing of wires."""
    if not isinstance(subject, NoiseModel):
        return subject

    def new(wire: int) -> int:
        return order[wire] if wire < len(order) else wire

    back = [order.index(wire) for wire in range(len(order))]
    rules = [
        replace(
            rule,
            wires=rule.wires and frozenset(frozenset(map(new, kept)) for kept in rule.wires),
            strengths=tuple(
                x[back]
                if isinstance(x, Tensor) and x.ndim == 1 and not rule.channel.param_shape
                else x
                for x in rule.strengths
            ),
        )
        for rule in subject.rules
    ]
    return NoiseModel(tuple(rules))


@law(
    NOISE_LAWS,
    statement="where all strengths are 0 nothing happens: the density matrix is the circuit's own.",
    cause="a channel that does something at strength 0, or a gate that was changed. Give "
    "`skip=['off']` if gates are added on purpose.",
)
def off(subject: Subject, case: NoiseCase) -> None:
    """Against the circuit without noise."""
    found = noisy(subject, case.circuit, _zero(subject, case))
    if not is_given(found):
        start = case.start(precision(found))
        expected = density(case.circuit, start)
        equal(density(found, start), expected, rounding(found), "the density matrix without noise")


def _zero(subject: Subject, case: NoiseCase) -> Tensor:
    """The scale 0, in the precision of the circuit with its noise."""
    return torch.zeros((), dtype=precision(noisy(subject, case.circuit)).to_real())


@law(
    NOISE_LAWS,
    statement="the mean over trajectories is the density matrix', and so is its gradient.",
    cause="probabilities in another order than operators, or Kraus operators of another channel.",
)
def trajectories(subject: Subject, case: NoiseCase) -> None:
    """Every pattern of branches once, with its probability; as far into the circuit as that goes.

    Patterns and probabilities come of the rows' operators, one pattern after the other.
    """
    found = within_reach(noisy(subject, case.circuit))
    if any(isinstance(op.gate, Channel) and op.gate.kraus is None for op in found.ops):
        return
    kind = precision(found)
    observable, (u, p, is_whole) = case.observable(kind), all_patterns(found, kind.to_real())
    ground = torch.zeros(2**found.n_qubits, dtype=kind)
    ground[0] = 1

    def mean(circuit: Circuit) -> Tensor:
        def value(one: Tensor) -> Tensor:
            state, weight = run_trajectory(circuit, one, ground)
            return weight * expval(state, observable)

        return (p * vmap(value)(u)).sum() if n_draws(circuit) else value(u[0])

    def exact(circuit: Circuit) -> Tensor:
        return expval(run_density(circuit, torch.outer(ground, ground)), observable)

    bound = rounding(found, 16.0 * len(ground)) + len(ground) * abs(1 - float(p.sum()))
    equal(mean(found), exact(found), bound, "the mean over trajectories")
    if not (found.leaves and is_whole):
        return
    slopes = zip(grad(mean)(found).leaves, grad(exact)(found).leaves, strict=True)
    for got, expected in slopes:
        if got.is_complex():  # of matrices: away from those that keep the trace the two differ
            continue
        equal(got, expected, 64 * bound, "the gradient of the mean over trajectories")


def _value(subject: Subject, case: NoiseCase) -> Callable[[Circuit, Tensor], Tensor]:
    """What is measured, as a function of the circuit and of the scale of strengths."""
    observable = case.observable(precision(noisy(subject, case.circuit)))
    return lambda circuit, scale: expval(density(noisy(subject, circuit, scale)), observable)


@law(
    NOISE_LAWS,
    statement="`vmap` over strengths and angles equals the loop, and so does `vmap(grad)`.",
    cause="a value read where the noise is put (`float(theta)`, `if p > 0`).",
)
def mapped(subject: Subject, case: NoiseCase) -> None:
    """Three scales, and as many multiples of the circuit's angles."""
    value, zero = _value(subject, case), _zero(subject, case)
    scales = torch.tensor([1.0, 0.5, 0.0], dtype=zero.dtype)
    turned = [_multiplied(case.circuit, 1.0 - 0.25 * i) for i in range(3)]
    stacked = tree_map(lambda *leaves: torch.stack(leaves), *turned)
    places = 0 if case.circuit.leaves else None
    bound = rounding(noisy(subject, case.circuit), 64.0 * 2**case.circuit.n_qubits)
    for f, what in ((value, "values"), (grad(value, 1), "slopes")):
        found = vmap(f, (places, 0))(stacked if places == 0 else case.circuit, scales)
        looped = torch.stack([f(*pair) for pair in zip(turned, scales, strict=True)])
        equal(found, looped, bound, f"the batch of {what}")


def _multiplied(circuit: Circuit, factor: float) -> Circuit:
    """The circuit with its angles multiplied, and its matrices as they are."""
    made: Circuit = tree_map(lambda leaf: leaf if leaf.is_complex() else factor * leaf, circuit)
    return made


@law(
    NOISE_LAWS,
    statement="derivatives by strengths and angles are finite differences, at no noise, too.",
    cause="a strength or an angle detached or made anew of its value, or a square root at 0.",
)
def derivative(subject: Subject, case: NoiseCase) -> None:
    """By the scale of all strengths at 0 and at a half, and along a direction of all angles."""
    value, zero = _value(subject, case), _zero(subject, case)
    half = zero + 0.5

    def by_strengths(scale: Tensor) -> Tensor:
        return value(case.circuit, scale)

    def by_angles(t: Tensor) -> Tensor:
        return value(_shifted(case.circuit, t), half)

    _check_slope(by_strengths, zero, True, case, "the slope by strengths at 0")
    _check_slope(by_strengths, half, False, case, "the slope by strengths")
    _check_slope(by_angles, zero, False, case, "the slope by angles")


def _check_slope(
    f: Callable[[Tensor], Tensor], at: Tensor, is_end: bool, case: NoiseCase, what: str
) -> None:
    """A derivative against differences, on both sides or, at an end, on one."""
    step = float(torch.finfo(at.dtype).eps ** (1 / 3))

    def difference(h: float) -> Tensor:
        if is_end:
            return (4 * f(at + h) - f(at + 2 * h) - 3 * f(at)) / (2 * h)
        return (f(at + h) - f(at - h)) / (2 * h)

    expected = difference(step)
    truncated = abs(float(difference(2 * step) - expected))  # three times the error, about
    bound = fd_tolerance(at.dtype, 4.0 * 2**case.circuit.n_qubits * (1 + case.circuit.n_gates))
    equal(grad(f)(at), expected, bound + truncated, what, DIFFERENCES)


def _shifted(circuit: Circuit, t: Tensor) -> Circuit:
    """All angles moved by one number."""
    made: Circuit = tree_map(lambda leaf: leaf if leaf.is_complex() else leaf + t, circuit)
    return made
