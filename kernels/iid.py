"""Typed face of the kernels of the IID track, SP 800-90B section 5.1."""

from __future__ import annotations

import operator
from collections.abc import Sequence

from esoteric_drbg.errors import InvalidInputError
from esoteric_drbg.kernels.memory import OutOfMemoryIsOurs
from esoteric_drbg.kernels.table import kernel

__all__ = [
    "ALL_STATISTICS",
    "AVERAGE_SCALE",
    "COMPRESSION",
    "STATISTICS",
    "iid_permutation",
    "iid_permutations",
    "iid_statistics",
]

#: The lags of the periodicity and covariance statistics, in samples.
LAGS = (1, 2, 8, 16, 32)
#: The 19 statistics in the order of SP 800-90B 5.1.1 to 5.1.11; bit i of a mask selects statistic i.
STATISTICS = (
    "excursion",
    "directional_runs",
    "longest_directional_run",
    "increases_decreases",
    "median_runs",
    "longest_median_run",
    "average_collision",
    "maximum_collision",
    *(f"periodicity_{lag}" for lag in LAGS),
    *(f"covariance_{lag}" for lag in LAGS),
    "compression",
)
#: Mask of all statistics, and of the compression statistic alone.
ALL_STATISTICS = (1 << len(STATISTICS)) - 1
COMPRESSION = 1 << STATISTICS.index("compression")
#: The key of the average collision is the average times this, rounded down.
AVERAGE_SCALE = 1 << 52

_WORD = 1 << 64

_permutes_in_memory = OutOfMemoryIsOurs("the permutations")


def _natural(name: str, value: int, most: int) -> int:
    """Read a whole number from 0 to most - 1."""
    try:
        number = operator.index(value)
    except TypeError:
        raise InvalidInputError(f"{name}={value!r}: expected a whole number") from None
    if not 0 <= number < most:
        raise InvalidInputError(f"{name}={number}: expected 0 to {most - 1}")
    return number


@_permutes_in_memory
def iid_statistics(symbols: bytes | bytearray | memoryview, mask: int = ALL_STATISTICS) -> tuple[int, ...]:
    """Return the 19 permutation statistics of a sequence as integers in the same order as the statistics.

    Parameters
    ----------
    symbols : buffer of bytes
        1 to 2^27 samples, one a byte. A sequence of two distinct symbols is binary: the conversions of SP 800-90B 5.1
        apply.
    mask : int
        Bit i selects statistic i of :data:`STATISTICS`; the others are returned as 0.

    Returns
    -------
    tuple of int, length 19
        The excursion is multiplied by the number of samples. The average collision is multiplied by 2^52 and rounded
        down; different averages keep different keys. All others are the statistic itself, the compression in bytes.

    Raises
    ------
    InvalidInputError
        If the sequence is empty or too long, or the mask has other bits.

    Examples
    --------
    >>> from esoteric_drbg.kernels.iid import STATISTICS, iid_statistics
    >>> dict(zip(STATISTICS, iid_statistics(bytes([5, 15, 12, 1, 13, 9, 4])), strict=True))["directional_runs"]
    4
    """
    keys: list[int] = kernel("iid_statistics")(symbols, _natural("mask", mask, ALL_STATISTICS + 1))
    return tuple(keys)


@_permutes_in_memory
def iid_permutation(symbols: bytes | bytearray | memoryview, seed: int, index: int) -> bytes:
    """Return permutation number `index` of a sequence for a seed: uniform over all arrangements of its samples.

    Parameters
    ----------
    symbols : buffer of bytes
        1 to 2^27 samples, one a byte.
    seed, index : int
        0 to 2^64 - 1 each. Together they determine the permutation, as
        :mod:`esoteric_drbg.kernels.reference.iid_shuffle` specifies.

    Raises
    ------
    InvalidInputError
        If the sequence is empty or too long, or a number is out of its range.

    Examples
    --------
    >>> from esoteric_drbg.kernels.iid import iid_permutation
    >>> sorted(iid_permutation(b"caab", 1, 7))
    [97, 97, 98, 99]
    """
    permuted: bytes = kernel("iid_permutation")(symbols, _natural("seed", seed, _WORD), _natural("index", index, _WORD))
    return permuted


@_permutes_in_memory
def iid_permutations(
    symbols: bytes | bytearray | memoryview,
    original: Sequence[int],
    seed: int,
    span: tuple[int, int],
    mask: int = ALL_STATISTICS,
) -> tuple[tuple[int, int, int], ...]:
    """Compare some permutations with the original sequence, statistic by statistic.

    Parameters
    ----------
    symbols : buffer of bytes
        1 to 2^27 samples, one a byte.
    original : sequence of int, length 19
        The result of :func:`iid_statistics` for the samples.
    seed : int
        0 to 2^64 - 1, as in :func:`iid_permutation`.
    span : tuple (first, count)
        Index of the first permutation, 0 to 2^64 - 1, and their number, 0 to 2^32 - 1. Keep a call below some 100 ms:
        it cannot be interrupted.
    mask : int
        Bit i selects statistic i; the counts of the others stay 0.

    Returns
    -------
    tuple of 19 tuples (greater, equal, less)
        How many permutations had a statistic greater than, equal to, and less than the original's.

    Raises
    ------
    InvalidInputError
        If an argument is outside its range.

    Examples
    --------
    >>> from esoteric_drbg.kernels.iid import iid_permutations, iid_statistics
    >>> symbols = bytes(range(50))
    >>> iid_permutations(symbols, iid_statistics(symbols), seed=1, span=(0, 20))[1]
    (20, 0, 0)
    """
    counts: list[tuple[int, int, int]] = kernel("iid_permutations")(
        symbols,
        [_natural("original", key, 1 << 63) for key in original],
        _natural("seed", seed, _WORD),
        (_natural("first", span[0], _WORD), _natural("count", span[1], 1 << 32)),
        _natural("mask", mask, ALL_STATISTICS + 1),
    )
    return tuple(counts)
