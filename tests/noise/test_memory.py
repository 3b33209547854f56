"""What gradients of noisy circuits hold, as the documents state it."""

import re
import weakref

import pytest
import torch
from torch.func import grad, vmap

import quilt_func as qf
from quilt_func import noise
from quilt_func.evolution import planner, reversible_run

LAYERS = 100


def layers(n, theta, p, *rows):
    chain = [(i, i + 1) for i in range(n - 1)]
    return qf.circuit(
        n,
        [(qf.ry(t, range(n)), qf.cx(chain), [row(p, range(n)) for row in rows]) for t in theta],
    )


class Held:
    """Bytes that reverse mode holds after the way out: by autograd, and by runs of the primitive.

    Attributes:
        saved: Sizes of what autograd has saved, each storage once.
        runs: The runs.
    """

    def __init__(self, monkeypatch, call):
        self.saved, self.runs = {}, []
        forward = reversible_run.Run.forward

        def watched(run, state):
            self.runs.append(weakref.ref(run))
            return forward(run, state)

        def pack(tensor):
            storage = tensor.untyped_storage()
            self.saved[storage.data_ptr()] = storage.nbytes()
            return tensor

        monkeypatch.setattr(reversible_run.Run, "forward", watched)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            self.result = call()  # alive, and so is what its graph holds

    @property
    def states(self):
        """Sizes of states that runs keep."""
        alive = [run() for run in self.runs if run() is not None]
        return [state.nbytes for run in alive for state in run.states.values()]

    @property
    def total(self):
        return sum(self.saved.values()) + sum(self.states)


def leaves(n, depth, seed=0):
    theta = qf.uniforms((depth, n), seed).requires_grad_()
    return theta, torch.tensor(0.01, requires_grad=True)


@pytest.mark.parametrize("n", [4, 5])
def test_a_hundred_noisy_layers_keep_sixteen_matrices(n, monkeypatch):
    """As `explain_density` tells; beside these, the result and the angles."""
    theta, p = leaves(n, LAYERS)
    circuit = layers(n, theta, p, noise.depolarizing, noise.amplitude_damping)
    matrix = 4**n * 8
    assert "kept  16 states" in noise.explain_density(circuit)
    held = Held(monkeypatch, lambda: qf.run_density(circuit).real.square().sum())
    assert held.states == [matrix] * planner.CHECKPOINTS
    assert held.total < (planner.CHECKPOINTS + 4) * matrix + 16 * theta.nbytes


@pytest.mark.parametrize("n", [4, 5])
def test_the_way_back_through_a_hundred_layers_computes_few_again(n, monkeypatch):
    """At once, one sixteenth of the matrices before steps that cannot be undone, at most."""
    theta, p = (leaf.detach() for leaf in leaves(n, LAYERS))
    found, before = [], reversible_run.Run._before

    def watched(run, number, step, operand, after, start, again, buffers):
        state = before(run, number, step, operand, after, start, again, buffers)
        found.append((len(run.states), len(again), len(run.plan.irreversible)))
        return state

    def purity(theta):
        rho = qf.run_density(layers(n, theta, p, noise.depolarizing, noise.amplitude_damping))
        return qf.purity(rho)

    monkeypatch.setattr(reversible_run.Run, "_before", watched)
    grad(purity)(theta)
    kept, again, fronts = map(max, zip(*found, strict=True))
    assert kept == planner.CHECKPOINTS
    assert fronts > 4 * planner.CHECKPOINTS
    assert 0 < again <= -(-fronts // planner.CHECKPOINTS)


DRAW = 192
"""Bytes for each draw: its matrix, its number and its probability, with their graph."""


def test_a_trajectory_of_mixtures_holds_one_state_at_any_depth(monkeypatch):
    """The result; what grows is the list of gates."""
    n = 12
    state, (theta, p) = 2**n * 8, leaves(n, LAYERS)
    circuit = layers(n, theta, p, noise.depolarizing)
    u = qf.uniforms(noise.n_draws(circuit), 1)
    held = Held(monkeypatch, lambda: qf.run_trajectory(circuit, u).state)
    assert held.states == []
    assert [*held.saved.values()].count(state) == 1
    assert held.total < state + DRAW * len(u) < LAYERS * state / 8
    assert "kept  1 states" in noise.explain_trajectory(circuit)


def test_patterns_run_at_once_hold_one_state_each(monkeypatch):
    n, n_patterns = 11, 3
    state, (theta, p) = 2**n * 8, leaves(n, LAYERS)
    circuit = layers(n, theta, p, noise.depolarizing)
    branches = (qf.uniforms((n_patterns, noise.n_draws(circuit)), 2) > 0.99).to(torch.int64)

    def run():
        return vmap(lambda b: noise.run_pattern(circuit, b).state)(branches)

    held = Held(monkeypatch, run)
    assert held.states == []
    assert held.total < n_patterns * (2 * state + DRAW * branches.shape[1])
    assert held.total < LAYERS * n_patterns * state / 4


@pytest.mark.parametrize("n", [11, 13])
def test_a_draw_by_the_state_holds_as_many_states_as_told(n, monkeypatch):
    theta, p = leaves(n, 2)
    circuit = layers(n, theta, p, noise.amplitude_damping)
    u = qf.uniforms(noise.n_draws(circuit), 1)
    told = int(re.search(r"kept  about (\d+) states", noise.explain_trajectory(circuit))[1])
    held = Held(monkeypatch, lambda: qf.run_trajectory(circuit, u).state)
    assert 0.75 < held.total / (2**n * 8) / told < 1.1
