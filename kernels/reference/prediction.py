"""What the four predictors of SP 800-90B 6.3.7 to 6.3.10 share: the scoreboard, and what is counted at the end.

Each predictor's kernel returns C and the longest run of ones in `correct`. The estimate of min-entropy follows from
them in :func:`esoteric_drbg.kernels.estimate_bounds.prediction_bounds`: P_global from C and N, P_local from
r, which is that run plus one, and N.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["count_correct", "highest_counted", "update_scoreboard"]


def update_scoreboard(scoreboard: list[int], winner: int, subpredictions: Sequence[int | None], symbol: int) -> int:
    """Update the scoreboard with the symbol that came and return the new winner: step 3d of 6.3.7, 4e of 6.3.9.

    Parameters
    ----------
    scoreboard : list of int
        Element d counts how often sub-predictor d was right. Element 0 is not used: sub-predictors count from 1.
    winner : int
        The sub-predictor that spoke in this step.
    subpredictions : sequence of int or None
        Element d is what sub-predictor d said, None for the standard's Null; element 0 is not used.
    symbol : int
        s_i, what came.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.prediction import update_scoreboard
    >>> scoreboard = [0, 2, 1, 2]
    >>> update_scoreboard(scoreboard, 1, [None, 7, 5, 5], 5), scoreboard  # 3 overtakes 1; 2 had only drawn level
    (3, [0, 2, 2, 3])
    """
    for d in range(1, len(scoreboard)):
        if subpredictions[d] == symbol:
            # Who is right scores, and takes over as soon as the winner's score is no higher. The winner's own
            # score has been raised in this step only if its turn came before.
            scoreboard[d] += 1
            if scoreboard[d] >= scoreboard[winner]:
                winner = d
    return winner


def count_correct(correct: Sequence[int | None]) -> tuple[int, int]:
    """Return C, the ones in `correct`, and the longest run of them; entries that are None count as not there.

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
    """Return the symbol with the highest count, of equals the larger symbol; None if there is none: 6.3.9, 6.3.10.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.prediction import highest_counted
    >>> highest_counted({3: 2, 5: 2, 7: 1})
    5
    """
    return max(followers, key=lambda y: (followers[y], y), default=None)
