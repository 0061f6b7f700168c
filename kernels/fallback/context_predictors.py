"""Faster Python kernels of the MultiMMC and LZ78Y predictors, SP 800-90B 6.3.9 and 6.3.10.

Both count which symbol followed which context. Nothing here runs sample by sample: all occurrences of a context are
sorted next to one another, in the order of time, and the best count known at each of them is a running maximum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.kernels.fallback.predictors import Flags, Scoreboard
from esoteric_drbg.kernels.fallback.symbols import unpack

__all__ = ["lz78y", "multi_mmc"]

_BLOCK = 1 << 16
_ORDERS = 16
_MOST_PAIRS = 100_000
_LENGTHS = 16
_MOST_CONTEXTS = 65_536


def _contexts(symbols: NDArray[np.uint8], k: int, longest: int) -> list[NDArray[np.int64]]:
    """Number the contexts of d symbols in entry d - 1: element i is the context that ends before symbol d + i."""
    numbers: list[NDArray[np.int64]] = []
    current = np.zeros(symbols.size, dtype=np.int64)  # the empty context before each symbol
    for _ in range(longest):
        # A context of d + 1 symbols is one of d symbols and the symbol before it.
        current = current[1:] * k + symbols[: current.size - 1]
        if k > 2:
            current = np.unique(current, return_inverse=True)[1].astype(np.int64)
        numbers.append(current)
    return numbers


def _starts(keys: NDArray[np.int64]) -> Flags:
    """Flags of the elements at which a run of equal keys begins."""
    return np.concatenate(([True], keys[1:] != keys[:-1]))


def _occurrence(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each element: how often its key has occurred so far, itself included, and where it occurred first."""
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(_starts(keys[order]))
    sizes = np.diff(np.append(starts, keys.size))
    counts, first = np.empty_like(keys), np.empty_like(keys)
    counts[order] = np.arange(keys.size) - np.repeat(starts, sizes) + 1
    first[order] = np.repeat(order[starts], sizes)
    return counts, first


def _known_before(
    contexts: NDArray[np.int64], following: NDArray[np.uint8], kept: Flags, counts: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each element: the highest count recorded for its context before it, and its symbol; 0 and 0 if there is none.

    Among equal counts, the larger symbol is returned.

    `counts` is the count of the pair (context, following) after the element is recorded; `kept` says whether it is
    recorded.
    """
    order = np.argsort(contexts, kind="stable")
    starts = _starts(contexts[order])
    # A pair's count only grows: the best pair so far is the maximum of all (count, symbol) so far.
    values = np.where(kept, counts * k + following, 0)[order]
    group = np.cumsum(starts) - 1
    span = int(values.max()) + 1
    running = np.maximum.accumulate(values + group * span) - group * span
    before = np.where(starts, 0, np.concatenate(([0], running[:-1])))
    best = np.empty_like(contexts)
    best[order] = before
    return best // k, best % k


def multi_mmc(data: bytes, n: int, k: int) -> tuple[int, int]:
    """MultiMMC predictor, 6.3.9: Markov models with counting of orders 1 to 16. Returns (C, longest run).

    Each order records at most 100,000 different (context, next symbol) pairs.
    """
    symbols = unpack(data, n, k)
    board = Scoreboard(_ORDERS)
    right = np.zeros((_ORDERS, max(0, n - 2)), dtype=bool)
    present = np.zeros_like(right)
    for d, contexts in enumerate(_contexts(symbols, k, min(_ORDERS, n - 1)), 1):
        following = symbols[d:]
        counts, first = _occurrence(contexts * k + following)
        new = np.cumsum(first == np.arange(first.size))  # different pairs up to each element
        kept = new[first] <= _MOST_PAIRS
        most, symbol = _known_before(contexts, following, kept, counts, k)
        # No symbol was counted before the first element; predictions start at symbol 2.
        skip = 1 if d == 1 else 0
        present[d - 1, max(0, d - 2) :] = (most > 0)[skip:]
        right[d - 1, max(0, d - 2) :] = (symbol == following)[skip:]
    # Where the context of an order is not known, no higher order predicts, even if its longer context is known.
    present = np.logical_and.accumulate(present, axis=0)
    right &= present
    for start in range(0, right.shape[1], _BLOCK):
        board.play(right[:, start : start + _BLOCK], present[:, start : start + _BLOCK])
    return board.correct, board.longest_run


def lz78y(data: bytes, n: int, k: int) -> tuple[int, int]:
    """LZ78Y predictor, 6.3.10: contexts of 16 down to 1 symbols in one dictionary. Returns (C, longest run).

    The dictionary takes the first 65,536 different contexts, the longest of a step first. Each context in it counts
    every symbol that follows. The symbol with the highest count is predicted; among equal counts that of the longest
    context, and within a context the larger symbol.
    """
    symbols = unpack(data, n, k)
    if n <= _LENGTHS:
        return 0, 0
    numbers = [contexts[_LENGTHS - j :] for j, contexts in enumerate(_contexts(symbols, k, _LENGTHS), 1)]
    following = symbols[_LENGTHS:]
    where = np.arange(following.size)
    firsts = [_occurrence(contexts)[1] for contexts in numbers]
    # Contexts enter in the order of (step, longest first).
    entries = [
        np.flatnonzero(first == where)[:_MOST_CONTEXTS] * _LENGTHS + _LENGTHS - j for j, first in enumerate(firsts, 1)
    ]
    entered = np.sort(np.concatenate(entries))[:_MOST_CONTEXTS]
    highest = np.zeros(following.size, dtype=np.int64)
    predicted = np.full(following.size, -1, dtype=np.int64)
    for j, (contexts, first) in enumerate(zip(numbers, firsts, strict=True), 1):
        kept = first * _LENGTHS + _LENGTHS - j <= entered[-1]
        counts, _ = _occurrence(contexts * k + following)
        most, symbol = _known_before(contexts, following, kept, counts, k)
        better = (most > 0) & (most >= highest)
        highest[better], predicted[better] = most[better], symbol[better]
    outcome = (predicted == following)[1:]
    board = Scoreboard(1)
    for start in range(0, outcome.size, _BLOCK):
        board.play(outcome[None, start : start + _BLOCK])
    return board.correct, board.longest_run
