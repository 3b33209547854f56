"""quilt_func in its public form, with each step under `quilt_func.jit`."""

from collections.abc import Callable
from dataclasses import replace

import quilt_func as qf

from ..workloads import Work
from . import quilt
from .base import Run, Tasks, train_run


def _jitted(make: Callable[[Work], Run]) -> Callable[[Work], Run]:
    def made(work: Work) -> Run:
        run = make(work)
        return replace(run, step=qf.jit(run.step))

    return made


TASKS: Tasks = {
    **{task: _jitted(make) for task, make in quilt.TASKS.items()},
    "train": lambda work: train_run(work, _jitted(quilt.TASKS["step"])(work)),
}
