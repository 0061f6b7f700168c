"""Counts of bits for the Most Common Value, Collision, Markov and Compression estimates, SP 800-90B 6.3.1 to 6.3.4.

:mod:`esoteric_drbg.conformance` counts the mode of larger alphabets, and computes means, bounds and min-entropies.
"""
# ruff: noqa: N806 - the standard's names

from __future__ import annotations

from esoteric_drbg.kernels.reference.symbols import from_one, unpack

__all__ = ["bit_counts", "collision_counts", "gap_histogram"]

_BLOCK_BITS = 6
_DICTIONARY_BLOCKS = 1000


def bit_counts(packed: bytes, n: int) -> tuple[int, int, int, int, int]:
    """Return the number of ones and of the transitions 00, 01, 10 and 11: 6.3.1 step 1, 6.3.3 steps 1 and 2.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.bit_statistics import bit_counts
    >>> bit_counts(bytes([0b11010000]), 5)
    (3, 0, 1, 2, 1)
    """
    s = from_one(unpack(packed, n, 2))

    # 6.3.1 step 1 and 6.3.3 step 1: how many of all samples are 1.
    ones = 0
    for i in range(1, n + 1):
        ones += s[i]

    # 6.3.3 step 2: how many of the n - 1 pairs of neighbours are of each kind.
    transitions = [[0, 0], [0, 0]]
    for i in range(1, n):
        transitions[s[i]][s[i + 1]] += 1
    return ones, transitions[0][0], transitions[0][1], transitions[1][0], transitions[1][1]


def collision_counts(packed: bytes, n: int) -> tuple[int, int]:
    """Return how many of the times t_v of 6.3.2 are 2 and how many are 3: steps 1 to 4.

    No other time is possible: if two bits differ, the third equals one of them.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.bit_statistics import collision_counts
    >>> collision_counts(bytes([0b10000110]), 8)  # 100, 00, 11; no bit repeats in the rest
    (2, 1)
    """
    s, L = from_one(unpack(packed, n, 2)), n
    times = {2: 0, 3: 0}

    # Step 1
    index = 1
    while True:
        # Step 2: from s_index on, find the first sample whose value has occurred before.
        if index + 1 <= L and s[index + 1] == s[index]:
            j = index + 1
        elif index + 2 <= L:
            j = index + 2
        else:
            break  # step 4: the data end without one

        # Step 3
        times[j - index + 1] += 1
        index = j + 1
    return times[2], times[3]


def gap_histogram(packed: bytes, n: int) -> bytes:
    """Return how often each value occurs in the list D of 6.3.4: steps 1 to 4.

    Entry g counts the test blocks that last occurred g blocks before. The entries are 64-bit little-endian, up to the
    largest value that occurs; there are none if there is no test block.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.bit_statistics import gap_histogram
    >>> zeros = gap_histogram(bytes(1002 * 6 // 8 + 1), 1002 * 6)  # two test blocks, each as the one before
    >>> [int.from_bytes(zeros[i : i + 8], "little") for i in range(0, len(zeros), 8)]
    [0, 2]
    """
    bits = unpack(packed, n, 2)
    b, d = _BLOCK_BITS, _DICTIONARY_BLOCKS

    # Step 1: blocks of b bits, the first the most significant; bits left over are dropped.
    s = [-1]
    for start in range(0, n // b * b, b):
        block = 0
        for bit in bits[start : start + b]:
            block = 2 * block + bit
        s.append(block)
    L = n // b

    # Step 3: the first d blocks initialize the dictionary, in which 0 stands for a block that has not occurred.
    dictionary = [0] * (1 << b)
    for i in range(1, min(d, L) + 1):
        dictionary[s[i]] = i

    # Step 4: the others are tested. A block that has not occurred yet counts as if it had been block 0.
    D = []
    for i in range(d + 1, L + 1):
        D.append(i - dictionary[s[i]])
        dictionary[s[i]] = i

    histogram = [0] * (1 + max(D, default=-1))
    for gap in D:
        histogram[gap] += 1
    return b"".join(count.to_bytes(8, "little") for count in histogram)
