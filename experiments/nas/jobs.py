"""All tasks, architectures and seeds as jobs, some at a time in processes of their own.

A job is one architecture on one task from one seed, with one thread. Its replies at every
checkpoint are kept at once, under a key of all that they depend on, and its state beside them: a
run that is interrupted, or killed, goes on from the last checkpoint of each job.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import torch

from experiments._desk import Desk, digest

from . import train
from .judge import Reply
from .model import ARCHITECTURES, architecture
from .train import Setting, Trainee

CHECKPOINTS = (60, 125, 250, 500, 1000, 2000)
Curve: TypeAlias = dict[int, list[Reply]]
"""Replies to all held-out questions, by the steps of training behind them."""


class Job(NamedTuple):
    """What is trained: a task, the bits of an architecture, and a seed."""

    task: str
    bits: str
    seed: int


def checkpoints(iterations: int) -> tuple[int, ...]:
    """Where a run of so many steps is judged: at the usual places, and at its end."""
    return (*(steps for steps in CHECKPOINTS if steps < iterations), iterations)


def curves(
    settings: Sequence[Setting], seeds: int, iterations: int, workers: int, desk: Desk
) -> Iterator[tuple[Job, Curve]]:
    """Yield the curve of every job: by seeds, then by tasks, then by architectures."""
    jobs = [
        (setting, form.bits, seed)
        for seed in range(seeds)
        for setting in settings
        for form in ARCHITECTURES
    ]
    results = Progress(len(jobs), partial(_results, jobs, iterations, workers, desk))
    yield from desk.bar(results, "architectures", "job")


def curve(desk: Desk, iterations: int, job: tuple[Setting, str, int]) -> tuple[Job, Curve]:
    """One job: replies that were kept, and training for those that are missing."""
    setting, bits, seed = job
    key = digest(asdict(setting), seed, torch.__version__)
    label = f"{setting.task} {bits} {seed}"
    path = None if desk.out is None else desk.out / "states" / f"{bits}-{key}.pt"
    course = _Course(setting, bits, seed, path)
    found = {
        steps: desk.cached(f"{label} {steps}", key, partial(course.replies, steps))
        for steps in checkpoints(iterations)
    }
    if path is not None:
        path.unlink(missing_ok=True)
    return Job(setting.task, bits, seed), {n: [Reply(*each) for each in found[n]] for n in found}


class _Course:
    """Training that begins when replies are first asked for, at the last state that was kept."""

    def __init__(self, setting: Setting, bits: str, seed: int, path: Path | None) -> None:
        self.setting, self.form, self.seed, self.path = setting, architecture(bits), seed, path
        self.trainee: Trainee | None = None

    def replies(self, steps: int) -> list[Reply]:
        """Train to a number of steps, which only grows, and ask the held-out questions."""
        trainee = self.trainee or self._begun(steps)
        self.trainee = train.trained(self.setting, trainee, steps, self.seed)
        if self.path is not None:
            train.keep(self.trainee, self.path)
        return train.replies(self.setting, self.trainee.model)

    def _begun(self, most: int) -> Trainee:
        new = train.fresh(self.setting, self.form, self.seed)
        return new if self.path is None else train.restored(new, self.path, most)


@dataclass(frozen=True)
class Progress:
    """An iterable that knows its length, for a bar."""

    length: int
    items: Callable[[], Iterator[tuple[Job, Curve]]]

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[Job, Curve]]:
        return self.items()


def _results(
    jobs: list[tuple[Setting, str, int]], iterations: int, workers: int, desk: Desk
) -> Iterator[tuple[Job, Curve]]:
    work = partial(curve, desk, iterations)
    if workers == 1 or jobs[0][0].device != "cpu":
        yield from map(work, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, initializer=_prepare) as pool:  # leaving it ends its processes
        yield from pool.imap(work, jobs)


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
