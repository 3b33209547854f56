"""All families at some sizes: `python -m experiments.bench --families 14 18 [--peers NAME ...]`.

One circuit of each family, value and gradient of its energy, in one process: a forward run alone,
a gradient, the same under `qf.jit`, and the installed peers take turns, so that a slow minute of
the machine meets all alike. A peer's times count only if its value agrees with ours.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from experiments._desk import write_atomic

from . import families, peers
from .peers.quilt import value_of
from .workloads import Work

DEPTHS = {"chain": 6, "words": 2, "far": 4, "reach": 4, "qaoa": 4, "full": 2, "brick": 6, "wide": 2}
RIVALS = "flagquantum", "lightning"
SEED = 7
TOLERANCE = 2e-3
MOST, LEAST = 25, 3
Runs = dict[str, Callable[[], Any]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="bench --families", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--families", nargs="+", type=int, default=[14, 18], help="numbers of qubits")
    add("--only", nargs="+", choices=DEPTHS, default=[*DEPTHS], help="some of the families")
    add("--peers", nargs="*", default=RIVALS, choices=[*peers.PEERS], help="beside ours")
    add("--threads", type=int, default=2, help="threads of all libraries")
    add("--budget", type=float, default=20.0, help="seconds of turns for a circuit")
    add("--markdown", type=Path, help="file for the table")
    given = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    torch.set_num_threads(given.threads)
    both = [(n, family) for n in given.families for family in given.only]
    lines = [
        _line(n, family, given.peers, given.budget)
        for n, family in tqdm(both, "circuits", disable=not sys.stderr.isatty())
    ]
    text = "\n".join([*_head(given.peers), *lines]) + "\n"
    print(text)
    if given.markdown is not None:
        write_atomic(given.markdown, text)


def _head(rivals: Sequence[str]) -> list[str]:
    names = [peers.PEERS[name].title for name in rivals]
    columns = ["family", "qubits", "gates", "forward, ms", "gradient, ms", "gradient over forward",
               "with jit, ms", *(f"{name}, ms" for name in names)]  # fmt: skip
    rule = ["---", *["--:"] * 6, *["---"] * len(names)]
    return [f"| {' | '.join(columns)} |", f"| {' | '.join(rule)} |"]


def _line(n: int, family: str, rivals: Sequence[str], budget: float) -> str:
    circuit, observable = families.FAMILIES[family].make(n, DEPTHS[family], SEED)
    work = Work(f"{family}({n})", "energy", circuit, observable)
    medians = in_turns(_runs(work, rivals), budget)
    forward, gradient = medians["forward"], medians["quilt"]
    cells = [family, str(n), str(circuit.n_gates), f"{forward:.3g}", f"{gradient:.3g}",
             f"{gradient / forward:.2g}", f"{medians['quilt-jit']:.3g}"]  # fmt: skip
    for name in rivals:
        found = medians.get(name)
        cells.append("–" if found is None else f"{found:.3g}: {found / gradient:.2g}×")
    return f"| {' | '.join(cells)} |"


def _runs(work: Work, rivals: Sequence[str]) -> Runs:
    """What takes turns: ours, and those rivals that can and agree with us."""
    model = value_of(work)
    ours = {name: _task(name, work) for name in ("quilt", "quilt-jit")}
    theta = ours["quilt"].theta
    runs: Runs = {"forward": lambda: model(theta)}
    runs |= {name: partial(run.step, run.theta) for name, run in ours.items()}
    expected = _value(ours["quilt"])
    for name in rivals:
        if not peers.present(name) or (work.circuit.has_words and not peers.PEERS[name].words):
            continue
        run = _task(name, work)
        if abs(_value(run) - expected) > TOLERANCE * max(1.0, abs(expected)):
            raise ValueError(f"{name} has another value on {work.name}")
        runs[name] = partial(run.step, run.theta)
    return runs


def _task(name: str, work: Work) -> Any:
    return peers.load(name)["energy"](work)


def _value(run: Any) -> float:
    return float(np.asarray(run.read(run.step(run.theta))["value"]))


def in_turns(runs: Runs, budget: float) -> dict[str, float]:
    """Medians in milliseconds of calls that take turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    stop = time.perf_counter() + budget
    for turn in range(MOST):
        if turn >= LEAST and time.perf_counter() > stop:
            break
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    return {name: 1e3 * statistics.median(own) for name, own in times.items()}
