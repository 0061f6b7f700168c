"""The Lag predictor, SP 800-90B 6.3.8: each sub-predictor repeats the sample d before.

The kernel does steps 1 to 4 and finds the longest run of ones. :mod:`esoteric_drbg.kernels.estimate_bounds` computes
bounds and min-entropy.
"""
# ruff: noqa: N803, N806 - the standard's names

from __future__ import annotations

from esoteric_drbg.kernels.reference.prediction import count_correct, update_scoreboard
from esoteric_drbg.kernels.reference.symbols import from_one, unpack

__all__ = ["correct_predictions", "lag"]


def lag(data: bytes, n: int, k: int) -> tuple[int, int]:
    """Return C and the longest run of ones in `correct`; `data` as in :mod:`~esoteric_drbg.kernels.reference.symbols`.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.lag import lag
    >>> lag(bytes([0, 1, 2] * 5), 15, 3)  # lag 3 is right from the fourth symbol on, and speaks from the fifth
    (11, 11)
    """
    return count_correct(correct_predictions(unpack(data, n, k)))


def correct_predictions(S: bytes, D: int = 128) -> list[int]:
    """Return the standard's array `correct`, from its first entry on.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.lag import correct_predictions
    >>> correct_predictions(bytes([2, 1, 3, 2, 1, 3, 1, 3, 1, 2]), D=3)
    [0, 0, 0, 1, 1, 0, 0, 0, 0]
    """
    s, L = from_one(S), len(S)

    # Step 1
    N = L - 1
    lag_: list[int | None] = [None] * (D + 1)
    correct = [0] * (N + 1)

    # Step 2
    scoreboard = [0] * (D + 1)
    winner = 1

    # Step 3
    for i in range(2, L + 1):
        # 3a: sub-predictor d predicts the sample d before.
        for d in range(1, D + 1):
            lag_[d] = s[i - d] if d < i else None

        # 3b and 3c
        prediction = lag_[winner]
        if prediction == s[i]:
            correct[i - 1] = 1

        # 3d
        winner = update_scoreboard(scoreboard, winner, lag_, s[i])
    return correct[1:]
