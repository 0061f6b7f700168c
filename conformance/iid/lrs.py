"""Length of the longest repeated substring test, SP 800-90B 5.2.5."""

from __future__ import annotations

import math

import attrs
import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.conformance.iid.chi_square import Tested
from esoteric_drbg.conformance.samples.sample_set import SampleSet
from esoteric_drbg.kernels.estimators import tuple_counts

__all__ = ["LongestRepeat", "longest_repeat", "longest_repeat_test"]

Symbols = NDArray[np.uint8]


@attrs.frozen(kw_only=True)
class LongestRepeat(Tested):
    """Result of the Length of the Longest Repeated Substring Test.

    Attributes
    ----------
    length : int
        W, the length in samples of the longest substring that occurs twice; the occurrences may overlap.
    collision_probability : float
        p_col, the probability that two independent samples are equal.
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


def longest_repeat_test(samples: SampleSet) -> LongestRepeat:
    """Test whether the longest repeated substring is longer than independent samples explain.

    Examples
    --------
    >>> from esoteric_drbg.conformance.samples.sample_set import SampleSet
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
    """
    if k == 1:
        return symbols.size - 1
    return tuple_counts(np.packbits(symbols) if k == 2 else symbols, symbols.size, k)[1]
