"""What the experiment says: the columns of its tables, and the tables of its pages."""

import re
from collections.abc import Callable, Sequence

from experiments._desk import plain
from experiments._record import Result, Row

from .evaluation import is_shadow
from .model import BY_DEVIATION, METHODS, WORDS

COLUMNS = {
    "method": "",
    "allocation": "",
    "circuits": "d",
    "shots": ",d",
    "exact": ".5f",
    "mean": ".5f",
    "off": ".2f",
    "spread": ".5f",
    "stated": ".5f",
    "ratio": ".3f",
    "cost": ".4g",
}
BLOCK = re.compile(r"(<!-- table: ([^\n]*) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str, result: Result) -> str:
    """A page with its tables written anew: each stands between two comments and is named there."""
    rows = plain(result.rows)  # as the record has them, rounded
    return BLOCK.sub(lambda found: f"{found[1]}{_block(found[2], rows)}\n{found[3]}", page)


def factor(row: Row, rows: Sequence[Row]) -> float:
    """How many times fewer shots than word by word, where each word has them by its deviation."""
    (other,) = (
        one["cost"]
        for one in rows
        if (one["part"], one["method"], one["allocation"]) == (row["part"], WORDS, BY_DEVIATION)
    )
    return float(other / row["cost"])


def _block(name: str, rows: Sequence[Row]) -> str:
    """One table: `sound`, `factors`, `costs`, or `errors` of a part."""
    if name == "sound":
        return _sound(rows)
    if name == "factors":
        return _by_system(rows, lambda row: f"{factor(row, rows):.2g}")
    if name == "costs":
        return _by_system(rows, lambda row: f"{row['cost']:.3g}")
    _, _, part = name.partition(": ")
    return _errors([row for row in rows if row["part"] == part])


def _sound(rows: Sequence[Row]) -> str:
    ratios = [row["ratio"] for row in rows]
    off = max(abs(row["off"]) for row in rows)
    sound = sum(row["sound"] for row in rows)
    return (
        f"Of {len(rows)} settings, {sound} state an error within 10 % of the spread of the "
        "repetitions, and have a mean within four standard errors of the exact value. Stated over "
        f"spread is between {min(ratios):.3f} and {max(ratios):.3f}; the mean that is furthest off "
        f"is so by {off:.1f} standard errors."
    )


def _by_system(rows: Sequence[Row], cell: Callable[[Row], str]) -> str:
    names = list(dict.fromkeys(row["part"] for row in rows))
    header = ["way", "shots", *names]
    lines = []
    for method, allocations in METHODS.items():
        for allocation in allocations:
            own = {
                row["part"]: cell(row)
                for row in rows
                if (row["method"], row["allocation"]) == (method, allocation)
            }
            lines.append([method, allocation, *(own[name] for name in names)])
    return _table(header, lines)


def _errors(rows: Sequence[Row]) -> str:
    header = ["way", "shots", "circuits", "off, in errors", "spread", "stated", "stated / spread"]
    lines = []
    for row in rows:
        circuits = "–" if is_shadow(row["method"]) else str(row["circuits"])
        numbers = f"{row['off']:+.1f}", f"{row['spread']:.5f}", f"{row['stated']:.5f}"
        own = row["method"], row["allocation"], circuits
        lines.append([*own, *numbers, f"{row['ratio']:.3f}"])
    return _table(header, lines)


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---", "---"] + ["--:"] * (len(header) - 2)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *lines))
