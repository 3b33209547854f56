"""The desk of a run: progress bars, checkpoints of unfinished work, a cache, atomic writes."""

import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from tqdm import tqdm

SAVE_EVERY_SECONDS = 10.0

Carry = TypeVar("Carry")
Value = TypeVar("Value")


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

    def bar(self, items: Iterable[Value], label: str, unit: str) -> "tqdm[Value]":
        """Wrap an iterable in a progress bar."""
        return tqdm(items, desc=f"{label:22s}", unit=unit, disable=None if self.show else True)

    def scan(
        self,
        label: str,
        step: Callable[[Carry], tuple[Carry, Tensor]],
        carry: Carry,
        n_steps: int,
        unit: str = "epoch",
    ) -> tuple[Carry, Tensor]:
        """Apply `carry, record = step(carry)` many times and stack the records.

        The last finished step is kept every few seconds and when the loop ends, for whatever
        reason; the next scan of this label continues from there, with the same numbers.

        Args:
            label: Name of the work, unique in its experiment.
            step: A pure function; its carry is a tensor, or dicts and tuples of tensors.
            carry: Where to start.
            n_steps: Number of steps in total, those of earlier runs included.
            unit: What the bar calls a step.

        Returns:
            The last carry, and the records of all steps, (n_steps, ...).
        """
        path = None if self.out is None else self._checkpoints / f"{_slug(label)}.pt"
        state = _restore(path, carry)
        steps = self.bar(range(len(state[1]), n_steps), label, unit)
        saved = time.monotonic()
        try:
            for _ in steps:
                state = _advance(step, *state)  # one assignment: an interrupt can't split it
                if not steps.disable:
                    steps.set_postfix_str(f"{float(state[1][-1].mean()):.4f}")
                if time.monotonic() - saved > SAVE_EVERY_SECONDS:
                    _keep(path, *state)
                    saved = time.monotonic()
        finally:
            _keep(path, *state)
        return state[0], torch.stack(state[1])

    def cached(self, label: str, key: str, compute: Callable[[], Value]) -> Value:
        """Look a JSON value up under its key, or compute it and keep it."""
        if self.out is None:
            return compute()
        path = self.out / "cache" / f"{_slug(label)}-{key}.json"
        if not path.exists():
            write_atomic(path, json.dumps(compute()))
        value: Value = json.loads(path.read_text(encoding="utf-8"))
        return value

    def forget(self) -> None:
        """Drop the checkpoints of this config."""
        if self.out is not None:
            shutil.rmtree(self._checkpoints, ignore_errors=True)

    @property
    def _checkpoints(self) -> Path:
        return Path(self.out or ".") / "checkpoints" / self.key


def map_leaves(function: Callable[[Tensor], Any], tree: Any) -> Any:
    """Apply a function to every tensor in dicts and tuples, in order; these keep their kinds."""
    if isinstance(tree, Tensor):
        return function(tree)
    if isinstance(tree, Mapping):
        return {key: map_leaves(function, value) for key, value in tree.items()}
    items = [map_leaves(function, item) for item in tree]
    return type(tree)(*items) if hasattr(tree, "_fields") else tuple(items)


def leaves_of(tree: Any) -> list[Tensor]:
    """List the tensors in dicts and tuples, in order."""
    leaves: list[Tensor] = []
    map_leaves(leaves.append, tree)
    return leaves


def digest(*parts: object) -> str:
    """Name plain values by a short hash of their JSON."""
    text = json.dumps(plain(parts), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def plain(value: Any) -> Any:
    """Turn a value into what JSON can say: tuples become lists, NaN and infinities null.

    Numbers keep eight digits, small ones too.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.8g}") if math.isfinite(value) else None
    return value


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _advance(
    step: Callable[[Carry], tuple[Carry, Tensor]], carry: Carry, records: tuple[Tensor, ...]
) -> tuple[Carry, tuple[Tensor, ...]]:
    carry, record = step(carry)
    return carry, (*records, record)


def _keep(path: Path | None, carry: Any, records: tuple[Tensor, ...]) -> None:
    if path is None or not records:
        return
    temporary = path.with_suffix(".tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"leaves": leaves_of(carry), "records": torch.stack(records)}, temporary)
    temporary.replace(path)


def _restore(path: Path | None, carry: Carry) -> tuple[Carry, tuple[Tensor, ...]]:
    if path is None or not path.exists():
        return carry, ()
    templates = leaves_of(carry)
    saved = torch.load(path, map_location="cpu", weights_only=True)
    pairs = zip(saved["leaves"], templates, strict=True)
    leaves = iter([leaf.to(template.device) for leaf, template in pairs])
    records = saved["records"].to(templates[0].device)
    return map_leaves(lambda _: next(leaves), carry), tuple(records.unbind())


def _slug(label: str) -> str:
    words = "".join(c if c.isalnum() else " " for c in label).split()
    return "-".join(words).lower()
