"""Experiment 4: how often a qubit is lost that a code keeps, and what sampling it costs.

The code of three qubits under bit flips, and that of five under depolarizing noise, against a bare
qubit: noise on the data before each of 1, 5 or 10 perfect rounds of syndromes and corrections.
Sampled by `run_trajectory`, beside exact sums over all errors and densities, with the strength at
which a code begins to help. `--bench` measures a thousand rounds against PennyLane and Qiskit Aer.

    python -m experiments.codes [--seeds 64] [--page docs/experiments/codes.md]
    python -m experiments.codes --bench [--page docs/experiments/codes.md]
"""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.func import vmap

import quilt_func as qf
from experiments import _run
from experiments._checks import check_counts, check_device, message
from experiments._desk import Desk, write_atomic
from experiments._record import Result, Row, spread
from experiments._run import Experiment
from quilt_func import noise

from . import bench, exact, plots, report
from .model import BARE, FIVE, REPETITION, Code, is_lost, loss, memory

CHANNELS = {"bit flips": noise.bit_flip, "depolarizing": noise.depolarizing}
CODES = {"bit flips": REPETITION, "depolarizing": FIVE}
QUICK: Mapping[str, Any] = {
    "seeds": 4,
    "samples": 200,
    "rounds": (1, 2),
    "flips": (0.1, 0.3, 0.6),
    "depolarizing": (0.05, 0.1, 0.2),
}


@dataclass(frozen=True)
class Config:
    """What the results depend on.

    Args:
        seeds: Number of sets of samples, each with uniform numbers of its own.
        samples: Samples in a set, for each code, number of rounds, and strength.
        rounds: Numbers of rounds, the first of them 1.
        flips: Strengths of bit flips, increasing.
        depolarizing: Strengths of depolarizing noise, increasing.
        device: Torch device.
    """

    seeds: int = 64
    samples: int = 1000
    rounds: tuple[int, ...] = (1, 5, 10)
    flips: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.48, 0.52, 0.6)
    depolarizing: tuple[float, ...] = (0.01, 0.02, 0.04, 0.07, 0.1, 0.13, 0.145, 0.2, 0.3)
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_counts(self, "seeds", "samples", "rounds")
        check_device(self)
        if self.rounds[:1] != (1,):
            got, remedy = str(self.rounds), "Give (1, ...)."
            raise ValueError(message("Config", "rounds", self.rounds, "start with 1", got, remedy))
        for name in ("flips", "depolarizing"):
            given = getattr(self, name)
            if not given or list(given) != sorted({*given}) or not 0 < given[0] <= given[-1] < 1:
                need, remedy = "increase between 0 and 1", "Give (0.1, 0.2)."
                raise ValueError(message("Config", name, given, need, str(given), remedy))

    def strengths(self, name: str) -> Tensor:
        """The strengths of a kind of noise."""
        return torch.tensor(self.flips if name == "bit flips" else self.depolarizing)


def results(config: Config, desk: Desk) -> Iterator[Result]:
    """Yield a fuller result after every code, noise and number of rounds."""
    rows: list[Row] = []
    for name, own in CODES.items():
        for code in (BARE, own):
            for rounds in config.rounds:
                rows += _rows(config, desk, code, name, rounds)
                yield Result(tuple(rows))
    for name, code in CODES.items():
        rows.append(_crossing(rows, code, name))
    yield Result(tuple(rows))


def figures(config: Config, result: Result) -> dict[str, Figure]:
    """Loss against strength, sampled and exact."""
    del config
    return {"losses": plots.losses(result.rows, CODES)}


def sampled(config: Config, desk: Desk, code: Code, name: str, rounds: int) -> Tensor:
    """The share of samples that lost the qubit, float64 (n_seeds, n_strengths)."""
    channel, p = CHANNELS[name], config.strengths(name).to(config.device)
    shape = len(p), config.samples, noise.n_draws(memory(code, channel, p[0], rounds))
    lost = partial(is_lost, code, channel)
    found = qf.jit(vmap(lambda p, u: vmap(lambda one: lost(p, rounds, one))(u)))

    def step(seed: Tensor) -> tuple[Tensor, Tensor]:
        u = qf.uniforms(shape, 1_000_000 * rounds + int(seed), device=config.device)
        return seed + 1, found(p, u).double().mean(1)

    label = f"{name}, {code.name}, {rounds}"
    return desk.scan(label, step, torch.zeros((), dtype=torch.int64), config.seeds)[1]


def _rows(config: Config, desk: Desk, code: Code, name: str, rounds: int) -> Iterator[Row]:
    shares = sampled(config, desk, code, name, rounds)
    expected = exact.loss(code, name, rounds)
    n = config.seeds * config.samples
    for place, p in enumerate(config.strengths(name).double()):
        share, sure = shares[:, place].mean().item(), expected(p.item())
        density = loss(code, CHANNELS[name], p.to(config.device), rounds).item()
        row: dict[str, Any] = {"part": name, "code": code.name, "rounds": rounds, "p": p.item()}
        row |= {**spread(shares[:, place]), "error": _error(share, n), "samples": n}
        row |= {"exact": sure, "density": density, "deviation": (share - sure) / _error(sure, n)}
        yield row


def _error(share: float, n: int) -> float:
    """The standard error of a share of so many samples."""
    return math.sqrt(share * (1 - share) / n)


def _crossing(rows: Sequence[Row], code: Code, name: str) -> Row:
    """Where a code begins to lose as often as a bare qubit, exactly and between samples.

    The samples' difference, linear between strengths, is 0 there; its standard error is to first
    order. Rounds don't matter, since both compose alike.
    """
    low = 0.01
    row: dict[str, Any] = {"part": "crossing", "noise": name, "code": code.name}
    row["exact"] = exact.crossing(exact.loss(code, name), exact.loss(BARE, name), low)
    own, bare = (
        [r for r in rows if r["part"] == name and r["rounds"] == 1 and r["code"] == one]
        for one in (code.name, BARE.name)
    )
    over = [a["mean"] - b["mean"] for a, b in zip(own, bare, strict=True)]
    errors = [math.hypot(a["error"], b["error"]) for a, b in zip(own, bare, strict=True)]
    for place in range(len(over) - 1):
        if over[place] < 0 <= over[place + 1]:
            a, b, p, width = *over[place : place + 2], own[place]["p"], _width(own, place)
            slope = width / (b - a) ** 2
            row |= {"mean": p - a * width / (b - a), "before": p, "after": p + width}
            row["error"] = slope * math.hypot(b * errors[place], a * errors[place + 1])
            break
    return row


def _width(rows: Sequence[Row], place: int) -> float:
    return float(rows[place + 1]["p"] - rows[place]["p"])


EXPERIMENT = Experiment("codes", results, figures, report.COLUMNS, "part")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the experiment, or measure times, from the command line."""
    words = sys.argv[1:] if arguments is None else arguments
    if "--bench" in words:
        bench.main(words)
        return
    parser = _run.parser("codes", "How often a qubit is lost that a code keeps.")
    parser.add_argument("--bench", action="store_true", help="measure times; see `--bench --help`")
    parser.add_argument("--samples", type=int, help="samples of each seed")
    parser.add_argument("--page", type=Path, help="a page whose tables are filled in")
    given, result = _run.main(EXPERIMENT, Config, parser, words, quick=QUICK)
    if given.page is not None:
        write_atomic(given.page, report.filled(given.page.read_text("utf-8"), result))


if __name__ == "__main__":
    main()
