"""The tables of the experiment's page, written anew between their comments."""

import re
from collections.abc import Callable, Mapping, Sequence

from experiments._desk import plain
from experiments._record import Result, Row

BLOCK = re.compile(r"(<!-- table: ([^\n]*) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str, result: Result) -> str:
    """A page with its tables written anew: each stands between two comments and is named there."""
    rows: list[Row] = plain((*result.rows, *result.baselines))  # as the record has them, rounded
    return BLOCK.sub(lambda found: f"{found[1]}{_block(found[2], rows)}\n{found[3]}", page)


def _block(name: str, rows: Sequence[Row]) -> str:
    """One table: its kind, and the task or the costs that it is about."""
    kind, _, of = name.partition(": ")
    return KINDS[kind](of, rows)


def _spread(_: str, rows: Sequence[Row]) -> str:
    """How many seeds stand behind all tables, and what their intervals therefore hold."""
    n = len(next(row for row in rows if "bits" in row)["values"][0])
    if n == 1:
        return (
            "**All numbers are from one seed.** Intervals are over questions alone, and too narrow "
            "by what another\nseed would change; the command below adds seeds."
        )
    return f"Means are over {n} seeds, and intervals over seeds and questions."


def _architectures(task: str, rows: Sequence[Row]) -> str:
    header = ["bits, architecture, dropout, rate", "score", "rank", "nats a character"]
    header += ["nats an answer", "exact", "close"]
    lines = []
    for row in _of(f"{task}: architectures", rows):
        if "bits" in row:
            score = f"{row['mean']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
            rank = f"{row['rank_low']:.0f}–{row['rank_high']:.0f}"
            nats = [f"{row[name]:.3f}" for name in ("character", "answer")]
            bits, _, form = row["model"].partition(" ")
            cells = [f"`{bits}` {form}", score, rank, *nats]
        else:
            cells = [row["model"], "", "", "", ""]
        lines.append([*cells, f"{row['exact']:.1%}", f"{row['close']:.3f}"])
    return _table(header, lines)


def _budgets(task: str, rows: Sequence[Row]) -> str:
    kept = _of(f"{task}: rank correlation of two budgets", rows)
    last = max(row["late"] for row in kept)
    return _by_judge([row for row in kept if row["late"] == last], _with_interval)


def _seeds(task: str, rows: Sequence[Row]) -> str:
    kept = _of(f"{task}: rank correlation with other seeds at the end", rows)
    if not kept:
        return "(With one seed there is no other.)"
    return _by_judge(kept, lambda row: _number(row["mean"]))


def _by_judge(rows: Sequence[Row], cell: Callable[[Row], str]) -> str:
    names = dict.fromkeys(row["judge"] for row in rows)
    steps = sorted({row["early"] for row in rows})
    lines = [[name, *(cell(row) for row in rows if row["judge"] == name)] for name in names]
    return _table(["judge", *(f"{number:,} steps" for number in steps)], lines)


def _winner(task: str, rows: Sequence[Row]) -> str:
    kept = [row for row in rows if str(row["table"]).startswith(f"{task}: how surely")]
    lines = [[row["model"], f"{row['found']:.0%}"] for row in kept]
    return _table([f"`{kept[0]['winner']}` is", "share of draws"], lines)


def _searches(task: str, rows: Sequence[Row]) -> str:
    kept = _of(f"{task}: searches", rows)
    budgets = sorted({row["budget"] for row in kept})
    names = dict.fromkeys(row["model"] for row in kept)
    lines = [
        [name, *(f"{row['regret']:.3f}" for row in kept if row["model"] == name)] for name in names
    ]
    return _table(["regret", *(f"{budget:,}" for budget in budgets)], lines)


def _circuit(table: str, rows: Sequence[Row]) -> str:
    lines = []
    for row in _of(f"search: {table}", rows):
        chance = "" if row.get("mean") is None else f"{row['mean']:.2f} ± {row['sd']:.2f}"
        lines.append([row["model"], f"{row['found']:.1%}", chance, f"{row['asked']:.3g}"])
    return _table(["search", "found", "probability", "costs asked for"], lines)


def _of(table: str, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["table"] == table]


def _with_interval(row: Row) -> str:
    ends = ", ".join(_number(row[name]) for name in ("low", "high"))
    return f"{_number(row['mean'])} [{ends}]"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] + ["--:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *lines))


KINDS: Mapping[str, Callable[[str, Sequence[Row]], str]] = {
    "spread": _spread,
    "architectures": _architectures,
    "budgets": _budgets,
    "seeds": _seeds,
    "winner": _winner,
    "searches": _searches,
    "circuit": _circuit,
}
