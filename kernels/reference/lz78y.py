"""The LZ78Y predictor, SP 800-90B 6.3.10: a dictionary of the contexts of 1 to 16 symbols and of what followed them.

The kernel does steps 1 to 4 and finds the longest run of ones. :mod:`esoteric_drbg.kernels.estimate_bounds` computes
bounds and min-entropy.
"""
# ruff: noqa: N803, N806 - the standard's names

from __future__ import annotations

from esoteric_drbg.kernels.reference.prediction import count_correct, highest_counted
from esoteric_drbg.kernels.reference.symbols import from_one, unpack

__all__ = ["correct_predictions", "lz78y"]

_MAX_DICTIONARY_SIZE = 65_536


def lz78y(data: bytes, n: int, k: int) -> tuple[int, int]:
    """Return C and the longest run of ones in `correct`; `data` as in :mod:`~esoteric_drbg.kernels.reference.symbols`.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.lz78y import lz78y
    >>> lz78y(bytes([0, 1, 2] * 10), 30, 3)  # the contexts of the 20th symbol are the first that have come before
    (11, 11)
    """
    return count_correct(correct_predictions(unpack(data, n, k)))


def correct_predictions(S: bytes, B: int = 16, max_dictionary_size: int = _MAX_DICTIONARY_SIZE) -> list[int]:
    """Return the standard's array `correct`, from its first entry on.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.lz78y import correct_predictions
    >>> correct_predictions(bytes([2, 1, 3, 2, 1, 3, 1, 3, 1, 2, 1, 3, 2]), B=4)
    [0, 0, 1, 1, 0, 1, 1, 0]
    """
    s, L = from_one(S), len(S)

    # Step 1: the longest context has B symbols; the first of N predictions is of s_{B+2}.
    N = L - B - 1
    correct = [0] * (1 + max(0, N))

    # Step 2: D[x][y] counts how often the symbol y followed the context x. The size is the number of contexts.
    D: dict[tuple[int, ...], dict[int, int]] = {}
    dictionary_size = 0

    # Step 3
    for i in range(B + 2, L + 1):
        # 3a: count that s_{i-1} followed the j samples before it, the longest context first. Only a new context
        # needs room; a context in the dictionary always accepts new followers.
        for j in range(B, 0, -1):
            x, y = tuple(s[i - j - 1 : i - 1]), s[i - 1]
            if x not in D and dictionary_size < max_dictionary_size:
                D[x] = {}
                dictionary_size += 1
            if x in D:
                D[x][y] = D[x].get(y, 0) + 1

        # 3b: the follower with the highest count over all contexts; among equal counts, that of the longest context.
        prediction, max_count = None, 0
        for j in range(B, 0, -1):
            prev = tuple(s[i - j : i])
            if prev in D:
                # Within a context, the larger symbol among equal counts.
                y_highest = highest_counted(D[prev])
                if y_highest is not None and D[prev][y_highest] > max_count:
                    prediction, max_count = y_highest, D[prev][y_highest]

        # 3c
        if prediction == s[i]:
            correct[i - B - 1] = 1
    return correct[1:]
