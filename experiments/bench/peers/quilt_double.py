"""quilt_func in complex128, for comparison with libraries that have doubles only."""

import torch

from ..workloads import Work
from . import quilt
from .base import Run


def step(work: Work) -> Run:
    """Loss and gradient of a classifier."""
    return quilt.step(work, torch.float64)


def energy(work: Work) -> Run:
    """Energy and gradient."""
    return quilt.energy(work, torch.float64)


def hessian(work: Work) -> Run:
    """Hessian of the energy."""
    return quilt.hessian(work, torch.float64)


def ensemble(work: Work) -> Run:
    """Losses and gradients of many classifiers."""
    return quilt.ensemble(work, torch.float64)
