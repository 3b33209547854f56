"""Train and judge all architectures, some at a time in processes of their own.

Each pair of an architecture and a seed is one job with one thread, whose result is kept at once
under a key of all that it depends on: a run that is interrupted, or killed, finds it again.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch

from experiments._desk import Desk, digest

from . import judge
from .judge import Reply
from .model import ARCHITECTURES, answers, architecture, likelihoods, train
from .questions import Questions, generate, read

Marks = Mapping[str, float]
"""Mean score of a trained model, and the means of its parts."""


@dataclass(frozen=True)
class Setting:
    """What a job depends on, besides its architecture and its seed."""

    iterations: int
    block: int
    batch: int
    train: int
    held_out: int
    digits: int
    decimals: int
    questions: str
    judge: str
    device: str


@lru_cache(maxsize=1)
def questions(setting: Setting) -> Questions:
    """The questions of a setting, the same for all architectures and seeds.

    Held-out questions that don't fit the block with their answers are left out.
    """
    if setting.questions:
        found = read(Path(setting.questions), setting.held_out)
    else:
        found = generate(
            setting.train, setting.held_out, digits=setting.digits, decimals=setting.decimals
        )
    fitting = (q for q in found.held_out if len(q.text) + len(q.answer) + 2 <= setting.block)
    return Questions(found.train, tuple(fitting))


def marks(setting: Setting, bits: str, seed: int) -> Marks:
    """Train one architecture from one seed and judge it."""
    form, asked = architecture(bits), questions(setting)
    model = train(
        form,
        asked,
        iterations=setting.iterations,
        block=setting.block,
        batch=setting.batch,
        seed=seed,
        device=setting.device,
    )
    texts, right = map(list, zip(*asked.held_out, strict=True))
    given = answers(model, texts, asked.alphabet, setting.block)
    likely = likelihoods(model, texts, right, asked.alphabet)
    replies = [Reply(*each) for each in zip(texts, right, given, likely, strict=True)]
    scores = judge.find(setting.judge)(replies)
    means = {"score": sum(scores) / len(scores)}
    for name in judge.WEIGHTS:
        means[name] = sum(judge.parts(reply)[name] for reply in replies) / len(replies)
    return means


def all_marks(
    setting: Setting, seeds: int, workers: int, desk: Desk
) -> Iterator[tuple[str, list[Marks]]]:
    """Yield the marks of each architecture, one for each seed, in order of the bits."""
    jobs = [(form.bits, seed) for form in ARCHITECTURES for seed in range(seeds)]
    found: dict[str, list[Marks]] = {}
    results = Progress(len(jobs), partial(_results, jobs, setting, workers, desk))
    for bits, marks in desk.bar(results, "architectures", "job"):
        found.setdefault(bits, []).append(marks)
        if len(found[bits]) == seeds:
            yield bits, found[bits]


def _results(
    jobs: list[tuple[str, int]], setting: Setting, workers: int, desk: Desk
) -> Iterator[tuple[str, Marks]]:
    work = partial(_job, desk, setting)
    if workers == 1 or setting.device != "cpu":
        yield from map(work, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, initializer=_prepare) as pool:  # leaving it ends its processes
        yield from pool.imap(work, jobs)


@dataclass(frozen=True)
class Progress:
    """An iterable that knows its length, for a bar."""

    length: int
    items: Callable[[], Iterator[tuple[str, Marks]]]

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[str, Marks]]:
        return self.items()


def _job(desk: Desk, setting: Setting, job: tuple[str, int]) -> tuple[str, Marks]:
    """One job, or what was kept of it."""
    bits, seed = job
    key = digest(asdict(setting), seed, torch.__version__)
    return bits, desk.cached(f"marks {bits}", key, partial(marks, setting, bits, seed))


def _prepare() -> None:
    """Set a process up: one thread, and an end with its parent, even if that was killed."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers for an interrupt
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)
