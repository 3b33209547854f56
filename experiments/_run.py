"""What experiments share: their arguments and their conduct, from the first bar to the figures.

An experiment is one package. Its `__main__` has a frozen `Config` (with at least `seeds` and
`device`), a function `results(config, desk)` that yields ever fuller `Result` values, the
`EXPERIMENT` made of them, and `main()`. Results depend on the config alone; the `Desk` only shows
progress and keeps unfinished work.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import torch
from matplotlib.figure import Figure
from PIL import Image
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from experiments._desk import Desk, digest, write_atomic
from experiments._record import Result, Row, layout, record, table

ConfigT = TypeVar("ConfigT")


@dataclass(frozen=True)
class Experiment:
    """The parts of an experiment that `conduct` puts together.

    Args:
        name: Name in the record.
        results: Yields ever fuller results of a config.
        figures: Draws the figures of a finished result, by name.
        columns: Key of a row → format of its values, in the order of the printed table.
        group_by: Key of a row; every value of it gets a table of its own.
        threads: Threads of the CPU; more of them only wait for each other on small arrays.
    """

    name: str
    results: Callable[[Any, Desk], Iterator[Result]]
    figures: Callable[[Any, Result], Mapping[str, Figure]]
    columns: Mapping[str, str]
    group_by: str = ""
    threads: int = 1

    def run(self, config: Any) -> Result:
        """Find the fullest result; a pure function of the config."""
        *_, last = self.results(config, Desk())
        return last


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """Make the argument parser that all experiments share."""
    result = argparse.ArgumentParser(prog=f"python -m experiments.{name}", description=description)
    add = result.add_argument
    add("--seeds", type=int, help="number of seeds, all trained at once")
    add("--epochs", type=int, help="number of optimiser steps")
    add("--device", help="torch device: cpu or cuda")
    add("--out", type=Path, default=Path("experiments/results") / name, help="folder of results")
    add("--resume", action="store_true", help="continue an interrupted run")
    add("--quick", action="store_true", help="a small run that only shows that everything works")
    return result


def configure(
    arguments: argparse.ArgumentParser,
    given: argparse.Namespace,
    config: type[ConfigT],
    presets: Mapping[str, Mapping[str, Any]],
) -> ConfigT:
    """Build a config from what was given; refuse it the parser's way.

    A preset holds the fields that its flag sets. Later presets have precedence over earlier
    ones, and arguments that name a field over all of them.
    """
    names = {item.name for item in fields(config)}  # type: ignore[arg-type]
    chosen: dict[str, Any] = {}
    for flag, preset in presets.items():
        chosen |= preset if vars(given)[flag] else {}
    for name, value in vars(given).items():
        if name in names and value is not None:
            chosen[name] = tuple(value) if isinstance(value, list) else value
    try:
        return config(**chosen)
    except (TypeError, ValueError) as error:
        arguments.error(str(error))


def main(
    experiment: Experiment,
    config: type[ConfigT],
    arguments: argparse.ArgumentParser,
    words: Sequence[str] | None,
    *,
    stem: str = "",
    **presets: Mapping[str, Any],
) -> tuple[argparse.Namespace, Result]:
    """Run an experiment from the command line; an interrupt ends the program.

    Args:
        experiment: What to run.
        config: The class of its config.
        arguments: Parses the words; has a flag for every preset.
        words: The command line; None takes that of the program.
        stem: Format of the record's name, a config in; the experiment's name by default.
        **presets: Fields that each flag sets, see `configure`; the flags end the record's name.

    Returns:
        What was given, and the finished result.
    """
    given = arguments.parse_args(words)
    chosen = configure(arguments, given, config, presets)
    flags = [flag for flag in presets if vars(given)[flag]]
    name = "-".join([stem.format(chosen) or experiment.name, *flags])
    with exit_if_interrupted():
        return given, conduct(experiment, chosen, given.out, stem=name, resume=given.resume)


def conduct(
    experiment: Experiment, config: Any, out: Path, *, stem: str, resume: bool = False
) -> Result:
    """Run an experiment: bars, a record that is readable at any time, figures, the table.

    The record `out/stem.json` is written anew after every part of the run. Its status is
    `running`, `complete`, `interrupted` (Ctrl-C or a termination signal) or `failed`.

    Args:
        experiment: What to run.
        config: Its frozen config.
        out: Folder for everything that is written.
        stem: Name of the record, without ending.
        resume: Whether to continue from the checkpoints of an earlier run of the same config.

    Returns:
        The finished result.
    """
    desk, started, latest = Desk(out, digest(asdict(config)), show=True), time.monotonic(), Result()
    path = out / f"{stem}.json"

    def save(result: Result, status: str, figures: Sequence[str] = ()) -> None:
        entry = record(experiment.name, config, result, status, figures)
        entry["machine"]["seconds"] = round(time.monotonic() - started, 1)
        write_atomic(path, layout(entry))

    if not resume:
        desk.forget()
    try:
        with _termination_interrupts(), _threads(experiment.threads):
            for latest in experiment.results(config, desk):
                save(latest, "running")
            save(latest, "complete", _draw(experiment.figures(config, latest), out, stem))
    except BaseException as error:
        if latest.rows or not path.exists():  # never put an empty record over a full one
            save(latest, "interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
        raise
    finally:
        print(_tables(experiment, latest), f"\nRecord: {path}")
    return latest


@contextmanager
def exit_if_interrupted() -> Iterator[None]:
    """End the program at an interrupt, with a hint and the usual exit code."""
    try:
        yield
    except KeyboardInterrupt:
        print("Interrupted; what was found is kept. Continue with --resume.", file=sys.stderr)
        sys.exit(130)


@contextmanager
def _termination_interrupts() -> Iterator[None]:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        with threadpool_limits(number):
            yield
    finally:
        torch.set_num_threads(before)


def _draw(figures: Mapping[str, Figure], out: Path, stem: str) -> list[str]:
    for name, figure in figures.items():
        write_atomic(out / f"{stem}-{name}.png", _png(figure))
    return [f"{stem}-{name}.png" for name in figures]


def _png(figure: Figure) -> bytes:
    """A palette of 256 colours makes a file a third as large, small enough to commit."""
    full, small = BytesIO(), BytesIO()
    figure.savefig(full, format="png", dpi=150)
    image = Image.open(full).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(small, "PNG", optimize=True)
    return small.getvalue()


def _tables(experiment: Experiment, result: Result) -> str:
    groups: dict[str, list[Row]] = {}
    for row in (*result.rows, *result.baselines, *result.paper):
        groups.setdefault(str(row.get(experiment.group_by, "")), []).append(row)
    tables = [
        f"\n{name}\n{table(rows, _filled(experiment.columns, rows))}\n"
        for name, rows in groups.items()
    ]
    return "".join(tables)


def _filled(columns: Mapping[str, str], rows: Sequence[Row]) -> dict[str, str]:
    """The columns that some row has a value for."""
    return {
        key: form for key, form in columns.items() if any(row.get(key) is not None for row in rows)
    }
