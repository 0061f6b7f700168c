"""The exact cutoff of the restart sanity check, SP 800-90B 3.1.4.3.

A row or column has n samples. Of all distributions with min-entropy H, counts are largest for the one that has
floor(1/p) symbols of probability p = 2^-H and one further symbol for the remainder. X is the largest count, and the
cutoff is the least U with P(X <= U) >= 1 - alpha. The standard simulates X; here its distribution is computed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from esoteric_drbg.errors import InvalidInputError

__all__ = ["max_count_cdf", "restart_alpha", "restart_cutoff", "worst_case"]

#: Upper bound, generous, of the relative error of the binomial tails and of the convolutions below.
_ERROR = 1e-9


def restart_alpha(rows: int, columns: int) -> float:
    """Return alpha = 1 - 0.99^(1/(rows + columns)): all lines together fail with probability 0.01.

    Examples
    --------
    >>> from esoteric_drbg.conformance.restart.cutoff import restart_alpha
    >>> f"{restart_alpha(1000, 1000):.6e}"
    '5.025155e-06'
    """
    return -math.expm1(math.log(0.99) / (rows + columns))


def worst_case(h: float) -> tuple[float, int, float]:
    """Return p = 2^-h, the number of symbols with this probability, and the probability of the one further symbol.

    Examples
    --------
    >>> from esoteric_drbg.conformance.restart.cutoff import worst_case
    >>> worst_case(2.0)
    (0.25, 4, 0.0)
    """
    if not 0.0 <= h <= 8.0:
        raise InvalidInputError(f"h={h}: a min-entropy from 0 to 8 bits per sample is expected")
    p = 2.0**-h
    symbols = math.floor(1 / Fraction(p))  # as a quotient of floats, 1/p may round up to a whole number
    return p, symbols, float(1 - symbols * Fraction(p))


@functools.cache
def restart_cutoff(h: float, n: int, alpha: float) -> int:
    """Return the least U with P(X <= U) >= 1 - alpha, where X is the largest count of a symbol in `n` samples.

    Parameters
    ----------
    h : float
        H_I, min-entropy in bits per sample, 0 to 8.
    n : int
        Samples in the row or column, 1 or more.
    alpha : float
        Between 0 and 1, both excluded.

    Returns
    -------
    int
        From 1 to n. A count *above* it fails.

    Raises
    ------
    InvalidInputError
        If an argument is outside its range.

    Notes
    -----
    With S the sum of the binomial tails P(N_i > U), P(X > U) is at most S (union bound), and P(X <= U) at most the
    product of the P(N_i <= U), because counts that share n are negatively associated. The two bounds are S^2/2
    apart, so that they nearly always decide; where they do not, :func:`max_count_cdf` does.

    Examples
    --------
    >>> from esoteric_drbg.conformance.restart.cutoff import restart_alpha, restart_cutoff
    >>> alpha = restart_alpha(1000, 1000)
    >>> restart_cutoff(1.0, 1000, alpha), restart_cutoff(8.0, 1000, alpha), restart_cutoff(0.001, 1000, alpha)
    (572, 19, 1000)
    """
    if n < 1:
        raise InvalidInputError(f"n={n}: a row or column has 1 or more symbols")
    if not 0.0 < alpha < 1.0:
        raise InvalidInputError(f"alpha={alpha}: expected between 0 and 1")
    p, symbols, rest = worst_case(h)
    tails = ((symbols, _tails(n, p)), (1, _tails(n, rest)))
    low, high = 0, n  # the largest count is above `low`, and never above `high`
    while high - low > 1:
        u = (low + high) // 2
        decided = _reached([(count, float(tail[u])) for count, tail in tails], alpha)
        if decided is None:
            decided = max_count_cdf(u, n, h) >= 1.0 - alpha
        if decided:
            high = u
        else:
            low = u
    return high


def _reached(tails: Sequence[tuple[int, float]], alpha: float) -> bool | None:
    """Return whether P(X <= u) >= 1 - alpha, None if undecided. `tails`: symbols, and P(N > u) of each."""
    if math.fsum(count * tail for count, tail in tails) * (1.0 + _ERROR) <= alpha:
        return True
    if any(tail >= 1.0 for _, tail in tails):
        return False
    above = -math.expm1(math.fsum(count * math.log1p(-tail) for count, tail in tails))
    return False if above * (1.0 - _ERROR) > alpha else None


def _tails(n: int, p: float) -> NDArray[np.float64]:
    """P(N > u) of a binomial count, for u = 0 ... n.

    Each probability is a product of ratios from the most likely count on, so that nothing overflows; their sum sets
    the scale.
    """
    if p <= 0.0 or p >= 1.0:
        return np.where(np.arange(n + 1) < n * p, 1.0, 0.0)
    counts = np.arange(n + 1, dtype=np.float64)
    ratios = (n - counts[:-1]) / counts[1:] * (p / (1.0 - p))  # of count j + 1 to count j
    mode = min(n, int((n + 1) * p))
    weights = np.concatenate((np.cumprod(1.0 / ratios[:mode][::-1])[::-1], [1.0], np.cumprod(ratios[mode:])))
    from_top = np.cumsum(weights[::-1])[::-1]
    tails: NDArray[np.float64] = np.append(from_top[1:], 0.0) / from_top[0]
    return tails


def max_count_cdf(u: int, n: int, h: float) -> float:
    """Return P(X <= u), where X is the largest count in `n` samples of the worst distribution for `h`.

    Independent Poisson counts with means n p_i, given that their sum is n, are multinomial. So the counts'
    distributions, cut off above `u`, are convolved (equal ones by repeated squaring), and the term for n is divided by
    the probability that the sum is n. All terms are positive: relative errors stay near n machine epsilons. Time grows
    with n squared.

    Examples
    --------
    >>> from esoteric_drbg.conformance.restart.cutoff import max_count_cdf
    >>> round(max_count_cdf(1, 2, 1.0), 12)  # two fair bits differ
    0.5
    """
    if n < 1:
        raise InvalidInputError(f"n={n}: a row or column has 1 or more symbols")
    p, symbols, rest = worst_case(h)
    if u >= n:
        return 1.0
    if u < 0:
        return 0.0
    total = _poisson(u, n, n * rest)
    power, exponent = _poisson(u, n, n * p), symbols
    while exponent:
        if exponent & 1:
            total = np.convolve(total, power)[: n + 1]
        exponent >>= 1
        if exponent:
            power = np.convolve(power, power)[: n + 1]
    # The means add up to n, save for rounding in p.
    exactly_n = math.exp(n * math.log(n) - n - math.lgamma(n + 1.0))
    return min(1.0, float(total[n]) / exactly_n) if total.size > n else 0.0


def _poisson(u: int, n: int, mean: float) -> NDArray[np.float64]:
    """Poisson probabilities of 0 ... min(u, n)."""
    counts = np.arange(min(u, n) + 1, dtype=np.float64)
    if mean <= 0.0:
        return np.asarray(counts == 0.0, dtype=np.float64)
    factorials = np.array([math.lgamma(count + 1.0) for count in counts.tolist()])
    terms: NDArray[np.float64] = np.exp(counts * math.log(mean) - mean - factorials)
    return terms
