"""The matrix picture of an independence audit; needs matplotlib (extra ``report``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from esoteric_drbg.conformance.audit.independence import IndependenceAudit
from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.extras import need

__all__ = ["draw_independence", "require_picture"]

#: Value of -log10 p above which the colour no longer changes.
_DARKEST = 6.0


def require_picture(path: Path) -> None:
    """Check, before anything is recorded, that a picture can be drawn.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    InvalidInputError
        If the name does not end in .svg or .png.
    """
    need("matplotlib")
    if path.suffix not in {".svg", ".png"}:
        raise InvalidInputError(f"{path}: expected a name that ends in .svg or .png")


def draw_independence(audit: IndependenceAudit, path: Path) -> None:
    """Draw the corrected p-value of every pair as a matrix; the same audit gives the same SVG.

    Parameters
    ----------
    audit : IndependenceAudit
    path : Path
        Output file; its name ends in .svg or .png.

    Raises
    ------
    MissingExtraError, InvalidInputError
        As :func:`require_picture`.
    """
    require_picture(path)
    import matplotlib as mpl  # noqa: PLC0415 - an extra
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    names = list(audit.sources)
    size = len(names)
    levels = np.full((size, size), np.nan)
    with mpl.rc_context({"svg.hashsalt": "esoteric_drbg", "svg.fonttype": "path"}):
        figure = Figure(figsize=(3.5 + size, 2.2 + 0.8 * size), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for pair in audit.pairs:
            i, j = names.index(pair.first), names.index(pair.second)
            level = min(_DARKEST, -float(np.log10(max(pair.adjusted_p, 1e-300))))
            levels[i, j] = levels[j, i] = level
            text = ("p < 1e-6" if level == _DARKEST else f"p {pair.adjusted_p:.2g}") + (
                "\nsame group" if pair.same_group else ""
            )
            for row, column in ((i, j), (j, i)):
                colour = "white" if level > _DARKEST / 2 else "black"
                axes.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
        image = axes.imshow(levels, vmin=0, vmax=_DARKEST, cmap="Reds")
        axes.set_facecolor("lightgrey")  # a source with itself
        axes.set_xticks(range(size), names, rotation=30, ha="right")
        axes.set_yticks(range(size), names)
        axes.set_title("Are the sources independent? Darker: less so", fontsize=10)
        figure.colorbar(image, ax=axes, label="-log10 of the corrected p-value, 6 and more alike")
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else {"Software": None}, dpi=120)
