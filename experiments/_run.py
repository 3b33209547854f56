"""What experiments share: arguments, progress, checkpoints, the table and the JSON record.

An experiment is one file: a frozen `Config`, a function `results(config, desk)` that yields ever
fuller `Result` values, `run(config)`, which is the last of them, and `main()`. Results depend on
the config alone; the `Desk` only shows progress and keeps unfinished work.
"""

import argparse
import hashlib
import json
import math
import os
import platform
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from importlib import metadata
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import torch
from matplotlib.figure import Figure
from torch import Tensor
from tqdm import tqdm

from quilt_func._checks import message
from quilt_func._tree import tree_flatten, tree_unflatten

SCHEMA = "quilt_func.experiment/1"
SAVE_EVERY_SECONDS = 10.0
QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}

Row: TypeAlias = Mapping[str, Any]
Carry = TypeVar("Carry")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Result:
    """What an experiment has found: rows for the record, and `data` for its figures alone."""

    rows: tuple[Row, ...] = ()
    baselines: tuple[Row, ...] = ()
    paper: tuple[Row, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Desk:
    """Where a run shows its progress and keeps unfinished work; the default does neither.

    Args:
        out: Folder of the checkpoints and the cache; None keeps nothing.
        key: Digest of the config; checkpoints of another config are never found.
        show: Whether progress bars are drawn (on a terminal).
    """

    out: Path | None = None
    key: str = ""
    show: bool = False

    def bar(self, items: Iterable[Value], label: str, unit: str = "it") -> "tqdm[Value]":
        """Wrap an iterable in a progress bar."""
        return tqdm(items, desc=f"{label:24s}", unit=unit, disable=None if self.show else True)

    def scan(
        self, label: str, step: Callable[[Carry], tuple[Carry, Tensor]], carry: Carry, n_steps: int
    ) -> tuple[Carry, Tensor]:
        """Apply `carry, record = step(carry)` many times; stack the records.

        The last finished step is kept every few seconds and whenever the loop ends, for whatever
        reason; the next scan of this label continues from there with the same numbers.

        Args:
            label: Name of the work, unique in its experiment.
            step: A pure function; its carry is a pytree of tensors.
            carry: Where to start.
            n_steps: Number of steps in total, those of earlier runs included.

        Returns:
            The last carry, and the records of all steps (n_steps, ...).
        """
        path = self._checkpoint(label)
        state: tuple[Carry, tuple[Tensor, ...]] = _restore(path, carry)
        saved_at = time.monotonic()
        steps = self.bar(range(len(state[1]), n_steps), label, "step")
        try:
            for _ in steps:
                carry, record = step(state[0])
                state = (carry, (*state[1], record))  # one assignment: an interrupt can't split it
                if not steps.disable:
                    steps.set_postfix_str(f"{float(record.mean()):.4f}")
                if time.monotonic() - saved_at > SAVE_EVERY_SECONDS:
                    _keep(path, *state)
                    saved_at = time.monotonic()
        finally:
            _keep(path, *state)
        return state[0], torch.stack(state[1])

    def cached(self, label: str, key: str, compute: Callable[[], Value]) -> Value:
        """Look a JSON value up under its key, or compute it and keep it."""
        if self.out is None:
            return compute()
        path = self.out / "cache" / f"{_slug(label)}-{key}.json"
        if not path.exists():
            write_atomic(path, json.dumps(_plain(compute())))
        value: Value = json.loads(path.read_text(encoding="utf-8"))
        return value

    def forget(self) -> None:
        """Drop the checkpoints of this config."""
        if self.out is not None:
            shutil.rmtree(self.out / "checkpoints" / self.key, ignore_errors=True)

    def _checkpoint(self, label: str) -> Path | None:
        if self.out is None:
            return None
        return self.out / "checkpoints" / self.key / f"{_slug(label)}.pt"


@dataclass(frozen=True)
class Experiment:
    """The parts of an experiment that `conduct` puts together.

    Args:
        name: Name in the record.
        results: Yields ever fuller results of a config.
        figures: Draws the figures of a finished result, by file name without ending.
        columns: Key of a row → format of its values, in the order of the printed table.
    """

    name: str
    results: Callable[[Any, Desk], Iterator[Result]]
    figures: Callable[[Any, Result], Mapping[str, Figure]]
    columns: Mapping[str, str]


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """Make the argument parser that all experiments share."""
    result = argparse.ArgumentParser(prog=f"python -m experiments.{name}", description=description)
    add = result.add_argument
    add("--seeds", type=int, help="number of seeds, trained at once")
    add("--epochs", type=int, help="number of optimiser steps")
    add("--device", help="torch device, such as cpu or cuda")
    add("--out", type=Path, default=Path("experiments/results") / name, help="folder of results")
    add("--resume", action="store_true", help="continue an interrupted run")
    add("--quick", action="store_true", help="a small run that only shows that everything works")
    return result


def configure(
    arguments: argparse.ArgumentParser,
    given: argparse.Namespace,
    config: Callable[..., Value],
    quick: Mapping[str, Any],
) -> Value:
    """Build a config from the arguments that name its fields; complain the parser's way."""
    names = {item.name for item in fields(config)}  # type: ignore[arg-type]
    chosen = {key: value for key, value in vars(given).items() if key in names}
    chosen = {key: value for key, value in chosen.items() if value is not None}
    try:
        return config(**{**(quick if given.quick else {}), **chosen})
    except (TypeError, ValueError) as error:
        arguments.error(str(error))


def check_device(function: str, device: str) -> None:
    """Refuse a device that this machine lacks."""
    kind = device.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise ValueError(message(function, "device", device, "be cpu or cuda", kind, "Give one."))
    if kind == "cuda" and not torch.cuda.is_available():
        remedy = "Use `--device cpu`, or a build of torch with CUDA."
        raise ValueError(message(function, "device", device, "be available", "no GPU", remedy))


def spread(values: Tensor) -> dict[str, float]:
    """Summarise one value per seed: mean, standard deviation and quantiles."""
    values = values.detach().to("cpu", torch.float64)
    sd = values.std().item() if len(values) > 1 else math.nan
    levels = torch.tensor(list(QUANTILES.values()), dtype=torch.float64)
    quantiles = dict(zip(QUANTILES, values.quantile(levels).tolist(), strict=True))
    return {"mean": values.mean().item(), "sd": sd, **quantiles}


def table(rows: Sequence[Row], columns: Mapping[str, str]) -> str:
    """Lay rows out as text: text to the left, numbers to the right, a dash for what is missing."""
    cells = [[_cell(row.get(key), form) for key, form in columns.items()] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    left = [form == "" for form in columns.values()]
    lines = [list(columns), ["─" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if to_left else cell.rjust(width)
            for cell, width, to_left in zip(line, widths, left, strict=True)
        ).rstrip()
        for line in lines
    )


def digest(*parts: object) -> str:
    """Name values by a short hash of their JSON."""
    text = json.dumps(_plain(parts), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def conduct(
    experiment: Experiment, config: Any, out: Path, *, stem: str, resume: bool = False
) -> Result:
    """Run an experiment: bars, a record that is always readable, figures, the table.

    The record `out/stem.json` is written anew after every part of the run. Its status is
    `running`, `complete`, `interrupted` (Ctrl-C or a termination signal) or `failed`.

    Args:
        experiment: What to run.
        config: Its frozen config.
        out: Folder for everything that is written.
        stem: Name of the record without ending.
        resume: Whether to continue from the checkpoints of an earlier run of the same config.

    Returns:
        The finished result.
    """
    desk, started, latest = Desk(out, digest(asdict(config)), show=True), time.monotonic(), Result()

    def save(status: str, figures: Sequence[str] = ()) -> None:
        entry = record(experiment.name, config, latest, status, figures, started)
        write_atomic(out / f"{stem}.json", json.dumps(entry, indent=1))

    if not resume:
        desk.forget()
    try:
        with _termination_as_interrupt():
            for latest in experiment.results(config, desk):
                save("running")
            save("complete", _draw(experiment.figures(config, latest), out))
    except BaseException as error:
        if latest.rows or not (out / f"{stem}.json").exists():
            save("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
        raise
    finally:
        print(table([*latest.rows, *latest.baselines, *latest.paper], experiment.columns))
    return latest


def exit_on_interrupt(work: Callable[[], object]) -> None:
    """Run a program's main part; an interrupt ends it with its usual exit code and a hint."""
    try:
        work()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The results so far are kept; continue with --resume.")


def record(
    name: str, config: Any, result: Result, status: str, figures: Sequence[str], started: float
) -> dict[str, Any]:
    """Compose the JSON record of a run."""
    entry = {
        "schema": SCHEMA,
        "experiment": name,
        "config": asdict(config),
        "versions": _versions(),
        "machine": {**_machine(config.device), "seconds": round(time.monotonic() - started, 1)},
        "seeds": config.seeds,
        "status": status,
        "rows": result.rows,
        "baselines": result.baselines,
        "paper": result.paper,
        "figures": figures,
    }
    plain: dict[str, Any] = _plain(entry)
    return plain
