"""FlagQuantum as its `Module` is used most simply: by torch's reverse mode, row by row."""

import torch
from torch import Tensor

from ..workloads import Work
from .base import Run
from .flagquantum import _energy, _states
from .torch_tools import fisher_information, hessian_run, tensor


def _qfi(work: Work) -> Run:
    states, no_features = _states(work), torch.zeros(1, 0)

    def parts(theta: Tensor) -> Tensor:
        return torch.view_as_real(states(theta, no_features).reshape(-1))

    def step(theta: Tensor) -> Tensor:
        rows: Tensor = torch.autograd.functional.jacobian(parts, theta, vectorize=True)
        tangents = torch.view_as_complex(rows.flatten(2).permute(2, 0, 1).contiguous())
        return fisher_information(torch.view_as_complex(parts(theta))[None], 2 * tangents)

    return Run(tensor(work.theta), step, lambda matrix: {"qfi": matrix.numpy()})


TASKS = {
    "hessian": lambda work: hessian_run(work, _energy(work), vectorize=False),
    "qfi": _qfi,
}
