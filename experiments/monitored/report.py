"""What the experiment says: rows of its record, columns of its tables, the tables of its page."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

import quilt_func as qf
from experiments._desk import plain
from experiments._record import Result, Row, spread

from .model import QUANTITIES, page_entropy, page_tripartite

COLUMNS = {
    "qubits": "d",
    "pair": "",
    "p": ".3f",
    "error": ".3f",
    "runs": "d",
    "mean": ".3f",
    "sd": ".3f",
    "q05": ".2f",
    "q95": ".2f",
    "renyi_mean": ".3f",
    "tripartite_mean": ".3f",
    "tripartite_error": ".3f",
    "share": ".0%",
    "slope": ".2f",
    "slope_error": ".2f",
    "difference": ".2f",
    "difference_error": ".2f",
}
ROUNDING = 1e-4
"""In bits: what differs by less is the same."""
BLOCK = re.compile(r"(<!-- table: ([^\n]*) -->\n).*?(<!-- end -->)", re.DOTALL)


def page_row(n_qubits: int) -> Row:
    """What Haar-random states have: the limit without measurements."""
    row: dict[str, object] = {"part": "entropies", "qubits": n_qubits, "pair": "random states"}
    row |= {"mean": page_entropy(n_qubits // 2, n_qubits)}
    return row | {"tripartite_mean": page_tripartite(n_qubits)}


def entropy_rows(n_qubits: int, rates: Sequence[float], found: Tensor) -> list[Row]:
    """A row for each rate from quantities `(k, m, 3)`: the entropy's spread, means and errors."""
    rows: list[Row] = []
    for p, runs in zip(rates, found, strict=True):
        row: dict[str, object] = {"part": "entropies", "qubits": n_qubits, "p": p}
        row |= {"runs": len(runs), **spread(runs[:, 0])}
        for name, values in zip(QUANTITIES, runs.T, strict=True):
            one = spread(values)
            row |= {f"{name}_mean": one["mean"], f"{name}_sd": one["sd"]}
            row[f"{name}_error"] = standard_error(values)
        rows.append(row)
    return rows


def standard_error(values: Tensor) -> float:
    """Of the mean of independent values."""
    return float(values.std() / len(values) ** 0.5)


def crossing_rows(rates: Sequence[float], found: Mapping[int, Tensor], resamples: int) -> list[Row]:
    """Where the tripartite information of each size meets that of the next, with its error."""
    rows: list[Row] = []
    at = torch.tensor(rates, dtype=torch.float64)
    place = QUANTITIES.index("tripartite")
    for small, large in pairwise(sorted(found)):
        both = [found[n][..., place].double().cpu() for n in (small, large)]
        drawn = [resampled(one, resamples, seed) for seed, one in enumerate(both)]
        places = crossing(at, drawn[1] - drawn[0])
        is_met = places.isfinite()
        best = crossing(at, (both[1].mean(1) - both[0].mean(1))[None])[0]
        error = places[is_met].std().item() if is_met.sum() > 1 else None
        row: dict[str, object] = {"part": "crossings", "pair": f"{small} and {large} qubits"}
        row |= {"p": best.item(), "error": error, "share": is_met.double().mean().item()}
        rows.append(row)
    return rows


def resampled(values: Tensor, resamples: int, seed: int) -> Tensor:
    """Means `(r, k)` over runs drawn anew from `(k, m)` values, the same runs at all rates."""
    k, m = values.shape
    index = (m * qf.uniforms((resamples, m), seed, dtype=values.dtype)).long()
    return torch.stack([values[:, one].mean(1) for one in index]).reshape(resamples, k)


