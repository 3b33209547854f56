"""quilt_func in its public form: a model of one sample, and `torch.func` around it.

Ops, circuit and observable are made inside the timed function, every time.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.func import grad_and_value, vmap
from torch.func import hessian as hessian_of
from torch.nn.functional import binary_cross_entropy_with_logits

import quilt_func as qf

from ..circuits import Row, Rows
from ..workloads import Work
from .base import Run, read_pair
from .torch_tools import kernel_run, no_angles, state_run, tensor

GATES: dict[str, Any] = {
    "rx": qf.rx, "ry": qf.ry, "rz": qf.rz, "rzz": qf.rzz, "h": qf.h, "cx": qf.cx, "cz": qf.cz,
}  # fmt: skip


def step(work: Work, dtype: torch.dtype = torch.float32) -> Run:
    """Loss and gradient of a classifier: `grad_and_value` over `vmap` of the model."""
    return Run(tensor(work.theta, dtype), _swapped(grad_and_value(_loss(work, dtype))), read_pair)


def ensemble(work: Work, dtype: torch.dtype = torch.float32) -> Run:
    """The same for many parameter sets: `vmap` around it."""
    return Run(
        tensor(work.theta, dtype), _swapped(vmap(grad_and_value(_loss(work, dtype)))), read_pair
    )


def energy(work: Work, dtype: torch.dtype = torch.float32) -> Run:
    """Energy and gradient: `grad_and_value` of the model."""
    return Run(tensor(work.theta, dtype), _swapped(grad_and_value(_model(work))), read_pair)


def hessian(work: Work, dtype: torch.dtype = torch.float32) -> Run:
    """Hessian of the energy: `torch.func.hessian` of the model."""
    second, size = hessian_of(_model(work)), work.theta.size
    return Run(
        tensor(work.theta, dtype),
        lambda theta: second(theta).reshape(size, size),
        lambda matrix: {"hessian": matrix.numpy()},
    )


def state(work: Work) -> Run:
    """The final state."""
    return state_run(work, lambda theta: _circuit(work, theta)())


def kernel(work: Work) -> Run:
    """Fidelities of all pairs: `vmap` of the state over the samples."""
    return kernel_run(work, vmap(lambda x: _circuit(work, no_angles(), x)()))


def _loss(work: Work, dtype: torch.dtype) -> Any:
    x, y, model = tensor(work.x, dtype), tensor(work.y, dtype), _model(work)

    def loss(theta: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(vmap(model, (None, 0))(theta, x), y)

    return loss


def _model(work: Work) -> Any:
    terms = dict(zip(work.measured.words, work.measured.coefficients, strict=True))

    def model(theta: Tensor, x: Tensor | None = None) -> Tensor:
        return qf.expval(_circuit(work, theta, x)(), qf.pauli_sum(terms))

    return model


def _circuit(work: Work, theta: Tensor, x: Tensor | None = None) -> qf.Circuit:
    layers = map(_ops, work.circuit.layers, theta)
    return qf.circuit(work.circuit.n, _ops(work.circuit.prefix, x), layers)


def _ops(rows: Rows, angles: Tensor | None) -> Iterator[qf.Op]:
    for row in rows:
        wires = row.wires if len(row.wires[0]) > 1 else [wire for (wire,) in row.wires]
        if row.angles and angles is not None:
            yield GATES[row.gate](angles[_columns(row)], wires)
        else:
            yield GATES[row.gate](wires)


def _columns(row: Row) -> Any:
    first, last = row.angles[0], row.angles[-1]
    if row.angles == tuple(range(first, last + 1)) and len(row.angles) > 1:
        return slice(first, last + 1)
    return first if set(row.angles) == {first} else list(row.angles)


def _swapped(grad_and_value_fn: Any) -> Any:
    def value_and_grad(theta: Tensor) -> tuple[Tensor, Tensor]:
        slope, value = grad_and_value_fn(theta)
        return value, slope

    return value_and_grad
