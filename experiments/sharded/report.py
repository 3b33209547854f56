"""What the experiment on sharded states says: the columns of its tables, and those of its page."""

import re
from collections.abc import Sequence
from statistics import fmean, pstdev

from experiments._desk import plain
from experiments._record import Result, Row

from .methods import METHODS, Traffic

BANDWIDTHS = (25e9, 100e9, 450e9)
"""Bytes a second from each rank: of a network card, of four of them, and of links between GPUs."""
LATENCY = 2e-5
"""Seconds before the first byte of an exchange."""
ITEMSIZE = 8
"""Bytes of an amplitude."""
COLUMNS = {
    "qubits": "d",
    "ranks": "d",
    "method": "",
    "exchanges": ".3f",
    "shards": ".3f",
    "sd": ".3f",
    "times_ours": ".1f",
    "family": "",
    "number": ".1f",
    "shard": ",d",
    "sent": ",d",
    **{f"at_{bandwidth / 1e9:.0f}": ".3g" for bandwidth in BANDWIDTHS},
}
BLOCK = re.compile(r"(<!-- table: ([^\n]*) -->\n).*?(<!-- end -->)", re.DOTALL)


def method_rows(
    family: str, n_qubits: int, n_ranks: int, n_layers: int, found: dict[str, list[Traffic]]
) -> list[Row]:
    """What each method sends a layer, over the seeds of a family."""
    own = fmean(one.shards for one in found["quilt_func"])
    rows: list[Row] = []
    for method in METHODS:
        shards = [one.shards / n_layers for one in found[method]]
        row: dict[str, object] = {"part": family, "qubits": n_qubits, "ranks": n_ranks}
        row |= {"method": method, "layers": n_layers, "runs": len(shards)}
        row["exchanges"] = fmean(one.n_exchanges for one in found[method]) / n_layers
        row |= {"shards": fmean(shards), "sd": pstdev(shards)}
        rows.append({**row, "times_ours": fmean(shards) * n_layers / own})
    return rows


def time_row(
    family: str, n_qubits: int, n_ranks: int, n_layers: int, found: Sequence[Traffic]
) -> Row:
    """What this library's plans send in single precision, and how long that takes."""
    shard = ITEMSIZE * 2**n_qubits // n_ranks
    row: dict[str, object] = {"part": "times", "family": family, "layers": n_layers}
    row |= {"qubits": n_qubits, "ranks": n_ranks, "shard": shard}
    row["number"] = fmean(one.n_exchanges for one in found)
    row["sent"] = round(fmean(one.shards for one in found) * shard)
    for bandwidth in BANDWIDTHS:
        seconds = (one.n_exchanges * LATENCY + one.shards * shard / bandwidth for one in found)
        row[f"at_{bandwidth / 1e9:.0f}"] = fmean(seconds)
    return row


def filled(page: str, result: Result) -> str:
    """A page with its tables written anew: each stands between two comments and is named there."""
    rows = plain(result.rows)  # as the record has them, rounded
    return BLOCK.sub(lambda found: f"{found[1]}{_block(found[2], rows)}\n{found[3]}", page)


def _block(name: str, rows: Sequence[Row]) -> str:
    """One table: the times, or the methods of a family."""
    own = [row for row in rows if row["part"] == name]
    return _times(own) if name == "times" else _methods(own)


def _methods(rows: Sequence[Row]) -> str:
    sizes = list(dict.fromkeys((row["qubits"], row["ranks"]) for row in rows))
    header = ["", *(f"{qubits} on {ranks}" for qubits, ranks in sizes)]
    lines = []
    for method in METHODS:
        own = {(row["qubits"], row["ranks"]): row for row in rows if row["method"] == method}
        cells = (f"{own[size]['exchanges']:.2f} / {own[size]['shards']:.2f}" for size in sizes)
        lines.append([method, *cells])
    return _table(header, lines)


def _times(rows: Sequence[Row]) -> str:
    header = ["", "qubits", "ranks", "exchanges", "sent by each rank"]
    header += [f"at {bandwidth / 1e9:.0f} GB/s" for bandwidth in BANDWIDTHS]
    lines = []
    for row in rows:
        cells = [row["family"], str(row["qubits"]), f"{row['ranks']:,}", f"{row['number']:.3g}"]
        cells.append(f"{row['sent'] / 2**30:.1f} GiB")
        cells += [f"{row[f'at_{bandwidth / 1e9:.0f}']:.2g} s" for bandwidth in BANDWIDTHS]
        lines.append(cells)
    return _table(header, lines)


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] + ["--:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *lines))
