"""The 19 permutation statistics of SP 800-90B 5.1.1 to 5.1.11, and the comparison of permutations with the original.

The statistics are whole numbers in the same order as the standard's: the excursion is multiplied by the number of
samples, the average collision by 2^52 and rounded down. :mod:`esoteric_drbg.conformance` decides whether a statistic
fails, because too few permutations are above or below it (5.1 step 3). These loops count from 0.
"""
# ruff: noqa: N803, N806 - the standard's names

from __future__ import annotations

import bz2
from collections.abc import Callable, Sequence

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.reference.buffers import contents
from esoteric_drbg.kernels.reference.iid_shuffle import permute

__all__ = ["checked", "iid_permutation", "iid_permutations", "iid_statistics"]

STATISTICS = 19
LAGS = (1, 2, 8, 16, 32)
AVERAGE_SCALE = 1 << 52
_MOST_SAMPLES = 1 << 27


def checked(symbols: bytes | bytearray | memoryview, mask: int = 0) -> bytes:
    """Return the samples, if there are 1 to 2^27; a mask has a bit for each statistic."""
    S = contents(symbols)
    if not 1 <= len(S) <= _MOST_SAMPLES:
        raise InvalidInputError(f"{len(S)} symbols: expected 1 to {_MOST_SAMPLES}")
    if not 0 <= mask < 1 << STATISTICS:
        raise InvalidInputError(f"mask={mask}: expected 0 to {(1 << STATISTICS) - 1}")
    return S


def conversion_1(bits: Sequence[int]) -> list[int]:
    """Return the number of ones in each block of 8 bits, the last one padded with zeros: Conversion I of 5.1.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.iid import conversion_1
    >>> conversion_1([1, 0, 0, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 0, 1, 1])
    [4, 6, 2]
    """
    return [sum(bits[start : start + 8]) for start in range(0, len(bits), 8)]


def conversion_2(bits: Sequence[int]) -> list[int]:
    """Return each block of 8 bits as a number, the first bit the most significant: Conversion II of 5.1.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.iid import conversion_2
    >>> conversion_2([1, 0, 0, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 0, 1, 1])
    [142, 219, 48]
    """
    blocks = []
    for start in range(0, len(bits), 8):
        block = 0
        for bit in [*bits[start : start + 8], *[0] * 8][:8]:
            block = 2 * block + bit
        blocks.append(block)
    return blocks


def excursion(S: Sequence[int]) -> int:
    """Return L times the largest distance of a running sum from its expectation, 5.1.1.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.iid import excursion
    >>> excursion([2, 15, 4, 10, 9]) / 5
    6.0
    """
    L = len(S)
    # Step 1: the mean is total / L.
    total = sum(S)
    # Steps 2 and 3: d_i = |s_1 + ... + s_i - i mean|, and the largest of them.
    largest = running = 0
    for i, s_i in enumerate(S, 1):
        running += s_i
        largest = max(largest, abs(L * running - i * total))
    return largest


def runs(signs: Sequence[bool]) -> tuple[int, int]:
    """Return the number of runs of equal signs, and the length of the longest.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.iid import runs
    >>> runs([True, True, False, True])
    (3, 2)
    """
    number = longest = length = 0
    for i, sign in enumerate(signs):
        if i > 0 and sign == signs[i - 1]:
            length += 1
        else:
            number, length = number + 1, 1
        longest = max(longest, length)
    return number, longest


def directional_runs(S: Sequence[int]) -> tuple[int, int, int]:
    """Return the number of directional runs, the longest of them, and the most increases or decreases: 5.1.2 to 5.1.4.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.iid import directional_runs
    >>> directional_runs([2, 2, 2, 5, 7, 7, 9, 3, 1, 4, 4])
    (3, 6, 8)
    """
    # Step 1: +1 where the next sample is at least as large, -1 where it is smaller.
    increases = [S[i] <= S[i + 1] for i in range(len(S) - 1)]
    number, longest = runs(increases)
    return number, longest, max(increases.count(True), increases.count(False))


