"""quilt_func in its public form: a model of one sample, and `torch.func` around it.

Ops, circuit and observable are made inside the timed function, every time.
"""

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.func import grad_and_value, vmap
from torch.func import hessian as hessian_of
from torch.nn.functional import binary_cross_entropy_with_logits

import quilt_func as qf
from quilt_func import instruments, noise

from ..circuits import Row, Rows
from ..workloads import STRENGTH, Work
from .base import Run, Tasks, read_along, read_pair, train_run
from .torch_tools import kernel_run, shifts_run, state_run, tensor

GATES: dict[str, Any] = {
    "rx": qf.rx, "ry": qf.ry, "rz": qf.rz, "rzz": qf.rzz, "h": qf.h, "cx": qf.cx, "cz": qf.cz,
}  # fmt: skip
CHUNK_BYTES = 2**23
"""What the states of the trajectories that are run at once may take."""
Recipe: TypeAlias = list[tuple[Any, Any, Any]]
"""Gates with what takes their angles, if any, and their wires, as a user would write them."""


def tasks(dtype: torch.dtype) -> Tasks:
    """All tasks in one precision."""
    return {
        "energy": lambda work: _pair(work, dtype, grad_and_value(value_of(work))),
        "hessian": lambda work: _hessian(work, dtype),
        "qfi": lambda work: _qfi(work, dtype),
        "shifts": lambda work: shifts_run(work, _batch_of_states(work), dtype),
        "step": lambda work: _step(work, dtype),
        "train": lambda work: train_run(work, _step(work, dtype)),
        "ensemble": lambda work: _pair(work, dtype, vmap(grad_and_value(_loss(work, dtype)))),
        "state": lambda work: state_run(work, _states(work), dtype),
        "kernel": lambda work: kernel_run(work, vmap(_states(work), (None, 0)), dtype),
        "noise": lambda work: _pair(work, dtype, grad_and_value(_noisy_model(work))),
        "trajectories": lambda work: _trajectories(work, dtype),
        "sampled": lambda work: _sampled(work, dtype),
        "branches": lambda work: _pair(work, dtype, grad_and_value(_measured_model(work))),
    }


def _step(work: Work, dtype: torch.dtype) -> Run:
    return _pair(work, dtype, grad_and_value(_loss(work, dtype)))


def _pair(work: Work, dtype: torch.dtype, grad_and_value_fn: Callable[[Tensor], Any]) -> Run:
    return Run(tensor(work.theta, dtype), lambda t: grad_and_value_fn(t)[::-1], read_pair)


