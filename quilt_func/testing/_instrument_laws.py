"""The laws of circuits with instruments: all meanings of one circuit agree."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor
from torch.func import jvp, vmap

import quilt_func as qf
from quilt_func._torch import tree_flatten, tree_unflatten
from quilt_func.circuits import Circuit
from quilt_func.instruments import (
    Conditional,
    Instrument,
    Lookup,
    Measurement,
    Postselection,
    Reset,
    innermost,
)
from quilt_func.noise import amplitude_damping, depolarizing, n_draws, run_density_branches
from quilt_func.ops import Gate, Op
from quilt_func.states import random_state, uniforms
from quilt_func.testing._circuit_laws import precision
from quilt_func.testing._law import DIFFERENCES, Law, array, equal, law, same
from quilt_func.testing.tolerances import fd_tolerance, tolerance

INSTRUMENT_LAWS: dict[str, Law] = {}
"""The laws of `instrument_laws`, by name."""

SHOTS = 2000
"""Samples of a case."""
ERRORS = 5.0
"""Standard errors that a mean may be off by."""


@dataclass(frozen=True, eq=False)
class InstrumentCase:
    """Two states to begin with.

    Attributes:
        seed: Seed of all numbers.
        psi: A state.
        phi: Another one.
    """

    seed: int
    psi: Tensor
    phi: Tensor

    def __str__(self) -> str:
        """Show what a message needs."""
        return f"seed {self.seed}"


def instrument_cases(circuit: Circuit) -> st.SearchStrategy[InstrumentCase]:
    """Cases for a circuit; they shrink towards the states of seed 0."""

    def of_seed(seed: int) -> InstrumentCase:
        u = uniforms((2, 2, 2**circuit.n_qubits), seed, dtype=precision(circuit).to_real())
        return InstrumentCase(seed, random_state(u[0]), random_state(u[1]))

    return st.integers(0, 2**16 - 1).map(of_seed)


def _bound(circuit: Circuit, scale: float = 1.0) -> float:
    return tolerance(precision(circuit), 64 + 8 * circuit.n_gates, 4 * scale)


def _keeps_all(circuit: Circuit) -> bool:
    """Whether nothing is postselected, and all gates are unitary."""
    inner = [innermost(op.gate) for op in circuit.ops]
    rows = [getattr(row, "base", None) or row for row in inner]
    return all(isinstance(row, Measurement | Reset) or "unitary" in row.tags for row in rows)


@law(
    INSTRUMENT_LAWS,
    statement="the branches' probabilities sum to 1, or below it after postselection.",
    cause="states that are normalised before the end, or a branch left out.",
)
def probabilities(circuit: Circuit, case: InstrumentCase) -> None:
    """Squared norms."""
    found = qf.instruments.branch_probabilities(qf.run_branches(circuit, case.psi))
    total = float(found.sum())
    if _keeps_all(circuit):
        equal(total, 1.0, _bound(circuit), "the sum of the probabilities")
    lowest = float(found.min())
    equal(min(lowest, 0.0), 0.0, 0.0, "the least probability")


@law(
    INSTRUMENT_LAWS,
    statement="measured at the end, a branch's state is the basis state of its bits.",
    cause="an outcome's bit flipped, or bits in another order than wires.",
)
def bits(circuit: Circuit, case: InstrumentCase) -> None:
    """Amplitudes at all other basis states."""
    n = circuit.n_qubits
    end = qf.circuit(n, circuit, qf.measure(range(n - 1, -1, -1), "end"))
    branches = qf.run_branches(end, case.psi)
    own = array(branches.bits["end"])[:, ::-1]
    index = own @ (2 ** np.arange(n - 1, -1, -1))
    others = array(branches.states).copy()
    others[np.arange(len(own)), index] = 0
    equal(others, np.zeros_like(others), 0.0, "the amplitudes of other bits")


@law(
    INSTRUMENT_LAWS,
    statement="a measurement that is repeated at once gives the same bits, and changes nothing.",
    cause="a projection on the wrong wire, or a state that is divided.",
)
def repeated(circuit: Circuit, case: InstrumentCase) -> None:
    """Each measurement of the circuit, one at a time."""
    once = qf.run_branches(circuit, case.psi)
    for place, op in enumerate(circuit.ops):
        if not isinstance(op.gate, Measurement):
            continue
        again = [qf.measure(wires, "again") for wires in op.wires]
        ops = [*circuit.ops[: place + 1], *again, *circuit.ops[place + 1 :]]
        twice = qf.run_branches(Circuit(circuit.n_qubits, tuple(ops)), case.psi)
        before = math.prod(_outcomes(circuit.ops[:place]))
        own = op.gate.n_outcomes
        states = array(twice.states).reshape(before, own, own, -1, 2**circuit.n_qubits)
        same_bits = states[:, range(own), range(own)].reshape(array(once.states).shape)
        equal(same_bits, once.states, _bound(circuit), "the states of equal bits")
        states[:, range(own), range(own)] = 0
        equal(states, np.zeros_like(states), 0.0, "the states of unequal bits")


def _outcomes(ops: tuple[Op, ...]) -> Iterator[int]:
    for op in ops:
        if isinstance(op.gate, Instrument):
            yield op.gate.n_outcomes ** len(op.wires)


@law(
    INSTRUMENT_LAWS,
    statement="branches are the state of the circuit in which bits are copied to wires of their "
    "own, and gates are controlled by these.",
    cause="branches in another order, a condition on the wrong value, or a table read backwards.",
)
def deferred(circuit: Circuit, case: InstrumentCase) -> None:
    """Measurement put off to the end, with a wire for each bit."""
    n, ops, n_bits = circuit.n_qubits, [], 0
    held: dict[str, tuple[int, ...]] = {}
    for op in circuit.ops:
        row = innermost(op.gate)
        if not isinstance(row, Measurement | Reset):
            ops += list(_controlled(op, held, case.psi.dtype))
            continue
        for wires in op.wires:
            own = tuple(range(n + n_bits, n + n_bits + len(wires)))
            n_bits += len(own)
            copy = qf.cx if isinstance(row, Measurement) else qf.swap
            pairs = [copy(wire, bit) for wire, bit in zip(wires, own, strict=True)]
            acts = [_under(op.gate, pair, held) for pair in pairs]
            ops += [one for each in acts for one in each]
            held |= {row.writes: own} if row.writes else {}
    rest = torch.zeros(2**n_bits, dtype=case.psi.dtype, device=case.psi.device)
    rest[0] = 1
    found = qf.circuit(n + n_bits, ops)(torch.kron(case.psi, rest))
    expected = array(found).reshape(2**n, 2**n_bits).T
    states = qf.run_branches(circuit, case.psi).states
    equal(states, expected, _bound(circuit), "the branches' states")


def _controlled(op: Op, held: Mapping[str, tuple[int, ...]], dtype: torch.dtype) -> Iterator[Op]:
    """What an op does, controlled by the bits' wires for each value at which it acts."""
    row = innermost(op.gate)
    if isinstance(row, Postselection):
        for wires in op.wires:
            for wire, bit in zip(wires, row.bits, strict=True):
                yield qf.linear(torch.diag(torch.tensor([1.0 - bit, bit])).to(dtype), wire)
        return
    yield from _under(op.gate, Op(row, op.wires, op.params), held)


