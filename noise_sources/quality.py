"""Quick quality figures of raw samples, which are neither an assessment nor a claim."""

from __future__ import annotations

import math
import time
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from esoteric_drbg.kernels import estimate_bounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from esoteric_drbg.progress import Progress

__all__ = ["entropy_quality", "grade", "most_common_value", "shannon"]

#: Seconds of reading between two progress reports.
PROGRESS_S = 0.25
#: Most seconds that a part may take, by the source's own estimate.
LONGEST_PART_S = 10.0

#: Lowest min-entropy per symbol bit of each grade; below the last one is F.
GRADES = (("A", 0.75), ("B", 0.5), ("C", 0.25), ("D", 0.1), ("E", 0.02))


def shannon(samples: bytes) -> float:
    """Return the Shannon entropy of the samples' histogram, in bits per sample."""
    n = len(samples)
    return -math.fsum(count / n * math.log2(count / n) for count in Counter(samples).values()) or 0.0


def most_common_value(samples: bytes) -> float:
    """Most Common Value estimate, SP 800-90B 6.3.1, in bits per sample.

    Examples
    --------
    >>> most_common_value(bytes(1000))
    0.0
    """
    return estimate_bounds.most_common_value(max(Counter(samples).values()), len(samples))


def grade(min_entropy: float, symbol_bits: int) -> str:
    """Return A to F by min-entropy per symbol bit: A from 0.75, B 0.5, C 0.25, D 0.1, E 0.02, otherwise F."""
    share = min_entropy / symbol_bits
    return next((letter for letter, least in GRADES if share >= least), "F")


def entropy_quality(
    read: Callable[[int], bytes],
    n_samples: int = 10_000,
    *,
    symbol_bits: int = 8,
    estimated_rate: float = 1.0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Read ``n_samples`` raw samples and return their quality figures.

    Parameters
    ----------
    read : callable
        Returns so many fresh raw samples, for example :meth:`~esoteric_drbg.noise_sources.NoiseSource.read_exactly`.
    n_samples : int
        How many samples, at least 1.
    symbol_bits : int
        Width of a sample, 1 to 8 bits.
    estimated_rate : float
        Samples per second to expect.
    progress : callable, optional
        Called with (samples read, ``n_samples``, ``""``) some four times a second, less often for a source that is
        slow to start a read. The samples are then read in that many parts.

    Returns
    -------
    dict
        ``grade`` (A to F), ``shannon`` and ``min_entropy`` (bits per sample), ``compression_ratio`` (zlib level 9,
        compressed over original size), ``samples``, ``seconds``.

    Raises
    ------
    InvalidInputError, SourceError
        Whatever ``read`` raises.

    Examples
    --------
    >>> entropy_quality(bytes, 1000)["grade"]
    'F'
    """
    began = time.perf_counter()
    samples = read(n_samples) if progress is None else _read_in_parts(read, n_samples, estimated_rate, progress)
    seconds = time.perf_counter() - began
    min_entropy = most_common_value(samples)
    return {
        "grade": grade(min_entropy, symbol_bits),
        "shannon": shannon(samples),
        "min_entropy": min_entropy,
        "compression_ratio": len(zlib.compress(samples, 9)) / n_samples,
        "samples": n_samples,
        "seconds": seconds,
    }


def _read_in_parts(read: Callable[[int], bytes], n_samples: int, rate: float, progress: Progress) -> bytes:
    step = max(1, int(rate * PROGRESS_S))
    longest = max(1, int(rate * LONGEST_PART_S))
    samples = b""
    while True:
        began = time.perf_counter()
        samples += read(min(step, n_samples - len(samples)))
        progress(len(samples), n_samples, "")
        if len(samples) >= n_samples:
            return samples
        # A source that opens a device for each read spends most of a short read on that: use few long parts.
        if time.perf_counter() - began > 2 * PROGRESS_S:
            step = min(2 * step, longest)
