"""Counts of tuples for the t-Tuple and LRS estimates, SP 800-90B 6.3.5 and 6.3.6.

The kernel does steps 1 and 2 of both and sums the pairs of 6.3.6 step 3. :mod:`esoteric_drbg.conformance` computes
powers, bounds and min-entropies.
"""
# ruff: noqa: N803, N806 - the standard's names

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import comb

from esoteric_drbg.kernels.reference.symbols import unpack

__all__ = ["tuple_counts", "tuples"]

#: A tuple counts as common if it occurs this often.
_CUTOFF = 35


def tuple_counts(data: bytes, n: int, k: int) -> tuple[bytes, int, bytes]:
    """Count repeated tuples of every length.

    Returns
    -------
    most_common : bytes
        Q of 6.3.5, 64-bit little-endian: occurrences of the most common i-tuple for i = 1, ..., t. So u of 6.3.6 is
        one more than the number of entries.
    v : int
        Length of the longest tuple that occurs twice; 0 if no symbol does.
    pairs : bytes
        64-bit little-endian: the sum over the W-tuples of C(C_i, 2), for W = u, ..., v. Empty if v < u.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.tuples import tuple_counts
    >>> Q, v, pairs = tuple_counts(bytes([0, 1, 2] * 3), 9, 3)  # no symbol comes 35 times, so u = 1
    >>> len(Q), v, [pairs[i] for i in range(0, len(pairs), 8)]
    (0, 6, [9, 7, 5, 3, 2, 1])
    """
    S, L = unpack(data, n, k), n

    # 6.3.5 steps 1 and 2: Q for all lengths whose most common tuple occurs 35 times or more; t is the last of them.
    Q = []
    for i in range(1, L + 1):
        most_common = max(tuples(S, i).values())
        if most_common < _CUTOFF:
            break
        Q.append(most_common)

    # 6.3.6 step 1: u is the first length whose most common tuple occurs less often.
    u = len(Q) + 1

    # 6.3.6 step 2: v is the last length at which a tuple occurs twice.
    v = 0
    while v + 1 <= L and max(tuples(S, v + 1).values()) >= 2:
        v += 1

    # 6.3.6 step 3: for each length, the pairs of equal tuples, which P_W divides by all pairs of tuples.
    pairs = []
    for W in range(u, v + 1):
        pairs.append(sum(comb(C_i, 2) for C_i in tuples(S, W).values()))
    return _words(Q), v, _words(pairs)


def tuples(S: bytes, W: int) -> Counter[bytes]:
    """Return how often each tuple of W symbols occurs; occurrences may overlap.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.tuples import tuples
    >>> S = bytes([2, 2, 0, 1, 0, 2, 0, 1, 2, 1, 2, 0, 1, 2, 1, 0, 0, 1, 0, 0, 0])
    >>> [max(tuples(S, W).values()) for W in (1, 2, 3, 4, 5, 6)]
    [9, 4, 3, 2, 2, 1]
    """
    return Counter(S[i : i + W] for i in range(len(S) - W + 1))


def _words(numbers: Iterable[int]) -> bytes:
    return b"".join(number.to_bytes(8, "little") for number in numbers)
