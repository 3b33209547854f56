"""One chart: how many times our own time every peer takes, a line per workload."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from .peers import PEERS

Row: TypeAlias = Mapping[str, Any]

COLOURS = {"ours": "#D55E00", "torch": "#0072B2", "jax": "#009E73", "native": "#6B6B6B"}
MARKS = {"ours": "|", "torch": "o", "jax": "D", "native": "s"}
LABELS = {
    "ours": "quilt_func",
    "torch": "torch",
    "jax": "JAX, compiled",
    "native": "C++ (hollow: doubles, against our doubles)",
}
OURS = {"single": "quilt", "double": "quilt-double"}
INK, FAINT = "#222222", "#DDDDDD"
LEGEND: dict[str, Any] = {
    "fontsize": 8, "frameon": False, "ncols": 4, "loc": "lower left", "bbox_to_anchor": (0, 1),
    "borderaxespad": 0.2, "handletextpad": 0.1, "columnspacing": 1.2,
}  # fmt: skip
ROW_INCHES, MARGIN_INCHES = 0.3, 1.4
ROOM_FOR_NAMES = 12


def draw(rows: Sequence[Row]) -> Figure | None:
    """Draw the measured rows of all workloads where both we and a peer have a time.

    Args:
        rows: Rows of the record; those without a time are left out.
    """
    ours = {(row["work"], row["peer"]): row["median_ms"] for row in rows if row["status"] == "ok"}
    works = [
        work for work in dict.fromkeys(row["work"] for row in rows) if ratios(work, rows, ours)
    ]
    if not works:
        return None
    figure = Figure(figsize=(8, ROW_INCHES * len(works) + MARGIN_INCHES), layout="constrained")
    axes = figure.subplots()
    for place, work in enumerate(works):
        _line(axes, place, ratios(work, rows, ours))
    labels = [_label(work, ours) for work in works]
    axes.set_yticks(range(len(works)), labels, fontsize=8.5, color=INK)
    _finish(axes, len(works))
    return figure


def ratios(
    work: str, rows: Sequence[Row], times: Mapping[tuple[str, str], float]
) -> list[tuple[float, str]]:
    """How many times our time of the same precision each peer takes, and its name, rising.

    We ourselves, jitted, are one of them.
    """
    found = []
    for row in rows:
        own = times.get((work, OURS[row["precision"]]))
        is_peer = row["family"] != "ours" or row["peer"] == "quilt-jit"
        if row["work"] == work and row["status"] == "ok" and is_peer and own:
            found.append((row["median_ms"] / own, row["peer"]))
    return sorted(found)


def _label(work: str, times: Mapping[tuple[str, str], float]) -> str:
    own = times.get((work, "quilt"))
    return work if own is None else f"{work}   {milliseconds(own)}"


def milliseconds(value: float) -> str:
    """A time to two or three digits."""
    return f"{value:.2g} ms" if value < 10 else f"{value:,.0f} ms"


def _line(axes: Axes, place: int, found: Sequence[tuple[float, str]]) -> None:
    axes.plot([found[0][0], found[-1][0]], [place, place], color=FAINT, lw=1, zorder=1)
    for ratio, peer in found:
        family, single = PEERS[peer].family, PEERS[peer].precision == "single"
        face = COLOURS[family] if single else "white"
        axes.plot(ratio, place, MARKS[family], color=COLOURS[family], mfc=face, ms=5)
    ratio, peer = found[0]
    axes.annotate(
        PEERS[peer].title, (ratio, place), xytext=(-6, 0), textcoords="offset points",
        fontsize=7, color=INK, ha="right", va="center",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
    )  # fmt: skip


def _finish(axes: Axes, n_works: int) -> None:
    axes.set_xscale("log")
    left, right = axes.get_xlim()
    axes.set_xlim(min(left, 0.5) / ROOM_FOR_NAMES, max(right, 2))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.axvline(1, color=COLOURS["ours"], lw=2, zorder=0)
    axes.set_ylim(n_works - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("time of a peer over ours (left of the line: faster than us)", fontsize=9)
    title = "Every peer against quilt_func, whose own time stands beside the workload"
    axes.set_title(title, fontsize=10, loc="left", color=INK, pad=22)
    axes.grid(axis="x", color=FAINT, lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "left", "right"]].set_visible(False)
    marks = [Line2D([], [], ls="", marker=MARKS[name], color=COLOURS[name]) for name in COLOURS]
    axes.legend(marks, list(LABELS.values()), **LEGEND)
