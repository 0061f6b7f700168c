"""Chi-square tests of independence and goodness of fit, SP 800-90B 5.2.1 to 5.2.4."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.conformance.documents import Document
from esoteric_drbg.conformance.samples.sample_set import SampleSet

__all__ = ["FAILS_BELOW", "ChiSquare", "Tested", "goodness_of_fit", "independence"]

#: A test fails if its p-value is below this.
FAILS_BELOW = 0.001
#: Least expected count of a bin.
BIN_MINIMUM = 5
#: Longest tuples, in bits, of the independence test on binary data.
LONGEST_WORD = 11
#: Blocks of the goodness-of-fit test.
BLOCKS = 10

Counts = NDArray[np.int64]


class Tested(Document):
    """Base of results that a p-value decides."""

    __slots__ = ()
    shown_last = ("passed",)
    p_value: float | None

    @property
    def passed(self) -> bool | None:
        """Whether the test passed; None if it cannot run."""
        return None if self.p_value is None else self.p_value >= FAILS_BELOW


@attrs.frozen(kw_only=True)
class ChiSquare(Tested):
    """Result of a chi-square test.

    Attributes
    ----------
    statistic : float or None
        T, the sum of (observed - expected)^2 / expected; None if the test cannot run.
    degrees_of_freedom : int or None
        Degrees of freedom of the chi-square distribution; None if the test cannot run.
    p_value : float or None
        The probability of T or more on IID data; below 0.001 the test fails. None if the test cannot run.
    reason : str or None
        Why the test cannot run; None if it ran.
    """

    statistic: float | None = None
    degrees_of_freedom: int | None = None
    p_value: float | None = None
    reason: str | None = None


def independence(samples: SampleSet) -> ChiSquare:
    """Test whether neighbouring samples are independent, 5.2.1; on binary data, tuples of bits, 5.2.3.

    Examples
    --------
    >>> from esoteric_drbg.conformance.samples.sample_set import SampleSet
    >>> result = independence(SampleSet.from_symbols(bytes([0, 1, 2]) * 500))
    >>> result.degrees_of_freedom, result.passed
    (6, False)
    """
    if samples.alphabet == 2:
        return _binary_independence(samples)
    x, k = samples.translated.astype(np.int64), samples.alphabet
    pairs = x.size // 2
    observed = np.bincount(x[: 2 * pairs : 2] * k + x[1 : 2 * pairs : 2], minlength=k * k)
    share = _shares(samples)
    expected = np.outer(share, share).reshape(-1) * pairs
    bins = _bins(expected)
    return _result(
        np.bincount(bins, weights=observed), np.bincount(bins, weights=expected), int(bins.max()) + 1 - k, "pairs"
    )


def _binary_independence(samples: SampleSet) -> ChiSquare:
    x = samples.translated
    share = _shares(samples)
    length = LONGEST_WORD
    while length > 1 and share.min() ** length * (x.size // length) < BIN_MINIMUM:
        length -= 1
    if length < 2:
        return ChiSquare(reason=f"a pair of the rarer symbol is expected less than {BIN_MINIMUM} times")
    words = x.size // length
    place = 1 << np.arange(length - 1, -1, -1)
    observed = np.bincount(x[: words * length].reshape(words, length) @ place, minlength=1 << length)
    ones_in_word = np.bitwise_count(np.arange(1 << length)).astype(np.int64)
    expected = share[1] ** ones_in_word * share[0] ** (length - ones_in_word) * words
    return _result(observed, expected, (1 << length) - 2, "words")


def goodness_of_fit(samples: SampleSet) -> ChiSquare:
    """Test whether ten successive blocks have the same distribution of symbols, 5.2.2 and 5.2.4.

    Examples
    --------
    >>> from esoteric_drbg.conformance.samples.sample_set import SampleSet
    >>> result = goodness_of_fit(SampleSet.from_symbols(bytes([0, 0, 1]) * 1000))
    >>> result.degrees_of_freedom, result.passed
    (9, True)
    """
    x, k = samples.translated, samples.alphabet
    size = x.size // BLOCKS
    if size == 0:
        return ChiSquare(reason=f"{x.size} samples do not make {BLOCKS} blocks")
    expected = _shares(samples) * size
    bins = np.arange(k) if k == 2 else _bins(expected)
    n_bins = int(bins.max()) + 1
    observed = np.array([np.bincount(bins[x[b * size : (b + 1) * size]], minlength=n_bins) for b in range(BLOCKS)])
    return _result(
        observed, np.bincount(bins, weights=expected)[None, :], (BLOCKS - 1) * (n_bins - 1), "symbols in a block"
    )


def _shares(samples: SampleSet) -> NDArray[np.float64]:
    """Return the proportion of each symbol.

    For more than two symbols it is summed up one by one, as NIST's tool does. Pairs whose expectations differ only by
    rounding then have the tool's order, which decides which pairs share a bin.
    """
    counts = np.bincount(samples.translated)
    if samples.alphabet <= 2:
        return counts / samples.symbols.size
    return np.cumsum(np.full(int(counts.max()), 1.0 / samples.symbols.size))[counts - 1]


def _bins(expected: NDArray[np.float64]) -> Counts:
    """Assign each value to a bin, the rarest first: each bin expects 5 or more, and the last one takes the rest."""
    bins = np.empty(expected.size, dtype=np.int64)
    current, total = 0, 0.0
    for value in np.argsort(expected, kind="stable"):
        bins[value] = current
        total += expected[value]
        if total >= BIN_MINIMUM:
            current, total = current + 1, 0.0
    if total > 0.0 and current > 0:
        bins[bins == current] = current - 1
    return bins


def _result(observed: NDArray[Any], expected: NDArray[Any], degrees_of_freedom: int, what: str) -> ChiSquare:
    """Return the test's result for the observed and expected counts of the same bins."""
    from scipy.special import gammaincc  # noqa: PLC0415 - slow to import

    if degrees_of_freedom <= 0:
        return ChiSquare(reason=f"too few {what}: {degrees_of_freedom} degrees of freedom are left after binning")
    statistic = float((np.square(observed - expected) / expected).sum())
    return ChiSquare(
        statistic=statistic,
        degrees_of_freedom=degrees_of_freedom,
        p_value=float(gammaincc(degrees_of_freedom / 2, statistic / 2)),
    )
