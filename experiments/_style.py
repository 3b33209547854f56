"""Colours, notes and axes that the figures of the experiments share."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from matplotlib.axes import Axes
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
INK, GREY = "#222222", "#8A8A8A"
NOTE: Mapping[str, Any] = {"fontsize": 8.5, "color": INK}


def clean(axes: Iterable[Axes], labelsize: float = 9) -> None:
    """Leave axes their left and lower sides, and write their ticks in ink."""
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(colors=INK, labelsize=labelsize)
