"""The MultiMCW predictor, SP 800-90B 6.3.7: the most common value in windows of the last samples.

The kernel does steps 1 to 4 and finds the longest run of ones. :mod:`esoteric_drbg.kernels.estimate_bounds` computes
bounds and min-entropy.
"""
# ruff: noqa: N803, N806 - the standard's names

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from esoteric_drbg.kernels.reference.prediction import count_correct, update_scoreboard
from esoteric_drbg.kernels.reference.symbols import from_one, unpack

__all__ = ["correct_predictions", "most_frequent", "multi_mcw"]

_WINDOWS = (63, 255, 1023, 4095)


def multi_mcw(data: bytes, n: int, k: int) -> tuple[int, int]:
    """Return C and the longest run of ones in `correct`; `data` as in :mod:`~esoteric_drbg.kernels.reference.symbols`.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.multi_mcw import multi_mcw
    >>> multi_mcw(bytes([0, 1, 2] * 40), 120, 3)  # a tie goes to the symbol seen last, which never comes next
    (0, 0)
    >>> multi_mcw(bytes([0] * 70 + [1, 2] + [0] * 8), 80, 3)
    (15, 8)
    """
    return count_correct(correct_predictions(unpack(data, n, k)))


def correct_predictions(S: bytes, w: Sequence[int] = _WINDOWS) -> list[int]:
    """Return the standard's array `correct`, from its first entry on.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.multi_mcw import correct_predictions
    >>> correct_predictions(bytes([1, 2, 1, 0, 2, 1, 1, 2, 2, 0, 0, 0]), w=(3, 5, 7, 9))
    [0, 0, 0, 1, 0, 1, 0, 0, 1]
    """
    s, L = from_one(S), len(S)

    # Step 1: window sizes w_1, w_2, ...; the first prediction is made when the smallest window is full.
    w = [0, *w]
    N = L - w[1]
    correct = [0] * (1 + max(0, N))

    # Step 2
    scoreboard = [0] * len(w)
    frequent: list[int | None] = [None] * len(w)
    winner = 1

    # Step 3
    for i in range(w[1] + 1, L + 1):
        # 3a: each window's most frequent value; a window that is not full yet predicts nothing.
        for j in range(1, len(w)):
            frequent[j] = most_frequent(s[i - w[j] : i]) if i > w[j] else None

        # 3b and 3c: the winner of the steps before predicts.
        prediction = frequent[winner]
        if prediction == s[i]:
            correct[i - w[1]] = 1

        # 3d
        winner = update_scoreboard(scoreboard, winner, frequent, s[i])
    return correct[1:]


def most_frequent(window: Sequence[int]) -> int:
    """Return the most frequent value; among several, the one that occurred most recently.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.multi_mcw import most_frequent
    >>> most_frequent([3, 3, 5, 5, 4])
    5
    """
    count = Counter(window)
    highest = max(count.values())
    return next(symbol for symbol in reversed(window) if count[symbol] == highest)
