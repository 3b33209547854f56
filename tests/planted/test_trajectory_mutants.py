"""Samples of noise with a mistake in them: a law that compares them with densities kills each."""

import pytest
import torch
from noisy_samples import (
    F64,
    POINT,
    WORDS,
    Z,
    close,
    damped,
    estimate,
    exact,
    mixed,
    numbers,
    samples,
)
from torch.func import grad, vmap

import quilt_func as qf
from quilt_func import noise
from quilt_func.noise import branching, jumps, patterns, trajectories
from quilt_func.testing import tolerance

SHOTS = 20_000


def means(value, u, of_density):
    """Value and gradient, within standard errors."""
    close(vmap(value, (None, None, 0))(*POINT, u), of_density(*POINT))
    slopes = vmap(grad(value, (0, 1)), (None, None, 0))(*POINT, u)
    for found, expected in zip(slopes, grad(of_density, (0, 1))(*POINT), strict=True):
        close(found, expected)


def trajectories_are_the_density():
    means(*samples(damped, Z, POINT, shots=SHOTS), exact(damped, Z))


def mixtures_are_the_density():
    means(*samples(mixed, WORDS, POINT, shots=SHOTS), exact(mixed, WORDS))


def jumps_are_the_density():
    means(estimate(mixed, WORDS), numbers(mixed, POINT, shots=SHOTS), exact(mixed, WORDS))


def patterns_are_the_samples():
    value, u = samples(mixed, WORDS, POINT, shots=500)
    found = noise.trajectory_patterns(mixed(*POINT), u)

    def mean(theta, p):
        def of_pattern(branches):
            run = noise.run_pattern(mixed(theta, p), branches)
            return run.weight * qf.expval(run.state, WORDS)

        return (found.counts * vmap(of_pattern)(found.branches)).sum() / len(u)

    def slow(theta, p):
        return vmap(value, (None, None, 0))(theta, p, u).mean()

    for f in (lambda g: g(*POINT), lambda g: torch.stack(grad(g, (0, 1))(*POINT))):
        assert (f(mean) - f(slow)).abs().max() < tolerance(F64, 1024, 64.0)


LAWS = (
    trajectories_are_the_density,
    mixtures_are_the_density,
    jumps_are_the_density,
    patterns_are_the_samples,
)


def without_weight(probabilities):
    return torch.ones_like(probabilities.sum().detach())


def not_detached(probabilities):
    return probabilities.log().sum().exp()


def all_detached(probabilities):
    log = probabilities.detach().log().sum()
    return (log - log.detach()).exp()


def of_one_branch_only(probabilities):
    log = probabilities[:1].log().sum()
    return (log - log.detach()).exp()


def from_the_right(probabilities, u, right=branching.chosen):
    """The branch whose place from the right a number falls on."""
    return probabilities.shape[-1] - 1 - right(probabilities, u)


def without_later(jump_probabilities, right=jumps._later):
    """No condition: any channel may keep branch 0."""
    later = right(jump_probabilities)
    return torch.cat([later[:1], torch.ones_like(later[1:])])


def without_total(jump_probabilities, right=jumps._later):
    """A weight of 1 in place of the probability of a jump."""
    later = right(jump_probabilities)
    return torch.cat([torch.ones_like(later[:1]), later[1:]])


def one_place_late(jump_probabilities, right=jumps._later):
    """The condition of each draw counts the draw itself as one that may come later."""
    later = right(jump_probabilities)
    return torch.cat([later[:1], later[:-1]])


def of_any_count(found):
    return found._replace(counts=torch.full_like(found.counts, 500 // len(found.counts)))


def everywhere(monkeypatch, name, mutant):
    for module in (branching, trajectories, patterns, jumps):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, mutant)


SCORES = [without_weight, not_detached, all_detached, of_one_branch_only]
MUTANTS = [
    *[("score", mutant, law) for mutant in SCORES[:3] for law in LAWS[:3]],
    ("score", of_one_branch_only, mixtures_are_the_density),
    ("score", of_one_branch_only, jumps_are_the_density),
    ("chosen", from_the_right, trajectories_are_the_density),
    ("chosen", from_the_right, mixtures_are_the_density),
    ("chosen", from_the_right, jumps_are_the_density),
    ("_later", without_later, jumps_are_the_density),
    ("_later", without_total, jumps_are_the_density),
    ("_later", one_place_late, jumps_are_the_density),
]


@pytest.mark.parametrize("law", LAWS)
def test_laws_hold(law):
    law()


@pytest.mark.parametrize(
    ("name", "mutant", "law"),
    MUTANTS,
    ids=[f"{m.__name__}-{law.__name__}" for _, m, law in MUTANTS],
)
def test_mutants_die(name, mutant, law, monkeypatch):
    everywhere(monkeypatch, name, mutant)
    with pytest.raises(AssertionError):
        law()


@pytest.mark.parametrize("mistake", ["counts", "score", "chosen"])
def test_mistakes_in_patterns_die(mistake, monkeypatch):
    """Counts left out, a weight left out of patterns alone, and patterns of other numbers."""
    if mistake == "counts":
        right = noise.trajectory_patterns
        monkeypatch.setattr(noise, "trajectory_patterns", lambda *args: of_any_count(right(*args)))
    else:
        mutant = {"score": without_weight, "chosen": from_the_right}[mistake]
        monkeypatch.setattr(patterns, mistake, mutant)
    with pytest.raises(AssertionError):
        patterns_are_the_samples()
