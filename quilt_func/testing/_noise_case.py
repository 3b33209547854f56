"""What the laws of noise are tried on: a circuit, with noise whose strengths can be scaled."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from quilt_func._torch import tree_leaves
from quilt_func.circuits import Circuit
from quilt_func.gates import GATES, cx, h, ry
from quilt_func.noise import Channel, NoiseModel, run_density, with_noise
from quilt_func.observables import hermitian
from quilt_func.states import random_state, uniforms
from quilt_func.testing import strategies as qst
from quilt_func.testing._circuit_laws import precision
from quilt_func.testing.tolerances import tolerance
from quilt_func.typing import Observable

Subject = NoiseModel | Callable[[Circuit], Circuit]


@dataclass(frozen=True, eq=False)
class NoiseCase:
    """A circuit to put noise on.

    Attributes:
        circuit: The circuit.
        order: New wire of each wire, for the law that moves them.
        seed: Seed of the observable.
    """

    circuit: Circuit
    order: tuple[int, ...]
    seed: int

    def __str__(self) -> str:
        """Show what a message needs."""
        return f"wires to {self.order}, seed {self.seed}, {self.circuit!r}\n "

    def start(self, dtype: torch.dtype) -> Tensor:
        """The density matrix of a random state, entangled as such states are."""
        u = uniforms((2, 2**self.circuit.n_qubits), self.seed, dtype=dtype.to_real())
        psi = random_state(u)
        return torch.outer(psi, psi.conj()).resolve_conj()

    def observable(self, dtype: torch.dtype) -> Observable:
        """A random Hermitian matrix, with entries of up to 1."""
        size, real = 2**self.circuit.n_qubits, dtype.to_real()
        re, im = (2 * uniforms((2, size, size), self.seed, dtype=real) - 1).unbind(0)
        return hermitian(torch.complex((re + re.mT) / 2, (im - im.mT) / 2))


@st.composite
def noise_cases(draw: st.DrawFn, circuits: st.SearchStrategy[Circuit]) -> NoiseCase:
    """Cases for a model; they shrink towards few qubits and few ops."""
    circuit = draw(circuits)
    order = tuple(draw(st.permutations(range(circuit.n_qubits))))
    return NoiseCase(circuit, order, draw(st.integers(0, 2**16 - 1)))


def default_circuits(subject: Subject) -> st.SearchStrategy[Circuit]:
    """What noise is put on, unless its author says otherwise: gates that its rules are for."""
    if not isinstance(subject, NoiseModel):
        return qst.circuits(max_qubits=3, max_ops=5)
    rules = subject.rules
    named = {gate for rule in rules for gate in rule.gates or GATES}
    rows = [row for row in GATES if row in named] + [row for row in named if row not in GATES]
    rows = [row for row in rows if not row.param_shape] + [h, ry, cx]
    wide = [1 + wire for rule in rules for kept in rule.wires or () for wire in kept]
    own = {
        len(strength)
        for rule in rules
        for strength in rule.strengths
        if isinstance(strength, Tensor) and strength.ndim == 1 and not rule.channel.param_shape
    }
    most = min(max([3, *wide, *(rule.channel.n_wires for rule in rules)]), 4)
    leaves = [leaf for leaf in tree_leaves(subject) if isinstance(leaf, Tensor)]
    dtype = leaves[0].dtype.to_complex().to_real() if leaves else torch.float64
    sizes = {"min_qubits": min(own, default=1), "max_qubits": max(own, default=most)}
    return qst.circuits(**sizes, max_ops=5, dtype=dtype, rows=rows, derived=False)


def noisy(subject: Subject, circuit: Circuit, scale: Tensor | None = None) -> Circuit:
    """The circuit with noise, whose strengths are scaled: of a model's rules, or of its ops."""
    if isinstance(subject, NoiseModel):
        rules = subject.rules
        if scale is not None:
            rules = tuple(
                replace(rule, strengths=scaled(rule.channel, rule.strengths, scale))
                for rule in rules
            )
        return with_noise(circuit, NoiseModel(rules))
    found = subject(circuit)
    if scale is None:
        return found
    ops = [
        replace(op, params=scaled(op.gate, op.params, scale, len(op)))
        if isinstance(op.gate, Channel)
        else op
        for op in found.ops
    ]
    return Circuit(found.n_qubits, tuple(ops))


def scaled(
    channel: Channel, strengths: tuple[Any, ...], scale: Tensor, m: int | None = None
) -> tuple[Any, ...]:
    """Strengths that are off at 0: all of them, or the first where the others can't be 0."""
    if channel.param_shape:
        return strengths
    all_zero = channel.joint is None or channel.joint[1](*[0.0] * channel.n_params)
    count = channel.n_params if all_zero else 1
    first = tuple(
        scale * x if m is None or isinstance(x, Tensor) else (scale * x).expand(m)
        for x in strengths[:count]
    )
    return first + strengths[count:]


def is_given(circuit: Circuit) -> bool:
    """Whether some channel has operators instead of strengths, and so is not off at any scale."""
    return any(isinstance(op.gate, Channel) and op.gate.param_shape for op in circuit.ops)


def density(circuit: Circuit, rho: Tensor | None = None) -> Tensor:
    """The density matrix, in double precision where nothing says otherwise."""
    is_told = rho is not None or bool(circuit.leaves)
    return run_density(circuit, rho, dtype=None if is_told else precision(circuit))


def rounding(circuit: Circuit, scale: float = 4.0) -> float:
    """Rounding of a run of all channels and gates."""
    sizes = [float(leaf.detach().abs().max()) for leaf in circuit.leaves if leaf.numel()]
    wide = max((op.gate.n_wires for op in circuit.ops), default=1)
    steps = 16**wide * (1 + circuit.n_gates)
    return tolerance(precision(circuit), steps, scale * (1 + max(sizes, default=0.0)))
