"""Intervals by resampling, rank correlations, and the chance that one mean is above another.

A score is a mean over questions and over seeds, and either could have been others. So both are
drawn anew: questions together for all architectures, which are asked the same ones, and seeds for
each architecture by itself.

References:
    Owen (2007), The pigeonhole bootstrap, Ann. Appl. Stat. 1, 386.
"""

import math

import torch
from torch import Tensor

import quilt_func as qf

LEVEL = 0.95
DRAWS = 2000
TIE = 1e-12  # of two variances


def resampled(values: Tensor, draws: int = DRAWS, seed: int = 0) -> Tensor:
    """Means over seeds and questions, both drawn anew.

    The seeds' deviations from their mean are scaled by `sqrt(n / (n - 1))`, without which
    resampling n of them makes their variance too small by the square of that. One seed is kept.

    Args:
        values (real, (..., n_architectures, n_seeds, n_questions)): Value of every reply.
        draws: How often both are drawn.
        seed: Of the draws.

    Returns:
        (real, (draws, ..., n_architectures)): Means.
    """
    *_, n_forms, n_seeds, n_questions = values.shape
    generator = torch.Generator().manual_seed(seed)
    asked = _weights(n_questions, (draws,), generator).to(values)
    drawn = torch.einsum("...q,dq->d...", values, asked)
    middle = drawn.mean(-1)
    if n_seeds == 1:
        return middle
    chosen = _weights(n_seeds, (draws, n_forms), generator).to(values)
    chosen = chosen.reshape(draws, *[1] * (values.ndim - 3), n_forms, n_seeds)
    away = (drawn - middle[..., None]) * math.sqrt(n_seeds / (n_seeds - 1))
    return middle + (away * chosen).sum(-1)


def interval(draws: Tensor, level: float = LEVEL) -> tuple[Tensor, Tensor]:
    """Lower and upper end of the middle share of draws, which are along the first dimension."""
    tail = (1 - level) / 2
    return draws.quantile(tail, 0), draws.quantile(1 - tail, 0)


def above(draws: Tensor, first: int, second: int) -> float:
    """Share of draws (draws, n) in which one column is above another; a tie counts half."""
    gap = draws[:, first] - draws[:, second]
    return ((gap > 0).double() + (gap == 0).double() / 2).mean().item()


def ranks(values: Tensor) -> Tensor:
    """Ranks along the last dimension, from 1 for the largest; ties share their mean rank."""
    over = (values[..., None, :] > values[..., :, None]).double().sum(-1)
    equal = (values[..., None, :] == values[..., :, None]).double().sum(-1)
    return over + (equal + 1) / 2


def spearman(a: Tensor, b: Tensor) -> Tensor:
    """Spearman's rank correlation along the last dimension; NaN if all values of one side tie."""
    x, y = (ranks(part) - (part.shape[-1] + 1) / 2 for part in (a, b))
    return (x * y).sum(-1) / (x.square().sum(-1) * y.square().sum(-1)).sqrt()


def _weights(n: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """How often each of n things is drawn when n are drawn with replacement, over n."""
    drawn = torch.randint(n, (*shape, n), generator=generator)
    return torch.zeros(*shape, n).scatter_add_(-1, drawn, torch.ones(*shape, n)) / n


def chance(scores: Tensor, deals: int = 10_000) -> float:
    """Share of deals whose means by architecture vary as much as those of scores (n, seeds).

    Architectures of one seed share their batches, so each seed's scores are dealt out among them.
    """
    order = qf.uniforms((deals, *scores.shape), 0).argsort(1)
    dealt = scores.expand(deals, -1, -1).gather(1, order).mean(2).var(1)
    return (dealt >= scores.mean(1).var() - TIE).double().mean().item()
