"""One chart per group of workloads: a line per library, time on a logarithmic axis."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .peers import PEERS

Row: TypeAlias = Mapping[str, Any]

COLOURS = {"ours": "#D55E00", "torch": "#0072B2", "jax": "#009E73", "native": "#6B6B6B"}
LABELS = {"ours": "quilt_func", "torch": "torch", "jax": "JAX, compiled", "native": "C++"}
INK, FAINT = "#222222", "#D8D8D8"
LEGEND: dict[str, Any] = {
    "fontsize": 8, "frameon": False, "ncols": 4, "loc": "lower left", "bbox_to_anchor": (0, 1),
    "borderaxespad": 0.2, "handletextpad": 0.1, "columnspacing": 1.2,
}  # fmt: skip
ROW_INCHES, MARGIN_INCHES = 0.23, 1.5
SLOW_SECONDS = 0.5


def draw(title: str, rows: Sequence[Row]) -> Figure:
    """Draw the measured rows of some workloads.

    Args:
        title: What the chart says.
        rows: Rows of the record; those without a time are left out.
    """
    timed = [row for row in rows if row["status"] == "ok"]
    works = list(dict.fromkeys(row["work"] for row in timed))
    height = ROW_INCHES * (len(timed) + 2 * len(works)) + MARGIN_INCHES
    figure = Figure(figsize=(7.5, height), layout="constrained")
    axes = figure.subplots()
    place = 0
    for work in works:
        axes.text(0, place, work, transform=axes.get_yaxis_transform(), **_heading())
        place += 1
        for row in sorted((r for r in timed if r["work"] == work), key=lambda r: r["median_ms"]):
            _line(axes, place, row)
            place += 1
        place += 1
    _finish(axes, place, title, timed)
    return figure


def _heading() -> dict[str, Any]:
    return {"fontsize": 9, "fontweight": "bold", "color": INK, "va": "center"}


def _line(axes: Axes, place: int, row: Row) -> None:
    colour, median = COLOURS[row["family"]], row["median_ms"]
    ours = row["family"] == "ours"
    axes.plot([row["q25_ms"], row["q75_ms"]], [place, place], color=colour, lw=5, alpha=0.35)
    axes.plot(median, place, "o", color=colour, ms=6 if ours else 4.5)
    style: dict[str, Any] = {"fontsize": 8, "color": colour if ours else INK, "va": "center"}
    weight = "bold" if ours else "normal"
    axes.annotate(
        _label(row), (row["q75_ms"], place), xytext=(8, 0),
        textcoords="offset points", fontweight=weight, **style,
    )  # fmt: skip


def _label(row: Row) -> str:
    text = f"{PEERS[row['peer']].title}  {_milliseconds(row['median_ms'])}"
    extra = row["first_s"] - row["median_ms"] / 1e3
    slow = extra > SLOW_SECONDS and extra > row["median_ms"] / 1e3
    return f"{text}  (first call +{extra:.1f} s)" if slow else text


def _milliseconds(value: float) -> str:
    return f"{value:.2g} ms" if value < 10 else f"{value:,.0f} ms"


def _finish(axes: Axes, places: int, title: str, rows: Sequence[Row]) -> None:
    axes.set_xscale("log")
    if rows:
        times = [row["median_ms"] for row in rows]
        axes.set_xlim(min(times) / 2, max(times) * 60)
    axes.set_ylim(places - 0.5, -1)
    axes.set_yticks([])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("median time of one step, ms (bar: middle half)")
    axes.set_title(title, fontsize=11, loc="left", color=INK, pad=24)
    axes.grid(axis="x", color=FAINT, lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "left", "right"]].set_visible(False)
    families = [name for name in COLOURS if any(row["family"] == name for row in rows)]
    marks = [Line2D([], [], ls="", marker="o", color=COLOURS[name]) for name in families]
    axes.legend(marks, [LABELS[name] for name in families], **LEGEND)
