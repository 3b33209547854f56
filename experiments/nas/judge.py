"""Judges, in place of a person: replies to held-out questions become a score from 1 to 10.

A judge gives every reply a value, and a score to the mean of the values: a mean can be taken anew
over other questions and other seeds, which is what intervals are made of.
"""

import math
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from experiments._checks import message


class Reply(NamedTuple):
    """What a model made of a question: its answer, and how likely it finds the right one.

    The log-probability is that of the right answer with the end of its line, in nats.
    """

    question: str
    right: str
    given: str
    log_likelihood: float

    @property
    def n_characters(self) -> int:
        """Characters of the right answer, with the end of its line."""
        return len(self.right) + 1

    @property
    def likelihood(self) -> float:
        """Geometric mean of the probabilities of the right answer's characters."""
        return math.exp(self.log_likelihood / self.n_characters)


Marker: TypeAlias = Callable[[Sequence[Reply]], Sequence[float]]
"""From replies to values, one for each."""


def _as_it_is(mean: Tensor) -> Tensor:
    return mean


class Judge(NamedTuple):
    """A value for every reply, and the score, from 1 to 10, of a mean of values."""

    name: str
    values: Marker
    score: Callable[[Tensor], Tensor] = _as_it_is

    def __call__(self, replies: Sequence[Reply]) -> float:
        """The score of some replies."""
        values = torch.tensor(self.values(replies), dtype=torch.float64)
        return self.score(values.mean()).item()


def per_character(replies: Sequence[Reply]) -> list[float]:
    """Log-likelihood of each answer over the mean length of an answer, in nats.

    Their mean is that of all characters: long answers count for more.
    """
    length = sum(reply.n_characters for reply in replies) / len(replies)
    return [reply.log_likelihood / length for reply in replies]


def per_answer(replies: Sequence[Reply]) -> list[float]:
    """Log-likelihood of each answer with the end of its line, in nats."""
    return [reply.log_likelihood for reply in replies]


def exact(replies: Sequence[Reply]) -> list[float]:
    """1 for an answer that is right to the letter, 0 for others."""
    return [float(reply.given == reply.right) for reply in replies]


def close(replies: Sequence[Reply]) -> list[float]:
    """`1 / (1 + |given - right|)`, or 0 if the answer is no number."""
    return [1 / (1 + abs(_number(reply.given) - _number(reply.right))) for reply in replies]


def marks(replies: Sequence[Reply]) -> list[float]:
    """A mixture, each from 1 to 10: `1 + 9 (exact / 2 + close / 4 + likely / 4)`.

    `likely` is the geometric mean of the probabilities that the model gives to the right answer's
    characters.
    """
    likely = [reply.likelihood for reply in replies]
    parts = zip(exact(replies), close(replies), likely, strict=True)
    return [1 + 9 * (a / 2 + b / 4 + c / 4) for a, b, c in parts]


def from_logarithm(mean: Tensor) -> Tensor:
    """`1 + 9 exp(mean)`: 10 for certainty, 1 for the impossible, 1 + 9 / k for one in k."""
    return 1 + 9 * mean.exp()


def from_share(mean: Tensor) -> Tensor:
    """`1 + 9 mean`, of a mean in [0, 1]."""
    return 1 + 9 * mean


LIKELIHOOD, EXACT, CLOSE, MIXED = "likelihood", "exact", "close", "mixed"
JUDGES = {
    LIKELIHOOD: Judge(LIKELIHOOD, per_character, from_logarithm),
    EXACT: Judge(EXACT, exact, from_share),
    CLOSE: Judge(CLOSE, close, from_share),
    MIXED: Judge(MIXED, marks),
}
"""By name. Likelihoods per character and per answer rank alike: their logarithms are in proportion,
because all networks are asked the same questions."""


def find(name: str) -> Judge:
    """Find a judge by its name, or a function of one's own by `package.module:function`.

    Such a function is given replies and returns scores from 1 to 10, one for each.

    Raises:
        ValueError: If there is neither.
    """
    if name in JUDGES:
        return JUDGES[name]
    module, _, function = name.partition(":")
    try:
        marker: Any = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        need = f"be one of {', '.join(JUDGES)}, or name a function"
        remedy = "Write `package.module:function`."
        raise ValueError(message("find", "judge", name, need, str(error), remedy)) from None
    return Judge(name, marker)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.inf
    return value if math.isfinite(value) else math.inf