def _under(gate: Gate, op: Op, held: Mapping[str, tuple[int, ...]]) -> Iterator[Op]:
    """A gate's or a lookup's op, as often as the conditions of a row hold."""
    row, keys = op.gate, tuple(gate.reads)
    if not keys:
        yield op
        return
    controls = tuple(wire for key in keys for wire in held[key])
    for value in range(2 ** len(controls)):
        own = [value >> place & 1 for place in range(len(controls) - 1, -1, -1)]
        of_key = dict(zip(controls, own, strict=True))
        bits = {key: [of_key[wire] for wire in held[key]] for key in keys}
        if not _hold(gate, bits):
            continue
        base, params = row, op.params
        if isinstance(row, Lookup):
            assert row.base is not None
            base = row.base
            params = tuple(p[:, _number(bits, row.reads)] for p in op.params)
        flips = [qf.x(wire) for wire, bit in zip(controls, own, strict=True) if not bit]
        acting = qf.controlled(base, len(controls))
        yield from [*flips, Op(acting, tuple(controls + ws for ws in op.wires), params), *flips]


def _number(bits: Mapping[str, list[int]], keys: tuple[str, ...]) -> int:
    found = 0
    for bit in (bit for key in keys for bit in bits[key]):
        found = 2 * found + bit
    return found


