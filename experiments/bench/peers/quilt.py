"""quilt_func in its public form: a model of one sample, and `torch.func` around it.

Ops, circuit and observable are made inside the timed function, every time.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.func import grad_and_value, vmap
from torch.func import hessian as hessian_of
from torch.nn.functional import binary_cross_entropy_with_logits

import quilt_func as qf

from ..circuits import Row, Rows
from ..workloads import Work
from .base import Run, Tasks, read_pair, train_run
from .torch_tools import kernel_run, shifts_run, state_run, tensor

GATES: dict[str, Any] = {
    "rx": qf.rx, "ry": qf.ry, "rz": qf.rz, "rzz": qf.rzz, "h": qf.h, "cx": qf.cx, "cz": qf.cz,
}  # fmt: skip
Recipe: TypeAlias = list[tuple[Any, Any, Any]]
"""Gates with the columns of their angles, if any, and their wires, as a user would write them."""


def tasks(dtype: torch.dtype) -> Tasks:
    """All tasks in one precision."""
    return {
        "energy": lambda work: _pair(work, dtype, grad_and_value(_model(work))),
        "hessian": lambda work: _hessian(work, dtype),
        "qfi": lambda work: _qfi(work, dtype),
        "shifts": lambda work: shifts_run(work, _batch_of_states(work), dtype),
        "step": lambda work: _step(work, dtype),
        "train": lambda work: train_run(work, _step(work, dtype)),
        "ensemble": lambda work: _pair(work, dtype, vmap(grad_and_value(_loss(work, dtype)))),
        "state": lambda work: state_run(work, _states(work), dtype),
        "kernel": lambda work: kernel_run(work, vmap(_states(work), (None, 0)), dtype),
    }


def _step(work: Work, dtype: torch.dtype) -> Run:
    return _pair(work, dtype, grad_and_value(_loss(work, dtype)))


def _pair(work: Work, dtype: torch.dtype, grad_and_value_fn: Callable[[Tensor], Any]) -> Run:
    return Run(tensor(work.theta, dtype), lambda t: grad_and_value_fn(t)[::-1], read_pair)


def _hessian(work: Work, dtype: torch.dtype) -> Run:
    second, size = hessian_of(_model(work)), work.theta.size
    return Run(
        tensor(work.theta, dtype),
        lambda theta: second(theta).reshape(size, size),
        lambda matrix: {"hessian": matrix.numpy()},
    )


def _qfi(work: Work, dtype: torch.dtype) -> Run:
    states = _states(work)
    return Run(
        tensor(work.theta, dtype),
        lambda theta: qf.qfi(states, theta),
        lambda matrix: {"qfi": matrix.numpy()},
    )


def _batch_of_states(work: Work) -> Callable[..., Tensor]:
    states = vmap(_states(work))
    return lambda theta, _: states(theta)


def _loss(work: Work, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    x, y, model = tensor(work.x, dtype), tensor(work.y, dtype), _model(work)

    def loss(theta: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(vmap(model, (None, 0))(theta, x), y)

    return loss


def _model(work: Work) -> Callable[..., Tensor]:
    circuit = _circuit(work)
    terms = dict(zip(work.measured.words, work.measured.coefficients, strict=True))

    def model(theta: Tensor, x: Tensor | None = None) -> Tensor:
        return qf.expval(circuit(theta, x)(), qf.pauli_sum(terms))

    return model


def _states(work: Work) -> Callable[..., Tensor]:
    circuit = _circuit(work)
    return lambda theta, x=None: circuit(theta, x)()


def _circuit(work: Work) -> Callable[[Tensor, Tensor | None], qf.Circuit]:
    prefix, layers = _recipe(work.circuit.prefix), [_recipe(rows) for rows in work.circuit.layers]

    def circuit(theta: Tensor, x: Tensor | None) -> qf.Circuit:
        return qf.circuit(work.circuit.n, _ops(prefix, x), map(_ops, layers, theta))

    return circuit


def _ops(recipe: Recipe, angles: Tensor | None) -> Iterator[qf.Op]:
    for gate, columns, wires in recipe:
        yield gate(wires) if columns is None or angles is None else gate(angles[columns], wires)


def _recipe(rows: Rows) -> Recipe:
    return [(GATES[row.gate], _columns(row), _wires(row)) for row in rows]


def _wires(row: Row) -> Any:
    return row.wires if len(row.wires[0]) > 1 else [wire for (wire,) in row.wires]


def _columns(row: Row) -> Any:
    if not row.angles:
        return None
    first, last = row.angles[0], row.angles[-1]
    if len(row.angles) > 1 and row.angles == tuple(range(first, last + 1)):
        return slice(first, last + 1)
    return first if set(row.angles) == {first} else torch.tensor(row.angles)


TASKS = tasks(torch.float32)
