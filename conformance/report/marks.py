"""Graphical elements of pictures: shades, strokes, grids, and ticks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from esoteric_drbg.conformance.report.svg import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

__all__ = ["SHADES", "grid", "logarithmic", "percent", "shaded", "strokes", "symbol_range", "whole_numbers"]

#: Steps of shade in pictures made of cells.
SHADES = 6


def shaded(axes: Axes, levels: np.ndarray[Any, np.dtype[np.int64]], colour: str = COLOURS["one"]) -> None:
    """Draw a matrix of shades 0 (none) to SHADES as one path for each shade; cell (0, 0) begins at the origin."""
    from matplotlib.patches import PathPatch  # noqa: PLC0415 - of the extra
    from matplotlib.path import Path as Outline  # noqa: PLC0415 - of the extra

    codes = [Outline.MOVETO, Outline.LINETO, Outline.LINETO, Outline.LINETO, Outline.CLOSEPOLY]
    for level in range(1, SHADES + 1):
        corners: list[tuple[float, float]] = []
        for y, row in enumerate(levels == level):
            edges = np.flatnonzero(np.diff(np.concatenate(([False], row, [False])).astype(np.int8)))
            for left, right in edges.reshape(-1, 2).tolist():
                corners += [(left, y), (right, y), (right, y + 1), (left, y + 1), (left, y)]
        if corners:
            outline = Outline(corners, codes * (len(corners) // 5))
            outline.should_simplify = False
            axes.add_patch(PathPatch(outline, facecolor=colour, edgecolor="none", alpha=level / SHADES))


def strokes(axes: Axes, begins: list[tuple[float, float]], ends: list[tuple[float, float]], **style: Any) -> None:
    """Draw many separate strokes as one path."""
    from matplotlib.patches import PathPatch  # noqa: PLC0415 - of the extra
    from matplotlib.path import Path as Outline  # noqa: PLC0415 - of the extra

    corners = [corner for pair in zip(begins, ends, strict=True) for corner in pair]
    outline = Outline(corners, [Outline.MOVETO, Outline.LINETO] * len(begins))
    outline.should_simplify = False
    axes.add_patch(PathPatch(outline, facecolor="none", **style))


def symbol_range(symbols: Bytes, share: float = 0.0) -> tuple[int, int]:
    """Return the least and the greatest symbol, leaving out a `share` of the samples at both ends together."""
    low, high = np.quantile(symbols, [share / 2, 1 - share / 2], method="nearest")
    return int(low), int(high)


def whole_numbers(axis: Any) -> None:
    """Put at most six ticks on an axis, at whole numbers."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - of the extra

    axis.set_major_locator(MaxNLocator(6, integer=True))


def grid(axes: Axes, axis: Any = "y") -> None:
    """Draw a faint grid behind the data."""
    axes.grid(axis=axis, color=COLOURS["grid"], linewidth=0.6)
    axes.set_axisbelow(True)


def percent(share: float, _position: float = 0) -> str:
    """Return a share in percent as the text of a tick; matplotlib passes the second argument."""
    return f"{share * 100:.10f}".rstrip("0").rstrip(".") + " %"


def logarithmic(axis: Any, low: float, high: float) -> None:
    """Put ticks at powers of ten, or at every second or third of them if there are many, and label them in full."""
    powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    ticks = [10.0**power for power in powers][:: max(1, math.ceil(len(powers) / 5))]
    axis.set_ticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    axis.set_ticks([], minor=True)