def crossing(rates: Tensor, differences: Tensor) -> Tensor:
    """Where lines through differences `(r, k)` first rise above 0; NaN where they never do.

    At a rate of 1 nothing is left of either size, so that what is no more than rounding is no rise.
    """
    low, high = differences[:, :-1], differences[:, 1:]
    rises = (low < 0) & (high > ROUNDING)
    first = rises.int().argmax(1, keepdim=True)
    a, b = low.gather(1, first)[:, 0], high.gather(1, first)[:, 0]
    left, right = rates[first[:, 0]], rates[first[:, 0] + 1]
    found = left - a * (right - left) / torch.where(b == a, 1.0, b - a)
    return torch.where(rises.any(1), found, torch.nan)


def slope_row(n_qubits: int, p: float, slopes: Tensor, differences: Tensor) -> Row:
    """A derivative from several batches, beside differences `(m,)` of single runs."""
    return {
        "part": "derivatives", "qubits": n_qubits, "p": p, "runs": len(differences),
        "slope": slopes.mean().item(), "slope_error": standard_error(slopes),
        "difference": differences.mean().item(),
        "difference_error": standard_error(differences),
    }  # fmt: skip


def filled(page: str, result: Result) -> str:
    """A page with its tables written anew: each stands between two comments and is named there."""
    kept = Result(plain(result.rows), plain(result.baselines), plain(result.paper))
    return BLOCK.sub(lambda found: f"{found[1]}{_block(found[2], kept)}\n{found[3]}", page)


def _block(name: str, result: Result) -> str:
    parts = {part: [r for r in result.rows if r["part"] == part] for part in PARTS}
    if name == "runs":
        return _runs(parts["entropies"])
    if name == "crossings":
        return _crossings([*parts["crossings"], *result.paper])
    if name == "derivatives":
        return _derivatives(parts["derivatives"])
    return _by_rate(parts["entropies"], result.baselines, name)


PARTS = ("entropies", "crossings", "derivatives")


def _runs(rows: Sequence[Row]) -> str:
    runs = {row["qubits"]: row["runs"] for row in rows}
    most = max(runs.values())
    fewer = [f"{m} for {n} qubits" for n, m in runs.items() if m < most]
    words = ", ".join([f"{most} runs at each rate", *fewer])
    return f"Means and standard errors are over {words}; each run has a seed of its own."


def _by_rate(rows: Sequence[Row], baselines: Sequence[Row], name: str) -> str:
    sizes = list(dict.fromkeys(row["qubits"] for row in rows))
    key = "mean" if name == "entropy" else f"{name}_mean"
    closed = {row["qubits"]: row.get(key) for row in baselines}
    lines = []
    if any(value is not None for value in closed.values()):
        lines.append(["random states", *(f"{closed[n]:.3f}" for n in sizes)])
    for p in dict.fromkeys(row["p"] for row in rows):
        cells = [row for row in rows if row["p"] == p]
        said = [f"{_signless(row[key])} ± {row[f'{name}_error']:.3f}" for row in cells]
        lines.append([f"{p:g}", *said])
    return _table(["p", *(f"{n} qubits" for n in sizes)], lines)


def _signless(value: float) -> str:
    """Three decimals, and 0 without a sign."""
    text = f"{value:.3f}"
    return "0.000" if text == "-0.000" else text


def _crossings(rows: Sequence[Row]) -> str:
    lines = []
    for row in rows:
        is_met = row["p"] is not None
        said = f"{row['p']:.3f}" if is_met else "none"
        if is_met and row["error"] is not None:
            said += f" ± {row['error']:.3f}"
        lines.append([row["pair"], said, f"{row['share']:.0%}" if "share" in row else "–"])
    return _table(["", "p", "resamples that cross"], lines)


def _derivatives(rows: Sequence[Row]) -> str:
    header = ["p", "runs", "derivative at p", "difference about p"]
    lines = []
    for row in rows:
        pairs = [(row[key], row[f"{key}_error"]) for key in ("slope", "difference")]
        said = [f"{value:.2f} ± {error:.2f}" for value, error in pairs]
        lines.append([f"{row['p']:g}", str(row["runs"]), *said])
    return _table(header, lines)


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] + ["--:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *lines))
