"""A step kind, an observable and a gate from outside, without a change in the library."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from oracles.compare import assert_close
from torch.func import grad, hessian, jacfwd, jvp, vmap

import quilt_func as qf
from quilt_func.evolution import partitioning, planner, reference, steps
from quilt_func.evolution.steps import Kind, Price, Step
from quilt_func.testing import gate_laws, observable_laws

F64, C128 = torch.float64, torch.complex128
N = 7
WORDS = qf.pauli_sum({"XZIIIIY": 0.5, "ZZZZZZZ": 1.0, "IXIIIII": -0.3})


# --- a step kind of its own: X on wire 0 swaps the two halves of the state ---


def halves(state):
    return state.unflatten(1, (2, -1))


@dataclass(frozen=True)
class SwapHalves(Step):
    name: ClassVar[str] = "halves"

    def apply(self, operand, state, out):
        halves(out).copy_(halves(state).flip(1))

    undo = apply

    def apply_plainly(self, built, state):
        return state.unflatten(0, (2, -1)).flip(0).flatten()

    def price(self, n_qubits):
        return SWAP.price(n_qubits, self.wires, self.n_gates)


class SwapKind(Kind):
    name = "halves"

    def fits(self, gate):
        return gate is swap_halves

    def most(self, width):
        return 1

    def windows(self, n_qubits, pending, *, is_batched):
        yield (0,)

    def price(self, n_qubits, wires, n_gates):
        return Price(1, 0, 0.001)

    def collect(self, ops, n_qubits, first, parts):
        return [], {number: SwapHalves((0,), 1) for number in parts}


SWAP = SwapKind()


@qf.gate(n_wires=1)
def swap_halves():
    return torch.eye(2).flip(0)


@pytest.fixture
def with_swap(monkeypatch):
    monkeypatch.setattr(steps, "KINDS", (*steps.KINDS, SWAP))
    monkeypatch.setattr(partitioning, "CHOICES", partitioning.CHOICES[:1])
    planner.plan.cache_clear()
    yield
    planner.plan.cache_clear()


def circuit(theta):
    ring = [(i, (i + 1) % N) for i in range(N)]
    return qf.circuit(
        N, qf.h(range(N)), qf.ry(theta[0], range(N)), qf.rzz(theta[1], ring), swap_halves(0),
        qf.rx(theta[2], range(N)), qf.cx(ring), swap_halves(0), qf.rz(theta[0], 0),
    )  # fmt: skip


def energy(theta):
    return qf.expval(circuit(theta)(dtype=C128), WORDS)


def by_reference(theta):
    return qf.expval(reference.run(circuit(theta).ops, qf.zero_state(N, dtype=C128)), WORDS)


TRANSFORMS = {
    "value": lambda f, t: f(t),
    "grad": lambda f, t: grad(f)(t),
    "vmap(grad)": lambda f, t: vmap(grad(f))(torch.stack([t, -t])),
    "jvp(grad)": lambda f, t: jvp(grad(f), (t,), (t,))[1],
    "hessian": lambda f, t: hessian(f)(t),
    "jacfwd(jacfwd)": lambda f, t: jacfwd(jacfwd(f))(t),
    "vmap(hessian)": lambda f, t: vmap(hessian(f))(torch.stack([t, -t])),
}
THETA = torch.tensor([0.3, -0.8, 1.1], dtype=F64)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_step_kind_from_outside(name, with_swap):
    """Planned, run, walked back, mapped, with tangents, and plainly."""
    assert "halves" in qf.explain(circuit(THETA))
    got, expected = (TRANSFORMS[name](f, THETA) for f in (energy, by_reference))
    assert_close(got, expected, n_gates=256, scale=64.0)


def test_a_wrong_step_kind_is_noticed(with_swap, monkeypatch):
    """A mutant: a step that does nothing on the way back."""
    monkeypatch.setattr(SwapHalves, "undo", lambda self, operand, state, out: out.copy_(state))
    with pytest.raises(AssertionError):
        test_a_step_kind_from_outside("grad", None)


# --- an observable of its own ---


class Parity:
    """(-1)^(number of ones), known by three methods."""

    n_qubits = 2

    def apply(self, state):
        signs = torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=state.real.dtype, device=state.device)
        return signs * state

    def expectation(self, state):
        return torch.vdot(state, self.apply(state)).real


def test_an_observable_from_outside():
    observable_laws(Parity())()
    state = qf.basis_state("01")
    assert qf.expval(state, Parity()) == -1.0


# --- a gate of its own ---

X_LIKE = np.array([[0, 1], [1, 0]])


@qf.gate(n_wires=1, generator=X_LIKE)
def half(theta):
    c, s = (theta / 2).cos(), (theta / 2).sin()
    zero = torch.zeros_like(c)
    rows = [[torch.complex(c, zero), torch.complex(zero, -s)]]
    rows += [rows[0][::-1]]
    return torch.stack([torch.stack(row) for row in rows])


test_a_gate_from_outside = gate_laws(half)
