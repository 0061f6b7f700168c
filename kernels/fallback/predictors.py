"""Faster Python kernels of the MultiMCW and Lag predictors, SP 800-90B 6.3.7 and 6.3.8, and the scoreboard."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.kernels.fallback.symbols import unpack

__all__ = ["Scoreboard", "lag", "multi_mcw"]

Flags = NDArray[np.bool_]

_BLOCK = 4096
_WINDOWS = (63, 255, 1023, 4095)
_LAGS = 128


class Scoreboard:
    """The winning sub-predictor, the number of its correct predictions, and the longest run of them.

    The winner is the sub-predictor with the highest score. Among equal scores it is the one that scored last; among
    these, the one with the highest index. Before any has scored, it is the first. (In the standard, each sub-predictor
    that was right scores, in ascending index, and becomes the winner if its score is then at least the winner's.) The
    prediction of step i is that of the winner of step i - 1.

    Attributes
    ----------
    correct : int
        C, correct predictions of the winners.
    longest_run : int
        The most correct predictions in a row; r is one more.
    """

    def __init__(self, predictors: int) -> None:
        self.correct = 0
        self.longest_run = 0
        self._scores = np.zeros(predictors, dtype=np.int64)
        self._last = np.full(predictors, -1, dtype=np.int64)  # step of each one's last correct prediction
        self._winner = 0
        self._run = 0
        self._step = 0

    def play(self, right: Flags, present: Flags | None = None) -> None:
        """Take the next steps: `right[d, i]` is True if sub-predictor d was right, `present[d, i]` if it predicted.

        A winner without a prediction neither extends nor ends the run.
        """
        steps = np.arange(self._step, self._step + right.shape[1])
        scores = self._scores[:, None] + np.cumsum(right, axis=1)
        last = np.maximum.accumulate(np.where(right, steps, self._last[:, None]), axis=1)
        # Among equal scores and last steps, argmax over the reversed indices finds the highest index.
        leading = np.where(scores == scores.max(axis=0), last, -2)[::-1]
        after = right.shape[0] - 1 - np.argmax(leading, axis=0)
        after[last.max(axis=0) < 0] = 0
        judges = np.concatenate(([self._winner], after[:-1]))
        index = np.arange(right.shape[1])
        outcome = right[judges, index]
        if present is not None:
            outcome = outcome[present[judges, index]]
        self._count(outcome)
        self._scores, self._last, self._winner = scores[:, -1], last[:, -1], int(after[-1])
        self._step += right.shape[1]

    def _count(self, outcome: Flags) -> None:
        self.correct += int(outcome.sum())
        wrong = np.flatnonzero(~outcome)
        if wrong.size == 0:
            self._run += outcome.size
            self.longest_run = max(self.longest_run, self._run)
            return
        inner = int(np.diff(wrong).max() - 1) if wrong.size > 1 else 0
        self.longest_run = max(self.longest_run, self._run + int(wrong[0]), inner)
        self._run = outcome.size - 1 - int(wrong[-1])
        self.longest_run = max(self.longest_run, self._run)


def lag(data: bytes, n: int, k: int) -> tuple[int, int]:
    """Lag predictor, 6.3.8: sub-predictor d predicts the sample d before, d = 1 to 128. Returns (C, longest run)."""
    symbols = unpack(data, n, k)
    # Before the data: a symbol that never occurs, so that no prediction from it is correct.
    padded = np.concatenate((np.full(_LAGS, -1, dtype=np.int16), symbols.astype(np.int16)))
    board = Scoreboard(_LAGS)
    for start in range(1, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        actual = padded[_LAGS + start : _LAGS + stop]
        board.play(np.stack([padded[_LAGS + start - d : _LAGS + stop - d] == actual for d in range(1, _LAGS + 1)]))
    return board.correct, board.longest_run


def multi_mcw(data: bytes, n: int, k: int) -> tuple[int, int]:
    """MultiMCW predictor, 6.3.7: the most common symbol of the last 63, 255, 1023 and 4095. Returns (C, longest run).

    Ties go to the symbol seen last. A window predicts once it is full.
    """
    symbols = unpack(data, n, k)
    modes = _binary_modes if k == 2 else _window_modes
    predictions = [modes(symbols, window, k) for window in _WINDOWS]
    board = Scoreboard(len(_WINDOWS))
    for start in range(_WINDOWS[0], n, _BLOCK):
        stop = min(start + _BLOCK, n)
        board.play(np.stack([prediction[start:stop] == symbols[start:stop] for prediction in predictions]))
    return board.correct, board.longest_run


def _binary_modes(symbols: NDArray[np.uint8], window: int, _: int) -> NDArray[np.int16]:
    """Entry i: the most common of the `window` bits before bit i, -1 if there are fewer. Windows are odd: no ties."""
    ones = np.concatenate(([0], np.cumsum(symbols, dtype=np.int64)))
    modes = np.full(symbols.size, -1, dtype=np.int16)
    modes[window:] = 2 * (ones[window:-1] - ones[: -window - 1]) > window
    return modes


def _window_modes(symbols: NDArray[np.uint8], window: int, k: int) -> NDArray[np.int16]:
    """Entry i: the most common of the `window` symbols before symbol i, -1 if there are fewer."""
    text = symbols.tolist()
    counts, last = [0] * k, [-1] * k
    return np.fromiter(_modes(text, window, counts, last), dtype=np.int16, count=len(text))


def _modes(text: list[int], window: int, counts: list[int], last: list[int]) -> Iterator[int]:
    best = text[0]
    for i, symbol in enumerate(text):
        yield best if i >= window else -1
        counts[symbol] += 1
        last[symbol] = i
        if i >= window:
            leaver = text[i - window]
            counts[leaver] -= 1
            if leaver == best:
                most = max(counts)
                best = max((s for s, count in enumerate(counts) if count == most), key=last.__getitem__)
        if counts[symbol] >= counts[best]:
            best = symbol
