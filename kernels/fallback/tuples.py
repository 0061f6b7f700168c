"""Faster Python kernel of the tuple counts behind 6.3.5 and 6.3.6: a suffix array and its common prefixes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.kernels.fallback.symbols import unpack

#: A tuple counts as common if it occurs this often.
_CUTOFF = 35

__all__ = ["longest_common_prefixes", "suffix_array", "tuple_counts"]


def suffix_array(symbols: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Sort the suffixes by prefix doubling (Manber and Myers 1990): ranks of h symbols give ranks of 2h."""
    n = symbols.size
    ranks = symbols.astype(np.int64)
    h = 1
    while True:
        second = np.full(n, -1, dtype=np.int64)  # a suffix that has ended sorts first
        if h < n:
            second[:-h] = ranks[h:]
        keys = ranks * (max(n, 256) + 1) + second + 1
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        ranks = np.empty(n, dtype=np.int64)
        ranks[order] = np.concatenate(([0], np.cumsum(ordered[1:] != ordered[:-1])))
        if ranks[order[-1]] == n - 1:
            return order
        h *= 2


def longest_common_prefixes(symbols: NDArray[np.uint8], suffixes: NDArray[np.int64]) -> list[int]:
    """Entry j: number of leading symbols that suffixes j and j + 1 of the suffix array share (Kasai et al. 2001)."""
    text, n = bytes(symbols), symbols.size
    follower = np.full(n, -1, dtype=np.int64)
    follower[suffixes[:-1]] = suffixes[1:]
    shared = [0] * n
    length = 0
    for i, j in enumerate(follower.tolist()):
        if j < 0:
            length = 0
            continue
        most = n - max(i, j)
        while length < most and text[i + length] == text[j + length]:
            length += 1
        shared[i] = length
        length = max(0, length - 1)
    return [shared[i] for i in suffixes[:-1].tolist()]


def tuple_counts(data: bytes, n: int, k: int) -> tuple[bytes, int, bytes]:
    """Count repeated tuples of every length.

    Returns
    -------
    most_common : bytes
        Q of 6.3.5, 64-bit little-endian: occurrences of the most common t-tuple for t = 1, 2, ... as long as they are
        35 or more. So u of 6.3.6 is one more than the number of entries.
    v : int
        Length of the longest tuple that occurs twice; 0 if no symbol does.
    pairs : bytes
        64-bit little-endian: sum over the W-tuples of C(count, 2), for W = u, ..., v. Empty if v < u.
    """
    symbols = unpack(data, n, k)
    prefixes = longest_common_prefixes(symbols, suffix_array(symbols)) if n > 1 else []
    v = max(prefixes, default=0)
    most = [0] * (v + 2)  # most[h]: suffixes in the largest interval whose common prefix is h
    sums = [0] * (v + 2)  # differences of the sums over W
    open_intervals = [(0, 0)]  # common prefix and first suffix, both ascending
    for j, prefix in enumerate([*prefixes, 0]):
        first = j
        while open_intervals[-1][0] > prefix:
            height, first = open_intervals.pop()
            suffixes = j - first + 1
            outer = max(open_intervals[-1][0], prefix)
            most[height] = max(most[height], suffixes)
            sums[height] += suffixes * (suffixes - 1) // 2
            sums[outer] -= suffixes * (suffixes - 1) // 2
        if open_intervals[-1][0] < prefix:
            open_intervals.append((prefix, first))
    for length in range(v, 0, -1):
        most[length - 1] = max(most[length - 1], most[length])
        sums[length - 1] += sums[length]
    common = [count for count in most[1:] if count >= _CUTOFF]
    u = len(common) + 1
    return np.array(common, "<u8").tobytes(), v, np.array(sums[u : v + 1], "<u8").tobytes()
