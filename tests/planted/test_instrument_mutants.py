"""Runs with a mistake in them: each law of instruments kills some, and each mutant dies."""

from dataclasses import replace

import pytest
import torch
from hypothesis import Phase, settings

import quilt_func as qf
from quilt_func import instruments, noise
from quilt_func.instruments import branch_walk, feed_forward
from quilt_func.instruments.branch_walk import BranchWalk
from quilt_func.noise import branching, conditioned, density_walk
from quilt_func.noise.density_walk import DensityWalk
from quilt_func.testing import INSTRUMENT_LAWS, LawError, instrument_laws

THETA = torch.tensor([0.4, 1.3, 2.1], dtype=torch.float64)
CIRCUIT = qf.circuit(
    3, qf.ry(THETA, range(3)), qf.cx(0, 1), qf.measure([1, 0], "m"),
    qf.conditional("m", qf.rx(THETA[0], 2), (1, 0)), qf.conditional("m", qf.h(1), 2), qf.reset(2),
    instruments.lookup("m", qf.ry, torch.tensor([0.1, 0.9, 1.7, 2.6], dtype=torch.float64), 2),
    qf.cx(1, 2), qf.measure(2, "k"), qf.conditional("k", qf.conditional("m", qf.rx(0.8, 0), 3), 1),
    qf.conditional("k", qf.reset(1), 1), qf.conditional("k", qf.h(0), instruments.parity),
    qf.measure(0, "m"), qf.h(0),
)  # fmt: skip

QUICK = settings(max_examples=3, phases=(Phase.generate,), derandomize=True)


def on_walk(name, mutant, of=BranchWalk):
    """Replace a method by a function of the right one."""
    right = getattr(of, name)

    def patch(monkeypatch):
        monkeypatch.setattr(of, name, lambda self, *args: mutant(right, self, *args))

    return patch


def normalised_too_early(right, walk, *args):
    right(walk, *args)
    norms = branch_walk.norms(walk.states).sqrt()[:, None]
    walk.states = walk.states / torch.where(norms > 0, norms, 1.0)


def order_swapped(right, walk, *args):
    """The outcome 1 first."""
    right(walk, *args)
    walk.states = walk.states.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)


def newest_first(right, walk, *args):
    """The last outcome the most significant, for states and not for bits."""
    right(walk, *args)
    walk.states = walk.states.unflatten(0, (-1, 2)).transpose(0, 1).flatten(0, 1)


def outcome_flipped(right, walk, key, n_bits):
    right(walk, key, n_bits)
    walk.bits[key] = 1 - walk.bits[key]


def wires_reversed(right, walk, key, n_bits):
    right(walk, key, n_bits)
    walk.bits[key] = walk.bits[key].flip(-1)


def bits_not_repeated(right, walk, times):
    """Each branch's bits in turn, where each should come as often in a row."""
    del right
    walk.bits = {key: bits.repeat(times, 1) for key, bits in walk.bits.items()}


def without_flip(right, walk, op):
    """A reset that forgets to set to 0: a measurement."""
    del right
    for (wire,) in op.wires:
        walk._project(wire)
        walk._repeat_bits(2)


def never_forgetting(right, walk, op):
    """A reset that is none."""
    del right, walk, op


def keeps_coherences(right, walk, op, later):
    """A measurement that is not read changes nothing."""
    if walk._is_kept(op.gate.writes, tuple(later)):
        right(walk, op, later)


def patched(module, name, mutant):
    return lambda monkeypatch: monkeypatch.setattr(module, name, mutant)


def on_the_next_value(condition, m, device=None, right=feed_forward.truth):
    return right(condition, m, device).roll(1)


def always(condition, m, device=None, right=feed_forward.truth):
    return torch.ones_like(right(condition, m, device))


def inner_alone(row, bits, right=feed_forward.holds_of):
    """Of two conditions the outer one is forgotten."""
    return right(row.base if row.base.reads else row, bits)


def any_of_them(row, bits, right=feed_forward.holds_of):
    """One condition is enough."""
    return right(row, bits) | right(row.base, bits) if row.base.reads else right(row, bits)


def reset_anyway(right, walk, op):
    right(walk, replace(op, gate=feed_forward.innermost(op.gate)))


def acting_anyway(row, bits, right=feed_forward.holds_of):
    return torch.ones_like(right(row, bits))


def the_other_mixture(holds, *args):
    return conditioned.mixture_if(None if holds is None else ~holds, *args)


