"""quilt_func under `qf.jit`: value and gradient, traced once and replayed."""

import torch

import quilt_func as qf

from .quilt import tasks

_ALL = tasks(torch.float32, qf.jit)
TASKS = {task: _ALL[task] for task in ("energy", "step")}
