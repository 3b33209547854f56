"""What an experiment leaves behind: a result, its printed table, and its JSON record."""

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any, TypeAlias

import torch
from torch import Tensor

from experiments._desk import plain

SCHEMA = "quilt_func.experiment/1"
PACKAGES = ("torch", "numpy", "scikit-learn", "quilt-func")
QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}

Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """What an experiment has found: rows for the record, and `data` for its figures alone."""

    rows: tuple[Row, ...] = ()
    baselines: tuple[Row, ...] = ()
    paper: tuple[Row, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


def spread(values: Tensor) -> dict[str, float]:
    """Summarise one value per seed: mean, standard deviation and quantiles."""
    values = values.detach().to("cpu", torch.float64)
    levels = torch.tensor(list(QUANTILES.values()), dtype=torch.float64)
    quantiles = dict(zip(QUANTILES, values.quantile(levels).tolist(), strict=True))
    sd = values.std().item() if len(values) > 1 else math.nan
    return {"mean": values.mean().item(), "sd": sd, **quantiles}


def table(rows: Sequence[Row], columns: Mapping[str, str]) -> str:
    """Lay rows out as text: words to the left, numbers to the right, a dash for what is missing."""
    cells = [[_cell(row.get(key), form) for key, form in columns.items()] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    sides = ["<" if form == "" else ">" for form in columns.values()]
    lines = [list(columns), ["─" * width for width in widths], *cells]
    layout = [list(zip(line, sides, widths, strict=True)) for line in lines]
    return "\n".join(
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in line).rstrip() for line in layout
    )


def record(
    name: str, config: Any, result: Result, status: str, figures: Sequence[str] = ()
) -> dict[str, Any]:
    """Compose the JSON record of a run."""
    entry: dict[str, Any] = plain(
        {
            "schema": SCHEMA,
            "experiment": name,
            "config": asdict(config),
            "versions": {"python": platform.python_version(), **_versions()},
            "machine": _machine(config.device),
            "seeds": config.seeds,
            "status": status,
            "rows": result.rows,
            "baselines": result.baselines,
            "paper": result.paper,
            "figures": figures,
        }
    )
    return entry


def layout(entry: Mapping[str, Any]) -> str:
    """JSON with one line per key, and per row where there are rows."""
    lines = []
    for key, value in entry.items():
        text = json.dumps(value, ensure_ascii=False)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            rows = (json.dumps(row, ensure_ascii=False) for row in value)
            text = "[\n  " + ",\n  ".join(rows) + "\n ]"
        lines.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _cell(value: object, form: str) -> str:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "–" if missing else format(value, form)


def _versions() -> dict[str, str | None]:
    return {name: _version(name) for name in PACKAGES}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _machine(device: str) -> dict[str, Any]:
    is_gpu = device.startswith("cuda")
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if is_gpu else "cpu",
    }
