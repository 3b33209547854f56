"""quilt_func in complex128, for comparison with libraries that have doubles only."""

import torch

from .quilt import tasks

TASKS = tasks(torch.float64)
