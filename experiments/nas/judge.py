"""The judge, in place of a person: answers to held-out questions become a score from 1 to 10."""

import math
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple, TypeAlias

from experiments._checks import message

WEIGHTS = {"exact": 0.5, "close": 0.25, "likely": 0.25}


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


Judge: TypeAlias = Callable[[Sequence[Reply]], Sequence[float]]
"""From replies to scores between 1 and 10, one for each."""


def marks(replies: Sequence[Reply]) -> list[float]:
    """Score replies: `1 + 9 (exact / 2 + close / 4 + likely / 4)`.

    `exact` is 1 if the answer is right to the letter and 0 otherwise; `close` is
    `1 / (1 + |given - right|)`, or 0 if the answer is no number; `likely` is the geometric mean
    of the probabilities that the model gives to the right answer's characters.
    """
    return [1 + 9 * sum(WEIGHTS[name] * part for name, part in parts(r).items()) for r in replies]


def parts(reply: Reply) -> dict[str, float]:
    """The three parts of a reply's score, each in [0, 1]."""
    close = 1 / (1 + abs(_number(reply.given) - _number(reply.right)))
    exact = float(reply.given == reply.right)
    return {"exact": exact, "close": close, "likely": reply.likelihood}


def find(name: str) -> Judge:
    """Find a judge by its name, `package.module:function`.

    Raises:
        ValueError: If there is no such function.
    """
    module, _, function = name.partition(":")
    try:
        judge: Judge = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        need, remedy = "name a function", "Write `package.module:function`."
        raise ValueError(message("find", "judge", name, need, str(error), remedy)) from None
    return judge


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.inf
    return value if math.isfinite(value) else math.inf
