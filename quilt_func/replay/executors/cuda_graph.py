"""A CUDA graph: all kernels of a program launched by one call."""

import threading
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from quilt_func.replay.draft import Draft
from quilt_func.replay.executors import straight_line

WARM_UP_RUNS = 2
"""Runs before the capture, in which libraries allocate their workspaces."""


def fits(draft: Draft) -> bool:
    """Tell whether a draft's inputs are on one CUDA device; numbers may be on the CPU."""
    return len(_cuda_devices(draft)) == 1 and "cpu" not in draft.devices("placeholder")


def build(draft: Draft, tensors: Sequence[Tensor]) -> Callable[[Sequence[Tensor]], list[Tensor]]:
    """Capture a draft, after a warm-up on a side stream.

    Raises:
        RuntimeError: If an operation cannot be captured.
    """
    plain = straight_line.build(draft, tensors)
    inputs = [tensor.clone() for tensor in tensors]
    device = torch.device(_cuda_devices(draft).pop())
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        for _ in range(WARM_UP_RUNS):
            plain(inputs)
    torch.cuda.current_stream(device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(device), torch.cuda.graph(graph):
        results = plain(inputs)
    one_at_a_time = threading.Lock()

    def run(tensors: Sequence[Tensor]) -> list[Tensor]:
        with one_at_a_time, torch.no_grad(), torch.cuda.device(device):
            for own, given in zip(inputs, tensors, strict=True):
                own.copy_(given)
            graph.replay()
            return [result.clone() for result in results]

    return run


def _cuda_devices(draft: Draft) -> set[str]:
    return {name for name in draft.devices() if name.startswith("cuda")}
