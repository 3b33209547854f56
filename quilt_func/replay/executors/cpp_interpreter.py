"""Torch's C++ interpreter: some microseconds an operation, and no lock of Python's."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from quilt_func._torch import compile_in_cpp
from quilt_func.replay.draft import Draft


def fits(draft: Draft) -> bool:
    """Tell whether a draft runs on the CPU alone: elsewhere calls cost less than their kernels."""
    return draft.devices() <= {"cpu"}


def build(draft: Draft, tensors: Sequence[Tensor]) -> Callable[[Sequence[Tensor]], list[Tensor]]:
    """Compile a draft, in milliseconds.

    Raises:
        AttributeError: If this torch has no interpreter.
        RuntimeError: If the interpreter lacks an operation.
    """
    compiled = compile_in_cpp(draft.graph, draft.constants)

    def run(tensors: Sequence[Tensor]) -> list[Tensor]:
        with torch.no_grad():
            return compiled(*tensors)

    run(tensors)  # an operation that is not known shows at the first run
    return run
