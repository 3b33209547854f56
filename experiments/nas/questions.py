"""Questions of addition and subtraction in the form of DeepMind's mathematics data set.

The phrases and the layout, a line with the question and a line with the answer, are those of its
module `arithmetic__add_or_sub`; the numbers come from a generator of ours. A file of the data set
can take its place. A sum or a difference that is held out is never trained on, in other words or in
the other order.

References:
    Saxton, Grefenstette, Hill and Kohli (2019), Analysing Mathematical Reasoning Abilities of
    Neural Models, ICLR.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from experiments._checks import message

SUMS = (
    "{p} + {q}",
    "{p}+{q}",
    "Work out {p} + {q}.",
    "Calculate {p} + {q}.",
    "What is {p} + {q}?",
    "What is {p} plus {q}?",
    "Add {p} and {q}.",
    "Sum {p} and {q}.",
    "Put together {p} and {q}.",
    "Total of {p} and {q}.",
)
DIFFERENCES = (
    "{p} - {q}",
    "Work out {p} - {q}.",
    "Calculate {p} - {q}.",
    "What is {p} - {q}?",
    "What is {p} minus {q}?",
    "What is {p} take away {q}?",
    "What is {q} less than {p}?",
    "Subtract {q} from {p}.",
)


class Question(NamedTuple):
    """A question and its answer, as they are written."""

    text: str
    answer: str


@dataclass(frozen=True)
class Questions:
    """Questions to train on and held out, and the characters that all are written in."""

    train: tuple[Question, ...]
    held_out: tuple[Question, ...]

    @property
    def alphabet(self) -> str:
        """All characters, sorted; the line break that ends a line is the first."""
        both = (*self.train, *self.held_out)
        return "".join(sorted({"\n", *(c for q in both for c in q.text + q.answer)}))


def generate(
    n_train: int, n_held_out: int, *, digits: int, decimals: int, seed: int = 0
) -> Questions:
    """Draw distinct questions of numbers with at most so many digits before and after the point.

    Every number has a length of its own, so that short numbers are as frequent as long ones.
    """
    rng, seen = np.random.default_rng(seed), set()
    found: list[Question] = []
    capacity = (2 * 10 ** (digits + decimals)) ** 2
    if n_train + n_held_out > capacity // 4:
        need, remedy = f"be at most {capacity // 4} in all", "Give more digits or fewer questions."
        got = str(n_train + n_held_out)
        raise ValueError(message("generate", "n_train", n_train, need, got, remedy))
    while len(found) < n_train + n_held_out:
        p, q = (_number(rng, digits, decimals) for _ in range(2))
        is_sum = bool(rng.integers(2))
        key = (*(sorted((p, q)) if is_sum else (p, q)), is_sum)
        if key not in seen:
            seen.add(key)
            phrases = SUMS if is_sum else DIFFERENCES
            text = phrases[rng.integers(len(phrases))].format(p=p, q=q)
            found.append(Question(text, written(p + q if is_sum else p - q)))
    return Questions(tuple(found[n_held_out:]), tuple(found[:n_held_out]))


def short(n_held_out: int, seed: int = 0) -> Questions:
    """All sums and differences of two of the numbers 0 to 99, in the shortest form, `p + q`.

    Sums are asked for in both orders; one that is held out is trained on in neither.
    """
    pairs = [(p, q) for p in range(100) for q in range(100)]
    tasks = [*((p, q, "+") for p, q in pairs if p <= q), *((p, q, "-") for p, q in pairs)]
    order = np.random.default_rng(seed).permutation(len(tasks))
    held_out, train = ([tasks[i] for i in part] for part in np.split(order, [n_held_out]))
    train += [_turned(task) for task in train if task[2] == "+" and task[0] != task[1]]
    held_out[::2] = map(_turned, held_out[::2])
    return Questions(tuple(map(_short, train)), tuple(map(_short, held_out)))


def read(path: Path, n_held_out: int) -> Questions:
    """Read a file of the data set and hold its last questions out; texts that return are dropped.

    Raises:
        ValueError: If the file holds fewer than twice as many questions.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = {q.strip(): a.strip() for q, a in zip(lines[::2], lines[1::2], strict=False)}
    found = tuple(Question(text, answer) for text, answer in pairs.items())
    if len(found) < 2 * n_held_out:
        need, remedy = f"hold at least {2 * n_held_out} questions", "Give another file."
        raise ValueError(message("read", "path", str(path), need, str(len(found)), remedy))
    return Questions(found[:-n_held_out], found[-n_held_out:])


def written(number: Decimal) -> str:
    """A number as the data set writes it: no trailing zeros, no exponent, no minus zero."""
    text = f"{number.normalize():f}"
    return "0" if text == "-0" else text


def encode(text: str, alphabet: str) -> Tensor:
    """Characters as positions in the alphabet, (n,) int64."""
    return torch.tensor([alphabet.index(character) for character in text])


def rows(questions: Sequence[Question], alphabet: str, block: int) -> tuple[Tensor, Tensor]:
    """Questions as padded rows of characters, and where the answer begins and ends in each.

    Returns:
        Characters (n, block) int64, line breaks behind the end; first and last place, (n, 2).
    """
    found = torch.zeros(len(questions), block, dtype=torch.int64)
    places = [(len(q.text) + 1, len(q.text) + len(q.answer) + 2) for q in questions]
    for row, question, (_, end) in zip(found, questions, places, strict=True):
        row[:end] = encode(f"{question.text}\n{question.answer}\n", alphabet)
    return found, torch.tensor(places)


def windows(questions: Sequence[Question], alphabet: str, block: int) -> tuple[Tensor, Tensor]:
    """The questions as one text, and the places where a window of `block + 1` may begin.

    A window begins with a question, so that what it asks stands in front of the answer.
    """
    lines = [f"{question.text}\n{question.answer}\n" for question in questions]
    places = np.cumsum([0, *map(len, lines[:-1])])
    text = encode("".join(lines), alphabet)
    starts = torch.from_numpy(places)
    return text, starts[starts + block + 1 <= len(text)]


def _turned(task: tuple[int, int, str]) -> tuple[int, int, str]:
    """A sum in the other order; a difference as it is."""
    p, q, sign = task
    return (q, p, sign) if sign == "+" else task


def _short(task: tuple[int, int, str]) -> Question:
    p, q, sign = task
    return Question(f"{p} {sign} {q}", str(p + q if sign == "+" else p - q))


def _number(rng: np.random.Generator, digits: int, decimals: int) -> Decimal:
    whole, after = int(rng.integers(1, digits + 1)), int(rng.integers(decimals + 1))
    size = int(rng.integers(10 ** (whole + after)))
    sign = -1 if rng.integers(2) else 1
    return Decimal(written(Decimal(sign * size).scaleb(-after)))
