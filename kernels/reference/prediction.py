"""The scoreboard and the final counts of the four predictors of SP 800-90B 6.3.7 to 6.3.10.

Each predictor's kernel returns C and the longest run of ones in `correct`. From these,
:func:`esoteric_drbg.kernels.estimate_bounds.prediction_bounds` computes P_global (from C and N) and P_local (from N
and r, the longest run plus one).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["count_correct", "highest_counted", "update_scoreboard"]


def update_scoreboard(scoreboard: list[int], winner: int, subpredictions: Sequence[int | None], symbol: int) -> int:
    """Update the scoreboard with the sample that was observed; return the new winner: 6.3.7 step 3d, 6.3.9 step 4e.

    Parameters
    ----------
    scoreboard : list of int
        Element d counts how often sub-predictor d was right. Element 0 is not used: sub-predictors count from 1.
    winner : int
        The sub-predictor whose prediction counted in this step.
    subpredictions : sequence of int or None
        Element d is the prediction of sub-predictor d, None for the standard's Null; element 0 is not used.
    symbol : int
        s_i, the value observed.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.prediction import update_scoreboard
    >>> scoreboard = [0, 2, 1, 2]
    >>> update_scoreboard(scoreboard, 1, [None, 7, 5, 5], 5), scoreboard  # 3 overtakes 1; 2 had only drawn level
    (3, [0, 2, 2, 3])
    """
    for d in range(1, len(scoreboard)):
        if subpredictions[d] == symbol:
            # A correct sub-predictor scores, and becomes the winner if the winner's score is not higher. The winner's
            # own score has been raised in this step only if its index is lower.
            scoreboard[d] += 1
            if scoreboard[d] >= scoreboard[winner]:
                winner = d
    return winner


def count_correct(correct: Sequence[int | None]) -> tuple[int, int]:
    """Return C, the number of ones in `correct`, and the longest run of them; entries that are None are skipped.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.prediction import count_correct
    >>> count_correct([1, 1, 0, 1, None, 1, 1, 0])
    (5, 3)
    """
    ones = run = longest_run = 0
    for entry in correct:
        if entry == 1:
            ones += 1
            run += 1
            longest_run = max(longest_run, run)
        elif entry == 0:
            run = 0
    return ones, longest_run


def highest_counted(followers: Mapping[int, int]) -> int | None:
    """Return the symbol with the highest count, the larger one if two are equal; None if there is none: 6.3.9, 6.3.10.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.prediction import highest_counted
    >>> highest_counted({3: 2, 5: 2, 7: 1})
    5
    """
    return max(followers, key=lambda y: (followers[y], y), default=None)
