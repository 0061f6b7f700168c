"""Reference kernels of the counts behind 6.3.1 to 6.3.4 of SP 800-90B, for packed bits."""

from __future__ import annotations

import numpy as np

from esoteric_drbg.kernels.reference.symbols import unpack

__all__ = ["bit_counts", "collision_counts", "gap_histogram"]

_BLOCK_BITS = 6
_DICTIONARY_BLOCKS = 1000


def bit_counts(packed: bytes, n: int) -> tuple[int, int, int, int, int]:
    """Count ones and the four transitions: (ones, 00, 01, 10, 11). For 6.3.1 and 6.3.3."""
    bits = unpack(packed, n, 2)
    pairs = np.bincount(2 * bits[:-1] + bits[1:], minlength=4)
    return int(bits.sum()), int(pairs[0]), int(pairs[1]), int(pairs[2]), int(pairs[3])


def collision_counts(packed: bytes, n: int) -> tuple[int, int]:
    """Count the collision times of 6.3.2: how many are 2 and how many are 3.

    Two equal bits collide after 2; two different ones after 3, since any third bit equals one of them.
    """
    bits = bytes(unpack(packed, n, 2))
    twos = threes = i = 0
    while i + 1 < n:
        if bits[i] == bits[i + 1]:
            twos += 1
            i += 2
        elif i + 2 < n:
            threes += 1
            i += 3
        else:
            break
    return twos, threes


def gap_histogram(packed: bytes, n: int) -> bytes:
    """Histogram of the gaps of 6.3.4, steps 1 to 4: entry g counts the test blocks that last occurred g blocks before.

    Blocks are 6 bits, counted from 1; the first 1000 make the dictionary, and a block that never occurred has its own
    index as gap. Returned as 64-bit little-endian counts, up to the largest gap that occurs; empty if there is no
    test block.
    """
    bits = unpack(packed, n, 2)
    blocks = n // _BLOCK_BITS
    if blocks <= _DICTIONARY_BLOCKS:
        return b""
    values = bits[: blocks * _BLOCK_BITS].reshape(blocks, _BLOCK_BITS) @ (1 << np.arange(_BLOCK_BITS)[::-1])
    order = np.argsort(values, kind="stable")  # by value, then by index
    gaps = order + 1
    repeated = values[order[1:]] == values[order[:-1]]
    gaps[1:][repeated] = (order[1:] - order[:-1])[repeated]
    return np.bincount(gaps[order >= _DICTIONARY_BLOCKS]).astype("<u8").tobytes()