def the_other_operators(holds, *args):
    return conditioned.operators_if(None if holds is None else ~holds, *args)


def backwards(op, row, index, right=feed_forward._looked_up):
    return right(op, row, row.param_shape[0] - 1 - index)


def detached(op, bits, dtype, device, right=feed_forward.resolved):
    found = right(op, bits, dtype, device)
    return (
        replace(found, params=tuple(p.detach() for p in found.leaves)) if op.gate.reads else found
    )


def another_outcome(state, wires, right=branching.populations_of):
    """Probabilities of the outcomes in the opposite order."""
    return right(state, wires).flip(0)


def not_normalised(right, walk, wires, bits, probabilities, index):
    p = right(walk, wires, bits, probabilities, index)
    op = walk.waiting[-1]
    root = torch.where(p > 0, p, 1.0).sqrt()
    walk.waiting[-1] = replace(op, params=(op.params[0] * root.sqrt(),))
    return p


MUTANTS = [
    ("probabilities", on_walk("_project", normalised_too_early)),
    ("mixture", on_walk("_project", normalised_too_early)),
    ("sampled", on_walk("_project", normalised_too_early)),
    ("repeated", on_walk("_project", newest_first)),
    ("deferred", on_walk("_project", order_swapped)),
    ("bits", on_walk("_project", order_swapped)),
    ("deferred", on_walk("_project", newest_first)),
    ("bits", on_walk("_write", outcome_flipped)),
    ("deferred", on_walk("_write", outcome_flipped)),
    ("bits", on_walk("_write", wires_reversed)),
    ("deferred", on_walk("_repeat_bits", bits_not_repeated)),
    ("deferred", on_walk("reset", without_flip)),
    ("mixture", on_walk("reset", without_flip)),
    ("mixture", on_walk("reset", never_forgetting, DensityWalk)),
    ("mixture", on_walk("measure", keeps_coherences, DensityWalk)),
    ("deferred", patched(feed_forward, "truth", on_the_next_value)),
    ("deferred", patched(feed_forward, "truth", always)),
    ("deferred", patched(feed_forward, "_looked_up", backwards)),
    ("deferred", patched(feed_forward, "holds_of", inner_alone)),
    ("deferred", patched(feed_forward, "holds_of", any_of_them)),
    ("mixture", patched(conditioned, "holds_of", acting_anyway)),
    ("deferred", on_walk("reset", reset_anyway)),
    ("mixture", on_walk("reset", reset_anyway)),
    ("conditioned", patched(conditioned, "holds_of", acting_anyway)),
    ("conditioned", patched(branching, "mixture_if", the_other_mixture)),
    ("conditioned", patched(branching, "operators_if", the_other_operators)),
    ("derivative", patched(branch_walk, "resolved", detached)),
    ("sampled", patched(branching, "populations_of", another_outcome)),
    ("sampled", on_walk("_project", not_normalised, branching.Walk)),
]


@pytest.mark.parametrize(("law", "plant"), MUTANTS)
def test_mutants_die(law, plant, monkeypatch):
    plant(monkeypatch)
    with pytest.raises(LawError, match=f"law `{law}` fails"):
        instrument_laws(CIRCUIT, only=[law], settings=QUICK)()


def test_a_batch_that_is_not_the_loop_dies(monkeypatch):
    """Under `vmap`, and only there, a value that is not the state's own."""
    right = BranchWalk.run

    def mutant(walk, ops):
        found = right(walk, ops)
        return found * (1 + torch._C._functorch.is_batchedtensor(found))

    monkeypatch.setattr(BranchWalk, "run", mutant)
    with pytest.raises(LawError, match="law `batch` fails"):
        instrument_laws(CIRCUIT, only=["batch"], settings=QUICK)()


def test_what_is_forgotten_too_early_raises(monkeypatch):
    """A key that is summed over before a gate has read it is no silent 0."""
    monkeypatch.setattr(density_walk, "is_read_later", lambda key, ops: False)
    with pytest.raises(KeyError):
        qf.run_density(CIRCUIT)


def test_every_law_kills_a_mutant():
    assert {law for law, _ in MUTANTS} | {"batch"} == set(INSTRUMENT_LAWS)


def test_laws_hold_without_a_mutant():
    instrument_laws(CIRCUIT, settings=QUICK)()
    assert noise.n_draws(CIRCUIT) == 5
