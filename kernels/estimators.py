"""Typed face of the kernels behind the ten estimators of SP 800-90B 6.3.

Data are passed as ``(data, n, k)``: `n` samples with an alphabet of `k` symbols. If ``k == 2``, eight samples are
packed into a byte, the first one in the most significant bit; otherwise each byte is one sample. See
:mod:`esoteric_drbg.kernels.reference.symbols`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.kernels.memory import OutOfMemoryIsOurs
from esoteric_drbg.kernels.table import kernel

__all__ = ["bit_counts", "collision_counts", "gap_histogram", "lag", "lz78y", "multi_mcw", "multi_mmc", "tuple_counts"]

Data = bytes | bytearray | memoryview | NDArray[np.uint8]

_counts_in_memory = OutOfMemoryIsOurs("what is counted")


@_counts_in_memory
def bit_counts(packed: Data, n: int) -> tuple[int, int, int, int, int]:
    """Return the number of ones and of the transitions 00, 01, 10, 11 in `n` packed bits."""
    counts: tuple[int, int, int, int, int] = kernel("bit_counts")(packed, n)
    return counts


@_counts_in_memory
def collision_counts(packed: Data, n: int) -> tuple[int, int]:
    """Return how many collision times of `n` packed bits are 2 and how many 3, 6.3.2."""
    counts: tuple[int, int] = kernel("collision_counts")(packed, n)
    return counts


@_counts_in_memory
def gap_histogram(packed: Data, n: int) -> NDArray[np.uint64]:
    """Return the histogram of gaps between equal blocks of 6 bits, 6.3.4; empty if there is no test block."""
    return np.frombuffer(kernel("gap_histogram")(packed, n), dtype="<u8")


@_counts_in_memory
def tuple_counts(data: Data, n: int, k: int) -> tuple[NDArray[np.uint64], int, NDArray[np.uint64]]:
    """Return Q of 6.3.5 up to u - 1, v of 6.3.6 and the repeated pairs of W-tuples for W = u, ..., v."""
    most_common, v, pairs = kernel("tuple_counts")(data, n, k)
    return np.frombuffer(most_common, dtype="<u8"), v, np.frombuffer(pairs, dtype="<u8")


@_counts_in_memory
def multi_mcw(data: Data, n: int, k: int) -> tuple[int, int]:
    """Return C and the longest run of correct predictions of the MultiMCW predictor, 6.3.7."""
    counts: tuple[int, int] = kernel("multi_mcw")(data, n, k)
    return counts


@_counts_in_memory
def lag(data: Data, n: int, k: int) -> tuple[int, int]:
    """Return C and the longest run of correct predictions of the Lag predictor, 6.3.8."""
    counts: tuple[int, int] = kernel("lag")(data, n, k)
    return counts


@_counts_in_memory
def multi_mmc(data: Data, n: int, k: int) -> tuple[int, int]:
    """Return C and the longest run of correct predictions of the MultiMMC predictor, 6.3.9."""
    counts: tuple[int, int] = kernel("multi_mmc")(data, n, k)
    return counts


@_counts_in_memory
def lz78y(data: Data, n: int, k: int) -> tuple[int, int]:
    """Return C and the longest run of correct predictions of the LZ78Y predictor, 6.3.10."""
    counts: tuple[int, int] = kernel("lz78y")(data, n, k)
    return counts
