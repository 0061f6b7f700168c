"""Faster Python kernels of the IID track, SP 800-90B 5.1: the 19 statistics, of the samples and of permutations."""

from __future__ import annotations

import bz2
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.fallback.iid_shuffle import permute
from esoteric_drbg.kernels.reference.iid import AVERAGE_SCALE, LAGS, STATISTICS, checked

__all__ = ["iid_permutation", "iid_permutations", "iid_statistics"]

Symbols = NDArray[np.uint8]


def excursion(x: Symbols) -> int:
    """Return n times the largest distance of a partial sum from its expectation, 5.1.1."""
    n = x.size
    sums = np.cumsum(x, dtype=np.int64)
    return int(np.abs(n * sums - np.arange(1, n + 1) * sums[-1]).max())


def _runs(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the number of runs of equal flags and the longest of them."""
    if flags.size == 0:
        return 0, 0
    starts = np.flatnonzero(np.r_[True, flags[1:] != flags[:-1]])
    return int(starts.size), int(np.diff(np.r_[starts, flags.size]).max())


def directional(x: Symbols) -> tuple[int, int, int]:
    """Return number and longest of the directional runs, and the most increases or decreases: 5.1.2 to 5.1.4."""
    up = x[:-1] <= x[1:]
    ups = int(up.sum())
    return *_runs(up), max(ups, up.size - ups)


def about_the_median(x: Symbols) -> tuple[int, int]:
    """Return number and longest of the runs about the median, 5.1.5 and 5.1.6.

    The symbols are first translated to 0, 1, 2, ...; the median is one of these or lies half-way between two.
    """
    distinct, translated = np.unique(x, return_inverse=True)
    if distinct.size == 2:
        return _runs(translated == 1)
    middle = np.sort(translated)[[(x.size - 1) // 2, x.size // 2]]
    return _runs(2 * translated >= middle.sum())


def collisions(x: Symbols) -> tuple[int, int]:
    """Return the key of the average, and the maximum, of the number of samples up to a collision, 5.1.7 and 5.1.8.

    Without a collision both are 0.
    """
    count = total = longest = 0
    seen: set[int] = set()
    for symbol in x.tolist():
        if symbol in seen:
            waited = len(seen) + 1
            count, total, longest = count + 1, total + waited, max(longest, waited)
            seen.clear()
        else:
            seen.add(symbol)
    return (total * AVERAGE_SCALE // count, longest) if count else (0, 0)


def periodicity(x: Symbols, lag: int) -> int:
    """Return how many samples equal the sample `lag` places later, 5.1.9."""
    return int((x[:-lag] == x[lag:]).sum())


def covariance(x: Symbols, lag: int) -> int:
    """Return the sum of the products of samples `lag` places apart, 5.1.10."""
    return int((x[:-lag].astype(np.int64) * x[lag:]).sum())


def compression(x: Symbols) -> int:
    """Return the length in bytes of the samples as decimal numbers, joined by blanks, after bzip2 level 5, 5.1.11."""
    return len(bz2.compress(" ".join(map(str, x.tolist())).encode(), 5))


def iid_statistics(symbols: bytes | bytearray | memoryview, mask: int) -> list[int]:
    """Return the keys of the statistics that the mask selects, 0 for the others; see the face of the kernel."""
    x = np.frombuffer(checked(symbols, mask), dtype=np.uint8)
    sums, whole = x, x
    if np.unique(x).size == 2:
        packed = np.packbits(x == x.max())
        sums = np.unpackbits(packed[:, None], axis=1).sum(axis=1, dtype=np.uint8)  # conversion I
        whole = packed  # conversion II
    groups: tuple[tuple[int, Callable[[], tuple[int, ...]]], ...] = (
        (0b1, lambda: (excursion(x),)),
        (0b1110, lambda: directional(sums)),
        (0b110000, lambda: about_the_median(x)),
        (0b11000000, lambda: collisions(whole)),
        (0b11111 << 8, lambda: tuple(periodicity(sums, lag) for lag in LAGS)),
        (0b11111 << 13, lambda: tuple(covariance(sums, lag) for lag in LAGS)),
        (0b1 << 18, lambda: (compression(x),)),
    )
    keys: list[int] = []
    for group, compute in groups:
        keys += compute() if mask & group else (0,) * group.bit_count()
    return [key if mask >> i & 1 else 0 for i, key in enumerate(keys)]


def iid_permutation(symbols: bytes | bytearray | memoryview, seed: int, index: int) -> bytes:
    """Return permutation `index` of the samples for `seed`."""
    return permute(checked(symbols), seed, index)


def iid_permutations(
    symbols: bytes | bytearray | memoryview, original: Sequence[int], seed: int, span: tuple[int, int], mask: int
) -> list[tuple[int, int, int]]:
    """Return how many permutations have a greater, an equal and a smaller statistic than the original, by statistic."""
    data = checked(symbols, mask)
    if len(original) != STATISTICS:
        raise InvalidInputError(f"{len(original)} keys of the original: expected {STATISTICS}")
    counts = [[0, 0, 0] for _ in range(STATISTICS)]
    first, count = span
    for index in range(first, first + count):
        keys = iid_statistics(permute(data, seed, index & (1 << 64) - 1), mask)
        for i, (key, own) in enumerate(zip(keys, original, strict=True)):
            if mask >> i & 1:
                counts[i][(key <= own) + (key < own)] += 1
    return [(greater, equal, less) for greater, equal, less in counts]
