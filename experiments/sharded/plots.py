"""The figure of the plans: what each method sends, for every family and size."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments._record import Row
from experiments._style import BLUE, GREEN, GREY, INK, ORANGE, PINK, clean

from .families import FAMILIES
from .methods import METHODS

LOOKS = dict(
    zip(
        METHODS,
        [(INK, "o", "-"), (BLUE, "s", "-"), (BLUE, "s", "--"),
         (ORANGE, "^", "-"), (PINK, "v", "--"), (GREEN, "D", ":")],
        strict=True,
    )
)  # fmt: skip


def traffic(rows: Sequence[Row], n_layers: int) -> Figure:
    """What a rank sends for each layer of a circuit, in parts of its own amplitudes."""
    figure = Figure(figsize=(11.0, 7.6), layout="constrained")
    figure.suptitle(
        f"What each rank sends for a layer, of {n_layers}: 1 is all that it holds",
        fontsize=14, fontweight="bold", color=INK,
    )  # fmt: skip
    axes = figure.subplots(2, 2, sharex=True, sharey=True)
    for ax, family in zip(axes.flat, FAMILIES, strict=True):
        _family(ax, [row for row in rows if row["part"] == family])
        ax.set_title(family, color=INK)
    figure.supylabel("shards sent for a layer", fontsize=10)
    for ax in axes[1]:
        ax.set_xlabel("qubits, on ranks")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    clean(axes.flat)
    return figure


def _family(ax: Axes, rows: Sequence[Row]) -> None:
    sizes = list(dict.fromkeys((row["qubits"], row["ranks"]) for row in rows))
    for method, (colour, shape, line) in LOOKS.items():
        own = [row for row in rows if row["method"] == method]
        width = 2.4 if method == "quilt_func" else 1.4
        ax.plot(
            range(len(own)), [row["shards"] for row in own],
            color=colour, marker=shape, linestyle=line, linewidth=width, label=method,
        )  # fmt: skip
    ax.axhline(1, color=GREY, linewidth=0.8, linestyle=":")
    ax.set_yscale("log")
    ax.set_xticks(range(len(sizes)), [f"{qubits}\non {ranks:,}" for qubits, ranks in sizes])