def median_runs(S: Sequence[int]) -> tuple[int, int]:
    """Return the number of runs about the median, and the length of the longest: 5.1.5 and 5.1.6.

    The median is that of the samples' ranks 0, 1, 2, ...; for an even number of samples, the mean of the middle two.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.iid import median_runs
    >>> median_runs([5, 15, 12, 1, 13, 9, 4])
    (5, 2)
    """
    alphabet = sorted(set(S))
    ranks = [alphabet.index(sample) for sample in S]
    # Step 1: twice the median; the median of binary data is 0.5.
    in_order = sorted(ranks)
    twice_the_median = in_order[(len(S) - 1) // 2] + in_order[len(S) // 2] if len(alphabet) != 2 else 1
    # Step 2: +1 where a sample is not below the median, -1 where it is.
    return runs([2 * rank >= twice_the_median for rank in ranks])


def collisions(S: Sequence[int]) -> tuple[int, int]:
    """Return the average, times 2^52, and the maximum of the number of samples up to a collision: 5.1.7 and 5.1.8.

    Both are 0 if there is no collision.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.iid import AVERAGE_SCALE, collisions
    >>> average, maximum = collisions([2, 1, 1, 2, 0, 1, 0, 1, 1, 2])
    >>> average / AVERAGE_SCALE, maximum
    (3.0, 4)
    """
    C: list[int] = []
    i = 0
    while i < len(S):
        # The least j such that the j samples from s_i on are not all different; if there is none, C is complete.
        j = 1
        while i + j <= len(S) and len(set(S[i : i + j])) == j:
            j += 1
        if i + j > len(S):
            break
        C.append(j)
        i += j
    return (sum(C) * AVERAGE_SCALE // len(C), max(C)) if C else (0, 0)


def periodicity(S: Sequence[int], p: int) -> int:
    """Return how many samples equal the sample p places later, 5.1.9.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.iid import periodicity
    >>> periodicity([2, 1, 2, 1, 0, 1, 0, 1, 1, 2], 2)
    5
    """
    T = 0
    for i in range(len(S) - p):
        if S[i] == S[i + p]:
            T += 1
    return T


def covariance(S: Sequence[int], p: int) -> int:
    """Return the sum of the products of samples p places apart, 5.1.10.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.iid import covariance
    >>> covariance([5, 2, 6, 10, 12, 3, 1], 2)
    164
    """
    T = 0
    for i in range(len(S) - p):
        T += S[i] * S[i + p]
    return T


def compression(S: Sequence[int]) -> int:
    """Return the length in bytes of the samples as decimal numbers, joined by blanks, after bzip2: 5.1.11.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.iid import compression
    >>> compression([144, 21, 139, 0, 0, 15])
    49
    """
    return len(bz2.compress(" ".join(str(sample) for sample in S).encode(), 5))


def iid_statistics(symbols: bytes | bytearray | memoryview, mask: int) -> list[int]:
    """Return the statistics that the mask selects, 0 for the others.

    Bit i of the mask stands for statistic i of :data:`esoteric_drbg.kernels.iid.STATISTICS`.
    """
    S: Sequence[int] = checked(symbols, mask)
    # Binary data are converted first: to counts of ones (5.1.2 to 5.1.4, 5.1.9, 5.1.10) or to bytes (5.1.7, 5.1.8).
    counted = bytewise = S
    if len(set(S)) == 2:
        bits = [int(sample == max(S)) for sample in S]
        counted, bytewise = conversion_1(bits), conversion_2(bits)
    statistics: list[Callable[[], int]] = [
        lambda: excursion(S),
        lambda: directional_runs(counted)[0],
        lambda: directional_runs(counted)[1],
        lambda: directional_runs(counted)[2],
        lambda: median_runs(S)[0],
        lambda: median_runs(S)[1],
        lambda: collisions(bytewise)[0],
        lambda: collisions(bytewise)[1],
        *(lambda p=p: periodicity(counted, p) for p in LAGS),
        *(lambda p=p: covariance(counted, p) for p in LAGS),
        lambda: compression(S),
    ]
    return [statistic() if mask >> i & 1 else 0 for i, statistic in enumerate(statistics)]


def iid_permutation(symbols: bytes | bytearray | memoryview, seed: int, index: int) -> bytes:
    """Return permutation `index` of the samples for `seed`."""
    return permute(checked(symbols), seed, index)


def iid_permutations(
    symbols: bytes | bytearray | memoryview, original: Sequence[int], seed: int, span: tuple[int, int], mask: int
) -> list[tuple[int, int, int]]:
    """Return how many permutations have a greater, an equal and a smaller statistic than the original, by statistic.

    This is step 2 of 5.1 for the permutations `first` to `first + count - 1`.
    """
    S = checked(symbols, mask)
    if len(original) != STATISTICS:
        raise InvalidInputError(f"{len(original)} keys of the original: expected {STATISTICS}")
    greater, equal, less = [0] * STATISTICS, [0] * STATISTICS, [0] * STATISTICS
    first, count = span
    for index in range(first, first + count):
        # Step 2.1
        permuted = permute(S, seed, index % (1 << 64))
        # Step 2.2
        T = iid_statistics(permuted, mask)
        for i in range(STATISTICS):
            if mask >> i & 1:
                greater[i] += T[i] > original[i]
                equal[i] += T[i] == original[i]
                less[i] += T[i] < original[i]
    return list(zip(greater, equal, less, strict=True))
