"""Folders of checkpoints, which the first rank makes, names and removes for all."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from quilt_func._checks import message

_FORMAT, _VERSION = "quilt_func sharded state", 1
_FACTS = "state.json"
"""The file of what is no tensor: the layout, and the user's own values."""


def has_checkpoint(folder: Path) -> bool:
    """Whether there is a whole checkpoint."""
    return bool(_numbers(folder))


def _numbers(folder: Path) -> list[int]:
    """Numbers of the whole checkpoints, the last one last."""
    if not folder.is_dir():
        return []
    return sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal())


def part_of(folder: Path, number: int) -> Path:
    """Where a checkpoint is while it is written."""
    return folder / f"{number}.part"


def begin(folder: Path) -> int:
    """Make a folder for a checkpoint, and name its number."""
    number = max(_numbers(folder), default=0) + 1
    part = part_of(folder, number)
    if part.exists():  # of a run that was ended within it
        shutil.rmtree(part)
    part.mkdir(parents=True)
    return number


def finish(folder: Path, number: int, facts: dict[str, Any]) -> None:
    """Let a checkpoint count, with its facts, and remove those before."""
    part = part_of(folder, number)
    with (part / _FACTS).open("w", encoding="utf8") as file:
        json.dump({"format": _FORMAT, "version": _VERSION, **facts}, file)
        file.flush()
        os.fsync(file.fileno())
    part.rename(folder / str(number))
    for before in _numbers(folder)[:-1]:
        shutil.rmtree(folder / str(before))


def last_facts(function: str, folder: Path) -> tuple[int, dict[str, Any]]:
    """The number of the last checkpoint, and what it holds besides tensors."""
    found = _numbers(folder)
    if not found:
        raise FileNotFoundError(
            f"{function}(directory={str(folder)!r}): there is no whole checkpoint in it. Save one "
            "by `save_state(state, directory)`."
        )
    file = folder / str(found[-1]) / _FACTS
    facts = json.loads(file.read_text("utf8")) if file.is_file() else {}
    if facts.get("format") != _FORMAT or facts["version"] > _VERSION:
        need = f"hold checkpoints of `save_state`, of version {_VERSION} at most"
        got = f"another kind in {file.parent.name!r}"
        remedy = "Name another directory, or upgrade quilt_func."
        raise ValueError(message(function, "directory", str(folder), need, got, remedy))
    return found[-1], facts
