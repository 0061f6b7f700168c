"""Pictures of a recording, as SVG: the same data give the same bytes, and nothing in them is loaded from elsewhere."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from esoteric_drbg.errors import KernelUnavailableError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

__all__ = ["independence_matrix", "require_matplotlib", "source_pictures"]

_BLUE, _RED, _GREY = "#2a6f97", "#c1121f", "#8d99ae"
_SIZE = (5.2, 2.9)
_SETTINGS: Any = {
    "svg.hashsalt": "esoteric_drbg",
    "svg.fonttype": "path",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
    "path.simplify": True,
}
_SHOWN = 2000
_LAGS = 100


def require_matplotlib() -> None:
    """Raise a clear error where the extra ``report`` is not installed."""
    try:
        import jinja2  # noqa: F401, PLC0415
        import matplotlib as mpl  # noqa: F401, PLC0415
    except ImportError as error:
        raise KernelUnavailableError(f"{error}: install the extra: pip install esoteric-drbg[report]") from None


def _draw(draw: Any, *arguments: Any) -> str:
    """Return one picture as SVG text."""
    import matplotlib as mpl  # noqa: PLC0415 - heavy
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=_SIZE, dpi=100)
        draw(figure.add_subplot(), *arguments)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def source_pictures(symbols: Bytes, restarts: Bytes, audit: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the pictures of one source.

    Parameters
    ----------
    symbols : ndarray of uint8
        The sequential data set.
    restarts : ndarray of uint8
        The restart matrix, rows x columns.
    audit : dict
        The audit's result.

    Returns
    -------
    dict of str to (str, str)
        Caption, and a description in words for those who do not see the picture with the SVG text: by picture.
    """
    centred = symbols[: 1 << 17].astype(np.float64)
    centred -= centred.mean()
    claim = float(audit["h_submitter"])
    return {
        "Histogram": (
            f"How often each of the {audit['sequential']['alphabet']} symbols occurs",
            _draw(_histogram, symbols),
        ),
        "Time series": (f"The first {min(_SHOWN, len(symbols)):,} symbols", _draw(_series, symbols[:_SHOWN])),
        "Lag plot": ("Each symbol against the one before it", _draw(_lag_plot, symbols)),
        "Autocorrelation": (
            f"Lags 1 to {_LAGS}; the band holds 99 % of independent data",
            _draw(_autocorrelation, centred),
        ),
        "Spectrum": ("Power by frequency; flat if symbols do not depend on one another", _draw(_spectrum, centred)),
        "Estimators": (f"Bits per symbol by estimator; the line is the claim of {claim:g}", _draw(_estimators, audit)),
        "Restarts": (
            f"The first symbols of {min(200, len(restarts))} restarts: rows or columns that stand out repeat",
            _draw(_restarts, restarts),
        ),
    }


def independence_matrix(sources: list[str], pairs: list[dict[str, Any]]) -> str:
    """Return the matrix of corrected p-values of every pair of sources as SVG text."""
    return _draw(_matrix, sources, pairs)


def _matrix(axes: Axes, sources: list[str], pairs: list[dict[str, Any]]) -> None:
    size = len(sources)
    values = np.full((size, size), np.nan)
    for pair in pairs:
        row, column = sources.index(pair["first"]), sources.index(pair["second"])
        values[row, column] = values[column, row] = -np.log10(max(pair["adjusted_p"], 1e-6))
    image = axes.imshow(values, cmap="Blues", vmin=0, vmax=6)
    for pair in pairs:
        row, column = sources.index(pair["first"]), sources.index(pair["second"])
        for x, y in ((row, column), (column, row)):
            shade = "white" if values[x, y] > 3 else "black"
            axes.text(y, x, f"{pair['adjusted_p']:.2g}", ha="center", va="center", fontsize=7, color=shade)
    axes.set_xticks(range(size), sources, rotation=30, ha="right", fontsize=7)
    axes.set_yticks(range(size), sources, fontsize=7)
    axes.figure.colorbar(image, ax=axes, label="-log10 of the corrected p")


def _histogram(axes: Axes, symbols: Bytes) -> None:
    counts = np.bincount(symbols, minlength=int(symbols.max()) + 1)
    axes.bar(np.arange(len(counts)), counts / len(symbols), width=1.0, color=_BLUE)
    axes.set(xlabel="symbol", ylabel="share")


def _series(axes: Axes, symbols: Bytes) -> None:
    axes.plot(symbols, ".", markersize=1.5, color=_BLUE)
    axes.set(xlabel="index", ylabel="symbol")


def _lag_plot(axes: Axes, symbols: Bytes) -> None:
    top = int(symbols.max()) + 1
    counts, _, _ = np.histogram2d(symbols[:-1], symbols[1:], bins=min(top, 128), range=[[0, top], [0, top]])
    axes.imshow(np.log1p(counts).T, origin="lower", extent=(0, top, 0, top), aspect="auto", cmap="Blues")
    axes.set(xlabel="symbol i", ylabel="symbol i + 1")


def _autocorrelation(axes: Axes, centred: np.ndarray[Any, Any]) -> None:
    n = len(centred)
    spectrum = np.fft.rfft(centred, 2 * n)
    values = np.fft.irfft(spectrum * spectrum.conj())[: _LAGS + 1]
    values = values / values[0] if values[0] else values
    band = 2.5758293035489004 / np.sqrt(n)
    axes.axhspan(-band, band, color=_GREY, alpha=0.3)
    axes.vlines(np.arange(1, _LAGS + 1), 0, values[1:], color=_BLUE)
    axes.axhline(0, color=_GREY, linewidth=0.6)
    axes.set(xlabel="lag in symbols", ylabel="correlation")


def _spectrum(axes: Axes, centred: np.ndarray[Any, Any]) -> None:
    length = 1 << 10
    pieces = centred[: len(centred) // length * length].reshape(-1, length)
    power = (np.abs(np.fft.rfft(pieces * np.hanning(length), axis=1)) ** 2).mean(axis=0)[1:]
    mean = power.mean() or 1.0
    axes.plot(
        np.arange(1, len(power) + 1) / length,
        10 * np.log10(np.maximum(power / mean, 1e-12)),
        color=_BLUE,
        linewidth=0.8,
    )
    axes.set(xlabel="frequency in cycles per symbol", ylabel="power in dB")


def _estimators(axes: Axes, audit: dict[str, Any]) -> None:
    sequential = audit["sequential"]
    bits, names, values, colours = sequential["bits"], [], [], []
    for part, scale, colour in (("literal", 1, _BLUE), ("bitstring", bits, _GREY)):
        for name, estimate in (sequential[part] or {}).items():
            if estimate["min_entropy"] is not None:
                names.append(f"{name.replace('_', ' ')}{'' if part == 'literal' else ' (bits)'}")
                values.append(scale * estimate["min_entropy"])
                colours.append(colour)
    axes.barh(np.arange(len(values)), values, color=colours)
    axes.set_yticks(np.arange(len(values)), names, fontsize=6)
    axes.invert_yaxis()
    axes.axvline(audit["h_submitter"], color=_RED, linewidth=1.2)
    axes.set(xlabel="bits per symbol")


def _restarts(axes: Axes, restarts: Bytes) -> None:
    axes.imshow(restarts[:200, :200], aspect="auto", cmap="Blues", interpolation="nearest")
    axes.set(xlabel="symbol of the restart", ylabel="restart")
