"""Length of the longest repeated substring test, SP 800-90B 5.2.5."""

from __future__ import annotations

import math

import attrs
import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.conformance.iid_chi_square import FAILS_BELOW
from esoteric_drbg.conformance.samples import SampleSet

__all__ = ["LongestRepeat", "longest_repeat", "longest_repeat_test"]

Symbols = NDArray[np.uint8]
Numbers = NDArray[np.int64]


@attrs.frozen(kw_only=True)
class LongestRepeat:
    """Result of the test.

    Attributes
    ----------
    length : int
        W, the length in samples of the longest substring that occurs twice; the two may overlap.
    collision_probability : float
        p_col, the probability that two independent symbols are equal.
    p_value : float or None
        The probability that some substring of this length repeats on IID data; below 0.001 the test fails. None if the
        test cannot run.
    reason : str or None
        Why the test cannot run; None if it ran.
    """

    length: int
    collision_probability: float
    p_value: float | None = None
    reason: str | None = None

    @property
    def passed(self) -> bool | None:
        """Whether the test passed; None if it cannot run."""
        return None if self.p_value is None else self.p_value >= FAILS_BELOW


def longest_repeat_test(samples: SampleSet) -> LongestRepeat:
    """Test whether the longest repeated substring is longer than independent symbols explain.

    Examples
    --------
    >>> from esoteric_drbg.conformance.samples import SampleSet
    >>> block = bytes([0, 3, 1, 2, 3, 0, 0, 2, 2, 1])
    >>> result = longest_repeat_test(SampleSet.from_symbols(block + block))
    >>> result.length, result.passed
    (10, False)
    """
    x = samples.translated
    n = x.size
    counts = np.bincount(x)
    collision = int(np.square(counts).sum()) / n**2
    length = longest_repeat(x, samples.alphabet)
    if length == 0:
        return LongestRepeat(length=0, collision_probability=collision, reason="no symbol occurs twice")
    if samples.alphabet == 1:
        return LongestRepeat(length=length, collision_probability=1.0, p_value=1.0)
    pairs = math.comb(n - length + 1, 2)
    repeats = math.exp(length * math.log(collision))  # a probability; 0.0 if it is below the smallest float
    p_value = -math.expm1(pairs * math.log1p(-repeats))
    return LongestRepeat(length=length, collision_probability=collision, p_value=abs(p_value))


def longest_repeat(symbols: Symbols, k: int) -> int:
    """Return the length of the longest substring that occurs at least twice, 0 if no symbol does.

    Parameters
    ----------
    symbols : ndarray of uint8
        Symbols 0 to k - 1.
    k : int
        Size of the alphabet.

    Notes
    -----
    A level numbers all substrings of one length by their content: first by value, for lengths 1, 2, 4, ... as long as
    the values fit, then by rank. A set of starts whose next `length` symbols repeat is extended by the longest level
    until nothing is left that repeats, with new levels made on the way, and then by the shorter levels in turn.
    """
    n = symbols.size
    if k == 1:
        return n - 1
    level: Numbers = symbols.astype(np.int64)
    size, bound = 1, k
    levels = [level]
    while bound < 1 << 31 and 2 * size < n:
        level = level[:-size] * bound + level[size:]
        size, bound = 2 * size, bound * bound
        levels.append(level)
    length = 0
    starts: Numbers = np.arange(n)
    numbers: Numbers = np.zeros(n, dtype=np.int64)
    while (found := _extended(starts, numbers, length, levels[-1])) is not None:
        starts, numbers = found
        length += size
        if length > size:
            size = length
            level = np.arange(n, 2 * n - size + 1)  # a substring that does not repeat has a number of its own
            level[starts] = numbers
            levels.append(level)
    for level in reversed(levels[:-1]):
        size //= 2
        found = _extended(starts, numbers, length, level)
        if found is not None:
            starts, numbers = found
            length += size
    return length


def _extended(starts: Numbers, numbers: Numbers, length: int, level: Numbers) -> tuple[Numbers, Numbers] | None:
    """Return which substrings still repeat when the level's length is added to theirs, and their numbers; None if none.

    `numbers` tells the substrings of `length` symbols at `starts` apart; `level` those of its own length, by start.
    """
    inside = starts < level.size - length
    starts, keys = starts[inside], level[starts[inside] + length]
    if starts.size < 2:
        return None
    if length:
        if int(keys.max()) >= 1 << 32:
            keys = np.unique(keys, return_inverse=True)[1]
        keys = keys + numbers[inside] * (int(keys.max()) + 1)
    order = np.argsort(keys)
    keys = keys[order]
    same = keys[1:] == keys[:-1]
    repeats = np.r_[same, False] | np.r_[False, same]
    if not repeats.any():
        return None
    fresh = ~np.r_[False, same]
    return starts[order[repeats]], np.cumsum(fresh)[repeats]
