"""What the experiment on codes says: the columns of its tables, and the tables of its page."""

import re
from collections.abc import Sequence

from experiments._desk import plain
from experiments._record import Result, Row

COLUMNS = {
    "noise": "",
    "code": "",
    "rounds": "d",
    "p": "g",
    "mean": ".5f",
    "error": ".5f",
    "exact": ".5f",
    "density": ".5f",
    "deviation": ".2f",
    "samples": ",d",
}
TIMES = {
    "form": "",
    "by": "",
    "version": "",
    "build_ms": ".1f",
    "compile_ms": ".1f",
    "first_ms": ".1f",
    "median_ms": ".2f",
    "q25_ms": ".2f",
    "q75_ms": ".2f",
    "calls": "d",
    "ratio": ".3g",
    "wrong": ".4f",
    "error": ".4f",
    "exact": ".4f",
    "deviation": ".2f",
    "status": "",
}
BLOCK = re.compile(r"(<!-- table: ([^\n]*) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str, result: Result) -> str:
    """A page with those of its tables written anew that a result has rows for."""
    rows = plain(result.rows)  # as the record has them, rounded

    def block(found: re.Match[str]) -> str:
        own = [row for row in rows if row["part"] == found[2]]
        return f"{found[1]}{_block(found[2], own)}\n{found[3]}" if own else found[0]

    return BLOCK.sub(block, page)


def _block(part: str, rows: Sequence[Row]) -> str:
    if part == "crossing":
        return _crossings(rows)
    return _times(rows) if part == "times" else _losses(rows)


def _losses(rows: Sequence[Row]) -> str:
    """By strength and rounds, in %: of a bare qubit exactly, of the code sampled and exactly."""
    codes, rounds = (list(dict.fromkeys(row[key] for row in rows)) for key in ("code", "rounds"))
    found = {(row["p"], row["code"], row["rounds"]): row for row in rows}
    header = ["p"]
    for number in rounds:
        header += [f"{name}, {number} round{'s' * (number > 1)}" for name in codes]
    lines = []
    for p in dict.fromkeys(row["p"] for row in rows):
        line = [f"{p:.3g}"]
        for number in rounds:
            bare, own = (found[p, name, number] for name in codes)
            line += [f"{100 * bare['exact']:.2f}"]
            line += [
                f"{100 * own['mean']:.2f} ± {100 * own['error']:.2f} ({100 * own['exact']:.2f})"
            ]
        lines.append(line)
    return _table(header, lines)


def _crossings(rows: Sequence[Row]) -> str:
    lines = [[row["code"], row["noise"], f"{row['exact']:.5f}", _with_error(row)] for row in rows]
    return _table(["code", "noise", "exact", "between samples"], lines)


def _with_error(row: Row) -> str:
    return "–" if row.get("mean") is None else f"{row['mean']:.4f} ± {row['error']:.4f}"


def _times(rows: Sequence[Row]) -> str:
    header = ["wires", "by", "build", "compile", "first call", "median", "over ours", "wrong"]
    lines = []
    for row in rows:
        if row["status"] != "ok":
            lines.append([row["form"], row["by"], *["–"] * 5, row["status"]])
            continue
        times = [row.get(f"{key}_ms") for key in ("build", "compile", "first", "median")]
        said = ["–" if one is None else f"{one:,.{0 if one >= 100 else 1}f} ms" for one in times]
        wrong = f"{100 * row['wrong']:.2f} ± {100 * row['error']:.2f} %"
        lines.append([row["form"], row["by"], *said, f"{row['ratio']:.3g}", wrong])
    return _table(header, lines)


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] + ["--:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *lines))
