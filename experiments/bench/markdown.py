"""The tables of a finished run in Markdown: the summary, the targets, every measurement."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from .peers import PEERS
from .targets import fastest
from .workloads import parse

Row: TypeAlias = Mapping[str, Any]

FAMILIES = {"torch": "fastest torch library", "jax": "fastest on JAX", "native": "fastest in C++"}
SLOW_S = 0.5


def page(rows: Sequence[Row], baselines: Sequence[Row]) -> str:
    """All tables.

    Args:
        rows: The measurements.
        baselines: The machine, then the verdicts on the targets.
    """
    machine, *verdicts = baselines
    parts = [
        f"{machine['date']}. {machine['note']}. Python {machine['python']}, {_versions(rows)}.",
        "## The fastest peers",
        _summary(rows),
        "## Targets",
        _table(
            ("target", "reached", "bar", "verdict"),
            [(v["peer"], f"{v['ratio']:.3g}", v["note"], v["status"]) for v in verdicts],
        ),
        "## Every measurement",
        _every(rows),
        "## Without a time",
        "\n".join(f"- {absence}" for absence in _absences(rows)),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(rows: Sequence[Row]) -> str:
    header = (
        "work",
        "quilt_func, ms",
        "with jit, ms",
        "peak, MiB",
        "of the limit",
        *FAMILIES.values(),
    )
    lines = []
    for row in rows:
        if row["peer"] == "quilt" and row["status"] == "ok":
            rivals = [fastest(rows, row["work"], family) for family in FAMILIES]
            jitted = _jitted(fastest(rows, row["work"], "quilt-jit"))
            own = f"{_spread(row)}", jitted, f"{row['peak_mib']:.0f}", f"{row['of_limit']:.1%}"
            lines.append((f"`{row['work']}`", *own, *(_rival(row, rival) for rival in rivals)))
    return _table(header, lines)


def _jitted(row: Row | None) -> str:
    return "–" if row is None else f"{_spread(row)} (+{row['first_s']:.1f} s)"


def _rival(ours: Row, rival: Row | None) -> str:
    if rival is None:
        return "–"
    ratio = rival["median_ms"] / ours["median_ms"]
    text = f"{PEERS[rival['peer']].title} {_digits(rival['median_ms'])}: {ratio:.2g}×"
    text += f" (+{rival['first_s']:.1f} s)" if _compiles(rival) else ""
    return f"**{text}**" if ratio < 1 else text


def _every(rows: Sequence[Row]) -> str:
    header = (
        "work", "library", "median, ms", "middle half, ms", "first call, s", "peak, MiB",
        "over the fastest peer", "of the limit",
    )  # fmt: skip
    timed = sorted(
        (row for row in rows if row["status"] == "ok"),
        key=lambda row: (_position(rows, row["work"]), row["median_ms"]),
    )
    return _table(header, [_measurement(row) for row in timed])


def _measurement(row: Row) -> tuple[str, ...]:
    half = f"{_digits(row['q25_ms'])} to {_digits(row['q75_ms'])}" if row["repeats"] > 1 else "once"
    ratio = f"{row['ratio']:.2g}×" if "ratio" in row else "–"
    return (
        f"`{row['work']}`", PEERS[row["peer"]].title, _digits(row["median_ms"]), half,
        f"{row['first_s']:.2f}", f"{row['peak_mib']:.0f}", ratio, f"{row['of_limit']:.1%}",
    )  # fmt: skip


def _absences(rows: Sequence[Row]) -> list[str]:
    lacks = [f"{peer.title}: no {', '.join(peer.lacks)}" for peer in PEERS.values() if peer.lacks]
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        peer = PEERS[row["peer"]]
        if row["status"] != "ok" and parse(row["work"]).task not in peer.lacks:
            reasons.setdefault((peer.title, row["note"]), []).append(f"`{row['work']}`")
    others = [f"{title} on {', '.join(works)}: {note}" for (title, note), works in reasons.items()]
    return [*lacks, *others]


def _versions(rows: Sequence[Row]) -> str:
    known = {PEERS[row["peer"]].distribution: row["version"] for row in rows if "version" in row}
    return ", ".join(f"{name} {version}" for name, version in known.items())


def _position(rows: Sequence[Row], work: str) -> int:
    return [row["work"] for row in rows].index(work)


def _compiles(row: Row) -> bool:
    return bool(row["family"] == "jax" and row["first_s"] > SLOW_S)


def _spread(row: Row) -> str:
    return f"{_digits(row['median_ms'])} ± {_digits(row['iqr_ms'] / 2)}"


def _digits(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] + ["--:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *lines))
