"""Faster Python kernels of the counts behind 6.3.1, 6.3.3 and 6.3.4 of SP 800-90B, for packed bits."""

from __future__ import annotations

import numpy as np

from esoteric_drbg.kernels.fallback.symbols import unpack

__all__ = ["bit_counts", "gap_histogram"]

_BLOCK_BITS = 6
_DICTIONARY_BLOCKS = 1000


def bit_counts(packed: bytes, n: int) -> tuple[int, int, int, int, int]:
    """Count ones and the four transitions: a pair of bits is a number from 0 to 3."""
    bits = unpack(packed, n, 2)
    pairs = np.bincount(2 * bits[:-1] + bits[1:], minlength=4)
    return int(bits.sum()), int(pairs[0]), int(pairs[1]), int(pairs[2]), int(pairs[3])


def gap_histogram(packed: bytes, n: int) -> bytes:
    """Count the gaps: differences of neighbouring indices, once equal blocks are sorted next to one another."""
    bits = unpack(packed, n, 2)
    blocks = n // _BLOCK_BITS
    if blocks <= _DICTIONARY_BLOCKS:
        return b""
    values = bits[: blocks * _BLOCK_BITS].reshape(blocks, _BLOCK_BITS) @ (1 << np.arange(_BLOCK_BITS)[::-1])
    order = np.argsort(values, kind="stable")  # by value, then by index
    gaps = order + 1  # of a block that has not occurred before: its index, counted from 1
    repeated = values[order[1:]] == values[order[:-1]]
    gaps[1:][repeated] = (order[1:] - order[:-1])[repeated]
    return np.bincount(gaps[order >= _DICTIONARY_BLOCKS]).astype("<u8").tobytes()
