"""Figures of circuits, states and results; they need matplotlib."""

from quilt_func.draw.entry import (
    draw_mpl,
    plot_bloch,
    plot_city,
    plot_landscape,
    plot_outcomes,
    plot_training,
)

__all__ = [
    "draw_mpl",
    "plot_bloch",
    "plot_city",
    "plot_landscape",
    "plot_outcomes",
    "plot_training",
]
