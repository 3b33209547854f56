"""Times of PennyLane's demonstrations on its devices and on ours: `python -m experiments.demos`.

A time is that of a value and its gradient through PennyLane's torch interface. None counts unless
value and gradient are those of `default.qubit`, or `default.mixed`.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qml
import torch
from matplotlib.figure import Figure
from torch import Tensor

import quilt_func as qf
from experiments import _run
from experiments._checks import check_counts
from experiments._desk import Desk, write_atomic
from experiments._record import Result
from quilt_func.pennylane_device import QuiltMixed, QuiltQubit

from .circuits import DEMOS, Loss
from .report import COLUMNS, filled

QUICK: Mapping[str, Any] = {"repeats": 3, "budget": 0.1}
MIN_REPEATS = 3
TOLERANCE = 1e-6

Row = dict[str, Any]


@dataclass(frozen=True)
class Config:
    """What is measured.

    Args:
        budget: Seconds to spend on the repetitions of one measurement.
        repeats: Repetitions at most.
        seeds: Always 1.
        device: Always cpu.
    """

    budget: float = 3.0
    repeats: int = 200
    seeds: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_counts(self, "repeats")
        if self.seeds != 1 or self.device != "cpu":
            raise ValueError("times are of one seed, on cpu")


def losses(name: str) -> dict[str, Loss]:
    """A demonstration on each device that has it, the reference first."""
    demo = DEMOS[name]
    n = demo.n_wires + (3 if name in ("convolutions", "teleportation") else 0)
    devices: dict[str, tuple[Any, dict[str, Any]]]
    if demo.needs_mixed:
        devices = {
            "default.mixed": (qml.device("default.mixed", wires=n), {}),
            "quilt.mixed": (QuiltMixed(n), {}),
        }
    else:
        devices = {
            "default.qubit": (qml.device("default.qubit", wires=n), {}),
            "quilt.qubit": (QuiltQubit(n), {"mcm_method": "device"}),
        }
    found = {
        by: demo.make(qml.qnode(device, interface="torch", diff_method="backprop", **more))
        for by, (device, more) in devices.items()
    }
    if not demo.needs_mixed:
        found |= _lightning(name, n)
    return found


def _lightning(name: str, n: int) -> dict[str, Loss]:
    """PennyLane's device in C++, where it is installed."""
    try:
        device = qml.device("lightning.qubit", wires=n)
    except qml.exceptions.DeviceError:
        return {}
    node = qml.qnode(device, interface="torch", diff_method="adjoint")
    return {"lightning.qubit": DEMOS[name].make(node)}


def parameters(name: str) -> Tensor:
    """Where a demonstration is looked at."""
    return 3 * qf.uniforms(DEMOS[name].shape, len(name), dtype=torch.float64)


def value_and_gradient(loss: Loss, theta: Tensor) -> tuple[Tensor, Tensor]:
    """By PennyLane's torch interface."""
    own = theta.clone().requires_grad_()
    value = loss(own)
    (gradient,) = torch.autograd.grad(value, own)
    return value.detach(), gradient


def results(config: Config, desk: Desk) -> Iterator[Result]:
    """Measure every demonstration on every device; a result after each."""
    rows: list[Row] = []
    for name in desk.bar([*DEMOS], "measurements", "demo"):
        rows += measured(config, name)
        yield Result(tuple(rows))


def measured(config: Config, name: str) -> list[Row]:
    """One demonstration: a row for each device."""
    theta, rows, reference = parameters(name), [], None
    for by, loss in losses(name).items():
        row: Row = {"part": "times", "demo": name, "title": DEMOS[name].title, "by": by}
        try:
            found = value_and_gradient(loss, theta)
        except Exception as error:  # what a device can't do is a row, too
            rows.append({**row, "status": f"refused: {type(error).__name__}"})
            continue
        reference = reference or found
        off = max(float((a - b).abs().max()) for a, b in zip(found, reference, strict=True))
        row |= {"deviation": off, "status": "ok" if off < TOLERANCE else "wrong"}
        if row["status"] == "ok":
            low, middle, high = np.quantile(_timed(loss, theta, config), [0.25, 0.5, 0.75]).tolist()
            row |= {"q25_ms": 1e3 * low, "median_ms": 1e3 * middle, "q75_ms": 1e3 * high}
            first = rows[0]["median_ms"] if rows else row["median_ms"]
            row["speed"] = first / row["median_ms"]
        rows.append(row)
    return rows


def _timed(loss: Loss, theta: Tensor, config: Config) -> list[float]:
    """Seconds of calls, after two that are not counted."""
    times: list[float] = []
    for _ in range(2):
        value_and_gradient(loss, theta)
    while len(times) < config.repeats:
        if len(times) >= MIN_REPEATS and sum(times) > config.budget:
            break
        began = time.perf_counter()
        value_and_gradient(loss, theta)
        times.append(time.perf_counter() - began)
    return times


def figures(config: Config, result: Result) -> dict[str, Figure]:
    """None: the table says it."""
    del config, result
    return {}


EXPERIMENT = _run.Experiment("demos", results, figures, COLUMNS, "demo")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure from the command line."""
    parser = _run.parser("demos", "PennyLane's demonstrations on its devices and on ours.")
    add = parser.add_argument
    add("--budget", type=float, help="seconds of repetitions per measurement")
    add("--repeats", type=int, help="repetitions at most")
    add("--page", type=Path, help="a page whose table of times is filled in")
    given, result = _run.main(EXPERIMENT, Config, parser, arguments, quick=QUICK)
    if given.page is not None:
        write_atomic(given.page, filled(given.page.read_text("utf-8"), result))


if __name__ == "__main__":
    main()