def _hold(gate: Gate, bits: Mapping[str, list[int]]) -> bool:
    """Whether all conditions of a row hold, told for one value of the bits."""
    while isinstance(gate, Conditional):
        own = [bit for key in gate.keys for bit in bits[key]]
        if not _holds(gate, _number(bits, gate.keys), own):
            return False
        assert gate.base is not None
        gate = gate.base
    return True


def _holds(gate: Conditional, value: int, own: list[int]) -> bool:
    """A condition, told for one value of the bits."""
    condition = gate.condition
    if isinstance(condition, int):
        return value == condition
    if isinstance(condition, tuple):
        return tuple(own) == condition
    every = [[v >> p & 1 for p in range(len(own) - 1, -1, -1)] for v in range(2 ** len(own))]
    return bool(condition(torch.tensor(every))[value])


@law(
    INSTRUMENT_LAWS,
    statement="`run_density` and `run_density_branches` are sums over the branches.",
    cause="a key that is forgotten too early, or a reset that keeps coherences.",
)
def mixture(circuit: Circuit, case: InstrumentCase) -> None:
    """Sums of projectors, of all branches and of those with equal bits."""
    branches = qf.run_branches(circuit, case.psi)
    states = array(branches.states)
    each = states[:, :, None] * states[:, None, :].conj()
    rho = torch.outer(case.psi, case.psi.conj())
    bound = _bound(circuit, 4.0)
    equal(qf.run_density(circuit, rho), each.sum(0), bound, "the density matrix")
    found = run_density_branches(circuit, rho)
    same(set(found.bits), set(branches.bits), "the keys")
    rows, own = (_joined(one.bits, len(one.states)) for one in (branches, found))
    same(len(set(own)), len(own), "the number of different bits")
    sums = [sum(each[i] for i, row in enumerate(rows) if row == bits) for bits in own]
    equal(found.states, np.stack(sums), bound, "the density matrices by bits")


def _joined(found: dict[str, Tensor], n_branches: int) -> list[tuple[int, ...]]:
    """All bits of each branch, by key."""
    columns = [array(found[key]) for key in sorted(found)]
    both = np.concatenate([np.zeros((n_branches, 0), int), *columns], 1)
    return [tuple(row) for row in both.tolist()]


@law(
    INSTRUMENT_LAWS,
    statement="means of `weight * value` over trajectories are sums over branches.",
    cause="a projection that is not normalised, or a number that picks another outcome.",
)
def sampled(circuit: Circuit, case: InstrumentCase) -> None:
    """Of a projector, and of the bits."""
    real = precision(circuit).to_real()
    u = uniforms((SHOTS, n_draws(circuit)), case.seed, dtype=real)

    def one(state: Tensor, found: dict[str, Tensor]) -> Tensor:
        value = torch.view_as_real((case.phi.conj() * state).sum()).square().sum()
        norm = torch.view_as_real(state).square().sum()
        ones = [(one * norm).sum()[None] for _, one in sorted(found.items())]
        return torch.cat([value[None], norm[None], *ones])

    def sample(numbers: Tensor) -> Tensor:
        run = qf.run_trajectory(circuit, numbers, case.psi)
        return run.weight * one(run.state, run.bits)

    values = vmap(sample)(u)
    expected = qf.instruments.branch_mean(qf.run_branches(circuit, case.psi), one)
    # rare outcomes may be missing among samples, and so in their standard deviation
    error = values.std(0) / math.sqrt(SHOTS) + ERRORS * (circuit.n_qubits + 1) / SHOTS
    deviation = float(((values.mean(0) - expected).abs() / error).max())
    source = "standard errors, and a share of rare outcomes"
    equal(max(deviation, ERRORS), ERRORS, 0.0, "the largest of means, in errors,", source)


