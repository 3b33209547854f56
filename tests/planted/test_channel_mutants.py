"""Rows that are no channels, or say what is not so: every law of channels kills one."""

from dataclasses import replace

import pytest
import torch

from quilt_func import noise
from quilt_func.noise import density
from quilt_func.testing import CHANNEL_LAWS, LawError, channel_laws

ROW = noise.amplitude_damping
FLIP = noise.bit_flip


def transposed(p):
    """Keeps the trace and Hermiticity, and is not completely positive."""
    swap = torch.eye(4, dtype=p.dtype.to_complex())[[0, 2, 1, 3]]
    return swap.expand(len(p), 4, 4) + 0 * p[:, None, None]


def in_double(gamma):
    return ROW.matrices(gamma.double())


def without_roots(gamma):
    return ROW.kraus(gamma).square()


def without_rest(p):
    probabilities, unitaries = FLIP.mixture(p)
    return probabilities * probabilities.new_tensor([0.5, 1.0]), unitaries


def of_the_mean(gamma):
    return ROW.matrices(gamma.mean().expand_as(gamma))


def detached(gamma):
    return ROW.matrices(gamma.detach()) + 0 * gamma[:, None, None]


def lost_at_zero(p):
    """What a guard against dividing by 0 may do."""
    kept = torch.where(p > 0, p, torch.zeros_like(p))
    return FLIP.matrices(torch.where(p > 0, kept, kept.detach()))


def detached_mixture(p):
    """Its columns sum to 1, so that sums of columns do not show it."""
    return FLIP.matrices(p.detach()) + 0 * p[:, None, None]


MUTANTS = {
    "labels": replace(ROW, symbol=()),
    "dtype": replace(ROW, matrix=in_double),
    "trace": replace(ROW, matrix=lambda gamma: 0.9 * ROW.matrices(gamma)),
    "positive": replace(ROW, matrix=transposed),
    "operators": replace(ROW, kraus=without_roots),
    "mixture": replace(FLIP, mixture=without_rest),
    "batch": replace(ROW, matrix=of_the_mean),
    "derivative": replace(ROW, matrix=detached),
    "bounds": replace(FLIP, matrix=lost_at_zero),
}


@pytest.mark.parametrize("law", MUTANTS)
def test_mutants_die(law):
    with pytest.raises(LawError, match=f"law `{law}` fails"):
        channel_laws(MUTANTS[law], only=[law])()


TWISTS = {
    "columns before rows": (noise.over_rotation_x, torch.arange(4).reshape(2, 2).T.flatten()),
    "one wire for the other": (
        noise.pauli_errors(["XZ", "ZI"]),
        torch.arange(16).reshape(2, 2, 2, 2).permute(1, 0, 3, 2).flatten(),
    ),
}


@pytest.mark.parametrize("mistake", TWISTS)
def test_wires_mixed_up_are_noticed(mistake, monkeypatch):
    row, order = TWISTS[mistake]

    def twisted(channel):
        right = noise.channels.on_pairs(channel)
        return replace(right, matrix=lambda *s: right.matrices(*s)[:, order][:, :, order])

    density._twice.cache_clear()
    monkeypatch.setattr(density, "on_pairs", twisted)
    with pytest.raises(LawError, match="law `wires` fails"):
        channel_laws(row, only=["wires"])()
    density._twice.cache_clear()


def test_a_slope_lost_in_a_mixture_is_noticed():
    with pytest.raises(LawError, match="law `derivative` fails"):
        channel_laws(replace(FLIP, matrix=detached_mixture), only=["derivative"])()


def test_every_law_kills_a_mutant():
    assert set(MUTANTS) | {"wires"} == set(CHANNEL_LAWS)


def test_a_channel_that_loses_the_trace_is_refused_where_it_is_defined():
    def lossy(p):
        one, zero = torch.ones_like(p), torch.zeros_like(p)
        rows = torch.stack([torch.stack([one, zero]), torch.stack([zero, 1 - p])])
        return rows[None]

    with pytest.raises(ValueError, match=r"lossy\(\): the channel's operators must keep the trace"):
        noise.channel(n_wires=1)(lossy)
