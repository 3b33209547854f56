"""The figure of the molecules: energies along the bond above, errors below."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._style import BLUE, GREY, INK, ORANGE, clean

FLOOR = 1e-12  # hartree: where a logarithmic axis ends


def draw(
    lengths: Mapping[str, Sequence[float]], data: Mapping[str, Any], accuracy: float
) -> Figure:
    """Compose the figure, a column for each molecule."""
    figure = Figure(figsize=(10.0, 7.0), layout="constrained")
    axes = figure.subplots(2, len(lengths), sharex="col")
    for (name, at), (above, below) in zip(lengths.items(), axes.T, strict=True):
        found = data[name]
        above.plot(at, found["determinant"], ":", color=GREY, lw=2, label="single determinant")
        above.plot(at, found["exact"], color=INK, lw=1.5, label="exact diagonalisation")
        best = found["energies"].amin(1)
        above.plot(at, best, "o", color=ORANGE, ms=4.5, label="eigensolver, best start")
        above.set_title(f"{name}, {found['energies'].shape[1]} starts at each length", fontsize=11)
        above.set_ylabel("energy (hartree)")
        errors = np.maximum(found["errors"].numpy(), FLOOR)
        for column in errors.T:
            below.plot(at, column, ".", color=BLUE, alpha=0.35, ms=5)
        below.plot(at, errors.min(1), color=ORANGE, lw=1.5, label="best start")
        below.axhline(accuracy, color=INK, lw=1, ls="--", label="chemical accuracy")
        below.set(yscale="log", xlabel="bond length (Å)", ylabel="error (hartree), every start")
    axes[0, 0].legend(frameon=False, fontsize=9)
    axes[1, 0].legend(frameon=False, fontsize=9)
    clean(axes.flat)
    return figure
