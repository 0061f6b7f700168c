"""Pictures of a recording and of its audit, as SVG for a page; the same data give the same bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from esoteric_drbg.conformance.audit.independence import IndependenceAudit, PairResult
from esoteric_drbg.conformance.audit.results import SourceAudit
from esoteric_drbg.conformance.faults.results import FaultResult
from esoteric_drbg.conformance.report.marks import (
    SHADES,
    grid,
    logarithmic,
    percent,
    shaded,
    strokes,
    symbol_range,
    whole_numbers,
)
from esoteric_drbg.conformance.report.svg import COLOURS, picture
from esoteric_drbg.kernels.estimate_bounds import Z_99

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    Floats = np.ndarray[Any, np.dtype[np.float64]]

__all__ = ["Picture", "delay_curves", "independence_matrix", "source_pictures"]

_INK, _SOFT, _GRID = COLOURS["ink"], COLOURS["soft"], COLOURS["grid"]
_ONE, _TWO, _CLAIM = COLOURS["one"], COLOURS["two"], COLOURS["claim"]
_SERIES = [COLOURS[name] for name in ("one", "two", "three", "four", "five", "six", "seven")]
#: Inches: 350 CSS pixels wide, which is a phone's width and a third of a desktop's.
_SIZE, _TALL = (3.65, 2.45), (3.65, 3.3)
#: Samples of the time series; lags of the correlation; cells of the lag plot; restarts and samples of each, as shown.
_SHOWN, _LAGS, _CELLS, _FIRST = 1000, 100, 48, 64
#: Samples used for correlation and spectrum, and the length of one segment of the spectrum.
_CENTRED, _PIECE = 1 << 17, 1 << 9
#: Steps of shade in pictures made of cells.
_SHADES = 6


@attrs.frozen
class Picture:
    """A picture with its title, and a caption that says how to read it."""

    title: str
    caption: str
    svg: str


def source_pictures(symbols: Bytes, restarts: Bytes, audit: SourceAudit) -> list[Picture]:
    """Return the pictures of one source.

    Parameters
    ----------
    symbols : ndarray of uint8
        The sequential data set.
    restarts : ndarray of uint8
        The restart matrix, rows x columns.
    audit : SourceAudit
        The audit's result.
    """
    centred = symbols[:_CENTRED].astype(np.float64)
    centred -= centred.mean()
    claim = audit.h_submitter
    rows, columns = (min(_FIRST, size) for size in restarts.shape)
    cutoffs = {test.tier: test.cutoff for test in audit.false_alarms if test.test == "RCT"}
    limits = audit.restart.row_cutoff, audit.restart.column_cutoff
    drawn: list[tuple[str, str, tuple[float, float], Any, tuple[Any, ...]]] = [
        (
            "Estimators against the claim",
            "Min-entropy that each estimator of SP 800-90B 6.3 finds: bars for the symbols, diamonds for the bitstring "
            "(bits per bit times the width)."
            + (f" The red line is the claim of {claim:g}: nothing may end left of it." if claim else " No claim."),
            _TALL,
            _estimators,
            (audit,),
        ),
        (
            "Restarts",
            f"The first {columns} symbols of {rows} restarts, each a fresh start; stronger colour is a higher rank "
            "among all symbols. What repeats from restart to restart shows as vertical stripes.",
            _TALL,
            _restarts,
            (restarts[:rows, :columns],),
        ),
        (
            "Lag plot",
            "Each symbol against the one before it, stronger in colour where pairs are frequent; without dependence "
            "the pattern is that of the histogram both ways. The rarest 0.2 % of the symbols may lie outside.",
            _TALL,
            _lag_plot,
            (symbols,),
        ),
        ("Histogram", _histogram_caption(symbols, claim), _SIZE, _histogram, (symbols, claim)),
        (
            "Time series",
            f"The first {min(_SHOWN, symbols.size):,} symbols in the order in which they were measured.",
            _SIZE,
            _series,
            (symbols[:_SHOWN],),
        ),
        (
            "Runs of equal symbols",
            "How many runs of each length there are. The red lines are the cutoffs of the repetition count test: "
            + ", ".join(f"{cutoff} ({tier})" for tier, cutoff in cutoffs.items())
            + ".",
            _SIZE,
            _runs,
            (symbols, sorted(cutoffs.values())),
        ),
        (
            "Autocorrelation",
            f"At lags 1 to {_LAGS}; of independent data 99 % lie within the band.",
            _SIZE,
            _autocorrelation,
            (centred,),
        ),
        (
            "Spectrum",
            "Power by frequency, relative to its mean. Independent data are flat, 99 % of the points within the band.",
            _SIZE,
            _spectrum,
            (centred,),
        ),
        (
            "Restart sanity check",
            "How often the most frequent symbol of a row (blue) and of a column (amber) of the restart matrix occurs; "
            f"the red lines are the cutoffs, {limits[0]} in a row and {limits[1]} in a column (SP 800-90B 3.1.4.3).",
            _SIZE,
            _sanity,
            (restarts, limits),
        ),
    ]
    return [
        Picture(title, caption, picture(f"{audit.name}-{title}", f"{title}. {caption}", size, draw, *arguments))
        for title, caption, size, draw, arguments in drawn
    ]


def _histogram_caption(symbols: Bytes, claim: float) -> str:
    counts = np.bincount(symbols)
    top = int(counts.argmax())
    text = f"Share of each of the {np.count_nonzero(counts)} symbols that occur; the most frequent, {top}, has "
    text += f"{counts[top] / symbols.size:.3%}."
    return text + (f" The red line is the most that the claim allows one symbol, {2**-claim:.3%}." if claim else "")


def independence_matrix(result: IndependenceAudit) -> str:
    """Return the matrix of corrected p-values of every pair of sources."""
    sources = list(result.sources)
    side = max(3.65, 1.3 + 0.34 * len(sources))
    label = "Independence: the corrected p-value of every pair of sources, darker where smaller."
    return picture("independence", label, (side, side - 0.3), _matrix, sources, result.pairs)


def delay_curves(name: str, results: Sequence[FaultResult], test: str) -> str:
    """Return the delay curves of one health test: the share of detected faults by samples since the onset."""
    label = f"Detection delay of the {test} after induced failures of {name}"
    return picture(f"{name}-faults-{test}", label, _TALL, _delays, results)


def _histogram(axes: Axes, symbols: Bytes, claim: float) -> None:
    low, high = symbol_range(symbols)
    shares = np.bincount(symbols, minlength=high + 1)[low:] / symbols.size
    least = 10.0 ** math.floor(math.log10(1 / symbols.size))
    axes.set_yscale("log")
    axes.set(xlabel="symbol", ylabel="share of the symbols", ylim=(least, 1.4), xlim=(low - 0.5, high + 0.5))
    axes.stairs(shares, np.arange(low, high + 2) - 0.5, baseline=least, fill=True, color=_ONE)
    if claim:
        axes.axhline(2.0**-claim, color=_CLAIM, linewidth=1.3)
    axes.yaxis.set_major_formatter(percent)
    axes.minorticks_off()
    whole_numbers(axes.xaxis)
    grid(axes)


def _series(axes: Axes, symbols: Bytes) -> None:
    points = [(float(index), float(symbol)) for index, symbol in enumerate(symbols)]
    low, high = symbol_range(symbols)
    space = 0.04 * (high - low + 1)
    strokes(axes, points, points, edgecolor=_ONE, linewidth=1.7, capstyle="round")
    axes.set(xlabel="index of the symbol", ylabel="symbol", xlim=(0, symbols.size), ylim=(low - space, high + space))
    whole_numbers(axes.yaxis)
    grid(axes)


def _lag_plot(axes: Axes, symbols: Bytes) -> None:
    low, high = symbol_range(symbols, 0.002)
    width = math.ceil((high - low + 1) / _CELLS)
    cells = math.ceil((high - low + 1) / width)
    counts, _, _ = np.histogram2d(
        symbols[:-1], symbols[1:], bins=cells, range=[[low - 0.5, low - 0.5 + cells * width]] * 2
    )
    shade = np.sqrt(counts.T)
    levels = np.ceil(SHADES * shade / max(float(shade.max()), 1e-300)).astype(np.int64)
    shaded(axes, levels)
    axes.set(xlabel="symbol", ylabel="next symbol", xlim=(0, cells), ylim=(0, cells))
    step = next(step for step in (1, 2, 5, 10, 20, 50) if (high - low) / step <= 6)
    for axis in (axes.xaxis, axes.yaxis):
        values = range(math.ceil(low / step) * step, high + 1, step)
        axis.set_ticks([(value - low + 0.5) / width for value in values], [str(value) for value in values])
    axes.set_aspect("equal")


def _autocorrelation(axes: Axes, centred: Floats) -> None:
    n = centred.size
    lags = np.arange(1, min(_LAGS, n - 1) + 1)
    spectrum = np.fft.rfft(centred, 2 * n)
    values = np.fft.irfft(spectrum * spectrum.conj())[: lags.size + 1]
    values = (values / values[0] if values[0] else values)[1:]
    band = Z_99 / math.sqrt(n)
    axes.axhspan(-band, band, color=_SOFT, alpha=0.22, linewidth=0)
    strokes(
        axes,
        [(float(lag), 0.0) for lag in lags],
        list(zip(lags.tolist(), values.tolist(), strict=True)),
        edgecolor=_ONE,
        linewidth=1.3,
    )
    axes.axhline(0, color=_SOFT, linewidth=0.6)
    reach = 1.15 * max(band * 1.6, float(np.abs(values).max()))
    axes.set(xlabel="lag in symbols", ylabel="correlation", xlim=(0, lags.size + 1), ylim=(-reach, reach))
    grid(axes)


def _spectrum(axes: Axes, centred: Floats) -> None:
    length = min(_PIECE, centred.size)
    pieces = centred[: centred.size // length * length].reshape(-1, length)
    power = (np.abs(np.fft.rfft(pieces * np.hanning(length), axis=1)) ** 2).mean(axis=0)[2:]
    mean = float(power.mean()) or 1.0
    spread = Z_99 / math.sqrt(len(pieces))  # a mean of exponentials, relative to itself
    low, high = (10 * math.log10(max(1 + side * spread, 0.01)) for side in (-1, 1))
    axes.axhspan(low, high, color=_SOFT, alpha=0.22, linewidth=0)
    decibels = 10 * np.log10(np.maximum(power / mean, 1e-6))
    axes.plot(np.arange(2, power.size + 2) / length, decibels, color=_ONE, linewidth=0.9)
    axes.set(xlabel="frequency in cycles per sample", ylabel="power in dB", xlim=(0, 0.5))
    reach = max(3.0, 1.1 * float(np.abs(decibels).max()))
    axes.set_ylim(-reach, reach)
    grid(axes)


_NAMES = {
    "mcv": "MCV",
    "markov": "Markov",
    "lz78y": "LZ78Y",
    "t_tuple": "t-tuple",
    "lrs": "LRS",
    "multi_mcw": "MultiMCW",
    "multi_mmc": "MultiMMC",
}


def _estimators(axes: Axes, audit: SourceAudit) -> None:
    sequential, claim = audit.sequential, audit.h_submitter
    bits = sequential.bits
    literal, bitstring = (
        {name: estimate.min_entropy for name, estimate in (estimates or {}).items()}
        for estimates in (sequential.literal, sequential.bitstring)
    )
    names = list(literal) or list(bitstring)
    for place, name in enumerate(names):
        found = literal.get(name), bitstring.get(name)
        label: list[str] = []
        if found[0] is not None:
            axes.barh(place, found[0], height=0.62, color=_ONE)
            label.append(f"{found[0]:.3f}")
        if found[1] is not None:
            axes.plot(bits * found[1], place, "D", color=_TWO, markersize=4.2, markeredgewidth=0, clip_on=False)
            label.append(f"{bits * found[1]:.3f}")
        axes.text(bits * 1.05, place, " · ".join(label) or "not run", va="center", fontsize=7.5, color=_SOFT)
    axes.set_yticks(range(len(names)), [_NAMES.get(name, name.replace("_", " ")) for name in names])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.set(xlabel="min-entropy in bits per sample", xlim=(0, bits))
    grid(axes, "x")
    if claim:
        axes.axvline(claim, color=_CLAIM, linewidth=1.5)


def _runs(axes: Axes, symbols: Bytes, cutoffs: list[int]) -> None:
    ends = np.flatnonzero(np.concatenate((symbols[1:] != symbols[:-1], [True])))
    counts = np.bincount(np.diff(np.concatenate(([-1], ends))))
    axes.set_yscale("log")
    axes.stairs(counts[1:], np.arange(1, counts.size + 1) - 0.5, baseline=0.5, fill=True, color=_ONE)
    for cutoff in cutoffs:
        axes.axvline(cutoff, color=_CLAIM, linewidth=1.3)
    longest = max([counts.size, *cutoffs])
    axes.set(xlabel="length in symbols", ylabel="runs", xlim=(0, 1.05 * longest), ylim=(0.5, 2 * counts.max()))
    logarithmic(axes.yaxis, 0.5, 2 * counts.max())
    whole_numbers(axes.xaxis)
    grid(axes)


def _sanity(axes: Axes, restarts: Bytes, limits: tuple[int, int]) -> None:
    axes.set_xscale("log")
    most = 0
    for matrix, colour in ((restarts, _ONE), (restarts.T, _TWO)):
        highest = [int(np.bincount(line).max()) for line in matrix]
        counts = np.bincount(highest)
        first = min(highest)
        axes.stairs(
            counts[first:], np.arange(first, counts.size + 1) - 0.5, baseline=0, fill=True, color=colour, alpha=0.8
        )
        most = max(most, int(counts.max()))
    for limit in set(limits):
        axes.axvline(limit, color=_CLAIM, linewidth=1.3)
    right = 1.3 * max(restarts.shape)
    axes.set(
        xlabel="count of the most frequent symbol", ylabel="rows, columns", xlim=(0.8, right), ylim=(0, 1.1 * most)
    )
    logarithmic(axes.xaxis, 0.8, right)
    whole_numbers(axes.yaxis)
    grid(axes)


def _restarts(axes: Axes, restarts: Bytes) -> None:
    counts = np.bincount(restarts.ravel(), minlength=256)
    below = (np.cumsum(counts) - counts / 2) / restarts.size  # the mid-rank of each symbol
    levels = np.minimum((below * (SHADES + 1)).astype(np.int64), SHADES)[restarts]
    shaded(axes, levels)
    rows, columns = restarts.shape
    axes.set(xlabel="symbol of the restart", ylabel="restart", xlim=(0, columns), ylim=(rows, 0))
    whole_numbers(axes.xaxis)
    whole_numbers(axes.yaxis)


def _matrix(axes: Axes, sources: list[str], pairs: Sequence[PairResult]) -> None:
    size = len(sources)
    levels = np.zeros((size, size), dtype=np.int64)
    small = 7.5 if size <= 8 else 6
    for pair in pairs:
        places = sources.index(pair.first), sources.index(pair.second)
        level = min(SHADES, math.floor(-math.log10(max(pair.adjusted_p, 1e-9)) + 1e-9))
        for x, y in (places, places[::-1]):
            levels[y, x] = level
            text = "<1e-6" if pair.adjusted_p < 1e-6 else f"{pair.adjusted_p:.2g}"
            marks: dict[str, Any] = {
                "color": _INK,
                "fontsize": small,
                "fontweight": "bold" if pair.adjusted_p < 0.01 else "normal",
            }
            axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", **marks)
    shaded(axes, np.minimum(levels, SHADES - 2), _TWO)
    axes.set(xlim=(0, size), ylim=(size, 0))
    axes.set_xticks(np.arange(size) + 0.5, sources, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(size) + 0.5, sources)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(size + 1), minor=True)
    axes.set_yticks(np.arange(size + 1), minor=True)
    axes.grid(which="minor", color=_GRID, linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    axes.set_aspect("equal")


def _delays(axes: Axes, results: Sequence[FaultResult]) -> None:
    axes.set_xscale("log")
    for colour, row in zip(_SERIES, results, strict=False):
        if row.curve:
            share = row.detected / row.trials
            axes.plot(
                [delay for _, delay in row.curve],
                [percent / 100 * share for percent, _ in row.curve],
                color=colour,
                linewidth=1.4,
                marker="o",
                markersize=2.6,
                label=row.fault,
            )
    axes.set(xlabel="symbols from the onset to the alarm", ylabel="share of the injections found", ylim=(0, 1.03))
    axes.yaxis.set_major_formatter(percent)
    delays = [delay for row in results for _, delay in row.curve]
    low, high = 10 ** math.floor(math.log10(min(delays))), 10 ** math.ceil(math.log10(max(delays) + 1))
    axes.set_xlim(low, high)
    logarithmic(axes.xaxis, low, high)
    grid(axes, "both")
    axes.figure.legend(loc="outside lower center", ncols=2, fontsize=7.5, frameon=False)