@law(
    INSTRUMENT_LAWS,
    statement="a channel under a condition acts on the density matrices of the bits that meet it, "
    "and on no others; means over trajectories agree.",
    cause="a condition that is not looked at, or an error whose probability is counted elsewhere.",
)
def conditioned(circuit: Circuit, case: InstrumentCase) -> None:
    """A damping, and a mixture of unitaries, behind the circuit, under a condition."""
    keys = [op.gate.writes for op in circuit.ops if op.gate.writes]
    if not keys:
        return
    n, key = circuit.n_qubits, keys[-1]
    channels = amplitude_damping(0.6, range(n)), depolarizing(0.7, 0)
    acts = [qf.conditional(key, op, 1) for op in channels]
    whole, noisy = qf.circuit(n, circuit, acts), qf.circuit(n, channels)
    rho = torch.outer(case.psi, case.psi.conj())
    before = run_density_branches(circuit, rho)
    value = array(before.bits[key]) @ 2 ** np.arange(before.bits[key].shape[1])[::-1]
    each = zip(before.states.unbind(0), value == 1, strict=True)
    expected = np.stack([array(qf.run_density(noisy, one) if yes else one) for one, yes in each])
    bound = _bound(whole, 4.0)
    equal(run_density_branches(whole, rho).states, expected, bound, "the matrices by bits")
    equal(qf.run_density(whole, rho), expected.sum(0), bound, "the density matrix")
    _equal_on_average(whole, case, expected.sum(0))


def _equal_on_average(circuit: Circuit, case: InstrumentCase, expected: np.ndarray) -> None:
    """Check that trajectories have a density matrix as their mean."""
    u = uniforms((SHOTS, n_draws(circuit)), case.seed, dtype=precision(circuit).to_real())
    runs = vmap(lambda numbers: qf.run_trajectory(circuit, numbers, case.psi))(u)
    states = array(runs.state)
    each = array(runs.weight)[:, None, None] * states[:, :, None] * states[:, None, :].conj()
    deviations = np.stack([(each - expected).real, (each - expected).imag])
    error = deviations.std(1) / math.sqrt(SHOTS) + 2 * ERRORS / SHOTS
    worst = float((np.abs(deviations.mean(1)) / error).max())
    source = "standard errors, and a share of rare outcomes"
    equal(max(worst, ERRORS), ERRORS, 0.0, "the largest of means, in errors,", source)


@law(
    INSTRUMENT_LAWS,
    statement="`vmap` over states equals the loop, for branches and for densities.",
    cause="a shape that counts on one state, or a branch on a value.",
)
def batch(circuit: Circuit, case: InstrumentCase) -> None:
    """Two states."""
    both = torch.stack([case.psi, case.phi])
    for run in (
        lambda psi: qf.run_branches(circuit, psi).states,
        lambda psi: qf.run_density(circuit, psi[:, None] * psi.conj()[None]),
    ):
        expected = np.stack([array(run(psi)) for psi in both.unbind(0)])
        equal(vmap(run)(both), expected, _bound(circuit), "the batch")


@law(
    INSTRUMENT_LAWS,
    statement="derivatives by the leaves are finite differences, of branches and of densities.",
    cause="a value that was detached, or a mask that multiplies what is not finite.",
)
def derivative(circuit: Circuit, case: InstrumentCase) -> None:
    """Along one direction, of the overlap with another state."""
    leaves, form = tree_flatten(circuit)
    if not leaves or leaves[0].dtype not in (torch.float64, torch.complex128):
        return
    along = [
        0.5 * torch.cos(torch.arange(x.numel()) + case.seed).to(x).reshape(x.shape) for x in leaves
    ]

    def by_branches(step: Tensor) -> Tensor:
        moved = tree_unflatten([x + step * d for x, d in zip(leaves, along, strict=True)], form)
        states = qf.run_branches(moved, case.psi).states
        return torch.view_as_real((states * case.phi.conj()).sum(-1)).square().sum()

    def by_density(step: Tensor) -> Tensor:
        moved = tree_unflatten([x + step * d for x, d in zip(leaves, along, strict=True)], form)
        rho = qf.run_density(moved, torch.outer(case.psi, case.psi.conj()))
        return torch.view_as_real((case.phi.conj() * (rho @ case.phi)).sum())[0]

    at, h = torch.zeros((), dtype=torch.float64), float(np.finfo(np.float64).eps ** (1 / 3))
    for number in (by_branches, by_density):
        found = jvp(number, (at,), (torch.ones_like(at),))[1]
        expected = (number(at + h) - number(at - h)) / (2 * h)
        scale = float(1 + sum(abs(d).sum() for d in along)) ** 3
        equal(found, expected, fd_tolerance(torch.float64, scale), "the slope", DIFFERENCES)
