"""The MultiMMC predictor, SP 800-90B 6.3.9: Markov models with counting, of orders 1 to 16.

The kernel does steps 1 to 5 and finds the longest run of ones. :mod:`esoteric_drbg.kernels.estimate_bounds` computes
bounds and min-entropy.

As we read the text, the kernel departs from it in two points, which give the results of NIST's tool. They are marked
below.
"""
# ruff: noqa: N803, N806 - the standard's names

from __future__ import annotations

from esoteric_drbg.kernels.reference.prediction import count_correct, highest_counted, update_scoreboard
from esoteric_drbg.kernels.reference.symbols import from_one, unpack

__all__ = ["correct_predictions", "multi_mmc"]

_MAX_ENTRIES = 100_000


def multi_mmc(data: bytes, n: int, k: int) -> tuple[int, int]:
    """Return C and the longest run of ones in `correct`; `data` as in :mod:`~esoteric_drbg.kernels.reference.symbols`.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.multi_mmc import multi_mmc
    >>> multi_mmc(bytes([0, 1, 2] * 5), 15, 3)  # from the fifth symbol on, every context has come before
    (11, 11)
    """
    return count_correct(correct_predictions(unpack(data, n, k)))


def correct_predictions(S: bytes, D: int = 16, max_entries: int = _MAX_ENTRIES) -> list[int | None]:
    """Return the standard's array `correct`, from its first entry on; None where the winner made no prediction.

    Examples
    --------
    >>> from esoteric_drbg.kernels.reference.multi_mmc import correct_predictions
    >>> correct_predictions(bytes([2, 1, 3, 2, 1, 3, 1, 3, 1]), D=3)
    [None, None, 1, 1, 0, 1, 0]
    """
    s, L = from_one(S), len(S)

    # Step 1: D orders, N predictions, and the number of counters of each order.
    N = L - 2
    subpredict: list[int | None] = [None] * (D + 1)
    entries = [0] * (D + 1)
    correct: list[int | None] = [0] * (1 + max(0, N))

    # Step 2: M_d[x][y] counts how often the symbol y followed the d symbols x.
    M: list[dict[tuple[int, ...], dict[int, int]]] = [{} for _ in range(D + 1)]

    # Step 3
    scoreboard = [0] * (D + 1)
    winner = 1

    # Step 4
    for i in range(3, L + 1):
        # 4a: count that s_{i-1} followed the d samples before it; a new pair needs a free counter.
        for d in range(1, D + 1):
            if d < i - 1:
                x, y = tuple(s[i - d - 1 : i - 1]), s[i - 1]
                if y in M[d].get(x, {}):
                    M[d][x][y] += 1
                elif entries[d] < max_entries:
                    M[d].setdefault(x, {})[y] = 1
                    entries[d] += 1

        # 4b: order d predicts what followed the last d samples most often; among equals, the larger symbol.
        for d in range(1, D + 1):
            subpredict[d] = highest_counted(M[d].get(tuple(s[i - d : i]), {})) if d < i else None
            # Departure: if an order makes no prediction, no higher order does. In the text each order is independent.
            if subpredict[d] is None:
                subpredict[d:] = [None] * (D + 1 - d)
                break

        # 4c and 4d
        prediction = subpredict[winner]
        if prediction == s[i]:
            correct[i - 2] = 1
        # Departure: a step without a prediction is left out of the runs. In the text it counts as wrong and ends a run.
        if prediction is None:
            correct[i - 2] = None

        # 4e
        winner = update_scoreboard(scoreboard, winner, subpredict, s[i])
    return correct[1:]
