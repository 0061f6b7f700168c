"""Quick quality figures of raw symbols. They describe; they are no assessment and no claim."""

from __future__ import annotations

import math
import time
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from esoteric_drbg.kernels import estimate_bounds
from esoteric_drbg.noise_sources.guard import guarded

if TYPE_CHECKING:
    from esoteric_drbg.noise_sources.source import NoiseSource
    from esoteric_drbg.progress import Progress

__all__ = ["entropy_quality", "grade", "most_common_value", "shannon"]

#: Seconds of reading between two words on the progress.
PROGRESS_S = 0.25
#: Seconds, by the source's own estimate, that a part may take at most.
LONGEST_PART_S = 10.0

#: Lowest min-entropy per symbol bit of each grade; below the last one is F.
GRADES = (("A", 0.75), ("B", 0.5), ("C", 0.25), ("D", 0.1), ("E", 0.02))


def shannon(symbols: bytes) -> float:
    """Return the Shannon entropy of the symbols' histogram, in bits per symbol."""
    n = len(symbols)
    return -math.fsum(count / n * math.log2(count / n) for count in Counter(symbols).values()) or 0.0


def most_common_value(symbols: bytes) -> float:
    """Most Common Value estimate, SP 800-90B 6.3.1, in bits per symbol.

    Examples
    --------
    >>> most_common_value(bytes(1000))
    0.0
    """
    return estimate_bounds.most_common_value(max(Counter(symbols).values()), len(symbols))


def grade(min_entropy: float, symbol_bits: int) -> str:
    """Return A to F by min-entropy per symbol bit: A from 0.75, B 0.5, C 0.25, D 0.1, E 0.02, otherwise F."""
    share = min_entropy / symbol_bits
    return next((letter for letter, least in GRADES if share >= least), "F")


def entropy_quality(
    source: NoiseSource, n_samples: int = 10_000, *, progress: Progress | None = None
) -> dict[str, Any]:
    """Read ``n_samples`` raw symbols and return their quality figures.

    Parameters
    ----------
    progress : callable, optional
        Called with (symbols read, ``n_samples``, ``""``) some four times a second, less often for a source that is
        slow to start reading; the symbols are then read in as many parts.

    Returns
    -------
    dict
        ``grade`` (A to F), ``shannon`` and ``min_entropy`` (bits per symbol), ``compression_ratio`` (zlib level 9,
        compressed over original size), ``samples``, ``seconds``.

    Raises
    ------
    InvalidInputError, SourceError
        As :meth:`~esoteric_drbg.noise_sources.NoiseSource.read_exactly`.
    """
    guard = guarded(source)
    began = time.perf_counter()
    symbols = source.read_exactly(n_samples) if progress is None else _read_in_parts(source, guard, n_samples, progress)
    seconds = time.perf_counter() - began
    min_entropy = most_common_value(symbols)
    return {
        "grade": grade(min_entropy, guard.symbol_bits),
        "shannon": shannon(symbols),
        "min_entropy": min_entropy,
        "compression_ratio": len(zlib.compress(symbols, 9)) / n_samples,
        "samples": n_samples,
        "seconds": seconds,
    }


def _read_in_parts(source: NoiseSource, guard: NoiseSource, n_samples: int, progress: Progress) -> bytes:
    step = max(1, int(guard.estimated_rate * PROGRESS_S))
    longest = max(1, int(guard.estimated_rate * LONGEST_PART_S))
    symbols = b""
    while True:
        began = time.perf_counter()
        symbols += source.read_exactly(min(step, n_samples - len(symbols)))
        progress(len(symbols), n_samples, "")
        if len(symbols) >= n_samples:
            return symbols
        # A source that opens a device for each read spends most of a short one on that: few long parts, then.
        if time.perf_counter() - began > 2 * PROGRESS_S:
            step = min(2 * step, longest)
