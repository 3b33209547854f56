"""A replayed function as torch's autograd sees it."""

from typing import Any

import torch
from torch import Tensor

from quilt_func.replay.gradients import DifferentiableProgram, is_differentiable
from quilt_func.replay.tracing import plain


class Replayed(torch.autograd.Function):
    """Results of a program, with its vjp, a second program, as the backward pass."""

    @staticmethod
    def forward(ctx: Any, programs: DifferentiableProgram, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run the first program, and save what it leaves for the second."""
        results, kept = programs.forward([plain(tensor) for tensor in tensors])
        ctx.programs = programs
        ctx.save_for_backward(*tensors, *kept)
        ctx.mark_non_differentiable(*(r for r in results if not is_differentiable(r)))
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        """Run the second program; if its results are to be differentiated, as a function."""
        programs, saved = ctx.programs, ctx.saved_tensors
        count = len(ctx.needs_input_grad) - 1
        found = programs.backward(saved[:count], saved[count:], cotangents)
        return None, *found
