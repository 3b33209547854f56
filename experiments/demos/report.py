"""The columns of the table of demonstrations, and its page."""

import re
from typing import Any

from experiments._desk import plain
from experiments._record import Result

COLUMNS = {
    "title": "",
    "by": "",
    "median_ms": ".2f",
    "q25_ms": ".2f",
    "q75_ms": ".2f",
    "speed": ".3g",
    "deviation": ".1e",
    "status": "",
}
BLOCK = re.compile(r"(<!-- table: times -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str, result: Result) -> str:
    """A page with its table of times written anew."""
    header = ["demonstration", "device", "value and gradient, ms", "times as fast", "off by"]
    lines = [_line(row) for row in plain(result.rows)]
    rule = ["---", "---", "--:", "--:", "--:"]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *lines))
    return BLOCK.sub(lambda found: f"{found[1]}{table}\n{found[2]}", page)


def _line(row: dict[str, Any]) -> list[str]:
    if row["status"] != "ok":
        return [row["title"], f"`{row['by']}`", row["status"], "–", "–"]
    spread = f"{row['median_ms']:.1f} ({row['q25_ms']:.1f} to {row['q75_ms']:.1f})"
    return [
        row["title"],
        f"`{row['by']}`",
        spread,
        f"{row['speed']:.2g}",
        f"{row['deviation']:.0e}",
    ]