def _hessian(work: Work, dtype: torch.dtype) -> Run:
    second, size = hessian_of(value_of(work)), work.theta.size
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
    x, y, model = tensor(work.x, dtype), tensor(work.y, dtype), value_of(work)

    def loss(theta: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(vmap(model, (None, 0))(theta, x), y)

    return loss


def value_of(work: Work) -> Callable[..., Tensor]:
    """The expectation value of a workload's circuit, from angles and features."""
    circuit, terms = written(work), _terms(work)

    def model(theta: Tensor, x: Tensor | None = None) -> Tensor:
        return qf.expval(circuit(theta, x)(), qf.pauli_sum(terms))

    return model


def _measured_model(work: Work) -> Callable[[Tensor], Tensor]:
    """The mean over all outcomes, of which each sets the sign of the next wire's angle."""
    n, terms, middle = work.circuit.n, _terms(work), len(work.circuit.layers) // 2
    layers = [_recipe(rows, "layers") for rows in work.circuit.layers]

    def model(theta: Tensor) -> Tensor:
        angles = theta[middle, : work.n_measured]
        steps = [
            (qf.measure(wire, f"m{wire}"), instruments.lookup(f"m{wire}", qf.ry, table, wire + 1))
            for wire, table in enumerate(torch.stack([angles, -angles], -1))
        ]
        before = map(_ops, layers[:middle], theta)
        after = map(_ops, layers[middle + 1 :], theta[middle + 1 :])
        found = qf.run_branches(qf.circuit(n, before, steps, after))
        return instruments.branch_expval(found, qf.pauli_sum(terms)).sum()

    return model


def _noisy_circuit(work: Work) -> Callable[[Tensor], qf.Circuit]:
    """The circuit with noise after every gate."""
    circuit = written(work)
    model = noise.noise_model(noise.rule(noise.depolarizing, STRENGTH))
    return lambda theta: noise.with_noise(circuit(theta, None), model)


def _noisy_model(work: Work) -> Callable[[Tensor], Tensor]:
    circuit, terms = _noisy_circuit(work), _terms(work)
    return lambda theta: qf.expval(qf.run_density(circuit(theta)), qf.pauli_sum(terms))


def _sample(work: Work) -> Callable[[Tensor, Tensor], Tensor]:
    """The value of one trajectory."""
    circuit, terms = _noisy_circuit(work), _terms(work)

    def sample(theta: Tensor, u: Tensor) -> Tensor:
        state, weight = qf.run_trajectory(circuit(theta), u)
        return weight * qf.expval(state, qf.pauli_sum(terms))

    return sample


def _trajectories(work: Work, dtype: torch.dtype) -> Run:
    """A gradient for each trajectory, so many at a time that they fit into `CHUNK_BYTES`."""
    u, size = tensor(work.u, dtype), _chunk(work)
    each = vmap(grad_and_value(_sample(work)), (None, 0), chunk_size=size)

    def step(theta: Tensor) -> tuple[Tensor, Tensor]:
        slopes, values = each(theta, u)
        return values.mean(), slopes.mean(0)

    return Run(tensor(work.theta, dtype), step, read_along(work))


def _sampled(work: Work, dtype: torch.dtype) -> Run:
    u = tensor(work.u, dtype)
    each = vmap(_sample(work), (None, 0), chunk_size=_chunk(work))
    return Run(
        tensor(work.theta, dtype),
        lambda theta: each(theta, u).mean(),
        lambda value: {"value": value.numpy()},
    )


def _chunk(work: Work) -> int:
    return max(1, CHUNK_BYTES >> (work.circuit.n + 3))


def _terms(work: Work) -> dict[str, float]:
    return dict(zip(work.measured.words, work.measured.coefficients, strict=True))


def _states(work: Work) -> Callable[..., Tensor]:
    circuit = written(work)
    return lambda theta, x=None: circuit(theta, x)()


def written(work: Work) -> Callable[[Tensor, Tensor | None], qf.Circuit]:
    """A circuit as its workload says that it is written, from angles and features."""
    prefix = _recipe(work.circuit.prefix, "layers" if work.writing != "gates" else "gates")
    is_flat, width = work.writing in ("indexed", "scaled"), work.circuit.width
    layers = [
        _recipe(_shifted(rows, number * width) if is_flat else rows, work.writing)
        for number, rows in enumerate(work.circuit.layers)
    ]

    def circuit(theta: Tensor, x: Tensor | None) -> qf.Circuit:
        angles = repeat(theta.reshape(-1)) if is_flat else theta
        return qf.circuit(work.circuit.n, _ops(prefix, x), map(_ops, layers, angles))

    return circuit


def _ops(recipe: Recipe, angles: Tensor | None) -> Iterator[qf.Op]:
    for gate, take, wires in recipe:
        yield gate(wires) if take is None or angles is None else gate(take(angles), wires)


def _recipe(rows: Rows, writing: str) -> Recipe:
    split = [one for row in rows for one in _sets(row)] if writing == "gates" else rows
    return [(_gate(row.gate), _take(row, writing), _wires(row)) for row in split]


def _sets(row: Row) -> Iterator[Row]:
    """A row for each of its gates."""
    for number, wires in enumerate(row.wires):
        yield Row(row.gate, (wires,), row.angles[number : number + 1])


def _shifted(rows: Rows, offset: int) -> Rows:
    return tuple(Row(row.gate, row.wires, tuple(a + offset for a in row.angles)) for row in rows)


def _gate(gate: str) -> Any:
    if gate.isupper():
        return lambda theta, wires: qf.pauli_rot(theta, gate, wires)
    return GATES[gate]


def _wires(row: Row) -> Any:
    return row.wires if len(row.wires[0]) > 1 else [wire for (wire,) in row.wires]


def _take(row: Row, writing: str) -> Callable[[Tensor], Tensor] | None:
    """From angles to those of a row: a slice, one, or an index; scaled by numbers if so written."""
    if not row.angles:
        return None
    if writing == "scaled":
        index, scale = torch.tensor(row.angles), torch.ones(len(row.angles))
        return lambda angles: angles[index] * scale.to(angles.dtype)
    columns = torch.tensor(row.angles) if writing == "indexed" else _columns(row)
    return lambda angles: angles[columns]


def _columns(row: Row) -> Any:
    first, last = row.angles[0], row.angles[-1]
    if len(row.angles) > 1 and row.angles == tuple(range(first, last + 1)):
        return slice(first, last + 1)
    return first if set(row.angles) == {first} else torch.tensor(row.angles)


TASKS = tasks(torch.float32)
